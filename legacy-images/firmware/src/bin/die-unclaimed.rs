//! Board vexpress-a15: an access to an address that nothing claims, without a handler: the vectors, too, lie where there is nothing.
//! The VM must stop there with a report; a board goes on, or hangs.
#![no_std]
#![no_main]

use firmware::arm32::{Frame, unexpected};
use firmware::cp;
use firmware::device::Device;
use firmware::{VEXPRESS_A15, check, println};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("die-unclaimed", &VEXPRESS_A15);
    println!("reading 0x78000000");
    cp!(write "p15, 0, {}, c12, c0, 0", 0x7900_0000);
    // SAFETY: reads where there is nothing.
    let read = unsafe { Device::at(0x7800_0000) }.read(0);
    println!("read {read:#x}");
    checks.that("the VM is stopped", false);
    checks.finish()
}
