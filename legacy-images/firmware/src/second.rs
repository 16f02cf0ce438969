//! The other CPUs of a 64-bit board, switched on by PSCI.

use core::arch::{asm, global_asm};

global_asm!(
    r#"
    .section .text, "ax"
    .global second_entry
    // A program that switches no CPU on need not have it, though this be linked to it.
    .weak   second
second_entry:
    mov     sp, x0
    adr     x0, {vectors}
    ldr     x0, [x0]
    msr     vbar_el1, x0
    isb
    bl      second
9:  wfe
    b       9b
"#,
    vectors = sym VECTORS
);

/// Where the vectors are; the first CPU notes it.
#[unsafe(no_mangle)]
static mut VECTORS: u64 = 0;

/// Bytes of another CPU's stack.
const STACK: usize = 0x4000;
/// Their stacks.
static mut STACKS: [[u64; STACK / 8]; 2] = [[0; STACK / 8]; 2];

/// The CPU that runs this.
#[must_use]
pub fn cpu() -> usize {
    (crate::sysreg!("mpidr_el1") & 3) as usize
}

/// PSCI, by HVC.
pub fn psci(function: u64, first: u64, second: u64, third: u64) -> i64 {
    let answer: u64;
    // SAFETY: PSCI (DEN 0022) changes these registers only; X4 on stay, or it does not come back.
    unsafe {
        asm!("hvc #0", inlateout("x0") function => answer, inlateout("x1") first => _,
            inlateout("x2") second => _, inlateout("x3") third => _, options(nostack));
    }
    answer.cast_signed()
}

/// Switches a CPU on, by `CPU_ON`: it begins in the program's `second`, on a stack of its own.
#[allow(clippy::must_use_candidate)] // who sends storms of them does not look
pub fn switch_on(cpu: usize) -> i64 {
    unsafe extern "C" {
        static second_entry: u8;
    }
    let vectors = crate::sysreg!("vbar_el1");
    // SAFETY: aligned 64-bit memory of this program, the same value each time.
    unsafe {
        (&raw mut VECTORS).write_volatile(vectors);
        asm!("dsb sy", options(nostack));
        let top = (&raw const STACKS[cpu & 1]).cast::<u8>().add(STACK);
        let entry = &raw const second_entry;
        psci(0xc400_0003, cpu as u64, entry as u64, top as u64)
    }
}
