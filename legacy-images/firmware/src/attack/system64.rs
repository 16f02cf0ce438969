//! System registers and hypercalls that a hostile guest tries: every encoding, any value.

use super::cage64::{EL0, EL0_A32, EL1H, EL1T, NOP, PLACES, SCTLR_OFF, plain_cage, random_cage};
use super::controller64;
use super::places::value;
use super::{Ended, interrupt64};
use crate::loadstore::Random;

/// The fields of MRS and MSR behind op0, of registers that take a mask: see [`register`].
const SCTLR_EL1: u32 = 0x8_1000;
const CNTV_TVAL: u32 = 0xb_e300;
const CNTV_CVAL: u32 = 0xb_e340;

/// op1, CRn and CRm of op0 3 behind which a CPU of Armv8.0 has registers.
const PRESENT: [(u32, u32, u32); 47] = [
    (0, 0, 0),
    (0, 0, 1),
    (0, 0, 2),
    (0, 0, 3),
    (0, 0, 4),
    (0, 0, 5),
    (0, 0, 6),
    (0, 0, 7),
    (0, 1, 0),
    (0, 2, 0),
    (0, 4, 0),
    (0, 4, 1),
    (0, 4, 2),
    (0, 4, 6),
    (0, 5, 1),
    (0, 5, 2),
    (0, 6, 0),
    (0, 7, 4),
    (0, 9, 14),
    (0, 10, 2),
    (0, 10, 3),
    (0, 12, 0),
    (0, 12, 1),
    (0, 12, 8),
    (0, 12, 9),
    (0, 12, 11),
    (0, 12, 12),
    (0, 13, 0),
    (0, 14, 1),
    (1, 0, 0),
    (1, 11, 0),
    (1, 15, 0),
    (1, 15, 2),
    (2, 0, 0),
    (3, 0, 0),
    (3, 4, 2),
    (3, 4, 4),
    (3, 4, 5),
    (3, 9, 12),
    (3, 9, 13),
    (3, 9, 14),
    (3, 13, 0),
    (3, 14, 0),
    (3, 14, 2),
    (3, 14, 3),
    (3, 14, 8),
    (3, 14, 15),
];

/// MRS or MSR of any encoding, or of one that is near those that exist.
///
/// Three registers take no value at all: SCTLR_EL1 keeps the MMU off, whose tables are then any; CNTV_CVAL
/// and CNTV_TVAL keep CNTV below 2^62, as QEMU 7.2 stands still as a whole where the comparison wraps.
pub fn register(random: &mut Random) -> Ended {
    let mut cage = plain_cage(random);
    cage.spsr = random.one_of(&[EL1H, EL1H, EL1T, EL0]);
    cage.cpacr = u64::from(random.below(4)) << 20;
    let debug = random.once_in(5);
    let (op1, crn, crm) = if random.once_in(3) {
        (random.below(8), random.below(16), random.below(16))
    } else if debug {
        (0, random.one_of(&[0_u32, 0, 0, 1, 7]), random.below(16))
    } else {
        random.one_of(&PRESENT)
    };
    let op2 = random.one_of(&[0_u32, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7]);
    let fields = op1 << 16 | crn << 12 | crm << 8 | op2 << 5;
    let read = random.coin();
    // Bit 20 is op0's lower bit, op0 2 is debug; Rt is x0.
    let word = 0xd510_0000 | u32::from(read) << 21 | u32::from(!debug) << 19 | fields;
    cage.x[0] = value(random, &PLACES);
    if !debug {
        match fields | 0x8_0000 {
            SCTLR_EL1 => cage.x[0] = cage.x[0] & !1 & 0xffff_ffff,
            CNTV_CVAL => cage.x[0] &= (1 << 62) - 1,
            CNTV_TVAL => cage.x[0] &= 0x7fff_ffff,
            _ => {}
        }
    }
    cage.run_and_restore(word).ended()
}

/// The space of op0 0: hints, barriers and MSR of an immediate; WFI is left to its own operation.
pub fn immediate(random: &mut Random) -> Ended {
    let mut cage = plain_cage(random);
    cage.spsr = random.one_of(&[EL1H, EL1T, EL0]);
    let mut word = if random.coin() {
        0xd503_201f | random.word() & 0x0000_1fe0
    } else {
        0xd500_001f | random.word() & 0x0007_ffe0
    };
    if word == 0xd503_207f {
        word = NOP;
    }
    cage.run_and_restore(word).ended()
}

/// Functions that end the attacker: SYSTEM_OFF, SYSTEM_RESET and SYSTEM_RESET2.
fn ends(function: u64) -> bool {
    matches!(
        function & 0xbfff_ffff,
        0x8400_0008 | 0x8400_0009 | 0x8400_0012
    )
}

/// HVC or SMC of any function with any arguments.
pub fn call(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    if random.coin() {
        cage.spsr = EL1H;
    }
    let function = match random.below(6) {
        // PSCI, of 32 bits or 64.
        0 | 1 => 0x8400_0000 | random.below(0x20) | random.below(2) << 30,
        // SMCCC: architecture, CPU, SiP, OEM, standard, hypervisor's and vendor hypervisor's services.
        2 => 0x8000_0000 | random.below(0x40) << 24 | random.below(0x20),
        3 => 0x8600_0000 | random.below(2) << 30 | random.below(0x1_0000),
        4 => random.below(0x1000),
        _ => random.word(),
    };
    cage.x[0] = u64::from(function)
        | if random.once_in(8) {
            random.long() << 32
        } else {
            0
        };
    if ends(cage.x[0]) {
        cage.x[0] ^= 0x40_0000;
    }
    // CPU_SUSPEND waits for an interrupt: let there be one.
    let waits = matches!(cage.x[0] & 0xbfff_ffff, 0x8400_0001 | 0x8400_000c);
    if waits {
        interrupt64::due_soon(random);
    }
    let number = if random.coin() {
        0
    } else {
        random.below(0x1_0000)
    };
    let kind = if random.once_in(4) {
        0xd400_0003
    } else {
        0xd400_0002
    };
    let ended = cage.run(&[kind | number << 5]).ended();
    if waits {
        controller64::quiet();
    }
    ended
}

/// Exception returns to levels and states that there are or are not, with stepping and illegal bits.
pub fn modes(random: &mut Random) -> Ended {
    let mut cage = plain_cage(random);
    let spsr = match random.below(4) {
        0 => u64::from(random.below(32)) | EL0,
        1 => EL0_A32 & !0x1f | u64::from(random.below(32)) | 0x10,
        2 => EL1H | random.long() & 0xf030_0000,
        _ => EL0_A32 | random.long() & 0xff30_fe20,
    };
    cage.spsr = spsr | 0x3c0 & !(u64::from(random.below(2)) << 9);
    // More than an IT block can skip.
    let last = both_svc(cage.spsr);
    cage.run_ended_by(&[last; 8], last).ended()
}

/// An SVC of the instruction set that this state executes.
fn both_svc(spsr: u64) -> u32 {
    match spsr & 0x30 {
        0x10 => 0xef00_0000,
        0x30 => 0xdf00_df00,
        _ => 0xd400_0001,
    }
}

/// Breakpoints, watchpoints, stepping, the locks and the exceptions of a debugger, of its own.
pub fn debug(random: &mut Random) -> Ended {
    let mut cage = plain_cage(random);
    // A Cortex-A57 has six breakpoints and four watchpoints.
    let n = random.one_of(&[0_u32, 1, 2, 3, 3, 5, 15]);
    cage.x[0] = match random.below(3) {
        0 => PLACES.code + u64::from(random.below(8)) * 4,
        1 => PLACES.any(random),
        _ => cage.x[0],
    };
    cage.x[1] = PLACES.scratch(random) & !7;
    cage.x[3] = u64::from(random.word()) | 1;
    cage.x[4] = u64::from(random.below(2)) | u64::from(random.below(8)) << 13 | 1 << 15;
    let lock = random.below(2);
    cage.x[5] = u64::from(lock);
    let comment = random.below(0x1_0000) << 5;
    let level = random.below(3);
    let (value, control) = random.one_of(&[(0xd510_0080, 0xd510_00a3), (0xd510_00c0, 0xd510_00e3)]);
    let words = [
        0xd510_1085,      // MSR OSLAR_EL1, x5
        value | n << 8,   // DBGBVR or DBGWVR, x0
        control | n << 8, // DBGBCR or DBGWCR, x3
        0xd510_0244,      // MSR MDSCR_EL1, x4
        0xd503_3fdf,      // ISB
        0xf940_0026,      // LDR x6, [x1]
        0xf900_0026,      // STR x6, [x1]
        random.one_of(&[
            NOP,
            0xd420_0000 | comment, // BRK
            0xd440_0000 | comment, // HLT
            0xd4a0_0001 | level,   // DCPS
            0xd6bf_03e0,           // DRPS
        ]),
    ];
    if random.once_in(4) {
        cage.spsr |= 1 << 21;
    }
    cage.sctlr = SCTLR_OFF;
    cage.run(&words).ended()
}
