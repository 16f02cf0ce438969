//! What an observer is told of beyond a device's own calls: accesses of tapped windows, and the
//! memory that devices read and write.

use super::{Board, What};
use crate::access::Access;
use crate::board::World;
use crate::board::observe::{By, Kinds, Observer};
use crate::memory::{BoardMemory, StoreId, Unbacked};
use crate::units::{Instant, Ipa};
use core::cell::RefCell;

/// An access of a tapped window. The metal carries it out, and tells its value behind that.
#[derive(Clone, Copy)]
pub(super) struct Tapped {
    pub(super) at: Instant,
    pub(super) window: usize,
    pub(super) access: Access,
    pub(super) write: bool,
}

impl Board {
    /// Tells the observer of an access that the metal has carried out on the host's registers.
    #[cold]
    pub(super) fn see_tapped(&mut self, tapped: Tapped, value: u64) {
        let Tapped {
            at,
            window,
            access,
            write,
        } = tapped;
        let device = self.plan.devices.len().saturating_add(window);
        let what = What::Access {
            access,
            write,
            value: Some(value & access.width.mask()),
        };
        self.see(Kinds::ACCESSES, at, device, what);
    }
}

/// Board memory, as a device sees it while there is an observer.
pub(super) struct Watched<'a> {
    memory: &'a dyn BoardMemory,
    observer: RefCell<&'a mut Observer>,
    at: Instant,
    device: u16,
}

impl<'a> Watched<'a> {
    pub(super) fn new(world: &World<'a>, observer: &'a mut Observer, device: u16) -> Self {
        Self {
            memory: world.memory,
            observer: RefCell::new(observer),
            at: world.now,
            device,
        }
    }

    fn see(&self, by: By, bytes: &[u8]) {
        if let Ok(mut observer) = self.observer.try_borrow_mut() {
            observer.note_bytes(self.at, self.device, by, bytes);
        }
    }
}

impl BoardMemory for Watched<'_> {
    fn read(&self, at: Ipa, into: &mut [u8]) -> Result<(), Unbacked> {
        self.memory.read(at, into)?;
        self.see(By::MasterRead(at), into);
        Ok(())
    }

    fn write(&self, at: Ipa, from: &[u8]) -> Result<(), Unbacked> {
        self.memory.write(at, from)?;
        self.see(By::MasterWrite(at), from);
        Ok(())
    }

    fn store_read(&self, store: StoreId, offset: u64, into: &mut [u8]) -> Result<(), Unbacked> {
        self.memory.store_read(store, offset, into)
    }

    fn store_write(&self, store: StoreId, offset: u64, from: &[u8]) -> Result<(), Unbacked> {
        self.memory.store_write(store, offset, from)
    }
}
