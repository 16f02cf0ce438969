//! ESR_EL2 and the syndrome of an abort (DDI 0487, D17.2.37).

use crate::access::Width;

/// ESR_EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syndrome(pub u64);

/// Exception classes: ESR_EL2.EC.
pub mod ec {
    #![allow(missing_docs)]
    pub const UNKNOWN: u8 = 0x00;
    pub const WFX: u8 = 0x01;
    pub const CP15_32: u8 = 0x03;
    pub const CP15_64: u8 = 0x04;
    pub const CP14_32: u8 = 0x05;
    pub const CP14_LS: u8 = 0x06;
    pub const FP: u8 = 0x07;
    pub const CP10_ID: u8 = 0x08;
    pub const PAUTH: u8 = 0x09;
    pub const CP14_64: u8 = 0x0c;
    pub const ILLEGAL: u8 = 0x0e;
    pub const SVC32: u8 = 0x11;
    pub const HVC32: u8 = 0x12;
    pub const SMC32: u8 = 0x13;
    pub const SVC64: u8 = 0x15;
    pub const HVC64: u8 = 0x16;
    pub const SMC64: u8 = 0x17;
    pub const SYS64: u8 = 0x18;
    pub const SVE: u8 = 0x19;
    pub const INSN_ABORT: u8 = 0x20;
    pub const PC_ALIGNMENT: u8 = 0x22;
    pub const DATA_ABORT: u8 = 0x24;
    pub const SP_ALIGNMENT: u8 = 0x26;
    pub const FP32: u8 = 0x28;
    pub const FP64: u8 = 0x2c;
    pub const BREAKPOINT: u8 = 0x30;
    pub const STEP: u8 = 0x32;
    pub const WATCHPOINT: u8 = 0x34;
    pub const BKPT32: u8 = 0x38;
    pub const VECTOR_CATCH: u8 = 0x3a;
    pub const BRK64: u8 = 0x3c;
}

impl Syndrome {
    /// EC, bits 31:26.
    pub const fn class(self) -> u8 {
        (self.0 >> 26) as u8 & 0x3f
    }

    /// ISS, bits 24:0.
    pub const fn iss(self) -> u32 {
        self.0 as u32 & 0x01ff_ffff
    }

    /// The instruction's length by IL: 4 or 2 bytes.
    pub const fn length(self) -> u64 {
        if self.0 & 1 << 25 != 0 { 4 } else { 2 }
    }

    /// The class in words, for a report.
    pub const fn class_in_words(self) -> &'static str {
        match self.class() {
            ec::UNKNOWN => "unknown reason",
            ec::WFX => "WFI or WFE",
            ec::CP15_32 => "MCR or MRC to CP15",
            ec::CP15_64 => "MCRR or MRRC to CP15",
            ec::CP14_32 => "MCR or MRC to CP14",
            ec::CP14_LS => "LDC or STC to CP14",
            ec::FP => "floating-point or SIMD access",
            ec::CP10_ID => "VMRS of an ID register",
            ec::PAUTH => "pointer authentication",
            ec::CP14_64 => "MCRR or MRRC to CP14",
            ec::ILLEGAL => "illegal execution state",
            ec::SVC32 => "SVC from AArch32",
            ec::HVC32 => "HVC from AArch32",
            ec::SMC32 => "SMC from AArch32",
            ec::SVC64 => "SVC",
            ec::HVC64 => "HVC",
            ec::SMC64 => "SMC",
            ec::SYS64 => "MSR, MRS or system instruction",
            ec::SVE => "SVE",
            ec::INSN_ABORT => "instruction abort",
            ec::PC_ALIGNMENT => "misaligned PC",
            ec::DATA_ABORT => "data abort",
            ec::SP_ALIGNMENT => "misaligned SP",
            ec::FP32 | ec::FP64 => "floating-point exception",
            ec::BREAKPOINT => "breakpoint",
            ec::STEP => "software step",
            ec::WATCHPOINT => "watchpoint",
            ec::BKPT32 => "BKPT",
            ec::VECTOR_CATCH => "vector catch",
            ec::BRK64 => "BRK",
            _ => "a class that no rule here names",
        }
    }
}

/// What kind of fault an abort is: DFSC or IFSC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An address beyond the output size.
    AddressSize,
    /// Nothing is mapped.
    Translation,
    /// The access flag is clear.
    AccessFlag,
    /// Mapped, but not for this kind of access.
    Permission,
    /// A synchronous external abort: the host's bus refused.
    External,
    /// An external abort on a translation table walk.
    ExternalOnWalk,
    /// A parity or ECC error.
    Parity,
    /// A misaligned access to Device memory, or by a form that checks.
    Alignment,
    /// Two TLB entries matched.
    TlbConflict,
    /// An exclusive or atomic access to memory that does not do it.
    Exclusive,
    /// Any other code.
    Other(u8),
}

impl Fault {
    /// From the six bits of a fault status code.
    pub const fn from_code(code: u8) -> Self {
        match code & 0x3f {
            0x00..=0x03 => Self::AddressSize,
            0x04..=0x07 => Self::Translation,
            0x08..=0x0b => Self::AccessFlag,
            0x0c..=0x0f => Self::Permission,
            0x10 => Self::External,
            0x14..=0x17 => Self::ExternalOnWalk,
            0x18 | 0x1c..=0x1f => Self::Parity,
            0x21 => Self::Alignment,
            0x30 => Self::TlbConflict,
            0x31 | 0x35 => Self::Exclusive,
            other => Self::Other(other),
        }
    }

    /// Whether stage 2's own rules raised it, so that its address means a place on the board.
    pub const fn is_of_stage_2(self) -> bool {
        matches!(
            self,
            Self::AddressSize | Self::Translation | Self::AccessFlag | Self::Permission
        )
    }

    /// In words, for a report.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::AddressSize => "address size fault",
            Self::Translation => "translation fault",
            Self::AccessFlag => "access flag fault",
            Self::Permission => "permission fault",
            Self::External => "external abort",
            Self::ExternalOnWalk => "external abort on a table walk",
            Self::Parity => "parity or ECC error",
            Self::Alignment => "alignment fault",
            Self::TlbConflict => "TLB conflict",
            Self::Exclusive => "exclusive or atomic access to memory that has none",
            Self::Other(_) => "fault of a code that no rule here names",
        }
    }
}

/// The ISS of a data abort (EC 0x24); of an instruction abort (EC 0x20) too, which has S1PTW,
/// FnV, EA and the code at the same places and no valid instruction syndrome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataAbort(pub u32);

impl DataAbort {
    const fn bit(self, n: u32) -> bool {
        self.0 & 1 << n != 0
    }
    /// ISV: SAS to AR are valid.
    pub const fn isv(self) -> bool {
        self.bit(24)
    }
    /// SAS: the access's size.
    pub const fn width(self) -> Width {
        match self.0 >> 22 & 3 {
            0 => Width::Byte,
            1 => Width::Half,
            2 => Width::Word,
            _ => Width::Double,
        }
    }
    /// SSE: the value is sign-extended.
    pub const fn sse(self) -> bool {
        self.bit(21)
    }
    /// SRT: the register's number.
    pub const fn srt(self) -> u8 {
        (self.0 >> 16) as u8 & 0x1f
    }
    /// SF: the register is 64 bits wide.
    pub const fn sf(self) -> bool {
        self.bit(15)
    }
    /// AR: the instruction has acquire or release semantics.
    pub const fn ar(self) -> bool {
        self.bit(14)
    }
    /// FnV: FAR does not hold the address.
    pub const fn fnv(self) -> bool {
        self.bit(10)
    }
    /// EA: the external abort's type.
    pub const fn ea(self) -> bool {
        self.bit(9)
    }
    /// CM: cache maintenance, or an address translation instruction.
    pub const fn cm(self) -> bool {
        self.bit(8)
    }
    /// S1PTW: stage 2 faulted on a walk of the guest's stage 1.
    pub const fn s1ptw(self) -> bool {
        self.bit(7)
    }
    /// WnR: a write.
    pub const fn wnr(self) -> bool {
        self.bit(6)
    }
    /// DFSC or IFSC.
    pub const fn fault(self) -> Fault {
        Fault::from_code(self.0 as u8 & 0x3f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_byte_of_r3_reads_as_one() {
        // EC 0x24, IL, ISV, SAS 0, SRT 3, WnR, translation fault at level 3.
        let s = Syndrome(0x9303_0047);
        let a = DataAbort(s.iss());
        assert_eq!((s.class(), s.length()), (ec::DATA_ABORT, 4));
        assert_eq!(
            (a.isv(), a.width(), a.srt(), a.wnr()),
            (true, Width::Byte, 3, true)
        );
        assert_eq!(
            (a.fault(), a.sse(), a.sf(), a.s1ptw()),
            (Fault::Translation, false, false, false)
        );
    }

    #[test]
    fn each_flag_has_its_own_bit() {
        type Flag = fn(DataAbort) -> bool;
        let flags: [(u32, Flag); 9] = [
            (24, DataAbort::isv),
            (21, DataAbort::sse),
            (15, DataAbort::sf),
            (14, DataAbort::ar),
            (10, DataAbort::fnv),
            (9, DataAbort::ea),
            (8, DataAbort::cm),
            (7, DataAbort::s1ptw),
            (6, DataAbort::wnr),
        ];
        for (bit, flag) in flags {
            for other in 0..25 {
                assert_eq!(flag(DataAbort(1 << other)), other == bit);
            }
        }
    }

    #[test]
    fn only_stage_2_faults_name_a_place_on_the_board() {
        let on_board = (0u8..64).filter(|c| Fault::from_code(*c).is_of_stage_2());
        assert!(on_board.eq(0..16));
    }
}
