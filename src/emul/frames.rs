//! The port of a device to an Ethernet wire, and the queue of what it has sent.
//!
//! A frame is its octets from the destination address to the frame check sequence: what lies
//! between preamble and gap on the wire. So a frame that is damaged, too short or too long can be
//! carried, and a wire between two boards copies and computes nothing.

use super::Cx;
use super::state::{Reader, Writer};
use crate::access::Refusal;
use alloc::vec;
use alloc::vec::Vec;

/// The most octets of a frame that a port carries: the longest of IEEE 802.3 (1,518, or 1,522
/// with a tag), and some more.
pub const FRAME_MAX: usize = 1536;

/// The fewest octets of a frame that is none: less than a header and a frame check sequence.
pub const FRAME_MIN: usize = 18;

/// The frames that go over a device's wire.
pub trait FramePort {
    /// Copies the next frame that the device has sent to the front of `into`, and tells how many
    /// octets it has.
    fn transmitted(&mut self, into: &mut [u8; FRAME_MAX]) -> Option<usize>;
    /// Forgets what has been sent: nobody is at the other end.
    fn discard(&mut self);
    /// How many octets a frame may have that [`receive`](FramePort::receive) does not drop for
    /// want of room. A receiver that is off has room: it drops every frame for another reason.
    fn room(&self) -> usize;
    /// A frame has come in from the wire at `cx.now`. With no room it is dropped, and counted, as
    /// in hardware; so is one that is longer than [`FRAME_MAX`].
    fn receive(&mut self, cx: &mut Cx<'_>, frame: &[u8]);
    /// The wire is connected to a live partner, or is not any more.
    fn connect(&mut self, cx: &mut Cx<'_>, live: bool);
}

/// How many octets of frames wait for the wire to take them; each takes two more.
const WAITING: usize = 16 * 1024;

/// The frames that a device has sent and nobody has taken. Those that do not fit are lost: the
/// device does not wait for the wire.
pub(super) struct Sent {
    bytes: Vec<u8>,
    first: usize,
    len: usize,
}

impl Sent {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; WAITING],
            first: 0,
            len: 0,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn clear(&mut self) {
        (self.first, self.len) = (0, 0);
    }

    fn append(&mut self, bytes: &[u8]) {
        let end = self.first.wrapping_add(self.len) % WAITING;
        for (to, from) in (end..WAITING).chain(0..end).zip(bytes) {
            if let Some(slot) = self.bytes.get_mut(to) {
                *slot = *from;
            }
        }
        self.len = self.len.wrapping_add(bytes.len());
    }

    fn take(&mut self, into: &mut [u8]) {
        for byte in into.iter_mut() {
            *byte = self.bytes.get(self.first).copied().unwrap_or(0);
            self.first = self.first.wrapping_add(1) % WAITING;
            self.len = self.len.wrapping_sub(1);
        }
    }

    /// Appends a frame, if there is room for it.
    pub(super) fn push(&mut self, frame: &[u8]) {
        let free = WAITING.wrapping_sub(self.len);
        if frame.is_empty() || frame.len() > FRAME_MAX || frame.len().wrapping_add(2) > free {
            return;
        }
        self.append(&(frame.len() as u16).to_le_bytes());
        self.append(frame);
    }

    /// Takes the first frame.
    pub(super) fn pop(&mut self, into: &mut [u8; FRAME_MAX]) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let mut size = [0; 2];
        self.take(&mut size);
        let octets = usize::from(u16::from_le_bytes(size));
        // What `push` and `load` let in is no longer than that.
        self.take(into.get_mut(..octets)?);
        Some(octets)
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.u16(self.len as u16);
        let end = self.first.wrapping_add(self.len).min(WAITING);
        let front = self.bytes.get(self.first..end).unwrap_or_default();
        out.bytes(front);
        let rest = self.len.wrapping_sub(front.len());
        out.bytes(self.bytes.get(..rest).unwrap_or_default());
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.clear();
        let len = usize::from(from.u16()?);
        if len > WAITING {
            return Err(Refusal::BadState);
        }
        let mut frames = Reader::new(from.bytes(len)?);
        while frames.end().is_err() {
            let octets = usize::from(frames.u16()?);
            if octets == 0 || octets > FRAME_MAX {
                return Err(Refusal::BadState);
            }
            self.push(frames.bytes(octets)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_and_in_order_round_and_round() {
        let mut sent = Sent::new();
        let mut into = [0; FRAME_MAX];
        for round in 0..100_usize {
            let long = vec![round as u8; 1400 + round];
            sent.push(&long);
            sent.push(&[1, 2, 3]);
            assert_eq!(sent.pop(&mut into), Some(long.len()));
            assert_eq!(into[..long.len()], long);
            assert_eq!(sent.pop(&mut into), Some(3));
            assert!(sent.is_empty());
        }
        assert_eq!(sent.pop(&mut into), None);
    }

    #[test]
    fn a_frame_that_finds_no_room_is_lost_and_no_other() {
        let mut sent = Sent::new();
        for n in 0..20_u8 {
            sent.push(&[n; 1500]);
        }
        let mut into = [0; FRAME_MAX];
        let firsts: Vec<u8> =
            core::iter::from_fn(|| sent.pop(&mut into).map(|_| into[0])).collect();
        assert_eq!(firsts, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_queue_is_restored_from_what_it_saved_and_refuses_what_is_damaged() {
        let mut sent = Sent::new();
        let mut into = [0; FRAME_MAX];
        for n in 0..12_u8 {
            sent.push(&[n; 1500]);
            if n < 6 {
                sent.pop(&mut into);
            }
        }
        let mut out = Writer::default();
        sent.save(&mut out);
        let state = out.into_bytes();
        let mut copy = Sent::new();
        let mut from = Reader::new(&state);
        copy.load(&mut from).unwrap();
        from.end().unwrap();
        for _ in 0..6 {
            assert_eq!(copy.pop(&mut into), Some(1500));
        }
        assert!(copy.is_empty());
        for damaged in [
            &[1, 0, 9][..],
            &[2, 0, 0, 0],
            &[3, 0, 2, 0, 1],
            &[0xff, 0xff],
        ] {
            assert!(copy.load(&mut Reader::new(damaged)).is_err(), "{damaged:?}");
        }
    }
}
