//! `cargo reliquary trace stats`.
use crate::fault::{Fault, Result, did_you_mean};
use crate::trace::stats;
use crate::trace::view::View;
use clap::Args;
use std::path::PathBuf;

/// Count what a trace holds: by device and register, and what nothing touched.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary trace stats tests/traces/vexpress-a9-linux.trace.zst
  cargo reliquary trace stats --device serial0 tests/traces/vexpress-a9-linux.trace.zst")]
pub struct Stats {
    /// The trace (.trace, or .trace.zst).
    file: PathBuf,
    /// Only this device.
    #[arg(long, value_name = "D")]
    device: Option<String>,
    /// The board: a name of platforms/ or a map's path; without it, the one in the trace.
    #[arg(long, value_name = "B")]
    board: Option<String>,
}

impl Stats {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let view = View::read(&self.file, self.board.as_deref())?;
        let only = match &self.device {
            Some(name) => Some(find(&view, name).map_err(|fault| fault.in_file(&self.file))?),
            None => None,
        };
        anstream::print!("{}", stats::Stats::of(&view, only));
        Ok(())
    }
}

fn find(view: &View, name: &str) -> std::result::Result<usize, Fault> {
    let names = || view.devices.iter().map(|device| device.name.as_str());
    names().position(|known| known == name).ok_or_else(|| {
        let fault = Fault::new(format!(
            "neither the trace nor its board has a device {name}"
        ));
        fault.mend(match did_you_mean(name, names()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("it has {}", names().collect::<Vec<_>>().join(", ")),
        })
    })
}
