//! `cargo reliquary`: the host tool. What the verbs do is in the library beside this file.
use std::process::ExitCode;

fn main() -> ExitCode {
    reliquary_cli::main()
}
