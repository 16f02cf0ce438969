//! The same as `passthrough64`, with the devices where QEMU's virt machine has them.
#![no_std]
#![no_main]

use firmware::arm64::Frame;
use firmware::forwarded::{self, Places, run};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    forwarded::exception(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    run(&Places {
        name: "passthrough64-virt",
        pl031: 0x0901_0000,
        pl031_id: 34,
        pl061: 0x0903_0000,
    })
}
