//! The SPSR of the guest's own mode, on hosts that do not show it to EL2.
//!
//! DDI 0487, G1.9.1: each AArch32 exception mode has an SPSR, and EL2 in AArch64 state has a name
//! for each (SPSR_abt, SPSR_und, SPSR_irq, SPSR_fiq; SPSR_EL1 is SPSR_svc). QEMU 7.2 keeps the
//! SPSR of the mode that the guest is in apart from these, and changes the two over only when an
//! AArch32 instruction or exception changes the mode; not on the way to EL2, nor on ERET. There,
//! EL2 neither reads nor writes the current mode's SPSR, and an ERET to another mode leaves the
//! guest with the wrong one.
//!
//! So on such a host the core's banks are made to follow, by [`Core::change_banks`]: first those of
//! System mode, which has no SPSR, so that all of them are EL2's to see; in the end those of the mode
//! that the guest goes on in. On other hosts nothing is done here. docs/adr/0005-hidden-spsr.md has the
//! reasons.

use super::{Core, SysReg};
use crate::vcpu::{Vcpu, mode};

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

/// The SPSR that EL2 cannot see now, with the guest in `regs` and the core's banks in its mode.
pub(super) fn hidden(regs: &Vcpu, core: &impl Core) -> Option<SysReg> {
    let hides = regs.is_aarch32() && core.hides_spsr();
    spsr_of(regs.mode()).filter(|_| hides)
}

/// Shows all SPSRs: the core's banks, but not `regs`, are in System mode from now on, until
/// [`settle`] with that.
pub fn show(regs: &Vcpu, core: &mut impl Core) {
    if hidden(regs, core).is_some() {
        core.change_banks(regs.mode(), mode::SYS);
    }
}

/// The core's banks are in mode `from`, and EL2 may have written SPSRs or chosen another mode in
/// `regs`: makes the banks follow.
pub(super) fn settle_from(from: u64, regs: &Vcpu, core: &mut impl Core) {
    let Some(spsr) = hidden(regs, core) else {
        return;
    };
    let to = regs.mode();
    if from == to {
        // The guest would find the old one: what is its own now is not what EL2 has written.
        let value = core.get(spsr);
        core.change_banks(to, mode::SYS);
        core.set(spsr, value);
        core.change_banks(mode::SYS, to);
    } else if spsr_of(from).is_some() || matches!(from, mode::USR | mode::SYS) {
        core.change_banks(if from == mode::USR { mode::SYS } else { from }, to);
    }
}

/// The same from System mode, where all SPSRs show.
pub fn settle(regs: &Vcpu, core: &mut impl Core) {
    settle_from(mode::SYS, regs, core);
}

#[cfg(test)]
mod tests;
