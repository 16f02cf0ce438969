//! A64: data processing of general registers (DDI 0487, C4.1 and C6.2) and direct
//! branches.

use super::{NZCV, NotSimple, add_with_carry, bit, field, holds, negative_zero, set_flags, signed};
use crate::vcpu::{Vcpu, psr};

pub(super) fn step(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let mut by = 4;
    match field(word, 25, 4) {
        0b1000 | 0b1001 => immediate(word, regs)?,
        0b1010 | 0b1011 => by = branch(word, regs)?,
        0b0101 | 0b1101 => register(word, regs)?,
        _ => return Err(NotSimple),
    }
    regs.pc = regs.pc.wrapping_add(by as u64);
    regs.spsr &= !psr::BTYPE;
    Ok(())
}

/// Rd, Rt.
const fn d(word: u32) -> u8 {
    field(word, 0, 5) as u8
}

/// Rn.
const fn n(word: u32) -> u8 {
    field(word, 5, 5) as u8
}

/// Rm.
const fn m(word: u32) -> u8 {
    field(word, 16, 5) as u8
}

/// sf: 64 bits.
const fn sf(word: u32) -> bool {
    bit(word, 31)
}

const fn cut(wide: bool, value: u64) -> u64 {
    if wide { value } else { value & 0xffff_ffff }
}

/// `ROR` of 64 or 32 bits.
const fn rotate(wide: bool, value: u64, by: u32) -> u64 {
    if wide {
        value.rotate_right(by)
    } else {
        (value as u32).rotate_right(by) as u64
    }
}

/// `ShiftReg`: LSL, LSR, ASR, ROR, by less than the width.
const fn shift(wide: bool, value: u64, kind: u32, by: u32) -> u64 {
    let value = cut(wide, value);
    cut(
        wide,
        match kind {
            0 => value.wrapping_shl(by),
            1 => value.wrapping_shr(by),
            2 if wide => (value as i64).wrapping_shr(by) as u64,
            2 => (value as i32).wrapping_shr(by) as u64,
            _ => rotate(wide, value, by),
        },
    )
}

/// C4.1, "Data Processing -- Immediate".
fn immediate(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let wide = sf(word);
    let result = match field(word, 23, 3) {
        // ADR, ADRP
        0 | 1 => {
            let offset = signed(field(word, 5, 19) << 2 | field(word, 29, 2), 21);
            if wide {
                (regs.pc & !0xfff).wrapping_add((offset << 12) as u64)
            } else {
                regs.pc.wrapping_add(offset as u64)
            }
        }
        2 => {
            // 31 is the stack pointer as Rn, and as Rd unless flags are set.
            if n(word) == 31 || d(word) == 31 && !bit(word, 29) {
                return Err(NotSimple);
            }
            let imm = u64::from(field(word, 10, 12));
            let imm = if bit(word, 22) { imm << 12 } else { imm };
            add(word, regs, imm)
        }
        4 => {
            if d(word) == 31 && field(word, 29, 2) != 3 {
                return Err(NotSimple);
            }
            let (mask, _) = bit_masks(word, true)?;
            logical(word, regs, mask)
        }
        5 => {
            let at = field(word, 21, 2) << 4;
            if !wide && at > 16 {
                return Err(NotSimple);
            }
            let imm = u64::from(field(word, 5, 16)).wrapping_shl(at);
            match field(word, 29, 2) {
                0 => !imm,
                2 => imm,
                3 => regs.x(d(word)) & !0xffffu64.wrapping_shl(at) | imm,
                _ => return Err(NotSimple),
            }
        }
        6 => bit_field(word, regs)?,
        // EXTR
        7 if field(word, 29, 2) == 0 && !bit(word, 21) && bit(word, 22) == wide => {
            let lsb = field(word, 10, 6);
            let (high, low) = (regs.x(n(word)), regs.x(m(word)));
            if !wide && lsb > 31 {
                return Err(NotSimple);
            }
            let width = if wide { 64u32 } else { 32 };
            let above = high.checked_shl(width.wrapping_sub(lsb)).unwrap_or(0);
            cut(wide, low).wrapping_shr(lsb) | above
        }
        _ => return Err(NotSimple),
    };
    regs.set_x(d(word), cut(wide || field(word, 24, 2) == 0, result));
    Ok(())
}

/// SBFM, BFM and UBFM, as C6.2 has them.
fn bit_field(word: u32, regs: &Vcpu) -> Result<u64, NotSimple> {
    let wide = sf(word);
    let (opc, immr, imms) = (field(word, 29, 2), field(word, 16, 6), field(word, 10, 6));
    if opc == 3 || bit(word, 22) != wide || !wide && (immr | imms) > 31 {
        return Err(NotSimple);
    }
    let (wmask, tmask) = bit_masks(word, false)?;
    let src = regs.x(n(word));
    let dst = if opc == 1 { regs.x(d(word)) } else { 0 };
    let bottom = dst & !wmask | rotate(wide, src, immr) & wmask;
    let top = if opc == 0 {
        0u64.wrapping_sub(src.wrapping_shr(imms) & 1)
    } else {
        dst
    };
    Ok(top & !tmask | bottom & tmask)
}

/// `DecodeBitMasks`: wmask and tmask of N, imms and immr.
fn bit_masks(word: u32, immediate: bool) -> Result<(u64, u64), NotSimple> {
    let (immr, imms) = (field(word, 16, 6), field(word, 10, 6));
    // The element's bits, as a power of two: the highest one of N:NOT(imms).
    let Some(log2 @ 1..) = (field(word, 22, 1) << 6 | imms ^ 0x3f).checked_ilog2() else {
        return Err(NotSimple);
    };
    let levels = 1u32.wrapping_shl(log2).wrapping_sub(1);
    let (s, r) = (imms & levels, immr & levels);
    if log2 == 6 && !sf(word) || immediate && s == levels {
        return Err(NotSimple);
    }
    let ones = |bits: u32| u64::MAX.wrapping_shr(63u32.wrapping_sub(bits));
    let element = ones(levels);
    let replicate = u64::MAX.checked_div(element).unwrap_or(1);
    let w = ones(s);
    let w = w.wrapping_shr(r)
        | w.checked_shl(levels.wrapping_add(1).wrapping_sub(r))
            .unwrap_or(0);
    let t = ones(s.wrapping_sub(r) & levels);
    Ok((
        (w & element).wrapping_mul(replicate),
        t.wrapping_mul(replicate),
    ))
}

/// ADD, ADDS, SUB, SUBS of Rn and `y`.
fn add(word: u32, regs: &mut Vcpu, y: u64) -> u64 {
    let subtract = bit(word, 30);
    let y = if subtract { !y } else { y };
    let (sum, flags) = add_with_carry(sf(word), regs.x(n(word)), y, subtract);
    if bit(word, 29) {
        set_flags(regs, NZCV, flags);
    }
    sum
}

/// AND, ORR, EOR, ANDS of Rn and `y`.
fn logical(word: u32, regs: &mut Vcpu, y: u64) -> u64 {
    let x = regs.x(n(word));
    let opc = field(word, 29, 2);
    let result = match opc {
        1 => x | y,
        2 => x ^ y,
        _ => x & y,
    };
    let result = cut(sf(word), result);
    if opc == 3 {
        set_flags(regs, NZCV, negative_zero(sf(word), result));
    }
    result
}

/// C4.1, "Data Processing -- Register".
fn register(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let wide = sf(word);
    let x = cut(wide, regs.x(n(word)));
    let y = cut(wide, regs.x(m(word)));
    let (kind, amount) = (field(word, 22, 2), field(word, 10, 6));
    let result = match (bit(word, 28), field(word, 21, 4)) {
        // Logical, shifted register.
        (false, 0..=7) => {
            if !wide && amount > 31 {
                return Err(NotSimple);
            }
            let y = shift(wide, y, kind, amount);
            logical(word, regs, if bit(word, 21) { !y } else { y })
        }
        // Add and subtract, shifted register.
        (false, 8 | 10 | 12) if wide || amount <= 31 => {
            let y = shift(wide, y, kind, amount);
            add(word, regs, y)
        }
        // Add and subtract, extended register.
        (false, 9) => {
            let left = field(word, 10, 3);
            if left > 4 || n(word) == 31 || d(word) == 31 && !bit(word, 29) {
                return Err(NotSimple);
            }
            let y = extend(y, field(word, 13, 3)).wrapping_shl(left);
            add(word, regs, y)
        }
        // ADC, ADCS, SBC, SBCS.
        (true, 0) if amount == 0 => {
            let y = if bit(word, 30) { !y } else { y };
            let (sum, flags) = add_with_carry(wide, x, y, regs.spsr & psr::C != 0);
            if bit(word, 29) {
                set_flags(regs, NZCV, flags);
            }
            sum
        }
        // CCMN, CCMP.
        (true, 2) if bit(word, 29) && !bit(word, 10) && !bit(word, 4) => {
            let y = if bit(word, 11) { u64::from(m(word)) } else { y };
            let subtract = bit(word, 30);
            let y = if subtract { !y } else { y };
            let flags = if holds(regs, field(word, 12, 4) as u8) {
                add_with_carry(wide, x, y, subtract).1
            } else {
                u64::from(field(word, 0, 4)) << 28
            };
            set_flags(regs, NZCV, flags);
            return Ok(());
        }
        // CSEL, CSINC, CSINV, CSNEG.
        (true, 4) if !bit(word, 29) && !bit(word, 11) => {
            if holds(regs, field(word, 12, 4) as u8) {
                x
            } else {
                let y = if bit(word, 30) { !y } else { y };
                y.wrapping_add(u64::from(bit(word, 10)))
            }
        }
        (true, 6) if !bit(word, 29) && bit(word, 30) && m(word) == 0 => {
            one_source(wide, amount, x)?
        }
        // LSLV, LSRV, ASRV, RORV.
        (true, 6) if !bit(word, 29) && !bit(word, 30) && amount >> 2 == 2 => {
            let by = y as u32 & if wide { 63 } else { 31 };
            shift(wide, x, amount & 3, by)
        }
        // MADD, MSUB
        (true, 8) if field(word, 29, 2) == 0 => {
            let a = regs.x(field(word, 10, 5) as u8);
            let product = x.wrapping_mul(y);
            if bit(word, 15) {
                a.wrapping_sub(product)
            } else {
                a.wrapping_add(product)
            }
        }
        // SMADDL and SMSUBL, SMULH, UMADDL and UMSUBL, UMULH.
        (true, op @ (9 | 10 | 13 | 14)) if wide && field(word, 29, 2) == 0 => {
            let a = regs.x(field(word, 10, 5) as u8);
            multiply(op, bit(word, 15), a, x, y)?
        }
        _ => return Err(NotSimple),
    };
    regs.set_x(d(word), cut(wide, result));
    Ok(())
}

/// A long multiplication by the low bits of its encoding (C4.1, "Data-processing (3 source)").
fn multiply(op: u32, subtracts: bool, a: u64, x: u64, y: u64) -> Result<u64, NotSimple> {
    let operand = |value: u64| match op {
        9 => i128::from(value as i32),
        10 => i128::from(value as i64),
        13 => i128::from(value as u32),
        _ => i128::from(value),
    };
    let product = operand(x).wrapping_mul(operand(y));
    match (op, subtracts) {
        (10 | 14, false) => Ok((product >> 64) as u64),
        (9 | 13, false) => Ok(a.wrapping_add(product as u64)),
        (9 | 13, true) => Ok(a.wrapping_sub(product as u64)),
        _ => Err(NotSimple),
    }
}

/// `ExtendReg` but for its shift: UXTB, UXTH, UXTW, UXTX and the signed ones.
const fn extend(value: u64, option: u32) -> u64 {
    match option {
        0 => value as u8 as u64,
        1 => value as u16 as u64,
        2 => value as u32 as u64,
        4 => value as i8 as u64,
        5 => value as i16 as u64,
        6 => value as i32 as u64,
        _ => value,
    }
}

/// RBIT, REV16, REV32 and REV, CLZ.
fn one_source(wide: bool, opcode: u32, x: u64) -> Result<u64, NotSimple> {
    // 32 bits are worked on in the upper half.
    let low = if wide { 0 } else { 32 };
    let high = x.wrapping_shl(low);
    Ok(match opcode {
        0 => high.reverse_bits(),
        1 => return Ok((x & 0x00ff_00ff_00ff_00ff) << 8 | x >> 8 & 0x00ff_00ff_00ff_00ff),
        2 => return Ok(x.swap_bytes().rotate_left(32)),
        3 if wide => x.swap_bytes(),
        4 => return Ok(u64::from(x.leading_zeros().wrapping_sub(low))),
        _ => return Err(NotSimple),
    })
}

/// C4.1, "Branches, Exception Generating and System instructions": by how much PC moves.
fn branch(word: u32, regs: &Vcpu) -> Result<i64, NotSimple> {
    let by = |offset: i64, taken: bool| if taken { offset.wrapping_mul(4) } else { 4 };
    let nonzero = bit(word, 24);
    let imm19 = signed(field(word, 5, 19), 19);
    Ok(match word >> 24 {
        // B
        0x14..=0x17 => by(signed(word, 26), true),
        // CBZ, CBNZ
        0x34 | 0x35 | 0xb4 | 0xb5 => by(imm19, (cut(sf(word), regs.x(d(word))) != 0) == nonzero),
        // TBZ, TBNZ
        0x36 | 0x37 | 0xb6 | 0xb7 => {
            let at = field(word, 31, 1) << 5 | field(word, 19, 5);
            let set = regs.x(d(word)).wrapping_shr(at) & 1 != 0;
            by(signed(field(word, 5, 14), 14), set == nonzero)
        }
        // B.cond
        0x54 if !bit(word, 4) => by(imm19, holds(regs, field(word, 0, 4) as u8)),
        0xd5 if is_nothing(word) => 4,
        _ => return Err(NotSimple),
    })
}

/// Barriers, and the hints that are NOPs to a guest: NOP, YIELD, DGH, CSDB and BTI.
const fn is_nothing(word: u32) -> bool {
    if word & 0xffff_f01f == 0xd503_201f {
        return matches!(field(word, 5, 7), 0 | 1 | 6 | 20 | 32 | 34 | 36 | 38);
    }
    // The metal has ordered all that came before: DSB, DMB and ISB have nothing to do.
    word & 0xffff_f01f == 0xd503_301f && matches!(field(word, 5, 3), 4..=6)
}
