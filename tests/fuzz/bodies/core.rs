//! The core under the VM: registers, memory that is put back after each input, pages.

use super::board::{HOST, PAGE, RAM, RAM_BYTES, ROM};
use reliquary::access::Width;
use reliquary::memory::{BoardMemory, StoreId, Unbacked};
use reliquary::units::{HostPa, Ipa};
use reliquary::vcpu::mode;
use reliquary::vm::{At, Core, Stage1, SysReg};
use std::cell::{Cell, RefCell};

/// RAM, and the ROM behind it.
pub struct Memory {
    bytes: RefCell<Vec<u8>>,
    /// What was overwritten.
    undo: RefCell<Vec<(usize, u8)>>,
    /// Accesses.
    pub count: Cell<u64>,
}

impl Memory {
    fn new() -> Self {
        let bytes = (0..RAM_BYTES + PAGE)
            .map(|n| ((n * 7) >> 3) as u8)
            .collect();
        Self {
            bytes: RefCell::new(bytes),
            undo: RefCell::default(),
            count: Cell::new(0),
        }
    }

    /// Where in `bytes` an address is.
    fn index(at: u64, bytes: usize, write: bool) -> Option<usize> {
        let last = at.checked_add(bytes as u64)?;
        if at >= RAM && last <= RAM + RAM_BYTES {
            Some((at - RAM) as usize)
        } else if at >= ROM && last <= ROM + PAGE && !write {
            Some((at - ROM + RAM_BYTES) as usize)
        } else {
            None
        }
    }

    fn store(&self, index: usize, from: &[u8]) {
        let mut bytes = self.bytes.borrow_mut();
        let mut undo = self.undo.borrow_mut();
        for (n, byte) in from.iter().enumerate() {
            undo.push((index + n, bytes[index + n]));
            bytes[index + n] = *byte;
        }
    }

    /// All is as at first again.
    fn restore(&self) {
        let mut bytes = self.bytes.borrow_mut();
        for (index, byte) in self.undo.borrow_mut().drain(..).rev() {
            bytes[index] = byte;
        }
        self.count.set(0);
    }
}

impl BoardMemory for Memory {
    fn read(&self, at: Ipa, into: &mut [u8]) -> Result<(), Unbacked> {
        let index = Self::index(at.0, into.len(), false).ok_or(Unbacked)?;
        self.count.set(self.count.get() + 1);
        into.copy_from_slice(&self.bytes.borrow()[index..index + into.len()]);
        Ok(())
    }
    fn write(&self, at: Ipa, from: &[u8]) -> Result<(), Unbacked> {
        let index = Self::index(at.0, from.len(), true).ok_or(Unbacked)?;
        self.count.set(self.count.get() + 1);
        self.store(index, from);
        Ok(())
    }
    fn store_read(&self, _: StoreId, _: u64, _: &mut [u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
    fn store_write(&self, _: StoreId, _: u64, _: &[u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
}

/// A page of the guest's stage 1.
#[derive(Clone, Copy, Default)]
pub struct Page {
    pub va: u64,
    pub ipa: u64,
    /// PAR_EL1 of an access that it refuses: a write, or one from EL0, or any.
    pub par: u64,
    pub refuses_reads: bool,
    pub refuses_writes: bool,
}

pub struct Bench {
    pub registers: [u64; SYSTEM_REGISTERS],
    pub simd: [u128; 32],
    pub memory: Memory,
    /// Two pages that lie elsewhere; all others are where their address says.
    pub pages: [Page; 2],
    /// Attributes that stage 1 gives to everything: Device, Normal that is cached or not, and,
    /// with both set, that of a host that does not tell.
    pub device: bool,
    pub cached: bool,
    pub zero_block: u64,
    pub stepping: bool,
    pub watched: Option<[u64; 2]>,
    /// Accesses to the host's registers.
    pub host: u64,
    /// The mode whose banks the core has, and its SPSR, where the host keeps it apart.
    pub apart: Option<(u64, u64)>,
}

/// More than [`SysReg`] has.
const SYSTEM_REGISTERS: usize = 40;

impl Bench {
    pub fn new() -> Self {
        Self {
            registers: [0; SYSTEM_REGISTERS],
            simd: [0; 32],
            memory: Memory::new(),
            pages: [Page::default(); 2],
            device: true,
            cached: false,
            zero_block: 64,
            stepping: false,
            watched: None,
            host: 0,
            apart: None,
        }
    }

    /// For the next input.
    pub fn restore(&mut self) {
        self.memory.restore();
        self.registers = [0; SYSTEM_REGISTERS];
        self.host = 0;
    }

    /// A word at an address of RAM, before the guest runs.
    pub fn put(&mut self, at: u64, bytes: &[u8]) {
        if let Some(index) = Memory::index(at, bytes.len(), true) {
            self.memory.store(index, bytes);
        }
    }

    pub fn page(&self, va: u64) -> Page {
        let va = va & !0xfff;
        let elsewhere = self.pages.iter().find(|page| page.va == va).copied();
        elsewhere.unwrap_or(Page {
            va,
            ipa: va,
            ..Page::default()
        })
    }
}

impl Core for Bench {
    fn get(&self, reg: SysReg) -> u64 {
        self.registers[reg as usize]
    }
    fn set(&mut self, reg: SysReg, value: u64) {
        self.registers[reg as usize] = value;
    }
    fn ticks(&self) -> u64 {
        0x1234_5678
    }
    fn hz(&self) -> u64 {
        62_500_000
    }
    fn translate(&mut self, va: u64, how: At) -> Result<Ipa, u64> {
        let at = self.stage_1(va, how)?.page.0 | va & 0xfff;
        // F, S and a translation fault of level 3.
        Memory::index(at, 1, false).map_or(Err(1 << 9 | 7 << 1 | 1), |_| Ok(Ipa(at)))
    }
    fn stage_1(&mut self, va: u64, how: At) -> Result<Stage1, u64> {
        let page = self.page(va);
        let write = matches!(how, At::E1Write | At::E0Write);
        if write && page.refuses_writes || !write && page.refuses_reads {
            return Err(page.par | 1);
        }
        Ok(Stage1 {
            page: Ipa(page.ipa),
            device: self.device,
            untold: self.device && self.cached,
            cached: !self.device && self.cached,
        })
    }
    fn code(&mut self, va: u64, into: &mut [u8]) -> Option<()> {
        let at = self.translate(va, At::E1Read).ok()?.0;
        let index = Memory::index(at, into.len(), false)?;
        into.copy_from_slice(&self.memory.bytes.borrow()[index..index + into.len()]);
        Some(())
    }
    fn hides_spsr(&self) -> bool {
        self.apart.is_some()
    }
    fn change_banks(&mut self, from: u64, to: u64) {
        if let Some((_, spsr)) = self.apart
            && from != to
        {
            if let Some(bank) = bank_of(from) {
                self.set(bank, spsr);
            }
            let loaded = bank_of(to).map_or(0, |bank| self.get(bank));
            self.apart = Some((to, loaded));
        }
    }
    fn simd(&mut self, n: u8) -> u128 {
        self.simd[usize::from(n)]
    }
    fn set_simd(&mut self, n: u8, value: u128) {
        self.simd[usize::from(n)] = value;
    }
    fn zero_block_bytes(&self) -> u64 {
        self.zero_block
    }
    fn memory(&self) -> &dyn BoardMemory {
        &self.memory
    }
    fn host_read(&mut self, at: HostPa, width: Width) -> u64 {
        self.host_access(at, width);
        0x1234_5678_9abc_def0 ^ at.0
    }
    fn host_write(&mut self, at: HostPa, width: Width, _: u64) {
        self.host_access(at, width);
    }
    fn watch_undef_vectors(&mut self, at: Option<[u64; 2]>) {
        self.watched = at;
    }
    fn step(&mut self, on: bool) {
        self.stepping = on;
    }
    fn clean_invalidate(&mut self, _: Ipa, bytes: u64) {
        assert!(bytes <= RAM_BYTES);
    }
    fn invalidate_code(&mut self) {}
}

impl Bench {
    /// Only the tapped window's registers, whole and aligned.
    fn host_access(&mut self, at: HostPa, width: Width) {
        self.host += 1;
        assert!(
            at.0 >= HOST && at.0 + width.bytes() <= HOST + PAGE,
            "{at:?}"
        );
        assert_eq!(at.0 & (width.bytes() - 1), 0, "{at:?} {width:?}");
    }
}

/// The SPSR of a mode, where it has one.
pub fn bank_of(m: u64) -> Option<SysReg> {
    Some(match m {
        mode::SVC => SysReg::SpsrEl1,
        mode::ABT => SysReg::SpsrAbt,
        mode::UND => SysReg::SpsrUnd,
        mode::IRQ => SysReg::SpsrIrq,
        mode::FIQ => SysReg::SpsrFiq,
        _ => return None,
    })
}
