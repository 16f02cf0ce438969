//! What a chip of the AMD command set answers in query mode (JESD68.01; S29GL-P_00_A7, 12.1) and
//! in autoselect mode (7.6).

use crate::emul::cfi_flash::chip::Part;

/// Where the primary extended table begins.
const EXTENDED: u32 = 0x40;
/// Log2 of the bytes of the write buffer.
pub(super) const BUFFER_LOG2: u32 = 6;

/// The byte at `offset` of the query table.
// A line for each field, though some have the same value.
#[allow(clippy::match_same_arms)]
pub(super) fn query(part: &Part, offset: u32) -> u8 {
    let [blocks_low, blocks_high, ..] = part.blocks.wrapping_sub(1).to_le_bytes();
    let [size_low, size_high, ..] = (part.block_bytes() >> 8).to_le_bytes();
    match offset {
        0x10 => b'Q',
        0x11 => b'R',
        0x12 => b'Y',
        // Primary command set 0x0002: AMD and Fujitsu standard. No alternate one.
        0x13 => 0x02,
        0x15 => EXTENDED as u8,
        // Supply 2.7 to 3.6 V, in BCD; no programming voltage of its own.
        0x1b => 0x27,
        0x1c => 0x36,
        // Typical times: word and buffer program 2^6 us, sector erase 2^9 ms, chip erase 2^19 ms;
        // the worst case is 2^3, 2^5, 2^3 and 2^2 times that. How long this one takes is its
        // config.
        0x1f | 0x20 => 6,
        0x21 => 9,
        0x22 => 19,
        0x23 => 3,
        0x24 => 5,
        0x25 => 3,
        0x26 => 2,
        0x27 => part.chip_log2(),
        // Interface: x8 alone, or a x8/x16 part on a 16-bit bus.
        0x28 => part.width_log2.wrapping_shl(1) as u8,
        0x2a => BUFFER_LOG2 as u8,
        // One region of equal sectors: their number less 1, their size in units of 256 bytes.
        0x2c => 1,
        0x2d => blocks_low,
        0x2e => blocks_high,
        0x2f => size_low,
        0x30 => size_high,
        // The extended table, version 1.3.
        0x40 => b'P',
        0x41 => b'R',
        0x42 => b'I',
        0x43 => b'1',
        0x44 => b'3',
        // Unlock cycles need their addresses; 90 nm.
        0x45 => 0x14,
        // Reads and programs while an erase is suspended.
        0x46 => 2,
        // Protection by single sectors, of the advanced kind.
        0x47 => 1,
        0x49 => 8,
        // No burst; pages of eight words.
        0x4c => 2,
        // An acceleration supply of 11.5 to 12.5 V.
        0x4d => 0xb5,
        0x4e => 0xc5,
        // Uniform sectors with no WP# protection; no program suspend.
        _ => 0,
    }
}

/// The word at `offset` in autoselect mode. Words 14 and 15 are the rest of the device's code,
/// by the size of the chip.
pub(super) fn autoselect(part: &Part, offset: u32, protected: bool) -> u16 {
    let code = match offset & 0xff {
        0 => part.manufacturer,
        1 => part.device,
        2 => u16::from(protected),
        // Not locked by the factory.
        3 => 0x0019,
        0x0e => match part.chip_log2() {
            24 => 0x2221,
            26 => 0x2223,
            27 => 0x2228,
            _ => 0x2222,
        },
        0x0f => 0x2201,
        _ => 0,
    };
    if part.width_log2 == 0 {
        code & 0xff
    } else {
        code
    }
}
