//! A tap: what enters wires, in the packed form of traces, until it can go on its way to the host
//! tool, which makes captures and traces of it.
//!
//! Nothing waits for a tap. What finds no room is counted, a whole frame at a time, and the count
//! stands at its place in the stream.

use super::Passed;
use crate::board::observe::{By, Kinds, Observer, PIECE, Seen, What};
use crate::emul::frames::FRAME_MAX;
use crate::trace::packed::ITEM_MAX;
use crate::trace::stream::Stream;
use crate::units::Instant;

/// As many pieces as the longest frame has.
const PIECES: usize = FRAME_MAX.div_ceil(PIECE);
/// Room that a frame finds in any case, with what may be told before and behind it.
const ROOM: usize = PIECES.saturating_add(3).saturating_mul(ITEM_MAX);

/// A tap of any number of wires.
#[derive(Debug)]
pub struct Tap {
    observer: Observer,
    stream: Stream,
}

impl Tap {
    /// A tap with room for so many bytes; its times are of a clock of `hz` ticks a second.
    #[must_use]
    pub fn new(bytes: usize, hz: u64) -> Self {
        let mut stream = Stream::new(bytes, hz);
        // Each thing is told whole, so the stream may end behind any.
        stream.idle = true;
        Self {
            observer: Observer::new(Kinds::ALL, PIECES),
            stream,
        }
    }

    /// Something entered a wire at the end of this number: the ends of all wires counted in a row.
    pub fn saw(&mut self, at: Instant, end: u16, passed: Passed<'_>) {
        let Self { observer, stream } = self;
        let kind = match passed {
            Passed::Character(_) | Passed::Break => Kinds::BYTES,
            Passed::Frame(_) => Kinds::FRAMES,
            Passed::Level(_) => Kinds::OUTPUTS,
        };
        if stream.room() < ROOM {
            return observer.lose(kind, end, at);
        }
        // What was lost before is told at its place.
        stream.pack(observer);
        match passed {
            Passed::Character(byte) => observer.note_bytes(at, end, By::SerialOut, &[byte]),
            Passed::Frame(octets) => observer.note_bytes(at, end, By::FrameOut, octets),
            Passed::Level(level) => {
                let (device, what) = (end, What::Output { line: 0, level });
                observer.note(kind, Seen { at, device, what });
            }
            // It has no record in a trace.
            Passed::Break => observer.lose(kind, end, at),
        }
        stream.pack(observer);
    }

    /// What waits to be sent; with how much was lost, if there is room for more.
    pub fn stream(&mut self) -> &mut Stream {
        if self.stream.room() >= ROOM {
            self.stream.pack(&mut self.observer);
        }
        &mut self.stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Security;
    use crate::trace::observed::Assembly;
    use crate::trace::packed::{Item, Unpacker};
    use crate::trace::record::{DeviceName, Event};
    use alloc::vec;
    use alloc::vec::Vec;

    /// What a reader makes of the stream: octets of frames, and how many were lost between.
    #[derive(Debug, PartialEq, Eq)]
    enum Got {
        Frame(u16, Vec<u8>),
        Level(u16, bool),
        Byte(u16, Vec<u8>),
        Lost(u64),
    }

    struct Reader {
        unpacker: Unpacker,
        assembly: Assembly,
    }

    impl Reader {
        fn new() -> Self {
            Self {
                unpacker: Unpacker::new(),
                assembly: Assembly::new(Security::NonSecure),
            }
        }

        fn read(&mut self, tap: &mut Tap) -> Vec<Got> {
            let bytes: Vec<u8> = tap.stream().bytes().drain(..).collect();
            let (mut from, mut got) = (0, Vec::new());
            while let Some((item, taken)) = self.unpacker.next(&bytes[from..]).unwrap() {
                from += taken;
                match item {
                    Some(Item::Seen(seen)) => {
                        let record = self.assembly.record(&seen, DeviceName(seen.device));
                        got.extend(record.map(|record| match record.event {
                            Event::Line { level, .. } => Got::Level(seen.device, level),
                            Event::Port { bytes, .. } if bytes.len() == 1 => {
                                Got::Byte(seen.device, bytes)
                            }
                            Event::Port { bytes, .. } => Got::Frame(seen.device, bytes),
                            other => panic!("{other:?}"),
                        }));
                    }
                    Some(Item::Lost { count, .. }) => got.push(Got::Lost(count)),
                    _ => {}
                }
            }
            assert_eq!(from, bytes.len(), "whole items only");
            got
        }
    }

    #[test]
    fn what_enters_wires_comes_out_in_its_order() {
        let (mut tap, mut reader) = (Tap::new(1 << 16, 62_500_000), Reader::new());
        let longest = vec![0xa5; FRAME_MAX];
        tap.saw(Instant(16), 3, Passed::Frame(&longest));
        tap.saw(Instant(17), 0, Passed::Character(b'x'));
        tap.saw(Instant(18), 255, Passed::Level(true));
        tap.saw(Instant(19), 0, Passed::Break);
        tap.saw(Instant(20), 3, Passed::Frame(&[1, 2, 3]));
        let due = [
            Got::Frame(3, longest),
            Got::Byte(0, vec![b'x']),
            Got::Level(255, true),
            Got::Lost(1),
            Got::Frame(3, vec![1, 2, 3]),
        ];
        assert_eq!(reader.read(&mut tap), due);
        assert_eq!(reader.read(&mut tap), []);
    }

    #[test]
    fn what_finds_no_room_is_counted_whole_and_at_its_place() {
        let (mut tap, mut reader) = (Tap::new(1 << 16, 62_500_000), Reader::new());
        let frame = |n: u64| vec![n as u8; 1518];
        let mut next = 0;
        for _ in 0..3 {
            let begun = next;
            for _ in 0..200 {
                tap.saw(Instant(next), 0, Passed::Frame(&frame(next)));
                next += 1;
            }
            let got = reader.read(&mut tap);
            // Frames without a gap, and then nothing until the reader came.
            let whole = got.len();
            assert!((20..100).contains(&whole), "{whole}");
            for (place, got) in got.into_iter().enumerate() {
                assert_eq!(got, Got::Frame(0, frame(begun + place as u64)));
            }
            let lost = Got::Lost(200 - whole as u64);
            // Whether something follows or not.
            if begun == 0 {
                assert_eq!(reader.read(&mut tap), [lost]);
            } else {
                tap.saw(Instant(next), 1, Passed::Level(true));
                assert_eq!(reader.read(&mut tap), [lost, Got::Level(1, true)]);
            }
        }
    }
}
