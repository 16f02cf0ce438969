//! A frame's bytes: header, payload, CRC, and their printable form.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 1 | kind |
//! | 1 | 1 | channel of the payload |
//! | 2 | 1 | channel that is visible from here on |
//! | 3 | 2 | sequence number, little-endian as all that follows |
//! | 5 | 4 | raw bytes sent before this frame, modulo 2^32 |
//! | 9 | 4 | their running CRC-32 |
//! | 13 | 1 | size of the payload |
//! | 14 | | payload |
//! | | 4 | CRC-32 of all of the above |

use super::{Channel, Crc32};

/// The size of a frame's header in bytes.
pub const HEADER_SIZE: usize = 14;
/// The most bytes of payload in a frame.
pub const PAYLOAD_LIMIT: usize = 192;
/// The largest frame in bytes, before its printable form.
pub(super) const FRAME_LIMIT: usize = HEADER_SIZE + PAYLOAD_LIMIT + 4;

/// Escape, which begins and ends a frame's printable form.
pub(super) const ESC: u8 = 0x1b;
/// The byte behind [`ESC`] that opens an application program command.
pub(super) const APC: u8 = b'_';
/// The byte behind [`ESC`] that closes it (string terminator).
pub(super) const ST: u8 = b'\\';
/// The first byte of the string: this link, in its first format.
pub(super) const SIGN: u8 = b'R';

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The sender starts: sequence number and raw bytes begin at 0.
    Start = 0,
    /// Nothing but its header: a check, or a change of the visible channel.
    Check = 1,
    /// Text of the visible channel that could not travel raw.
    Text = 2,
    /// Bytes of a channel that is not visible.
    Data = 3,
    /// What the sender has received from the other end.
    Ack = 4,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        [Self::Start, Self::Check, Self::Text, Self::Data, Self::Ack]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }
}

/// What is wrong with a frame that was thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFault {
    /// A byte in it that no frame has, or an end that is missing.
    Broken,
    /// Its size contradicts its header.
    Size,
    /// Its CRC differs.
    Crc,
    /// A kind or channel that this version does not know, under a good CRC.
    Unknown,
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: Kind,
    pub channel: Channel,
    pub visible: Channel,
    pub sequence: u16,
    pub total: u32,
    pub crc: u32,
}

impl Header {
    /// Writes the frame in its printable form. `payload` is at most [`PAYLOAD_LIMIT`] bytes.
    pub fn write(&self, payload: &[u8], sink: &mut impl FnMut(u8)) {
        let [s0, s1] = self.sequence.to_le_bytes();
        let [t0, t1, t2, t3] = self.total.to_le_bytes();
        let [c0, c1, c2, c3] = self.crc.to_le_bytes();
        let kind = self.kind as u8;
        let (channel, visible) = (self.channel.number(), self.visible.number());
        let size = payload.len() as u8;
        let header: [u8; HEADER_SIZE] = [
            kind, channel, visible, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3, size,
        ];
        let mut crc = Crc32::new();
        crc.update(&header);
        crc.update(payload);

        [ESC, APC, SIGN].into_iter().for_each(&mut *sink);
        let mut printable = Base64::default();
        for byte in header
            .iter()
            .chain(payload)
            .chain(&crc.value().to_le_bytes())
        {
            printable.push(*byte, sink);
        }
        printable.finish(sink);
        [ESC, ST].into_iter().for_each(sink);
    }

    /// Takes a frame's bytes apart: its header and its payload.
    pub fn read(frame: &[u8]) -> Result<(Self, &[u8]), FrameFault> {
        let (body, crc) = frame.split_last_chunk::<4>().ok_or(FrameFault::Size)?;
        let (header, payload) = body
            .split_first_chunk::<HEADER_SIZE>()
            .ok_or(FrameFault::Size)?;
        let [
            kind,
            channel,
            visible,
            s0,
            s1,
            t0,
            t1,
            t2,
            t3,
            c0,
            c1,
            c2,
            c3,
            size,
        ] = *header;
        if usize::from(size) != payload.len() {
            return Err(FrameFault::Size);
        }
        if Crc32::of(body).to_le_bytes() != *crc {
            return Err(FrameFault::Crc);
        }
        let header = Self {
            kind: Kind::from_number(kind).ok_or(FrameFault::Unknown)?,
            channel: Channel::from_number(channel).ok_or(FrameFault::Unknown)?,
            visible: Channel::from_number(visible).ok_or(FrameFault::Unknown)?,
            sequence: u16::from_le_bytes([s0, s1]),
            total: u32::from_le_bytes([t0, t1, t2, t3]),
            crc: u32::from_le_bytes([c0, c1, c2, c3]),
        };
        Ok((header, payload))
    }
}

/// Base64 (RFC 4648, section 4) without padding, a byte at a time.
#[derive(Default)]
struct Base64 {
    bits: u32,
    count: u32,
}

impl Base64 {
    fn push(&mut self, byte: u8, sink: &mut impl FnMut(u8)) {
        self.bits = (self.bits << 8) | u32::from(byte);
        self.count = self.count.wrapping_add(8);
        while self.count >= 6 {
            self.count = self.count.wrapping_sub(6);
            sink(digit(self.bits >> self.count));
        }
    }

    fn finish(self, sink: &mut impl FnMut(u8)) {
        if self.count > 0 {
            sink(digit(self.bits << 6_u32.wrapping_sub(self.count)));
        }
    }
}

/// The digit of the low six bits.
fn digit(bits: u32) -> u8 {
    let bits = (bits & 0x3f) as u8;
    match bits {
        0..=25 => b'A'.wrapping_add(bits),
        26..=51 => b'a'.wrapping_add(bits).wrapping_sub(26),
        52..=61 => b'0'.wrapping_add(bits).wrapping_sub(52),
        62 => b'+',
        _ => b'/',
    }
}

/// A frame in the making from its printable form.
pub(super) struct Collector {
    bytes: [u8; FRAME_LIMIT],
    size: usize,
    bits: u32,
    count: u32,
}

impl Collector {
    pub const fn new() -> Self {
        Self {
            bytes: [0; FRAME_LIMIT],
            size: 0,
            bits: 0,
            count: 0,
        }
    }

    /// Begins a new frame.
    pub fn clear(&mut self) {
        (self.size, self.bits, self.count) = (0, 0, 0);
    }

    /// Takes in the next digit.
    pub fn push(&mut self, digit: u8) -> Result<(), FrameFault> {
        let value = match digit {
            b'A'..=b'Z' => digit.wrapping_sub(b'A'),
            b'a'..=b'z' => digit.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => digit.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => return Err(FrameFault::Broken),
        };
        self.bits = (self.bits << 6) | u32::from(value);
        self.count = self.count.wrapping_add(6);
        if self.count >= 8 {
            self.count = self.count.wrapping_sub(8);
            let place = self.bytes.get_mut(self.size).ok_or(FrameFault::Size)?;
            *place = (self.bits >> self.count) as u8;
            self.size = self.size.wrapping_add(1);
        }
        Ok(())
    }

    /// The frame's bytes. Bits left over at the end are zero in a sound frame.
    pub fn bytes(&self) -> Result<&[u8], FrameFault> {
        let left_over = self.bits & 1_u32.wrapping_shl(self.count).wrapping_sub(1);
        if self.count >= 6 || left_over != 0 {
            return Err(FrameFault::Broken);
        }
        self.bytes.get(..self.size).ok_or(FrameFault::Size)
    }
}
