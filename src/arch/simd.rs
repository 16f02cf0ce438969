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

/// All of a guest's SIMD registers, while it does not have the core.
#[repr(C, align(16))]
pub struct Simd {
    v: [u128; 32],
    fpcr: u64,
    fpsr: u64,
}

global_asm!(
    ".arch_extension fp",
    ".arch_extension simd",
    ".section .text.simd, \"ax\"",
    "simd_save_all:",
    "stp q0, q1, [x0, #0]",
    "stp q2, q3, [x0, #32]",
    "stp q4, q5, [x0, #64]",
    "stp q6, q7, [x0, #96]",
    "stp q8, q9, [x0, #128]",
    "stp q10, q11, [x0, #160]",
    "stp q12, q13, [x0, #192]",
    "stp q14, q15, [x0, #224]",
    "stp q16, q17, [x0, #256]",
    "stp q18, q19, [x0, #288]",
    "stp q20, q21, [x0, #320]",
    "stp q22, q23, [x0, #352]",
    "stp q24, q25, [x0, #384]",
    "stp q26, q27, [x0, #416]",
    "stp q28, q29, [x0, #448]",
    "stp q30, q31, [x0, #480]",
    "mrs x1, fpcr",
    "mrs x2, fpsr",
    "str x1, [x0, #512]",
    "str x2, [x0, #520]",
    "ret",
    "simd_load_all:",
    "ldp q0, q1, [x0, #0]",
    "ldp q2, q3, [x0, #32]",
    "ldp q4, q5, [x0, #64]",
    "ldp q6, q7, [x0, #96]",
    "ldp q8, q9, [x0, #128]",
    "ldp q10, q11, [x0, #160]",
    "ldp q12, q13, [x0, #192]",
    "ldp q14, q15, [x0, #224]",
    "ldp q16, q17, [x0, #256]",
    "ldp q18, q19, [x0, #288]",
    "ldp q20, q21, [x0, #320]",
    "ldp q22, q23, [x0, #352]",
    "ldp q24, q25, [x0, #384]",
    "ldp q26, q27, [x0, #416]",
    "ldp q28, q29, [x0, #448]",
    "ldp q30, q31, [x0, #480]",
    "ldr x1, [x0, #512]",
    "ldr x2, [x0, #520]",
    "msr fpcr, x1",
    "msr fpsr, x2",
    "ret",
);

impl Simd {
    pub const fn new() -> Self {
        Self {
            v: [0; 32],
            fpcr: 0,
            fpsr: 0,
        }
    }

    /// Takes what the registers hold.
    pub fn save(&mut self) {
        let _ = &self.v;
        // SAFETY: stores the registers into `self`, which is laid out as the code has it;
        // CPTR_EL2.TFP is clear.
        unsafe {
            asm!("bl simd_save_all", in("x0") &raw mut *self, out("x1") _, out("x2") _,
                out("x30") _, options(nostack));
        }
    }

    /// Puts it into the registers.
    pub fn load(&self) {
        // SAFETY: as in `save`. No code of EL2 has anything in these registers.
        unsafe {
            asm!("bl simd_load_all", in("x0") &raw const *self, out("x1") _, out("x2") _,
                out("x30") _, options(nostack, readonly));
        }
    }
}
