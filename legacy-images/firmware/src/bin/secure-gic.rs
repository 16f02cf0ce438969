//! Board vexpress-a9: the Secure view of its GIC (Arm IHI 0048B, 4.3 and 4.4; DDI 0407): group 0
//! as FIQ, group 1 as IRQ, with the private timer's and software-generated interrupts.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};
use firmware::arm32::{FIQ, Frame, IRQ, interrupts, unexpected, wait};
use firmware::device::Device;
use firmware::gic::{
    GICC_BPR, GICC_CTLR, GICC_HPPIR, GICC_PMR, GICC_RPR, GICD_CTLR, GICD_IGROUPR, GICD_IPRIORITYR,
    GICD_ISPENDR, GICD_SGIR, GICD_TYPER, Gic,
};
use firmware::{VEXPRESS_A9, check, println};

const PRIVATE_TIMER: u32 = 29;
const SGI: u32 = 3;

/// The vector of the last interrupt, and what was acknowledged in it.
static VECTOR: AtomicU32 = AtomicU32::new(0);
static ACKNOWLEDGED: AtomicU32 = AtomicU32::new(0);
static RUNNING: AtomicU32 = AtomicU32::new(0);

fn private() -> Device {
    // SAFETY: the Cortex-A9's private peripherals.
    unsafe { Device::at(0x1e00_0000) }
}

fn gic() -> Gic {
    Gic {
        distributor: private().part(0x1000),
        interface: private().part(0x100),
    }
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    if vector != IRQ && vector != FIQ {
        unexpected(vector, frame);
    }
    frame.lr -= 4;
    let acknowledged = gic().acknowledge();
    RUNNING.store(gic().interface.read(GICC_RPR), Ordering::Relaxed);
    private().write(0x608, 0); // timer off
    private().write(0x60c, 1); // its event cleared
    gic().end(acknowledged);
    VECTOR.store(vector, Ordering::Relaxed);
    ACKNOWLEDGED.store(acknowledged & 0x3ff, Ordering::Relaxed);
}

/// Waits for an interrupt: its vector and its number.
fn taken() -> (u32, u32) {
    loop {
        interrupts(false);
        let vector = VECTOR.load(Ordering::Relaxed);
        if vector != 0 {
            VECTOR.store(0, Ordering::Relaxed);
            return (vector, ACKNOWLEDGED.load(Ordering::Relaxed));
        }
        wait();
        interrupts(true);
    }
}

fn start_timer() {
    private().write(0x600, 100_000); // load, and counter
    private().write(0x608, 0x5); // on, one shot, interrupt
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("secure-gic", &VEXPRESS_A9);
    let (distributor, interface) = (gic().distributor, gic().interface);
    let typer = distributor.read(GICD_TYPER);
    println!("ICDICTR {typer:#x}");
    checks.equal(
        "ICDICTR: two security states",
        u64::from(typer >> 10 & 1),
        1,
    );

    distributor.write(GICD_IGROUPR, 1 << SGI);
    let groups = distributor.read(GICD_IGROUPR);
    checks.equal("ICDISR0 can be written", u64::from(groups >> SGI & 1), 1);
    checks.equal(
        "ICDISR0: the timer is in group 0",
        u64::from(groups >> PRIVATE_TIMER & 1),
        0,
    );
    distributor.write_byte(GICD_IPRIORITYR + PRIVATE_TIMER as usize, 0x40);
    let priority = distributor.read(GICD_IPRIORITYR + 28) >> 8 & 0xff;
    checks.equal("a priority of the upper half", u64::from(priority), 0x40);
    distributor.write(GICD_CTLR, 3);
    checks.equal(
        "ICDDCR: both groups",
        u64::from(distributor.read(GICD_CTLR)),
        3,
    );
    interface.write(GICC_PMR, 0xf8);
    interface.write(GICC_BPR, 3);
    // Enable both groups, FIQEn; AckCtl off.
    interface.write(GICC_CTLR, 0xb);
    checks.equal("ICCICR", u64::from(interface.read(GICC_CTLR)), 0xb);

    gic().enable(PRIVATE_TIMER);
    distributor.write_byte(GICD_IPRIORITYR + PRIVATE_TIMER as usize, 0x40);
    start_timer();
    let (vector, id) = taken();
    checks.equal("group 0 arrives as FIQ", u64::from(vector), u64::from(FIQ));
    checks.equal(
        "it is the private timer's",
        u64::from(id),
        u64::from(PRIVATE_TIMER),
    );
    checks.equal(
        "ICCRPR while it ran",
        u64::from(RUNNING.load(Ordering::Relaxed)),
        0x40,
    );

    distributor.write_byte(GICD_IPRIORITYR + SGI as usize, 0xa0);
    // To this CPU (target list filter 2), of group 1 (NSATT).
    distributor.write(GICD_SGIR, 2 << 24 | 1 << 15 | SGI);
    checks.equal(
        "the SGI is pending",
        u64::from(distributor.read(GICD_ISPENDR) >> SGI & 1),
        1,
    );
    checks.equal(
        "ICCHPIR hides group 1",
        u64::from(interface.read(GICC_HPPIR)),
        1022,
    );
    checks.equal(
        "ICCIAR without AckCtl",
        u64::from(gic().acknowledge()),
        1022,
    );
    interface.write(GICC_CTLR, 0xf);
    checks.equal(
        "ICCHPIR with AckCtl",
        u64::from(interface.read(GICC_HPPIR) & 0x3ff),
        SGI.into(),
    );
    let (vector, id) = taken();
    checks.equal("group 1 arrives as IRQ", u64::from(vector), u64::from(IRQ));
    checks.equal("it is the SGI", u64::from(id), u64::from(SGI));

    // Without FIQEn group 0 is an IRQ, too.
    interface.write(GICC_CTLR, 0x7);
    start_timer();
    let (vector, id) = taken();
    checks.equal(
        "group 0 without FIQEn arrives as IRQ",
        u64::from(vector),
        u64::from(IRQ),
    );
    checks.equal(
        "it is the private timer's",
        u64::from(id),
        u64::from(PRIVATE_TIMER),
    );
    checks.equal(
        "ICCIAR when all is done",
        u64::from(gic().acknowledge()),
        1023,
    );
    checks.finish()
}
