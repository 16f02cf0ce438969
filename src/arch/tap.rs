//! What enters the wires that are tapped, on its way to the host tool: one stream for all of them, in
//! the order of the host's clock.
//!
//! No VM waits for the link but one that has ended.

use super::{console, counter, let_go as open_lock};
use reliquary::link::Channel;
use reliquary::units::{Instant, ns_for};
use reliquary::wire::Passed;
use reliquary::wire::tap::Tap;
use spin::{Mutex, Once};

/// Packed bytes on their way to the link.
const BYTES: usize = 1 << 20;

static TAP: Once<Mutex<Tap>> = Once::new();

/// Makes the stream, once, when a wire is tapped.
pub fn open() {
    TAP.call_once(|| Mutex::new(Tap::new(BYTES, counter::hz())));
}

/// Something entered a tapped wire: see [`Tap::saw`].
pub fn saw(end: u16, passed: Passed<'_>) {
    if let Some(tap) = TAP.get() {
        let mut tap = tap.lock();
        // Behind the lock: times do not run backwards.
        let now = Instant(ns_for(counter::now(), counter::hz()));
        tap.saw(now, end, passed);
    }
}

/// Gives the link what it has room for, unless another core does. Whether there was anything.
pub fn pour() -> bool {
    let Some(mut tap) = TAP.get().and_then(Mutex::try_lock) else {
        return false;
    };
    let bytes = tap.stream().bytes();
    let any = !bytes.is_empty();
    if any {
        console::record(Channel::Tap, bytes);
    }
    any
}

/// Gives the link all of it, and waits for that: a VM has ended.
pub fn pour_all() {
    if let Some(tap) = TAP.get() {
        let mut tap = tap.lock();
        // Behind all of it there is room for how much was lost.
        for _ in 0..2 {
            console::record_all(Channel::Tap, tap.stream().bytes());
        }
    }
}

/// This core failed, perhaps with the tap in its hands.
pub fn let_go() {
    if let Some(tap) = TAP.get() {
        open_lock(tap);
    }
}
