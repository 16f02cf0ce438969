//! `cargo reliquary trace report`.
use crate::fault::Result;
use crate::trace::report;
use crate::trace::view::View;
use clap::Args;
use std::path::PathBuf;

/// Show a trace as a timeline, in one HTML page that needs no network.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary trace report tests/traces/vexpress-a9-typed.trace.zst -o typed.html
  cargo reliquary trace report --board platforms/my-board.dts recorded.trace -o recorded.html

Open the page in a browser. The wheel zooms, dragging moves, / searches, ? lists the keys.")]
pub struct Report {
    /// The trace (.trace, or .trace.zst).
    file: PathBuf,
    /// The page.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The board: a name of platforms/ or a map's path; without it, the one in the trace.
    #[arg(long, value_name = "B")]
    board: Option<String>,
}

impl Report {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let view = View::read(&self.file, self.board.as_deref())?;
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let bytes = report::write(&view, &name, &self.output)?;
        let (records, shown) = (view.records.len(), self.output.display());
        anstream::println!("{shown}: {records} records, {} KiB", bytes.div_ceil(1024));
        Ok(())
    }
}
