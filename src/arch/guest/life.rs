//! The life of a VM: it is reset, paused, stopped and started again, by its own means, by the monitor or
//! after a crash, and no other VM is concerned.
//!
//! What is to be done to a VM as a whole waits until all of its vCPUs that are on are still: each
//! parks at its next exit, for which it is called, and the last one does it. Nobody spins.

use super::account::Thousandths;
use super::loading::Loading;
use super::seat::Parked;
use super::{After, Guest, Seat, State, calls};
use crate::arch::registers::{mrs, msr};
use crate::arch::{barrier_isb, console, counter};
use core::sync::atomic::{AtomicU32, Ordering};
use reliquary::bundle::Restart;
use reliquary::monitor;
use reliquary::units::{ns_for, ticks_in};
use reliquary::vm::el2_controls::hcr;
use reliquary::vm::{Core as _, Vcpu};

/// Where a VM is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It runs.
    Running,
    /// It is reset, and its memory is being loaded.
    Loading(Loading),
    /// It stands still, since this tick of the host's counter.
    Paused(u64),
    /// The monitor stopped it, and may start it: the machine stays on for that.
    Stopped,
    /// It switched itself off.
    Off,
    /// It is off, because it could not go on.
    Crashed,
    /// The hypervisor failed in it: it is off, and its objects are not to be used again.
    Broken,
    /// They are to be built anew.
    Rebuilding,
}

/// What is to be done to a VM once it is still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Reset the board.
    Reset,
    /// Stand still.
    Pause,
    /// Switch it off, as the monitor says.
    Stop,
    /// Switch it off, as the guest says.
    PowerOff,
    /// It cannot go on, and its report is told.
    Crash,
}

/// VMs that have not ended, so that the machine knows when it is done.
static ALIVE: AtomicU32 = AtomicU32::new(0);

/// Counts a VM in, before its cores start.
pub fn will_run() {
    ALIVE.fetch_add(1, Ordering::Relaxed);
}

/// Counts a VM out. The last one to go switches the host off.
pub fn is_gone() {
    if ALIVE.fetch_sub(1, Ordering::AcqRel) == 1 {
        log::info!("no VM is left");
        console::flush();
        crate::system::all_done();
    }
}

/// The latest crashes of a VM, for its restart policy.
#[derive(Default)]
pub struct Crashes {
    at: [u64; Restart::TIMES_MAX as usize],
    count: u32,
}

impl Crashes {
    /// Notes a crash, and tells whether the VM is to be restarted: it has been at most `times` times
    /// within `ticks`.
    fn allow(&mut self, now: u64, times: u8, ticks: u64) -> bool {
        let times = usize::from(times).min(self.at.len());
        if times == 0 {
            return false;
        }
        let oldest = &mut self.at[self.count as usize % times];
        let allowed = (self.count as usize) < times || now - *oldest > ticks;
        if allowed {
            *oldest = now;
            self.count += 1;
        }
        allowed
    }
}

impl Guest {
    /// Something is to be done to the whole VM, as soon as it is still.
    pub(super) fn want(&mut self, wish: Wish, seat: &mut Seat, vcpu: &mut Vcpu) -> After {
        if matches!(wish, Wish::Reset | Wish::Crash) {
            let hz = self.hardware.hz();
            let due = seat
                .armed
                .map(|at| ticks_in(at.0, hz).saturating_add(self.began));
            self.resets.asked(due);
        }
        self.wish = Some(wish);
        self.call_online();
        self.hold_still(seat, vcpu).unwrap_or(After::Choose)
    }

    /// Parks the vCPU if something is to be done to its VM, does it if it is the last one, and wakes
    /// it afterwards. What the core does, if the vCPU is not to run.
    pub(super) fn hold_still(&mut self, seat: &mut Seat, _vcpu: &mut Vcpu) -> Option<After> {
        if let Some(wish) = self.wish {
            if matches!(seat.state, State::Ready | State::Waiting) && seat.life == self.life {
                seat.park();
            }
            // It may be parked still of a pause that has just ended.
            if seat.state == State::Parked && seat.life == self.life {
                self.parked |= 1 << seat.cpu;
            }
            if self.parked & self.online == self.online {
                self.wish = None;
                self.perform(wish);
            }
        }
        if seat.state != State::Off && seat.life != self.life {
            seat.quiet();
            (seat.state, seat.awaits) = (State::Off, None);
            self.is_still(seat.cpu);
        }
        if self.phase != Phase::Running || self.wish.is_some() {
            return Some(After::Choose);
        }
        if seat.state == State::Parked {
            seat.unpark();
            self.load_controls(seat);
            barrier_isb();
        }
        None
    }

    fn perform(&mut self, wish: Wish) {
        match wish {
            Wish::Reset => self.reset_board(),
            Wish::Pause => {
                log::info!("vm.{}: paused", self.vm.name());
                self.phase = Phase::Paused(counter::now());
            }
            Wish::Stop => {
                self.end(Phase::Stopped, "stopped by the monitor");
                if core::mem::take(&mut self.start_again) {
                    self.start();
                }
            }
            Wish::PowerOff => self.end(Phase::Off, "the guest switched its board off"),
            Wish::Crash => self.after_crash(),
        }
        self.publish();
    }

    /// Tells others its state.
    pub(super) fn publish(&self) {
        let (state, since) = match self.phase {
            Phase::Running | Phase::Loading(_) | Phase::Rebuilding => (monitor::State::Running, 0),
            Phase::Paused(since) => (monitor::State::Paused, since),
            Phase::Stopped => (monitor::State::Stopped, 0),
            Phase::Off => (monitor::State::Off, 0),
            Phase::Crashed => (monitor::State::Crashed, 0),
            Phase::Broken => (monitor::State::Broken, 0),
        };
        self.tally.publish(state, self.began, since);
    }

    pub(super) fn go_on(&mut self) {
        (self.phase, self.parked) = (Phase::Running, 0);
        self.call_all();
    }

    /// Those too that are still to begin, or off.
    pub(super) fn call_all(&self) {
        (0..self.entries.len()).for_each(|cpu| {
            calls::call(self.number, cpu as u8);
        });
    }

    pub(super) fn call_online(&self) {
        for cpu in (0..32).filter(|cpu| self.online & 1 << cpu != 0) {
            calls::call(self.number, cpu);
        }
    }

    /// The VM cannot go on: it is restarted, or stays down.
    fn after_crash(&mut self) {
        if self.may_restart() {
            self.reset_board();
        } else {
            let why = if self.restart.times == 0 {
                "stopped; its report is above"
            } else {
                "stopped, and not restarted again; its report is above"
            };
            self.end(Phase::Crashed, why);
        }
    }

    /// Whether its policy has it restarted, which is told then.
    pub(super) fn may_restart(&mut self) -> bool {
        let now = counter::now();
        let Restart { times, within_ms } = self.restart;
        let within = u64::from(within_ms).saturating_mul(counter::hz() / 1000);
        let allowed = self.crashes.allow(now, times, within);
        if allowed {
            log::warn!(
                "vm.{}: restarted after a crash ({} since the start; at most {times} in {within_ms} ms)",
                self.vm.name(),
                self.crashes.count,
            );
        }
        allowed
    }

    /// The board as after its power switch; its memory is as the bundle has it.
    pub(super) fn begin_anew(&mut self) {
        self.began = counter::now();
        msr!("cntvoff_el2", self.began);
        barrier_isb();
        self.vm.reset(&self.hardware);
        self.wires.connect(true);
        self.connect_channels(true);
        let windows = self.vm.board().plan().windows.len();
        (0..windows).for_each(|window| self.reset_direct_reads(window));
        self.phase = Phase::Running;
        self.publish();
        self.starts.clone_from_slice(&self.entries);
        self.call_all();
    }

    pub(super) fn connect_channels(&mut self, live: bool) {
        if let Some(channels) = &mut self.channels {
            channels.connect(self.number, live);
        }
    }

    pub(super) fn end(&mut self, phase: Phase, why: &str) {
        console::drain_all(self);
        if let Some(recorder) = &mut self.recorder {
            recorder.end(self.vm.board());
        }
        let hz = counter::hz().max(1);
        let up = (counter::now() - self.account.started).max(1);
        let (traps, interrupts) = self.account.counts(self.tally);
        let seconds = |ticks: u64| Thousandths(ticks / hz * 1000 + ticks % hz * 1000 / hz);
        log::info!(
            "vm.{}: {why} (up {} s, {} traps, {} interrupts)",
            self.vm.name(),
            seconds(up),
            traps,
            interrupts,
        );
        let (silence, idle) = self.account.silence;
        log::info!(
            "vm.{}: its console's longest silence {} s",
            self.vm.name(),
            seconds(silence)
        );
        if self.controls.hcr & hcr::TWI != 0 {
            log::info!(
                "vm.{}: idle {} s in all, {} s of that silence",
                self.vm.name(),
                seconds(self.account.idle),
                seconds(idle)
            );
        }
        if self.resets.count > 0 {
            log::info!(
                "vm.{}: began anew {} times, at most {} ns after the cause, and {} us for its memory",
                self.vm.name(),
                self.resets.count,
                ns_for(self.resets.longest, hz),
                ns_for(self.resets.longest_loading, hz) / 1000,
            );
        }
        self.wires.account(self.vm.name());
        self.wires.connect(false);
        self.connect_channels(false);
        self.phase = phase;
        self.life += 1;
        (self.online, self.parked) = (0, 0);
        self.resets.forget();
        self.starts.fill(None);
        self.call_all();
        if phase != Phase::Stopped {
            is_gone();
        }
    }
}

impl Seat {
    /// Stands still: so does its timer.
    fn park(&mut self) {
        self.parked = Parked {
            waited: self.state == State::Waiting,
            timer_control: mrs!("cntv_ctl_el0"),
        };
        self.state = State::Parked;
        msr!("cntv_ctl_el0", 0);
    }

    fn unpark(&mut self) {
        self.state = if self.parked.waited {
            State::Waiting
        } else {
            State::Ready
        };
        self.armed = None;
        msr!("cntv_ctl_el0", self.parked.timer_control);
    }
}
