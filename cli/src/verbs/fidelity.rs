//! `cargo reliquary fidelity`.
use crate::fault::{Doing, Fault, Result};
use crate::fidelity;
use clap::Args;

/// Make the table of devices in docs/fidelity.md anew: what is modelled, and what was compared.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary fidelity            write the table
  cargo reliquary fidelity --check    only say whether it is as it should be")]
pub struct Fidelity {
    /// Write nothing: say whether the table is as it should be.
    #[arg(long)]
    check: bool,
}

impl Fidelity {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let page = fidelity::page()?;
        let shown = fidelity::shown(&page);
        if page.is == page.should_be {
            anstream::println!("{shown} is as it should be");
            return Ok(());
        }
        if self.check {
            let line = differs_at(&page.is, &page.should_be);
            let fault = Fault::new("the table of devices is not what the code and its tests say");
            let mend = "write it anew by `cargo reliquary fidelity`";
            return Err(fault.at(&page.file, line).mend(mend).into());
        }
        let written = std::fs::write(&page.file, &page.should_be);
        let written = written.doing(|| "cannot write the page".to_owned());
        written.map_err(|fault| fault.in_file(&page.file))?;
        anstream::println!("{shown} is written");
        Ok(())
    }
}

/// The first line that differs, counted from 1.
fn differs_at(is: &str, should_be: &str) -> usize {
    let same = is.lines().zip(should_be.lines());
    same.take_while(|(a, b)| a == b).count() + 1
}
