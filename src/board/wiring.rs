//! Interrupt wiring: which device's output drives which input, and in which order a change
//! goes through.
//!
//! A graph without cycles over the devices' indices. Several outputs may share an input: it is
//! high while any of them is. Changes are delivered in one fixed topological order, so one
//! change costs at most one visit to each device.

use crate::emul::Line;
use alloc::vec;
use alloc::vec::Vec;

/// What drives an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An output line of a device.
    Device {
        /// The device's index.
        device: usize,
        /// Its output line.
        line: u16,
    },
    /// An interrupt of a passed-through device: its index in the plan's list.
    Host(usize),
    /// A CPU's generic timer.
    Timer {
        /// The CPU.
        cpu: u8,
        /// The timer's number, in the binding's order.
        timer: u8,
    },
}

/// A wire from an output to a device's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// What drives it.
    pub from: Source,
    /// The index of the device that it enters.
    pub to: usize,
    /// The input line there.
    pub input: Line,
}

/// The graph is not acyclic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The devices on or behind a cycle.
    pub devices: Vec<usize>,
}

/// The wiring of a board, built once. Only the levels change afterwards.
pub struct Wiring {
    /// Sorted by source.
    wires: Vec<(Source, u16)>,
    inputs: Vec<Input>,
    /// The level of each wire.
    levels: Vec<bool>,
    /// The devices in an order in which every wire leads on.
    order: Vec<usize>,
    /// The place of each device in `order`.
    rank: Vec<usize>,
}

struct Input {
    device: usize,
    line: Line,
    /// How many of its wires are high.
    high: u16,
}

/// A change of an input's level, to be told to its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The device.
    pub device: usize,
    /// Its input line.
    pub line: Line,
    /// The new level.
    pub level: bool,
}

impl Wiring {
    /// Joins `devices` devices by `wires`.
    pub fn new(devices: usize, wires: &[Wire]) -> Result<Self, Cycle> {
        let order = order(devices, wires)?;
        let mut rank = vec![0; devices];
        for (place, device) in order.iter().enumerate() {
            if let Some(slot) = rank.get_mut(*device) {
                *slot = place;
            }
        }
        let mut inputs: Vec<Input> = Vec::new();
        let mut sorted = Vec::with_capacity(wires.len());
        for wire in wires {
            let known = inputs
                .iter()
                .position(|i| i.device == wire.to && i.line == wire.input);
            let input = known.unwrap_or_else(|| {
                inputs.push(Input {
                    device: wire.to,
                    line: wire.input,
                    high: 0,
                });
                inputs.len().saturating_sub(1)
            });
            sorted.push((wire.from, input as u16));
        }
        sorted.sort_unstable();
        sorted.dedup();
        Ok(Self {
            levels: vec![false; sorted.len()],
            wires: sorted,
            inputs,
            order,
            rank,
        })
    }

    /// The devices in the order of propagation.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The place of a device in the order of propagation.
    pub fn rank(&self, device: usize) -> usize {
        self.rank.get(device).copied().unwrap_or(0)
    }

    /// Puts `source` to `level`, and gives each input that changes with it to `tell`.
    pub fn drive(&mut self, source: Source, level: bool, mut tell: impl FnMut(Change)) {
        let first = self.wires.partition_point(|(from, _)| *from < source);
        let driven = self.wires.iter().zip(self.levels.iter_mut()).skip(first);
        for ((_, input), was) in driven.take_while(|((from, _), _)| *from == source) {
            if *was == level {
                continue;
            }
            *was = level;
            let Some(input) = self.inputs.get_mut(*input as usize) else {
                continue;
            };
            let before = input.high;
            input.high = if level {
                before.saturating_add(1)
            } else {
                before.saturating_sub(1)
            };
            if (before == 0) != (input.high == 0) {
                tell(Change {
                    device: input.device,
                    line: input.line,
                    level,
                });
            }
        }
    }

    /// All lines low, as at power-on.
    pub fn clear(&mut self) {
        self.levels.fill(false);
        for input in &mut self.inputs {
            input.high = 0;
        }
    }
}

/// Kahn's algorithm; of the devices that are free, the one of the lowest index comes first.
fn order(devices: usize, wires: &[Wire]) -> Result<Vec<usize>, Cycle> {
    let edge = |wire: &Wire| match wire.from {
        Source::Device { device, .. } => Some((device, wire.to)),
        Source::Host(_) | Source::Timer { .. } => None,
    };
    let mut placed = vec![false; devices];
    let mut order = Vec::with_capacity(devices);
    while order.len() < devices {
        let free = (0..devices).find(|device| {
            let waits = |(from, to): (usize, usize)| {
                to == *device && placed.get(from).is_some_and(|placed| !placed)
            };
            placed.get(*device).is_some_and(|placed| !placed)
                && !wires.iter().filter_map(edge).any(waits)
        });
        let Some(device) = free else {
            let stuck = placed.iter().enumerate().filter(|(_, placed)| !**placed);
            return Err(Cycle {
                devices: stuck.map(|(device, _)| device).collect(),
            });
        };
        if let Some(slot) = placed.get_mut(device) {
            *slot = true;
        }
        order.push(device);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::super::devicetree::tests::Lcg;
    use super::*;

    fn wire(device: usize, line: u16, to: usize, input: u16) -> Wire {
        Wire {
            from: Source::Device { device, line },
            to,
            input: Line(input),
        }
    }

    #[test]
    fn a_shared_input_is_high_while_any_of_its_wires_is() {
        let mut wiring = Wiring::new(3, &[wire(0, 0, 2, 5), wire(1, 3, 2, 5)]).expect("no cycle");
        let mut told = Vec::new();
        for (device, line, level) in [
            (0, 0, true),
            (1, 3, true),
            (0, 0, false),
            (0, 0, false),
            (1, 3, false),
        ] {
            wiring.drive(Source::Device { device, line }, level, |change| {
                told.push(change.level);
            });
        }
        assert_eq!(told, [true, false]);
    }

    #[test]
    fn a_line_without_a_wire_tells_nobody() {
        let mut wiring = Wiring::new(2, &[wire(0, 1, 1, 0)]).expect("no cycle");
        wiring.drive(Source::Device { device: 0, line: 0 }, true, |_| {
            panic!("nobody is there")
        });
        wiring.drive(Source::Host(0), true, |_| panic!("nobody is there"));
    }

    #[test]
    fn a_cycle_is_refused_and_names_its_devices() {
        let ring = [wire(0, 0, 1, 0), wire(1, 0, 2, 0), wire(2, 0, 1, 1)];
        assert_eq!(
            Wiring::new(3, &ring).err(),
            Some(Cycle {
                devices: vec![1, 2]
            })
        );
        assert_eq!(
            Wiring::new(1, &[wire(0, 0, 0, 0)]).err(),
            Some(Cycle { devices: vec![0] })
        );
    }

    #[test]
    fn in_random_graphs_every_wire_leads_on_in_the_order() {
        let mut random = Lcg(7);
        for _ in 0..300 {
            let devices = 2 + random.below(20) as usize;
            // A hidden order in which all wires lead on, so there is no cycle.
            let mut hidden: Vec<usize> = (0..devices).collect();
            for i in (1..devices).rev() {
                hidden.swap(i, random.below(i as u64 + 1) as usize);
            }
            let wires: Vec<Wire> = (0..random.below(60))
                .map(|_| {
                    let a = random.below(devices as u64 - 1) as usize;
                    let b = a + 1 + random.below((devices - a - 1) as u64) as usize;
                    wire(
                        hidden[a],
                        random.below(4) as u16,
                        hidden[b],
                        random.below(8) as u16,
                    )
                })
                .collect();
            let mut wiring = Wiring::new(devices, &wires).expect("no cycle");
            for w in &wires {
                let Source::Device { device, .. } = w.from else {
                    continue;
                };
                assert!(wiring.rank(device) < wiring.rank(w.to));
            }
            // Levels: an input is the OR of its wires, whatever the sequence.
            let mut model: std::collections::BTreeMap<Source, bool> =
                std::collections::BTreeMap::new();
            let mut inputs: std::collections::BTreeMap<(usize, Line), bool> =
                std::collections::BTreeMap::new();
            for _ in 0..100 {
                let source = Source::Device {
                    device: random.below(devices as u64) as usize,
                    line: random.below(4) as u16,
                };
                let level = random.below(2) == 1;
                model.insert(source, level);
                wiring.drive(source, level, |c| {
                    inputs.insert((c.device, c.line), c.level);
                });
                for w in &wires {
                    let or = wires.iter().any(|v| {
                        (v.to, v.input) == (w.to, w.input)
                            && model.get(&v.from).copied().unwrap_or(false)
                    });
                    assert_eq!(inputs.get(&(w.to, w.input)).copied().unwrap_or(false), or);
                }
            }
        }
    }
}
