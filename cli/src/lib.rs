//! The host tool of Reliquary, as a library.
//!
//! - [`verbs`]: the command line, one file a verb.
//! - [`fault`]: what the tool says when something is wrong: where, what, and the mend.
//! - [`workspace`]: where things are.
use clap::{Parser, Subcommand};
use std::process::ExitCode;

pub mod board;
pub mod fault;
pub mod fidelity;
pub mod hypervisor;
pub mod images;
pub mod latency;
pub mod line;
pub mod machine;
pub mod outside;
pub mod progress;
pub mod pty;
pub mod screen;
pub mod script;
pub mod symbols;
pub mod system;
pub mod tap;
pub mod terminal;
pub mod trace;
pub mod tree;
pub mod typing;
pub mod verbs;
pub mod workspace;

/// Run old boards' binaries, unmodified, on a new AArch64 SoC.
#[derive(Debug, Parser)]
#[command(
    name = "cargo reliquary",
    bin_name = "cargo reliquary",
    version,
    max_term_width = 100
)]
#[command(after_help = "\
Examples:
  cargo reliquary demo                                  a Linux of an old board, at its shell
  cargo reliquary run systems/vexpress-a9-linux.toml    another board
  cargo reliquary check systems/two-hellos.toml         what is wrong with a system, before it runs
  cargo reliquary test                                  everything that this project tests")]
struct Tool {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Setup(verbs::setup::Setup),
    Demo(verbs::demo::Demo),
    Test(verbs::test::Test),
    Run(verbs::run::Run),
    Console(verbs::console::Console),
    Build(verbs::build::Build),
    Check(verbs::check::Check),
    Images(verbs::images::Images),
    Board(verbs::board::Board),
    Trace(verbs::trace::Trace),
    Fidelity(verbs::fidelity::Fidelity),
}

/// Reads the command line and does what it asks.
pub fn main() -> ExitCode {
    let done = match Tool::parse().verb {
        Verb::Setup(verb) => verb.run(),
        Verb::Demo(verb) => verb.run(),
        Verb::Test(verb) => verb.run(),
        Verb::Run(verb) => verb.run(),
        Verb::Console(verb) => verb.run(),
        Verb::Build(verb) => verb.run(),
        Verb::Check(verb) => verb.run(),
        Verb::Images(verb) => verb.run(),
        Verb::Board(verb) => verb.run(),
        Verb::Trace(verb) => verb.run(),
        Verb::Fidelity(verb) => verb.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(faults) => {
            faults.print();
            ExitCode::FAILURE
        }
    }
}
