//! Board virt-v8: says hello, takes an interrupt of each timer, echoes what is typed until `q`.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};
use firmware::arm64::{Frame, IRQ, SYNCHRONOUS, interrupts, unexpected, wait};
use firmware::device::Device;
use firmware::gic::{Gic, SPURIOUS};
use firmware::{VIRT_V8, check, console, println, sysreg};

const VIRTUAL_TIMER: u32 = 27;
const PHYSICAL_TIMER: u32 = 30;
const UART: u32 = 33;

static TAKEN: AtomicU32 = AtomicU32::new(0);
/// Instructions that were undefined.
static UNDEFINED: AtomicU32 = AtomicU32::new(0);

fn gic() -> Gic {
    // SAFETY: the board's GICv2.
    unsafe {
        Gic {
            distributor: Device::at(0x0800_0000),
            interface: Device::at(0x0801_0000),
        }
    }
}

/// Takes an interrupt: its number is left in [`TAKEN`], its source is quiet.
#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    if vector == SYNCHRONOUS && sysreg!("esr_el1") >> 26 == 0 {
        UNDEFINED.fetch_add(1, Ordering::Relaxed);
        frame.elr += 4;
        return;
    }
    if vector != IRQ {
        unexpected(vector, frame);
    }
    let acknowledged = gic().acknowledge();
    let id = acknowledged & 0x3ff;
    match id {
        VIRTUAL_TIMER => sysreg!("cntv_ctl_el0", 0),
        PHYSICAL_TIMER => sysreg!("cntp_ctl_el0", 0),
        UART => {
            while let Some(byte) = console::get() {
                console::put(byte);
                if byte == b'q' {
                    TAKEN.store(UART, Ordering::Relaxed);
                }
            }
            console::clear_interrupt();
        }
        _ => {}
    }
    if id != SPURIOUS {
        gic().end(acknowledged);
        if id != UART {
            TAKEN.store(id, Ordering::Relaxed);
        }
    }
}

/// Waits until an interrupt has been taken; its number.
fn taken() -> u32 {
    loop {
        interrupts(false);
        let id = TAKEN.load(Ordering::Relaxed);
        if id != 0 {
            TAKEN.store(0, Ordering::Relaxed);
            interrupts(true);
            return id;
        }
        wait(); // wakes for a masked interrupt too
        interrupts(true);
    }
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("hello64", &VIRT_V8);
    let hz = sysreg!("cntfrq_el0");
    println!(
        "hello from EL{}, counter at {hz} Hz",
        sysreg!("CurrentEL") >> 2 & 3
    );
    println!(
        "MIDR {:#010x} MPIDR {:#x}",
        sysreg!("midr_el1"),
        sysreg!("mpidr_el1")
    );
    checks.equal("exception level", sysreg!("CurrentEL") >> 2 & 3, 1);
    checks.that("the counter has a frequency", hz != 0);

    // A GICv2's CPU has no system registers for it, whatever the host's has.
    core::hint::black_box(sysreg!("icc_iar1_el1"));
    core::hint::black_box(sysreg!("icc_pmr_el1"));
    sysreg!("icc_igrpen1_el1", 1);
    sysreg!("icc_sgi1r_el1", 1);
    let undefined = UNDEFINED.load(Ordering::Relaxed).into();
    checks.equal("a GICv3's system registers are undefined", undefined, 4);
    checks.equal(
        "ID_AA64PFR0_EL1.GIC",
        sysreg!("id_aa64pfr0_el1") >> 24 & 0xf,
        0,
    );

    gic().open();
    gic().enable(VIRTUAL_TIMER);
    gic().enable(PHYSICAL_TIMER);
    gic().enable(UART);

    let before = sysreg!("cntvct_el0");
    sysreg!("cntv_tval_el0", hz / 20);
    sysreg!("cntv_ctl_el0", 1);
    checks.equal(
        "virtual timer's interrupt",
        u64::from(taken()),
        u64::from(VIRTUAL_TIMER),
    );
    let waited = sysreg!("cntvct_el0").wrapping_sub(before);
    checks.that("it came after 50 ms, not before", waited >= hz / 20);
    checks.that("and within a second", waited < hz);

    let before = sysreg!("cntpct_el0");
    sysreg!("cntp_cval_el0", before + hz / 20);
    sysreg!("cntp_ctl_el0", 1);
    checks.equal(
        "physical timer's interrupt",
        u64::from(taken()),
        u64::from(PHYSICAL_TIMER),
    );
    let waited = sysreg!("cntpct_el0").wrapping_sub(before);
    checks.that("it came after 50 ms, not before", waited >= hz / 20);
    checks.that("and within a second", waited < hz);

    println!("type; q ends");
    console::interrupt_on_receive();
    let id = taken();
    interrupts(false); // what is typed behind it is not to be echoed into the report
    println!();
    checks.equal("console's interrupt", u64::from(id), u64::from(UART));
    checks.finish()
}
