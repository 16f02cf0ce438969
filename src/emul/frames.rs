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

/// Frames in their order, in a bounded number of octets; each takes two more than it has.
pub(crate) struct FrameQueue {
    bytes: Vec<u8>,
    first: usize,
    len: usize,
}

impl FrameQueue {
    /// An empty queue of so many octets, a power of two.
    pub(crate) fn new(octets: usize) -> Self {
        Self {
            bytes: vec![0; octets.next_power_of_two()],
            first: 0,
            len: 0,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn clear(&mut self) {
        (self.first, self.len) = (0, 0);
    }

    /// The place `n` octets behind the first.
    fn place(&self, n: usize) -> usize {
        self.first.wrapping_add(n) & self.bytes.len().wrapping_sub(1)
    }

    fn append(&mut self, bytes: &[u8]) {
        let at = self.place(self.len);
        self.len = self.len.wrapping_add(bytes.len());
        let (front, behind) = bytes
            .split_at_checked(self.bytes.len().wrapping_sub(at))
            .unwrap_or((bytes, &[]));
        let end = at.wrapping_add(front.len());
        if let Some(slots) = self.bytes.get_mut(at..end) {
            slots.copy_from_slice(front);
        }
        if let Some(slots) = self.bytes.get_mut(..behind.len()) {
            slots.copy_from_slice(behind);
        }
    }

    fn take(&mut self, into: &mut [u8]) {
        let end = self.first.wrapping_add(into.len());
        let front = self.bytes.get(self.first..end.min(self.bytes.len()));
        let front = front.unwrap_or_default();
        let behind = into.len().wrapping_sub(front.len());
        let behind = self.bytes.get(..behind).unwrap_or_default();
        for (to, from) in into.iter_mut().zip(front.iter().chain(behind)) {
            *to = *from;
        }
        self.first = self.place(into.len());
        self.len = self.len.wrapping_sub(into.len());
    }

    /// Whether there is room for a frame of so many octets, [`FRAME_MAX`] at most.
    pub(crate) const fn has_room(&self, octets: usize) -> bool {
        octets.wrapping_add(2) <= self.bytes.len().wrapping_sub(self.len)
    }

    /// Appends a frame; false, and nothing done, if there is no room for it.
    pub(crate) fn push(&mut self, frame: &[u8]) -> bool {
        if frame.is_empty() || frame.len() > FRAME_MAX || !self.has_room(frame.len()) {
            return false;
        }
        self.append(&(frame.len() as u16).to_le_bytes());
        self.append(frame);
        true
    }

    /// How many octets the first frame has.
    pub(crate) fn next_len(&self) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let octet = |n| self.bytes.get(self.place(n)).copied();
        Some(usize::from(u16::from_le_bytes([octet(0)?, octet(1)?])))
    }

    /// Takes the first frame.
    pub(crate) fn pop(&mut self, into: &mut [u8; FRAME_MAX]) -> Option<usize> {
        let octets = self.next_len()?;
        self.first = self.place(2);
        self.len = self.len.wrapping_sub(2);
        // What `push` lets in is no longer than that.
        self.take(into.get_mut(..octets)?);
        Some(octets)
    }
}

/// How many octets of frames wait for the wire to take them.
const WAITING: usize = 16 * 1024;

/// The frames that a device has sent and nobody has taken. Those that do not fit are lost: the
/// device does not wait for the wire.
pub(super) struct Sent(FrameQueue);

impl Sent {
    pub(super) fn new() -> Self {
        Self(FrameQueue::new(WAITING))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn push(&mut self, frame: &[u8]) {
        self.0.push(frame);
    }

    pub(super) fn pop(&mut self, into: &mut [u8; FRAME_MAX]) -> Option<usize> {
        self.0.pop(into)
    }

    pub(super) fn save(&self, out: &mut Writer) {
        let FrameQueue { bytes, first, len } = &self.0;
        out.u16(*len as u16);
        let end = first.wrapping_add(*len).min(WAITING);
        let front = bytes.get(*first..end).unwrap_or_default();
        out.bytes(front);
        let rest = len.wrapping_sub(front.len());
        out.bytes(bytes.get(..rest).unwrap_or_default());
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
