//! ARMv7-A, A32, entered in Secure SVC: start, vectors, the registers that programs use.

use crate::{check, println};
use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU32, Ordering};

global_asm!(
    r#"
    .section .text.start, "ax"
    .arm
    .global _start
_start:
    mrc     p15, 0, r0, c0, c0, 5
    tst     r0, #0xff
    bne     9f
    cpsid   aif, #0x11
    ldr     sp, =__fiq_stack
    cps     #0x12
    ldr     sp, =__irq_stack
    cps     #0x17
    ldr     sp, =__abort_stack
    cps     #0x1b
    ldr     sp, =__undefined_stack
    cps     #0x13
    ldr     sp, =__stack
    ldr     r0, =vectors
    mcr     p15, 0, r0, c12, c0, 0
    isb
    ldr     r0, =__bss_start
    ldr     r1, =__bss_end
    mov     r2, #0
1:  cmp     r0, r1
    strlo   r2, [r0], #4
    blo     1b
    bl      main
9:  wfe
    ldr     r1, =SECOND
    ldr     r0, [r1]
    cmp     r0, #0
    beq     9b
    ldr     sp, =__fiq_stack
    bx      r0

    .macro  handler number
    stmfd   sp!, {{r0-r12, lr}}
    mov     r0, #\number
    b       save
    .endm

    @ Position independent up to the addresses, so that it works as a copy, too.
    .balign 32
    .global vectors
vectors:
    ldr     pc, 1f
    ldr     pc, 2f
    ldr     pc, 3f
    ldr     pc, 4f
    ldr     pc, 5f
    ldr     pc, 1f
    ldr     pc, 6f
    ldr     pc, 7f
1:  .word   reset
2:  .word   undefined
3:  .word   supervisor
4:  .word   prefetch
5:  .word   data
6:  .word   irq
7:  .word   fiq
    .global vectors_end
vectors_end:

reset:
    handler 0
undefined:
    handler 1
supervisor:
    handler 2
prefetch:
    handler 3
data:
    handler 4
irq:
    handler 6
fiq:
    handler 7

save:
    mrs     r1, spsr
    sub     sp, sp, #8
    str     r1, [sp]
    mov     r1, sp
    bl      exception
    ldr     r1, [sp]
    add     sp, sp, #8
    msr     spsr_cxsf, r1
    ldmfd   sp!, {{r0-r12, pc}}^
"#
);

/// Where the second CPU goes on, once it is not 0; its stack is that of FIQ, 4 KiB.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.second")]
static SECOND: AtomicU32 = AtomicU32::new(0);

/// Starts the second CPU of the board, which waits for an event since its reset.
pub fn start_second(entry: extern "C" fn() -> !) {
    SECOND.store(entry as usize as u32, Ordering::Release);
    // SAFETY: an event.
    unsafe { asm!("dsb", "sev", options(nostack)) }
}

/// What an exception saved; what is changed here is restored changed.
#[repr(C)]
pub struct Frame {
    /// CPSR that it returns with.
    pub spsr: u32,
    _aligned: u32,
    /// r0 to r12.
    pub r: [u32; 13],
    /// The exception's LR: where it returns to, unless the handler corrects it.
    pub lr: u32,
}

/// Vector number of an undefined instruction. Returning to its LR goes on behind it.
pub const UNDEFINED: u32 = 1;
/// Vector number of a data abort. Its LR is 8 bytes past the instruction.
pub const DATA_ABORT: u32 = 4;
/// Vector number of an IRQ. Its LR is 4 bytes past the instruction to go on with.
pub const IRQ: u32 = 6;
/// Vector number of an FIQ, like an IRQ.
pub const FIQ: u32 = 7;

/// Reads a coprocessor register: `cp15!(read "p15, 0, {}, c1, c0, 0")`, or writes it.
#[macro_export]
macro_rules! cp {
    (read $name:literal) => {{
        let value: u32;
        // SAFETY: a read of a register without side effects.
        unsafe {
            ::core::arch::asm!(concat!("mrc ", $name), out(reg) value, options(nostack));
        }
        value
    }};
    (write $name:literal, $value:expr) => {{
        let value: u32 = $value;
        // SAFETY: the program's own translation and control state, which keeps its memory.
        unsafe {
            ::core::arch::asm!(concat!("mcr ", $name), "isb", in(reg) value, options(nostack));
        }
    }};
}

/// CPSR.
#[must_use]
pub fn cpsr() -> u32 {
    let value;
    // SAFETY: a read.
    unsafe { asm!("mrs {}, cpsr", out(reg) value, options(nostack)) }
    value
}

/// Lets IRQ and FIQ in, or keeps them out.
pub fn interrupts(on: bool) {
    // SAFETY: changes the masks only; the handlers keep to their frames.
    unsafe {
        if on {
            asm!("cpsie if", options(nostack));
        } else {
            asm!("cpsid if", options(nostack));
        }
    }
}

/// Waits for an interrupt.
pub fn wait() {
    // SAFETY: waits.
    unsafe { asm!("wfi", options(nostack)) }
}

/// Ends the program for an exception that no one expected.
pub fn unexpected(vector: u32, frame: &Frame) -> ! {
    println!(
        "vector {vector}: LR {:#010x} SPSR {:#x}",
        frame.lr, frame.spsr
    );
    println!(
        "DFSR {:#x} DFAR {:#010x} IFSR {:#x} IFAR {:#010x}",
        cp!(read "p15, 0, {}, c5, c0, 0"),
        cp!(read "p15, 0, {}, c6, c0, 0"),
        cp!(read "p15, 0, {}, c5, c0, 1"),
        cp!(read "p15, 0, {}, c6, c0, 2")
    );
    check::fail(format_args!("unexpected exception"))
}
