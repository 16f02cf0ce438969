//! The host's interrupts while a VM has the core: forwarded to its board, or served.

use super::life::Phase;
use super::{After, Guest, Seat, State, calls};
use crate::arch::mailbox::{self, Mail};
use crate::arch::registers::msr;
use crate::arch::{console, counter, gic, monitor};
use reliquary::board::{News, World};
use reliquary::units::{Instant, ticks_in};
use reliquary::vm::{Core as _, Next, Vcpu};

/// Which interrupts a core has taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    /// The hypervisor's timer was among them.
    pub timer: bool,
    /// One of the VM's own was.
    pub guests: bool,
}

impl Guest {
    /// The guest may have dealt with an interrupt that stays active on the host until its
    /// device lets go of the line: look, before the board answers anything.
    #[inline]
    pub(super) fn resample_forwarded(&mut self) {
        if !self.forwarded.is_empty() {
            self.resample_each();
        }
    }

    #[cold]
    fn resample_each(&mut self) {
        for index in 0..self.forwarded.len() {
            let (intid, active) = self.forwarded[index];
            if active && !gic::is_pending(intid) {
                self.forwarded[index].1 = false;
                self.host_interrupt(index, false);
                gic::deactivate(intid);
            }
        }
    }

    fn host_interrupt(&mut self, index: usize, level: bool) {
        let world = World {
            now: self.vm.now(&self.hardware),
            memory: &self.hardware.memory,
        };
        self.vm.board().host_interrupt(&world, index, level);
    }

    /// Interrupts of passed-through devices that came while another VM had the core.
    pub(super) fn take_late(&mut self) {
        let mut late = if self.forwarded.is_empty() {
            0
        } else {
            calls::late(self.number)
        };
        // At most 64 rounds: a bit each.
        while late != 0 {
            let index = late.trailing_zeros() as usize;
            late &= late - 1;
            if let Some(forwarded) = self.forwarded.get_mut(index) {
                forwarded.1 = true;
                self.host_interrupt(index, true);
            }
        }
    }

    /// Sets the hypervisor's timer for the board's deadline, or for the link's or the scheduler's if
    /// that is first.
    pub(super) fn arm(&self, seat: &mut Seat, deadline: Option<Instant>, flush: Option<u64>) {
        seat.armed = deadline;
        seat.flush_at = flush.map(|ticks| seat.flush_at.unwrap_or_else(|| counter::now() + ticks));
        let board = deadline.map_or(u64::MAX, |at| {
            let ticks = ticks_in(at.0, self.hardware.hz()).saturating_add(1);
            ticks.saturating_add(self.began)
        });
        match board.min(seat.until).min(seat.flush_at.unwrap_or(u64::MAX)) {
            u64::MAX => counter::disarm(),
            at => counter::arm(at),
        }
    }

    /// Takes the interrupts that are pending for this core, all of them.
    pub(super) fn acknowledge(&mut self, seat: &mut Seat) -> Taken {
        self.tally.interrupt();
        let mut taken = Taken::default();
        loop {
            let id = gic::acknowledge();
            if id >= gic::SPURIOUS {
                return taken;
            }
            gic::end(id);
            match id {
                counter::VIRTUAL_TIMER if seat.state == State::Off => msr!("cntv_ctl_el0", 0),
                counter::VIRTUAL_TIMER => {
                    seat.timer_forwarded = true;
                    seat.wakes = 0;
                    taken.guests = true;
                    self.vm.virtual_timer(seat.cpu, &mut self.hardware, true);
                    continue; // stays active until the guest has dealt with it
                }
                counter::HYPERVISOR_TIMER => {
                    taken.timer = true;
                    counter::disarm();
                    self.flush(seat);
                }
                gic::WAKE => {}
                other => {
                    if let Some(index) = self.forwarded.iter().position(|f| f.0 == other) {
                        self.forwarded[index].1 = true;
                        seat.wakes = 0;
                        taken.guests = true;
                        self.host_interrupt(index, true);
                        continue;
                    }
                    if calls::interrupt(other) {
                        continue;
                    }
                    super::serve::serve_or_disable(other);
                }
            }
            gic::deactivate(id);
        }
    }

    /// What the link waits with, if it is time.
    fn flush(&mut self, seat: &mut Seat) {
        if seat.flush_at.is_some_and(|at| counter::now() >= at) {
            seat.flush_at = None;
            if let Some(recorder) = &mut self.recorder {
                recorder.settle(self.vm.board());
            }
            console::flush_if_free();
        }
    }

    /// What an interrupt has brought while the guest ran.
    pub(super) fn take_interrupts(&mut self, seat: &mut Seat, vcpu: &mut Vcpu) -> After {
        self.resample_forwarded();
        let taken = self.acknowledge(seat);
        let called = calls::is_called(seat.vm, seat.cpu);
        if seat.shares && self.is_as_it_was_left() && !taken.guests && !called {
            seat.fresh = true;
            return After::Choose;
        }
        if called {
            let after = self.attend(seat, vcpu);
            if after == After::Choose {
                return after;
            }
        }
        let next = self.vm.catch_up(seat.cpu, &mut self.hardware);
        if taken.timer {
            self.arm(
                seat,
                self.vm.deadline(),
                console::flush_due(self.hardware.hz()),
            );
        }
        let after = match next {
            Next::Resume => self.before_going_on(seat),
            next => self.act(next, seat, vcpu),
        };
        // Others of this core may have been called, or their time has come; or the monitor's.
        if seat.shares || monitor::is_due() {
            After::Choose
        } else {
            after
        }
    }

    /// What others ask of this VM.
    pub(super) fn take_mail(&mut self, seat: &mut Seat, vcpu: &mut Vcpu) {
        if !mailbox::is_full(self.number) {
            return;
        }
        let mail = mailbox::take(self.number);
        if mail.has(Mail::INPUT) && self.online != 0 {
            if matches!(self.phase, Phase::Paused(_)) {
                // Its UART's time stands still.
                (self.typed_ahead, self.at_once) = (true, false);
                self.waiting |= News::CONSOLE;
            } else {
                self.receive();
            }
        }
        if mail.has(Mail::WIRES) {
            // The entry that follows serves them.
            self.waiting |= News::WIRES;
        }
        if mail.has(Mail::CHANNELS) {
            self.call_awaiting(seat.cpu);
            if seat.state == State::Off && self.level_channels() {
                self.call_online();
            }
        }
        self.obey(mail, seat, vcpu);
    }

    /// Bytes for this VM's console, as many as its UART takes now.
    pub(super) fn receive(&mut self) {
        let now = self.vm.now(&self.hardware);
        let world = World {
            now,
            memory: &self.hardware.memory,
        };
        let board = self.vm.board();
        let mut heard = false;
        self.typed_ahead = console::INPUT[self.number].drain(|byte| {
            heard = true;
            board.console_receive(&world, byte)
        });
        if heard {
            self.account.speaks();
        }
    }
}
