//! A trace as a value change dump (IEEE 1364-2005, clause 18), for GTKWave and PulseView.
//!
//! A device is a scope. Its signals are: `..._read` and `..._write`, which change their level with each
//! access; `offset` and `cpu` of the last one; the last value of each register; its lines; and of
//! each port the last byte, and `..._strobe`, which changes its level with each byte. Of a run of
//! equal accesses the first and the last are there.
use crate::trace::view::{Device, View};
use reliquary::trace::record::{Event, Port, RegisterAccess, Way};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A device's signal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Signal {
    Read,
    Write,
    Offset,
    Cpu,
    Register(u8, u64),
    Line(Way, u16),
    Port(Way, Port),
    Strobe(Way, Port),
}

/// A change of a signal.
struct Change {
    at: u64,
    /// The device and its signal.
    signal: (usize, Signal),
    to: Value,
}

enum Value {
    /// The other level.
    Toggled,
    Is(u64),
    Unknown,
}

/// The whole dump.
pub fn vcd(view: &View) -> String {
    let changes = changes(view);
    let mut widths: BTreeMap<(usize, Signal), u32> = BTreeMap::new();
    for seen in &view.records {
        if let (Some(device), Event::Access(access)) =
            (view.device(&seen.record), &seen.record.event)
        {
            let signal = Signal::Register(access.region, access.offset);
            let width = widths.entry((device, signal)).or_default();
            *width = (*width).max(access.width.bytes() as u32 * 8);
        }
    }
    for change in &changes {
        widths
            .entry(change.signal)
            .or_insert(match change.signal.1 {
                Signal::Offset => 32,
                Signal::Cpu | Signal::Port(_, Port::Serial) => 8,
                Signal::Port(_, Port::Frames) => 16,
                _ => 1,
            });
    }
    let numbers: BTreeMap<_, _> = widths.keys().copied().zip(0..).collect();
    let mut out = header(view, &widths, &numbers);
    values(&mut out, &changes, &widths, &numbers);
    let _ = writeln!(out, "#{}", view.span().1.saturating_add(1));
    out
}

fn header(
    view: &View,
    widths: &BTreeMap<(usize, Signal), u32>,
    numbers: &BTreeMap<(usize, Signal), u32>,
) -> String {
    let mut out = String::new();
    let head = &view.header;
    let image = head.image.as_deref().unwrap_or("not told");
    let said = format!("board {} source {} image {image}", head.board, head.source);
    let said = said.replace("$end", "");
    let _ = writeln!(out, "$version cargo reliquary trace export $end");
    let _ = writeln!(out, "$comment {said} $end\n$timescale 1 ns $end");
    let _ = writeln!(out, "$scope module {} $end", word(&head.board));
    for (index, device) in view.devices.iter().enumerate() {
        let own: Vec<_> = widths.iter().filter(|((of, _), _)| *of == index).collect();
        if own.is_empty() {
            continue;
        }
        let _ = writeln!(out, "$scope module {} $end", word(&device.name));
        let mut taken = BTreeSet::new();
        for (key, width) in own {
            let mut name = name(device, key.1);
            // Two registers may differ only in what a word cannot have.
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            let code = code(numbers.get(key).copied().unwrap_or(0));
            let _ = writeln!(out, "$var wire {width} {code} {name} $end");
        }
        out.push_str("$upscope $end\n");
    }
    out.push_str("$upscope $end\n$enddefinitions $end\n");
    out
}

fn values(
    out: &mut String,
    changes: &[Change],
    widths: &BTreeMap<(usize, Signal), u32>,
    numbers: &BTreeMap<(usize, Signal), u32>,
) {
    let mut levels: BTreeMap<(usize, Signal), u64> = BTreeMap::new();
    // A line has the other level before its first change.
    for change in changes {
        if let (Signal::Line(..), Value::Is(level)) = (change.signal.1, &change.to) {
            levels.entry(change.signal).or_insert(1 - level);
        }
    }
    let first = changes.first().map_or(0, |change| change.at);
    let _ = writeln!(out, "#{}\n$dumpvars", first.saturating_sub(1));
    for (signal, width) in widths {
        let number = numbers.get(signal).copied().unwrap_or(0);
        let begin = match signal.1 {
            Signal::Read | Signal::Write | Signal::Strobe(..) => Some(0),
            Signal::Line(..) => levels.get(signal).copied(),
            _ => None,
        };
        value(out, *width, number, begin);
    }
    out.push_str("$end\n");
    let mut at = first.saturating_sub(1);
    for change in changes {
        if change.at != at {
            let _ = writeln!(out, "#{}", change.at);
            at = change.at;
        }
        let level = levels.entry(change.signal).or_default();
        let to = match change.to {
            Value::Toggled => Some(1 - *level),
            Value::Is(to) => Some(to),
            Value::Unknown => None,
        };
        *level = to.unwrap_or(0);
        let number = numbers.get(&change.signal).copied().unwrap_or(0);
        value(
            out,
            widths.get(&change.signal).copied().unwrap_or(1),
            number,
            to,
        );
    }
}

fn value(out: &mut String, width: u32, number: u32, value: Option<u64>) {
    let code = code(number);
    let _ = match (width, value) {
        (1, Some(level)) => writeln!(out, "{}{code}", level & 1),
        (1, None) => writeln!(out, "x{code}"),
        (_, Some(value)) => writeln!(out, "b{value:b} {code}"),
        (_, None) => writeln!(out, "bx {code}"),
    };
}

/// All changes, in the order of time: the end of a run stands where it happened.
fn changes(view: &View) -> Vec<Change> {
    let mut changes = Vec::new();
    for seen in &view.records {
        let record = &seen.record;
        let Some(device) = view.device(record) else {
            continue;
        };
        let mut add = |at: u64, signal: Signal, to: Value| {
            changes.push(Change {
                at,
                signal: (device, signal),
                to,
            });
        };
        let at = record.at.0;
        match &record.event {
            Event::Access(access) => accessed(&mut add, at, record.cpu, access),
            Event::Line { way, line, level } => {
                add(at, Signal::Line(*way, *line), Value::Is(u64::from(*level)));
            }
            Event::Port { way, port, bytes } => match port {
                Port::Serial => {
                    for byte in bytes {
                        add(at, Signal::Port(*way, *port), Value::Is(u64::from(*byte)));
                    }
                    add(at, Signal::Strobe(*way, *port), Value::Toggled);
                }
                Port::Frames => {
                    add(at, Signal::Port(*way, *port), Value::Is(bytes.len() as u64));
                    add(at, Signal::Strobe(*way, *port), Value::Toggled);
                }
            },
            Event::Memory { .. } | Event::Due | Event::Reset(_) => {}
        }
    }
    changes.sort_by_key(|change| change.at);
    changes
}

fn accessed(
    add: &mut impl FnMut(u64, Signal, Value),
    at: u64,
    cpu: Option<u8>,
    access: &RegisterAccess,
) {
    let way = if access.write {
        Signal::Write
    } else {
        Signal::Read
    };
    add(at, way, Value::Toggled);
    add(at, Signal::Offset, Value::Is(access.offset & 0xffff_ffff));
    if let Some(cpu) = cpu {
        add(at, Signal::Cpu, Value::Is(u64::from(cpu)));
    }
    let register = Signal::Register(access.region, access.offset);
    add(at, register, access.value.map_or(Value::Unknown, Value::Is));
    if access.times > 1 {
        add(access.last.0, way, Value::Toggled);
    }
}

fn name(device: &Device, signal: Signal) -> String {
    word(&match signal {
        // PulseView shows single bits alone, and no scopes.
        Signal::Read => format!("{} read", device.name),
        Signal::Write => format!("{} write", device.name),
        Signal::Offset => "offset".to_owned(),
        Signal::Cpu => "cpu".to_owned(),
        Signal::Register(region, offset) => device.register(region, offset),
        Signal::Line(way, line) => format!("{} line {}", device.name, device.line(way, line)),
        Signal::Port(way, Port::Serial) => format!("port {}", Port::Serial.word(way)),
        Signal::Port(way, Port::Frames) => format!("port eth {} length", way_word(way)),
        Signal::Strobe(way, Port::Serial) => {
            format!("{} {} strobe", device.name, Port::Serial.word(way))
        }
        Signal::Strobe(way, Port::Frames) => {
            format!("{} eth {} strobe", device.name, way_word(way))
        }
    })
}

const fn way_word(way: Way) -> &'static str {
    match way {
        Way::In => "in",
        Way::Out => "out",
    }
}

/// A name of letters, digits and underscores: brackets would be taken for a vector's.
fn word(text: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    text.trim_end_matches(']').chars().map(keep).collect()
}

/// The identifier code of a number: printable characters from ! to ~.
fn code(mut number: u32) -> String {
    let mut code = String::new();
    loop {
        code.push(char::from(b'!' + (number % 94) as u8));
        number /= 94;
        if number == 0 {
            return code;
        }
        number -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::view::tests::view;
    use ::vcd::{Command, Parser, TimescaleUnit};

    #[test]
    fn a_parser_of_the_format_reads_scopes_signals_and_values() {
        let text = vcd(&view());
        let mut parser = Parser::new(text.as_bytes());
        let header = parser.parse_header().expect("the header is of the form");
        assert_eq!(header.timescale, Some((1, TimescaleUnit::NS)));
        let find = |name: &str| {
            let path = ["vexpress_a9", "serial0", name];
            header
                .find_var(&path)
                .unwrap_or_else(|| panic!("{name}"))
                .clone()
        };
        let (line, fr, strobe) = (
            find("serial0_line_UARTINTR"),
            find("UARTFR"),
            find("serial0_rx_strobe"),
        );
        assert_eq!((line.size, fr.size, strobe.size), (1, 32, 1));
        let mut at = 0;
        let mut seen = Vec::new();
        for command in parser {
            match command.expect("each command is of the form") {
                Command::Timestamp(time) => {
                    assert!(time >= at, "time runs backwards");
                    at = time;
                }
                Command::ChangeScalar(code, value) if code == line.code => {
                    seen.push((at, value.to_string()));
                }
                Command::ChangeVector(code, value) if code == fr.code => {
                    seen.push((at, value.to_string()));
                }
                _ => {}
            }
        }
        let seen: Vec<_> = seen
            .iter()
            .map(|(at, value)| (*at, value.as_str()))
            .collect();
        let line_and_fr = [
            (999, "x"),
            (999, "0"),
            (1000, "10010000"),
            (1601, "1"),
            (1801, "0"),
        ];
        assert_eq!(seen, line_and_fr);
    }

    #[test]
    fn codes_are_printable_and_differ() {
        let codes: BTreeSet<String> = (0..20_000).map(code).collect();
        assert_eq!(codes.len(), 20_000);
        assert!(
            codes
                .iter()
                .all(|code| code.bytes().all(|b| b.is_ascii_graphic()))
        );
    }
}
