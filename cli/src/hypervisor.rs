//! The hypervisor's own image: built by cargo, turned from an ELF file into the raw binary
//! with an arm64 Image header that boot loaders start.
use crate::fault::{Doing, Fault, Result};
use crate::system::place;
use crate::{progress, workspace};
use object::LittleEndian;
use object::elf::{FileHeader64, PF_W, PF_X, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "aarch64-unknown-none-softfloat";

/// The hypervisor, built.
#[derive(Debug)]
pub struct Hypervisor {
    /// The raw binary, its zero-initialized data included.
    pub image: Vec<u8>,
    /// The ELF file with the symbols.
    pub elf: PathBuf,
    /// What of it is not zeroes: text, read-only data and data.
    pub footprint: Footprint,
}

/// Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Code.
    pub text: u64,
    /// Constants, relocations among them.
    pub rodata: u64,
    /// Initialized data.
    pub data: u64,
    /// Zero-initialized data, which is not in the image's sum.
    pub bss: u64,
}

impl Footprint {
    /// Text, rodata and data.
    pub fn sum(self) -> u64 {
        self.text + self.rodata + self.data
    }

    /// In words: `154.2 KiB (text 120.0, rodata 30.0, data 4.2; bss 64.0)`.
    pub fn shown(self) -> String {
        let kib = |bytes: u64| format!("{}.{}", bytes >> 10, ((bytes & 1023) * 10) >> 10);
        format!(
            "{} KiB (text {}, rodata {}, data {}; bss {})",
            kib(self.sum()),
            kib(self.text),
            kib(self.rodata),
            kib(self.data),
            kib(self.bss)
        )
    }
}

/// Set to build the hypervisor that fails on purpose when a guest's HVC asks for it: for tests
/// of what it prints then.
pub const FAULT_INJECTION: &str = "RELIQUARY_FAULT_INJECTION";

/// Builds it.
pub fn build() -> Result<Hypervisor> {
    let step = progress::step("building the hypervisor");
    let mut target = workspace::target();
    let mut feature = "el2";
    if std::env::var_os(FAULT_INJECTION).is_some() {
        feature = "fault-injection";
        target.push(feature); // beside the real one, which another process may be building
    }
    let output = Command::new("cargo")
        .args([
            "build",
            "--quiet",
            "--profile",
            "metal",
            "--features",
            feature,
            "--target",
            TARGET,
        ])
        .args([
            "--package",
            "reliquary",
            "--bin",
            "reliquary-el2",
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(workspace::root())
        .output()
        .doing(|| "cannot run cargo".to_owned())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let fault = Fault::new(format!(
            "the hypervisor does not build:\n{}",
            said.trim_end()
        ));
        let mend = "`cargo reliquary setup` brings the target, if it is that";
        return Err(if said.contains("may not be installed") {
            fault.mend(mend)
        } else {
            fault
        }
        .into());
    }
    step.finish();
    let elf = target.join(TARGET).join("metal/reliquary-el2");
    of_elf(&elf)
}

/// Takes a linked hypervisor apart.
pub fn of_elf(elf: &Path) -> Result<Hypervisor> {
    let file = fs::read(elf).doing(|| format!("cannot read {}", elf.display()))?;
    let image = raw(&file)?;
    let footprint = footprint(&file)?;
    Ok(Hypervisor {
        image,
        elf: elf.to_path_buf(),
        footprint,
    })
}

/// The loadable segments, each at its place behind the first.
fn raw(elf: &[u8]) -> Result<Vec<u8>> {
    let segments = place::elf_segments(elf, true)?;
    let base = segments.iter().map(|(at, _)| *at).min().unwrap_or(0);
    let mut image = Vec::new();
    for (at, bytes) in segments {
        let from = usize::try_from(at - base).doing(|| "a segment is out of reach".to_owned())?;
        let end = from + bytes.len();
        if end > 64 << 20 {
            return Err(Fault::new("the hypervisor's segments are more than 64 MiB apart").into());
        }
        image.resize(image.len().max(end), 0);
        image[from..end].copy_from_slice(&bytes);
    }
    Ok(image)
}

/// By the segments' access rights: what is executable, what is only read, what is written.
fn footprint(elf: &[u8]) -> Result<Footprint> {
    let damaged = || "cannot read the hypervisor's ELF file".to_owned();
    let header = FileHeader64::<LittleEndian>::parse(elf).doing(damaged)?;
    let mut footprint = Footprint::default();
    for program in header.program_headers(LittleEndian, elf).doing(damaged)? {
        if program.p_type(LittleEndian) != PT_LOAD {
            continue;
        }
        let (bytes, memory) = (
            program.p_filesz(LittleEndian),
            program.p_memsz(LittleEndian),
        );
        let flags = program.p_flags(LittleEndian).0;
        let sum = match (flags & PF_X.0 != 0, flags & PF_W.0 != 0) {
            (true, _) => &mut footprint.text,
            (false, true) => &mut footprint.data,
            (false, false) => &mut footprint.rodata,
        };
        *sum += bytes;
        footprint.bss += memory.saturating_sub(bytes);
    }
    Ok(footprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_kib() {
        let footprint = Footprint {
            text: 1024,
            rodata: 512,
            data: 256,
            bss: 2048,
        };
        assert_eq!(
            footprint.shown(),
            "1.7 KiB (text 1.0, rodata 0.5, data 0.2; bss 2.0)"
        );
    }
}
