//! Two boards joined by pins: what each drives, and what the other saw of it by interrupts.
//!
//! Each end has a PL061 (Arm DDI 0190B): pin 0 drives, pin 1 sees the other's pin 0, pin 2 drives
//! an input of the other's GIC. One end asks and counts; the other does what it sees.

use crate::arm64::{Frame, IRQ, interrupts, unexpected, wait};
use crate::check::Checks;
use crate::device::Device;
use crate::gic::{Gic, SPURIOUS};
use crate::println;
use core::sync::atomic::{AtomicU32, Ordering};

/// SPI 7: GPIOINTR.
const GPIOINTR: u32 = 39;
/// SPI 50: the other board's pin 2.
const WIRE: u32 = 82;
/// `GICD_ICFGR0`.
const GICD_ICFGR: usize = 0xc00;

const DIR: usize = 0x400;
const IS: usize = 0x404;
const IBE: usize = 0x408;
const IEV: usize = 0x40c;
const IE: usize = 0x410;
const MIS: usize = 0x418;
const IC: usize = 0x41c;

const OUT: u32 = 1 << 0;
const IN: u32 = 1 << 1;
const LINE: u32 = 1 << 2;

/// How often each thing is done.
const ROUNDS: u32 = 100;

/// Interrupts of pin 1, and how many of them found it high.
static EDGES: AtomicU32 = AtomicU32::new(0);
static HIGH: AtomicU32 = AtomicU32::new(0);
/// Interrupts of the wire to the GIC.
static LINES: AtomicU32 = AtomicU32::new(0);

fn gpio() -> Device {
    // SAFETY: the board's PL061.
    unsafe { Device::at(0x0903_0000) }
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

/// Drives these pins. An address lets through the bits that it names (3.3.1).
fn drive(pins: u32, high: bool) {
    gpio().write((pins << 2) as usize, if high { pins } else { 0 });
}

fn is_high() -> bool {
    gpio().read((IN << 2) as usize) != 0
}

/// The programs' exception handler.
pub fn exception(vector: u64, frame: &Frame) {
    if vector != IRQ {
        unexpected(vector, frame);
    }
    let acknowledged = gic().acknowledge();
    match acknowledged & 0x3ff {
        GPIOINTR => {
            gpio().write(IC, gpio().read(MIS));
            HIGH.fetch_add(is_high().into(), Ordering::Relaxed);
            EDGES.fetch_add(1, Ordering::Relaxed);
        }
        WIRE => _ = LINES.fetch_add(1, Ordering::Relaxed),
        SPURIOUS => return,
        _ => {}
    }
    gic().end(acknowledged);
}

/// Waits until `count` has come as far.
fn until(count: &AtomicU32, due: u32) {
    interrupts(false);
    while count.load(Ordering::Relaxed) < due {
        wait();
        interrupts(true);
        interrupts(false);
    }
    interrupts(true);
}

fn open() {
    drive(OUT | LINE, false);
    gpio().write(DIR, OUT | LINE);
    gpio().write(IS, 0);
    gpio().write(IBE, IN);
    gpio().write(IEV, IN);
    gpio().write(IC, 0xff);
    gpio().write(IE, IN);
    gic().open();
    gic().enable(GPIOINTR);
    // Two bits each: 2 is edge-triggered (IHI 0048B, 4.3.13).
    let config = GICD_ICFGR + WIRE as usize / 16 * 4;
    let others = gic().distributor.read(config);
    gic()
        .distributor
        .write(config, others | 2 << (WIRE % 16 * 2));
    gic().enable(WIRE);
    interrupts(true);
}

/// Takes what has been counted.
fn take(count: &AtomicU32) -> u64 {
    count.swap(0, Ordering::Relaxed).into()
}

/// The end that asks.
pub fn ask(mut checks: Checks) -> ! {
    open();
    // The other is there when its pin is high: that may have been before this board was.
    while !is_high() {}
    interrupts(false);
    take(&EDGES);
    take(&HIGH);
    interrupts(true);
    // It has seen this edge by polling, as this end has, and answers.
    drive(OUT, true);
    until(&EDGES, 1);
    checks.that("the other's answer is low", !is_high());
    take(&EDGES);
    take(&HIGH);

    for round in 1..=ROUNDS {
        drive(OUT, round % 2 == 0);
        until(&EDGES, round);
    }
    checks.equal("edges came back", take(&EDGES), ROUNDS.into());
    checks.equal("every second went up", take(&HIGH), u64::from(ROUNDS / 2));

    // Low now at the other end, high here: pulses of no length.
    gpio().write(IBE, 0);
    drive(OUT, false);
    for round in 1..=ROUNDS {
        drive(OUT, true);
        drive(OUT, false);
        until(&EDGES, round);
    }
    checks.equal("pulses came back", take(&EDGES), ROUNDS.into());

    for round in 1..=ROUNDS {
        drive(LINE, true);
        drive(LINE, false);
        until(&LINES, round);
    }
    checks.equal(
        "pulses came back to the GIC",
        take(&LINES),
        u64::from(ROUNDS),
    );

    // A pin that is let go drives nothing: the wire is low, though GPIODATA says high.
    drive(OUT, true);
    until(&LINES, 1);
    gpio().write(DIR, LINE);
    until(&LINES, 2);
    checks.that("the other saw the pin let go", take(&LINES) == 2);
    checks.finish()
}

/// The end that answers.
pub fn answer(mut checks: Checks) -> ! {
    open();
    interrupts(false);
    drive(OUT, true);
    while !is_high() {}
    gpio().write(IC, 0xff);
    interrupts(true);
    drive(OUT, false);

    let (mut edges, mut high) = (0, 0);
    for round in 1..=ROUNDS {
        until(&EDGES, round);
        // Pulses may come as soon as the last edge is answered.
        if round == ROUNDS {
            gpio().write(IBE, 0);
            (edges, high) = (take(&EDGES), take(&HIGH));
        }
        // The rounds begin with a falling edge, and pin 0 is low: the answer is the opposite.
        drive(OUT, !is_high());
    }
    checks.equal("edges came", edges, ROUNDS.into());
    checks.equal("every second was high", high, u64::from(ROUNDS / 2));
    println!("edges done");

    for round in 1..=ROUNDS {
        until(&EDGES, round);
        drive(OUT, true);
        drive(OUT, false);
    }
    checks.equal("pulses came, an edge up each", take(&EDGES), ROUNDS.into());
    take(&HIGH);
    println!("pulses done");

    for round in 1..=ROUNDS {
        until(&LINES, round);
        drive(LINE, true);
        drive(LINE, false);
    }
    checks.equal("pulses came to the GIC", take(&LINES), ROUNDS.into());
    println!("lines done");

    until(&EDGES, 1);
    checks.that("the last edge went up", is_high());
    gpio().write(IEV, 0);
    gpio().write(IC, 0xff);
    drive(LINE, true);
    drive(LINE, false);
    until(&EDGES, 2);
    checks.that("a pin let go is low", !is_high());
    drive(LINE, true);
    drive(LINE, false);
    checks.finish()
}
