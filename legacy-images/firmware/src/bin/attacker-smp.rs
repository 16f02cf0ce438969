//! Board attack-v8-smp: a hostile guest with two CPUs, which do the same at the same time: each draws its
//! operations from its own sequence, and meets the other at the same registers, pages and interrupts.
//!
//! Each switches itself off and the other on, in storms; either resets the board while the other runs. What
//! has to outlive a reset (seed, count, how far it is) is in a memory that the victim shares, which no reset
//! clears. It asks at its console for `SEED COUNT`, and says `attack N` each thousand.
#![no_std]
#![no_main]

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use firmware::arm64::{Frame, IRQ, SYNCHRONOUS, interrupts, unexpected};
use firmware::attack::controller_v2::{self, VIRTUAL_TIMER};
use firmware::device::Device;
use firmware::loadstore::Random;
use firmware::second::{cpu, psci, switch_on};
use firmware::{VIRT_V8, check, console, println, sysreg};

const GICD: usize = 0x0800_0000;
const GICC: usize = 0x0801_0000;
const UART: usize = 0x0900_0000;
const CLOCK: usize = 0x0901_0000;
const FW_CFG: usize = 0x0902_0000;
const FLASH: usize = 0x0400_0000;
/// The memory that outlives a reset, and its words.
const KEPT: usize = 0x5000_0000;
const MARK: u32 = 0x736d_7031;
const IS_ON: usize = 0;
const SEED: usize = 1;
const COUNT: usize = 2;
const RESETS: usize = 3;
/// How many operations each CPU has done, then how many of each kind.
const DONE: usize = 4;
const TALLY: usize = 16;
const KINDS: [&str; 8] = [
    "registers of devices",
    "SGIs",
    "stage-2 faults",
    "switched on",
    "switched off",
    "TLB and caches",
    "waits",
    "PSCI of any kind",
];
/// A reset comes once in so many operations.
const RESET_ONCE_IN: u32 = 400;

fn kept(n: usize) -> u32 {
    // SAFETY: the shared memory, where no Rust object is.
    unsafe { (KEPT as *const u32).add(n).read_volatile() }
}

fn keep(n: usize, value: u32) {
    // SAFETY: as `kept`.
    unsafe { (KEPT as *mut u32).add(n).write_volatile(value) }
}

fn device(base: usize) -> Device {
    // SAFETY: a device of the board.
    unsafe { Device::at(base) }
}

/// The interrupts that came, of each CPU.
static TAKEN: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    match (vector, sysreg!("esr_el1") >> 26) {
        (SYNCHRONOUS, 0x25) => frame.elr += 4,
        (SYNCHRONOUS, 0x21 | 0x22) => frame.elr = frame.x[30],
        (IRQ, _) => {
            let id = device(GICC).read(0xc);
            if id & 0x3ff == VIRTUAL_TIMER {
                tick();
            }
            if id & 0x3ff < 1020 {
                let taken = &TAKEN[cpu() & 1];
                taken.store(taken.load(SeqCst) + 1, SeqCst);
                device(GICC).write(0x10, id);
            }
        }
        _ => unexpected(vector, frame),
    }
}

/// The next interrupt of this CPU's timer is a millisecond away.
fn tick() {
    sysreg!(
        "cntv_cval_el0",
        sysreg!("cntvct_el0") + sysreg!("cntfrq_el0") / 1000
    );
    sysreg!("cntv_ctl_el0", 1);
}

/// This CPU's interface and its own interrupts, put right whatever the other did.
fn mend() {
    controller_v2::quiet();
    device(GICD).write_byte(0x400 + VIRTUAL_TIMER as usize, 0x80);
    device(GICD).write(0x100, 0xffff | 1 << VIRTUAL_TIMER);
    tick();
    interrupts(true);
}

/// The same registers as the other CPU's, of any width, but the console's data.
fn registers(random: &mut Random) {
    for _ in 0..=random.below(16) {
        let (base, size) =
            random.one_of(&[(GICD, 0x1000), (GICD, 0x400), (GICC, 0x20), (UART, 0x50)]);
        let (base, size) = if random.once_in(4) {
            random.one_of(&[(CLOCK, 0x20), (FW_CFG, 0x18), (FLASH, 0x1000)])
        } else {
            (base, size)
        };
        let offset = random.below(size) as usize & !3;
        let write = random.coin() && (base != UART || offset > 0x18);
        if write {
            device(base).write(offset, random.word());
        } else if base != UART || offset != 0 {
            let _ = device(base).read(offset);
        }
    }
    mend();
}

/// SGIs to itself, the other, both, and CPUs that there are not.
fn sgis(random: &mut Random) {
    for _ in 0..=random.below(32) {
        let targets = random.one_of(&[1, 2, 2, 3, 0xff]);
        let filter = random.one_of(&[0, 0, 1, 2]);
        let id = random.below(16);
        device(GICD).write(0xf00, filter << 24 | targets << 16 | id);
    }
}

/// Loads, stores and fetches where stage 2 has nothing, at the same few pages as the other CPU.
fn faults(random: &mut Random) {
    for _ in 0..=random.below(16) {
        let page = random.one_of(&[
            0x4080_0000_usize,
            0x4fff_f000,
            0x6000_0000,
            0x0a00_0000,
            0x1_0000_0000,
            FLASH + 0x1_0000,
        ]);
        let at = page + (random.below(64) * 8) as usize;
        let value = random.long();
        // SAFETY: where nothing is, or flash that nobody uses; the handler leaves out what is refused.
        unsafe {
            match random.below(4) {
                0 => asm!("ldr {:w}, [{}]", out(reg) _, in(reg) at, options(nostack)),
                1 => asm!("str {:w}, [{}]", in(reg) value, in(reg) at, options(nostack)),
                2 => asm!("ldp {}, {}, [{}]", out(reg) _, out(reg) _, in(reg) at, options(nostack)),
                _ if page >> 28 != 0 => {
                    asm!("blr {}", in(reg) at, out("x30") _, options(nostack));
                }
                _ => {}
            }
        }
    }
}

/// TLB and cache maintenance that goes to all CPUs of its own, and by set and way at times.
fn maintenance(random: &mut Random) {
    let value = random.long();
    // SAFETY: the MMU is off; cleaned data is as it was.
    unsafe {
        match random.below(5) {
            0 => asm!("tlbi vmalle1is", "dsb sy", "isb", options(nostack)),
            1 => asm!("tlbi vaae1is, {}", "dsb sy", in(reg) value, options(nostack)),
            2 => asm!("ic ialluis", "dsb sy", "isb", options(nostack)),
            3 => asm!("dc cisw, {}", in(reg) value & 0xffe0, options(nostack)),
            _ => asm!("dc civac, {}", in(reg) 0x4040_0000 + value % 0x1_0000, options(nostack)),
        }
    }
}

/// Any function but those that end the board, for this CPU, the other and none.
fn any_psci(random: &mut Random) {
    let number = random.below(0x18);
    if matches!(number, 8 | 9 | 0x12) || matches!(number, 2 | 3) {
        return;
    }
    let wide = u64::from(random.below(2)) << 30;
    let affinity = random.one_of(&[0, 1, 2, u64::MAX, 1 << 32]);
    let (second, third) = (random.long(), random.long());
    psci(
        0x8400_0000 | u64::from(number) | wide,
        affinity,
        second,
        third,
    );
}

/// One operation of CPU `own`.
fn operation(own: usize, random: &mut Random) {
    let kind = random.below(16);
    let which = match kind {
        0..=4 => 0,
        5 | 6 => 1,
        7 | 8 => 2,
        9 | 10 => 3,
        11 => 4,
        12 | 13 => 5,
        14 => 6,
        _ => 7,
    };
    let tally = TALLY + own * KINDS.len() + which;
    keep(tally, kept(tally) + 1);
    match which {
        0 => registers(random),
        1 => sgis(random),
        2 => faults(random),
        3 => {
            for _ in 0..=random.below(16) {
                switch_on(random.below(3) as usize);
            }
        }
        4 => {
            // It comes back in `second`, or is the last one and goes on.
            psci(0x8400_0002, 0, 0, 0);
        }
        5 => maintenance(random),
        6 => {
            // SAFETY: waits; the timer is on.
            unsafe { asm!("sev", "wfe", "wfi", options(nostack)) }
        }
        _ => any_psci(random),
    }
}

fn work(own: usize) -> ! {
    mend();
    let count = kept(COUNT);
    loop {
        let done = kept(DONE + own);
        let both = kept(DONE) + kept(DONE + 1);
        if both >= count && own == 0 {
            finish();
        }
        if both >= count {
            // The first one says the end, also if it was off.
            switch_on(0);
            psci(0x8400_0002, 0, 0, 0);
            continue;
        }
        keep(DONE + own, done + 1);
        // Its own sequence for each: where it goes on after a reset, or after it was off, is one more.
        let seed = u64::from(kept(SEED)) << 33 | u64::from(done) << 1 | own as u64;
        let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.long();
        if random.once_in(RESET_ONCE_IN) {
            keep(RESETS, kept(RESETS) + 1);
            psci(0x8400_0009, 0, 0, 0);
        }
        operation(own, &mut random);
    }
}

#[unsafe(no_mangle)]
extern "C" fn second() -> ! {
    if cpu() == 0 {
        console::open(VIRT_V8.console);
    }
    work(cpu() & 1)
}

/// Asks for the seed and the count.
fn ask() {
    println!("seed, count:");
    let (mut fields, mut at) = ([0_u32; 2], 0);
    loop {
        match console::get() {
            Some(b'\r' | b'\n') if fields[1] != 0 => break,
            Some(b' ') => at = 1,
            Some(byte @ b'0'..=b'9') => {
                fields[at] = fields[at]
                    .wrapping_mul(10)
                    .wrapping_add(u32::from(byte - b'0'));
            }
            _ => {}
        }
    }
    (0..64).for_each(|n| keep(n, 0));
    keep(SEED, fields[0]);
    keep(COUNT, fields[1]);
    keep(IS_ON, MARK);
}

fn finish() -> ! {
    interrupts(false);
    console::open(VIRT_V8.console);
    println!();
    for (n, name) in KINDS.iter().enumerate() {
        println!(
            "{name}: {} and {}",
            kept(TALLY + n),
            kept(TALLY + KINDS.len() + n)
        );
    }
    println!(
        "{} and {} operations, {} resets",
        kept(DONE),
        kept(DONE + 1),
        kept(RESETS)
    );
    if kept(DONE + 1) == 0 {
        check::fail(format_args!("the other CPU has done nothing"));
    }
    check::end(format_args!("PASS attacker"))
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let _checks = check::begin("attacker", &VIRT_V8);
    if kept(IS_ON) == MARK {
        println!(
            "attack {} after {} resets",
            kept(DONE) + kept(DONE + 1),
            kept(RESETS)
        );
    } else {
        ask();
    }
    switch_on(1);
    work(0)
}
