//! Programs of a word and of the write buffer, and of protection bits (S29GL-P_00_A7, 7.7.1 to
//! 7.7.3, and 8).

use super::{Chip, DYB, Mode, PPB, Sequence, buffer_words};
use crate::emul::Cx;
use crate::emul::cfi_flash::array::Lanes;
use crate::emul::cfi_flash::chip::Part;
use crate::units::Instant;

impl Chip {
    /// The second cycle of 0xa0: a word, or in a protection command set a bit of a sector.
    pub(super) fn program(
        &mut self,
        cx: &Cx<'_>,
        part: &Part,
        (lanes, lane): (Lanes, u32),
        word: u32,
        data: u16,
    ) {
        let sector = part.block_of(word);
        let bit = match self.mode {
            Mode::Dyb => DYB,
            Mode::Ppb if !self.frozen && data as u8 == 0 => PPB,
            Mode::Ppb => return,
            Mode::PpbLock => {
                self.frozen |= data as u8 == 0;
                return;
            }
            _ => {
                // A protected or an erased sector is left as it is, and no error is told.
                if !self.is_protected(sector) && !self.is_queued(sector) {
                    let done = lanes.update(cx, lane, word, 1, |_, old| old & data);
                    self.programmed(cx.now, part, data, done.is_ok());
                }
                return;
            }
        };
        if let Some(sector) = self.sectors.get_mut(sector as usize) {
            *sector = *sector & !bit | if data & 1 == 0 { bit } else { 0 };
        }
    }

    pub(super) fn programmed(&mut self, now: Instant, part: &Part, data: u16, stored: bool) {
        self.data = data;
        self.failed = !stored;
        if part.program_ns > 0 {
            self.program = Some(now.saturating_add(part.program_ns).0);
        }
    }

    /// A word for the write buffer, or behind the last one its confirmation (7.7.3).
    pub(super) fn load_buffer(
        &mut self,
        cx: &Cx<'_>,
        part: &Part,
        (lanes, lane): (Lanes, u32),
        word: u32,
        data: u16,
        (sector, page, left): (u32, u32, u32),
    ) {
        let words = buffer_words(part);
        let here = word & !words.wrapping_sub(1);
        self.sequence = Sequence::Aborted;
        if part.block_of(word) != sector {
            return;
        }
        let Some(left) = left.checked_sub(1) else {
            if data as u8 != 0x29 || page == u32::MAX {
                return;
            }
            self.sequence = Sequence::Command;
            if !self.is_protected(sector) {
                let buffer = &self.buffer;
                let done = lanes.update(cx, lane, page, words, |index, old| {
                    old & buffer.get(index as usize).copied().unwrap_or(0xffff)
                });
                self.programmed(cx.now, part, self.data, done.is_ok());
            }
            return;
        };
        if page != u32::MAX && page != here {
            return;
        }
        if let Some(place) = self.buffer.get_mut(word.wrapping_sub(here) as usize) {
            // In step, another write may have brought the word's other byte.
            *place = if part.in_step { *place & data } else { data };
        }
        self.data = data;
        self.sequence = Sequence::BufferData {
            sector,
            page: here,
            left,
        };
    }
}
