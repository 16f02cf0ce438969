//! What a replay came to.

use super::divergence::{Divergence, register_name};
use super::{Known, bounds};
use crate::trace::names::Names;
use crate::trace::record::RegisterAccess;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// How many divergences are kept with what led to them; more are counted.
const KEPT: usize = 64;

/// How often something was as recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The same.
    pub exact: u64,
    /// Within a bound.
    pub within: u64,
    /// Neither.
    pub diverged: u64,
}

impl Counts {
    fn add(&mut self, more: Self) {
        self.exact = self.exact.saturating_add(more.exact);
        self.within = self.within.saturating_add(more.within);
        self.diverged = self.diverged.saturating_add(more.diverged);
    }
}

/// The counts of one register of a device: reads, and writes.
#[derive(Clone, Debug)]
pub struct OfRegister {
    /// The device.
    pub device: String,
    /// By which `compatible` its emulator was found.
    pub compatible: String,
    /// The register's name and offset.
    pub register: String,
    /// Reads.
    pub reads: Counts,
    /// Writes: exact is done, or an abort, as recorded.
    pub writes: Counts,
    /// Whether it holds a counter: a bound allows it ticks.
    pub counter: bool,
    place: usize,
    sample: RegisterAccess,
}

/// What a replay came to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Records that were played or compared: all.
    pub records: u64,
    /// By device and register, in the order in which they were first accessed.
    pub registers: Vec<OfRegister>,
    /// Changes of output lines.
    pub lines: Counts,
    /// Bytes that went out, and to memory.
    pub streams: Counts,
    /// Records that the recorder says it lost.
    pub lost: u64,
    /// The first divergences.
    pub divergences: Vec<Divergence>,
    /// Whether the replay stopped at a divergence, with more of the trace to come.
    pub stopped: bool,
    /// Where the register of an access has its counts: by device, block and offset.
    index: BTreeMap<(usize, u8, u64), usize>,
    /// The register of the last access.
    latest: Option<((usize, u8, u64), usize)>,
}

impl Summary {
    pub(super) fn new() -> Self {
        Self {
            records: 0,
            registers: Vec::new(),
            lines: Counts::default(),
            streams: Counts::default(),
            lost: 0,
            divergences: Vec::new(),
            stopped: false,
            index: BTreeMap::new(),
            latest: None,
        }
    }

    /// The counts of an access's register.
    pub(super) fn register(&mut self, device: usize, access: &RegisterAccess) -> &mut Counts {
        let key = (device, access.region, access.offset);
        let place = match self.latest {
            Some((latest, place)) if latest == key => place,
            _ => {
                let next = self.registers.len();
                let place = *self.index.entry(key).or_insert(next);
                if place == next {
                    self.registers.push(OfRegister {
                        device: String::new(),
                        compatible: String::new(),
                        register: String::new(),
                        reads: Counts::default(),
                        writes: Counts::default(),
                        counter: false,
                        place: device,
                        sample: *access,
                    });
                }
                place
            }
        };
        self.latest = Some((key, place));
        match self.registers.get_mut(place) {
            Some(register) if access.write => &mut register.writes,
            Some(register) => &mut register.reads,
            // It was just put there.
            None => &mut self.streams,
        }
    }

    /// Whether anything diverged.
    pub fn diverged(&self) -> bool {
        self.divergences() > 0
    }

    /// How many divergences there were.
    pub fn divergences(&self) -> u64 {
        let accesses = self.reads().diverged.saturating_add(self.writes().diverged);
        accesses
            .saturating_add(self.lines.diverged)
            .saturating_add(self.streams.diverged)
    }

    /// All reads.
    pub fn reads(&self) -> Counts {
        let mut sum = Counts::default();
        self.registers.iter().for_each(|one| sum.add(one.reads));
        sum
    }

    /// Reads of registers that hold no counter.
    pub fn reads_of_no_counter(&self) -> Counts {
        let mut sum = Counts::default();
        let others = self.registers.iter().filter(|one| !one.counter);
        others.for_each(|one| sum.add(one.reads));
        sum
    }

    /// All writes.
    pub fn writes(&self) -> Counts {
        let mut sum = Counts::default();
        self.registers.iter().for_each(|one| sum.add(one.writes));
        sum
    }

    pub(super) fn wants_more(&self) -> bool {
        self.divergences.len() < KEPT
    }

    pub(super) fn name_registers(&mut self, names: &Names, known: &[Known]) {
        for register in &mut self.registers {
            let described = known.get(register.place).and_then(|one| one.description);
            let name = names.name(register.place).unwrap_or_default();
            name.clone_into(&mut register.device);
            if let Some(one) = known.get(register.place) {
                register.compatible.clone_from(&one.compatible);
            }
            register.register = register_name(described, &register.sample);
            register.counter = described.is_some_and(|d| bounds::is_counter(d, &register.sample));
        }
    }
}

/// The last line of a replay.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads = self.reads();
        write!(
            f,
            "{} records: {} reads exact, {} reads within bounds, ",
            self.records, reads.exact, reads.within
        )?;
        if self.lines != Counts::default() {
            let Counts { exact, within, .. } = self.lines;
            write!(f, "{exact} line changes exact, {within} within bounds, ")?;
        }
        if self.streams != Counts::default() {
            write!(f, "{} bytes exact, ", self.streams.exact)?;
        }
        if self.lost > 0 {
            write!(f, "{} records lost by the recorder, ", self.lost)?;
        }
        write!(f, "0 skipped, {} divergences", self.divergences())
    }
}
