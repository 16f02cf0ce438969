//! What stands between a load-exclusive and its store-exclusive, interpreted.
//!
//! A load-exclusive of a device traps, and the exception return behind it clears the exclusives
//! monitor: the guest's store-exclusive would fail, without a trap, for ever. On a board that says
//! `carry out`, the guest is interpreted from one to the other instead: [`carry_out`] is that
//! walk, [`step`] one instruction of it.
//!
//! DDI 0487: C4.1, C6.2 (A64), F4.1 (A32), F3.1 (T32), F5.1 (A32 and T32), B2.9 (exclusives).
//!
//! Interpreted is what works on general registers, flags and PC alone and what compilers, kernels
//! and real-time systems put there: data processing, direct branches, IT, barriers and NOP. Known
//! deviations: division, long multiplies, saturating and parallel arithmetic, CRC32, CLS, BL and
//! everything indirect, and A64's stack pointer as an operand are not. SCTLR_EL1.ITD is taken as
//! 0: all of IT blocks is there.
//!
//! The oracle is QEMU's user mode (`oracle.rs`): what it did in some thousand cases is kept in
//! `tests/*.txt` and compared in each test run.

// A register's bits are signed or not as the instruction takes them, names those of the manual.
#![allow(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::many_single_char_names
)]

mod a32;
mod a64;
mod aarch32;
mod t32;
mod walk;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

use super::decode::State;
use crate::vcpu::{Vcpu, psr};

pub use walk::{End, LIMIT, carry_out};

/// Not an instruction that [`step`] knows, or one whose outcome the architecture leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSimple;

/// Executes the instruction `word` of `length` bytes at the guest's PC: registers, flags, PC and
/// IT state; or says [`NotSimple`], and nothing has changed.
///
/// An instruction of AArch32 whose condition fails is done when PC and IT state have moved,
/// whatever it is.
pub fn step(state: State, word: u32, length: u8, regs: &mut Vcpu) -> Result<(), NotSimple> {
    match state {
        State::A64 => a64::step(word, regs),
        State::A32 => a32::step(word, regs),
        State::T32 => t32::step(word, length, regs),
    }
}

/// `AddWithCarry` of 64 or, from the low halves, of 32 bits: the sum, and N, Z, C and V where a
/// status register has them.
const fn add_with_carry(wide: bool, x: u64, y: u64, carry: bool) -> (u64, u64) {
    // 32 bits are added in the upper half, so that carry and sign come out in one place.
    let low = if wide { 0 } else { 32 };
    let (x, y) = (x.wrapping_shl(low), y.wrapping_shl(low));
    let (sum, c1) = x.overflowing_add(y);
    let (sum, c2) = sum.overflowing_add((carry as u64).wrapping_shl(low));
    let overflow = (x ^ sum) & (y ^ sum) & 1 << 63 != 0;
    let flags = negative_zero(wide, sum.wrapping_shr(low))
        | if c1 || c2 { psr::C } else { 0 }
        | if overflow { psr::V } else { 0 };
    (sum.wrapping_shr(low), flags)
}

/// N and Z of a result.
const fn negative_zero(wide: bool, result: u64) -> u64 {
    let n = if wide { result >> 32 } else { result } & psr::N;
    if result == 0 { psr::Z } else { n }
}

/// Whether a condition holds: once in the code, not at each use.
#[inline(never)]
fn holds(regs: &Vcpu, cond: u8) -> bool {
    regs.condition_holds(cond)
}

fn set_flags(regs: &mut Vcpu, which: u64, flags: u64) {
    regs.spsr = regs.spsr & !which | flags & which;
}

const NZCV: u64 = psr::N | psr::Z | psr::C | psr::V;

/// `width` bits of `word` from bit `low` on.
const fn field(word: u32, low: u32, width: u32) -> u32 {
    word.wrapping_shr(low) & 1u32.wrapping_shl(width).wrapping_sub(1)
}

/// A register's number: four bits of `word` from bit `low` on.
const fn r(word: u32, low: u32) -> u8 {
    field(word, low, 4) as u8
}

const fn bit(word: u32, n: u32) -> bool {
    word.wrapping_shr(n) & 1 != 0
}

/// The low `width` bits of `value`, with their sign.
const fn signed(value: u32, width: u32) -> i64 {
    let unused = 32u32.wrapping_sub(width);
    (value.wrapping_shl(unused) as i32).wrapping_shr(unused) as i64
}
