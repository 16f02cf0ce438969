//! Board vexpress-a9: an SMC, where nothing answers one (the board has no PSCI).
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
    let mut checks = check::begin("die-smc", &VEXPRESS_A9);
    println!("an SMC");
    // SAFETY: the point of the program: there is no monitor.
    unsafe { asm!(".arch_extension sec", "smc #0", options(nostack)) };
    checks.that("the VM is stopped", false);
    checks.finish()
}
