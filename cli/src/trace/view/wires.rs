//! Where a device's input lines come from.
use reliquary::board::wiring::Source;
use reliquary::board::{Plan, catalog};
use reliquary::trace::names::Names;

/// The input lines of the device `index` that something drives, and what does: `serial0 UARTINTR`.
pub fn inputs(plan: &Plan, names: &Names, index: usize) -> Vec<(u16, String)> {
    let wires = plan.wires.iter().filter(|wire| wire.to == index);
    let mut inputs: Vec<(u16, String)> = Vec::new();
    for wire in wires {
        let from = match wire.from {
            Source::Device { device, line } => {
                let name = names.name(device).unwrap_or_default();
                let compatible = plan.devices.get(device).map(|d| d.compatible.as_str());
                let described = compatible.and_then(catalog::description);
                let line = described.and_then(|d| d.lines.get(usize::from(line)));
                match line {
                    Some(line) => format!("{name} {line}"),
                    None => name.to_owned(),
                }
            }
            Source::Host(_) => "host".to_owned(),
            Source::Timer { cpu, .. } => format!("timer of cpu{cpu}"),
        };
        match inputs.iter_mut().find(|(line, _)| *line == wire.input.0) {
            Some((_, known)) => *known = format!("{known}, {from}"),
            None => inputs.push((wire.input.0, from)),
        }
    }
    inputs
}
