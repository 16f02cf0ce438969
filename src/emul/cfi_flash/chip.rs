//! One flash chip, of either command set.

use super::CommandSet;
use super::amd;
use super::array::Lanes;
use super::intel;
use crate::access::Refusal;
use crate::emul::Cx;
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;

/// What a chip is made of. Never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Log2 of its width in bytes: 0 or 1.
    pub width_log2: u32,
    /// Log2 of the words in a block.
    pub block_log2: u32,
    /// How many blocks.
    pub blocks: u32,
    pub set: CommandSet,
    pub manufacturer: u16,
    pub device: u16,
    pub locked_at_reset: bool,
    /// Whether a bank's chips take every write together.
    pub in_step: bool,
    pub program_ns: u64,
    pub erase_ns: u64,
}

impl Part {
    /// Bytes of a block, in this chip alone.
    pub fn block_bytes(&self) -> u32 {
        1_u32.wrapping_shl(self.block_log2.wrapping_add(self.width_log2))
    }

    /// Log2 of the chip's bytes.
    pub fn chip_log2(&self) -> u8 {
        self.blocks
            .trailing_zeros()
            .wrapping_add(self.block_log2)
            .wrapping_add(self.width_log2) as u8
    }

    pub fn block_of(&self, word: u32) -> u32 {
        word.wrapping_shr(self.block_log2)
    }

    pub fn block_words(&self) -> u32 {
        1_u32.wrapping_shl(self.block_log2)
    }
}

/// A chip of a bank. A flash has one kind of them.
pub(super) enum Chip {
    Intel(intel::Chip),
    Amd(amd::Chip),
}

/// The same call of either kind.
macro_rules! either {
    ($chip:expr, $name:ident => $call:expr) => {
        match $chip {
            Chip::Intel($name) => $call,
            Chip::Amd($name) => $call,
        }
    };
}

impl Chip {
    pub fn new(part: &Part) -> Self {
        match part.set {
            CommandSet::Intel => Self::Intel(intel::Chip::new(part)),
            CommandSet::Amd => Self::Amd(amd::Chip::new(part)),
        }
    }

    /// Its reset line; at power-on what it keeps is lost, too, but for the array.
    pub fn reset(&mut self, part: &Part, power_on: bool) {
        match self {
            Self::Intel(chip) => chip.reset(part),
            Self::Amd(chip) => chip.reset(part, power_on),
        }
    }

    /// Whether reads are of the array and change nothing.
    pub fn is_array(&self) -> bool {
        either!(self, chip => chip.is_array())
    }

    /// Whether an erase has words left to erase at `now`.
    pub fn is_erasing(&self, now: Instant) -> bool {
        match self {
            Self::Intel(chip) => chip.is_erasing(),
            Self::Amd(chip) => chip.is_erasing(now),
        }
    }

    /// Whether the next write is a word to store, and no command, count or confirmation.
    pub fn awaits_data(&self) -> bool {
        either!(self, chip => chip.awaits_data())
    }

    /// What word `word` reads as.
    pub fn read(
        &mut self,
        cx: &Cx<'_>,
        part: &Part,
        lanes: Lanes,
        lane: u32,
        word: u32,
    ) -> Result<u16, Refusal> {
        either!(self, chip => chip.read(cx, part, lanes, lane, word))
    }

    /// A write cycle at word `word`.
    pub fn write(
        &mut self,
        cx: &Cx<'_>,
        part: &Part,
        lanes: Lanes,
        lane: u32,
        word: u32,
        data: u16,
    ) {
        either!(self, chip => chip.write(cx, part, lanes, lane, word, data));
    }

    /// Goes on with what is under way: erases at most `words` words.
    pub fn advance(&mut self, cx: &Cx<'_>, part: &Part, lanes: Lanes, lane: u32, words: u32) {
        match self {
            Self::Intel(chip) => chip.advance(cx, lanes, lane, words),
            Self::Amd(chip) => chip.advance(cx, part, lanes, lane, words),
        }
    }

    /// When the chip's state next changes by itself; an erase with words left is due at once.
    pub fn deadline(&self) -> Option<Instant> {
        either!(self, chip => chip.deadline())
    }

    pub fn save(&self, out: &mut Writer) {
        either!(self, chip => chip.save(out));
    }

    pub fn load(&mut self, part: &Part, from: &mut Reader<'_>) -> Result<(), Refusal> {
        either!(self, chip => chip.load(part, from))
    }
}
