//! A serial wire: two UARTs, transmitter to receiver both ways.
//!
//! It carries characters and breaks, with the sender's line settings of the moment; the receiver
//! gets what its own settings make of them ([`LineSettings::carry`]). RTS, CTS and the other
//! modem lines are not on it: a wire of three.
//!
//! Each way holds at most [`CHARACTERS`]: 89 ms at 115,200 baud, which is how long a board may be
//! out of its slot while the other goes on sending. Behind a full wire the sender is held up, as
//! if its clear-to-send were off: nothing is lost. A faithful wire holds nobody up; it carries what
//! has arrived whether there is room or not, and what a receiver then loses is counted.
//!
//! A wire does not keep time. UARTs that are paced take a character's time to send it and to
//! receive it (`reliquary,baud-paced`); between them it waits as long as the other board does.
//! So a paced character arrives a character's time after it was sent, at the earliest.

use super::{Pair, Passed, Side};
use crate::emul::serial::{LineSettings, Received};
use alloc::vec;
use alloc::vec::Vec;

/// The most characters that wait in a wire for one end.
pub const CHARACTERS: usize = 1024;

/// What a UART has put on its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A character.
    Byte(u8),
    /// A break.
    Break,
}

impl Sent {
    /// The same, to whoever taps the wire.
    pub const fn passed(self) -> Passed<'static> {
        match self {
            Self::Byte(byte) => Passed::Character(byte),
            Self::Break => Passed::Break,
        }
    }
}

/// What has come to one end of a wire since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Characters that were sent to it, breaks among them.
    pub sent: u64,
    /// Of these, what its receiver got with an error, or did not see at all, because the line
    /// settings disagree.
    pub flawed: u64,
    /// What found its receive FIFO full.
    pub overruns: u64,
    /// What was lost because the wire was full (a faithful one), or nobody was there.
    pub lost: u64,
}

#[derive(Clone, Copy, Debug)]
struct Character {
    what: Sent,
    line: LineSettings,
}

/// One direction.
#[derive(Clone, Debug)]
struct Way {
    waiting: Vec<Character>,
    first: usize,
    len: usize,
    /// The sender was told that there is no room.
    held: bool,
    /// The receiver's board is up.
    live: bool,
    counts: Counts,
}

impl Default for Way {
    fn default() -> Self {
        let nothing = Character {
            what: Sent::Break,
            line: LineSettings::USUAL,
        };
        Self {
            waiting: vec![nothing; CHARACTERS],
            first: 0,
            len: 0,
            held: false,
            live: true,
            counts: Counts::default(),
        }
    }
}

impl Way {
    fn push(&mut self, character: Character) -> bool {
        let at = self.first.wrapping_add(self.len) % CHARACTERS;
        match self.waiting.get_mut(at) {
            Some(slot) if self.len < CHARACTERS => *slot = character,
            _ => return false,
        }
        self.len = self.len.wrapping_add(1);
        true
    }

    fn pop(&mut self) -> Option<Character> {
        let character = *self.waiting.get(self.first)?;
        self.len = self.len.checked_sub(1)?;
        self.first = self.first.wrapping_add(1) % CHARACTERS;
        Some(character)
    }
}

/// A serial wire.
#[derive(Clone, Debug)]
pub struct SerialWire {
    /// What is on its way to each end.
    to: Pair<Way>,
    faithful: bool,
}

impl SerialWire {
    /// A wire on which nothing is; a faithful one holds no sender up.
    #[must_use]
    pub fn new(faithful: bool) -> Self {
        Self {
            to: Pair::default(),
            faithful,
        }
    }

    /// Whether a receiver gets what has arrived whether it has room or not.
    pub const fn is_faithful(&self) -> bool {
        self.faithful
    }

    /// How many characters the wire takes from an end now. If none, the end is told when it may
    /// go on: see [`next`](Self::next).
    pub fn room(&mut self, from: Side) -> usize {
        let way = self.to.of_mut(from.other());
        if self.faithful || !way.live {
            return CHARACTERS;
        }
        let room = CHARACTERS.saturating_sub(way.len);
        way.held = room == 0;
        room
    }

    /// An end has sent something, with these settings of its line. Whether the other end is to be
    /// told: nothing was waiting for it.
    pub fn put(&mut self, from: Side, what: Sent, line: LineSettings) -> bool {
        let way = self.to.of_mut(from.other());
        way.counts.sent = way.counts.sent.wrapping_add(1);
        let first = way.len == 0;
        if way.live && way.push(Character { what, line }) {
            return first;
        }
        way.counts.lost = way.counts.lost.wrapping_add(1);
        false
    }

    /// How many characters wait for an end.
    pub const fn waiting(&self, to: Side) -> usize {
        self.to.of(to).len
    }

    /// The next character for an end, as a receiver with these settings gets it. What it does not
    /// see is passed over.
    pub fn next(&mut self, to: Side, line: LineSettings) -> Option<Received> {
        let way = self.to.of_mut(to);
        // At most as many rounds as characters wait.
        while let Some(character) = way.pop() {
            let received = match character.what {
                Sent::Break => Some(Received::BREAK),
                Sent::Byte(byte) => {
                    let received = character.line.carry(byte, line);
                    let good = received.is_some_and(|received| received == byte.into());
                    way.counts.flawed = way.counts.flawed.wrapping_add((!good).into());
                    received
                }
            };
            if received.is_some() {
                return received;
            }
        }
        None
    }

    /// The next character for an end that is no UART, as it was sent.
    pub fn take(&mut self, to: Side) -> Option<Sent> {
        self.to.of_mut(to).pop().map(|character| character.what)
    }

    /// Whether the sender to this end was held up and may go on now. It is told once.
    pub fn lets_go(&mut self, to: Side) -> bool {
        let way = self.to.of_mut(to);
        let goes = way.held && way.len < CHARACTERS;
        way.held &= !goes;
        goes
    }

    /// A character found the receiver's FIFO full.
    pub fn overran(&mut self, to: Side) {
        let counts = &mut self.to.of_mut(to).counts;
        counts.overruns = counts.overruns.wrapping_add(1);
    }

    /// The board at an end goes up or down. What is sent to one that is down is lost, as is what
    /// was on its way to it. Whether the other end was held up by that, and may go on.
    pub fn connect(&mut self, end: Side, live: bool) -> bool {
        let way = self.to.of_mut(end);
        way.live = live;
        if live {
            return false;
        }
        let waiting = core::mem::take(&mut way.len);
        way.counts.lost = way.counts.lost.wrapping_add(waiting as u64);
        core::mem::take(&mut way.held)
    }

    /// What has come to an end.
    pub const fn counts(&self, to: Side) -> Counts {
        self.to.of(to).counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emul::serial::{Condition, Parity};
    use crate::random::Random;
    use Side::{First, Second};
    use alloc::collections::VecDeque;

    const LINE: LineSettings = LineSettings::USUAL;

    fn byte(n: usize) -> Sent {
        Sent::Byte(n as u8)
    }

    #[test]
    fn characters_and_breaks_keep_their_order_both_ways() {
        let mut wire = SerialWire::new(false);
        assert!(wire.put(First, Sent::Byte(1), LINE), "the first is told");
        assert!(!wire.put(First, Sent::Break, LINE), "the next is not");
        assert!(!wire.put(First, Sent::Byte(2), LINE));
        assert!(wire.put(Second, Sent::Byte(9), LINE));
        let got: Vec<Received> = core::iter::from_fn(|| wire.next(Second, LINE)).collect();
        assert_eq!(got, [1.into(), Received::BREAK, 2.into()]);
        assert_eq!(wire.next(First, LINE), Some(9.into()));
        assert_eq!(wire.next(First, LINE), None);
    }

    #[test]
    fn a_full_wire_holds_its_sender_up_and_tells_it_once_when_there_is_room() {
        let mut wire = SerialWire::new(false);
        for n in 0..CHARACTERS {
            assert_eq!(wire.room(First), CHARACTERS - n);
            wire.put(First, byte(n), LINE);
        }
        assert!(!wire.lets_go(Second), "nobody asked for room yet");
        assert_eq!(wire.room(First), 0);
        assert_eq!(wire.room(Second), CHARACTERS, "the other way is free");
        assert!(!wire.lets_go(Second));
        assert_eq!(wire.next(Second, LINE), Some(0.into()));
        assert!(wire.lets_go(Second));
        assert!(!wire.lets_go(Second));
        assert_eq!(wire.room(First), 1);
        assert_eq!(wire.counts(Second).lost, 0);
    }

    #[test]
    fn a_faithful_wire_holds_nobody_up_and_counts_what_it_loses() {
        let mut wire = SerialWire::new(true);
        for n in 0..CHARACTERS + 10 {
            assert!(wire.room(First) > 0);
            wire.put(First, byte(n), LINE);
        }
        let counts = wire.counts(Second);
        assert_eq!((counts.sent, counts.lost), (CHARACTERS as u64 + 10, 10));
        wire.overran(Second);
        assert_eq!(wire.counts(Second).overruns, 1);
        assert_eq!(wire.counts(First), Counts::default());
    }

    #[test]
    fn settings_that_disagree_are_errors_at_the_receiver_and_counted() {
        let mut wire = SerialWire::new(false);
        let odd = LineSettings {
            parity: Parity::Odd,
            ..LINE
        };
        let even = LineSettings {
            parity: Parity::Even,
            ..LINE
        };
        wire.put(First, Sent::Byte(7), odd);
        // The settings of the moment when it was sent count, not later ones.
        wire.put(First, Sent::Byte(8), even);
        let flawed = Received {
            byte: 7,
            condition: Condition::Parity,
        };
        assert_eq!(wire.next(Second, even), Some(flawed));
        assert_eq!(wire.next(Second, even), Some(8.into()));
        assert_eq!(wire.counts(Second).flawed, 1);
        let slow = LineSettings {
            baud: Some(9600),
            ..LINE
        };
        wire.put(First, Sent::Byte(0xff), LINE);
        assert_eq!(wire.next(Second, slow), None, "too short to be seen");
        assert_eq!((wire.counts(Second).flawed, wire.waiting(Second)), (2, 0));
    }

    #[test]
    fn what_is_sent_to_a_board_that_is_down_is_lost_and_holds_nobody_up() {
        let mut wire = SerialWire::new(false);
        for n in 0..CHARACTERS {
            wire.put(First, byte(n), LINE);
        }
        assert_eq!(wire.room(First), 0);
        assert!(wire.connect(Second, false), "the sender may go on");
        assert_eq!(wire.counts(Second).lost, CHARACTERS as u64);
        assert!(wire.room(First) > 0);
        assert!(!wire.put(First, Sent::Byte(1), LINE));
        assert!(!wire.connect(Second, true));
        assert!(wire.put(First, Sent::Byte(2), LINE));
        assert_eq!(wire.next(Second, LINE), Some(2.into()));
    }

    #[test]
    fn random_use_loses_nothing_and_keeps_order() {
        let mut random = Random(0x0005_e71a_1000_0001);
        let mut wire = SerialWire::new(false);
        let mut models = [VecDeque::new(), VecDeque::new()];
        for step in 0..200_000 {
            let (side, way) = match random.below(2) {
                0 => (First, 1),
                _ => (Second, 0),
            };
            if random.below(3) > 0 {
                if wire.room(side) > 0 {
                    wire.put(side, byte(step), LINE);
                    models[way].push_back(step as u8);
                }
            } else {
                let burst = random.below(40);
                for _ in 0..burst {
                    let own = models[1 - way].pop_front();
                    assert_eq!(wire.next(side, LINE).map(|got| got.byte), own);
                }
            }
            assert_eq!(wire.waiting(side.other()), models[way].len());
        }
    }
}
