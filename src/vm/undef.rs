//! Instructions that the board's CPU has and the host's lacks.
//!
//! They are UNDEF on the host, so the guest's own UNDEF exception is taken, and the breakpoint
//! on its vector brings it here: the guest is in UND mode, LR_und and SPSR_und tell where it
//! came from. The instruction is fetched. If the board's CPU has it, it is emulated and the
//! guest goes on behind it; otherwise the guest takes its UNDEF, by a step over the vector.
//!
//! An illegal change of mode comes here too: a report, or, where the map has an abort for what cannot be
//! emulated, the guest's UNDEF.
//!
//! What is emulated: CP15 and CP14 registers that [`super::cp15`] names (Cortex-A9's
//! diagnostic and power control, CBAR, SCR, NSACR, SDER and MVBAR of a Secure guest), and SWP and
//! SWPB where the board's CPU has them.
//!
//! Known deviations: LR_und keeps what the exception wrote, and so does SPSR_und but where
//! [`super::banks`] has the old one: a guest that reads them without an exception of its own could
//! see it. SWP is a read and a write, atomic against this VM's one CPU only; to a device it is an
//! external abort. SCTLR.SW is not looked at: the host's SCTLR does not keep it.

use super::banks;
use super::cp15::Move;
use super::fetch::fetch;
use super::inject::{self, Exception, vector};
use super::registers::Refused;
use super::report::{Reason, Switch};
use super::{At, Core, Next, SysReg, Trap, Vm};
use crate::mmio::DataFault;
use crate::mmio::transfer::is_big_endian;
use crate::units::Ipa;
use crate::vcpu::{Vcpu, mode, psr};

/// What became of an instruction.
enum Outcome {
    /// Carried out, or the guest takes an abort of it.
    Done,
    /// The board's CPU does not have it either.
    Undefined,
    /// The VM cannot go on.
    Stop(Reason),
}

impl Vm {
    /// The breakpoint on the guest's UNDEF vector was hit (EC 0x30).
    pub(super) fn undef_vector(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
    ) -> Next {
        let at_vector =
            regs.pc == inject::vectors(core).wrapping_add(vector::UNDEFINED) && regs.is_aarch32();
        if !at_vector || regs.mode() != mode::UND {
            // Code that happens to lie at the other vector: let it run.
            return step_over(regs, core);
        }
        // Where the host hides it, SPSR_und is still as it was before the exception.
        let kept = banks::hidden(regs, core).map(|spsr| core.get(spsr));
        banks::show(regs, core);
        let mut before = regs.clone();
        before.spsr = core.get(SysReg::SpsrUnd);
        let thumb = before.spsr & psr::T != 0;
        before.pc = regs.x(22).wrapping_sub(if thumb { 2 } else { 4 }) & 0xffff_ffff;
        let illegal = before.spsr & psr::IL != 0;
        if illegal && !self.aborts_instead() {
            // An illegal change of mode: to Monitor or HYP, which this core's EL1 has not. It is
            // the next instruction that does not execute.
            let to = Switch::of_mode_change(word_before(&before, core));
            if to != Switch::IllegalMode {
                before.pc = before.pc.wrapping_sub(4);
                before.spsr &= !psr::IL;
            }
            return self.stop_at(cpu, &before, core, Reason::SecureSwitch(to), Some(trap));
        }
        let outcome = match fetch(&before, core) {
            Some((word, length)) if before.is_aarch32() && !illegal => {
                self.emulate(cpu, &mut before, core, word, length)
            }
            _ => Outcome::Undefined,
        };
        match outcome {
            Outcome::Done => {
                before.spsr &= !psr::SS;
                *regs = before;
                if let Some(kept) = kept {
                    core.set(SysReg::SpsrUnd, kept);
                }
                banks::settle(regs, core);
                Next::Resume
            }
            Outcome::Undefined => {
                banks::settle(regs, core);
                step_over(regs, core)
            }
            Outcome::Stop(reason) => self.stop_at(cpu, &before, core, reason, Some(trap)),
        }
    }

    /// The step is done.
    pub(super) fn stepped(&self, regs: &mut Vcpu, core: &mut impl Core) -> Next {
        core.step(false);
        regs.spsr &= !psr::SS;
        self.watch(core);
        Next::Resume
    }

    fn emulate(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        word: u32,
        length: u8,
    ) -> Outcome {
        let cond = if length == 4 && !regs.is_thumb() {
            (word >> 28) as u8
        } else {
            regs.it_condition()
        };
        if let Some(m) = Move::of_instruction(word) {
            if !regs.condition_holds(cond) {
                regs.advance(u64::from(length));
                return Outcome::Done;
            }
            return match self.coprocessor(cpu, regs, core, m) {
                Ok(()) => {
                    regs.advance(u64::from(length));
                    Outcome::Done
                }
                Err(Refused::Undefined) => Outcome::Undefined,
                Err(Refused::Stop(reason)) => Outcome::Stop(reason),
                Err(Refused::Again) => Outcome::Done,
            };
        }
        let is_swap = !regs.is_thumb() && word & 0x0fb0_0ff0 == 0x0100_0090 && cond != 0xf;
        if is_swap && self.model.swp {
            if regs.condition_holds(cond) {
                match swap(regs, core, word) {
                    Ok(()) => {}
                    Err(Refusal::Undefined) => return Outcome::Undefined,
                    Err(Refusal::Abort(e)) => {
                        inject::inject(regs, core, false, e);
                        return Outcome::Done;
                    }
                }
            }
            regs.advance(4);
            return Outcome::Done;
        }
        Outcome::Undefined
    }
}

/// The guest executes its own instruction at the vector, past the breakpoint.
fn step_over(regs: &mut Vcpu, core: &mut impl Core) -> Next {
    core.watch_undef_vectors(None);
    core.step(true);
    regs.spsr |= psr::SS;
    Next::Resume
}

/// The A32 word before the instruction at PC, which changed the mode.
fn word_before(regs: &Vcpu, core: &mut impl Core) -> Option<u32> {
    let before = Vcpu {
        pc: regs.pc.wrapping_sub(4),
        ..regs.clone()
    };
    if regs.is_thumb() {
        None
    } else {
        fetch(&before, core).map(|(word, _)| word)
    }
}

/// Why a swap was not done.
enum Refusal {
    /// The architecture leaves it open, or has no such instruction.
    Undefined,
    /// An abort on its access.
    Abort(Exception),
}

/// SWP or SWPB (DDI 0406C, A8.8.229) on RAM, with the guest's own rights: first the read is
/// checked, then the write, and an abort says which it was (B3.13.5).
fn swap(regs: &mut Vcpu, core: &mut impl Core, word: u32) -> Result<(), Refusal> {
    let va = u64::from(regs.r((word >> 16) as u8 & 0xf));
    let (rt, rt2) = ((word >> 12) as u8 & 0xf, word as u8 & 0xf);
    if rt == 15 || rt2 == 15 {
        return Err(Refusal::Undefined);
    }
    let byte = word & 1 << 22 != 0;
    let abort = |fault| Refusal::Abort(Exception::Data(fault));
    if !byte && va & 3 != 0 {
        return Err(abort(DataFault::misaligned(va, false)));
    }
    let ways = if regs.is_user() {
        [(At::E0Read, false), (At::E0Write, true)]
    } else {
        [(At::E1Read, false), (At::E1Write, true)]
    };
    let mut at = Ipa(0);
    for (how, write) in ways {
        at = core.translate(va, how).map_err(|par| {
            abort(match inject::stage_1_status(par) {
                Some(status) => DataFault {
                    at: va,
                    write,
                    status,
                },
                None => DataFault::external(va, write),
            })
        })?;
    }
    let unbacked = || abort(DataFault::external(va, false));
    let new = regs.r(rt2);
    let old = if byte {
        let [old] = exchange(core, at, [new as u8]).ok_or_else(unbacked)?;
        u32::from(old)
    } else {
        let order = |v: u32| {
            if is_big_endian(regs, 0) {
                v.swap_bytes()
            } else {
                v
            }
        };
        let old = exchange(core, at, order(new).to_le_bytes()).ok_or_else(unbacked)?;
        order(u32::from_le_bytes(old))
    };
    regs.set_r(rt, old);
    Ok(())
}

fn exchange<const N: usize>(core: &mut impl Core, at: Ipa, new: [u8; N]) -> Option<[u8; N]> {
    let mut old = [0; N];
    core.memory().read(at, &mut old).ok()?;
    core.memory().write(at, &new).ok()?;
    Some(old)
}
