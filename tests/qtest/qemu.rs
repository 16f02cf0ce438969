//! QEMU's side: a machine that is stopped, its registers accessed through qtest.

use crate::ours::Ours;
use crate::play::{Answer, Step};
use crate::target::{Lines, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A QEMU that plays one sequence.
pub struct Qemu;

/// QEMU's process: ended when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(target: &Target) -> Command {
    let mut command = Command::new(target.program);
    command.args(target.machine);
    if let Some(bytes) = target.card {
        let image = format!("{}/card-of-{bytes}", env!("CARGO_TARGET_TMPDIR"));
        let mut file = std::fs::OpenOptions::new();
        let file = file.write(true).create(true).truncate(false).open(&image);
        let made = file.and_then(|file| file.set_len(bytes));
        made.expect("a card's image can be made");
        let drive = format!("if=sd,format=raw,snapshot=on,file={image}");
        command.args(["-drive", &drive]);
    }
    if target.commands.is_some_and(|commands| commands.erased != 0) {
        let file = erased().display();
        let drive = format!("if=pflash,format=raw,snapshot=on,file={file}");
        command.args(["-drive", &drive]);
    }
    command.args([
        "-S",
        "-accel",
        "tcg",
        "-display",
        "none",
        "-nodefaults",
        "-nic",
        "none",
    ]);
    command.args(["-audiodev", "none,id=none", "-serial", "null"]);
    command.args(["-rtc", "base=1970-01-01,clock=vm"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// A file of an erased flash of 64 MiB; QEMU's are of 0 without one.
fn erased() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("erased.bin");
        std::fs::write(&file, vec![0xff; 0x400_0000]).expect("the file is written");
        file
    })
}

impl Qemu {
    /// Plays a sequence from reset on; all answers.
    pub fn play(target: &Target, ours: &Ours, steps: &[Step]) -> Vec<Answer> {
        if steps.is_empty() {
            return Vec::new();
        }
        let mut script = String::new();
        match target.lines {
            Lines::Controller(kind) | Lines::Cpu(kind) => {
                let _ = writeln!(script, "irq_intercept_in {}", path(target, kind));
            }
            Lines::None => {}
        }
        let intercepts = usize::from(target.lines != Lines::None);
        for step in steps {
            self::line(&mut script, target, ours, step);
        }
        let mut command = command(target);
        command.args([
            "-qtest",
            "stdio",
            "-qtest-log",
            "/dev/null",
            "-monitor",
            "none",
        ]);
        let mut process = Process(command.spawn().expect("QEMU starts"));
        let mut input = process.0.stdin.take().expect("it is piped");
        let output = process.0.stdout.take().expect("it is piped");
        // All of it at once: QEMU answers as fast as it can. A thread writes, for pipes are short.
        let writer = std::thread::spawn(move || {
            let _ = input.write_all(script.as_bytes());
            input
        });
        let answers = answers(target, BufReader::new(output), intercepts, steps);
        drop(writer.join());
        answers
    }
}

/// The command of a step.
fn line(script: &mut String, target: &Target, ours: &Ours, step: &Step) {
    let letter = |bytes| match bytes {
        1 => 'b',
        2 => 'w',
        4 => 'l',
        _ => 'q',
    };
    let _ = match *step {
        Step::Read {
            region,
            offset,
            width,
        } => {
            let at = ours.address(region, offset);
            writeln!(script, "read{} {at:#x}", letter(width.bytes()))
        }
        Step::Write {
            region,
            offset,
            width,
            value,
        } => {
            let at = ours.address(region, offset);
            writeln!(script, "write{} {at:#x} {value:#x}", letter(width.bytes()))
        }
        Step::Input(input, level) => {
            let (kind, number) = target.inputs[input].theirs;
            let path = path(target, kind);
            writeln!(
                script,
                "set_irq_in {path} unnamed-gpio-in {number} {}",
                u8::from(level)
            )
        }
    };
}

fn answers(
    target: &Target,
    output: impl BufRead,
    intercepts: usize,
    steps: &[Step],
) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(steps.len());
    let mut lines: BTreeSet<u16> = BTreeSet::new();
    let mut first = intercepts;
    for said in output.lines() {
        let said = said.expect("QEMU's answers are text");
        if let Some(change) = said.strip_prefix("IRQ ") {
            let (word, number) = change.split_once(' ').expect("IRQ raise N");
            let number = number.parse().expect("a number");
            let number = numbered(target, number);
            if word == "raise" {
                lines.insert(number);
            } else {
                lines.remove(&number);
            }
            continue;
        }
        let value = match said.strip_prefix("OK") {
            Some(value) => value.trim(),
            None if said.starts_with("FAIL") => {
                panic!("{}: QEMU says {said}", target.compatible)
            }
            // Some models complain on the same stream.
            None => continue,
        };
        if first > 0 {
            first -= 1;
            continue;
        }
        let value = value.strip_prefix("0x");
        answers.push(Answer {
            value: value.map(|digits| u64::from_str_radix(digits, 16).expect("a number")),
            lines: lines.clone(),
        });
        if answers.len() == steps.len() {
            return answers;
        }
    }
    panic!(
        "{}: QEMU ended after {} of {} steps: {:?}",
        target.compatible,
        answers.len(),
        steps.len(),
        steps.get(answers.len())
    )
}

/// QEMU's number of a line, as our controller numbers it: a GIC's SPI n is interrupt n + 32.
fn numbered(target: &Target, number: u16) -> u16 {
    match target.lines {
        Lines::Controller(kind) if kind.contains("gic") => number + 32,
        _ => number,
    }
}

/// The path of the only device of a type on a machine, or of the first.
fn path(target: &Target, kind: &str) -> String {
    type Paths = BTreeMap<(Vec<&'static str>, String), String>;
    static PATHS: OnceLock<Mutex<Paths>> = OnceLock::new();
    let mut paths = PATHS
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let key = (target.machine.to_vec(), kind.to_owned());
    let found = paths.entry(key).or_insert_with(|| {
        let tree = tree(target);
        in_tree(&tree, kind).unwrap_or_else(|| panic!("no {kind} in {:?}", target.machine))
    });
    found.clone()
}

/// QEMU's own tree of objects.
fn tree(target: &Target) -> String {
    let mut command = command(target);
    command.args(["-monitor", "stdio"]);
    let mut process = Process(command.spawn().expect("QEMU starts"));
    let mut input = process.0.stdin.take().expect("it is piped");
    let _ = input.write_all(b"info qom-tree\nquit\n");
    let mut output = process.0.stdout.take().expect("it is piped");
    let mut text = Vec::new();
    let _ = std::io::Read::read_to_end(&mut output, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The path of the first object of a type: `  /name (type)`, two blanks for each level.
fn in_tree(tree: &str, kind: &str) -> Option<String> {
    let mut levels: Vec<&str> = Vec::new();
    for line in tree.lines() {
        let name = line.trim_start();
        let depth = (line.len() - name.len()) / 2;
        let Some((name, of)) = name
            .trim_end()
            .strip_prefix('/')
            .and_then(|n| n.split_once(" ("))
        else {
            continue;
        };
        levels.truncate(depth);
        levels.push(name);
        if of.strip_suffix(')') == Some(kind) {
            return Some(format!("/{}", levels.join("/")));
        }
    }
    None
}
