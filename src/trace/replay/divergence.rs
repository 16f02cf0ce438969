//! A place where the board did not do what was recorded, told so that one sees why.

use super::as_access;
use crate::emul::describe::Description;
use crate::trace::names::Names;
use crate::trace::record::{Event, Record, RegisterAccess};
use crate::trace::write;
use crate::units::{Instant, Ipa};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// How many records of a device lead to a divergence of it.
const BEFORE: usize = 8;

/// A divergence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The line of the trace.
    pub line: usize,
    /// When.
    pub at: Instant,
    /// The device.
    pub device: String,
    /// What differs.
    pub what: Difference,
    /// The device's records that led there, the latest last: line, and text.
    pub before: Vec<(usize, String)>,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A register access: its value, or whether it ended in an abort.
    Access {
        /// The register's name, if it has one, or its offset.
        register: String,
        /// Whether it was a write.
        write: bool,
        /// What was recorded; none is an abort.
        expected: Option<u64>,
        /// What the board answered.
        got: Option<u64>,
        /// The fields that differ.
        fields: Vec<FieldDifference>,
    },
    /// A recorded change of an output line did not come, or not in time.
    LineMissing {
        /// The line's number, with its name.
        line: String,
        /// The level that it should have.
        level: bool,
    },
    /// An output line changed, and no such change was recorded.
    LineExtra {
        /// The line's number, with its name.
        line: String,
        /// The level that it took.
        level: bool,
    },
    /// A byte that went out, or to memory, is another, missing or too many.
    Byte {
        /// Where in memory, if it went there.
        at: Option<Ipa>,
        /// What was recorded; none is the end of a frame, or nothing more.
        expected: Option<u8>,
        /// What went out.
        got: Option<u8>,
    },
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDifference {
    /// Its name.
    pub name: &'static str,
    /// What was recorded.
    pub expected: u64,
    /// What the board answered.
    pub got: u64,
}

/// The difference of an access.
pub(super) fn access(
    described: Option<&'static Description>,
    recorded: &RegisterAccess,
    got: Option<u64>,
) -> Difference {
    let access = as_access(recorded);
    let found = described.and_then(|d| d.register(access.region, access.offset));
    let mut fields = Vec::new();
    if let (Some((register, _)), Some(expected), Some(got)) = (found, recorded.value, got) {
        for field in register.fields {
            let (expected, got) = (field.of(expected), field.of(got));
            if expected != got {
                fields.push(FieldDifference {
                    name: field.name,
                    expected,
                    got,
                });
            }
        }
    }
    Difference::Access {
        register: register_name(described, recorded),
        write: recorded.write,
        expected: recorded.value,
        got,
        fields,
    }
}

/// What people call the register: `UARTFR (0x18)`.
pub(super) fn register_name(
    described: Option<&'static Description>,
    recorded: &RegisterAccess,
) -> String {
    let offset = recorded.offset;
    let block = match recorded.region {
        0 => String::new(),
        region => format!(" of block {region}"),
    };
    match described.and_then(|d| d.register(recorded.region, offset)) {
        Some((register, _)) if register.count == 1 => {
            format!("{} ({offset:#x}{block})", register.name)
        }
        Some((register, index)) => format!("{}[{index}] ({offset:#x}{block})", register.name),
        None => format!("{offset:#x}{block}"),
    }
}

/// The last records of each device.
pub(super) struct History(Vec<VecDeque<(usize, Record)>>);

impl History {
    pub(super) fn new(devices: usize) -> Self {
        let one = || VecDeque::with_capacity(BEFORE.saturating_add(1));
        Self((0..devices).map(|_| one()).collect())
    }

    pub(super) fn add(&mut self, device: usize, line: usize, record: &Record) {
        let Some(last) = self.0.get_mut(device) else {
            return;
        };
        if last.len() > BEFORE {
            last.pop_front();
        }
        // Frames and blocks are long, and of no use here.
        let long = matches!(&record.event, Event::Port { bytes, .. } | Event::Memory { bytes, .. }
            if bytes.len() > 16);
        if !long {
            last.push_back((line, record.clone()));
        }
    }

    pub(super) fn before(&self, device: usize, names: &Names) -> Vec<(usize, String)> {
        let name = names.name(device).unwrap_or("-");
        let records = self.0.get(device).into_iter().flatten();
        records
            .map(|(line, record)| (*line, write::text(name, record)))
            .collect()
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "line {}, {} ns, {}: {}",
            self.line, self.at.0, self.device, self.what
        )?;
        for (line, text) in &self.before {
            let mark = if *line == self.line { '>' } else { ' ' };
            writeln!(f, "  {mark} {line}: {text}")?;
        }
        Ok(())
    }
}

struct Answer(Option<u64>);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => write!(f, "{value:#x}"),
            None => f.write_str("an abort"),
        }
    }
}

struct Sent(Option<u8>);

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(byte) => write!(f, "{byte:#04x}"),
            None => f.write_str("nothing more"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Access {
                register,
                write,
                expected,
                got,
                fields,
            } => {
                if *write {
                    let done = |value: &Option<u64>| {
                        if value.is_some() {
                            "is done"
                        } else {
                            "ends in an abort"
                        }
                    };
                    let (expected, got) = (done(expected), done(got));
                    return write!(f, "the recorded write of {register} {expected}, ours {got}");
                }
                let (expected, got) = (Answer(*expected), Answer(*got));
                write!(f, "{register} was recorded as {expected}, ours is {got}")?;
                for (place, field) in fields.iter().enumerate() {
                    let between = if place == 0 { ": " } else { ", " };
                    let FieldDifference {
                        name,
                        expected,
                        got,
                    } = field;
                    write!(f, "{between}{name} {expected:#x}, ours {got:#x}")?;
                }
                Ok(())
            }
            Self::LineMissing { line, level } => {
                let to = if *level { "rose" } else { "fell" };
                write!(
                    f,
                    "output line {line} {to} as recorded, ours did not in time"
                )
            }
            Self::LineExtra { line, level } => {
                let to = if *level { "rises" } else { "falls" };
                write!(
                    f,
                    "our output line {line} {to}, and nothing of it was recorded"
                )
            }
            Self::Byte { at, expected, got } => {
                let (expected, got) = (Sent(*expected), Sent(*got));
                match at {
                    Some(at) => write!(f, "the byte at {at} in memory")?,
                    None => f.write_str("the byte that goes out")?,
                }
                write!(f, " was recorded as {expected}, ours is {got}")
            }
        }
    }
}
