//! `[[wire]]`: what joins the boards of a system.
//!
//! A wire's ends are written `VM.DEVICE`, a pin's `VM.DEVICE:PIN`; one that is on the developer's
//! machine, or the host's network, `outside`. They are found in two steps:
//! [`fit`] changes a VM's map as its wires ask, before anything is made of it; [`join`] finds the
//! devices of all ends, with everything that can be wrong.
use super::System;
use super::prepare::PreparedVm;
use super::reader::{Located, Source, Table};
use crate::fault::{Fault, did_you_mean};
use crate::images::line_of;
use crate::tree::Tree;
use reliquary::board::plan::DevicePlan;
use reliquary::board::{Board, Plan, catalog};
use reliquary::bundle::{WireEnd, WireKind, WireSpec};
use reliquary::trace::names::Names;
use reliquary::wire::ethernet::PORTS;
use reliquary::wire::pins::Pin;
use std::fmt::Write as _;
use toml::de::DeValue;

/// A `[[wire]]`.
#[derive(Debug)]
pub struct Wire {
    /// What it is.
    pub kind: Kind,
    /// Its ends, as they are written.
    pub ends: Vec<End>,
    /// The line of its list of ends.
    pub line: usize,
}

/// What a wire joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Two UARTs.
    Serial {
        /// A character takes its time.
        paced: bool,
        /// Characters arrive whether there is room or not.
        faithful: bool,
    },
    /// Ethernet controllers.
    Ethernet,
    /// Two pins.
    Gpio,
}

impl Kind {
    const fn key(self) -> &'static str {
        match self {
            Self::Serial { .. } => "serial",
            Self::Ethernet => "ethernet",
            Self::Gpio => "gpio",
        }
    }
}

/// An end, as it is written.
#[derive(Debug, Clone)]
pub struct End {
    /// All of it.
    pub text: String,
    vm: String,
    device: String,
    pin: String,
    line: usize,
}

/// How the end of a wire is written that no VM is at: a serial wire's is on the developer's machine, an Ethernet
/// wire's is the host's network.
const OUTSIDE: &str = "outside";

impl End {
    fn is_outside(&self) -> bool {
        self.text == OUTSIDE
    }
}

impl Wire {
    /// Whether one of its ends is `outside`.
    fn leads_outside(&self) -> bool {
        self.ends.iter().any(End::is_outside)
    }

    /// Whether its other end is on the developer's machine, over the link.
    pub fn leads_to_link(&self) -> bool {
        self.leads_outside() && self.kind != Kind::Ethernet
    }

    /// Whether the host's network is at one of its ends.
    pub fn leads_to_network(&self) -> bool {
        self.leads_outside() && self.kind == Kind::Ethernet
    }
}

const EXAMPLE: &str =
    "write serial = [\"press.serial1\", \"panel.serial1\"], or \"outside\" for one of them";

/// Reads `wire`, the list of tables.
pub fn read(source: &mut Source<'_>, wires: &Located<&DeValue<'_>>) -> Vec<Wire> {
    let DeValue::Array(array) = wires.value else {
        let mend = "write [[wire]], once for each wire";
        source.fault(wires.line, "`wire` must be a list of tables", mend);
        return Vec::new();
    };
    let mut read: Vec<Wire> = Vec::new();
    for wire in array {
        let line = line_of(source.text, wire.span().start);
        if let DeValue::Table(table) = wire.get_ref() {
            let table = Table::new(source, "[[wire]]", line, table);
            let wire = read_wire(source, table);
            if let Some(wire) = wire.as_ref().filter(|wire| wire.leads_to_network())
                && read.iter().any(Wire::leads_to_network)
            {
                let mend = "bring the boards together on one: ethernet = [\"press.ethernet\", \"panel.ethernet\", \"outside\"]";
                source.fault(wire.line, "another wire leads to the host's network", mend);
            }
            read.extend(wire);
        } else {
            source.fault(line, "a wire must be a table", EXAMPLE);
        }
    }
    read
}

fn read_wire(source: &mut Source<'_>, mut table: Table<'_>) -> Option<Wire> {
    let line = table.line;
    let lists = ["serial", "ethernet", "gpio"].map(|key| table.take(key));
    let pace = choice(source, &mut table, "pace", ["baud", "none"]);
    let overrun = choice(source, &mut table, "overrun", ["wait", "faithful"]);
    table.finish(source);
    let given = lists.iter().flatten().count();
    if given != 1 {
        let what = if given == 0 {
            "a wire has no ends"
        } else {
            "a wire is of one kind"
        };
        source.fault(
            line,
            what,
            "give it serial, ethernet or gpio, a list of its ends",
        );
        return None;
    }
    let [serial, ethernet, gpio] = lists;
    let serial_key = pace.as_ref().or(overrun.as_ref());
    if let Some(key) = serial_key.filter(|_| serial.is_none()) {
        let mend = "take `pace` and `overrun` away, or write serial = [...]";
        source.fault(key.line, "only a serial wire is paced", mend);
    }
    let is = |key: &Option<Located<usize>>, value| key.as_ref().map(|key| key.value) == Some(value);
    let kind = if serial.is_some() {
        Kind::Serial {
            paced: !is(&pace, 1),
            faithful: is(&overrun, 1),
        }
    } else if ethernet.is_some() {
        Kind::Ethernet
    } else {
        Kind::Gpio
    };
    let list = serial.or(ethernet).or(gpio)?;
    let DeValue::Array(array) = list.value else {
        let what = format!("`{}` must be a list of two ends", kind.key());
        source.fault(list.line, what, EXAMPLE);
        return None;
    };
    let mut ends = Vec::new();
    for end in array {
        let line = line_of(source.text, end.span().start);
        let text = match end.get_ref() {
            DeValue::String(text) => text.to_string(),
            _ => String::new(),
        };
        match end_of(kind, &text, line) {
            Some(end) => ends.push(end),
            None if kind == Kind::Gpio => {
                let mend = "write gpio = [\"press.gpio0:3\", \"panel.gpio0:5\"]";
                source.fault(line, "an end must be VM.DEVICE:PIN", mend);
                return None;
            }
            None => {
                source.fault(line, "an end must be VM.DEVICE", EXAMPLE);
                return None;
            }
        }
    }
    let (what, sound) = match kind {
        Kind::Ethernet => ("an Ethernet wire has 2 to 8 ends", 2..=PORTS),
        _ => ("a wire has two ends", 2..=2),
    };
    if !sound.contains(&ends.len()) {
        let mend = if kind == Kind::Ethernet {
            "one for each board at it"
        } else {
            "only ethernet = [...] joins more"
        };
        source.fault(list.line, what, mend);
        return None;
    }
    // A VM is always at the first end.
    ends.sort_by_key(End::is_outside);
    if ends.iter().any(End::is_outside) {
        may_lead_outside(source, kind, &ends, list.line, overrun)?;
    }
    Some(Wire {
        kind,
        ends,
        line: list.line,
    })
}

/// What may lead outside: a serial wire, of which nothing overruns, and an Ethernet wire.
fn may_lead_outside(
    source: &mut Source<'_>,
    kind: Kind,
    ends: &[End],
    line: usize,
    overrun: Option<Located<usize>>,
) -> Option<()> {
    let (what, mend) = match kind {
        _ if ends.iter().all(End::is_outside) => (
            "this wire joins no board",
            "one end is a VM's: write serial = [\"press.serial1\", \"outside\"]",
        ),
        Kind::Serial { .. } => {
            if let Some(key) = overrun.filter(|key| key.value == 1) {
                let mend = "take `overrun` away: what is outside waits until the UART has room";
                source.fault(key.line, "nothing overruns from outside", mend);
            }
            return Some(());
        }
        Kind::Ethernet if ends.iter().filter(|end| end.is_outside()).count() == 1 => {
            return Some(());
        }
        Kind::Ethernet => ("the host has one network", "write \"outside\" once"),
        Kind::Gpio => (
            "only serial and Ethernet wires lead outside",
            "record it: cargo reliquary run SYSTEM --record-wires FILE",
        ),
    };
    source.fault(line, what, mend);
    None
}

/// Which of two words a key has.
fn choice(
    source: &mut Source<'_>,
    table: &mut Table<'_>,
    key: &'static str,
    words: [&str; 2],
) -> Option<Located<usize>> {
    let Located { value, line } = table.text(source, key)?;
    let found = words.iter().position(|word| *word == value);
    if found.is_none() {
        let [first, second] = words;
        source.fault(
            line,
            format!("`{key}` cannot be \"{value}\""),
            format!("write {key} = \"{first}\" (as without it) or {key} = \"{second}\""),
        );
    }
    found.map(|value| Located { value, line })
}

fn end_of(kind: Kind, text: &str, line: usize) -> Option<End> {
    if text == OUTSIDE {
        return Some(End {
            text: text.to_owned(),
            vm: String::new(),
            device: String::new(),
            pin: String::new(),
            line,
        });
    }
    let (vm, rest) = text.split_once('.')?;
    let (device, pin) = if kind == Kind::Gpio {
        rest.rsplit_once(':')?
    } else {
        (rest, "")
    };
    let sound = !vm.is_empty() && !device.is_empty() && (kind != Kind::Gpio || !pin.is_empty());
    sound.then(|| End {
        text: text.to_owned(),
        vm: vm.to_owned(),
        device: device.to_owned(),
        pin: pin.to_owned(),
        line,
    })
}

/// The device that an end names: its name in traces, or, if it is the only one, that without its
/// address.
fn device_of(plan: &Plan, name: &str) -> Option<usize> {
    let names = Names::of(plan);
    let devices = || names.iter().take(plan.devices.len());
    let short = |known: &str| known.split('@').next() == Some(name);
    devices().position(|known| known == name).or_else(|| {
        let at = devices().position(short)?;
        (devices().filter(|known| short(known)).count() == 1).then_some(at)
    })
}

/// Changes a VM's map as its wires ask: UARTs that are paced, addresses for its Ethernet
/// controllers that no other VM has.
pub fn fit(system: &System, vm: &str, plan: &Plan, map: &mut Tree) {
    let number = system.vms.iter().position(|own| own.name.value == vm);
    for wire in &system.wires {
        for end in wire.ends.iter().filter(|end| end.vm == vm) {
            let Some(device) = device_of(plan, &end.device) else {
                continue; // `join` tells
            };
            let Some(node) = plan.devices.get(device) else {
                continue;
            };
            let mut at = &mut map.root;
            for name in node.node.split('/').filter(|name| !name.is_empty()) {
                at = at.child_mut(name);
            }
            match wire.kind {
                Kind::Serial { paced: true, .. } => at.set("reliquary,baud-paced", []),
                Kind::Ethernet => {
                    let own = ["mac-address", "local-mac-address"];
                    if own.iter().all(|name| at.property(name).is_none()) {
                        // The first VM's controller has the address that it has without a wire.
                        let last = 0x56_u8.wrapping_add(number.unwrap_or(0) as u8);
                        let index = device as u8;
                        let fifth = if number == Some(0) { 0x34 } else { index };
                        at.set("local-mac-address", [0x52, 0x54, 0, 0x12, fifth, last]);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Finds the devices of all ends; `vms` are those of `system`, all of them.
pub fn join(system: &System, vms: &[PreparedVm]) -> Result<Vec<WireSpec>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut specs = Vec::new();
    let mut used: Vec<(WireEnd, u64)> = Vec::new();
    for wire in &system.wires {
        let mut ends = Vec::new();
        let of_vms = || wire.ends.iter().filter(|end| !end.is_outside());
        for end in of_vms() {
            match found(vms, wire.kind, end, &mut used) {
                Ok(found) => ends.push(found),
                Err(fault) => faults.push(fault.at(&system.file, end.line)),
            }
        }
        if ends.len() != of_vms().count() {
            continue;
        }
        let mut name = String::new();
        for (end, place) in wire.ends.iter().zip(0..) {
            let _ = write!(name, "{}{}", if place > 0 { " - " } else { "" }, end.text);
        }
        let plain: Vec<WireEnd> = ends.iter().map(|(end, _)| *end).collect();
        let kind = match (wire.kind, plain.first().zip(plain.get(1))) {
            (Kind::Serial { faithful, .. }, Some((first, second))) => WireKind::Serial {
                ends: [*first, *second],
                faithful,
            },
            (Kind::Serial { .. }, None) => match plain.first() {
                Some(end) => WireKind::Outside(*end),
                None => continue,
            },
            (Kind::Gpio, _) => {
                let [first, second] = [0, 1].map(|n| ends.get(n).copied());
                let (Some(first), Some(second)) = (first, second) else {
                    continue;
                };
                let reaches = |from: Pin, to: Pin| from.output.is_some() && to.input.is_some();
                if !reaches(first.1, second.1) && !reaches(second.1, first.1) {
                    let what = "this wire has no end that drives one that listens";
                    let mend = "a GPIO's pin does both; an interrupt controller listens only";
                    faults.push(Fault::new(what).at(&system.file, wire.line).mend(mend));
                    continue;
                }
                WireKind::Pins([first, second])
            }
            _ => WireKind::Ethernet {
                ends: plain,
                outside: wire.leads_to_network(),
            },
        };
        specs.push(WireSpec {
            name,
            kind,
            tapped: false,
        });
    }
    if faults.is_empty() {
        Ok(specs)
    } else {
        Err(faults)
    }
}

fn found(
    vms: &[PreparedVm],
    kind: Kind,
    end: &End,
    used: &mut Vec<(WireEnd, u64)>,
) -> Result<(WireEnd, Pin), Fault> {
    let text = &end.text;
    let Some(number) = vms.iter().position(|vm| vm.name == end.vm) else {
        let names = vms.iter().map(|vm| vm.name.as_str());
        let mend = match did_you_mean(&end.vm, names.clone()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("the VMs are {}", names.collect::<Vec<_>>().join(", ")),
        };
        let what = format!("\"{text}\": no VM is called \"{}\"", end.vm);
        return Err(Fault::new(what).mend(mend));
    };
    let plan = &vms[number].board.plan;
    let fitting = fitting(plan, kind);
    let names = Names::of(plan);
    let candidates = fitting.iter().filter_map(|device| names.name(*device));
    let mend = || {
        let candidates = candidates.clone();
        let near = did_you_mean(&end.device, candidates.clone());
        let candidates = candidates.collect::<Vec<_>>().join(", ");
        match (near, candidates.as_str()) {
            (Some(near), _) => format!("did you mean \"{}.{near}\"?", end.vm),
            (None, "") => format!("the board of {} has none for this wire", end.vm),
            (None, _) => format!("for this wire it has {candidates}"),
        }
    };
    let Some(device) = device_of(plan, &end.device) else {
        let what = format!(
            "\"{text}\": the board of {} has no \"{}\"",
            end.vm, end.device
        );
        return Err(Fault::new(what).mend(mend()));
    };
    if !fitting.contains(&device) {
        let port = match kind {
            Kind::Serial { .. } => "serial port",
            Kind::Ethernet => "Ethernet port",
            Kind::Gpio => "pins",
        };
        return Err(Fault::new(format!("\"{text}\" has no {port}")).mend(mend()));
    }
    if matches!(kind, Kind::Serial { .. }) && plan.console == Some(device) {
        let what = format!("\"{text}\" is the console of {}", end.vm);
        return Err(Fault::new(what).mend(
            "wire another UART, or name another in the map's stdout-path: the console is yours",
        ));
    }
    let pin = match kind {
        Kind::Gpio => pin_of(plan, device, &end.pin).map_err(|mend| {
            let what = format!("\"{text}\": it has no pin \"{}\"", end.pin);
            Fault::new(what).mend(mend)
        })?,
        _ => Pin {
            output: None,
            enable: None,
            input: None,
        },
    };
    let wire_end = WireEnd {
        vm: number as u16,
        device: device as u16,
    };
    // A port's own number, or that of the line.
    let place = match (pin.input, pin.output) {
        (Some(input), _) => u64::from(input) + 1,
        (None, Some(output)) => u64::from(output) + (1 << 32),
        _ => 0,
    };
    if used.contains(&(wire_end, place)) {
        let mend = "each port has one wire; an Ethernet wire may have more than two ends";
        return Err(Fault::new(format!("\"{text}\" is on a wire already")).mend(mend));
    }
    used.push((wire_end, place));
    Ok((wire_end, pin))
}

/// The devices of a board that can be at such a wire.
fn fitting(plan: &Plan, kind: Kind) -> Vec<usize> {
    let all = 0..plan.devices.len();
    match kind {
        Kind::Serial { .. } => match Board::build(plan) {
            Ok(mut board) => all.filter(|device| board.has_serial(*device)).collect(),
            Err(_) => Vec::new(),
        },
        Kind::Ethernet => match Board::build(plan) {
            Ok(board) => board.frame_ports().collect(),
            Err(_) => Vec::new(),
        },
        Kind::Gpio => {
            let has_pins = |device: &usize| {
                let device = plan.devices.get(*device);
                device.is_some_and(|device| {
                    is_controller(device) || !lines_of(&device.compatible).is_empty()
                })
            };
            all.filter(has_pins).collect()
        }
    }
}

fn is_controller(device: &DevicePlan) -> bool {
    device.compatible.contains("gic") || device.compatible.contains("vic")
}

fn lines_of(compatible: &str) -> &'static [&'static str] {
    catalog::description(compatible).map_or(&[], |description| description.lines)
}

/// The lines behind a pin's name, or the mend.
pub(super) fn pin_of(plan: &Plan, device: usize, pin: &str) -> Result<Pin, String> {
    let own = plan.devices.get(device).ok_or_else(String::new)?;
    let number = pin.parse::<u16>().ok();
    if own.compatible == "arm,pl061" {
        // GPOUT, nGPEN and GPIN of the pin (src/emul/pl061.rs).
        let pin = number.filter(|pin| *pin < 8);
        let pin = pin.ok_or_else(|| "its pins are 0 to 7".to_owned())?;
        return Ok(Pin {
            output: Some(9 + pin),
            enable: Some(17 + pin),
            input: Some(pin),
        });
    }
    if is_controller(own) {
        // A GIC's are its SPIs, whose first interrupt ID is 32.
        let first = if own.compatible.contains("gic") {
            32
        } else {
            0
        };
        let most = if first == 0 { 32 } else { 256 };
        let number = number.filter(|number| *number < most);
        let number = number.ok_or_else(|| format!("its inputs are 0 to {}", most - 1))?;
        let input = number + first;
        let mut wires = plan.wires.iter();
        if wires.any(|wire| wire.to == device && wire.input.0 == input) {
            return Err("a device of the board drives that input; take another".to_owned());
        }
        return Ok(Pin {
            output: None,
            enable: None,
            input: Some(input),
        });
    }
    let lines = lines_of(&own.compatible);
    let output = lines.iter().position(|line| *line == pin);
    let output = output.ok_or_else(|| format!("its output lines are {}", lines.join(", ")))?;
    Ok(Pin {
        output: Some(output as u16),
        enable: None,
        input: None,
    })
}
