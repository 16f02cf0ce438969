//! Stage 2: the words of the tables that make a board's address space.
//!
//! DDI 0487, D8.3 (VMSAv8-64 descriptors), D8.5 (stage 2 attributes), D8.14.1 (break before
//! make). 4 KiB granule, 40 bits of IPA: the walk starts at level 1, in two concatenated tables.
//! The words are computed here; a [`TableMemory`] stores them.
//!
//! A window that comes and goes (a flash that leaves array mode) is mapped once before the first
//! entry: its tables then exist, and switching it later allocates nothing, because whole windows
//! are switched and a block never reaches over a window's end.

use crate::board::plan::{Plan, Window, WindowKind};
use crate::memory::StoreId;
use crate::units::{HostPa, Ipa};

/// Where the tables are: arch/ over host memory, tests over a `Vec`.
pub trait TableMemory {
    /// A table of 512 entries, all 0, at a multiple of 4 KiB; none when there is no more room.
    fn allocate(&mut self) -> Option<HostPa>;
    /// Two tables in one piece, all 0, at a multiple of 8 KiB: the root.
    fn allocate_root(&mut self) -> Option<HostPa>;
    /// Entry `index`, below 512, of the table at `table`.
    fn read(&self, table: HostPa, index: usize) -> u64;
    /// Writes that entry, visible to a walk before this returns.
    fn write(&mut self, table: HostPa, index: usize, entry: u64);
    /// Entries of this range became invalid: the TLBs forget it (TLBI IPAS2E1IS and such).
    fn invalidate(&mut self, at: Ipa, bytes: u64);
}

/// What a mapping allows, and what kind of memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attributes {
    /// Normal memory: read, write, execute.
    Ram,
    /// Normal memory: read and execute; writes fault.
    Rom,
    /// A host device's registers: Device-nGnRE, read and write, never executed.
    Device,
    /// Normal memory: read and write, never executed.
    Data,
    /// Normal memory: read, never executed.
    ReadOnlyData,
}

/// A range of the board's address space that stage 2 maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The first address on the board.
    pub at: Ipa,
    /// Where it is on the host.
    pub host: HostPa,
    /// Its size.
    pub bytes: u64,
    /// What may be done there.
    pub attributes: Attributes,
}

/// Why a mapping is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not whole pages of 4 KiB.
    Alignment,
    /// Beyond 40 bits, or wrapping.
    Range,
    /// Part of it is mapped already.
    Overlap,
    /// No room for another table.
    NoTable,
}

/// What backs a window, for the metal to place on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// The RAM or ROM of window `n` of [`Plan::windows`].
    Window(usize),
    /// A device's store, from this byte on.
    Store(StoreId, u64),
    /// The memory of this number that VMs share.
    Shared(u16),
}

const PAGE: u64 = 0x1000;
const BLOCK: u64 = 0x20_0000;
const IPA_END: u64 = 1 << 40;

const VALID: u64 = 1 << 0;
const TABLE_OR_PAGE: u64 = 1 << 1;
const MEMATTR_WB: u64 = 0xf << 2;
const MEMATTR_NGNRE: u64 = 0x1 << 2;
const S2AP_READ: u64 = 1 << 6;
const S2AP_WRITE: u64 = 1 << 7;
const SH_INNER: u64 = 3 << 8;
const AF: u64 = 1 << 10;
const XN: u64 = 1 << 54;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

impl Attributes {
    const fn bits(self) -> u64 {
        VALID
            | AF
            | match self {
                Self::Ram => MEMATTR_WB | SH_INNER | S2AP_READ | S2AP_WRITE,
                Self::Rom => MEMATTR_WB | SH_INNER | S2AP_READ,
                Self::Data => MEMATTR_WB | SH_INNER | S2AP_READ | S2AP_WRITE | XN,
                Self::ReadOnlyData => MEMATTR_WB | SH_INNER | S2AP_READ | XN,
                Self::Device => MEMATTR_NGNRE | S2AP_READ | S2AP_WRITE | XN,
            }
    }

    const fn of(entry: u64) -> Self {
        if entry & (XN | MEMATTR_WB) == XN | MEMATTR_WB {
            if entry & S2AP_WRITE != 0 {
                Self::Data
            } else {
                Self::ReadOnlyData
            }
        } else if entry & XN != 0 {
            Self::Device
        } else if entry & S2AP_WRITE != 0 {
            Self::Ram
        } else {
            Self::Rom
        }
    }
}

/// The mapping of window `index` of `plan`, if stage 2 maps it after a reset; for a window of
/// direct reads, `direct` says whether they are on. `place` says where the backing is.
pub fn mapping_of(
    plan: &Plan,
    index: usize,
    direct: bool,
    place: &mut dyn FnMut(Backing) -> Option<HostPa>,
) -> Option<Mapping> {
    let window = plan.windows.get(index)?;
    if let WindowKind::Alias { target } = window.kind {
        let (of, inside) = find(plan, target)?;
        let aliased = mapping_of_window(plan.windows.get(of)?, of, direct, place)?;
        // The alias may be shorter than its target, never longer.
        let bytes = window.bytes.min(aliased.bytes.checked_sub(inside)?);
        let host = HostPa(aliased.host.0.checked_add(inside)?);
        return Some(Mapping {
            at: window.at,
            host,
            bytes,
            ..aliased
        });
    }
    mapping_of_window(window, index, direct, place)
}

/// Whether window `index` is window `of`, or an alias of it: what switches when it does.
pub fn shows(plan: &Plan, index: usize, of: usize) -> bool {
    index == of
        || plan.windows.get(index).is_some_and(|w| match w.kind {
            WindowKind::Alias { target } => find(plan, target).is_some_and(|(i, _)| i == of),
            _ => false,
        })
}

fn find(plan: &Plan, at: Ipa) -> Option<(usize, u64)> {
    plan.windows.iter().enumerate().find_map(|(i, w)| {
        let inside = at.0.checked_sub(w.at.0)?;
        (inside < w.bytes && !matches!(w.kind, WindowKind::Alias { .. })).then_some((i, inside))
    })
}

fn mapping_of_window(
    window: &Window,
    index: usize,
    direct: bool,
    place: &mut dyn FnMut(Backing) -> Option<HostPa>,
) -> Option<Mapping> {
    let (host, attributes) = match &window.kind {
        WindowKind::Ram => (place(Backing::Window(index)), Attributes::Ram),
        WindowKind::Rom => (place(Backing::Window(index)), Attributes::Rom),
        WindowKind::Shared { memory, read_only } => {
            let attributes = if *read_only {
                Attributes::ReadOnlyData
            } else {
                Attributes::Data
            };
            (place(Backing::Shared(*memory)), attributes)
        }
        WindowKind::DirectReads { store, offset, .. } if direct => {
            (place(Backing::Store(*store, *offset)), Attributes::Rom)
        }
        WindowKind::PassThrough {
            host, tap: false, ..
        } => (*host, Attributes::Device),
        _ => return None,
    };
    Some(Mapping {
        at: window.at,
        host: host?,
        bytes: window.bytes,
        attributes,
    })
}

/// A VM's stage-2 tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage2 {
    root: HostPa,
}

/// An entry that a walk ended in.
struct Found {
    table: HostPa,
    index: usize,
    entry: u64,
    /// Bytes that the entry maps: a block, a page, or (invalid at level 1) 1 GiB.
    span: u64,
}

impl Stage2 {
    /// Tables that map nothing.
    pub fn new(memory: &mut impl TableMemory) -> Result<Self, Refused> {
        Ok(Self {
            root: memory.allocate_root().ok_or(Refused::NoTable)?,
        })
    }

    /// What goes into VTTBR_EL2, below the VMID.
    pub const fn root(&self) -> HostPa {
        self.root
    }

    /// Maps a range, in blocks of 2 MiB where both addresses allow.
    pub fn map(self, memory: &mut impl TableMemory, m: Mapping) -> Result<(), Refused> {
        let end = check(m.at, m.bytes)?;
        if m.host.0 & (PAGE - 1) != 0 {
            return Err(Refused::Alignment);
        }
        if m.host
            .0
            .checked_add(m.bytes)
            .is_none_or(|e| e & !(ADDRESS | (PAGE - 1)) != 0)
        {
            return Err(Refused::Range);
        }
        let mut at = m.at.0;
        while at < end {
            let host = m.host.0.wrapping_add(at.wrapping_sub(m.at.0));
            let (level_2, i2) = self.level_2(memory, at)?;
            let entry = memory.read(level_2, i2);
            if (at | host) & (BLOCK - 1) == 0 && end.wrapping_sub(at) >= BLOCK && entry == 0 {
                memory.write(level_2, i2, host | m.attributes.bits());
                at = at.wrapping_add(BLOCK);
                continue;
            }
            if entry & (VALID | TABLE_OR_PAGE) == VALID {
                return Err(Refused::Overlap);
            }
            let level_3 = table_at(memory, level_2, i2)?;
            let i3 = (at >> 12 & 0x1ff) as usize;
            if memory.read(level_3, i3) & VALID != 0 {
                return Err(Refused::Overlap);
            }
            memory.write(level_3, i3, host | m.attributes.bits() | TABLE_OR_PAGE);
            at = at.wrapping_add(PAGE);
        }
        Ok(())
    }

    /// Unmaps a range; what was not mapped stays so. A block of which only a part goes is split,
    /// break before make.
    pub fn unmap(
        &self,
        memory: &mut impl TableMemory,
        from: Ipa,
        bytes: u64,
    ) -> Result<(), Refused> {
        let end = check(from, bytes)?;
        let mut at = from.0;
        while at < end {
            let found = self.walk(memory, at);
            let start = at & !found.span.wrapping_sub(1);
            let next = start.wrapping_add(found.span);
            if found.entry & VALID != 0 {
                memory.write(found.table, found.index, 0);
                if start < from.0 || next > end {
                    memory.invalidate(Ipa(start), found.span);
                    split(memory, &found)?;
                    continue;
                }
            }
            at = next;
        }
        memory.invalidate(from, bytes);
        Ok(())
    }

    /// Where the tables put `at`, as the hardware's walk would.
    pub fn lookup(self, memory: &impl TableMemory, at: Ipa) -> Option<(HostPa, Attributes)> {
        if at.0 >= IPA_END {
            return None;
        }
        let found = self.walk(memory, at.0);
        (found.entry & VALID != 0).then(|| {
            let offset = at.0 & found.span.wrapping_sub(1);
            (
                HostPa(found.entry & ADDRESS | offset),
                Attributes::of(found.entry),
            )
        })
    }

    fn level_1(self, at: u64) -> (HostPa, usize) {
        let i = at >> 30 & 0x3ff;
        (
            HostPa(self.root.0.wrapping_add((i >> 9) << 12)),
            (i & 0x1ff) as usize,
        )
    }

    fn level_2(self, memory: &mut impl TableMemory, at: u64) -> Result<(HostPa, usize), Refused> {
        let (level_1, i1) = self.level_1(at);
        Ok((table_at(memory, level_1, i1)?, (at >> 21 & 0x1ff) as usize))
    }

    fn walk(self, memory: &impl TableMemory, at: u64) -> Found {
        let (mut table, mut index) = self.level_1(at);
        let mut span = 1 << 30;
        loop {
            let entry = memory.read(table, index);
            let is_table = span > PAGE && entry & (VALID | TABLE_OR_PAGE) == VALID | TABLE_OR_PAGE;
            if !is_table {
                return Found {
                    table,
                    index,
                    entry,
                    span,
                };
            }
            span >>= 9;
            table = HostPa(entry & ADDRESS);
            index = (at >> span.trailing_zeros() & 0x1ff) as usize;
        }
    }
}

/// Whole pages, inside 40 bits; the range's end.
fn check(at: Ipa, bytes: u64) -> Result<u64, Refused> {
    if (at.0 | bytes) & (PAGE - 1) != 0 || bytes == 0 {
        return Err(Refused::Alignment);
    }
    at.0.checked_add(bytes)
        .filter(|end| *end <= IPA_END)
        .ok_or(Refused::Range)
}

/// The table that the entry points to; a new one if there is none.
fn table_at(memory: &mut impl TableMemory, table: HostPa, index: usize) -> Result<HostPa, Refused> {
    let entry = memory.read(table, index);
    if entry & VALID != 0 {
        return Ok(HostPa(entry & ADDRESS));
    }
    let next = memory.allocate().ok_or(Refused::NoTable)?;
    memory.write(table, index, next.0 | VALID | TABLE_OR_PAGE);
    Ok(next)
}

/// Puts a table of pages in the place of a 2 MiB block, which was made invalid.
fn split(memory: &mut impl TableMemory, block: &Found) -> Result<(), Refused> {
    let Some(table) = memory.allocate() else {
        // Leave the block as it was.
        memory.write(block.table, block.index, block.entry);
        return Err(Refused::NoTable);
    };
    for i in 0..512u64 {
        memory.write(
            table,
            i as usize,
            block.entry.wrapping_add(i << 12) | TABLE_OR_PAGE,
        );
    }
    memory.write(block.table, block.index, table.0 | VALID | TABLE_OR_PAGE);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    /// Tables from host address 0x8000_0000 on, `room` of them.
    struct Tables {
        words: Vec<[u64; 512]>,
        room: usize,
        forgotten: Vec<(Ipa, u64)>,
    }

    const BASE: u64 = 0x8000_0000;

    impl Tables {
        fn new(room: usize) -> Self {
            Self {
                words: Vec::new(),
                room,
                forgotten: Vec::new(),
            }
        }
        fn slot(at: HostPa) -> usize {
            ((at.0 - BASE) / 4096) as usize
        }
    }

    impl TableMemory for Tables {
        fn allocate(&mut self) -> Option<HostPa> {
            if self.words.len() == self.room {
                return None;
            }
            self.words.push([0; 512]);
            Some(HostPa(BASE + (self.words.len() as u64 - 1) * 4096))
        }
        fn allocate_root(&mut self) -> Option<HostPa> {
            assert!(self.words.is_empty());
            let root = self.allocate()?;
            self.allocate()?;
            Some(root)
        }
        fn read(&self, table: HostPa, index: usize) -> u64 {
            self.words[Self::slot(table)][index]
        }
        fn write(&mut self, table: HostPa, index: usize, entry: u64) {
            self.words[Self::slot(table)][index] = entry;
        }
        fn invalidate(&mut self, at: Ipa, bytes: u64) {
            self.forgotten.push((at, bytes));
        }
    }

    fn ram(at: u64, host: u64, bytes: u64) -> Mapping {
        Mapping {
            at: Ipa(at),
            host: HostPa(host),
            bytes,
            attributes: Attributes::Ram,
        }
    }

    #[test]
    fn aligned_memory_is_mapped_in_blocks() {
        let mut t = Tables::new(3);
        let s = Stage2::new(&mut t).unwrap();
        s.map(&mut t, ram(0x6000_0000, 0x4000_0000, 0x1000_0000))
            .unwrap();
        assert_eq!(t.words.len(), 3, "root of two, and one level 2 table");
        let entry = t.words[2][0x100];
        assert_eq!(
            entry,
            0x4000_0000 | 0x7fd,
            "block, AF, inner shareable, RW, write-back"
        );
        for at in [0x6000_0000, 0x6fff_ffff, 0x6812_3456] {
            assert_eq!(
                s.lookup(&t, Ipa(at)),
                Some((HostPa(at - 0x2000_0000), Attributes::Ram))
            );
        }
        assert_eq!(s.lookup(&t, Ipa(0x5fff_ffff)), None);
        assert_eq!(s.lookup(&t, Ipa(0x7000_0000)), None);
        assert_eq!(s.lookup(&t, Ipa(1 << 40)), None);
    }

    #[test]
    fn ragged_ends_are_pages_and_every_byte_is_right() {
        let mut t = Tables::new(16);
        let s = Stage2::new(&mut t).unwrap();
        let m = ram(0x1f_e000, 0x41f_e000, 0x40_4000);
        s.map(&mut t, m).unwrap();
        for at in (0x1f_0000..0x61_0000u64).step_by(0x800) {
            let inside = (m.at.0..m.at.0 + m.bytes).contains(&at);
            let want = inside.then(|| (HostPa(at + 0x400_0000), Attributes::Ram));
            assert_eq!(s.lookup(&t, Ipa(at)), want, "{at:#x}");
        }
        // Two blocks, and tables for the two ends.
        assert_eq!(t.words[2].iter().filter(|e| **e & 3 == 1).count(), 2);
    }

    #[test]
    fn the_second_half_of_forty_bits_is_in_the_second_root_table() {
        let mut t = Tables::new(8);
        let s = Stage2::new(&mut t).unwrap();
        s.map(&mut t, ram(0x80_0000_0000, 0x4000_0000, BLOCK))
            .unwrap();
        assert_ne!(t.words[1][0], 0);
        assert_eq!(t.words[0][0], 0);
        assert_eq!(
            s.lookup(&t, Ipa(0x80_0000_0004)).unwrap().0,
            HostPa(0x4000_0004)
        );
        assert_eq!(s.lookup(&t, Ipa(4)), None);
    }

    #[test]
    fn each_kind_of_memory_has_its_attributes() {
        let word = |a: Attributes| a.bits();
        assert_eq!(word(Attributes::Rom) & (S2AP_WRITE | XN), 0);
        assert_eq!(word(Attributes::Device) & (0xf << 2), 1 << 2);
        assert_ne!(word(Attributes::Device) & XN, 0);
        for data in [Attributes::Data, Attributes::ReadOnlyData] {
            assert_ne!(word(data) & XN, 0, "never executed");
            assert_eq!(word(data) & (0xf << 2), 0xf << 2);
        }
        assert_eq!(word(Attributes::ReadOnlyData) & S2AP_WRITE, 0);
        for a in [
            Attributes::Ram,
            Attributes::Rom,
            Attributes::Device,
            Attributes::Data,
            Attributes::ReadOnlyData,
        ] {
            assert_eq!(Attributes::of(word(a)), a);
        }
    }

    #[test]
    fn what_is_not_whole_pages_inside_forty_bits_is_refused() {
        let mut t = Tables::new(8);
        let s = Stage2::new(&mut t).unwrap();
        for (m, why) in [
            (ram(0x800, 0x1000, 0x1000), Refused::Alignment),
            (ram(0x1000, 0x1800, 0x1000), Refused::Alignment),
            (ram(0x1000, 0x1000, 0x800), Refused::Alignment),
            (ram(0x1000, 0x1000, 0), Refused::Alignment),
            (ram(0xff_ffff_f000, 0x1000, 0x2000), Refused::Range),
            (ram(!0xfff, 0x1000, 0x2000), Refused::Range),
            (ram(0x1000, !0xfff, 0x1000), Refused::Range),
        ] {
            assert_eq!(s.map(&mut t, m), Err(why), "{m:?}");
        }
        assert_eq!(t.words.len(), 2, "nothing was touched");
    }

    #[test]
    fn nothing_is_mapped_twice() {
        let mut t = Tables::new(8);
        let s = Stage2::new(&mut t).unwrap();
        s.map(&mut t, ram(0, 0x4000_0000, BLOCK)).unwrap();
        assert_eq!(
            s.map(&mut t, ram(0, 0x5000_0000, BLOCK)),
            Err(Refused::Overlap)
        );
        assert_eq!(
            s.map(&mut t, ram(0x1000, 0x5000_0000, PAGE)),
            Err(Refused::Overlap)
        );
        s.map(&mut t, ram(BLOCK, 0x5000_0000, PAGE)).unwrap();
        assert_eq!(
            s.map(&mut t, ram(BLOCK, 0x5000_0000, PAGE)),
            Err(Refused::Overlap)
        );
    }

    #[test]
    fn a_flash_comes_and_goes_without_another_table() {
        let mut t = Tables::new(8);
        let s = Stage2::new(&mut t).unwrap();
        let flash = Mapping {
            attributes: Attributes::Rom,
            ..ram(0, 0x4000_0000, 0x400_0000)
        };
        s.map(&mut t, flash).unwrap();
        t.room = t.words.len();
        for _ in 0..3 {
            s.unmap(&mut t, flash.at, flash.bytes).unwrap();
            assert_eq!(t.forgotten.pop(), Some((flash.at, flash.bytes)));
            assert_eq!(s.lookup(&t, Ipa(0x1234)), None);
            s.map(&mut t, flash).unwrap();
            assert_eq!(
                s.lookup(&t, Ipa(0x1234)),
                Some((HostPa(0x4000_1234), Attributes::Rom))
            );
        }
    }

    #[test]
    fn a_page_out_of_a_block_splits_it_after_a_break() {
        let mut t = Tables::new(8);
        let s = Stage2::new(&mut t).unwrap();
        s.map(&mut t, ram(0, 0x4000_0000, 2 * BLOCK)).unwrap();
        s.unmap(&mut t, Ipa(0x5000), PAGE).unwrap();
        assert_eq!(t.forgotten, [(Ipa(0), BLOCK), (Ipa(0x5000), PAGE)]);
        assert_eq!(s.lookup(&t, Ipa(0x5000)), None);
        for at in [0x4fff, 0x6000, 0x1f_ffff, BLOCK] {
            assert_eq!(
                s.lookup(&t, Ipa(at)),
                Some((HostPa(at + 0x4000_0000), Attributes::Ram))
            );
        }
    }

    #[test]
    fn a_split_without_room_leaves_the_block_in_place() {
        let mut t = Tables::new(3);
        let s = Stage2::new(&mut t).unwrap();
        s.map(&mut t, ram(0, 0x4000_0000, BLOCK)).unwrap();
        assert_eq!(s.unmap(&mut t, Ipa(0x5000), PAGE), Err(Refused::NoTable));
        assert_eq!(
            s.lookup(&t, Ipa(0x5000)),
            Some((HostPa(0x4000_5000), Attributes::Ram))
        );
    }

    #[allow(clippy::field_reassign_with_default)] // A plan has private parts.
    #[test]
    fn windows_become_mappings_and_aliases_show_their_target() {
        let window = |at: u64, bytes: u64, kind| Window {
            at: Ipa(at),
            bytes,
            node: String::new(),
            kind,
        };
        let flash = WindowKind::DirectReads {
            device: 0,
            region: 0,
            store: StoreId(3),
            offset: 0x1000,
            at_reset: true,
        };
        let mut plan = Plan::default();
        plan.windows = std::vec![
            window(
                0,
                0x1000,
                WindowKind::Alias {
                    target: Ipa(0x4000_2000)
                }
            ),
            window(
                0x1000_0000,
                0x1000,
                WindowKind::Device {
                    device: 0,
                    region: 0
                }
            ),
            window(0x4000_0000, 0x10000, flash),
            window(0x6000_0000, 0x10_0000, WindowKind::Ram),
        ];
        let mut place = |b: Backing| match b {
            Backing::Window(3) => Some(HostPa(0x5000_0000)),
            Backing::Store(StoreId(3), 0x1000) => Some(HostPa(0x7000_0000)),
            _ => None,
        };
        let at = |i, direct, place: &mut dyn FnMut(Backing) -> Option<HostPa>| {
            mapping_of(&plan, i, direct, place)
        };
        assert_eq!(
            at(0, true, &mut place),
            Some(Mapping {
                attributes: Attributes::Rom,
                ..ram(0, 0x7000_2000, 0x1000)
            })
        );
        assert_eq!(at(0, false, &mut place), None);
        assert_eq!(at(1, true, &mut place), None);
        assert_eq!(at(2, true, &mut place).unwrap().bytes, 0x10000);
        assert_eq!(
            at(3, false, &mut place),
            Some(ram(0x6000_0000, 0x5000_0000, 0x10_0000))
        );
        assert!(shows(&plan, 0, 2) && shows(&plan, 2, 2) && !shows(&plan, 3, 2));
    }
}
