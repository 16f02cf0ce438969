//! Exceptions that the guest takes because the hypervisor says so.
//!
//! DDI 0487, G1.12 and `AArch32.EnterMode` (AArch32 state), D1.3 and `AArch64.TakeException`
//! (AArch64 state), G5.11 (fault status in both descriptor formats). What the guest finds is
//! what the hardware would have left, except that PSTATE.PAN is not set on entry.

use super::{Core, SysReg};
use crate::mmio::DataFault;
use crate::vcpu::{Vcpu, bank, mode, psr};

/// An exception for the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// The instruction at PC is undefined.
    Undefined,
    /// A data abort.
    Data(DataFault),
    /// A synchronous external abort on the fetch of the instruction at PC.
    PrefetchAbort,
    /// The guest's own BKPT or BRK; the syndrome's ISS.
    Breakpoint(u32),
}

const SCTLR_V: u64 = 1 << 13;
const SCTLR_EE: u64 = 1 << 25;
const SCTLR_TE: u64 = 1 << 30;
/// TTBCR.EAE: the long-descriptor format, which changes the fault status registers too.
const TTBCR_EAE: u64 = 1 << 31;

/// The offsets of AArch32's vectors.
pub mod vector {
    #![allow(missing_docs)]
    pub const UNDEFINED: u64 = 0x04;
    pub const PREFETCH_ABORT: u64 = 0x0c;
    pub const DATA_ABORT: u64 = 0x10;
    /// Where SCTLR.V puts the table.
    pub const HIGH: u64 = 0xffff_0000;
}

/// Where the guest's AArch32 vectors are now.
pub fn vectors(core: &impl Core) -> u64 {
    if core.get(SysReg::SctlrEl1) & SCTLR_V != 0 {
        vector::HIGH
    } else {
        core.get(SysReg::VbarEl1) & 0xffff_ffe0
    }
}

/// Makes the guest, whose EL1 is AArch64 or not, take `exception`.
pub fn inject(regs: &mut Vcpu, core: &mut impl Core, aarch64: bool, exception: Exception) {
    if aarch64 {
        inject_64(regs, core, exception);
    } else {
        inject_32(regs, core, exception);
    }
}

fn inject_32(regs: &mut Vcpu, core: &mut impl Core, exception: Exception) {
    let long = core.get(SysReg::TcrEl1) & TTBCR_EAE != 0;
    // Fault status: the long format's code with LPAE set, or the short format's, whose bit 4 is
    // bit 10.
    let status = |long_code: u64, short_code: u64| {
        if long {
            1 << 9 | long_code
        } else {
            short_code & 0xf | (short_code & 0x10) << 6
        }
    };
    let thumb = regs.is_thumb();
    match exception {
        Exception::Undefined => {
            let back = if thumb { 2 } else { 4 };
            enter_32(regs, core, mode::UND, vector::UNDEFINED, back);
        }
        Exception::Data(fault) => {
            let DataFault {
                at,
                write,
                status: long,
            } = fault;
            let code = status(u64::from(long), u64::from(fault.short_status()));
            core.set(SysReg::EsrEl1, code | u64::from(write) << 11);
            let other = core.get(SysReg::FarEl1) & !0xffff_ffff;
            core.set(SysReg::FarEl1, other | at & 0xffff_ffff);
            enter_32(regs, core, mode::ABT, vector::DATA_ABORT, 8);
        }
        Exception::PrefetchAbort | Exception::Breakpoint(_) => {
            let code = match exception {
                Exception::Breakpoint(_) => status(0x22, 0x02),
                _ => status(0x10, 0x08),
            };
            core.set(SysReg::Ifsr32, code);
            let other = core.get(SysReg::FarEl1) & 0xffff_ffff;
            core.set(SysReg::FarEl1, regs.pc << 32 | other);
            enter_32(regs, core, mode::ABT, vector::PREFETCH_ABORT, 4);
        }
    }
}

/// Why stage 1 refused, from PAR_EL1 after an address translation (DDI 0487, D17.2.119): the fault
/// status in the long format. None if stage 2 refused.
pub fn stage_1_status(par: u64) -> Option<u8> {
    const F: u64 = 1;
    const S: u64 = 1 << 9;
    (par & (F | S) == F).then_some((par >> 1) as u8 & 0x3f)
}

fn enter_32(regs: &mut Vcpu, core: &mut impl Core, to: u64, offset: u64, back: u64) {
    let sctlr = core.get(SysReg::SctlrEl1);
    let saved = regs.spsr & !psr::SS;
    let (spsr, masks) = match to {
        mode::UND => (SysReg::SpsrUnd, psr::I),
        _ => (SysReg::SpsrAbt, psr::I | psr::A),
    };
    core.set(spsr, saved);
    if let Some(lr) = bank(to, 14) {
        regs.set_x(lr, regs.pc.wrapping_add(back) & 0xffff_ffff);
    }
    let cleared = psr::MODE | psr::T | psr::E | psr::IT_7_2 | psr::IT_1_0 | psr::IL | psr::SS;
    regs.spsr = saved & !cleared
        | to
        | masks
        | if sctlr & SCTLR_TE != 0 { psr::T } else { 0 }
        | if sctlr & SCTLR_EE != 0 { psr::E } else { 0 };
    regs.pc = vectors(core).wrapping_add(offset);
}

fn inject_64(regs: &mut Vcpu, core: &mut impl Core, exception: Exception) {
    const IL: u64 = 1 << 25;
    let from_el1 = !regs.is_aarch32() && !regs.is_user();
    let abort = |class: u64| class.wrapping_add(u64::from(from_el1)) << 26 | IL;
    let (esr, far) = match exception {
        Exception::Undefined => (IL, None),
        Exception::Data(DataFault { at, write, status }) => (
            abort(0x24) | u64::from(status) | u64::from(write) << 6,
            Some(at),
        ),
        Exception::PrefetchAbort => (abort(0x20) | 0x10, Some(regs.pc)),
        Exception::Breakpoint(iss) => {
            let class = if regs.is_aarch32() { 0x38 } else { 0x3c };
            (class << 26 | IL | u64::from(iss & 0xffff), None)
        }
    };
    core.set(SysReg::EsrEl1, esr);
    if let Some(far) = far {
        core.set(SysReg::FarEl1, far);
    }
    core.set(SysReg::ElrEl1, regs.pc);
    core.set(SysReg::SpsrEl1, regs.spsr & !psr::SS);
    let offset = match (from_el1, regs.is_aarch32()) {
        (true, _) => (regs.spsr & 1) << 9,
        (false, false) => 0x400,
        (false, true) => 0x600,
    };
    let kept = psr::N | psr::Z | psr::C | psr::V | psr::PAN;
    regs.spsr = regs.spsr & kept | psr::DAIF | psr::EL1H;
    regs.pc = (core.get(SysReg::VbarEl1) & !0x7ff).wrapping_add(offset);
}

#[cfg(test)]
mod tests {
    use super::super::fake::FakeCore;
    use super::*;

    fn cpu(spsr: u64) -> Vcpu {
        Vcpu {
            spsr,
            pc: 0x8000_1000,
            ..Vcpu::default()
        }
    }

    #[test]
    fn undefined_enters_und_mode_from_every_mode() {
        for m in [
            mode::USR,
            mode::FIQ,
            mode::IRQ,
            mode::SVC,
            mode::ABT,
            mode::UND,
            mode::SYS,
        ] {
            for (t, back) in [(0, 4), (psr::T, 2)] {
                let mut core = FakeCore::default();
                core.set(SysReg::VbarEl1, 0x6000_0000);
                let before = m | t | psr::N | psr::F;
                let mut regs = cpu(before);
                inject(&mut regs, &mut core, false, Exception::Undefined);
                assert_eq!(regs.pc, 0x6000_0004);
                assert_eq!(regs.spsr, mode::UND | psr::N | psr::F | psr::I);
                assert_eq!(regs.x[22], 0x8000_1000 + back);
                assert_eq!(core.get(SysReg::SpsrUnd), before);
            }
        }
    }

    #[test]
    fn the_vector_follows_sctlr() {
        let mut core = FakeCore::default();
        core.set(SysReg::VbarEl1, 0x6000_001f);
        assert_eq!(vectors(&core), 0x6000_0000);
        core.set(SysReg::SctlrEl1, SCTLR_V | SCTLR_TE | SCTLR_EE);
        let mut regs = cpu(mode::SVC | psr::IT_7_2);
        inject(&mut regs, &mut core, false, Exception::Undefined);
        assert_eq!(regs.pc, 0xffff_0004);
        assert_eq!(
            regs.spsr,
            mode::UND | psr::I | psr::T | psr::E,
            "no IT state"
        );
    }

    #[test]
    fn a_data_abort_tells_status_in_the_guests_format() {
        for (ttbcr, status) in [(0, 0x808), (TTBCR_EAE, 0xa10)] {
            let mut core = FakeCore::default();
            core.set(SysReg::TcrEl1, ttbcr);
            core.set(SysReg::FarEl1, 0x1111_1111_2222_2222);
            let mut regs = cpu(mode::SVC);
            let e = Exception::Data(DataFault::external(0x1000_0000, true));
            inject(&mut regs, &mut core, false, e);
            assert_eq!(core.get(SysReg::EsrEl1), status);
            assert_eq!(
                core.get(SysReg::FarEl1),
                0x1111_1111_1000_0000,
                "IFAR is untouched"
            );
            assert_eq!((regs.pc, regs.x[20]), (0x10, 0x8000_1008));
            assert_eq!(regs.spsr, mode::ABT | psr::I | psr::A);
            assert_eq!(core.get(SysReg::SpsrAbt), mode::SVC);
        }
    }

    #[test]
    fn a_prefetch_abort_and_a_breakpoint_share_their_vector() {
        for (e, short, long) in [
            (Exception::PrefetchAbort, 0x8, 0x210),
            (Exception::Breakpoint(7), 0x2, 0x222),
        ] {
            for (ttbcr, status) in [(0, short), (TTBCR_EAE, long)] {
                let mut core = FakeCore::default();
                core.set(SysReg::TcrEl1, ttbcr);
                let mut regs = cpu(mode::USR | psr::T);
                inject(&mut regs, &mut core, false, e);
                assert_eq!(core.get(SysReg::Ifsr32), status);
                assert_eq!(core.get(SysReg::FarEl1), 0x8000_1000 << 32);
                assert_eq!((regs.pc, regs.x[20]), (0xc, 0x8000_1004));
            }
        }
    }

    #[test]
    fn an_alignment_fault_has_its_own_code() {
        let mut core = FakeCore::default();
        let mut regs = cpu(mode::SVC);
        inject(
            &mut regs,
            &mut core,
            false,
            Exception::Data(DataFault::misaligned(2, false)),
        );
        assert_eq!(core.get(SysReg::EsrEl1), 1);
    }

    #[test]
    fn aarch64_picks_its_vector_by_where_it_comes_from() {
        for (pstate, offset, class) in [
            (psr::EL1H, 0x200, 0x25),
            (0x4, 0x000, 0x25),
            (0x0, 0x400, 0x24),
            (mode::USR, 0x600, 0x24),
        ] {
            let mut core = FakeCore::default();
            core.set(SysReg::VbarEl1, 0xffff_8000_0000_0800);
            let mut regs = cpu(pstate | psr::Z);
            inject(
                &mut regs,
                &mut core,
                true,
                Exception::Data(DataFault::external(0x123, true)),
            );
            assert_eq!(regs.pc, 0xffff_8000_0000_0800 + offset);
            assert_eq!(core.get(SysReg::EsrEl1), class << 26 | 1 << 25 | 0x50);
            assert_eq!(core.get(SysReg::FarEl1), 0x123);
            assert_eq!(core.get(SysReg::ElrEl1), 0x8000_1000);
            assert_eq!(core.get(SysReg::SpsrEl1), pstate | psr::Z);
            assert_eq!(regs.spsr, psr::EL1H | psr::DAIF | psr::Z);
        }
    }
}
