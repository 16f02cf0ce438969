//! Single-instruction atomics (DDI 0487, C6.2 `MemAtomic`, `MemAtomicCompareAndSwap`; DDI 0406C,
//! A8.8.229 for SWP).
//!
//! The caller holds the device: nothing comes between the read and the write.

use super::super::instruction::{Atomic, Change, CompareAndSwap};
use super::{Cpu, Ended, Reach, aligned};
use crate::access::Width;

impl<R: Reach> Cpu<'_, R> {
    pub(super) fn atomic(&mut self, op: Atomic) -> Result<(), Ended> {
        let at = self.base(op.base);
        aligned(at, op.width.bytes(), false)?;
        let old = self.load(at, op.width, false)?;
        let operand = self.register(op.source) & op.width.mask();
        let new = changed(op.change, op.width, old, operand);
        self.store(at, op.width, new, false)?;
        self.set_register(op.target, old);
        self.done();
        Ok(())
    }

    pub(super) fn compare_and_swap(&mut self, op: CompareAndSwap) -> Result<(), Ended> {
        let at = self.base(op.base);
        let bytes = op.width.bytes();
        aligned(at, bytes << u32::from(op.pair), false)?;
        let mask = op.width.mask();
        let next = at.wrapping_add(bytes);
        let (compare, new) = (op.compare, op.new);
        let other = |n: u8| n.wrapping_add(1);
        let first = self.load(at, op.width, false)?;
        let second = if op.pair {
            self.load(next, op.width, false)?
        } else {
            0
        };
        let holds = first == self.register(compare) & mask
            && (!op.pair || second == self.register(other(compare)) & mask);
        if holds {
            let value = self.register(new);
            self.store(at, op.width, value, false)?;
            if op.pair {
                let value = self.register(other(new));
                self.store(next, op.width, value, false)?;
            }
        }
        self.set_register(compare, first);
        if op.pair {
            self.set_register(other(compare), second);
        }
        self.done();
        Ok(())
    }
}

fn changed(change: Change, width: Width, old: u64, operand: u64) -> u64 {
    let signed = |value| width.sign_extend(value).cast_signed();
    let smaller = signed(old) < signed(operand);
    match change {
        Change::Add => old.wrapping_add(operand),
        Change::Clear => old & !operand,
        Change::Eor => old ^ operand,
        Change::Set => old | operand,
        Change::SignedMax => {
            if smaller {
                operand
            } else {
                old
            }
        }
        Change::SignedMin => {
            if smaller {
                old
            } else {
                operand
            }
        }
        Change::UnsignedMax => old.max(operand),
        Change::UnsignedMin => old.min(operand),
        Change::Swap => operand,
    }
}
