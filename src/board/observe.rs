//! What a board is seen doing: accesses, lines, bytes, in the order in which they happen, for a
//! trace of it or a comparison with one.
//!
//! An [`Observer`] is a ring of fixed size. Who drains it too late is told how many were lost, and
//! where; nothing waits for it. A board without one pays nothing for it, and of a board that has one
//! only the devices that are observed leave the short way of an access.

use crate::access::Access;
use crate::emul::Reset;
use crate::units::{Instant, Ipa};
use alloc::collections::VecDeque;

/// One thing that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// The device: its index in [`super::Plan::devices`]; of a tapped window, the number of
    /// devices and the window's index in [`super::Plan::windows`] added up.
    pub device: u16,
    /// What.
    pub what: What,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A register was accessed.
    Access {
        /// Where, how wide, by whom.
        access: Access,
        /// Whether it was a write.
        write: bool,
        /// What was read or written; none: refused.
        value: Option<u64>,
    },
    /// An output line changed that leads to a device or a CPU.
    Output {
        /// The line.
        line: u16,
        /// Its level now.
        level: bool,
    },
    /// An input line was driven from outside the board: a CPU's timer, a host's interrupt.
    Input {
        /// The line.
        line: u16,
        /// Its level now.
        level: bool,
    },
    /// Bytes passed through a port, or over the device's bus-master port, in pieces.
    Bytes {
        /// Which way, and where.
        by: By,
        /// Whether more of the same frame follows.
        more: bool,
        /// How many of `bytes` are meant.
        count: u8,
        /// The bytes.
        bytes: [u8; PIECE],
    },
    /// The device's deadline had passed, and it was brought up to date. Of several devices that
    /// were due together each is told of.
    Due,
    /// The board was reset.
    Reset(Reset),
}

/// An observer knows devices of numbers below this.
pub const SEEN_LIMIT: u16 = 256;

/// The most bytes in one piece.
pub const PIECE: usize = 16;

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Into the serial port.
    SerialIn,
    /// Out of the serial port.
    SerialOut,
    /// A frame, into the Ethernet port.
    FrameIn,
    /// A frame, out of the Ethernet port.
    FrameOut,
    /// The device read board memory, from this address on.
    MasterRead(Ipa),
    /// The device wrote board memory, from this address on.
    MasterWrite(Ipa),
}

/// A set of kinds of things to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Register accesses.
    pub const ACCESSES: Self = Self(1);
    /// Output lines.
    pub const OUTPUTS: Self = Self(2);
    /// Input lines that are driven from outside.
    pub const INPUTS: Self = Self(4);
    /// Bytes, over serial ports and by bus mastering.
    pub const BYTES: Self = Self(8);
    /// Ethernet frames.
    pub const FRAMES: Self = Self(32);
    /// Deadlines that have passed.
    pub const DEADLINES: Self = Self(16);
    /// All of that.
    pub const ALL: Self = Self(63);

    /// Whether there is this.
    pub const fn has(self, what: Self) -> bool {
        self.0 & what.0 != 0
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }
}

/// A ring of what was seen.
#[derive(Debug)]
pub struct Observer {
    ring: VecDeque<Seen>,
    kinds: Kinds,
    /// Bit n: device n; without one, all.
    devices: Option<[u64; 4]>,
    lost: u64,
    /// When the first of them was seen.
    lost_at: Instant,
    /// An access of a tapped window, whose value is still to come.
    asked: Option<Seen>,
    /// What is seen counts as lost until it is told to go on.
    paused: bool,
}

impl Observer {
    /// Sees these kinds of things of all devices; keeps `capacity` of them until they are taken.
    pub fn new(kinds: Kinds, capacity: usize) -> Self {
        Self {
            ring: VecDeque::with_capacity(capacity),
            kinds,
            devices: None,
            lost: 0,
            lost_at: Instant::ZERO,
            asked: None,
            paused: false,
        }
    }

    /// Sees these devices only, by the numbers of [`Seen::device`]; [`SEEN_LIMIT`] is the
    /// first that cannot be.
    #[must_use]
    pub fn only(mut self, devices: impl Iterator<Item = u16>) -> Self {
        let mut set = [0u64; 4];
        for device in devices {
            if let Some(word) = set.get_mut(usize::from(device / 64)) {
                *word |= 1 << (device % 64);
            }
        }
        self.devices = Some(set);
        self
    }

    /// Keeps nothing from now on, or goes on. What happens meanwhile is counted as lost, and told
    /// in one piece when it goes on: whoever reads the record sees that there is a gap, and where.
    pub fn pause(&mut self, on: bool) {
        self.paused = on;
    }

    /// Whether things of this kind, of this device, are seen.
    pub fn sees(&self, kind: Kinds, device: u16) -> bool {
        let listed = self.devices.as_ref().is_none_or(|set| {
            set.get(usize::from(device / 64))
                .is_some_and(|word| word & 1 << (device % 64) != 0)
        });
        self.kinds.has(kind) && listed
    }

    /// Keeps what was seen, or counts it as lost. A reset is seen whatever devices are.
    ///
    /// Behind the first that is lost all are, until who drains the ring has come to that place and
    /// asked: so the place is known.
    pub fn note(&mut self, kind: Kinds, seen: Seen) {
        if !self.sees(kind, seen.device) && !matches!(seen.what, What::Reset(_)) {
            return;
        }
        if self.lost == 0 && !self.paused && self.ring.len() < self.ring.capacity() {
            self.ring.push_back(seen);
            return;
        }
        if self.lost == 0 {
            self.lost_at = seen.at;
        }
        self.lost = self.lost.saturating_add(1);
    }

    /// Keeps bytes, in pieces.
    pub fn note_bytes(&mut self, at: Instant, device: u16, by: By, all: &[u8]) {
        let kind = match by {
            By::FrameIn | By::FrameOut => Kinds::FRAMES,
            _ => Kinds::BYTES,
        };
        let pieces = all.chunks(PIECE);
        let last = pieces.len().saturating_sub(1);
        for (place, piece) in pieces.enumerate() {
            let mut bytes = [0; PIECE];
            for (to, from) in bytes.iter_mut().zip(piece) {
                *to = *from;
            }
            let what = What::Bytes {
                by,
                more: place != last,
                count: piece.len() as u8,
                bytes,
            };
            self.note(kind, Seen { at, device, what });
        }
    }

    /// What no record can hold has happened: it counts as lost, and so does what follows until
    /// that was told.
    pub fn lose(&mut self, kind: Kinds, device: u16, at: Instant) {
        if self.sees(kind, device) {
            if self.lost == 0 {
                self.lost_at = at;
            }
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// A tapped window is accessed; the metal carries it out, and tells the value behind that.
    pub fn asked(&mut self, access: Seen) {
        self.asked = Some(access);
    }

    /// What the access read or wrote.
    pub fn answered(&mut self, answer: u64) {
        let Some(mut seen) = self.asked.take() else {
            return;
        };
        if let What::Access { access, value, .. } = &mut seen.what {
            *value = Some(answer & access.width.mask());
        }
        self.note(Kinds::ACCESSES, seen);
    }

    /// Takes the oldest.
    pub fn take(&mut self) -> Option<Seen> {
        self.ring.pop_front()
    }

    /// How many it keeps.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.ring.len()
    }

    /// How many were lost because the ring was full, and when the first of them was. None while
    /// there is something before them to [`take`](Observer::take), and while it is paused.
    pub fn take_lost(&mut self) -> Option<(Instant, u64)> {
        if self.lost == 0 || self.paused || !self.ring.is_empty() {
            return None;
        }
        Some((self.lost_at, core::mem::take(&mut self.lost)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_during_a_pause_is_one_gap_at_its_place() {
        let note = |observer: &mut Observer, at| {
            let (at, device, what) = (Instant(at), 0, What::Due);
            observer.note(Kinds::DEADLINES, Seen { at, device, what });
        };
        let mut observer = Observer::new(Kinds::ALL, 4);
        note(&mut observer, 1);
        observer.pause(true);
        (2..100).for_each(|at| note(&mut observer, at));
        assert_eq!(observer.take().map(|seen| seen.at), Some(Instant(1)));
        assert_eq!(observer.take_lost(), None, "the gap has no end yet");
        observer.pause(false);
        assert_eq!(observer.take_lost(), Some((Instant(2), 98)));
        note(&mut observer, 100);
        assert_eq!(observer.take().map(|seen| seen.at), Some(Instant(100)));
        // A pause in which nothing happened leaves no gap.
        observer.pause(true);
        observer.pause(false);
        assert_eq!(observer.take_lost(), None);
    }

    #[test]
    fn what_an_observer_has_no_room_for_is_counted_at_its_place() {
        let note = |observer: &mut Observer, at| {
            let (at, device, what) = (Instant(at), 0, What::Due);
            observer.note(Kinds::DEADLINES, Seen { at, device, what });
        };
        let mut observer = Observer::new(Kinds::ALL, 4);
        let room = 4.max(observer.capacity());
        (0..room + 2).for_each(|n| note(&mut observer, n as u64));
        assert_eq!(observer.take_lost(), None, "there is something before it");
        assert_eq!(observer.take().map(|seen| seen.at), Some(Instant(0)));
        note(&mut observer, 100);
        let rest = core::iter::from_fn(|| observer.take()).count();
        assert_eq!(
            rest,
            room - 1,
            "nothing is kept behind a gap that was not told"
        );
        assert_eq!(observer.take_lost(), Some((Instant(room as u64), 3)));
        note(&mut observer, 101);
        assert_eq!(observer.take().map(|seen| seen.at), Some(Instant(101)));
        assert_eq!(observer.take_lost(), None);
    }
}
