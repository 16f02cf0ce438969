//! The DMA interface: four requests, which a DMA controller clears (DDI 0183G, 2.6 "UART DMA
//! interface", 3.3.14).

use super::Pl011;
use super::registers::{cr, dmacr, int};
use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};

/// The requests, in the order of their output lines.
pub(super) mod request {
    pub const TX_SINGLE: u8 = 1 << 0;
    pub const TX_BURST: u8 = 1 << 1;
    pub const RX_SINGLE: u8 = 1 << 2;
    pub const RX_BURST: u8 = 1 << 3;
    pub const RX: u8 = RX_BURST | RX_SINGLE;
    pub const TX: u8 = TX_BURST | TX_SINGLE;
}

/// Their output lines: 10 to 13.
pub(super) const fn lines(requests: u8) -> u64 {
    (requests as u64) << 10
}

/// UARTDMACR and the request logic.
#[derive(Clone, Copy, Default)]
pub(super) struct Dma {
    /// UARTDMACR.
    pub control: u8,
    /// Which requests are made: each stays until its clear.
    made: u8,
    /// Levels of UARTTXDMACLR (bit 1) and UARTRXDMACLR (bit 0) at the pins.
    pub clears: u8,
}

impl Dma {
    /// Whether there is anything to settle.
    pub(super) const fn is_live(self) -> bool {
        self.made | self.control & (dmacr::RXDMAE | dmacr::TXDMAE) != 0
    }

    /// The pins are the controller's, and keep their levels.
    pub(super) const fn after_reset(self) -> Self {
        Self {
            control: 0,
            made: 0,
            clears: self.clears,
        }
    }

    pub(super) fn save(self, out: &mut Writer) {
        out.bytes(&[self.control, self.made, self.clears]);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        let loaded = Self {
            control: from.u8()?,
            made: from.u8()?,
            clears: from.u8()?,
        };
        if loaded.control < 8 && loaded.made < 16 && loaded.clears < 4 {
            Ok(loaded)
        } else {
            Err(Refusal::BadState)
        }
    }
}

impl Pl011 {
    /// Makes the requests that are due, and takes back those that are cleared or not allowed.
    pub(super) const fn settle_dma(&mut self) {
        let clears = self.dma_clears();
        let on = self.cr & cr::UARTEN != 0;
        let mut allowed = 0;
        if on && self.dma.control & dmacr::RXDMAE != 0 && clears & 1 == 0 {
            allowed |= request::RX;
        }
        if on && self.dma.control & dmacr::TXDMAE != 0 && clears & 2 == 0 {
            allowed |= request::TX;
        }
        self.dma.made = (self.dma.made | self.dma_due()) & allowed;
    }

    /// The requests that the FIFOs' levels ask for. Without FIFOs there are no bursts.
    const fn dma_due(&self) -> u8 {
        let (received, waiting, depth) = (
            self.receiver.level(),
            self.transmitter.level(),
            self.depth(),
        );
        let mut due = 0;
        if received > 0 {
            due |= request::RX_SINGLE;
        }
        if waiting < depth {
            due |= request::TX_SINGLE;
        }
        if depth > 1 && received >= self.receive_trigger() {
            due |= request::RX_BURST;
        }
        if depth > 1 && waiting <= self.transmit_trigger() {
            due |= request::TX_BURST;
        }
        due
    }

    /// The request lines: with DMAONERR those to receive are silent while UARTEINTR is high.
    pub(super) const fn dma_requests(&self) -> u8 {
        if self.dma.made == 0 {
            return 0;
        }
        let silent =
            self.dma.control & dmacr::DMAONERR != 0 && self.ris & self.imsc & int::ERROR != 0;
        if silent {
            self.dma.made & !request::RX
        } else {
            self.dma.made
        }
    }
}
