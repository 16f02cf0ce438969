//! Text from records.

use super::header::{Header, reset_word, security_word};
use super::record::{DeviceName, Event, Record, RegisterAccess, Way};
use crate::link::Crc32;
use crate::units::Instant;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// After how many records a check stands in the text.
pub const CHECK_EVERY: u64 = 4096;

/// Writes a trace. What is ready is taken by [`Writer::take`]; [`Writer::end`] closes it, and a
/// trace that was not closed is told as truncated by who reads it.
#[derive(Debug)]
pub struct Writer {
    text: String,
    names: Vec<String>,
    crc: Crc32,
    records: u64,
    /// How much of `text` is in the CRC.
    checked: usize,
    /// The last access, which the next one may only repeat.
    held: Option<Record>,
}

impl Writer {
    /// Begins a trace.
    pub fn new(header: &Header) -> Self {
        let mut text = String::new();
        let _ = write!(text, "{header}");
        Self {
            text,
            names: Vec::new(),
            crc: Crc32::new(),
            records: 0,
            checked: 0,
            held: None,
        }
    }

    /// The number of a device's name.
    pub fn device(&mut self, name: &str) -> DeviceName {
        let known = self.names.iter().position(|known| known == name);
        let place = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len().saturating_sub(1)
        });
        DeviceName(place as u16)
    }

    /// Writes a record. An access that repeats the one before it, the same value included, is
    /// counted there.
    pub fn record(&mut self, record: Record) {
        if let Some(held) = &mut self.held
            && repeats(held, &record)
        {
            return;
        }
        self.write_held();
        if let Event::Access(_) = record.event {
            self.held = Some(record);
        } else {
            self.line(&record);
        }
    }

    /// Says that the recorder lost records here, and how many.
    pub fn lost(&mut self, at: Instant, count: u64) {
        self.write_held();
        let _ = writeln!(self.text, "# lost {count} records at {}", at.0);
    }

    /// Takes the text that is ready.
    pub fn take(&mut self) -> String {
        self.check_in();
        self.checked = 0;
        core::mem::take(&mut self.text)
    }

    /// Closes the trace, and takes the rest of its text.
    pub fn end(mut self) -> String {
        self.write_held();
        self.check_in();
        let (records, crc) = (self.records, self.crc.value());
        let _ = writeln!(self.text, "# end {records} {crc:08x}");
        self.text
    }

    /// How many records were written; one that is held back for its repetitions is not counted.
    pub fn records(&self) -> u64 {
        self.records
    }

    fn check_in(&mut self) {
        let new = self.text.as_bytes().get(self.checked..).unwrap_or_default();
        self.crc.update(new);
        self.checked = self.text.len();
    }

    fn write_held(&mut self) {
        if let Some(held) = self.held.take() {
            self.line(&held);
        }
    }

    fn line(&mut self, record: &Record) {
        let place = record.device.map(|device| usize::from(device.0));
        let name = place.map_or("-", |place| self.names.get(place).map_or("-", |n| n));
        // Writing into a string does not fail.
        let _ = line(&mut self.text, name, record);
        self.records = self.records.wrapping_add(1);
        if self.records.is_multiple_of(CHECK_EVERY) {
            self.check_in();
            let (records, crc) = (self.records, self.crc.value());
            let _ = writeln!(self.text, "# check {records} {crc:08x}");
            self.checked = self.text.len();
        }
    }
}

/// Counts `next` in `held` if it is the same access once more.
fn repeats(held: &mut Record, next: &Record) -> bool {
    let same = (held.cpu, held.device) == (next.cpu, next.device);
    let (Event::Access(first), Event::Access(again)) = (&mut held.event, &next.event) else {
        return false;
    };
    let as_first = RegisterAccess {
        times: first.times,
        last: first.last,
        ..*again
    };
    let Some(times) = first.times.checked_add(again.times) else {
        return false;
    };
    if !same || as_first != *first {
        return false;
    }
    (first.times, first.last) = (times, again.last);
    true
}

/// One record as text, without an end of line.
pub(super) fn text(name: &str, record: &Record) -> String {
    let mut text = String::new();
    let _ = line(&mut text, name, record);
    text.truncate(text.trim_end().len());
    text
}

/// One record's line.
fn line(out: &mut String, name: &str, record: &Record) -> fmt::Result {
    write!(out, "{} ", record.at.0)?;
    match record.cpu {
        Some(cpu) => write!(out, "{cpu} {name} ")?,
        None => write!(out, "- {name} ")?,
    }
    match &record.event {
        Event::Access(access) => self::access(out, access)?,
        Event::Line { way, line, level } => {
            let letter = if *way == Way::In { 'i' } else { 'o' };
            write!(out, "{letter} {line} {}", u8::from(*level))?;
        }
        Event::Port { way, port, bytes } => {
            let word = if *way == Way::In { "in" } else { "out" };
            write!(out, "{word} {} ", port.word(*way))?;
            hex(out, bytes)?;
        }
        Event::Memory { way, at, bytes } => {
            let letter = if *way == Way::In { 'm' } else { 'M' };
            write!(out, "{letter} {:#x} ", at.0)?;
            hex(out, bytes)?;
        }
        Event::Due => out.write_str("due")?,
        Event::Reset(kind) => write!(out, "reset {}", reset_word(*kind))?,
    }
    out.write_char('\n')
}

fn access(out: &mut String, access: &RegisterAccess) -> fmt::Result {
    let letter = if access.write { 'w' } else { 'r' };
    out.write_char(letter)?;
    if access.region != 0 {
        write!(out, "{}", access.region)?;
    }
    write!(out, " {:#x} {} ", access.offset, access.width.bytes())?;
    match access.value {
        Some(value) => write!(out, "{value:#x}")?,
        None => out.write_str("abort")?,
    }
    if let Some(security) = access.security {
        write!(out, " {}", security_word(security))?;
    }
    if !access.privileged {
        out.write_str(" user")?;
    }
    if access.times > 1 {
        write!(out, " x{} ..{}", access.times, access.last.0)?;
    }
    Ok(())
}

fn hex(out: &mut String, bytes: &[u8]) -> fmt::Result {
    out.write_str("0x")?;
    for byte in bytes {
        write!(out, "{byte:02x}")?;
    }
    Ok(())
}
