//! `cargo reliquary images`.
use crate::fault::{Fault, Result};
use clap::Args;

/// List or fetch the legacy images that systems refer to.
#[derive(Debug, Args)]
pub struct Images {}

impl Images {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        Err(Fault::new("`images` is not built yet").into())
    }
}
