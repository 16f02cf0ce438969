//! What the system registers of Arm's baseboards have in common: LEDs, flags, and two counters.
//!
//! ARM DUI 0225D (Versatile), DUI 0417D (RealView) and DUI 0447 (Versatile Express) have these at
//! the same offsets with the same meaning; the rest is each board's own, in
//! [`super::versatile_sysreg`] and [`super::vexpress_sysreg`].

use super::Reset;
use super::state::{Reader, Writer};
use crate::access::Refusal;
use crate::units::{Instant, ticks_in};

/// SYS_100HZ.
pub(super) fn count_100hz(now: Instant) -> u32 {
    ticks_in(now.0, 100) as u32
}

/// SYS_24MHZ.
#[inline]
pub(super) fn count_24mhz(now: Instant) -> u32 {
    ticks_in(now.0, 24_000_000) as u32
}

/// What of them is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// SYS_LED, the user LEDs: LED n is bit n.
    pub(super) led: u8,
    /// SYS_FLAGS: a write of it sets bits, one of SYS_FLAGSCLR clears them.
    pub(super) flags: u32,
    /// SYS_NVFLAGS, likewise.
    pub(super) nv_flags: u32,
}

impl State {
    /// SYS_NVFLAGS lives until the power goes.
    pub(super) fn reset(&mut self, kind: Reset) {
        *self = match kind {
            Reset::Cold => Self::default(),
            Reset::Warm => Self {
                nv_flags: self.nv_flags,
                ..Self::default()
            },
        };
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.u8(self.led);
        out.u32(self.flags);
        out.u32(self.nv_flags);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            led: from.u8()?,
            flags: from.u32()?,
            nv_flags: from.u32()?,
        })
    }
}
