//! The general state of a virtual CPU, and how an AArch32 guest's registers lie in it.
//!
//! DDI 0487, D1.20.1 (the mapping of AArch32 registers to X registers), G1.9 (modes), F1.3
//! (conditions), and `AArch32.ITAdvance` in its shared pseudocode.

/// The general state of a vCPU as the metal saves it on every exit.
///
/// An AArch32 guest's registers lie in it as the architecture maps them to X registers
/// (DDI 0487, D1.20.1): r0 to r12 in x0 to x12, SP_usr in x13, and so on to x30.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Vcpu {
    /// X0 to X30.
    pub x: [u64; 31],
    /// ELR_EL2: where the guest goes on.
    pub pc: u64,
    /// SPSR_EL2: the guest's PSTATE or CPSR.
    pub spsr: u64,
}

/// AArch32 modes: M[4:0] of a program status register.
pub mod mode {
    #![allow(missing_docs)]
    pub const USR: u64 = 0x10;
    pub const FIQ: u64 = 0x11;
    pub const IRQ: u64 = 0x12;
    pub const SVC: u64 = 0x13;
    pub const MON: u64 = 0x16;
    pub const ABT: u64 = 0x17;
    pub const HYP: u64 = 0x1a;
    pub const UND: u64 = 0x1b;
    pub const SYS: u64 = 0x1f;
}

/// Bits of a program status register, in SPSR_EL2's layout.
pub mod psr {
    #![allow(missing_docs)]
    pub const N: u64 = 1 << 31;
    pub const Z: u64 = 1 << 30;
    pub const C: u64 = 1 << 29;
    pub const V: u64 = 1 << 28;
    pub const IT_1_0: u64 = 3 << 25;
    /// AArch64: how the instruction was branched to.
    pub const BTYPE: u64 = 3 << 10;
    pub const PAN: u64 = 1 << 22;
    pub const SS: u64 = 1 << 21;
    pub const IL: u64 = 1 << 20;
    pub const IT_7_2: u64 = 0x3f << 10;
    pub const E: u64 = 1 << 9;
    pub const A: u64 = 1 << 8;
    pub const I: u64 = 1 << 7;
    pub const F: u64 = 1 << 6;
    pub const T: u64 = 1 << 5;
    pub const AARCH32: u64 = 1 << 4;
    pub const MODE: u64 = 0x1f;
    /// AArch64: D, A, I and F.
    pub const DAIF: u64 = 0xf << 6;
    /// AArch64: EL1 with its own stack pointer.
    pub const EL1H: u64 = 0x5;
}

impl Vcpu {
    /// Whether the guest was in AArch32 state.
    pub const fn is_aarch32(&self) -> bool {
        self.spsr & psr::AARCH32 != 0
    }

    /// Whether the guest was in T32 (Thumb) state.
    pub const fn is_thumb(&self) -> bool {
        self.is_aarch32() && self.spsr & psr::T != 0
    }

    /// The AArch32 mode; of an AArch64 guest, M[4:0] all the same.
    pub const fn mode(&self) -> u64 {
        self.spsr & psr::MODE
    }

    /// Whether the guest was at EL0.
    pub const fn is_user(&self) -> bool {
        if self.is_aarch32() {
            self.mode() == mode::USR
        } else {
            self.spsr & 0xc == 0
        }
    }

    /// X register `n`; X31 is zero.
    pub fn x(&self, n: u8) -> u64 {
        self.x.get(usize::from(n)).copied().unwrap_or(0)
    }

    /// Sets X register `n`; a write to X31 goes nowhere.
    pub fn set_x(&mut self, n: u8, value: u64) {
        if let Some(x) = self.x.get_mut(usize::from(n)) {
            *x = value;
        }
    }

    /// AArch32's r0 to r14 in the current mode; r15 reads as the instruction's address plus 8
    /// (A32) or 4 (T32).
    pub fn r(&self, n: u8) -> u32 {
        match bank(self.mode(), n) {
            Some(x) => self.x(x) as u32,
            None => self.pc.wrapping_add(if self.is_thumb() { 4 } else { 8 }) as u32,
        }
    }

    /// Sets AArch32's r0 to r14 in the current mode; r15 is left alone.
    pub fn set_r(&mut self, n: u8, value: u32) {
        if let Some(x) = bank(self.mode(), n) {
            self.set_x(x, u64::from(value));
        }
    }

    /// The guest is done with its instruction of `bytes` bytes: PC and IT state move on, and
    /// PSTATE.BTYPE is clear.
    #[inline]
    pub fn advance(&mut self, bytes: u64) {
        self.pc = self.pc.wrapping_add(bytes);
        if self.is_aarch32() {
            self.pc &= 0xffff_ffff;
            if self.spsr & (psr::T | psr::IT_7_2 | psr::IT_1_0) > psr::T {
                self.spsr = it_advance(self.spsr);
            }
        } else {
            self.spsr &= !psr::BTYPE;
        }
    }

    /// Whether the AArch32 condition `cond` holds.
    pub const fn condition_holds(&self, cond: u8) -> bool {
        let (n, z, c, v) = flags(self.spsr);
        let base = match cond >> 1 & 7 {
            0 => z,
            1 => c,
            2 => n,
            3 => v,
            4 => c && !z,
            5 => n == v,
            6 => n == v && !z,
            _ => return true,
        };
        base != (cond & 1 != 0)
    }

    /// The condition of the current T32 instruction, as its IT block gives it; 14 outside one.
    pub const fn it_condition(&self) -> u8 {
        let it = it_state(self.spsr);
        if it.trailing_zeros() >= 4 {
            14
        } else {
            (it >> 4) as u8
        }
    }
}

/// N, Z, C and V.
const fn flags(psr: u64) -> (bool, bool, bool, bool) {
    (
        psr & psr::N != 0,
        psr & psr::Z != 0,
        psr & psr::C != 0,
        psr & psr::V != 0,
    )
}

/// ITSTATE as a status register holds it.
pub const fn it_state(spsr: u64) -> u64 {
    (spsr & psr::IT_7_2) >> 8 | (spsr & psr::IT_1_0) >> 25
}

/// The status register with the low eight bits of `it` as its ITSTATE.
pub const fn with_it_state(spsr: u64, it: u64) -> u64 {
    spsr & !(psr::IT_7_2 | psr::IT_1_0) | (it & 0xfc) << 8 | (it & 3) << 25
}

/// The status register with its IT state moved on by one instruction.
pub const fn it_advance(spsr: u64) -> u64 {
    let it = it_state(spsr);
    let it = if it.trailing_zeros() >= 3 {
        0
    } else {
        it & 0xe0 | (it << 1) & 0x1f
    };
    with_it_state(spsr, it)
}

/// The X register that holds `r<n>` of `mode`; none for r15. A mode that an AArch32 EL1 does not
/// have is taken as User.
#[allow(clippy::match_same_arms)] // One line a row of the manual's table.
pub const fn bank(mode: u64, n: u8) -> Option<u8> {
    Some(match (n, mode) {
        (0..=7, _) => n,
        (8..=12, mode::FIQ) => n.wrapping_add(16),
        (8..=12, _) => n,
        (13, mode::FIQ) => 29,
        (14, mode::FIQ) => 30,
        (13, mode::IRQ) => 17,
        (14, mode::IRQ) => 16,
        (13, mode::SVC) => 19,
        (14, mode::SVC) => 18,
        (13, mode::ABT) => 21,
        (14, mode::ABT) => 20,
        (13, mode::UND) => 23,
        (14, mode::UND) => 22,
        (13, mode::HYP) => 15,
        (13 | 14, _) => n,
        _ => return None,
    })
}

/// The X register that a syndrome's register field means in `mode`; none for r15, which no valid
/// syndrome has.
///
/// The architecture gives the X register that holds the banked one (18 for LR_svc). QEMU 7.2
/// gives the plain number (14). A mode that banks r13 and r14 (FIQ: r8 to r14) has no way to
/// name the User bank's in such an instruction, so a number in that range is the plain one.
pub const fn syndrome_register(mode: u64, field: u8) -> Option<u8> {
    match field {
        0..=14 => bank(mode, field),
        16..=30 => Some(field),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_finds_its_own_bank() {
        for (m, sp, lr) in [
            (mode::USR, 13, 14),
            (mode::SYS, 13, 14),
            (mode::IRQ, 17, 16),
            (mode::SVC, 19, 18),
            (mode::ABT, 21, 20),
            (mode::UND, 23, 22),
            (mode::FIQ, 29, 30),
        ] {
            assert_eq!(
                (bank(m, 13), bank(m, 14)),
                (Some(sp), Some(lr)),
                "mode {m:#x}"
            );
            assert_eq!(bank(m, 15), None);
            assert_eq!(bank(m, 8), Some(if m == mode::FIQ { 24 } else { 8 }));
            assert_eq!(bank(m, 7), Some(7));
        }
    }

    #[test]
    fn a_plain_and_a_banked_register_number_mean_the_same_register() {
        for m in [
            mode::IRQ,
            mode::SVC,
            mode::ABT,
            mode::UND,
            mode::FIQ,
            mode::SYS,
        ] {
            for n in 0..15 {
                let x = bank(m, n).unwrap();
                assert_eq!(syndrome_register(m, n), Some(x));
                assert_eq!(syndrome_register(m, x), Some(x), "mode {m:#x} r{n}");
            }
        }
        assert_eq!(syndrome_register(mode::SVC, 15), None);
        assert_eq!(syndrome_register(mode::SVC, 31), None);
    }

    #[test]
    fn an_it_block_runs_out_after_its_last_instruction() {
        // ITTE EQ: firstcond 0000, mask 0b0110 -> EQ, EQ, NE.
        let it = 0b0000_0110u64;
        let mut cpu = Vcpu {
            spsr: mode::SVC | psr::T | (it & 0xfc) << 8 | (it & 3) << 25,
            ..Vcpu::default()
        };
        let mut seen = std::vec::Vec::new();
        for _ in 0..4 {
            seen.push(cpu.it_condition());
            cpu.advance(2);
        }
        assert_eq!(seen, [0, 0, 1, 14]);
        assert_eq!(cpu.spsr, mode::SVC | psr::T);
        assert_eq!(cpu.pc, 8);
    }

    #[test]
    fn conditions_follow_the_flags() {
        // For each condition, the flags (NZCV) under which it holds, from the table in F1.3.
        for flags in 0u64..16 {
            let cpu = Vcpu {
                spsr: flags << 28 | mode::SVC,
                ..Vcpu::default()
            };
            let (n, z, c, v) = (
                flags & 8 != 0,
                flags & 4 != 0,
                flags & 2 != 0,
                flags & 1 != 0,
            );
            let table = [
                z,
                !z,
                c,
                !c,
                n,
                !n,
                v,
                !v,
                c && !z,
                !c || z,
                n == v,
                n != v,
                !z && n == v,
                z || n != v,
                true,
                true,
            ];
            for (cond, holds) in table.into_iter().enumerate() {
                assert_eq!(cpu.condition_holds(cond as u8), holds, "{flags:04b} {cond}");
            }
        }
    }

    #[test]
    fn an_aarch32_pc_wraps_at_four_gigabytes() {
        let mut cpu = Vcpu {
            pc: 0xffff_fffc,
            spsr: mode::SVC,
            ..Vcpu::default()
        };
        cpu.advance(4);
        assert_eq!(cpu.pc, 0);
    }
}
