//! `cargo reliquary test`.
use crate::fault::{Fault, Result};
use clap::Args;

/// Set up, then run every test of the project.
#[derive(Debug, Args)]
pub struct Test {}

impl Test {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        Err(Fault::new("`test` is not built yet").into())
    }
}
