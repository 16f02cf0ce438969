//! The most frequent traps, done at once: a load or store of one register at a device.
//!
//! It takes a valid syndrome (DDI 0487, D17.2.37), a plain register, little-endian data, a device
//! that was accessed lately, and no timer to look after. Everything else is left for
//! [`Vm::trap`], where these would end the same way.

use super::inject::Exception;
use super::{Core, Next, SysReg, Trap, Vm};
use crate::access::{Initiator, Width};
use crate::board::{Transaction, World};
use crate::mmio::DataFault;
use crate::mmio::syndrome::DataAbort;
use crate::vcpu::{Vcpu, mode, psr};

/// ESR_EL2 of a data abort of a lower level (EC 0x24), an instruction of 32 bits (IL), with a valid
/// syndrome (ISV), no sign extension (SSE), no cache maintenance (CM), not on a walk of stage 1
/// (S1PTW), a translation fault of any level.
const MASK: u64 = 0x3f << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 8 | 1 << 7 | 0x3c;
const PLAIN: u64 = 0x24 << 26 | 1 << 25 | 1 << 24 | 0x04;

/// SCTLR_EL1.EE and E0E: big-endian data.
const BIG_ENDIAN: u64 = 1 << 25 | 1 << 24;
const PAGE: u64 = 0xfff;

impl Vm {
    /// Carries out `trap` if it is such a load or store; else none, and nothing is done.
    #[inline]
    pub fn quick(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
    ) -> Option<Next> {
        if trap.esr & MASK != PLAIN {
            return None;
        }
        let abort = DataAbort(trap.esr as u32);
        let (width, target) = (abort.width(), usize::from(abort.srt()));
        // An access that is not aligned may lie in two pages, and tell of the second.
        let misaligned = trap.ipa.0 & width.bytes().wrapping_sub(1) != 0;
        if width == Width::Double || misaligned || trap.ipa.0 & PAGE == 0 {
            return None;
        }
        let user = if regs.spsr & psr::AARCH32 == 0 {
            if core.get(SysReg::SctlrEl1) & BIG_ENDIAN != 0 {
                return None;
            }
            regs.spsr & 0xc == 0
        } else {
            // Registers that no mode but FIQ banks.
            let mode = regs.spsr & psr::MODE;
            let odd = psr::E | psr::T;
            if regs.spsr & odd != 0 || target > 12 || mode == mode::FIQ {
                return None;
            }
            mode == mode::USR
        };
        let now = self.now(core);
        let timers = |state: &super::CpuState| {
            !state.virtual_level && state.timer_deadline.is_none_or(|due| due > now)
        };
        if !self.cpus.get(usize::from(cpu)).is_some_and(timers) {
            return None;
        }
        let how = Transaction {
            width,
            initiator: Initiator::Cpu(cpu),
            security: self.security(),
            privileged: !user,
        };
        let mut next = Next::Resume;
        if abort.wnr() {
            let value = regs.x.get(target).copied().unwrap_or(0);
            let world = World {
                now,
                memory: core.memory(),
            };
            if self
                .board
                .write_near(&world, trap.ipa, how, value)?
                .is_err()
            {
                return Some(self.refused(cpu, regs, core, trap));
            }
            next = self.asks();
        } else {
            let value = match self.board.peek(now, trap.ipa, how) {
                Some(value) => value,
                None => {
                    let world = World {
                        now,
                        memory: core.memory(),
                    };
                    let Ok(reply) = self.board.read_near(&world, trap.ipa, how)? else {
                        return Some(self.refused(cpu, regs, core, trap));
                    };
                    next = self.asks();
                    reply.value()
                }
            };
            if let Some(x) = regs.x.get_mut(target) {
                *x = value;
            }
        }
        regs.pc = regs.pc.wrapping_add(4);
        if regs.spsr & psr::AARCH32 != 0 {
            regs.pc &= 0xffff_ffff;
        }
        Some(next)
    }

    #[cold]
    fn refused(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core, trap: Trap) -> Next {
        let fault = DataFault::external(trap.far, DataAbort(trap.esr as u32).wnr());
        self.inject(cpu, regs, core, Exception::Data(fault));
        self.asks()
    }
}
