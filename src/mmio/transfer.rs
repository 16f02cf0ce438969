//! From a data abort to one access of the bus, and from the bus's answer back to the register.
//!
//! DDI 0487: D17.2.37 (ISS of a data abort), B2.6 (endianness), D1.20.1 (AArch32 registers).

use super::syndrome::{DataAbort, Syndrome};
use crate::access::Width;
use crate::units::Ipa;
use crate::vcpu::{Vcpu, psr, syndrome_register};

/// What a data abort at stage 2 turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// One load or store of one register: for the bus.
    Access(Transfer),
    /// The instruction has to be fetched and decoded: there is no valid syndrome, or the access
    /// is not aligned, so that it is more than one of the bus.
    Instruction,
    /// The guest's translation tables lie in a device.
    TableInDevice,
    /// Cache maintenance by address on a device page. Devices are not cached: nothing to do.
    CacheMaintenance,
    /// Not of stage 2: the host's bus refused, a parity error, and such.
    NotOfStage2,
}

/// One load or store of one general register.
#[allow(clippy::struct_excessive_bools)] // Each is one bit of the syndrome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes moved.
    pub width: Width,
    /// A store.
    pub write: bool,
    /// The X register; 31 is the zero register.
    pub register: u8,
    /// A load that extends the sign.
    pub sign_extend: bool,
    /// The register is 64 bits wide.
    pub wide: bool,
    /// The guest's data is big-endian, so the bytes change places on the bus.
    pub big_endian: bool,
    /// The instruction's length in bytes.
    pub length: u8,
}

/// SCTLR_EL1.EE: data of EL1 is big-endian.
const SCTLR_EE: u64 = 1 << 25;
/// SCTLR_EL1.E0E: data of EL0 is big-endian.
const SCTLR_E0E: u64 = 1 << 24;

/// Says what the data abort `syndrome` at `ipa` is. `sctlr` is the guest's SCTLR_EL1.
#[inline]
pub fn classify(syndrome: Syndrome, ipa: Ipa, regs: &Vcpu, sctlr: u64) -> Abort {
    let abort = DataAbort(syndrome.iss());
    if !abort.fault().is_of_stage_2() {
        return Abort::NotOfStage2;
    }
    if !abort.isv() || abort.s1ptw() || abort.cm() {
        return if abort.s1ptw() {
            Abort::TableInDevice
        } else if abort.cm() {
            Abort::CacheMaintenance
        } else {
            Abort::Instruction
        };
    }
    let a32 = regs.is_aarch32();
    let register = if a32 {
        match syndrome_register(regs.mode(), abort.srt()) {
            Some(x) => x,
            None => return Abort::Instruction,
        }
    } else {
        abort.srt()
    };
    let width = abort.width();
    if ipa.0 & width.bytes().wrapping_sub(1) != 0 {
        return Abort::Instruction;
    }
    Abort::Access(Transfer {
        width,
        write: abort.wnr(),
        register,
        sign_extend: abort.sse(),
        wide: abort.sf() && !a32,
        big_endian: is_big_endian(regs, sctlr),
        length: syndrome.length() as u8,
    })
}

/// Whether the guest's data accesses are big-endian now.
pub fn is_big_endian(regs: &Vcpu, sctlr: u64) -> bool {
    if regs.is_aarch32() {
        regs.spsr & psr::E != 0
    } else if regs.is_user() {
        sctlr & SCTLR_E0E != 0
    } else {
        sctlr & SCTLR_EE != 0
    }
}

impl Transfer {
    /// What a store puts on the bus.
    pub fn value(self, regs: &Vcpu) -> u64 {
        self.in_bus_order(regs.x(self.register))
    }

    /// The bus took the store: the guest goes on.
    pub fn finish_write(self, regs: &mut Vcpu) {
        regs.advance(u64::from(self.length));
    }

    /// The bus answered the load with `value`: it reaches its register, and the guest goes on.
    pub fn finish_read(self, regs: &mut Vcpu, value: u64) {
        let value = self.in_bus_order(value);
        let value = if self.sign_extend {
            self.width.sign_extend(value)
        } else {
            value
        };
        let value = if self.wide || (self.width == Width::Double && !regs.is_aarch32()) {
            value
        } else {
            value & 0xffff_ffff
        };
        regs.set_x(self.register, value);
        regs.advance(u64::from(self.length));
    }

    /// Swaps between the register's order and the bus's, which is little-endian.
    fn in_bus_order(self, value: u64) -> u64 {
        let value = value & self.width.mask();
        if !self.big_endian {
            return value;
        }
        self.width.swap_bytes(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vcpu::mode;

    const WRITE: u64 = 1 << 6;
    const SSE: u64 = 1 << 21;
    const SF: u64 = 1 << 15;

    fn esr(sas: u64, srt: u64, flags: u64) -> Syndrome {
        Syndrome(0x24 << 26 | 1 << 25 | 1 << 24 | sas << 22 | srt << 16 | flags | 0x7)
    }

    fn a32(m: u64) -> Vcpu {
        let mut cpu = Vcpu {
            spsr: m,
            pc: 0x1000,
            ..Vcpu::default()
        };
        for (n, x) in cpu.x.iter_mut().enumerate() {
            *x = 0x1111_0000 + n as u64;
        }
        cpu
    }

    fn access(s: Syndrome, cpu: &Vcpu, sctlr: u64) -> Transfer {
        match classify(s, Ipa(0x1000_0000), cpu, sctlr) {
            Abort::Access(t) => t,
            other => panic!("{other:?}"),
        }
    }

    fn load(s: Syndrome, mut cpu: Vcpu, sctlr: u64, value: u64) -> Vcpu {
        access(s, &cpu, sctlr).finish_read(&mut cpu, value);
        cpu
    }

    #[test]
    fn a_load_reaches_lr_svc_by_either_numbering() {
        for srt in [14, 18] {
            let cpu = load(esr(2, srt, 0), a32(mode::SVC), 0, 0xdead_beef);
            assert_eq!(cpu.x[18], 0xdead_beef);
            assert_eq!(cpu.x[14], 0x1111_000e, "LR_usr is untouched");
            assert_eq!(cpu.pc, 0x1004);
        }
    }

    #[test]
    fn a_fiq_store_takes_the_banked_r8() {
        let cpu = a32(mode::FIQ);
        assert_eq!(access(esr(2, 8, WRITE), &cpu, 0).value(&cpu), 0x1111_0018);
        assert_eq!(access(esr(2, 24, WRITE), &cpu, 0).value(&cpu), 0x1111_0018);
        let cpu = a32(mode::SVC);
        assert_eq!(access(esr(2, 8, WRITE), &cpu, 0).value(&cpu), 0x1111_0008);
    }

    #[test]
    fn sign_extension_stops_at_the_registers_width() {
        assert_eq!(
            load(esr(0, 1, SSE), a32(mode::SVC), 0, 0x80).x[1],
            0xffff_ff80
        );
        assert_eq!(load(esr(1, 1, 0), a32(mode::SVC), 0, 0x8000).x[1], 0x8000);
        let a64 = Vcpu {
            spsr: psr::EL1H,
            ..Vcpu::default()
        };
        assert_eq!(load(esr(0, 1, SSE), a64.clone(), 0, 0x80).x[1], 0xffff_ff80);
        assert_eq!(
            load(esr(0, 1, SSE | SF), a64.clone(), 0, 0x80).x[1],
            0xffff_ffff_ffff_ff80
        );
        assert_eq!(
            load(esr(2, 1, SSE | SF), a64, 0, 0x8000_0000).x[1],
            0xffff_ffff_8000_0000
        );
    }

    #[test]
    fn a_narrow_load_clears_the_rest_of_the_register() {
        let mut a64 = Vcpu {
            spsr: psr::EL1H,
            ..Vcpu::default()
        };
        a64.x[1] = u64::MAX;
        assert_eq!(load(esr(0, 1, 0), a64.clone(), 0, 0xffff_ff12).x[1], 0x12);
        assert_eq!(
            load(esr(3, 1, SF), a64, 0, 0x1234_5678_9abc_def0).x[1],
            0x1234_5678_9abc_def0
        );
    }

    #[test]
    fn the_zero_register_stores_zero_and_takes_nothing() {
        let a64 = Vcpu {
            spsr: psr::EL1H,
            x: [7; 31],
            ..Vcpu::default()
        };
        assert_eq!(access(esr(2, 31, WRITE), &a64, 0).value(&a64), 0);
        assert_eq!(load(esr(2, 31, 0), a64, 0, 5).x, [7; 31]);
    }

    #[test]
    fn big_endian_data_changes_places_on_the_bus() {
        let mut cpu = a32(mode::SVC | psr::E);
        cpu.x[2] = 0x1234_5678;
        assert_eq!(access(esr(2, 2, WRITE), &cpu, 0).value(&cpu), 0x7856_3412);
        assert_eq!(access(esr(1, 2, WRITE), &cpu, 0).value(&cpu), 0x7856);
        assert_eq!(access(esr(0, 2, WRITE), &cpu, 0).value(&cpu), 0x78);
        // Swapped first, then extended.
        assert_eq!(load(esr(1, 2, SSE), cpu, 0, 0x0080).x[2], 0xffff_8000);
    }

    #[test]
    fn aarch64_takes_endianness_from_sctlr_by_exception_level() {
        let el1 = Vcpu {
            spsr: psr::EL1H,
            ..Vcpu::default()
        };
        let el0 = Vcpu::default();
        for (cpu, bit, other) in [(&el1, 1 << 25, 1 << 24), (&el0, 1 << 24, 1 << 25)] {
            assert!(access(esr(2, 2, 0), cpu, bit).big_endian);
            assert!(!access(esr(2, 2, 0), cpu, other).big_endian);
        }
    }

    #[test]
    fn a_thumb_load_in_an_it_block_moves_both_pc_and_it() {
        let mut cpu = a32(mode::SVC | psr::T);
        cpu.spsr |= 0b0100 << 8; // ITT EQ: mask 0100
        let s = Syndrome(esr(2, 0, 0).0 & !(1 << 25));
        let cpu = load(s, cpu, 0, 1);
        assert_eq!(cpu.pc, 0x1002);
        assert_eq!(cpu.it_condition(), 0);
        assert_eq!(cpu.spsr & (psr::IT_7_2 | psr::IT_1_0), 0b1000 << 8);
    }

    #[test]
    fn what_is_no_access_has_a_name() {
        let cpu = a32(mode::SVC);
        let at = Ipa(0x1000_0000);
        let of = |bits: u64| classify(Syndrome(0x24 << 26 | bits), at, &cpu, 0);
        assert_eq!(of(0x7), Abort::Instruction);
        assert_eq!(of(1 << 7 | 0x7), Abort::TableInDevice);
        assert_eq!(of(1 << 24 | 1 << 7 | 0xf), Abort::TableInDevice);
        assert_eq!(of(1 << 8 | 0x7), Abort::CacheMaintenance);
        assert_eq!(of(1 << 24 | 0x10), Abort::NotOfStage2);
        assert_eq!(of(1 << 24 | 15 << 16 | 0x7), Abort::Instruction);
        for at in [0xffd, 0xffe] {
            assert_eq!(classify(esr(2, 0, 0), Ipa(at), &cpu, 0), Abort::Instruction);
        }
        assert!(matches!(
            classify(esr(2, 0, 0), Ipa(0xffc), &cpu, 0),
            Abort::Access(_)
        ));
    }
}
