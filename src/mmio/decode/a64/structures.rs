//! LD1 to LD4 and ST1 to ST4.
//!
//! DDI 0487, C4.1: "Advanced SIMD load/store multiple structures", "single structure", and
//! both post-indexed.

use super::{Decoded, Undecoded, address, base, bit, field, register};
use crate::mmio::instruction::{Address, Index, Lane, Modify, Offset, Operation, Structures, View};

/// Whole registers.
pub(super) fn multiple(word: u32) -> Decoded {
    let (repeat, structure) = match field(word, 12, 4) {
        0b0000 => (1, 4),
        0b0010 => (4, 1),
        0b0100 => (1, 3),
        0b0110 => (3, 1),
        0b0111 => (1, 1),
        0b1000 => (1, 2),
        0b1010 => (2, 1),
        _ => return Err(Undecoded),
    };
    let quad = bit(word, 30);
    let size = field(word, 10, 2) as u8;
    // There are no structures of the 1D arrangement; and the bit is one in other instructions.
    if (size == 3 && !quad && structure != 1) || bit(word, 21) {
        return Err(Undecoded);
    }
    let registers: i64 = i64::from(repeat).wrapping_mul(i64::from(structure));
    let bytes = registers.wrapping_mul(if quad { 16 } else { 8 });
    build(word, bytes, quad, (repeat, structure), size, Lane::All)
}

/// One lane, or one structure to all lanes.
pub(super) fn single(word: u32) -> Decoded {
    let q = bit(word, 30);
    let size = field(word, 10, 2);
    let structure = (field(word, 13, 1).wrapping_shl(1) | field(word, 21, 1)).wrapping_add(1) as u8;
    // Q, S and size: the number of a byte.
    let byte =
        (size | field(word, 12, 1).wrapping_shl(2) | field(word, 30, 1).wrapping_shl(3)) as u8;
    // opcode<2:1>, S, size.
    let (log2_element, lane) = match (field(word, 14, 2), field(word, 12, 1), size) {
        (0, _, _) => (0, Lane::One(byte)),
        (1, _, 0 | 2) => (1, Lane::One(byte.wrapping_shr(1))),
        (2, _, 0) => (2, Lane::One(byte.wrapping_shr(2))),
        (2, 0, 1) => (3, Lane::One(byte.wrapping_shr(3))),
        (3, 0, _) if bit(word, 22) => (size as u8, Lane::Replicate),
        _ => return Err(Undecoded),
    };
    let bytes = i64::from(structure).wrapping_shl(u32::from(log2_element));
    // A lane is one of 128 bits, whatever Q is.
    let quad = q || lane != Lane::Replicate;
    build(word, bytes, quad, (1, structure), log2_element, lane)
}

/// Post-indexed by a register, or by `bytes`, what is moved; or not indexed, and then Rm is zero.
fn build(
    word: u32,
    bytes: i64,
    quad: bool,
    (repeat, structure): (u8, u8),
    log2_element: u8,
    lane: Lane,
) -> Decoded {
    let address = match (bit(word, 31), bit(word, 23), register(word, 16)) {
        (false, false, 0) => address(word, 0, Index::Offset),
        (false, true, 31) => address(word, bytes, Index::Post),
        (false, true, register) => Address {
            base: base(word),
            offset: Offset::Register {
                register,
                subtract: false,
                modify: Modify::Lsl(0),
            },
            index: Index::Post,
        },
        _ => return Err(Undecoded),
    };
    Ok(Operation::Structures(Structures {
        address,
        load: bit(word, 22),
        view: View::V,
        quad,
        first: register(word, 0),
        repeat,
        structure,
        spacing: 1,
        log2_element,
        lane,
        align: 1,
    }))
}
