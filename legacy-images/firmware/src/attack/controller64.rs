//! The attacker's interrupt controller, a GICv2 or a GICv3: put right whatever was done to it.

use super::controller_v2::{self, clear};
pub use super::controller_v2::{CLOCK, PHYSICAL_TIMER, UART, VIRTUAL_TIMER};
use crate::device::Device;
use crate::gic::SPURIOUS;
use crate::sysreg;

// SAFETY: the distributor and the redistributor's frames of QEMU virt.
const GICD: Device = unsafe { Device::at(0x0800_0000) };
// SAFETY: the same.
const RD: Device = unsafe { Device::at(0x080a_0000) };
// SAFETY: the same.
const SGI: Device = unsafe { Device::at(0x080b_0000) };

/// Whether it is a GICv3.
#[must_use]
pub fn is_v3() -> bool {
    sysreg!("id_aa64pfr0_el1") >> 24 & 0xf != 0
}

/// Puts it right: on, all let through, nothing enabled, pending or active; both timers off.
pub fn quiet() {
    sysreg!("cntv_ctl_el0", 0);
    sysreg!("cntp_ctl_el0", 0);
    if is_v3() {
        quiet_v3();
    } else {
        controller_v2::quiet();
    }
}

fn quiet_v3() {
    GICD.write(0, 0x10);
    RD.write(0x14, 0);
    clear(SGI, 0);
    SGI.write(0x80, u32::MAX);
    for word in 1..8 {
        clear(GICD, word);
        GICD.write(0x80 + 4 * word, u32::MAX);
    }
    sysreg!("icc_sre_el1", 7);
    sysreg!("icc_ap0r0_el1", 0);
    sysreg!("icc_ap1r0_el1", 0);
    sysreg!("icc_ctlr_el1", 0);
    sysreg!("icc_pmr_el1", 0xff);
    sysreg!("icc_bpr0_el1", 0);
    sysreg!("icc_bpr1_el1", 0);
    sysreg!("icc_igrpen0_el1", 1);
    sysreg!("icc_igrpen1_el1", 1);
    GICD.write(0, 0x13);
}

/// Enables an interrupt, for this CPU.
pub fn enable(id: u32) {
    if !is_v3() {
        return controller_v2::enable(id);
    }
    let n = id as usize;
    let frame = if id < 32 { SGI } else { GICD };
    frame.write_byte(0x400 + n, 0x80);
    if id >= 32 {
        GICD.write(0x6000 + 8 * n, 0);
        GICD.write(0x6004 + 8 * n, 0);
    }
    frame.write(0x100 + n / 32 * 4, 1 << (n % 32));
}

/// Sends a software-generated interrupt to itself.
pub fn send(id: u32) {
    if is_v3() {
        sysreg!("icc_sgi1r_el1", u64::from(id & 15) << 24 | 1);
    } else {
        controller_v2::send(id);
    }
}

/// Takes an interrupt and ends it: its number, if there was one.
#[must_use]
pub fn take() -> Option<u32> {
    if !is_v3() {
        return controller_v2::take();
    }
    let id = sysreg!("icc_iar1_el1");
    if id & 0x3ff >= u64::from(SPURIOUS - 3) {
        return None;
    }
    sysreg!("icc_eoir1_el1", id);
    Some(id as u32 & 0x3ff)
}
