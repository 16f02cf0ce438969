//! A32, the 32-bit encodings of AArch32's ARM state.

use super::{Undecoded, neon};
use crate::mmio::instruction::Operation;

/// What the instruction `word` loads or stores.
pub(super) fn decode(word: u32) -> Result<Operation, Undecoded> {
    match (word >> 28, word.wrapping_shr(20) & 0xff) {
        (15, opcode) if opcode & 0xf1 == 0x40 => neon::structures(word),
        (0..=14, opcode) if opcode & 0xe0 == 0xc0 => neon::coprocessor(word),
        _ => Err(Undecoded),
    }
}
