//! `cargo reliquary run`.
use crate::fault::{Fault, Result};
use crate::latency::Measured;
use crate::machine::{Devices, End, Machine, Outcome};
use crate::outside::Outside;
use crate::script::{Play, Script};
use crate::system::System;
use crate::tap::{self, Taps};
use crate::trace::recording::{Recording, Told, Wanted};
use crate::verbs::build::{self, Built};
use clap::Args;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Build a system and boot it under QEMU.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary run systems/vexpress-a15-linux.toml
  cargo reliquary run systems/vexpress-a9-linux.toml --host qemu-virt-gicv2
  cargo reliquary run systems/vexpress-a15-linux.toml --timeout 120 \\
      --expect '/ #' --send 'uname -m' --expect armv7l
  cargo reliquary run systems/two-hellos.toml --expect '@right:q ends' --send q --expect passed
  cargo reliquary run systems/virt-v8-hello.toml -- -d int -D int.log
  cargo reliquary run systems/vexpress-a9-linux.toml --record a9.trace.zst --expect '/ #'
  cargo reliquary run systems/two-boards.toml --pcap lan.pcapng --record-wires wires.trace.zst
  cargo reliquary run systems/vexpress-a9-linux.toml --latency --expect '/ #'
  cargo reliquary run systems/vexpress-a9-network.toml --net user

At the console: Ctrl-A x leaves, Ctrl-A n goes to the next VM's console. With --expect or
--send the exit status is 0 only when every text was seen. Texts are looked for on the VMs'
consoles, not among the hypervisor's own messages, unless @NAME: before the text says where.")]
pub struct Run {
    /// The system file.
    system: PathBuf,
    /// The host that QEMU plays: qemu-virt, qemu-virt-max or qemu-virt-gicv2.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    #[command(flatten)]
    script: Script,
    /// Give up after so many seconds; with a script, after 300 if this is not given.
    #[arg(long, value_name = "S")]
    timeout: Option<u64>,
    /// Keep all that the consoles print in this file.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// One instruction takes one nanosecond: the same run every time.
    #[arg(long)]
    icount: bool,
    /// Record what the devices do, as a trace (.trace, or .trace.zst).
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Record this device only; repeatable. The others cost nothing then.
    #[arg(long, value_name = "NAME", requires = "record")]
    record_device: Vec<String>,
    /// Record this VM's devices, of a system that has several.
    #[arg(long, value_name = "NAME", requires = "record")]
    record_vm: Option<String>,
    #[command(flatten)]
    wires: tap::Wanted,
    /// Count the instructions at EL2 for which an interrupt waits, on each core, and tell the longest.
    #[arg(long, conflicts_with_all = ["record", "pcap", "record_wires"])]
    latency: bool,
    /// Where a guest's interrupts begin, for --latency; repeatable. It is known of a 32-bit guest
    /// with vectors at 0 or 0xffff0000, and of an ELF file with symbols `vectors` or `..._vectors`.
    #[arg(long, value_name = "VM=ADDRESS", requires = "latency", value_parser = vector)]
    vector: Vec<(String, u64)>,
    #[command(flatten)]
    devices: Devices,
    /// Further arguments of QEMU.
    #[arg(last = true, value_name = "QEMU ARGUMENTS")]
    qemu: Vec<String>,
}

impl Run {
    /// A system, with the user at its console.
    pub fn interactive(system: PathBuf, host: Option<String>) -> Self {
        let (script, qemu) = (Script::default(), Vec::new());
        Self {
            system,
            host,
            script,
            timeout: None,
            log: None,
            icount: false,
            record: None,
            record_device: Vec::new(),
            record_vm: None,
            wires: tap::Wanted::default(),
            latency: false,
            vector: Vec::new(),
            devices: Devices::default(),
            qemu,
        }
    }

    /// Does it.
    pub fn run(&self) -> Result<()> {
        let system = System::read(&self.system)?;
        self.devices.fit(&system)?;
        // A script that cannot be played is told before anything is built for it.
        let names: Vec<String> = system.vms.iter().map(|vm| vm.name.value.clone()).collect();
        Play::new(&self.script, &names, &Outside::all(&system))?;
        let host = self.host.as_deref();
        let mut latency = None;
        let (built, recording, taps) = if self.latency {
            let (built, measures) = build::build_measured(&system, host, &self.vector)?;
            latency = Some(measures);
            (built, None, None)
        } else {
            let wanted = self.record.is_some().then(|| Wanted {
                vm: self.record_vm.clone(),
                devices: self.record_device.clone(),
            });
            build::build_recorded(&system, host, wanted.as_ref(), &self.wires)?
        };
        // A file that cannot be written is told before the run, not behind it.
        if let Some(file) = &self.record {
            crate::trace::file::write(file, b"")?;
        }
        let (recording, taps) = (recording.map(RefCell::new), taps.map(RefCell::new));
        let image = build::kept_at(&system, &built.host.name);
        built.write(&image)?;
        let further = self.devices.with(&self.qemu);
        let qemu = match (&recording, &mut latency) {
            (Some(recording), _) => recording.borrow().qemu(&further),
            (None, Some(latency)) => latency.qemu(&built.elf, self.icount, &further)?,
            (None, None) => further,
        };
        let scripted = !self.script.0.is_empty();
        let timeout = self
            .timeout
            .or(scripted.then_some(300))
            .map(Duration::from_secs);
        let machine = Machine {
            image: &image,
            elf: &built.elf,
            host: &built.host,
            vms: &built.vms,
            outside: &built.outside,
            script: &self.script,
            timeout,
            icount: self.icount,
            qemu: &qemu,
            log: self.log.as_deref(),
            recording: recording.as_ref(),
            taps: taps.as_ref(),
            show: true,
            interactive: !scripted,
            ptys: None,
        };
        let outcome = machine.run()?;
        if let (Some(recording), Some(file)) = (recording, &self.record) {
            let told = recording.into_inner().close(file)?;
            anstream::eprintln!("{told}");
        }
        if let Some(taps) = taps {
            for told in taps.into_inner().close()? {
                anstream::eprintln!("{told}");
            }
        }
        if let Some(latency) = latency {
            anstream::println!("\n{}", latency.close()?);
        }
        if let Some(fault) = outcome.fault_as_shown() {
            return Err(fault.into());
        }
        if outcome.end == End::Off && !outcome.qemu_said.trim().is_empty() {
            return Err(Fault::new(format!("QEMU ended: {}", outcome.qemu_said.trim())).into());
        }
        if scripted {
            let steps = self.script.0.len();
            anstream::eprintln!("{steps} steps done in {:.1} s", outcome.took.as_secs_f64());
        }
        Ok(())
    }
}

/// Boots a system with a script, shows nothing, and gives all that was printed: for tests.
pub fn boot(system: &Path, host: &str, script: &Script, timeout: Duration) -> Result<Outcome> {
    boot_by(system, host, script, timeout, false)
}

/// The same with one nanosecond an instruction: for tests of what something costs.
pub fn boot_counted(
    system: &Path,
    host: &str,
    script: &Script,
    timeout: Duration,
) -> Result<Outcome> {
    boot_by(system, host, script, timeout, true)
}

/// The same with further devices of the host's.
pub fn boot_with_devices(
    system: &Path,
    host: &str,
    script: &Script,
    timeout: Duration,
    devices: &Devices,
) -> Result<Outcome> {
    let built = build::build(&System::read(system)?, Some(host))?;
    let qemu = devices.with(&[]);
    boot_with(&built, script, timeout, false, None, None, &qemu)
}

/// Boots a system with a script, shows nothing, and counts for how long interrupts wait at EL2: for tests.
pub fn boot_measured(
    system: &Path,
    host: &str,
    script: &Script,
    timeout: Duration,
    icount: bool,
) -> Result<(Outcome, Measured)> {
    let system = System::read(system)?;
    let (built, mut latency) = build::build_measured(&system, Some(host), &[])?;
    let qemu = latency.qemu(&built.elf, icount, &[])?;
    let outcome = boot_with(&built, script, timeout, icount, None, None, &qemu)?;
    Ok((outcome, latency.close()?))
}

/// Boots a system with a script, shows nothing, and records it: for tests.
pub fn boot_recorded(
    system: &Path,
    host: &str,
    script: &Script,
    timeout: Duration,
    wanted: &Wanted,
    to: &Path,
) -> Result<(Outcome, Told)> {
    let system = System::read(system)?;
    let nothing = tap::Wanted::default();
    let (built, recording, _) = build::build_recorded(&system, Some(host), Some(wanted), &nothing)?;
    let Some(recording) = recording.map(RefCell::new) else {
        return Err(Fault::new("nothing is recorded").into());
    };
    let qemu = recording.borrow().qemu(&[]);
    let outcome = boot_with(
        &built,
        script,
        timeout,
        false,
        Some(&recording),
        None,
        &qemu,
    )?;
    Ok((outcome, recording.into_inner().close(to)?))
}

/// Boots a system with a script, shows nothing, and taps its wires: for tests.
pub fn boot_tapped(
    system: &Path,
    host: &str,
    script: &Script,
    timeout: Duration,
    wanted: &tap::Wanted,
) -> Result<(Outcome, Vec<tap::Told>)> {
    let system = System::read(system)?;
    let (built, _, taps) = build::build_recorded(&system, Some(host), None, wanted)?;
    let Some(taps) = taps.map(RefCell::new) else {
        return Err(Fault::new("nothing is tapped").into());
    };
    let outcome = boot_with(&built, script, timeout, false, None, Some(&taps), &[])?;
    Ok((outcome, taps.into_inner().close()?))
}

fn boot_by(
    system: &Path,
    host: &str,
    script: &Script,
    timeout: Duration,
    icount: bool,
) -> Result<Outcome> {
    let system = System::read(system)?;
    let built = build::build(&system, Some(host))?;
    boot_with(&built, script, timeout, icount, None, None, &[])
}

fn boot_with(
    built: &Built,
    script: &Script,
    timeout: Duration,
    icount: bool,
    recording: Option<&RefCell<Recording>>,
    taps: Option<&RefCell<Taps>>,
    qemu: &[String],
) -> Result<Outcome> {
    // Tests of one system run side by side: each has its own file.
    let folder = tempfile::tempdir().map_err(|error| Fault::new(error.to_string()))?;
    let image = folder.path().join("system.img");
    built.write(&image)?;
    Machine {
        image: &image,
        elf: &built.elf,
        host: &built.host,
        vms: &built.vms,
        outside: &built.outside,
        script,
        timeout: Some(timeout),
        icount,
        qemu,
        log: None,
        recording,
        taps,
        show: false,
        interactive: false,
        ptys: None,
    }
    .run()
}

/// `VM=ADDRESS`, the address in hexadecimal.
fn vector(text: &str) -> std::result::Result<(String, u64), String> {
    let parts = text.split_once('=');
    let parsed = parts.and_then(|(name, at)| {
        let digits = at.strip_prefix("0x")?;
        Some((name.to_owned(), u64::from_str_radix(digits, 16).ok()?))
    });
    parsed.ok_or_else(|| "write the VM's name and an address: press=0xffff0018".to_owned())
}

#[cfg(test)]
mod tests {
    use super::vector;

    #[test]
    fn a_vector_is_a_vms_name_and_an_address() {
        let due = ("press".to_owned(), 0xffff_0018);
        assert_eq!(vector("press=0xffff0018"), Ok(due));
        for wrong in ["press", "press=18", "press=0xfoo", "0x18"] {
            assert!(vector(wrong).is_err(), "{wrong}");
        }
    }
}
