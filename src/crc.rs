//! CRC-32 as of IEEE 802.3 (reflected, polynomial 0xedb88320), four bits at a time.

/// A CRC-32 in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crc32(u32);

impl Crc32 {
    /// The CRC of no bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// The CRC that goes on from a value told by [`Crc32::value`].
    #[must_use]
    pub const fn resume(value: u32) -> Self {
        Self(value)
    }

    /// The CRC of the bytes so far.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut crc = !self.0;
        for byte in bytes {
            crc ^= u32::from(*byte);
            crc = (crc >> 4) ^ nibble(crc);
            crc = (crc >> 4) ^ nibble(crc);
        }
        self.0 = !crc;
    }

    /// The CRC of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> u32 {
        let mut crc = Self::new();
        crc.update(bytes);
        crc.value()
    }
}

/// What each value of the low four bits adds when they are shifted out.
const NIBBLES: [u32; 16] = [
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
];

fn nibble(crc: u32) -> u32 {
    NIBBLES
        .get((crc & 0xf) as usize)
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue_is_met() {
        assert_eq!(Crc32::of(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_crc_goes_on_from_its_value() {
        let mut crc = Crc32::resume(Crc32::of(b"1234"));
        crc.update(b"56789");
        assert_eq!(crc.value(), 0xcbf4_3926);
    }
}
