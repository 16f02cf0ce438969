use crate::commands::{Commands, Cycle};
use crate::compare;
use crate::play::Random;
use crate::target::{ALL, Known, Lines, Target, VEXPRESS_A9};
use reliquary::emul::describe::{Register, register};

const PLACES: &[Register] = &[
    register(0x00, "autoselect").bytes(1).times(0x10),
    register(0x10, "query identification").bytes(1).times(0xb),
    register(0x1b, "query voltages").bytes(1).times(4),
    register(0x1f, "query times").bytes(1).times(8),
    register(0x27, "query size").bytes(1),
    register(0x28, "query buffer").bytes(1).times(4),
    register(0x2c, "query sectors").bytes(1).times(0x14),
    register(0x40, "query extended").bytes(1).times(4),
    register(0x44, "query features").bytes(1).times(0xb),
    register(0x4f, "query behind").bytes(1).times(0x11),
    register(SECTOR, "array").bytes(1).times(8 * SECTOR),
];

const SECTOR: u64 = 0x2_0000;

/// Any of the places in sector 0.
fn named(random: &mut Random) -> u64 {
    random.below(0x60)
}

/// A byte in one of eight other sectors.
fn word(random: &mut Random) -> u64 {
    SECTOR * (1 + random.below(8)) + random.below(256)
}

fn write(offset: u64, value: u64) -> Cycle {
    Cycle(offset, 1, Some(value))
}

/// Unlock cycles and a command.
fn unlocked(command: u64) -> Vec<Cycle> {
    vec![
        write(0x555, 0xaa),
        write(0x2aa, 0x55),
        write(0x555, command),
    ]
}

fn next(random: &mut Random, stored: &dyn Fn(u64) -> u32) -> Vec<Cycle> {
    let at = word(random);
    // A program clears bits, but QEMU's may do else: what is written has none to set.
    let data = |random: &mut Random, at| {
        write(
            at,
            (random.next() | random.next()) & u64::from(stored(at) as u8),
        )
    };
    let reads = |random: &mut Random, first: Vec<Cycle>| {
        let mut cycles = first;
        cycles.extend((0..6).map(|_| Cycle(named(random), 1, None)));
        cycles.push(write(at, 0xf0));
        cycles
    };
    match random.below(13) {
        0..=4 => vec![Cycle(at, 1, None)],
        5 | 6 => vec![Cycle(named(random), 1, None)],
        7 => reads(random, vec![write(0x55, 0x98)]),
        // QEMU's answers the other words from the array.
        8 => {
            let mut cycles = unlocked(0x90);
            let word = |random: &mut Random| [0, 1, 2, 14, 15][random.below(5) as usize];
            cycles.extend((0..4).map(|_| Cycle(word(random), 1, None)));
            cycles.push(write(at, 0xf0));
            cycles
        }
        9 => vec![write(0x555, 0xaa), write(0x2aa, 0x55), write(at, 0xf0)],
        10 => {
            let mut cycles = unlocked(0xa0);
            cycles.extend([data(random, at), Cycle(at, 1, None)]);
            cycles
        }
        11 => vec![
            write(0x555, 0xaa),
            write(word(random), random.value() & 0xff),
            Cycle(at, 1, None),
        ],
        _ => {
            let mut cycles = unlocked(0x20);
            for at in [at, at ^ 1, at ^ 2] {
                cycles.extend([write(at, 0xa0), data(random, at), Cycle(at, 1, None)]);
            }
            cycles.extend([write(at, 0x90), write(at, 0x00)]);
            cycles
        }
    }
}

/// Ours has a write buffer and protection, and is slower.
const PART: Known = Known::both("", ALL, "another maker's part (S29GL-P_00_A7, 12.1)");

/// Erases take time, which stands still: the flash is erased at first.
const TARGET: Target = Target {
    compatible: "cfi-flash",
    board: "../tests/qtest/boards/loose.dts",
    machine: &["-M", "xilinx-zynq-a9"],
    device: "flash@e2000000",
    lines: Lines::None,
    commands: Some(Commands {
        places: PLACES,
        next,
        erased: 0xff,
    }),
    known: &[
        PART.named("autoselect").mine(0x01),
        PART.named("autoselect").mine(0x7e),
        PART.named("autoselect").mine(0x23),
        PART.named("query times"),
        PART.named("query buffer"),
        PART.named("query features"),
    ],
    ..VEXPRESS_A9
};

#[test]
fn flash_of_the_amd_set() {
    compare(&TARGET);
}
