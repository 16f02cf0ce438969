//! The serial line: what the board takes from it and gives to it.

use super::Uart;
use crate::emul::serial::{LineSettings, Pacing, Received};
use crate::emul::{Cx, SerialPort};

impl Uart {
    /// What waited for room on the wire goes on: at once, or for a character that has been
    /// shifted at the time that `deadline` now tells.
    fn send_into_room(&mut self) {
        if !self.sender.is_shifting() {
            self.send();
        }
    }

    /// Whether the wire holds something for its other end.
    pub(in crate::emul) const fn sends(&self) -> bool {
        self.sender.is_heard()
    }
}

impl SerialPort for Uart {
    fn transmitted(&mut self) -> Option<u8> {
        // Asked before every entry, mostly for nothing.
        if !self.sender.is_heard() {
            return None;
        }
        let byte = self.sender.take_from_wire();
        self.send_into_room();
        byte
    }

    fn transmitted_break(&mut self) -> bool {
        let is_break = self.sender.take_break_from_wire();
        self.send_into_room();
        is_break
    }

    fn room(&self) -> usize {
        if self.is_looped() {
            return 0;
        }
        self.depth()
            .saturating_sub(self.receiver.level())
            .saturating_sub(self.arriving.len())
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
        // In loopback the receiver hears the transmitter, not the pin.
        if !self.is_looped() {
            self.store(received);
        }
    }

    fn line(&self) -> LineSettings {
        self.settings()
    }
}
