//! The memory that a replayed board has: what the trace says that devices read, and what devices
//! wrote.

use crate::memory::{BoardMemory, StoreId, Unbacked};
use crate::units::Ipa;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

const PAGE: u64 = 4096;

/// Memory everywhere, zero until it is written; and the devices' stores.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pages: RefCell<BTreeMap<u64, Vec<u8>>>,
    stores: RefCell<Vec<Vec<u8>>>,
    /// What devices wrote, in order, until it is taken.
    written: RefCell<Vec<(Ipa, Vec<u8>)>>,
}

impl Memory {
    /// With stores of these sizes and contents, in the order of their numbers.
    pub(super) fn new(stores: Vec<Vec<u8>>) -> Self {
        Self {
            stores: RefCell::new(stores),
            ..Self::default()
        }
    }

    /// What is at `at` from now on.
    pub(super) fn set(&self, at: Ipa, bytes: &[u8]) {
        let mut pages = self.pages.borrow_mut();
        for (place, byte) in bytes.iter().enumerate() {
            let at = at.wrapping_add(place as u64).0;
            let page = pages
                .entry(at / PAGE)
                .or_insert_with(|| vec![0; PAGE as usize]);
            if let Some(cell) = page.get_mut((at % PAGE) as usize) {
                *cell = *byte;
            }
        }
    }

    /// Takes what devices wrote since this was last called.
    pub(super) fn take_written(&self) -> Vec<(Ipa, Vec<u8>)> {
        core::mem::take(&mut self.written.borrow_mut())
    }
}

impl BoardMemory for Memory {
    fn read(&self, at: Ipa, into: &mut [u8]) -> Result<(), Unbacked> {
        let pages = self.pages.borrow();
        for (place, byte) in into.iter_mut().enumerate() {
            let at = at.wrapping_add(place as u64).0;
            let page = pages.get(&(at / PAGE));
            *byte = page
                .and_then(|page| page.get((at % PAGE) as usize).copied())
                .unwrap_or(0);
        }
        Ok(())
    }

    fn write(&self, at: Ipa, from: &[u8]) -> Result<(), Unbacked> {
        self.set(at, from);
        self.written.borrow_mut().push((at, from.to_vec()));
        Ok(())
    }

    fn store_read(&self, store: StoreId, offset: u64, into: &mut [u8]) -> Result<(), Unbacked> {
        let stores = self.stores.borrow();
        let store = stores.get(usize::from(store.0)).ok_or(Unbacked)?;
        let from = usize::try_from(offset).map_err(|_| Unbacked)?;
        let rest = store.get(from..).ok_or(Unbacked)?;
        into.copy_from_slice(rest.get(..into.len()).ok_or(Unbacked)?);
        Ok(())
    }

    fn store_write(&self, store: StoreId, offset: u64, from: &[u8]) -> Result<(), Unbacked> {
        let mut stores = self.stores.borrow_mut();
        let store = stores.get_mut(usize::from(store.0)).ok_or(Unbacked)?;
        let at = usize::try_from(offset).map_err(|_| Unbacked)?;
        let rest = store.get_mut(at..).ok_or(Unbacked)?;
        rest.get_mut(..from.len())
            .ok_or(Unbacked)?
            .copy_from_slice(from);
        Ok(())
    }
}
