//! A recording of a VM's devices, as the hypervisor makes it while the system runs: what is recorded,
//! and what comes over the link, made a trace.
use super::arriving::Arriving;
use super::file;
use crate::fault::{Fault, Result, did_you_mean};
use crate::images::sha256;
use crate::system::System;
use crate::system::prepare::{Prepared, PreparedVm};
use reliquary::access::Security;
use reliquary::board::observe::{SEEN_LIMIT, What};
use reliquary::board::plan::WindowKind;
use reliquary::trace::header::{Card, Header};
use reliquary::trace::names::Names;
use reliquary::trace::observed::Assembly;
use reliquary::trace::packed::Item;
use reliquary::trace::write::Writer;
use reliquary::units::Instant;
use std::fmt;
use std::path::{Path, PathBuf};

/// When the host's clock begins, where one of its devices is recorded: 1 January 2024, in Unix
/// seconds and as QEMU takes it.
const RTC: (u32, &str) = (1_704_067_200, "2024-01-01");

/// What the user wants recorded.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The VM; without it, the only one.
    pub vm: Option<String>,
    /// Its devices; without any, all.
    pub devices: Vec<String>,
}

/// A recording in progress.
#[derive(Debug)]
pub struct Recording {
    names: Vec<String>,
    arriving: Arriving,
    assembly: Assembly,
    header: Header,
    /// Begun with the first item, which tells when the board's time began.
    writer: Option<Writer>,
    /// Real devices behind a tap are among what is recorded.
    taps: bool,
    /// Items behind the last moment of which everything is here.
    unsettled: Vec<Item>,
    /// Records of the trace.
    records: u64,
    lost: u64,
    /// The time of the last settled item.
    until: Instant,
    ended: bool,
}

/// What became of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The trace's file.
    pub file: PathBuf,
    /// How many records it has, equal ones in succession counted each.
    pub records: u64,
    /// How many were lost.
    pub lost: u64,
    /// Until when it goes, where the VM had not ended.
    pub until: Option<Instant>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        write!(f, "{file}: {} records, {} lost", self.records, self.lost)?;
        if let Some(until) = self.until {
            write!(f, "; up to {} ns, where the run ended", until.0)?;
        }
        Ok(())
    }
}

/// Sees to it that the hypervisor records what is wanted.
pub fn begin(system: &System, prepared: &mut Prepared, wanted: &Wanted) -> Result<Recording> {
    let vm = which(&mut prepared.vms, wanted.vm.as_deref())?;
    let plan = &vm.board.plan;
    let names = Names::of(plan);
    let tapped = |window: usize| {
        let window = plan.windows.get(window);
        window.is_some_and(|w| matches!(w.kind, WindowKind::PassThrough { tap: true, .. }))
    };
    // Numbers and names of what can be recorded: devices, and tapped windows.
    let all: Vec<(u16, &str)> = names
        .iter()
        .enumerate()
        .filter(|(index, _)| {
            let window = index.checked_sub(plan.devices.len());
            window.is_none_or(tapped)
        })
        .filter_map(|(index, name)| Some((u16::try_from(index).ok()?, name)))
        .collect();
    for name in &wanted.devices {
        if !all.iter().any(|(_, known)| known == name) {
            return Err(no_device(vm, name, all.iter().map(|(_, known)| *known)).into());
        }
    }
    let is_wanted =
        |name: &str| wanted.devices.is_empty() || wanted.devices.iter().any(|one| one == name);
    let record: Vec<u16> = all
        .iter()
        .filter(|(_, name)| is_wanted(name))
        .map(|(index, _)| *index)
        .collect();
    if let Some(beyond) = record.iter().find(|index| **index >= SEEN_LIMIT) {
        let name = names.name(usize::from(*beyond)).unwrap_or_default();
        let what = format!("{name} cannot be recorded: it is number {beyond} of the board");
        let mend = format!("only the first {SEEN_LIMIT} are: name others by --record-device");
        return Err(Fault::new(what).mend(mend).into());
    }
    let taps = record
        .iter()
        .any(|index| usize::from(*index) >= plan.devices.len());
    let header = header(system, vm, &names, &record, taps);
    let recording = Recording {
        names: names.iter().map(str::to_owned).collect(),
        arriving: Arriving::default(),
        assembly: Assembly::new(header.security),
        header,
        writer: None,
        taps,
        unsettled: Vec::new(),
        records: 0,
        lost: 0,
        until: Instant::ZERO,
        ended: false,
    };
    vm.record = Some(record);
    Ok(recording)
}

/// The VM that is meant.
fn which<'v>(vms: &'v mut [PreparedVm], wanted: Option<&str>) -> Result<&'v mut PreparedVm> {
    let names: Vec<String> = vms.iter().map(|vm| vm.name.clone()).collect();
    let place = match wanted {
        Some(wanted) => names.iter().position(|name| name == wanted),
        None => (names.len() == 1).then_some(0),
    };
    let found = place.and_then(|place| vms.get_mut(place));
    found.ok_or_else(|| {
        let what = match wanted {
            Some(wanted) => format!("the system has no VM \"{wanted}\" to record"),
            None => "the system has several VMs, and one is recorded".to_owned(),
        };
        let mend = format!("write --record-vm {}", names.join(" or "));
        Fault::new(what).mend(mend).into()
    })
}

fn no_device<'n>(
    vm: &PreparedVm,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> Fault {
    let what = format!("the board of {} has no device {name}", vm.name);
    let mend = match did_you_mean(name, known.clone()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("it has {}", known.collect::<Vec<_>>().join(", ")),
    };
    Fault::new(what).mend(mend)
}

fn header(system: &System, vm: &PreparedVm, names: &Names, record: &[u16], taps: bool) -> Header {
    let plan = &vm.board.plan;
    let board = vm.board.file.file_stem().unwrap_or_default();
    let source = concat!("reliquary-", env!("CARGO_PKG_VERSION"));
    let mut header = Header::new(&board.to_string_lossy(), source);
    let of_system = system.vms.iter().find(|one| one.name.value == vm.name);
    header.image = of_system.map(|one| one.image.reference().short().to_owned());
    if plan.secure {
        header.security = Security::Secure;
    }
    header.cpus = u8::try_from(plan.cpus.len()).ok();
    header.firmware = plan.firmware_ran;
    header.rtc = plan.unix_seconds;
    if !taps {
        let observed = &mut header.observed;
        (observed.lines, observed.cpu_lines) = (true, true);
        (observed.ports, observed.memory, observed.deadlines) = (true, true, true);
    }
    header.card = vm.card.as_ref().map(|card| Card {
        bytes: card.config.bytes(),
        high_capacity: card.high_capacity,
        read_only: card.read_only,
    });
    let slot = plan.devices.iter().position(|device| device.card_slot);
    for (index, device) in plan.devices.iter().enumerate() {
        let name = names.name(index).unwrap_or_default().to_owned();
        if !record.iter().any(|one| usize::from(*one) == index) {
            header.unobserved.push(name);
        } else if let Some(card) = vm.card.as_ref().filter(|_| Some(index) == slot) {
            header.media.push((name, sha256(&card.bytes)));
        } else if let Some((_, bytes)) = device.store {
            let hash = sha256(&medium(vm, index, bytes));
            header.media.push((name, hash));
        }
    }
    header.notes.push(format!(
        "recorded by the hypervisor: cargo reliquary run {} --record FILE",
        crate::workspace::shown(&system.file).display()
    ));
    header
}

/// What is in a device's store when the VM starts: erased, but for the images that lie there.
fn medium(vm: &PreparedVm, device: usize, bytes: u64) -> Vec<u8> {
    let mut medium = vec![0xff; usize::try_from(bytes).unwrap_or(0)];
    for window in &vm.board.plan.windows {
        let WindowKind::DirectReads {
            device: of, offset, ..
        } = window.kind
        else {
            continue;
        };
        let placed = vm.placed.iter().filter(|placed| {
            of == device
                && window.holds(reliquary::units::Ipa(placed.at), placed.bytes.len() as u64)
        });
        for placed in placed {
            let from = usize::try_from(placed.at - window.at.0 + offset).unwrap_or(usize::MAX);
            let place = medium.iter_mut().skip(from);
            place.zip(&placed.bytes).for_each(|(to, from)| *to = *from);
        }
    }
    medium
}

impl Recording {
    /// Bytes of the link's trace channel.
    pub fn fed(&mut self, bytes: &[u8]) {
        for item in self.arriving.fed(bytes) {
            self.item(item);
        }
    }

    /// Frames of the link were lost, which may have been of ours.
    pub fn damaged(&mut self) {
        self.arriving.damaged();
    }

    fn item(&mut self, item: Item) {
        self.unsettled.push(item);
        let settled = matches!(item, Item::Settled | Item::End);
        self.ended |= item == Item::End;
        if settled {
            for item in std::mem::take(&mut self.unsettled) {
                self.settled(&item);
            }
        }
    }

    fn settled(&mut self, item: &Item) {
        if let (Item::Began(host), None, true) = (item, &self.writer, self.taps) {
            // A real clock went on with the host's counter, from QEMU's start on.
            let seconds = u32::try_from(host / 1_000_000_000).unwrap_or(0);
            self.header.rtc = RTC.0.wrapping_add(seconds);
            self.header.rtc_ns = u32::try_from(host % 1_000_000_000).unwrap_or(0);
        }
        let header = &self.header;
        let writer = self.writer.get_or_insert_with(|| Writer::new(header));
        match item {
            // What the devices of such a board do, beside answering, is not all seen.
            Item::Seen(seen)
                if self.taps && !matches!(seen.what, What::Access { .. } | What::Input { .. }) => {}
            Item::Seen(seen) => {
                let name = self.names.get(usize::from(seen.device));
                let name = writer.device(name.map_or("-", String::as_str));
                self.until = seen.at;
                if let Some(record) = self.assembly.record(seen, name) {
                    self.records += 1;
                    writer.record(record);
                }
            }
            Item::Lost { at, count } => {
                self.lost += count;
                self.assembly.gap();
                writer.lost(*at, *count);
            }
            Item::Began(_) | Item::Settled | Item::End => {}
        }
    }

    /// What QEMU must be told beside, so that the trace can say what a real clock of its showed.
    pub fn qemu(&self, given: &[String]) -> Vec<String> {
        let mut all = given.to_vec();
        if self.taps {
            let clock = format!("base={},clock=vm", RTC.1);
            all.extend(["-rtc".to_owned(), clock]);
        }
        all
    }

    /// Closes the trace and writes it.
    pub fn close(self, to: &Path) -> Result<Told> {
        let told = Told {
            file: to.to_path_buf(),
            records: self.records,
            lost: self.lost,
            until: (!self.ended).then_some(self.until),
        };
        let writer = self.writer.unwrap_or_else(|| Writer::new(&self.header));
        file::write(to, writer.end().as_bytes())?;
        Ok(told)
    }
}
