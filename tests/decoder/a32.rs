//! A32: the words, and what differs.

use crate::aarch32::{ours, theirs};
use crate::compare::Set;
use crate::words::{ALL, cross};
use capstone::arch::arm::{ArchExtraMode, ArchMode};
use capstone::prelude::*;
use capstone::{Capstone, Syntax};
use reliquary::mmio::decode::State;

pub mod known;

/// ARMv8's A32.
pub const SET: Set = Set {
    name: "A32",
    state: State::A32,
    capstone: || capstone(&[ArchExtraMode::V8]),
    bytes,
    ours,
    theirs,
    directed,
    any: |random| random as u32,
    load_store,
    differences: known::DIFFERENCES,
};

/// SWP and SWPB, which capstone decodes as what is older than ARMv8.
pub const SWAPS: Set = Set {
    name: "SWP",
    capstone: || capstone(&[]),
    directed: |emit| {
        let fields = [
            (28, CONDITIONS),
            (22, ALL[1]),
            (16, ALL[4]),
            (12, ALL[4]),
            (8, ALL[4]),
            (0, ALL[4]),
        ];
        cross(0x0100_0090, &fields, emit);
    },
    any: |random| random as u32 & 0xf04f_ff0f | 0x0100_0090,
    load_store: |random| random as u32 & 0xf04f_ff0f | 0x0100_0090,
    differences: &[],
    ..SET
};

/// Some, always, and none: another instruction.
const CONDITIONS: &[u32] = &[0, 14, 15];

fn capstone(extra: &[ArchExtraMode]) -> Capstone {
    let mut capstone = Capstone::new()
        .arm()
        .mode(ArchMode::Arm)
        .extra_mode(extra.iter().copied())
        .build()
        .expect("capstone is built with A32");
    capstone
        .set_syntax(Syntax::NoRegName)
        .expect("capstone names R9 to R12 by their numbers");
    capstone
}

/// The word with the condition "always", because an operation has none.
fn bytes(word: u32) -> ([u8; 4], usize) {
    let always = if word < 0xf000_0000 {
        word & 0x0fff_ffff | 0xe000_0000
    } else {
        word
    };
    (always.to_le_bytes(), 4)
}

/// Each combination of the bits that select an instruction in the space of loads and stores, with
/// the numbers at which registers are special, or odd.
fn directed(emit: &mut dyn FnMut(u32)) {
    for (group, rest) in [(0b000, 9), (0b010, 0), (0b011, 0), (0b100, 0), (0b110, 0)] {
        let selecting = if rest == 9 { (5, ALL[2]) } else { (4, ALL[4]) };
        let fields = [
            (28, CONDITIONS),
            (24, ALL[1]),
            (20, ALL[4]),
            (16, &[0, 13, 15][..]),
            (12, &[0, 1, 14, 15][..]),
            (8, ALL[4]),
            selecting,
            (0, &[0, 1, 13, 15][..]),
        ];
        cross(group << 25 | rest << 4, &fields, emit);
    }
}

fn load_store(random: u64) -> u32 {
    let word = random as u32;
    let (mask, value) = match random >> 32 & 7 {
        0 | 1 => (0x0e00_0090, 0x0000_0090),
        2 => (0x0e00_0000, 0x0400_0000),
        3 => (0x0e00_0010, 0x0600_0000),
        4 => (0x0e00_0000, 0x0800_0000),
        5 => (0x0e00_0000, 0x0c00_0000),
        6 => (0xff10_0000, 0xf400_0000),
        _ => (0x0e00_0e00, 0x0c00_0a00),
    };
    word & !mask | value
}
