//! What A32 and T32 have alone: blocks of registers, the return state, table branches
//! (DDI 0487, F5.1).

use super::super::instruction::{Bank, Block, Multiple, ReturnState, TableBranch};
use super::{Cpu, Ended, Reach, aligned};
use crate::access::Width;
use crate::vcpu::{bank, mode, psr};

/// The lowest address of a block of `bytes` bytes, and where a base moves.
fn span(base: u64, block: Block, bytes: u64) -> (u64, u64) {
    let (up, down) = (base.wrapping_add(bytes), base.wrapping_sub(bytes));
    match block {
        Block::IncrementAfter => (base, up),
        Block::IncrementBefore => (base.wrapping_add(4), up),
        Block::DecrementAfter => (down.wrapping_add(4), down),
        Block::DecrementBefore => (down, down),
    }
}

/// The modes that an AArch32 EL1 and its EL0 have.
const fn is_mode_of_a_guest(m: u64) -> bool {
    matches!(
        m,
        mode::USR | mode::FIQ | mode::IRQ | mode::SVC | mode::ABT | mode::UND | mode::SYS
    )
}

impl<R: Reach> Cpu<'_, R> {
    pub(super) fn multiple(&mut self, op: Multiple) -> Result<(), Ended> {
        if op.bank == Bank::ExceptionReturn {
            self.has_saved_status()?;
        }
        let base = self.register(op.base);
        let bytes = u64::from(op.list.count_ones()).wrapping_mul(4);
        let (start, moved) = span(base, op.block, bytes);
        let start = self.wrap(start);
        aligned(start, 4, !op.load)?;
        if op.load {
            self.load_multiple(op, start, moved)
        } else {
            let user = op.bank == Bank::User;
            let (mut at, mut left) = (start, op.list);
            while left != 0 {
                let n = left.trailing_zeros() as u8;
                left &= left.wrapping_sub(1);
                let value = match bank(mode::USR, n).filter(|_| user) {
                    Some(x) => self.regs.x(x),
                    None => self.register(n),
                };
                self.store(at, Width::Word, value, false)?;
                at = at.wrapping_add(4);
            }
            if op.write_back {
                self.set_register(op.base, moved);
            }
            self.done();
            Ok(())
        }
    }

    fn load_multiple(&mut self, op: Multiple, start: u64, moved: u64) -> Result<(), Ended> {
        let mut values = [0u32; 16];
        let (mut at, mut left) = (start, op.list);
        while left != 0 {
            let n = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            let value = self.load(at, Width::Word, false)? as u32;
            if let Some(slot) = values.get_mut(n) {
                *slot = value;
            }
            at = at.wrapping_add(4);
        }
        if op.write_back {
            self.set_register(op.base, moved);
        }
        let m = match op.bank {
            Bank::User => mode::USR,
            _ => self.regs.mode(),
        };
        let mut left = op.list & 0x7fff;
        while left != 0 {
            let n = left.trailing_zeros() as u8;
            left &= left.wrapping_sub(1);
            let value = values.get(usize::from(n)).copied().unwrap_or(0);
            if let Some(x) = bank(m, n) {
                self.regs.set_x(x, u64::from(value));
            }
        }
        let [.., pc] = values;
        if op.list & 1 << 15 == 0 {
            self.done();
        } else if op.bank == Bank::ExceptionReturn {
            let status = self.reach.saved_status(self.regs.mode());
            self.return_to(u64::from(pc), status);
        } else {
            self.branch_with_state(u64::from(pc));
        }
        Ok(())
    }

    pub(super) fn return_from_exception(&mut self, op: ReturnState) -> Result<(), Ended> {
        if self.regs.is_user() {
            return Err(Ended::Undefined);
        }
        let (start, moved) = span(self.register(op.base), op.block, 8);
        let start = self.wrap(start);
        aligned(start, 4, false)?;
        let pc = self.load(start, Width::Word, false)?;
        let status = self.load(start.wrapping_add(4), Width::Word, false)?;
        if op.write_back {
            self.set_register(op.base, moved);
        }
        self.return_to(pc, status);
        Ok(())
    }

    pub(super) fn store_return_state(&mut self, op: ReturnState) -> Result<(), Ended> {
        self.has_saved_status()?;
        let stack = bank(u64::from(op.base), 13).unwrap_or(13);
        let (start, moved) = span(self.regs.x(stack) & 0xffff_ffff, op.block, 8);
        let start = self.wrap(start);
        aligned(start, 4, true)?;
        let link = self.register(14);
        let status = self.reach.saved_status(self.regs.mode());
        self.store(start, Width::Word, link, false)?;
        self.store(start.wrapping_add(4), Width::Word, status, false)?;
        if op.write_back {
            self.regs.set_x(stack, moved & 0xffff_ffff);
        }
        self.done();
        Ok(())
    }

    /// User and System mode have no SPSR; what uses one there is UNPREDICTABLE, and may be
    /// UNDEFINED.
    fn has_saved_status(&self) -> Result<(), Ended> {
        if matches!(self.regs.mode(), mode::USR | mode::SYS) {
            Err(Ended::Undefined)
        } else {
            Ok(())
        }
    }

    /// An exception return to `pc` with CPSR from `status` (G1.14, `AArch32.ExceptionReturn`). A
    /// mode that is not the guest's is an illegal return: the mode stays and PSTATE.IL is set.
    fn return_to(&mut self, pc: u64, status: u64) {
        let status = status & 0xffff_ffff & !psr::SS;
        let legal = is_mode_of_a_guest(status & psr::MODE);
        let status = if legal {
            status
        } else {
            status & !psr::MODE | self.regs.spsr & psr::MODE | psr::IL
        };
        self.regs.spsr = status;
        self.regs.pc = pc
            & if status & psr::T != 0 {
                0xffff_fffe
            } else {
                0xffff_fffc
            };
    }

    pub(super) fn table_branch(&mut self, op: TableBranch) -> Result<(), Ended> {
        let (width, shift) = if op.half {
            (Width::Half, 1)
        } else {
            (Width::Byte, 0)
        };
        let index = self.register(op.index).wrapping_shl(shift);
        let at = self.register(op.base).wrapping_add(index);
        let halfwords = self.load(at, width, false)?;
        let target = self.register(15).wrapping_add(halfwords << 1);
        self.done();
        self.regs.pc = target & 0xffff_ffff;
        Ok(())
    }
}
