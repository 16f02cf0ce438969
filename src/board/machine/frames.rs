//! The Ethernet ports of a board's devices, and what is at the other end of their wires.
//!
//! A device is named by its index in [`Plan::devices`](crate::board::Plan::devices). Until someone
//! [takes](Board::take_frames) what it sends, its frames leave and are lost, as on a wire that
//! leads to nobody.

use super::Board;
use crate::board::observe::{By, Kinds};
use crate::board::{News, World};
use crate::emul::frames::FRAME_MAX;
use crate::units::Instant;

impl Board {
    /// The devices that have a port to an Ethernet wire.
    pub fn frame_ports(&self) -> impl Iterator<Item = usize> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(index, slot)| slot.frames_taken.map(|_| index))
    }

    /// From now on someone takes the frames that a device sends, told of them by
    /// [`News::FRAMES`]; or nobody does any more. False if the device has no such port.
    pub fn take_frames(&mut self, device: usize, taken: bool) -> bool {
        let Some(slot) = self.slots.get_mut(device) else {
            return false;
        };
        if slot.frames_taken.is_none() {
            return false;
        }
        slot.frames_taken = Some(taken);
        if taken && slot.device.sends() {
            self.news |= News::FRAMES;
        }
        true
    }

    /// Copies the next frame that a device has sent to the front of `into`, and tells how many
    /// octets it has, those of the frame check sequence among them.
    pub fn next_frame(
        &mut self,
        now: Instant,
        device: usize,
        into: &mut [u8; FRAME_MAX],
    ) -> Option<usize> {
        let port = self.slots.get_mut(device)?.device.frames()?;
        let octets = port.transmitted(into)?;
        self.see_bytes(now, device, By::FrameOut, into.get(..octets)?);
        Some(octets)
    }

    /// How many octets a frame may have that a device has room for; none without such a port.
    /// A wire that loses nothing asks first, and one that is like a real one does not.
    pub fn frame_room(&mut self, device: usize) -> Option<usize> {
        Some(self.slots.get_mut(device)?.device.frames()?.room())
    }

    /// A frame arrives at a device, which drops it if it has no room.
    pub fn frame_receive(&mut self, world: &World<'_>, device: usize, frame: &[u8]) {
        let carried = frame.get(..FRAME_MAX).unwrap_or(frame);
        self.see_bytes(world.now, device, By::FrameIn, carried);
        self.touch(world, device, |device, cx| {
            if let Some(port) = device.frames() {
                port.receive(cx, frame);
            }
        });
        self.propagate(world);
    }

    /// The other end of a device's wire comes alive, or dies: the link goes up or down.
    pub fn frame_connect(&mut self, world: &World<'_>, device: usize, live: bool) {
        self.touch(world, device, |device, cx| {
            if let Some(port) = device.frames() {
                port.connect(cx, live);
            }
        });
        self.propagate(world);
    }

    fn frames_are_lost(&self, device: usize) -> bool {
        let slot = self.slots.get(device);
        slot.is_some_and(|slot| slot.frames_taken == Some(false))
    }

    /// A device has sent frames: they are news, or lost. So are characters, to who takes them.
    #[cold]
    pub(super) fn frames_sent(&mut self, device: usize, now: Instant) {
        if self.sees(Kinds::FRAMES, device) && self.frames_are_lost(device) {
            let mut frame = [0; FRAME_MAX];
            while self.next_frame(now, device, &mut frame).is_some() {}
            return;
        }
        let Some(slot) = self.slots.get_mut(device) else {
            return;
        };
        match slot.frames_taken {
            None if slot.serial_taken => self.news |= News::SERIAL,
            None => {}
            Some(true) => self.news |= News::FRAMES,
            Some(false) => {
                if let Some(port) = slot.device.frames() {
                    port.discard();
                }
            }
        }
    }
}
