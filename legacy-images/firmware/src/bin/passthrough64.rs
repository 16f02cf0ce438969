//! Board virt-v8 with a PL031 and a PL061 where an older board had them, passed through.
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
        name: "passthrough64",
        pl031: 0x1c17_0000,
        pl031_id: 36,
        pl061: 0x1c1d_0000,
    })
}
