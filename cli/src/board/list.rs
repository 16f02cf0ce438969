//! `cargo reliquary board list`.
use crate::fault::{Faults, Result};
use crate::system::board::{find, map_faults, names};
use reliquary::board::Plan;
use std::path::Path;

/// Prints the boards that platforms/ describes.
pub fn list() -> Result<()> {
    let names = names();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let mut faults = Vec::new();
    for name in &names {
        let file = find(name, Path::new("."))?;
        let blob = crate::tree::source::blob_of_file(&file)?;
        match Plan::read(&blob) {
            Ok(plan) => {
                let cpu = plan.cpus.first().map_or("", |cpu| cpu.compatible.as_str());
                let cpu = cpu.strip_prefix("arm,").unwrap_or(cpu);
                println!(
                    "{name:width$}  {}, {} x {cpu}, {} devices",
                    plan.model,
                    plan.cpus.len(),
                    plan.devices.len()
                );
            }
            Err(errors) => {
                println!("{name:width$}  does not check");
                faults.extend(map_faults(&file, errors).0);
            }
        }
    }
    println!("{} boards", names.len());
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Faults(faults))
    }
}
