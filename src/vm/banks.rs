//! The SPSR of the guest's own mode, on hosts that do not show it to EL2.
//!
//! DDI 0487, G1.9.1: each AArch32 exception mode has an SPSR, and EL2 in AArch64 state has a name
//! for each (SPSR_abt, SPSR_und, SPSR_irq, SPSR_fiq; SPSR_EL1 is SPSR_svc). QEMU 7.2 keeps the
//! SPSR of the mode that the guest is in apart from these, and changes the two over only when an
//! AArch32 instruction or exception changes the mode; not on the way to EL2, nor on ERET. There,
//! EL2 neither reads nor writes the current mode's SPSR, and an ERET to another mode leaves the
//! guest with the wrong one.
//!
//! So on such a host the guest changes its mode itself: its UNDEF vector holds `CPS #mode` for the
//! time of one step. In System mode, which has no SPSR, all of them are EL2's to see. A probe
//! before the guest's first instruction tells which kind of host this is; others are not patched.
//! docs/adr/0005-undef-vector.md has the reasons.
//!
//! Known deviation: a guest whose UNDEF vector is mapped nowhere, on such a host, may find a wrong
//! SPSR behind an injected exception.

use super::inject::{self, vector};
use super::{Core, Next, SysReg, Trap, Vm};
use crate::vcpu::{Vcpu, mode, psr};

/// What the guest executes on its way, all in A32 (DDI 0406C, B9.3.2 and B9.3.12).
mod a32 {
    /// `CPS #0`, the mode in its low bits.
    pub const CPS: u32 = 0xf102_0000;
    /// `MSR SPSR_fsxc, r0`.
    pub const MSR_SPSR_R0: u32 = 0xe16f_f000;
}

/// What a step of the guest is for.
#[allow(clippy::large_enum_variant)] // one a vCPU, and nothing allocates after boot
#[derive(Clone, Debug, Default)]
pub(super) enum Step {
    /// No step is under way.
    #[default]
    None,
    /// The guest executes its own instruction, at the UNDEF vector, past the breakpoint.
    Own,
    /// It executes one of ours.
    Detour(Detour),
}

/// One instruction of ours in the place of the guest's own.
#[derive(Clone, Debug)]
pub(super) struct Detour {
    at: u64,
    own: u32,
    /// Where the guest was, or is to go.
    back: Vcpu,
    then: Then,
}

/// What comes after a detour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The guest goes on.
    Go,
    /// The SPSR that the guest wrote is visible, or not.
    Probe {
        /// The second step has put zero there again.
        clean: bool,
    },
    /// All SPSRs are visible: look at the UNDEF that was taken. SPSR_und was `kept` before.
    Look {
        /// The breakpoint's trap.
        trap: Trap,
        /// SPSR_und before the exception.
        kept: u64,
    },
    /// The guest is back in UND mode, and has its UNDEF.
    Over,
    /// All SPSRs are visible: carry out the instruction that trapped so.
    Instruction(Trap),
}

/// What the probe writes: no host has it there by chance, and no mode of a guest is 0b11010.
const PROBE: u64 = 0xf000_01da;

/// The SPSR of a mode; User and System have none.
pub(super) const fn spsr_of(m: u64) -> Option<SysReg> {
    Some(match m {
        mode::SVC => SysReg::SpsrEl1,
        mode::ABT => SysReg::SpsrAbt,
        mode::UND => SysReg::SpsrUnd,
        mode::IRQ => SysReg::SpsrIrq,
        mode::FIQ => SysReg::SpsrFiq,
        _ => return None,
    })
}

/// `CPS #mode`.
const fn cps(to: u64) -> u32 {
    a32::CPS | (to & psr::MODE) as u32
}

/// The privileged mode with the same banks.
const fn privileged(m: u64) -> u64 {
    if m == mode::USR { mode::SYS } else { m }
}

impl Vm {
    /// Whether the SPSR of the guest's current mode is hidden from EL2.
    pub(super) fn hides_spsr(&self) -> bool {
        self.hides_spsr == Some(true)
    }

    /// The SPSR that EL2 cannot see now, with the guest in `regs`.
    pub fn hidden_spsr(&self, regs: &Vcpu) -> Option<SysReg> {
        spsr_of(regs.mode()).filter(|_| self.hides_spsr())
    }

    /// Asks the host, before the guest's first instruction, by a step at its entry; on a host
    /// that hides it another one takes the answer away again.
    pub(super) fn probe(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core) {
        core.set(SysReg::SpsrEl1, 0);
        self.write_spsr_svc(cpu, regs, core, PROBE, Then::Probe { clean: false });
    }

    fn write_spsr_svc(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        value: u64,
        then: Then,
    ) -> Next {
        let at = regs.pc & !3;
        let next = self.detour(cpu, regs, core, at, mode::SVC, a32::MSR_SPSR_R0, then);
        if self.is_on_detour(cpu) {
            regs.set_x(0, value);
        }
        next
    }

    /// The guest at its UNDEF vector, in UND mode, goes to System mode, where all SPSRs show.
    pub(super) fn park(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
    ) -> Next {
        let kept = core.get(SysReg::SpsrUnd);
        let then = Then::Look { trap, kept };
        self.by_vector(cpu, regs, core, mode::UND, cps(mode::SYS), then)
    }

    /// The guest goes to System mode, where all SPSRs show, for its instruction that trapped.
    pub(super) fn park_for_instruction(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
    ) -> Next {
        let from = regs.mode();
        self.by_vector(
            cpu,
            regs,
            core,
            from,
            cps(mode::SYS),
            Then::Instruction(trap),
        )
    }

    /// `regs` are in a mode that EL2 chose, and the core is in `from`: makes the banks follow.
    pub(super) fn settle(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        from: u64,
        then: Then,
    ) -> Next {
        let (from, to) = (privileged(from), privileged(regs.mode()));
        let Some(spsr) = spsr_of(to).filter(|_| self.hides_spsr()) else {
            return self.arrive(cpu, regs, core, then, true);
        };
        if from != to {
            return self.by_vector(cpu, regs, core, from, cps(to), then);
        }
        let value = core.get(spsr);
        let next = self.by_vector(cpu, regs, core, to, a32::MSR_SPSR_R0, then);
        if self.is_on_detour(cpu) {
            regs.set_x(0, value);
        }
        next
    }

    fn by_vector(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        from: u64,
        word: u32,
        then: Then,
    ) -> Next {
        let at = inject::vectors(core).wrapping_add(vector::UNDEFINED);
        self.detour(cpu, regs, core, at, from, word, then)
    }

    #[allow(clippy::too_many_arguments)] // The state of a step, and what follows it.
    fn detour(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        at: u64,
        from: u64,
        word: u32,
        then: Then,
    ) -> Next {
        let Some(own) = core.patch(at, word) else {
            return self.arrive(cpu, regs, core, then, false);
        };
        let back = regs.clone();
        self.set_step(
            cpu,
            Step::Detour(Detour {
                at,
                own,
                back,
                then,
            }),
        );
        core.watch_undef_vectors(None);
        core.step(true);
        regs.pc = at;
        // Masked: the step is not to be an interrupt's.
        regs.spsr = from | psr::A | psr::I | psr::F | psr::SS;
        Next::Resume
    }

    /// The guest executes its own instruction at the vector, past the breakpoint.
    pub(super) fn step_over(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core) -> Next {
        self.set_step(cpu, Step::Own);
        core.watch_undef_vectors(None);
        core.step(true);
        regs.spsr |= psr::SS;
        Next::Resume
    }

    /// A step ended: by EC 0x32, or, for an instruction of ours, by any other trap (`done` is not
    /// set then).
    pub(super) fn stepped(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        done: bool,
    ) -> Next {
        core.step(false);
        regs.spsr &= !psr::SS;
        self.watch(core);
        match self.set_step(cpu, Step::None) {
            Step::None | Step::Own => Next::Resume,
            Step::Detour(Detour {
                at,
                own,
                back,
                then,
            }) => {
                core.patch(at, own);
                let done = done && regs.pc == at.wrapping_add(4) & 0xffff_ffff;
                *regs = back;
                self.arrive(cpu, regs, core, then, done)
            }
        }
    }

    /// The end of a way, with the guest's registers as they are to be.
    fn arrive(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        then: Then,
        done: bool,
    ) -> Next {
        match then {
            Then::Go => Next::Resume,
            Then::Probe { clean } => {
                if done && !clean {
                    self.hides_spsr = Some(core.get(SysReg::SpsrEl1) != PROBE);
                    if self.hides_spsr() {
                        return self.write_spsr_svc(
                            cpu,
                            regs,
                            core,
                            0,
                            Then::Probe { clean: true },
                        );
                    }
                }
                core.set(SysReg::SpsrEl1, 0);
                Next::Resume
            }
            Then::Look { trap, kept } if done => self.look(cpu, regs, core, trap, Some(kept)),
            // Without the step the host shows what it shows.
            Then::Instruction(trap) => self.instruction_parked(cpu, regs, core, trap),
            Then::Look { .. } | Then::Over => self.step_over(cpu, regs, core),
        }
    }

    /// Whether an instruction of ours is under way.
    pub(super) fn is_on_detour(&self, cpu: u8) -> bool {
        self.cpus
            .get(usize::from(cpu))
            .is_some_and(|state| matches!(state.step, Step::Detour(_)))
    }

    fn set_step(&mut self, cpu: u8, step: Step) -> Step {
        self.cpus
            .get_mut(usize::from(cpu))
            .map(|state| core::mem::replace(&mut state.step, step))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
