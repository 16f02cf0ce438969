//! A queue of fixed size: the FIFOs, and the wire behind the transmitter.

use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};

/// At most `N` items, first in, first out.
#[derive(Clone, Copy, Debug)]
pub(in crate::emul) struct Ring<const N: usize> {
    slots: [u16; N],
    first: usize,
    len: usize,
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self {
            slots: [0; N],
            first: 0,
            len: 0,
        }
    }
}

impl<const N: usize> Ring<N> {
    pub(in crate::emul) const fn len(&self) -> usize {
        self.len
    }

    /// The slot `n` (below `N`) behind the first.
    const fn slot(&self, n: usize) -> usize {
        let slot = self.first.wrapping_add(n);
        if slot < N { slot } else { slot.wrapping_sub(N) }
    }

    /// Appends `item`; false, and nothing done, if the queue is full.
    pub(in crate::emul) fn push(&mut self, item: u16) -> bool {
        if self.len >= N {
            return false;
        }
        let slot = self.slot(self.len);
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = item;
        }
        self.len = self.len.wrapping_add(1);
        true
    }

    /// Takes the first item.
    pub(in crate::emul) fn pop(&mut self) -> Option<u16> {
        if self.len == 0 {
            return None;
        }
        let item = self.slots.get(self.first).copied();
        self.first = self.slot(1);
        self.len = self.len.wrapping_sub(1);
        item
    }

    /// The first item, which stays.
    pub(in crate::emul) fn first(&self) -> Option<u16> {
        let item = self.slots.get(self.first).copied();
        item.filter(|_| self.len > 0)
    }

    /// Puts `item` in the place of the first.
    pub(in crate::emul) fn replace_first(&mut self, item: u16) {
        let slot = self.slots.get_mut(self.first).filter(|_| self.len > 0);
        if let Some(slot) = slot {
            *slot = item;
        }
    }

    pub(in crate::emul) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(in crate::emul) fn save(&self, out: &mut Writer) {
        out.u16(self.len as u16);
        let mut rest = *self;
        while let Some(item) = rest.pop() {
            out.u16(item);
        }
    }

    pub(in crate::emul) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        let mut ring = Self::default();
        for _ in 0..from.u16()? {
            if !ring.push(from.u16()?) {
                return Err(Refusal::BadState);
            }
        }
        Ok(ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_in_order_round_and_round() {
        let mut ring = Ring::<3>::default();
        for n in 0..10 {
            assert!(ring.push(n * 2));
            assert!(ring.push(n * 2 + 1));
            assert_eq!(ring.pop(), Some(n * 2));
            assert_eq!(ring.pop(), Some(n * 2 + 1));
        }
        assert_eq!(ring.pop(), None);
    }

    #[test]
    fn a_full_ring_takes_nothing() {
        let mut ring = Ring::<3>::default();
        assert!([1, 2, 3].into_iter().all(|n| ring.push(n)));
        assert!(!ring.push(4));
        assert_eq!(ring.len(), 3);
        assert_eq!(ring.pop(), Some(1));
    }
}
