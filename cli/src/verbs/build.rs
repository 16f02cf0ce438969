//! `cargo reliquary build`.
use crate::fault::{Doing, Result};
use crate::hypervisor::{self, Footprint};
use crate::latency::Latency;
use crate::outside::Outside;
use crate::system::prepare::Prepared;
use crate::system::{System, prepare};
use crate::tap::{self, Taps};
use crate::trace::recording::{self, Recording, Wanted};
use crate::{progress, workspace};
use clap::Args;
use reliquary::bundle;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Pack hypervisor, boards and images into one bootable file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary build systems/vexpress-a15-linux.toml -o a15.img
  cargo reliquary build systems/two-hellos.toml -o - | ssh board 'cat > /boot/two.img'

The file has an arm64 Linux Image header: `booti ADDRESS - ${fdtcontroladdr}` in U-Boot,
`-kernel` in QEMU. The hypervisor's symbols are left beside it in FILE.elf.")]
pub struct Build {
    /// The system file.
    system: PathBuf,
    /// Where the bootable file goes; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Build for this host, not the system file's.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

impl Build {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let system = System::read(&self.system)?;
        let built = build(&system, self.host.as_deref())?;
        if self.output == Path::new("-") {
            let mut out = std::io::stdout().lock();
            out.write_all(&built.file)
                .and_then(|()| out.flush())
                .doing(|| "cannot write to standard output".to_owned())?;
        } else {
            built.write(&self.output)?;
            anstream::eprintln!(
                "wrote {}: {} KiB",
                self.output.display(),
                built.file.len() / 1024
            );
        }
        anstream::eprintln!("hypervisor: {}", built.footprint.shown());
        Ok(())
    }
}

/// A system, packed.
#[derive(Debug)]
pub struct Built {
    /// The bootable file.
    pub file: Vec<u8>,
    /// The hypervisor's ELF file, for its symbols.
    pub elf: PathBuf,
    /// The hypervisor's sizes.
    pub footprint: Footprint,
    /// The names of the VMs.
    pub vms: Vec<String>,
    /// The outside ends of its wires.
    pub outside: Vec<Outside>,
    /// The host that it was built for.
    pub host: crate::system::host::Host,
}

impl Built {
    /// Writes the file, and the symbols beside it.
    pub fn write(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder).doing(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(file, &self.file).doing(|| format!("cannot write {}", file.display()))?;
        let mut elf = file.as_os_str().to_owned();
        elf.push(".elf");
        fs::copy(&self.elf, &elf)
            .doing(|| format!("cannot write {}", PathBuf::from(&elf).display()))?;
        Ok(())
    }
}

/// Builds a system for its own host or another.
pub fn build(system: &System, host: Option<&str>) -> Result<Built> {
    pack(system, prepared(system, host)?)
}

/// The same, to be recorded while it runs: devices of a VM, and what passes the wires.
pub fn build_recorded(
    system: &System,
    host: Option<&str>,
    devices: Option<&Wanted>,
    wires: &tap::Wanted,
) -> Result<(Built, Option<Recording>, Option<Taps>)> {
    let mut prepared = prepared(system, host)?;
    let recording = devices.map(|wanted| recording::begin(system, &mut prepared, wanted));
    let recording = recording.transpose()?;
    let taps = tap::begin(system, &mut prepared, wires)?;
    Ok((pack(system, prepared)?, recording, taps))
}

/// The same, to be measured while it runs; `vectors` are the guests' interrupt vectors that are named.
pub fn build_measured(
    system: &System,
    host: Option<&str>,
    vectors: &[(String, u64)],
) -> Result<(Built, Latency)> {
    let prepared = prepared(system, host)?;
    let latency = Latency::of(system, &prepared, vectors)?;
    Ok((pack(system, prepared)?, latency))
}

fn prepared(system: &System, host: Option<&str>) -> Result<Prepared> {
    prepare::fetch_images(system)?;
    prepare::prepare(system, host)
}

fn pack(system: &System, prepared: Prepared) -> Result<Built> {
    let vms = prepared.vms.iter().map(|vm| vm.name.clone()).collect();
    let host = prepared.host.clone();
    let hypervisor = hypervisor::build()?;
    let step = progress::step(format!("packing {}", system.name));
    let packed = prepared.bundle()?;
    let sealed = bundle::seal(&hypervisor.image, &packed);
    let file = sealed.doing(|| "cannot pack the bootable file".to_owned())?;
    step.finish();
    Ok(Built {
        file,
        elf: hypervisor.elf,
        footprint: hypervisor.footprint,
        vms,
        outside: Outside::all(system),
        host,
    })
}

/// Where `run` keeps a system's bootable file.
pub fn kept_at(system: &System, host: &str) -> PathBuf {
    workspace::target()
        .join("systems")
        .join(format!("{}.{host}.img", system.name))
}
