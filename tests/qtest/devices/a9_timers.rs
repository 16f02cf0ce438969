//! The global timer is not among them: QEMU's asks which CPU accesses it, and an access by qtest
//! is no CPU's.

use crate::compare;
use crate::play::Random;
use crate::target::{Done, Known, Never, Target, VEXPRESS_A9};

/// A count of 0 reloads at the next tick, which does not come here; QEMU's is at once. QEMU limits how
/// fast a timer with a small count is.
fn values(register: &str, random: &mut Random, _: &[Done]) -> Option<u64> {
    let counts = register.ends_with("Counter") || register.ends_with("Load");
    counts.then(|| random.value() & 0xffff_ffff | 0x1001)
}

const TIMER: Target = Target {
    compatible: "arm,cortex-a9-twd-timer",
    device: "timer@1e000600",
    values,
    known: &[Known::ours(
        "Private Timer Control",
        0xffff_00f8,
        "reserved (DDI 0407I, 4.1.3)",
    )],
    ..VEXPRESS_A9
};

const WATCHDOG: Target = Target {
    compatible: "arm,cortex-a9-twd-wdt",
    device: "watchdog@1e000620",
    values,
    never: &[Never::new(
        "Watchdog Control",
        8,
        "QEMU's has no watchdog mode",
    )],
    known: &[Known::ours(
        "Watchdog Control",
        0xffff_00f0,
        "reserved (DDI 0407I, 4.1.7)",
    )],
    ..VEXPRESS_A9
};

#[test]
fn private_timer_of_a_cortex_a9() {
    compare(&TIMER);
}

#[test]
fn watchdog_of_a_cortex_a9() {
    compare(&WATCHDOG);
}
