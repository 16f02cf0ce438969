//! From the boot loader's jump to [`crate::start`].

use super::core_area::{self, AREA, CoreArea, EMERGENCY_BOTTOM, EMERGENCY_BYTES, SCRATCH};
use super::core_area::{STACK_BOTTOM, STACK_BYTES};
use super::{guest, mmu};
use core::arch::global_asm;

global_asm!(
    include_str!("boot.S"),
    stack_bottom = const STACK_BOTTOM,
    stack_size = const STACK_BYTES,
    area = const AREA,
    mair = const mmu::MAIR,
    tcr = const mmu::TCR,
    sctlr = const mmu::SCTLR,
);
global_asm!(include_str!("memcpy.S"));

global_asm!(
    include_str!("vectors.S"),
    stack_bottom = const STACK_BOTTOM,
    stack_size = const STACK_BYTES,
    emergency_bottom = const EMERGENCY_BOTTOM,
    emergency_size = const EMERGENCY_BYTES,
    scratch = const SCRATCH,
    area = const AREA,
);

unsafe extern "C" {
    static _start: u8;
    fn secondary();
}

/// Where the boot loader put the image.
pub fn image_base() -> u64 {
    &raw const _start as u64
}

/// What the Image header claims from `image_base` on, in bytes: image, bundle and arena. The
/// host tool has put it there.
pub fn claimed_size() -> u64 {
    let image_size = (image_base() + 16) as *const u64;
    // SAFETY: the header's image_size field, 16 bytes into the image, which is page-aligned.
    unsafe { image_size.read() }
}

/// Where a secondary core enters, for PSCI CPU_ON.
pub fn secondary_entry() -> u64 {
    secondary as *const () as u64
}

/// Called by boot.S on core 0, with the MMU on.
#[unsafe(no_mangle)]
extern "C" fn primary_start(_image: u64, host_tree: u64) -> ! {
    crate::start(host_tree)
}

/// Called by boot.S on every other core, with the MMU on.
#[unsafe(no_mangle)]
extern "C" fn secondary_start(area: &'static mut CoreArea) -> ! {
    debug_assert_eq!(area.index, core_area::index());
    guest::serve::serve(area)
}
