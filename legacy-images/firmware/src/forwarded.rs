//! What the `passthrough64` programs do with a PL031 (Arm DDI 0224C) and a PL061 (DDI 0190B),
//! wherever these are. Prints values that do not depend on the time, so that two runs compare.

use crate::arm64::{Frame, IRQ, interrupts, unexpected, wait};
use crate::device::Device;
use crate::gic::{Gic, SPURIOUS};
use crate::{VIRT_V8, check, println};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

const RTCDR: usize = 0x00;
const RTCMR: usize = 0x04;
const RTCCR: usize = 0x0c;
const RTCIMSC: usize = 0x10;
const RTCRIS: usize = 0x14;
const RTCMIS: usize = 0x18;
const RTCICR: usize = 0x1c;
const PERIPH_ID: usize = 0xfe0;

const GPIODIR: usize = 0x400;

static TAKEN: AtomicU32 = AtomicU32::new(0);
static PL031: AtomicUsize = AtomicUsize::new(0);

/// Where the devices are.
pub struct Places {
    /// The program's name.
    pub name: &'static str,
    /// The PL031.
    pub pl031: usize,
    /// Its interrupt's INTID.
    pub pl031_id: u32,
    /// The PL061.
    pub pl061: usize,
}

fn gic() -> Gic {
    // SAFETY: the board's GICv2.
    unsafe {
        Gic {
            distributor: Device::at(0x0800_0000),
            interface: Device::at(0x0801_0000),
        }
    }
}

fn pl031() -> Device {
    // SAFETY: set by `run` to a PL031.
    unsafe { Device::at(PL031.load(Ordering::Relaxed)) }
}

/// Takes the PL031's interrupt.
pub fn exception(vector: u64, frame: &mut Frame) {
    if vector != IRQ {
        unexpected(vector, frame);
    }
    let acknowledged = gic().acknowledge();
    if acknowledged & 0x3ff != SPURIOUS {
        println!(
            "RTCRIS {:#x} RTCMIS {:#x}",
            pl031().read(RTCRIS),
            pl031().read(RTCMIS)
        );
        pl031().write(RTCICR, 1);
        gic().end(acknowledged);
        TAKEN.store(acknowledged & 0x3ff, Ordering::Relaxed);
    }
}

/// Runs the checks.
pub fn run(places: &Places) -> ! {
    let mut checks = check::begin(places.name, &VIRT_V8);
    PL031.store(places.pl031, Ordering::Relaxed);
    // SAFETY: the caller's word.
    let gpio = unsafe { Device::at(places.pl061) };

    let ids = |device: Device| {
        (0..8).fold(0, |ids, i| {
            ids | u64::from(device.read(PERIPH_ID + 4 * i) & 0xff) << (8 * i)
        })
    };
    println!("PL031 IDs {:#018x}", ids(pl031()));
    println!("PL061 IDs {:#018x}", ids(gpio));
    // All but the revision, bits 23 to 20.
    checks.equal(
        "PL031 IDs",
        ids(pl031()) & !0x00f0_0000,
        0xb105_f00d_0004_1031,
    );
    checks.equal("PL061 IDs", ids(gpio) & !0x00f0_0000, 0xb105_f00d_0004_1061);

    gic().open();
    gic().enable(places.pl031_id);
    interrupts(true);
    println!("RTCCR {:#x}", pl031().read(RTCCR));
    pl031().write(RTCICR, 1);
    let now = pl031().read(RTCDR);
    checks.that("the clock is set", now != 0);
    pl031().write(RTCMR, now.wrapping_add(1));
    checks.equal(
        "RTCMR keeps the match",
        u64::from(pl031().read(RTCMR).wrapping_sub(now)),
        1,
    );
    pl031().write(RTCIMSC, 1);
    checks.equal("RTCIMSC", u64::from(pl031().read(RTCIMSC)), 1);
    loop {
        interrupts(false);
        if TAKEN.load(Ordering::Relaxed) != 0 {
            break;
        }
        wait();
        interrupts(true);
    }
    let taken = TAKEN.load(Ordering::Relaxed);
    checks.equal(
        "the match's interrupt",
        u64::from(taken),
        u64::from(places.pl031_id),
    );
    let later = pl031().read(RTCDR).wrapping_sub(now);
    checks.that("it came with the match", (1..=2).contains(&later));
    checks.equal("RTCRIS after RTCICR", u64::from(pl031().read(RTCRIS)), 0);
    pl031().write(RTCIMSC, 0);

    println!("GPIODIR {:#x}", gpio.read(GPIODIR));
    gpio.write(GPIODIR, 0x0f);
    checks.equal("GPIODIR", u64::from(gpio.read(GPIODIR)), 0x0f);
    // The address's bits 9 to 2 are the mask of the bits written and read.
    gpio.write(0xff << 2, 0x05);
    checks.equal("GPIODATA, outputs", u64::from(gpio.read(0x0f << 2)), 0x05);
    gpio.write(0x02 << 2, 0xff);
    checks.equal(
        "GPIODATA, one bit by mask",
        u64::from(gpio.read(0x0f << 2)),
        0x07,
    );
    println!("GPIODATA {:#x}", gpio.read(0xff << 2));
    gpio.write(GPIODIR, 0);
    checks.finish()
}
