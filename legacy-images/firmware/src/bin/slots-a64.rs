//! Board virt-v8: when its core is there for it. It does nothing but read the counter, and notes where
//! time is missing: there another VM had the core. It ends after 500 slots.
//!
//! Under `--icount` a nanosecond is an instruction; CNTVCT (DDI 0487, D13.8.31) counts 62.5 MHz.
#![no_std]
#![no_main]

use core::arch::asm;
use firmware::arm64::{Frame, unexpected};
use firmware::{VIRT_V8, check, println, sysreg};

/// How many slots it watches, besides the first two.
const SLOTS: u64 = 500;

/// What is missing at least, in nanoseconds: more than a trap that comes back at once.
const GAP_NS: u64 = 100_000;
/// Two slots of a millisecond.
const FRAME_NS: u64 = 2_000_000;

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    unexpected(vector, frame);
}

fn count() -> u64 {
    let now;
    // SAFETY: a read of the counter, in its place.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) now, options(nomem, nostack)) }
    now
}

/// The least and the most that was seen.
struct Range(i64, i64);

impl Range {
    const fn new() -> Self {
        Self(i64::MAX, i64::MIN)
    }

    fn see(&mut self, value: i64) {
        *self = Self(self.0.min(value), self.1.max(value));
    }
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("slots-a64", &VIRT_V8);
    let hz = sysreg!("cntfrq_el0");
    let ticks = |ns: u64| (ns * hz / 1_000_000_000) as i64;
    let ns = |ticks: i64| ticks * 1_000_000_000 / hz as i64;
    let (gap_at, frame) = (ticks(GAP_NS), ticks(FRAME_NS));
    let (mut starts, mut runs, mut gaps) = (Range::new(), Range::new(), Range::new());
    let (mut slots, mut first, mut start) = (0u64, 0i64, 0i64);
    let mut before = count() as i64;
    while slots < SLOTS + 2 {
        let now = count() as i64;
        let gap = now - before;
        if gap > gap_at {
            // The first slots begin with the program, not with the slot.
            if slots == 2 {
                first = now;
            } else if slots > 2 {
                // By how much it is off the row that the first one began.
                let off = (now - first + frame / 2).rem_euclid(frame) - frame / 2;
                starts.see(off);
                runs.see(before - start);
                gaps.see(gap);
            }
            (slots, start) = (slots + 1, now);
        }
        before = now;
    }
    println!("slots {slots}");
    println!("starts off by {} to {} ns", ns(starts.0), ns(starts.1));
    println!("runs {} to {} ns", ns(runs.0), ns(runs.1));
    println!("gaps {} to {} ns", ns(gaps.0), ns(gaps.1));
    checks.equal("slots", slots, SLOTS + 2);
    checks.finish()
}
