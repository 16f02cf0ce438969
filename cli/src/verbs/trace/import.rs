//! `cargo reliquary trace import`.
use crate::fault::Result;
use crate::trace::import;
use clap::{Args, ValueEnum};
use reliquary::access::Security;
use std::path::PathBuf;

/// Make a trace of what another recorder wrote: a folder of CSV files, or a log of QEMU's events.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary trace import recorded/ --board vexpress-a9 --security secure \\
      --rtc 1704067200 -o vexpress-a9.trace.zst
  cargo reliquary trace import qemu.log --board platforms/my-board.dts -o my-board.trace

A folder has one file NAME@BASE.csv.gz for each device. A log has QEMU's trace events
memory_region_ops_read, memory_region_ops_write and gic_set_irq, each behind its time. Devices of the
recorder that the board lacks are an error, unless --leave-out names them.")]
pub struct Import {
    /// The folder, or the log.
    from: PathBuf,
    /// The board: a name of platforms/, or a map's path.
    #[arg(long, value_name = "B")]
    board: String,
    /// The trace (.trace, or .trace.zst).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What recorded it.
    #[arg(long, default_value = "qemu-7.2")]
    source: String,
    /// The software that ran.
    #[arg(long)]
    image: Option<String>,
    /// In which security state it ran.
    #[arg(long, default_value = "nonsecure")]
    security: State,
    /// How many CPUs the recorded board had.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    cpus: u8,
    /// What the real-time clock showed at the start, in seconds since 1970.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    rtc: u32,
    /// A device of the recorder's that is left out; repeatable.
    #[arg(long, value_name = "NAME")]
    leave_out: Vec<String>,
    /// A remark for the trace's header; repeatable.
    #[arg(long, value_name = "TEXT")]
    note: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Secure,
    Nonsecure,
}

impl Import {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let import = import::Import {
            board: &self.board,
            source: &self.source,
            image: self.image.as_deref(),
            security: match self.security {
                State::Secure => Security::Secure,
                State::Nonsecure => Security::NonSecure,
            },
            cpus: Some(self.cpus),
            rtc: self.rtc,
            leave_out: &self.leave_out,
            notes: self.note.clone(),
        };
        let imported = import::import(&self.from, &import, &self.output)?;
        for (name, count) in &imported.left_out {
            anstream::println!("left out: {name}, {count} rows");
        }
        let records = imported.records;
        anstream::println!("{}: {records} records", self.output.display());
        Ok(())
    }
}
