//! The last device accesses, for a VM's report. Every access leaves its record here, so a record
//! is as short as it can be; what follows from the plan is filled in when somebody asks.

use super::plan::Window;
use super::{RECENT, RecentAccess, Transaction};
use crate::access::{Initiator, Security, Width};
use crate::units::{Instant, Ipa};

/// No window.
const NONE: u16 = u16::MAX;

#[derive(Clone, Copy)]
struct Record {
    at: Instant,
    ipa: Ipa,
    value: u64,
    /// The window's number, then from bit 16 on [`WRITE`], [`REFUSED`] and [`MASTER`], the width
    /// from bit 24 on and the initiator's number from bit 32 on.
    tag: u64,
}

const WRITE: u64 = 1 << 16;
const REFUSED: u64 = 1 << 17;
const MASTER: u64 = 1 << 18;

/// What a record says of a transaction.
#[inline]
const fn tag(window: u16, flags: u64, how: Transaction) -> u64 {
    let (master, number) = match how.initiator {
        Initiator::Cpu(n) => (0, n),
        Initiator::Master(n) => (MASTER, n),
    };
    window as u64 | flags | master | (how.width as u64) << 24 | (number as u64) << 32
}

impl Record {
    const fn width(&self) -> Width {
        match self.tag >> 24 & 3 {
            0 => Width::Byte,
            1 => Width::Half,
            2 => Width::Word,
            _ => Width::Double,
        }
    }

    const fn initiator(&self) -> Initiator {
        let number = (self.tag >> 32) as u8;
        if self.tag & MASTER == 0 {
            Initiator::Cpu(number)
        } else {
            Initiator::Master(number)
        }
    }
}

/// The last [`RECENT`] accesses.
pub(super) struct Recent {
    records: [Record; RECENT],
    /// How many there were, at all.
    count: usize,
}

impl Recent {
    pub(super) const fn new() -> Self {
        let none = Record {
            at: Instant::ZERO,
            ipa: Ipa(0),
            value: 0,
            tag: NONE as u64,
        };
        Self {
            records: [none; RECENT],
            count: 0,
        }
    }

    /// Notes an access; the oldest one is forgotten.
    pub(super) fn note(&mut self, access: &RecentAccess) {
        let flags = if access.write { WRITE } else { 0 } | if access.refused { REFUSED } else { 0 };
        let how = Transaction {
            width: access.width,
            initiator: access.initiator,
            security: Security::NonSecure,
            privileged: true,
        };
        self.add(Record {
            at: access.at,
            ipa: access.ipa,
            value: access.value,
            tag: tag(
                access.window.map_or(NONE, |window| window as u16),
                flags,
                how,
            ),
        });
    }

    /// Notes a read that was carried out, of the window `window`.
    #[inline]
    pub(super) fn read(
        &mut self,
        at: Instant,
        ipa: Ipa,
        value: u64,
        window: u16,
        how: Transaction,
    ) {
        self.add(Record {
            at,
            ipa,
            value,
            tag: tag(window, 0, how),
        });
    }

    /// Notes reads of successive words that were carried out, of the window `window`.
    #[inline]
    pub(super) fn reads(
        &mut self,
        at: Instant,
        ipa: Ipa,
        values: &[u32],
        window: u16,
        how: Transaction,
    ) {
        let tag = tag(window, 0, how);
        let mut ipa = ipa;
        for value in values {
            let value = u64::from(*value);
            self.add(Record {
                at,
                ipa,
                value,
                tag,
            });
            ipa = ipa.wrapping_add(how.width.bytes());
        }
    }

    /// Notes a write that was carried out, of the window `window`.
    #[inline]
    pub(super) fn write(
        &mut self,
        at: Instant,
        ipa: Ipa,
        value: u64,
        window: u16,
        how: Transaction,
    ) {
        self.add(Record {
            at,
            ipa,
            value,
            tag: tag(window, WRITE, how),
        });
    }

    #[inline]
    fn add(&mut self, new: Record) {
        if let Some(record) = self.records.get_mut(self.count % RECENT) {
            *record = new;
        }
        self.count = self.count.wrapping_add(1);
    }

    /// Corrects the value of the latest one.
    pub(super) fn correct(&mut self, value: u64) {
        let latest = self.count.wrapping_sub(1) % RECENT;
        if let Some(record) = self.records.get_mut(latest) {
            record.value = value & record.width().mask();
        }
    }

    /// All of them, oldest first; `windows` are the plan's.
    pub(super) fn iter(&self, windows: &[Window]) -> impl Iterator<Item = RecentAccess> {
        let first = self.count.saturating_sub(RECENT);
        let kept = (first..self.count).filter_map(|n| self.records.get(n % RECENT));
        kept.map(|record| {
            let window = usize::from(record.tag as u16);
            let claimed = windows.get(window);
            RecentAccess {
                at: record.at,
                initiator: record.initiator(),
                window: claimed.map(|_| window),
                ipa: record.ipa,
                offset: claimed.map_or(0, |w| record.ipa.0.wrapping_sub(w.at.0)),
                write: record.tag & WRITE != 0,
                width: record.width(),
                value: record.value,
                refused: record.tag & REFUSED != 0,
            }
        })
    }
}
