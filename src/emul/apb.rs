//! The APB side of a peripheral: how an access of any width meets a word-spaced register.
//!
//! AMBA 2 and 3 APB (IHI 0024) move whole words: the peripheral looks at neither the two low
//! address bits nor a byte strobe. So a narrow read gets its lanes of the register, a narrow
//! write puts its bytes on their lanes and zeroes on the others, and the bridge splits a
//! doubleword into two words, the lower first. An access that is not aligned to its width
//! does not reach the bus.

use crate::access::{Access, Refusal, Width};

/// The bits by which an access is shifted within its register's word.
const fn lane(access: Access) -> u32 {
    ((access.offset & 3) as u32).wrapping_mul(8)
}

const fn is_aligned(access: Access) -> bool {
    access.offset & access.width.bytes().wrapping_sub(1) == 0
}

/// Reads the register, or two, that `access` covers; `register` is given word offsets.
pub fn read(access: Access, mut register: impl FnMut(u64) -> u32) -> Result<u64, Refusal> {
    if !is_aligned(access) {
        return Err(Refusal::Width);
    }
    let word = access.offset & !3;
    let low = u64::from(register(word));
    Ok(match access.width {
        Width::Double => low | u64::from(register(word.wrapping_add(4))) << 32,
        width => low.wrapping_shr(lane(access)) & width.mask(),
    })
}

/// Writes the register, or two, that `access` covers; `register` is given word offsets.
pub fn write(
    access: Access,
    value: u64,
    mut register: impl FnMut(u64, u32),
) -> Result<(), Refusal> {
    if !is_aligned(access) {
        return Err(Refusal::Width);
    }
    let word = access.offset & !3;
    register(
        word,
        (value & access.width.mask()).wrapping_shl(lane(access)) as u32,
    );
    if access.width == Width::Double {
        register(word.wrapping_add(4), (value >> 32) as u32);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn seen(access: Access, value: u64) -> Vec<(u64, u32)> {
        let mut seen = Vec::new();
        write(access, value, |offset, value| seen.push((offset, value))).unwrap();
        seen
    }

    #[test]
    fn a_narrow_read_gets_its_lanes() {
        let read = |offset, width| read(Access::word(offset).sized(width), |_| 0x4433_2211);
        assert_eq!(read(0, Width::Word), Ok(0x4433_2211));
        assert_eq!(read(0, Width::Half), Ok(0x2211));
        assert_eq!(read(2, Width::Half), Ok(0x4433));
        assert_eq!(read(3, Width::Byte), Ok(0x44));
        assert_eq!(read(1, Width::Half), Err(Refusal::Width));
        assert_eq!(read(2, Width::Word), Err(Refusal::Width));
        assert_eq!(read(4, Width::Double), Err(Refusal::Width));
    }

    #[test]
    fn a_narrow_write_drives_only_its_lanes() {
        assert_eq!(seen(Access::word(8).sized(Width::Byte), 0x41), [(8, 0x41)]);
        assert_eq!(
            seen(Access::word(10).sized(Width::Half), 0x1234),
            [(8, 0x1234_0000)]
        );
        assert!(write(Access::word(2), 0, |_, _| panic!("reached the bus")).is_err());
    }

    #[test]
    fn a_doubleword_is_two_words_the_lower_first() {
        let access = Access::word(8).sized(Width::Double);
        assert_eq!(
            seen(access, 0x2222_2222_1111_1111),
            [(8, 0x1111_1111), (12, 0x2222_2222)]
        );
        assert_eq!(read(access, |offset| offset as u32), Ok(12 << 32 | 8));
    }
}
