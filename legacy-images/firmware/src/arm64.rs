//! AArch64 at EL1: start, vectors, the registers that programs use.

use crate::{check, println};
use core::arch::{asm, global_asm};

global_asm!(
    r#"
    .section .text.start, "ax"
    .global _start
_start:
    mrs     x0, mpidr_el1
    tst     x0, #0xff
    b.ne    9f
    adrp    x0, __stack
    add     x0, x0, :lo12:__stack
    mov     sp, x0
    adr     x0, vectors
    msr     vbar_el1, x0
    isb
    adrp    x0, __bss_start
    add     x0, x0, :lo12:__bss_start
    adrp    x1, __bss_end
    add     x1, x1, :lo12:__bss_end
1:  cmp     x0, x1
    b.hs    2f
    stp     xzr, xzr, [x0], #16
    b       1b
2:  bl      main
9:  wfe
    b       9b

    .macro  vector number
    .balign 0x80
    sub     sp, sp, #272
    stp     x0, x1, [sp]
    mov     x0, #\number
    b       save
    .endm

    .balign 0x800
vectors:
    vector  0
    vector  1
    vector  2
    vector  3
    vector  4
    vector  5
    vector  6
    vector  7
    vector  8
    vector  9
    vector  10
    vector  11
    vector  12
    vector  13
    vector  14
    vector  15

save:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x1, elr_el1
    stp     x30, x1, [sp, #240]
    mrs     x1, spsr_el1
    str     x1, [sp, #256]
    mov     x1, sp
    bl      exception
    ldr     x1, [sp, #256]
    msr     spsr_el1, x1
    ldp     x30, x1, [sp, #240]
    msr     elr_el1, x1
    ldp     x28, x29, [sp, #224]
    ldp     x26, x27, [sp, #208]
    ldp     x24, x25, [sp, #192]
    ldp     x22, x23, [sp, #176]
    ldp     x20, x21, [sp, #160]
    ldp     x18, x19, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp]
    add     sp, sp, #272
    eret
"#
);

/// What an exception saved; what is changed here is restored changed.
#[repr(C)]
pub struct Frame {
    /// x0 to x30.
    pub x: [u64; 31],
    /// Where it returns to.
    pub elr: u64,
    /// PSTATE that it returns with.
    pub spsr: u64,
}

/// The vector's number of an IRQ at the current level on SP_EL1.
pub const IRQ: u64 = 5;

/// The vector's number of an FIQ there.
pub const FIQ: u64 = 6;
/// The vector's number of a synchronous exception there.
pub const SYNCHRONOUS: u64 = 4;

/// Reads a system register.
#[macro_export]
macro_rules! sysreg {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: a read of a register without side effects.
        unsafe {
            ::core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value, options(nostack));
        }
        value
    }};
    ($name:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: a timer's or the interrupt controller's register, which changes no memory.
        unsafe {
            ::core::arch::asm!(concat!("msr ", $name, ", {}"), "isb", in(reg) value,
                options(nostack));
        }
    }};
}

/// Ends the program for an exception that no one expected.
pub fn unexpected(vector: u64, frame: &Frame) -> ! {
    println!(
        "vector {vector}: ESR {:#x} FAR {:#x}",
        sysreg!("esr_el1"),
        sysreg!("far_el1")
    );
    println!(
        "ELR {:#x} SPSR {:#x} LR {:#x}",
        frame.elr, frame.spsr, frame.x[30]
    );
    check::fail(format_args!("unexpected exception"))
}

/// Lets interrupts in, or keeps them out.
pub fn interrupts(on: bool) {
    // SAFETY: changes PSTATE.I only; the handler keeps to its frame.
    unsafe {
        if on {
            asm!("msr daifclr, #2", options(nostack));
        } else {
            asm!("msr daifset, #2", options(nostack));
        }
    }
}

/// Lets fast interrupts in, or keeps them out.
pub fn fast_interrupts(on: bool) {
    // SAFETY: as `interrupts`, of PSTATE.F.
    unsafe {
        if on {
            asm!("msr daifclr, #1", options(nostack));
        } else {
            asm!("msr daifset, #1", options(nostack));
        }
    }
}

/// Waits for an interrupt.
pub fn wait() {
    // SAFETY: waits.
    unsafe { asm!("wfi", options(nostack)) }
}
