//! What passes a system's wires, as files: frames as a capture, anything as a trace.
//!
//! The hypervisor sends what enters a tapped wire over the link, all such wires in one stream in the
//! form of `reliquary::trace::packed`; its times are nanoseconds of the host's counter, one clock for
//! all VMs. A device's number there is that of a wire's end, all ends counted in a row.
use crate::fault::{Fault, Result, did_you_mean};
use crate::system::System;
use crate::system::prepare::Prepared;
use crate::system::wires::Kind;
use crate::trace::arriving::Arriving;
use crate::trace::file;
use capture::Capture;
use clap::Args;
use reliquary::access::Security;
use reliquary::trace::header::{Header, NO_BOARD};
use reliquary::trace::observed::Assembly;
use reliquary::trace::packed::Item;
use reliquary::trace::record::{DeviceName, Event, Port, Record};
use reliquary::trace::write::Writer;
use std::fmt;
use std::path::{Path, PathBuf};

pub mod capture;
#[cfg(test)]
mod tests;

/// What the user wants of the wires.
#[derive(Debug, Clone, Default, Args)]
pub struct Wanted {
    /// Capture the frames of an Ethernet wire, as pcapng. Of several such wires, END says which:
    /// one of its ends, as the system file has it. Repeatable.
    #[arg(long, value_name = "[END=]FILE")]
    pub pcap: Vec<String>,
    /// Record what passes the wires, as a trace (.trace, or .trace.zst).
    #[arg(long, value_name = "FILE")]
    pub record_wires: Option<PathBuf>,
    /// Record this wire only, by one of its ends; repeatable.
    #[arg(long, value_name = "END", requires = "record_wires")]
    pub record_wire: Vec<String>,
}

impl Wanted {
    const fn is_nothing(&self) -> bool {
        self.pcap.is_empty() && self.record_wires.is_none()
    }
}

/// An end of a wire.
#[derive(Debug)]
struct End {
    name: String,
    wire: usize,
}

/// A trace in the making, of the ends that are wanted.
#[derive(Debug)]
struct Recording {
    file: PathBuf,
    wires: Vec<usize>,
    writer: Writer,
    records: u64,
}

/// Taps of a system that runs.
#[derive(Debug)]
pub struct Taps {
    /// By the numbers that the hypervisor has for them.
    ends: Vec<End>,
    captures: Vec<Capture>,
    recording: Option<Recording>,
    arriving: Arriving,
    assembly: Assembly,
    /// What was lost on the way, of all tapped wires together.
    lost: u64,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The file.
    pub file: PathBuf,
    /// What is counted: frames, or records.
    pub what: &'static str,
    /// How many it has.
    pub count: u64,
    /// How many were lost on the way, of all tapped wires together.
    pub lost: u64,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, what) = (self.file.display(), self.what);
        write!(f, "{file}: {} {what}, {} lost", self.count, self.lost)
    }
}

/// Sees to it that the wires are tapped, if anything of them is wanted. Files that cannot be written
/// are told here, before the run.
pub fn begin(system: &System, prepared: &mut Prepared, wanted: &Wanted) -> Result<Option<Taps>> {
    if wanted.is_nothing() {
        return Ok(None);
    }
    if system.wires.is_empty() {
        let what = "the system has no wire of which anything could be recorded";
        let mend = "join its boards by a [[wire]]: docs/wires.md";
        return Err(Fault::new(what).in_file(&system.file).mend(mend).into());
    }
    let ends = || {
        let wires = system.wires.iter().enumerate();
        wires.flat_map(|(wire, joined)| joined.ends.iter().map(move |end| (wire, &end.text)))
    };
    let mut captures: Vec<Capture> = Vec::new();
    for given in &wanted.pcap {
        let (wire, file) = captured(system, given)?;
        if captures.iter().any(|other| other.file == file) {
            let what = format!("--pcap {given}: another wire's frames go to that file");
            let mend = "give each wire a file of its own";
            return Err(Fault::new(what).mend(mend).into());
        }
        let own = ends().zip(0..).filter(|((of, _), _)| *of == wire);
        let own = own.map(|((_, name), end)| (end, name.as_str()));
        captures.push(Capture::begin(&file, wire, own)?);
    }
    let recording = match &wanted.record_wires {
        Some(file) => Some(recording(system, file, &wanted.record_wire)?),
        None => None,
    };
    for (number, wire) in prepared.wires.iter_mut().enumerate() {
        let recorded = recording.iter().flat_map(|recording| &recording.wires);
        let mut wires = captures.iter().map(|capture| &capture.wire).chain(recorded);
        wire.tapped = wires.any(|wire| *wire == number);
    }
    Ok(Some(Taps {
        ends: ends()
            .map(|(wire, name)| End {
                name: match (name.as_str(), system.wires[wire].ends.first()) {
                    // Of several, each is told by the other end.
                    ("outside", Some(first)) => format!("{}:outside", first.text),
                    _ => name.clone(),
                },
                wire,
            })
            .collect(),
        captures,
        recording,
        arriving: Arriving::default(),
        assembly: Assembly::new(Security::NonSecure),
        lost: 0,
    }))
}

/// The wire whose frames are captured, and the file.
fn captured(system: &System, given: &str) -> Result<(usize, PathBuf)> {
    let wires = system.wires.iter().enumerate();
    let ethernet: Vec<(usize, &str)> = wires
        .filter(|(_, wire)| wire.kind == Kind::Ethernet)
        .filter_map(|(number, wire)| Some((number, wire.ends.first()?.text.as_str())))
        .collect();
    // A file may have an equals sign in its name, too: an end has a dot and no slash.
    let is_end = |end: &str| end.contains('.') && !end.contains('/');
    match given.split_once('=').filter(|(end, _)| is_end(end)) {
        Some((end, file)) => {
            let wire = wire_of(system, end)?;
            if system.wires[wire].kind != Kind::Ethernet {
                let what = format!("--pcap {given}: \"{end}\" is on no Ethernet wire");
                let mend = "record what passes another wire by --record-wires FILE";
                return Err(Fault::new(what).mend(mend).into());
            }
            Ok((wire, PathBuf::from(file)))
        }
        None => match ethernet.as_slice() {
            [(wire, _)] => Ok((*wire, PathBuf::from(given))),
            [] => {
                let what = format!("--pcap {given}: the system has no Ethernet wire");
                let mend = "record what passes its wires by --record-wires FILE";
                Err(Fault::new(what).mend(mend).into())
            }
            several => {
                let what = format!("--pcap {given}: the system has several Ethernet wires");
                let forms = several
                    .iter()
                    .map(|(_, end)| format!("--pcap {end}={given}"));
                let mend = format!("write {}", forms.collect::<Vec<_>>().join(" or "));
                Err(Fault::new(what).mend(mend).into())
            }
        },
    }
}

/// The wire that has this end.
fn wire_of(system: &System, end: &str) -> Result<usize> {
    let ends = || {
        let wires = system.wires.iter();
        wires.flat_map(|wire| wire.ends.iter().map(|end| end.text.as_str()))
    };
    let has = |wire: &crate::system::wires::Wire| wire.ends.iter().any(|own| own.text == end);
    system.wires.iter().position(has).ok_or_else(|| {
        let what = format!("no wire of the system has the end \"{end}\"");
        let mend = match did_you_mean(end, ends()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("its ends are {}", ends().collect::<Vec<_>>().join(", ")),
        };
        Fault::new(what).mend(mend).into()
    })
}

fn recording(system: &System, to: &Path, ends: &[String]) -> Result<Recording> {
    let mut wires = Vec::new();
    for end in ends {
        wires.push(wire_of(system, end)?);
    }
    if wires.is_empty() {
        wires = (0..system.wires.len()).collect();
    }
    // A file that cannot be written is told before the run, not behind it.
    file::write(to, b"")?;
    let source = concat!("reliquary-", env!("CARGO_PKG_VERSION"));
    let mut header = Header::new(NO_BOARD, source);
    (header.observed.lines, header.observed.ports) = (true, true);
    header.image = Some(system.name.clone());
    header.notes.push(format!(
        "what entered the wires of {}, in the host's time: --record-wires",
        crate::workspace::shown(&system.file).display()
    ));
    Ok(Recording {
        file: to.to_path_buf(),
        wires,
        writer: Writer::new(&header),
        records: 0,
    })
}

impl Taps {
    /// Bytes of the link's channel.
    pub fn fed(&mut self, bytes: &[u8]) {
        for item in self.arriving.fed(bytes) {
            self.item(&item);
        }
    }

    /// Frames of the link were lost, which may have been of ours.
    pub fn damaged(&mut self) {
        self.arriving.damaged();
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Seen(seen) => {
                let name = DeviceName(seen.device);
                if let Some(record) = self.assembly.record(seen, name) {
                    self.record(seen.device, record);
                }
            }
            Item::Lost { at, count } => {
                self.lost += count;
                self.assembly.gap();
                if let Some(recording) = &mut self.recording {
                    recording.writer.lost(*at, *count);
                }
            }
            Item::Began(_) | Item::Settled | Item::End => {}
        }
    }

    fn record(&mut self, number: u16, mut record: Record) {
        let Some(end) = self.ends.get(usize::from(number)) else {
            return;
        };
        if let Event::Port {
            port: Port::Frames,
            bytes,
            ..
        } = &record.event
        {
            let own = self.captures.iter_mut().filter(|one| one.wire == end.wire);
            own.for_each(|capture| capture.frame(number, record.at, bytes));
        }
        let wants = |recording: &&mut Recording| recording.wires.contains(&end.wire);
        if let Some(recording) = self.recording.as_mut().filter(wants) {
            record.device = Some(recording.writer.device(&end.name));
            recording.records += 1;
            recording.writer.record(record);
        }
    }

    /// Closes the files.
    pub fn close(self) -> Result<Vec<Told>> {
        let mut told = Vec::new();
        for capture in self.captures {
            told.push(capture.close(self.lost)?);
        }
        if let Some(recording) = self.recording {
            file::write(&recording.file, recording.writer.end().as_bytes())?;
            told.push(Told {
                file: recording.file,
                what: "records",
                count: recording.records,
                lost: self.lost,
            });
        }
        Ok(told)
    }
}
