//! The numbers of the calls and of their answers (docs/reference/channels.md).

/// SMC64 (DEN 0028E, 2.5).
pub const SMC64: u32 = 1 << 30;
/// A fast call of the vendor-specific hypervisor service, of SMC32 or SMC64.
pub const SERVICE: u32 = 0x8600_0000;
/// See [`SERVICE`].
pub const SERVICE_MASK: u32 = 0xbf00_0000;
/// The longest wait in nanoseconds: 60 seconds.
pub const WAIT_MAX_NS: u64 = 60_000_000_000;
/// The bytes of a message in four registers of 32 bits.
pub const NARROW_BYTES: u64 = 16;
/// The service's UID, 5f0c1d6e-9b0a-4c52-8a4d-c1a6e1f0b7d3, in the convention's order of bytes.
pub const UID: [u32; 4] = [0x6e1d_0c5f, 0x524c_0a9b, 0xa6c1_4d8a, 0xd3b7_f0e1];
/// Major and minor revision of these calls.
pub const REVISION: (u64, u64) = (1, 0);

/// What a call answers in X0 or R0.
pub mod status {
    #![allow(missing_docs)]
    pub const SUCCESS: i32 = 0;
    pub const NOT_SUPPORTED: i32 = -1;
    pub const INVALID_PARAMETER: i32 = -3;
    pub const BAD_HANDLE: i32 = -16;
    pub const NOT_PERMITTED: i32 = -17;
    pub const FULL: i32 = -18;
    pub const EMPTY: i32 = -19;
    pub const TIMED_OUT: i32 = -20;
    pub const INTERRUPTED: i32 = -21;
    pub const PEER_DOWN: i32 = -22;
    pub const RESET: i32 = -23;
    pub const BUSY: i32 = -24;
    pub const STALE: i32 = -25;
    pub const SIZE: i32 = -26;
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Function {
    Count,
    Describe,
    Find,
    Send,
    Receive,
    Call,
    Await,
    Reply,
    Notify,
    Take,
    Pending,
    Uid,
    Revision,
}

impl Function {
    /// By its number; those of SMC64 exist for AArch64 callers only.
    #[inline]
    pub const fn of(number: u32, aarch64: bool) -> Option<Self> {
        if number & SMC64 != 0 && !aarch64 {
            return None;
        }
        let function = match number & 0xffff {
            _ if number & 0x00ff_0000 != 0 => return None,
            0x0000 => Self::Count,
            0x0001 => Self::Describe,
            0x0002 => Self::Find,
            0x0003 => Self::Send,
            0x0004 => Self::Receive,
            0x0005 => Self::Call,
            0x0006 => Self::Await,
            0x0007 => Self::Reply,
            0x0008 => Self::Notify,
            0x0009 => Self::Take,
            0x000a => Self::Pending,
            0xff01 if number & SMC64 == 0 => Self::Uid,
            0xff03 if number & SMC64 == 0 => Self::Revision,
            _ => return None,
        };
        Some(function)
    }
}
