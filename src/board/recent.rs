//! The last device accesses, for a VM's report. Every access leaves its record here, so a record
//! is as short as it can be; what follows from the plan is filled in when somebody asks.

use super::plan::Window;
use super::{RECENT, RecentAccess};
use crate::access::{Initiator, Width};
use crate::units::{Instant, Ipa};

/// No window.
const NONE: u16 = u16::MAX;

#[derive(Clone, Copy)]
struct Record {
    at: Instant,
    ipa: Ipa,
    value: u64,
    window: u16,
    initiator: Initiator,
    width: Width,
    write: bool,
    refused: bool,
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
            window: NONE,
            initiator: Initiator::Cpu(0),
            width: Width::Byte,
            write: false,
            refused: false,
        };
        Self {
            records: [none; RECENT],
            count: 0,
        }
    }

    /// Notes an access; the oldest one is forgotten.
    #[inline]
    pub(super) fn note(&mut self, access: &RecentAccess) {
        if let Some(record) = self.records.get_mut(self.count % RECENT) {
            *record = Record {
                at: access.at,
                ipa: access.ipa,
                value: access.value,
                window: access.window.map_or(NONE, |window| window as u16),
                initiator: access.initiator,
                width: access.width,
                write: access.write,
                refused: access.refused,
            };
        }
        self.count = self.count.wrapping_add(1);
    }

    /// Corrects the value of the latest one.
    pub(super) fn correct(&mut self, value: u64) {
        let latest = self.count.wrapping_sub(1) % RECENT;
        if let Some(record) = self.records.get_mut(latest) {
            record.value = value & record.width.mask();
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
                initiator: record.initiator,
                window: claimed.map(|_| window),
                ipa: record.ipa,
                offset: claimed.map_or(0, |w| record.ipa.0.wrapping_sub(w.at.0)),
                write: record.write,
                width: record.width,
                value: record.value,
                refused: record.refused,
            }
        })
    }
}
