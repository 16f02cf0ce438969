//! `cargo reliquary build`.
use crate::fault::{Fault, Result};
use clap::Args;

/// Pack hypervisor, boards and images into one bootable file.
#[derive(Debug, Args)]
pub struct Build {}

impl Build {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        Err(Fault::new("`build` is not built yet").into())
    }
}
