//! What others ask of a VM: a word of bits for each, taken by the VM's own core.
//!
//! A VM's objects belong to the cores that run it. A wire, a channel, the monitor and the link
//! leave what they have in a queue of their own, set a bit here, and wake the core; nobody waits.

use super::guest::calls;
use core::ops::{BitOr, BitOrAssign, Not};
use core::sync::atomic::{AtomicU32, Ordering};
use reliquary::bundle::VM_LIMIT;

/// What is asked: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mail(u32);

#[allow(dead_code)] // the whole set, whoever posts it today
impl Mail {
    /// Bytes were typed for the console.
    pub const INPUT: Self = Self(1 << 0);
    /// A wire has something.
    pub const WIRES: Self = Self(1 << 1);
    /// A channel has something.
    pub const CHANNELS: Self = Self(1 << 2);
    /// Stop, until it is started.
    pub const STOP: Self = Self(1 << 3);
    /// Start from reset, if it is stopped.
    pub const START: Self = Self(1 << 4);
    /// Pause: time stands still too.
    pub const PAUSE: Self = Self(1 << 5);
    /// Go on after a pause.
    pub const RESUME: Self = Self(1 << 6);
    /// Reset the board, as its power switch does.
    pub const RESET: Self = Self(1 << 7);
    /// Tell the registers.
    pub const REGS: Self = Self(1 << 8);
    /// Record the devices' accesses from now on.
    pub const TRACE_ON: Self = Self(1 << 9);
    /// Record them no more.
    pub const TRACE_OFF: Self = Self(1 << 10);

    /// All that the monitor orders.
    pub const ORDERS: Self = Self(0xff << 3);

    /// Whether there is none at all.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether there is this, or any of these.
    pub const fn has(self, what: Self) -> bool {
        self.0 & what.0 != 0
    }
}

impl Not for Mail {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl BitOr for Mail {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Mail {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

static BOXES: [AtomicU32; VM_LIMIT] = [const { AtomicU32::new(0) }; VM_LIMIT];

/// Asks `what` of a VM, and wakes its core.
pub fn post(vm: usize, what: Mail) {
    if let Some(word) = BOXES.get(vm) {
        // What was put into a queue before is seen by who takes this.
        word.fetch_or(what.0, Ordering::Release);
        calls::wake(vm);
    }
}

/// The same, and what was asked before of `instead`, if it has not been taken, is not asked any more.
pub fn post_instead(vm: usize, what: Mail, instead: Mail) {
    if let Some(word) = BOXES.get(vm) {
        word.fetch_and((!instead).0, Ordering::Relaxed);
    }
    post(vm, what);
}

/// Asks `what` of a VM. Whether its core is this one, which is not interrupted.
pub fn post_near(vm: usize, what: Mail) -> bool {
    BOXES.get(vm).is_some_and(|word| {
        word.fetch_or(what.0, Ordering::Release);
        calls::wake_other(vm)
    })
}

/// Whether something is asked of a VM.
pub fn is_full(vm: usize) -> bool {
    BOXES
        .get(vm)
        .is_some_and(|word| word.load(Ordering::Relaxed) != 0)
}

/// Takes this, if it is asked of a VM and nothing else is. Whether so.
pub fn take_only(vm: usize, what: Mail) -> bool {
    BOXES.get(vm).is_some_and(|word| {
        let taken = word.compare_exchange(what.0, 0, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
    })
}

/// Takes all that is asked of a VM.
pub fn take(vm: usize) -> Mail {
    Mail(
        BOXES
            .get(vm)
            .map_or(0, |word| word.swap(0, Ordering::Acquire)),
    )
}
