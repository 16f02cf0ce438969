//! The metal: everything that is unsafe, and nothing that is not close to it.
//!
//! - [`boot`], [`core_area`], [`mmu`], [`arena`]: from the boot loader's jump to Rust with
//!   caches, stacks and memory.
//! - [`gic`], [`counter`], [`psci`], [`uart`], [`virtio`], [`port`], [`console`]: the host's own devices.
//! - [`guest_memory`], [`stage2_tables`], [`hardware`], [`simd`], `hidden_spsr`, [`guest`]: a VM on a core: its
//!   memory, the registers that the core holds for it, its exits.
//! - [`mailbox`]: what others ask of a VM; [`monitor`]: what the user does; [`wires`]: what joins VMs.
//! - [`fault`]: exceptions and panics of the hypervisor itself.

pub mod arena;
pub mod boot;
pub mod channels;
pub mod console;
pub mod core_area;
pub mod counter;
pub mod fault;
pub mod gic;
pub mod guest;
pub mod guest_memory;
pub mod hardware;
pub mod hidden_spsr;
pub mod mailbox;
pub mod mmu;
pub mod monitor;
pub mod network;
pub mod outside;
pub mod port;
pub mod psci;
pub mod recorder;
mod registers;
mod simd;
pub mod stage2_tables;
pub mod tap;
pub mod uart;
pub mod virtio;
pub mod wires;

use aarch64_cpu::asm::barrier::{SY, dsb, isb};
use core::slice;

/// `isb`: what was written to system registers holds from here on.
#[inline]
pub fn barrier_isb() {
    isb(SY);
}

/// `dsb sy`: what was written to memory and devices is seen from here on.
#[inline]
pub fn barrier_dsb() {
    dsb(SY);
}

/// Opens a lock that a core may have taken before it failed: whoever has it after longer than any use
/// takes, has it no more.
fn let_go<T>(lock: &spin::Mutex<T>) {
    for _ in 0..1_000_000 {
        if lock.try_lock().is_some() {
            return;
        }
        core::hint::spin_loop();
    }
    // SAFETY: its holder has failed, and does not come back to it.
    unsafe { lock.force_unlock() }
}

/// Sleeps until an interrupt is pending, masked or not.
#[inline]
pub fn wait_for_interrupt() {
    dsb(SY);
    aarch64_cpu::asm::wfi();
}

/// What the boot loader left in memory: a device tree, the bundle. Read-only for ever.
///
/// # Errors
///
/// When the range cannot be mapped: it overlaps the hypervisor's own image, say.
pub fn boot_data(from: u64, bytes: u64) -> Result<&'static [u8], mmu::MapRefused> {
    mmu::map(from, bytes, mmu::Rights::Read)?;
    // SAFETY: mapped read-only just now, and a range is only ever mapped with one kind of
    // rights: nothing of the hypervisor writes it. Guests get host RAM from which such ranges
    // are taken out.
    Ok(unsafe { slice::from_raw_parts(from as *const u8, bytes as usize) })
}

/// The first eight bytes of the host's device tree: its magic and its size.
///
/// # Errors
///
/// When the page cannot be mapped.
pub fn host_tree_header(at: u64) -> Result<[u8; 8], mmu::MapRefused> {
    let bytes = boot_data(at, 8)?;
    let mut header = [0; 8];
    header.copy_from_slice(bytes);
    Ok(header)
}

/// The affinity of this core, as CPU nodes' `reg` has it.
pub fn own_affinity() -> u64 {
    registers::mrs!("mpidr_el1") & 0xff_00ff_ffff
}

/// Whether EL1 can be AArch32 (ID_AA64PFR0_EL1.EL1).
pub fn has_aarch32() -> bool {
    registers::mrs!("id_aa64pfr0_el1") >> 4 & 0xf == 2
}
