//! The modem lines: what goes out, what comes in, and what loopback makes of them
//! (DDI 0183G, 2.5, 2.6).

use super::Pl011;
use super::registers::{cr, fr, int};

impl Pl011 {
    /// nUARTRTS: by hand, or while the receive FIFO is below its trigger level (2.6).
    pub(super) const fn requests_to_send(&self) -> bool {
        if self.cr & cr::RTSEN != 0 {
            self.receiver.level() < self.receive_trigger()
        } else {
            self.cr & cr::RTS != 0
        }
    }

    /// The modem inputs: the pins, or in loopback the outputs (3.3.8), in UARTFR's bits.
    pub(super) const fn modem_inputs(&self) -> u16 {
        if self.cr & cr::LBE == 0 {
            return self.pins;
        }
        let mut inputs = 0;
        if self.requests_to_send() {
            inputs |= fr::CTS;
        }
        if self.cr & cr::DTR != 0 {
            inputs |= fr::DSR;
        }
        if self.cr & cr::OUT1 != 0 {
            inputs |= fr::DCD;
        }
        if self.cr & cr::OUT2 != 0 {
            inputs |= fr::RI;
        }
        inputs
    }
}

/// The modem interrupts of the inputs that changed; those are in UARTFR's bits.
pub(super) const fn interrupts(changed: u16) -> u16 {
    let mut raised = 0;
    if changed & fr::RI != 0 {
        raised |= int::RI;
    }
    if changed & fr::CTS != 0 {
        raised |= int::CTS;
    }
    if changed & fr::DCD != 0 {
        raised |= int::DCD;
    }
    if changed & fr::DSR != 0 {
        raised |= int::DSR;
    }
    raised
}
