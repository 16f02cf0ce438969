//! `cargo reliquary trace diff`.
use crate::fault::{Faults, Result};
use crate::trace::diff::{self, Options};
use crate::trace::view::View;
use clap::Args;
use std::path::PathBuf;

/// Compare two traces, device by device.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary trace diff before.trace.zst after.trace.zst
  cargo reliquary trace diff --times --hunks 3 before.trace.zst after.trace.zst

The exit status is 0 only when nothing differs. Each device is compared on its own, so the order of
accesses to different devices does not matter; the lines of a hunk are those of the files.")]
pub struct Diff {
    /// The first trace (.trace, or .trace.zst).
    first: PathBuf,
    /// The second.
    second: PathBuf,
    /// A record at another time is a difference.
    #[arg(long)]
    times: bool,
    /// The most hunks of a device that are shown; all are counted.
    #[arg(long, value_name = "N", default_value_t = 10)]
    hunks: usize,
    /// The board of both: a name of platforms/ or a map's path; without it, the one in each trace.
    #[arg(long, value_name = "B")]
    board: Option<String>,
}

impl Diff {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let first = View::read(&self.first, self.board.as_deref())?;
        let second = View::read(&self.second, self.board.as_deref())?;
        let options = Options {
            times: self.times,
            hunks: self.hunks,
        };
        let diff = diff::diff(&first, &second, options);
        anstream::print!("{diff}");
        if diff.differs() {
            return Err(Faults(Vec::new()));
        }
        Ok(())
    }
}
