//! Erases of sectors and of the chip: the time-out before them, suspension, and their steps
//! (S29GL-P_00_A7, 7.7.4 to 7.7.6).

use super::{Chip, DYB, PPB, QUEUED};
use crate::emul::Cx;
use crate::emul::cfi_flash::array::Lanes;
use crate::emul::cfi_flash::chip::Part;
use crate::units::Instant;

/// How long a sector erase waits for further sectors (7.7.4).
const TIME_OUT_NS: u64 = 50_000;

/// An erase that is under way or suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Erase {
    /// All sectors, with no time-out before it.
    pub chip: bool,
    /// Until when further sectors are taken.
    pub opens_until: u64,
    /// Until when the part is busy at least; while suspended, the nanoseconds that are left.
    pub until: u64,
    pub suspended: bool,
    /// The first sector that may be left to erase, and how many of its words have been.
    pub sector: u32,
    pub done: u32,
}

impl Chip {
    pub fn is_erasing(&self, now: Instant) -> bool {
        self.erase.is_some_and(|erase| {
            !erase.suspended && now.0 >= erase.opens_until && self.is_left(&erase)
        })
    }

    pub(super) fn is_left(&self, erase: &Erase) -> bool {
        (erase.sector as usize) < self.sectors.len()
    }

    /// A write while an erase is under way; true if it is dealt with.
    pub(super) fn write_while_erasing(
        &mut self,
        now: Instant,
        part: &Part,
        word: u32,
        command: u8,
    ) -> bool {
        let Some(erase) = self.erase.filter(|erase| !erase.suspended) else {
            return false;
        };
        let open = now.0 < erase.opens_until;
        match command {
            0xb0 if !erase.chip => {
                self.erase = Some(Erase {
                    suspended: true,
                    until: erase.until.saturating_sub(now.0.max(erase.opens_until)),
                    ..erase
                });
            }
            0x30 if open => self.queue(now, part, part.block_of(word)),
            // Anything else gives the erase up while it has not begun (7.7.4).
            _ if open => self.end_erase(),
            _ => {}
        }
        true
    }

    pub(super) fn begin_erase(
        &mut self,
        now: Instant,
        part: &Part,
        sector: u32,
        command: u8,
        whole: bool,
    ) {
        let mut erase = Erase {
            chip: false,
            opens_until: now.0,
            until: now.0,
            suspended: false,
            sector: part.blocks,
            done: 0,
        };
        match command {
            0x30 => {
                self.erase = Some(erase);
                self.queue(now, part, sector);
            }
            0x10 if whole => {
                for sector in &mut self.sectors {
                    if *sector & (DYB | PPB) == 0 {
                        *sector |= QUEUED;
                    }
                }
                erase.chip = true;
                erase.sector = 0;
                let all = part.erase_ns.saturating_mul(part.blocks.into());
                erase.until = now.saturating_add(all).0;
                self.erase = Some(erase);
            }
            _ => self.read_array(),
        }
    }

    /// One more sector to erase; the time-out begins anew. A protected one is passed over.
    pub(super) fn queue(&mut self, now: Instant, part: &Part, number: u32) {
        let protected = self.is_protected(number);
        let (Some(erase), Some(sector)) = (&mut self.erase, self.sectors.get_mut(number as usize))
        else {
            return;
        };
        let busy = erase.until.saturating_sub(erase.opens_until);
        let news = !protected && *sector & QUEUED == 0;
        if news {
            *sector |= QUEUED;
            erase.sector = erase.sector.min(number);
        }
        let more = if news { part.erase_ns } else { 0 };
        erase.opens_until = now.saturating_add(TIME_OUT_NS).0;
        erase.until = erase.opens_until.saturating_add(busy).saturating_add(more);
    }

    pub(super) fn end_erase(&mut self) {
        self.erase = None;
        self.sectors
            .iter_mut()
            .for_each(|sector| *sector &= !QUEUED);
    }

    pub(super) fn resume(&mut self, now: Instant) {
        if let Some(erase) = &mut self.erase {
            erase.suspended = false;
            erase.opens_until = now.0.min(erase.opens_until);
            erase.until = now.saturating_add(erase.until).0;
        }
    }

    /// Goes on with what is under way: erases at most `words` words.
    pub fn advance(&mut self, cx: &Cx<'_>, part: &Part, lanes: Lanes, lane: u32, words: u32) {
        if self.program.is_some_and(|until| until <= cx.now.0) {
            self.program = None;
        }
        let Some(erase) = &mut self.erase else {
            return;
        };
        if erase.suspended || cx.now.0 < erase.opens_until {
            return;
        }
        if let Some(sector) = self.sectors.get(erase.sector as usize) {
            if sector & QUEUED != 0 {
                let first = erase.sector.wrapping_shl(part.block_log2);
                let count = part.block_words().wrapping_sub(erase.done).min(words);
                let from = first.wrapping_add(erase.done);
                if lanes.update(cx, lane, from, count, |_, _| 0xffff).is_err() {
                    (self.failed, self.data) = (true, 0xff);
                    self.end_erase();
                    return;
                }
                erase.done = erase.done.wrapping_add(count);
                if erase.done < part.block_words() {
                    return;
                }
            }
            // To the next one that is queued: each is passed by once an erase.
            erase.done = 0;
            let rest = self.sectors.iter().skip(erase.sector as usize).skip(1);
            let passed = rest.take_while(|sector| **sector & QUEUED == 0).count() as u32;
            erase.sector = erase.sector.wrapping_add(1).wrapping_add(passed);
        }
        if (erase.sector as usize) >= self.sectors.len() && erase.until <= cx.now.0 {
            self.end_erase();
        }
    }

    /// When the chip's state next changes by itself; an erase with words left is due at once.
    pub fn deadline(&self) -> Option<Instant> {
        if self.program.is_some() {
            return self.program.map(Instant);
        }
        let erase = self.erase.filter(|erase| !erase.suspended)?;
        Some(Instant(if self.is_left(&erase) {
            erase.opens_until
        } else {
            erase.until
        }))
    }
}
