//! Numbers that carry their unit and their trust.

use core::fmt;

/// An intermediate physical address: what the guest's stage 1 puts out, as its board's bus
/// sees it. A guest chooses it; it means nothing until a window claims it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ipa(pub u64);

impl Ipa {
    /// This address `bytes` further on, wrapping as a 64-bit bus address does.
    #[must_use]
    pub const fn wrapping_add(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl fmt::Debug for Ipa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

impl fmt::Display for Ipa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A physical address of the host SoC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HostPa(pub u64);

impl fmt::Debug for HostPa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

impl fmt::Display for HostPa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A moment of a board's life, in nanoseconds since its reset.
///
/// Board time runs while the VM is descheduled and stands still while it is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// The board's reset.
    pub const ZERO: Self = Self(0);

    /// The moment `ns` nanoseconds later, or the end of time (584 years on).
    #[must_use]
    pub const fn saturating_add(self, ns: u64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// Nanoseconds from `earlier` to this moment; 0 if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Ticks of a clock of `hz` hertz in `ns` nanoseconds, rounded down.
///
/// Exact for every input; a result above `u64::MAX` saturates.
#[must_use]
#[inline]
pub fn ticks_in(ns: u64, hz: u64) -> u64 {
    if hz >= SLOW {
        return ticks_in_wide(ns, hz);
    }
    // The part of a second, below 2^30, times the rate does not overflow.
    let part = (ns % NS).wrapping_mul(hz) / NS;
    (ns / NS).saturating_mul(hz).saturating_add(part)
}

/// Nanoseconds in a second.
const NS: u64 = 1_000_000_000;
/// Below this rate in hertz, times of up to a second can be scaled in 64 bits.
const SLOW: u64 = 1 << 34;

#[cold]
fn ticks_in_wide(ns: u64, hz: u64) -> u64 {
    let ticks = u128::from(ns).wrapping_mul(u128::from(hz)) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The least number of nanoseconds in which a clock of `hz` hertz ticks `ticks` times.
///
/// The inverse of [`ticks_in`]: `ticks_in(ns_for(t, hz), hz) >= t`. A clock of 0 Hz never
/// gets there: the result saturates.
#[must_use]
pub fn ns_for(ticks: u64, hz: u64) -> u64 {
    if hz == 0 || hz >= SLOW {
        return ns_for_wide(ticks, hz);
    }
    let (seconds, rest) = (ticks.checked_div(hz), ticks.checked_rem(hz));
    let part = rest.unwrap_or(0).wrapping_mul(NS).div_ceil(hz);
    seconds.unwrap_or(0).saturating_mul(NS).saturating_add(part)
}

#[cold]
fn ns_for_wide(ticks: u64, hz: u64) -> u64 {
    let ns = u128::from(ticks)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(u128::from(hz.saturating_sub(1)))
        .checked_div(u128::from(hz));
    ns.and_then(|ns| u64::try_from(ns).ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_reached_at_its_nanosecond_and_not_before() {
        for (ticks, hz) in [
            (1, 3),
            (7, 24_000_000),
            (1 << 40, 62_500_000),
            (12345, 999_999_937),
        ] {
            let ns = ns_for(ticks, hz);
            assert!(ticks_in(ns, hz) >= ticks);
            assert!(ticks_in(ns - 1, hz) < ticks);
        }
    }

    #[test]
    fn short_and_wide_arithmetic_agree() {
        let values = |step: u64| {
            (0..64).flat_map(move |n| {
                [0, 1, 999_999_999, 1_000_000_000, u64::MAX]
                    .map(|add: u64| (1_u64 << n).wrapping_mul(step).wrapping_add(add))
            })
        };
        for hz in [1, 3, 32_768, 1_000_000, 24_000_000, 62_500_000, SLOW - 1] {
            for value in values(1).chain(values(0x9e37_79b9_7f4a_7c15)) {
                assert_eq!(
                    ticks_in(value, hz),
                    ticks_in_wide(value, hz),
                    "{value} {hz}"
                );
                assert_eq!(ns_for(value, hz), ns_for_wide(value, hz), "{value} {hz}");
            }
        }
    }

    #[test]
    fn a_stopped_clock_never_ticks() {
        assert_eq!(ns_for(1, 0), u64::MAX);
        assert_eq!(ticks_in(u64::MAX, 0), 0);
    }
}
