//! The SPSR of the mode that an AArch32 guest is in, on a host that hides it from EL2.
//!
//! docs/adr/0005 tells of such hosts: the register is among EL1's banks only once the guest has left
//! the mode, and to come into its mode again from EL2 does not bring it back. When a vCPU leaves the
//! core it would stay behind, for the next one to find. So code of ours goes into the guest's mode,
//! reads it there or writes it, and comes back: two instructions at EL1, with both stages of
//! translation off and every interrupt masked.

use super::barrier_isb;
use super::hardware::SCTLR_A32;
use super::registers::msr;
use core::arch::global_asm;
use reliquary::vcpu::psr;

global_asm!(
    r#"
    .section .text.hidden_spsr, "ax"
    .balign 8
read_here:
    .inst   0xe14f0000                  // A32: mrs r0, spsr
    .inst   0xe1400070                  //      hvc #0
write_here:
    .inst   0xe16ff000                  //      msr spsr_fsxc, r0
    .inst   0xe1400070                  //      hvc #0

    // (value, SPSR_EL2 of the mode, whether to write) -> value
    .global visit_mode
visit_mode:
    stp     x29, x30, [sp, #-96]!       // EL1 in AArch32 leaves the upper halves unknown
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    adr     x3, read_here
    adr     x4, write_here
    cmp     x2, #0
    csel    x3, x3, x4, eq
    msr     elr_el2, x3
    msr     spsr_el2, x1
    adr     x3, visit_vectors
    msr     vbar_el2, x3
    isb
    eret
visit_back:
    adrp    x3, el2_vectors
    add     x3, x3, :lo12:el2_vectors
    msr     vbar_el2, x3
    isb
    mov     w0, w0
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

    // EL2's own exceptions go where they always go.
    .balign 2048
visit_vectors:
    .irp    place, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    .balign 128
    b       el2_vectors + 128 * \place
    .endr
    .rept   4
    .balign 128
    b       visit_back
    .endr
"#
);

unsafe extern "C" {
    fn visit_mode(value: u64, mode: u64, write: u64) -> u64;
}

/// SPSR_<mode> as the guest in `mode` (SPSR_EL2's form) would read it.
///
/// EL1's SCTLR and MDSCR, HCR_EL2 and VTTBR_EL2 have other values afterwards.
pub fn read(mode: u64) -> u64 {
    visit(0, mode, false)
}

/// Writes what the guest in `mode` will read; see [`read`].
pub fn write(mode: u64, value: u64) {
    visit(value, mode, true);
}

fn visit(value: u64, mode: u64, write: bool) -> u64 {
    msr!("sctlr_el1", SCTLR_A32);
    msr!("mdscr_el1", 0);
    msr!("vttbr_el2", 0); // VMID 0 is no VM's
    msr!("hcr_el2", 0);
    barrier_isb();
    let mode = psr::A | psr::I | psr::F | mode & psr::MODE;
    // SAFETY: what runs at EL1 is the two instructions above, by their physical address, which
    // touch no memory; with HCR_EL2 zero an interrupt is EL1's, and masked. Both instructions are
    // defined in every mode that has an SPSR. Registers that the call keeps are on the stack.
    unsafe { visit_mode(value, mode, u64::from(write)) }
}
