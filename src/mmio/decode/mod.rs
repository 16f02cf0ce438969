//! From an instruction's word to the load or store that it is.
//!
//! [`decode`] is total: for each word and state it gives an [`Operation`] or says [`Undecoded`],
//! without loops. DDI 0487: C4.1 (A64), F4.1 (A32), F3.1 (T32).

mod a32;
mod a64;
mod neon;
pub mod plain;
mod t16;
mod t32;

use super::instruction::Operation;

/// The instruction set that the guest was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// AArch64.
    A64,
    /// AArch32, ARM.
    A32,
    /// AArch32, Thumb. Of 32 bits, the first halfword is in the word's high half; one of 16 bits
    /// stands in the low half alone.
    T32,
}

/// Not a load or store: another instruction, or no instruction at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecoded;

/// What the instruction `word` loads or stores. A condition (A32's, or an IT block's) is not
/// looked at: what faulted was executed.
pub fn decode(state: State, word: u32) -> Result<Operation, Undecoded> {
    match state {
        State::A64 => a64::decode(word),
        State::A32 => a32::decode(word),
        State::T32 => t32::decode(word),
    }
}
