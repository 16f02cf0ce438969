//! The attacker's GICv2: put right whatever was done to it.

use crate::device::Device;
use crate::gic::SPURIOUS;

// SAFETY: the distributor and the CPU interface of QEMU virt.
const GICD: Device = unsafe { Device::at(0x0800_0000) };
// SAFETY: the same.
const GICC: Device = unsafe { Device::at(0x0801_0000) };

/// The virtual timer's interrupt.
pub const VIRTUAL_TIMER: u32 = 27;
/// The physical timer's.
pub const PHYSICAL_TIMER: u32 = 30;
/// The UART's.
pub const UART: u32 = 33;
/// The clock's.
pub const CLOCK: u32 = 34;

/// Nothing of this word's interrupts is enabled, pending or active.
pub(super) fn clear(frame: Device, word: usize) {
    frame.write(0x180 + 4 * word, u32::MAX); // ICENABLER
    frame.write(0x280 + 4 * word, u32::MAX); // ICPENDR
    frame.write(0x380 + 4 * word, u32::MAX); // ICACTIVER
}

/// Puts it right: on, all let through, nothing enabled, pending or active.
pub fn quiet() {
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

/// Enables an interrupt, for this CPU.
pub fn enable(id: u32) {
    let n = id as usize;
    GICD.write_byte(0x400 + n, 0x80);
    if id >= 32 {
        GICD.write_byte(0x800 + n, 1);
    }
    GICD.write(0x100 + n / 32 * 4, 1 << (n % 32));
}

/// Disables an interrupt.
pub fn disable(id: u32) {
    GICD.write(0x180 + id as usize / 32 * 4, 1 << (id % 32));
}

/// Sends a software-generated interrupt to itself.
pub fn send(id: u32) {
    GICD.write(0xf00, 2 << 24 | id & 15);
}

/// Takes an interrupt and ends it: its number, if there was one.
#[must_use]
pub fn take() -> Option<u32> {
    let id = GICC.read(0xc);
    if id & 0x3ff >= SPURIOUS - 3 {
        return None;
    }
    GICC.write(0x10, id);
    Some(id & 0x3ff)
}
