//! Board virt-v8: a guest that minds its own business, and notices if anybody interferes: its memory, its
//! registers, its periods.
//!
//! A block of RAM has a checksum that is computed over and over; SIMD, general and system registers keep
//! values; each millisecond of the virtual timer a task runs, whose lateness is counted. Between two sums it
//! sleeps for some periods, so that others have the core too. In a system that gives it channels and shared
//! memories with a hostile VM it uses them after each sum ([`firmware::orderly`]). `q` ends it with a verdict. `c` changes a bit of the block: the verdict must then be FAIL.
#![no_std]
#![no_main]

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use firmware::arm64::{Frame, IRQ, interrupts, unexpected, wait};
use firmware::device::Device;
use firmware::gic::{Gic, SPURIOUS};
use firmware::orderly::{BELLS, CHANNELS, Orderly, TOLD};
use firmware::{VIRT_V8, check, console, println, sysreg};

const VIRTUAL_TIMER: u32 = 27;
/// The block: 4 MiB.
const BLOCK: usize = 0x4040_0000;
const WORDS: usize = 0x8_0000;
/// For how many periods it sleeps after each sum.
const SLEEP: u64 = 5;
/// Periods a second.
const RATE: u64 = 1000;

/// When the next period is due, in ticks.
static DUE: AtomicU64 = AtomicU64::new(0);
/// Periods that were run.
static PERIODS: AtomicU64 = AtomicU64::new(0);
/// Of these, begun when the next was due already.
static LATE: AtomicU64 = AtomicU64::new(0);
/// The greatest lateness, in ticks.
static WORST: AtomicU64 = AtomicU64::new(0);
/// How many were late by less than 10 and 100 microseconds, 1, 10 and 100 milliseconds, and by more.
static SPREAD: [AtomicU64; 6] = [const { AtomicU64::new(0) }; 6];
const BOUNDS: [(u64, &str); 5] = [
    (100_000, "10 us"),
    (10_000, "100 us"),
    (1000, "1 ms"),
    (100, "10 ms"),
    (10, "100 ms"),
];

fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed) + by, Relaxed);
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

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    if vector != IRQ {
        unexpected(vector, frame);
    }
    let acknowledged = gic().acknowledge();
    let id = acknowledged & 0x3ff;
    if id == VIRTUAL_TIMER {
        period();
    } else if id == CHANNELS || BELLS.contains(&id) {
        // High until what came is taken, which is done when the program comes to it: who sends for ever
        // does not keep it from its own work.
        gic().disable(id);
        add(&TOLD, 1);
    }
    if id != SPURIOUS {
        gic().end(acknowledged);
    }
}

/// The task of one period. Each is run, late or not: the next is due a period after this one was.
fn period() {
    let hz = sysreg!("cntfrq_el0");
    let due = DUE.load(Relaxed);
    let late = sysreg!("cntvct_el0").saturating_sub(due);
    add(&PERIODS, 1);
    if late >= hz / RATE {
        add(&LATE, 1);
    }
    WORST.store(WORST.load(Relaxed).max(late), Relaxed);
    let within = BOUNDS.iter().position(|(part, _)| late < hz / part);
    add(&SPREAD[within.unwrap_or(BOUNDS.len())], 1);
    DUE.store(due + hz / RATE, Relaxed);
    sysreg!("cntv_cval_el0", due + hz / RATE);
}

fn due_word(index: usize) -> u64 {
    (index as u64 + 1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(23)
}

fn word(index: usize) -> *mut u64 {
    (BLOCK + 8 * index) as *mut u64
}

fn fill() {
    for index in 0..WORDS {
        // SAFETY: RAM that no Rust object is in.
        unsafe { word(index).write_volatile(due_word(index)) }
    }
}

fn sum() -> u64 {
    let mut sum = 0_u64;
    for index in 0..WORDS {
        // SAFETY: as `fill`.
        sum = sum.rotate_left(1) ^ unsafe { word(index).read_volatile() };
    }
    sum
}

/// Says which word of the block is not as it was.
fn tell_damage() {
    let bad = (0..WORDS).find_map(|index| {
        // SAFETY: as `fill`.
        let found = unsafe { word(index).read_volatile() };
        (found != due_word(index)).then_some((index, found))
    });
    match bad {
        Some((index, found)) => println!(
            "BAD word at {:#x}: {found:#x}, due {:#x}",
            BLOCK + 8 * index,
            due_word(index)
        ),
        None => println!("BAD sum of a block whose words are as they were"),
    }
}

/// Fills V0 to V31 with values of their own, and FPCR.
fn fill_simd() {
    let value: u64 = 0x0123_4567_89ab_cdef;
    // SAFETY: this program's code uses no SIMD register.
    unsafe {
        asm!(
            ".arch_extension fp",
            ".arch_extension simd",
            "msr cpacr_el1, {on}",
            "isb",
            "mov {at}, {value}",
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "ror {at}, {at}, #5",
            "mov v\\n\\().d[0], {at}",
            "eor {at}, {at}, {value}",
            "mov v\\n\\().d[1], {at}",
            ".endr",
            "mov {at}, #0x03000000",
            "msr fpcr, {at}",
            at = out(reg) _,
            value = in(reg) value,
            on = in(reg) 3_u64 << 20,
            options(nostack)
        );
    }
}

/// The SIMD registers as they are, FPCR and FPSR among them, in one number that any bit changes.
fn simd() -> u64 {
    let sum: u64;
    // SAFETY: reads.
    unsafe {
        asm!(
            ".arch_extension fp",
            ".arch_extension simd",
            "mrs {sum}, fpcr",
            "mrs {part}, fpsr",
            "eor {sum}, {part}, {sum}, ror #7",
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "mov {part}, v\\n\\().d[0]",
            "eor {sum}, {part}, {sum}, ror #7",
            "mov {part}, v\\n\\().d[1]",
            "eor {sum}, {part}, {sum}, ror #7",
            ".endr",
            sum = out(reg) sum,
            part = out(reg) _,
            options(nostack)
        );
    }
    sum
}

/// Holds values in the general registers for a while; whether they kept them.
fn general() -> bool {
    let wrong: u64;
    // SAFETY: registers only.
    unsafe {
        asm!(
            "mov x0, #0x5a5a",
            "movk x0, #0xc3c3, lsl #48",
            ".irp n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,20,21,22,23,24,25,26,27,28",
            "ror x0, x0, #3",
            "mov x\\n, x0",
            ".endr",
            "mov x1, #20000",
            "2: subs x1, x1, #1",
            "b.ne 2b",
            "mov x0, #0x5a5a",
            "movk x0, #0xc3c3, lsl #48",
            ".irp n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,20,21,22,23,24,25,26,27,28",
            "ror x0, x0, #3",
            "eor x\\n, x\\n, x0",
            "orr x1, x1, x\\n",
            ".endr",
            out("x0") _, out("x1") wrong, out("x2") _, out("x3") _, out("x4") _, out("x5") _,
            out("x6") _, out("x7") _, out("x8") _, out("x9") _, out("x10") _, out("x11") _,
            out("x12") _, out("x13") _, out("x14") _, out("x15") _, out("x16") _, out("x17") _,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _, out("x25") _,
            out("x26") _, out("x27") _, out("x28") _,
            options(nostack)
        );
    }
    wrong == 0
}

macro_rules! kept_registers {
    ($($name:literal),*) => {
        /// Their names.
        const KEPT: [&str; [$($name),*].len()] = [$($name),*];

        /// Gives each a value of its own, as far as its bits take one. The MMU is off.
        fn fill_kept() {
            let mut value = 0x5a00_0010_4020_0000_u64;
            $(
                value = value.wrapping_add(0x0101_0001_0000_1010);
                sysreg!($name, value);
            )*
            let _ = value;
        }

        /// What they hold.
        fn kept() -> [u64; KEPT.len()] {
            [$(sysreg!($name)),*]
        }
    };
}

kept_registers!(
    "tpidr_el0",
    "tpidrro_el0",
    "tpidr_el1",
    "sp_el0",
    "far_el1",
    "esr_el1",
    "par_el1",
    "mair_el1",
    "ttbr0_el1",
    "ttbr1_el1",
    "contextidr_el1",
    "cntp_cval_el0",
    "dbgbvr0_el1",
    "dbgwvr3_el1",
    "pmccfiltr_el0"
);

/// Registers that take no value of `kept_registers`, and keep what they have all the same.
fn fixed() -> [u64; 6] {
    [
        sysreg!("vbar_el1"),
        sysreg!("sctlr_el1"),
        sysreg!("cpacr_el1"),
        sysreg!("tcr_el1"),
        sysreg!("cntkctl_el1"),
        sysreg!("midr_el1"),
    ]
}

/// Lets the channels' and doorbells' interrupts come, once each.
fn listen() {
    for id in [CHANNELS, BELLS[0], BELLS[1]] {
        gic().enable(id);
    }
}

/// What has been found.
#[derive(Default)]
struct Found {
    sums: u64,
    damaged: u64,
    registers: u64,
    lost: u64,
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let checks = check::begin("victim", &VIRT_V8);
    let hz = sysreg!("cntfrq_el0");
    let mut orderly = Orderly::begin();
    fill();
    let due_sum = sum();
    fill_simd();
    let due_simd = simd();
    fill_kept();
    let (due_kept, due_fixed) = (kept(), fixed());
    gic().open();
    gic().enable(VIRTUAL_TIMER);
    let begun = sysreg!("cntvct_el0");
    DUE.store(begun + hz / RATE, Relaxed);
    sysreg!("cntv_cval_el0", begun + hz / RATE);
    sysreg!("cntv_ctl_el0", 1);
    interrupts(true);
    println!("victim: watches");
    let mut found = Found::default();
    loop {
        if sum() == due_sum {
            found.sums += 1;
        } else {
            found.damaged += 1;
            tell_damage();
        }
        if let Some(orderly) = &mut orderly {
            listen();
            orderly.turn();
        }
        let now = kept();
        for (index, name) in KEPT.iter().enumerate() {
            if now[index] != due_kept[index] {
                found.registers += 1;
                println!("BAD {name}: {:#x}, due {:#x}", now[index], due_kept[index]);
            }
        }
        if simd() != due_simd || fixed() != due_fixed || !general() {
            found.registers += 1;
            println!("BAD SIMD, general or fixed registers");
        }
        // A period that is due for two seconds has lost its interrupt.
        if sysreg!("cntvct_el0").saturating_sub(DUE.load(Relaxed)) > 2 * hz {
            found.lost += 1;
            interrupts(false);
            period();
            interrupts(true);
        }
        let until = PERIODS.load(Relaxed) + SLEEP;
        while PERIODS.load(Relaxed) < until {
            wait();
        }
        match console::get() {
            Some(b'q') => break,
            Some(b'c') => {
                // SAFETY: as `fill`.
                unsafe { word(WORDS / 3).write_volatile(due_word(WORDS / 3) ^ 1 << 17) }
            }
            _ => {}
        }
        let wrong = orderly.as_ref().map_or(0, Orderly::wrong);
        if found.damaged + found.registers + wrong > 8 {
            break;
        }
    }
    tell(&found, begun, hz);
    let wrong = orderly.as_ref().map_or(0, Orderly::wrong);
    if let Some(orderly) = &orderly {
        orderly.summary();
    }
    if found.damaged + found.registers + found.lost + wrong != 0 {
        check::fail(format_args!("something was changed"));
    }
    checks.finish()
}

fn tell(found: &Found, begun: u64, hz: u64) {
    interrupts(false);
    let us = |ticks: u64| ticks * 1_000_000 / hz;
    let (periods, late, worst) = (
        PERIODS.load(Relaxed),
        LATE.load(Relaxed),
        WORST.load(Relaxed),
    );
    println!(
        "victim: {} sums intact, {} damaged, {} registers changed",
        found.sums, found.damaged, found.registers
    );
    println!(
        "victim: {periods} periods in {} ms, {} lost, {late} late, worst lateness {} us",
        us(sysreg!("cntvct_el0") - begun) / 1000,
        found.lost,
        us(worst)
    );
    for ((_, bound), count) in BOUNDS.iter().zip(&SPREAD) {
        println!(
            "victim: {} periods late by less than {bound}",
            count.load(Relaxed)
        );
    }
    println!("victim: {} later", SPREAD[BOUNDS.len()].load(Relaxed));
}
