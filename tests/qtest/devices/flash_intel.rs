use crate::commands::{Commands, Cycle};
use crate::compare;
use crate::play::Random;
use crate::target::{ALL, Known, Lines, Target, VEXPRESS_A9};
use reliquary::emul::describe::{Register, register};

/// Words of the bus, of two chips of 16 bits.
const PLACES: &[Register] = &[
    register(0x00, "identifier").times(0x10),
    register(0x40, "query identification").times(0xb),
    register(0x6c, "query timing").times(0xc),
    register(0x9c, "query geometry").times(0xd),
    register(0xd0, "query extended").times(0x20),
    register(BLOCK, "array").times(0x30_0000 / 4),
];

/// Bytes that are erased at a time.
const BLOCK: u64 = 0x4_0000;

/// Any word of the places in block 0.
fn named(random: &mut Random) -> u64 {
    4 * random.below(0x54)
}

/// A word in one of three other blocks.
fn word(random: &mut Random) -> u64 {
    BLOCK * (1 + random.below(3)) + 4 * random.below(64)
}

/// A command to both chips.
fn both(offset: u64, command: u64) -> Cycle {
    Cycle(offset, 4, Some(command << 16 | command))
}

fn next(random: &mut Random, stored: &dyn Fn(u64) -> u32) -> Vec<Cycle> {
    let at = word(random);
    // A program clears bits, but QEMU's sets them too: what is written has none to set.
    let data = |random: &mut Random, at| Cycle(at, 4, Some(random.next() & u64::from(stored(at))));
    match random.below(17) {
        0..=5 => {
            // A byte of QEMU's is a chip's low one, wherever it is read.
            let bytes = 2 << random.below(2);
            vec![Cycle(at + random.below(4 / bytes) * bytes, bytes, None)]
        }
        6..=9 => vec![Cycle(named(random), 4, None)],
        // 0x50 clears more than errors in QEMU.
        10 | 11 => {
            let command = [0xff, 0xff, 0x70, 0x90][random.below(4) as usize];
            vec![both(at, command)]
        }
        12 | 13 => {
            let command = [0x10, 0x40][random.below(2) as usize];
            vec![both(at, command), data(random, at)]
        }
        14 => {
            let count = 1 + random.below(16);
            let mut cycles = vec![both(at, 0xe8), Cycle(at, 4, None), both(at, count - 1)];
            cycles.extend((0..count).map(|n| data(random, at + 4 * n)));
            cycles.extend([both(at, 0xd0), Cycle(at, 4, None)]);
            cycles
        }
        // QEMU leaves query mode by 0xff alone.
        15 => {
            let mut cycles = vec![both(at, 0x98)];
            cycles.extend((0..8).map(|_| Cycle(named(random), 4, None)));
            cycles.push(both(at, 0xff));
            cycles
        }
        _ if random.below(8) == 0 => vec![both(at, 0x20), both(at, 0xd0), Cycle(at, 4, None)],
        _ => vec![both(at, 0x60), both(at, 0xd0)],
    }
}

/// Shown in every block.
const CONFIGURATION: &str = "QEMU has no read configuration register (306666)";

/// Both chips are commanded at once; and no block is locked, as QEMU knows no locks.
const TARGET: Target = Target {
    compatible: "cfi-flash",
    board: "virt-v7",
    machine: &["-M", "virt"],
    device: "flash@0",
    lines: Lines::None,
    commands: Some(Commands {
        places: PLACES,
        next,
        erased: 0,
    }),
    known: &[
        Known::ours(
            "query extended",
            ALL,
            "what the part can do, of which QEMU's can nothing (AN 646, 0x36)",
        )
        .mine(0x0026_0026),
        Known::ours(
            "query extended",
            ALL,
            "a protection register (AN 646, 0x40)",
        )
        .mine(0x0080_0080),
        Known::ours("query extended", ALL, "its size (AN 646, 0x42)").mine(0x0003_0003),
        Known::ours("identifier", ALL, CONFIGURATION).mine(0xbfcf_bfcf),
        Known::ours("array", ALL, CONFIGURATION).mine(0xbfcf_bfcf),
        Known::ours("array", ALL, CONFIGURATION).mine(0xbfcf),
    ],
    ..VEXPRESS_A9
};

#[test]
fn flash_of_the_intel_set() {
    compare(&TARGET);
}
