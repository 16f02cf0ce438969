//! How VMs share cores: `[schedule]`, and what becomes of a VM that cannot go on: `restart`.

use super::System;
use super::reader::{self, Located, Source, Table};
use crate::fault::{Fault, did_you_mean};
use reliquary::bundle::{Restart, SLOT_LIMIT_US, SLOTS_LIMIT, Schedule, Slot};
use toml::de::DeValue;

/// The `[schedule]` of a system file.
#[derive(Debug)]
pub struct Sharing {
    /// Its line; none if there is no such table.
    pub line: Option<usize>,
    /// Whether it is a table of slots.
    pub cyclic: bool,
    /// Whether slack is given away.
    pub slack: bool,
    /// VM (none: idle), and microseconds.
    pub slots: Vec<(Option<Located<String>>, u32)>,
}

impl Sharing {
    /// By priority, as without a `[schedule]`.
    pub const fn by_priority() -> Self {
        Self {
            line: None,
            cyclic: false,
            slack: false,
            slots: Vec::new(),
        }
    }

    /// Reads `[schedule]`.
    pub fn read(source: &mut Source<'_>, value: &Located<&DeValue<'_>>) -> Self {
        let mut sharing = Self::by_priority();
        sharing.line = Some(value.line);
        let DeValue::Table(table) = value.value else {
            let mend = "write [schedule] with policy and slots";
            source.fault(value.line, "`schedule` must be a table", mend);
            return sharing;
        };
        let mut table = Table::new(source, "[schedule]", value.line, table);
        let policy = table.text(source, "policy");
        let slots = table.take("slots");
        let slack = table.text(source, "slack");
        table.finish(source);
        match policy.as_ref().map(|policy| policy.value.as_str()) {
            Some("cyclic") => sharing.cyclic = true,
            Some("priority") => {}
            Some(other) => source.fault(
                value.line,
                format!("`policy` cannot be \"{other}\""),
                "write policy = \"cyclic\" (by a table of slots) or \"priority\"",
            ),
            None => source.fault(
                value.line,
                "[schedule] has no policy",
                "write policy = \"cyclic\" (by a table of slots) or \"priority\"",
            ),
        }
        match slack.as_ref().map(|slack| slack.value.as_str()) {
            None | Some("kept") => {}
            Some("given") => sharing.slack = true,
            Some(other) => source.fault(
                slack.as_ref().map_or(value.line, |slack| slack.line),
                format!("`slack` cannot be \"{other}\""),
                "write slack = \"kept\" (as without it: a slot's time is its VM's alone) or \"given\"",
            ),
        }
        match slots {
            Some(slots) => read_slots(source, &slots, &mut sharing.slots),
            None if sharing.cyclic => source.fault(
                value.line,
                "a cyclic [schedule] has no slots",
                "add slots = [{ vm = \"NAME\", us = 10000 }, ...]",
            ),
            None => {}
        }
        sharing
    }

    /// As the bundle has it, with the VMs by number.
    pub fn packed(&self, system: &System) -> Schedule {
        if !self.cyclic {
            return Schedule::Priority;
        }
        let number = |name: &Located<String>| {
            let vms = &system.vms;
            vms.iter().position(|vm| vm.name.value == name.value)
        };
        let slots = self.slots.iter().map(|(vm, us)| Slot {
            vm: vm.as_ref().and_then(number).map(|number| number as u8),
            us: *us,
        });
        Schedule::Cyclic {
            slots: slots.collect(),
            slack: self.slack,
        }
    }
}

fn read_slots(
    source: &mut Source<'_>,
    value: &Located<&DeValue<'_>>,
    slots: &mut Vec<(Option<Located<String>>, u32)>,
) {
    let mend = "write slots = [{ vm = \"NAME\", us = 10000 }, ...]; a slot without vm is idle";
    let DeValue::Array(array) = value.value else {
        return source.fault(value.line, "`slots` must be a list of tables", mend);
    };
    if array.is_empty() || array.len() > SLOTS_LIMIT {
        let what = format!("{} slots; a schedule has 1 to {SLOTS_LIMIT}", array.len());
        source.fault(value.line, what, mend);
    }
    for (number, slot) in array.iter().enumerate() {
        let line = crate::images::line_of(source.text, slot.span().start);
        let title = format!("slot {number}");
        let DeValue::Table(table) = slot.get_ref() else {
            source.fault(line, format!("{title} must be a table"), mend);
            continue;
        };
        let mut table = Table::new(source, &title, line, table);
        let vm = table.text(source, "vm");
        let us = table.number(source, "us");
        table.finish(source);
        let length = us.map_or(0, |us| us.value);
        match u32::try_from(length) {
            Ok(us @ 1..=SLOT_LIMIT_US) => slots.push((vm, us)),
            _ => source.fault(
                line,
                format!("{title} is {length} us long"),
                format!("write us = 1 to {SLOT_LIMIT_US}"),
            ),
        }
    }
}

/// Reads `restart = { times = 3, seconds = 60 }`.
pub fn read_restart(source: &mut Source<'_>, value: &Located<&DeValue<'_>>) -> Restart {
    let mend = format!(
        "write restart = {{ times = 1 to {}, seconds = 60 }}: at most so often in that time",
        Restart::TIMES_MAX
    );
    let DeValue::Table(table) = value.value else {
        source.fault(value.line, "`restart` must be a table", mend);
        return Restart::default();
    };
    let mut table = Table::new(source, "restart", value.line, table);
    let times = table.number(source, "times").map_or(0, |times| times.value);
    let seconds = table.number(source, "seconds").map_or(0, |s| s.value);
    table.finish(source);
    let times = u8::try_from(times).ok();
    let times = times.filter(|times| (1..=Restart::TIMES_MAX).contains(times));
    let ms = u32::try_from(seconds.saturating_mul(1000)).ok();
    let Some((times, within_ms)) = times.zip(ms.filter(|ms| *ms > 0)) else {
        source.fault(value.line, "`restart` has no such times or seconds", mend);
        return Restart::default();
    };
    Restart { times, within_ms }
}

/// Reads `priority`.
pub fn read_priority(source: &mut Source<'_>, value: &Located<&DeValue<'_>>) -> u8 {
    let number = reader::number(value.value).and_then(|number| u8::try_from(number).ok());
    if number.is_none() {
        let mend = "write priority = 0 to 255; the greater runs first, and 0 is the default";
        source.fault(value.line, "`priority` must be a small number", mend);
    }
    number.unwrap_or(0)
}

/// Each VM that shares a core by a table has a slot, and each slot is a VM's.
pub fn check(system: &System) -> Vec<Fault> {
    let mut faults = Vec::new();
    let sharing = &system.sharing;
    let names = || system.vms.iter().map(|vm| vm.name.value.as_str());
    for name in sharing.slots.iter().filter_map(|(vm, _)| vm.as_ref()) {
        if !names().any(|known| known == name.value) {
            let mend = did_you_mean(&name.value, names()).map_or_else(
                || format!("its VMs are: {}", names().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean \"{near}\"?"),
            );
            let what = format!("a slot is of vm.{}, which the system has not", name.value);
            faults.push(Fault::new(what).at(&system.file, name.line).mend(mend));
        }
    }
    if !sharing.cyclic {
        return faults;
    }
    for vm in &system.vms {
        let shares = vm.cores.value.iter().any(|core| {
            let others = system.vms.iter().filter(|o| o.name.value != vm.name.value);
            others
                .into_iter()
                .any(|other| other.cores.value.contains(core))
        });
        let has_slot = sharing
            .slots
            .iter()
            .any(|(of, _)| of.as_ref().is_some_and(|of| of.value == vm.name.value));
        if shares && !has_slot {
            let name = &vm.name.value;
            let line = sharing.line.unwrap_or(vm.name.line);
            faults.push(
                Fault::new(format!("vm.{name} shares a core, and has no slot"))
                    .at(&system.file, line)
                    .mend(format!("add {{ vm = \"{name}\", us = ... }} to slots")),
            );
        }
    }
    faults
}
