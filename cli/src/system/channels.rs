//! `[[channel]]`: by which VMs whose software knows of it send messages to each other.
//!
//! A channel has a sender and a receiver, a name, a size and a depth; a VM may have an interrupt that
//! tells it of its channels (`channel-interrupt`), an input of its board's controller that nothing
//! else drives.
use super::prepare::PreparedVm;
use super::reader::{Located, Source, Table};
use super::{System, Vm, wires};
use crate::fault::{Fault, did_you_mean};
use crate::images::line_of;
use reliquary::bundle::{CHANNEL_LIMIT, ChannelSpec, WireKind, WireSpec};
use reliquary::wire::channel::exchange::{HANDLES_MAX, Memory, hash_of};
use reliquary::wire::channel::{BYTES_MAX, DEPTH_MAX};
use toml::de::DeValue;

/// A `[[channel]]`.
#[derive(Debug)]
pub struct Channel {
    /// Its name.
    pub name: Located<String>,
    /// The VM that sends.
    pub from: Located<String>,
    /// The VM that receives.
    pub to: Located<String>,
    /// The largest message in bytes.
    pub size: Located<u8>,
    /// How many messages it holds.
    pub depth: u8,
    /// The greater has the lower handle.
    pub priority: u8,
    /// The shared memory that its messages tell of.
    pub memory: Option<Located<String>>,
}

/// The largest message that an AArch32 VM's registers hold (docs/reference/channels.md).
const NARROW_BYTES: u8 = 16;
/// How many messages a channel holds that does not say.
const DEPTH: u8 = 8;
const EXAMPLE: &str =
    "write name = \"orders\", from = \"press\", to = \"panel\", size = 64 below [[channel]]";

/// Reads `channel`, the list of tables.
pub fn read(source: &mut Source<'_>, channels: &Located<&DeValue<'_>>) -> Vec<Channel> {
    let DeValue::Array(array) = channels.value else {
        let mend = "write [[channel]], once for each channel";
        source.fault(channels.line, "`channel` must be a list of tables", mend);
        return Vec::new();
    };
    let mut read = Vec::new();
    for channel in array {
        let line = line_of(source.text, channel.span().start);
        if let DeValue::Table(table) = channel.get_ref() {
            let table = Table::new(source, "[[channel]]", line, table);
            read.extend(read_channel(source, table));
        } else {
            source.fault(line, "a channel must be a table", EXAMPLE);
        }
    }
    read
}

fn read_channel(source: &mut Source<'_>, mut table: Table<'_>) -> Option<Channel> {
    let line = table.line;
    let [name, from, to] = ["name", "from", "to"].map(|key| {
        let text = table.text(source, key);
        if text.is_none() {
            source.fault(line, format!("a channel lacks its `{key}`"), EXAMPLE);
        }
        text
    });
    let size = small(source, &mut table, "size", 1..=BYTES_MAX as u64);
    let depth = small(source, &mut table, "depth", 1..=DEPTH_MAX as u64);
    let priority = small(source, &mut table, "priority", 0..=255);
    let memory = table.text(source, "memory");
    table.finish(source);
    if size.is_none() {
        source.fault(line, "a channel lacks its `size`", EXAMPLE);
    }
    Some(Channel {
        name: name?,
        from: from?,
        to: to?,
        size: size?,
        depth: depth.map_or(DEPTH, |depth| depth.value),
        priority: priority.map_or(0, |priority| priority.value),
        memory,
    })
}

fn small(
    source: &mut Source<'_>,
    table: &mut Table<'_>,
    key: &'static str,
    sound: std::ops::RangeInclusive<u64>,
) -> Option<Located<u8>> {
    let Located { value, line } = table.number(source, key)?;
    if !sound.contains(&value) {
        let what = format!("a channel's `{key}` cannot be {value}");
        let mend = format!("it is {} to {}", sound.start(), sound.end());
        source.fault(line, what, mend);
    }
    // One that is out of range has been told; no message more of it.
    let value = value.clamp(*sound.start(), *sound.end()) as u8;
    Some(Located { value, line })
}

/// Finds the VMs of all channels; `vms` are those of `system`, all of them.
pub fn join(system: &System, vms: &[PreparedVm]) -> Result<Vec<ChannelSpec>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut fault = |line, what: String, mend: String| {
        faults.push(Fault::new(what).at(&system.file, line).mend(mend));
    };
    let mut specs: Vec<ChannelSpec> = Vec::new();
    let mut held = vec![0; vms.len()];
    for channel in &system.channels {
        let name = &channel.name;
        let [from, to] = [&channel.from, &channel.to].map(|end| {
            let found = vms.iter().position(|vm| vm.name == end.value);
            if found.is_none() {
                let names = vms.iter().map(|vm| vm.name.as_str());
                let mend = match did_you_mean(&end.value, names.clone()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("the VMs are {}", names.collect::<Vec<_>>().join(", ")),
                };
                let what = format!("channel {}: no VM is called \"{}\"", name.value, end.value);
                fault(end.line, what, mend);
            }
            found
        });
        if name.value.is_empty() {
            let mend = "give it one: VMs find it by its name".to_owned();
            fault(name.line, "a channel has no name".to_owned(), mend);
        }
        if specs.iter().any(|other| other.name == name.value) {
            let what = format!("two channels are called \"{}\"", name.value);
            fault(name.line, what, "give each its own name".to_owned());
        } else if let Some(other) = specs
            .iter()
            .find(|other| hash_of(&other.name) == hash_of(&name.value))
        {
            let what = format!(
                "the names \"{}\" and \"{}\" have the same hash",
                other.name, name.value
            );
            fault(name.line, what, "give one of them another".to_owned());
        }
        let (Some(from), Some(to)) = (from, to) else {
            continue;
        };
        if from == to {
            let what = format!("channel {}: both its ends are one VM's", name.value);
            let mend = "a channel leads from one VM to another".to_owned();
            fault(channel.to.line, what, mend);
        }
        let narrow = [from, to].into_iter().find(|vm| !vms[*vm].board.wide);
        if let Some(vm) = narrow.filter(|_| channel.size.value > NARROW_BYTES) {
            let what = format!(
                "channel {}: the registers of vm.{} hold no message of {} bytes",
                name.value, vms[vm].name, channel.size.value
            );
            let mend = "a channel of a 32-bit board has size = 16 at most".to_owned();
            fault(channel.size.line, what, mend);
        }
        let memory = match memory_of(system, channel) {
            Ok(memory) => memory,
            Err((line, what, mend)) => {
                fault(line, what, mend);
                None
            }
        };
        for vm in [from, to] {
            held[vm] += 1;
            if held[vm] == HANDLES_MAX + 1 {
                let what = format!("vm.{} holds too many channels", vms[vm].name);
                fault(name.line, what, format!("{HANDLES_MAX} at most"));
            }
        }
        specs.push(ChannelSpec {
            name: name.value.clone(),
            from: from as u16,
            to: to as u16,
            bytes: channel.size.value,
            depth: channel.depth,
            priority: channel.priority,
            memory,
        });
    }
    if let Some(channel) = system.channels.get(CHANNEL_LIMIT) {
        let mend = format!("{CHANNEL_LIMIT} at most");
        fault(channel.name.line, "too many channels".to_owned(), mend);
    }
    if faults.is_empty() {
        Ok(specs)
    } else {
        Err(faults)
    }
}

/// The memory that a channel's messages tell of, which both its VMs have.
fn memory_of(
    system: &System,
    channel: &Channel,
) -> Result<Option<Memory>, (usize, String, String)> {
    let Some(name) = &channel.memory else {
        return Ok(None);
    };
    let known = system
        .memories
        .iter()
        .map(|memory| memory.name.value.as_str());
    let found = system
        .memories
        .iter()
        .find(|memory| memory.name.value == name.value);
    let memory = found.ok_or_else(|| {
        let what = format!(
            "channel {}: no memory is called \"{}\"",
            channel.name.value, name.value
        );
        let mend = match did_you_mean(&name.value, known.clone()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "name a [[shared-memory]]".to_owned(),
        };
        (name.line, what, mend)
    })?;
    let at = |vm: &Located<String>| {
        let end = memory.ends.iter().find(|end| end.vm.value == vm.value);
        end.map(|end| end.at.value).ok_or_else(|| {
            let what = format!(
                "channel {}: vm.{} does not have the memory \"{}\"",
                channel.name.value, vm.value, name.value
            );
            (name.line, what, "add it to the memory's `vms`".to_owned())
        })
    };
    Ok(Some(Memory {
        bytes: memory.size.value,
        at: [at(&channel.from)?, at(&channel.to)?],
    }))
}

/// Finds the input of each VM's `channel-interrupt`.
pub fn interrupts(system: &System, vms: &mut [PreparedVm], wires: &[WireSpec]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, own) in system.vms.iter().enumerate() {
        let (Some(interrupt), Some(vm)) = (&own.channel_interrupt, vms.get_mut(number)) else {
            continue;
        };
        match input_of(system, own, vm, interrupt.value, number, wires) {
            Ok(input) => vm.channel_interrupt = Some(input),
            Err((what, mend)) => faults.push(
                Fault::new(format!("channel-interrupt = {}: {what}", interrupt.value))
                    .at(&system.file, interrupt.line)
                    .mend(mend),
            ),
        }
    }
    faults
}

fn input_of(
    system: &System,
    own: &Vm,
    vm: &PreparedVm,
    interrupt: u64,
    number: usize,
    wires: &[WireSpec],
) -> Result<(u16, u16), (String, String)> {
    let name = &own.name.value;
    let ends = |channel: &Channel| channel.from.value == *name || channel.to.value == *name;
    if !system.channels.iter().any(ends) {
        let what = format!("vm.{name} holds no channel");
        return Err((what, "take it away, or add a [[channel]]".to_owned()));
    }
    let plan = &vm.board.plan;
    let device = plan.devices.iter().position(|device| device.drives_cpus);
    let device = device.ok_or_else(|| {
        let what = format!("the board of {name} has no interrupt controller");
        (
            what,
            "take it away: the VM can wait in its calls".to_owned(),
        )
    })?;
    let pin = wires::pin_of(plan, device, &interrupt.to_string())
        .map_err(|mend| ("it is not free".to_owned(), mend))?;
    let input = pin.input.ok_or_else(|| {
        let what = format!("the board of {name} has no such input");
        (what, "take another".to_owned())
    })?;
    let wired = wires.iter().any(|wire| match &wire.kind {
        WireKind::Pins(ends) => ends.iter().any(|(end, pin)| {
            (usize::from(end.vm), usize::from(end.device)) == (number, device)
                && pin.input == Some(input)
        }),
        _ => false,
    });
    if wired {
        let mend = "take another".to_owned();
        return Err(("a wire drives that input".to_owned(), mend));
    }
    Ok((device as u16, input))
}
