//! The generic timer's physical half, CNTP and CNTPCT, on the board's clock (DDI 0487, D11).
//!
//! The virtual half is hardware: CNTVOFF_EL2 makes CNTVCT the board's clock. CNTHCTL_EL2 traps
//! the physical half, so that both show the same clock. CNTP is banked by security state; a
//! guest is in one state for its whole life, and the map says in which.

use crate::units::{Instant, ns_for};

const ENABLE: u32 = 1 << 0;
const IMASK: u32 = 1 << 1;
const ISTATUS: u32 = 1 << 2;

/// CNTP of one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhysicalTimer {
    control: u32,
    compare: u64,
}

/// A register of the physical timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerRegister {
    /// CNTPCT: the counter.
    Counter,
    /// CNTP_TVAL.
    Value,
    /// CNTP_CTL.
    Control,
    /// CNTP_CVAL.
    Compare,
}

impl PhysicalTimer {
    /// Reads a register when the counter is at `ticks`.
    pub fn read(&self, register: TimerRegister, ticks: u64) -> u64 {
        match register {
            TimerRegister::Counter => ticks,
            TimerRegister::Value => u64::from(self.compare.wrapping_sub(ticks) as u32),
            TimerRegister::Control => {
                let met = self.condition(ticks) && self.control & ENABLE != 0;
                u64::from(self.control | if met { ISTATUS } else { 0 })
            }
            TimerRegister::Compare => self.compare,
        }
    }

    /// Writes a register when the counter is at `ticks`. CNTPCT takes no write.
    pub fn write(&mut self, register: TimerRegister, ticks: u64, value: u64) {
        match register {
            TimerRegister::Counter => {}
            TimerRegister::Value => {
                self.compare =
                    ticks.wrapping_add(i64::from((value as u32).cast_signed()).cast_unsigned());
            }
            TimerRegister::Control => self.control = value as u32 & (ENABLE | IMASK),
            TimerRegister::Compare => self.compare = value,
        }
    }

    const fn condition(&self, ticks: u64) -> bool {
        ticks >= self.compare
    }

    /// The level of its output.
    pub const fn output(&self, ticks: u64) -> bool {
        self.control & (ENABLE | IMASK) == ENABLE && self.condition(ticks)
    }

    /// When its output rises, if that is to come.
    pub fn deadline(&self, ticks: u64, hz: u64) -> Option<Instant> {
        let running = self.control & (ENABLE | IMASK) == ENABLE;
        (running && !self.condition(ticks)).then(|| Instant(ns_for(self.compare, hz)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_rises_at_the_compare_value_and_falls_when_masked() {
        let mut t = PhysicalTimer::default();
        t.write(TimerRegister::Value, 1000, 50);
        t.write(TimerRegister::Control, 1000, 1);
        assert_eq!(t.read(TimerRegister::Compare, 1000), 1050);
        assert_eq!(t.read(TimerRegister::Control, 1049), 1);
        assert!(!t.output(1049) && t.output(1050));
        assert_eq!(t.read(TimerRegister::Control, 1050), 5);
        t.write(TimerRegister::Control, 1050, 3);
        assert!(!t.output(1050));
        assert_eq!(
            t.read(TimerRegister::Control, 1050),
            7,
            "masked, but the condition is met"
        );
    }

    #[test]
    fn a_negative_timer_value_has_already_passed() {
        let mut t = PhysicalTimer::default();
        t.write(TimerRegister::Control, 0, 1);
        t.write(TimerRegister::Value, 1000, 0xffff_ffff);
        assert_eq!(t.read(TimerRegister::Compare, 0), 999);
        assert!(t.output(1000));
        assert_eq!(t.read(TimerRegister::Value, 1001), 0xffff_fffe);
    }

    #[test]
    fn the_deadline_is_the_first_nanosecond_at_which_the_output_is_high() {
        let mut t = PhysicalTimer::default();
        assert_eq!(t.deadline(0, 62_500_000), None);
        t.write(TimerRegister::Compare, 0, 100);
        t.write(TimerRegister::Control, 0, 1);
        assert_eq!(t.deadline(0, 62_500_000), Some(Instant(1600)));
        assert_eq!(t.deadline(100, 62_500_000), None);
        t.write(TimerRegister::Compare, 0, u64::MAX);
        assert_eq!(t.deadline(0, 1), Some(Instant(u64::MAX)), "the end of time");
    }
}
