//! Why a data access was not done, as the guest is told it.

/// A data abort for the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFault {
    /// The virtual address.
    pub at: u64,
    /// It was a write.
    pub write: bool,
    /// DFSC: the fault status code of the long-descriptor format (DDI 0487, D17.2.37).
    pub status: u8,
}

/// A synchronous external abort.
const EXTERNAL: u8 = 0x10;
/// A misaligned access.
const ALIGNMENT: u8 = 0x21;
/// An exclusive or atomic access to memory that does not support it.
const EXCLUSIVE: u8 = 0x35;

impl DataFault {
    /// The bus refused.
    pub const fn external(at: u64, write: bool) -> Self {
        let status = EXTERNAL;
        Self { at, write, status }
    }

    /// The address is not aligned as the access or its memory's type asks for.
    pub const fn misaligned(at: u64, write: bool) -> Self {
        let status = ALIGNMENT;
        Self { at, write, status }
    }

    /// No exclusive access is done here.
    pub const fn exclusive(at: u64, write: bool) -> Self {
        let status = EXCLUSIVE;
        Self { at, write, status }
    }

    /// The status in the short-descriptor format, its bit 4 being bit 10 of the register
    /// (DDI 0487, G5.11; DDI 0406C, tables B3-23 and B3-24): levels begin with 1 there, and there
    /// is no level 3.
    pub const fn short_status(self) -> u8 {
        let second = self.status & 3 != 1;
        let (first, other) = match self.status {
            0x04..=0x07 => (0x05, 0x07),
            0x08..=0x0b => (0x03, 0x06),
            0x0c..=0x0f => (0x0d, 0x0f),
            0x14..=0x17 => (0x0c, 0x0e),
            0x3c..=0x3f => (0x09, 0x0b),
            ALIGNMENT => (0x01, 0x01),
            EXCLUSIVE => (0x15, 0x15),
            _ => (0x08, 0x08),
        };
        if second { other } else { first }
    }
}
