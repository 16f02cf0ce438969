//! One record of a trace.

use crate::access::{Security, Width};
use crate::emul::Reset;
use crate::units::{Instant, Ipa};
use alloc::vec::Vec;

/// The number of a device's name in its trace, in the order in which they first appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(pub u16);

/// One record: a line of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, in nanoseconds of the board's life.
    pub at: Instant,
    /// The CPU that did it, if one did.
    pub cpu: Option<u8>,
    /// Whose it is; a reset of the whole board has none.
    pub device: Option<DeviceName>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `r`, `w`: a register was accessed.
    Access(RegisterAccess),
    /// `i`, `o`: a line changed.
    Line {
        /// Into the device, or out of it.
        way: Way,
        /// The line's number.
        line: u16,
        /// Its level from now on.
        level: bool,
    },
    /// `in`, `out`: bytes or a frame passed through a port.
    Port {
        /// Into the device, or out of it.
        way: Way,
        /// Which port.
        port: Port,
        /// At least one byte.
        bytes: Vec<u8>,
    },
    /// `m` (in: the device read), `M` (out: it wrote): board memory, by bus mastering.
    Memory {
        /// Into the device, or out of it.
        way: Way,
        /// The first byte's address.
        at: Ipa,
        /// At least one byte.
        bytes: Vec<u8>,
    },
    /// `due`: the device's deadline had passed, and it was brought up to date.
    Due,
    /// `reset`: the board or the device was reset.
    Reset(Reset),
}

/// A register access, or several equal ones with no other access of the device between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterAccess {
    /// Which of the device's register blocks.
    pub region: u8,
    /// Bytes from the block's start.
    pub offset: u64,
    /// Bytes moved.
    pub width: Width,
    /// In which security state, where it is not the header's.
    pub security: Option<Security>,
    /// Whether the initiator was privileged.
    pub privileged: bool,
    /// Whether it was a write.
    pub write: bool,
    /// What was read or written; none: it ended in an abort.
    pub value: Option<u64>,
    /// How often, at least once.
    pub times: u32,
    /// When the last of them was.
    pub last: Instant,
}

/// Which way something went, as the device sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// Into the device.
    In,
    /// Out of the device.
    Out,
}

/// A device's port for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// `rx` into, `tx` out of a serial port.
    Serial,
    /// `eth`: an Ethernet port; the bytes are one frame, from the destination address to the FCS.
    Frames,
}

impl Port {
    /// Its word in a trace.
    pub const fn word(self, way: Way) -> &'static str {
        match (self, way) {
            (Self::Serial, Way::In) => "rx",
            (Self::Serial, Way::Out) => "tx",
            (Self::Frames, _) => "eth",
        }
    }

    /// The port of a word.
    pub fn of_word(word: &str, way: Way) -> Option<Self> {
        [Self::Serial, Self::Frames]
            .into_iter()
            .find(|port| port.word(way) == word)
    }
}
