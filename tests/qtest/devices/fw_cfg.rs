use crate::commands::{Commands, Cycle};
use crate::compare;
use crate::play::Random;
use crate::target::{Lines, Target, VEXPRESS_A9};
use reliquary::emul::describe::{Register, register};

const PLACES: &[Register] = &[
    register(0x00, "data").bytes(8),
    register(0x08, "selector").bytes(2),
    register(0x10, "DMA address").bytes(8),
];

/// Signature, revision, number of CPUs, and some that are not there. The directory is of the
/// files that a board has.
const ITEMS: [u64; 8] = [0, 1, 5, 0x1f, 0x3f, 0x0100, 0x4000, 0xffff];

fn next(random: &mut Random, _: &dyn Fn(u64) -> u32) -> Vec<Cycle> {
    let bytes = 1 << random.below(4);
    let item = ITEMS[random.below(8) as usize] as u16;
    vec![match random.below(12) {
        // At its first byte: what is behind it the specification leaves open.
        0..=5 => Cycle(0, bytes, None),
        6 | 7 => Cycle(8, 2, Some(item.swap_bytes().into())),
        8 => Cycle(8, 2, None),
        9 => Cycle(0, bytes, Some(random.value())),
        // The low word would start a transfer.
        10 => Cycle(0x10, 4, Some(random.value() & 0xffff_ffff)),
        _ => Cycle(0x10 + random.below(8 / bytes) * bytes, bytes, None),
    }]
}

/// Its registers are big-endian, and the selector takes what is there: no random values.
const TARGET: Target = Target {
    compatible: "qemu,fw-cfg-mmio",
    board: "virt-v7",
    machine: &["-M", "virt"],
    device: "fw-cfg@9020000",
    lines: Lines::None,
    commands: Some(Commands {
        places: PLACES,
        next,
        erased: 0,
    }),
    ..VEXPRESS_A9
};

#[test]
fn fw_cfg() {
    compare(&TARGET);
}
