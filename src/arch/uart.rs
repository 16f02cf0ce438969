//! The host's own UART: a PL011 (DDI 0183G), found in its device tree.

use super::mmu::{self, MapRefused, PAGE, Rights};
use reliquary::units::HostPa;

const UARTDR: usize = 0x00;
const UARTFR: usize = 0x18;
const UARTIMSC: usize = 0x38;
const UARTICR: usize = 0x44;
const FR_RXFE: u32 = 1 << 4;
const FR_TXFF: u32 = 1 << 5;
const INT_RX: u32 = 1 << 4;
const INT_TX: u32 = 1 << 5;
const INT_RT: u32 = 1 << 6;

/// The UART's registers, mapped.
pub struct Uart {
    base: usize,
    tx_interrupt: bool,
}

impl Uart {
    /// Maps the registers at `base` and clears old interrupts. The baud rate and the frame
    /// stay as the boot loader left them.
    pub fn open(base: HostPa) -> Result<Self, MapRefused> {
        mmu::map(base.0, PAGE as u64, Rights::Device)?;
        let uart = Self {
            base: base.0 as usize,
            tx_interrupt: false,
        };
        uart.write(UARTICR, 0x7ff);
        Ok(uart)
    }

    fn read(&self, offset: usize) -> u32 {
        // SAFETY: `base` is a PL011's page, mapped as device memory by `open` for ever.
        unsafe { ((self.base + offset) as *const u32).read_volatile() }
    }

    fn write(&self, offset: usize, value: u32) {
        // SAFETY: as in `read`.
        unsafe { ((self.base + offset) as *mut u32).write_volatile(value) }
    }

    /// Sends a byte if the FIFO has room.
    pub fn try_send(&mut self, byte: u8) -> bool {
        if self.read(UARTFR) & FR_TXFF != 0 {
            return false;
        }
        self.write(UARTDR, u32::from(byte));
        true
    }

    /// Takes a received byte; its error bits, if any, come beside it (UARTDR[11:8]).
    pub fn try_receive(&mut self) -> Option<(u8, u8)> {
        if self.read(UARTFR) & FR_RXFE != 0 {
            return None;
        }
        let data = self.read(UARTDR);
        Some((data as u8, (data >> 8 & 0xf) as u8))
    }

    /// Interrupts for received bytes, and while `transmit` for room in the transmit FIFO.
    pub fn interrupts(&mut self, transmit: bool) {
        if transmit != self.tx_interrupt {
            self.tx_interrupt = transmit;
            self.enable_interrupts();
        }
    }

    /// Switches the interrupts on as they are wanted.
    pub fn enable_interrupts(&mut self) {
        let tx = if self.tx_interrupt { INT_TX } else { 0 };
        self.write(UARTIMSC, INT_RX | INT_RT | tx);
    }
}
