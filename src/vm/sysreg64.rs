//! AArch64's MSR, MRS and system instructions that trap (DDI 0487, D17.2.37, EC 0x18; D17.3).

use super::debug::DebugRegister;
use super::pmu::PmuRegister;
use super::registers::Register;
use super::timer::TimerRegister;
use crate::access::system_register;

/// One MSR, MRS or SYS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// op0, op1, CRn, CRm and op2.
    pub key: (u8, u8, u8, u8, u8),
    /// The general register; 31 is zero.
    pub rt: u8,
    /// MRS.
    pub read: bool,
}

impl Move {
    /// From the ISS.
    pub const fn of(iss: u32) -> Self {
        Self {
            key: (
                (iss >> 20) as u8 & 3,
                (iss >> 14) as u8 & 7,
                (iss >> 10) as u8 & 0xf,
                (iss >> 1) as u8 & 0xf,
                (iss >> 17) as u8 & 7,
            ),
            rt: (iss >> 5) as u8 & 0x1f,
            read: iss & 1 != 0,
        }
    }

    /// The register that it names.
    pub const fn register(self) -> Option<Register> {
        Some(match self.key {
            (1, 0, 7, 6 | 10 | 14, 2) => Register::SetWay,
            (2, 0, 1, 0, 4) => Register::OsLock64,
            (2, 0, crn, crm, op2) => return debug(crn, crm, op2),
            (2, 3, 0, 1, 0) => Register::Debug(DebugRegister::StatusInternal),
            (2, 3, 0, 4 | 5, 0) => Register::Debug(DebugRegister::TransferInternal),
            (3, 0, 0, 0, 0) => Register::Midr,
            (3, 0, 0, 0, 5) => Register::Mpidr,
            (3, 0, 0, 0, 6) => Register::Revidr,
            (3, 0, 0, crm @ 1..=7, opc2) => Register::Id { crm, opc2 },
            (3, 0, 4, 6, 0) | (3, 0, 12, 8..=12, _) => {
                let (op0, op1, crn, crm, op2) = self.key;
                Register::Gic(system_register(op0, op1, crn, crm, op2))
            }
            (3, 1, 0, 0, 0) => Register::Ccsidr,
            (3, 1, 0, 0, 1) => Register::Clidr,
            (3, 1, 0, 0, 7) => Register::Aidr,
            (3, 2, 0, 0, 0) => Register::Csselr,
            (3, 3, 0, 0, 1) => Register::Ctr,
            (3, 0, 1, 0, 1) => Register::Actlr,
            (3, 1, 11, 0, 2) => Register::L2Control,
            (3, 1, 11, 0, 3) => Register::L2ExtendedControl,
            (3, 1, 15, 3, 0) => Register::PeripheralBase,
            // CPUACTLR, CPUECTLR, CPUMERRSR, L2ACTLR and L2MERRSR of a Cortex-A57.
            // And PMMIR_EL1, which is not in this version of the PMU.
            (3, 1, 15, 0, 0) | (3, 1, 15, 2, 0..=3) | (3, 0, 9, 14, 6) => Register::Zero,
            (3, 3, 9, crm, op2) => return pmu(PmuRegister::at(crm, op2)),
            (3, 0, 9, 14, op2 @ (1 | 2)) => return pmu(PmuRegister::at(14, op2)),
            (3, 3, 14, 0, 1) => Register::Timer(TimerRegister::Counter),
            (3, 3, 14, 2, 0) => Register::Timer(TimerRegister::Value),
            (3, 3, 14, 2, 1) => Register::Timer(TimerRegister::Control),
            (3, 3, 14, 2, 2) => Register::Timer(TimerRegister::Compare),
            (3, 3, 14, 15, 7) => Register::Pmu(PmuRegister::Type(31)),
            (3, 3, 14, crm, op2) => return pmu(PmuRegister::numbered(crm, op2)),
            _ => return None,
        })
    }
}

const fn debug(crn: u8, crm: u8, op2: u8) -> Option<Register> {
    match DebugRegister::at(crn, crm, op2) {
        Some(r) => Some(Register::Debug(r)),
        None => None,
    }
}

const fn pmu(register: Option<PmuRegister>) -> Option<Register> {
    match register {
        Some(r) => Some(Register::Pmu(r)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(op0: u8, op1: u8, crn: u8, crm: u8, op2: u8) -> Option<Register> {
        Move {
            key: (op0, op1, crn, crm, op2),
            rt: 0,
            read: true,
        }
        .register()
    }

    #[test]
    fn an_iss_gives_its_fields() {
        // MRS x5, CNTPCT_EL0.
        let iss = 3 << 20 | 1 << 17 | 3 << 14 | 14 << 10 | 5 << 5 | 1;
        let m = Move::of(iss);
        assert_eq!(
            m,
            Move {
                key: (3, 3, 14, 0, 1),
                rt: 5,
                read: true
            }
        );
        assert_eq!(m.register(), Some(Register::Timer(TimerRegister::Counter)));
    }

    #[test]
    fn registers_are_found_by_their_encodings() {
        assert_eq!(key(3, 0, 0, 4, 0), Some(Register::Id { crm: 4, opc2: 0 }));
        assert_eq!(
            key(2, 0, 0, 2, 2),
            Some(Register::Debug(DebugRegister::StatusControl))
        );
        assert_eq!(
            key(3, 3, 9, 12, 0),
            Some(Register::Pmu(PmuRegister::Control))
        );
        assert_eq!(
            key(3, 3, 14, 12, 3),
            Some(Register::Pmu(PmuRegister::Type(3)))
        );
        assert_eq!(key(1, 0, 7, 14, 2), Some(Register::SetWay));
        let iar1 = system_register(3, 0, 12, 12, 0);
        assert_eq!(key(3, 0, 12, 12, 0), Some(Register::Gic(iar1)));
        assert_eq!(key(3, 6, 12, 12, 5), None, "ICC_SRE_EL3 is not a guest's");
    }
}
