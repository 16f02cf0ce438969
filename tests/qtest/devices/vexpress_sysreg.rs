use crate::compare;
use crate::target::{ALL, Known, Lines, Target, VEXPRESS_A9};

const STUB: &str = "it keeps what is written; QEMU's drops that (DUI 0447, 4.3)";

/// Random values seldom name one.
const SUPPLY: &str = "an oscillator or voltage of the map, which QEMU's configuration bus lacks";

const TARGET: Target = Target {
    compatible: "arm,vexpress-sysreg",
    device: "sysreg@0",
    lines: Lines::None,
    known: &[
        Known::ours("SYS_SW", 0xff, STUB),
        Known::ours("SYS_LED", 0xffff_ff00, "there are eight (DUI 0447, 4.3.3)"),
        Known::ours("SYS_FLASH", 0x1, STUB),
        Known::ours("SYS_CFGSW", 0xff, STUB),
        Known::ours("SYS_MISC", 0xffff_bfff, STUB),
        Known::ours("SYS_DMA", 0xff, STUB),
        Known::ours("SYS_CFGDATA", ALL, SUPPLY),
        Known::ours("SYS_CFGSTAT", 2, SUPPLY),
    ],
    ..VEXPRESS_A9
};

#[test]
fn vexpress_sysreg() {
    compare(&TARGET);
}
