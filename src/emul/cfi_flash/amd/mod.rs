//! A chip of the AMD command set: unlock cycles, and a status that reads tell by toggling bits.
//!
//! Commands and status bits are those of the MirrorBit data sheets (S29GL-P_00_A7, chapter 7 and
//! tables 12.1 to 12.4). A command is the low byte of what is written; its cycles are the states
//! of [`Sequence`].

mod erase;
mod program;
mod query;
mod saved;
mod status;

use super::array::Lanes;
use super::chip::Part;
use crate::access::Refusal;
use crate::emul::Cx;
use crate::units::Instant;
use alloc::vec;
use alloc::vec::Vec;
use erase::Erase;
use query::{BUFFER_LOG2, autoselect, query};

/// What reads answer while nothing is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Array,
    Autoselect,
    Query,
    /// Query mode entered from autoselect mode, to which it returns.
    AutoselectQuery,
    /// The command set of the sectors' dynamic protection bits.
    Dyb,
    /// That of the persistent ones.
    Ppb,
    /// That of the bit that freezes the persistent ones.
    PpbLock,
}

/// Where the chip is in a command of several cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    /// The next write is a command's first cycle.
    Command,
    /// After 0xaa at 0x555, and after 0x55 at 0x2aa.
    Unlock,
    Unlocked,
    /// After 0xa0: the next write is the word to program, or a protection bit to set.
    Program,
    /// After 0x80, and its own two unlock cycles.
    Erase,
    EraseUnlock,
    EraseUnlocked,
    /// After 0x90 in unlock bypass or a protection command set: 0x00 leaves it.
    Exit,
    /// After 0x25: the number of words, less 1.
    BufferCount {
        sector: u32,
    },
    /// So many words of the buffer are still due, all in the page that begins at word `page`.
    BufferData {
        sector: u32,
        page: u32,
        left: u32,
    },
    /// The write buffer was aborted; the unlock cycles and 0xf0 get the chip out of this.
    Aborted,
    AbortedUnlock,
    AbortedUnlocked,
}

/// Of a sector: it is to be erased; its dynamic and its persistent protection bit.
const QUEUED: u8 = 1;
const DYB: u8 = 2;
const PPB: u8 = 4;

/// Addresses of the unlock cycles and of the query command, by the bits that are decoded.
const DECODED: u32 = 0x7ff;
const UNLOCK_1: u32 = 0x555;
const UNLOCK_2: u32 = 0x2aa;
const QUERY: u32 = 0x55;

#[allow(clippy::struct_excessive_bools)] // flip-flops of the part
pub(in crate::emul::cfi_flash) struct Chip {
    mode: Mode,
    sequence: Sequence,
    bypass: bool,
    /// The PPB lock bit: persistent bits cannot be changed until a reset.
    frozen: bool,
    erase: Option<Erase>,
    /// Until when a program keeps the chip busy.
    program: Option<u64>,
    /// The last word that was programmed or loaded, of which DQ7 is the complement.
    data: u16,
    /// The store failed: DQ5, until a reset.
    failed: bool,
    toggle_6: bool,
    toggle_2: bool,
    sectors: Vec<u8>,
    buffer: Vec<u16>,
}

impl Chip {
    pub fn new(part: &Part) -> Self {
        let mut chip = Self {
            mode: Mode::Array,
            sequence: Sequence::Command,
            bypass: false,
            frozen: false,
            erase: None,
            program: None,
            data: 0,
            failed: false,
            toggle_6: false,
            toggle_2: false,
            sectors: vec![0; part.blocks as usize],
            buffer: vec![0xffff; buffer_words(part) as usize],
        };
        chip.reset(part, true);
        chip
    }

    /// RESET# low: the array is read, an erase under way is broken off where it is, and the
    /// dynamic protection bits are as after power-on. The persistent ones stay.
    pub fn reset(&mut self, part: &Part, power_on: bool) {
        self.read_array();
        self.bypass = false;
        self.frozen = false;
        (self.erase, self.program, self.data) = (None, None, 0);
        (self.toggle_6, self.toggle_2) = (false, false);
        let dynamic = if part.locked_at_reset { DYB } else { 0 };
        for sector in &mut self.sectors {
            *sector = dynamic | if power_on { 0 } else { *sector & PPB };
        }
        self.buffer.fill(0xffff);
    }

    fn read_array(&mut self) {
        self.mode = Mode::Array;
        self.sequence = Sequence::Command;
        self.failed = false;
    }

    pub fn is_array(&self) -> bool {
        let aborted = matches!(
            self.sequence,
            Sequence::Aborted | Sequence::AbortedUnlock | Sequence::AbortedUnlocked
        );
        self.mode == Mode::Array
            && self.erase.is_none()
            && self.program.is_none()
            && !self.failed
            && !aborted
    }

    pub fn awaits_data(&self) -> bool {
        match self.sequence {
            Sequence::Program => true,
            Sequence::BufferData { left, .. } => left > 0,
            _ => false,
        }
    }

    fn sector(&self, number: u32) -> u8 {
        self.sectors.get(number as usize).copied().unwrap_or(DYB)
    }

    fn is_protected(&self, number: u32) -> bool {
        self.sector(number) & (DYB | PPB) != 0
    }

    fn is_queued(&self, number: u32) -> bool {
        self.erase.is_some() && self.sector(number) & QUEUED != 0
    }

    /// What word `word` reads as. A read of the status toggles its bits.
    pub fn read(
        &mut self,
        cx: &Cx<'_>,
        part: &Part,
        lanes: Lanes,
        lane: u32,
        word: u32,
    ) -> Result<u16, Refusal> {
        if let Some(status) = self.status(cx.now, part.block_of(word)) {
            return Ok(status);
        }
        let offset = word & part.block_words().wrapping_sub(1);
        let sector = part.block_of(word);
        Ok(match self.mode {
            Mode::Array => lanes
                .read(cx, lane, word)
                .map_err(|_| Refusal::NoRegister)?,
            Mode::Autoselect => autoselect(part, offset, self.is_protected(sector)),
            Mode::Query | Mode::AutoselectQuery => u16::from(query(part, offset & 0xff)),
            // DQ0 is low where it protects (tables 12.2 and 12.4).
            Mode::Dyb => u16::from(self.sector(sector) & DYB == 0),
            Mode::Ppb => u16::from(self.sector(sector) & PPB == 0),
            Mode::PpbLock => u16::from(!self.frozen),
        })
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
        if self.program.is_some() || self.write_while_erasing(cx.now, part, word, data as u8) {
            return;
        }
        let (address, command) = (word & DECODED, data as u8);
        let sector = part.block_of(word);
        match core::mem::replace(&mut self.sequence, Sequence::Command) {
            Sequence::Command => self.command(cx.now, address, command),
            Sequence::Unlock if (address, command) == (UNLOCK_2, 0x55) => {
                self.sequence = Sequence::Unlocked;
            }
            Sequence::Unlocked => self.unlocked(address, command, sector),
            Sequence::Program => self.program(cx, part, (lanes, lane), word, data),
            Sequence::Erase if self.bypass => self.begin_erase(cx.now, part, sector, command, true),
            Sequence::Erase if self.mode == Mode::Ppb => {
                if command == 0x30 && !self.frozen {
                    self.sectors.iter_mut().for_each(|sector| *sector &= !PPB);
                }
            }
            Sequence::Erase if (address, command) == (UNLOCK_1, 0xaa) => {
                self.sequence = Sequence::EraseUnlock;
            }
            Sequence::EraseUnlock if (address, command) == (UNLOCK_2, 0x55) => {
                self.sequence = Sequence::EraseUnlocked;
            }
            Sequence::EraseUnlocked => {
                let at_unlock = address == UNLOCK_1;
                self.begin_erase(cx.now, part, sector, command, at_unlock);
            }
            Sequence::Exit => {
                if command == 0 {
                    self.bypass = false;
                    self.read_array();
                }
            }
            Sequence::BufferCount { sector: begun } => {
                let count = u32::from(data).wrapping_add(1);
                if sector == begun && count <= buffer_words(part) {
                    self.buffer.fill(0xffff);
                    self.sequence = Sequence::BufferData {
                        sector,
                        page: u32::MAX,
                        left: count,
                    };
                } else {
                    self.sequence = Sequence::Aborted;
                }
            }
            Sequence::BufferData {
                sector: begun,
                page,
                left,
            } => self.load_buffer(cx, part, (lanes, lane), word, data, (begun, page, left)),
            aborted @ (Sequence::Aborted | Sequence::AbortedUnlock | Sequence::AbortedUnlocked) => {
                self.sequence = match (aborted, address, command) {
                    (Sequence::AbortedUnlock, UNLOCK_2, 0x55) => Sequence::AbortedUnlocked,
                    (Sequence::AbortedUnlocked, _, 0xf0) => Sequence::Command,
                    (_, UNLOCK_1, 0xaa) => Sequence::AbortedUnlock,
                    _ => Sequence::Aborted,
                };
            }
            // A wrong cycle: the chip reads its array again.
            Sequence::Unlock | Sequence::Erase | Sequence::EraseUnlock => self.read_array(),
        }
    }

    /// A command's first cycle.
    fn command(&mut self, now: Instant, address: u32, command: u8) {
        match (self.mode, command) {
            (Mode::AutoselectQuery, 0xf0) => self.mode = Mode::Autoselect,
            (Mode::Array | Mode::Autoselect | Mode::Query, 0xf0) => self.read_array(),
            _ if self.failed => {}
            (Mode::Array, 0x98) if address == QUERY => self.mode = Mode::Query,
            (Mode::Autoselect, 0x98) if address == QUERY => self.mode = Mode::AutoselectQuery,
            (Mode::Array, 0x30) if self.erase.is_some() => self.resume(now),
            (Mode::Dyb | Mode::Ppb | Mode::PpbLock, 0xa0) => self.sequence = Sequence::Program,
            (Mode::Ppb, 0x80) => self.sequence = Sequence::Erase,
            (Mode::Dyb | Mode::Ppb | Mode::PpbLock, 0x90) => self.sequence = Sequence::Exit,
            (Mode::Array, 0xa0) if self.bypass => self.sequence = Sequence::Program,
            (Mode::Array, 0x80) if self.bypass => self.sequence = Sequence::Erase,
            (Mode::Array, 0x90) if self.bypass => self.sequence = Sequence::Exit,
            (Mode::Array, 0xaa) if address == UNLOCK_1 => self.sequence = Sequence::Unlock,
            _ => {}
        }
    }

    /// The cycle behind the unlock cycles. That of the write buffer goes to the sector.
    fn unlocked(&mut self, address: u32, command: u8, sector: u32) {
        let suspended = self.erase.is_some();
        match command {
            0x25 if !self.is_queued(sector) => {
                self.sequence = Sequence::BufferCount { sector };
            }
            0x90 if address == UNLOCK_1 => self.mode = Mode::Autoselect,
            0xa0 if address == UNLOCK_1 => self.sequence = Sequence::Program,
            0x80 if address == UNLOCK_1 && !suspended => self.sequence = Sequence::Erase,
            0x20 if address == UNLOCK_1 => self.bypass = true,
            0xe0 if address == UNLOCK_1 => self.mode = Mode::Dyb,
            0xc0 if address == UNLOCK_1 && !suspended => self.mode = Mode::Ppb,
            0x50 if address == UNLOCK_1 && !suspended => self.mode = Mode::PpbLock,
            _ => {}
        }
    }
}

/// Words of the write buffer, which is as long as its page.
fn buffer_words(part: &Part) -> u32 {
    1_u32
        .wrapping_shl(BUFFER_LOG2)
        .wrapping_shr(part.width_log2)
}
