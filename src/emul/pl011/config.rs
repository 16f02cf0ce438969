//! How a UART is set up.

use crate::emul::serial::Pacing;

/// UARTPeriphID2's revision field (3.3.15), which the FIFOs' depth goes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// r1p0: revision 0, FIFOs of 16.
    R1p0,
    /// r1p1: revision 1, FIFOs of 16. The boards that QEMU models have it.
    R1p1,
    /// r1p3 and r1p4: revision 2, FIFOs of 16.
    R1p4,
    /// r1p5: revision 3, FIFOs of 32.
    R1p5,
}

impl Revision {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::R1p0 => 0,
            Self::R1p1 => 1,
            Self::R1p4 => 2,
            Self::R1p5 => 3,
        }
    }

    pub(super) const fn fifo_depth(self) -> usize {
        match self {
            Self::R1p0 | Self::R1p1 | Self::R1p4 => 16,
            Self::R1p5 => 32,
        }
    }
}

/// How a UART is set up.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// UARTCLK in hertz.
    pub uartclk: u64,
    /// When a character leaves.
    pub pacing: Pacing,
    /// The part's revision.
    pub revision: Revision,
    /// Whether the board's boot loader, which the guest does not bring along, left the UART
    /// on: 115,200 baud, 8N1, FIFOs and both directions enabled.
    pub left_running: bool,
}

impl Config {
    /// A UART as after reset, of revision r1p1, that transmits at once.
    #[must_use]
    pub const fn new(uartclk: u64) -> Self {
        Self {
            uartclk,
            pacing: Pacing::AtOnce,
            revision: Revision::R1p1,
            left_running: false,
        }
    }
}
