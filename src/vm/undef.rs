//! Instructions that the board's CPU has and the host's lacks.
//!
//! They are UNDEF on the host, so the guest's own UNDEF exception is taken, and the breakpoint
//! on its vector brings it here: the guest is in UND mode, LR_und and SPSR_und tell where it
//! came from. The instruction is fetched. If the board's CPU has it, it is emulated and the
//! guest goes on behind it; otherwise the guest takes its UNDEF, by a step over the vector.
//!
//! What is emulated: CP15 and CP14 registers that [`super::cp15`] names (Cortex-A9's
//! diagnostic and power control, CBAR, SCR, NSACR, SDER and MVBAR of a Secure guest), and SWP and
//! SWPB where the board's CPU has them.
//!
//! QEMU 7.2 keeps the SPSR of AArch32's current mode beside its bank, and brings both together
//! only where AArch32 itself changes the mode, not where EL2 does. So SPSR_und cannot be read
//! here while the guest is in UND mode: it is first given a virtual IRQ, taken before the
//! vector's instruction, with a breakpoint on that vector; LR_irq and SPSR_irq are put back. And
//! an UNDEF that is the guest's own is taken again by executing its instruction once more.
//! Hardware needs neither, and does both.
//!
//! Known deviations: LR_und and SPSR_und keep what the exception wrote, which a guest in UND mode
//! itself could see; SWP is a read and a write, atomic against this VM's one CPU only, and only
//! to RAM. On QEMU 7.2 the SPSR of the mode that executed the instruction is lost, as if an
//! exception had been taken and returned from.

use super::cp15::Move;
use super::inject::{self, vector};
use super::registers::Refused;
use super::report::{Reason, Switch};
use super::{Core, Next, SysReg, Trap, Vm};
use crate::mmio::transfer::is_big_endian;
use crate::units::Ipa;
use crate::vcpu::{Vcpu, mode, psr};

/// A software step that is under way, and what for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Step {
    /// None is.
    #[default]
    None,
    /// Over the instruction at the vector.
    Over,
    /// Into the guest's own UNDEF, then over the instruction at the vector.
    Undefined,
    /// No step: into IRQ mode, from UND mode with this PSR at the vector, for this trap.
    ToIrq {
        und: u64,
        lr_irq: u64,
        spsr_irq: u64,
        trap: Trap,
    },
}

/// Where AArch64 sees LR_irq (DDI 0487, D1.20.1).
const LR_IRQ: u8 = 16;

/// What became of an instruction.
enum Outcome {
    /// Carried out.
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
        let vectors = inject::vectors(core);
        let irq_vector = vectors.wrapping_add(vector::IRQ);
        if let Step::ToIrq {
            und,
            lr_irq,
            spsr_irq,
            trap,
        } = self.step(cpu)
        {
            if regs.mode() != mode::IRQ || regs.pc != irq_vector {
                return Next::Resume; // the IRQ is still to come
            }
            regs.set_x(LR_IRQ, lr_irq);
            core.set(SysReg::SpsrIrq, spsr_irq);
            regs.spsr = und;
            regs.pc = vectors.wrapping_add(vector::UNDEFINED);
            self.set_step(cpu, Step::None);
            self.watch(core);
            return self.undefined_at_vector(cpu, regs, core, trap);
        }
        let at_vector = regs.pc == vectors.wrapping_add(vector::UNDEFINED) && regs.is_aarch32();
        if !at_vector || regs.mode() != mode::UND {
            // Code that happens to lie at the other vector: let it run.
            return self.step_over(cpu, regs, core);
        }
        self.set_step(
            cpu,
            Step::ToIrq {
                und: regs.spsr,
                lr_irq: regs.x(LR_IRQ),
                spsr_irq: core.get(SysReg::SpsrIrq),
                trap,
            },
        );
        core.watch_undef_vectors(Some([regs.pc, irq_vector]));
        regs.spsr = regs.spsr & !psr::I | psr::A | psr::F;
        Next::Resume
    }

    /// Whether the guest is on its way into IRQ mode, for the hypervisor's sake.
    pub(super) fn wants_irq_mode(&self, cpu: u8) -> bool {
        matches!(self.step(cpu), Step::ToIrq { .. })
    }

    fn step(&self, cpu: u8) -> Step {
        self.cpus
            .get(usize::from(cpu))
            .map_or(Step::None, |state| state.step)
    }

    fn set_step(&mut self, cpu: u8, step: Step) {
        if let Some(state) = self.cpus.get_mut(usize::from(cpu)) {
            state.step = step;
        }
    }

    /// The guest is at its UNDEF vector, and SPSR_und is known.
    fn undefined_at_vector(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
    ) -> Next {
        let mut before = regs.clone();
        before.spsr = core.get(SysReg::SpsrUnd);
        let thumb = before.spsr & psr::T != 0;
        before.pc = regs.x(22).wrapping_sub(if thumb { 2 } else { 4 }) & 0xffff_ffff;
        if before.spsr & psr::IL != 0 {
            // An illegal change of mode: to Monitor or HYP, which this core's EL1 has not.
            let to = Switch::of_mode_change(self.word_before(&before, core));
            return self.stop_at(cpu, regs, core, Reason::SecureSwitch(to), Some(trap));
        }
        if !before.is_aarch32() {
            return self.step_over(cpu, regs, core);
        }
        let Some((word, length)) = fetch(&before, core) else {
            return self.step_over(cpu, regs, core);
        };
        match self.emulate(cpu, &mut before, core, word, length) {
            Outcome::Done => {
                before.spsr &= !psr::SS;
                *regs = before;
                Next::Resume
            }
            Outcome::Undefined => {
                *regs = before;
                self.take_step(cpu, regs, core, Step::Undefined)
            }
            Outcome::Stop(reason) => self.stop_at(cpu, regs, core, reason, Some(trap)),
        }
    }

    /// The guest executes the instruction at PC without breakpoints, then traps again (EC 0x32).
    fn step_over(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core) -> Next {
        self.take_step(cpu, regs, core, Step::Over)
    }

    fn take_step(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core, step: Step) -> Next {
        self.set_step(cpu, step);
        core.watch_undef_vectors(None);
        core.step(true);
        regs.spsr |= psr::SS;
        Next::Resume
    }

    /// The step is done (EC 0x32): the breakpoints come back.
    pub(super) fn stepped(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core) -> Next {
        let at_vector = regs.pc == inject::vectors(core).wrapping_add(vector::UNDEFINED);
        if self.step(cpu) == Step::Undefined && at_vector {
            return self.step_over(cpu, regs, core);
        }
        self.set_step(cpu, Step::None);
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
        length: u64,
    ) -> Outcome {
        let cond = if length == 4 && !regs.is_thumb() {
            (word >> 28) as u8
        } else {
            regs.it_condition()
        };
        if let Some(m) = Move::of_instruction(word) {
            if !regs.condition_holds(cond) {
                regs.advance(length);
                return Outcome::Done;
            }
            return match self.coprocessor(cpu, regs, core, m) {
                Ok(()) => {
                    regs.advance(length);
                    Outcome::Done
                }
                Err(Refused::Undefined) => Outcome::Undefined,
                Err(Refused::Stop(reason)) => Outcome::Stop(reason),
            };
        }
        let is_swap = !regs.is_thumb() && word & 0x0fb0_0ff0 == 0x0100_0090 && cond != 0xf;
        if is_swap && self.model.swp {
            if regs.condition_holds(cond) && swap(regs, core, word).is_none() {
                return Outcome::Undefined;
            }
            regs.advance(4);
            return Outcome::Done;
        }
        Outcome::Undefined
    }

    /// The A32 word before the instruction at PC, which changed the mode.
    #[allow(clippy::unused_self)]
    fn word_before(&self, regs: &Vcpu, core: &mut impl Core) -> Option<u32> {
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
}

/// The instruction at PC and its length; T32's second halfword is in the low half of the word,
/// and a 16-bit instruction stands alone.
pub(super) fn fetch(regs: &Vcpu, core: &mut impl Core) -> Option<(u32, u64)> {
    let mut half = [0u8; 2];
    if !regs.is_thumb() {
        let at = core.translate(regs.pc).ok()?;
        let mut bytes = [0u8; 4];
        core.memory().read(at, &mut bytes).ok()?;
        return Some((u32::from_le_bytes(bytes), 4));
    }
    let at = core.translate(regs.pc).ok()?;
    core.memory().read(at, &mut half).ok()?;
    let first = u16::from_le_bytes(half);
    if first >> 11 < 0b11101 {
        return Some((u32::from(first), 2));
    }
    // The second halfword may lie in another page.
    let at = core.translate(regs.pc.wrapping_add(2) & 0xffff_ffff).ok()?;
    core.memory().read(at, &mut half).ok()?;
    Some((
        u32::from(first) << 16 | u32::from(u16::from_le_bytes(half)),
        4,
    ))
}

/// SWP or SWPB (DDI 0406C, A8.8.229) on RAM.
fn swap(regs: &mut Vcpu, core: &mut impl Core, word: u32) -> Option<()> {
    let at = regs.r((word >> 16) as u8 & 0xf);
    let (rt, rt2) = ((word >> 12) as u8 & 0xf, word as u8 & 0xf);
    if rt == 15 || rt2 == 15 {
        return None;
    }
    let ipa = core.translate(u64::from(at)).ok()?;
    let new = regs.r(rt2);
    let old = if word & 1 << 22 != 0 {
        exchange(core, ipa, [new as u8]).map(|[b]| u32::from(b))?
    } else {
        if at & 3 != 0 {
            return None;
        }
        let order = |v: u32| {
            if is_big_endian(regs, 0) {
                v.swap_bytes()
            } else {
                v
            }
        };
        order(u32::from_le_bytes(exchange(
            core,
            ipa,
            order(new).to_le_bytes(),
        )?))
    };
    regs.set_r(rt, old);
    Some(())
}

fn exchange<const N: usize>(core: &mut impl Core, at: Ipa, new: [u8; N]) -> Option<[u8; N]> {
    let mut old = [0; N];
    core.memory().read(at, &mut old).ok()?;
    core.memory().write(at, &new).ok()?;
    Some(old)
}
