//! Board vexpress-a9: its second UART, at one end of a serial wire.
#![no_std]
#![no_main]

use firmware::arm32::{Frame, unexpected};
use firmware::{VEXPRESS_A9, check, serial};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let checks = check::begin("serial-a9", &VEXPRESS_A9);
    // SAFETY: UART1 and the board's system registers.
    unsafe { serial::exchange(0x1000_a000, 0x1000_0000, checks) }
}
