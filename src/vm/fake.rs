//! A core made of a map of registers, for tests.

use super::banks::spsr_of;
use super::{At, Core, Stage1, SysReg};
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
    /// Only these accesses fail with it; all do if there are none.
    pub unmapped_for: Vec<At>,
    /// The mode whose banks the core uses, and its SPSR, on a host that keeps it apart as QEMU
    /// 7.2 does.
    pub apart: Option<(u64, u64)>,
    pub watched: Option<[u64; 2]>,
    pub stepping: bool,
    pub cleaned: Vec<(Ipa, u64)>,
    /// How often the instruction caches were invalidated.
    pub code_invalidated: u32,
    pub simd: [u128; 32],
    /// Stage 1 says that all is Normal memory.
    pub normal: bool,
    /// Stage 1 does not tell what kind of memory it is.
    pub untold: bool,
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
            unmapped_for: Vec::new(),
            apart: None,
            watched: None,
            stepping: false,
            cleaned: Vec::new(),
            code_invalidated: 0,
            simd: [0; 32],
            normal: false,
            untold: false,
            host: Vec::new(),
        }
    }
}

impl FakeCore {
    /// The guest's core changes from one mode to another, natively.
    pub fn change_mode(&mut self, from: u64, to: u64) {
        if let Some((_, spsr)) = self.apart
            && from != to
        {
            if let Some(bank) = spsr_of(from) {
                self.set(bank, spsr);
            }
            let loaded = spsr_of(to).map_or(0xdead, |bank| self.get(bank));
            self.apart = Some((to, loaded));
        }
    }

    /// ERET: the mode changes, and where the SPSR is kept apart it stays what it was.
    pub fn eret(&mut self, to: u64) {
        if let Some((mode, _)) = &mut self.apart {
            *mode = to;
        }
    }

    /// What the guest reads as SPSR in `mode`.
    pub fn spsr(&self, mode: u64) -> u64 {
        match self.apart {
            Some((_, spsr)) => spsr,
            None => spsr_of(mode).map_or(0xdead, |bank| self.get(bank)),
        }
    }

    /// The guest writes SPSR in `mode`.
    pub fn set_spsr(&mut self, mode: u64, value: u64) {
        match (&mut self.apart, spsr_of(mode)) {
            (Some((_, spsr)), _) => *spsr = value,
            (None, Some(bank)) => self.set(bank, value),
            (None, None) => {}
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
    fn translate(&mut self, va: u64, how: At) -> Result<Ipa, u64> {
        let hit = self.unmapped_for.is_empty() || self.unmapped_for.contains(&how);
        self.unmapped.filter(|_| hit).map_or(Ok(Ipa(va)), Err)
    }
    fn stage_1(&mut self, va: u64, how: At) -> Result<Stage1, u64> {
        let page = Ipa(self.translate(va, how)?.0 & !0xfff);
        Ok(Stage1 {
            page,
            device: !self.normal,
            untold: self.untold,
            cached: self.normal,
        })
    }
    fn simd(&mut self, n: u8) -> u128 {
        self.simd[usize::from(n)]
    }
    fn set_simd(&mut self, n: u8, value: u128) {
        self.simd[usize::from(n)] = value;
    }
    fn zero_block_bytes(&self) -> u64 {
        64
    }
    fn code(&mut self, va: u64, into: &mut [u8]) -> Option<()> {
        let at = self.translate(va, At::E1Read).ok()?;
        self.ram.read(at, into).ok()
    }
    fn hides_spsr(&self) -> bool {
        self.apart.is_some()
    }
    fn change_banks(&mut self, from: u64, to: u64) {
        self.eret(from);
        self.change_mode(from, to);
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
    fn invalidate_code(&mut self) {
        self.code_invalidated += 1;
    }
}
