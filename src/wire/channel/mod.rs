//! A channel: messages, calls and notifications from one VM to another.
//!
//! Its two ends are fixed when the system is built. The *first* sends: a message, a call (a message
//! that is answered) or a notification (bits of a set). The *second* receives and replies. What is
//! sent waits in a ring of a fixed depth; at most one call is under way. A VM that starts anew, or
//! ends, takes with it what is in its channels, and the other end is told once.
//!
//! Every operation takes the same bounded time: it copies at most [`BYTES_MAX`] bytes. Who may do
//! what, and who waits, is [`exchange`]'s.

pub mod exchange;
#[cfg(test)]
mod tests;

use super::{Pair, Side};
use alloc::boxed::Box;
use alloc::vec;

/// The largest message in bytes.
pub const BYTES_MAX: usize = 64;
/// The same in words of 64 bits.
pub const WORDS: usize = BYTES_MAX / 8;
/// The most messages that a channel holds.
pub const DEPTH_MAX: usize = 64;

/// The bytes of a message, in registers: byte n is in word n / 8, the least significant first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    bytes: u8,
    words: [u64; WORDS],
}

impl Payload {
    /// The first `bytes` of `words`; none if it cannot hold them. What lies behind them is zero, so
    /// that no more of the sender's registers goes out than it says.
    #[inline]
    pub fn new(bytes: u64, words: &[u64]) -> Option<Self> {
        let length = u8::try_from(bytes).ok()?;
        if usize::from(length) > BYTES_MAX {
            return None;
        }
        let mut payload = Self {
            bytes: length,
            words: [0; WORDS],
        };
        let count = usize::from(length.wrapping_add(7) >> 3);
        for (to, from) in payload.words.iter_mut().zip(words).take(count) {
            *to = *from;
        }
        let part = length & 7;
        if part != 0
            && let Some(last) = payload.words.get_mut(usize::from(length >> 3))
        {
            // Less than 64 bits, so neither shift nor subtraction wraps.
            *last &= (1_u64 << part.wrapping_mul(8)).wrapping_sub(1);
        }
        Some(payload)
    }

    /// How many bytes there are.
    pub const fn bytes(&self) -> u8 {
        self.bytes
    }

    /// The bytes; those behind the last are zero.
    pub const fn words(&self) -> &[u64; WORDS] {
        &self.words
    }
}

/// A message that waits.
#[derive(Clone, Copy, Debug, Default)]
struct Message {
    payload: Payload,
    /// The call that it makes, which a reply names; 0: it is not answered.
    call: u32,
}

/// Why an operation is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The message is longer than the channel's, or than there is room for.
    TooLong,
    /// The ring is full.
    Full,
    /// Nothing is there.
    Empty,
    /// The other end's VM does not run.
    PeerDown,
    /// The other end's VM has started anew since this end was used last; what was in the channel is
    /// gone. Told once.
    Reset,
    /// A call is under way already.
    Busy,
    /// No such call is under way: it was given up, or answered.
    Stale,
}

/// The call that is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Call {
    #[default]
    None,
    /// It is not answered yet.
    Sent(u32),
    /// It is, and the answer waits for the caller.
    Answered(u32, Payload),
}

/// An end.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// Its VM runs.
    up: bool,
    /// The other end went down or came up, and this one has not been told.
    news: bool,
}

/// A channel. Both ends are down at first.
#[derive(Clone, Debug)]
pub struct Channel {
    bytes: u8,
    ring: Box<[Message]>,
    first: usize,
    count: usize,
    /// What was notified and has not been taken.
    bits: u64,
    call: Call,
    last_call: u32,
    ends: Pair<End>,
}

impl Channel {
    /// A channel of messages of at most `bytes` (up to [`BYTES_MAX`]), `depth` of them (1 to
    /// [`DEPTH_MAX`]) at a time.
    #[must_use]
    pub fn new(bytes: u8, depth: usize) -> Self {
        Self {
            bytes: bytes.min(BYTES_MAX as u8),
            ring: vec![Message::default(); depth.clamp(1, DEPTH_MAX)].into_boxed_slice(),
            first: 0,
            count: 0,
            bits: 0,
            call: Call::None,
            last_call: 0,
            ends: Pair::default(),
        }
    }

    /// Whether there is something for an end to look at: a message or a notification for the
    /// second, an answer for the first, news of the other end for both.
    #[inline]
    pub const fn is_pending(&self, side: Side) -> bool {
        let news = self.ends.of(side).news;
        match side {
            Side::First => news || matches!(self.call, Call::Answered(..)),
            Side::Second => news || self.count != 0 || self.bits != 0,
        }
    }

    /// Whether an end may go on: the other's VM runs, and has since this end was used last.
    #[inline]
    fn meet(&mut self, side: Side) -> Result<(), Refused> {
        let peer_up = self.ends.of(side.other()).up;
        let own = self.ends.of_mut(side);
        if core::mem::take(&mut own.news) && peer_up {
            return Err(Refused::Reset);
        }
        if peer_up {
            Ok(())
        } else {
            Err(Refused::PeerDown)
        }
    }

    #[inline]
    fn push(&mut self, payload: &Payload, call: u32) -> Result<(), Refused> {
        if payload.bytes > self.bytes {
            return Err(Refused::TooLong);
        }
        if self.count >= self.ring.len() {
            return Err(Refused::Full);
        }
        // Both are below the ring's length, which is 64 at most.
        let mut at = self.first.wrapping_add(self.count);
        if at >= self.ring.len() {
            at = at.wrapping_sub(self.ring.len());
        }
        if let Some(place) = self.ring.get_mut(at) {
            place.call = call;
            place.payload = *payload;
            self.count = self.count.wrapping_add(1);
        }
        Ok(())
    }

    /// The first end sends a message.
    #[inline]
    pub fn send(&mut self, payload: &Payload) -> Result<(), Refused> {
        self.meet(Side::First)?;
        self.push(payload, 0)
    }

    /// The first end calls: [`Channel::answer`] with what this gives has the reply.
    pub fn call(&mut self, payload: &Payload) -> Result<u32, Refused> {
        self.meet(Side::First)?;
        if self.call != Call::None {
            return Err(Refused::Busy);
        }
        let number = match self.last_call.wrapping_add(1) {
            0 => 1,
            number => number,
        };
        self.push(payload, number)?;
        self.last_call = number;
        self.call = Call::Sent(number);
        Ok(number)
    }

    const fn current(&self) -> Option<u32> {
        match self.call {
            Call::None => None,
            Call::Sent(number) | Call::Answered(number, _) => Some(number),
        }
    }

    /// The number of the first end's call that is under way.
    pub fn current_call(&mut self) -> Result<u32, Refused> {
        self.meet(Side::First)?;
        self.current().ok_or(Refused::Stale)
    }

    /// The answer to call `number`, which is `shown` and is over then; [`Refused::Empty`] if there is
    /// none yet. One that is longer than `room` stays.
    #[inline]
    pub fn answer(
        &mut self,
        number: u32,
        room: u8,
        shown: impl FnOnce(&Payload),
    ) -> Result<(), Refused> {
        self.meet(Side::First)?;
        match &self.call {
            Call::Answered(of, payload) if *of == number && payload.bytes > room => {
                Err(Refused::TooLong)
            }
            Call::Answered(of, payload) if *of == number => {
                shown(payload);
                self.call = Call::None;
                Ok(())
            }
            Call::Sent(of) if *of == number => Err(Refused::Empty),
            _ => Err(Refused::Stale),
        }
    }

    /// The first end does not wait for the answer to call `number` any more.
    pub fn give_up(&mut self, number: u32) {
        if self.current() == Some(number) {
            self.call = Call::None;
        }
    }

    /// The first end notifies the second: these bits are set there. Whether one of them was not.
    #[inline]
    pub fn notify(&mut self, bits: u64) -> Result<bool, Refused> {
        self.meet(Side::First)?;
        let new = bits & !self.bits != 0;
        self.bits |= bits;
        Ok(new)
    }

    /// The second end takes the oldest message, which is `shown` where it lies; gives the call that it
    /// makes, or 0. One that is longer than `room` stays.
    #[inline]
    pub fn receive(&mut self, room: u8, shown: impl FnOnce(&Payload)) -> Result<u32, Refused> {
        self.meet(Side::Second)?;
        let message = self.ring.get(self.first).filter(|_| self.count != 0);
        let message = message.ok_or(Refused::Empty)?;
        if message.payload.bytes > room {
            return Err(Refused::TooLong);
        }
        shown(&message.payload);
        let call = message.call;
        self.first = self.first.wrapping_add(1);
        if self.first >= self.ring.len() {
            self.first = 0;
        }
        self.count = self.count.wrapping_sub(1);
        Ok(call)
    }

    /// The second end answers call `number`.
    pub fn reply(&mut self, number: u32, payload: Payload) -> Result<(), Refused> {
        self.meet(Side::Second)?;
        if payload.bytes > self.bytes {
            return Err(Refused::TooLong);
        }
        if number == 0 || self.call != Call::Sent(number) {
            return Err(Refused::Stale);
        }
        self.call = Call::Answered(number, payload);
        Ok(())
    }

    /// The second end takes the bits that are set, and clears them.
    pub fn take(&mut self) -> Result<u64, Refused> {
        self.meet(Side::Second)?;
        Ok(core::mem::take(&mut self.bits))
    }

    /// An end's VM starts, or starts anew.
    pub fn up(&mut self, side: Side) {
        self.begin(side);
        let peer = self.ends.of_mut(side.other());
        peer.news = peer.up;
        self.empty();
    }

    /// An end's VM ends.
    pub fn down(&mut self, side: Side) {
        let was_up = core::mem::take(self.ends.of_mut(side)).up;
        let peer = self.ends.of_mut(side.other());
        peer.news = peer.up && was_up;
        self.empty();
    }

    /// An end's VM is built, and none has run yet: nobody has to be told.
    pub fn begin(&mut self, side: Side) {
        *self.ends.of_mut(side) = End {
            up: true,
            news: false,
        };
    }

    fn empty(&mut self) {
        self.count = 0;
        self.bits = 0;
        self.call = Call::None;
    }
}
