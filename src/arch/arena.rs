//! The only memory that is ever allocated: an arena behind the bundle, bumped until the
//! guests start, then sealed. Nothing is given back. A VM's objects have a part of it, in which they can
//! be built again ([`again`]).

use super::{boot, core_area, fault, mmu};
use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use spin::Mutex;

/// Bytes that the host tool reserves behind the bundle, by image_size in the Image header.
pub const ARENA_BYTES: u64 = reliquary::bundle::ARENA_BYTES;

struct Arena {
    next: AtomicU64,
    end: AtomicU64,
    sealed: AtomicBool,
    /// The core that builds in a part of it, though it is sealed.
    builds: AtomicUsize,
}

const NOBODY: usize = usize::MAX;

#[global_allocator]
static ARENA: Arena = Arena {
    next: AtomicU64::new(0),
    end: AtomicU64::new(0),
    sealed: AtomicBool::new(false),
    builds: AtomicUsize::new(NOBODY),
};

// SAFETY: every block handed out lies in the arena, is aligned as asked and overlaps no other:
// `next` only grows, by compare-exchange, but where `again` gives up what was there.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.sealed.load(Ordering::Relaxed)
            && self.builds.load(Ordering::Relaxed) != core_area::index()
        {
            fault::allocation_after_boot(layout.size());
        }
        let mut next = self.next.load(Ordering::Relaxed);
        loop {
            let Some(start) = next.checked_next_multiple_of(layout.align() as u64) else {
                return core::ptr::null_mut();
            };
            let Some(end) = start
                .checked_add(layout.size() as u64)
                .filter(|end| *end <= self.end.load(Ordering::Relaxed))
            else {
                return core::ptr::null_mut();
            };
            match self
                .next
                .compare_exchange(next, end, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return start as *mut u8,
                Err(other) => next = other,
            }
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// Gives the allocator its memory, if it lies behind the image in what the Image header
/// claims and can be mapped. Returns where it begins.
pub fn open() -> u64 {
    // An image without a bundle claims no arena, and needs one only to say so.
    let least = mmu::image_end() + ARENA_BYTES;
    let end = (boot::image_base() + boot::claimed_size()).max(least);
    let start = end.saturating_sub(ARENA_BYTES).max(mmu::image_end());
    if start < end && mmu::map(start, end - start, mmu::Rights::ReadWrite).is_ok() {
        ARENA.end.store(end, Ordering::Relaxed);
        ARENA.next.store(start, Ordering::Relaxed);
    }
    start
}

/// From now on an allocation is a panic. Returns the bytes in use.
pub fn seal(start: u64) -> u64 {
    ARENA.sealed.store(true, Ordering::Relaxed);
    ARENA.next.load(Ordering::Relaxed) - start
}

/// A part of the arena.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    from: u64,
    to: u64,
}

/// Does something before the arena is sealed; what it allocates is in the part that is told.
pub fn apart<T>(what: impl FnOnce() -> T) -> (T, Part) {
    let from = ARENA.next.load(Ordering::Relaxed);
    let made = what();
    let to = ARENA.next.load(Ordering::Relaxed);
    (made, Part { from, to })
}

/// Does something again after the arena is sealed, in the same part: it needs no more than it did.
/// Where it does, its allocations fail.
///
/// # Safety
///
/// Nothing that lies in the part is used any more, not even to drop it.
pub unsafe fn again<T>(part: Part, what: impl FnOnce() -> T) -> T {
    static ONE: Mutex<()> = Mutex::new(());
    let one = ONE.lock();
    let kept = [&ARENA.next, &ARENA.end].map(|word| word.load(Ordering::Relaxed));
    ARENA.next.store(part.from, Ordering::Relaxed);
    ARENA.end.store(part.to, Ordering::Relaxed);
    ARENA.builds.store(core_area::index(), Ordering::Relaxed);
    let made = what();
    ARENA.builds.store(NOBODY, Ordering::Relaxed);
    ARENA.next.store(kept[0], Ordering::Relaxed);
    ARENA.end.store(kept[1], Ordering::Relaxed);
    drop(one);
    made
}

/// Zeroed memory for page tables; its address.
pub fn zeroed(bytes: usize, align: usize) -> Option<u64> {
    let layout = Layout::from_size_align(bytes, align)
        .ok()
        .filter(|_| bytes > 0)?;
    // SAFETY: the layout's size is not zero; the block, if there is one, is that long.
    unsafe {
        let block = ARENA.alloc(layout);
        if block.is_null() {
            return None;
        }
        block.write_bytes(0, bytes);
        Some(block as u64)
    }
}
