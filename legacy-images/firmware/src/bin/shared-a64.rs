//! Board virt-v8: both ends of systems/tests/shared-memory.toml. VM 0 writes into the memory and rings;
//! VM 1 only reads, checks what is there, and rings back.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};
use firmware::arm64::{Frame, IRQ, SYNCHRONOUS, interrupts, unexpected, wait};
use firmware::device::Device;
use firmware::gic::{Gic, SPURIOUS};
use firmware::{VIRT_V8, check, println, sysreg};

/// As the system file has them.
const MEMORY: usize = 0x5000_0000;
const BYTES: usize = 0x1_0000;
const BELLS: u32 = 53;
/// The registers of the doorbells.
const STATUS: usize = 0x00;
const RING: usize = 0x04;
const OWN: usize = 0x0c;
const PEERS: usize = 0x10;
const ROUNDS: u32 = 100;

static RUNG: AtomicU32 = AtomicU32::new(0);
/// Rings by whom.
static BY: AtomicU32 = AtomicU32::new(0);
static ABORTS: AtomicU32 = AtomicU32::new(0);

fn gic() -> Gic {
    // SAFETY: the board's GICv2.
    unsafe {
        Gic {
            distributor: Device::at(0x0800_0000),
            interface: Device::at(0x0801_0000),
        }
    }
}

fn bells() -> Device {
    // SAFETY: the doorbells, behind the memory.
    unsafe { Device::at(MEMORY + BYTES) }
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    if vector == SYNCHRONOUS && sysreg!("esr_el1") >> 26 == 0x25 {
        ABORTS.fetch_add(1, Ordering::Relaxed);
        frame.elr += 4;
        return;
    }
    if vector != IRQ {
        unexpected(vector, frame);
    }
    let acknowledged = gic().acknowledge();
    match acknowledged & 0x3ff {
        BELLS => {
            let by = bells().read(STATUS);
            bells().write(STATUS, by);
            BY.fetch_or(by, Ordering::Relaxed);
            RUNG.fetch_add(1, Ordering::Relaxed);
        }
        SPURIOUS => return,
        _ => {}
    }
    gic().end(acknowledged);
}

/// Waits until it has been rung more than `before` times.
fn rung(before: u32) -> u32 {
    loop {
        interrupts(false);
        let now = RUNG.load(Ordering::Relaxed);
        if now != before {
            interrupts(true);
            return now;
        }
        wait();
        interrupts(true);
    }
}

fn word(n: usize) -> *mut u32 {
    (MEMORY as *mut u32).wrapping_add(n)
}

fn write(n: usize, value: u32) {
    // SAFETY: inside the memory; where that refuses, the handler goes on behind it.
    unsafe { word(n).write_volatile(value) }
}

fn read(n: usize) -> u32 {
    // SAFETY: inside the memory.
    unsafe { word(n).read_volatile() }
}

const fn value(round: u32, n: usize) -> u32 {
    (n as u32).wrapping_mul(0x9e37_79b9) ^ round
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("shared-a64", &VIRT_V8);
    gic().open();
    gic().enable(BELLS);
    interrupts(true);
    let own = bells().read(OWN);
    println!("VM {own}");
    let about = reliquary_client::find("filled").and_then(reliquary_client::Channel::about);
    let told = about.is_ok_and(|about| about.memory == Some((MEMORY, BYTES)));
    checks.that("a channel tells where it is", told);
    checks.equal("VMs that share it", u64::from(bells().read(PEERS)), 0b11);
    if own == 0 {
        let clear = (0..BYTES / 4).all(|n| read(n) == 0);
        checks.that("it is clear at first", clear);
        let mut heard = 0;
        for round in 1..=ROUNDS {
            (1..BYTES / 4).for_each(|n| write(n, value(round, n)));
            // SAFETY: a barrier: what was written is there before the ring.
            unsafe { core::arch::asm!("dsb sy", options(nostack)) }
            write(0, round);
            bells().write(RING, 0b10);
            heard = rung(heard);
        }
        checks.equal("rung back", u64::from(heard), u64::from(ROUNDS));
        checks.equal(
            "what the other wrote is not there",
            u64::from(read(1)),
            u64::from(value(ROUNDS, 1)),
        );
    } else {
        let (mut heard, mut wrong) = (0, 0);
        for round in 1..=ROUNDS {
            heard = rung(heard);
            let good = read(0) == round && (1..BYTES / 4).all(|n| read(n) == value(round, n));
            wrong += u32::from(!good);
            if round == ROUNDS {
                write(1, 0);
            }
            bells().write(RING, 0b01);
        }
        checks.equal("rounds that were not all there", u64::from(wrong), 0);
        checks.equal(
            "a write to it aborts",
            u64::from(ABORTS.load(Ordering::Relaxed)),
            1,
        );
    }
    checks.equal(
        "rung by the other only",
        u64::from(BY.load(Ordering::Relaxed)),
        u64::from(2_u32 >> own),
    );
    bells().write(RING, 0xffff_fffc | 1 << own);
    checks.equal("nobody else rings", u64::from(bells().read(STATUS)), 0);
    checks.finish()
}
