//! The walk from a load-exclusive to its store-exclusive, and what ends it.

use super::step;
use crate::mmio::decode::{State, decode};
use crate::mmio::instruction::{Class, General, Operation};
use crate::vcpu::Vcpu;

/// How many instructions there may be behind a load-exclusive, up to and with its store-exclusive.
pub const LIMIT: usize = 16;

/// What ended a walk. The registers are those before the instruction at PC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At this store-exclusive, which is to be executed: its condition holds.
    Store {
        /// The store-exclusive.
        store: General,
        /// Its bytes.
        length: u8,
    },
    /// The sequence was given up, and no store-exclusive belongs to the load: a branch led to
    /// something else, a store-exclusive's condition failed, or it came to CLREX, a return, WFE.
    /// A compare-and-swap that found another value ends so, and a taken lock. The guest may go
    /// on at PC.
    Left,
    /// On the straight way from the load came what [`step`] does not do, or too much: were the
    /// guest to go on, its store-exclusive might fail for ever.
    Lost,
}

/// Interprets the guest from behind a load-exclusive up to a store-exclusive.
///
/// `fetch` gives the instruction at PC and its bytes, as [`State`] has them. At most [`LIMIT`]
/// instructions are looked at. Whether the store-exclusive goes with the load (its address and
/// size) is for the caller to see.
pub fn carry_out(regs: &mut Vcpu, fetch: &mut dyn FnMut(&Vcpu) -> Option<(u32, u8)>) -> End {
    let state = match (regs.is_aarch32(), regs.is_thumb()) {
        (false, _) => State::A64,
        (true, false) => State::A32,
        (true, true) => State::T32,
    };
    let begin = regs.pc;
    let mut end = End::Lost;
    for _ in 0..LIMIT {
        let Some((word, length)) = fetch(regs) else {
            return end;
        };
        let next = regs.pc.wrapping_add(u64::from(length));
        match decode(state, word) {
            Ok(Operation::General(
                store @ General {
                    class: Class::StoreExclusive { .. },
                    ..
                },
            )) => {
                if is_executed(state, word, regs) {
                    return End::Store { store, length };
                }
                regs.advance(u64::from(length));
                return End::Left;
            }
            Ok(Operation::Prefetch(_)) => regs.advance(u64::from(length)),
            _ if step(state, word, length, regs).is_ok() => {}
            _ if leaves(state, word) => return End::Left,
            _ => return end,
        }
        // A branch back to behind the load is still within the sequence.
        if regs.pc != next && !(begin..next).contains(&regs.pc) {
            end = End::Left;
        }
    }
    // Too long, wherever it went: a store-exclusive may still come, and fail for ever.
    End::Lost
}

/// Whether the condition of `word` holds, which is known to have one where it can.
fn is_executed(state: State, word: u32, regs: &Vcpu) -> bool {
    super::holds(
        regs,
        match state {
            State::A64 => 14,
            State::A32 => (word >> 28) as u8,
            State::T32 => regs.it_condition(),
        },
    )
}

/// Whether `word`, which [`step`] does not do, leaves a sequence whose store is not wanted: CLREX,
/// a hint such as WFE, a return.
fn leaves(state: State, word: u32) -> bool {
    let table: &[(u32, u32)] = match state {
        State::A64 => &[
            (0xffff_f0ff, 0xd503_305f), // CLREX
            (0xffff_f01f, 0xd503_201f), // HINT
            (0xfe3f_0000, 0xd61f_0000), // BR, RET, ERET
        ],
        State::A32 => &[
            (0xffff_ffff, 0xf57f_f01f), // CLREX
            (0x0fff_ff00, 0x0320_f000), // HINT
            (0x0fff_fff0, 0x012f_ff10), // BX
            (0x0fff_fff0, 0x01a0_f000), // MOV PC
        ],
        State::T32 => &[
            (0xffff_ffff, 0xf3bf_8f2f), // CLREX
            (0xffff_ff0f, 0x0000_bf00), // HINT
            (0xffff_ff00, 0xf3af_8000), // HINT
            (0xffff_ff87, 0x0000_4700), // BX
            (0xffff_ff87, 0x0000_4687), // MOV PC
        ],
    };
    table.iter().any(|&(mask, value)| word & mask == value)
}
