//! Which device of a board an address is of, and which line an interrupt is.
use super::{Row, What};
use reliquary::board::catalog::ppi_line;
use reliquary::board::plan::Plan;
use reliquary::board::wiring::Source;
use reliquary::trace::names::{Names, at_address};
use reliquary::trace::record::Way;
use reliquary::units::Ipa;
use std::collections::HashSet;

/// A register of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub device: usize,
    pub region: u8,
    pub offset: u64,
}

/// A board's devices by address and interrupt.
pub struct Places<'a> {
    plan: &'a Plan,
    names: Names,
    /// The interrupt controller that drives the CPUs.
    controller: Option<usize>,
}

impl<'a> Places<'a> {
    pub fn of(plan: &'a Plan) -> Self {
        Self {
            controller: plan.devices.iter().position(|device| device.drives_cpus),
            names: Names::of(plan),
            plan,
        }
    }

    pub fn name(&self, device: usize) -> &str {
        self.names.name(device).unwrap_or("-")
    }

    pub fn console(&self) -> Option<usize> {
        self.plan.console
    }

    /// The register of a row that tells an access.
    pub fn of_row(&self, row: &Row) -> Option<Place> {
        let What::Access { address, .. } = row.what else {
            return None;
        };
        let (device, region, offset) = at_address(self.plan, Ipa(address))?;
        Some(Place {
            device,
            region,
            offset,
        })
    }

    /// What drives the interrupt controller's input `id`: an output line of a device, or from
    /// outside (a CPU's timer, or what the map does not have) an input of the controller.
    pub fn interrupt(&self, id: u16, cpu: u8) -> Option<(Way, usize, u16)> {
        let controller = self.controller?;
        let input = if id < 32 { ppi_line(cpu, id).0 } else { id };
        let mut drivers = self
            .plan
            .wires
            .iter()
            .filter(|wire| wire.to == controller && wire.input.0 == input);
        match (drivers.next().map(|wire| wire.from), drivers.next()) {
            (Some(Source::Device { device, line }), None) => Some((Way::Out, device, line)),
            // Of several devices on one input nobody knows which it was.
            (Some(Source::Device { .. }), Some(_)) => None,
            _ => Some((Way::In, controller, input)),
        }
    }

    /// The names of devices that no row is of.
    pub fn untouched(&self, rows: &[Row]) -> Vec<String> {
        let seen: HashSet<usize> = rows
            .iter()
            .filter_map(|row| match row.what {
                What::Access { .. } => Some(self.of_row(row)?.device),
                What::Interrupt { id, cpu, .. } => Some(self.interrupt(id, cpu)?.1),
                What::Typed { .. } => self.console(),
            })
            .collect();
        let devices = 0..self.plan.devices.len();
        devices
            .filter(|device| !seen.contains(device))
            .map(|device| self.name(device).to_owned())
            .collect()
    }
}
