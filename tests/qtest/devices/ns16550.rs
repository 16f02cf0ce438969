use crate::compare;
use crate::play::Random;
use crate::target::{Done, Known, Never, Target, VEXPRESS_A9};

/// With FIFOs: characters of eight bits, as QEMU's loop carries all of them, whatever WLS says
/// (PC16550D, 8.1); and no FIFO emptied for transmission, as QEMU tells of that once more.
fn with_fifos(register: &str, random: &mut Random, _: &[Done]) -> Option<u64> {
    match register {
        "LCR" => Some(random.value() | 3),
        "IIR" => Some(random.value() & !4 | 1),
        _ => None,
    }
}

/// As a 16450: QEMU then takes the bits that empty FIFOs, which are not programmed without bit 0 (8.5).
fn without(register: &str, random: &mut Random, _: &[Done]) -> Option<u64> {
    match register {
        "LCR" => Some(random.value() | 3),
        "IIR" => Some(random.value() & !7),
        _ => None,
    }
}

const PINS: Known = Known::both("MSR", 0xb0, "QEMU's pins are high, ours low").theirs(0xb0);

const LOOP: Known = Known::ours(
    "MSR",
    0x0f,
    "QEMU's loop changes no modem line (PC16550D, 8.8)",
);

const EMPTY: Known = Known::both("RBR", 0xff, "nothing is there to read").mine(0);

/// Characters leave at once on both sides, and come back in loopback mode.
const TARGET: Target = Target {
    compatible: "ns16550a",
    board: "../tests/qtest/boards/loose.dts",
    machine: &["-M", "orangepi-pc"],
    device: "serial@1c28000",
    shift: 2,
    widths: &[1],
    // What a reset leaves, or QEMU's has otherwise.
    first: &[
        ("LCR", 0x83),
        ("RBR", 1),
        ("IER", 0),
        ("LCR", 3),
        ("MCR", 0),
    ],
    never: &[
        Never::new("IER", 8, "QEMU's loop changes no modem line"),
        Never::new("LCR", 0x40, "QEMU's loop passes no break"),
    ],
    values: without,
    known: &[PINS, LOOP],
    ..VEXPRESS_A9
};

#[test]
fn ns16550a_without_fifos() {
    compare(&Target {
        known: &[PINS, LOOP, EMPTY],
        ..TARGET
    });
}

#[test]
fn ns16550a_with_fifos() {
    compare(&Target {
        first: &[
            ("LCR", 0x83),
            ("RBR", 1),
            ("IER", 0),
            ("LCR", 3),
            ("MCR", 0),
            ("IIR", 1),
        ],
        values: with_fifos,
        ..TARGET
    });
}
