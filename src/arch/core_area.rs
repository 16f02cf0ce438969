//! What each core has for itself: the registers of the vCPU on it, its stacks, its seats.
//!
//! TPIDR_EL2 points at the registers of the vCPU that has the core, behind which is the core's area, or
//! at the area itself, which begins alike. The layouts are known to boot.S and vectors.S through the
//! constants below. A guard page under each stack is never mapped.

use super::guest::{GuestCell, Seat};
use super::mmu::PAGE;
use super::registers::{mrs, msr};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use reliquary::sched::Schedule;
use reliquary::vm::Vcpu;

/// The most cores that a host may have.
pub const CORES_MAX: usize = 8;

/// A GICv3 is built on it, at boot and where its VM is built anew: some 60 KiB deep.
const STACK_SIZE: usize = 80 * 1024;
const EMERGENCY_SIZE: usize = 8 * 1024;

/// For the assembly files.
pub const STACK_BOTTOM: usize = offset_of!(CoreArea, stack);
/// For the assembly files.
pub const STACK_BYTES: usize = STACK_SIZE;
/// For the assembly files.
pub const EMERGENCY_BOTTOM: usize = offset_of!(CoreArea, emergency);
/// For the assembly files.
pub const EMERGENCY_BYTES: usize = EMERGENCY_SIZE;
/// For the assembly files: of registers that are saved, and of an area.
pub const AREA: usize = offset_of!(Saved, area);
/// For the assembly files.
pub const SCRATCH: usize = offset_of!(CoreArea, scratch);

/// The registers of a vCPU. The vectors save them where TPIDR_EL2 points, so that at a switch of vCPUs none
/// is copied.
#[repr(C)]
pub struct Saved {
    /// The registers.
    pub vcpu: Vcpu,
    area: *mut CoreArea,
    /// What the core runs is for this vCPU's VM alone, so that only that fails with it.
    guarded: AtomicBool,
}

impl Saved {
    const fn nobodys() -> Self {
        Self {
            vcpu: Vcpu {
                x: [0; 31],
                pc: 0,
                spsr: 0,
            },
            area: core::ptr::null_mut(),
            guarded: AtomicBool::new(false),
        }
    }

    /// A place for the registers of a vCPU that has a seat, for ever.
    pub fn place() -> NonNull<Self> {
        NonNull::from(Box::leak(Box::new(Self::nobodys())))
    }
}

/// One core's area.
#[repr(C, align(4096))]
pub struct CoreArea {
    /// Nobody's registers, of a core without seats.
    saved: Saved,
    scratch: [u64; 2],
    /// The host's number of this core, from 0 in the order of its device tree.
    pub index: usize,
    /// What it serves, once it is prepared. Empty areas are all zeros, so that .bss has them.
    pub work: Option<Box<Work>>,
    /// The VM whose registers it holds, if that has no other vCPU.
    pub alone: Option<&'static GuestCell>,
    guard: Page,
    stack: [u8; STACK_SIZE],
    emergency_guard: Page,
    emergency: [u8; EMERGENCY_SIZE],
}

#[repr(C, align(4096))]
struct Page([u8; PAGE]);

const _: () = assert!(offset_of!(CoreArea, saved) == 0);
const _: () = assert!(offset_of!(Saved, vcpu) == 0);
const _: () = assert!(offset_of!(Vcpu, x) == 0);
const _: () = assert!(offset_of!(Vcpu, pc) == 31 * 8);
const _: () = assert!(offset_of!(Vcpu, spsr) == 32 * 8);

#[allow(clippy::large_stack_arrays)] // evaluated by the compiler, into .bss
impl CoreArea {
    const fn new() -> Self {
        Self {
            saved: Saved::nobodys(),
            scratch: [0; 2],
            index: 0,
            work: None,
            alone: None,
            guard: Page([0; PAGE]),
            stack: [0; STACK_SIZE],
            emergency_guard: Page([0; PAGE]),
            emergency: [0; EMERGENCY_SIZE],
        }
    }
}

/// All cores' areas.
#[repr(transparent)]
pub struct CoreAreas(UnsafeCell<[CoreArea; CORES_MAX]>);

// SAFETY: an area is written by core 0 before its core is started, and by its core alone
// from then on (`current` and `of` say so at their callers).
unsafe impl Sync for CoreAreas {}

/// In .bss; boot.S takes its address.
#[unsafe(no_mangle)]
pub static CORE_AREAS: CoreAreas =
    CoreAreas(UnsafeCell::new([const { CoreArea::new() }; CORES_MAX]));

/// This core's number.
#[inline]
pub fn index() -> usize {
    let saved = mrs!("tpidr_el2") as *const Saved;
    if saved.is_null() {
        return 0;
    }
    // SAFETY: TPIDR_EL2 is set by boot.S and `has`, to registers that have this core's area behind them,
    // and both live for ever; `index` is written only before the core starts.
    unsafe { (*(*saved).area).index }
}

/// Whether what this core runs is for the VM alone that has it.
#[inline]
pub fn guarded() -> &'static AtomicBool {
    let saved = mrs!("tpidr_el2") as *const Saved;
    // SAFETY: as in `index`.
    unsafe { &(*saved).guarded }
}

/// The area of core `index`, as an address.
pub fn address_of(index: usize) -> u64 {
    let first = CORE_AREAS.0.get() as u64;
    first + (index * size_of::<CoreArea>()) as u64
}

/// What a core serves.
#[derive(Default)]
pub struct Work {
    /// The vCPUs.
    pub seats: Vec<Seat>,
    /// The one whose registers the core holds.
    pub current: usize,
    /// Who of several has the core, and when.
    pub schedule: Option<Schedule>,
}

impl CoreArea {
    /// What it serves.
    ///
    /// # Panics
    ///
    /// Before it is prepared.
    #[inline]
    pub fn work(&mut self) -> &mut Work {
        match &mut self.work {
            Some(work) => work,
            None => unprepared(),
        }
    }

    /// From now on the vectors save and load these registers: they are those of the vCPU that has the
    /// core.
    #[inline]
    pub fn has(&mut self, registers: NonNull<Saved>) {
        let place = registers.as_ptr();
        // SAFETY: a place of `Saved::place`, of a seat of this core, of which nobody has a reference now.
        unsafe { (*place).area = self }
        msr!("tpidr_el2", place as u64);
    }
}

#[cold]
#[inline(never)]
fn unprepared() -> ! {
    panic!("a core serves that was not prepared");
}

/// This core's area, for who has left its stack behind.
pub fn own() -> &'static mut CoreArea {
    let saved = mrs!("tpidr_el2") as *const Saved;
    // SAFETY: as in `index`; the frames that had the area are abandoned by the caller.
    unsafe { &mut *(*saved).area }
}

/// Gives core 0, the caller, its work, and its area for the rest of its life.
///
/// # Panics
///
/// On another core, or the second time.
pub fn prepare_own(work: Box<Work>) -> &'static mut CoreArea {
    static ONCE: AtomicBool = AtomicBool::new(false);
    assert!(index() == 0 && !ONCE.swap(true, Ordering::Relaxed));
    // SAFETY: core 0's area, given out once, by the check above.
    let area = unsafe { &mut *(address_of(0) as *mut CoreArea) };
    area.work = Some(work);
    area
}

/// Gives a core that has not been started its number and its work; returns the address that
/// is its context for PSCI CPU_ON.
///
/// # Panics
///
/// If the core has been prepared before.
pub fn prepare_other(index: usize, work: Box<Work>) -> u64 {
    static PREPARED: [AtomicBool; CORES_MAX] = [const { AtomicBool::new(false) }; CORES_MAX];
    assert!(index != 0 && !PREPARED[index].swap(true, Ordering::Relaxed));
    let address = address_of(index);
    // SAFETY: the core is not running yet, and its area is written once, by the check above.
    unsafe {
        let area = address as *mut CoreArea;
        (*area).saved.area = area;
        (*area).index = index;
        (*area).work = Some(work);
    }
    address
}

/// The pages that must stay unmapped, as addresses.
pub fn guard_pages() -> impl Iterator<Item = u64> {
    (0..CORES_MAX).flat_map(|index| {
        let area = address_of(index);
        [
            area + offset_of!(CoreArea, guard) as u64,
            area + offset_of!(CoreArea, emergency_guard) as u64,
        ]
    })
}
