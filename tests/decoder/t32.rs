//! T16 and T32: all words of 16 bits, directed ones of 32, and what differs.

use crate::aarch32::{self, ours};
use crate::compare::Set;
use crate::words::{ALL, cross};
use capstone::arch::arm::{ArchExtraMode, ArchMode};
use capstone::prelude::*;
use capstone::{Capstone, Syntax};
use reliquary::mmio::decode::State;

mod known;

/// ARMv8's T32, that of 16 bits included.
pub const SET: Set = Set {
    name: "T32",
    state: State::T32,
    capstone,
    bytes,
    ours,
    theirs,
    directed,
    any,
    load_store,
    differences: known::DIFFERENCES,
};

/// Registers about which instructions care, and their neighbours.
const REGISTERS: &[u32] = &[0, 7, 8, 13, 14, 15];
/// The boundaries of an imm8, as a number of bytes and as one of registers.
const IMM8: &[u32] = &[0, 1, 2, 16, 17, 31, 32, 33, 64, 65, 127, 128, 255];

fn capstone() -> Capstone {
    let mut capstone = Capstone::new()
        .arm()
        .mode(ArchMode::Thumb)
        .extra_mode([ArchExtraMode::V8].into_iter())
        .build()
        .expect("capstone is built with T32");
    capstone
        .set_syntax(Syntax::NoRegName)
        .expect("capstone names R9 to R12 by their numbers");
    capstone
}

/// PUSH and POP without a `.w` are T16's, of a list also where it has one register.
fn theirs(mnemonic: &str, operands: &str, out: &mut String) -> bool {
    match mnemonic {
        "push" => aarch32::theirs("stmdb", &format!("sp!, {operands}"), out),
        "pop" => aarch32::theirs("ldmia", &format!("sp!, {operands}"), out),
        _ => aarch32::theirs(mnemonic, operands, out),
    }
}

/// Halfwords, each little-endian. IT, which is no load or store, goes as NOP: capstone would
/// make what it is given next conditional.
fn bytes(word: u32) -> ([u8; 4], usize) {
    if word > 0xffff {
        return (word.rotate_left(16).to_le_bytes(), 4);
    }
    let is_it = word & 0xff00 == 0xbf00 && word & 0xf != 0;
    let word = if is_it { 0xbf00 } else { word };
    (word.to_le_bytes(), 2)
}

/// All of T16. Of T32 each opcode with all that selects an instruction in it, and with the numbers
/// at which registers, lists and immediates are special.
fn directed(emit: &mut dyn FnMut(u32)) {
    (0..=0xffff).for_each(&mut *emit);
    // Load/store multiple, of every single register too; SRS and RFE.
    let lists: Vec<u32> = (0..16)
        .map(|register| 1 << register)
        .chain([
            0, 0x0003, 0x00ff, 0x4003, 0x8003, 0xa001, 0x6001, 0xc000, 0xc001,
        ])
        .chain([0x5fff, 0x9fff, 0xffff])
        .chain((0..32).map(|mode| 0xc000 | mode))
        .collect();
    let op = (23, ALL[2]);
    cross(
        0xe800_0000,
        &[op, (20, ALL[2]), (16, ALL[4]), (0, &lists)],
        emit,
    );
    // Load/store dual and exclusive, by Rt, Rt2 and imm8; the other exclusives, by op and Rd.
    let fields = [op, (20, ALL[2]), (16, REGISTERS), (12, REGISTERS)];
    let duals = [&fields[..], &[(8, REGISTERS), (0, IMM8)]].concat();
    cross(0xe840_0000, &duals, emit);
    let exclusives = [&fields[..], &[(8, REGISTERS), (4, ALL[4]), (0, REGISTERS)]].concat();
    cross(0xe840_0000, &exclusives, emit);
    // Load/store single, by bits 11:6 or imm12, and the hints; the structures are among these.
    let fields = [
        (24, ALL[1]),
        (20, ALL[4]),
        (16, REGISTERS),
        (12, REGISTERS),
        (8, ALL[4]),
        (4, ALL[4]),
        (0, &[0, 1, 13, 15]),
    ];
    cross(0xf800_0000, &fields, emit);
    // The coprocessors.
    let fields = [
        (24, ALL[1]),
        (20, ALL[4]),
        (16, &[0, 13, 15]),
        (12, &[0, 1, 4, 5, 15]),
        (8, ALL[4]),
        (0, IMM8),
    ];
    cross(0xec00_0000, &fields, emit);
    // Everything else.
    for first in (0xe8..=0xff).map(|first| first << 24) {
        let fields = [
            (20, ALL[4]),
            (16, &[1, 15][..]),
            (12, ALL[4]),
            (8, ALL[4]),
            (0, &[0, 0xef]),
        ];
        cross(first, &fields, emit);
    }
}

/// 32 bits begin with 0b11101, 0b11110 or 0b11111.
fn any(random: u64) -> u32 {
    let word = random as u32 | 0xe000_0000;
    if word < 0xe800_0000 {
        word | 0x0800_0000 << (random >> 32 & 1)
    } else {
        word
    }
}

fn load_store(random: u64) -> u32 {
    const FIRST: [u32; 8] = [0xe8, 0xe9, 0xec, 0xed, 0xf8, 0xf8, 0xf9, 0xf9];
    random as u32 & 0x00ff_ffff | FIRST[(random >> 32 & 7) as usize] << 24
}
