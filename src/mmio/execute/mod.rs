//! Carries out a decoded load or store: registers, memory, write-back, PC.
//!
//! Follows the pseudocode of each instruction (DDI 0487, C6.2, C7.2, F5.1, F6.1). Everything that
//! a load brings is gathered before the first register changes, and the base is written back
//! last: an instruction that faults half-way has changed no register. What it has stored by then
//! stays stored, as on hardware.
//!
//! Elements are accessed in the order of their addresses, each at its own width; those of 128
//! bits as two of 64. The most that one instruction takes: 64 accesses (LD4 and ST4 of bytes in
//! four 128-bit registers), and the block of DC ZVA in doublewords, 256 at most.

mod aarch32;
mod atomic;
mod general;
mod simd;
mod structures;
#[cfg(test)]
mod tests;

use super::fault::DataFault;
use super::instruction::{Address, Base, Index, Modify, Offset, Operation};
use crate::access::Width;
use crate::vcpu::{Vcpu, psr};

/// What an instruction reaches beside the general registers.
pub trait Reach {
    /// Reads `width` bytes at the virtual address `at`, the byte at the lowest address in bits
    /// 7:0. With the rights of EL0 if `user` is set. An access that is not aligned to its width
    /// is the memory type's to allow or refuse.
    fn read(&mut self, at: u64, width: Width, user: bool) -> Result<u64, DataFault>;
    /// Writes, with all as in [`read`](Reach::read).
    fn write(&mut self, at: u64, width: Width, value: u64, user: bool) -> Result<(), DataFault>;
    /// V register `n`, 0 to 31.
    fn simd(&mut self, n: u8) -> u128;
    /// Sets V register `n`, 0 to 31.
    fn set_simd(&mut self, n: u8, value: u128);
    /// SP_EL1, or SP_EL0.
    fn stack_pointer(&mut self, el1: bool) -> u64;
    /// Sets SP_EL1, or SP_EL0.
    fn set_stack_pointer(&mut self, el1: bool, value: u64);
    /// The SPSR of an AArch32 mode that has one.
    fn saved_status(&mut self, mode: u64) -> u64;
    /// How many bytes DC ZVA clears: a power of two, at most 2048.
    fn zero_block_bytes(&mut self) -> u64;
}

/// Why an instruction was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The guest takes a data abort.
    Fault(DataFault),
    /// The board's CPU does not have this.
    Undefined,
}

impl From<DataFault> for Ended {
    fn from(fault: DataFault) -> Self {
        Self::Fault(fault)
    }
}

/// Carries out `operation`, whose instruction is `length` bytes long; `big_endian` tells the
/// order of the guest's data now. Exclusives are done as if the monitor said yes. PC and IT
/// state have moved on afterwards; on an error nothing of `regs` has changed.
pub fn execute(
    operation: &Operation,
    length: u8,
    big_endian: bool,
    regs: &mut Vcpu,
    reach: &mut impl Reach,
) -> Result<(), Ended> {
    let mut cpu = Cpu {
        regs,
        reach,
        big_endian,
        length,
    };
    match operation {
        Operation::General(op) => cpu.general(op),
        Operation::Multiple(op) => cpu.multiple(*op),
        Operation::Simd(op) => cpu.simd(op),
        Operation::Structures(op) => cpu.structures(op),
        Operation::Atomic(op) => cpu.atomic(*op),
        Operation::CompareAndSwap(op) => cpu.compare_and_swap(*op),
        Operation::ReturnFromException(op) => cpu.return_from_exception(*op),
        Operation::StoreReturnState(op) => cpu.store_return_state(*op),
        Operation::TableBranch(op) => cpu.table_branch(*op),
        Operation::ZeroBlock { register } => cpu.zero_block(*register),
        Operation::Prefetch(_) => {
            cpu.done();
            Ok(())
        }
        Operation::Coprocessor(_) => Err(Ended::Undefined),
    }
}

/// Where `address` puts the access, and what the base becomes, for a vCPU with `regs`.
pub fn locate(address: &Address, regs: &mut Vcpu, reach: &mut impl Reach) -> (u64, u64) {
    Cpu {
        regs,
        reach,
        big_endian: false,
        length: 0,
    }
    .locate(address)
}

/// A vCPU in the middle of an instruction.
struct Cpu<'a, R> {
    regs: &'a mut Vcpu,
    reach: &'a mut R,
    big_endian: bool,
    length: u8,
}

impl<R: Reach> Cpu<'_, R> {
    /// The instruction is done; what follows it is next.
    fn done(&mut self) {
        self.regs.advance(u64::from(self.length));
    }

    /// X or R register `n`: 31 is zero in A64, 15 the PC as the instruction sees it in AArch32.
    fn register(&self, n: u8) -> u64 {
        if self.regs.is_aarch32() {
            u64::from(self.regs.r(n))
        } else {
            self.regs.x(n)
        }
    }

    fn set_register(&mut self, n: u8, value: u64) {
        if self.regs.is_aarch32() {
            self.regs.set_r(n, value as u32);
        } else {
            self.regs.set_x(n, value);
        }
    }

    /// An address, wrapped to what the state has.
    fn wrap(&self, at: u64) -> u64 {
        if self.regs.is_aarch32() {
            at & 0xffff_ffff
        } else {
            at
        }
    }

    fn base(&mut self, base: Base) -> u64 {
        match base {
            Base::Register(n) => self.register(n),
            Base::StackPointer => {
                let el1 = self.is_el1h();
                self.reach.stack_pointer(el1)
            }
            Base::Pc if self.regs.is_aarch32() => u64::from(self.regs.r(15)) & !3,
            Base::Pc => self.regs.pc,
        }
    }

    fn set_base(&mut self, base: Base, value: u64) {
        match base {
            Base::Register(n) => self.set_register(n, value),
            Base::StackPointer => {
                let el1 = self.is_el1h();
                self.reach.set_stack_pointer(el1, value);
            }
            Base::Pc => {}
        }
    }

    /// PSTATE.SP at EL1 (M[3:0] is 0b0101): SP_EL1 is the stack pointer.
    fn is_el1h(&self) -> bool {
        self.regs.spsr & 0xf == psr::EL1H
    }

    /// Where the access is, and what the base becomes.
    fn locate(&mut self, address: &Address) -> (u64, u64) {
        let base = self.base(address.base);
        let sum = match address.offset {
            Offset::Immediate(bytes) => base.wrapping_add(bytes.cast_unsigned()),
            Offset::Register {
                register,
                subtract,
                modify,
            } => {
                let offset = self.modified(register, modify);
                if subtract {
                    base.wrapping_sub(offset)
                } else {
                    base.wrapping_add(offset)
                }
            }
        };
        match address.index {
            Index::Offset => (self.wrap(sum), base),
            Index::Pre => (self.wrap(sum), self.wrap(sum)),
            Index::Post => (base, self.wrap(sum)),
        }
    }

    /// An offset register's value, changed (DDI 0487, C6.2 `ExtendReg`, F2.4 `Shift`).
    fn modified(&self, register: u8, modify: Modify) -> u64 {
        let value = self.register(register);
        let signed = |amount: u8| {
            let word = i64::from((value as u32).cast_signed());
            word.wrapping_shl(u32::from(amount)).cast_unsigned()
        };
        let word = value as u32;
        match modify {
            Modify::Lsl(0) => value,
            Modify::Lsl(n) | Modify::Sxtx(n) => value.wrapping_shl(u32::from(n)),
            Modify::Lsr(n) => u64::from(word.checked_shr(u32::from(n)).unwrap_or(0)),
            Modify::Asr(n) => {
                let shifted = word.cast_signed().wrapping_shr(u32::from(n.min(31)));
                u64::from(shifted.cast_unsigned())
            }
            Modify::Ror(n) => u64::from(word.rotate_right(u32::from(n))),
            Modify::Rrx => u64::from(word >> 1 | (self.regs.spsr & psr::C) as u32 >> 29 << 31),
            Modify::Uxtw(n) => u64::from(word).wrapping_shl(u32::from(n)),
            Modify::Sxtw(n) => signed(n),
        }
    }

    /// Reads one element, in the guest's order.
    fn load(&mut self, at: u64, width: Width, user: bool) -> Result<u64, DataFault> {
        let at = self.wrap(at);
        let value = self.reach.read(at, width, user)? & width.mask();
        Ok(self.ordered(value, width))
    }

    /// Writes one element, in the guest's order.
    fn store(&mut self, at: u64, width: Width, value: u64, user: bool) -> Result<(), DataFault> {
        let at = self.wrap(at);
        let value = self.ordered(value & width.mask(), width);
        self.reach.write(at, width, value, user)
    }

    /// Between the bus's order, which is little-endian, and the guest's.
    fn ordered(&self, value: u64, width: Width) -> u64 {
        if self.big_endian {
            width.swap_bytes(value)
        } else {
            value
        }
    }

    /// The next instruction is at `target`, with the state that its bit 0 names (DDI 0487,
    /// `BXWritePC`).
    fn branch_with_state(&mut self, target: u64) {
        self.done();
        if target & 1 != 0 {
            self.regs.spsr |= psr::T;
            self.regs.pc = target & 0xffff_fffe;
        } else {
            self.regs.spsr &= !(psr::T | psr::IT_7_2 | psr::IT_1_0);
            self.regs.pc = target & 0xffff_fffc;
        }
    }

    /// DC ZVA (DDI 0487, C5.3).
    fn zero_block(&mut self, register: u8) -> Result<(), Ended> {
        let bytes = self.reach.zero_block_bytes().clamp(8, 2048);
        let at = self.register(register) & !bytes.wrapping_sub(1);
        let mut offset = 0;
        while offset < bytes {
            self.store(at.wrapping_add(offset), Width::Double, 0, false)?;
            offset = offset.wrapping_add(8);
        }
        self.done();
        Ok(())
    }
}

/// Refuses an address that is not a multiple of `bytes`, a power of two.
fn aligned(at: u64, bytes: u64, write: bool) -> Result<(), DataFault> {
    if at & bytes.wrapping_sub(1) == 0 {
        Ok(())
    } else {
        Err(DataFault::misaligned(at, write))
    }
}
