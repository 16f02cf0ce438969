//! The host's interrupts while a VM has the core: forwarded to its board, or served.

use super::{CPU, Guest};
use crate::arch::mailbox::{self, Mail};
use crate::arch::registers::mrs;
use crate::arch::{console, counter, gic};
use reliquary::board::World;
use reliquary::units::{Instant, ticks_in};
use reliquary::vm::{Core as _, Next};

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

    /// Sets the hypervisor's timer for the board's deadline, or for the link's if that is first.
    pub(super) fn arm(&mut self, deadline: Option<Instant>, flush: Option<u64>) {
        let now = counter::now();
        self.armed = deadline;
        self.flush_at = flush.map(|ticks| self.flush_at.unwrap_or(now + ticks));
        let board = deadline.map(|at| {
            let ticks = ticks_in(at.0, self.hardware.hz()).saturating_add(1);
            ticks.saturating_add(mrs!("cntvoff_el2"))
        });
        match board.into_iter().chain(self.flush_at).min() {
            None => counter::disarm(),
            Some(at) => counter::arm(at),
        }
    }

    /// Interrupts that are pending for this core, all of them.
    pub(super) fn take_interrupts(&mut self) -> Next {
        self.account.interrupts += 1;
        self.resample_forwarded();
        let mut fired = false;
        loop {
            let id = gic::acknowledge();
            if id >= gic::SPURIOUS {
                break;
            }
            gic::end(id);
            match id {
                counter::VIRTUAL_TIMER => {
                    self.timer_forwarded = true;
                    self.vm.virtual_timer(CPU, &mut self.hardware, true);
                    continue; // stays active until the guest has dealt with it
                }
                counter::HYPERVISOR_TIMER => {
                    fired = true;
                    counter::disarm();
                    if self.flush_at.is_some_and(|at| counter::now() >= at) {
                        self.flush_at = None;
                        if let Some(recorder) = &mut self.recorder {
                            recorder.settle(self.vm.board());
                        }
                        console::flush_some();
                    }
                }
                gic::WAKE => {}
                other => {
                    if let Some(index) = self.forwarded.iter().position(|f| f.0 == other) {
                        self.forwarded[index].1 = true;
                        self.host_interrupt(index, true);
                        continue;
                    }
                    super::serve_or_disable(other);
                }
            }
            gic::deactivate(id);
        }
        let next = self.vm.catch_up(CPU, &mut self.hardware);
        if mailbox::is_full(self.number) {
            self.take_mail();
        }
        if fired {
            self.arm(self.vm.deadline(), console::flush_due(self.hardware.hz()));
        }
        self.before_entry();
        next
    }

    /// What others ask of this VM.
    fn take_mail(&mut self) {
        let mail = mailbox::take(self.number);
        if mail.has(Mail::INPUT) {
            self.receive();
        }
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
