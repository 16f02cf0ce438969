//! `[[shared-memory]]`: memory that several VMs have, with doorbells.
//!
//! A memory becomes a node of each VM's map before anything is made of it ([`fit`]): its window, the
//! page of its doorbells, their interrupt. A guest that is handed a tree finds it there. The doorbells
//! of each two VMs are joined by a wire ([`ring`]).
use super::board::is_wide;
use super::prepare::PreparedVm;
use super::reader::{Located, Source, Table};
use super::{System, Vm, wires};
use crate::fault::{Fault, did_you_mean};
use crate::images::line_of;
use crate::tree::{Node, Tree, number};
use reliquary::board::Plan;
use reliquary::bundle::{SHARED_LIMIT, SharedSpec, WireEnd, WireKind, WireSpec};
use reliquary::emul::doorbell::PEERS_MAX;
use reliquary::wire::pins::Pin;
use toml::de::DeValue;

/// A `[[shared-memory]]`.
#[derive(Debug)]
pub struct Memory {
    /// Its name, and that of its node.
    pub name: Located<String>,
    /// Its size in bytes.
    pub size: Located<u64>,
    /// The VMs that have it.
    pub ends: Vec<End>,
}

/// A VM that has it.
#[derive(Debug)]
pub struct End {
    /// The VM.
    pub vm: Located<String>,
    /// The address of its first byte there.
    pub at: Located<u64>,
    /// Whether the VM only reads it.
    pub read_only: bool,
    /// The input of its interrupt controller that the doorbells drive.
    pub interrupt: Option<Located<u64>>,
}

const PAGE: u64 = 4096;
const EXAMPLE: &str = "write vms = [{ vm = \"press\", at = 0x50000000, interrupt = 21 }, ...]";

impl Memory {
    fn doorbells(&self, end: &End) -> u64 {
        end.at.value.saturating_add(self.size.value)
    }

    fn node_name(&self, end: &End) -> String {
        format!("{}@{:x}", self.name.value, end.at.value)
    }
}

/// Reads `shared-memory`, the list of tables.
pub fn read(source: &mut Source<'_>, memories: &Located<&DeValue<'_>>) -> Vec<Memory> {
    let DeValue::Array(array) = memories.value else {
        let mend = "write [[shared-memory]], once for each memory";
        let what = "`shared-memory` must be a list of tables";
        source.fault(memories.line, what, mend);
        return Vec::new();
    };
    let mut read = Vec::new();
    for memory in array {
        let line = line_of(source.text, memory.span().start);
        if let DeValue::Table(table) = memory.get_ref() {
            let table = Table::new(source, "[[shared-memory]]", line, table);
            read.extend(read_memory(source, table));
        } else {
            let mend = "write name, size and vms below [[shared-memory]]";
            source.fault(line, "a shared memory must be a table", mend);
        }
    }
    read
}

fn read_memory(source: &mut Source<'_>, mut table: Table<'_>) -> Option<Memory> {
    let line = table.line;
    let name = table.text(source, "name");
    let size = table.number(source, "size");
    let vms = table.take("vms");
    table.finish(source);
    let (Some(name), Some(size), Some(vms)) = (name, size, vms) else {
        let what = "a shared memory lacks its `name`, `size` or `vms`";
        source.fault(line, what, EXAMPLE);
        return None;
    };
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.value.is_empty() || name.value.len() > 31 || !name.value.chars().all(sound) {
        let mend = "a to z, 0 to 9 and -, 31 at most: it is a device tree node's";
        let what = format!("\"{}\" cannot be a memory's name", name.value);
        source.fault(name.line, what, mend);
    }
    if size.value == 0 || !size.value.is_multiple_of(PAGE) || size.value > SHARED_LIMIT {
        let mend = format!(
            "give it whole pages of 4 KiB, {} MiB at most",
            SHARED_LIMIT >> 20
        );
        let what = format!("a memory cannot have {} bytes", size.value);
        source.fault(size.line, what, mend);
    }
    let DeValue::Array(array) = vms.value else {
        source.fault(vms.line, "`vms` must be a list of tables", EXAMPLE);
        return None;
    };
    let mut ends = Vec::new();
    for end in array {
        let line = line_of(source.text, end.span().start);
        let DeValue::Table(table) = end.get_ref() else {
            source.fault(line, "each of `vms` must be a table", EXAMPLE);
            continue;
        };
        let mut table = Table::new(source, "a VM of a memory", line, table);
        let vm = table.text(source, "vm");
        let at = table.number(source, "at");
        let read_only = table.flag(source, "read-only");
        let interrupt = table.number(source, "interrupt");
        table.finish(source);
        let (Some(vm), Some(at)) = (vm, at) else {
            source.fault(line, "each of `vms` has `vm` and `at`", EXAMPLE);
            continue;
        };
        if at.value % PAGE != 0 {
            let mend = "give it a multiple of 0x1000";
            source.fault(at.line, format!("{:#x} begins no page", at.value), mend);
        }
        ends.push(End {
            vm,
            at,
            read_only,
            interrupt,
        });
    }
    if !(2..=usize::from(PEERS_MAX)).contains(&ends.len()) {
        let mend = "name 2 to 8 VMs in `vms`";
        source.fault(vms.line, "a memory is shared by 2 to 8 VMs", mend);
    }
    Some(Memory { name, size, ends })
}

/// What is wrong with the memories as such: names and VMs.
pub fn check(system: &System) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |line, what: String, mend: String| {
        faults.push(Fault::new(what).at(&system.file, line).mend(mend));
    };
    for (n, memory) in system.memories.iter().enumerate() {
        let name = &memory.name;
        if system
            .memories
            .iter()
            .take(n)
            .any(|other| other.name.value == name.value)
        {
            let what = format!("two memories are called \"{}\"", name.value);
            fault(name.line, what, "give each its own name".to_owned());
        }
        for (place, end) in memory.ends.iter().enumerate() {
            let names = system.vms.iter().map(|vm| vm.name.value.as_str());
            if !names.clone().any(|vm| vm == end.vm.value) {
                let what = format!("no VM is called \"{}\"", end.vm.value);
                let mend = match did_you_mean(&end.vm.value, names.clone()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("the VMs are {}", names.collect::<Vec<_>>().join(", ")),
                };
                fault(end.vm.line, what, mend);
            }
            let before = memory.ends.iter().take(place);
            if before
                .into_iter()
                .any(|other| other.vm.value == end.vm.value)
            {
                let what = format!("vm.{} has the memory twice", end.vm.value);
                fault(end.vm.line, what, "name each VM once".to_owned());
            }
        }
    }
    let total: u64 = system.memories.iter().map(|memory| memory.size.value).sum();
    if let Some(last) = system.memories.last().filter(|_| total > SHARED_LIMIT) {
        let what = format!("the shared memories have {total} bytes together");
        let mend = format!("{} MiB at most", SHARED_LIMIT >> 20);
        fault(last.size.line, what, mend);
    }
    faults
}

/// Adds a VM's memories to its map.
pub fn fit(system: &System, vm: &str, plan: &Plan, map: &mut Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, memory) in system.memories.iter().enumerate() {
        for (own, end) in memory.ends.iter().enumerate() {
            if end.vm.value != vm {
                continue;
            }
            match node_of(system, plan, map, number, memory, own) {
                Ok(node) => map.root.children.push(node),
                Err((line, what, mend)) => {
                    faults.push(Fault::new(what).at(&system.file, line).mend(mend));
                }
            }
        }
    }
    faults
}

/// The node of a memory in the map of its VM `own`.
fn node_of(
    system: &System,
    plan: &Plan,
    map: &Tree,
    index: usize,
    memory: &Memory,
    own: usize,
) -> Result<Node, (usize, String, String)> {
    let end = &memory.ends[own];
    let name = &memory.name.value;
    let (from, to) = (end.at.value, memory.doorbells(end).saturating_add(PAGE));
    let window = plan
        .windows
        .iter()
        .find(|window| window.at.0 < to && from < window.at.0.saturating_add(window.bytes));
    if let Some(window) = window {
        let what = format!(
            "{name}: {from:#x} to {to:#x}, with its doorbells, lies over {} of the board of {}",
            window.node, end.vm.value
        );
        let mend = "move it to where the board has nothing".to_owned();
        return Err((end.at.line, what, mend));
    }
    if to > 1 << 40
        || !plan
            .cpus
            .iter()
            .all(|cpu| to <= 1 << 32 || is_wide(&cpu.compatible))
    {
        let what = format!(
            "{name}: the CPUs of {} do not reach {from:#x}",
            end.vm.value
        );
        return Err((end.at.line, what, "move it below 4 GiB".to_owned()));
    }
    let (addresses, sizes) = map.root.child_cells();
    let mut node = Node {
        name: memory.node_name(end),
        ..Node::default()
    };
    node.set("compatible", *b"generic-uio\0reliquary,shared-memory\0");
    let blocks = [(from, memory.size.value), (memory.doorbells(end), PAGE)];
    let reg = blocks.map(|(at, bytes)| [number(at, addresses), number(bytes, sizes)].concat());
    node.set("reg", reg.concat());
    node.set("reliquary,memory", number(index as u64, 1));
    node.set("reliquary,peer", number(own as u64, 1));
    node.set("reliquary,peers", number(memory.ends.len() as u64, 1));
    if end.read_only {
        node.set("reliquary,read-only", []);
    }
    if let Some(interrupt) = &end.interrupt {
        let wrong = |what: String, mend: String| (interrupt.line, what, mend);
        let device = plan.devices.iter().position(|device| device.drives_cpus);
        let device = device.ok_or_else(|| {
            let what = format!("the board of {} has no interrupt controller", end.vm.value);
            wrong(what, "take `interrupt` away".to_owned())
        })?;
        let number_text = interrupt.value.to_string();
        wires::pin_of(plan, device, &number_text)
            .map_err(|mend| wrong(format!("interrupt = {number_text}: it is not free"), mend))?;
        let taken = system.vms.iter().any(|vm| {
            let channel = vm.channel_interrupt.as_ref().map(|channel| channel.value);
            vm.name.value == end.vm.value && channel == Some(interrupt.value)
        });
        let others = system.memories.iter().flat_map(|memory| &memory.ends);
        let as_this = others.filter(|other| {
            other.vm.value == end.vm.value
                && other.interrupt.as_ref().map(|i| i.value) == Some(interrupt.value)
        });
        if taken || as_this.count() > 1 {
            let what = format!("interrupt = {number_text} is used twice");
            return Err(wrong(what, "take another".to_owned()));
        }
        let path = &plan.devices[device].node;
        let controller = map.node(path);
        let phandle = controller.and_then(|node| node.cell("phandle"));
        let phandle = phandle.ok_or_else(|| {
            let what = format!("{path} has no phandle, so nothing can lead to it");
            wrong(what, "give it a label that the map refers to".to_owned())
        })?;
        let cells = controller.and_then(|node| node.cell("#interrupt-cells"));
        // A GIC's: an SPI, its number, high level.
        let specifier: Vec<u8> = match cells {
            Some(3) => [0, interrupt.value, 4].map(|cell| number(cell, 1)).concat(),
            _ => number(interrupt.value, 1),
        };
        node.set("interrupt-parent", number(u64::from(phandle), 1));
        node.set("interrupts", specifier);
    }
    Ok(node)
}

/// Adds a VM's memories, as its map has them, to the tree of its own that its image is handed.
pub fn show(system: &System, vm: &Vm, map: &Tree, tree: &mut Tree) {
    let (addresses, sizes) = tree.root.child_cells();
    // The tree's own numbers: the board's controller is where the map has it.
    let controller = |path: &str| {
        let same = map.node(path)?;
        let by = |node: &Node| {
            let name = same.texts("compatible").next()?;
            node.is_compatible(name).then(|| node.cell("phandle"))?
        };
        tree.walk().into_iter().find_map(|(_, node, _)| by(node))
    };
    let mut nodes = Vec::new();
    for memory in &system.memories {
        for end in memory
            .ends
            .iter()
            .filter(|end| end.vm.value == vm.name.value)
        {
            let Some(of_map) = map.node(&format!("/{}", memory.node_name(end))) else {
                continue;
            };
            let mut node = of_map.clone();
            node.properties
                .retain(|(name, _)| !name.starts_with("reliquary,"));
            let blocks = [
                (end.at.value, memory.size.value),
                (memory.doorbells(end), PAGE),
            ];
            let reg =
                blocks.map(|(at, bytes)| [number(at, addresses), number(bytes, sizes)].concat());
            node.set("reg", reg.concat());
            let parent = node.cell("interrupt-parent").and_then(|phandle| {
                let of_phandle =
                    |node: &&(String, &Node, Vec<_>)| node.1.cell("phandle") == Some(phandle);
                let nodes = map.walk();
                let path = nodes.iter().find(of_phandle)?.0.clone();
                controller(&path)
            });
            if let Some(phandle) = parent {
                node.set("interrupt-parent", number(u64::from(phandle), 1));
            } else {
                node.remove("interrupt-parent");
                node.remove("interrupts");
            }
            nodes.push(node);
        }
    }
    tree.root.children.extend(nodes);
}

/// The memories, and the wires between their doorbells; `vms` are those of `system`, all of them.
pub fn ring(system: &System, vms: &[PreparedVm]) -> (Vec<SharedSpec>, Vec<WireSpec>) {
    let mut specs = Vec::new();
    let mut wires = Vec::new();
    for memory in &system.memories {
        specs.push(SharedSpec {
            name: memory.name.value.clone(),
            bytes: memory.size.value,
        });
        let ends: Vec<Option<WireEnd>> = memory
            .ends
            .iter()
            .map(|end| {
                let vm = vms.iter().position(|vm| vm.name == end.vm.value)?;
                let path = format!("/{}", memory.node_name(end));
                let devices = &vms[vm].board.plan.devices;
                let device = devices.iter().position(|device| device.node == path)?;
                Some(WireEnd {
                    vm: vm as u16,
                    device: device as u16,
                })
            })
            .collect();
        for (first, one) in ends.iter().enumerate() {
            for (second, other) in ends.iter().enumerate().skip(first + 1) {
                let (Some(one), Some(other)) = (one, other) else {
                    continue;
                };
                // Lines and inputs of the doorbells (src/emul/doorbell.rs).
                let pin = |peer: usize| Pin {
                    output: Some(1 + peer as u16),
                    enable: None,
                    input: Some(peer as u16),
                };
                wires.push(WireSpec {
                    name: format!(
                        "{}: {} - {}",
                        memory.name.value,
                        memory.ends[first].vm.value,
                        memory.ends[second].vm.value
                    ),
                    kind: WireKind::Pins([(*one, pin(second)), (*other, pin(first))]),
                    tapped: false,
                });
            }
        }
    }
    (specs, wires)
}
