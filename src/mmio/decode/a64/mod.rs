//! Loads and stores of A64.
//!
//! DDI 0487: C4.1, "Loads and stores" (the encodings), C6.2 (general registers), C7.2 (SIMD and FP).
//!
//! - A field that should be one (Rs and Rt2 of exclusives and ordered accesses, Rs of LDAPR) is not
//!   looked at. An instruction that has another value there is CONSTRAINED UNPREDICTABLE, and one
//!   that faulted as a data access was executed as if it had ones (K1.2).
//! - What becomes of a register that is named twice (loaded and written back, a pair of one
//!   register, the status in the base) is left to [`crate::mmio::execute`].
//! - The kind of ordering is not told, nor is a prefetch's target: whoever carries the access out
//!   does so in program order.
//!
//! Undecoded, beside what is unallocated: LDRAA and LDRAB (FEAT_PAuth), STG to LDG, STGP, DC GVA
//! and DC GZVA (FEAT_MTE), LD64B and ST64B (FEAT_LS64), LDAPUR of SIMD registers, LDIAPP, STILP,
//! LDAP1 and STL1 (FEAT_LRCPC3), SWPP, LDCLRP and LDSETP (FEAT_LSE128), CPY and SET (FEAT_MOPS),
//! RCW* (FEAT_THE), LDTADD and such (FEAT_LSUI), LDFADD and such (FEAT_LSFE), SVE and SME, and
//! maintenance by address (DC CVAC and such), whose abort is no load's or store's.

mod atomic;
mod registers;
mod structures;

use super::Undecoded;
use crate::access::Width;
use crate::mmio::instruction::{Address, Base, Index, Offset, Operation};

type Decoded = Result<Operation, Undecoded>;

/// What the A64 instruction `word` loads or stores.
pub(super) fn decode(word: u32) -> Decoded {
    // op0, op1 and op2 of C4.1's table less bits 31, 30 and 23.
    match field(word, 24, 6) {
        0b00_1000 => atomic::exclusive(word),
        0b00_1100 => structures::multiple(word),
        0b00_1101 => structures::single(word),
        0b01_1000 | 0b01_1100 => registers::literal(word),
        0b01_1001 => registers::ordered(word),
        0b10_1000 | 0b10_1001 | 0b10_1100 | 0b10_1101 => registers::pair(word),
        0b11_1000 | 0b11_1100 => match field(word, 10, 2) | field(word, 21, 1).wrapping_shl(2) {
            0b100 => atomic::memory(word),
            0b110 => registers::register_offset(word),
            form @ 0b000..=0b011 => registers::unscaled(word, form),
            _ => Err(Undecoded),
        },
        0b11_1001 | 0b11_1101 => registers::unsigned(word),
        // SYS #3, C7, C4, #1.
        0b01_0101 if word & !31 == 0xd50b_7420 => Ok(Operation::ZeroBlock {
            register: register(word, 0),
        }),
        _ => Err(Undecoded),
    }
}

/// `count` bits from `low` on.
const fn field(word: u32, low: u32, count: u32) -> u32 {
    word.wrapping_shr(low) & !u32::MAX.wrapping_shl(count)
}

const fn bit(word: u32, number: u32) -> bool {
    field(word, number, 1) != 0
}

/// `count` bits from `low` on, the highest of them a sign.
const fn signed(word: u32, low: u32, count: u32) -> i64 {
    let above = 32u32.wrapping_sub(count);
    let top = field(word, low, count).wrapping_shl(above).cast_signed();
    top.wrapping_shr(above) as i64
}

const fn register(word: u32, low: u32) -> u8 {
    field(word, low, 5) as u8
}

/// Rn, of which 31 is the stack pointer.
const fn base(word: u32) -> Base {
    match register(word, 5) {
        31 => Base::StackPointer,
        number => Base::Register(number),
    }
}

const fn address(word: u32, offset: i64, index: Index) -> Address {
    Address {
        base: base(word),
        offset: Offset::Immediate(offset),
        index,
    }
}

const fn width(size: u32) -> Width {
    match size {
        0 => Width::Byte,
        1 => Width::Half,
        2 => Width::Word,
        _ => Width::Double,
    }
}

#[cfg(test)]
mod tests;
