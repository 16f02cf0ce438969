//! `cargo reliquary board check`.
use crate::fault::{Fault, Faults, Result};
use crate::system::board::{circle, map_faults};
use crate::tree::Tree;
use reliquary::board::{Board, Plan};
use std::path::Path;

/// Says everything that is wrong with a resource map, each with file and line; the last line
/// is the summary.
pub fn check(map: &Path) -> Result<()> {
    let blob = crate::tree::source::blob_of_file(map)?;
    let tree = Tree::read(&blob).map_err(|fault| fault.in_file(map))?;
    let built = Plan::read(&blob).and_then(|plan| {
        match Board::build(&plan).err().or_else(|| circle(&tree)) {
            None => Ok(plan),
            Some(error) => Err(vec![error]),
        }
    });
    let plan = match built {
        Ok(plan) => plan,
        Err(errors) => {
            let mut faults: Faults = map_faults(map, errors);
            // The last line is the sum.
            let count = faults.0.len();
            let s = if count == 1 { "" } else { "s" };
            faults
                .0
                .push(Fault::new(format!("the map has {count} fault{s}")).in_file(map));
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
