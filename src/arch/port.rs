//! The host's device that carries the link: a virtio console, or else its UART.

use super::uart::Uart;
use super::virtio::console::VirtioConsole;

/// One of them.
pub enum Port {
    /// A UART, byte by byte.
    Uart(Uart),
    /// A virtio console, by the buffer.
    Virtio(VirtioConsole),
}

impl Port {
    /// Takes a byte to send, if there is room.
    #[inline]
    pub fn try_send(&mut self, byte: u8) -> bool {
        match self {
            Self::Uart(uart) => uart.try_send(byte),
            Self::Virtio(console) => console.try_send(byte),
        }
    }

    /// Takes a received byte.
    pub fn try_receive(&mut self) -> Option<u8> {
        match self {
            Self::Uart(uart) => uart.try_receive().map(|(byte, _errors)| byte),
            Self::Virtio(console) => console.try_receive(),
        }
    }

    /// Nothing more is sent for now; `waits`: more is to be, for which an interrupt tells of room. Whether
    /// there is some already.
    pub fn settle(&mut self, waits: bool) -> bool {
        match self {
            Self::Uart(uart) => {
                uart.interrupts(waits);
                false
            }
            Self::Virtio(console) => console.settle(waits),
        }
    }

    /// Its interrupt is let through from now on.
    pub fn enable_interrupts(&mut self) {
        if let Self::Uart(uart) = self {
            uart.enable_interrupts();
        }
    }

    /// Its interrupt is being served.
    pub fn acknowledge(&mut self) {
        if let Self::Virtio(console) = self {
            console.acknowledge();
        }
    }
}
