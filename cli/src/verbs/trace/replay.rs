//! `cargo reliquary trace replay`.
use crate::fault::{Faults, Result};
use crate::trace;
use clap::Args;
use reliquary::trace::replay::Options;
use std::path::PathBuf;
use std::time::Instant;

/// Give a board without a CPU what was recorded, and compare what it answers.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary trace replay tests/traces/vexpress-a9-linux.trace.zst
  cargo reliquary trace replay --board platforms/my-board.dts recorded.trace
  cargo reliquary trace replay --keep-going --medium flash@0=flash.bin recorded.trace

The first divergence is shown with the accesses of its device that led there. The last line
counts the reads that were exact and those within a bound that stands beside the device. The exit
status is 0 only when nothing diverged.")]
pub struct Replay {
    /// The trace (.trace, or .trace.zst).
    file: PathBuf,
    /// The board: a name of platforms/ or a map's path; without it, the one in the trace.
    #[arg(long, value_name = "B")]
    board: Option<String>,
    /// Go on behind a divergence, and count by register.
    #[arg(long)]
    keep_going: bool,
    /// The content of a medium at the trace's beginning.
    #[arg(long, value_name = "DEVICE=FILE")]
    medium: Vec<String>,
}

impl Replay {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let options = Options {
            keep_going: self.keep_going,
            media: trace::replay::media(&self.medium)?,
        };
        let began = Instant::now();
        let summary = trace::replay::replay(&self.file, self.board.as_deref(), &options)?;
        let took = began.elapsed().as_secs_f64();
        for divergence in &summary.divergences {
            anstream::print!("{divergence}");
        }
        if self.keep_going && summary.diverged() {
            anstream::println!(
                "{:>10} {:>10} {:>10}  register",
                "exact",
                "in bounds",
                "diverged"
            );
            for one in &summary.registers {
                for (what, counts) in [("r", one.reads), ("w", one.writes)] {
                    if counts.diverged > 0 {
                        anstream::println!(
                            "{:>10} {:>10} {:>10}  {} {what} {}",
                            counts.exact,
                            counts.within,
                            counts.diverged,
                            one.device,
                            one.register
                        );
                    }
                }
            }
        }
        if summary.stopped {
            let file = self.file.display();
            anstream::println!("stopped there; --keep-going counts the rest of {file}");
        }
        anstream::println!("{summary} ({took:.2} s)");
        if summary.diverged() {
            return Err(Faults(Vec::new()));
        }
        Ok(())
    }
}
