//! The loads and stores that firmware makes at devices most often without a syndrome, decoded to
//! what two registers hold: one register at an immediate offset with write-back, and blocks.
//!
//! Beside [`decode`](super::decode), for speed alone: of each word it says nothing, or what
//! `decode` says. A test compares them.

use super::State;
use crate::access::Width;
use crate::vcpu::psr;

/// A load or store of general registers, at the base and an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// Bit n: register n, in memory upwards in the order of their numbers. In AArch32, here and as
    /// the base, only R0 to R12: those that no mode but FIQ banks.
    pub list: u32,
    /// From the base to the first of them, in bytes.
    pub offset: i16,
    /// What the base moves by; 0 without write-back. Of a load the base is not in the list then.
    pub moves: i16,
    /// The base: not the PC, nor A64's stack pointer.
    pub base: u8,
    /// How many registers there are.
    pub count: u8,
    /// The first of them.
    pub first: u8,
    /// Of each register.
    pub width: Width,
    /// Into the registers, with zeros above.
    pub load: bool,
}

/// The words that were asked about last, for the loops in which firmware has its accesses.
pub struct Remembered([Memory; REMEMBERED]);

/// A word with its state, and what it is. As long as a power of two, so that its place is a shift.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Memory {
    key: u64,
    plain: Plain,
}

const REMEMBERED: usize = 8;
/// What of a status register tells the state.
const STATE: u64 = psr::AARCH32 | psr::T;

impl Remembered {
    /// None yet.
    pub const fn new() -> Self {
        let nothing = Plain {
            list: 0,
            offset: 0,
            moves: 0,
            base: 0,
            count: 0,
            first: 0,
            width: Width::Byte,
            load: false,
        };
        let key = u64::MAX;
        Self(
            [Memory {
                key,
                plain: nothing,
            }; REMEMBERED],
        )
    }

    /// As [`plain`], in the state that a status register tells.
    #[allow(clippy::inline_always)] // one caller, whose every instruction counts
    #[inline(always)]
    pub fn plain(&mut self, status: u64, word: u32) -> Option<&Plain> {
        let key = u64::from(word) | (status & STATE) << 32;
        // Part of the target's number, or of a block's list.
        let way = (word >> 12) as usize % REMEMBERED;
        let place = self.0.get_mut(way)?;
        if place.key == key {
            return Some(&place.plain);
        }
        Self::look(place, key)
    }

    #[inline(never)]
    fn look(place: &mut Memory, key: u64) -> Option<&Plain> {
        let word = key as u32;
        let state = match key >> 32 & STATE {
            psr::AARCH32 => State::A32,
            STATE => State::T32,
            _ => State::A64,
        };
        let plain = plain(state, word)?;
        *place = Memory { key, plain };
        Some(&place.plain)
    }
}

impl Default for Remembered {
    fn default() -> Self {
        Self::new()
    }
}

/// What `word` loads or stores, if it is one of these.
pub fn plain(state: State, word: u32) -> Option<Plain> {
    match state {
        State::A32 if word >= 0xf000_0000 => None,
        State::A32 => match word.wrapping_shr(25) & 7 {
            2 => a32_one(word),
            4 => block(word, word.wrapping_shr(23) & 3),
            _ => None,
        },
        State::T32 if word & 0xff80_0800 == 0xf800_0800 => t32_one(word),
        // P and U are one and the other's complement.
        State::T32 if word & 0xfe40_0000 == 0xe800_0000 => match word.wrapping_shr(23) & 3 {
            1 => block(word, 1),
            2 => block(word, 2),
            _ => None,
        },
        State::T32 => None,
        State::A64 => a64_one(word),
    }
}

const fn register(word: u32, low: u32) -> u8 {
    word.wrapping_shr(low) as u8 & 15
}

const fn bit(word: u32, n: u32) -> bool {
    word.wrapping_shr(n) & 1 != 0
}

/// By P, and W or what stands for it: where the access is, and where the base moves.
const fn indexed(pre: bool, write_back: bool, by: i16) -> (i16, i16) {
    (if pre { by } else { 0 }, if write_back { by } else { 0 })
}

/// One register, by the size of what is moved and what [`indexed`] gives.
fn one(target: u8, base: u8, size: u32, load: bool, (offset, moves): (i16, i16)) -> Plain {
    Plain {
        list: 1u32.wrapping_shl(target.into()),
        offset,
        moves,
        base,
        count: 1,
        first: target,
        width: match size {
            0 => Width::Byte,
            1 => Width::Half,
            2 => Width::Word,
            _ => Width::Double,
        },
        load,
    }
}

/// LDR, LDRB, STR and STRB (immediate).
fn a32_one(word: u32) -> Option<Plain> {
    let (pre, w) = (bit(word, 24), bit(word, 21));
    let (base, target) = (register(word, 16), register(word, 12));
    // Post-indexed with W is for EL0's rights.
    if (!pre && w) || base > 12 || target > 12 || base == target {
        return None;
    }
    let by = (word & 0xfff) as i16;
    let by = if bit(word, 23) { by } else { by.wrapping_neg() };
    let size = if bit(word, 22) { 0 } else { 2 };
    Some(one(
        target,
        base,
        size,
        bit(word, 20),
        indexed(pre, !pre || w, by),
    ))
}

/// LDM and STM of the current mode's registers, by `pu`: P and U.
fn block(word: u32, pu: u32) -> Option<Plain> {
    let (base, list) = (register(word, 16), word & 0xffff);
    let write_back = bit(word, 21);
    let odd = list == 0 || list >> 13 != 0 || bit(word, 22) || base > 12;
    if odd || (write_back && bit(list, base.into())) {
        return None;
    }
    let bytes = (list.count_ones() as i16).wrapping_mul(4);
    let (offset, by) = match pu {
        0 => (4i16.wrapping_sub(bytes), bytes.wrapping_neg()),
        1 => (0, bytes),
        2 => (bytes.wrapping_neg(), bytes.wrapping_neg()),
        _ => (4, bytes),
    };
    Some(Plain {
        list,
        offset,
        moves: if write_back { by } else { 0 },
        base,
        count: list.count_ones() as u8,
        first: list.trailing_zeros() as u8,
        width: Width::Word,
        load: bit(word, 20),
    })
}

/// LDR, LDRB, LDRH, STR, STRB and STRH (immediate, of eight bits).
fn t32_one(word: u32) -> Option<Plain> {
    let (pre, up, w) = (bit(word, 10), bit(word, 9), bit(word, 8));
    let (base, target) = (register(word, 16), register(word, 12));
    let odd = match (pre, up, w) {
        // Undefined, and for EL0's rights.
        (false, _, false) | (true, true, false) => true,
        _ => base > 12 || target > 12 || base == target,
    };
    let size = word.wrapping_shr(21) & 3;
    if odd || size == 3 {
        return None;
    }
    let by = (word & 0xff) as i16;
    let by = if up { by } else { by.wrapping_neg() };
    Some(one(target, base, size, bit(word, 20), indexed(pre, w, by)))
}

/// LDR, LDRB, LDRH, STR, STRB and STRH, pre- or post-indexed.
fn a64_one(word: u32) -> Option<Plain> {
    if word & 0x3fa0_0400 != 0x3800_0400 {
        return None;
    }
    let (base, target) = (word.wrapping_shr(5) as u8 & 31, word as u8 & 31);
    if base == 31 || target == 31 || base == target {
        return None;
    }
    let by = ((word.wrapping_shr(12) & 0x1ff) as i16)
        .wrapping_shl(7)
        .wrapping_shr(7);
    let size = word.wrapping_shr(30);
    Some(one(
        target,
        base,
        size,
        bit(word, 22),
        indexed(bit(word, 11), true, by),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mmio::decode::decode;
    use crate::mmio::instruction::{
        Address, Bank, Base, Block, Class, Extend, General, Index, Multiple, Offset, Operation,
    };
    use crate::random::Random;

    /// The same operation, of one register, in the decoder's words.
    fn in_full(plain: Plain, moves: i64, offset: i64) -> Operation {
        let (offset, index) = match (moves, offset) {
            (0, offset) => (offset, Index::Offset),
            (moves, 0) => (moves, Index::Post),
            (moves, _) => (moves, Index::Pre),
        };
        Operation::General(General {
            address: Address {
                base: Base::Register(plain.base),
                offset: Offset::Immediate(offset),
                index,
            },
            load: plain.load,
            width: plain.width,
            extend: Extend::Zero,
            first: plain.list.trailing_zeros() as u8,
            second: None,
            class: Class::Plain,
        })
    }

    /// Whether the decoder says the same of `word`.
    fn agrees(state: State, word: u32, plain: Plain) -> bool {
        let (moves, offset) = (i64::from(plain.moves), i64::from(plain.offset));
        assert_eq!(u32::from(plain.count), plain.list.count_ones());
        assert_eq!(u32::from(plain.first), plain.list.trailing_zeros());
        match decode(state, word) {
            Ok(Operation::Multiple(Multiple {
                base,
                list,
                load,
                block,
                write_back,
                bank: Bank::Current,
            })) => {
                let bytes = 4 * i64::from(list.count_ones());
                let (starts, by) = match block {
                    Block::IncrementAfter => (0, bytes),
                    Block::IncrementBefore => (4, bytes),
                    Block::DecrementAfter => (4 - bytes, -bytes),
                    Block::DecrementBefore => (-bytes, -bytes),
                };
                (base, u32::from(list), load) == (plain.base, plain.list, plain.load)
                    && (offset, moves) == (starts, if write_back { by } else { 0 })
                    && plain.width == Width::Word
            }
            Ok(Operation::General(mut general)) => {
                // An offset of nothing, written back or not, is all the same.
                if general.address.offset == Offset::Immediate(0) {
                    general.address.index = Index::Offset;
                }
                Operation::General(general) == in_full(plain, moves, offset)
            }
            _ => false,
        }
    }

    #[test]
    fn what_is_remembered_is_what_was_told() {
        let (mut random, mut remembered) = (Random(0x5eed_0002), Remembered::new());
        let words: [u32; 32] = core::array::from_fn(|n| {
            let fixed = [0x0480_0000, 0x0890_0000, 0xf800_0b00, 0x3800_0400][n % 4];
            fixed | random.next() as u32 & 0xc00f_f0ff
        });
        for _ in 0..10_000 {
            let word = words[random.below(words.len())];
            let (state, status) = [
                (State::A32, psr::AARCH32),
                (State::T32, psr::AARCH32 | psr::T),
                (State::A64, psr::EL1H),
            ][random.below(3)];
            let told = remembered.plain(status | random.next() & !STATE, word);
            assert_eq!(told.copied(), plain(state, word));
        }
    }

    #[test]
    fn what_is_told_is_what_the_decoder_tells() {
        let mut random = Random(0x5eed_0001);
        for (state, fixed) in [
            (State::A32, &[0x0400_0000u32, 0x0800_0000][..]),
            (State::T32, &[0xf800_0800, 0xe880_0000, 0xe900_0000]),
            (State::A64, &[0x3800_0400]),
        ] {
            let free = match state {
                State::A32 => 0xf1ff_ffff,
                State::T32 => 0x007f_ffff,
                State::A64 => 0xc05f_ffff,
            };
            for fixed in fixed {
                let mut told = 0;
                for _ in 0..300_000 {
                    let word = fixed | random.next() as u32 & free;
                    if let Some(plain) = plain(state, word) {
                        assert!(
                            agrees(state, word, plain),
                            "{state:?} {word:#010x} {plain:?}"
                        );
                        told += 1;
                    }
                }
                assert!(told > 10_000, "{state:?} {fixed:#x}: {told}");
            }
            for _ in 0..300_000 {
                let word = random.next() as u32;
                if let Some(plain) = plain(state, word) {
                    assert!(
                        agrees(state, word, plain),
                        "{state:?} {word:#010x} {plain:?}"
                    );
                }
            }
        }
    }
}
