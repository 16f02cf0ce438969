//! One access of a bus master to a device's registers.

use core::fmt;

/// How many bytes an access moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// 8 bits.
    Byte,
    /// 16 bits.
    Half,
    /// 32 bits.
    Word,
    /// 64 bits.
    Double,
}

impl Width {
    /// The width of `bytes` bytes, if a bus has it.
    pub const fn from_bytes(bytes: u64) -> Option<Self> {
        match bytes {
            1 => Some(Self::Byte),
            2 => Some(Self::Half),
            4 => Some(Self::Word),
            8 => Some(Self::Double),
            _ => None,
        }
    }

    /// 1, 2, 4 or 8.
    #[inline]
    pub const fn bytes(self) -> u64 {
        // The variants are in this order.
        1 << self as u8
    }

    /// A value's bits that this width carries.
    pub const fn mask(self) -> u64 {
        match self {
            Self::Byte => 0xff,
            Self::Half => 0xffff,
            Self::Word => 0xffff_ffff,
            Self::Double => u64::MAX,
        }
    }

    /// A value of this width with its bytes in the other order; what is above it is dropped.
    pub const fn swap_bytes(self, value: u64) -> u64 {
        match self {
            Self::Byte => value & 0xff,
            Self::Half => (value as u16).swap_bytes() as u64,
            Self::Word => (value as u32).swap_bytes() as u64,
            Self::Double => value.swap_bytes(),
        }
    }

    /// A value of this width with its sign up to bit 63.
    pub const fn sign_extend(self, value: u64) -> u64 {
        match self {
            Self::Byte => ((value as u8).cast_signed() as i64).cast_unsigned(),
            Self::Half => ((value as u16).cast_signed() as i64).cast_unsigned(),
            Self::Word => ((value as u32).cast_signed() as i64).cast_unsigned(),
            Self::Double => value,
        }
    }
}

/// Who drives the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// The virtual CPU of this number, as its board numbers them.
    Cpu(u8),
    /// A bus-mastering device.
    Master(u8),
}

impl Initiator {
    /// The CPU's number for banked registers; a master has no bank of its own and sees 0.
    pub const fn cpu(self) -> usize {
        match self {
            Self::Cpu(n) => n as usize,
            Self::Master(_) => 0,
        }
    }
}

/// The state that the bus carries beside the address (AxPROT[1]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// Secure: a guest that entered its board in Secure state.
    Secure,
    /// Non-secure.
    NonSecure,
}

/// The [`region`](Access::region) of the registers that CPUs reach by instructions of their own, and
/// not by addresses: those of an interrupt controller that has its CPU interface there. The offset
/// is what [`system_register`] gives, and the width is [`Width::Double`].
pub const SYSTEM_REGISTERS: u8 = u8::MAX;

/// The offset of a system register: eight bytes each, by their encodings in AArch64.
pub const fn system_register(op0: u8, op1: u8, crn: u8, crm: u8, op2: u8) -> u64 {
    let encoding = (op0 as u64) << 14
        | (op1 as u64) << 11
        | (crn as u64) << 7
        | (crm as u64) << 3
        | op2 as u64;
    encoding << 3
}

/// An access as a device sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Which of the device's register blocks: the index in its node's `reg` property.
    pub region: u8,
    /// Bytes from the block's start. The whole access lies inside the block.
    pub offset: u64,
    /// Bytes moved.
    pub width: Width,
    /// Who asks.
    pub initiator: Initiator,
    /// In which security state.
    pub security: Security,
    /// Whether the initiator is privileged (AxPROT[0]).
    pub privileged: bool,
}

impl Access {
    /// A privileged, Non-secure word access of CPU 0 to region 0: the common case in tests.
    pub const fn word(offset: u64) -> Self {
        Self {
            region: 0,
            offset,
            width: Width::Word,
            initiator: Initiator::Cpu(0),
            security: Security::NonSecure,
            privileged: true,
        }
    }

    /// The same access with another width.
    #[must_use]
    pub const fn sized(self, width: Width) -> Self {
        Self { width, ..self }
    }
}

/// Why a device does not carry out an access. The board turns it into what its bus does:
/// an external abort, or the board's policy for such ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No register is there.
    NoRegister,
    /// The register exists, but not for this width or alignment.
    Width,
    /// The register exists, but not for this security state or privilege.
    Forbidden,
    /// Saved state that is too short, too long, or not of this device.
    BadState,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRegister => "no register at this offset",
            Self::Width => "the register does not take this width",
            Self::Forbidden => "the register is not open to this security state",
            Self::BadState => "the saved state is not one of this device",
        })
    }
}
