//! One of the SP804's timers: a 32-bit down counter, its control and its interrupt.

use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};
use crate::units::{Instant, ns_for, ticks_in};

/// TimerXControl's bits (DDI 0271D).
const ONE_SHOT: u8 = 1 << 0;
const SIZE_32: u8 = 1 << 1;
const PRESCALE_SHIFT: u32 = 2;
const INT_ENABLE: u8 = 1 << 5;
const PERIODIC: u8 = 1 << 6;
const ENABLE: u8 = 1 << 7;
/// Bit 4 is reserved and reads as 0.
const CONTROL_BITS: u8 = !(1 << 4);

/// What a counter does when it has reached 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Stays there.
    OneShot,
    /// Wraps to its largest value.
    FreeRunning,
    /// Goes on from the load register.
    Periodic,
}

/// A timer. `count` is the counter at TIMCLK's edge number `tick` since `origin`; what it is later
/// follows from the clock.
pub(super) struct Counter {
    hz: u64,
    count: u32,
    /// An edge of TIMCLK, and of the prescaler: when the timer was last loaded or enabled.
    origin: Instant,
    tick: u64,
    /// TimerXLoad and TimerXBGLoad read and write the same value; only the former restarts.
    reload: u32,
    control: u8,
    raw: bool,
}

impl Counter {
    pub(super) const fn new(hz: u64) -> Self {
        Self {
            hz,
            count: u32::MAX,
            origin: Instant::ZERO,
            tick: 0,
            reload: 0,
            control: INT_ENABLE,
            raw: false,
        }
    }

    pub(super) const fn reload(&self) -> u32 {
        self.reload
    }

    pub(super) const fn value(&self) -> u32 {
        self.count
    }

    pub(super) const fn control(&self) -> u8 {
        self.control
    }

    pub(super) const fn raw(&self) -> bool {
        self.raw
    }

    pub(super) const fn interrupt(&self) -> bool {
        self.raw && self.control & INT_ENABLE != 0
    }

    pub(super) const fn clear_interrupt(&mut self) {
        self.raw = false;
    }

    pub(super) const fn set_reload(&mut self, value: u32) {
        self.reload = value;
    }

    /// Takes a new control word; `advance(now)` has been called.
    pub(super) const fn set_control(&mut self, now: Instant, value: u8) {
        let (enabled, prescale) = (self.is_enabled(), self.prescale());
        self.control = value & CONTROL_BITS;
        if self.is_enabled() && (!enabled || self.prescale() != prescale) {
            self.begin(now);
        }
    }

    /// An edge is now.
    const fn begin(&mut self, now: Instant) {
        self.origin = now;
        self.tick = 0;
    }

    /// Restarts from `value`; `advance(now)` has been called.
    pub(super) const fn load(&mut self, now: Instant, value: u32) {
        self.reload = value;
        self.count = value;
        self.begin(now);
        if self.is_enabled() && value & self.mask() == 0 {
            self.raw = true;
        }
    }

    const fn is_enabled(&self) -> bool {
        self.control & ENABLE != 0
    }

    const fn mode(&self) -> Mode {
        match (self.control & ONE_SHOT != 0, self.control & PERIODIC != 0) {
            (true, _) => Mode::OneShot,
            (false, false) => Mode::FreeRunning,
            (false, true) => Mode::Periodic,
        }
    }

    /// The counting bits: in 16-bit mode the upper half of the counter stands still.
    const fn mask(&self) -> u32 {
        if self.control & SIZE_32 != 0 {
            u32::MAX
        } else {
            0xffff
        }
    }

    /// TIMCLK's edges to one step of the counter, as a power of two.
    const fn prescale(&self) -> u32 {
        match self.control >> PRESCALE_SHIFT & 3 {
            0 => 0,
            1 => 4,
            _ => 8,
        }
    }

    /// Steps that the prescaler gives from the edge `self.tick` to the edge `tick`.
    const fn steps_to(&self, tick: u64) -> u64 {
        (tick >> self.prescale()).saturating_sub(self.tick >> self.prescale())
    }

    /// Steps until the counter next reaches 0; `None` if it never does.
    const fn steps_to_zero(&self) -> Option<u64> {
        let count = (self.count & self.mask()) as u64;
        match (count, self.mode()) {
            (0, Mode::OneShot) => None,
            (0, Mode::FreeRunning) => Some((self.mask() as u64).wrapping_add(1)),
            // A step takes it to the load value, from there it counts. (With a load value of
            // 0 that step ends at 0 again.)
            (0, Mode::Periodic) => Some(((self.reload & self.mask()) as u64).wrapping_add(1)),
            (count, _) => Some(count),
        }
    }

    /// The counter `steps` on, in its mode.
    fn count_after(&self, steps: u64) -> u32 {
        let mask = self.mask();
        let count = self.count & mask;
        match self.mode() {
            Mode::OneShot => {
                let left = u64::from(count).saturating_sub(steps) as u32;
                self.count & !mask | left
            }
            Mode::FreeRunning => self.count & !mask | count.wrapping_sub(steps as u32) & mask,
            Mode::Periodic => {
                // Steps since the counter was first reloaded.
                let reloaded = if count == 0 {
                    steps.checked_sub(1)
                } else {
                    steps.checked_sub(u64::from(count))
                };
                match reloaded {
                    None => self.count.wrapping_sub(steps as u32),
                    Some(since) => {
                        let period = u64::from(self.reload & mask);
                        let into = since.checked_rem(period).unwrap_or(0);
                        self.reload.wrapping_sub(into as u32)
                    }
                }
            }
        }
    }

    /// Brings the counter up to `now`.
    pub(super) fn advance(&mut self, now: Instant) {
        let tick = ticks_in(now.since(self.origin), self.hz);
        if tick <= self.tick {
            return;
        }
        let steps = self.steps_to(tick);
        if self.is_enabled() && steps > 0 {
            self.raw |= self.steps_to_zero().is_some_and(|zero| steps >= zero);
            self.count = self.count_after(steps);
        }
        self.tick = tick;
    }

    /// When the interrupt next rises.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if !self.is_enabled() || self.raw || self.control & INT_ENABLE == 0 || self.hz == 0 {
            return None;
        }
        let prescale = self.prescale();
        let step = (self.tick >> prescale).saturating_add(self.steps_to_zero()?);
        let tick = u64::try_from(u128::from(step) << prescale).unwrap_or(u64::MAX);
        Some(self.origin.saturating_add(ns_for(tick, self.hz)))
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.u32(self.count);
        out.u64(self.origin.0);
        out.u64(self.tick);
        out.u32(self.reload);
        out.u8(self.control);
        out.bool(self.raw);
    }

    pub(super) fn load_state(hz: u64, from: &mut Reader<'_>) -> Result<Self, Refusal> {
        let counter = Self {
            hz,
            count: from.u32()?,
            origin: Instant(from.u64()?),
            tick: from.u64()?,
            reload: from.u32()?,
            control: from.u8()?,
            raw: from.bool()?,
        };
        if counter.control & !CONTROL_BITS == 0 {
            Ok(counter)
        } else {
            Err(Refusal::BadState)
        }
    }
}
