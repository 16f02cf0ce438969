//! `cargo reliquary trace export`.
use crate::fault::Result;
use crate::trace::export::{self, perfetto, vcd};
use crate::trace::view::View;
use clap::Args;
use std::path::PathBuf;

/// Write a trace in the form of another program.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary trace export --vcd tests/traces/vexpress-a9-timed.trace.zst -o timed.vcd
  cargo reliquary trace export --perfetto tests/traces/vexpress-a9-linux.trace.zst -o linux.json

GTKWave and PulseView open a value change dump, https://ui.perfetto.dev the JSON file. In the dump,
the signals ..._read and ..._write of a device change their level with each access.")]
pub struct Export {
    #[command(flatten)]
    form: Form,
    /// The trace (.trace, or .trace.zst).
    file: PathBuf,
    /// The file that is written.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The board: a name of platforms/ or a map's path; without it, the one in the trace.
    #[arg(long, value_name = "B")]
    board: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Form {
    /// A value change dump, for GTKWave and PulseView.
    #[arg(long)]
    vcd: bool,
    /// Chrome's trace events in JSON, for Perfetto.
    #[arg(long)]
    perfetto: bool,
}

impl Export {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let view = View::read(&self.file, self.board.as_deref())?;
        let form = if self.form.vcd {
            vcd::vcd
        } else {
            perfetto::perfetto
        };
        export::write(&view, form, &self.output)?;
        anstream::println!("{}: {} records", self.output.display(), view.records.len());
        Ok(())
    }
}
