//! Coprocessor registers, calls and modes that a hostile guest tries in A32, and interrupts as it has them.

use super::Ended;
use super::cage32::{
    Cage, IF, NOP, PLACES, SCTLR_LOOSE, SCTLR_OFF, SVC_MODE, USR_MODE, plain_cage, random_cage,
};
use super::controller_v2::{self as controller, CLOCK, PHYSICAL_TIMER, UART, VIRTUAL_TIMER};
use super::places::value;
use crate::cp;
use crate::device::Device;
use crate::loadstore::Random;

const WFI: u32 = 0xe320_f003;
const WFE: u32 = 0xe320_f002;
const SEV: u32 = 0xe320_f004;
const YIELD: u32 = 0xe320_f001;

// SAFETY: the UART and the clock of QEMU virt.
const UART_REGISTERS: Device = unsafe { Device::at(0x0900_0000) };
// SAFETY: the same.
const CLOCK_REGISTERS: Device = unsafe { Device::at(0x0901_0000) };

/// CRn, opc1, CRm of CP15 behind which an ARMv7 CPU has registers or operations.
const PRESENT: [(u32, u32, u32); 36] = [
    (0, 0, 0),
    (0, 0, 1),
    (0, 0, 2),
    (0, 1, 0),
    (0, 2, 0),
    (1, 0, 0),
    (1, 0, 1),
    (2, 0, 0),
    (3, 0, 0),
    (5, 0, 0),
    (5, 0, 1),
    (6, 0, 0),
    (7, 0, 1),
    (7, 0, 4),
    (7, 0, 5),
    (7, 0, 6),
    (7, 0, 8),
    (7, 0, 10),
    (7, 0, 11),
    (7, 0, 14),
    (8, 0, 3),
    (8, 0, 5),
    (8, 0, 6),
    (8, 0, 7),
    (9, 0, 12),
    (9, 0, 13),
    (9, 0, 14),
    (9, 1, 0),
    (10, 0, 2),
    (10, 0, 3),
    (12, 0, 0),
    (12, 0, 1),
    (13, 0, 0),
    (14, 0, 0),
    (14, 0, 1),
    (14, 0, 2),
];

/// MRC or MCR of any coprocessor register, or of one that is near those that exist.
///
/// SCTLR keeps what the cage has of it; CNTV stays below 2^62, as QEMU 7.2 stands still as a whole where
/// its comparison wraps.
pub fn register(random: &mut Random) -> Ended {
    let mut cage = plain_cage(random);
    if random.once_in(4) {
        cage.cpsr = USR_MODE;
    }
    let coprocessor = random.one_of(&[15_u32, 15, 15, 15, 14, 14, 10, 11]);
    let (crn, opc1, crm) = if random.once_in(3) || coprocessor != 15 {
        (random.below(16), random.below(8), random.below(16))
    } else if random.once_in(8) {
        (14, 0, 3)
    } else {
        random.one_of(&PRESENT)
    };
    let opc1 = if coprocessor == 14 && random.coin() {
        0
    } else {
        opc1
    };
    let opc2 = random.one_of(&[0_u32, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7]);
    let read = random.below(2);
    cage.r[0] = value(random, &PLACES) as u32;
    match (coprocessor, crn, opc1, crm, opc2) {
        (15, 1, 0, 0, 0) => cage.r[0] = SCTLR_OFF ^ cage.r[0] & SCTLR_LOOSE,
        (15, 14, 0, 3, 0) => cage.r[0] &= 0x7fff_ffff,
        _ => {}
    }
    let word =
        0xee00_0010 | opc1 << 21 | read << 20 | crn << 16 | coprocessor << 8 | opc2 << 5 | crm;
    cage.run_and_restore(word).ended()
}

/// MRRC, MCRR, LDC, STC and CDP of any coprocessor.
pub fn coprocessor(random: &mut Random) -> Ended {
    let mut cage = plain_cage(random);
    let word = match random.below(3) {
        0 => {
            let crm = random.one_of(&[2_u32, 7, 14, 14, 14, 9, 0, 1, 15]);
            let opc1 = random.below(16);
            let coprocessor = random.one_of(&[15_u32, 15, 14, 10, 11, 1]);
            let read = random.below(2);
            cage.r[0] = value(random, &PLACES) as u32;
            cage.r[3] = value(random, &PLACES) as u32;
            if (coprocessor, crm, opc1) == (15, 14, 3) {
                cage.r[3] &= 0x3fff_ffff;
            }
            0xec43_0000 | read << 20 | coprocessor << 8 | opc1 << 4 | crm
        }
        1 => {
            cage.r[1] = PLACES.any(random) as u32;
            let word = 0xec01_0000 | random.word() & 0x01f0_ffff;
            // MRRC and MCRR of any register are above.
            if word & 0x01e0_0000 == 0x0040_0000 {
                word | 0x0080_0000
            } else {
                word
            }
        }
        _ => 0xee00_0000 | random.word() & 0x00ff_ffef,
    };
    cage.run_and_restore(word).ended()
}

/// HVC or SMC of any function with any arguments, but those that end the attacker.
pub fn call(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    cage.r[0] = match random.below(5) {
        0 | 1 => 0x8400_0000 | random.below(0x20) | random.below(2) << 30,
        2 => 0x8000_0000 | random.below(0x40) << 24 | random.below(0x20),
        3 => 0x8600_0000 | random.below(0x1_0000),
        _ => random.word(),
    };
    if matches!(
        cage.r[0] & 0xbfff_ffff,
        0x8400_0008 | 0x8400_0009 | 0x8400_0012
    ) {
        cage.r[0] ^= 0x40_0000;
    }
    let waits = matches!(cage.r[0] & 0xbfff_ffff, 0x8400_0001 | 0x8400_000c);
    if waits {
        due_soon(random);
    }
    let number = random.below(0x1000) << 8 | random.below(16);
    let word = match random.below(4) {
        0 => 0xe160_0070 | number & 0xf,
        1 => 0xe140_0070 | number,
        _ => 0xe140_0070,
    };
    let ended = cage.run(&[word]).ended();
    if waits {
        quiet();
    }
    ended
}

/// Changes of mode, of SPSR and of banked registers, to what there is and what there is not.
pub fn modes(random: &mut Random) -> Ended {
    let mut cage = plain_cage(random);
    cage.r[0] = random.word() & !(IF | 0x100) | IF | 0x100;
    let mode = random.below(32);
    cage.sp = PLACES.scratch(random) as u32 & !7;
    let word = match random.below(7) {
        0 => 0xf102_0000 | mode,                                  // CPS
        1 => 0xf10c_01c0 | random.below(2) << 17 | mode,          // CPSID
        2 => 0xe129_f000 | random.below(16) << 16,                // MSR CPSR, r0
        3 => 0xe169_f000 | random.below(16) << 16,                // MSR SPSR, r0
        4 => 0xe100_0200 | random.word() & 0x0060_f100 & !0xf000, // MRS, MSR of a bank
        5 => 0xf84d_0500 | mode | random.word() & 0x01a0_0000,    // SRS
        _ => 0xe1b0_f00e,                                         // MOVS PC, LR
    };
    if word == 0xe1b0_f00e {
        // Back to where it is, with an SPSR of its own, by two words.
        cage.r[0] = SVC_MODE | random.word() & 0xf800_0000 | mode & 3;
        return cage.run(&[0xe169_f000 | 0xf << 16, NOP]).ended();
    }
    cage.run_and_restore(word).ended()
}

/// Caches by set and way: each may become a walk of all of the VM's RAM.
pub fn set_way(random: &mut Random) -> Ended {
    let mut cage = plain_cage(random);
    cage.r[0] = value(random, &PLACES) as u32;
    let word = random.one_of(&[0xee07_0f56, 0xee07_0f5a, 0xee07_0f5e]);
    cage.run(&[word]).ended()
}

/// Breakpoints, watchpoints, vector catch and the locks of CP14.
pub fn debug(random: &mut Random) -> Ended {
    let mut cage = plain_cage(random);
    let n = random.below(4);
    cage.r[0] = PLACES.code as u32 + random.below(8) * 4;
    cage.r[1] = PLACES.scratch(random) as u32 & !7;
    cage.r[3] = random.word() | 1;
    cage.r[4] = random.word();
    cage.r[5] = if random.coin() { 0xc5ac_ce55 } else { 0 };
    let (value, control) = random.one_of(&[(0xee00_0e90, 0xee00_3eb0), (0xee00_0ed0, 0xee00_3ef0)]);
    let words = [
        0xee01_5e90,                                   // DBGOSLAR, r5
        value | n,                                     // DBGBVR or DBGWVR, r0
        control | n,                                   // DBGBCR or DBGWCR, r3
        0xee00_4e52,                                   // DBGDSCRext, r4
        0xee07_4e10 & !0x0007_0000 | 0x0000_0007,      // DBGVCR, r4
        0xf57f_f06f,                                   // ISB
        0xe591_6000,                                   // LDR r6, [r1]
        0xe581_6000,                                   // STR r6, [r1]
        if random.coin() { NOP } else { 0xe120_0070 }, // BKPT
    ];
    cage.run(&words).ended()
}

fn quiet() {
    cp!(write "p15, 0, {}, c14, c3, 1", 0);
    cp!(write "p15, 0, {}, c14, c2, 1", 0);
    controller::quiet();
}

/// Sees to it that an interrupt is pending soon: within 100 microseconds.
fn due_soon(random: &mut Random) {
    quiet();
    controller::enable(VIRTUAL_TIMER);
    let hz = cp!(read "p15, 0, {}, c14, c0, 0");
    cp!(write "p15, 0, {}, c14, c3, 0", random.below(hz / 10_000));
    cp!(write "p15, 0, {}, c14, c3, 1", 1);
}

/// Lets interrupts in, some times over; what comes is taken and ended, but its source stays.
fn let_in(random: &mut Random, times: u32) -> Ended {
    let mut last = Ended::Done;
    for _ in 0..times {
        let mut cage = plain_cage(random);
        cage.cpsr = SVC_MODE & !IF;
        let exit = cage.run(&[NOP, NOP]);
        last = exit.ended();
        if !exit.is_interrupt() {
            break;
        }
        if random.once_in(8) {
            // Never acknowledged: it comes again at once.
            continue;
        }
        let _ = controller::take();
    }
    quiet();
    last
}

/// Storms of interrupts, lines that stay high, timers at their extremes.
pub fn interrupts(random: &mut Random) -> Ended {
    quiet();
    match random.below(3) {
        0 => {
            for id in 0..16 {
                controller::enable(id);
            }
            for _ in 0..=random.below(24) {
                controller::send(random.below(16));
            }
        }
        1 => {
            UART_REGISTERS.write(0x38, 0x7ff);
            CLOCK_REGISTERS.write(0x10, 1);
            CLOCK_REGISTERS.write(4, CLOCK_REGISTERS.read(0));
            for id in [UART, CLOCK, VIRTUAL_TIMER, PHYSICAL_TIMER] {
                if random.coin() {
                    controller::enable(id);
                }
            }
            cp!(write "p15, 0, {}, c14, c3, 0", 0);
            cp!(write "p15, 0, {}, c14, c3, 1", 1);
            cp!(write "p15, 0, {}, c14, c2, 1", 1);
        }
        _ => return timers(random),
    }
    let times = 1 + random.below(16);
    let last = let_in(random, times);
    UART_REGISTERS.write(0x38, 0);
    last
}

fn timers(random: &mut Random) -> Ended {
    controller::enable(VIRTUAL_TIMER);
    controller::enable(PHYSICAL_TIMER);
    let mut cage: Cage = plain_cage(random);
    for register in 0..6 {
        cage.r[register] = match random.below(4) {
            0 => 0,
            1 => random.below(0x1000),
            _ => value(random, &PLACES) as u32,
        };
    }
    cage.r[1] &= 0x3fff_ffff;
    cage.r[4] &= 3;
    cage.r[5] &= 0x7fff_ffff;
    cage.cpsr = SVC_MODE & !IF;
    let words = [
        0xec41_0f3e,                                   // CNTV_CVAL, r0 and r1
        0xec43_2f2e,                                   // CNTP_CVAL, r2 and r3
        0xee0e_4f33,                                   // CNTV_CTL, r4
        0xee0e_4f32,                                   // CNTP_CTL, r4
        if random.coin() { 0xee0e_5f12 } else { NOP }, // CNTP_TVAL, r5
        YIELD,
        NOP,
    ];
    let exit = cage.run(&words);
    let _ = controller::take();
    quiet();
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
        cage.cpsr = SVC_MODE & !IF;
    } else if random.coin() {
        cage.cpsr = USR_MODE;
        cage.sctlr |= 1 << 16 | 1 << 18;
    }
    let ended = cage.run(&words).ended();
    quiet();
    ended
}
