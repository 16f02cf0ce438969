//! A vCPU's seat on a core, and its VM behind a lock.

use super::account::Time;
use super::calls;
use super::channels::Awaits;
use super::context::Context;
use super::{Guest, Tally};
use crate::arch::core_area::Saved;
use crate::arch::registers::msr;
use crate::arch::{counter, gic};
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use reliquary::sched::Wants;
use reliquary::units::{Instant, ticks_in};
use reliquary::vm::el2_controls::hcr;

/// A VM, and who of its cores has it.
pub struct GuestCell {
    guest: UnsafeCell<Guest>,
    held: AtomicBool,
    /// Whether vCPUs of it are on several cores; if not, nobody waits and nothing is counted.
    shared: bool,
    single: bool,
    /// Synchronous exits, if it has one vCPU: here, where the way of the most frequent ones has the
    /// address at hand.
    pub traps: AtomicU64,
}

// SAFETY: a guest is reached by its own cores only, and by one of them at a time: see `hold`.
unsafe impl Sync for GuestCell {}

impl GuestCell {
    /// A VM whose vCPUs are on one core or on several (`shared`).
    pub fn new(guest: Guest, shared: bool) -> Self {
        Self {
            single: guest.entries.len() == 1,
            guest: UnsafeCell::new(guest),
            held: AtomicBool::new(false),
            shared,
            traps: AtomicU64::new(0),
        }
    }

    /// The VM, until what this gives is dropped. Waits for another core of it that is in an exit,
    /// which is bounded as exits are.
    ///
    /// # Safety
    ///
    /// The caller's core has a seat of this VM, or has not started the others yet, and does not hold
    /// the VM already.
    #[inline]
    pub unsafe fn hold(&self) -> Held<'_> {
        if self.shared {
            while self.held.swap(true, Ordering::Acquire) {
                core::hint::spin_loop();
            }
        }
        Held { cell: self }
    }

    /// Whether it has one vCPU.
    pub const fn is_single(&self) -> bool {
        self.single
    }

    /// The VM, which has one vCPU.
    ///
    /// # Safety
    ///
    /// As of [`hold`](GuestCell::hold), and it is [single](GuestCell::is_single).
    #[allow(clippy::mut_from_ref)] // the lock that there need not be
    #[inline]
    pub unsafe fn alone(&self) -> &mut Guest {
        // SAFETY: its one core is the caller's, by the contract.
        unsafe { &mut *self.guest.get() }
    }

    /// Takes the VM from a core that failed while it held it, which is the caller's.
    pub fn break_hold(&self) {
        self.held.store(false, Ordering::Release);
    }
}

/// A VM in the hands of one of its cores.
pub struct Held<'a> {
    cell: &'a GuestCell,
}

impl Deref for Held<'_> {
    type Target = Guest;

    #[inline]
    fn deref(&self) -> &Guest {
        // SAFETY: this core alone has it, by `hold`.
        unsafe { &*self.cell.guest.get() }
    }
}

impl DerefMut for Held<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Guest {
        // SAFETY: this core alone has it, by `hold`.
        unsafe { &mut *self.cell.guest.get() }
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.cell.shared {
            self.cell.held.store(false, Ordering::Release);
        }
    }
}

/// What a vCPU is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Switched off, or never switched on.
    Off,
    /// To run.
    Ready,
    /// In a WFI, until an interrupt comes.
    Waiting,
    /// Held still, with all of its VM; it was waiting, or not.
    Parked,
}

/// What a vCPU was at when it was parked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parked {
    /// It was waiting.
    pub waited: bool,
    /// CNTV_CTL.
    pub timer_control: u64,
}

/// A vCPU on its core.
pub struct Seat {
    /// Its VM.
    pub guest: &'static GuestCell,
    /// What its VM tells of itself.
    pub tally: &'static Tally,
    /// How long it had its core.
    pub time: &'static Time,
    /// The number of its VM in the system.
    pub vm: usize,
    /// Its number on its board.
    pub cpu: u8,
    /// What it is doing.
    pub state: State,
    /// The life of its board that it belongs to: each reset begins another.
    pub life: u32,
    /// What the next entry has in HCR_EL2.
    pub hcr: u64,
    /// The virtual timer's host interrupt is active: the guest has not dealt with it yet.
    pub timer_forwarded: bool,
    /// The deadline for which the hypervisor's timer is armed.
    pub armed: Option<Instant>,
    /// When this core flushes the link, on the host's counter, if it owes that.
    pub flush_at: Option<u64>,
    /// Whether its core has others.
    pub shares: bool,
    /// When the core is to be given to another at the latest, on the host's counter.
    pub until: u64,
    /// While it waits: when its own timer fires or its call's time is over, on the host's counter.
    pub wakes: u64,
    /// While it waits in a call of the hypervisor's: what for.
    pub awaits: Option<Awaits>,
    /// While it waits: the board's deadline, likewise, if it [watches](calls::watches) that.
    pub wakes_board: u64,
    /// While it waits: when it was to be looked after, though an interrupt has come since.
    pub due: u64,
    /// It was to run, or waits in a call, and left the core with all of its VM up to date.
    pub fresh: bool,
    /// Since when it waits.
    pub waits_since: u64,
    /// While it is parked: what it was at.
    pub parked: Parked,
    /// What the registers held when it left the core.
    pub context: Context,
    /// Where its general registers are saved.
    pub registers: NonNull<Saved>,
}

impl Seat {
    /// A vCPU that is off.
    pub fn new(guest: &'static GuestCell, tally: &'static Tally, vm: usize, cpu: u8) -> Self {
        Self {
            guest,
            tally,
            time: tally.time_of(cpu),
            vm,
            cpu,
            state: State::Off,
            life: 0,
            hcr: 0,
            timer_forwarded: false,
            armed: None,
            flush_at: None,
            shares: false,
            until: u64::MAX,
            wakes: u64::MAX,
            awaits: None,
            wakes_board: u64::MAX,
            due: u64::MAX,
            fresh: false,
            waits_since: 0,
            parked: Parked::default(),
            context: Context::new(),
            registers: Saved::place(),
        }
    }

    /// Whether its guest began in AArch32: it is in no other state then, at EL1.
    #[inline]
    pub const fn is_aarch32(&self) -> bool {
        self.hcr & hcr::RW == 0
    }

    /// Its timer is quiet from now on.
    pub fn quiet(&mut self) {
        msr!("cntv_ctl_el0", 0);
        if core::mem::take(&mut self.timer_forwarded) {
            gic::deactivate(counter::VIRTUAL_TIMER);
        }
    }

    /// While it waits: when it is to be looked after.
    pub fn wakes_at(&self) -> u64 {
        if self.wakes_board < self.wakes && calls::watches(self.vm, self.cpu) {
            self.wakes_board
        } else {
            self.wakes
        }
    }

    /// It has its core's attention now: was a timer of it, or of its board, due before? `began` is
    /// the host's counter at the board's time 0. Of a vCPU that was to run, its registers are not in
    /// the core yet.
    pub fn comes(&mut self, began: u64) {
        let due = if self.state == State::Ready {
            let board = self.armed.map(|at| ticks_in(at.0, counter::hz()));
            let first = board.into_iter().chain(self.context.timer_fires()).min();
            first.map_or(u64::MAX, |at| at.saturating_add(began))
        } else {
            core::mem::replace(&mut self.due, u64::MAX)
        };
        if let Some(late) = counter::now().checked_sub(due) {
            self.tally.comes_late(late);
        }
    }

    /// What it wants of the scheduler.
    pub fn wants(&self) -> Wants {
        match self.state {
            State::Ready => Wants::Run,
            _ if calls::is_called(self.vm, self.cpu) => Wants::Run,
            State::Waiting => match self.wakes_at() {
                u64::MAX => Wants::Nothing,
                at => Wants::RunAt(at),
            },
            State::Off | State::Parked => Wants::Nothing,
        }
    }
}
