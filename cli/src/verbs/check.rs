//! `cargo reliquary check`.
use crate::fault::{Fault, Result};
use clap::Args;

/// Say everything that is wrong with a system file or a built file.
#[derive(Debug, Args)]
pub struct Check {}

impl Check {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        Err(Fault::new("`check` is not built yet").into())
    }
}
