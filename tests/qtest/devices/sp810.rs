use crate::compare;
use crate::target::{ALL, Known, Lines, Target, VEXPRESS_A9};

/// QEMU's is a stub: one register, and no identification.
const STUB: &str = "QEMU has SCCTRL alone (DDI 0254B, 3.1)";

const TARGET: Target = Target {
    compatible: "arm,sp810",
    device: "sysctl@1000",
    lines: Lines::None,
    known: &[
        Known::ours("SCCTRL", ALL, STUB),
        Known::ours("SCIMCTRL", ALL, STUB),
        Known::ours("SCIMSTAT", ALL, STUB),
        Known::ours("SCXTALCTRL", ALL, STUB),
        Known::ours("SCPLLCTRL", ALL, STUB),
        Known::ours("SCPLLFCTRL", ALL, STUB),
        Known::ours("SCPERCTRL0", ALL, STUB),
        Known::ours("SCPERCTRL1", ALL, STUB),
        Known::ours("SCPERCLKEN", ALL, STUB),
        Known::ours("SCPERSTAT", ALL, STUB),
        Known::ours("PeriphID", ALL, STUB),
        Known::ours("PCellID", ALL, STUB),
    ],
    ..VEXPRESS_A9
};

#[test]
fn sp810() {
    compare(&TARGET);
}
