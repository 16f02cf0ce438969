//! What of a VM's address space the metal keeps: its stage 2, and what is in its memory.

use super::Guest;
use crate::arch::stage2_tables::Stage2Tables;
use reliquary::board::plan::WindowKind;
use reliquary::memory::{BoardMemory as _, StoreId, Unbacked};
use reliquary::units::Ipa;
use reliquary::vm::stage2;

/// An image and its place.
pub struct Image {
    /// Where it goes.
    pub to: Place,
    /// Its bytes, in the bundle.
    pub bytes: &'static [u8],
}

/// A place in a VM's memory.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// RAM or ROM.
    Memory(Ipa),
    /// A device's store, from this byte on.
    Store(StoreId, u64),
}

impl Guest {
    /// Maps a window of direct reads, with its aliases, or takes it away so that reads trap.
    pub(super) fn switch_direct_reads(&mut self, of: usize, on: bool) {
        let Self {
            vm,
            hardware,
            stage2,
            ..
        } = self;
        let plan = vm.board().plan();
        for index in (0..plan.windows.len()).filter(|index| stage2::shows(plan, *index, of)) {
            let place = &mut |backing| hardware.memory.place(backing);
            let Some(mapping) = stage2::mapping_of(plan, index, true, place) else {
                continue;
            };
            let result = if on && stage2.lookup(&Stage2Tables, mapping.at).is_some() {
                Ok(())
            } else if on {
                stage2.map(&mut Stage2Tables, mapping)
            } else {
                stage2.unmap(&mut Stage2Tables, mapping.at, mapping.bytes)
            };
            if let Err(why) = result {
                log::error!("{}: direct reads {on}: {why:?}", plan.windows[index].node);
            }
        }
    }

    /// Maps everything that is mapped after a reset.
    pub fn map_windows(&mut self) -> Result<(), (usize, stage2::Refused)> {
        let Self {
            vm,
            hardware,
            stage2,
            ..
        } = self;
        let plan = vm.board().plan();
        for index in 0..plan.windows.len() {
            let place = &mut |backing| hardware.memory.place(backing);
            if let Some(mapping) = stage2::mapping_of(plan, index, true, place) {
                stage2
                    .map(&mut Stage2Tables, mapping)
                    .map_err(|why| (index, why))?;
            }
        }
        Ok(())
    }

    /// As the power comes on: RAM cleared, stores erased, images copied in from the verified
    /// bundle.
    pub fn power_on(&self) -> Result<(), Unbacked> {
        let memory = &self.hardware.memory;
        memory.erase_stores();
        for image in &self.images {
            if let Place::Store(store, offset) = image.to {
                memory.store_write(store, offset, image.bytes)?;
            }
        }
        memory.clear();
        for image in &self.images {
            if let Place::Memory(at) = image.to {
                memory.load(at, image.bytes)?;
            }
        }
        memory.publish();
        Ok(())
    }

    /// Brings a window of direct reads back to what it is after a reset.
    pub(super) fn reset_direct_reads(&mut self, window: usize) {
        let kind = &self.vm.board().plan().windows[window].kind;
        if let WindowKind::DirectReads { at_reset, .. } = *kind {
            self.switch_direct_reads(window, false);
            self.switch_direct_reads(window, at_reset);
        }
    }
}
