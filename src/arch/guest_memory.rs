//! A VM's memory on this host: host RAM behind its board's windows, reached by copies only.

use super::mmu::{self, MapRefused, PAGE, Rights};
use super::registers::mrs;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::ops::Range;
use reliquary::board::Plan;
use reliquary::board::plan::WindowKind;
use reliquary::bundle::SharedSpec;
use reliquary::memory::{BoardMemory, StoreId, Unbacked};
use reliquary::units::{HostPa, Ipa};
use reliquary::vm::stage2::Backing;

/// Host RAM that nothing else uses, given out in 2 MiB blocks.
#[derive(Clone)]
pub struct HostRam {
    free: Vec<Range<u64>>,
}

/// The size and alignment of what is given out: a stage-2 block.
pub const BLOCK: u64 = 2 << 20;

impl HostRam {
    /// All of `ram` but `taken`.
    pub fn new(ram: impl Iterator<Item = Range<u64>>, taken: &[Range<u64>]) -> Self {
        let mut free: Vec<Range<u64>> = ram.collect();
        for hole in taken {
            let mut rest = Vec::with_capacity(free.len() + 1);
            for range in free {
                let before = range.start..hole.start.clamp(range.start, range.end);
                let after = hole.end.clamp(range.start, range.end)..range.end;
                rest.extend([before, after].into_iter().filter(|part| !part.is_empty()));
            }
            free = rest;
        }
        Self { free }
    }

    /// Takes `bytes`, rounded up to whole blocks; None if no free range is long enough.
    pub fn take(&mut self, bytes: u64) -> Option<HostPa> {
        let bytes = bytes.checked_next_multiple_of(BLOCK)?;
        for range in &mut self.free {
            let start = range.start.checked_next_multiple_of(BLOCK)?;
            let Some(end) = start.checked_add(bytes).filter(|end| *end <= range.end) else {
                continue;
            };
            // What lies before the aligned start is lost: less than a block a range.
            range.start = end;
            return Some(HostPa(start));
        }
        None
    }

    /// The longest free range in bytes, for messages.
    pub fn longest(&self) -> u64 {
        self.free
            .iter()
            .map(|range| {
                range
                    .end
                    .saturating_sub(range.start.next_multiple_of(BLOCK))
            })
            .max()
            .unwrap_or(0)
    }
}

/// One piece of host RAM in a VM.
#[derive(Clone, Copy, Debug)]
struct Piece {
    host: u64,
    bytes: u64,
}

impl Piece {
    fn take(ram: &mut HostRam, bytes: u64) -> Result<Self, Shortage> {
        let longest = ram.longest();
        let host = ram.take(bytes).ok_or(Shortage::Ram { bytes, longest })?.0;
        let bytes = bytes.next_multiple_of(PAGE as u64);
        mmu::map(host, bytes, Rights::ReadWrite).map_err(Shortage::Map)?;
        Ok(Self { host, bytes })
    }
}

/// RAM or ROM of a window.
struct Region {
    window: usize,
    at: Ipa,
    piece: Piece,
    writable: bool,
}

/// The memories that VMs share, by their numbers in the system.
pub struct SharedMemory(Vec<Piece>);

impl SharedMemory {
    /// Takes host RAM for all of them, and clears it.
    pub fn take(specs: &[SharedSpec], ram: &mut HostRam) -> Result<Self, Shortage> {
        let bytes = specs.iter().map(|spec| spec.bytes).sum();
        if bytes == 0 {
            return Ok(Self(Vec::new()));
        }
        let all = Piece::take(ram, bytes)?;
        zero(all.host, all.bytes);
        clean(&all);
        super::barrier_dsb();
        let mut host = all.host;
        let pieces = specs.iter().map(|spec| {
            let bytes = spec.bytes;
            let piece = Piece { host, bytes };
            host += bytes;
            piece
        });
        Ok(Self(pieces.collect()))
    }
}

/// All memory of one VM.
pub struct GuestMemory {
    regions: Vec<Region>,
    stores: Vec<Piece>,
    /// Memories that other VMs have too; no copy goes there.
    shared: Vec<(u16, Piece)>,
    /// Where code was read last: the next is mostly there too.
    code: Cell<Piece>,
}

impl GuestMemory {
    /// Takes host RAM for everything of `plan` that needs it.
    ///
    /// # Errors
    ///
    /// Which window or store could not be had, and why.
    pub fn new(
        plan: &Plan,
        ram: &mut HostRam,
        shared: &SharedMemory,
    ) -> Result<Self, (String, Shortage)> {
        let mut memory = Self {
            regions: Vec::new(),
            stores: Vec::new(),
            shared: Vec::new(),
            code: Cell::new(Piece { host: 0, bytes: 0 }),
        };
        for (window, what) in plan.windows.iter().enumerate() {
            let writable = match what.kind {
                WindowKind::Ram => true,
                WindowKind::Rom => false,
                WindowKind::Shared { memory: number, .. } => {
                    let piece = shared.0.get(usize::from(number));
                    let piece = piece.filter(|piece| piece.bytes >= what.bytes);
                    let piece = piece.ok_or_else(|| (what.node.clone(), Shortage::Shared))?;
                    memory.shared.push((number, *piece));
                    continue;
                }
                _ => continue,
            };
            let piece = Piece::take(ram, what.bytes).map_err(|why| (what.node.clone(), why))?;
            memory.regions.push(Region {
                window,
                at: what.at,
                piece,
                writable,
            });
        }
        // A store's number is its place here: the map hands them out from 0 on.
        for (device, bytes) in plan.stores() {
            let node = || plan.devices[device].node.clone();
            let piece = Piece::take(ram, bytes).map_err(|why| (node(), why))?;
            memory.stores.push(piece);
        }
        Ok(memory)
    }

    /// Where something of the board is on the host.
    pub fn place(&self, backing: Backing) -> Option<HostPa> {
        match backing {
            Backing::Window(window) => {
                let region = self.regions.iter().find(|region| region.window == window)?;
                Some(HostPa(region.piece.host))
            }
            Backing::Shared(number) => {
                let found = self.shared.iter().find(|(own, _)| *own == number)?;
                Some(HostPa(found.1.host))
            }
            Backing::Store(store, offset) => {
                let piece = self.stores.get(usize::from(store.0))?;
                (offset < piece.bytes).then(|| HostPa(piece.host + offset))
            }
        }
    }

    fn find(&self, at: Ipa, bytes: usize, write: bool) -> Result<u64, Unbacked> {
        let bytes = bytes as u64;
        self.regions
            .iter()
            .find_map(|region| {
                let offset = at.0.checked_sub(region.at.0)?;
                let fits = offset.checked_add(bytes)? <= region.piece.bytes;
                (fits && (region.writable || !write)).then(|| region.piece.host + offset)
            })
            .ok_or(Unbacked)
    }

    fn in_store(&self, store: StoreId, offset: u64, bytes: usize) -> Result<u64, Unbacked> {
        let piece = self.stores.get(usize::from(store.0)).ok_or(Unbacked)?;
        let end = offset.checked_add(bytes as u64).ok_or(Unbacked)?;
        if end > piece.bytes {
            Err(Unbacked)
        } else {
            Ok(piece.host + offset)
        }
    }

    /// Copies an image into RAM or ROM, before the VM starts.
    pub fn load(&self, at: Ipa, from: &[u8]) -> Result<(), Unbacked> {
        copy_in(self.find(at, from.len(), false)?, from);
        Ok(())
    }

    /// Zeroes all RAM, so that nothing of an earlier guest shows.
    pub fn clear(&self) {
        for region in &self.regions {
            zero(region.piece.host, region.piece.bytes);
        }
    }

    /// Zeroes RAM from byte `from` on, counted through all windows, in the caches and behind them: at most
    /// `bytes`, in one window. How many it were; none behind the end.
    pub fn clear_piece(&self, mut from: u64, bytes: u64) -> u64 {
        for Region { piece, .. } in &self.regions {
            if from < piece.bytes {
                let part = Piece {
                    host: piece.host + from,
                    bytes: bytes.min(piece.bytes - from),
                };
                zero(part.host, part.bytes);
                clean(&part);
                return part.bytes;
            }
            from -= piece.bytes;
        }
        0
    }

    /// Copies a part of an image into RAM or ROM, in the caches and behind them.
    pub fn load_piece(&self, at: Ipa, from: &[u8]) -> Result<(), Unbacked> {
        let host = self.find(at, from.len(), false)?;
        copy_in(host, from);
        clean(&Piece {
            host,
            bytes: from.len() as u64,
        });
        Ok(())
    }

    /// Erases all stores.
    pub fn erase_stores(&self) {
        for piece in &self.stores {
            erase(piece.host, piece.bytes);
        }
    }

    /// Cleans everything to the point of coherency: a guest starts with its caches off.
    pub fn publish(&self) {
        let pieces = self
            .regions
            .iter()
            .map(|region| &region.piece)
            .chain(&self.stores);
        pieces.for_each(clean);
        forget_code();
    }

    /// Copies from this VM's own host memory, whichever window shows it.
    pub fn host_read(&self, host: u64, into: &mut [u8]) -> Result<(), Unbacked> {
        copy_out(self.own(host, into.len())?, into);
        Ok(())
    }

    /// The 32 bits at a multiple of 4 (others are rounded down) of this VM's own host memory: an
    /// instruction.
    #[inline]
    pub fn host_word(&self, host: u64) -> Option<u32> {
        // Pieces are whole pages, so a word at a multiple of 4 lies in one or in none.
        let host = host & !3;
        let code = self.code.get();
        if host.wrapping_sub(code.host) >= code.bytes {
            self.find_code(host)?;
        }
        // SAFETY: as in `copy_out`, and aligned.
        Some(unsafe { (host as *const u32).read_volatile() })
    }

    /// Remembers the piece that has the word at `host`.
    #[cold]
    fn find_code(&self, host: u64) -> Option<()> {
        let regions = self.regions.iter().map(|region| &region.piece);
        let mut pieces = regions.chain(&self.stores);
        let piece = pieces.find(|piece| host.wrapping_sub(piece.host) < piece.bytes)?;
        self.code.set(*piece);
        Some(())
    }

    /// `host`, if so many bytes there are of one piece of this VM.
    fn own(&self, host: u64, bytes: usize) -> Result<u64, Unbacked> {
        let end = host.checked_add(bytes as u64).ok_or(Unbacked)?;
        for region in &self.regions {
            if host >= region.piece.host && end <= region.piece.host + region.piece.bytes {
                return Ok(host);
            }
        }
        let holds = |piece: &Piece| host >= piece.host && end <= piece.host + piece.bytes;
        self.stores
            .iter()
            .any(holds)
            .then_some(host)
            .ok_or(Unbacked)
    }

    /// Where guest RAM at `at` is on the host, for cache maintenance.
    pub fn host_address(&self, at: Ipa, bytes: u64) -> Option<u64> {
        self.find(at, usize::try_from(bytes).ok()?, false).ok()
    }
}

/// Why a VM's memory could not be had.
#[derive(Debug)]
pub enum Shortage {
    /// No free range of host RAM is long enough.
    Ram {
        /// What was wanted.
        bytes: u64,
        /// The longest one.
        longest: u64,
    },
    /// The hypervisor cannot map it for itself.
    Map(MapRefused),
    /// The system has no shared memory of this number and size.
    Shared,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ram { bytes, longest } => write!(
                f,
                "{} KiB of RAM wanted, and the longest free piece of the host's has {} KiB; \
                 give the VM less memory, or the host more",
                bytes / 1024,
                longest / 1024
            ),
            Self::Shared => write!(
                f,
                "the system has no such shared memory; build it anew, with [[shared-memory]]"
            ),
            Self::Map(why) => write!(f, "the hypervisor cannot map {:#x}: {}", why.at, why.why),
        }
    }
}

fn copy_out(host: u64, into: &mut [u8]) {
    // SAFETY: `host` and the length were checked against a piece: mapped host RAM that only
    // this VM has. Its vCPUs may write it meanwhile: then the copy is one of the values that
    // memory held, as for any bus master. `into` is ours, so the two do not overlap.
    unsafe { core::ptr::copy_nonoverlapping(host as *const u8, into.as_mut_ptr(), into.len()) }
}

fn copy_in(host: u64, from: &[u8]) {
    // SAFETY: as in `copy_out`.
    unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), host as *mut u8, from.len()) }
}

/// Instruction caches hold nothing of what was there before.
pub fn forget_code() {
    super::barrier_dsb();
    // SAFETY: what is needed is fetched again.
    unsafe { core::arch::asm!("ic ialluis", "dsb ish", "isb", options(nostack)) }
}

/// Cleans a piece to the point of coherency.
fn clean(piece: &Piece) {
    let line = 4u64 << (mrs!("ctr_el0") >> 16 & 0xf);
    for at in (piece.host..piece.host + piece.bytes).step_by(line as usize) {
        // SAFETY: cache maintenance of mapped RAM changes no data.
        unsafe { core::arch::asm!("dc cvac, {}", in(reg) at, options(nostack)) }
    }
}

/// Zeroes whole pages by DC ZVA.
fn zero(host: u64, bytes: u64) {
    let block = 4u64 << (mrs!("dczid_el0") & 0xf);
    let mut at = host;
    while at < host + bytes {
        // SAFETY: inside a piece (pages are multiples of every ZVA block), as in `copy_out`.
        unsafe { core::arch::asm!("dc zva, {}", in(reg) at, options(nostack)) }
        at += block;
    }
}

/// Sets whole pages to ones, which is how erased flash reads. A flash has some 100 MiB of them,
/// so it is done in pairs of registers.
fn erase(host: u64, bytes: u64) {
    for at in (host..host + bytes).step_by(64) {
        // SAFETY: inside a piece (pages are multiples of 64 bytes), as in `copy_out`.
        unsafe {
            core::arch::asm!(
                "stp {ones}, {ones}, [{at}]",
                "stp {ones}, {ones}, [{at}, #16]",
                "stp {ones}, {ones}, [{at}, #32]",
                "stp {ones}, {ones}, [{at}, #48]",
                ones = in(reg) u64::MAX,
                at = in(reg) at,
                options(nostack, preserves_flags)
            );
        }
    }
}

impl BoardMemory for GuestMemory {
    fn read(&self, at: Ipa, into: &mut [u8]) -> Result<(), Unbacked> {
        copy_out(self.find(at, into.len(), false)?, into);
        Ok(())
    }

    fn write(&self, at: Ipa, from: &[u8]) -> Result<(), Unbacked> {
        copy_in(self.find(at, from.len(), true)?, from);
        Ok(())
    }

    fn store_read(&self, store: StoreId, offset: u64, into: &mut [u8]) -> Result<(), Unbacked> {
        copy_out(self.in_store(store, offset, into.len())?, into);
        Ok(())
    }

    fn store_write(&self, store: StoreId, offset: u64, from: &[u8]) -> Result<(), Unbacked> {
        copy_in(self.in_store(store, offset, from.len())?, from);
        Ok(())
    }
}
