//! How large a card is: what its CSD can say.

use super::BLOCK;

/// What a card is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its bytes, as the CSD says them.
    pub(super) bytes: u64,
    /// Whether it is of high capacity (SDHC): addressed by block, CSD version 2.0.
    pub(super) high_capacity: bool,
    /// Whether it is write-protected.
    pub(super) read_only: bool,
}

/// Why there is no such card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// No byte.
    Empty,
    /// More than 32 GiB less 80 MiB, the most of a high-capacity card.
    TooLarge,
}

/// How a standard-capacity card's CSD gives its size (PLSS 5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standard {
    pub read_bl_len: u8,
    pub c_size_mult: u8,
    pub c_size: u16,
}

/// The most of a standard-capacity card.
const STANDARD_MAX: u64 = 2 << 30;
/// A high-capacity card's unit.
pub(super) const HIGH_UNIT: u64 = 512 << 10;
/// C_SIZE is at most 0xff5f (PLSS 5.3.3).
const HIGH_MAX: u64 = 0xff60 * HIGH_UNIT;

impl Standard {
    /// Of at least so many bytes: in the smallest unit of which 4,096 are enough.
    pub(super) fn holding(bytes: u64) -> Self {
        let mut fit = Self {
            read_bl_len: 9,
            c_size_mult: 0,
            c_size: 0,
        };
        while fit.unit().wrapping_mul(4096) < bytes && fit.c_size_mult < 7 {
            fit.c_size_mult = fit.c_size_mult.wrapping_add(1);
        }
        if fit.unit().wrapping_mul(4096) < bytes {
            fit.read_bl_len = 10;
        }
        let units = bytes.div_ceil(fit.unit().max(1)).clamp(1, 4096);
        fit.c_size = units.wrapping_sub(1) as u16;
        fit
    }

    /// BLOCK_LEN * MULT.
    fn unit(self) -> u64 {
        let shift = u32::from(self.read_bl_len)
            .wrapping_add(u32::from(self.c_size_mult))
            .wrapping_add(2);
        1_u64.wrapping_shl(shift)
    }

    fn bytes(self) -> u64 {
        u64::from(self.c_size)
            .wrapping_add(1)
            .wrapping_mul(self.unit())
    }
}

impl Config {
    /// A card for an image of `bytes`, rounded up to what a CSD can say: 2 KiB up to 8 MiB, more
    /// above. It is of high capacity if it must be, or `high_capacity`.
    pub fn holding(bytes: u64, high_capacity: bool, read_only: bool) -> Result<Self, Unfit> {
        if bytes == 0 {
            return Err(Unfit::Empty);
        }
        if bytes > HIGH_MAX {
            return Err(Unfit::TooLarge);
        }
        let high_capacity = high_capacity || bytes > STANDARD_MAX;
        let bytes = if high_capacity {
            bytes.next_multiple_of(HIGH_UNIT)
        } else {
            Standard::holding(bytes).bytes()
        };
        Ok(Self {
            bytes,
            high_capacity,
            read_only,
        })
    }

    /// Its size: a multiple of a block.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// The byte that an argument addresses: high-capacity cards count blocks (PLSS 4.3.14).
    pub(super) const fn address(self, argument: u32) -> u64 {
        if self.high_capacity {
            (argument as u64).wrapping_mul(BLOCK as u64)
        } else {
            argument as u64
        }
    }
}
