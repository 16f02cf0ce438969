//! Board vexpress-a15: what a Cortex-A15 is (Arm DDI 0438, DDI 0406).
#![no_std]
#![no_main]

use firmware::arm32::Frame;
use firmware::{VEXPRESS_A15, check, cp, identity, println};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    identity::exception(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("cpu-a15", &VEXPRESS_A15);
    identity::common(&mut checks, 0xc0f);
    println!("L2CTLR {:#010x}", cp!(read "p15, 1, {}, c9, c0, 2"));
    identity::peripheral_base(&mut checks, 0x2c00_0000);
    println!("CNTFRQ {}", cp!(read "p15, 0, {}, c14, c0, 0"));
    identity::undefined(&mut checks);
    checks.finish()
}
