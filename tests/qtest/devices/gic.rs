use crate::compare;
use crate::play::Random;
use crate::target::{ALL, Done, Input, Known, Lines, Never, Target, VEXPRESS_A9};
use reliquary::access::Security;

const fn spi(n: u16) -> Input {
    Input {
        ours: 32 + n,
        theirs: ("arm_gic", n),
    }
}

const SPIS: &[Input] = &[spi(0), spi(1), spi(5), spi(15), spi(31), spi(32), spi(63)];

/// A software-generated interrupt's target filter is never 3, which is reserved, and it has no
/// NSATT. SPENDSGIR never gets a byte of 0: by one QEMU makes an interrupt pending that nobody
/// sent, and ends by an assertion when it is acknowledged. Both groups are enabled or none: QEMU
/// acknowledges what a group that is not enabled has. What is ended is what was acknowledged last,
/// for all else is UNPREDICTABLE (IHI 0048B, 4.4.5).
fn values(register: &str, random: &mut Random, done: &[Done]) -> Option<u64> {
    match register {
        "GICD_SGIR" => {
            let filter = random.below(3) << 24;
            Some(filter | random.below(2) << 16 | random.below(16))
        }
        "GICD_SPENDSGIR" => Some(0x0101_0101),
        "GICD_CTLR" => Some(if random.below(4) == 0 { 0 } else { 3 }),
        "GICC_CTLR" => {
            let enable = if random.below(4) == 0 { 0 } else { 3 };
            Some(random.value() & !3 | enable)
        }
        "GICC_PMR" => Some(random.value() | 0x80),
        "GICC_EOIR" => Some(acknowledged(done).unwrap_or(1023)),
        _ => None,
    }
}

/// AckCtl stays set: with Security Extensions, which QEMU's does not have here, a Secure end of
/// an interrupt of Group 1 is UNPREDICTABLE without it (IHI 0048B, 4.4.5).
fn with_ack_ctl(register: &str, random: &mut Random, done: &[Done]) -> Option<u64> {
    let value = values(register, random, done);
    match register {
        "GICC_CTLR" => value.map(|value| value | 4),
        _ => value,
    }
}

/// What was acknowledged last and has not been ended.
fn acknowledged(done: &[Done]) -> Option<u64> {
    let mut ended = 0;
    for access in done.iter().rev() {
        match (access.register, access.write) {
            ("GICC_EOIR", true) if access.value & 0x3ff < 1020 => ended += 1,
            ("GICC_IAR", false) if access.value & 0x3ff < 1020 && ended == 0 => {
                return Some(access.value);
            }
            ("GICC_IAR", false) if access.value & 0x3ff < 1020 => ended -= 1,
            _ => {}
        }
    }
    None
}

/// The few registers of an interrupt's life.
fn often(random: &mut Random) -> Option<&'static str> {
    const OFTEN: [&str; 6] = [
        "GICC_IAR",
        "GICC_EOIR",
        "GICC_PMR",
        "GICC_RPR",
        "GICC_HPPIR",
        "GICD_SGIR",
    ];
    (random.below(3) == 0).then(|| OFTEN[random.below(6) as usize])
}

const V1: Target = Target {
    compatible: "arm,cortex-a9-gic",
    machine: &["-M", "vexpress-a9,secure=off"],
    security: Security::Secure,
    device: "interrupt-controller@1e001000",
    lines: Lines::Cpu("cortex-a9-arm-cpu"),
    inputs: SPIS,
    often,
    values,
    leave_out: &[
        (
            "GICD_IGROUPR",
            "without Security Extensions QEMU's version 1 has no groups",
        ),
        ("GICC_ABPR", "as above"),
    ],
    never: &[
        Never::written("GICD_ISACTIVER", "for saving and restoring alone"),
        Never::written("GICD_ICACTIVER", "as above"),
        Never::new("GICD_CTLR", !1, "as above"),
        Never::new("GICC_CTLR", !1, "as above"),
    ],
    known: &[
        Known::ours(
            "GICD_TYPER",
            0xfc00,
            "Security Extensions, 31 lockable SPIs (DDI 0407I, 3.3.2)",
        ),
        Known::ours("GICD_IIDR", 0x0102_0000, "DDI 0407I, 3.3.1"),
        Known::ours("GICC_IIDR", 0x3900_2000, "DDI 0407I, 3.4"),
        Known::ours(
            "GICD_ICFGR",
            0x5555_5555,
            "the 1-N bit of an SPI is 1 (DDI 0407I, 3.3.6)",
        ),
        Known::ours(
            "GICD_ICFGR1",
            0xffea_aaaa,
            "those of PPIs are fixed (DDI 0407I, 3.3.6)",
        ),
        Known::ours(
            "GICC_BPR",
            3,
            "at least 2 with 5 bits of priority (IHI 0048A, 3.3.3)",
        ),
        Known::ours(
            "GICC_HPPIR",
            0x1fff,
            "the mask and the interface's enables do not count (IHI 0048B, 4.4.6)",
        )
        .theirs(0x3ff),
        Known::ours("PPI and SPI status", ALL, "QEMU does not have them"),
    ],
    ..VEXPRESS_A9
};

const V1_NON_SECURE: Target = Target {
    machine: &["-M", "vexpress-a9"],
    security: Security::NonSecure,
    leave_out: &[],
    never: &[
        Never::written("GICD_ISACTIVER", "for saving and restoring alone"),
        Never::written("GICD_ICACTIVER", "as above"),
    ],
    known: &[V1.known[0], V1.known[1], V1.known[2], V1.known[5]],
    ..V1
};

const V2: Target = Target {
    compatible: "arm,cortex-a15-gic",
    board: "vexpress-a15",
    machine: &["-M", "vexpress-a15,secure=off"],
    lines: Lines::Cpu("cortex-a15-arm-cpu"),
    device: "interrupt-controller@2c001000",
    values: with_ack_ctl,
    first: &[("GICC_CTLR", 4)],
    leave_out: &[
        (
            "GICC_APR",
            "its bits are those of five bits of priority; QEMU has eight",
        ),
        ("GICC_NSAPR", "as above"),
        ("GICC_AIAR", "QEMU does not have it"),
        ("GICC_AEOIR", "as above"),
        ("GICC_AHPPIR", "as above"),
    ],
    never: &[
        Never::written(
            "GICD_SGIR",
            "its NSATT has to be the interrupt's group, which QEMU's does not look at",
        ),
        Never::written("GICD_ISACTIVER", "for saving and restoring alone"),
        Never::written("GICD_ICACTIVER", "as above"),
        Never::new("GICC_CTLR", 0x7e0, "bypass; EOImode, of which QEMU has one"),
        Never::new("GICC_PMR", 7, "QEMU has 8 bits of priority"),
        Never::new("GICD_IPRIORITYR", 0x0707_0707, "as above"),
        Never::new("GICD_CPENDSGIR", 0xfefe_fefe, "of CPUs that are not there"),
    ],
    known: &[
        Known::ours(
            "GICD_TYPER",
            0xfc00,
            "Security Extensions, 31 lockable SPIs",
        ),
        Known::ours(
            "GICC_HPPIR",
            0x1fff,
            "the mask and the interface's enables do not count (IHI 0048B, 4.4.6)",
        )
        .theirs(0x3ff),
        Known::ours("PPI and SPI status", ALL, "QEMU does not have them"),
        Known::ours(
            "GICC_BPR",
            3,
            "at least 2 with 5 bits of priority (IHI 0048B, 4.4.3)",
        ),
        Known::ours(
            "GICC_ABPR",
            3,
            "at least 3 with 5 bits of priority (IHI 0048B, 4.4.8)",
        ),
        Known::ours("GICD_ICFGR", 0x5555_5555, "the 1-N bit of an SPI is 1"),
        Known::ours("GICD_ICFGR1", ALL, "those of PPIs are fixed"),
    ],
    ..V1
};

const V2_OF_VIRT: Target = Target {
    compatible: "reliquary,gicv2",
    board: "virt-v7",
    machine: &["-M", "virt"],
    device: "interrupt-controller@8000000",
    values,
    first: &[],
    leave_out: &[
        ("GICC_AIAR", "QEMU does not have it"),
        ("GICC_AEOIR", "as above"),
        ("GICC_AHPPIR", "as above"),
    ],
    never: &[
        Never::written("GICD_ISACTIVER", "for saving and restoring alone"),
        Never::written("GICD_ICACTIVER", "as above"),
        Never::written("GICC_APR", "as above"),
        Never::written("GICC_NSAPR", "as above"),
        Never::new("GICC_CTLR", 0x7e0, "bypass; EOImode, of which QEMU has one"),
        Never::new("GICD_CPENDSGIR", 0xfefe_fefe, "of CPUs that are not there"),
    ],
    known: &[
        Known::ours("GICC_HPPIR", 0x1fff, "the mask and the interface's enables do not count (IHI 0048B, 4.4.6)").theirs(0x3ff),
        Known::ours("PPI and SPI status", ALL, "QEMU does not have them"),
        Known::both("GICC_IAR", 1, "QEMU reads 1022 of an interrupt of Group 1 that may not preempt, too (IHI 0048B, 4.4.4)").theirs(0x3fe),
        Known::both("GICD_ICFGR1", 0xaaaa_aaaa, "whether a PPI can be configured is open (IHI 0048B, 4.3.13)"),
    ],
    ..V2
};

#[test]
fn gic_of_a_cortex_a9() {
    compare(&V1);
}

#[test]
fn gic_of_a_cortex_a9_from_its_non_secure_side() {
    compare(&V1_NON_SECURE);
}

#[test]
fn gic_of_a_cortex_a15() {
    compare(&V2);
}

#[test]
fn gic_of_virt() {
    compare(&V2_OF_VIRT);
}
