//! `cargo reliquary board import`.
use crate::fault::{Fault, Result};
use std::path::Path;

/// Writes the resource map that a board's own `.dtb` gives to `output` (`-` is standard
/// output), and says node by node what becomes of it.
pub fn import(_dtb: &Path, _output: &Path) -> Result<()> {
    Err(Fault::new("`board import` is not built yet").into())
}
