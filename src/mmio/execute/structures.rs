//! Structures of one to four elements (DDI 0487, C7.2 LD1 to ST4; F6.1 VLD1 to VST4).

use super::super::instruction::{Lane, Structures, View};
use super::simd::width_of;
use super::{Cpu, Ended, Reach, aligned};

/// The registers that one instruction names lie within so many successive ones.
const SPAN_MAX: usize = 8;

impl<R: Reach> Cpu<'_, R> {
    pub(super) fn structures(&mut self, op: &Structures) -> Result<(), Ended> {
        let (at, base) = self.locate(&op.address);
        aligned(at, u64::from(op.align.max(1)), !op.load)?;
        let mut registers = [0u128; SPAN_MAX];
        for (index, register) in registers.iter_mut().enumerate() {
            if is_named(op, index as u8) {
                *register = self.view(op.view, number(op, index as u8));
            }
        }
        if op.load && op.view == View::V && !matches!(op.lane, Lane::One(_)) {
            // What the elements do not fill is cleared.
            registers = [0; SPAN_MAX];
        }
        let width = width_of(op.log2_element);
        let (lanes, repeats) = shape(op);
        let mut place = at;
        for repeat in 0..repeats {
            for lane in lanes.clone() {
                for element in 0..op.structure.min(4) {
                    let index = repeat.wrapping_add(element.wrapping_mul(op.spacing));
                    let Some(register) = registers.get_mut(usize::from(index)) else {
                        continue;
                    };
                    if op.load {
                        let value = self.load(place, width, false)?;
                        put(register, lane, width, value);
                    } else {
                        let value = take(*register, lane, width);
                        self.store(place, width, value, false)?;
                    }
                    place = place.wrapping_add(width.bytes());
                }
            }
        }
        if op.load {
            for (index, value) in registers.into_iter().enumerate() {
                if is_named(op, index as u8) {
                    let source = if op.lane == Lane::Replicate {
                        replicated(op, registers, index as u8)
                    } else {
                        value
                    };
                    self.set_view(op.view, number(op, index as u8), source);
                }
            }
        }
        self.set_base(op.address.base, base);
        self.done();
        Ok(())
    }
}

/// Which lanes are accessed, and how often with the next registers.
fn shape(op: &Structures) -> (core::ops::Range<u8>, u8) {
    let bytes: u8 = if op.quad && op.view == View::V { 16 } else { 8 };
    let lanes = bytes.wrapping_shr(u32::from(op.log2_element & 3));
    match op.lane {
        Lane::All => (0..lanes, op.repeat.min(4)),
        Lane::One(lane) => (lane..lane.saturating_add(1), 1),
        Lane::Replicate => (0..1, 1),
    }
}

/// Whether the register `index` behind the first takes part.
fn is_named(op: &Structures, index: u8) -> bool {
    (0..op.repeat.min(4)).any(|repeat| {
        (0..op.structure.min(4))
            .any(|element| repeat.wrapping_add(element.wrapping_mul(op.spacing)) == index)
    })
}

/// A64's register numbers wrap; AArch32's beyond 31 are UNPREDICTABLE, and wrap too.
fn number(op: &Structures, index: u8) -> u8 {
    op.first.wrapping_add(index) & 31
}

/// A register whose every lane is the first; in VLD1 the second register takes the first's.
fn replicated(op: &Structures, registers: [u128; SPAN_MAX], index: u8) -> u128 {
    let from = if op.structure == 1 { 0 } else { index };
    let width = width_of(op.log2_element);
    let register = registers.get(usize::from(from)).copied().unwrap_or(0);
    let value = take(register, 0, width);
    let bytes: u8 = if op.quad || op.view == View::D { 16 } else { 8 };
    let mut all = 0;
    for lane in 0..bytes.wrapping_shr(u32::from(op.log2_element & 3)) {
        put(&mut all, lane, width, value);
    }
    all
}

fn shift_of(lane: u8, width: crate::access::Width) -> u32 {
    u32::from(lane)
        .wrapping_mul(8)
        .wrapping_mul(width.bytes() as u32)
}

fn take(register: u128, lane: u8, width: crate::access::Width) -> u64 {
    register.checked_shr(shift_of(lane, width)).unwrap_or(0) as u64 & width.mask()
}

fn put(register: &mut u128, lane: u8, width: crate::access::Width, value: u64) {
    let place = |bits: u64| {
        u128::from(bits)
            .checked_shl(shift_of(lane, width))
            .unwrap_or(0)
    };
    *register = *register & !place(width.mask()) | place(value & width.mask());
}
