//! A core's life: whichever of its vCPUs is to run has it; if none is, it sleeps.

use super::seat::{GuestCell, Held};
use super::{After, Guest, Seat, State, life};
use crate::arch::core_area::{self, CoreArea, Saved, Work};
use crate::arch::registers::{mrs, msr};
use crate::arch::{barrier_isb, console, counter, gic, monitor, wait_for_interrupt, wires};
use core::sync::atomic::Ordering;
use reliquary::sched::{Choice, Wants};
use reliquary::vm::el2_controls::hcr;
use reliquary::vm::{Vcpu, banks};

/// Whether a panic on this core concerns one VM only: asked once.
pub fn fails_alone() -> bool {
    core_area::guarded().swap(false, Ordering::Relaxed)
}

/// From now on, until it is off again, a panic on this core concerns the VM that has it.
#[inline]
pub(super) fn guard(on: bool) {
    core_area::guarded().store(on, Ordering::Relaxed);
}

unsafe extern "C" {
    fn enter_next() -> !;
}

impl CoreArea {
    /// The VM, the seat and the registers of the vCPU that has the core.
    #[inline]
    pub(super) fn live(&mut self) -> (Held<'static>, &mut Seat, &mut Vcpu) {
        let work = self.work();
        let seat = &mut work.seats[work.current];
        let cell: &'static GuestCell = seat.guest;
        // SAFETY: the seat is this core's, and whoever held its VM here has let go: each exit begins
        // with this, and drops it before the next. Its registers are reached in this way, or in `alone`.
        let (guest, registers) = unsafe { (cell.hold(), &mut (*seat.registers.as_ptr()).vcpu) };
        (guest, seat, registers)
    }

    /// The VM of the vCPU that has the core, if it is the VM's only one, and its registers: a
    /// synchronous exit, which is counted.
    #[allow(clippy::inline_always)] // one caller, whose every instruction counts
    #[inline(always)]
    pub(super) fn alone(&mut self) -> (Option<&mut Guest>, &mut Vcpu) {
        let saved = mrs!("tpidr_el2") as *mut Saved;
        // SAFETY: of the vCPU that has the core, whose registers nobody else looks at meanwhile.
        let registers = unsafe { &mut (*saved).vcpu };
        let guest = self.alone.map(|cell| {
            // Nobody else writes it.
            let traps = cell.traps.load(Ordering::Relaxed);
            cell.traps.store(traps + 1, Ordering::Relaxed);
            // SAFETY: as in `live`; the cell is there only if it is single.
            unsafe { cell.alone() }
        });
        (guest, registers)
    }

    /// A seat has the core from now on.
    fn sit(&mut self, index: usize) {
        let work = self.work();
        work.current = index;
        let Some(seat) = work.seats.get(index) else {
            return;
        };
        let (cell, registers) = (seat.guest, seat.registers);
        self.alone = cell.is_single().then_some(cell);
        self.has(registers);
    }

    /// Gives the core to another of its seats.
    fn switch(&mut self, to: usize) {
        let (mut guest, leaves, vcpu) = self.live();
        guest.hand_over(leaves);
        banks::show(vcpu, &mut guest.hardware);
        drop(guest);
        leaves.context.save(leaves.is_aarch32());
        if core::mem::take(&mut leaves.timer_forwarded) {
            // It comes again, should the guest still have to deal with it, when the guest is back.
            gic::deactivate(counter::VIRTUAL_TIMER);
        }
        let (vm, cpu) = (leaves.vm, leaves.cpu);
        self.sit(to);
        let (mut guest, comes, vcpu) = self.live();
        if comes.state == State::Ready {
            comes.comes(guest.began);
        }
        comes.context.load(comes.is_aarch32());
        guest.load_controls(comes);
        barrier_isb();
        banks::settle(vcpu, &mut guest.hardware);
        if vm == comes.vm && cpu != comes.cpu {
            // Two CPUs of a board may have different tables behind the same ASID.
            // SAFETY: makes walks happen again.
            unsafe { core::arch::asm!("tlbi vmalle1", "dsb nsh", "isb", options(nostack)) }
        }
    }

    fn next(&mut self) -> Choice {
        let Work {
            seats, schedule, ..
        } = self.work();
        match (schedule, &seats[..]) {
            (Some(schedule), seats) => schedule.choose(counter::now(), |index| {
                seats.get(index).map_or(Wants::Nothing, Seat::wants)
            }),
            // A seat that has the core for itself.
            (None, [seat]) => match seat.wants() {
                Wants::RunAt(at) if at > counter::now() => Choice {
                    run: None,
                    until: at,
                },
                Wants::Nothing => Choice {
                    run: None,
                    until: u64::MAX,
                },
                _ => Choice {
                    run: Some(0),
                    until: u64::MAX,
                },
            },
            (None, _) => Choice {
                run: None,
                until: u64::MAX,
            },
        }
    }
}

/// Chooses who runs next, and brings it into the core, ready to be entered. Until someone is, the
/// core sleeps. Core 0 serves the monitor first.
pub(super) fn choose(area: &mut CoreArea) {
    guard(false);
    let work = area.work();
    if let Some(seat) = work.seats.get(work.current) {
        seat.time.ends();
    }
    loop {
        if monitor::is_due() && area.index == 0 {
            monitor::serve();
        }
        let choice = area.next();
        let Some(to) = choice.run else {
            sleep(area, choice.until);
            continue;
        };
        if to != area.work().current {
            area.switch(to);
        }
        let (mut guest, seat, vcpu) = area.live();
        seat.until = choice.until;
        guard(true);
        let waited = seat.state == State::Waiting;
        let fresh = guest.is_fresh(seat, vcpu);
        if fresh || guest.attend(seat, vcpu) == After::Enter {
            if seat.shares || seat.armed.is_none() {
                let deadline = if fresh && !waited {
                    seat.armed
                } else {
                    guest.vm.deadline()
                };
                guest.arm(seat, deadline, console::flush_due(counter::hz()));
            }
            return seat.time.begins();
        }
        guard(false);
    }
}

/// Sleeps until an interrupt comes, and serves it.
#[inline(never)]
fn sleep(area: &mut CoreArea, until: u64) {
    if area.work().seats.is_empty() {
        return sleep_alone();
    }
    let (guest, seat, _) = area.live();
    let flush = console::flush_due(counter::hz());
    seat.flush_at = flush.map(|ticks| seat.flush_at.unwrap_or_else(|| counter::now() + ticks));
    seat.armed = None;
    drop(guest);
    match until.min(seat.flush_at.unwrap_or(u64::MAX)) {
        u64::MAX => counter::disarm(),
        at => counter::arm(at),
    }
    wait_for_interrupt();
    let (mut guest, seat, _) = area.live();
    guest.acknowledge(seat);
}

/// The same on a core without a VM.
fn sleep_alone() {
    console::flush_some();
    wait_for_interrupt();
    loop {
        let id = gic::acknowledge();
        if id >= gic::SPURIOUS {
            break;
        }
        gic::end(id);
        match id {
            counter::HYPERVISOR_TIMER => counter::disarm(),
            counter::VIRTUAL_TIMER => msr!("cntv_ctl_el0", 0),
            gic::WAKE => {}
            other => serve_or_disable(other),
        }
        gic::deactivate(id);
    }
}

/// An interrupt that is no guest's: the link's, the network's, or one whose VM has ended and whose device goes
/// on asking. That must not keep the core busy for ever.
pub(super) fn serve_or_disable(intid: u32) {
    if !console::interrupt(intid) && !wires::interrupt(intid) {
        gic::disable(intid);
        log::warn!("interrupt {intid} of the host belongs to no running VM: disabled");
    }
}

/// A core's life after boot.
pub fn serve(area: &'static mut CoreArea) -> ! {
    gic::open_core();
    gic::enable(counter::HYPERVISOR_TIMER);
    gic::enable(counter::VIRTUAL_TIMER);
    area.sit(0);
    let index = area.index;
    let work = area.work();
    let shares = work.schedule.is_some();
    for seat in &mut work.seats {
        seat.shares = shares;
        if shares {
            seat.tally.shares();
        }
    }
    for seat in work.seats.iter().filter(|seat| seat.cpu == 0) {
        // SAFETY: a seat of this core, which holds no VM now.
        let guest = unsafe { seat.guest.hold() };
        for (intid, _) in &guest.forwarded {
            gic::route(*intid, index, crate::system::mpidr_of(index));
            gic::enable(*intid);
        }
    }
    for seat in &work.seats {
        super::calls::call(seat.vm, seat.cpu);
    }
    // SAFETY: nothing of this stack is needed any more.
    unsafe { enter_next() }
}

/// The stack is empty: who is next (vectors.S)?
#[unsafe(no_mangle)]
extern "C" fn next_guest(area: &'static mut CoreArea) {
    choose(area);
}

/// The hypervisor failed while it ran for the VM that has this core: its life is over, the core goes on.
pub fn go_on_without_vm() -> ! {
    guard(false);
    let area = core_area::own();
    msr!("hcr_el2", hcr::RW);
    msr!("cntv_ctl_el0", 0);
    counter::disarm();
    barrier_isb();
    let work = area.work();
    let seat = &mut work.seats[work.current];
    seat.guest.break_hold();
    let (mut guest, seat, _) = area.live();
    (seat.state, seat.awaits) = (State::Off, None);
    guest.after_panic(seat.cpu);
    drop(guest);
    // SAFETY: nothing of this stack is needed any more: what failed held its own VM only.
    unsafe { enter_next() }
}

pub use life::will_run;

/// Counts a VM out whose core did not start.
pub fn will_not_run() {
    life::is_gone();
}
