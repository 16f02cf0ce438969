//! The test registers: UARTTCR, UARTITIP, UARTITOP and UARTTDR (DDI 0183G, chapter 4).

use super::Pl011;
use super::registers::fr;
use crate::access::Refusal;
use crate::emul::Lines;
use crate::emul::state::{Reader, Writer};

/// UARTTCR.
pub(super) mod tcr {
    pub const ITEN: u8 = 1 << 0;
    pub const TESTFIFO: u8 = 1 << 1;
}

/// UARTITOP: its outputs that are intra-chip ones, and its pins.
const PINS: u16 = 0x3f;

/// Which bit of UARTITOP drives which output line, and whether its pin is active low.
const OUTPUTS: [(u32, u32, bool); 14] = [
    (6, 0, false),
    (11, 1, false),
    (10, 2, false),
    (9, 3, false),
    (8, 4, false),
    (7, 5, false),
    (3, 6, true),
    (2, 7, true),
    (4, 8, true),
    (5, 9, true),
    (15, 10, false),
    (14, 11, false),
    (13, 12, false),
    (12, 13, false),
];

/// What was written to the test registers.
#[derive(Clone, Copy, Default)]
pub(super) struct Integration {
    /// UARTTCR.
    pub control: u8,
    /// UARTITIP's bits 7 and 6, which drive UARTTXDMACLR and UARTRXDMACLR.
    pub clears: u8,
    /// UARTITOP.
    pub outputs: u16,
}

impl Integration {
    pub(super) const fn is_on(self) -> bool {
        self.control & tcr::ITEN != 0
    }

    /// The output lines as UARTITOP drives them.
    pub(super) fn lines(self) -> Lines {
        OUTPUTS.iter().fold(Lines(0), |lines, (bit, line, low)| {
            let pin = self.outputs.wrapping_shr(*bit) & 1 != 0;
            lines.with(*line as u16, pin != *low)
        })
    }

    pub(super) fn save(self, out: &mut Writer) {
        out.bytes(&[self.control, self.clears]);
        out.u16(self.outputs);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        let loaded = Self {
            control: from.u8()?,
            clears: from.u8()?,
            outputs: from.u16()?,
        };
        if loaded.control < 8 && loaded.clears < 4 {
            Ok(loaded)
        } else {
            Err(Refusal::BadState)
        }
    }
}

impl Pl011 {
    /// UARTTXDMACLR and UARTRXDMACLR behind the test multiplexer.
    pub(super) const fn dma_clears(&self) -> u8 {
        if self.integration.is_on() {
            self.integration.clears
        } else {
            self.dma.clears
        }
    }

    /// UARTITIP: the inputs. The modem's are active low; both serial inputs idle high.
    pub(super) const fn test_inputs(&self) -> u8 {
        let mut inputs = self.dma_clears() << 6 | 0b11;
        if self.pins & fr::RI == 0 {
            inputs |= 1 << 5;
        }
        if self.pins & fr::DCD == 0 {
            inputs |= 1 << 4;
        }
        if self.pins & fr::CTS == 0 {
            inputs |= 1 << 3;
        }
        if self.pins & fr::DSR == 0 {
            inputs |= 1 << 2;
        }
        inputs
    }

    /// UARTITOP: the intra-chip outputs as they are behind the test multiplexer, and of the
    /// pins what was written.
    pub(super) fn test_outputs(&self) -> u16 {
        let written = self.integration.outputs;
        if self.integration.is_on() {
            return written;
        }
        let lines = Lines(self.serial_lines() | super::dma::lines(self.dma_requests()));
        OUTPUTS.iter().filter(|(bit, ..)| *bit >= 6).fold(
            written & PINS,
            |outputs, (bit, line, _)| {
                outputs | u16::from(lines.is_high(*line as u16)).wrapping_shl(*bit)
            },
        )
    }

    /// A read of UARTTDR: from the transmit FIFO, if UARTTCR lets it.
    pub(super) fn read_test_data(&mut self) -> u32 {
        if self.integration.control & tcr::TESTFIFO == 0 {
            return 0;
        }
        let byte = self.transmitter.take().unwrap_or(0);
        self.settle();
        byte.into()
    }

    /// A write to UARTTDR: into the receive FIFO, with its error bits.
    pub(super) fn write_test_data(&mut self, value: u16) {
        if self.integration.control & tcr::TESTFIFO != 0 {
            let (depth, until) = (self.depth(), self.receive_timeout());
            self.receiver
                .store(value & 0x7ff, depth, until, &mut self.ris);
        }
    }
}
