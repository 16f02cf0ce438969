//! The console: a PL011 (Arm DDI 0183G), polled.

use crate::device::Device;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

const UARTDR: usize = 0x00;
const UARTFR: usize = 0x18;
const UARTLCR_H: usize = 0x2c;
const UARTCR: usize = 0x30;
const UARTIMSC: usize = 0x38;
const UARTICR: usize = 0x44;

const FR_TXFF: u32 = 1 << 5;
const FR_RXFE: u32 = 1 << 4;

static BASE: AtomicUsize = AtomicUsize::new(0);

fn uart() -> Device {
    // SAFETY: set by `open` to a PL011.
    unsafe { Device::at(BASE.load(Ordering::Relaxed)) }
}

/// Turns the PL011 at `base` on: 8 bits, FIFOs, no interrupts.
pub fn open(base: usize) {
    BASE.store(base, Ordering::Relaxed);
    uart().write(UARTCR, 0);
    uart().write(UARTLCR_H, 0x70);
    uart().write(UARTIMSC, 0);
    uart().write(UARTCR, 0x301);
}

/// Sends a byte.
pub fn put(byte: u8) {
    while uart().read(UARTFR) & FR_TXFF != 0 {}
    uart().write(UARTDR, u32::from(byte));
}

/// The next byte received, if there is one.
#[must_use]
pub fn get() -> Option<u8> {
    (uart().read(UARTFR) & FR_RXFE == 0).then(|| uart().read(UARTDR) as u8)
}

/// Asks for an interrupt when bytes have been received (RX and receive timeout).
pub fn interrupt_on_receive() {
    uart().write(UARTIMSC, 0x50);
}

/// Clears the receive interrupts.
pub fn clear_interrupt() {
    uart().write(UARTICR, 0x50);
}

/// The console as a `fmt` sink; a line end becomes CR LF.
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                put(b'\r');
            }
            put(byte);
        }
        Ok(())
    }
}

/// Prints a line.
#[macro_export]
macro_rules! println {
    ($($arg:tt)*) => {{
        use ::core::fmt::Write as _;
        let _ = ::core::writeln!($crate::console::Console, $($arg)*);
    }};
}
