//! The transmit data path (data sheet, 3.12): buffers with two command words each become frames
//! in the TX data FIFO, and each frame that has left a word in the TX status FIFO.

use super::fifo::Fifo;
use super::interrupts::source;
use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};

/// TX command A.
const ON_COMPLETION: u32 = 1 << 31;
const FIRST: u32 = 1 << 13;
const LAST: u32 = 1 << 12;
/// TX command A and B: a length in octets.
const LENGTH: u32 = 0x7ff;
/// TX command B, as far as the MAC looks at it.
pub(super) const NO_CRC: u32 = 1 << 13;
pub(super) const NO_PADDING: u32 = 1 << 12;

/// DWORDs of the TX status FIFO, whatever the sizes of the others (5.3.9).
pub(super) const STATUS_WORDS: usize = 128;
/// The most DWORDs of the TX data FIFO, that of TX_FIF_SZ 14.
const DATA_WORDS: usize = 13824 / 4;
/// Words that stand before a frame's octets: how much room it takes, and command B.
const HEADER: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    CommandA,
    CommandB,
    /// So many words of offset, data and end alignment.
    Data {
        offset: u8,
        data: u16,
        end: u8,
    },
}

pub(super) struct Transmitter {
    /// Frames, and behind them the one that is being written: a header, then its octets.
    fifo: Fifo,
    /// How many are complete.
    frames: u32,
    /// DWORDs in use, as 3.12.5 counts them.
    used: u32,
    expected: Expected,
    command_a: u32,
    /// Octets of the buffer that are still to come, and how many of the next word are none.
    rest: u32,
    shift: u8,
    /// The frame that is being written, if there is one: its octets so far, the DWORDs in use,
    /// its command B, and those of its octets that fill no word yet.
    open: bool,
    octets: u32,
    dwords: u32,
    command_b: u32,
    partial: u32,
    pub status: Fifo,
}

/// A frame that leaves the FIFO.
#[derive(Clone, Copy)]
pub(super) struct Leaving {
    /// As many octets as the host wrote: they are in the buffer that was given, if it holds them.
    pub octets: usize,
    pub command_b: u32,
}

impl Transmitter {
    pub(super) fn new() -> Self {
        Self {
            fifo: Fifo::new(DATA_WORDS + HEADER),
            frames: 0,
            used: 0,
            expected: Expected::CommandA,
            command_a: 0,
            rest: 0,
            shift: 0,
            open: false,
            octets: 0,
            dwords: 0,
            command_b: 0,
            partial: 0,
            status: Fifo::new(STATUS_WORDS),
        }
    }

    pub(super) fn reset(&mut self) {
        self.status.clear();
        self.dump();
    }

    /// TXD_DUMP: the data FIFO is empty, and a command is due.
    pub(super) fn dump(&mut self) {
        self.fifo.clear();
        (self.frames, self.used) = (0, 0);
        self.expected = Expected::CommandA;
        (self.command_a, self.rest, self.shift) = (0, 0, 0);
        self.forget();
    }

    /// No frame is being written.
    fn forget(&mut self) {
        (self.open, self.octets, self.dwords) = (false, 0, 0);
        (self.command_b, self.partial) = (0, 0);
    }

    /// Octets in use.
    pub(super) const fn used(&self) -> u32 {
        self.used.wrapping_mul(4)
    }

    pub(super) const fn waiting(&self) -> bool {
        self.frames > 0
    }

    /// A word from the host; `capacity` is the FIFO's size in octets. Gives the sources that it
    /// raises.
    pub(super) fn write(&mut self, word: u32, capacity: u32) -> u32 {
        let stored = match self.expected {
            Expected::CommandA => true,
            Expected::CommandB => self.command_a & FIRST != 0,
            // Whole words of offset and of end alignment are taken away (3.12.5).
            Expected::Data { offset, data, .. } => offset == 0 && data > 0,
        };
        if stored && self.used() >= capacity {
            return source::TDFO | source::TXE;
        }
        match self.expected {
            Expected::CommandA => self.begin_buffer(word),
            Expected::CommandB => self.begin_data(word),
            Expected::Data { offset, data, end } => self.take(word, offset, data, end),
        }
    }

    /// The frame that is being written takes one DWORD more.
    fn count(&mut self) {
        self.used = self.used.wrapping_add(1);
        self.dwords = self.dwords.wrapping_add(1);
    }

    fn begin_buffer(&mut self, command_a: u32) -> u32 {
        self.command_a = command_a;
        self.expected = Expected::CommandB;
        let first = command_a & FIRST != 0;
        // A frame that has no last buffer, or a buffer that has no frame: the former is given
        // up, and the words of the latter lead nowhere.
        let wrong = first == self.open;
        if first && self.open {
            let words = (self.octets / 4) as usize;
            self.fifo.withdraw(words.wrapping_add(HEADER));
            self.used = self.used.saturating_sub(self.dwords);
            self.forget();
        }
        if first {
            self.dwords = 0;
        }
        if first || self.open {
            self.count();
        }
        if wrong { source::TXE } else { 0 }
    }

    fn begin_data(&mut self, command_b: u32) -> u32 {
        if self.command_a & FIRST != 0 {
            self.open = true;
            self.count();
            self.command_b = command_b;
            self.fifo.push(0);
            self.fifo.push(command_b);
        }
        self.rest = self.command_a & LENGTH;
        let start = self.command_a >> 16 & 0x1f;
        self.shift = (start & 3) as u8;
        let offset = start / 4;
        let data = (start & 3).wrapping_add(self.rest).div_ceil(4);
        let align = match self.command_a >> 24 & 3 {
            1 => 4,
            2 => 8,
            _ => 1,
        };
        let words = offset.wrapping_add(data);
        let end = words.next_multiple_of(align).wrapping_sub(words);
        self.go_on(offset as u8, data as u16, end as u8)
    }

    /// A word of a buffer.
    fn take(&mut self, word: u32, offset: u8, data: u16, end: u8) -> u32 {
        if offset > 0 {
            return self.go_on(offset.wrapping_sub(1), data, end);
        }
        if data > 0 {
            if self.open {
                self.count();
            }
            let shift = usize::from(core::mem::take(&mut self.shift));
            let octets = word.to_le_bytes().into_iter().skip(shift);
            for octet in octets.take(self.rest as usize) {
                self.rest = self.rest.wrapping_sub(1);
                self.octet(octet);
            }
            return self.go_on(0, data.wrapping_sub(1), end);
        }
        self.go_on(0, 0, end.wrapping_sub(1))
    }

    fn octet(&mut self, octet: u8) {
        if !self.open {
            return;
        }
        let at = (self.octets & 3).wrapping_mul(8);
        self.partial |= u32::from(octet).wrapping_shl(at);
        self.octets = self.octets.wrapping_add(1);
        if at == 24 {
            self.fifo.push(core::mem::take(&mut self.partial));
        }
    }

    fn go_on(&mut self, offset: u8, data: u16, end: u8) -> u32 {
        if offset > 0 || data > 0 || end > 0 {
            self.expected = Expected::Data { offset, data, end };
            return 0;
        }
        self.expected = Expected::CommandA;
        let mut raised = 0;
        if self.command_a & ON_COMPLETION != 0 {
            raised |= source::TX_IOC;
        }
        if self.command_a & LAST != 0 && self.open {
            raised |= self.close();
        }
        raised
    }

    /// The frame is complete. Its length must be the one in command B (3.12.7).
    fn close(&mut self) -> u32 {
        if self.octets & 3 != 0 {
            self.fifo.push(self.partial);
        }
        let words = (self.octets as usize).div_ceil(4);
        let header = self.dwords << 16 | self.octets & 0xffff;
        self.fifo.amend(words.wrapping_add(HEADER), header);
        self.frames = self.frames.wrapping_add(1);
        let right = self.command_b & LENGTH == self.octets;
        self.forget();
        if right { 0 } else { source::TXE }
    }

    /// Takes the first complete frame out.
    pub(super) fn next(&mut self, into: &mut [u8]) -> Option<Leaving> {
        self.frames = self.frames.checked_sub(1)?;
        let header = self.fifo.pop()?;
        let command_b = self.fifo.pop()?;
        let octets = (header & 0xffff) as usize;
        self.used = self.used.saturating_sub(header >> 16);
        let words = octets.div_ceil(4);
        if octets > into.len() {
            self.fifo.skip(words);
        } else {
            for to in into.get_mut(..octets)?.chunks_mut(4) {
                let word = self.fifo.pop()?.to_le_bytes();
                to.iter_mut().zip(word).for_each(|(to, from)| *to = from);
            }
        }
        Some(Leaving { octets, command_b })
    }

    pub(super) fn save(&self, out: &mut Writer) {
        self.fifo.save(out);
        self.status.save(out);
        let (kind, offset, data, end) = match self.expected {
            Expected::CommandA => (0, 0, 0, 0),
            Expected::CommandB => (1, 0, 0, 0),
            Expected::Data { offset, data, end } => (2, offset, data, end),
        };
        out.u8(kind);
        out.u8(offset);
        out.u16(data);
        out.u8(end);
        for word in [
            self.frames,
            self.used,
            self.command_a,
            self.rest,
            self.octets,
            self.dwords,
            self.command_b,
            self.partial,
        ] {
            out.u32(word);
        }
        out.u8(self.shift);
        out.bool(self.open);
    }

    /// A state in which the words and the counts of them do not fit is harmless: what is short
    /// ends early.
    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.fifo.load(from)?;
        self.status.load(from)?;
        let (kind, offset, data, end) = (from.u8()?, from.u8()?, from.u16()?, from.u8()?);
        self.expected = match kind {
            0 => Expected::CommandA,
            1 => Expected::CommandB,
            2 if offset > 0 || data > 0 || end > 0 => Expected::Data { offset, data, end },
            _ => return Err(Refusal::BadState),
        };
        for word in [
            &mut self.frames,
            &mut self.used,
            &mut self.command_a,
            &mut self.rest,
            &mut self.octets,
            &mut self.dwords,
            &mut self.command_b,
            &mut self.partial,
        ] {
            *word = from.u32()?;
        }
        self.shift = from.u8()? & 3;
        self.open = from.bool()?;
        let words = self.fifo.len() as u32;
        if self.used > DATA_WORDS as u32 || self.frames > words || self.octets > words << 2 | 3 {
            return Err(Refusal::BadState);
        }
        Ok(())
    }
}
