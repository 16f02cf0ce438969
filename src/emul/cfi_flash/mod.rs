//! NOR flash with the common flash interface and the Intel/Sharp extended or the AMD/Fujitsu
//! standard command set.
//!
//! JESD68.01 (common flash interface); Intel Application Note 646 (its tables and command set
//! 0001), Intel 306666 (StrataFlash P30: commands, status bits, locking); Spansion S29GL-P_00_A7
//! (MirrorBit: command set 0002). Compatible `cfi-flash`, with `arm,vexpress-flash` before it on
//! Versatile Express. A flash is of the AMD set if another of its `compatible` begins with `amd,`,
//! or as `reliquary,command-set` says, `"intel"` or `"amd"`.
//!
//! Each `reg` entry is a bank with a command state of its own. A bank is one chip as wide as
//! the bus, or several narrower ones side by side, each of which takes the part of a write
//! that lies in its lanes. The data lies in the device's backing store, all banks one behind
//! the other in `reg` order. A bank whose chips are all in array mode wants direct reads
//! ([`Ask::DirectReads`]); reads that trap all the same are answered from the store. After a
//! reset every bank is in array mode; after a load the board asks [`CfiFlash::direct_reads`].
//! The device has no lines.
//!
//! A bank's chips may be [in step](Config::in_step) (`reliquary,chips-in-step`): every write is
//! then a cycle of all of them, whichever lanes it drives, and what it does not drive programs
//! nothing. QEMU's `virt` is such a board, and firmware for it commands a 32-bit bank by 16-bit
//! writes, which would leave one of two independent chips in query mode.
//!
//! Deviations of both sets:
//! - The part is no maker's: identification as configured, blocks of one size, unlocked after a
//!   reset unless configured otherwise (a P30 starts locked).
//! - A program changes the store at once, though the chip may be busy for longer.
//! - A write narrower than a chip reaches it with ones in the lanes that are not driven.
//!
//! Of the Intel set:
//! - Query timing of a 5 V part. VPP is always there and WP# always low; no burst mode, no enhanced
//!   factory programming, no program while an erase is suspended (and the query table does not
//!   claim it).
//!
//! Of the AMD set:
//! - A chip of 8 bits is one of 8 bits only: unlock addresses 0x555 and 0x2aa, query table at its
//!   own offsets.
//! - Of protection: dynamic and persistent bits and the bit that freezes the latter. Persistent
//!   bits last until power-on; no lock register, no password, no Secured Silicon region.
//! - No program suspend (and the query table does not claim it). A protected sector's program or
//!   erase ends at once, where a part toggles its status for some microseconds.
//!
//! QEMU's models differ and the manuals win. Intel: there a program also sets bits, and query mode
//! is left only by the read array command. AMD: there a flash is one chip as wide as its bus,
//! sectors are not protected, there is no write buffer and no DQ1, and autoselect mode answers
//! other words from the array.

mod amd;
mod array;
mod chip;
mod intel;
mod query;
#[cfg(test)]
mod tests;

use super::describe::Description;
use super::state::{Reader, Writer};
use super::{Ask, Cx, Device, Reset, TRANSFER_MAX};
use crate::access::{Access, Refusal};
use crate::units::Instant;
use alloc::vec::Vec;
use array::Lanes;
use chip::{Chip, Part};
use core::fmt;

/// It has no registers: what a read gives is the chips' mode.
pub static DESCRIPTION: Description = Description::of(
    "JESD68.01, AN 646, Intel 306666, Spansion S29GL-P_00_A7",
    &[],
)
.deviations(&[
    "no maker's part: identification as configured, blocks of one size",
    "a program changes the store at once",
    "Intel: no burst mode, no program while an erase is suspended",
    "AMD: no lock register, no password, no Secured Silicon region, no program suspend",
    "AMD: persistent protection lasts until power-on",
]);

/// What a flash is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The size in bytes of each bank, in `reg` order: powers of two.
    pub banks: Vec<u64>,
    /// `bank-width`: bytes of the bus: 1, 2 or 4.
    pub bank_width: u8,
    /// `device-width`: bytes of a chip's bus: 1 or 2.
    pub device_width: u8,
    /// Whether a write reaches all chips of a bank, whichever lanes it drives.
    pub in_step: bool,
    /// Bytes that a bank erases at a time: its chips' blocks together. A power of two.
    pub sector: u32,
    /// Its chips' commands.
    pub set: CommandSet,
    /// The identifier code at word 0.
    pub manufacturer: u16,
    /// The identifier code at word 1.
    pub device: u16,
    /// Whether a reset locks all blocks.
    pub locked_at_reset: bool,
    /// How long a program keeps a chip busy.
    pub program_ns: u64,
    /// How long an erase keeps a chip busy at least.
    pub erase_ns: u64,
}

impl Config {
    /// Banks of `banks` bytes on a bus of `bank_width` bytes: 16-bit chips where they fit,
    /// sectors of 256 KiB, identified as Intel's 28F128J3, never busy.
    pub fn new(banks: Vec<u64>, bank_width: u8) -> Self {
        Self {
            banks,
            bank_width,
            device_width: bank_width.min(2),
            in_step: false,
            sector: 256 * 1024,
            set: CommandSet::Intel,
            manufacturer: 0x89,
            device: 0x18,
            locked_at_reset: false,
            program_ns: 0,
            erase_ns: 0,
        }
    }
}

/// The commands that chips take: what their query tables call the primary command set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandSet {
    /// 0x0001, Intel and Sharp extended.
    Intel,
    /// 0x0002, AMD and Fujitsu standard.
    Amd,
}

impl Config {
    /// As [`Config::new`], of the AMD set: sectors of 128 KiB a chip, identified as Spansion's
    /// S29GL-P of the chip's size.
    pub fn amd(banks: Vec<u64>, bank_width: u8, device_width: u8) -> Self {
        let chips = bank_width.checked_div(device_width).unwrap_or(1);
        Self {
            device_width,
            sector: u32::from(chips).wrapping_mul(128 * 1024),
            set: CommandSet::Amd,
            manufacturer: 0x01,
            device: 0x227e,
            ..Self::new(banks, bank_width)
        }
    }
}

/// Why no flash is like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbuildable {
    /// The widths are not 1, 2 or 4 bytes, or the chip's is not 1 or 2 or exceeds the bank's.
    Width,
    /// A bank's or sector's size is no power of two, or they do not fit each other.
    Size,
    /// No bank, or more than a node's `reg` may have.
    Banks,
}

impl fmt::Display for Unbuildable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Width => "bank-width must be 1, 2 or 4, and device-width 1 or 2 and no wider",
            Self::Size => {
                "each bank must be a power of two, of at least one sector and at most 65,536; \
                 a sector a power of two from 1 KiB to 8 MiB for each chip"
            }
            Self::Banks => "a flash has 1 to 8 banks (entries of reg)",
        })
    }
}

struct Bank {
    part: Part,
    lanes: Lanes,
    chips: Vec<Chip>,
    in_step: bool,
    size: u64,
    /// What the board was last told.
    direct: bool,
}

/// The flash.
pub struct CfiFlash {
    banks: Vec<Bank>,
}

impl CfiFlash {
    /// A flash in its reset state. Its store holds [`CfiFlash::store_size`] bytes.
    pub fn new(config: &Config) -> Result<Self, Unbuildable> {
        let (bus, width) = (config.bank_width, config.device_width);
        if !matches!(bus, 1 | 2 | 4) || !matches!(width, 1 | 2) || width > bus {
            return Err(Unbuildable::Width);
        }
        if config.banks.is_empty() || config.banks.len() > 8 {
            return Err(Unbuildable::Banks);
        }
        let width_log2 = width.trailing_zeros();
        let chips_log2 = bus.trailing_zeros().wrapping_sub(width_log2);
        let chip_block = config.sector.wrapping_shr(chips_log2);
        if !config.sector.is_power_of_two() || !(0x400..=0x80_0000).contains(&chip_block) {
            return Err(Unbuildable::Size);
        }
        let mut base = 0_u64;
        let mut banks = Vec::new();
        for &size in &config.banks {
            let blocks = size.checked_div(u64::from(config.sector)).unwrap_or(0);
            if !size.is_power_of_two() || !(1..=0x1_0000).contains(&blocks) || size > 1 << 32 {
                return Err(Unbuildable::Size);
            }
            let part = Part {
                width_log2,
                block_log2: chip_block.trailing_zeros().wrapping_sub(width_log2),
                blocks: blocks as u32,
                set: config.set,
                manufacturer: config.manufacturer,
                device: config.device,
                locked_at_reset: config.locked_at_reset,
                in_step: config.in_step,
                program_ns: config.program_ns,
                erase_ns: config.erase_ns,
            };
            let chips = (0..1_u32.wrapping_shl(chips_log2))
                .map(|_| Chip::new(&part))
                .collect();
            banks.push(Bank {
                part,
                lanes: Lanes {
                    base,
                    chips_log2,
                    width_log2,
                },
                chips,
                in_step: config.in_step,
                size,
                direct: true,
            });
            base = base.wrapping_add(size);
        }
        Ok(Self { banks })
    }

    /// Bytes of the backing store: all banks.
    pub fn store_size(&self) -> u64 {
        self.banks
            .iter()
            .fold(0, |sum, bank| sum.wrapping_add(bank.size))
    }

    /// Whether reads of bank `region` go straight to the store in the present state.
    pub fn direct_reads(&self, region: u8) -> bool {
        self.banks
            .get(usize::from(region))
            .is_some_and(Bank::all_array)
    }

    /// Erases at most [`TRANSFER_MAX`] bytes of the store, and ends what is over.
    fn work(&mut self, cx: &Cx<'_>) {
        let erasing = self
            .banks
            .iter()
            .flat_map(|bank| &bank.chips)
            .filter(|chip| chip.is_erasing(cx.now))
            .count();
        let span = TRANSFER_MAX.checked_div(erasing).unwrap_or(0) as u32;
        for bank in &mut self.banks {
            let words = span.wrapping_shr(bank.lanes.width_log2);
            for (lane, chip) in (0_u32..).zip(&mut bank.chips) {
                chip.advance(cx, &bank.part, bank.lanes, lane, words);
            }
        }
    }

    /// Tells the board of a bank that has left or entered array mode; a second one has to wait.
    fn tell(&mut self, cx: &mut Cx<'_>) {
        let mut banks = (0_u8..).zip(&mut self.banks);
        let changed = banks.find(|(_, bank)| bank.all_array() != bank.direct);
        if let Some((region, bank)) = changed {
            bank.direct = !bank.direct;
            cx.ask(Ask::DirectReads {
                region,
                on: bank.direct,
            });
        }
    }

    fn bank(&mut self, access: Access) -> Result<&mut Bank, Refusal> {
        let bank = self
            .banks
            .get_mut(usize::from(access.region))
            .ok_or(Refusal::NoRegister)?;
        let end = access
            .offset
            .checked_add(access.width.bytes())
            .ok_or(Refusal::NoRegister)?;
        if end > bank.size {
            Err(Refusal::NoRegister)
        } else {
            Ok(bank)
        }
    }
}

impl Bank {
    fn all_array(&self) -> bool {
        self.chips.iter().all(Chip::is_array)
    }

    /// Word and lane of a byte of the bank, and the byte's place in the word.
    fn place(&self, offset: u64) -> (u32, u32, u32) {
        let index = offset.wrapping_shr(self.lanes.width_log2);
        let lane = index & 1_u64.wrapping_shl(self.lanes.chips_log2).wrapping_sub(1);
        let byte = offset & (self.lanes.width() as u64).wrapping_sub(1);
        (
            index.wrapping_shr(self.lanes.chips_log2) as u32,
            lane as u32,
            byte as u32,
        )
    }

    fn read(&mut self, cx: &Cx<'_>, access: Access) -> Result<u64, Refusal> {
        let mut value = [0_u8; 8];
        let bytes = value
            .get_mut(..access.width.bytes() as usize)
            .ok_or(Refusal::Width)?;
        if self.all_array() {
            let at = self.lanes.base.wrapping_add(access.offset);
            cx.store_read(at, bytes).map_err(|_| Refusal::NoRegister)?;
        } else {
            // One cycle for each word of a chip: a status bit may toggle with it.
            let mut cycle: Option<(u32, u32, u16)> = None;
            for (offset, out) in (access.offset..).zip(bytes) {
                let (word, lane, byte) = self.place(offset);
                let data = match cycle {
                    Some((w, l, data)) if (w, l) == (word, lane) => data,
                    _ => {
                        let chip = self.chips.get_mut(lane as usize);
                        let chip = chip.ok_or(Refusal::NoRegister)?;
                        chip.read(cx, &self.part, self.lanes, lane, word)?
                    }
                };
                cycle = Some((word, lane, data));
                *out = data.wrapping_shr(byte.wrapping_mul(8)) as u8;
            }
        }
        Ok(u64::from_le_bytes(value))
    }

    fn write(&mut self, cx: &Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        if self.in_step {
            self.write_in_step(cx, access, value);
            return Ok(());
        }
        // Gather the bytes that go to one chip's word, then give the chip its cycle.
        let mut cycle: Option<(u32, u32, u16)> = None;
        for (offset, byte) in (access.offset..)
            .zip(value.to_le_bytes())
            .take(access.width.bytes() as usize)
        {
            let (word, lane, at) = self.place(offset);
            let shift = at.wrapping_mul(8);
            let data = match cycle {
                Some((w, l, data)) if (w, l) == (word, lane) => data,
                _ => {
                    self.cycle(cx, cycle.take())?;
                    0xffff
                }
            };
            let cleared = data & !0xff_u16.wrapping_shl(shift);
            cycle = Some((word, lane, cleared | u16::from(byte).wrapping_shl(shift)));
        }
        self.cycle(cx, cycle)
    }

    /// A write that is a cycle of every chip, for each word of the bus that it reaches. A chip
    /// whose lanes it drives in part, or not at all, takes a command from its low bytes, and
    /// for data the bytes that are its own among ones.
    fn write_in_step(&mut self, cx: &Cx<'_>, access: Access, value: u64) {
        let word_log2 = self.lanes.chips_log2.wrapping_add(self.lanes.width_log2);
        let bytes = value.to_le_bytes();
        let end = access.offset.saturating_add(access.width.bytes());
        // At most eight words: an access has at most eight bytes, and a word at least one.
        let words =
            access.offset.wrapping_shr(word_log2)..=end.wrapping_sub(1).wrapping_shr(word_log2);
        for word in words {
            let begin = word.wrapping_shl(word_log2).saturating_sub(access.offset);
            let command = value.wrapping_shr(begin.wrapping_mul(8) as u32) as u16;
            for (lane, chip) in (0_u32..).zip(&mut self.chips) {
                let at = word
                    .wrapping_shl(word_log2)
                    .wrapping_add(u64::from(lane).wrapping_shl(self.lanes.width_log2));
                let mut own = [0xff; 2];
                let mut whole = true;
                for (offset, own) in (at..).zip(own.iter_mut().take(self.lanes.width())) {
                    let driven = (access.offset..end)
                        .contains(&offset)
                        .then(|| bytes.get(offset.wrapping_sub(access.offset) as usize))
                        .flatten();
                    match driven {
                        Some(byte) => *own = *byte,
                        None => whole = false,
                    }
                }
                let data = if whole || chip.awaits_data() {
                    u16::from_le_bytes(own)
                } else {
                    command
                };
                chip.write(cx, &self.part, self.lanes, lane, word as u32, data);
            }
        }
    }

    fn cycle(&mut self, cx: &Cx<'_>, cycle: Option<(u32, u32, u16)>) -> Result<(), Refusal> {
        let Some((word, lane, data)) = cycle else {
            return Ok(());
        };
        let chip = self
            .chips
            .get_mut(lane as usize)
            .ok_or(Refusal::NoRegister)?;
        chip.write(cx, &self.part, self.lanes, lane, word, data);
        Ok(())
    }
}

impl Device for CfiFlash {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        self.bank(access)?.read(cx, access)
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        let bank = self.bank(access)?;
        bank.write(cx, access, value)?;
        // What takes no time is done when the write is, or its first step at least.
        self.work(cx);
        self.tell(cx);
        Ok(())
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        self.work(cx);
        self.tell(cx);
    }

    fn deadline(&self) -> Option<Instant> {
        if self
            .banks
            .iter()
            .any(|bank| bank.all_array() != bank.direct)
        {
            return Some(Instant::ZERO);
        }
        self.banks
            .iter()
            .flat_map(|bank| &bank.chips)
            .filter_map(Chip::deadline)
            .min()
    }

    fn reset(&mut self, kind: Reset) {
        for bank in &mut self.banks {
            bank.direct = true;
            bank.chips
                .iter_mut()
                .for_each(|chip| chip.reset(&bank.part, kind == Reset::Cold));
        }
    }

    fn save(&self, out: &mut Writer) {
        self.banks
            .iter()
            .flat_map(|bank| &bank.chips)
            .for_each(|chip| chip.save(out));
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        let mut load = || {
            for bank in &mut self.banks {
                for chip in &mut bank.chips {
                    chip.load(&bank.part, from)?;
                }
                bank.direct = bank.all_array();
            }
            Ok(())
        };
        let loaded = load();
        if loaded.is_err() {
            self.reset(Reset::Cold);
        }
        loaded
    }
}
