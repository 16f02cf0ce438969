//! A trace in the forms of other programs.
use super::view::View;
use crate::fault::{Doing, Result};
use std::path::Path;

pub mod perfetto;
pub mod vcd;

/// Writes what one of them made.
pub fn write(view: &View, form: fn(&View) -> String, output: &Path) -> Result<()> {
    let done = std::fs::write(output, form(view)).doing(|| "cannot write the export".to_owned());
    done.map_err(|fault| fault.in_file(output).into())
}
