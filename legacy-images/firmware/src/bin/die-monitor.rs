//! Board vexpress-a9: a change to Monitor mode, from Secure SVC.
//! The VM must stop there with a report; a board goes on, or hangs.
#![no_std]
#![no_main]

use core::arch::asm;
use firmware::arm32::{Frame, unexpected};
use firmware::{VEXPRESS_A9, check, println};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("die-monitor", &VEXPRESS_A9);
    println!("to Monitor mode");
    // SAFETY: changes to Monitor mode, whose LR and SP are banked, and back.
    unsafe { asm!("cps #0x16", "cps #0x13", options(nostack)) };
    checks.that("the VM is stopped", false);
    checks.finish()
}
