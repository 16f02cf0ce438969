//! A legacy board, made from its resource map: memory, bus, interrupt wiring.
//!
//! The map is a flattened device tree with the standard bindings and a few properties of ours
//! (docs/reference/board.md). [`Plan::read`] turns it into a [`Plan`], or says everything that
//! is wrong with it; [`Board::build`] makes the devices and joins them. After that nothing here
//! allocates, and nothing can panic, whatever the guest does.
//!
//! The order of work on an access: the [`bus`] finds the window, the device is brought up to
//! now, the register is read or written, and what changed on its lines is propagated by the
//! [`wiring`] before the answer goes back.

pub mod bus;
pub mod catalog;
pub mod census;
pub mod devicetree;
pub mod error;
mod files;
mod machine;
pub mod observe;
mod pass_through;
pub mod plan;
mod recent;
#[cfg(test)]
mod tests;
pub mod wiring;

use crate::access::{Access, Initiator, Security, Width};
use crate::memory::BoardMemory;
use crate::units::{HostPa, Instant, Ipa};
pub use error::MapError;
pub use machine::{Board, Carried, CarriedFrames};
pub use plan::Plan;

/// What the board may ask of the world in one call.
pub struct World<'a> {
    /// The board's time.
    pub now: Instant,
    /// The board's memory.
    pub memory: &'a dyn BoardMemory,
}

/// How a bus master accesses an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Bytes moved.
    pub width: Width,
    /// Who asks.
    pub initiator: Initiator,
    /// In which security state.
    pub security: Security,
    /// Whether the initiator is privileged.
    pub privileged: bool,
}

impl Transaction {
    /// What a device sees of it, at this place of its register blocks.
    pub(crate) const fn access(self, region: u8, offset: u64) -> Access {
        Access {
            region,
            offset,
            width: self.width,
            initiator: self.initiator,
            security: self.security,
            privileged: self.privileged,
        }
    }
}

/// The answer to an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A read's value, zero-extended.
    Value(u64),
    /// A write is done.
    Done,
    /// The register is the host's, behind a tap: the metal carries the access out there, with
    /// the same width, and tells the board what it read or wrote by [`Board::record`].
    Host(HostPa),
}

/// Why the bus answers with an external abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusFault {
    /// No window is there, and the map's policy is to abort.
    Unclaimed,
    /// The access begins in a window and ends outside it.
    LeavesWindow,
    /// A read or write of memory that stage 2 should have served, or a write to ROM.
    Memory,
    /// The device refuses.
    Refused(crate::access::Refusal),
}

/// Which of a CPU's generic timers: the order of the binding's `interrupts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuTimer {
    /// CNTP in Secure state.
    SecurePhysical,
    /// CNTP in Non-secure state.
    NonSecurePhysical,
    /// CNTV.
    Virtual,
    /// CNTHP.
    Hypervisor,
}

impl CpuTimer {
    /// How many there are.
    pub const COUNT: usize = 4;

    const fn number(self) -> u8 {
        match self {
            Self::SecurePhysical => 0,
            Self::NonSecurePhysical => 1,
            Self::Virtual => 2,
            Self::Hypervisor => 3,
        }
    }
}

/// A CPU's interrupt inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuLines {
    /// nIRQ is asserted.
    pub irq: bool,
    /// nFIQ is asserted.
    pub fiq: bool,
}

/// What the board asks of the VM that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardAsk {
    /// Reset the board.
    Reset,
    /// Switch it off.
    PowerOff,
    /// Map window `window` of [`Plan::windows`] for direct reads, or take the mapping away.
    DirectReads {
        /// Index in [`Plan::windows`].
        window: usize,
        /// Whether stage 2 maps it, read and execute, from now on.
        on: bool,
    },
    /// Switch the windows that the map calls remappable.
    Remap(bool),
}

/// What may have changed since it was last asked for: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News(u8);

impl News {
    /// A CPU's interrupt inputs.
    pub const LINES: Self = Self(1);
    /// The deadline.
    pub const DEADLINE: Self = Self(2);
    /// The console has sent.
    pub const CONSOLE: Self = Self(4);
    /// The level of a CPU's virtual timer, as the board sees it.
    pub const TIMER: Self = Self(8);
    /// A device has sent frames that someone takes ([`Board::take_frames`]).
    pub const FRAMES: Self = Self(16);
    /// A serial port has sent what someone takes ([`Board::take_serial`]).
    pub const SERIAL: Self = Self(32);
    /// An output line has changed that someone watches ([`Board::watch_outputs`]).
    pub const OUTPUTS: Self = Self(64);
    /// What is on a wire.
    pub const WIRES: Self = Self(16 | 32 | 64);
    /// What is not of a wire.
    pub const OWN: Self = Self(1 | 2 | 4 | 8);
    /// All of that.
    pub const ALL: Self = Self(127);

    /// Whether there is none at all.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether there is any of this.
    #[inline]
    pub const fn has(self, what: Self) -> bool {
        self.0 & what.0 != 0
    }
}

impl core::ops::BitOr for News {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl core::ops::BitOrAssign for News {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

/// What is nearest to an address, for a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearest<'a> {
    /// The window's node in the map.
    pub node: &'a str,
    /// The window's first address.
    pub at: Ipa,
    /// Bytes from the window's start, if the address lies in it.
    pub inside: Option<u64>,
    /// Bytes between the address and the window; 0 inside.
    pub distance: u64,
}

/// How many device accesses [`Board::recent`] remembers.
pub const RECENT: usize = 32;

/// One device access that was carried out or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentAccess {
    /// When.
    pub at: Instant,
    /// Who.
    pub initiator: Initiator,
    /// The window in [`Plan::windows`], or none if no window claims the address.
    pub window: Option<usize>,
    /// The address.
    pub ipa: Ipa,
    /// Bytes from the start of the device's register block (the window).
    pub offset: u64,
    /// Whether it was a write.
    pub write: bool,
    /// Bytes moved.
    pub width: Width,
    /// What was read or written; 0 for a read that was refused.
    pub value: u64,
    /// Whether it ended in a fault.
    pub refused: bool,
}
