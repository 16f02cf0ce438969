//! How a core is told that one of its vCPUs is wanted: by another vCPU of the VM, by an interrupt of
//! the host's that came while another VM had the core, or by mail.

use crate::arch::mailbox::{self, Mail};
use crate::arch::{core_area, gic};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use reliquary::bundle::VM_LIMIT;
use spin::Once;

/// For each VM, its vCPUs that are called: bit n is vCPU n.
static CALLS: [AtomicU32; VM_LIMIT] = [const { AtomicU32::new(0) }; VM_LIMIT];
/// For each VM, the interrupts of passed-through devices that came while it did not have the core.
static LATE: [AtomicU64; VM_LIMIT] = [const { AtomicU64::new(0) }; VM_LIMIT];
/// For each VM, the vCPU that looks after the board's deadline.
static WATCHES: [AtomicU8; VM_LIMIT] = [const { AtomicU8::new(0) }; VM_LIMIT];
/// Where vCPUs and interrupts belong.
static PLACES: Once<Places> = Once::new();

/// Where vCPUs and interrupts belong.
pub struct Places {
    /// For each VM, the core of each of its vCPUs.
    pub cores: Vec<Vec<usize>>,
    /// An INTID of the host, its VM, and its number there.
    pub interrupts: Vec<(u32, usize, usize)>,
}

/// Tells it, once.
pub fn place(places: Places) {
    PLACES.call_once(|| places);
}

fn core_of(vm: usize, cpu: u8) -> Option<usize> {
    let cores = PLACES.get()?.cores.get(vm)?;
    cores.get(usize::from(cpu)).copied()
}

/// Whether a vCPU's core is this one.
pub fn is_here(vm: usize, cpu: u8) -> bool {
    core_of(vm, cpu) == Some(core_area::index())
}

/// Calls a vCPU: its core looks after it. Whether that is this core, which is not interrupted.
pub fn call(vm: usize, cpu: u8) -> bool {
    if let Some(calls) = CALLS.get(vm) {
        calls.fetch_or(1 << cpu, Ordering::Release);
    }
    match core_of(vm, cpu) {
        Some(core) if core != core_area::index() => {
            gic::wake(core, crate::system::mpidr_of(core));
            false
        }
        Some(_) => true,
        None => false,
    }
}

/// Wakes the core that takes the VM's mail.
pub fn wake(vm: usize) {
    if let Some(core) = core_of(vm, 0) {
        gic::wake(core, crate::system::mpidr_of(core));
    }
}

/// Wakes the core that takes the VM's mail, unless it is this one: whether it is.
pub fn wake_other(vm: usize) -> bool {
    match core_of(vm, 0) {
        Some(core) if core != core_area::index() => {
            gic::wake(core, crate::system::mpidr_of(core));
            false
        }
        Some(_) => true,
        None => false,
    }
}

/// Whether a vCPU is called; the first takes the VM's mail.
#[inline]
pub fn is_called(vm: usize, cpu: u8) -> bool {
    let called = CALLS
        .get(vm)
        .is_some_and(|calls| calls.load(Ordering::Relaxed) & 1 << cpu != 0);
    called || cpu == 0 && mailbox::is_full(vm)
}

/// Takes this mail for a VM's first vCPU, if that is not called for anything else. Whether so.
#[inline]
pub fn take_only(vm: usize, mail: Mail) -> bool {
    let calls = CALLS.get(vm);
    calls.is_some_and(|calls| calls.load(Ordering::Relaxed) & 1 == 0)
        && mailbox::take_only(vm, mail)
}

/// It is looked after now.
pub fn answer(vm: usize, cpu: u8) {
    if let Some(calls) = CALLS.get(vm) {
        calls.fetch_and(!(1 << cpu), Ordering::Acquire);
    }
}

/// A vCPU looks after the board's deadline from now on: the one that was the last to see it. The
/// others of the VM need not wake for it.
pub fn watch(vm: usize, cpu: u8) {
    if let Some(watches) = WATCHES.get(vm) {
        watches.store(cpu, Ordering::Relaxed);
    }
}

/// Whether a vCPU looks after the board's deadline.
pub fn watches(vm: usize, cpu: u8) -> bool {
    WATCHES
        .get(vm)
        .is_some_and(|watches| watches.load(Ordering::Relaxed) == cpu)
}

/// An interrupt of the host's has come that is not of the VM on this core: whether it is another's,
/// which is called.
pub fn interrupt(intid: u32) -> bool {
    let places = PLACES.get().map_or(&[][..], |places| &places.interrupts);
    let Some((_, vm, index)) = places.iter().find(|place| place.0 == intid) else {
        return false;
    };
    if let Some(late) = LATE.get(*vm) {
        late.fetch_or(1 << (index & 63), Ordering::Release);
    }
    call(*vm, 0);
    true
}

/// Takes the interrupts that came late: bit n is the VM's n-th.
pub fn late(vm: usize) -> u64 {
    LATE.get(vm)
        .map_or(0, |late| late.swap(0, Ordering::Acquire))
}
