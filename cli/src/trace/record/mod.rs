//! QEMU's own model of a board runs any image, and what it does to the devices is recorded.
//!
//! One instruction takes a fixed time (`-icount`), the clock is virtual, and what is typed is typed
//! by [`inside.c`](inside.c) at moments of virtual time: recorded twice, the file is the same.
mod boards;

use super::import::{self, Import, Imported};
use super::{file, replay};
use crate::fault::{Doing, Fault, Faults, Result, did_you_mean};
use crate::images::{self, Manifest};
use crate::system::board::map_faults;
use crate::system::reference;
use crate::tree::source;
use crate::{progress, workspace};
use boards::{MODELS, Model};
use reliquary::access::Security;
use reliquary::board::Plan;
use reliquary::board::plan::WindowKind;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// When the board's clock begins: 1 January 2024, in Unix seconds.
const RTC: (u32, &str) = (1_704_067_200, "2024-01-01");

/// What is recorded.
#[derive(Debug)]
pub struct Record<'a> {
    /// The board.
    pub board: &'a str,
    /// QEMU's options for images, each with its image: `-kernel`, `-dtb`, `-initrd`, `-bios`.
    pub images: Vec<(&'static str, &'a str)>,
    /// The kernel's arguments.
    pub append: Option<&'a str>,
    /// How many CPUs the board has.
    pub cpus: u8,
    /// What is waited for and typed, in this order.
    pub steps: Vec<Step>,
    /// The end, in nanoseconds of virtual time.
    pub limit_ns: u64,
    /// From the last step to the end.
    pub settle_ns: u64,
    /// How long it may take, in the user's time.
    pub timeout: Duration,
    /// A nanosecond times two to this is an instruction's time.
    pub shift: u8,
    /// What the software is called in the header.
    pub image: Option<&'a str>,
    /// Devices that are left out.
    pub leave_out: &'a [String],
    /// Remarks.
    pub notes: &'a [String],
    /// Further arguments of QEMU.
    pub qemu: &'a [String],
}

/// A step of what is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Wait until the console printed this.
    Expect(String),
    /// Type this.
    Type(String),
}

impl Record<'_> {
    /// Records, and writes the trace.
    pub fn run(&self, to: &Path) -> Result<Imported> {
        let model = self.model()?;
        let map = replay::map(self.board)?;
        let blob = source::blob_of_file(&map)?;
        let plan = Plan::read(&blob).map_err(|errors| map_faults(&map, errors))?;
        let folder = tempfile::tempdir().doing(|| "cannot make a folder".to_owned())?;
        let log = folder.path().join("events.log");
        let mut command = self.command(model, &plan, folder.path(), &log)?;
        let step = progress::step(format!("recording QEMU's {}", self.board));
        let said = self.wait(&mut command, folder.path())?;
        step.finish();
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        self.ended(&text, &said, folder.path())?;
        let mut notes = vec![self.told(model)];
        notes.extend(self.notes.iter().cloned());
        let import = Import {
            board: self.board,
            source: "qemu-7.2",
            image: self.image,
            security: if plan.secure {
                Security::Secure
            } else {
                Security::NonSecure
            },
            cpus: Some(self.cpus),
            rtc: RTC.0,
            leave_out: self.leave_out,
            notes,
        };
        let imported = import.trace(import::log::rows_of(&text, &log)?)?;
        file::write(to, imported.text.as_bytes())?;
        Ok(imported)
    }

    fn model(&self) -> Result<&'static Model> {
        let known = MODELS.iter().find(|model| model.board == self.board);
        known.ok_or_else(|| {
            let names = MODELS.iter().map(|model| model.board);
            let mend = match did_you_mean(self.board, names.clone()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!(
                    "there are {}; a log of another machine becomes a trace by `trace import`",
                    names.collect::<Vec<_>>().join(", ")
                ),
            };
            let what = format!("QEMU's model of the board \"{}\" is not known", self.board);
            Fault::new(what).mend(mend).into()
        })
    }

    fn command(&self, model: &Model, plan: &Plan, folder: &Path, log: &Path) -> Result<Command> {
        let mut command = Command::new(model.program);
        command.args(model.machine);
        command.arg("-smp").arg(self.cpus.to_string());
        command.args(["-display", "none", "-monitor", "none", "-nic", "none"]);
        command.args(["-audiodev", "none,id=none", "-no-reboot"]);
        command.arg("-chardev").arg(format!(
            "file,id=console,path={}",
            folder.join("console.txt").display()
        ));
        command.args(["-serial", "chardev:console"]);
        command
            .arg("-icount")
            .arg(format!("shift={},sleep=off", self.shift));
        command.arg("-rtc").arg(format!("base={},clock=vm", RTC.1));
        for event in [
            "memory_region_ops_read",
            "memory_region_ops_write",
            "gic_set_irq",
        ] {
            command.args(["-trace", event]);
        }
        command.arg("-D").arg(log);
        for (option, name) in &self.images {
            command.arg(option).arg(image(name, model.wide)?);
        }
        if let Some(append) = self.append {
            command.arg("-append").arg(append);
        }
        command.args(self.qemu);
        command.env("LD_PRELOAD", inside(folder)?);
        if let Some(address) = console(plan) {
            command.env("RELIQUARY_CONSOLE", format!("{address:x}"));
        } else if !self.steps.is_empty() {
            let fault = Fault::new("the board's map names no console: nothing can be typed");
            let mend = "give the map a stdout-path in /chosen, or leave --expect and --type out";
            return Err(fault.mend(mend).into());
        }
        let steps = folder.join("steps");
        std::fs::write(&steps, self.script()).doing(|| "cannot write".to_owned())?;
        command.env("RELIQUARY_STEPS", steps);
        command.env("RELIQUARY_LIMIT", self.limit_ns.to_string());
        command.env("RELIQUARY_SETTLE", self.settle_ns.to_string());
        Ok(command)
    }

    /// The steps as `inside.c` reads them.
    fn script(&self) -> String {
        let mut script = String::new();
        for step in &self.steps {
            let (letter, text) = match step {
                Step::Expect(text) => ('e', text),
                Step::Type(text) => ('s', text),
            };
            script.push(letter);
            script.push(' ');
            for byte in text.bytes() {
                let _ = write!(script, "{byte:02x}");
            }
            script.push('\n');
        }
        script
    }

    /// Runs QEMU to its end; what it said.
    fn wait(&self, command: &mut Command, folder: &Path) -> Result<String> {
        let errors = folder.join("errors.txt");
        let to = std::fs::File::create(&errors).doing(|| "cannot write".to_owned())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(to)
            .spawn();
        let child = child.doing(|| "cannot run QEMU".to_owned());
        let child = child.map_err(|fault| fault.mend("cargo reliquary setup"))?;
        let mut qemu = Ended(child);
        let until = Instant::now() + self.timeout;
        loop {
            let ended = qemu
                .0
                .try_wait()
                .doing(|| "cannot wait for QEMU".to_owned())?;
            if ended.is_some() {
                return Ok(std::fs::read_to_string(&errors).unwrap_or_default());
            }
            if Instant::now() > until {
                let what = format!(
                    "QEMU was not done after {} s; the console's last lines:\n{}",
                    self.timeout.as_secs(),
                    tail(folder)
                );
                let mend = "give it more time (--timeout), or let it end earlier (--for)";
                return Err(Fault::new(what).mend(mend).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether the recording came to its end.
    fn ended(&self, log: &str, said: &str, folder: &Path) -> Result<()> {
        let last = log.lines().next_back().unwrap_or_default();
        let early = last.ends_with(" end early");
        let steps = self
            .steps
            .iter()
            .any(|step| matches!(step, Step::Expect(_)));
        if early && steps {
            let what = format!(
                "the console did not print what --expect waited for; its last lines:\n{}",
                tail(folder)
            );
            let mend = "give it more of the board's time (--for), or expect another text";
            return Err(Fault::new(what).mend(mend).into());
        }
        if log.is_empty() {
            let what = format!("QEMU recorded nothing: {}", said.trim());
            return Err(Fault::new(what).mend("see QEMU's own words").into());
        }
        Ok(())
    }

    /// How it was recorded, for the header.
    fn told(&self, model: &Model) -> String {
        let mut told = format!(
            "{} 7.2 {} -smp {} -icount shift={},sleep=off -rtc base={},clock=vm",
            model.program,
            model.machine.join(" "),
            self.cpus,
            self.shift,
            RTC.1
        );
        for (option, name) in &self.images {
            let _ = write!(told, " {option} {name}");
        }
        if let Some(append) = self.append {
            let _ = write!(told, " -append '{append}'");
        }
        for argument in self.qemu {
            let _ = write!(told, " {argument}");
        }
        for step in &self.steps {
            let _ = match step {
                Step::Expect(text) => write!(told, ", expect {text:?}"),
                Step::Type(text) => write!(told, ", type {text:?}"),
            };
        }
        told
    }
}

/// QEMU's process: ended when this is dropped.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The last lines of the console.
fn tail(folder: &Path) -> String {
    let text = std::fs::read(folder.join("console.txt")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// The library that is loaded into QEMU, built.
fn inside(folder: &Path) -> Result<PathBuf> {
    let source = folder.join("inside.c");
    std::fs::write(&source, include_str!("inside.c")).doing(|| "cannot write".to_owned())?;
    let library = folder.join("inside.so");
    let output = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl")
        .output();
    let output = output.doing(|| "cannot run the C compiler cc".to_owned());
    let output = output.map_err(|fault| fault.mend("cargo reliquary setup"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let what = format!("what is loaded into QEMU does not compile: {}", said.trim());
        return Err(Fault::new(what).mend("cargo reliquary setup").into());
    }
    Ok(library)
}

/// The file of an image that is given as in a system file.
fn image(name: &str, wide: bool) -> Result<PathBuf> {
    if let Some(known) = name.strip_prefix("image:") {
        Manifest::read()?.fetch(&[known], false)?;
        return Ok(images::path(known));
    }
    if let Some(program) = name.strip_prefix("firmware:") {
        return reference::firmware(program, wide);
    }
    let path = PathBuf::from(name);
    if path.is_file() {
        return Ok(path);
    }
    let shown = workspace::shown(&path).display().to_string();
    let mend = "write its path, or image:NAME of `cargo reliquary images list`";
    let fault = Fault::new(format!("there is no file {shown}")).mend(mend);
    Err(Faults::from(fault))
}

/// The address of the console's data register.
fn console(plan: &Plan) -> Option<u64> {
    let console = plan.console?;
    plan.windows.iter().find_map(|window| match window.kind {
        WindowKind::Device { device, region: 0 } if device == console => Some(window.at.0),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_of_a_board_with_a_map() {
        for model in MODELS {
            assert!(replay::map(model.board).is_ok(), "{}", model.board);
        }
    }
}
