//! Board realview-pb-a8 (Arm DUI 0417D): system registers, identities, an SP804's interrupt and
//! software's through the first GIC.
//!
//! Lines that begin with `cpu:` tell of the CPU.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};
use firmware::arm32::{Frame, IRQ, interrupts, unexpected, wait};
use firmware::device::Device;
use firmware::gic::{GICC_HPPIR, GICC_RPR, GICD_ISPENDR, GICD_SGIR, GICD_TYPER, Gic, SPURIOUS};
use firmware::versatile::{
    check_identity, check_system, check_time, clear_timer, start_timer, system,
};
use firmware::{REALVIEW_PB_A8, check, cp, println};

const SYS_PROCID0: usize = 0x84;
/// Interrupt IDs: SPI 4 and 5.
const TIMER01: u32 = 36;
const TIMER23: u32 = 37;
const SGI: u32 = 5;

static ACKNOWLEDGED: AtomicU32 = AtomicU32::new(SPURIOUS);
static RUNNING: AtomicU32 = AtomicU32::new(0);

fn at(base: usize) -> Device {
    // SAFETY: devices of the board.
    unsafe { Device::at(base) }
}
fn gic() -> Gic {
    Gic {
        distributor: at(0x1e00_1000),
        interface: at(0x1e00_0000),
    }
}
fn timer() -> Device {
    at(0x1001_1000)
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    if vector != IRQ {
        unexpected(vector, frame);
    }
    frame.lr -= 4;
    let acknowledged = gic().acknowledge();
    RUNNING.store(gic().interface.read(GICC_RPR), Ordering::Relaxed);
    clear_timer(timer());
    gic().end(acknowledged);
    ACKNOWLEDGED.store(acknowledged & 0x3ff, Ordering::Relaxed);
}

/// Waits for an interrupt: its ID.
fn taken() -> u64 {
    loop {
        interrupts(false);
        let id = ACKNOWLEDGED.swap(SPURIOUS, Ordering::Relaxed);
        if id != SPURIOUS {
            return id.into();
        }
        wait();
        interrupts(true);
    }
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("realview-pb-a8", &REALVIEW_PB_A8);
    let id = cp!(read "p15, 0, {}, c0, c0, 0");
    println!("cpu: ID {id:#010x}");
    checks.equal("a Cortex-A8", u64::from(id >> 4 & 0xfff), 0xc08);
    let level_1 = cp!(read "p15, 1, {}, c0, c0, 0");
    checks.equal("CCSIDR of its data cache", level_1.into(), 0xe007_e01a);
    check_system(&mut checks, 0x0178_0500);
    let processor = u64::from(system().read(SYS_PROCID0));
    checks.equal("SYS_PROCID0", processor, 0x0e00_0000);
    for (what, base, id) in [
        ("PL011", 0x1000_9000, 0x0014_1011),
        ("SP804", 0x1001_1000, 0x0014_1804),
        ("PL031", 0x1001_7000, 0x0014_1031),
        ("PL061", 0x1001_3000, 0x0004_1061),
        ("PL050", 0x1000_6000, 0x0004_1050),
    ] {
        check_identity(&mut checks, what, base, id);
    }
    check_time(&mut checks, timer());

    let (distributor, interface) = (gic().distributor, gic().interface);
    let typer = u64::from(distributor.read(GICD_TYPER));
    checks.equal("ICDICTR: 96 interrupts, one CPU", typer, 2);
    gic().open();
    gic().enable(TIMER01);
    start_timer(timer(), 5_000);
    checks.equal("the timer's interrupt", taken(), TIMER01.into());
    let running = u64::from(RUNNING.load(Ordering::Relaxed));
    checks.equal("ICCRPR in it", running, 0xa0);
    gic().enable(TIMER23);
    distributor.write(GICD_ISPENDR + 4, 1 << (TIMER23 - 32));
    let highest = u64::from(interface.read(GICC_HPPIR));
    checks.equal("ICCHPIR: set pending by software", highest, TIMER23.into());
    checks.equal("it arrives", taken(), TIMER23.into());
    // To this CPU: target list filter 2.
    distributor.write(GICD_SGIR, 2 << 24 | SGI);
    checks.equal("a software-generated interrupt", taken(), SGI.into());
    gic().disable(TIMER01);
    let nothing = u64::from(gic().acknowledge());
    checks.equal("ICCIAR when all is done", nothing, SPURIOUS.into());
    checks.finish()
}
