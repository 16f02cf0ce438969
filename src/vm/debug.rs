//! The guest's debug registers: storage, so that its tools find what they wrote.
//!
//! DDI 0406C, C11 (coprocessor 14); DDI 0487, D17.3 (op0 2). Both give CRn, CRm and opc2 (op2)
//! the same meaning, so one table serves both.
//!
//! Known deviation: a breakpoint or watchpoint that the guest sets never fires, because the
//! hardware's are the hypervisor's. The debug communication channel has no other end.

use super::cpu::Model;

const COMPARATORS: usize = 16;

/// A register of the debug architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DebugRegister {
    Identification,
    StatusInternal,
    StatusControl,
    TransferInternal,
    TransferReceive,
    TransferTransmit,
    CatchVector,
    WatchpointFault,
    CommsInterrupt,
    OsExceptionCatch,
    BreakpointValue(u8),
    BreakpointControl(u8),
    BreakpointExtended(u8),
    WatchpointValue(u8),
    WatchpointControl(u8),
    RomAddress,
    SelfAddress,
    OsLockAccess,
    OsLockStatus,
    OsDoubleLock,
    PowerControl,
    PowerStatus,
    ClaimSet,
    ClaimClear,
    Authentication,
    DeviceId,
    /// DBGDEVID1 and DBGDEVID2; Jazelle's and ThumbEE's registers in a trivial implementation.
    Zero,
}

impl DebugRegister {
    /// By CRn, CRm and opc2, with opc1 0.
    pub const fn at(crn: u8, crm: u8, opc2: u8) -> Option<Self> {
        Some(match (crn, crm, opc2) {
            (0, 0, 0) => Self::Identification,
            (0, 1, 0) => Self::StatusInternal,
            (0, 2, 2) => Self::StatusControl,
            (0, 4 | 5, 0) => Self::TransferInternal,
            (0, 0, 2) => Self::TransferReceive,
            (0, 3, 2) => Self::TransferTransmit,
            (0, 7, 0) => Self::CatchVector,
            (0, 6, 0) => Self::WatchpointFault,
            (0, 2, 0) => Self::CommsInterrupt,
            (0, 6, 2) => Self::OsExceptionCatch,
            (0, n, 4) => Self::BreakpointValue(n),
            (0, n, 5) => Self::BreakpointControl(n),
            (0, n, 6) => Self::WatchpointValue(n),
            (0, n, 7) => Self::WatchpointControl(n),
            (1, n, 1) => Self::BreakpointExtended(n),
            (1, 0, 0) => Self::RomAddress,
            (2, 0, 0) => Self::SelfAddress,
            (1, 0, 4) => Self::OsLockAccess,
            (1, 1, 4) => Self::OsLockStatus,
            (1, 3, 4) => Self::OsDoubleLock,
            (1, 4, 4) => Self::PowerControl,
            (1, 5, 4) => Self::PowerStatus,
            (7, 8, 6) => Self::ClaimSet,
            (7, 9, 6) => Self::ClaimClear,
            (7, 14, 6) => Self::Authentication,
            (7, 2, 7) => Self::DeviceId,
            (7, 0 | 1, 7) => Self::Zero,
            _ => return None,
        })
    }
}

/// The debug registers of one CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Debug {
    status: u32,
    transfer: [u32; 2],
    catch: u32,
    watchpoint_fault: u32,
    comms: u32,
    os_catch: u32,
    locked: bool,
    double_lock: bool,
    power: u32,
    claim: u32,
    values: [[u64; COMPARATORS]; 3],
    controls: [[u32; COMPARATORS]; 2],
}

/// DBGDSCR's mode and enable bits that software sets: HDBGen is the debugger's.
const STATUS_KEPT: u32 = 0xffff_b000;
/// DBGOSLSR.OSLM: the OS lock is there, without save and restore registers.
const OSLM: u32 = 1 << 3;
const OSLK: u32 = 1 << 1;
/// DBGPRSR.PU: powered up.
const POWERED: u32 = 1;

impl Debug {
    /// Reads a register.
    pub fn read(&self, register: DebugRegister, model: &Model) -> u64 {
        let value = |bank: usize, n: u8| {
            self.values
                .get(bank)
                .and_then(|b| b.get(usize::from(n)))
                .copied()
                .unwrap_or(0)
        };
        let control = |bank: usize, n: u8| {
            self.controls
                .get(bank)
                .and_then(|b| b.get(usize::from(n)))
                .copied()
                .unwrap_or(0)
        };
        let word = match register {
            DebugRegister::Identification => model.dbgdidr,
            DebugRegister::StatusInternal | DebugRegister::StatusControl => self.status,
            DebugRegister::TransferInternal | DebugRegister::TransferReceive => self.transfer[0],
            DebugRegister::TransferTransmit => self.transfer[1],
            DebugRegister::CatchVector => self.catch,
            DebugRegister::WatchpointFault => self.watchpoint_fault,
            DebugRegister::CommsInterrupt => self.comms,
            DebugRegister::OsExceptionCatch => self.os_catch,
            DebugRegister::BreakpointValue(n) => return value(0, n),
            DebugRegister::WatchpointValue(n) => return value(1, n),
            DebugRegister::BreakpointExtended(n) => return value(2, n),
            DebugRegister::BreakpointControl(n) => control(0, n),
            DebugRegister::WatchpointControl(n) => control(1, n),
            DebugRegister::OsLockStatus => OSLM | if self.locked { OSLK } else { 0 },
            DebugRegister::OsDoubleLock => u32::from(self.double_lock),
            DebugRegister::PowerControl => self.power,
            DebugRegister::PowerStatus => POWERED,
            DebugRegister::ClaimSet => 0xff,
            DebugRegister::ClaimClear => self.claim,
            DebugRegister::DeviceId => model.dbgdevid,
            // No memory-mapped debug, no external authentication.
            DebugRegister::RomAddress
            | DebugRegister::SelfAddress
            | DebugRegister::OsLockAccess
            | DebugRegister::Authentication
            | DebugRegister::Zero => 0,
        };
        u64::from(word)
    }

    /// Writes a register.
    pub fn write(&mut self, register: DebugRegister, value: u64) {
        let word = value as u32;
        match register {
            DebugRegister::StatusControl => self.status = word & STATUS_KEPT,
            DebugRegister::TransferInternal | DebugRegister::TransferTransmit => {
                self.transfer[1] = word;
            }
            DebugRegister::TransferReceive => self.transfer[0] = word,
            DebugRegister::CatchVector => self.catch = word,
            DebugRegister::WatchpointFault => self.watchpoint_fault = word,
            DebugRegister::CommsInterrupt => self.comms = word,
            DebugRegister::OsExceptionCatch => self.os_catch = word,
            DebugRegister::BreakpointValue(n) => self.set_value(0, n, value),
            DebugRegister::WatchpointValue(n) => self.set_value(1, n, value),
            DebugRegister::BreakpointExtended(n) => self.set_value(2, n, value),
            DebugRegister::BreakpointControl(n) => self.set_control(0, n, word),
            DebugRegister::WatchpointControl(n) => self.set_control(1, n, word),
            // AArch32's key; AArch64's OSLAR_EL1 takes bit 0 (see `sysreg64`).
            DebugRegister::OsLockAccess => self.locked = word == 0xc5ac_ce55,
            DebugRegister::OsDoubleLock => self.double_lock = word & 1 != 0,
            DebugRegister::PowerControl => self.power = word & 1,
            DebugRegister::ClaimSet => self.claim |= word & 0xff,
            DebugRegister::ClaimClear => self.claim &= !word,
            DebugRegister::Identification
            | DebugRegister::StatusInternal
            | DebugRegister::RomAddress
            | DebugRegister::SelfAddress
            | DebugRegister::OsLockStatus
            | DebugRegister::PowerStatus
            | DebugRegister::Authentication
            | DebugRegister::DeviceId
            | DebugRegister::Zero => {}
        }
    }

    /// Locks or unlocks the OS lock.
    pub fn set_os_lock(&mut self, locked: bool) {
        self.locked = locked;
    }

    fn set_value(&mut self, bank: usize, n: u8, value: u64) {
        if let Some(slot) = self
            .values
            .get_mut(bank)
            .and_then(|b| b.get_mut(usize::from(n)))
        {
            *slot = value;
        }
    }

    fn set_control(&mut self, bank: usize, n: u8, value: u32) {
        if let Some(slot) = self
            .controls
            .get_mut(bank)
            .and_then(|b| b.get_mut(usize::from(n)))
        {
            *slot = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cpu::cortex_a15::MODEL;
    use super::*;

    #[test]
    fn a_breakpoint_reads_back_as_it_was_written() {
        let mut d = Debug::default();
        for n in 0..16 {
            let (v, c) = (
                DebugRegister::at(0, n, 4).unwrap(),
                DebugRegister::at(0, n, 5).unwrap(),
            );
            d.write(v, 0x1000 + u64::from(n));
            d.write(c, 0x1e5);
            assert_eq!(
                (d.read(v, &MODEL), d.read(c, &MODEL)),
                (0x1000 + u64::from(n), 0x1e5)
            );
        }
        assert_eq!(d.read(DebugRegister::WatchpointValue(3), &MODEL), 0);
    }

    #[test]
    fn the_os_lock_takes_its_key_only() {
        let mut d = Debug::default();
        d.write(DebugRegister::OsLockAccess, 0xc5ac_ce55);
        assert_eq!(d.read(DebugRegister::OsLockStatus, &MODEL), 0xa);
        d.write(DebugRegister::OsLockAccess, 0);
        assert_eq!(d.read(DebugRegister::OsLockStatus, &MODEL), 0x8);
    }

    #[test]
    fn every_register_of_the_table_takes_any_value() {
        let mut d = Debug::default();
        for crn in 0..16 {
            for crm in 0..16 {
                for opc2 in 0..8 {
                    if let Some(r) = DebugRegister::at(crn, crm, opc2) {
                        d.write(r, u64::MAX);
                        d.read(r, &MODEL);
                    }
                }
            }
        }
        assert_eq!(
            d.read(DebugRegister::Identification, &MODEL),
            u64::from(MODEL.dbgdidr)
        );
    }
}
