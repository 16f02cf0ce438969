//! `cargo reliquary trace`, one file a verb of it.
mod diff;
mod export;
mod import;
mod record;
mod replay;
mod report;
mod stats;

use crate::fault::Result;
use clap::{Args, Subcommand};

/// Traces of device accesses: replay one against the emulated devices, and look into it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary trace replay tests/traces/vexpress-a9-linux.trace.zst
  cargo reliquary trace import recorded/ --board vexpress-a9 -o recorded.trace.zst
  cargo reliquary trace report recorded.trace.zst -o recorded.html     look at it in a browser

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
    Report(report::Report),
    Stats(stats::Stats),
    Diff(diff::Diff),
    Export(export::Export),
}

impl Trace {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        match &self.verb {
            Verb::Replay(verb) => verb.run(),
            Verb::Import(verb) => verb.run(),
            Verb::Record(verb) => verb.run(),
            Verb::Report(verb) => verb.run(),
            Verb::Stats(verb) => verb.run(),
            Verb::Diff(verb) => verb.run(),
            Verb::Export(verb) => verb.run(),
        }
    }
}
