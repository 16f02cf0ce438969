//! The seam of the instruction decoder: accesses that fault without a valid syndrome.
//!
//! [`decode`] is total. Today it decodes nothing, so such an access ends in the VM's report,
//! which shows the instruction's bytes.

use super::transfer::Transfer;

/// The instruction set that the guest was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// AArch64.
    A64,
    /// AArch32, ARM.
    A32,
    /// AArch32, Thumb. The first halfword is in the word's low half.
    T32,
}

/// Not a load or store that the decoder knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecoded;

/// What access the instruction `word` makes.
pub fn decode(_state: State, _word: u32) -> Result<Transfer, Undecoded> {
    Err(Undecoded)
}
