//! Board vexpress-a15: an LDM from a device, for which there is no syndrome.
//! The VM must stop there with a report; a board goes on, or hangs.
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
    let mut checks = check::begin("die-nosyndrome", &VEXPRESS_A15);
    println!("an LDM from the PL011 at {:#x}", VEXPRESS_A15.console);
    let (one, two): (u32, u32);
    // SAFETY: reads UARTPeriphID0 and 1.
    unsafe {
        asm!(
            "ldm {0}, {{r4, r5}}", in(reg) VEXPRESS_A15.console + 0xfe0,
            out("r4") one, out("r5") two, options(nostack)
        );
    }
    println!("read {one:#x} {two:#x}");
    checks.that("the VM is stopped", false);
    checks.finish()
}
