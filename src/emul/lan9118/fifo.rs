//! A FIFO of DWORDs, made once and never grown.

use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};
use alloc::vec;
use alloc::vec::Vec;

pub(super) struct Fifo {
    words: Vec<u32>,
    first: usize,
    len: usize,
}

impl Fifo {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            words: vec![0; capacity],
            first: 0,
            len: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn clear(&mut self) {
        (self.first, self.len) = (0, 0);
    }

    /// The slot of the word `n` behind the first; both are below the capacity.
    fn slot(&self, n: usize) -> usize {
        let slot = self.first.wrapping_add(n);
        slot.checked_sub(self.words.len()).unwrap_or(slot)
    }

    /// Appends a word, if there is room.
    pub(super) fn push(&mut self, word: u32) {
        if self.len < self.words.len() {
            let slot = self.slot(self.len);
            if let Some(slot) = self.words.get_mut(slot) {
                *slot = word;
            }
            self.len = self.len.wrapping_add(1);
        }
    }

    pub(super) fn peek(&self) -> Option<u32> {
        if self.len == 0 {
            return None;
        }
        self.words.get(self.first).copied()
    }

    pub(super) fn pop(&mut self) -> Option<u32> {
        let word = self.peek()?;
        self.first = self.slot(1);
        self.len = self.len.wrapping_sub(1);
        Some(word)
    }

    /// Replaces the word that is `n` before the end: 1 is the last.
    pub(super) fn amend(&mut self, n: usize, word: u32) {
        if let Some(place) = self.len.checked_sub(n) {
            let slot = self.slot(place);
            if let Some(slot) = self.words.get_mut(slot) {
                *slot = word;
            }
        }
    }

    /// Takes the last `n` words back.
    pub(super) fn withdraw(&mut self, n: usize) {
        self.len = self.len.saturating_sub(n);
    }

    /// Drops the first `n` words.
    pub(super) fn skip(&mut self, n: usize) {
        let n = n.min(self.len);
        self.first = self.slot(n);
        self.len = self.len.wrapping_sub(n);
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.u16(self.len as u16);
        for n in 0..self.len {
            out.u32(self.words.get(self.slot(n)).copied().unwrap_or(0));
        }
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.clear();
        let len = usize::from(from.u16()?);
        if len > self.words.len() {
            return Err(Refusal::BadState);
        }
        for _ in 0..len {
            self.push(from.u32()?);
        }
        Ok(())
    }
}
