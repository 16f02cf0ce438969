//! The serial line: what the board takes from it and gives to it.

use super::registers::cr;
use super::{Pacing, Pl011, Received};
use crate::emul::serial::LineSettings;
use crate::emul::{Cx, Device, SerialPort};

impl Pl011 {
    /// What waited for room on the wire goes on: at once, or for a character that has been
    /// shifted at the time that `deadline` now tells.
    fn send_into_room(&mut self) {
        if !self.transmitter.is_shifting() {
            self.send();
        }
    }

    /// In loopback the receiver hears the transmitter, not the pin (3.3.8).
    pub(super) fn arrive_from_line(&mut self, received: Received) {
        if self.cr & cr::LBE == 0 {
            self.arrive(received);
        }
    }
}

impl SerialPort for Pl011 {
    fn transmitted(&mut self) -> Option<u8> {
        // Asked before every entry, mostly for nothing.
        if !self.transmitter.is_heard() {
            return None;
        }
        let byte = self.transmitter.take_from_wire();
        self.send_into_room();
        byte
    }

    fn transmitted_break(&mut self) -> bool {
        let is_break = self.transmitter.take_break_from_wire();
        self.send_into_room();
        is_break
    }

    /// None while the receiver is off or listens to the transmitter: a byte would be lost.
    fn room(&self) -> usize {
        if self.is_on(cr::RXE) && self.cr & cr::LBE == 0 {
            self.depth()
                .saturating_sub(self.receiver.level())
                .saturating_sub(self.arriving.len())
        } else {
            0
        }
    }

    fn receive_with(&mut self, cx: &mut Cx<'_>, received: Received) {
        match (self.config.pacing, self.character_ns()) {
            (Pacing::AtOnce, _) => self.arrived(cx, received),
            (Pacing::Baud, Some(ns)) => {
                self.advance(cx);
                self.arriving.begin(self.now, received, ns);
            }
            // Without a baud clock nothing is sampled.
            (Pacing::Baud, None) => self.advance(cx),
        }
    }

    fn arrived(&mut self, cx: &mut Cx<'_>, received: Received) {
        self.advance(cx);
        self.arrive_from_line(received);
        self.settle();
    }

    fn line(&self) -> LineSettings {
        self.line.settings(self.config.uartclk)
    }
}
