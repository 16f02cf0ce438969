//! What a trace holds, counted: by device, by register, and what nothing touched.
use super::view::{Device, View, seconds};
use reliquary::trace::record::{Event, RegisterAccess, Way};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The sums of a trace.
#[derive(Debug)]
pub struct Stats<'a> {
    view: &'a View,
    devices: Vec<Sums>,
    /// Only this one is told.
    only: Option<usize>,
}

/// The sums of a device.
#[derive(Debug, Default, Clone)]
struct Sums {
    reads: u64,
    writes: u64,
    bytes_in: u64,
    bytes_out: u64,
    memory: u64,
    deadlines: u64,
    lines: BTreeMap<(Way, u16), u64>,
    /// By register block and offset.
    registers: BTreeMap<(u8, u64), Use>,
}

/// How a register was used.
#[derive(Debug, Default, Clone)]
struct Use {
    reads: u64,
    writes: u64,
    aborts: u64,
    values: BTreeSet<u64>,
    first: Option<u64>,
    last: Option<u64>,
}

impl Use {
    fn add(&mut self, access: &RegisterAccess) {
        let times = u64::from(access.times);
        if access.write {
            self.writes += times;
        } else {
            self.reads += times;
        }
        let Some(value) = access.value else {
            self.aborts += times;
            return;
        };
        self.values.insert(value);
        self.first.get_or_insert(value);
        self.last = Some(value);
    }
}

impl Sums {
    fn add(&mut self, event: &Event) {
        match event {
            Event::Access(access) => {
                let times = u64::from(access.times);
                if access.write {
                    self.writes += times;
                } else {
                    self.reads += times;
                }
                let place = (access.region, access.offset);
                self.registers.entry(place).or_default().add(access);
            }
            Event::Line { way, line, .. } => *self.lines.entry((*way, *line)).or_default() += 1,
            Event::Port { way, bytes, .. } => match way {
                Way::In => self.bytes_in += bytes.len() as u64,
                Way::Out => self.bytes_out += bytes.len() as u64,
            },
            Event::Memory { bytes, .. } => self.memory += bytes.len() as u64,
            Event::Due => self.deadlines += 1,
            Event::Reset(_) => {}
        }
    }
}

impl<'a> Stats<'a> {
    /// Counts; `only` is the index of the one device that is told, if not all are.
    pub fn of(view: &'a View, only: Option<usize>) -> Self {
        let mut devices = vec![Sums::default(); view.devices.len()];
        for seen in &view.records {
            let device = view.device(&seen.record);
            if let Some(sums) = device.and_then(|device| devices.get_mut(device)) {
                sums.add(&seen.record.event);
            }
        }
        Self {
            view,
            devices,
            only,
        }
    }
}

impl fmt::Display for Stats<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (view, header) = (self.view, &self.view.header);
        let (from, to) = view.span();
        let image = header
            .image
            .as_deref()
            .unwrap_or("an image that is not told");
        writeln!(
            f,
            "{}, {image}, recorded by {}",
            header.board, header.source
        )?;
        let (records, lost) = (view.records.len(), view.lost);
        let length = seconds(to - from);
        writeln!(
            f,
            "{records} records in {length}, from {} to {}",
            seconds(from),
            seconds(to)
        )?;
        if lost > 0 {
            writeln!(f, "{lost} records were lost by the recorder")?;
        }
        for (index, (device, sums)) in view.devices.iter().zip(&self.devices).enumerate() {
            let asked = self.only.is_none_or(|only| only == index);
            if asked && (device.touched || self.only.is_some()) {
                writeln!(f)?;
                told(f, device, sums)?;
            }
        }
        if self.only.is_some() {
            return Ok(());
        }
        writeln!(f)?;
        for (what, observed) in [("never touched", true), ("not observed", false)] {
            let names = view.devices.iter();
            let names = names.filter(|device| !device.touched && device.observed == observed);
            let names: Vec<&str> = names.map(|device| device.name.as_str()).collect();
            if !names.is_empty() {
                writeln!(f, "{what}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}

fn told(f: &mut fmt::Formatter<'_>, device: &Device, sums: &Sums) -> fmt::Result {
    let known = if device.compatible.is_empty() {
        "not of this board"
    } else {
        &device.compatible
    };
    let lines: u64 = sums.lines.values().sum();
    write!(
        f,
        "{} ({known}): {} reads, {} writes",
        device.name, sums.reads, sums.writes
    )?;
    for (count, what) in [
        (lines, "line changes"),
        (sums.bytes_in, "bytes in"),
        (sums.bytes_out, "bytes out"),
        (sums.memory, "bytes of memory"),
        (sums.deadlines, "deadlines"),
    ] {
        if count > 0 {
            write!(f, ", {count} {what}")?;
        }
    }
    writeln!(f)?;
    if !sums.registers.is_empty() {
        let (reads, writes, values) = ("reads", "writes", "values");
        let (first, last) = ("first", "last");
        writeln!(
            f,
            "{reads:>9} {writes:>9} {values:>7} {first:>12} {last:>12}  register"
        )?;
    }
    for ((region, offset), used) in &sums.registers {
        let value = |value: Option<u64>| value.map_or("-".to_owned(), |v| format!("{v:#x}"));
        write!(
            f,
            "{:>9} {:>9} {:>7} {:>12} {:>12}  {}",
            used.reads,
            used.writes,
            used.values.len(),
            value(used.first),
            value(used.last),
            device.register(*region, *offset),
        )?;
        match used.aborts {
            0 => writeln!(f)?,
            aborts => writeln!(f, ", {aborts} aborts")?,
        }
    }
    for ((way, line), count) in &sums.lines {
        writeln!(f, "  line {}: {count} changes", device.line(*way, *line))?;
    }
    let untouched = untouched(device, sums);
    if !untouched.is_empty() {
        writeln!(f, "  registers never touched: {}", untouched.join(", "))?;
    }
    Ok(())
}

/// The registers with a name of which no byte was accessed; of many equal ones, how many.
fn untouched(device: &Device, sums: &Sums) -> Vec<String> {
    let registers = device.described.map_or(&[][..], |d| d.registers).iter();
    let mut names = Vec::new();
    for register in registers {
        let places = sums.registers.keys();
        let touched = places.filter_map(|(region, offset)| register.index(*region, *offset));
        let touched = touched.collect::<BTreeSet<_>>().len() as u64;
        match (register.count, touched) {
            (1, 0) => names.push(register.name.to_owned()),
            (count, touched) if touched < count => {
                names.push(format!(
                    "{} ({} of {count})",
                    register.name,
                    count - touched
                ));
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::view::tests::view;

    #[test]
    fn reads_writes_and_values_are_counted_by_register() {
        let view = view();
        let told = Stats::of(&view, None).to_string();
        for line in [
            "10 records in 0.000 001 000 s, from 0.000 001 000 s to 0.000 002 000 s",
            "serial0 (arm,pl011): 33 reads, 2 writes, 2 line changes, 1 bytes in, 2 bytes out",
            "       31         0       1         0x90         0x90  UARTFR",
            "        1         1       2         0x61         0x62  UARTDR",
            "        1         0       0            -            -  0x500, 1 aborts",
        ] {
            assert!(told.lines().any(|own| own == line), "{line}\n{told}");
        }
    }

    #[test]
    fn registers_and_devices_that_were_never_touched_are_named() {
        let view = view();
        let told = Stats::of(&view, None).to_string();
        let of = |what: &str| {
            let line = told
                .lines()
                .find(|line| line.trim_start().starts_with(what));
            line.unwrap_or_else(|| panic!("{told}")).to_owned()
        };
        let registers = of("registers never touched");
        assert!(
            registers.contains("UARTCR") && !registers.contains("UARTFR"),
            "{registers}"
        );
        assert!(of("never touched").contains("serial1"));
        assert!(of("not observed").contains("i2c0"));
    }

    #[test]
    fn one_device_is_told_alone() {
        let view = view();
        let told = Stats::of(&view, Some(1)).to_string();
        assert!(
            told.contains("GICC_IAR") && !told.contains("UARTFR"),
            "{told}"
        );
    }
}
