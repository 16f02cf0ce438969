//! Records of what a board's observer saw.

use super::record::{DeviceName, Event, Port, Record, RegisterAccess, Way};
use crate::access::{Initiator, Security};
use crate::board::observe::{By, Seen, What};
use crate::units::Ipa;
use alloc::vec::Vec;

/// Makes records of what was seen, in its order. Frames come in pieces, and are put together.
#[derive(Debug, Default)]
pub struct Assembly {
    /// The state that the trace's header says of accesses that say nothing else.
    secure: bool,
    frame: Vec<u8>,
    /// Where the frame in the making began, if it is board memory.
    from: Option<Ipa>,
}

impl Assembly {
    /// For a trace whose header says `security`.
    pub fn new(security: Security) -> Self {
        Self {
            secure: security == Security::Secure,
            ..Self::default()
        }
    }

    /// What follows is behind a gap: a frame in the making has lost its end.
    pub fn gap(&mut self) {
        self.frame.clear();
        self.from = None;
    }

    /// The record of what was seen, once it is whole; `name` is the device's in the trace.
    pub fn record(&mut self, seen: &Seen, name: DeviceName) -> Option<Record> {
        let mut cpu = None;
        let mut device = Some(name);
        let event = match seen.what {
            What::Access {
                access,
                write,
                value,
            } => {
                if let Initiator::Cpu(number) = access.initiator {
                    cpu = Some(number);
                }
                let secure = access.security == Security::Secure;
                Event::Access(RegisterAccess {
                    region: access.region,
                    offset: access.offset,
                    width: access.width,
                    security: (secure != self.secure).then_some(access.security),
                    privileged: access.privileged,
                    write,
                    value,
                    times: 1,
                    last: seen.at,
                })
            }
            What::Output { line, level } => Event::Line {
                way: Way::Out,
                line,
                level,
            },
            What::Input { line, level } => Event::Line {
                way: Way::In,
                line,
                level,
            },
            What::Bytes {
                by,
                more,
                count,
                bytes,
            } => {
                let piece = bytes.get(..usize::from(count)).unwrap_or_default();
                self.piece(by, more, piece)?
            }
            What::Due => Event::Due,
            What::Reset(kind) => {
                device = None;
                Event::Reset(kind)
            }
        };
        Some(Record {
            at: seen.at,
            cpu,
            device,
            event,
        })
    }

    fn piece(&mut self, by: By, more: bool, piece: &[u8]) -> Option<Event> {
        if let By::MasterRead(at) | By::MasterWrite(at) = by {
            self.from.get_or_insert(at);
        }
        self.frame.extend_from_slice(piece);
        if more {
            return None;
        }
        let bytes = core::mem::take(&mut self.frame);
        let port = |way, port| Event::Port {
            way,
            port,
            bytes: bytes.clone(),
        };
        let from = self.from.take();
        Some(match by {
            By::SerialIn => port(Way::In, Port::Serial),
            By::SerialOut => port(Way::Out, Port::Serial),
            By::FrameIn => port(Way::In, Port::Frames),
            By::FrameOut => port(Way::Out, Port::Frames),
            By::MasterRead(at) | By::MasterWrite(at) => Event::Memory {
                way: match by {
                    By::MasterRead(_) => Way::In,
                    _ => Way::Out,
                },
                at: from.unwrap_or(at),
                bytes,
            },
        })
    }
}
