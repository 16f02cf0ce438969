//! A guest that entered its board in Secure state: Secure SVC semantics, on a host that gives it
//! Non-secure EL1.
//!
//! It sees the GIC's Secure view and the Secure timer's bank (the board carries the security of
//! each access), and SCR, SDER, NSACR and MVBAR as storage. It has no Monitor mode and no world to
//! switch to. What is detected, and stops the VM with a report that says so:
//!
//! - a write of SCR with NS set (the UNDEF vector's breakpoint sees it);
//! - SMC, which would enter Monitor mode, where the map has no PSCI by SMC (HCR_EL2.TSC);
//! - CPS or MSR to Monitor or HYP mode: an illegal mode change in the host's EL1 sets
//!   PSTATE.IL, and the next instruction is undefined with SPSR_und.IL set. With CPS in A32 state
//!   the report names the mode; after MSR, or in T32 state, it says that the change was illegal.
//!
//! Not detected: an exception return (MOVS PC, RFE, LDM ^) with a Monitor mode in its SPSR is
//! reported as an illegal change too, without naming the mode.

use super::Vm;
use super::report::Switch;
use crate::access::Security;
use crate::board::CpuTimer;
use crate::vcpu::mode;

impl Vm {
    /// Whether the guest entered in Secure state.
    pub(super) fn secure(&self) -> bool {
        self.board.plan().secure
    }

    /// The security of the guest's accesses.
    pub(super) fn security(&self) -> Security {
        if self.secure() {
            Security::Secure
        } else {
            Security::NonSecure
        }
    }

    /// Which bank of CNTP the guest has.
    pub(super) fn timer_bank(&self) -> CpuTimer {
        if self.secure() {
            CpuTimer::SecurePhysical
        } else {
            CpuTimer::NonSecurePhysical
        }
    }
}

impl Switch {
    /// What an illegal mode change was after, from the A32 word that made it if it was a CPS.
    pub(super) const fn of_mode_change(word: Option<u32>) -> Self {
        // CPS with M set: 1111 0001 0000 imod 1 0 ... mode (DDI 0487, F5.1.47).
        match word {
            Some(w) if w & 0xfff2_0020 == 0xf102_0000 => match (w & 0x1f) as u64 {
                mode::MON => Self::Monitor,
                mode::HYP => Self::Hyp,
                _ => Self::IllegalMode,
            },
            _ => Self::IllegalMode,
        }
    }
}
