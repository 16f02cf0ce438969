//! The SPSR of the mode that an AArch32 guest is in, on a host that hides it from EL2.
//!
//! docs/adr/0005 tells of such hosts: the register is among EL1's banks only once the core has left
//! the mode by an AArch32 instruction, and to come into its mode again from EL2 does not bring it
//! back. So code of ours goes into the guest's mode, changes it, and comes back: two instructions at
//! EL1, with both stages of translation off and every interrupt masked.

use super::barrier_isb;
use super::hardware::SCTLR_A32;
use super::registers::{mrs, msr};
use core::arch::global_asm;
use core::sync::atomic::{AtomicBool, Ordering};
use reliquary::vcpu::{mode, psr};

/// Whether this host is such a one.
static HIDES: AtomicBool = AtomicBool::new(false);

global_asm!(
    r#"
    .section .text.hidden_spsr, "ax"
    .balign 8
in_the_mode:
    .inst   0xe121f000                  // A32: msr cpsr_c, r0
    .inst   0xe1400070                  //      hvc #0

    // (CPSR of the new mode, SPSR_EL2 of the old one)
    .global visit_mode
visit_mode:
    stp     x29, x30, [sp, #-96]!       // EL1 in AArch32 leaves the upper halves unknown
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    adr     x3, in_the_mode
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
    fn visit_mode(to: u64, from: u64);
}

/// Whether EL2 reads and writes the SPSR of the guest's own mode elsewhere than the guest does.
pub fn hides() -> bool {
    HIDES.load(Ordering::Relaxed)
}

/// Finds that out, before any guest runs: what is in SPSR_svc when the core comes to Supervisor mode
/// is what the guest has there, so it is what leaves the mode with it, and not what EL2 has written to
/// SPSR_EL1 in between.
///
/// SPSR_EL1 is zero afterwards.
pub fn find_out() {
    /// No host has it there by chance.
    const PROBE: u64 = 0xf000_01da;
    /// ID_AA64PFR0_EL1.EL1: AArch32 as well (DDI 0487, D17.2.64).
    const A32_TOO: u64 = 2;
    if mrs!("id_aa64pfr0_el1") >> 4 & 0xf != A32_TOO {
        return;
    }
    msr!("spsr_el1", PROBE);
    change_mode(mode::SYS, mode::SVC);
    msr!("spsr_el1", 0);
    change_mode(mode::SVC, mode::SYS);
    HIDES.store(mrs!("spsr_el1") == PROBE, Ordering::Relaxed);
    msr!("spsr_el1", 0);
}

/// The core goes from one privileged AArch32 mode to another, and its banks with it. EL1's other
/// registers stay as they are.
pub fn change_mode(from: u64, to: u64) {
    let kept = (
        mrs!("sctlr_el1"),
        mrs!("mdscr_el1"),
        mrs!("vttbr_el2"),
        mrs!("hcr_el2"),
    );
    msr!("sctlr_el1", SCTLR_A32);
    msr!("mdscr_el1", 0);
    msr!("vttbr_el2", 0); // VMID 0 is no VM's
    msr!("hcr_el2", 0);
    barrier_isb();
    let masked = psr::A | psr::I | psr::F;
    // SAFETY: what runs at EL1 is the two instructions above, by their physical address, which
    // touch no memory; with HCR_EL2 zero an interrupt is EL1's, and masked. Both instructions are
    // defined in every privileged mode. Registers that the call keeps are on the stack.
    unsafe { visit_mode(masked | to & psr::MODE, masked | from & psr::MODE) }
    msr!("sctlr_el1", kept.0);
    msr!("mdscr_el1", kept.1);
    msr!("vttbr_el2", kept.2);
    msr!("hcr_el2", kept.3);
    barrier_isb();
}
