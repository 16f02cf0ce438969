//! `cargo reliquary board check`.
use crate::fault::{Faults, Result};
use crate::system::board::map_faults;
use reliquary::board::{Board, Plan};
use std::path::Path;

/// Says everything that is wrong with a resource map, each with file and line; the last line
/// is the summary.
pub fn check(map: &Path) -> Result<()> {
    let blob = crate::tree::source::blob_of_file(map)?;
    let built = Plan::read(&blob).and_then(|plan| match Board::build(&plan) {
        Ok(_) => Ok(plan),
        Err(error) => Err(vec![error]),
    });
    let plan = match built {
        Ok(plan) => plan,
        Err(errors) => {
            let faults: Faults = map_faults(map, errors);
            let count = faults.0.len();
            println!(
                "{}: {count} fault{}",
                map.display(),
                if count == 1 { "" } else { "s" }
            );
            return Err(faults);
        }
    };
    println!(
        "{}: sound: {} CPUs, {} devices, {} windows, {} wires",
        map.display(),
        plan.cpus.len(),
        plan.devices.len(),
        plan.windows.len(),
        plan.wires.len()
    );
    Ok(())
}
