//! Whole SIMD and floating-point registers, or their low part (DDI 0487, C7.2 LDR, LDP; F6.1 VLDR,
//! VLDM).

use super::super::instruction::{Registers, Simd, View};
use super::{Cpu, Ended, Reach, aligned};
use crate::access::Width;

/// The most registers of one instruction: VLDM of S0 to S31.
const RUN_MAX: usize = 32;

impl<R: Reach> Cpu<'_, R> {
    pub(super) fn simd(&mut self, op: &Simd) -> Result<(), Ended> {
        let (at, base) = self.locate(&op.address);
        let bytes = 1u64.wrapping_shl(u32::from(op.log2_bytes & 7));
        if op.view != View::V {
            // VLDR, VSTR, VLDM and VSTM move words, and check them (E2.5.2).
            aligned(at, bytes.min(4), !op.load)?;
        }
        let count = match op.registers {
            Registers::Run { count, .. } => usize::from(count).min(RUN_MAX),
            Registers::Pair(..) => 2,
        };
        let mut values = [0u128; RUN_MAX];
        let mut place = at;
        for (index, value) in values.iter_mut().enumerate().take(count) {
            let register = numbered(op.registers, index as u8);
            if op.load {
                *value = self.load_wide(place, op)?;
            } else {
                *value = self.view(op.view, register);
                self.store_wide(place, op, *value)?;
            }
            place = place.wrapping_add(bytes);
        }
        if op.load {
            for (index, value) in values.iter().enumerate().take(count) {
                self.set_view(op.view, numbered(op.registers, index as u8), *value);
            }
        }
        self.set_base(op.address.base, base);
        self.done();
        Ok(())
    }

    /// One register's value from memory.
    fn load_wide(&mut self, at: u64, op: &Simd) -> Result<u128, Ended> {
        let Some((width, swapped)) = halves(op) else {
            return Ok(u128::from(self.load(at, width_of(op.log2_bytes), false)?));
        };
        let one = self.load(at, width, false)?;
        let two = self.load(at.wrapping_add(width.bytes()), width, false)?;
        let (low, high) = if self.big_endian && swapped {
            (two, one)
        } else {
            (one, two)
        };
        Ok(u128::from(low) | u128::from(high) << (width.bytes().wrapping_mul(8) & 0x7f))
    }

    fn store_wide(&mut self, at: u64, op: &Simd, value: u128) -> Result<(), Ended> {
        let Some((width, swapped)) = halves(op) else {
            self.store(at, width_of(op.log2_bytes), value as u64, false)?;
            return Ok(());
        };
        let low = value as u64;
        let high = (value >> (width.bytes().wrapping_mul(8) & 0x7f)) as u64;
        let (one, two) = if self.big_endian && swapped {
            (high, low)
        } else {
            (low, high)
        };
        self.store(at, width, one, false)?;
        self.store(at.wrapping_add(width.bytes()), width, two, false)?;
        Ok(())
    }

    /// A register by the numbers of a view; zero beyond the last.
    pub(super) fn view(&mut self, view: View, n: u8) -> u128 {
        let (v, shift, mask) = part(view, n);
        if v < 32 {
            self.reach.simd(v) >> shift & mask
        } else {
            0
        }
    }

    /// Sets a register by the numbers of a view. Of AArch32's, what lies beside it in the V
    /// register stays.
    pub(super) fn set_view(&mut self, view: View, n: u8, value: u128) {
        let (v, shift, mask) = part(view, n);
        if v >= 32 {
            return;
        }
        if view == View::V {
            self.reach.set_simd(v, value);
            return;
        }
        let rest = self.reach.simd(v) & !(mask << shift);
        self.reach.set_simd(v, rest | (value & mask) << shift);
    }
}

/// The V register that holds a register of a view, where in it, and how much (G1.20: D registers
/// lie by twos in Q registers, S registers by fours).
fn part(view: View, n: u8) -> (u8, u32, u128) {
    let beyond = if n > 31 { 32 } else { 0 };
    match view {
        View::V => (n, 0, u128::MAX),
        View::D => (n >> 1 | beyond, u32::from(n & 1) << 6, u128::from(u64::MAX)),
        View::S => (n >> 2 | beyond, u32::from(n & 3) << 5, u128::from(u32::MAX)),
    }
}

/// What is moved in two parts: the part's width, and whether the parts change places in
/// big-endian order. Q registers in doublewords; D registers of AArch32 in words.
fn halves(op: &Simd) -> Option<(Width, bool)> {
    match (op.log2_bytes, op.view) {
        (4, _) => Some((Width::Double, true)),
        (3, View::D) => Some((Width::Word, true)),
        _ => None,
    }
}

pub(super) fn width_of(log2_bytes: u8) -> Width {
    match log2_bytes {
        0 => Width::Byte,
        1 => Width::Half,
        2 => Width::Word,
        _ => Width::Double,
    }
}

fn numbered(registers: Registers, index: u8) -> u8 {
    match registers {
        Registers::Run { first, .. } => first.wrapping_add(index),
        Registers::Pair(first, second) => {
            if index == 0 {
                first
            } else {
                second
            }
        }
    }
}
