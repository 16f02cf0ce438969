//! Memory that answers as a device does: every access traps.
//!
//! No manual: the part is ours. `compatible`: `reliquary,ram`. Region 0 is the memory, of the
//! size that `reg` gives it, at most [`MAX_BYTES`]; there are no lines. Accesses of 8 to 64 bits
//! at offsets aligned to their width read and write it, little-endian; its port has 64 bits.
//! A warm reset leaves its contents, a cold one clears them.
//!
//! It is there for what must be shown of loads and stores: whatever an instruction does to
//! memory, it does to this device too. A map that wants memory as such says `mmio-sram`.
//!
//! Deviation from memory: an access that is not aligned to its width is refused.

use super::describe::Description;
use super::state::{Reader, Writer};
use super::{Cx, Device, Reset};
use crate::access::{Access, Refusal};
use crate::units::Instant;
use alloc::vec;
use alloc::vec::Vec;

/// The most bytes that it can have.
pub const MAX_BYTES: u64 = 0x1_0000;
/// It has no registers.
pub static DESCRIPTION: Description =
    Description::of("ours", &[]).deviations(&["an access that is not aligned is refused"]);

/// The memory.
pub struct Ram {
    /// In doublewords, the last of which may be more than there is.
    doubles: Vec<u64>,
    bytes: u64,
}

/// By how many bits an access is shifted within its doubleword.
const fn lane(access: Access) -> u32 {
    (access.offset as u32 & 7).wrapping_mul(8)
}

impl Ram {
    /// Cleared memory of `bytes` bytes; none if that is more than [`MAX_BYTES`].
    pub fn new(bytes: u64) -> Option<Self> {
        let doubles = vec![0; usize::try_from(bytes.min(MAX_BYTES)).ok()?.div_ceil(8)];
        (bytes <= MAX_BYTES).then_some(Self { doubles, bytes })
    }

    /// Where the doubleword of an access is.
    fn place(&self, access: Access) -> Result<usize, Refusal> {
        let bytes = access.width.bytes();
        if access.offset & bytes.wrapping_sub(1) != 0 {
            return Err(Refusal::Width);
        }
        let end = access.offset.checked_add(bytes);
        if access.region != 0 || end.is_none_or(|end| end > self.bytes) {
            return Err(Refusal::NoRegister);
        }
        Ok((access.offset >> 3) as usize)
    }
}

impl Device for Ram {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        self.place(access)?;
        self.peek(cx.now, access).ok_or(Refusal::NoRegister)
    }

    fn peek(&self, _: Instant, access: Access) -> Option<u64> {
        let bytes = access.width.bytes();
        let end = access.offset.wrapping_add(bytes);
        if access.offset & bytes.wrapping_sub(1) != 0 || end > self.bytes {
            return None;
        }
        let double = self.doubles.get((access.offset >> 3) as usize)?;
        Some(double.wrapping_shr(lane(access)) & access.width.mask())
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        let place = self.place(access)?;
        let mask = access.width.mask().wrapping_shl(lane(access));
        let double = self.doubles.get_mut(place).ok_or(Refusal::NoRegister)?;
        *double = *double & !mask | value.wrapping_shl(lane(access)) & mask;
        Ok(())
    }

    fn reset(&mut self, kind: Reset) {
        if kind == Reset::Cold {
            self.doubles.fill(0);
        }
    }

    fn save(&self, out: &mut Writer) {
        for double in &self.doubles {
            out.bytes(&double.to_le_bytes());
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        let saved = from.bytes(self.doubles.len().saturating_mul(8))?;
        let (doubles, _) = saved.as_chunks();
        for (to, from) in self.doubles.iter_mut().zip(doubles) {
            *to = u64::from_le_bytes(*from);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Width;
    use crate::emul::random_walk;
    use crate::memory::NoMemory;
    use crate::random::Random;

    const WIDTHS: [Width; 4] = [Width::Byte, Width::Half, Width::Word, Width::Double];

    fn cx() -> Cx<'static> {
        Cx::new(Instant::ZERO, &NoMemory, None)
    }
    fn ram(bytes: u64) -> Ram {
        Ram::new(bytes).expect("not too large")
    }
    fn at(offset: u64, width: Width) -> Access {
        Access::word(offset).sized(width)
    }

    #[test]
    fn every_width_shares_the_same_bytes() {
        let mut ram = ram(0x40);
        let value = 0x8877_6655_4433_2211;
        ram.write(&mut cx(), at(8, Width::Double), value).unwrap();
        for width in WIDTHS {
            for offset in (0..8).step_by(width.bytes() as usize) {
                let read = ram.read(&mut cx(), at(8 + offset, width));
                assert_eq!(read, Ok(value >> (8 * offset) & width.mask()));
            }
        }
        ram.write(&mut cx(), at(9, Width::Byte), 0xaa).unwrap();
        ram.write(&mut cx(), at(12, Width::Half), 0xbbcc).unwrap();
        let read = ram.read(&mut cx(), at(8, Width::Double));
        assert_eq!(read, Ok(0x8877_bbcc_4433_aa11));
        assert_eq!(ram.read(&mut cx(), at(0, Width::Double)), Ok(0));
        assert_eq!(ram.read(&mut cx(), at(16, Width::Double)), Ok(0));
    }

    #[test]
    fn random_accesses_meet_what_an_array_holds() {
        let mut random = Random(5);
        let mut array = [0_u8; 0x20];
        let mut ram = ram(0x20);
        for _ in 0..20_000 {
            let width = WIDTHS[random.below(4)];
            let offset = random.below(0x28) as u64;
            let lanes = offset as usize..offset as usize + width.bytes() as usize;
            let expected = match (offset % width.bytes(), array.get_mut(lanes)) {
                (0, Some(bytes)) => Ok(bytes),
                (0, None) => Err(Refusal::NoRegister),
                _ => Err(Refusal::Width),
            };
            if random.below(2) == 0 {
                let value = random.next() & width.mask();
                let wrote = ram.write(&mut cx(), at(offset, width), value);
                assert_eq!(
                    wrote,
                    expected.map(|bytes| {
                        bytes.copy_from_slice(&value.to_le_bytes()[..bytes.len()]);
                    })
                );
            } else {
                let read = ram.read(&mut cx(), at(offset, width));
                assert_eq!(
                    read,
                    expected.map(|bytes| {
                        let mut whole = [0; 8];
                        whole[..bytes.len()].copy_from_slice(bytes);
                        u64::from_le_bytes(whole)
                    })
                );
            }
        }
    }

    #[test]
    fn a_warm_reset_keeps_what_a_cold_one_clears() {
        let mut ram = ram(8);
        ram.write(&mut cx(), at(0, Width::Word), 7).unwrap();
        ram.reset(Reset::Warm);
        assert_eq!(ram.read(&mut cx(), at(0, Width::Word)), Ok(7));
        ram.reset(Reset::Cold);
        assert_eq!(ram.read(&mut cx(), at(0, Width::Word)), Ok(0));
    }

    #[test]
    fn more_than_64_kib_is_refused() {
        assert!(Ram::new(MAX_BYTES).is_some());
        assert!(Ram::new(MAX_BYTES + 1).is_none());
        assert!(Ram::new(u64::MAX).is_none());
    }

    #[test]
    fn saved_state_is_all_of_it() {
        random_walk::walk(
            || ram(0x40),
            &[0, 4, 8, 0x38, 0x3c, 0x40, u64::MAX - 7],
            3,
            3000,
        );
        let mut ram = ram(4);
        ram.write(&mut cx(), at(0, Width::Word), 7).unwrap();
        assert_eq!(
            ram.load(&mut Reader::new(&[1, 2, 3])),
            Err(Refusal::BadState)
        );
        assert_eq!(ram.read(&mut cx(), at(0, Width::Word)), Ok(0));
    }
}
