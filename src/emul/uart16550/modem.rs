//! The modem lines: what goes out, what comes in, and what loopback makes of them (PC16550D,
//! 8.8, 8.9).

use super::Uart;
use super::bits::{mcr, msr};
use crate::emul::Line;

impl Uart {
    pub(super) const fn set_pin(&mut self, line: Line, level: bool) {
        let pin = match line.0 {
            0 => msr::CTS,
            1 => msr::DSR,
            2 => msr::DCD,
            3 => msr::RI,
            _ => 0,
        };
        if level {
            self.pins |= pin;
        } else {
            self.pins &= !pin;
        }
    }

    /// RTS as it would go out: with automatic flow control, not while the receive FIFO has
    /// come to its trigger level and has not been emptied since.
    const fn rts(&self) -> bool {
        let held = self.mcr & mcr::AFCE != 0 && self.fifos() && self.held;
        self.mcr & mcr::RTS != 0 && !held
    }

    /// RTS, DTR, OUT1, OUT2 from bit 0 on. In loopback they are inactive.
    pub(super) const fn modem_outputs(&self) -> u8 {
        if self.mcr & mcr::LOOP != 0 {
            return 0;
        }
        let outs = self.mcr & (mcr::OUT1 | mcr::OUT2);
        self.rts() as u8 | (self.mcr & mcr::DTR) << 1 | outs
    }

    /// The modem inputs: the pins, or in loopback the outputs, in MSR's bits.
    const fn modem_inputs(&self) -> u8 {
        if self.mcr & mcr::LOOP == 0 {
            return self.pins;
        }
        let mut inputs = 0;
        if self.rts() {
            inputs |= msr::CTS;
        }
        if self.mcr & mcr::DTR != 0 {
            inputs |= msr::DSR;
        }
        if self.mcr & mcr::OUT1 != 0 {
            inputs |= msr::RI;
        }
        if self.mcr & mcr::OUT2 != 0 {
            inputs |= msr::DCD;
        }
        inputs
    }

    /// Notes the changes; of RI only its end.
    pub(super) const fn see_modem(&mut self) {
        let inputs = self.modem_inputs();
        let changed = inputs ^ self.modem;
        let ended = changed & self.modem;
        self.deltas |= changed >> 4 & !msr::TERI | ended >> 4 & msr::TERI;
        self.modem = inputs;
    }
}
