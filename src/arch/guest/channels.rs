//! The hypervisor's own calls while a VM has the core, and the vCPUs that wait in one.
//!
//! A vCPU that waits is as one in a WFI, and is looked after when its VM is told of something, at its
//! time, and at an interrupt that it lets through. What came is in its registers before the interrupt
//! that would have told of it.

use super::{After, Guest, Seat, State, calls};
use crate::arch::channels::Channels;
use crate::arch::counter;
use crate::arch::mailbox::{self, Mail};
use reliquary::board::World;
use reliquary::emul::Line;
use reliquary::units::ticks_in;
use reliquary::vm::hypercall::{self, Over, Served, Wait};
use reliquary::vm::{Core as _, Vcpu};

/// What a vCPU waits for, and until when on its own counter.
#[derive(Clone, Copy)]
pub struct Awaits {
    wait: Wait,
    until: u64,
}

impl Awaits {
    /// When its time is over, in ticks of the guest's counter.
    pub const fn until(&self) -> u64 {
        self.until
    }
}

impl Guest {
    /// Carries out a call of the VM's, which has channels.
    #[inline(never)]
    pub(super) fn hypercall(&mut self, seat: &mut Seat, vcpu: &mut Vcpu) -> After {
        let Some(channels) = self.channels else {
            return After::Enter;
        };
        let Served { tell, wait } = hypercall::serve(channels.exchange, self.number, vcpu);
        let mut after = After::Enter;
        if let Some(vm) = tell
            && mailbox::post_near(vm, Mail::CHANNELS)
        {
            after = After::Choose;
        }
        if let Some(wait) = wait {
            let own = self.begin_wait(channels, wait, seat, vcpu);
            return if own == After::Choose { own } else { after };
        }
        if self.level_channels() {
            if self.before_return(seat) == After::Choose {
                after = After::Choose;
            }
        } else {
            // Who has been told may take the core.
            seat.fresh = after == After::Choose && self.is_as_it_was_left();
        }
        after
    }

    /// The channels' interrupt line follows what is pending. Whether it has changed.
    #[inline]
    pub(super) fn level_channels(&mut self) -> bool {
        let Some(channels) = &mut self.channels else {
            return false;
        };
        let Some((device, input)) = channels.line else {
            return false;
        };
        let level = channels.exchange.pending(self.number) != 0;
        if level == channels.level {
            return false;
        }
        channels.level = level;
        let world = World {
            now: self.vm.now(&self.hardware),
            memory: &self.hardware.memory,
        };
        self.vm.board().input(&world, device, Line(input), level);
        true
    }

    #[inline(never)]
    fn begin_wait(
        &mut self,
        channels: Channels,
        wait: Wait,
        seat: &mut Seat,
        vcpu: &mut Vcpu,
    ) -> After {
        let ticks = ticks_in(wait.ns, self.hardware.hz());
        let until = self.hardware.ticks().saturating_add(ticks);
        seat.awaits = Some(Awaits { wait, until });
        // Said first, looked at then: who sends does it the other way round. Nothing was there a moment
        // ago, so that for an only vCPU it is enough to look whether anything is pending.
        channels.exchange.set_waiting(self.number, seat.cpu, true);
        self.idles(true);
        seat.waits_since = counter::now();
        let more = self.told.len() > 1 || channels.exchange.pending(self.number) != 0;
        if more && self.take_awaited(seat, vcpu) {
            self.idles(false);
            return self.before_return(seat);
        }
        let _ = self.before_going_on(seat);
        if self.wait_is_over(seat, vcpu) {
            self.idles(false);
            return After::Enter;
        }
        seat.state = State::Waiting;
        self.note_wakes(seat);
        seat.fresh = self.is_as_it_was_left();
        After::Choose
    }

    /// Hands what has come to a vCPU that waits in a call, if its VM was told of that and of nothing else,
    /// and no time has come: then there is nothing more to look after. Whether it can be entered.
    #[inline]
    pub(super) fn is_handed(&mut self, seat: &mut Seat, vcpu: &mut Vcpu) -> bool {
        if seat.awaits.is_none()
            || seat.wakes.min(seat.wakes_board) <= counter::now()
            || !calls::take_only(seat.vm, Mail::CHANNELS)
        {
            return false;
        }
        seat.due = u64::MAX;
        if !self.take_awaited(seat, vcpu) {
            return false;
        }
        self.goes_on(seat);
        self.before_return(seat) == After::Enter
    }

    /// Takes what a vCPU waits for, if it is there. It is ready then.
    #[inline(never)]
    pub(super) fn take_awaited(&mut self, seat: &mut Seat, vcpu: &mut Vcpu) -> bool {
        let (Some(awaits), Some(channels)) = (seat.awaits, self.channels) else {
            return false;
        };
        let Some(served) = hypercall::look(channels.exchange, self.number, &awaits.wait, vcpu)
        else {
            return false;
        };
        if let Some(vm) = served.tell {
            mailbox::post(vm, Mail::CHANNELS);
        }
        self.no_wait(channels, seat);
        self.level_channels();
        true
    }

    /// Whether a vCPU that waits in a call has to go on now: for an interrupt that it lets through, or
    /// because its time is over.
    #[inline(never)]
    pub(super) fn wait_is_over(&mut self, seat: &mut Seat, vcpu: &mut Vcpu) -> bool {
        let lines = self.vm.lines(seat.cpu);
        let (Some(awaits), Some(channels)) = (seat.awaits, self.channels) else {
            return true;
        };
        let over = if self.hardware.ticks() >= awaits.until {
            Over::TimedOut
        } else if hypercall::is_let_through(vcpu, lines.irq, lines.fiq) {
            Over::Interrupted
        } else {
            return false;
        };
        hypercall::end(channels.exchange, self.number, &awaits.wait, vcpu, over);
        self.no_wait(channels, seat);
        true
    }

    fn no_wait(&mut self, channels: Channels, seat: &mut Seat) {
        seat.awaits = None;
        channels.exchange.set_waiting(self.number, seat.cpu, false);
    }

    /// Something has come for the VM: its vCPUs that wait on other cores are called.
    pub(super) fn call_awaiting(&self, own: u8) {
        let waiting = self
            .channels
            .map_or(0, |channels| channels.exchange.waiting(self.number));
        let mut others = waiting & !(1 << own);
        while others != 0 {
            calls::call(self.number, others.trailing_zeros() as u8);
            others &= others - 1;
        }
    }
}
