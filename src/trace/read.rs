//! Records from text, each line checked.

use super::header::{FIRST, Header, VERSION, reset_of, security_of};
use super::record::{DeviceName, Event, Port, Record, RegisterAccess, Way};
use crate::access::Width;
use crate::emul::Reset;
use crate::link::Crc32;
use crate::units::{Instant, Ipa};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The most bytes that a port's or memory's record holds: a device's largest transfer in one call.
pub const BYTES_MAX: usize = crate::emul::TRANSFER_MAX;

/// The most different devices in a trace.
const DEVICES_MAX: usize = 1024;

/// A trace that is damaged, or was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
    /// What to do about it.
    pub mend: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

const AGAIN: &str = "take the file from where it is whole, or record it again";
const FORM: &str = "docs/reference/trace.md has the form of each line";

/// Reads a trace line by line.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    header: Header,
    names: Vec<String>,
    /// The device of the last record: most often it is the next one's, too.
    latest: DeviceName,
    line: usize,
    records: u64,
    at: Instant,
    crc: Crc32,
    /// The line of the last check that held.
    sound: usize,
    lost: u64,
    ended: bool,
}

impl<'a> Reader<'a> {
    /// Reads the header.
    pub fn new(text: &'a [u8]) -> Result<Self, Damage> {
        let mut reader = Self {
            rest: text,
            header: Header::new("", ""),
            names: Vec::new(),
            latest: DeviceName(0),
            line: 0,
            records: 0,
            at: Instant::ZERO,
            crc: Crc32::new(),
            sound: 0,
            lost: 0,
            ended: false,
        };
        let first = reader.take_line().unwrap_or_default();
        reader.first(first)?;
        while reader.rest.starts_with(b"# ") {
            if [&b"# check "[..], b"# end", b"# lost "]
                .iter()
                .any(|word| reader.rest.starts_with(word))
            {
                break;
            }
            let line = reader.take_line().unwrap_or_default();
            reader.crc.update(line);
            let text = core::str::from_utf8(line)
                .map_err(|_| reader.damage("the header is not UTF-8 text", AGAIN))?;
            let text = text.trim_end_matches(['\n', '\r']);
            let said = text.get(2..).unwrap_or_default();
            reader
                .header
                .line(said)
                .map_err(|what| reader.damage(what, FORM))?;
        }
        for (key, value) in [
            ("board", &reader.header.board),
            ("source", &reader.header.source),
        ] {
            if value.is_empty() {
                return Err(reader.damage(format!("the header names no {key}"), FORM));
            }
        }
        Ok(reader)
    }

    fn first(&mut self, line: &[u8]) -> Result<(), Damage> {
        self.crc.update(line);
        let text = line.trim_ascii_end();
        if text == FIRST.as_bytes() {
            return Ok(());
        }
        if line.starts_with(b"\x28\xb5\x2f\xfd") {
            let mend = "decompress it first; the host tool does that where its name ends in .zst";
            return Err(self.damage("this is zstd's compressed form", mend));
        }
        if text.starts_with(b"# reliquary-trace ") {
            let mend = "read it with the version of reliquary that wrote it";
            return Err(self.damage(
                format!("this is another version of the format than {VERSION}"),
                mend,
            ));
        }
        Err(self.damage(
            format!("this is no trace: its first line is not \"{FIRST}\""),
            "other records become a trace by `cargo reliquary trace import`",
        ))
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The names of the devices that have appeared so far.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A device's name.
    pub fn name(&self, device: DeviceName) -> &str {
        self.names.get(usize::from(device.0)).map_or("-", |n| n)
    }

    /// The number of the line that was read last.
    pub fn line(&self) -> usize {
        self.line
    }

    /// How many records the recorder says it lost, up to here.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The next record; none at the end.
    pub fn record(&mut self) -> Result<Option<Record>, Damage> {
        loop {
            let Some(line) = self.take_line() else {
                return if self.ended {
                    Ok(None)
                } else {
                    let records = self.records;
                    let what =
                        format!("the trace is cut off: no \"# end\" behind {records} records");
                    Err(self.damage(what, AGAIN))
                };
            };
            let text = line.trim_ascii_end();
            if self.ended {
                if text.is_empty() {
                    continue;
                }
                return Err(self.damage("something stands behind \"# end\"", AGAIN));
            }
            if !line.ends_with(b"\n") {
                return Err(self.damage("the trace is cut off within this line", AGAIN));
            }
            if let Some(said) = text.strip_prefix(b"# ") {
                self.aside(line, said)?;
                continue;
            }
            self.crc.update(line);
            if text.is_empty() {
                continue;
            }
            let record = self.parse(text)?;
            self.records = self.records.wrapping_add(1);
            self.at = record.at;
            return Ok(Some(record));
        }
    }

    /// A line among the records that is none.
    fn aside(&mut self, line: &[u8], said: &[u8]) -> Result<(), Damage> {
        let mut words = Words(said);
        match words.next() {
            Some(b"check") => {
                self.check(words)?;
                self.sound = self.line;
                Ok(())
            }
            Some(b"end") => {
                // Who writes a trace by hand need not count.
                if !words.0.trim_ascii().is_empty() {
                    self.check(words)?;
                }
                self.ended = true;
                Ok(())
            }
            Some(b"lost") => {
                self.crc.update(line);
                let count = words.next().and_then(decimal);
                let count = count.ok_or_else(|| self.damage("lost takes a number", FORM))?;
                self.lost = self.lost.saturating_add(count);
                Ok(())
            }
            Some(b"note") => {
                self.crc.update(line);
                Ok(())
            }
            _ => Err(self.damage(
                "among the records, a line with # is check, end, lost or note",
                FORM,
            )),
        }
    }

    fn check(&mut self, mut words: Words<'_>) -> Result<(), Damage> {
        let (Some(records), Some(crc)) = (
            words.next().and_then(decimal),
            words.next().and_then(|word| digits(word, 16)),
        ) else {
            return Err(self.damage("a check is a number of records and a CRC", FORM));
        };
        let from = self.sound.saturating_add(1);
        if records != self.records {
            let what = format!(
                "records are missing or too many since line {from}: {records} were written, {} are here",
                self.records
            );
            return Err(self.damage(what, AGAIN));
        }
        if crc != u64::from(self.crc.value()) {
            let what = format!("a line between {from} and this one was changed: the CRC differs");
            return Err(self.damage(what, AGAIN));
        }
        Ok(())
    }

    fn parse(&mut self, text: &[u8]) -> Result<Record, Damage> {
        let mut words = Words(text);
        let at = words.next().and_then(decimal);
        let at =
            Instant(at.ok_or_else(|| self.damage("a record begins with its time in ns", FORM))?);
        let cpu = match words.next() {
            Some(b"-") => None,
            Some(word) => {
                let number = decimal(word).and_then(|cpu| u8::try_from(cpu).ok());
                Some(number.ok_or_else(|| self.damage("the CPU is a number or -", FORM))?)
            }
            None => return Err(self.damage("the record ends behind its time", AGAIN)),
        };
        let name = words.next().unwrap_or_default();
        let device = self.device(name)?;
        let op = words.next().unwrap_or_default();
        let event = event(op, &mut words, at).map_err(|what| self.damage(what, FORM))?;
        // A cold reset begins the board's life anew.
        if at < self.at && event != Event::Reset(Reset::Cold) {
            let what = format!(
                "time runs backwards: {} ns is behind {} ns",
                at.0, self.at.0
            );
            return Err(self.damage(what, AGAIN));
        }
        if words.next().is_some() {
            return Err(self.damage("there is more on the line than its form has", FORM));
        }
        Ok(Record {
            at,
            cpu,
            device,
            event,
        })
    }

    fn device(&mut self, name: &[u8]) -> Result<Option<DeviceName>, Damage> {
        if name == b"-" {
            return Ok(None);
        }
        if self.name(self.latest).as_bytes() == name && !self.names.is_empty() {
            return Ok(Some(self.latest));
        }
        let known = self.names.iter().position(|known| known.as_bytes() == name);
        let place = if let Some(place) = known {
            place
        } else {
            let name = core::str::from_utf8(name)
                .ok()
                .filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| self.damage("the record names no device", AGAIN))?;
            if self.names.len() >= DEVICES_MAX {
                return Err(self.damage("there are more than 1024 devices", AGAIN));
            }
            self.names.push(name.to_owned());
            self.names.len().saturating_sub(1)
        };
        self.latest = DeviceName(place as u16);
        Ok(Some(self.latest))
    }

    fn take_line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let (line, rest) = self
            .rest
            .split_at(end.map_or(self.rest.len(), |end| end.saturating_add(1)));
        self.rest = rest;
        self.line = self.line.saturating_add(1);
        Some(line)
    }

    fn damage(&self, what: impl Into<String>, mend: &'static str) -> Damage {
        Damage {
            line: self.line.max(1),
            what: what.into(),
            mend,
        }
    }
}

fn event(op: &[u8], words: &mut Words<'_>, at: Instant) -> Result<Event, &'static str> {
    Ok(match op {
        b"i" | b"o" => Event::Line {
            way: if op == b"i" { Way::In } else { Way::Out },
            line: words
                .next()
                .and_then(decimal)
                .and_then(|line| u16::try_from(line).ok())
                .ok_or("a line is a number below 65536")?,
            level: match words.next() {
                Some(b"0") => false,
                Some(b"1") => true,
                _ => return Err("a line's level is 0 or 1"),
            },
        },
        b"in" | b"out" => {
            let way = if op == b"in" { Way::In } else { Way::Out };
            let word = words
                .next()
                .and_then(|word| core::str::from_utf8(word).ok());
            let port = word.and_then(|word| Port::of_word(word, way));
            Event::Port {
                way,
                port: port.ok_or("a port is rx (in), tx (out) or eth")?,
                bytes: bytes(words.next().unwrap_or_default())?,
            }
        }
        b"m" | b"M" => Event::Memory {
            way: if op == b"m" { Way::In } else { Way::Out },
            at: Ipa(words
                .next()
                .and_then(hexadecimal)
                .ok_or("memory's address is 0x...")?),
            bytes: bytes(words.next().unwrap_or_default())?,
        },
        b"due" => Event::Due,
        b"reset" => {
            let word = words
                .next()
                .and_then(|word| core::str::from_utf8(word).ok());
            Event::Reset(word.and_then(reset_of).ok_or("a reset is cold or warm")?)
        }
        _ => Event::Access(access(op, words, at)?),
    })
}

fn access(op: &[u8], words: &mut Words<'_>, at: Instant) -> Result<RegisterAccess, &'static str> {
    let (write, region) = match op.split_first() {
        Some((b'r', region)) => (false, region),
        Some((b'w', region)) => (true, region),
        _ => return Err("the operation is none of r w i o in out m M due reset"),
    };
    let region = match region {
        [] => Some(0),
        region => decimal(region).and_then(|region| u8::try_from(region).ok()),
    };
    let region = region.ok_or("the register block behind r or w is a number below 256")?;
    let offset = words
        .next()
        .and_then(hexadecimal)
        .ok_or("an offset is 0x...")?;
    let width = words.next().and_then(decimal).and_then(Width::from_bytes);
    let width = width.ok_or("a width is 1, 2, 4 or 8 bytes")?;
    let value = match words.next() {
        Some(b"abort") => None,
        word => Some(
            word.and_then(hexadecimal)
                .ok_or("a value is 0x... or abort")?,
        ),
    };
    if value.is_some_and(|value| value & !width.mask() != 0) {
        return Err("the value has more bits than the access");
    }
    let mut access = RegisterAccess {
        region,
        offset,
        width,
        security: None,
        privileged: true,
        write,
        value,
        times: 1,
        last: at,
    };
    while let Some(word) = words.next() {
        match word {
            b"user" => access.privileged = false,
            [b'x', times @ ..] => {
                let times = decimal(times).and_then(|times| u32::try_from(times).ok());
                access.times = times.filter(|n| *n > 0).ok_or("a run is x and a number")?;
                let last = words.next().and_then(|word| word.strip_prefix(b".."));
                let last = last.and_then(decimal).filter(|last| *last >= at.0);
                access.last = Instant(
                    last.ok_or("behind a run's number stands .. and the time of its last")?,
                );
            }
            word => {
                let security = core::str::from_utf8(word).ok().and_then(security_of);
                access.security =
                    Some(security.ok_or(
                        "behind a value stand secure, nonsecure, user, or a run: x2 ..1590",
                    )?);
            }
        }
    }
    Ok(access)
}

/// The words of a line.
struct Words<'a>(&'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|byte| *byte != b' ')?;
        let (_, text) = self.0.split_at(start);
        let end = text.iter().position(|byte| *byte == b' ');
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        self.0 = rest;
        Some(word)
    }
}

fn decimal(word: &[u8]) -> Option<u64> {
    digits(word, 10)
}

fn hexadecimal(word: &[u8]) -> Option<u64> {
    digits(word.strip_prefix(b"0x")?, 16)
}

fn digits(word: &[u8], radix: u32) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for byte in word {
        let digit = char::from(*byte).to_digit(radix)?;
        value = value
            .checked_mul(u64::from(radix))?
            .checked_add(u64::from(digit))?;
    }
    Some(value)
}

fn bytes(word: &[u8]) -> Result<Vec<u8>, &'static str> {
    let form = "bytes are 0x and two digits each, at least one byte";
    let digits = word.strip_prefix(b"0x").ok_or(form)?;
    let (pairs, []) = digits.as_chunks::<2>() else {
        return Err(form);
    };
    if pairs.is_empty() {
        return Err(form);
    }
    if pairs.len() > BYTES_MAX {
        return Err("a record has at most 4096 bytes");
    }
    let pairs = pairs.iter();
    pairs
        .map(|pair| self::digits(pair, 16).map(|byte| byte as u8).ok_or(form))
        .collect()
}
