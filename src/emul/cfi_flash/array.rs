//! Where a chip's words lie in the backing store.
//!
//! Chips on a wider bus are interleaved: the bank's first bytes belong to the chip of lane 0,
//! the next ones to that of lane 1, and so on for every word.

use crate::emul::Cx;
use crate::memory::Unbacked;

/// A bank's place in the store and its lanes. All counts are powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lanes {
    /// The bank's first byte in the store.
    pub base: u64,
    /// Log2 of the number of chips side by side.
    pub chips_log2: u32,
    /// Log2 of a chip's width in bytes: 0 or 1.
    pub width_log2: u32,
}

/// How many bytes of the bank are copied at a time: small, for it lies on EL2's stack.
const CHUNK: usize = 256;

impl Lanes {
    /// The byte in the store at which word `word` of lane `lane` begins.
    pub fn byte(self, lane: u32, word: u32) -> u64 {
        let index = u64::from(word)
            .wrapping_shl(self.chips_log2)
            .wrapping_add(u64::from(lane));
        self.base.wrapping_add(index.wrapping_shl(self.width_log2))
    }

    /// A chip's width in bytes.
    pub fn width(self) -> usize {
        1_usize.wrapping_shl(self.width_log2)
    }

    /// Reads one word of a chip.
    pub fn read(self, cx: &Cx<'_>, lane: u32, word: u32) -> Result<u16, Unbacked> {
        let mut bytes = [0; 2];
        let wanted = bytes.get_mut(..self.width()).ok_or(Unbacked)?;
        cx.store_read(self.byte(lane, word), wanted)?;
        Ok(u16::from_le_bytes(bytes))
    }

    /// Replaces `count` words of a chip, from `first` on: `new` maps a word's index in the run
    /// and its old value to its new one. The other lanes' bytes stay as they are.
    pub fn update(
        self,
        cx: &Cx<'_>,
        lane: u32,
        first: u32,
        count: u32,
        mut new: impl FnMut(u32, u16) -> u16,
    ) -> Result<(), Unbacked> {
        let word_log2 = self.chips_log2.wrapping_add(self.width_log2);
        let words_a_chunk = (CHUNK as u32).wrapping_shr(word_log2);
        let lane_at = (lane as usize).wrapping_shl(self.width_log2);
        let mut done = 0_u32;
        while done < count {
            let words = count.wrapping_sub(done).min(words_a_chunk);
            let mut buffer = [0_u8; CHUNK];
            let bytes = (words as usize).wrapping_shl(word_log2);
            let chunk = buffer.get_mut(..bytes).ok_or(Unbacked)?;
            let at = self.byte(0, first.wrapping_add(done));
            cx.store_read(at, chunk)?;
            for (index, whole) in chunk
                .chunks_exact_mut(1_usize.wrapping_shl(word_log2))
                .enumerate()
            {
                let Some(own) = whole.get_mut(lane_at..lane_at.wrapping_add(self.width())) else {
                    return Err(Unbacked);
                };
                let mut old = [0; 2];
                old.iter_mut()
                    .zip(own.iter())
                    .for_each(|(to, from)| *to = *from);
                let value = new(done.wrapping_add(index as u32), u16::from_le_bytes(old));
                own.iter_mut()
                    .zip(value.to_le_bytes())
                    .for_each(|(to, from)| *to = from);
            }
            cx.store_write(at, chunk)?;
            done = done.wrapping_add(words.max(1));
        }
        Ok(())
    }
}
