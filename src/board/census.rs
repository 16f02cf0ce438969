//! What becomes of each node of a map: the one answer that [`super::Plan::read`] builds on and
//! `board import` reports.

use super::catalog::{self, Entry};
use super::devicetree::{Node, Tree};
use super::error::MapError;
use alloc::format;
use alloc::vec::Vec;

/// What a node is to the board.
#[derive(Clone, Copy)]
pub enum Role {
    /// It describes: nothing on the bus answers for it (clocks, regulators, `/chosen`).
    Described,
    /// A bus: its children are what counts.
    Bus,
    /// It belongs to the device above it, which answers for it.
    Part,
    /// Main memory.
    Memory,
    /// Memory beside the main memory: static RAM, video RAM.
    Ram,
    /// Memory that appears at a second place.
    Alias,
    /// A CPU.
    Cpu,
    /// The CPUs' generic timer.
    Timer,
    /// The firmware's power interface.
    Psci,
    /// A device that is emulated.
    Device(&'static Entry),
    /// A device of the host's.
    PassThrough {
        /// Each access is trapped and recorded.
        tap: bool,
    },
    /// Its `status`, or that of a node above it, is not okay.
    Disabled,
    /// It has registers, and nothing here emulates it.
    Unknown,
}

/// Every node of `tree` with its role, in the tree's order.
pub fn roles<'t, 'a>(tree: &'t Tree<'a>) -> (Vec<(Node<'t, 'a>, Role)>, Vec<MapError>) {
    let mut roles: Vec<(Node<'t, 'a>, Role)> = Vec::new();
    let mut errors = Vec::new();
    for node in tree.nodes() {
        let above = node
            .parent()
            .and_then(|p| roles.get(p.index()))
            .map(|(_, role)| *role);
        let role = role(node, above).unwrap_or_else(|error| {
            errors.push(error);
            Role::Disabled
        });
        roles.push((node, role));
    }
    (roles, errors)
}

fn role(node: Node<'_, '_>, above: Option<Role>) -> Result<Role, MapError> {
    match above {
        // The root.
        None => return Ok(Role::Bus),
        Some(Role::Disabled) => return Ok(Role::Disabled),
        Some(Role::Device(_) | Role::PassThrough { .. } | Role::Unknown | Role::Part) => {
            return Ok(Role::Part);
        }
        _ => {}
    }
    if !node.is_enabled() {
        return Ok(Role::Disabled);
    }
    match node.str("device_type")? {
        Some("memory") => return Ok(Role::Memory),
        Some("cpu") => return Ok(Role::Cpu),
        _ => {}
    }
    if node.has("reliquary,alias") {
        return Ok(Role::Alias);
    }
    if node.has("reliquary,pass-through") {
        return Ok(Role::PassThrough {
            tap: node.has("reliquary,tap"),
        });
    }
    if node.has("reliquary,tap") {
        return Err(node
            .wrong("only a device of the host's can be tapped")
            .property("reliquary,tap")
            .mend("name that device in reliquary,pass-through, or take the tap away"));
    }
    if node.has("reliquary,identity") {
        return identity(node).map(Role::Device);
    }
    if let Some(wanted) = node.str("reliquary,emulate")? {
        return catalog::find(wanted).map(Role::Device).ok_or_else(|| {
            node.wrong(format!("nothing emulates \"{wanted}\""))
                .property("reliquary,emulate")
                .mend("name a compatible that the fidelity table lists")
        });
    }
    let compatible = |with: &[&str]| with.iter().any(|c| node.is_compatible(c));
    if compatible(&["mtd-ram", "mmio-sram"])
        || (compatible(&["shared-dma-pool"]) && node.has("no-map") && node.has("reg"))
    {
        return Ok(Role::Ram);
    }
    if compatible(&["arm,armv7-timer", "arm,armv8-timer"]) {
        return Ok(Role::Timer);
    }
    if compatible(&["arm,psci", "arm,psci-0.2", "arm,psci-1.0"]) {
        return Ok(Role::Psci);
    }
    if let Some(entry) = node.strings("compatible").find_map(catalog::find) {
        return Ok(Role::Device(entry));
    }
    if compatible(&["simple-bus", "simple-mfd"]) {
        return Ok(Role::Bus);
    }
    let on_the_bus = node
        .reg()?
        .iter()
        .any(|reg| reg.cpu.is_some() && reg.bytes != 0);
    if on_the_bus && node.has("compatible") {
        return Ok(Role::Unknown);
    }
    Ok(Role::Described)
}

fn identity(node: Node<'_, '_>) -> Result<&'static Entry, MapError> {
    if catalog::identity_of(node).is_none() {
        return Err(node
            .wrong("no identity is known for its compatible")
            .property("reliquary,identity")
            .mend("give it arm,primecell-periphid"));
    }
    Ok(&catalog::IDENTITY)
}
