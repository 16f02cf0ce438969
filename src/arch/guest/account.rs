//! What a VM did with its core: told when it ends, and at any time to the monitor.

use crate::arch::counter;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use reliquary::monitor::{Cause, Figures, State};
use spin::Once;

/// Exception classes (ESR_EL2.EC).
const CLASSES: usize = 64;

/// What of a VM other cores may look at, at any time: its state, and counts that never go back.
/// The VM's own cores write it, one at a time, but for the time of each vCPU, which its own core does.
pub struct Tally {
    /// Synchronous exits, of a VM with one vCPU ([`GuestCell::traps`](super::GuestCell)).
    all: Once<&'static AtomicU64>,
    /// Those by their class that were not answered at once; all that were are data aborts.
    exits: [AtomicU64; CLASSES],
    /// Exits for a physical interrupt.
    irqs: AtomicU64,
    /// Interrupts taken to EL2, those while it waited too.
    interrupts: AtomicU64,
    /// How long each vCPU had its core.
    time: Box<[Time]>,
    /// Whether another may have its core.
    shares: AtomicBool,
    /// Timers for which the core came late.
    late: AtomicU64,
    /// The latest since the monitor asked last, in ticks.
    worst: AtomicU64,
    state: AtomicU8,
    /// The host's counter at the board's time 0.
    began: AtomicU64,
    /// The host's counter when it was paused.
    paused: AtomicU64,
}

/// The ticks for which a vCPU had its core. While it has it, the host's counter when it got it is taken
/// off, which makes the number negative: one word, so that a reader always has both.
pub struct Time(AtomicI64);

impl Time {
    /// It has the core from now on.
    #[inline]
    pub fn begins(&self) {
        let (so_far, now) = (self.0.load(Ordering::Relaxed), counter::now());
        self.0.store(so_far - now.cast_signed(), Ordering::Relaxed);
    }

    /// It has it no longer, if it had it.
    #[inline]
    pub fn ends(&self) {
        let (so_far, now) = (self.0.load(Ordering::Relaxed), counter::now());
        if so_far < 0 {
            self.0.store(so_far + now.cast_signed(), Ordering::Relaxed);
        }
    }

    /// So far.
    fn ticks(&self) -> u64 {
        let so_far = self.0.load(Ordering::Relaxed);
        let now = if so_far < 0 { counter::now() } else { 0 };
        (so_far + now.cast_signed()).cast_unsigned()
    }
}

/// One writer at a time: no exclusive access is needed.
#[inline]
fn add(to: &AtomicU64, more: u64) {
    to.store(
        to.load(Ordering::Relaxed).wrapping_add(more),
        Ordering::Relaxed,
    );
}

impl Tally {
    /// Of a VM with so many vCPUs.
    pub fn new(vcpus: usize) -> Self {
        let time: Vec<_> = (0..vcpus).map(|_| Time(AtomicI64::new(0))).collect();
        Self {
            all: Once::new(),
            exits: [const { AtomicU64::new(0) }; CLASSES],
            irqs: AtomicU64::new(0),
            interrupts: AtomicU64::new(0),
            time: time.into_boxed_slice(),
            shares: AtomicBool::new(false),
            late: AtomicU64::new(0),
            worst: AtomicU64::new(0),
            state: AtomicU8::new(State::Running as u8),
            began: AtomicU64::new(counter::now()),
            paused: AtomicU64::new(0),
        }
    }

    /// Where all synchronous exits are counted, if it has one vCPU.
    pub fn counts_in(&self, all: &'static AtomicU64) {
        self.all.call_once(|| all);
    }

    /// A core of its has others to serve.
    pub fn shares(&self) {
        self.shares.store(true, Ordering::Relaxed);
    }

    /// A synchronous exit that is not answered at once.
    #[inline]
    pub fn exit(&self, esr: u64) {
        add(&self.exits[esr as usize >> 26 & (CLASSES - 1)], 1);
    }

    /// An exit for a physical interrupt.
    #[inline]
    pub fn irq(&self) {
        add(&self.irqs, 1);
    }

    /// Interrupts are taken.
    pub fn interrupt(&self) {
        add(&self.interrupts, 1);
    }

    /// The time of a vCPU of it.
    pub fn time_of(&'static self, cpu: u8) -> &'static Time {
        static NONE: Time = Time(AtomicI64::new(0));
        self.time.get(usize::from(cpu)).unwrap_or(&NONE)
    }

    /// The core comes to a vCPU so many ticks after a timer of it, or of its board, was due.
    pub fn comes_late(&self, ticks: u64) {
        if ticks > counter::hz() / 1000 {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
        self.worst.fetch_max(ticks, Ordering::Relaxed);
    }

    /// Tells others the VM's state, and since when its board's time runs.
    pub fn publish(&self, state: State, began: u64, paused: u64) {
        self.began.store(began, Ordering::Relaxed);
        self.paused.store(paused, Ordering::Relaxed);
        self.state.store(state as u8, Ordering::Release);
    }

    /// The VM's state, and if it is on, for how many ticks.
    pub fn state(&self) -> (State, Option<u64>) {
        let state = State::from_number(self.state.load(Ordering::Acquire));
        let now = match state {
            State::Running => Some(counter::now()),
            State::Paused => Some(self.paused.load(Ordering::Relaxed)),
            _ => None,
        };
        let began = self.began.load(Ordering::Relaxed);
        (state, now.map(|now| now.saturating_sub(began)))
    }

    /// Synchronous exits, of all classes.
    pub fn traps(&self) -> u64 {
        let all = self.all.get().map_or(0, |all| all.load(Ordering::Relaxed));
        let exits = self.exits.iter().map(|exits| exits.load(Ordering::Relaxed));
        exits.fold(0, u64::wrapping_add).max(all)
    }

    /// Interrupts taken to EL2.
    pub fn interrupts(&self) -> u64 {
        self.interrupts.load(Ordering::Relaxed)
    }

    /// All of it. The latest timer counts from now on anew.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        let mut at_once = self.traps();
        for (class, exits) in self.exits.iter().enumerate() {
            let exits = exits.load(Ordering::Relaxed);
            at_once = at_once.saturating_sub(exits);
            figures.count(Cause::of_class(class as u8), exits);
        }
        figures.count(Cause::DataAbort, at_once);
        figures.count(Cause::Irq, self.irqs.load(Ordering::Relaxed));
        figures.core = self.time.iter().map(Time::ticks).fold(0, u64::wrapping_add);
        let shares = self.shares.load(Ordering::Relaxed);
        figures.late = shares.then(|| self.late.load(Ordering::Relaxed));
        figures.worst = self.worst.swap(0, Ordering::Relaxed);
        figures
    }
}

/// What a VM did since its start, in counter ticks.
#[derive(Default)]
pub struct Account {
    /// Host counter when it started.
    pub started: u64,
    /// Spent in WFI.
    pub idle: u64,
    /// Synchronous exits, and interrupts taken to EL2, of the lives before.
    before: (u64, u64),
    /// When the console last carried a byte, and `idle` then.
    spoke: Option<(u64, u64)>,
    /// The longest time between two bytes of the console, and what of it was spent in WFI.
    pub silence: (u64, u64),
}

impl Account {
    /// A VM starts now.
    pub fn begin(tally: &Tally) -> Self {
        Self {
            started: counter::now(),
            before: (tally.traps(), tally.interrupts()),
            ..Self::default()
        }
    }

    /// Its synchronous exits and its interrupts.
    pub fn counts(&self, tally: &Tally) -> (u64, u64) {
        (
            tally.traps().wrapping_sub(self.before.0),
            tally.interrupts().wrapping_sub(self.before.1),
        )
    }

    /// The console carried a byte.
    pub fn speaks(&mut self) {
        let now = counter::now();
        if let Some((then, idle)) = self.spoke.replace((now, self.idle))
            && now - then > self.silence.0
        {
            self.silence = (now - then, self.idle - idle);
        }
    }
}

/// A number of thousandths, as a decimal.
pub struct Thousandths(pub u64);

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}
