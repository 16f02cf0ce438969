//! Board vexpress-a9: the motherboard's SP805 (Arm DDI 0270B), left to expire. Its first zero
//! interrupts, its second resets the board; the next life sees a mark that the first one left
//! in flash, which a reset does not erase.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};
use firmware::arm32::{Frame, IRQ, interrupts, unexpected, wait};
use firmware::device::Device;
use firmware::gic::Gic;
use firmware::{VEXPRESS_A9, check, println};

/// SPI 0.
const WDOGINT: u32 = 32;
const LOAD: usize = 0x00;
const CONTROL: usize = 0x08;
const RIS: usize = 0x10;
const LOCK: usize = 0xc00;
/// WDOGCLK has 32,768 Hz: a tenth of a second.
const TENTH: u32 = 3276;

/// The word of the flash's second bank that tells the lives apart.
const MARK: usize = 0;
const ERASED: u32 = 0xffff_ffff;

static TAKEN: AtomicU32 = AtomicU32::new(0);

fn dog() -> Device {
    // SAFETY: the motherboard's SP805.
    unsafe { Device::at(0x1000_f000) }
}

fn flash() -> Device {
    // SAFETY: the second bank of the NOR flash, where no program is.
    unsafe { Device::at(0x4400_0000) }
}

/// SYS_24MHZ of the system registers, which starts at 0 with each life.
fn ticks() -> u32 {
    // SAFETY: the motherboard's system registers.
    unsafe { Device::at(0x1000_0000) }.read(0x5c)
}

fn gic() -> Gic {
    // SAFETY: the Cortex-A9's private peripherals.
    let private = unsafe { Device::at(0x1e00_0000) };
    Gic {
        distributor: private.part(0x1000),
        interface: private.part(0x100),
    }
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    if vector != IRQ {
        unexpected(vector, frame);
    }
    frame.lr -= 4;
    let acknowledged = gic().acknowledge();
    // Nobody clears it, so it would come for ever.
    gic().disable(WDOGINT);
    gic().end(acknowledged);
    TAKEN.store(acknowledged, Ordering::Relaxed);
}

/// Programs a word by the Intel command set, of two 16-bit chips side by side.
fn program(offset: usize, value: u32) {
    flash().write(offset, 0x0040_0040);
    flash().write(offset, value);
    while flash().read(offset) & 0x0080_0080 != 0x0080_0080 {}
    flash().write(offset, 0x00ff_00ff);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("watchdog", &VEXPRESS_A9);
    let identity = dog().read(0xfe0) | dog().read(0xfe4) << 8 | dog().read(0xfe8) << 16;
    checks.equal("WdogPeriphID", u64::from(identity), 0x14_1805);
    checks.equal("WdogLoad", u64::from(dog().read(LOAD)), 0xffff_ffff);
    checks.equal("WdogControl", u64::from(dog().read(CONTROL)), 0);
    checks.equal("WdogRIS", u64::from(dog().read(RIS)), 0);
    if flash().read(MARK) != ERASED {
        println!("the second life: the board was reset");
        checks.equal("the first life's mark", u64::from(flash().read(MARK)), 1);
        checks.finish();
    }
    println!("the first life");
    program(MARK, 1);

    gic().open();
    gic().enable(WDOGINT);
    // Before the watchdog starts: a host that is busy may halt the board here.
    let from = ticks();
    dog().write(LOAD, TENTH);
    dog().write(CONTROL, 3);
    dog().write(LOCK, 0);
    dog().write(CONTROL, 0);
    checks.equal(
        "locked: WdogControl stays",
        u64::from(dog().read(CONTROL)),
        3,
    );
    while TAKEN.load(Ordering::Relaxed) == 0 {
        interrupts(false);
        if TAKEN.load(Ordering::Relaxed) == 0 {
            wait();
        }
        interrupts(true);
    }
    let after = ticks().wrapping_sub(from);
    checks.equal(
        "the interrupt is WDOGINT",
        u64::from(TAKEN.load(Ordering::Relaxed)),
        WDOGINT.into(),
    );
    checks.equal("WdogRIS after it", u64::from(dog().read(RIS)), 1);
    // Late is the host's affair, early is not.
    checks.that("it came after a tenth of a second", after >= 2_399_000);
    println!("nobody clears it");
    while ticks().wrapping_sub(from) < 10 * 24_000_000 {}
    check::fail(format_args!("ten seconds, and no reset"))
}
