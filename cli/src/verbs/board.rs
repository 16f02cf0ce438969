//! `cargo reliquary board`.
use crate::board;
use crate::fault::Result;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The boards that can be run: list them, import one's device tree, check a map.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary board list
  cargo reliquary board import vexpress-v2p-ca9.dtb -o platforms/my-board.dts
  cargo reliquary board check platforms/my-board.dts")]
pub struct Board {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the boards in platforms/.
    #[command(after_help = "\
Example:
  cargo reliquary board list")]
    List,
    /// Make a resource map of a board's own device tree, and say what becomes of each node.
    #[command(after_help = "\
Examples:
  cargo reliquary board import vexpress-v2p-ca9.dtb -o platforms/my-board.dts
  cargo reliquary board import old.dtb -o - | less

With -o - the report of the nodes goes to standard error. docs/guide.md goes on from here.")]
    Import {
        /// The board's device tree blob.
        dtb: PathBuf,
        /// Where the map goes; `-` is standard output.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Say what is wrong with a resource map.
    #[command(after_help = "\
Examples:
  cargo reliquary board check platforms/vexpress-a9.dts
  cargo reliquary board check platforms/my-board.dts && echo sound

The last line is the summary; the exit status says whether the map is sound.")]
    Check {
        /// The resource map (.dts).
        map: PathBuf,
    },
}

impl Board {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        match &self.verb {
            Verb::List => board::list::list(),
            Verb::Import { dtb, output } => board::import::import(dtb, output),
            Verb::Check { map } => board::check::check(map),
        }
    }
}
