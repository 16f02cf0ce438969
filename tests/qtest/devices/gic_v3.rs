use crate::compare;
use crate::target::{ALL, Input, Known, Lines, Never, Target, VEXPRESS_A9};

const fn spi(n: u16) -> Input {
    Input {
        ours: 32 + n,
        theirs: ("arm-gicv3", n),
    }
}

const FIVE: &str = "five bits of priority; QEMU keeps eight";

const MORE: &str = "there are as many as GICD_TYPER.ITLinesNumber says; QEMU has 32 more";

/// The CPU interface is system registers, which qtest cannot access: own firmware tries it.
const TARGET: Target = Target {
    compatible: "arm,gic-v3",
    board: "virt-v8-gicv3",
    program: "qemu-system-aarch64",
    machine: &["-M", "virt,gic-version=3", "-cpu", "cortex-a57"],
    device: "interrupt-controller@8000000",
    lines: Lines::Cpu("cortex-a57-arm-cpu"),
    inputs: &[spi(0), spi(1), spi(5), spi(31), spi(32), spi(63)],
    never: &[
        Never::new("GICD_IPRIORITYR", 0x0707_0707, FIVE),
        Never::new("GICR_IPRIORITYR", 0x0707_0707, FIVE),
    ],
    known: &[
        Known::ours(
            "GICD_TYPER",
            0x0232_0000,
            "no LPIs, and 10 bits of identifiers (IHI 0069, 12.9.38)",
        ),
        Known::ours("GICR_CTLR", 3, "no LPIs (IHI 0069, 12.11.2)"),
        Known::ours("GICR_TYPER", 0x0100_0001, "no LPIs (IHI 0069, 12.11.35)"),
        Known::ours(
            "GICD_IROUTER",
            0xffff_ff00_7f00_0000,
            "reserved (IHI 0069, 12.9.22)",
        ),
        Known::ours("GICD_IROUTER", ALL, MORE).from(224),
        Known::ours("GICD_IGROUPR", ALL, MORE).from(8),
        Known::ours("GICD_ISENABLER", ALL, MORE).from(8),
        Known::ours("GICD_ICENABLER", ALL, MORE).from(8),
        Known::ours("GICD_ISPENDR", ALL, MORE).from(8),
        Known::ours("GICD_ICPENDR", ALL, MORE).from(8),
        Known::ours("GICD_ISACTIVER", ALL, MORE).from(8),
        Known::ours("GICD_ICACTIVER", ALL, MORE).from(8),
        Known::ours("GICD_ICFGR", ALL, MORE).from(16),
        Known::ours("GICD_IPRIORITYR", ALL, MORE).from(64),
    ],
    ..VEXPRESS_A9
};

#[test]
fn gicv3_of_virt() {
    compare(&TARGET);
}
