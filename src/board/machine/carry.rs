//! From a board's ports into wires, and out of wires into its ports.
//!
//! Each call is bounded: what is left over it tells. A wire is never held while a device is
//! called.

use super::Board;
use crate::board::World;
use crate::emul::Line;
use crate::emul::Lines;
use crate::emul::frames::FRAME_MAX;
use crate::emul::serial::Received;
use crate::units::Instant;
use crate::wire::ethernet::{EthernetWire, Ports};
use crate::wire::pins::{EDGES, Pin, PinWire};
use crate::wire::serial::{Sent, SerialWire};
use crate::wire::{Passed, Shared, Side};

/// Characters that are carried in one call, each way.
const CHARACTERS: usize = 64;
/// Frames that are carried in one call, each way.
const FRAMES: usize = 16;

/// What is left to do when a wire's end has been served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// The other end is to be told.
    pub tell: bool,
    /// The call's bound was reached: there is more to carry now.
    pub more: bool,
    /// Something waits in the wire until the device has room.
    pub waits: bool,
}

/// The same of a wire with several ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarriedFrames {
    /// The ports that are to be told.
    pub tell: Ports,
    /// See [`Carried::more`].
    pub more: bool,
    /// See [`Carried::waits`].
    pub waits: bool,
}

impl Board {
    /// Serves one end of a serial wire: what a device's port has sent goes in, and what waits for
    /// it comes out, as far as it has room; of a faithful wire, whether it has or not.
    pub fn carry_serial(
        &mut self,
        world: &World<'_>,
        device: usize,
        wire: &impl Shared<SerialWire>,
        side: Side,
    ) -> Carried {
        let mut carried = Carried::default();
        let Some(line) = self.serial_line(device) else {
            return carried;
        };
        let mut sent = [Sent::Break; CHARACTERS];
        let room = wire.with(|wire| wire.room(side)).min(CHARACTERS);
        let taken = self.serial_sent(world, device, sent.get_mut(..room).unwrap_or_default());
        if taken > 0 {
            for sent in sent.iter().take(taken) {
                wire.saw(side.place(), sent.passed());
            }
            carried.tell = wire.with(|wire| {
                let sent = sent.iter().take(taken);
                sent.fold(false, |tell, sent| wire.put(side, *sent, line) | tell)
            });
            carried.more = taken == CHARACTERS;
        }
        let (waiting, faithful) = wire.with(|wire| (wire.waiting(side), wire.is_faithful()));
        if waiting == 0 {
            return carried;
        }
        let room = self.serial_room(world, device);
        let most = if faithful { CHARACTERS } else { room }.min(CHARACTERS);
        let mut received = [Received::BREAK; CHARACTERS];
        let (count, left, goes) = wire.with(|wire| {
            let mut count = 0;
            for place in received.iter_mut().take(most) {
                let Some(next) = wire.next(side, line) else {
                    break;
                };
                *place = next;
                count = usize::wrapping_add(count, 1);
                if count > room {
                    wire.overran(side);
                }
            }
            (count, wire.waiting(side), wire.lets_go(side))
        });
        for received in received.iter().take(count) {
            self.serial_receive(world, device, *received, faithful);
        }
        carried.tell |= goes;
        carried.more |= left > 0 && most == CHARACTERS;
        carried.waits = left > 0 && most < CHARACTERS;
        carried
    }

    /// Serves one port of an Ethernet wire: what the device has sent goes in, and what waits for
    /// it comes out, as far as it has room. `at` is the wire's time, and `frame` room for a frame.
    pub fn carry_frames(
        &mut self,
        world: &World<'_>,
        device: usize,
        wire: &impl Shared<EthernetWire>,
        port: usize,
        at: Instant,
        frame: &mut [u8; FRAME_MAX],
    ) -> CarriedFrames {
        let mut carried = CarriedFrames::default();
        let mut left = FRAMES;
        while let Some(octets) = self.next_frame(world.now, device, frame) {
            let sent = frame.get(..octets).unwrap_or_default();
            wire.saw(port, Passed::Frame(sent));
            carried.tell = carried.tell | wire.with(|wire| wire.put(port, sent, at));
            left = left.wrapping_sub(1);
            if left == 0 {
                carried.more = true;
                break;
            }
        }
        for _ in 0..FRAMES {
            let Some(octets) = wire.with(|wire| wire.next_len(port)) else {
                return carried;
            };
            let room = self.frame_room(device).unwrap_or(0);
            if octets > room {
                carried.waits = true;
                return carried;
            }
            // Nobody else takes from this port, so it is that frame.
            let Some(octets) = wire.with(|wire| wire.next(port, frame)) else {
                return carried;
            };
            let received = frame.get(..octets).unwrap_or_default();
            self.frame_receive(world, device, received);
        }
        carried.more = true;
        carried
    }

    /// Serves one end of a wire between pins: the level that the device drives goes in, and the
    /// edges of the other end's come out. Whether the other end is to be told.
    pub fn carry_pin(
        &mut self,
        world: &World<'_>,
        device: usize,
        pin: Pin,
        wire: &impl Shared<PinWire>,
        side: Side,
    ) -> bool {
        let mut tell = false;
        if let Some(output) = pin.output {
            let lines: Lines = self.output_lines(device);
            let drives = pin.enable.is_none_or(|enable| lines.is_high(enable));
            let level = drives.then(|| lines.is_high(output));
            let before;
            (before, tell) = wire.with(|wire| (wire.driven(side), wire.drive(side, level)));
            let level = level.unwrap_or(false);
            if level != before {
                wire.saw(side.place(), Passed::Level(level));
            }
        }
        let Some(input) = pin.input else { return tell };
        for _ in 0..EDGES {
            let Some(level) = wire.with(|wire| wire.next(side)) else {
                break;
            };
            self.input(world, device, Line(input), level);
        }
        tell
    }
}
