//! A core made of a map of registers, for tests.

use super::{Core, SysReg};
use crate::access::Width;
use crate::memory::{BoardMemory, StoreId, Unbacked};
use crate::units::{HostPa, Ipa};
use std::cell::RefCell;
use std::vec::Vec;

/// RAM from 0x6000_0000 on.
pub struct Ram(pub RefCell<Vec<u8>>);

pub const RAM: u64 = 0x6000_0000;

impl BoardMemory for Ram {
    fn read(&self, at: Ipa, into: &mut [u8]) -> Result<(), Unbacked> {
        let from = usize::try_from(at.0.checked_sub(RAM).ok_or(Unbacked)?).map_err(|_| Unbacked)?;
        let ram = self.0.borrow();
        let end = from.checked_add(into.len()).ok_or(Unbacked)?;
        into.copy_from_slice(ram.get(from..end).ok_or(Unbacked)?);
        Ok(())
    }
    fn write(&self, at: Ipa, from: &[u8]) -> Result<(), Unbacked> {
        let to = usize::try_from(at.0.checked_sub(RAM).ok_or(Unbacked)?).map_err(|_| Unbacked)?;
        let mut ram = self.0.borrow_mut();
        let end = to.checked_add(from.len()).ok_or(Unbacked)?;
        ram.get_mut(to..end).ok_or(Unbacked)?.copy_from_slice(from);
        Ok(())
    }
    fn store_read(&self, _: StoreId, _: u64, _: &mut [u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
    fn store_write(&self, _: StoreId, _: u64, _: &[u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
}

pub struct FakeCore {
    pub registers: Vec<(SysReg, u64)>,
    pub ticks: u64,
    pub hz: u64,
    pub ram: Ram,
    /// Translations fail with this PAR.
    pub unmapped: Option<u64>,
    pub watched: Option<[u64; 2]>,
    pub stepping: bool,
    pub cleaned: Vec<(Ipa, u64)>,
    pub host: Vec<(HostPa, Width, Option<u64>)>,
}

impl Default for FakeCore {
    fn default() -> Self {
        Self {
            registers: Vec::new(),
            ticks: 0,
            hz: 62_500_000,
            ram: Ram(RefCell::new(std::vec![0; 0x10000])),
            unmapped: None,
            watched: None,
            stepping: false,
            cleaned: Vec::new(),
            host: Vec::new(),
        }
    }
}

impl Core for FakeCore {
    fn get(&self, reg: SysReg) -> u64 {
        self.registers
            .iter()
            .find(|(r, _)| *r == reg)
            .map_or(0, |(_, v)| *v)
    }
    fn set(&mut self, reg: SysReg, value: u64) {
        self.registers.retain(|(r, _)| *r != reg);
        self.registers.push((reg, value));
    }
    fn ticks(&self) -> u64 {
        self.ticks
    }
    fn hz(&self) -> u64 {
        self.hz
    }
    fn translate(&mut self, va: u64) -> Result<Ipa, u64> {
        self.unmapped.map_or(Ok(Ipa(va)), Err)
    }
    fn memory(&self) -> &dyn BoardMemory {
        &self.ram
    }
    fn host_read(&mut self, at: HostPa, width: Width) -> u64 {
        self.host.push((at, width, None));
        0x1234_5678_9abc_def0
    }
    fn host_write(&mut self, at: HostPa, width: Width, value: u64) {
        self.host.push((at, width, Some(value)));
    }
    fn watch_undef_vectors(&mut self, at: Option<[u64; 2]>) {
        self.watched = at;
    }
    fn step(&mut self, on: bool) {
        self.stepping = on;
    }
    fn clean_invalidate(&mut self, from: Ipa, bytes: u64) {
        self.cleaned.push((from, bytes));
    }
}
