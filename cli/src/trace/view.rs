//! A trace with the names of its board beside it: what every view of a trace is made from.
use super::{file, replay};
use crate::fault::Result;
use crate::system::board;
use crate::tree::source;
use reliquary::board::{Plan, catalog};
use reliquary::emul::describe::{Description, Field};
use reliquary::trace::header::{Header, NO_BOARD};
use reliquary::trace::names::Names;
use reliquary::trace::read::Reader;
use reliquary::trace::record::{Event, Record, RegisterAccess, Way};
use std::path::Path;

mod wires;

/// A trace, and what its board says of its devices.
#[derive(Debug)]
pub struct View {
    /// What stands before the first record.
    pub header: Header,
    /// The map's `model`.
    pub model: String,
    /// The devices, in the order in which they first appear; behind them, in the map's order, those
    /// that never do.
    pub devices: Vec<Device>,
    /// The records.
    pub records: Vec<Seen>,
    /// How many records the recorder says it lost.
    pub lost: u64,
}

/// A record, and the line of the file that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The line, counted from 1.
    pub line: usize,
    /// The record.
    pub record: Record,
}

/// A device of a trace or of its board.
#[derive(Debug)]
pub struct Device {
    /// What it is called in the trace.
    pub name: String,
    /// Its `compatible`; empty if the board has no such device.
    pub compatible: String,
    /// What it is, in a few words; empty if that is not known.
    pub summary: &'static str,
    /// Its registers and lines by name, if they have any.
    pub described: Option<&'static Description>,
    /// Whether there is a record of it.
    pub touched: bool,
    /// Whether the recorder could have seen it.
    pub observed: bool,
    /// Where its input lines come from, by their numbers.
    inputs: Vec<(u16, String)>,
}

impl View {
    /// Reads a trace; its board is `board`, or else the one that its header names.
    pub fn read(file: &Path, board: Option<&str>) -> Result<Self> {
        let text = file::read(file)?;
        Self::of(file, &text, board)
    }

    /// Of a trace's text; `file` is where it is from.
    pub fn of(file: &Path, text: &[u8], board: Option<&str>) -> Result<Self> {
        let damaged = |damage| file::damage(file, &damage);
        let mut reader = Reader::new(text).map_err(damaged)?;
        let mut records = Vec::new();
        while let Some(record) = reader.record().map_err(damaged)? {
            let line = reader.line();
            records.push(Seen { line, record });
        }
        let named = board.unwrap_or(&reader.header().board);
        if named == NO_BOARD {
            let mut ends = devices(None, reader.names(), reader.header());
            for end in &mut ends {
                "end of a wire".clone_into(&mut end.compatible);
            }
            return Ok(Self {
                header: reader.header().clone(),
                model: "the wires of a system".to_owned(),
                devices: ends,
                records,
                lost: reader.lost(),
            });
        }
        let map = replay::map(named).map_err(|fault| match board {
            Some(_) => fault,
            None => fault.in_file(file).mend(
                "say by --board which map has the devices' names: a name of platforms/, or a path",
            ),
        })?;
        let blob = source::blob_of_file(&map)?;
        let plan = Plan::read(&blob).map_err(|errors| board::map_faults(&map, errors))?;
        Ok(Self {
            header: reader.header().clone(),
            model: plan.model.clone(),
            devices: devices(Some(&plan), reader.names(), reader.header()),
            records,
            lost: reader.lost(),
        })
    }

    /// The index of a record's device; none of a reset of the whole board.
    pub fn device(&self, record: &Record) -> Option<usize> {
        record.device.map(|device| usize::from(device.0))
    }

    /// The time of the first record and of the last, a run's end included.
    pub fn span(&self) -> (u64, u64) {
        let first = self.records.first().map_or(0, |seen| seen.record.at.0);
        let ends = self.records.iter().map(|seen| end(&seen.record));
        (first, ends.max().unwrap_or(first))
    }
}

/// When a record's last event was.
pub fn end(record: &Record) -> u64 {
    match &record.event {
        Event::Access(access) => access.last.0.max(record.at.0),
        _ => record.at.0,
    }
}

/// The devices of a trace, and those of the board that it does not name.
fn devices(plan: Option<&Plan>, touched: &[String], header: &Header) -> Vec<Device> {
    let names = plan.map(Names::of);
    let on_board = 0..plan.map_or(0, |plan| plan.devices.len());
    let untouched = on_board
        .filter_map(|index| names.as_ref()?.name(index))
        .filter(|name| !touched.iter().any(|other| other == name));
    let all = touched.iter().map(String::as_str).map(|name| (name, true));
    all.chain(untouched.map(|name| (name, false)))
        .map(|(name, touched)| {
            let found = plan.zip(names.as_ref());
            let found = found.and_then(|(plan, names)| Some((plan, names, names.find(name)?)));
            let planned = found.and_then(|(plan, _, index)| plan.devices.get(index));
            let compatible = planned.map_or("", |device| &device.compatible);
            let inputs = found.map(|(plan, names, index)| wires::inputs(plan, names, index));
            Device {
                name: name.to_owned(),
                compatible: compatible.to_owned(),
                summary: catalog::find(compatible).map_or("", |entry| entry.summary),
                described: catalog::description(compatible),
                touched,
                observed: !header.unobserved.iter().any(|other| other == name),
                inputs: inputs.unwrap_or_default(),
            }
        })
        .collect()
}

impl Device {
    /// What people call an accessed register: `UARTFR`, `GICD_ISENABLER[2]`, or its offset.
    pub fn register(&self, region: u8, offset: u64) -> String {
        let found = self.described.and_then(|d| d.register(region, offset));
        let Some((register, index)) = found else {
            return match region {
                0 => format!("{offset:#x}"),
                region => format!("{offset:#x} of block {region}"),
            };
        };
        let mut name = register.name.to_owned();
        if register.count > 1 {
            name = format!("{name}[{index}]");
        }
        let begin = register.offset + index * register.stride;
        match offset - begin {
            0 => name,
            into => format!("{name}+{into}"),
        }
    }

    /// The fields of an accessed register.
    pub fn fields(&self, region: u8, offset: u64) -> &'static [Field] {
        let found = self.described.and_then(|d| d.register(region, offset));
        found.map_or(&[], |(register, index)| {
            // A field's bits are counted from the register's first byte.
            let begin = register.offset + index * register.stride;
            if begin == offset {
                register.fields
            } else {
                &[]
            }
        })
    }

    /// What people call a line: by its own name going out, by its source coming in.
    pub fn line(&self, way: Way, line: u16) -> String {
        match way {
            Way::Out => {
                let names = self.described.map_or(&[][..], |d| d.lines);
                names
                    .get(usize::from(line))
                    .map_or_else(|| format!("out {line}"), |name| (*name).to_owned())
            }
            Way::In => {
                let from = self.inputs.iter().find(|(own, _)| *own == line);
                let number = self.input(line);
                match from {
                    Some((_, from)) => format!("{number} {from}"),
                    None => number,
                }
            }
        }
    }

    /// An interrupt controller's inputs are called as its manual does.
    fn input(&self, line: u16) -> String {
        match line {
            _ if !self.compatible.contains("gic") => format!("in {line}"),
            // src/emul/gic: behind the SPIs, 16 PPIs of each CPU.
            1024.. => format!("PPI {} cpu{}", (line - 1024) % 16 + 16, (line - 1024) / 16),
            line => format!("ID {line}"),
        }
    }
}

/// The fields of a value, as `TXFF 1  RXFE 0`; those that are zero are left out unless all are.
pub fn decoded(fields: &[Field], value: u64) -> String {
    let set = fields.iter().filter(|field| field.of(value) != 0);
    let words = set.map(|field| match (field.bits, field.of(value)) {
        (1, _) => field.name.to_owned(),
        (_, part) => format!("{}={part:#x}", field.name),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// An access in one line: `w UARTIMSC 0x10 (RXIM)`.
pub fn access(device: &Device, access: &RegisterAccess) -> String {
    let way = if access.write { "w" } else { "r" };
    let register = device.register(access.region, access.offset);
    let value = match access.value {
        Some(value) => format!("{value:#x}"),
        None => "abort".to_owned(),
    };
    let fields = decoded(
        device.fields(access.region, access.offset),
        access.value.unwrap_or(0),
    );
    let fields = if fields.is_empty() {
        fields
    } else {
        format!(" ({fields})")
    };
    let times = match access.times {
        1 => String::new(),
        times => format!(" x{times}"),
    };
    format!("{way} {register} {value}{fields}{times}")
}

/// Nanoseconds as seconds with all their digits, grouped: `4.137 131 930 s`.
pub fn seconds(ns: u64) -> String {
    let (whole, rest) = (ns / 1_000_000_000, ns % 1_000_000_000);
    let (milli, micro, nano) = (rest / 1_000_000, rest / 1000 % 1000, rest % 1000);
    format!("{whole}.{milli:03} {micro:03} {nano:03} s")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A trace of a real board, written by hand.
    pub const TEXT: &str = "\
# reliquary-trace 1
# board vexpress-a9  source hand  observed lines,ports
# unobserved i2c0
# note typed by hand
1000 0 serial0 w 0x38 4 0x10
1000 0 serial0 r 0x18 4 0x90 x31 ..1590
1600 - serial0 in rx 0x61
1601 - serial0 o 0 1
1700 0 interrupt-controller@1e001000 r1 0xc 4 0x25
1800 0 serial0 r 0x0 4 0x61
1801 - serial0 o 0 0
1900 1 serial0 w 0x0 4 0x62
1910 - serial0 out tx 0x620a
2000 0 serial0 r 0x500 4 abort
# end
";

    pub fn view() -> View {
        View::of(Path::new("hand.trace"), TEXT.as_bytes(), None).expect("it is well formed")
    }

    #[test]
    fn devices_of_the_board_stand_behind_those_of_the_trace() {
        let view = view();
        let touched = view.devices.iter().take_while(|device| device.touched);
        let names: Vec<_> = touched.map(|device| device.name.as_str()).collect();
        assert_eq!(names, ["serial0", "interrupt-controller@1e001000"]);
        let of = |name| view.devices.iter().find(|device| device.name == name);
        assert!(of("serial1").is_some_and(|device| !device.touched && device.observed));
        assert!(of("i2c0").is_some_and(|device| !device.observed));
        assert_eq!(view.span(), (1000, 2000));
    }

    #[test]
    fn registers_and_lines_have_the_manuals_names() {
        let view = view();
        let [serial, gic] = &view.devices[..2] else {
            panic!("two are touched")
        };
        assert_eq!(serial.register(0, 0x18), "UARTFR");
        assert_eq!(serial.register(0, 0x500), "0x500");
        assert_eq!(gic.register(0, 0x104), "GICD_ISENABLER[1]");
        assert_eq!(gic.register(0, 0x405), "GICD_IPRIORITYR[1]+1");
        assert_eq!(gic.line(Way::In, 37), "ID 37 serial0 UARTINTR");
        assert_eq!(
            gic.line(Way::In, 1024 + 16 + 13),
            "PPI 29 cpu1 timer@1e000600 CPU 1"
        );
    }

    #[test]
    fn an_access_is_told_with_the_fields_that_are_set() {
        let view = view();
        let told: Vec<_> = view
            .records
            .iter()
            .filter_map(|seen| match &seen.record.event {
                Event::Access(one) => Some(access(&view.devices[view.device(&seen.record)?], one)),
                _ => None,
            })
            .collect();
        assert_eq!(told[0], "w UARTIMSC 0x10 (RXIM)");
        assert_eq!(told[1], "r UARTFR 0x90 (TXFE RXFE) x31");
        assert_eq!(told.last().expect("it is there"), "r 0x500 abort");
    }

    #[test]
    fn a_trace_of_an_unknown_board_says_how_to_name_one() {
        let text = TEXT.replace("vexpress-a9", "toaster");
        let faults = View::of(Path::new("hand.trace"), text.as_bytes(), None).unwrap_err();
        let told = faults.to_string();
        assert!(
            told.contains("hand.trace") && told.contains("--board"),
            "{told}"
        );
    }

    #[test]
    fn damage_is_told_with_its_line() {
        let text = TEXT.replace("1601 - serial0 o 0 1", "1601 - serial0 o 0 2");
        let faults = View::of(Path::new("hand.trace"), text.as_bytes(), None).unwrap_err();
        assert!(faults.to_string().contains("hand.trace:8: "), "{faults}");
    }

    #[test]
    fn time_is_told_with_all_digits() {
        assert_eq!(seconds(4_137_131_930), "4.137 131 930 s");
    }
}
