//! A trace's file: plain text, or compressed where its name ends in `.zst`.
use crate::fault::{Doing, Fault, Result};
use reliquary::trace::read::Damage;
use std::path::Path;

/// How hard it is compressed: a trace is written once and read often.
const LEVEL: i32 = 19;

/// The whole text of a trace.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(file).doing(|| "cannot read the trace".to_owned());
    let bytes = bytes.map_err(|fault| fault.in_file(file))?;
    if !compressed(file) {
        return Ok(bytes);
    }
    let text = zstd::decode_all(bytes.as_slice());
    let text = text.doing(|| "the compressed file is damaged or cut off".to_owned());
    text.map_err(|fault| {
        let mend = "take the file from where it is whole, or record it again";
        fault.in_file(file).mend(mend).into()
    })
}

/// Writes a trace.
pub fn write(file: &Path, text: &[u8]) -> Result<()> {
    let packed;
    let bytes = if compressed(file) {
        let done = zstd::encode_all(text, LEVEL).doing(|| "cannot compress the trace".to_owned());
        packed = done.map_err(|fault| fault.in_file(file))?;
        packed.as_slice()
    } else {
        text
    };
    let done = std::fs::write(file, bytes).doing(|| "cannot write the trace".to_owned());
    done.map_err(|fault| fault.in_file(file).into())
}

/// Whether it is compressed.
pub fn compressed(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "zst")
}

/// A damage, with the file that it is in.
pub fn damage(file: &Path, damage: &Damage) -> Fault {
    Fault::new(damage.what.clone())
        .at(file, damage.line)
        .mend(damage.mend)
}
