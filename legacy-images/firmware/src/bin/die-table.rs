//! Board vexpress-a15: translation tables in a device's registers.
//! The VM must stop at the first walk with a report; a board takes aborts for ever.
#![no_std]
#![no_main]

use firmware::arm32::{Frame, unexpected};
use firmware::cp;
use firmware::{VEXPRESS_A15, check, println};

/// RAM begins at 0x8000_0000, whose entry then is in the GIC's CPU interface, at 0x2c00_2000.
const TABLES: u32 = 0x2c00_0000;

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("die-table", &VEXPRESS_A15);
    println!("the MMU on, its tables at {TABLES:#x}");
    cp!(write "p15, 0, {}, c2, c0, 2", 0); // TTBCR: the short format, TTBR0 alone
    cp!(write "p15, 0, {}, c3, c0, 0", 0x5555_5555); // DACR
    cp!(write "p15, 0, {}, c2, c0, 0", TABLES); // TTBR0
    let control = cp!(read "p15, 0, {}, c1, c0, 0");
    cp!(write "p15, 0, {}, c1, c0, 0", control | 1); // SCTLR.M
    checks.that("the VM is stopped", false);
    checks.finish()
}
