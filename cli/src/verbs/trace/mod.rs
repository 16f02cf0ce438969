//! `cargo reliquary trace`, one file a verb of it.
mod import;
mod record;
mod replay;

use crate::fault::Result;
use clap::{Args, Subcommand};

/// Traces of device accesses: replay one against the emulated devices, and look into it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary trace replay tests/traces/vexpress-a9-linux.trace.zst
  cargo reliquary trace import recorded/ --board vexpress-a9 -o recorded.trace.zst

docs/reference/trace.md is the format.")]
pub struct Trace {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Replay(replay::Replay),
    Import(import::Import),
    Record(record::Record),
}

impl Trace {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        match &self.verb {
            Verb::Replay(verb) => verb.run(),
            Verb::Import(verb) => verb.run(),
            Verb::Record(verb) => verb.run(),
        }
    }
}
