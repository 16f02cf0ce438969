//! Board vexpress-a15: accesses to an address that nothing claims. The first one has a handler, which
//! tells the abort if there is one; the second has none: the vectors, too, lie where there is
//! nothing. The VM must stop there with a report; a board goes on, or hangs.
#![no_std]
#![no_main]

use core::arch::global_asm;
use firmware::arm32::{DATA_ABORT, Frame, unexpected};
use firmware::cp;
use firmware::device::Device;
use firmware::{VEXPRESS_A15, check, println};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    if vector != DATA_ABORT {
        unexpected(vector, frame);
    }
    println!(
        "data abort from mode {:#x}, {:#x} behind the read, DFSR {:#x}, DFAR {:#x}",
        frame.spsr & 0x1f,
        frame.lr.wrapping_sub(&raw const unclaimed_at as u32),
        cp!(read "p15, 0, {}, c5, c0, 0"),
        cp!(read "p15, 0, {}, c6, c0, 0"),
    );
    frame.lr -= 4;
}

global_asm!(
    r#"
    .arm
    .global unclaimed, unclaimed_at
unclaimed:
    msr     spsr_cxsf, r1
unclaimed_at:
    ldr     r0, [r0]
    mrs     r0, spsr
    bx      lr
"#
);

unsafe extern "C" {
    /// Reads at an address with `spsr` in SPSR_svc, and gives what is there afterwards.
    fn unclaimed(at: u32, spsr: u32) -> u32;
    static unclaimed_at: u8;
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("die-unclaimed", &VEXPRESS_A15);
    // SAFETY: reads where there is nothing.
    let spsr = unsafe { unclaimed(0x7800_0000, 0xa000_01d0) };
    checks.equal("SPSR_svc is kept", u64::from(spsr), 0xa000_01d0);
    println!("reading 0x78000000");
    cp!(write "p15, 0, {}, c12, c0, 0", 0x7900_0000);
    // SAFETY: reads where there is nothing.
    let read = unsafe { Device::at(0x7800_0000) }.read(0);
    println!("read {read:#x}");
    checks.that("the VM is stopped", false);
    checks.finish()
}
