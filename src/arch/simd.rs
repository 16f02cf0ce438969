//! The guest's SIMD registers.
//!
//! The hypervisor is built without them, so they hold the guest's values while EL2 runs: one is
//! read or written in its place, and none is saved for an exit.

use core::arch::{asm, global_asm};

// A table of 32 moves between memory at X0 and V0 to V31, eight bytes each.
global_asm!(
    ".arch_extension fp",
    ".arch_extension simd",
    ".section .text.simd, \"ax\"",
    ".balign 8",
    "simd_store_table:",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "str q\\n, [x0]",
    "ret",
    ".endr",
    "simd_load_table:",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "ldr q\\n, [x0]",
    "ret",
    ".endr",
);

/// The bytes of V register `n`, 0 to 31, as a number.
pub fn get(n: u8) -> u128 {
    let mut value = 0u128;
    // SAFETY: jumps to one of 32 pairs of a store of 16 bytes at X0, which is `value`, and a
    // return; CPTR_EL2.TFP is clear, so that the store does not trap.
    unsafe {
        asm!(
            "adr x1, simd_store_table",
            "add x1, x1, {n}, lsl #3",
            "blr x1",
            n = in(reg) u64::from(n & 31),
            in("x0") &raw mut value,
            out("x1") _,
            out("x30") _,
            options(nostack)
        );
    }
    value
}

/// Sets V register `n`, 0 to 31.
pub fn set(n: u8, value: u128) {
    // SAFETY: as in `get`, with a load. No code of EL2 has anything in these registers.
    unsafe {
        asm!(
            "adr x1, simd_load_table",
            "add x1, x1, {n}, lsl #3",
            "blr x1",
            n = in(reg) u64::from(n & 31),
            in("x0") &raw const value,
            out("x1") _,
            out("x30") _,
            options(nostack, readonly)
        );
    }
}
