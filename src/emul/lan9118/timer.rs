//! The general purpose timer (data sheet, 3.7, 5.3.14 and 5.3.15): down from GPT_LOAD every
//! 100 microseconds; past 0 it wraps to 0xffff, tells so, and goes on.

use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;

const ENABLE: u32 = 1 << 29;
const LOAD: u32 = 0xffff;
const TICK_NS: u64 = 100_000;
const ROUND: u64 = 1 << 16;

#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    config: u32,
    /// When it was loaded.
    since: Instant,
    /// How often it has wrapped, as far as that was told.
    wraps: u64,
}

impl Timer {
    pub(super) const RESET: Self = Self {
        config: LOAD,
        since: Instant::ZERO,
        wraps: 0,
    };

    pub(super) const fn config(&self) -> u32 {
        self.config
    }

    const fn runs(&self) -> bool {
        self.config & ENABLE != 0
    }

    const fn load_value(&self) -> u64 {
        (self.config & LOAD) as u64
    }

    /// A write loads it anew.
    pub(super) fn set_config(&mut self, now: Instant, value: u32) {
        *self = Self {
            config: value & (ENABLE | LOAD),
            since: now,
            wraps: 0,
        };
    }

    const fn ticks(&self, now: Instant) -> u64 {
        now.since(self.since) / TICK_NS
    }

    /// It stands at 0xffff while it is off.
    pub(super) const fn count(&self, now: Instant) -> u32 {
        if !self.runs() {
            return LOAD;
        }
        self.load_value().wrapping_sub(self.ticks(now)) as u32 & LOAD
    }

    /// True if it has wrapped since it was last asked.
    pub(super) const fn advance(&mut self, now: Instant) -> bool {
        if !self.runs() {
            return false;
        }
        let past = self.ticks(now).wrapping_add(LOAD as u64);
        let wraps = past.wrapping_sub(self.load_value()) / ROUND;
        let wrapped = wraps > self.wraps;
        self.wraps = wraps;
        wrapped
    }

    /// When it wraps next.
    pub(super) const fn wraps_at(&self) -> Option<Instant> {
        if !self.runs() {
            return None;
        }
        let first = self.load_value().wrapping_add(1);
        let ticks = first.saturating_add(self.wraps.saturating_mul(ROUND));
        Some(self.since.saturating_add(ticks.saturating_mul(TICK_NS)))
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.u32(self.config);
        out.u64(self.since.0);
        out.u64(self.wraps);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            config: from.u32()? & (ENABLE | LOAD),
            since: Instant(from.u64()?),
            wraps: from.u64()?,
        })
    }
}
