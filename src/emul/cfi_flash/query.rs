//! What a chip answers in query mode (JESD68.01, table 1 to 5) and in identifier mode.
//!
//! Offsets are in words of the chip, from the start of any block.

use super::chip::Part;

/// Where the Intel extended table begins.
const EXTENDED: u32 = 0x31;
/// Log2 of the bytes that one buffered program takes, a chip. A x8 chip's count is one byte.
pub(super) const fn buffer_log2(width_log2: u32) -> u8 {
    if width_log2 == 0 { 8 } else { 11 }
}

/// Optional features: erase suspend (bit 1), program suspend (bit 2), instant locking of
/// single blocks (bit 5).
const FEATURES: u8 = 1 << 1 | 1 << 2 | 1 << 5;

/// The byte at `offset` of the query table.
// A line for each field, though some have the same value.
#[allow(clippy::match_same_arms)]
pub(super) fn query(part: &Part, offset: u32) -> u8 {
    let blocks_less_1 = part.blocks.wrapping_sub(1).to_le_bytes();
    let block_256 = (part.block_bytes() >> 8).to_le_bytes();
    match offset {
        0x10 => b'Q',
        0x11 => b'R',
        0x12 => b'Y',
        // Primary command set 0x0001: Intel/Sharp extended. No alternate one.
        0x13 => 0x01,
        0x15 => EXTENDED as u8,
        // Supply 4.5 to 5.5 V, in BCD; no programming voltage of its own.
        0x1b => 0x45,
        0x1c => 0x55,
        // Typical times: word program 2^7 us, buffer 2^7 us, block erase 2^10 ms; worst case
        // 2^4 times that. A real part's figures: how long this one takes is its config.
        0x1f | 0x20 => 7,
        0x21 => 10,
        0x23..=0x25 => 4,
        0x27 => part.chip_log2(),
        // Interface: x8 alone, or a x8/x16 part on a 16-bit bus.
        0x28 => part.width_log2.wrapping_shl(1) as u8,
        0x2a => buffer_log2(part.width_log2),
        // One region of equal blocks: their number less 1, their size in units of 256 bytes.
        0x2c => 1,
        0x2d => byte(blocks_less_1, 0),
        0x2e => byte(blocks_less_1, 1),
        0x2f => byte(block_256, 0),
        0x30 => byte(block_256, 1),
        // The extended table (Application Note 646), version 1.0.
        0x31 => b'P',
        0x32 => b'R',
        0x33 => b'I',
        0x34 => b'1',
        0x35 => b'0',
        0x36 => FEATURES,
        // Bits of a block's status: locked, locked down.
        0x3b => 0x03,
        // One protection register, at 0x80: 2^3 bytes of the factory, 2^3 of the user.
        0x3f => 1,
        0x40 => 0x80,
        0x42 | 0x43 => 3,
        _ => 0,
    }
}

fn byte(of: [u8; 4], index: usize) -> u8 {
    of.get(index).copied().unwrap_or(0)
}

/// The word at `offset` in identifier mode; `lock` is the block's lock status, `rcr` the read
/// configuration register.
pub(super) fn identifier(part: &Part, offset: u32, lock: u8, rcr: u16) -> u16 {
    match offset {
        0 => part.manufacturer,
        1 => part.device,
        2 => u16::from(lock),
        5 => rcr,
        // Protection lock register: both halves of the protection register are locked.
        0x80 => 0xfffc,
        // The protection register, unprogrammed.
        0x81..=0x88 => 0xffff,
        _ => 0,
    }
}
