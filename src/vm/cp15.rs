//! AArch32's coprocessor instructions: MCR, MRC, MCRR, MRRC and VMRS that trap.
//!
//! DDI 0487, D17.2.37 (ISS of EC 0x03 to 0x08 and 0x0c), G7.3 (encodings); DDI 0388I, 4.1 and
//! DDI 0438I, 4.1 (what the CPUs add).

use super::debug::DebugRegister;
use super::pmu::PmuRegister;
use super::registers::Register;
use super::timer::TimerRegister;
use crate::access::system_register;

/// A move between a coprocessor and one or two general registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The coprocessor: 10, 14 or 15.
    pub coprocessor: u8,
    /// opc1.
    pub opc1: u8,
    /// CRn; of a move of two registers, none.
    pub crn: Option<u8>,
    /// CRm.
    pub crm: u8,
    /// opc2.
    pub opc2: u8,
    /// The general register, as the syndrome numbers it or as the instruction does.
    pub rt: u8,
    /// The second general register, of a move of two.
    pub rt2: u8,
    /// From the coprocessor.
    pub read: bool,
}

impl Move {
    /// From the ISS of a move of one register.
    pub const fn of_one(coprocessor: u8, iss: u32) -> Self {
        Self {
            coprocessor,
            opc1: (iss >> 14) as u8 & 7,
            crn: Some((iss >> 10) as u8 & 0xf),
            crm: (iss >> 1) as u8 & 0xf,
            opc2: (iss >> 17) as u8 & 7,
            rt: (iss >> 5) as u8 & 0x1f,
            rt2: 31,
            read: iss & 1 != 0,
        }
    }

    /// From the ISS of a move of two registers.
    pub const fn of_two(coprocessor: u8, iss: u32) -> Self {
        Self {
            coprocessor,
            opc1: (iss >> 16) as u8 & 0xf,
            crn: None,
            crm: (iss >> 1) as u8 & 0xf,
            opc2: 0,
            rt: (iss >> 5) as u8 & 0x1f,
            rt2: (iss >> 10) as u8 & 0x1f,
            read: iss & 1 != 0,
        }
    }

    /// From an instruction: A32's word, or T32's two halfwords, the first one high. (T32 has
    /// 0b1110 where A32 has the condition; the rest is the same.)
    pub const fn of_instruction(word: u32) -> Option<Self> {
        let coprocessor = (word >> 8) as u8 & 0xf;
        if coprocessor != 14 && coprocessor != 15 {
            return None;
        }
        let rt = (word >> 12) as u8 & 0xf;
        let read = word & 1 << 20 != 0;
        if word >> 28 == 0xf {
            None
        } else if word & 0x0f00_0010 == 0x0e00_0010 {
            Some(Self {
                coprocessor,
                opc1: (word >> 21) as u8 & 7,
                crn: Some((word >> 16) as u8 & 0xf),
                crm: word as u8 & 0xf,
                opc2: (word >> 5) as u8 & 7,
                rt,
                rt2: 31,
                read,
            })
        } else if word & 0x0fe0_0000 == 0x0c40_0000 {
            Some(Self {
                coprocessor,
                opc1: (word >> 4) as u8 & 0xf,
                crn: None,
                crm: word as u8 & 0xf,
                opc2: 0,
                rt,
                rt2: (word >> 16) as u8 & 0xf,
                read,
            })
        } else {
            None
        }
    }

    /// The register that it names.
    pub const fn register(&self) -> Option<Register> {
        match (self.coprocessor, self.crn) {
            (15, Some(crn)) => cp15(self.opc1, crn, self.crm, self.opc2),
            (15, None) => cp15_two(self.opc1, self.crm),
            (14, Some(crn)) => cp14(self.opc1, crn, self.crm, self.opc2),
            // DBGDRAR and DBGDSAR, 64 bits wide.
            (14, None) => match (self.opc1, self.crm) {
                (0, 1 | 2) => Some(Register::Zero),
                _ => None,
            },
            (10, Some(0)) => Some(Register::Fpsid),
            (10, Some(7)) => Some(Register::Mvfr(0)),
            (10, Some(6)) => Some(Register::Mvfr(1)),
            (10, Some(5)) => Some(Register::Mvfr(2)),
            _ => None,
        }
    }
}

const fn cp15(opc1: u8, crn: u8, crm: u8, opc2: u8) -> Option<Register> {
    Some(match (crn, opc1, crm, opc2) {
        (0, 0, 0, 1) => Register::Ctr,
        (0, 0, 0, 2) => Register::Tcmtr,
        (0, 0, 0, 3) => Register::Tlbtr,
        (0, 0, 0, 5) => Register::Mpidr,
        (0, 0, 0, 6) => Register::Revidr,
        // Unallocated: aliases of MIDR (DDI 0406C, B4.1.105).
        (0, 0, 0, 0 | 4 | 7) => Register::Midr,
        (0, 0, 1..=7, _) => Register::Id { crm, opc2 },
        (0, 1, 0, 0) => Register::Ccsidr,
        (0, 1, 0, 1) => Register::Clidr,
        (0, 1, 0, 7) => Register::Aidr,
        (0, 2, 0, 0) => Register::Csselr,
        (1, 0, 0, 1) => Register::Actlr,
        (1, 0, 1, 0) => Register::Scr,
        (1, 0, 1, 1) => Register::Sder,
        (1, 0, 1, 2) => Register::Nsacr,
        (7, 0, 6 | 10 | 14, 2) => Register::SetWay,
        (7, 0, 6 | 7, 0) => Register::V5Invalidate,
        (7, 0, 10 | 14, 3) => Register::V5TestClean,
        // The wait for interrupt, prefetch, lockdown, TCM regions, the debug override.
        (7, 0, 0, 4) | (7, 0, 13, 1) | (9, 0, 0 | 1, 0 | 1) | (15, 7, 0, 0) => Register::V5Nothing,
        // Those that generate SGIs have 64 bits.
        (12, 0, 11, 4..=7) => return None,
        (4, 0, 6, 0) | (12, 0, 8..=12, _) => Register::Gic(system_register(3, 0, crn, crm, opc2)),
        (9, 0, 12..=14, _) => match PmuRegister::at(crm, opc2) {
            Some(r) => Register::Pmu(r),
            None => return None,
        },
        (9, 1, 0, 2) => Register::L2Control,
        (9, 1, 0, 3) => Register::L2ExtendedControl,
        // Cortex-A9's TLB lockdown and preload engine, Cortex-A15's L2 auxiliary control and
        // prefetch: there, and without an effect on a guest.
        (10, 0, 0, 0)
        | (11, 0, 0 | 1, _)
        | (15, 5, 4..=7, 2)
        | (15, 0, 1, 0)
        | (15, 1, 0, 0 | 3 | 4) => Register::Zero,
        (12, 0, 0, 0) => Register::Vbar,
        (12, 0, 0, 1) => Register::Mvbar,
        (12, 0, 1, 0) => Register::Isr,
        (14, 0, 0, 0) => Register::Frequency,
        (14, 0, 2, 0) => Register::Timer(TimerRegister::Value),
        (14, 0, 2, 1) => Register::Timer(TimerRegister::Control),
        (14, 0, 8..=15, _) => match PmuRegister::numbered(crm, opc2) {
            Some(r) => Register::Pmu(r),
            None => return None,
        },
        (15, 0, 0, 0) => Register::A9PowerControl,
        (15, 0, 0, 1) => Register::A9Diagnostic,
        (15, 4, 0, 0) => Register::PeripheralBase,
        _ => return None,
    })
}

const fn cp15_two(opc1: u8, crm: u8) -> Option<Register> {
    Some(match (opc1, crm) {
        (0, 14) => Register::Timer(TimerRegister::Counter),
        (2, 14) => Register::Timer(TimerRegister::Compare),
        (0, 9) => Register::Pmu(PmuRegister::Cycles),
        // ICC_SGI1R, ICC_ASGI1R, ICC_SGI0R: AArch64 has them one behind the other.
        (0..=2, 12) => Register::Gic(system_register(3, 0, 12, 11, opc1.wrapping_add(5))),
        _ => return None,
    })
}

const fn cp14(opc1: u8, crn: u8, crm: u8, opc2: u8) -> Option<Register> {
    Some(match (opc1, crn, crm, opc2) {
        (0, _, _, _) => match DebugRegister::at(crn, crm, opc2) {
            Some(r) => Register::Debug(r),
            None => return None,
        },
        // TEECR and TEEHBR; JIDR, JOSCR and JMCR of a trivial Jazelle.
        (6, 0 | 1, 0, 0) | (7, 0..=2, 0, 0) => Register::Zero,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syndrome_and_an_instruction_name_the_same_move() {
        // MRC p15, 1, r3, c9, c0, 2: read L2CTLR.
        let word = 0xee39_3f50;
        let iss = 2 << 17 | 1 << 14 | 9 << 10 | 3 << 5 | 1;
        let m = Move::of_instruction(word).unwrap();
        assert_eq!(m, Move::of_one(15, iss));
        assert_eq!(m.register(), Some(Register::L2Control));
        // MRRC p15, 0, r2, r3, c14: read CNTPCT.
        let m = Move::of_instruction(0xec53_2f0e).unwrap();
        assert_eq!(m, Move::of_two(15, 3 << 10 | 2 << 5 | 14 << 1 | 1));
        assert_eq!(m.register(), Some(Register::Timer(TimerRegister::Counter)));
    }

    #[test]
    fn what_is_no_move_to_14_or_15_is_none() {
        // VMRS r0, FPSCR; LDC p14; CDP p15; MCR2 p15; SVC.
        for word in [
            0xeef1_0a10,
            0xed90_5e00,
            0xee00_0f00,
            0xfe00_0f10,
            0xef00_0000,
        ] {
            assert_eq!(Move::of_instruction(word), None, "{word:#x}");
        }
    }

    #[test]
    fn registers_are_found_by_their_encodings() {
        for (word, register) in [
            (0xee10_0f10u32, Register::Midr),
            (0xee10_0fb0, Register::Mpidr),
            (0xee10_0f31, Register::Id { crm: 1, opc2: 1 }),
            (0xee11_0f30, Register::Actlr),
            (0xee11_0f11, Register::Scr),
            (0xee1c_0f10, Register::Vbar),
            (0xee07_0f5e, Register::SetWay),
            (0xee1f_0f10, Register::A9PowerControl),
            (0xee1f_0f30, Register::A9Diagnostic),
            (0xee9f_0f10, Register::PeripheralBase),
            (0xee07_0f17, Register::V5Invalidate),
            (0xee17_ff7e, Register::V5TestClean),
            (0xee07_0f90, Register::V5Nothing),
            (0xee19_0f1c, Register::Pmu(PmuRegister::Control)),
            (0xee1e_0f32, Register::Timer(TimerRegister::Control)),
            (0xee10_0e10, Register::Debug(DebugRegister::Identification)),
            (0xee01_0e90, Register::Debug(DebugRegister::OsLockAccess)),
            // MRC p15, 0, r0, c12, c12, 0: ICC_IAR1. MCR p15, 0, r0, c4, c6, 0: ICC_PMR.
            (0xee1c_0f1c, Register::Gic(system_register(3, 0, 12, 12, 0))),
            (0xee04_0f16, Register::Gic(system_register(3, 0, 4, 6, 0))),
            // MCRR p15, 0 to 2, r0, r1, c12: ICC_SGI1R, ICC_ASGI1R, ICC_SGI0R.
            (0xec41_0f0c, Register::Gic(system_register(3, 0, 12, 11, 5))),
            (0xec41_0f1c, Register::Gic(system_register(3, 0, 12, 11, 6))),
            (0xec41_0f2c, Register::Gic(system_register(3, 0, 12, 11, 7))),
        ] {
            let found = Move::of_instruction(word).and_then(|m| m.register());
            assert_eq!(found, Some(register), "{word:#x}");
        }
    }
}
