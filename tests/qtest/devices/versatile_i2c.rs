use crate::compare;
use crate::target::{ALL, Known, Lines, Target, VEXPRESS_A9};

const TARGET: Target = Target {
    compatible: "arm,versatile-i2c",
    device: "i2c0",
    lines: Lines::None,
    // QEMU begins with both wires low; at rest they are high.
    first: &[("SB_CONTROLS", 3)],
    known: &[
        Known::ours("SB_CONTROLC", ALL, "it is write-only (DUI 0447, 4.5)").theirs(0xffff_ffff),
    ],
    ..VEXPRESS_A9
};

#[test]
fn versatile_i2c() {
    compare(&TARGET);
}
