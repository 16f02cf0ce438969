//! What passes the wires that are tapped, on its way to the host tool, which makes capture files and
//! traces of it.
//!
//! All such wires have one stream, in the order of the host's clock. What finds no room there is
//! counted, whole frames at a time; no VM waits for the link.

use super::counter;
use super::recorder::Stream;
use reliquary::board::observe::{By, Kinds, Observer, PIECE, Seen, What};
use reliquary::emul::frames::FRAME_MAX;
use reliquary::link::Channel;
use reliquary::trace::packed::ITEM_MAX;
use reliquary::units::{Instant, ns_for};
use reliquary::wire::Passed;
use spin::{Mutex, Once};

/// As many pieces as the longest frame has, and what tells of a loss.
const SEEN: usize = FRAME_MAX / PIECE + 2;

struct Tap {
    observer: Observer,
    stream: Stream,
}

static TAP: Once<Mutex<Tap>> = Once::new();

/// Makes the stream, once, when a wire is tapped.
pub fn open() {
    TAP.call_once(|| {
        let mut stream = Stream::new(Channel::Tap, counter::hz());
        // Each thing is told whole, so the stream may end behind any.
        stream.idle = true;
        Mutex::new(Tap {
            observer: Observer::new(Kinds::ALL, SEEN),
            stream,
        })
    });
}

/// Something entered a tapped wire at the end of this number: all wires' ends counted in a row.
pub fn saw(device: u16, passed: Passed<'_>) {
    let Some(tap) = TAP.get() else { return };
    let Tap { observer, stream } = &mut *tap.lock();
    let at = Instant(ns_for(counter::now(), counter::hz()));
    // What was lost before is told at its place.
    stream.pack(observer);
    let kind = match passed {
        Passed::Character(_) | Passed::Break => Kinds::BYTES,
        Passed::Frame(_) => Kinds::FRAMES,
        Passed::Level(_) => Kinds::OUTPUTS,
    };
    let room = stream.room() >= SEEN * ITEM_MAX;
    match passed {
        // A break has no record in a trace.
        _ if !room || passed == Passed::Break => observer.lose(kind, device, at),
        Passed::Character(byte) => observer.note_bytes(at, device, By::SerialOut, &[byte]),
        Passed::Frame(octets) => observer.note_bytes(at, device, By::FrameOut, octets),
        Passed::Level(level) => {
            let what = What::Output { line: 0, level };
            observer.note(kind, Seen { at, device, what });
        }
        Passed::Break => {}
    }
    stream.pack(observer);
}

/// Gives the link what it has room for. Whether there was anything.
pub fn pour() -> bool {
    TAP.get().is_some_and(|tap| tap.lock().stream.pour())
}

/// Gives the link all of it, and waits for that: a VM has ended.
pub fn pour_all() {
    if let Some(tap) = TAP.get() {
        tap.lock().stream.pour_all();
    }
}
