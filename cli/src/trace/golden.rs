//! The golden traces of the repository, tests/traces/: what real software did to real boards' models.
use super::{file, replay};
use crate::fault::{Doing, Result};
use crate::workspace;
use reliquary::trace::replay::{Options, Summary};
use std::path::{Path, PathBuf};

/// Their folder.
pub fn folder() -> PathBuf {
    workspace::root().join("tests/traces")
}

/// All of them, by name.
pub fn files() -> Result<Vec<PathBuf>> {
    let folder = folder();
    let entries = std::fs::read_dir(&folder).doing(|| "cannot read the folder".to_owned());
    let entries = entries.map_err(|fault| fault.in_file(&folder))?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files.filter(|file| file::compressed(file)).collect();
    files.sort();
    Ok(files)
}

/// The card of the one that has a card: each 32-bit word is its number times 0x9e3779b1
/// (tests/traces/README.md).
pub fn card() -> Vec<u8> {
    let words = (0..1u32 << 18).map(|word| word.wrapping_mul(0x9e37_79b1));
    words.flat_map(u32::to_le_bytes).collect()
}

/// Replays one whole, whatever diverges.
pub fn replay(file: &Path) -> Result<Summary> {
    let options = Options {
        keep_going: true,
        media: vec![("mmci@5000".to_owned(), card())],
    };
    replay::replay(file, None, &options)
}
