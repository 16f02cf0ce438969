//! The same as `passthrough64`, with the devices where QEMU's virt machine has them.
#![no_std]
#![no_main]

use firmware::forwarded::{Places, run};

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    run(&Places {
        name: "passthrough64-virt",
        pl031: 0x0901_0000,
        pl031_id: 34,
        pl061: 0x0903_0000,
    })
}
