//! What stands between a load-exclusive and its store-exclusive, interpreted.
use super::decode::State;
use crate::vcpu::Vcpu;

/// Not an instruction that [`step`] knows, or one whose outcome the architecture leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSimple;

/// Executes the instruction `word` of `length` bytes at the guest's PC.
pub fn step(_: State, _word: u32, _length: u8, _regs: &mut Vcpu) -> Result<(), NotSimple> {
    Err(NotSimple)
}
