//! The serial ports and pins of a board's devices that are on a wire.
//!
//! A device is named by its index in [`Plan::devices`](crate::board::Plan::devices). Until someone
//! [takes](Board::take_serial) what a port sends, it stays there and holds the transmitter up; the
//! console's is taken by [`Board::console_sent`].

use super::Board;
use crate::board::observe::{By, Kinds};
use crate::board::{News, World};
use crate::emul::Lines;
use crate::emul::serial::{Condition, LineSettings, Received};
use crate::wire::serial::Sent;

impl Board {
    /// From now on someone takes what a device's serial port sends, told of it by
    /// [`News::SERIAL`]. False if it has none.
    pub fn take_serial(&mut self, device: usize) -> bool {
        let Some(slot) = self.slots.get_mut(device) else {
            return false;
        };
        if slot.device.serial().is_none() {
            return false;
        }
        slot.serial_taken = true;
        if slot.device.sends() {
            self.news |= News::SERIAL;
        }
        true
    }

    /// Takes what a device's serial port has sent, as much as `into` holds, and brings its
    /// transmitter, which may have waited for that, up to now. How much it is.
    pub fn serial_sent(&mut self, world: &World<'_>, device: usize, into: &mut [Sent]) -> usize {
        let mut taken = 0;
        let slot = self.slots.get_mut(device);
        if !slot.is_some_and(|slot| slot.device.sends()) {
            return 0;
        }
        self.touch(world, device, |device, cx| {
            for place in into.iter_mut() {
                let Some(port) = device.serial() else { break };
                *place = if port.transmitted_break() {
                    Sent::Break
                } else if let Some(byte) = port.transmitted() {
                    Sent::Byte(byte)
                } else {
                    break;
                };
                taken = usize::wrapping_add(taken, 1);
            }
            device.advance(cx);
        });
        self.propagate(world);
        if self.observer.is_some() {
            for sent in into.iter().take(taken) {
                if let Sent::Byte(byte) = sent {
                    self.see_bytes(world.now, device, By::SerialOut, &[*byte]);
                }
            }
        }
        taken
    }

    /// How a device's serial port sends and receives; none without one.
    pub fn serial_line(&mut self, device: usize) -> Option<LineSettings> {
        Some(self.slots.get_mut(device)?.device.serial()?.line())
    }

    /// How many characters a device's serial port has room for now.
    pub fn serial_room(&mut self, world: &World<'_>, device: usize) -> usize {
        self.see_due(world.now, device);
        self.touch(world, device, |device, cx| device.advance(cx));
        self.propagate(world);
        let port = self.slots.get_mut(device).map(|slot| slot.device.serial());
        port.flatten().map_or(0, |port| port.room())
    }

    /// A character arrives at a device's serial port, whether it has room or not; with `whole` its
    /// time on the line is over.
    ///
    /// A record holds no errors of characters, and none that comes whole: who watches is told that
    /// one was lost.
    pub fn serial_receive(
        &mut self,
        world: &World<'_>,
        device: usize,
        received: Received,
        whole: bool,
    ) {
        self.see_due(world.now, device);
        if whole || received.condition != Condition::Good {
            if let Some(observer) = &mut self.observer {
                observer.lose(Kinds::BYTES, device as u16, world.now);
            }
        } else {
            self.see_bytes(world.now, device, By::SerialIn, &[received.byte]);
        }
        self.touch(world, device, |device, cx| match device.serial() {
            Some(port) if whole => port.arrived(cx, received),
            Some(port) => port.receive_with(cx, received),
            None => {}
        });
        self.propagate(world);
    }

    /// From now on a change of these output lines of a device is told by [`News::OUTPUTS`].
    pub fn watch_outputs(&mut self, device: usize, lines: Lines) {
        if let Some(slot) = self.slots.get_mut(device) {
            slot.watched = Lines(slot.watched.0 | lines.0);
            self.news |= News::OUTPUTS;
        }
    }
}
