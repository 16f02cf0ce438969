//! A32: data processing and direct branches (DDI 0487, F4.1 and F5.1).

use super::aarch32::{
    Turn, carry, data, extend, extract, immediate_shift, insert, is_barrier, is_nop, move_half,
    multiply, no_pc, op, read, shift, turn,
};
use super::{NotSimple, bit, field, holds, r, signed};
use crate::vcpu::Vcpu;

pub(super) fn step(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let cond = word >> 28;
    let mut to = None;
    if cond == 15 {
        if word & 0xffff_ff00 != 0xf57f_f000 || !is_barrier(word & 0xff) {
            return Err(NotSimple);
        }
    } else if holds(regs, cond as u8) {
        match field(word, 25, 3) {
            0 => register(word, regs)?,
            1 => immediate(word, regs)?,
            3 if bit(word, 4) => media(word, regs)?,
            // B
            5 if !bit(word, 24) => {
                let offset = signed(word, 24) as u32;
                to = Some(read(regs, 15).wrapping_add(offset << 2));
            }
            _ => return Err(NotSimple),
        }
    }
    regs.advance(4);
    if let Some(to) = to {
        regs.pc = u64::from(to);
    }
    Ok(())
}

/// F4.1, "Data-processing register", and what shares its space.
fn register(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let by_register = bit(word, 4);
    if by_register && bit(word, 7) {
        return product(word, regs);
    }
    let kind = field(word, 5, 2);
    let m = r(word, 0);
    let no_flags_of_a_test = field(word, 23, 2) == 2 && !bit(word, 20);
    if no_flags_of_a_test {
        return if word & 0x0fff_0ff0 == 0x016f_0f10 {
            turn(regs, Turn::Clz, r(word, 12), m)
        } else {
            Err(NotSimple)
        };
    }
    let operand = if by_register {
        let s = r(word, 8);
        no_pc(&[r(word, 12), r(word, 16), m, s])?;
        shift(read(regs, m), kind, read(regs, s) & 0xff, carry(regs))
    } else {
        immediate_shift(read(regs, m), kind, field(word, 7, 5), carry(regs))
    };
    process(word, regs, operand)
}

/// F4.1, "Data-processing immediate", and what shares its space.
fn immediate(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    match field(word, 20, 5) {
        0x10 | 0x14 => {
            let imm16 = field(word, 16, 4) << 12 | field(word, 0, 12);
            move_half(regs, r(word, 12), imm16, bit(word, 22))
        }
        0x12 if field(word, 8, 12) == 0x0f0 && is_nop(word & 0xff) => Ok(()),
        0x12 | 0x16 => Err(NotSimple),
        _ => {
            // `A32ExpandImm_C`
            let operand = shift(word & 0xff, 3, field(word, 8, 4) << 1, carry(regs));
            process(word, regs, operand)
        }
    }
}

fn process(word: u32, regs: &mut Vcpu, operand: (u32, bool)) -> Result<(), NotSimple> {
    let opcode = field(word, 21, 4) as u8;
    let (n, d) = (r(word, 16), r(word, 12));
    // The field that has no use should be zero.
    let unused = match opcode {
        op::TST..=op::CMN => d,
        op::MOV | op::MVN => n,
        _ => 0,
    };
    if unused != 0 {
        return Err(NotSimple);
    }
    data(regs, opcode, bit(word, 20), d, read(regs, n), operand)
}

/// MUL, MLA and MLS.
fn product(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let [d, a, s, m] = [16, 12, 8, 0].map(|at| r(word, at));
    match field(word, 20, 8) {
        _ if field(word, 5, 2) != 0 => Err(NotSimple),
        0 | 1 if a == 0 => multiply(regs, [d, m, s], None, false, bit(word, 20)),
        2 | 3 => multiply(regs, [d, m, s], Some(a), false, bit(word, 20)),
        6 => multiply(regs, [d, m, s], Some(a), true, false),
        _ => Err(NotSimple),
    }
}

/// F4.1, "Media instructions": those that move bits about.
fn media(word: u32, regs: &mut Vcpu) -> Result<(), NotSimple> {
    let [n, d, m] = [16, 12, 0].map(|at| r(word, at));
    let lsb = field(word, 7, 5);
    let top = field(word, 16, 5);
    match (field(word, 20, 5), field(word, 4, 4)) {
        (0xa | 0xb | 0xe | 0xf, 7) if field(word, 8, 2) == 0 => {
            let unsigned = bit(word, 22);
            extend(regs, [d, n, m], field(word, 10, 2), unsigned, bit(word, 20))
        }
        (0xb | 0xf, 3 | 0xb) if n == 15 && field(word, 8, 4) == 15 => {
            let how = match (bit(word, 22), bit(word, 7)) {
                (false, false) => Turn::Rev,
                (false, true) => Turn::Rev16,
                (true, false) => Turn::Rbit,
                (true, true) => Turn::Revsh,
            };
            turn(regs, how, d, m)
        }
        (0x1a | 0x1b | 0x1e | 0x1f, 5 | 0xd) => {
            extract(regs, d, m, (lsb, top.wrapping_add(1)), bit(word, 22))
        }
        (0x1c | 0x1d, 1 | 9) => insert(regs, d, m, lsb, top),
        _ => Err(NotSimple),
    }
}
