//! What joins boards: wires between their serial ports, Ethernet ports and pins.
//!
//! A wire is pure: bounded queues, filled from one board's port and emptied into another's. It is
//! made once, allocates nothing afterwards, and knows no board. Who carries (the metal, a test)
//! takes from a device what it has sent, puts it into the wire, and tells the other board; there
//! what the wire holds is given to the device as far as it has room. So a wire is never in two
//! boards at once, and a board that does not run finds in it what was sent meanwhile.
//!
//! - [`serial`]: two UARTs, characters each way, with what their line settings make of them.
//! - [`ethernet`]: a learning switch.
//! - [`network`]: the host's network at a port of such a switch.
//! - [`pins`]: GPIO pins and interrupt lines, edge by edge.
//! - [`tap`]: what enters wires, for captures and traces.
//! - [`channel`]: messages between VMs whose software knows of them.

pub mod channel;
pub mod ethernet;
pub mod network;
pub mod pins;
pub mod serial;
pub mod tap;

/// One of the two ends of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first in the system file.
    First,
    /// The second.
    Second,
}

impl Side {
    /// The end that is not this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl Side {
    /// Its place among the wire's ends.
    #[must_use]
    pub const fn place(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

/// What an end has put into a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed<'a> {
    /// A character.
    Character(u8),
    /// A break.
    Break,
    /// A frame, up to its frame check sequence.
    Frame(&'a [u8]),
    /// The level that the end drives from now on, low if it drives none.
    Level(bool),
}

/// A wire that two boards share: it is held for a moment at a time, and no device is called
/// meanwhile.
pub trait Shared<W> {
    /// Does something with the wire, while nobody else does.
    fn with<R>(&self, act: impl FnOnce(&mut W) -> R) -> R;

    /// Something enters the wire at its end of this place: for whoever taps it.
    fn saw(&self, _from: usize, _passed: Passed<'_>) {}
}

impl<W> Shared<W> for core::cell::RefCell<W> {
    fn with<R>(&self, act: impl FnOnce(&mut W) -> R) -> R {
        act(&mut self.borrow_mut())
    }
}

impl<W> Shared<W> for spin::Mutex<W> {
    fn with<R>(&self, act: impl FnOnce(&mut W) -> R) -> R {
        act(&mut self.lock())
    }
}

/// What a wire has for each of its ends.
#[derive(Clone, Debug, Default)]
struct Pair<T> {
    first: T,
    second: T,
}

impl<T> Pair<T> {
    const fn of(&self, side: Side) -> &T {
        match side {
            Side::First => &self.first,
            Side::Second => &self.second,
        }
    }

    const fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        }
    }
}
