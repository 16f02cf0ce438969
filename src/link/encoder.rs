//! The sending end.

use super::frame::{APC, ESC, Header, Kind, PAYLOAD_LIMIT};
use super::{Ack, CHECK_INTERVAL, Channel, Crc32};

/// From here on a check is sent where it does not tear an escape sequence or a character of
/// several bytes apart, which a plain terminal would show; [`CHECK_INTERVAL`] at the latest.
const CHECK_FROM: u16 = CHECK_INTERVAL - 64;

/// Turns channels' bytes into the link's.
///
/// Every method writes to a sink, one call a byte; a sink that has no room must wait, or drop
/// bytes, which the other end will tell. Nothing is allocated.
pub struct Encoder {
    focus: Channel,
    visible: Channel,
    sequence: u16,
    total: u32,
    crc: Crc32,
    /// Raw bytes since the last frame.
    unchecked: u16,
    /// The last byte was a raw [`ESC`].
    escaped: bool,
    screen: Screen,
    /// Bytes of a channel that is not visible, until they fill a frame or are flushed.
    held_channel: Channel,
    held: [u8; PAYLOAD_LIMIT],
    held_size: usize,
    acknowledged: Ack,
}

impl Encoder {
    /// An encoder whose console in focus is that of VM 0. [`Encoder::start`] comes first.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            focus: Channel::Console(0),
            visible: Channel::Console(0),
            sequence: 0,
            total: 0,
            crc: Crc32::new(),
            unchecked: 0,
            escaped: false,
            screen: Screen {
                state: Sequence::None,
                line_began: false,
            },
            held_channel: Channel::Trace,
            held: [0; PAYLOAD_LIMIT],
            held_size: 0,
            acknowledged: Ack {
                total: 0,
                crc: 0,
                damages: 0,
            },
        }
    }

    /// Tells the other end that counting begins here.
    pub fn start(&mut self, sink: &mut impl FnMut(u8)) {
        (self.sequence, self.total, self.crc) = (0, 0, Crc32::new());
        self.frame(Kind::Start, self.visible, &[], sink);
    }

    /// Gives the focus to the console of another VM.
    pub fn focus(&mut self, vm: u8, sink: &mut impl FnMut(u8)) {
        self.send_held(sink);
        self.focus = Channel::from_number(vm & 0x0f).unwrap_or(Channel::Console(0));
        self.show(self.focus, sink);
    }

    /// The channel in focus.
    pub fn in_focus(&self) -> Channel {
        self.focus
    }

    /// Sends text as it is: lines end with CR LF, for plain terminals.
    ///
    /// The console in focus, the monitor and reports are visible on a plain terminal; the
    /// others travel in frames.
    pub fn text(&mut self, channel: Channel, bytes: &[u8], sink: &mut impl FnMut(u8)) {
        let shown = matches!(channel, Channel::Monitor | Channel::Report) || channel == self.focus;
        if !shown {
            return self.data(channel, bytes, sink);
        }
        if bytes.is_empty() {
            return;
        }
        self.show(channel, sink);
        for byte in bytes {
            self.raw(*byte, sink);
        }
    }

    /// Sends bytes in frames. Fewer than fill one wait for more, or for a flush.
    pub fn data(&mut self, channel: Channel, bytes: &[u8], sink: &mut impl FnMut(u8)) {
        if channel != self.held_channel {
            self.send_held(sink);
            self.held_channel = channel;
        }
        for byte in bytes {
            if let Some(place) = self.held.get_mut(self.held_size) {
                *place = *byte;
                self.held_size = self.held_size.wrapping_add(1);
            }
            if self.held_size >= PAYLOAD_LIMIT {
                self.send_held(sink);
            }
        }
    }

    /// Tells the other end what has been received from it, if that is news.
    pub fn acknowledge(&mut self, ack: Ack, sink: &mut impl FnMut(u8)) {
        if ack == self.acknowledged {
            return;
        }
        self.acknowledged = ack;
        let [a0, a1, a2, a3] = ack.total.to_le_bytes();
        let [b0, b1, b2, b3] = ack.crc.to_le_bytes();
        let [c0, c1, c2, c3] = ack.damages.to_le_bytes();
        let payload = [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3];
        self.frame(Kind::Ack, self.visible, &payload, sink);
    }

    /// Sends all that is held, checks the text since the last frame, and gives the screen back
    /// to the console in focus: when the stream goes idle.
    pub fn flush(&mut self, sink: &mut impl FnMut(u8)) {
        self.send_held(sink);
        self.show(self.focus, sink);
        if self.unchecked > 0 {
            self.check(sink);
        }
    }

    /// Whether a [`Encoder::flush`] would send anything.
    pub fn owes_flush(&self) -> bool {
        self.held_size > 0 || self.unchecked > 0 || self.visible != self.focus
    }

    /// Checks what was sent, news or not: to ask whether it arrived.
    pub fn check(&mut self, sink: &mut impl FnMut(u8)) {
        self.frame(Kind::Check, self.visible, &[], sink);
    }

    /// Makes a channel visible, on a line of its own when it is not a console.
    fn show(&mut self, channel: Channel, sink: &mut impl FnMut(u8)) {
        if self.visible == channel {
            return;
        }
        if !matches!(channel, Channel::Console(_)) && self.screen.line_began {
            self.visible = Channel::Layout;
            self.check(sink);
            self.raw(b'\r', sink);
            self.raw(b'\n', sink);
        }
        self.visible = channel;
        self.check(sink);
    }

    fn raw(&mut self, byte: u8, sink: &mut impl FnMut(u8)) {
        self.screen.see(byte);
        if self.escaped && byte == APC {
            // What would open a frame: a guest's word is no frame.
            return self.frame(Kind::Text, self.visible, &[byte], sink);
        }
        sink(byte);
        self.escaped = byte == ESC;
        self.crc.update(&[byte]);
        self.total = self.total.wrapping_add(1);
        self.unchecked = self.unchecked.saturating_add(1);
        let due = if self.screen.whole() {
            CHECK_FROM
        } else {
            CHECK_INTERVAL
        };
        if self.unchecked >= due {
            self.check(sink);
        }
    }

    fn send_held(&mut self, sink: &mut impl FnMut(u8)) {
        let (held, size) = (self.held, self.held_size);
        self.held_size = 0;
        if let Some(bytes @ [_, ..]) = held.get(..size) {
            self.frame(Kind::Data, self.held_channel, bytes, sink);
        }
    }

    fn frame(&mut self, kind: Kind, channel: Channel, payload: &[u8], sink: &mut impl FnMut(u8)) {
        let header = Header {
            kind,
            channel,
            visible: self.visible,
            sequence: self.sequence,
            total: self.total,
            crc: self.crc.value(),
        };
        header.write(payload, sink);
        self.sequence = self.sequence.wrapping_add(1);
        self.unchecked = 0;
        self.escaped = false;
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

/// What a plain terminal makes of the raw bytes, as far as a frame could disturb it.
struct Screen {
    state: Sequence,
    line_began: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sequence {
    /// Between characters.
    None,
    /// Behind an escape.
    Escape,
    /// In a control sequence (`ESC [`).
    Control,
    /// In a UTF-8 character that has this many bytes to come.
    Utf8(u8),
}

impl Screen {
    fn see(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (_, ESC) | (Sequence::Escape, 0x20..=0x2f) => Sequence::Escape,
            (Sequence::Escape, b'[') | (Sequence::Control, 0x20..=0x3f) => Sequence::Control,
            (Sequence::Utf8(more @ 2..), 0x80..=0xbf) => Sequence::Utf8(more.wrapping_sub(1)),
            (_, 0xc2..=0xdf) => Sequence::Utf8(1),
            (_, 0xe0..=0xef) => Sequence::Utf8(2),
            (_, 0xf0..=0xf4) => Sequence::Utf8(3),
            _ => Sequence::None,
        };
        self.line_began = !matches!(byte, b'\n' | b'\r') && (self.line_began || byte >= 0x20);
    }

    fn whole(&self) -> bool {
        self.state == Sequence::None
    }
}

/// How the other end's acknowledgement compares with what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// All raw bytes have arrived as they were sent.
    Arrived,
    /// This many are on their way, or lost: [`Encoder::check`] finds out.
    Waiting(u32),
    /// The other end found damage this many times since the last acknowledgement, or has
    /// other bytes than were sent; it had received this many bytes by then.
    Damaged {
        /// Damages since the last acknowledgement; at least 1.
        times: u32,
        /// Raw bytes received, modulo 2^32.
        at: u32,
    },
}

/// Compares acknowledgements with what an [`Encoder`] sent.
#[derive(Default)]
pub struct Sent {
    damages: u32,
}

impl Sent {
    /// Takes in an acknowledgement.
    pub fn acknowledged(&mut self, encoder: &Encoder, ack: Ack) -> Delivery {
        let times = ack.damages.wrapping_sub(self.damages);
        self.damages = ack.damages;
        let waiting = encoder.total.wrapping_sub(ack.total);
        let differs = waiting == 0 && encoder.crc.value() != ack.crc;
        // More than was sent: bytes were doubled, or came from elsewhere.
        let more = waiting > u32::MAX / 2;
        if times > 0 || differs || more {
            Delivery::Damaged {
                times: times.max(1),
                at: ack.total,
            }
        } else if waiting > 0 {
            Delivery::Waiting(waiting)
        } else {
            Delivery::Arrived
        }
    }
}
