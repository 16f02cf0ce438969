//! Stage-2 tables in the arena, and the TLB upkeep that goes with them.

use super::arena;
use super::mmu::PAGE;
use aarch64_cpu::asm::barrier::{ISH, ISHST, SY, dsb, isb};
use core::arch::asm;
use reliquary::units::{HostPa, Ipa};
use reliquary::vm::stage2::TableMemory;

/// The tables of every VM lie in the arena; this reaches them.
pub struct Stage2Tables;

impl Stage2Tables {
    fn entry(table: HostPa, index: usize) -> *mut u64 {
        debug_assert!(index < PAGE / 8);
        (table.0 as *mut u64).wrapping_add(index)
    }
}

impl TableMemory for Stage2Tables {
    fn allocate(&mut self) -> Option<HostPa> {
        arena::zeroed(PAGE, PAGE).map(HostPa)
    }

    fn allocate_root(&mut self) -> Option<HostPa> {
        arena::zeroed(2 * PAGE, 2 * PAGE).map(HostPa)
    }

    fn read(&self, table: HostPa, index: usize) -> u64 {
        // SAFETY: the walker only passes tables that this type allocated, and indices below
        // 512. The hardware's walker reads them too, so the access is volatile.
        unsafe { Self::entry(table, index).read_volatile() }
    }

    fn write(&mut self, table: HostPa, index: usize, entry: u64) {
        // SAFETY: as in `read`; each VM's tables are changed by its own core only.
        unsafe { Self::entry(table, index).write_volatile(entry) }
        dsb(ISHST);
    }

    fn invalidate(&mut self, _at: Ipa, _bytes: u64) {
        // Whole windows come and go, so the VMID's entries of both stages go at once.
        // SAFETY: TLB maintenance of the current VMID only makes walks happen again.
        unsafe { asm!("tlbi vmalls12e1is", options(nostack)) }
        dsb(ISH);
        isb(SY);
    }
}
