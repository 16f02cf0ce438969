//! `cargo reliquary setup`.
use crate::fault::{Doing, Fault, Faults, Result};
use crate::{progress, workspace};
use clap::Args;
use std::path::Path;
use std::process::Command;

/// Install what this project needs, and nothing that is there already.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary setup            install what is missing (Debian packages as root or by sudo)
  cargo reliquary setup --check    only say what is missing, and how to get it
  cargo reliquary setup --dev      also what only the project's own developers use (chromium, cargo-mutants)")]
pub struct Setup {
    /// Install nothing: say what is missing, and how to get it.
    #[arg(long)]
    check: bool,
    /// Also what only the project's own developers use: no other verb needs it.
    #[arg(long)]
    dev: bool,
}

/// Programs, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 3] = [
    ("qemu-system-aarch64", "qemu-system-arm"),
    ("dtc", "device-tree-compiler"),
    // Builds capstone, what the decoders are tested against.
    ("cc", "gcc"),
];
/// The same, for tests alone: no system is built or run by them.
const TEST_PROGRAMS: [(&str, &str); 1] = [
    // Shows the page of a trace.
    ("chromium", "chromium"),
];
/// What the workspace is built for.
const TARGETS: [&str; 2] = ["aarch64-unknown-none-softfloat", "armv7a-none-eabi"];
/// Parts of the toolchain beyond the compiler.
const COMPONENTS: [(&str, &str); 2] = [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")];

/// Programs of crates that developers use, and the versions that the project's figures are from.
const CRATES: [(&str, &str); 1] = [("cargo-mutants", "27.1.0")];

/// What a machine lacks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Missing {
    packages: Vec<&'static str>,
    targets: Vec<&'static str>,
    components: Vec<&'static str>,
}

impl Setup {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let crates = if self.dev {
            missing_crates()
        } else {
            Vec::new()
        };
        if !self.check {
            if self.dev {
                ensure_for_tests()?;
            } else {
                ensure()?;
            }
            return crates.into_iter().try_for_each(install);
        }
        let mut faults = Missing::find(self.dev).faults();
        faults.extend(crates.into_iter().map(|(name, version)| {
            Fault::new(format!("{name} {version} is missing"))
                .mend(format!("cargo install --locked {name}@{version}"))
        }));
        if faults.is_empty() {
            anstream::println!("all is here");
            return Ok(());
        }
        let count = faults.len();
        Faults(faults).print();
        anstream::println!("{count} missing; `cargo reliquary setup` installs them");
        Err(Faults(Vec::new()))
    }
}

/// Installs what is missing; does nothing, fast, where all is there.
pub fn ensure() -> Result<()> {
    install_missing(false)
}

/// The same, with what only tests use.
pub fn ensure_for_tests() -> Result<()> {
    install_missing(true)
}

fn install_missing(for_tests: bool) -> Result<()> {
    let missing = Missing::find(for_tests);
    if !missing.packages.is_empty() {
        let step = progress::step(format!("installing {}", missing.packages.join(", ")));
        apt(&["update"], &missing).or_else(|error| {
            // Some index failing does not matter if the installation works.
            progress::note(&error.to_string());
            Ok::<(), Fault>(())
        })?;
        let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
        arguments.extend(&missing.packages);
        apt(&arguments, &missing)?;
        step.finish();
    }
    if !missing.components.is_empty() {
        let step = progress::step(format!("adding {}", missing.components.join(", ")));
        rustup("component", &missing.components)?;
        step.finish();
    }
    if !missing.targets.is_empty() {
        let step = progress::step(format!("adding targets {}", missing.targets.join(", ")));
        rustup("target", &missing.targets)?;
        step.finish();
    }
    let still = Missing::find(for_tests);
    let faults = still.faults();
    if !faults.is_empty() {
        return Err(Faults(faults));
    }
    if missing == still {
        anstream::eprintln!("all that is needed is here");
    }
    Ok(())
}

impl Missing {
    fn find(for_tests: bool) -> Self {
        let root = sysroot();
        let has_target = |target: &&str| {
            root.as_deref().is_some_and(|root| {
                Path::new(root)
                    .join("lib/rustlib")
                    .join(target)
                    .join("lib")
                    .exists()
            })
        };
        let has_program = |program: &str| on_path(program);
        Self {
            packages: PROGRAMS
                .iter()
                .chain(TEST_PROGRAMS.iter().filter(|_| for_tests))
                .filter(|(program, _)| !has_program(program))
                .map(|(_, package)| *package)
                .collect(),
            targets: TARGETS
                .into_iter()
                .filter(|target| !has_target(target))
                .collect(),
            components: COMPONENTS
                .iter()
                .filter(|(_, program)| {
                    root.as_deref()
                        .is_none_or(|root| !Path::new(root).join("bin").join(program).exists())
                })
                .map(|(component, _)| *component)
                .collect(),
        }
    }

    fn faults(&self) -> Vec<Fault> {
        let packages = self.packages.iter().map(|package| {
            Fault::new(format!("Debian's package {package} is missing"))
                .mend(format!("sudo apt-get install {package}"))
        });
        let targets = self.targets.iter().map(|target| {
            Fault::new(format!("Rust's target {target} is missing"))
                .mend(format!("rustup target add {target}"))
        });
        let components = self.components.iter().map(|component| {
            Fault::new(format!("Rust's component {component} is missing"))
                .mend(format!("rustup component add {component}"))
        });
        packages.chain(targets).chain(components).collect()
    }
}

/// The developers' programs that are not here in their version.
fn missing_crates() -> Vec<(&'static str, &'static str)> {
    let here = |name: &str, version: &str| {
        let output = Command::new(name).arg("--version").output();
        output.is_ok_and(|output| {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            said.split_whitespace().any(|word| word == version)
        })
    };
    let missing = CRATES
        .into_iter()
        .filter(|(name, version)| !here(name, version));
    missing.collect()
}

fn install((name, version): (&str, &str)) -> Result<()> {
    let step = progress::step(format!("building {name} {version}, which takes minutes"));
    let wanted = format!("{name}@{version}");
    let mut command = Command::new("cargo");
    let output = command.args(["install", "--locked", &wanted]).output();
    let output = output.doing(|| "cannot run cargo".to_owned())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let fault = Fault::new(format!("cargo could not install {wanted}: {}", said.trim()));
        return Err(fault
            .mend(format!("cargo install --locked {wanted}"))
            .into());
    }
    step.finish();
    Ok(())
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The folder of the toolchain that builds the workspace.
fn sysroot() -> Option<String> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(workspace::root())
        .output()
        .ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn rustup(what: &str, names: &[&str]) -> std::result::Result<(), Fault> {
    let mend = format!("rustup {what} add {}", names.join(" "));
    let output = Command::new("rustup")
        .args([what, "add"])
        .args(names)
        .current_dir(workspace::root())
        .output();
    let output = output
        .doing(|| "cannot run rustup".to_owned())
        .map_err(|fault| fault.mend(mend.clone()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Fault::new(format!("rustup failed: {}", said.trim())).mend(mend))
}

fn apt(arguments: &[&str], missing: &Missing) -> std::result::Result<(), Fault> {
    let mend = format!("as root: apt-get install {}", missing.packages.join(" "));
    let is_root = rustix::process::geteuid().is_root();
    let mut command = if is_root {
        Command::new("apt-get")
    } else {
        Command::new("sudo")
    };
    if !is_root {
        if !on_path("sudo") {
            return Err(Fault::new(
                "Debian packages are missing, and there is no sudo to install them by",
            )
            .mend(mend));
        }
        command.arg("apt-get");
    }
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    let output = command
        .output()
        .doing(|| "cannot run apt-get".to_owned())
        .map_err(|fault| fault.mend(mend.clone()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Fault::new(format!("apt-get failed: {}", said.trim())).mend(mend))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_the_command_that_brings_it() {
        let missing = Missing {
            packages: vec!["qemu-system-arm"],
            targets: vec!["armv7a-none-eabi"],
            components: vec![],
        };
        let mends: Vec<_> = missing
            .faults()
            .into_iter()
            .filter_map(|fault| fault.mend)
            .collect();
        assert_eq!(
            mends,
            [
                "sudo apt-get install qemu-system-arm",
                "rustup target add armv7a-none-eabi"
            ]
        );
    }

    #[test]
    fn a_program_is_looked_for_on_the_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-of-reliquary"));
    }
}
