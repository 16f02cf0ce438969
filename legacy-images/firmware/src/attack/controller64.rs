//! The attacker's interrupt controller, a GICv2 or a GICv3: put right whatever was done to it.

use crate::device::Device;
use crate::gic::SPURIOUS;
use crate::sysreg;

// SAFETY: the distributor, the CPU interface and the redistributor's frames of QEMU virt.
const GICD: Device = unsafe { Device::at(0x0800_0000) };
const GICC: Device = unsafe { Device::at(0x0801_0000) };
const RD: Device = unsafe { Device::at(0x080a_0000) };
const SGI: Device = unsafe { Device::at(0x080b_0000) };

/// The virtual timer's interrupt.
pub const VIRTUAL_TIMER: u32 = 27;
/// The physical timer's.
pub const PHYSICAL_TIMER: u32 = 30;
/// The UART's.
pub const UART: u32 = 33;
/// The clock's.
pub const CLOCK: u32 = 34;

/// Whether it is a GICv3.
#[must_use]
pub fn is_v3() -> bool {
    sysreg!("id_aa64pfr0_el1") >> 24 & 0xf != 0
}

/// Puts it right: on, all let through, nothing enabled, pending or active.
pub fn quiet() {
    sysreg!("cntv_ctl_el0", 0);
    sysreg!("cntp_ctl_el0", 0);
    if is_v3() {
        quiet_v3();
    } else {
        quiet_v2();
    }
}

fn clear(frame: Device, word: usize) {
    frame.write(0x180 + 4 * word, u32::MAX); // ICENABLER
    frame.write(0x280 + 4 * word, u32::MAX); // ICPENDR
    frame.write(0x380 + 4 * word, u32::MAX); // ICACTIVER
}

fn quiet_v2() {
    GICD.write(0, 0);
    GICC.write(0, 0);
    for word in 0..9 {
        clear(GICD, word);
        GICD.write(0x80 + 4 * word, 0);
    }
    for word in 0..4 {
        GICD.write(0xf10 + 4 * word, u32::MAX); // CPENDSGIR
        GICC.write(0xd0 + 4 * word, 0);
        GICC.write(0xe0 + 4 * word, 0);
    }
    GICC.write(4, 0xff);
    GICC.write(8, 0);
    GICC.write(0, 1);
    GICD.write(0, 1);
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
    let (frame, n) = if is_v3() && id < 32 {
        (SGI, id as usize)
    } else {
        (GICD, id as usize)
    };
    frame.write_byte(0x400 + n, 0x80);
    if !is_v3() && id >= 32 {
        GICD.write_byte(0x800 + n, 1);
    }
    if is_v3() && id >= 32 {
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
        GICD.write(0xf00, 2 << 24 | id & 15);
    }
}

/// Takes an interrupt and ends it: its number, if there was one.
pub fn take() -> Option<u32> {
    let id = if is_v3() {
        sysreg!("icc_iar1_el1") as u32
    } else {
        GICC.read(0xc)
    };
    if id & 0x3ff >= SPURIOUS - 3 {
        return None;
    }
    if is_v3() {
        sysreg!("icc_eoir1_el1", u64::from(id));
    } else {
        GICC.write(0x10, id);
    }
    Some(id & 0x3ff)
}
