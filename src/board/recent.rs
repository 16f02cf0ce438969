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
    window: u16,
    /// [`WRITE`] and [`REFUSED`].
    flags: u8,
    how: Transaction,
}

const WRITE: u8 = 1;
const REFUSED: u8 = 2;

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
            window: NONE,
            flags: 0,
            how: Transaction {
                width: Width::Byte,
                initiator: Initiator::Cpu(0),
                security: Security::NonSecure,
                privileged: true,
            },
        };
        Self {
            records: [none; RECENT],
            count: 0,
        }
    }

    /// Notes an access; the oldest one is forgotten.
    pub(super) fn note(&mut self, access: &RecentAccess) {
        let flags = if access.write { WRITE } else { 0 } | if access.refused { REFUSED } else { 0 };
        self.add(Record {
            at: access.at,
            ipa: access.ipa,
            value: access.value,
            window: access.window.map_or(NONE, |window| window as u16),
            flags,
            how: Transaction {
                width: access.width,
                initiator: access.initiator,
                security: Security::NonSecure,
                privileged: true,
            },
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
            window,
            flags: 0,
            how,
        });
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
            window,
            flags: WRITE,
            how,
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
            record.value = value & record.how.width.mask();
        }
    }

    /// All of them, oldest first; `windows` are the plan's.
    pub(super) fn iter(&self, windows: &[Window]) -> impl Iterator<Item = RecentAccess> {
        let first = self.count.saturating_sub(RECENT);
        let kept = (first..self.count).filter_map(|n| self.records.get(n % RECENT));
        kept.map(|record| {
            let window = usize::from(record.window);
            let claimed = windows.get(window);
            RecentAccess {
                at: record.at,
                initiator: record.how.initiator,
                window: claimed.map(|_| window),
                ipa: record.ipa,
                offset: claimed.map_or(0, |w| record.ipa.0.wrapping_sub(w.at.0)),
                write: record.flags & WRITE != 0,
                width: record.how.width,
                value: record.value,
                refused: record.flags & REFUSED != 0,
            }
        })
    }
}
