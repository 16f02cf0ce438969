//! `cargo reliquary demo`.
use crate::fault::{Fault, Result};
use clap::Args;

/// Boot a Linux of an old board to its shell: setup, images, build and run in one.
#[derive(Debug, Args)]
pub struct Demo {}

impl Demo {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        Err(Fault::new("`demo` is not built yet").into())
    }
}
