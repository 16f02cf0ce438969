//! Interrupts as a hostile guest has them: storms, lines that stay high, timers at their extremes, waits.

use super::cage64::{EL1H, IF, NOP, PLACES, plain_cage};
use super::controller64::{self, CLOCK, PHYSICAL_TIMER, UART, VIRTUAL_TIMER};
use super::places::value;
use super::{Ended, cage64};
use crate::device::Device;
use crate::loadstore::Random;
use crate::sysreg;

const WFI: u32 = 0xd503_207f;
const WFE: u32 = 0xd503_205f;
const SEV: u32 = 0xd503_209f;
const YIELD: u32 = 0xd503_203f;

// SAFETY: the UART and the clock of QEMU virt.
const UART_REGISTERS: Device = unsafe { Device::at(0x0900_0000) };
// SAFETY: the same.
const CLOCK_REGISTERS: Device = unsafe { Device::at(0x0901_0000) };

/// Sees to it that an interrupt is pending soon: within 100 microseconds.
pub fn due_soon(random: &mut Random) {
    controller64::quiet();
    controller64::enable(VIRTUAL_TIMER);
    let hz = sysreg!("cntfrq_el0");
    sysreg!(
        "cntv_tval_el0",
        u64::from(random.below((hz / 10_000) as u32))
    );
    sysreg!("cntv_ctl_el0", 1);
}

/// Lets interrupts in, some times over; what comes is taken and ended, but its source stays.
fn let_in(random: &mut Random, times: u32, words: &[u32]) -> Ended {
    let mut last = Ended::Done;
    for _ in 0..times {
        let mut cage = plain_cage(random);
        cage.spsr = EL1H & !IF;
        let exit = cage.run(words);
        last = exit.ended();
        if !exit.is_interrupt() {
            break;
        }
        if random.once_in(8) {
            // Never acknowledged: it comes again at once.
            continue;
        }
        let _ = controller64::take();
    }
    controller64::quiet();
    last
}

/// Software-generated interrupts to itself, one after the other.
pub fn storm(random: &mut Random) -> Ended {
    controller64::quiet();
    for id in 0..16 {
        controller64::enable(id);
    }
    for _ in 0..=random.below(24) {
        controller64::send(random.below(16));
    }
    let times = 1 + random.below(24);
    let_in(random, times, &[NOP, NOP])
}

/// Lines that are high and stay so: the UART's, the clock's, both timers'.
pub fn levels(random: &mut Random) -> Ended {
    controller64::quiet();
    UART_REGISTERS.write(0x38, 0x7ff);
    CLOCK_REGISTERS.write(0x10, 1);
    CLOCK_REGISTERS.write(4, CLOCK_REGISTERS.read(0));
    for id in [UART, CLOCK, VIRTUAL_TIMER, PHYSICAL_TIMER] {
        if random.coin() {
            controller64::enable(id);
        }
    }
    sysreg!("cntv_cval_el0", 0);
    sysreg!("cntv_ctl_el0", 1);
    sysreg!("cntp_cval_el0", 0);
    sysreg!("cntp_ctl_el0", 1);
    let times = 1 + random.below(12);
    let last = let_in(random, times, &[NOP, NOP]);
    UART_REGISTERS.write(0x38, 0);
    last
}

/// Timers at their extremes, and a short wait for what comes of it.
pub fn timers(random: &mut Random) -> Ended {
    controller64::quiet();
    controller64::enable(VIRTUAL_TIMER);
    controller64::enable(PHYSICAL_TIMER);
    let mut cage = plain_cage(random);
    let now = sysreg!("cntvct_el0");
    let near = |random: &mut Random| match random.below(6) {
        0 => 0,
        1 => now,
        2 => now.wrapping_add(u64::from(random.below(0x1000))),
        3 => now.wrapping_sub(u64::from(random.below(0x1000))),
        4 => 1 << random.below(62),
        _ => value(random, &PLACES),
    };
    // CNTV keeps away from the top of its range: QEMU 7.2 stands still there.
    cage.x[0] = near(random) & ((1 << 62) - 1);
    cage.x[1] = near(random);
    cage.x[2] = u64::from(random.below(4));
    cage.x[3] = value(random, &PLACES);
    let last = random.one_of(&[0xd51b_e203_u32, NOP]); // CNTP_TVAL, x3
    cage.spsr = EL1H & !IF;
    let words = [
        0xd51b_e340, // CNTV_CVAL, x0
        0xd51b_e241, // CNTP_CVAL, x1
        0xd51b_e322, // CNTV_CTL, x2
        0xd51b_e222, // CNTP_CTL, x2
        last,
        YIELD,
        NOP,
    ];
    let exit = cage.run(&words);
    let _ = controller64::take();
    controller64::quiet();
    exit.ended()
}

/// Waits for interrupts and events, with a timer that is near.
pub fn waits(random: &mut Random) -> Ended {
    due_soon(random);
    let mut words = [NOP; 6];
    for word in &mut words {
        *word = random.one_of(&[WFI, WFE, WFE, SEV, YIELD, NOP]);
    }
    let mut cage = plain_cage(random);
    if random.coin() {
        cage.spsr = EL1H & !IF;
    } else if random.coin() {
        cage.spsr = cage64::EL0;
        cage.sctlr |= 1 << 16 | 1 << 18;
    }
    let ended = cage.run(&words).ended();
    controller64::quiet();
    ended
}
