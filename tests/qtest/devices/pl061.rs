use crate::compare;
use crate::target::{ALL, Input, Known, Never, Target, VEXPRESS_A9};

const fn pin(n: u16) -> Input {
    Input {
        ours: n,
        theirs: ("pl061", n),
    }
}

const TARGET: Target = Target {
    compatible: "arm,pl061",
    board: "realview-pb-a8",
    machine: &["-M", "realview-pb-a8"],
    device: "gpio@10013000",
    inputs: &[
        pin(0),
        pin(1),
        pin(2),
        pin(3),
        pin(4),
        pin(5),
        pin(6),
        pin(7),
    ],
    never: &[
        Never::written("GPIOITCR", "QEMU has no integration test (DDI 0190B, 4.3)"),
        Never::written("GPIODIR", "QEMU's interrupts do not see outputs"),
        Never::written("GPIODATA", "QEMU drops what is written for an input"),
        Never::written("GPIOIS", "QEMU lets GPIOIC end a level"),
    ],
    known: &[
        Known::ours(
            "GPIOITIP2",
            ALL,
            "QEMU has no integration test (DDI 0190B, 4.3)",
        ),
        Known::ours("GPIOITOP2", ALL, "as above"),
        Known::ours("GPIOITOP3", ALL, "as above"),
    ],
    ..VEXPRESS_A9
};

#[test]
fn pl061() {
    compare(&TARGET);
}
