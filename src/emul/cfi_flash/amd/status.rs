//! The status that reads tell while the chip is at work (S29GL-P_00_A7, 7.8).

use super::{Chip, Mode, Sequence};
use crate::units::Instant;

const DQ7: u16 = 1 << 7;
const DQ6: u16 = 1 << 6;
const DQ5: u16 = 1 << 5;
const DQ3: u16 = 1 << 3;
const DQ2: u16 = 1 << 2;
const DQ1: u16 = 1 << 1;

impl Chip {
    /// The status that a read gets instead of data (7.8, table 7.19), if it does.
    pub(super) fn status(&mut self, now: Instant, sector: u32) -> Option<u16> {
        let not_data = !self.data & DQ7;
        let aborted = matches!(
            self.sequence,
            Sequence::Aborted | Sequence::AbortedUnlock | Sequence::AbortedUnlocked
        );
        if self.failed || aborted || self.program.is_some() {
            self.toggle_6 = !self.toggle_6;
            let failed = if self.failed { DQ5 } else { 0 };
            let abort = if aborted { DQ1 } else { 0 };
            return Some(not_data | self.toggled() & DQ6 | failed | abort);
        }
        let erase = self.erase?;
        let queued = erase.chip || self.is_queued(sector);
        if queued && (!erase.suspended || self.mode == Mode::Array) {
            self.toggle_2 = !self.toggle_2;
        }
        if erase.suspended {
            let status = queued && self.mode == Mode::Array;
            return status.then(|| DQ7 | self.toggled() & DQ2);
        }
        self.toggle_6 = !self.toggle_6;
        let timer = if now.0 >= erase.opens_until { DQ3 } else { 0 };
        Some(self.toggled() | timer)
    }

    pub(super) fn toggled(&self) -> u16 {
        let bit = |is, bit| if is { bit } else { 0 };
        bit(self.toggle_6, DQ6) | bit(self.toggle_2, DQ2)
    }
}
