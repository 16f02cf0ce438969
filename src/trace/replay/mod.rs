//! A board, with no CPU, is given what was recorded; what it answers is compared.
//!
//! Played are accesses, inputs, bytes that came in, memory that devices read, and resets.
//! Compared are the values read and the aborts, and, as far as the header says that they were
//! observed, output lines, bytes that went out and memory that devices wrote. Nothing of a trace
//! is skipped: a record that cannot be played is an error.
//!
//! Where lines were observed, a device gets its inputs as they were recorded, not as our own
//! devices drive them: what one device does in another way is then told of that one alone.
//!
//! Time is the trace's. Between two records every deadline of the board comes at its own moment,
//! unless the trace tells (`due`) when each was met.

mod bounds;
mod divergence;
mod lines;
mod streams;
mod summary;

pub use divergence::{Difference, Divergence, FieldDifference};
pub use summary::{Counts, Summary};

use super::header::{Header, Observed};
use super::memory::Memory;
use super::names::Names;
use super::read::{Damage, Reader};
use super::record::{DeviceName, Event, Port, Record, RegisterAccess, Way};
use crate::access::{Access, Initiator, SYSTEM_REGISTERS, Security};
use crate::board::observe::{Kinds, Observer, What};
use crate::board::plan::WindowKind;
use crate::board::{Board, MapError, Plan, Reply, Transaction, World, catalog};
use crate::bundle::Sha256;
use crate::emul::Line;
use crate::emul::describe::Description;
use crate::emul::sd_card;
use crate::units::{Instant, Ipa};
use alloc::borrow::ToOwned;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use divergence::History;
use lines::Lines;
use streams::Streams;

/// Changes of lines that one step of a board can leave behind: more than any board has lines.
const SEEN: usize = 4096;

/// How a replay goes on.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether it goes on after a divergence, and counts.
    pub keep_going: bool,
    /// The content of media at time 0: device, and bytes. What is missing is zero.
    pub media: Vec<(String, Vec<u8>)>,
}

/// Why a trace cannot be replayed.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The trace is damaged.
    Damage(Damage),
    /// The board of the map is not sound.
    Map(MapError),
    /// The trace names a device that the board does not have.
    NoDevice {
        /// The line.
        line: usize,
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The board has no slot for the trace's card, or no card is like it.
    Card,
    /// The medium that was given is not the one that was there when the trace was recorded.
    Medium {
        /// The device.
        device: String,
    },
    /// The record asks for what the device does not have: a register block, a port.
    CannotPlay {
        /// The line.
        line: usize,
        /// What.
        what: &'static str,
    },
}

impl From<Damage> for Trouble {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

/// The board of a trace: the map's, with the trace's CPUs, security state and clock.
#[must_use]
pub fn plan_for(map: &Plan, header: &Header) -> Plan {
    let mut plan = map.clone();
    if let Some(cpus) = header.cpus {
        plan.cpus.truncate(cpus.into());
    }
    plan.secure = header.security == Security::Secure;
    plan.firmware_ran = header.firmware;
    plan.unix_seconds = header.rtc;
    plan.unix_ns = header.rtc_ns;
    plan
}

/// Replays a whole trace on the board of `map`.
pub fn replay(map: &Plan, text: &[u8], options: &Options) -> Result<Summary, Trouble> {
    let mut reader = Reader::new(text)?;
    let mut plan = plan_for(map, reader.header());
    if let Some(card) = reader.header().card {
        let card = sd_card::Config::holding(card.bytes, card.high_capacity, card.read_only);
        let inserted = card.ok().and_then(|card| plan.insert_card(card).ok());
        inserted.ok_or(Trouble::Card)?;
    }
    for (device, bytes) in &options.media {
        let hash = Sha256::of(bytes);
        let mut recorded = reader.header().media.iter();
        let other = |(name, recorded): &(String, String)| name == device && !is(&hash, recorded);
        if recorded.any(other) {
            let device = device.clone();
            return Err(Trouble::Medium { device });
        }
    }
    let mut replay = Replay::new(&plan, reader.header(), options)?;
    while let Some(record) = reader.record()? {
        replay.record(&reader, &record)?;
        if replay.summary.diverged() && !options.keep_going {
            replay.summary.stopped = true;
            break;
        }
    }
    Ok(replay.end(reader.lost()))
}

/// Whether a hash is the one that is written in hexadecimal.
fn is(hash: &[u8], written: &str) -> bool {
    let (pairs, rest) = written.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| Some((digit(*high)? << 4 | digit(*low)?) as u8);
    rest.is_empty()
        && pairs.len() == hash.len()
        && pairs.iter().map(byte).eq(hash.iter().copied().map(Some))
}

/// A device as a replay knows it.
struct Known {
    /// The address of each register block.
    blocks: Vec<(u8, Ipa)>,
    compatible: String,
    description: Option<&'static Description>,
    /// Whether it has a serial port.
    serial: bool,
    /// Its output lines that lead to another device; of the others nothing is recorded.
    wired: u64,
    /// Whether anything of it was recorded.
    observed: bool,
}

/// Accesses of a run that are still to come.
struct Run {
    device: usize,
    line: usize,
    cpu: Option<u8>,
    access: RegisterAccess,
    left: u32,
    next: Instant,
    step: u64,
}

/// A replay in progress.
struct Replay {
    board: Board,
    header: Header,
    names: Names,
    known: Vec<Known>,
    memory: Memory,
    /// The board's number of each device of the trace.
    devices: Vec<Option<usize>>,
    now: Instant,
    runs: VecDeque<Run>,
    history: History,
    lines: Lines,
    streams: Streams,
    summary: Summary,
}

impl Replay {
    fn new(plan: &Plan, header: &Header, options: &Options) -> Result<Self, Trouble> {
        let mut board = Board::build(plan).map_err(Trouble::Map)?;
        if header.observed != Observed::default() {
            let kinds = Kinds::OUTPUTS.and(Kinds::FRAMES);
            board.observe(Some(Observer::new(kinds, SEEN)));
        }
        if header.observed.lines {
            board.cut_wires();
        }
        let names = Names::of(plan);
        let mut known: Vec<Known> = Vec::with_capacity(plan.devices.len());
        for (index, device) in plan.devices.iter().enumerate() {
            let blocks = plan.windows.iter().filter_map(|window| match window.kind {
                WindowKind::Device { device, region }
                | WindowKind::DirectReads { device, region, .. }
                    if device == index =>
                {
                    Some((region, window.at))
                }
                _ => None,
            });
            let name = names.name(index).unwrap_or_default();
            let wired = board.wired_lines(index).0;
            // System registers have no address: theirs are their offsets.
            let system =
                (plan.system_registers() == Some(index)).then_some((SYSTEM_REGISTERS, Ipa(0)));
            known.push(Known {
                blocks: blocks.chain(system).collect(),
                compatible: device.compatible.clone(),
                description: catalog::description(&device.compatible),
                serial: board.has_serial(index),
                wired: match (
                    header.observed.lines,
                    header.observed.cpu_lines && device.drives_cpus,
                ) {
                    (_, true) => u64::MAX,
                    (true, false) => wired,
                    (false, false) => 0,
                },
                observed: !header.unobserved.iter().any(|other| other == name),
            });
        }
        let stores = plan.stores().map(|(index, bytes)| {
            let name = names.name(index).unwrap_or_default();
            let given = options.media.iter().find(|(device, _)| device == name);
            let mut store = given.map(|(_, bytes)| bytes.clone()).unwrap_or_default();
            store.resize(usize::try_from(bytes).unwrap_or(0), 0);
            store
        });
        Ok(Self {
            board,
            header: header.clone(),
            memory: Memory::new(stores.collect()),
            history: History::new(known.len()),
            lines: Lines::default(),
            streams: Streams::default(),
            summary: Summary::new(),
            devices: Vec::new(),
            now: Instant::ZERO,
            runs: VecDeque::new(),
            names,
            known,
        })
    }

    fn record(&mut self, reader: &Reader<'_>, record: &Record) -> Result<(), Trouble> {
        let line = reader.line();
        if record.at < self.now {
            // A cold reset, with which the board's life begins anew.
            let last = self.runs.iter().map(|run| run.access.last).max();
            self.until(last.unwrap_or(self.now))?;
            self.go_to(self.now.saturating_add(1));
            self.now = record.at;
        }
        self.until(record.at)?;
        self.go_to(record.at);
        self.summary.records = self.summary.records.saturating_add(1);
        let Some(name) = record.device else {
            return self.whole_board(line, &record.event);
        };
        let device = self.device(reader, name)?;
        self.history.add(device, line, record);
        match record.event {
            Event::Access(access) => {
                self.access(line, device, record.cpu, access)?;
                if access.times > 1 {
                    self.run(line, device, record.cpu, access);
                }
            }
            Event::Line {
                way: Way::In,
                line,
                level,
            } => self.step(|board, world| board.input(world, device, Line(line), level)),
            Event::Line {
                way: Way::Out,
                line: number,
                level,
            } => {
                let place = (device, number);
                let within = self.line_within(device);
                self.lines
                    .recorded(place, level, self.now, line, within, &mut self.summary);
                if self.header.observed.lines {
                    self.step(|board, world| board.drive_output(world, device, number, level));
                }
            }
            Event::Port {
                way: Way::In,
                port: Port::Serial,
                ref bytes,
            } => {
                for byte in bytes {
                    let mut taken = false;
                    self.step(|board, world| taken = board.receive(world, device, *byte));
                    if !taken {
                        let what = "the device has no serial port, or no room for what comes in";
                        return Err(Trouble::CannotPlay { line, what });
                    }
                }
            }
            Event::Port {
                way: Way::In,
                port: Port::Frames,
                ref bytes,
            } => {
                if self.board.frame_room(device).is_none() {
                    let what = "the device has no Ethernet port";
                    return Err(Trouble::CannotPlay { line, what });
                }
                self.step(|board, world| board.frame_receive(world, device, bytes));
            }
            Event::Port {
                way: Way::Out,
                port,
                ref bytes,
            } => {
                self.streams.recorded(device, line, None, bytes);
                if self.header.observed.deadlines && port == Port::Serial {
                    self.take_sent(device, bytes.len());
                }
            }
            Event::Memory {
                way: Way::In,
                at,
                ref bytes,
            } => self.memory.set(at, bytes),
            Event::Memory {
                way: Way::Out,
                at,
                ref bytes,
            } => self.streams.recorded(device, line, Some(at), bytes),
            Event::Due => self.step(|board, world| board.advance_one(world, device)),
            Event::Reset(_) => {
                let what = "a reset is of the whole board: its device is -";
                return Err(Trouble::CannotPlay { line, what });
            }
        }
        self.compare_streams();
        Ok(())
    }

    fn whole_board(&mut self, line: usize, event: &Event) -> Result<(), Trouble> {
        let Event::Reset(kind) = event else {
            let what = "only a reset is of the whole board";
            return Err(Trouble::CannotPlay { line, what });
        };
        self.step(|board, world| board.reset(world, *kind));
        Ok(())
    }

    /// The board's number of a device of the trace.
    fn device(&mut self, reader: &Reader<'_>, name: DeviceName) -> Result<usize, Trouble> {
        let place = usize::from(name.0);
        if let Some(Some(device)) = self.devices.get(place) {
            return Ok(*device);
        }
        let word = reader.name(name);
        let found = self.names.find(word).filter(|d| *d < self.known.len());
        let Some(device) = found else {
            let known = self.names.iter().take(self.known.len());
            return Err(Trouble::NoDevice {
                line: reader.line(),
                name: word.to_owned(),
                known: known.map(ToOwned::to_owned).collect(),
            });
        };
        if self.devices.len() <= place {
            self.devices.resize(place.saturating_add(1), None);
        }
        if let Some(slot) = self.devices.get_mut(place) {
            *slot = Some(device);
        }
        Ok(device)
    }

    /// Plays what is left of runs up to `at`.
    fn until(&mut self, at: Instant) -> Result<(), Trouble> {
        while let Some(place) = (0..self.runs.len())
            .filter(|place| self.runs.get(*place).is_some_and(|run| run.next <= at))
            .min_by_key(|place| self.runs.get(*place).map(|run| run.next))
        {
            let Some(run) = self.runs.get_mut(place) else {
                break;
            };
            let (line, device, cpu, access) = (run.line, run.device, run.cpu, run.access);
            let now = run.next;
            run.left = run.left.saturating_sub(1);
            run.next = if run.left == 1 {
                access.last
            } else {
                now.saturating_add(run.step)
            };
            if run.left == 0 {
                self.runs.remove(place);
            }
            self.go_to(now);
            self.access(line, device, cpu, access)?;
        }
        Ok(())
    }

    /// Keeps the accesses of a run behind its first, evenly in time: what is known is when the
    /// first and the last of them were.
    fn run(&mut self, line: usize, device: usize, cpu: Option<u8>, access: RegisterAccess) {
        let left = access.times.saturating_sub(1);
        let step = access
            .last
            .since(self.now)
            .checked_div(left.into())
            .unwrap_or(0);
        self.runs.push_back(Run {
            device,
            line,
            cpu,
            access,
            left,
            next: if left == 1 {
                access.last
            } else {
                self.now.saturating_add(step)
            },
            step,
        });
    }

    /// Lets time go by: every deadline at its moment.
    fn go_to(&mut self, at: Instant) {
        let mut stuck = None;
        let ours = !self.header.observed.deadlines;
        while let Some(due) = self.board.deadline().filter(|due| ours && *due <= at) {
            if stuck == Some(due) {
                break;
            }
            stuck = Some(due);
            self.now = self.now.max(due);
            self.step(Board::advance);
        }
        self.now = self.now.max(at);
        let Self {
            lines,
            summary,
            known,
            history,
            names,
            now,
            ..
        } = self;
        lines.expire(*now, summary, |device, line| {
            let name = names.name(device).unwrap_or_default().to_owned();
            let described = known.get(device).and_then(|known| known.description);
            let line_name = described.and_then(|d| d.lines.get(usize::from(line)));
            (name, line_name.copied(), history.before(device, names))
        });
    }

    /// Does something to the board, then looks at what it left.
    fn step(&mut self, what: impl FnOnce(&mut Board, &World<'_>)) {
        let world = World {
            now: self.now,
            memory: &self.memory,
        };
        what(&mut self.board, &world);
        while self.board.take_ask().is_some() {}
        while let Some(seen) = self.board.observer().and_then(Observer::take) {
            let device = usize::from(seen.device);
            if let What::Bytes { count, bytes, .. } = seen.what
                && self.header.observed.ports
            {
                let piece = bytes.get(..usize::from(count)).unwrap_or_default();
                self.streams.ours(device, piece);
            }
            let What::Output { line, level } = seen.what else {
                continue;
            };
            let Some(known) = self.known.get(device) else {
                continue;
            };
            let listed = line < 64 && known.wired & 1 << line != 0;
            if listed && known.observed {
                let within = known.description.map_or(0, |d| d.line_within_ns);
                self.lines
                    .ours((device, line), level, seen.at, within, &mut self.summary);
            }
        }
    }

    fn line_within(&self, device: usize) -> u64 {
        let described = self.known.get(device).and_then(|known| known.description);
        described.map_or(0, |described| described.line_within_ns)
    }

    fn access(
        &mut self,
        line: usize,
        device: usize,
        cpu: Option<u8>,
        recorded: RegisterAccess,
    ) -> Result<(), Trouble> {
        let known = self.known.get(device);
        let block = known.and_then(|known| {
            let mut blocks = known.blocks.iter();
            blocks.find(|(region, _)| *region == recorded.region)
        });
        let Some((_, base)) = block else {
            let what = "the device has no such register block";
            return Err(Trouble::CannotPlay { line, what });
        };
        let at = base.wrapping_add(recorded.offset);
        let how = Transaction {
            width: recorded.width,
            initiator: Initiator::Cpu(cpu.unwrap_or(0)),
            security: recorded.security.unwrap_or(self.header.security),
            privileged: recorded.privileged,
        };
        let mut got = None;
        let written = recorded.write.then_some(recorded.value.unwrap_or(0));
        self.step(|board, world| {
            let reply = match written {
                _ if recorded.region == SYSTEM_REGISTERS => {
                    board.system_register(world, recorded.offset, how, written)
                }
                None => board.read(world, at, how),
                Some(value) => board.write(world, at, how, value),
            };
            got = match reply {
                Ok(Reply::Value(value)) => Some(value),
                Ok(Reply::Done) => recorded.value,
                Ok(Reply::Host(_)) | Err(_) => None,
            };
        });
        let taken = !self.header.observed.deadlines;
        if taken && self.known.get(device).is_some_and(|known| known.serial) {
            self.drain(device);
        }
        self.compare(line, device, &recorded, got);
        Ok(())
    }

    /// Compares an access with what was recorded.
    fn compare(&mut self, line: usize, device: usize, recorded: &RegisterAccess, got: Option<u64>) {
        let described = self.known.get(device).and_then(|known| known.description);
        let counts = self.summary.register(device, recorded);
        if got == recorded.value {
            counts.exact = counts.exact.saturating_add(1);
            return;
        }
        let allowed =
            described
                .zip(recorded.value.zip(got))
                .is_some_and(|(described, (expected, got))| {
                    bounds::allows(described, &self.header.source, recorded, expected, got)
                });
        if allowed {
            counts.within = counts.within.saturating_add(1);
            return;
        }
        counts.diverged = counts.diverged.saturating_add(1);
        let what = divergence::access(described, recorded, got);
        self.diverge(line, device, what);
    }

    fn diverge(&mut self, line: usize, device: usize, what: Difference) {
        if !self.summary.wants_more() {
            return;
        }
        let divergence = Divergence {
            line,
            at: self.now,
            device: self.names.name(device).unwrap_or_default().to_owned(),
            what,
            before: self.history.before(device, &self.names),
        };
        self.summary.divergences.push(divergence);
    }

    /// Takes as many bytes of the device's serial port as were taken of the recorded one.
    fn take_sent(&mut self, device: usize, bytes: usize) {
        for _ in 0..bytes {
            if let Some(byte) = self.board.sent(self.now, device) {
                self.streams.ours(device, &[byte]);
            }
        }
    }

    /// Takes what the device's serial port sent.
    fn drain(&mut self, device: usize) {
        while let Some(byte) = self.board.sent(self.now, device) {
            if self.header.observed.ports {
                self.streams.ours(device, &[byte]);
            }
        }
    }

    fn compare_streams(&mut self) {
        if self.header.observed.memory {
            for (at, bytes) in self.memory.take_written() {
                self.streams.ours_to_memory(at, &bytes);
            }
        }
        while let Some((line, device, difference)) = self.streams.difference() {
            self.summary.streams.diverged = self.summary.streams.diverged.saturating_add(1);
            self.diverge(line, device, difference);
        }
        self.summary.streams.exact = self.streams.equal();
    }

    fn end(mut self, lost: u64) -> Summary {
        let last = self.runs.iter().map(|run| run.access.last).max();
        if let Some(last) = last {
            // A run that was played once is played again without trouble.
            let _ = self.until(last);
        }
        if !self.summary.stopped {
            // What is still owed comes due.
            self.go_to(self.now.saturating_add(1_000));
            self.compare_streams();
            for (line, device, difference) in self.streams.rest() {
                self.summary.streams.diverged = self.summary.streams.diverged.saturating_add(1);
                self.diverge(line, device, difference);
            }
        }
        self.summary.lost = lost;
        self.summary.name_registers(&self.names, &self.known);
        self.summary
    }
}

/// The access as a device sees it.
const fn as_access(recorded: &RegisterAccess) -> Access {
    Access {
        region: recorded.region,
        offset: recorded.offset,
        width: recorded.width,
        initiator: Initiator::Cpu(0),
        security: Security::NonSecure,
        privileged: recorded.privileged,
    }
}
