//! `cargo reliquary check`.
use crate::fault::{Doing, Fault, Faults, Result};
use crate::system::board::bytes;
use crate::system::{System, prepare};
use crate::workspace;
use clap::Args;
use reliquary::bundle;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Say everything that is wrong with a system file, a board's map or a built file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary check systems/vexpress-a15-linux.toml
  cargo reliquary check systems/*.toml
  cargo reliquary check platforms/my-board.dts     a board's map, as `board check` does
  cargo reliquary check a15.img                    a file that `build` made: every byte of it

The last line is the summary; the exit status says whether all is sound.")]
pub struct Check {
    /// System files (.toml), maps (.dts) or built files.
    #[arg(required = true, value_name = "SYSTEM|FILE")]
    files: Vec<PathBuf>,
    /// Check systems against this host, not their own.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

impl Check {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let mut wrong = 0;
        for file in &self.files {
            let checked = match file.extension().and_then(OsStr::to_str) {
                Some("toml") => self.system(file),
                Some("dts" | "dtb") => crate::board::check::check(file),
                _ => built(file),
            };
            match checked {
                Ok(()) => {}
                Err(faults) => {
                    faults.print();
                    wrong += faults.0.len();
                }
            }
        }
        let files = match self.files.len() {
            1 => "1 file".to_owned(),
            files => format!("{files} files"),
        };
        if wrong == 0 {
            anstream::println!("{files} checked, all sound");
            return Ok(());
        }
        anstream::println!("{files} checked, {wrong} wrong");
        // Each fault was printed beside its file.
        Err(Faults(Vec::new()))
    }

    fn system(&self, file: &Path) -> Result<()> {
        let system = System::read(file)?;
        let prepared = prepare::prepare(&system, self.host.as_deref())?;
        anstream::println!(
            "{}: on {}",
            workspace::shown(file).display(),
            prepared.host.name
        );
        for vm in &prepared.vms {
            let ram: u64 = vm.board.ram.iter().map(|region| region.size).sum();
            anstream::println!(
                "  {}: {} with {} of RAM, core {}",
                vm.name,
                workspace::shown(&vm.board.file).display(),
                bytes(ram),
                vm.cores
                    .iter()
                    .map(u8::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            for placed in &vm.placed {
                let region = placed.region();
                anstream::println!(
                    "    {:#010x} to {:#010x}  {}",
                    region.base,
                    region.end(),
                    placed.name
                );
            }
            if let Some(card) = &vm.card {
                anstream::println!(
                    "    {} beside its RAM       {}",
                    bytes(card.config.bytes()),
                    card.name
                );
            }
        }
        for wire in &prepared.wires {
            anstream::println!("  wire {}", wire.name);
        }
        Ok(())
    }
}

/// Every byte of a built file.
fn built(file: &Path) -> Result<()> {
    let shown = workspace::shown(file);
    let bytes = fs::read(file)
        .doing(|| "cannot read it".to_owned())
        .map_err(|fault| fault.in_file(&shown).mend(KINDS))?;
    inspect(&bytes).map_err(|faults| {
        let mend = if bytes.get(0x38..0x3c) == Some(b"ARM\x64") {
            "build it again: cargo reliquary build SYSTEM -o FILE"
        } else {
            KINDS
        };
        Faults(
            faults
                .0
                .into_iter()
                .map(|fault| fault.in_file(&shown).mend(mend))
                .collect(),
        )
    })?;
    anstream::println!("{}: sound", shown.display());
    Ok(())
}

/// What can be checked.
const KINDS: &str = "a system file ends with .toml, a board's map with .dts; any other file is taken for one that `cargo reliquary build` made";

/// The bundle's own words, without the mend: the fault has its own.
fn in_words(error: &bundle::BundleError) -> Fault {
    let said = error.to_string();
    let what = said
        .split_once("; rebuild")
        .map_or(&*said, |(what, _)| what);
    Fault::new(what)
}

fn inspect(bytes: &[u8]) -> Result<()> {
    let inspection = bundle::inspect(bytes).map_err(|error| in_words(&error))?;
    let manifest = inspection.bundle.manifest();
    anstream::println!("system {} for host {}", manifest.system, manifest.host);
    anstream::println!("  hypervisor: {} KiB", inspection.hypervisor.len() / 1024);
    for item in &manifest.items {
        anstream::println!("  {}: {} KiB", item.name, item.size.div_ceil(1024));
    }
    if inspection.damage.is_empty() {
        return Ok(());
    }
    Err(Faults(inspection.damage.iter().map(in_words).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nobody_built_is_told_so() {
        let faults = inspect(b"not a bundle").unwrap_err();
        assert_eq!(faults.0.len(), 1);
    }
}
