//! A board's memory as the library sees it: copies only, never references.

use crate::units::Ipa;

/// No memory of the board is there, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbacked;

/// A device's backing store: the index that the board gave it (a flash's array, say).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub u16);

/// What the metal implements over the VM's checked ranges, and tests with a `Vec`.
pub trait BoardMemory {
    /// Copies RAM or ROM at `at`. All of it, or [`Unbacked`] and nothing of use in `into`.
    fn read(&self, at: Ipa, into: &mut [u8]) -> Result<(), Unbacked>;
    /// Writes RAM at `at`. All of it, or [`Unbacked`] and no byte changed.
    fn write(&self, at: Ipa, from: &[u8]) -> Result<(), Unbacked>;
    /// Copies from a device's backing store, from byte `offset` on.
    fn store_read(&self, store: StoreId, offset: u64, into: &mut [u8]) -> Result<(), Unbacked>;
    /// Writes to a device's backing store, from byte `offset` on.
    fn store_write(&self, store: StoreId, offset: u64, from: &[u8]) -> Result<(), Unbacked>;
}

/// A board with no memory at all: what a device without a bus-master port is tested with.
pub struct NoMemory;

impl BoardMemory for NoMemory {
    fn read(&self, _: Ipa, _: &mut [u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
    fn write(&self, _: Ipa, _: &[u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
    fn store_read(&self, _: StoreId, _: u64, _: &mut [u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
    fn store_write(&self, _: StoreId, _: u64, _: &[u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
}
