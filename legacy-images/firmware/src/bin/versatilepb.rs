//! Board versatilepb (Arm DUI 0225D): system registers, identities, the PL190 (DDI 0181E) with
//! vectored interrupts, its priorities and an FIQ, and the secondary controller.
//!
//! Lines that begin with `cpu:` tell of the CPU; the others are the same with any.
#![no_std]
#![no_main]

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};
use firmware::arm32::{FIQ, Frame, IRQ, interrupts, unexpected, wait};
use firmware::check::{self, Checks};
use firmware::device::Device;
use firmware::versatile::{check_identity, check_system, check_time, clear_timer, start_timer};
use firmware::{VERSATILEPB, cp, println};

const IRQSTATUS: usize = 0x000;
const FIQSTATUS: usize = 0x004;
const RAWINTR: usize = 0x008;
const INTSELECT: usize = 0x00c;
const INTENABLE: usize = 0x010;
const INTENCLEAR: usize = 0x014;
const SOFTINT: usize = 0x018;
const SOFTINTCLEAR: usize = 0x01c;
const VECTADDR: usize = 0x030;
const DEFVECTADDR: usize = 0x034;
const SLOT_ADDR: usize = 0x100;
const SLOT_CNTL: usize = 0x200;

const SIC_STATUS: usize = 0x00;
const SIC_RAWSTAT: usize = 0x04;
const SIC_ENSET: usize = 0x08;
const SIC_ENCLR: usize = 0x0c;
const SIC_PICENSET: usize = 0x20;
const SIC_PICENCLR: usize = 0x24;

const UARTDR: usize = 0x00;
const UARTCR: usize = 0x30;
const UARTIMSC: usize = 0x38;
const UARTICR: usize = 0x44;
/// UARTTXINTR.
const TX: u32 = 1 << 5;

/// Sources of the VIC.
const TIMER01: u32 = 4;
const SIC: u32 = 31;
/// A source of the SIC.
const UART3: u32 = 6;

/// The vector of the last exception, and what its handler found.
static VECTOR: AtomicU32 = AtomicU32::new(0);
static ADDRESS: AtomicU32 = AtomicU32::new(0);
static STATUS: AtomicU32 = AtomicU32::new(0);
static SECOND: AtomicU32 = AtomicU32::new(0);

fn at(base: usize) -> Device {
    // SAFETY: devices of the board.
    unsafe { Device::at(base) }
}
fn vic() -> Device {
    at(0x1014_0000)
}
fn sic() -> Device {
    at(0x1000_3000)
}
fn timer() -> Device {
    at(0x101e_2000)
}
fn uart3() -> Device {
    at(0x1000_9000)
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    match vector {
        IRQ => {
            let address = vic().read(VECTADDR);
            ADDRESS.store(address, Ordering::Relaxed);
            STATUS.store(vic().read(IRQSTATUS), Ordering::Relaxed);
            SECOND.store(sic().read(SIC_STATUS), Ordering::Relaxed);
            uart3().write(UARTIMSC, 0);
            clear_timer(timer());
            vic().write(VECTADDR, 0);
        }
        FIQ => {
            ADDRESS.store(0, Ordering::Relaxed);
            STATUS.store(vic().read(FIQSTATUS), Ordering::Relaxed);
            clear_timer(timer());
        }
        _ => unexpected(vector, frame),
    }
    frame.lr -= 4;
    VECTOR.store(vector, Ordering::Relaxed);
}

/// Waits for an interrupt: its vector.
fn taken() -> u32 {
    loop {
        interrupts(false);
        let vector = VECTOR.swap(0, Ordering::Relaxed);
        if vector != 0 {
            return vector;
        }
        wait();
        interrupts(true);
    }
}

/// An ARM926EJ-S has no VBAR: its vectors are at 0.
fn vectors_at_zero() {
    unsafe extern "C" {
        static vectors: [u8; 0];
        static vectors_end: [u8; 0];
    }
    // SAFETY: the vectors are position independent, and nothing else is in the RAM at 0, to
    // which no Rust pointer may lead.
    unsafe {
        asm!(
            "1: ldr {word}, [{from}], #4",
            "str {word}, [{to}], #4",
            "cmp {from}, {end}",
            "blo 1b",
            word = out(reg) _,
            from = inout(reg) vectors.as_ptr() => _,
            to = inout(reg) 0 => _,
            end = in(reg) vectors_end.as_ptr(),
        );
    }
    cp!(write "p15, 0, {}, c12, c0, 0", 0);
}

/// What an ARM926EJ-S has, and no CPU behind it: DDI 0198E, 2.3.
fn cpu() {
    let id = cp!(read "p15, 0, {}, c0, c0, 0");
    let cache = cp!(read "p15, 0, {}, c0, c0, 1");
    println!("cpu: ID {id:#010x}, cache type {cache:#010x}");
    if id >> 4 & 0xfff != 0x926 {
        return;
    }
    let mut loops = 0_u32;
    // SAFETY: cleans and invalidates caches. Test, clean and invalidate the data cache until
    // all is clean; then both caches, the TCM region registers, and the wait for interrupt.
    unsafe {
        asm!(
            "1: add {loops}, {loops}, #1",
            "mrc p15, 0, apsr_nzcv, c7, c14, 3",
            "bne 1b",
            "dsb",
            "mcr p15, 0, {zero}, c7, c7, 0",
            "mcr p15, 0, {zero}, c9, c1, 0",
            "mcr p15, 0, {zero}, c7, c0, 4",
            loops = inout(reg) loops,
            zero = in(reg) 0,
        );
    }
    println!("cpu: test and clean ended after {loops} rounds");
}

/// The registers alone, by software interrupts, with none let in.
fn priorities(checks: &mut Checks) {
    let vic = vic();
    let read = |offset| u64::from(vic.read(offset));
    for (slot, source) in [(0, 9), (1, 8), (15, 3)] {
        vic.write(SLOT_ADDR + 4 * slot, 0x1000 * (slot as u32 + 1));
        vic.write(SLOT_CNTL + 4 * slot, 0x20 | source);
    }
    vic.write(DEFVECTADDR, 0xdef0);
    checks.equal("VICVECTCNTL1", read(SLOT_CNTL + 4), 0x28);
    let all = 1 << 3 | 1 << 8 | 1 << 9 | 1 << 20;
    vic.write(INTENABLE, all);
    vic.write(SOFTINT, 1 << 20);
    checks.equal("VICRAWINTR", read(RAWINTR), 1 << 20);
    checks.equal("VICIRQSTATUS", read(IRQSTATUS), 1 << 20);
    checks.equal("an interrupt without a slot", read(VECTADDR), 0xdef0);
    vic.write(SOFTINT, 1 << 8 | 1 << 3);
    checks.equal("slot 1 before it and slot 15", read(VECTADDR), 0x2000);
    checks.equal("nothing more to take", read(VECTADDR), 0x2000);
    vic.write(SOFTINT, 1 << 9);
    checks.equal("slot 0 before slot 1", read(VECTADDR), 0x1000);
    vic.write(SOFTINTCLEAR, 1 << 9 | 1 << 8);
    vic.write(VECTADDR, 0);
    vic.write(VECTADDR, 0);
    checks.equal("slot 15 when both have ended", read(VECTADDR), 0x1_0000);
    vic.write(SOFTINTCLEAR, all);
    vic.write(VECTADDR, 0);
    vic.write(VECTADDR, 0);
    checks.equal("VICRAWINTR is clear", read(RAWINTR), 0);
    vic.write(INTENCLEAR, all);
    checks.equal("VICINTENABLE is clear", read(INTENABLE), 0);
    for slot in [0, 1, 15] {
        vic.write(SLOT_CNTL + 4 * slot, 0);
    }
}

fn interrupts_of_devices(checks: &mut Checks) {
    let (vic, sic) = (vic(), sic());
    let found = |place: &AtomicU32| u64::from(place.load(Ordering::Relaxed));
    vic.write(SLOT_ADDR + 4 * 2, 0x2222_0000);
    vic.write(SLOT_CNTL + 4 * 2, 0x20 | TIMER01);
    vic.write(SLOT_ADDR + 4 * 5, 0x5555_0000);
    vic.write(SLOT_CNTL + 4 * 5, 0x20 | SIC);

    vic.write(INTENABLE, 1 << TIMER01);
    start_timer(timer(), 5_000);
    checks.equal(
        "the timer's interrupt is an IRQ",
        taken().into(),
        IRQ.into(),
    );
    checks.equal("its vector", found(&ADDRESS), 0x2222_0000);
    checks.equal("VICIRQSTATUS in it", found(&STATUS), 1 << TIMER01);

    vic.write(SLOT_CNTL + 4 * 2, 0);
    start_timer(timer(), 1_000);
    checks.equal("without a slot, too", taken().into(), IRQ.into());
    checks.equal("the default vector", found(&ADDRESS), 0xdef0);

    vic.write(INTSELECT, 1 << TIMER01);
    start_timer(timer(), 1_000);
    checks.equal("selected, it is an FIQ", taken().into(), FIQ.into());
    checks.equal("VICFIQSTATUS in it", found(&STATUS), 1 << TIMER01);
    vic.write(INTENCLEAR, 1 << TIMER01);
    vic.write(INTSELECT, 0);

    sic.write(SIC_PICENSET, 0xffff_ffff);
    let pass = u64::from(sic.read(SIC_PICENSET));
    checks.equal("SIC_PICENABLE", pass, 0x7fe0_0000);
    sic.write(SIC_PICENCLR, 0xffff_ffff);
    uart3().write(UARTCR, 0x301);
    uart3().write(UARTDR, b'.'.into());
    uart3().write(UARTIMSC, TX);
    let raw = u64::from(sic.read(SIC_RAWSTAT));
    checks.equal("SIC_RAWSTAT: UART 3 has sent", raw, 1 << UART3);
    checks.equal("SIC_STATUS is masked", sic.read(SIC_STATUS).into(), 0);
    checks.equal("VICRAWINTR without it", vic.read(RAWINTR).into(), 0);
    sic.write(SIC_ENSET, 1 << UART3);
    let raw = u64::from(vic.read(RAWINTR));
    checks.equal("VICRAWINTR with it", raw, 1 << SIC);
    vic.write(INTENABLE, 1 << SIC);
    checks.equal("the SIC's interrupt is an IRQ", taken().into(), IRQ.into());
    checks.equal("its vector", found(&ADDRESS), 0x5555_0000);
    checks.equal("VICIRQSTATUS in it", found(&STATUS), 1 << SIC);
    checks.equal("SIC_STATUS in it", found(&SECOND), 1 << UART3);
    sic.write(SIC_ENCLR, 0xffff_ffff);
    uart3().write(UARTICR, TX);
    let left = vic.read(RAWINTR) | sic.read(SIC_RAWSTAT);
    checks.equal("nothing is left", left.into(), 0);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("versatilepb", &VERSATILEPB);
    vectors_at_zero();
    cpu();
    check_system(&mut checks, 0x4100_7004);
    for (what, base, id) in [
        ("PL190", 0x1014_0000, 0x0004_1190),
        ("PL011", 0x101f_1000, 0x0014_1011),
        ("SP804", 0x101e_2000, 0x0014_1804),
        ("PL031", 0x101e_8000, 0x0014_1031),
        ("PL061", 0x101e_4000, 0x0004_1061),
        ("PL050", 0x1000_6000, 0x0004_1050),
        ("PL080", 0x1013_0000, 0x0a04_1080),
        ("PL110", 0x1012_0000, 0x0004_1110),
    ] {
        check_identity(&mut checks, what, base, id);
    }
    check_time(&mut checks, timer());
    priorities(&mut checks);
    interrupts_of_devices(&mut checks);
    checks.finish()
}
