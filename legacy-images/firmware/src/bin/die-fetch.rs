//! Board vexpress-a15: a branch into a device's registers.
//! The VM must stop there with a report; a board executes what it reads, and hangs.
#![no_std]
#![no_main]

use core::arch::asm;
use firmware::arm32::{Frame, unexpected};
use firmware::{VEXPRESS_A15, check, println};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("die-fetch", &VEXPRESS_A15);
    println!("a branch to the PL011 at {:#x}", VEXPRESS_A15.console);
    // SAFETY: there is no way back, and none is expected.
    unsafe { asm!("blx {0}", in(reg) VEXPRESS_A15.console + 0xfe0, out("lr") _) }
    checks.that("the VM is stopped", false);
    checks.finish()
}
