//! What the Versatile and RealView baseboards have in common: system registers, SP804, identities
//! (Arm DUI 0225D, DUI 0417D, DDI 0271D).

use crate::check::Checks;
use crate::device::Device;

const SYS_LED: usize = 0x08;
const SYS_LOCK: usize = 0x20;
const SYS_FLAGS: usize = 0x30;
const SYS_FLAGSCLR: usize = 0x34;
const SYS_NVFLAGS: usize = 0x38;
const SYS_NVFLAGSCLR: usize = 0x3c;
const SYS_RESETCTL: usize = 0x40;
const SYS_CLCD: usize = 0x50;
const SYS_24MHZ: usize = 0x5c;

const TIMER_LOAD: usize = 0x00;
const TIMER_VALUE: usize = 0x04;
const TIMER_CONTROL: usize = 0x08;
const TIMER_INTCLR: usize = 0x0c;
const TIMER_RIS: usize = 0x10;

/// The system registers at 0x1000_0000.
#[must_use]
pub fn system() -> Device {
    // SAFETY: the board's system registers.
    unsafe { Device::at(0x1000_0000) }
}

/// Starts timer 1 of an SP804: one shot after so many ticks of 1 MHz, with its interrupt.
pub fn start_timer(timer: Device, ticks: u32) {
    timer.write(TIMER_CONTROL, 0);
    timer.write(TIMER_LOAD, ticks);
    timer.write(TIMER_CONTROL, 0xa3); // on, interrupt, 32 bits, one shot
}

/// Clears its interrupt.
pub fn clear_timer(timer: Device) {
    timer.write(TIMER_INTCLR, 1);
}

/// What the system registers of both boards do.
pub fn check_system(checks: &mut Checks, id: u32) {
    let system = system();
    let read = |offset| u64::from(system.read(offset));
    checks.equal("SYS_ID", read(0), id.into());
    system.write(SYS_LED, 0x5a);
    checks.equal("SYS_LED", read(SYS_LED), 0x5a);
    system.write(SYS_LED, 0);
    for (set, clear) in [(SYS_FLAGS, SYS_FLAGSCLR), (SYS_NVFLAGS, SYS_NVFLAGSCLR)] {
        system.write(set, 0xff00);
        system.write(set, 0x00ff);
        system.write(clear, 0x0ff0);
        checks.equal("flags are set and cleared by bit", read(set), 0xf00f);
        system.write(clear, 0xffff_ffff);
    }
    checks.equal("SYS_CLCD: no panel", read(SYS_CLCD), 0x1f00);
    system.write(SYS_RESETCTL, 0x107);
    checks.equal("SYS_RESETCTL while locked", read(SYS_RESETCTL), 0);
    system.write(SYS_LOCK, 0xa05f);
    checks.equal("SYS_LOCK: the key", read(SYS_LOCK) & 0xffff, 0xa05f);
    system.write(SYS_LOCK, 0);
}

/// A counter of the system registers, and a timer without its interrupt.
pub fn check_time(checks: &mut Checks, timer: Device) {
    let system = system();
    let before = system.read(SYS_24MHZ);
    start_timer(timer, 20_000);
    while timer.read(TIMER_RIS) == 0 {}
    let counted = system.read(SYS_24MHZ).wrapping_sub(before);
    checks.that("SYS_24MHZ counted the timer's 20 ms", counted >= 479_900);
    checks.equal("TimerValue at its end", timer.read(TIMER_VALUE).into(), 0);
    clear_timer(timer);
    checks.equal("TimerRIS is cleared", timer.read(TIMER_RIS).into(), 0);
}

/// `PeriphID` of the part at `base`, and its `PCellID`.
pub fn check_identity(checks: &mut Checks, what: &'static str, base: usize, due: u32) {
    // SAFETY: identity registers of a device have no side effects.
    let part = unsafe { Device::at(base) };
    let word = |first: usize| {
        (0..4).fold(0, |word, n| {
            word | (part.read(first + 4 * n) & 0xff) << (8 * n)
        })
    };
    checks.equal(what, u64::from(word(0xfe0)), due.into());
    checks.equal("its PCellID", u64::from(word(0xff0)), 0xb105_f00d);
}
