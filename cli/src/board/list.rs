//! `cargo reliquary board list`.
use crate::fault::{Fault, Result};

/// Prints the boards that platforms/ describes.
pub fn list() -> Result<()> {
    Err(Fault::new("`board list` is not built yet").into())
}
