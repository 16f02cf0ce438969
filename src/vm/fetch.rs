//! The guest's instruction at its PC, fetched through its own translation.

use super::Core;
use crate::mmio::decode::State;
use crate::vcpu::{Vcpu, psr};

/// The instruction set that the guest is in.
#[inline]
pub(super) fn state_of(regs: &Vcpu) -> State {
    if !regs.is_aarch32() {
        State::A64
    } else if regs.spsr & psr::T == 0 {
        State::A32
    } else {
        State::T32
    }
}

/// The instruction at PC and its length. Of a T32 instruction of 32 bits the second halfword is
/// in the low half of the word; one of 16 bits stands alone. Instructions are little-endian
/// whatever the data's order is (DDI 0487, E2.8.1).
#[inline]
pub(super) fn fetch(regs: &Vcpu, core: &mut impl Core) -> Option<(u32, u8)> {
    if !regs.is_thumb() {
        return Some((core.code_word(regs.pc)?, 4));
    }
    let mut half = [0; 2];
    core.code(regs.pc, &mut half)?;
    let first = u16::from_le_bytes(half);
    if first >> 11 < 0b11101 {
        return Some((u32::from(first), 2));
    }
    // The second halfword may lie in another page.
    core.code(regs.pc.wrapping_add(2) & 0xffff_ffff, &mut half)?;
    Some((
        u32::from(first) << 16 | u32::from(u16::from_le_bytes(half)),
        4,
    ))
}
