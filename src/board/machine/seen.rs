//! A device's calls while there is an observer, which is told of the memory that the device reads and
//! writes.

use super::Board;
use crate::board::World;
use crate::board::observe::{By, Observer};
use crate::emul::{Cx, Device};
use crate::memory::{BoardMemory, StoreId, Unbacked};
use crate::units::{Instant, Ipa};
use core::cell::RefCell;

impl Board {
    #[cold]
    pub(super) fn call_seen(
        &mut self,
        world: &World<'_>,
        index: usize,
        call: impl FnOnce(&mut dyn Device, &mut Cx<'_>),
    ) {
        let (Some(slot), Some(observer)) = (self.slots.get_mut(index), &mut self.observer) else {
            return;
        };
        let memory = Watched::new(world, observer, index as u16);
        let mut cx = Cx::new(world.now, &memory, slot.store);
        call(&mut *slot.device, &mut cx);
        if let Some(asked) = cx.asked() {
            self.ask(index, asked);
        }
    }
}

/// Board memory, as a device sees it while there is an observer.
struct Watched<'a> {
    memory: &'a dyn BoardMemory,
    observer: RefCell<&'a mut Observer>,
    at: Instant,
    device: u16,
}

impl<'a> Watched<'a> {
    fn new(world: &World<'a>, observer: &'a mut Observer, device: u16) -> Self {
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
