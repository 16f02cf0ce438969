//! `cargo reliquary test`.
use super::setup;
use crate::fault::{Fault, Faults, Result};
use crate::images::Manifest;
use crate::{hypervisor, progress, workspace};
use clap::Args;
use std::process::Command;

/// Set up, then run every test of the project.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary test             format, lints, host tests, whole systems under QEMU
  cargo reliquary test --quick     without the boots

The last line is the summary; the exit status says whether all passed.")]
pub struct Test {
    /// Leave out what boots.
    #[arg(long)]
    quick: bool,
}

/// How much of the image may be text, read-only data and data: a goal, told and not failed.
const GOAL: u64 = 160 << 10;

const METAL: [&str; 8] = [
    "--package",
    "reliquary",
    "--bin",
    "reliquary-el2",
    "--features",
    "el2",
    "--target",
    "aarch64-unknown-none-softfloat",
];

/// The test programs that boot whole systems.
const BOOTS: [&str; 13] = [
    "boots",
    "loadstore",
    "damage",
    "traces",
    "sd",
    "wires",
    "outside",
    "monitor",
    "console",
    "channels",
    "isolation",
    "realtime",
    "latency",
];

/// What passed and what did not.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Test {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        setup::ensure_for_tests()?;
        let mut tally = Tally::default();
        tally.step("format", cargo(&["fmt", "--all", "--check"]));
        tally.step(
            "lints of the library and the tool",
            cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]),
        );
        let mut lint = vec!["clippy"];
        lint.extend(METAL);
        lint.extend(["--", "-D", "warnings"]);
        tally.step("lints of the hypervisor", cargo(&lint));
        tally.step(
            "host tests",
            cargo(&["test", "--workspace", "--lib", "--bins", "--no-fail-fast"]),
        );
        let manifest = Manifest::read()?;
        let names: Vec<&str> = manifest.names().collect();
        manifest.fetch(&names, false)?;
        tally.step(
            "decoders against capstone",
            cargo(&[
                "test",
                "--package",
                "reliquary-cli",
                "--test",
                "decoder",
                "--no-fail-fast",
            ]),
        );
        tally.step("a million fuzzed inputs", tool_test("fuzz"));
        tally.step(
            "devices against QEMU's models, by qtest",
            cargo(&["test", "--package", "reliquary-cli", "--test", "qtest"]),
        );
        let replays = cargo(&[
            "test",
            "--release",
            "--package",
            "reliquary-cli",
            "--test",
            "replay",
        ]);
        tally.step("recorded traces, replayed", replays);
        tally.step("the page of a trace, in a browser", tool_test("report"));
        tally.size();
        tally.step(
            "errors of the tool, and maps",
            cargo(&[
                "test",
                "--package",
                "reliquary-cli",
                "--test",
                "errors",
                "--test",
                "maps",
                "--no-fail-fast",
            ]),
        );
        if !self.quick {
            // A boot keeps one core busy.
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            let threads = format!("--test-threads={cores}");
            let mut boots = vec!["test", "--package", "reliquary-cli"];
            boots.extend(BOOTS.iter().flat_map(|name| ["--test", name]));
            boots.extend(["--no-fail-fast", "--", &threads]);
            tally.step("whole systems under QEMU", cargo(&boots));
            tally.step("boards with several CPUs", tool_test("smp"));
            tally.step("costs in instructions", tool_test("costs"));
            let mut faults = tool_test("el2_faults");
            faults.env(hypervisor::FAULT_INJECTION, "1");
            tally.step("failures of the hypervisor itself", faults);
        }
        anstream::println!("{} passed, {} failed", tally.passed, tally.failed);
        if tally.failed == 0 {
            Ok(())
        } else {
            Err(Faults(Vec::new()))
        }
    }
}

impl Tally {
    /// Runs a step; what it printed is shown only if it failed.
    fn step(&mut self, what: &str, mut command: Command) {
        let step = progress::step(what);
        let ran = command.output();
        let (holds, said) = match &ran {
            Ok(output) => {
                let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
                (
                    output.status.success(),
                    String::from_utf8_lossy(&said).into_owned(),
                )
            }
            Err(error) => (false, error.to_string()),
        };
        let mut counted = count(&said);
        if counted == Self::default() {
            // A step that counts no tests is one.
            counted = Self {
                passed: usize::from(holds),
                failed: usize::from(!holds),
            };
        } else if !holds && counted.failed == 0 {
            counted.failed = 1;
        }
        self.passed += counted.passed;
        self.failed += counted.failed;
        if holds {
            step.finish();
        } else {
            drop(step);
            anstream::println!("{}", said.trim_end());
            Faults::from(Fault::new(format!("{what}: {} failed", counted.failed))).print();
        }
    }

    fn size(&mut self) {
        match hypervisor::build() {
            Ok(hypervisor) => {
                let sizes = hypervisor.footprint;
                let goal = if sizes.sum() <= GOAL {
                    "within"
                } else {
                    "above"
                };
                anstream::println!(
                    "size of the image: {}, {goal} the goal of {} KiB",
                    sizes.shown(),
                    GOAL >> 10
                );
                self.passed += 1;
            }
            Err(faults) => {
                faults.print();
                self.failed += 1;
            }
        }
    }
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(workspace::root());
    command
}

/// One of the tool's test programs.
fn tool_test(name: &str) -> Command {
    cargo(&["test", "--package", "reliquary-cli", "--test", name])
}

/// The sum of cargo's `test result:` lines.
fn count(said: &str) -> Tally {
    let mut tally = Tally::default();
    for line in said.lines().filter(|line| line.starts_with("test result:")) {
        let number = |word: &str| -> usize {
            let before = line.split(word).next().unwrap_or_default();
            before
                .split_whitespace()
                .next_back()
                .and_then(|number| number.parse().ok())
                .unwrap_or(0)
        };
        tally.passed += number(" passed");
        tally.failed += number(" failed");
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_test_programs_are_summed() {
        let said = "\
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
test a ... FAILED
test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(
            count(said),
            Tally {
                passed: 15,
                failed: 2
            }
        );
    }

    #[test]
    fn a_step_that_fails_without_a_count_is_one_failure() {
        let mut tally = Tally::default();
        tally.step("nothing", Command::new("false"));
        tally.step("something", Command::new("true"));
        assert_eq!(
            tally,
            Tally {
                passed: 1,
                failed: 1
            }
        );
    }
}
