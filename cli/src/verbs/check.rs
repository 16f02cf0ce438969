//! `cargo reliquary check`.
use crate::fault::{Doing, Fault, Faults, Result};
use crate::system::board::bytes;
use crate::system::{System, prepare};
use crate::workspace;
use clap::Args;
use reliquary::bundle;
use std::fs;
use std::path::{Path, PathBuf};

/// Say everything that is wrong with a system file or a built file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary check systems/vexpress-a15-linux.toml
  cargo reliquary check systems/*.toml
  cargo reliquary check a15.img                    a file that `build` made: every byte of it

The last line is the summary; the exit status says whether all is sound.")]
pub struct Check {
    /// System files (.toml) or built files.
    #[arg(required = true)]
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
            let checked = if is_system(file) {
                self.system(file)
            } else {
                built(file)
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
        }
        Ok(())
    }
}

/// What is not a built file is taken for a system file, so that its errors have lines.
fn is_system(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| extension == "toml")
}

/// Every byte of a built file.
fn built(file: &Path) -> Result<()> {
    let shown = workspace::shown(file);
    let bytes = fs::read(file)
        .doing(|| "cannot read it".to_owned())
        .map_err(|fault| fault.in_file(&shown))?;
    inspect(&bytes).map_err(|faults| {
        let mend = "build it again: cargo reliquary build SYSTEM -o FILE";
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

fn inspect(bytes: &[u8]) -> Result<()> {
    let inspection = bundle::inspect(bytes).map_err(|error| Fault::new(error.to_string()))?;
    let manifest = inspection.bundle.manifest();
    anstream::println!("system {} for host {}", manifest.system, manifest.host);
    anstream::println!("  hypervisor: {} KiB", inspection.hypervisor.len() / 1024);
    for item in &manifest.items {
        anstream::println!("  {}: {} KiB", item.name, item.size.div_ceil(1024));
    }
    if inspection.damage.is_empty() {
        return Ok(());
    }
    Err(Faults(
        inspection
            .damage
            .iter()
            .map(|damage| Fault::new(damage.to_string()))
            .collect(),
    ))
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
