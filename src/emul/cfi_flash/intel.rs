//! A chip of the Intel command set: its command user interface and write state machine.
//!
//! Commands and status bits are those of the StrataFlash data sheets (Intel 306666, section 9
//! to 13). A command is the low byte of what is written; its cycles are the states of
//! [`Sequence`].

use super::array::Lanes;
use super::chip::Part;
use super::query::{buffer_log2, identifier, query};
use crate::access::Refusal;
use crate::emul::Cx;
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;
use alloc::vec;
use alloc::vec::Vec;

impl Part {
    /// How many words of a buffered program of `count` writes, from word `first` on, lie in the
    /// block. Chips in step are given narrow writes too, several to a word, so fewer than
    /// `count` is no error of theirs.
    fn buffered(&self, block: u32, first: u32, count: u32) -> Option<u32> {
        let end = block.wrapping_add(1).wrapping_shl(self.block_log2);
        let words = end.wrapping_sub(first).min(count);
        (self.block_of(first) == block && (words == count || self.in_step)).then_some(words)
    }

    /// Words of the write buffer.
    fn buffer_words(&self) -> u32 {
        1_u32
            .wrapping_shl(u32::from(buffer_log2(self.width_log2)))
            .wrapping_shr(self.width_log2)
    }
}

/// What reads answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Array,
    Status,
    Identifier,
    Query,
}

/// Where the chip is in a command of several cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    /// The next write is a command's first cycle.
    Command,
    /// After 0x40 or 0x10: the next write is the word to program.
    Program,
    /// After 0x20: the block's confirmation is due.
    Erase,
    /// After 0x60: lock, unlock, lock down or the read configuration register.
    Lock,
    /// After 0xc0: the word of a protection register.
    Protection,
    /// After 0xe8: the number of words, less 1.
    BufferCount { block: u32 },
    /// Words of the buffer: `count` in all, `taken` of them so far, from word `first` on.
    BufferData {
        block: u32,
        count: u32,
        taken: u32,
        first: u32,
    },
}

/// What the write state machine is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Program,
    /// `next` is the first word not erased yet.
    Erase {
        next: u32,
        end: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Operation {
    work: Work,
    /// Until when the part is busy at least; while suspended, the nanoseconds that are left.
    until: u64,
    suspended: bool,
}

/// Status register: ready.
const SR7_READY: u8 = 1 << 7;
/// An erase is suspended.
const SR6_ERASE_SUSPENDED: u8 = 1 << 6;
/// An erase failed; with SR4, the command sequence was wrong.
const SR5_ERASE: u8 = 1 << 5;
/// A program failed.
const SR4_PROGRAM: u8 = 1 << 4;
/// A program is suspended.
const SR2_PROGRAM_SUSPENDED: u8 = 1 << 2;
/// The block was locked.
const SR1_LOCKED: u8 = 1 << 1;
const SEQUENCE_ERROR: u8 = SR5_ERASE | SR4_PROGRAM;

const LOCKED: u8 = 1;
const LOCKED_DOWN: u8 = 2;
/// The read configuration register after a reset: asynchronous page mode.
const RCR_RESET: u16 = 0xbfcf;

/// One chip of a bank.
pub(super) struct Chip {
    mode: Mode,
    sequence: Sequence,
    operation: Option<Operation>,
    /// The sticky bits of the status register.
    errors: u8,
    rcr: u16,
    /// For each block its lock status.
    locks: Vec<u8>,
    buffer: Vec<u16>,
}

impl Chip {
    pub fn new(part: &Part) -> Self {
        let mut chip = Self {
            mode: Mode::Array,
            sequence: Sequence::Command,
            operation: None,
            errors: 0,
            rcr: RCR_RESET,
            locks: vec![0; part.blocks as usize],
            buffer: vec![0xffff; part.buffer_words() as usize],
        };
        chip.reset(part);
        chip
    }

    /// RP# low: array mode, no command, an erase under way is broken off where it is.
    pub fn reset(&mut self, part: &Part) {
        self.mode = Mode::Array;
        self.sequence = Sequence::Command;
        self.operation = None;
        self.errors = 0;
        self.rcr = RCR_RESET;
        self.locks.fill(u8::from(part.locked_at_reset));
        self.buffer.fill(0xffff);
    }

    pub fn is_array(&self) -> bool {
        self.mode == Mode::Array
    }

    /// Whether an erase has words left to erase now.
    pub fn is_erasing(&self) -> bool {
        matches!(self.operation, Some(Operation { work: Work::Erase { next, end }, suspended: false, .. }) if next < end)
    }

    /// Whether the next write is a word to store, and no command, count or confirmation.
    pub fn awaits_data(&self) -> bool {
        match self.sequence {
            Sequence::Program => true,
            Sequence::BufferData { count, taken, .. } => taken < count,
            _ => false,
        }
    }

    fn is_busy(&self) -> bool {
        matches!(
            self.operation,
            Some(Operation {
                suspended: false,
                ..
            })
        )
    }

    fn status(&self) -> u8 {
        let progress = match self.operation {
            None => SR7_READY,
            Some(Operation {
                suspended: false, ..
            }) => 0,
            Some(Operation {
                work: Work::Erase { .. },
                ..
            }) => SR7_READY | SR6_ERASE_SUSPENDED,
            Some(Operation {
                work: Work::Program,
                ..
            }) => SR7_READY | SR2_PROGRAM_SUSPENDED,
        };
        progress | self.errors
    }

    /// What word `word` reads as.
    pub fn read(
        &self,
        cx: &Cx<'_>,
        part: &Part,
        lanes: Lanes,
        lane: u32,
        word: u32,
    ) -> Result<u16, Refusal> {
        let offset = word & part.block_words().wrapping_sub(1);
        Ok(match self.mode {
            Mode::Array => lanes
                .read(cx, lane, word)
                .map_err(|_| Refusal::NoRegister)?,
            Mode::Status => u16::from(self.status()),
            Mode::Query => u16::from(query(part, offset)),
            Mode::Identifier => identifier(part, offset, self.lock(part.block_of(word)), self.rcr),
        })
    }

    fn lock(&self, block: u32) -> u8 {
        self.locks.get(block as usize).copied().unwrap_or(LOCKED)
    }

    /// A write cycle at word `word`.
    pub fn write(
        &mut self,
        cx: &Cx<'_>,
        part: &Part,
        lanes: Lanes,
        lane: u32,
        word: u32,
        data: u16,
    ) {
        // Only the suspend and status commands mean anything to a busy chip.
        if self.is_busy() {
            match data as u8 {
                0xb0 => self.suspend(cx.now),
                0x70 => self.mode = Mode::Status,
                _ => {}
            }
            return;
        }
        match core::mem::replace(&mut self.sequence, Sequence::Command) {
            Sequence::Command => self.command(cx.now, part, word, data as u8),
            Sequence::Program => {
                if self.lock(part.block_of(word)) & LOCKED != 0 {
                    self.errors |= SR4_PROGRAM | SR1_LOCKED;
                } else {
                    let done = lanes.update(cx, lane, word, 1, |_, old| old & data);
                    self.programmed(cx.now, part, done.is_ok());
                }
            }
            Sequence::Erase if data as u8 == 0xd0 => self.erase(cx.now, part, part.block_of(word)),
            Sequence::Erase => self.errors |= SEQUENCE_ERROR,
            Sequence::Lock => self.set_lock(part.block_of(word), word, data as u8),
            // Both protection registers are locked for good.
            Sequence::Protection => self.errors |= SR4_PROGRAM | SR1_LOCKED,
            Sequence::BufferCount { block } => {
                let count = u32::from(data).wrapping_add(1);
                if part.block_of(word) == block && count <= part.buffer_words() {
                    self.sequence = Sequence::BufferData {
                        block,
                        count,
                        taken: 0,
                        first: 0,
                    };
                } else {
                    self.errors |= SEQUENCE_ERROR;
                }
            }
            Sequence::BufferData {
                block,
                count,
                taken,
                first,
            } if taken < count => {
                self.fill(part, word, data, (block, count, taken, first));
            }
            Sequence::BufferData {
                block,
                count,
                first,
                ..
            } => {
                if data as u8 != 0xd0 || part.block_of(word) != block {
                    self.errors |= SEQUENCE_ERROR;
                } else if self.lock(block) & LOCKED != 0 {
                    self.errors |= SR4_PROGRAM | SR1_LOCKED;
                } else {
                    let buffer = &self.buffer;
                    let words = part.buffered(block, first, count).unwrap_or(0);
                    let done = lanes.update(cx, lane, first, words, |index, old| {
                        old & buffer.get(index as usize).copied().unwrap_or(0xffff)
                    });
                    self.programmed(cx.now, part, done.is_ok());
                }
            }
        }
    }

    /// A command's first cycle.
    fn command(&mut self, now: Instant, part: &Part, word: u32, command: u8) {
        match command {
            // JESD68 lets a chip leave query mode by either.
            0xff | 0xf0 => self.mode = Mode::Array,
            0x70 => self.mode = Mode::Status,
            0x90 => self.mode = Mode::Identifier,
            0x98 => self.mode = Mode::Query,
            // Data sheet 306666, 13.1: what reads answer stays as it is.
            0x50 => self.errors = 0,
            0xd0 if self.operation.is_some() => self.resume(now),
            // A chip with suspended work programs and erases nothing else.
            _ if self.operation.is_some() => {}
            0x10 | 0x40 => self.begin(Sequence::Program),
            0x20 => self.begin(Sequence::Erase),
            0x60 => self.begin(Sequence::Lock),
            0xc0 => self.begin(Sequence::Protection),
            0xe8 => self.begin(Sequence::BufferCount {
                block: part.block_of(word),
            }),
            _ => {}
        }
    }

    /// Every command that changes the chip leaves reads at the status register.
    fn begin(&mut self, sequence: Sequence) {
        self.sequence = sequence;
        self.mode = Mode::Status;
    }

    /// A word for the buffer: it must lie in the block, within the count from the first one.
    fn fill(
        &mut self,
        part: &Part,
        word: u32,
        data: u16,
        (block, count, taken, first): (u32, u32, u32, u32),
    ) {
        let first = if taken == 0 { word } else { first };
        if taken == 0 {
            self.buffer.fill(0xffff);
        }
        let words = part.buffered(block, first, count).unwrap_or(0);
        let index = word.wrapping_sub(first);
        let place = self.buffer.get_mut(index as usize);
        match place {
            Some(place) if index < words => {
                // In step, another write may have brought the word's other byte.
                *place &= data;
                self.sequence = Sequence::BufferData {
                    block,
                    count,
                    taken: taken.wrapping_add(1),
                    first,
                };
            }
            _ => self.errors |= SEQUENCE_ERROR,
        }
    }

    fn programmed(&mut self, now: Instant, part: &Part, stored: bool) {
        if !stored {
            self.errors |= SR4_PROGRAM;
        }
        if part.program_ns > 0 {
            let until = now.saturating_add(part.program_ns).0;
            self.operation = Some(Operation {
                work: Work::Program,
                until,
                suspended: false,
            });
        }
    }

    fn erase(&mut self, now: Instant, part: &Part, block: u32) {
        if self.lock(block) & LOCKED != 0 {
            self.errors |= SR5_ERASE | SR1_LOCKED;
            return;
        }
        let next = block.wrapping_shl(part.block_log2);
        let work = Work::Erase {
            next,
            end: next.wrapping_add(part.block_words()),
        };
        let until = now.saturating_add(part.erase_ns).0;
        self.operation = Some(Operation {
            work,
            until,
            suspended: false,
        });
    }

    fn set_lock(&mut self, block: u32, word: u32, command: u8) {
        let Some(lock) = self.locks.get_mut(block as usize) else {
            return;
        };
        match command {
            0x01 => *lock |= LOCKED,
            // WP# is low: a locked-down block stays locked until a reset.
            0xd0 if *lock & LOCKED_DOWN != 0 => {}
            0xd0 => *lock = 0,
            0x2f => *lock |= LOCKED | LOCKED_DOWN,
            // The read configuration register takes its value from the address.
            0x03 => self.rcr = word as u16,
            _ => self.errors |= SEQUENCE_ERROR,
        }
    }

    fn suspend(&mut self, now: Instant) {
        self.mode = Mode::Status;
        if let Some(operation) = &mut self.operation {
            operation.suspended = true;
            operation.until = operation.until.saturating_sub(now.0);
        }
    }

    fn resume(&mut self, now: Instant) {
        self.mode = Mode::Status;
        if let Some(operation) = &mut self.operation {
            operation.suspended = false;
            operation.until = now.saturating_add(operation.until).0;
        }
    }

    /// Goes on with what is under way: erases at most `words` words.
    pub fn advance(&mut self, cx: &Cx<'_>, lanes: Lanes, lane: u32, words: u32) {
        let Some(operation) = self
            .operation
            .as_mut()
            .filter(|operation| !operation.suspended)
        else {
            return;
        };
        if let Work::Erase { next, end } = &mut operation.work {
            let count = end.saturating_sub(*next).min(words);
            if lanes.update(cx, lane, *next, count, |_, _| 0xffff).is_err() {
                self.errors |= SR5_ERASE;
                self.operation = None;
                return;
            }
            *next = next.wrapping_add(count);
            if *next < *end {
                return;
            }
        }
        if operation.until <= cx.now.0 {
            self.operation = None;
        }
    }

    /// When the chip's state next changes by itself; an erase with words left is due at once.
    pub fn deadline(&self) -> Option<Instant> {
        if self.is_erasing() {
            return Some(Instant::ZERO);
        }
        self.operation
            .filter(|operation| !operation.suspended)
            .map(|operation| Instant(operation.until))
    }

    pub fn save(&self, out: &mut Writer) {
        out.u8(match self.mode {
            Mode::Array => 0,
            Mode::Status => 1,
            Mode::Identifier => 2,
            Mode::Query => 3,
        });
        out.u8(self.errors);
        out.u16(self.rcr);
        let (kind, of) = match self.sequence {
            Sequence::Command => (0, [0; 4]),
            Sequence::Program => (1, [0; 4]),
            Sequence::Erase => (2, [0; 4]),
            Sequence::Lock => (3, [0; 4]),
            Sequence::Protection => (4, [0; 4]),
            Sequence::BufferCount { block } => (5, [block, 0, 0, 0]),
            Sequence::BufferData {
                block,
                count,
                taken,
                first,
            } => (6, [block, count, taken, first]),
        };
        out.u8(kind);
        for word in of {
            out.u32(word);
        }
        let (kind, next, end) = match self.operation.map(|operation| operation.work) {
            None => (0, 0, 0),
            Some(Work::Program) => (1, 0, 0),
            Some(Work::Erase { next, end }) => (2, next, end),
        };
        out.u8(kind);
        out.u32(next);
        out.u32(end);
        out.u64(self.operation.map_or(0, |operation| operation.until));
        out.bool(self.operation.is_some_and(|operation| operation.suspended));
        out.bytes(&self.locks);
        self.buffer.iter().for_each(|word| out.u16(*word));
    }

    pub fn load(&mut self, part: &Part, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.mode = match from.u8()? {
            0 => Mode::Array,
            1 => Mode::Status,
            2 => Mode::Identifier,
            3 => Mode::Query,
            _ => return Err(Refusal::BadState),
        };
        self.errors = from.u8()? & (SEQUENCE_ERROR | SR1_LOCKED);
        self.rcr = from.u16()?;
        let kind = from.u8()?;
        let (block, count, taken, first) = (from.u32()?, from.u32()?, from.u32()?, from.u32()?);
        let in_buffer =
            block < part.blocks && taken <= count && (1..=part.buffer_words()).contains(&count);
        let in_block = taken == 0 || part.buffered(block, first, count).is_some();
        self.sequence = match kind {
            0 => Sequence::Command,
            1 => Sequence::Program,
            2 => Sequence::Erase,
            3 => Sequence::Lock,
            4 => Sequence::Protection,
            5 if block < part.blocks => Sequence::BufferCount { block },
            6 if in_buffer && in_block => Sequence::BufferData {
                block,
                count,
                taken,
                first,
            },
            _ => return Err(Refusal::BadState),
        };
        let (kind, next, end) = (from.u8()?, from.u32()?, from.u32()?);
        let (until, suspended) = (from.u64()?, from.bool()?);
        let block = part.block_of(end.wrapping_sub(1));
        let start = block.wrapping_shl(part.block_log2);
        let in_part = block < part.blocks
            && (start..=end).contains(&next)
            && end == start.wrapping_add(part.block_words());
        self.operation = match kind {
            0 => None,
            1 => Some(Operation {
                work: Work::Program,
                until,
                suspended,
            }),
            2 if in_part => Some(Operation {
                work: Work::Erase { next, end },
                until,
                suspended,
            }),
            _ => return Err(Refusal::BadState),
        };
        self.locks
            .copy_from_slice(from.bytes(part.blocks as usize)?);
        if self
            .locks
            .iter()
            .any(|lock| lock & !(LOCKED | LOCKED_DOWN) != 0)
        {
            return Err(Refusal::BadState);
        }
        for word in &mut self.buffer {
            *word = from.u16()?;
        }
        Ok(())
    }
}
