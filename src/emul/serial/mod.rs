//! What every UART has: characters on a line, their pace, and the queues at both ends.

mod arriving;
mod line;
mod ring;
mod sender;

pub(super) use arriving::Arriving;
pub use line::{LineSettings, Parity};
pub(super) use ring::Ring;
pub(super) use sender::Sender;

/// The rate that a boot loader leaves, and that an unset divisor stands for.
pub(super) const USUAL_BAUD: u64 = 115_200;

/// When a character leaves, and when one has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pacing {
    /// As soon as it is written, if the transmitter is on; as soon as the board has it.
    AtOnce,
    /// At the programmed baud rate.
    Baud,
}

/// What the line did to a character on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Good,
    /// Its parity is not what the line control asks for.
    Parity,
    /// It has no valid stop bit.
    Framing,
    /// The line was low for longer than a character: one character of 0 stands for it.
    Break,
}

/// A character that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its data bits.
    pub byte: u8,
    /// How it arrived.
    pub condition: Condition,
}

impl Received {
    /// The line was low for longer than a character.
    pub const BREAK: Self = Self {
        byte: 0,
        condition: Condition::Break,
    };
}

impl From<u8> for Received {
    fn from(byte: u8) -> Self {
        Self {
            byte,
            condition: Condition::Good,
        }
    }
}
