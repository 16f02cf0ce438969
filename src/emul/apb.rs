//! The APB side of a peripheral: how an access of up to a word meets a word-spaced register.
//!
//! AMBA 2 and 3 APB (IHI 0024) move whole words: the peripheral looks at neither the two low
//! address bits nor a byte strobe. So a narrow read gets its lanes of the register, and a
//! narrow write puts its bytes on their lanes and zeroes on the others. An access that is not
//! aligned to its width does not reach the bus; nor does a doubleword, of which the board's bus
//! makes two words.

use crate::access::{Access, Refusal, Width};

/// The bits by which an access is shifted within its register's word.
#[inline]
const fn lane(access: Access) -> u32 {
    ((access.offset & 3) as u32).wrapping_mul(8)
}

#[inline]
fn fits(access: Access) -> bool {
    access.width <= Width::Word && access.offset & access.width.bytes().wrapping_sub(1) == 0
}

/// Reads the register in which `access` lies; `register` is given its word offset.
pub fn read(access: Access, register: impl FnOnce(u64) -> u32) -> Result<u64, Refusal> {
    if !fits(access) {
        return Err(Refusal::Width);
    }
    let word = u64::from(register(access.offset & !3));
    Ok(word.wrapping_shr(lane(access)) & access.width.mask())
}

/// As [`read`], of a register that [`Device::peek`](super::Device::peek) may tell of, or not.
#[inline]
pub fn peek(access: Access, register: impl FnOnce(u64) -> Option<u32>) -> Option<u64> {
    if !fits(access) {
        return None;
    }
    let word = u64::from(register(access.offset & !3)?);
    if access.width == Width::Word {
        return Some(word);
    }
    Some(word.wrapping_shr(lane(access)) & access.width.mask())
}

/// Writes the register in which `access` lies; `register` is given its word offset.
pub fn write(access: Access, value: u64, register: impl FnOnce(u64, u32)) -> Result<(), Refusal> {
    if !fits(access) {
        return Err(Refusal::Width);
    }
    let lanes = (value & access.width.mask()).wrapping_shl(lane(access));
    register(access.offset & !3, lanes as u32);
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
    fn a_doubleword_does_not_reach_the_bus() {
        let access = Access::word(8).sized(Width::Double);
        assert_eq!(
            write(access, 0, |_, _| panic!("reached the bus")),
            Err(Refusal::Width)
        );
        assert_eq!(
            read(access, |_| panic!("reached the bus")),
            Err(Refusal::Width)
        );
    }
}
