//! Board vexpress-a15: its second UART, at one end of a serial wire.
#![no_std]
#![no_main]

use firmware::arm32::{Frame, unexpected};
use firmware::{VEXPRESS_A15, check, serial};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let checks = check::begin("serial-a15", &VEXPRESS_A15);
    // SAFETY: UART1 and the board's system registers.
    unsafe { serial::exchange(0x1c0a_0000, 0x1c01_0000, checks) }
}
