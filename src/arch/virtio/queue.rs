//! A split virtqueue (Virtual I/O Device 1.2, 2.7) and the memory of its buffers, both from the arena.
//!
//! The device changes what is here at any time, so no reference to it is ever made.

use crate::arch::{arena, barrier_dsb};
use core::mem::{align_of, offset_of, size_of};
use reliquary::virtqueue::{Lent, Wrong};

/// Descriptor flag: the device writes there (2.7.5).
const WRITES: u16 = 2;
/// Available ring flag: no interrupt for used buffers (2.7.6).
const NO_INTERRUPT: u16 = 1;

/// What the device sees.
#[repr(C, align(16))]
struct Shared<const N: usize> {
    descriptors: [Descriptor; N],
    available: Available<N>,
    used: Used<N>,
}

#[repr(C)]
struct Descriptor {
    address: u64,
    bytes: u32,
    flags: u16,
    next: u16,
}

#[repr(C)]
struct Available<const N: usize> {
    flags: u16,
    index: u16,
    ring: [u16; N],
    event: u16,
}

#[repr(C, align(4))]
struct Used<const N: usize> {
    flags: u16,
    index: u16,
    ring: [[u32; 2]; N],
    event: u16,
}

/// Where the device finds a queue.
pub(super) struct Parts {
    pub entries: u32,
    pub descriptors: u64,
    pub available: u64,
    pub used: u64,
}

/// Which way a queue's buffers go.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// The device writes them.
    In,
    /// It reads them.
    Out,
}

/// A queue of `N` buffers.
pub(super) struct Queue<const N: usize> {
    /// A [`Shared`].
    at: usize,
    way: Way,
    lent: Lent<N>,
}

impl<const N: usize> Queue<N> {
    /// A queue of which the device has nothing; none if there is no memory.
    pub fn new(way: Way) -> Option<Self> {
        let at = arena::zeroed(size_of::<Shared<N>>(), align_of::<Shared<N>>())?;
        Some(Self {
            at: at as usize,
            way,
            lent: Lent::new(),
        })
    }

    const fn shared(&self) -> *mut Shared<N> {
        self.at as *mut Shared<N>
    }

    pub fn parts(&self) -> Parts {
        let at = |offset: usize| (self.at + offset) as u64;
        Parts {
            entries: N as u32,
            descriptors: at(offset_of!(Shared<N>, descriptors)),
            available: at(offset_of!(Shared<N>, available)),
            used: at(offset_of!(Shared<N>, used)),
        }
    }

    /// A buffer that the device does not have.
    pub const fn free(&self) -> Option<usize> {
        self.lent.free()
    }

    /// Gives a buffer to the device, which is to be notified. Nothing happens if it has it.
    pub fn lend(&mut self, buffer: usize, address: u64, bytes: usize) {
        let Some(place) = self.lent.lend(buffer) else {
            return;
        };
        let flags = match self.way {
            Way::In => WRITES,
            Way::Out => 0,
        };
        let descriptor = Descriptor {
            address,
            bytes: bytes as u32,
            flags,
            next: 0,
        };
        let shared = self.shared();
        // SAFETY: a queue's memory, which is kept for ever; `lend` has checked the number, and the device
        // does not have the descriptor. It is told of it when it is written.
        unsafe {
            (&raw mut (*shared).descriptors[buffer]).write_volatile(descriptor);
            (&raw mut (*shared).available.ring[place]).write_volatile(buffer as u16);
            barrier_dsb();
            (&raw mut (*shared).available.index).write_volatile(self.lent.index());
        }
    }

    /// Whether the device has returned a buffer that is not taken back.
    pub fn has_returned(&self) -> Result<bool, Wrong> {
        Ok(self.lent.next(self.index())?.is_some())
    }

    /// Takes back the next buffer that the device has returned, with how many bytes it says to have written.
    pub fn take(&mut self) -> Result<Option<(usize, usize)>, Wrong> {
        let Some(place) = self.lent.next(self.index())? else {
            return Ok(None);
        };
        barrier_dsb(); // the index first, then what it tells of
        // SAFETY: as in `lend`; `place` is one of the ring's.
        let [buffer, bytes] = unsafe {
            let shared = self.shared();
            (&raw const (*shared).used.ring[place]).read_volatile()
        };
        Ok(Some((self.lent.take(buffer)?, bytes as usize)))
    }

    fn index(&self) -> u16 {
        // SAFETY: as in `lend`.
        unsafe { (&raw const (*self.shared()).used.index).read_volatile() }
    }

    /// Whether an interrupt is to tell of buffers that are returned from now on.
    pub fn interrupts(&self, on: bool) {
        Flags(self.at + offset_of!(Shared<N>, available)).interrupts(on);
    }

    /// The same, for who has not the queue itself.
    pub const fn flags(&self) -> Flags {
        Flags(self.at + offset_of!(Shared<N>, available))
    }
}

/// The flags of a queue's available ring.
#[derive(Clone, Copy)]
pub(super) struct Flags(usize);

impl Flags {
    /// See [`Queue::interrupts`].
    pub fn interrupts(self, on: bool) {
        let flags = if on { 0 } else { NO_INTERRUPT };
        // SAFETY: the ring's first field, in memory that is kept for ever; the device only reads it.
        unsafe { (self.0 as *mut u16).write_volatile(flags) }
        barrier_dsb(); // before the used ring is looked at
    }
}

/// Memory of buffers.
#[derive(Clone, Copy)]
pub(super) struct Buffers {
    at: u64,
    bytes: usize,
}

impl Buffers {
    /// So many bytes, all 0; none if there is no memory.
    pub fn new(bytes: usize) -> Option<Self> {
        let at = arena::zeroed(bytes, 8)?;
        Some(Self { at, bytes })
    }

    /// Where a byte is.
    pub const fn address(&self, offset: usize) -> u64 {
        self.at + offset as u64
    }

    const fn holds(&self, offset: usize, bytes: usize) -> bool {
        offset <= self.bytes && bytes <= self.bytes - offset
    }

    /// Copies from there; nothing happens if that is not inside.
    #[inline]
    pub fn read(&self, offset: usize, into: &mut [u8]) {
        if self.holds(offset, into.len()) {
            let from = self.address(offset) as *const u8;
            // SAFETY: inside of memory that is kept for ever, apart from all references. A device that
            // changes it meanwhile changes what the bytes are, and no more: they are looked at behind this.
            unsafe { from.copy_to_nonoverlapping(into.as_mut_ptr(), into.len()) }
        }
    }

    /// Copies to there; nothing happens if that is not inside.
    #[inline]
    pub fn write(&self, offset: usize, from: &[u8]) {
        if self.holds(offset, from.len()) {
            let to = self.address(offset) as *mut u8;
            // SAFETY: as in `read`.
            unsafe { to.copy_from_nonoverlapping(from.as_ptr(), from.len()) }
        }
    }
}
