//! The receiving end.

use super::frame::{APC, Collector, ESC, FrameFault, Header, Kind, SIGN, ST};
use super::{Ack, Channel, Crc32};
use core::fmt;

/// What the link brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Text of the visible channel: shown as it comes, checked by the next frame. At the
    /// hypervisor's end it is for the console in focus, whatever the channel says.
    Text {
        /// The visible channel.
        channel: Channel,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Bytes of another channel, whole and undamaged.
    Frame {
        /// Their channel.
        channel: Channel,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// What the other end has received.
    Ack(Ack),
    /// The other end started, or started anew; what came before on the port is not its.
    Start,
    /// The first frame that was seen is not the sender's first: the reader came later, or the
    /// beginning was lost.
    Joined {
        /// How many raw bytes the sender had sent by then, modulo 2^32.
        bytes: u32,
        /// How many frames, modulo 2^16.
        frames: u16,
    },
    /// Something was lost or damaged on the way.
    Damage(Damage),
}

/// Something that was lost or damaged on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Text between two frames is not what was sent.
    Text {
        /// The visible channel, as far as the reader knows.
        channel: Channel,
        /// Raw bytes before the last frame that was good, modulo 2^32: the place.
        after: u32,
        /// Raw bytes sent since.
        sent: u32,
        /// Raw bytes received since.
        received: u32,
    },
    /// Frames are missing (or came twice: then the count is near 65536).
    Frames {
        /// The sequence number that was due.
        due: u16,
        /// How many are missing.
        count: u16,
    },
    /// A frame was thrown away; the next one tells what is missing.
    Frame(FrameFault),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Text {
                channel,
                after,
                sent,
                received,
            } if sent == received => write!(
                f,
                "{channel}: damaged among the {sent} bytes behind byte {after} of the link's text"
            ),
            Self::Text {
                channel,
                after,
                sent,
                received,
            } => write!(
                f,
                "{channel}: {sent} bytes were sent behind byte {after} of the link's text, \
                 {received} arrived"
            ),
            Self::Frames { due, count } => write!(f, "{count} frames lost from number {due} on"),
            Self::Frame(FrameFault::Broken) => write!(f, "a frame is broken"),
            Self::Frame(FrameFault::Size) => write!(f, "a frame has the wrong size"),
            Self::Frame(FrameFault::Crc) => write!(f, "a frame's CRC differs"),
            Self::Frame(FrameFault::Unknown) => {
                write!(f, "a frame of a kind that this version does not know")
            }
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Console(vm) => write!(f, "console of VM {vm}"),
            Self::Monitor => f.write_str("monitor"),
            Self::Report => f.write_str("report"),
            Self::Trace => f.write_str("trace"),
            Self::Block => f.write_str("block"),
            Self::Layout => f.write_str("layout"),
            Self::Tap => f.write_str("tapped wires"),
            Self::Taken => f.write_str("taken by outside ends"),
            Self::Outside(wire) => write!(f, "outside end of wire {wire}"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Raw text.
    Text,
    /// Raw text, an escape withheld.
    Escape,
    /// Behind `ESC _`.
    Opened,
    /// In a frame.
    Frame,
    /// In a frame, behind an escape.
    FrameEscape,
}

/// Takes the link's bytes apart.
pub struct Decoder {
    state: State,
    frame: Collector,
    synchronized: bool,
    visible: Channel,
    due: u16,
    total: u32,
    crc: Crc32,
    /// The sender's total at the last good frame.
    checked: u32,
    damages: u32,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Text,
            frame: Collector::new(),
            synchronized: false,
            visible: Channel::Console(0),
            due: 0,
            total: 0,
            crc: Crc32::new(),
            checked: 0,
            damages: 0,
        }
    }

    /// What was received so far, to be told to the other end ([`super::Encoder::acknowledge`]).
    pub fn ack(&self) -> Ack {
        Ack {
            total: self.total,
            crc: self.crc.value(),
            damages: self.damages,
        }
    }

    /// Takes in the next bytes and tells what they bring.
    pub fn feed(&mut self, bytes: &[u8], tell: &mut impl FnMut(Event<'_>)) {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            if self.state == State::Text && *byte != ESC {
                // A run of text: told in one piece.
                let size = rest
                    .iter()
                    .position(|byte| *byte == ESC)
                    .unwrap_or(rest.len());
                let (text, behind) = rest.split_at_checked(size).unwrap_or((rest, &[]));
                self.text(text, tell);
                rest = behind;
            } else {
                self.byte(*byte, tell);
                rest = behind;
            }
        }
    }

    fn byte(&mut self, byte: u8, tell: &mut impl FnMut(Event<'_>)) {
        self.state = match (self.state, byte) {
            (State::Text, ESC) => State::Escape,
            (State::Text, _) => {
                self.text(&[byte], tell);
                State::Text
            }
            (State::Escape, APC) => State::Opened,
            (State::Escape, ESC) => {
                self.text(&[ESC], tell);
                State::Escape
            }
            (State::Escape, _) => {
                self.text(&[ESC, byte], tell);
                State::Text
            }
            (State::Opened, SIGN) => {
                self.frame.clear();
                State::Frame
            }
            // Not of this link: a key with Alt at a plain terminal, or damage, which the next
            // frame tells.
            (State::Opened, ESC) => {
                self.text(&[ESC, APC], tell);
                State::Escape
            }
            (State::Opened, _) => {
                self.text(&[ESC, APC, byte], tell);
                State::Text
            }
            (State::Frame, ESC) => State::FrameEscape,
            (State::Frame, _) => match self.frame.push(byte) {
                Ok(()) => State::Frame,
                Err(fault) => {
                    self.damage(Damage::Frame(fault), tell);
                    self.text(&[byte], tell);
                    State::Text
                }
            },
            (State::FrameEscape, ST) => {
                self.end_frame(tell);
                State::Text
            }
            (State::FrameEscape, APC) => {
                self.damage(Damage::Frame(FrameFault::Broken), tell);
                State::Opened
            }
            (State::FrameEscape, ESC) => {
                self.damage(Damage::Frame(FrameFault::Broken), tell);
                State::Escape
            }
            (State::FrameEscape, _) => {
                self.damage(Damage::Frame(FrameFault::Broken), tell);
                self.text(&[ESC, byte], tell);
                State::Text
            }
        };
    }

    fn text(&mut self, bytes: &[u8], tell: &mut impl FnMut(Event<'_>)) {
        self.crc.update(bytes);
        self.total = self.total.wrapping_add(bytes.len() as u32);
        if self.visible != Channel::Layout {
            tell(Event::Text {
                channel: self.visible,
                bytes,
            });
        }
    }

    fn damage(&mut self, damage: Damage, tell: &mut impl FnMut(Event<'_>)) {
        self.damages = self.damages.wrapping_add(1);
        tell(Event::Damage(damage));
    }

    fn end_frame(&mut self, tell: &mut impl FnMut(Event<'_>)) {
        // The payload is lent out of the collector while the rest of the decoder changes.
        let frame = core::mem::replace(&mut self.frame, Collector::new());
        match frame.bytes().and_then(Header::read) {
            Ok((header, payload)) => self.good_frame(&header, payload, tell),
            Err(fault) => self.damage(Damage::Frame(fault), tell),
        }
    }

    fn good_frame(&mut self, header: &Header, payload: &[u8], tell: &mut impl FnMut(Event<'_>)) {
        if header.kind == Kind::Start {
            self.damages = 0;
            tell(Event::Start);
        } else if self.synchronized {
            self.compare(header, tell);
        } else {
            tell(Event::Joined {
                bytes: header.total,
                frames: header.sequence,
            });
        }
        self.synchronized = true;
        self.due = header.sequence.wrapping_add(1);
        self.total = header.total;
        self.checked = header.total;
        self.crc = Crc32::resume(header.crc);

        match header.kind {
            Kind::Start | Kind::Check => {}
            Kind::Text => tell(Event::Text {
                channel: header.visible,
                bytes: payload,
            }),
            Kind::Data => tell(Event::Frame {
                channel: header.channel,
                bytes: payload,
            }),
            Kind::Ack => self.told_ack(payload, tell),
        }
        self.visible = header.visible;
    }

    /// Compares what arrived with what the sender says that it sent.
    fn compare(&mut self, header: &Header, tell: &mut impl FnMut(Event<'_>)) {
        if header.sequence != self.due {
            let count = header.sequence.wrapping_sub(self.due);
            self.damage(
                Damage::Frames {
                    due: self.due,
                    count,
                },
                tell,
            );
        }
        if header.total != self.total || header.crc != self.crc.value() {
            let damage = Damage::Text {
                channel: self.visible,
                after: self.checked,
                sent: header.total.wrapping_sub(self.checked),
                received: self.total.wrapping_sub(self.checked),
            };
            self.damage(damage, tell);
        }
    }

    fn told_ack(&mut self, payload: &[u8], tell: &mut impl FnMut(Event<'_>)) {
        let &[a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = payload else {
            return self.damage(Damage::Frame(FrameFault::Unknown), tell);
        };
        tell(Event::Ack(Ack {
            total: u32::from_le_bytes([a0, a1, a2, a3]),
            crc: u32::from_le_bytes([b0, b1, b2, b3]),
            damages: u32::from_le_bytes([c0, c1, c2, c3]),
        }));
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}
