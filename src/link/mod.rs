//! The link: one framed, checksummed, resynchronizing multiplex over a byte port of the host.
//!
//! A plain terminal on that port still reads the console in focus. Text of the *visible*
//! channel travels as it is; everything else travels in APC strings (ECMA-48, 8.3.2: `ESC _`
//! to `ESC \`), which terminals ignore. docs/link.md is the reference; in short:
//!
//! - A frame is `ESC _ R`, base64 without padding, `ESC \`. Decoded: a header of
//!   [`HEADER_SIZE`] bytes, at most [`PAYLOAD_LIMIT`] bytes of payload, CRC-32 of both.
//! - Every frame's header has the number and the running CRC-32 of all raw bytes sent before
//!   it, so each frame checks the text between it and the last one, and after damage the
//!   reader takes over the sender's values: one frame, and both agree again.
//! - A frame is sent at least every [`CHECK_INTERVAL`] raw bytes, and on [`Encoder::flush`].
//! - A guest cannot forge a frame: its `_` right behind its `ESC` is sent inside a frame.
//!
//! The same code serves both ends and both directions: [`Encoder`] and [`Decoder`] are pure
//! state machines without allocation.

mod decoder;
mod encoder;
mod frame;
#[cfg(test)]
mod tests;

pub use crate::crc::Crc32;
pub use decoder::{Damage, Decoder, Event};
pub use encoder::{Delivery, Encoder, Sent};
pub use frame::{FrameFault, HEADER_SIZE, PAYLOAD_LIMIT};

/// The most raw bytes between two frames.
pub const CHECK_INTERVAL: u16 = 256;

/// What a byte on the link belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// The console of the VM of this number (0 to 15).
    Console(u8),
    /// The hypervisor's log, and from the host tool its commands.
    Monitor,
    /// Reports of VMs that were stopped.
    Report,
    /// Recorded device accesses (reserved).
    Trace,
    /// Blocks of media that the host tool holds (reserved).
    Block,
    /// What passes wires that are tapped.
    Tap,
    /// How much of what was sent to outside ends has been taken.
    Taken,
    /// The outside end of the wire of this number (0 to 31).
    Outside(u8),
    /// Line ends between two channels' texts: for plain terminals; a decoder drops them.
    Layout,
}

impl Channel {
    /// The channel's number on the link.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Console(vm) => vm & 0x0f,
            Self::Monitor => 0x10,
            Self::Report => 0x11,
            Self::Trace => 0x12,
            Self::Block => 0x13,
            Self::Tap => 0x14,
            Self::Taken => 0x15,
            Self::Layout => 0x1f,
            Self::Outside(wire) => 0x20 | wire & 0x1f,
        }
    }

    /// The channel of a number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            vm @ 0..=0x0f => Some(Self::Console(vm)),
            0x10 => Some(Self::Monitor),
            0x11 => Some(Self::Report),
            0x12 => Some(Self::Trace),
            0x13 => Some(Self::Block),
            0x14 => Some(Self::Tap),
            0x15 => Some(Self::Taken),
            0x1f => Some(Self::Layout),
            wire @ 0x20..=0x3f => Some(Self::Outside(wire & 0x1f)),
            _ => None,
        }
    }
}

/// What a reader has received: told to the sender, which compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// Raw bytes, modulo 2^32, since the sender's start.
    pub total: u32,
    /// Their CRC-32.
    pub crc: u32,
    /// How many damages the reader has found, modulo 2^32.
    pub damages: u32,
}
