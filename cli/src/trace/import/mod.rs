//! What others recorded becomes a trace: [`csv`] folders, and [`log`]s of QEMU's trace events.
//!
//! Both give [`Row`]s of addresses and interrupt numbers; [`places`] knows which device of the
//! board is meant. A row that is of no device is not dropped unless the user says so.
pub mod csv;
pub mod log;
mod places;
#[cfg(test)]
mod tests;

use super::{file, replay};
use crate::fault::{Fault, Faults, Result};
use crate::system::board;
use crate::tree::source;
use places::Places;
use reliquary::access::{Security, Width};
use reliquary::board::Plan;
use reliquary::trace::header::Header;
use reliquary::trace::record::{Event, Record, RegisterAccess, Way};
use reliquary::trace::replay::plan_for;
use reliquary::trace::write::Writer;
use reliquary::units::Instant;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One thing that was recorded, in the recorder's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its place in the order of all rows.
    pub order: u64,
    /// When, in nanoseconds.
    pub at: u64,
    /// What.
    pub what: What,
    /// Where it stands: file and line.
    pub place: (PathBuf, usize),
}

/// What a row tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An access.
    Access {
        /// The CPU, if one did it.
        cpu: Option<u8>,
        /// The recorder's name of the device.
        name: String,
        /// The address on the board's bus.
        address: u64,
        /// Bytes.
        size: u64,
        /// Whether it was a write.
        write: bool,
        /// What was read or written.
        value: u64,
        /// How many such accesses there were, with none of the same device between.
        times: u32,
        /// When the last of them was.
        last: u64,
    },
    /// An input of the GIC changed.
    Interrupt {
        /// The interrupt ID: SPI n is n + 32.
        id: u16,
        /// Of which CPU it is private.
        cpu: u8,
        /// The new level.
        level: bool,
    },
    /// A byte came in at the board's console.
    Typed {
        /// The byte.
        byte: u8,
    },
}

/// What is imported, and what the rows cannot tell.
#[derive(Debug, Clone)]
pub struct Import<'a> {
    /// The board: a name of platforms/, or a map's path.
    pub board: &'a str,
    /// The recorder.
    pub source: &'a str,
    /// The software that ran.
    pub image: Option<&'a str>,
    /// In which security state it ran.
    pub security: Security,
    /// How many CPUs the recorded board had.
    pub cpus: Option<u8>,
    /// The clock's time at the start, in Unix seconds.
    pub rtc: u32,
    /// Names of the recorder's devices that are left out.
    pub leave_out: &'a [String],
    /// Remarks for people.
    pub notes: Vec<String>,
}

/// What an import came to.
#[derive(Debug, Default)]
pub struct Imported {
    /// The trace.
    pub text: String,
    /// How many records it has.
    pub records: u64,
    /// Rows that were left out, by the recorder's name of their device.
    pub left_out: BTreeMap<String, u64>,
}

impl Import<'_> {
    /// Makes the trace of rows.
    pub fn trace(&self, mut rows: Vec<Row>) -> Result<Imported> {
        let map = replay::map(self.board)?;
        let blob = source::blob_of_file(&map)?;
        let plan = Plan::read(&blob).map_err(|errors| board::map_faults(&map, errors))?;
        let mut header = Header::new(&name_of_board(self.board), self.source);
        header.image = self.image.map(str::to_owned);
        header.security = self.security;
        header.cpus = self.cpus;
        header.firmware = false;
        header.rtc = self.rtc;
        header.observed.lines = rows
            .iter()
            .any(|row| matches!(row.what, What::Interrupt { .. }));
        header.notes.clone_from(&self.notes);
        let plan = plan_for(&plan, &header);
        let places = Places::of(&plan);
        rows.sort_by_key(|row| row.order);
        header.unobserved = places.untouched(&rows);
        let mut writer = Writer::new(&header);
        let mut left_out = BTreeMap::new();
        let mut unknown: BTreeMap<&str, (&Row, u64)> = BTreeMap::new();
        for row in &rows {
            if let What::Access { name, .. } = &row.what {
                if self.leave_out.iter().any(|out| out == name) {
                    *left_out.entry(name.clone()).or_default() += 1;
                    continue;
                }
                if places.of_row(row).is_none() {
                    unknown.entry(name).or_insert((row, 0)).1 += 1;
                    continue;
                }
            }
            if let Some(record) = record(&places, row, &mut writer)? {
                writer.record(record);
            } else {
                *left_out
                    .entry("interrupts of no device".to_owned())
                    .or_default() += 1;
            }
        }
        if !unknown.is_empty() {
            let faults = unknown.iter().map(|(name, (first, count))| {
                let What::Access { address, .. } = first.what else {
                    return Fault::new("not an access");
                };
                let what = format!(
                    "{name}: the board has no device at {address:#x} ({count} rows, this is the first)"
                );
                Fault::new(what)
                    .at(&first.place.0, first.place.1)
                    .mend(format!("give the map a device there, or --leave-out {name}"))
            });
            return Err(Faults(faults.collect()));
        }
        let text = writer.end();
        Ok(Imported {
            records: rows.len() as u64 - left_out.values().sum::<u64>(),
            text,
            left_out,
        })
    }
}

/// The record of a row; none if it is of no device.
fn record(places: &Places, row: &Row, writer: &mut Writer) -> Result<Option<Record>> {
    let (place, cpu, event) = match &row.what {
        What::Access {
            cpu,
            size,
            write,
            value,
            times,
            last,
            ..
        } => {
            let Some(place) = places.of_row(row) else {
                return Ok(None);
            };
            let width = Width::from_bytes(*size).ok_or_else(|| {
                Fault::new(format!("an access of {size} bytes"))
                    .at(&row.place.0, row.place.1)
                    .mend("sizes are 1, 2, 4 and 8: take the file from where it is whole")
            })?;
            let access = RegisterAccess {
                region: place.region,
                offset: place.offset,
                width,
                security: None,
                privileged: true,
                write: *write,
                value: Some(value & width.mask()),
                times: *times,
                last: Instant(*last),
            };
            (place.device, *cpu, Event::Access(access))
        }
        What::Interrupt { id, cpu, level } => {
            let Some((way, device, line)) = places.interrupt(*id, *cpu) else {
                return Ok(None);
            };
            let event = Event::Line {
                way,
                line,
                level: *level,
            };
            (device, None, event)
        }
        What::Typed { byte } => {
            let Some(console) = places.console() else {
                return Ok(None);
            };
            let event = Event::Port {
                way: Way::In,
                port: reliquary::trace::record::Port::Serial,
                bytes: vec![*byte],
            };
            (console, None, event)
        }
    };
    Ok(Some(Record {
        at: Instant(row.at),
        cpu,
        device: Some(writer.device(places.name(place))),
        event,
    }))
}

/// A board's name for a header: of a map's path, the file's name.
fn name_of_board(board: &str) -> String {
    let path = Path::new(board);
    match path.extension() {
        Some(_) => path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into(),
        None => board.to_owned(),
    }
}

/// Imports a folder of CSV files, or a log, and writes the trace.
pub fn import(from: &Path, import: &Import<'_>, to: &Path) -> Result<Imported> {
    let rows = if from.is_dir() {
        csv::rows(from)?
    } else {
        log::rows(from)?
    };
    let imported = import.trace(rows)?;
    file::write(to, imported.text.as_bytes())?;
    Ok(imported)
}
