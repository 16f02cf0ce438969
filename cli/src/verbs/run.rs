//! `cargo reliquary run`.
use crate::fault::{Fault, Result};
use clap::Args;

/// Build a system and boot it under QEMU.
#[derive(Debug, Args)]
pub struct Run {}

impl Run {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        Err(Fault::new("`run` is not built yet").into())
    }
}
