use crate::compare;
use crate::target::{ALL, Known, Never, Target, VEXPRESS_A9};

/// Periodic, of 32 bits, so that QEMU loads what is written.
const TARGET: Target = Target {
    compatible: "arm,sp804",
    device: "timer@11000",
    first: &[
        ("Timer1Control", 0x62),
        ("Timer2Control", 0x62),
        ("Timer1Load", 9),
        ("Timer2Load", 9),
    ],
    values: |register, random, _| match register {
        "Timer1Control" | "Timer2Control" => Some(random.value() & 0xff | 0x42),
        "Timer1Load" | "Timer2Load" => Some((random.value() & 0xffff_ffff).max(2)),
        _ => None,
    },
    known: &[
        Known::both(
            "Timer1Control",
            0x10,
            "bit 4 is reserved (DDI 0271D, 3.3.3)",
        ),
        Known::both("Timer2Control", 0x10, "as above"),
        Known::both(
            "Timer1Value",
            ALL,
            "QEMU rounds a tick that is under way down",
        )
        .within(1),
        Known::both("Timer2Value", ALL, "as above").within(1),
    ],
    never: &[
        Never::written(
            "Timer1BGLoad",
            "QEMU loads it when the timer is enabled again",
        ),
        Never::written("Timer2BGLoad", "as above"),
        Never::written("TimerITCR", "QEMU has no integration test (DDI 0271D, 3.4)"),
    ],
    ..VEXPRESS_A9
};

#[test]
fn sp804() {
    compare(&TARGET);
}
