//! The words that are decoded.

/// Numbers of registers at which fields and instructions change.
pub const REGISTERS: &[u32] = &[0, 1, 15, 16, 30, 31];

/// All values of a field, by its number of bits.
pub const ALL: [&[u32]; 5] = [
    &[0],
    &[0, 1],
    &[0, 1, 2, 3],
    &[0, 1, 2, 3, 4, 5, 6, 7],
    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
];

/// `fixed` with each combination of the fields' values; a field is its lowest bit and the values.
pub fn cross(fixed: u32, fields: &[(u32, &[u32])], emit: &mut dyn FnMut(u32)) {
    let Some(((low, values), rest)) = fields.split_first() else {
        return emit(fixed);
    };
    for value in *values {
        cross(fixed | value << low, rest, emit);
    }
}

/// The boundaries of an immediate of so many bits, as a signed and as an unsigned number.
pub fn boundaries(bits: u32) -> [u32; 5] {
    let all = (1 << bits) - 1;
    [0, 1, all >> 1, (all >> 1) + 1, all]
}

/// A splitmix64 generator.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
