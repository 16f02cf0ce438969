//! `cargo reliquary setup`.
use crate::fault::{Fault, Result};
use clap::Args;

/// Install what this project needs, and nothing that is there already.
#[derive(Debug, Args)]
pub struct Setup {}

impl Setup {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        Err(Fault::new("`setup` is not built yet").into())
    }
}
