//! EL2's own stage 1: VA = PA, caches on, W^X, guard pages, nothing of a guest executable.
//!
//! 4 KiB granule, 48-bit addresses, four levels (DDI 0487, D8.2). Entries only ever go from
//! invalid to valid, so no break-before-make is needed and no TLB entry goes stale.

use super::core_area;
use aarch64_cpu::asm::barrier::{ISHST, SY, dsb, isb};
use core::cell::UnsafeCell;
use spin::Mutex;

/// Bytes of a page.
pub const PAGE: usize = 4096;

/// Attr0: Normal write-back; Attr1: Device-nGnRE; Attr2: Normal non-cacheable.
pub const MAIR: u64 = 0x44_04_ff;
/// T0SZ 16, inner and outer write-back walks, inner shareable, 4 KiB; RES1 bits 31 and 23.
pub const TCR: u64 = 1 << 31 | 1 << 23 | 0b11 << 12 | 0b01 << 10 | 0b01 << 8 | 16;
/// M, C, SA, I, WXN; RES1 bits of SCTLR_EL2 (DDI 0487, D17.2.120).
pub const SCTLR: u64 = 0x30c5_0830 | 1 | 1 << 2 | 1 << 3 | 1 << 12 | 1 << 19;

const VALID: u64 = 1;
const TABLE_OR_PAGE: u64 = 1 << 1;
const READ_ONLY: u64 = 1 << 7;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const ACCESS_FLAG: u64 = 1 << 10;
const EXECUTE_NEVER: u64 = 1 << 54;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// What a range is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// The hypervisor's own instructions.
    Execute,
    /// Data that nobody changes.
    Read,
    /// Data, and the guests' memory.
    ReadWrite,
    /// Device registers.
    Device,
}

impl Rights {
    const fn bits(self) -> u64 {
        let common = VALID | ACCESS_FLAG | 1 << 6; // AP[1] is RES1 at EL2
        match self {
            Self::Execute => common | INNER_SHAREABLE | READ_ONLY,
            Self::Read => common | INNER_SHAREABLE | READ_ONLY | EXECUTE_NEVER,
            Self::ReadWrite => common | INNER_SHAREABLE | EXECUTE_NEVER,
            Self::Device => common | 1 << 2 | EXECUTE_NEVER,
        }
    }
}

/// A range that cannot be mapped.
#[derive(Debug)]
pub struct MapRefused {
    /// Where it failed.
    pub at: u64,
    /// Why.
    pub why: &'static str,
}

const TABLES: usize = 48;

#[repr(C, align(4096))]
struct TablePool(UnsafeCell<[[u64; 512]; TABLES]>);
// SAFETY: reached only through `OwnTables`, whose one instance is behind the mutex below
// (or is used by core 0 alone before the MMU is on).
unsafe impl Sync for TablePool {}
static POOL: TablePool = TablePool(UnsafeCell::new([[0; 512]; TABLES]));

/// TTBR0_EL2's value, for secondary cores (boot.S).
#[unsafe(no_mangle)]
static OWN_TTBR0: EarlyWord = EarlyWord(UnsafeCell::new(0));
#[repr(transparent)]
struct EarlyWord(UnsafeCell<u64>);
// SAFETY: written once by core 0 before any other core runs.
unsafe impl Sync for EarlyWord {}

/// How many tables `build_own_tables` used: the first number that is free.
static USED_AT_BOOT: EarlyWord = EarlyWord(UnsafeCell::new(0));

struct OwnTables {
    used: usize,
}
/// None until the first use with the MMU on: exclusives may not work before.
static OWN: Mutex<Option<OwnTables>> = Mutex::new(None);

impl OwnTables {
    fn entry(table: usize, index: usize) -> *mut u64 {
        let base = POOL.0.get().cast::<u64>();
        debug_assert!(table < TABLES && index < 512);
        base.wrapping_add(table * 512 + index)
    }

    fn get(table: usize, index: usize) -> u64 {
        // SAFETY: `entry` is inside POOL, which only this type touches; the table walker
        // reads it too, so the access is volatile.
        unsafe { Self::entry(table, index).read_volatile() }
    }

    fn set(table: usize, index: usize, value: u64) {
        // SAFETY: as in `get`; callers only replace invalid entries.
        unsafe { Self::entry(table, index).write_volatile(value) }
    }

    fn table_at(address: u64) -> usize {
        ((address - POOL.0.get() as u64) / PAGE as u64) as usize
    }

    fn next_table(&mut self, table: usize, index: usize, at: u64) -> Result<usize, MapRefused> {
        let entry = Self::get(table, index);
        if entry & VALID == 0 {
            if self.used == TABLES {
                return Err(MapRefused {
                    at,
                    why: "the hypervisor's own page tables are full",
                });
            }
            let new = self.used;
            self.used += 1;
            let address = POOL.0.get() as u64 + (new * PAGE) as u64;
            Self::set(table, index, address | VALID | TABLE_OR_PAGE);
            Ok(new)
        } else if entry & TABLE_OR_PAGE == 0 {
            Err(MapRefused {
                at,
                why: "a larger block is mapped there already",
            })
        } else {
            Ok(Self::table_at(entry & ADDRESS))
        }
    }

    fn map(&mut self, from: u64, to: u64, rights: Rights) -> Result<(), MapRefused> {
        let mut at = from;
        while at < to {
            let left = to - at;
            let level1 = self.next_table(0, (at >> 39) as usize & 511, at)?;
            let (table, index, size) = if at.is_multiple_of(1 << 30) && left >= 1 << 30 {
                (level1, (at >> 30) as usize & 511, 1 << 30)
            } else {
                let level2 = self.next_table(level1, (at >> 30) as usize & 511, at)?;
                if at.is_multiple_of(1 << 21) && left >= 1 << 21 {
                    (level2, (at >> 21) as usize & 511, 1 << 21)
                } else {
                    let level3 = self.next_table(level2, (at >> 21) as usize & 511, at)?;
                    (level3, (at >> 12) as usize & 511, PAGE as u64)
                }
            };
            let page = if size == PAGE as u64 {
                TABLE_OR_PAGE
            } else {
                0
            };
            let wanted = at | rights.bits() | page;
            match Self::get(table, index) {
                present if present & VALID == 0 => Self::set(table, index, wanted),
                present if present == wanted => {}
                _ => {
                    return Err(MapRefused {
                        at,
                        why: "it is mapped already, with other rights",
                    });
                }
            }
            at += size;
        }
        Ok(())
    }
}

unsafe extern "C" {
    static __rodata_start: u8;
    static __data_start: u8;
    static __image_end: u8;
}

/// The first address behind the hypervisor's own bytes: where the bundle begins.
pub fn image_end() -> u64 {
    &raw const __image_end as u64
}

/// Called by boot.S with the MMU and caches off: maps the image, and nothing else.
#[unsafe(no_mangle)]
extern "C" fn build_own_tables(image: u64) -> u64 {
    let rodata = &raw const __rodata_start as u64;
    let data = &raw const __data_start as u64;
    let end = image_end();
    // No lock: exclusives may not work before the caches are on, and nobody else runs.
    let mut own = OwnTables { used: 1 };
    let mut done = own.map(image, rodata, Rights::Execute).is_ok()
        && own.map(rodata, data, Rights::Read).is_ok();
    let mut from = data;
    for guard in core_area::guard_pages() {
        done &= own.map(from, guard, Rights::ReadWrite).is_ok();
        from = guard + PAGE as u64;
    }
    done &= own.map(from, end, Rights::ReadWrite).is_ok();
    // The image needs at most one level-3 table for each 2 MiB: the pool has room.
    assert!(done);
    let root = POOL.0.get() as u64;
    // SAFETY: core 0 alone runs, with the MMU off; nobody holds a reference to either.
    unsafe {
        OWN_TTBR0.0.get().write_volatile(root);
        USED_AT_BOOT.0.get().write_volatile(own.used as u64);
    }
    root
}

/// Maps `from..from + size` (rounded out to pages), VA = PA, for all cores.
///
/// Mapping the same range with the same rights again is no error.
pub fn map(from: u64, size: u64, rights: Rights) -> Result<(), MapRefused> {
    let page = PAGE as u64;
    let start = from & !(page - 1);
    let end = from
        .checked_add(size)
        .and_then(|end| end.checked_next_multiple_of(page))
        .filter(|end| *end <= 1 << 48)
        .ok_or(MapRefused {
            at: from,
            why: "the range runs past 48-bit addresses",
        })?;
    let mut own = OWN.lock();
    let own = own.get_or_insert_with(|| OwnTables {
        // SAFETY: written before the MMU was on, by core 0, and never again.
        used: unsafe { USED_AT_BOOT.0.get().read_volatile() } as usize,
    });
    own.map(start, end, rights)?;
    dsb(ISHST);
    isb(SY);
    Ok(())
}
