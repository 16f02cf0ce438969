//! The outside end of a serial wire: a channel of the link, both ways.
//!
//! What comes from there waits here until the wire has room; how much the wire has taken is told, so
//! that the other end of the link sends no more than there is room for. What goes there waits in the
//! wire until the link has room.

use super::console::{self, Input};
use core::sync::atomic::{AtomicU32, Ordering};
use reliquary::emul::serial::LineSettings;
use reliquary::link::Channel;
use reliquary::wire::serial::{Sent, SerialWire};
use reliquary::wire::{Passed, Shared, Side};

/// So many are taken before that is told, unless there are no more.
const TOLD_EVERY: u32 = 256;

/// An outside end, the second of its wire.
pub struct Outside {
    wire: u8,
    input: Input,
    /// Bytes of `input` that were taken, modulo 2^32, and how many of them were told.
    taken: AtomicU32,
    told: AtomicU32,
}

/// What is left when the end has been served.
pub struct Left {
    /// There is more to carry now.
    pub more: bool,
    /// Something waits for room in the link, or in the wire.
    pub waits: bool,
}

impl Outside {
    /// The end of the wire of this number.
    pub const fn new(wire: u8) -> Self {
        Self {
            wire,
            input: Input::new(),
            taken: AtomicU32::new(0),
            told: AtomicU32::new(0),
        }
    }

    /// Bytes from the link. How many there was room for.
    pub fn typed(&self, bytes: &[u8]) -> usize {
        self.input.put(bytes)
    }

    /// What waits goes into the wire, with the settings of the UART at its other end, as if both had
    /// been set alike. Whether something is left to be
    /// done.
    pub fn put_in(&self, wire: &impl Shared<SerialWire>, line: LineSettings) -> bool {
        let mut taken = self.taken.load(Ordering::Relaxed);
        let mut left = true;
        while wire.with(|wire| wire.room(Side::Second)) > 0 {
            let Some(byte) = self.input.take() else {
                left = false;
                break;
            };
            taken = taken.wrapping_add(1);
            wire.saw(Side::Second.place(), Passed::Character(byte));
            wire.with(|wire| wire.put(Side::Second, Sent::Byte(byte), line));
        }
        self.taken.store(taken, Ordering::Relaxed);
        let untold = taken.wrapping_sub(self.told.load(Ordering::Relaxed));
        let due = untold >= TOLD_EVERY || (untold > 0 && !left);
        left || (due && !self.tell(taken))
    }

    /// What the wire holds for this end goes over the link, as far as that has room. A pty knows of no
    /// breaks: they end here.
    pub fn take_out(&self, wire: &impl Shared<SerialWire>) -> Left {
        let mut more = false;
        let take = |bytes: &mut [u8; 64]| {
            let mut count = 0;
            wire.with(|wire| {
                for _ in 0..bytes.len() {
                    let Some(sent) = wire.take(Side::Second) else {
                        break;
                    };
                    if let Sent::Byte(byte) = sent {
                        bytes[count] = byte;
                        count += 1;
                    }
                }
                more = wire.lets_go(Side::Second) || wire.waiting(Side::Second) > 0;
            });
            count
        };
        let waiting = wire.with(|wire| wire.waiting(Side::Second)) > 0;
        let waits = waiting && !console::data(Channel::Outside(self.wire), take);
        Left { more, waits }
    }

    /// The VM has ended: what was on its way to it is lost.
    pub fn forget(&self) {
        let mut taken = self.taken.load(Ordering::Relaxed);
        while self.input.take().is_some() {
            taken = taken.wrapping_add(1);
        }
        self.taken.store(taken, Ordering::Relaxed);
        let _ = self.tell(taken); // else when the next are
    }

    /// Whether the link had room for that.
    fn tell(&self, taken: u32) -> bool {
        let [a, b, c, d] = taken.to_le_bytes();
        let record = [self.wire, 0, 0, 0, a, b, c, d];
        let told = console::data(Channel::Taken, |bytes| {
            bytes[..record.len()].copy_from_slice(&record);
            record.len()
        });
        if told {
            self.told.store(taken, Ordering::Relaxed);
        }
        told
    }
}
