//! What a card says of itself: card status, OCR, CID, CSD, SCR, SD status, switch status.

use super::geometry::{Config, HIGH_UNIT, Standard};

// The card status's errors (PLSS 4.10.1).
pub(super) const OUT_OF_RANGE: u32 = 1 << 31;
pub(super) const ADDRESS_ERROR: u32 = 1 << 30;
pub(super) const BLOCK_LEN_ERROR: u32 = 1 << 29;
pub(super) const ERASE_SEQ_ERROR: u32 = 1 << 28;
pub(super) const ERASE_PARAM: u32 = 1 << 27;
pub(super) const WP_VIOLATION: u32 = 1 << 26;
pub(super) const ILLEGAL_COMMAND: u32 = 1 << 22;
pub(super) const ERROR: u32 = 1 << 19;
pub(super) const ERASE_RESET: u32 = 1 << 13;
/// All that there are here.
pub(super) const ERRORS: u32 = OUT_OF_RANGE
    | ADDRESS_ERROR
    | BLOCK_LEN_ERROR
    | ERASE_SEQ_ERROR
    | ERASE_PARAM
    | WP_VIOLATION
    | ILLEGAL_COMMAND
    | ERROR
    | ERASE_RESET;
pub(super) const READY_FOR_DATA: u32 = 1 << 8;
pub(super) const APP_CMD: u32 = 1 << 5;

/// OCR: 2.7 V to 3.6 V.
pub(super) const VOLTAGES: u32 = 0x00ff_8000;
/// OCR: powered up.
pub(super) const OCR_READY: u32 = 1 << 31;
/// OCR: card capacity status; in ACMD41's argument, host capacity support.
pub(super) const OCR_CCS: u32 = 1 << 30;

/// 128 bits, of which fields are set as the specification numbers them.
struct Bits(u128);

impl Bits {
    fn set(mut self, low: u32, value: u128) -> Self {
        self.0 |= value.wrapping_shl(low);
        self
    }

    /// With the CRC in bits 7:1, and bit 0, which is 1; from the most significant word on.
    fn closed(self) -> [u32; 4] {
        let bytes = self.0.to_be_bytes();
        let crc = crc7(bytes.get(..15).unwrap_or_default());
        let all = self.0 | u128::from(crc).wrapping_shl(1) | 1;
        [96, 64, 32, 0].map(|low| all.wrapping_shr(low) as u32)
    }
}

/// PLSS 4.5: x^7 + x^3 + 1.
pub(super) fn crc7(bytes: &[u8]) -> u8 {
    let mut crc = 0_u8;
    for byte in bytes {
        for bit in (0..8).rev() {
            let top = (crc >> 6 ^ byte.wrapping_shr(bit)) & 1;
            crc = crc << 1 & 0x7f;
            if top != 0 {
                crc ^= 0x09;
            }
        }
    }
    crc
}

/// CID (PLSS 5.2): no maker's.
pub(super) fn cid() -> [u32; 4] {
    Bits(0)
        .set(104, u128::from(u16::from_be_bytes(*b"RQ")))
        .set(96, u128::from(b'R'))
        .set(64, u128::from(u32::from_be_bytes(*b"ELIQ")))
        .set(56, 0x10) // product revision 1.0
        .set(24, 1) // serial number
        .set(8, 0x181) // January 2024
        .closed()
}

/// Classes 0, 2, 4, 5, 8 and 10.
const CCC: u128 = 0x535;

/// CSD (PLSS 5.3): version 1.0 of a standard-capacity card, 2.0 of a high-capacity one.
pub(super) fn csd(config: Config) -> [u32; 4] {
    let common = Bits(0)
        .set(96, 0x32) // TRAN_SPEED: 25 MHz
        .set(84, CCC)
        .set(46, 1) // ERASE_BLK_EN
        .set(39, 0x7f) // SECTOR_SIZE
        .set(26, 2) // R2W_FACTOR
        .set(12, u128::from(config.read_only)); // TMP_WRITE_PROTECT
    if config.high_capacity {
        let units = config.bytes.checked_div(HIGH_UNIT).unwrap_or(1);
        return common
            .set(126, 1)
            .set(112, 0x0e) // TAAC: 1 ms
            .set(80, 9)
            .set(48, u128::from(units.saturating_sub(1)))
            .set(22, 9)
            .closed();
    }
    let size = Standard::holding(config.bytes);
    common
        .set(112, 0x26) // TAAC: 1.5 ms
        .set(80, u128::from(size.read_bl_len))
        .set(79, 1) // READ_BL_PARTIAL
        .set(62, u128::from(size.c_size))
        .set(50, 0o7777) // VDD_R_CURR, VDD_W_CURR: the highest classes
        .set(47, u128::from(size.c_size_mult))
        .set(22, u128::from(size.read_bl_len))
        .closed()
}

/// SCR (PLSS 5.6): version 2.00, erased blocks are 0, no security, one and four lines.
pub(super) const SCR: [u8; 8] = [0x02, 0x05, 0, 0, 0, 0, 0, 0];

/// The SD status (PLSS 4.10.2).
pub(super) const fn sd_status(wide: bool) -> [u8; 64] {
    let mut status = [0; 64];
    status[0] = if wide { 0x80 } else { 0 };
    status
}

/// CMD6's status (PLSS 4.3.10.4): in each group the default function, and no other.
pub(super) fn switch_status(argument: u32) -> [u8; 64] {
    let mut status = [0; 64];
    let chosen = |group: u32| match argument.wrapping_shr(group.wrapping_mul(4)) & 0xf {
        0 | 0xf => 0_u8,
        _ => 0xf,
    };
    let nibbles = |high, low| chosen(high) << 4 | chosen(low);
    let groups = [nibbles(5, 4), nibbles(3, 2), nibbles(1, 0)];
    // 100 mA; 0 says that a function cannot be had.
    let current = if groups == [0; 3] { 100 } else { 0 };
    let head = [
        0, current, 0x80, 1, 0x80, 1, 0x80, 1, 0x80, 1, 0x80, 1, 0x80, 1,
    ];
    for (to, from) in status.iter_mut().zip(head.into_iter().chain(groups)) {
        *to = from;
    }
    status
}
