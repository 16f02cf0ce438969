//! Which buffers of a split virtqueue the device has (Virtual I/O Device 1.2, 2.7): what its driver keeps
//! of that, and holds what the device says against.
//!
//! A buffer is one descriptor, of the same number. What the device writes, an index and a buffer's number, is
//! believed only as far as the buffers were lent.

/// The device says what cannot be: that it returns a buffer which it does not have, or more than it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong;

/// A queue of `N` buffers, a power of two, 64 at most.
#[derive(Debug)]
pub struct Lent<const N: usize> {
    /// Those that the device has: bit n is buffer n.
    away: u64,
    /// How many were lent and taken back so far, modulo 2^16: the rings' indices.
    went: u16,
    taken: u16,
}

impl<const N: usize> Lent<N> {
    const SOUND: () = assert!(N.is_power_of_two() && N <= 64);

    /// A queue of which the device has nothing.
    #[must_use]
    pub const fn new() -> Self {
        let () = Self::SOUND;
        Self {
            away: 0,
            went: 0,
            taken: 0,
        }
    }

    /// A buffer that is here.
    #[must_use]
    pub const fn free(&self) -> Option<usize> {
        let first = self.away.trailing_ones() as usize;
        if first < N { Some(first) } else { None }
    }

    /// A buffer goes to the device: the place of its number in the available ring. None if it is not here.
    pub const fn lend(&mut self, buffer: usize) -> Option<usize> {
        if buffer >= N || self.away & 1 << buffer != 0 {
            return None;
        }
        self.away |= 1 << buffer;
        let place = place::<N>(self.went);
        self.went = self.went.wrapping_add(1);
        Some(place)
    }

    /// The index that the available ring has now.
    #[must_use]
    pub const fn index(&self) -> u16 {
        self.went
    }

    /// Where in the used ring the next buffer is told, if the ring has such an `index`.
    ///
    /// # Errors
    ///
    /// The index tells of more buffers than the device has.
    pub const fn next(&self, index: u16) -> Result<Option<usize>, Wrong> {
        let told = index.wrapping_sub(self.taken);
        if told == 0 {
            Ok(None)
        } else if told > self.went.wrapping_sub(self.taken) {
            Err(Wrong)
        } else {
            Ok(Some(place::<N>(self.taken)))
        }
    }

    /// The buffer of this number, which was told there, is here again.
    ///
    /// # Errors
    ///
    /// The device did not have it.
    pub const fn take(&mut self, buffer: u32) -> Result<usize, Wrong> {
        let buffer = buffer as usize;
        if buffer >= N || self.away & 1 << buffer == 0 {
            return Err(Wrong);
        }
        self.away &= !(1 << buffer);
        self.taken = self.taken.wrapping_add(1);
        Ok(buffer)
    }
}

impl<const N: usize> Default for Lent<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Where in a ring of `N` what an index counts is.
const fn place<const N: usize>(index: u16) -> usize {
    index as usize & N.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use alloc::vec::Vec;

    #[test]
    fn buffers_go_and_come_back_in_any_order_round_the_rings() {
        let mut random = Random(0x7177_0001);
        let mut lent = Lent::<8>::new();
        let mut away: Vec<usize> = Vec::new();
        let (mut went, mut came) = (0_u16, 0_u16);
        for _ in 0..200_000 {
            if random.below(2) == 0 {
                let Some(buffer) = lent.free() else {
                    assert_eq!(away.len(), 8);
                    continue;
                };
                assert!(!away.contains(&buffer));
                assert_eq!(lent.lend(buffer), Some(usize::from(went) % 8));
                assert_eq!(lent.lend(buffer), None, "it is away");
                went = went.wrapping_add(1);
                assert_eq!(lent.index(), went);
                away.push(buffer);
            } else if !away.is_empty() {
                let told = 1 + random.below(away.len()) as u16;
                let place = lent.next(came.wrapping_add(told));
                assert_eq!(place, Ok(Some(usize::from(came) % 8)));
                let buffer = away.remove(random.below(away.len()));
                assert_eq!(lent.take(buffer as u32), Ok(buffer));
                came = came.wrapping_add(1);
            }
            assert_eq!(lent.next(came), Ok(None));
        }
        assert!(went != came || away.is_empty());
    }

    #[test]
    fn a_device_that_returns_what_it_does_not_have_is_found_out() {
        let mut lent = Lent::<4>::new();
        assert_eq!(lent.next(1), Err(Wrong), "it has nothing");
        assert_eq!(lent.lend(4), None);
        lent.lend(0);
        lent.lend(1);
        for index in 3..=u16::MAX {
            assert_eq!(lent.next(index), Err(Wrong), "{index}");
        }
        assert_eq!(lent.next(2), Ok(Some(0)));
        for buffer in [2, 3, 4, 64, u32::MAX] {
            assert_eq!(lent.take(buffer), Err(Wrong), "{buffer}");
        }
        assert_eq!(lent.take(1), Ok(1));
        assert_eq!(lent.take(1), Err(Wrong), "twice");
        assert_eq!(lent.next(1), Ok(None));
        assert_eq!(lent.next(0), Err(Wrong), "backwards");
    }
}
