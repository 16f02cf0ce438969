//! The host's counter and the hypervisor's own timer (CNTHP_*_EL2, PPI 26).

use super::registers::{mrs, msr};

/// INTID of the EL2 physical timer (DDI 0487, D11.2; the GIC's PPI 10).
pub const HYPERVISOR_TIMER: u32 = 26;
/// INTID of the EL1 virtual timer.
pub const VIRTUAL_TIMER: u32 = 27;

/// Ticks since the host's reset.
pub fn now() -> u64 {
    super::barrier_isb();
    mrs!("cntpct_el0")
}

/// The counter's frequency in hertz.
pub fn hz() -> u64 {
    mrs!("cntfrq_el0")
}

/// Fires PPI 26 when the counter reaches `at`.
pub fn arm(at: u64) {
    msr!("cnthp_cval_el2", at);
    msr!("cnthp_ctl_el2", 1);
}

/// No deadline.
pub fn disarm() {
    msr!("cnthp_ctl_el2", 0);
}
