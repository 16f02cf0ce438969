//! What the monitor orders of a VM, carried out by its own cores, which tell what came of it.

use super::life::{self, Phase, Wish};
use super::{Guest, Seat, State};
use crate::arch::mailbox::Mail;
use crate::arch::recorder::Recorder;
use crate::arch::{console, counter};
use reliquary::vm::Vcpu;

impl Phase {
    const fn in_words(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Loading(_) => "being reset",
            Self::Paused(_) => "paused",
            Self::Stopped => "stopped",
            Self::Off => "off",
            Self::Crashed => "crashed",
            Self::Broken => "broken: the hypervisor failed in it; `start` builds it anew",
            Self::Rebuilding => "being built anew",
        }
    }

    const fn is_on(self) -> bool {
        matches!(self, Self::Running | Self::Loading(_) | Self::Paused(_))
    }
}

impl Guest {
    /// Does what the VM's mail orders. Orders that came together were given in this sequence, or
    /// come to the same in it: one that undoes another has taken its place (`monitor::order`).
    pub(super) fn obey(&mut self, mail: Mail, seat: &mut Seat, vcpu: &mut Vcpu) {
        if !mail.has(Mail::ORDERS) {
            return;
        }
        if mail.has(Mail::RESUME) {
            self.resume();
        }
        if mail.has(Mail::STOP) {
            if self.phase.is_on() {
                self.start_again = false;
                self.want(Wish::Stop, seat, vcpu);
            } else {
                self.refuse("stopped");
            }
        }
        if mail.has(Mail::START) {
            if self.phase.is_on() && self.wish == Some(Wish::Stop) {
                self.start_again = true;
            } else if self.phase == Phase::Broken {
                self.start_broken();
            } else if self.phase.is_on() || self.phase == Phase::Rebuilding {
                self.refuse("started");
            } else {
                self.start();
            }
        }
        if mail.has(Mail::RESET) {
            if self.phase.is_on() && self.wish != Some(Wish::Stop) {
                log::info!("vm.{}: reset by the monitor", self.vm.name());
                self.want(Wish::Reset, seat, vcpu);
            } else {
                self.refuse("reset");
            }
        }
        if mail.has(Mail::PAUSE) {
            if self.phase == Phase::Running && self.wish.is_none() {
                self.want(Wish::Pause, seat, vcpu);
            } else {
                self.refuse("paused");
            }
        }
        if mail.has(Mail::REGS) {
            self.tells = !(u32::MAX << self.entries.len());
            self.call_all();
        }
        if mail.has(Mail::TRACE_ON | Mail::TRACE_OFF) {
            self.record_on(mail.has(Mail::TRACE_ON));
        }
        self.publish();
    }

    fn refuse(&self, what: &str) {
        log::warn!(
            "vm.{}: not {what}: it is {}",
            self.vm.name(),
            self.phase.in_words()
        );
    }

    fn resume(&mut self) {
        match self.phase {
            Phase::Paused(since) => self.began += counter::now() - since,
            // Not all of it is still yet.
            Phase::Running if self.wish == Some(Wish::Pause) => self.wish = None,
            _ => return self.refuse("resumed"),
        }
        log::info!("vm.{}: resumed", self.vm.name());
        self.go_on();
    }

    /// Starts it from reset; it is off.
    pub(super) fn start(&mut self) {
        log::info!("vm.{}: started by the monitor", self.vm.name());
        if self.phase != Phase::Stopped {
            life::will_run();
        }
        self.reset_board();
    }

    fn record_on(&mut self, on: bool) {
        let name = self.vm.name();
        if self.recorder.is_none() {
            log::warn!("vm.{name}: it has no recorder: run the system with --record");
            return;
        }
        let what = if on { "goes on" } else { "pauses" };
        log::info!("vm.{name}: its trace {what}");
        Recorder::pause(self.vm.board(), !on);
    }

    /// A vCPU tells its registers, if it was asked.
    #[inline(never)]
    pub(super) fn tell_registers(&mut self, seat: &Seat, vcpu: &Vcpu) {
        let own = 1 << seat.cpu;
        if self.tells & own == 0 {
            return;
        }
        self.tells &= !own;
        let cpu = seat.cpu;
        if seat.state == State::Off || seat.life != self.life {
            let name = self.vm.name();
            console::answer(|out| writeln!(out, "VM {name}\n  vCPU {cpu} is off"));
            return;
        }
        let registers = self.vm.registers(cpu, vcpu, &mut self.hardware);
        let name = self.vm.name();
        console::answer(|out| write!(out, "VM {name}\n{registers}"));
    }
}
