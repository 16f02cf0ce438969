//! The most frequent traps, done at once: loads and stores at a device.
//!
//! One register with a valid syndrome (DDI 0487, D17.2.37), or a load that
//! [`plain`](crate::mmio::decode::plain) makes of the instruction. It takes registers that no mode
//! but FIQ banks, little-endian data, one page, a device that was accessed lately, and no timer to
//! look after. Everything else is left for [`Vm::trap`], where these would end the same way; a test
//! compares both.

use super::fetch::fetch;
use super::inject::Exception;
use super::{Core, SysReg, Trap, Vm};
use crate::access::{Initiator, Width};
use crate::board::{Reply, Transaction, World};
use crate::mmio::DataFault;
use crate::mmio::decode::plain::Plain;
use crate::mmio::syndrome::DataAbort;
use crate::units::{Instant, Ipa};
use crate::vcpu::{Vcpu, mode, psr};

/// ESR_EL2 of a data abort of a lower level (EC 0x24), an instruction of 32 bits (IL), with a valid
/// syndrome (ISV), no sign extension (SSE), no cache maintenance (CM), not on a walk of stage 1
/// (S1PTW), a translation fault of any level.
const MASK: u64 = 0x3f << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 8 | 1 << 7 | 0x3c;
const PLAIN: u64 = 0x24 << 26 | 1 << 25 | 1 << 24 | 0x04;
/// The same without a syndrome, whose fields are zero then; of instructions of 32 bits.
const WITHOUT: u64 = 0x24 << 26 | 1 << 25 | 0x04;

/// SCTLR_EL1.EE and E0E: big-endian data.
const BIG_ENDIAN: u64 = 1 << 25 | 1 << 24;
const PAGE: u64 = 0xfff;

impl Vm {
    /// Carries out `trap` if it is such a load or store.
    #[inline]
    pub fn quick(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core, trap: Trap) -> Quick {
        match trap.esr & MASK {
            PLAIN => self.transfer_at_once(cpu, regs, core, trap),
            WITHOUT => self.instruction_at_once(cpu, regs, core, trap),
            _ => Quick::Not,
        }
    }

    /// What has a valid syndrome.
    #[allow(clippy::inline_always)] // one caller, whose every instruction counts
    #[inline(always)]
    fn transfer_at_once(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
    ) -> Quick {
        let abort = DataAbort(trap.esr as u32);
        let (width, target) = (abort.width(), usize::from(abort.srt()));
        // An access that is not aligned may lie in two pages, and tell of the second.
        let misaligned = trap.ipa.0 & width.bytes().wrapping_sub(1) != 0;
        if width == Width::Double || misaligned || trap.ipa.0 & PAGE == 0 {
            return Quick::Not;
        }
        let user = if regs.spsr & psr::AARCH32 == 0 {
            if core.get(SysReg::SctlrEl1) & BIG_ENDIAN != 0 {
                return Quick::Not;
            }
            regs.spsr & 0xc == 0
        } else {
            // Registers that no mode but FIQ banks.
            let mode = regs.spsr & psr::MODE;
            let odd = psr::E | psr::T;
            if regs.spsr & odd != 0 || target > 12 || mode == mode::FIQ {
                return Quick::Not;
            }
            mode == mode::USR
        };
        let now = self.now(core);
        if self.has_timers_due(cpu, now) {
            return Quick::Not;
        }
        let how = Transaction {
            width,
            initiator: Initiator::Cpu(cpu),
            security: self.security(),
            privileged: !user,
        };
        if abort.wnr() {
            return self.serve(regs, core, abort, trap.far, trap.ipa, now, how);
        }
        let Some(value) = self.board.peek(now, trap.ipa, &how) else {
            return self.serve(regs, core, abort, trap.far, trap.ipa, now, how);
        };
        finish(regs, target, Some(value));
        Quick::Done
    }

    /// Whether a timer of the CPU is to be looked after first.
    #[inline]
    fn has_timers_due(&self, cpu: u8, now: Instant) -> bool {
        let state = self.cpus.get(usize::from(cpu));
        state.is_none_or(|state| state.quiet_until <= now)
    }

    /// What has no syndrome.
    #[allow(clippy::inline_always)] // one caller, whose every instruction counts
    #[inline(always)]
    fn instruction_at_once(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
    ) -> Quick {
        let status = regs.spsr;
        let is_thumb = regs.is_thumb();
        let word = if is_thumb {
            fetch(regs, core).map(|(word, _)| word)
        } else {
            core.code_word(regs.pc)
        };
        let Some(op) = word.and_then(|word| self.remembered.plain(status, word)) else {
            return Quick::Not;
        };
        let op = *op;
        let (wrap, privileged) = if status & psr::AARCH32 == 0 {
            if core.get(SysReg::SctlrEl1) & BIG_ENDIAN != 0 {
                return Quick::Not;
            }
            (u64::MAX, status & 0xc != 0)
        } else {
            let mode = status & psr::MODE;
            if mode == mode::FIQ || status & psr::E != 0 {
                return Quick::Not;
            }
            (0xffff_ffff, mode != mode::USR)
        };
        let Some(&base) = regs.x.get(usize::from(op.base)) else {
            return Quick::Not;
        };
        let at = base.wrapping_add(i64::from(op.offset).cast_unsigned()) & wrap;
        let now = self.now(core);
        // What began in the page before tells of this one. A misaligned one no device shows.
        if at != trap.far || self.has_timers_due(cpu, now) {
            return Quick::Not;
        }
        if !op.load {
            return Quick::Not;
        }
        let how = Transaction {
            width: op.width,
            initiator: Initiator::Cpu(cpu),
            security: self.security(),
            privileged,
        };
        let done = self.load_at_once(regs, trap, now, &how, op);
        if done != Quick::Not {
            if op.moves != 0 {
                let moved = base.wrapping_add(i64::from(op.moves).cast_unsigned()) & wrap;
                regs.set_x(op.base, moved);
            }
            if is_thumb {
                regs.advance(4);
            } else {
                next(regs);
            }
        }
        done
    }

    #[allow(clippy::inline_always)] // one caller, whose every instruction counts
    #[allow(clippy::trivially_copy_pass_by_ref)] // by value it is packed into one register
    #[inline(always)]
    fn load_at_once(
        &mut self,
        regs: &mut Vcpu,
        trap: Trap,
        now: Instant,
        how: &Transaction,
        op: Plain,
    ) -> Quick {
        if op.count == 1 {
            let Some(value) = self.board.peek(now, trap.ipa, how) else {
                return Quick::Not;
            };
            regs.set_x(op.first, value);
            return Quick::Done;
        }
        self.block_at_once(regs, trap.ipa, now, *how, op.list)
    }

    #[inline(never)]
    fn block_at_once(
        &mut self,
        regs: &mut Vcpu,
        at: Ipa,
        now: Instant,
        how: Transaction,
        list: u32,
    ) -> Quick {
        let mut values = [0u32; 16];
        let count = list.count_ones();
        let Some(values) = values.get_mut(..count as usize) else {
            return Quick::Not;
        };
        let bytes = u64::from(count).wrapping_mul(Width::Word.bytes());
        if (at.0 & PAGE).wrapping_add(bytes) > PAGE + 1 {
            return Quick::Not;
        }
        if !self.board.peek_run(now, at, how, values) {
            return Quick::Not;
        }
        let mut list = list;
        for value in values {
            regs.set_x(list.trailing_zeros() as u8, u64::from(*value));
            list &= list.wrapping_sub(1);
        }
        Quick::Done
    }

    /// With all that an access may change.
    #[allow(clippy::too_many_arguments)] // a trap in its parts, which stay in registers
    #[inline(never)]
    fn serve(
        &mut self,
        regs: &mut Vcpu,
        core: &mut impl Core,
        abort: DataAbort,
        far: u64,
        ipa: Ipa,
        now: Instant,
        how: Transaction,
    ) -> Quick {
        let target = usize::from(abort.srt());
        let world = World {
            now,
            memory: core.memory(),
        };
        let reply = if abort.wnr() {
            let value = regs.x.get(target).copied().unwrap_or(0);
            self.board.write_near(&world, ipa, how, value)
        } else {
            self.board.read_near(&world, ipa, how)
        };
        match reply {
            None => return Quick::Not,
            Some(Ok(Reply::Value(value))) => finish(regs, target, Some(value)),
            Some(Ok(_)) => finish(regs, target, None),
            Some(Err(_)) => {
                let fault = DataFault::external(far, abort.wnr());
                self.inject(regs, core, Exception::Data(fault));
            }
        }
        Quick::Look
    }
}

/// The register takes what was read, and the guest goes on. Not for Thumb, whose IT state moves too.
#[inline]
fn finish(regs: &mut Vcpu, target: usize, value: Option<u64>) {
    if let (Some(value), Some(x)) = (value, regs.x.get_mut(target)) {
        *x = value;
    }
    next(regs);
}

/// The guest goes on behind an instruction of A64 or A32.
#[inline]
fn next(regs: &mut Vcpu) {
    let pc = regs.pc.wrapping_add(4);
    if regs.spsr & psr::AARCH32 == 0 {
        regs.spsr &= !psr::BTYPE;
        regs.pc = pc;
    } else {
        regs.pc = pc & 0xffff_ffff;
    }
}

/// What became of a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quick {
    /// It is not of these, and nothing is done.
    Not,
    /// It is done, and nothing else has changed.
    Done,
    /// It is done: [`Vm::asks`] and [`Vm::take_news`] tell what may have changed.
    Look,
}

#[cfg(test)]
mod tests;
