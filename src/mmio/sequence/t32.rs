//! T32, of 16 and of 32 bits: data processing, direct branches and IT (DDI 0487, F3.1 and F5.1).

use super::aarch32::{
    Operand, Turn, carry, data, extend, extract, immediate_shift, insert, is_barrier, is_nop,
    move_half, multiply, no_pc, op, read, shift, turn,
};
use super::{NotSimple, bit, field, holds, r, signed};
use crate::vcpu::{Vcpu, it_state, with_it_state};

pub(super) fn step(word: u32, length: u8, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let narrow = length == 2;
    let first = if narrow { word } else { word >> 16 };
    if narrow != (first >> 11 < 0b11101) || first >> 16 != 0 {
        return Err(NotSimple);
    }
    if !holds(regs, regs.it_condition()) && !is_unconditional(word) {
        regs.advance(u64::from(length));
        return Ok(());
    }
    if narrow && word & 0xff00 == 0xbf00 && word & 0xf != 0 {
        return it(word, regs);
    }
    let by = if narrow {
        narrow_branch(word, regs)?
    } else {
        wide_branch(word, regs)?
    };
    if by.is_none() {
        if narrow {
            sixteen(word, regs)?;
        } else {
            thirty_two(word, regs)?;
        }
    }
    let to = by.map(|by| read(regs, 15).wrapping_add(by as u32));
    regs.advance(u64::from(length));
    if let Some(to) = to {
        regs.pc = u64::from(to);
    }
    Ok(())
}

/// What no condition of an IT block keeps from being executed, and what may not be in one: HLT,
/// BKPT, IT, CPS, SETEND, CBZ and UDF, conditional branches of their own.
const fn is_unconditional(word: u32) -> bool {
    if word >> 16 == 0 {
        let it = word & 0xff00 == 0xbf00 && word & 0xf != 0;
        let branch = word & 0xf000 == 0xd000 && word & 0xf00 != 0xf00;
        it || branch
            || word & 0xff80 == 0xb600
            || word & 0xffc0 == 0xba80
            || word & 0xff00 == 0xbe00
            || word & 0xf500 == 0xb100
    } else {
        // B with a condition, and UDF.
        word & 0xf800_d000 == 0xf000_8000 && !is_miscellaneous(word)
            || word & 0xfff0_f000 == 0xf7f0_a000
    }
}

/// Of the 32-bit branches and miscellaneous: not a conditional branch.
const fn is_miscellaneous(word: u32) -> bool {
    field(word, 23, 3) == 7
}

fn in_it_block(regs: &Vcpu) -> bool {
    it_state(regs.spsr) & 0xf != 0
}

/// `InITBlock() && !LastInITBlock()`
fn it_goes_on(regs: &Vcpu) -> bool {
    it_state(regs.spsr) & 7 != 0
}

fn not_in_it_block(regs: &Vcpu) -> Result<(), NotSimple> {
    if in_it_block(regs) {
        Err(NotSimple)
    } else {
        Ok(())
    }
}

fn it(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    not_in_it_block(regs)?;
    let cond = field(word, 4, 4);
    if cond == 15 || cond == 14 && field(word, 0, 4).count_ones() != 1 {
        return Err(NotSimple);
    }
    regs.advance(2);
    regs.spsr = with_it_state(regs.spsr, u64::from(word));
    Ok(())
}

/// How far from the PC that an instruction reads a taken branch of 16 bits goes; none if it is
/// not a branch. One that is not taken goes to the next.
fn narrow_branch(word: u32, regs: &Vcpu) -> Result<Option<i64>, NotSimple> {
    let by = match word >> 11 {
        // B, T1. 14 is UDF, 15 is SVC.
        0b11010 | 0b11011 if field(word, 8, 4) < 14 => {
            not_in_it_block(regs)?;
            if holds(regs, field(word, 8, 4) as u8) {
                signed(word, 8) << 1
            } else {
                -2
            }
        }
        // B, T2
        0b11100 => {
            if it_goes_on(regs) {
                return Err(NotSimple);
            }
            signed(word, 11) << 1
        }
        // CBZ, CBNZ
        _ if word & 0xf500 == 0xb100 => {
            not_in_it_block(regs)?;
            let nonzero = read(regs, field(word, 0, 3) as u8) != 0;
            if nonzero == bit(word, 11) {
                i64::from(field(word, 9, 1) << 6 | field(word, 3, 5) << 1)
            } else {
                -2
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(by))
}

/// The same of 32 bits.
fn wide_branch(word: u32, regs: &Vcpu) -> Result<Option<i64>, NotSimple> {
    if word & 0xf800_c000 != 0xf000_8000 {
        return Ok(None);
    }
    let (s, j1, j2) = (field(word, 26, 1), field(word, 13, 1), field(word, 11, 1));
    let imm11 = field(word, 0, 11);
    if bit(word, 12) {
        // B, T4
        if it_goes_on(regs) {
            return Err(NotSimple);
        }
        let (i1, i2) = (!(j1 ^ s) & 1, !(j2 ^ s) & 1);
        let imm = s << 23 | i1 << 22 | i2 << 21 | field(word, 16, 10) << 11 | imm11;
        return Ok(Some(signed(imm, 24) << 1));
    }
    if is_miscellaneous(word) {
        return Ok(None);
    }
    // B, T3
    not_in_it_block(regs)?;
    if !holds(regs, field(word, 22, 4) as u8) {
        return Ok(Some(0));
    }
    let imm = s << 19 | j2 << 18 | j1 << 17 | field(word, 16, 6) << 11 | imm11;
    Ok(Some(signed(imm, 20) << 1))
}

/// F3.1, "16-bit".
fn sixteen(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let flags = !in_it_block(regs);
    let c = carry(regs);
    let low = |at: u32| field(word, at, 3) as u8;
    let (op, flags, d, x, operand) = match word >> 10 {
        // LSL, LSR, ASR; MOV of a register, which is not for an IT block.
        0x00..=0x05 => {
            if word >> 6 == 0 {
                not_in_it_block(regs)?;
            }
            let m = read(regs, low(3));
            let value = immediate_shift(m, field(word, 11, 2), field(word, 6, 5), c);
            (op::MOV, flags, low(0), 0, value)
        }
        // ADD, SUB of three registers, or of a small number.
        0x06 | 0x07 => {
            let y = if bit(word, 10) {
                field(word, 6, 3)
            } else {
                read(regs, low(6))
            };
            let op = if bit(word, 9) { op::SUB } else { op::ADD };
            (op, flags, low(0), read(regs, low(3)), (y, c))
        }
        // MOV, CMP, ADD, SUB of a byte.
        0x08..=0x0f => {
            let (op, flags) = match field(word, 11, 2) {
                0 => (op::MOV, flags),
                1 => (op::CMP, true),
                2 => (op::ADD, flags),
                _ => (op::SUB, flags),
            };
            (op, flags, low(8), read(regs, low(8)), (word & 0xff, c))
        }
        0x10 => return low_registers(word, regs, flags),
        0x11 => return high_registers(word, regs),
        // ADR, and ADD of SP.
        0x28..=0x2b => {
            let x = if bit(word, 11) {
                read(regs, 13)
            } else {
                read(regs, 15) & !3
            };
            (op::ADD, false, low(8), x, (field(word, 0, 8) << 2, c))
        }
        // ADD and SUB of SP to itself.
        0x2c if field(word, 8, 2) == 0 => {
            let op = if bit(word, 7) { op::SUB } else { op::ADD };
            let imm = field(word, 0, 7) << 2;
            (op, false, 13, read(regs, 13), (imm, c))
        }
        0x2c..=0x2f => return miscellaneous(word, regs),
        _ => return Err(NotSimple),
    };
    data(regs, op, flags, d, x, operand)
}

/// F3.1, "Data-processing (two low registers)".
fn low_registers(word: u32, regs: &mut Vcpu, flags: bool) -> Result<(), NotSimple> {
    let (d, m) = (field(word, 0, 3) as u8, field(word, 3, 3) as u8);
    let (x, y, c) = (read(regs, d), read(regs, m), carry(regs));
    let (op, x, operand) = match field(word, 6, 4) {
        // LSL, LSR, ASR, ROR
        kind @ (2..=4 | 7) => {
            let kind = kind.wrapping_sub(2).min(3);
            (op::MOV, x, shift(x, kind, y & 0xff, c))
        }
        // RSB: 0 less Rm.
        9 => (op::RSB, y, (0, c)),
        13 => return multiply(regs, [d, m, d], None, false, flags),
        // The others have A32's numbers.
        opcode => (opcode as u8, x, (y, c)),
    };
    let flags = flags || matches!(op, op::TST..=op::CMN);
    data(regs, op, flags, d, x, operand)
}

/// F3.1, "Add, subtract, compare, move (two high registers)".
fn high_registers(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let d = (field(word, 7, 1) << 3 | field(word, 0, 3)) as u8;
    let m = r(word, 3);
    let (x, operand) = (read(regs, d), (read(regs, m), carry(regs)));
    let op = match field(word, 8, 2) {
        0 => op::ADD,
        // Two low registers have an encoding of their own.
        1 if d != 15 && m != 15 && (d | m) > 7 => op::CMP,
        2 => op::MOV,
        _ => return Err(NotSimple),
    };
    data(regs, op, op == op::CMP, d, x, operand)
}

/// F3.1, "Miscellaneous 16-bit instructions".
fn miscellaneous(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let (d, m) = (field(word, 0, 3) as u8, field(word, 3, 3) as u8);
    match word >> 6 & 0x3f {
        // SXTH, SXTB, UXTH, UXTB
        0x08..=0x0b => extend(regs, [d, 15, m], 0, bit(word, 7), !bit(word, 6)),
        0x28 => turn(regs, Turn::Rev, d, m),
        0x29 => turn(regs, Turn::Rev16, d, m),
        0x2b => turn(regs, Turn::Revsh, d, m),
        0x3c..=0x3f if field(word, 0, 4) == 0 && is_nop(field(word, 4, 4)) => Ok(()),
        _ => Err(NotSimple),
    }
}

/// F3.1, "32-bit".
fn thirty_two(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let [n, d, m] = [16, 8, 0].map(|at| r(word, at));
    let c = carry(regs);
    match word >> 24 {
        // Data processing, shifted register.
        0xea | 0xeb if !bit(word, 15) => {
            no_pc(&[m])?;
            let amount = field(word, 12, 3) << 2 | field(word, 6, 2);
            let operand = immediate_shift(read(regs, m), field(word, 4, 2), amount, c);
            process(word, regs, operand)
        }
        // Data processing, modified immediate.
        0xf0 | 0xf1 | 0xf4 | 0xf5 if !bit(word, 15) => {
            let operand = expand(immediate12(word), c)?;
            process(word, regs, operand)
        }
        0xf2 | 0xf3 | 0xf6 | 0xf7 if !bit(word, 15) => plain(word, regs),
        0xf3 => {
            let nop = word & 0xffff_ff00 == 0xf3af_8000 && is_nop(word & 0xff);
            let barrier = word & 0xffff_ff00 == 0xf3bf_8f00 && is_barrier(word & 0xff);
            if nop || barrier {
                Ok(())
            } else {
                Err(NotSimple)
            }
        }
        0xfa if field(word, 12, 4) == 15 => wide_registers(word, regs),
        0xfb if field(word, 20, 4) == 0 && field(word, 5, 3) == 0 => {
            let (a, subtract) = (r(word, 12), bit(word, 4));
            let a = (a != 15).then_some(a);
            if subtract && a.is_none() {
                return Err(NotSimple);
            }
            multiply(regs, [d, n, m], a, subtract, false)
        }
        _ => Err(NotSimple),
    }
}

/// i:imm3:imm8
const fn immediate12(word: u32) -> u32 {
    field(word, 26, 1) << 11 | field(word, 12, 3) << 8 | word & 0xff
}

/// `T32ExpandImm_C`
fn expand(imm12: u32, carry: bool) -> Result<Operand, NotSimple> {
    let byte = imm12 & 0xff;
    let times = match imm12 >> 8 {
        0 => return Ok((byte, carry)),
        1 => 0x0001_0001,
        2 => 0x0100_0100,
        3 => 0x0101_0101,
        _ => return Ok(shift(imm12 & 0x7f | 0x80, 3, imm12 >> 7, carry)),
    };
    if byte == 0 {
        return Err(NotSimple);
    }
    Ok((byte.wrapping_mul(times), carry))
}

/// Data processing of 32 bits: the opcode in A32's numbers.
fn process(word: u32, regs: &mut Vcpu, operand: Operand) -> Result<(), NotSimple> {
    let (n, d) = (r(word, 16), r(word, 8));
    let flags = bit(word, 20);
    let compares = d == 15 && flags;
    let op = match (field(word, 21, 4), compares) {
        (0, false) => op::AND,
        (0, true) => op::TST,
        (1, _) => op::BIC,
        (2, _) if n == 15 => op::MOV,
        (2, _) => op::ORR,
        (3, _) if n == 15 => op::MVN,
        (3, _) => op::ORN,
        (4, false) => op::EOR,
        (4, true) => op::TEQ,
        (8, false) => op::ADD,
        (8, true) => op::CMN,
        (10, _) => op::ADC,
        (11, _) => op::SBC,
        (13, false) => op::SUB,
        (13, true) => op::CMP,
        (14, _) => op::RSB,
        _ => return Err(NotSimple),
    };
    if n == 15 && !matches!(op, op::MOV | op::MVN) {
        return Err(NotSimple);
    }
    data(regs, op, flags, d, read(regs, n), operand)
}

/// F3.1, "Data-processing (plain binary immediate)".
fn plain(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let (n, d) = (r(word, 16), r(word, 8));
    let lsb = field(word, 12, 3) << 2 | field(word, 6, 2);
    let low = field(word, 0, 5);
    // Bits that should be zero in all bit-field instructions.
    let is_field = word & 1 << 26 == 0 && !bit(word, 5);
    let imm12 = immediate12(word);
    match field(word, 20, 5) {
        // ADD, SUB; ADR where Rn is PC.
        opcode @ (0 | 10) => {
            let op = if opcode == 0 { op::ADD } else { op::SUB };
            let x = if n == 15 {
                read(regs, 15) & !3
            } else {
                read(regs, n)
            };
            data(regs, op, false, d, x, (imm12, false))
        }
        4 | 12 => move_half(regs, d, u32::from(n) << 12 | imm12, bit(word, 23)),
        20 | 28 if is_field => extract(regs, d, n, (lsb, low.wrapping_add(1)), bit(word, 23)),
        22 if is_field => insert(regs, d, n, lsb, low),
        _ => Err(NotSimple),
    }
}

/// F3.1, "Data-processing (register)": shifts, extensions, and what turns bits round.
fn wide_registers(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let [n, d, m] = [16, 8, 0].map(|at| r(word, at));
    match (field(word, 20, 4), field(word, 4, 4)) {
        // LSL, LSR, ASR, ROR
        (kind @ 0..=7, 0) => {
            no_pc(&[n, m])?;
            let value = shift(read(regs, n), kind >> 1, read(regs, m) & 0xff, carry(regs));
            data(regs, op::MOV, kind & 1 != 0, d, 0, value)
        }
        (kind @ (0 | 1 | 4 | 5), 8..=11) => {
            extend(regs, [d, n, m], field(word, 4, 2), kind & 1 != 0, kind < 4)
        }
        // The register stands in both places.
        (9, how @ 8..=11) if n == m => {
            let how = match how {
                8 => Turn::Rev,
                9 => Turn::Rev16,
                10 => Turn::Rbit,
                _ => Turn::Revsh,
            };
            turn(regs, how, d, m)
        }
        (11, 8) if n == m => turn(regs, Turn::Clz, d, m),
        _ => Err(NotSimple),
    }
}
