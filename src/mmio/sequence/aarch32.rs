//! What A32 and T32 share: shifts, the arithmetic of data processing, and what works on bits.
//! DDI 0487: F5.1 (the instructions), and the pseudocode functions that are named here.

use super::{NZCV, NotSimple, add_with_carry, negative_zero, set_flags};
use crate::vcpu::{Vcpu, psr};

/// Data processing by the number of A32's opcode field; T32's ORN follows.
pub(super) mod op {
    pub const AND: u8 = 0;
    pub const EOR: u8 = 1;
    pub const SUB: u8 = 2;
    pub const RSB: u8 = 3;
    pub const ADD: u8 = 4;
    pub const ADC: u8 = 5;
    pub const SBC: u8 = 6;
    pub const RSC: u8 = 7;
    pub const TST: u8 = 8;
    pub const TEQ: u8 = 9;
    pub const CMP: u8 = 10;
    pub const CMN: u8 = 11;
    pub const ORR: u8 = 12;
    pub const MOV: u8 = 13;
    pub const BIC: u8 = 14;
    pub const MVN: u8 = 15;
    pub const ORN: u8 = 16;
}

/// The second operand, and the carry that its shift gives.
pub(super) type Operand = (u32, bool);

pub(super) const fn carry(regs: &Vcpu) -> bool {
    regs.spsr & psr::C != 0
}

// A register's place takes its mode's bank to find: once in the code, not at each use.

#[inline(never)]
pub(super) fn read(regs: &Vcpu, n: u8) -> u32 {
    regs.r(n)
}

#[inline(never)]
pub(super) fn write(regs: &mut Vcpu, n: u8, value: u32) {
    regs.set_r(n, value);
}

/// `Shift_C`: LSL, LSR, ASR, ROR by any amount; by 0 the carry stays.
pub(super) fn shift(value: u32, kind: u32, amount: u32, carry: bool) -> Operand {
    if amount == 0 {
        return (value, carry);
    }
    // One bit more than 32 on the side that the carry leaves by.
    let by = amount.min(33);
    let out = match kind {
        0 => {
            let wide = u64::from(value).wrapping_shl(by);
            return (wide as u32, wide >> 32 & 1 != 0);
        }
        1 => (u64::from(value) << 1).wrapping_shr(by),
        2 => ((i64::from(value as i32) << 1).wrapping_shr(by)) as u64,
        _ => {
            let rotated = value.rotate_right(amount & 31);
            return (rotated, rotated >> 31 != 0);
        }
    };
    ((out >> 1) as u32, out & 1 != 0)
}

/// `DecodeImmShift` and the shift: 0 is by 32 of LSR and ASR, and RRX of ROR.
pub(super) fn immediate_shift(value: u32, kind: u32, imm5: u32, carry: bool) -> Operand {
    match (kind, imm5) {
        (1 | 2, 0) => shift(value, kind, 32, carry),
        (3, 0) => (u32::from(carry) << 31 | value >> 1, value & 1 != 0),
        _ => shift(value, kind, imm5, carry),
    }
}

/// One of [`op`] of `x` and the operand, to `rd` unless it only compares. Rd may not be PC.
pub(super) fn data(
    regs: &mut Vcpu,
    op: u8,
    flags: bool,
    rd: u8,
    x: u32,
    (y, shifted_out): Operand,
) -> Result<(), NotSimple> {
    let compares = matches!(op, op::TST..=op::CMN);
    if !compares && rd == 15 {
        return Err(NotSimple);
    }
    let c = carry(regs);
    // What is added, or the result of a logical operation.
    let (x, y, c) = match op {
        op::SUB | op::CMP => (x, !y, true),
        op::RSB => (!x, y, true),
        op::ADD | op::CMN => (x, y, false),
        op::ADC => (x, y, c),
        op::SBC => (x, !y, c),
        op::RSC => (!x, y, c),
        op::AND | op::TST => (x & y, 0, false),
        op::EOR | op::TEQ => (x ^ y, 0, false),
        op::ORR => (x | y, 0, false),
        op::MOV => (y, 0, false),
        op::BIC => (x & !y, 0, false),
        op::MVN => (!y, 0, false),
        _ => (x | !y, 0, false),
    };
    let (result, mut new) = add_with_carry(false, u64::from(x), u64::from(y), c);
    if !matches!(op, op::SUB..=op::RSC | op::CMP | op::CMN) {
        // Of a sum with nothing, neither C nor V is set.
        new |= regs.spsr & psr::V | if shifted_out { psr::C } else { 0 };
    }
    if flags {
        set_flags(regs, NZCV, new);
    }
    if !compares {
        write(regs, rd, result as u32);
    }
    Ok(())
}

/// None of `registers` may be PC.
pub(super) fn no_pc(registers: &[u8]) -> Result<(), NotSimple> {
    if registers.contains(&15) {
        Err(NotSimple)
    } else {
        Ok(())
    }
}

/// MUL, MLA and MLS: Ra plus or minus Rn by Rm, or the product alone.
pub(super) fn multiply(
    regs: &mut Vcpu,
    [rd, rn, rm]: [u8; 3],
    ra: Option<u8>,
    subtract: bool,
    flags: bool,
) -> Result<(), NotSimple> {
    no_pc(&[rd, rn, rm, ra.unwrap_or(0)])?;
    let product = read(regs, rn).wrapping_mul(read(regs, rm));
    let a = ra.map_or(0, |ra| read(regs, ra));
    let result = if subtract {
        a.wrapping_sub(product)
    } else {
        a.wrapping_add(product)
    };
    if flags {
        set_flags(
            regs,
            psr::N | psr::Z,
            negative_zero(false, u64::from(result)),
        );
    }
    write(regs, rd, result);
    Ok(())
}

/// SXTB, SXTH, UXTB, UXTH, and the same with an addition: of Rm turned right by `bytes`; without
/// one where Rn is 15.
pub(super) fn extend(
    regs: &mut Vcpu,
    [rd, rn, rm]: [u8; 3],
    bytes: u32,
    unsigned: bool,
    half: bool,
) -> Result<(), NotSimple> {
    no_pc(&[rd, rm])?;
    let value = read(regs, rm).rotate_right(bytes.wrapping_mul(8));
    let value = match (unsigned, half) {
        (true, true) => value as u16 as u32,
        (true, false) => value as u8 as u32,
        (false, true) => value as i16 as u32,
        (false, false) => value as i8 as u32,
    };
    let base = if rn == 15 { 0 } else { read(regs, rn) };
    write(regs, rd, base.wrapping_add(value));
    Ok(())
}

/// What turns a register's bits round.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    Rev,
    Rev16,
    Revsh,
    Rbit,
    Clz,
}

pub(super) fn turn(regs: &mut Vcpu, how: Turn, rd: u8, rm: u8) -> Result<(), NotSimple> {
    no_pc(&[rd, rm])?;
    let value = read(regs, rm);
    let result = match how {
        Turn::Rev => value.swap_bytes(),
        Turn::Rev16 => value.swap_bytes().rotate_left(16),
        Turn::Revsh => (value as u16).swap_bytes() as i16 as u32,
        Turn::Rbit => value.reverse_bits(),
        Turn::Clz => value.leading_zeros(),
    };
    write(regs, rd, result);
    Ok(())
}

/// The low `width` bits, 1 to 32.
fn ones(width: u32) -> u32 {
    u32::MAX.wrapping_shr(32u32.wrapping_sub(width))
}

/// UBFX and SBFX: `width` bits of Rn from `lsb` on.
pub(super) fn extract(
    regs: &mut Vcpu,
    rd: u8,
    rn: u8,
    (lsb, width): (u32, u32),
    unsigned: bool,
) -> Result<(), NotSimple> {
    no_pc(&[rd, rn])?;
    let above = 32u32.wrapping_sub(width);
    let left = above.checked_sub(lsb).ok_or(NotSimple)?;
    let top = read(regs, rn).wrapping_shl(left);
    let result = if unsigned {
        top.wrapping_shr(above)
    } else {
        (top as i32).wrapping_shr(above) as u32
    };
    write(regs, rd, result);
    Ok(())
}

/// BFI, and BFC where Rn is 15: Rd's bits from `lsb` to `msb`.
pub(super) fn insert(regs: &mut Vcpu, rd: u8, rn: u8, lsb: u32, msb: u32) -> Result<(), NotSimple> {
    no_pc(&[rd])?;
    let above = msb.checked_sub(lsb).ok_or(NotSimple)?;
    let mask = ones(above.wrapping_add(1)).wrapping_shl(lsb);
    let from = if rn == 15 { 0 } else { read(regs, rn) };
    let result = read(regs, rd) & !mask | from.wrapping_shl(lsb) & mask;
    write(regs, rd, result);
    Ok(())
}

/// MOVW and MOVT.
pub(super) fn move_half(regs: &mut Vcpu, rd: u8, imm16: u32, top: bool) -> Result<(), NotSimple> {
    no_pc(&[rd])?;
    let value = if top {
        imm16 << 16 | read(regs, rd) & 0xffff
    } else {
        imm16
    };
    write(regs, rd, value);
    Ok(())
}

/// The barriers that have nothing to do, by the byte of type and option: DSB, DMB, ISB. The metal
/// has ordered all that came before.
pub(super) const fn is_barrier(byte: u32) -> bool {
    matches!(byte >> 4, 4..=6)
}

/// The hints that are NOPs to a guest: NOP, YIELD, CSDB.
pub(super) const fn is_nop(hint: u32) -> bool {
    matches!(hint, 0 | 1 | 0x14)
}
