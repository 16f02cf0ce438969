//! Generates accesses, plays them to both, compares.

use crate::ours::Ours;
use crate::qemu::Qemu;
use crate::shrink;
use crate::target::{ALL, Done, LINES, Target};
use reliquary::access::Width;
use reliquary::board::catalog;
use reliquary::emul::describe::{Description, Register};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How many accesses are between two resets, at most.
const SEQUENCE: u64 = 5000;

/// Values that are the same on every run (xorshift64*).
pub struct Random(u64);

impl Random {
    /// Of a seed; another stream for another name.
    pub fn new(seed: u64, name: &str) -> Self {
        let mix = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self((seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ mix).max(1))
    }

    /// The next one.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// One below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n.max(1)
    }

    /// A value that registers tell apart: small, one bit, few bits, all bits.
    pub fn value(&mut self) -> u64 {
        match self.below(6) {
            0 => 0,
            1 => u64::MAX,
            2 => self.below(16),
            3 => 1 << self.below(32),
            4 => self.next() & self.next() & self.next(),
            _ => self.next(),
        }
    }
}

/// One step of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A read of `width`.
    Read {
        /// The device's register block.
        region: u8,
        /// The offset in it.
        offset: u64,
        /// How wide.
        width: Width,
    },
    /// A write.
    Write {
        /// The device's register block.
        region: u8,
        /// The offset in it.
        offset: u64,
        /// How wide.
        width: Width,
        /// What.
        value: u64,
    },
    /// An input line takes a level: the index in [`Target::inputs`].
    Input(usize, bool),
}

/// What a step gave on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The value of a read.
    pub value: Option<u64>,
    /// The lines that are high afterwards.
    pub lines: BTreeSet<u16>,
}

/// A difference that no row explains.
pub struct Difference {
    /// The step.
    pub step: usize,
    /// QEMU's answer.
    pub theirs: Answer,
    /// Ours.
    pub ours: Answer,
}

/// What a run found.
#[derive(Default)]
pub struct Found {
    pub accesses: u64,
    pub reads: u64,
    pub lines: u64,
    pub registers: BTreeSet<(String, u64)>,
    /// How often each row explained a difference.
    pub explained: BTreeMap<usize, u64>,
    /// In a survey: the differences that no row explains, by register, or [`LINES`].
    pub survey: Option<BTreeMap<String, Surveyed>>,
}

/// What a survey found of one register.
#[derive(Default)]
pub struct Surveyed {
    /// How often it differed.
    pub times: u64,
    /// In which bits, or lines, at any time.
    pub bits: u64,
    /// The first few differences.
    pub first: Vec<String>,
}

/// How many differences of a register a survey shows.
const SHOWN: usize = 4;

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let explained: u64 = self.explained.values().sum();
        write!(
            f,
            "{} accesses of {} registers: {} reads and {} line changes compared, {explained} differences, each explained",
            self.accesses,
            self.registers.len(),
            self.reads,
            self.lines
        )
    }
}

impl Found {
    /// In a full run every row must explain something.
    pub fn no_row_is_stale(&self, target: &Target) {
        for (place, row) in target.known.iter().enumerate() {
            assert!(
                self.explained.contains_key(&place),
                "{}: nothing hits the row of {} ({:?}: {})",
                target.compatible,
                row.register,
                row.right,
                row.why
            );
        }
    }
}

/// The description of a target's device.
pub fn described(target: &Target) -> &'static Description {
    catalog::description(target.compatible)
        .unwrap_or_else(|| panic!("{} has no DESCRIPTION", target.compatible))
}

/// Plays so many accesses, sequence by sequence.
pub fn play(target: &Target, accesses: u64, seed: u64) -> Found {
    let mut random = Random::new(seed, target.compatible);
    let mut found = Found::default();
    if std::env::var_os("RELIQUARY_SURVEY").is_some() {
        found.survey = Some(BTreeMap::new());
    }
    while found.accesses < accesses {
        let length = SEQUENCE.min(accesses - found.accesses);
        let steps = generate(target, length, &mut random);
        if let Some(difference) = run(target, &steps, &mut found) {
            let shortest = shrink::shrink(target, steps, difference.step);
            panic!("{}", shrink::told(target, &shortest, seed));
        }
        found.accesses += length;
    }
    found
}

fn generate(target: &Target, length: u64, random: &mut Random) -> Vec<Step> {
    let mut ours = Ours::new(target);
    let registers: Vec<&Register> = described(target)
        .registers
        .iter()
        .filter(|register| ours.has(register.region))
        .filter(|register| {
            !target
                .leave_out
                .iter()
                .any(|(out, _)| *out == register.name)
        })
        .collect();
    let first = target.first.iter().map(|(name, value)| {
        let register = described(target).registers.iter().find(|r| r.name == *name);
        let register = register.unwrap_or_else(|| panic!("{} has no {name}", target.compatible));
        Step::Write {
            region: register.region,
            offset: register.offset,
            width: Width::from_bytes(register.bytes).expect("a bus's width"),
            value: *value,
        }
    });
    // Other devices may drive them when ours begins, and QEMU's do not tell.
    let low = (0..target.inputs.len()).map(|input| Step::Input(input, false));
    let mut steps: Vec<Step> = low.chain(first).collect();
    for step in &steps {
        ours.step(target, step);
    }
    if let Some(commands) = &target.commands {
        commands.generate(target, length, random, &mut ours, &mut steps);
        return steps;
    }
    let mut done = Vec::with_capacity(steps.len());
    while (steps.len() as u64) < length {
        if !target.inputs.is_empty() && random.below(4) == 0 {
            let input = random.below(target.inputs.len() as u64) as usize;
            let step = Step::Input(input, random.below(2) == 0);
            ours.step(target, &step);
            steps.push(step);
            continue;
        }
        let often = (target.often)(random);
        let register = match registers
            .iter()
            .find(|register| Some(register.name) == often)
        {
            Some(register) => register,
            None => registers[random.below(registers.len() as u64) as usize],
        };
        let step = access(target, register, random, &done);
        let write = matches!(step, Step::Write { .. });
        if !(target.plays)(register.name, write, &done) {
            continue;
        }
        let value = ours.step(target, &step).value;
        let value = match step {
            Step::Write { value, .. } => value,
            _ => value.unwrap_or(0),
        };
        done.push(Done {
            register: register.name,
            write,
            value,
        });
        steps.push(step);
    }
    steps
}

fn access(target: &Target, register: &Register, random: &mut Random, done: &[Done]) -> Step {
    let index = random.below(register.count);
    let widths: Vec<u64> = target
        .widths
        .iter()
        .copied()
        .filter(|width| *width <= register.bytes)
        .collect();
    let bytes = widths[random.below(widths.len() as u64) as usize];
    let width = Width::from_bytes(bytes).expect("a target's widths are a bus's");
    let within = random.below(register.bytes / bytes) * bytes;
    let offset = register.offset + index * register.stride + within;
    let region = register.region;
    let never = target.never.iter();
    let never = never.filter(|never| never.register == register.name);
    let never = never.fold(0, |all, never| all | never.mask);
    if never == ALL || random.below(2) == 0 {
        return Step::Read {
            region,
            offset,
            width,
        };
    }
    let value = (target.values)(register.name, random, done).unwrap_or_else(|| random.value());
    Step::Write {
        region,
        offset,
        width,
        value: (value & !(never >> (8 * within))) & width.mask(),
    }
}

/// Plays one sequence to both, from their reset on; the first difference that no row explains.
pub fn run(target: &Target, steps: &[Step], found: &mut Found) -> Option<Difference> {
    let mut ours = Ours::new(target);
    let theirs = Qemu::play(target, &ours, steps);
    let mut before: BTreeSet<u16> = BTreeSet::new();
    for (place, (step, theirs)) in steps.iter().zip(theirs).enumerate() {
        let ours = ours.step(target, step);
        if ours.lines != before {
            found.lines += 1;
            before.clone_from(&ours.lines);
        }
        if let Step::Read { .. } = step {
            found.reads += 1;
        }
        if let Some(name) = register_of(target, step) {
            found.registers.insert(name);
        }
        if explained(target, step, &theirs, &ours, found) {
            continue;
        }
        let Some(survey) = &mut found.survey else {
            return Some(Difference {
                step: place,
                theirs,
                ours,
            });
        };
        let bits = open_bits(target, step, &theirs, &ours);
        let name = register_of(target, step).map(|(name, _)| name);
        let (name, bits) = match name {
            Some(name) if bits != 0 => (name, bits),
            _ => (
                LINES.to_owned(),
                mask(theirs.lines.symmetric_difference(&ours.lines)),
            ),
        };
        let seen = survey.entry(name).or_default();
        seen.times += 1;
        if seen.first.len() < SHOWN && bits & !seen.bits != 0 {
            let named = register_of(target, step);
            seen.first.push(format!(
                "{place}: {named:?} {step:x?} QEMU {theirs:x?}, ours {ours:x?}"
            ));
        }
        seen.bits |= bits;
    }
    None
}

/// The name and index of a step's register.
pub fn register_of(target: &Target, step: &Step) -> Option<(String, u64)> {
    let (Step::Read { region, offset, .. } | Step::Write { region, offset, .. }) = step else {
        return None;
    };
    let (register, index) = register(target, *region, *offset)?;
    Some((register.name.to_owned(), index))
}

/// The register at an offset, or a flash's place.
fn register(target: &Target, region: u8, offset: u64) -> Option<(&'static Register, u64)> {
    match &target.commands {
        None => described(target).register(region, offset),
        Some(commands) => commands.place(region, offset),
    }
}

/// The lines as bits, as far as they have such.
fn mask<'a>(lines: impl Iterator<Item = &'a u16>) -> u64 {
    lines.fold(0, |mask, line| mask | 1u64.wrapping_shl((*line).into()))
}

/// The bits of a read that differ and that no row is about.
fn open_bits(target: &Target, step: &Step, theirs: &Answer, ours: &Answer) -> u64 {
    let open = theirs.value.unwrap_or(0) ^ ours.value.unwrap_or(0);
    let (name, index) = register_of(target, step).unwrap_or_default();
    let shift = shift(target, step);
    let rows = target
        .known
        .iter()
        .filter(|row| row.is_about((&name, index), theirs.value, ours.value));
    rows.fold(open, |open, row| open & !(row.mask >> shift))
}

/// Where in its register a read begins, in bits.
fn shift(target: &Target, step: &Step) -> u64 {
    match step {
        Step::Read { region, offset, .. } => register(target, *region, *offset)
            .map_or(0, |(register, index)| {
                8 * (offset - register.offset - index * register.stride)
            }),
        _ => 0,
    }
}

/// Whether the answers are the same, or rows explain the whole difference.
fn explained(
    target: &Target,
    step: &Step,
    theirs: &Answer,
    ours: &Answer,
    found: &mut Found,
) -> bool {
    let mut open = theirs.value.unwrap_or(0) ^ ours.value.unwrap_or(0);
    let mut lines: BTreeSet<u16> = theirs
        .lines
        .symmetric_difference(&ours.lines)
        .copied()
        .collect();
    if open == 0 && lines.is_empty() {
        return true;
    }
    let (name, index) = register_of(target, step).unwrap_or_default();
    let shift = shift(target, step);
    for (place, row) in target.known.iter().enumerate() {
        let hit = if row.register == LINES {
            let size = lines.len();
            lines.retain(|line| *line > 63 || row.mask & 1 << line == 0);
            lines.len() != size
        } else if row.is_about((&name, index), theirs.value, ours.value) {
            let hit = open & (row.mask >> shift) != 0;
            open &= !(row.mask >> shift);
            hit
        } else {
            false
        };
        if hit {
            *found.explained.entry(place).or_default() += 1;
        }
    }
    open == 0 && lines.is_empty()
}
