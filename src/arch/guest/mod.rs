//! VMs on their cores: entered, left, and served until they stop.
//!
//! A core has *seats*, one for each vCPU that it serves ([`seat`]); the registers of one of them are in
//! the core ([`context`]), and [`serve`] decides of which. Every exit ends in
//! [`Guest::before_entry`], which brings the interrupt inputs, the hypervisor's timer and the console up
//! to the board's state, or in [`serve::choose`], if the vCPU is not to be entered again now.

mod account;
pub mod calls;
mod channels;
mod context;
mod interrupts;
mod life;
mod loading;
mod orders;
mod rebuild;
mod seat;
pub mod serve;
mod windows;

use crate::arch::channels::Channels;
use crate::arch::core_area::CoreArea;
use crate::arch::hardware::{self, Hardware};
use crate::arch::recorder::Recorder;
use crate::arch::registers::{mrs, msr};
use crate::arch::wires::Ends;
use crate::arch::{barrier_isb, console, counter, gic};
use account::Account;
pub use account::Tally;
use alloc::boxed::Box;
use alloc::vec::Vec;
use life::{Crashes, Phase, Wish};
use loading::Resets;
use reliquary::board::{BoardAsk, CpuLines, News, World};
use reliquary::bundle::Restart;
use reliquary::units::{Ipa, ns_for, ticks_in};
use reliquary::vm::el2_controls::{El2Controls, hcr};
use reliquary::vm::quick::Quick;
use reliquary::vm::stage2::Stage2;
use reliquary::vm::{Core as _, Next, Trap, Vcpu, Vm, hypercall};
pub use seat::{GuestCell, Seat, State};
pub use windows::{Image, Place};

/// A VM, whichever of its vCPUs have a core.
pub struct Guest {
    /// The virtual machine.
    pub vm: Vm,
    /// The registers and the memory under it.
    pub hardware: Hardware,
    /// Its stage 2.
    pub stage2: Stage2,
    /// The number of the VM in the system, which is its console's too.
    pub number: usize,
    /// VMID and stage-2 root, as VTTBR_EL2 takes them.
    pub vttbr: u64,
    /// EL2's control registers for it.
    pub controls: El2Controls,
    /// Interrupts of passed-through devices: host INTID, and whether the guest has it now.
    pub forwarded: Vec<(u32, bool)>,
    /// What is in memory when it starts.
    pub images: Vec<Image>,
    /// The state in which each vCPU starts at a reset; none: it is switched on by another.
    pub entries: Vec<Option<Vcpu>>,
    /// vCPUs that are to start, and how.
    starts: Vec<Option<Vcpu>>,
    /// The interrupt inputs of each vCPU, as its core was told last.
    told: Vec<CpuLines>,
    /// What the host's counter was at the board's time 0: CNTVOFF_EL2.
    pub began: u64,
    /// Counts the resets.
    life: u32,
    phase: Phase,
    /// What becomes of it after a crash.
    pub restart: Restart,
    crashes: Crashes,
    resets: Resets,
    /// What is to be done when all vCPUs are still.
    wish: Option<Wish>,
    /// When it has been stopped it is to be started.
    start_again: bool,
    /// vCPUs that are to tell their registers: bit n is vCPU n.
    tells: u32,
    /// vCPUs that are on, and those of them that are still: bit n is vCPU n.
    online: u32,
    parked: u32,
    /// Bytes wait for the console's UART, which was full: they go in as the guest reads, since
    /// no interrupt tells of that.
    pub typed_ahead: bool,
    /// Whether the console has bytes that the link did not take: another core had it, or it was full.
    drained: console::Drained,
    /// The console, if bytes wait, typed ahead or for room in the link: each exit is an occasion
    /// for them.
    pub waiting: News,
    /// Whether traps may be answered at once: no interrupt of the host's is to be looked at again,
    /// and nothing waits.
    pub at_once: bool,
    /// Its ends of the wires.
    pub wires: Ends,
    /// Its channels, if it has any.
    pub channels: Option<Channels>,
    /// What is recorded of its board goes this way, if anything is.
    pub recorder: Option<Box<Recorder>>,
    /// Times, for the account at the end.
    pub account: Account,
    /// Counts, which others may look at.
    pub tally: &'static Tally,
}

/// When a vCPU that waits offers the link again what that did not take, in milliseconds.
const UNSENT_AGAIN_MS: u64 = 2;

/// What a core does after an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// Goes back to the vCPU.
    Enter,
    /// Asks who is next.
    Choose,
}

impl Guest {
    /// A VM that has not been entered yet, all of its vCPUs off.
    #[allow(clippy::too_many_arguments)] // each is a part, and this is where they meet
    pub fn new(
        vm: Vm,
        hardware: Hardware,
        stage2: Stage2,
        number: usize,
        vttbr: u64,
        images: Vec<Image>,
        entries: Vec<Option<Vcpu>>,
        forwarded: Vec<(u32, bool)>,
        controls: El2Controls,
        restart: Restart,
        tally: &'static Tally,
    ) -> Self {
        Self {
            vm,
            hardware,
            tally,
            stage2,
            number,
            vttbr,
            controls,
            at_once: forwarded.is_empty(),
            forwarded,
            images,
            starts: entries.clone(),
            told: entries.iter().map(|_| CpuLines::default()).collect(),
            entries,
            began: 0,
            life: 0,
            phase: Phase::Running,
            restart,
            crashes: Crashes::default(),
            resets: Resets::default(),
            wish: None,
            start_again: false,
            tells: 0,
            online: 0,
            parked: 0,
            typed_ahead: false,
            drained: console::Drained::Nothing,
            waiting: News::default(),
            wires: Ends::default(),
            channels: None,
            recorder: None,
            account: Account::default(),
        }
    }

    /// Records these devices of the board from now on: each exit is an occasion to send what was
    /// seen.
    pub fn record(&mut self, devices: &[u16]) {
        let hz = counter::hz();
        self.recorder = Some(Box::new(Recorder::new(self.vm.board(), devices, hz)));
        (self.waiting, self.at_once) = (News::CONSOLE, false);
    }

    /// EL2's registers for this VM and this vCPU.
    fn load_controls(&self, seat: &Seat) {
        let identity = self.vm.identity(seat.cpu);
        msr!("vpidr_el2", identity.midr);
        msr!("vmpidr_el2", identity.mpidr);
        msr!("vttbr_el2", self.vttbr);
        msr!("hstr_el2", self.controls.hstr);
        msr!("cntvoff_el2", self.began);
        msr!("hcr_el2", seat.hcr);
    }

    /// Those that are alike for every VM.
    fn load_common_controls(&self) {
        let pa_range = (mrs!("id_aa64mmfr0_el1") & 0xf).min(2);
        msr!("vtcr_el2", self.controls.vtcr | pa_range << 16);
        msr!("cptr_el2", self.controls.cptr);
        msr!(
            "mdcr_el2",
            self.controls.mdcr | (mrs!("pmcr_el0") >> 11 & 0x1f)
        );
        msr!("cnthctl_el2", self.controls.cnthctl);
        msr!("oslar_el1", 0); // a locked OS lock keeps breakpoints from matching
    }

    /// A vCPU begins, with EL1's reset state in the core.
    fn begin(&mut self, seat: &mut Seat, vcpu: &mut Vcpu, entry: Vcpu) {
        if core::mem::take(&mut seat.timer_forwarded) {
            gic::deactivate(counter::VIRTUAL_TIMER);
        }
        let first = self.online == 0;
        if first {
            self.began = counter::now();
            if let Some(recorder) = &mut self.recorder {
                recorder.begins(self.vm.board(), ns_for(self.began, counter::hz()));
            }
            self.account = Account::begin(self.tally);
            self.publish();
        }
        self.online |= 1 << seat.cpu;
        (seat.state, seat.life, seat.armed) = (State::Ready, self.life, None);
        seat.awaits = None;
        seat.hcr = self.controls.hcr;
        msr!("cntv_ctl_el0", 0);
        msr!("mdscr_el1", 0);
        self.load_common_controls();
        self.load_controls(seat);
        barrier_isb();
        hardware::reset_el1(self.controls.hcr & hcr::RW == 0);
        seat.context.load_nothing();
        barrier_isb();
        // SAFETY: drops this VMID's stale translations, if it ever had any.
        unsafe { core::arch::asm!("tlbi vmalls12e1is", "dsb ish", "isb", options(nostack)) }
        *vcpu = entry;
        self.vm.enter(seat.cpu, vcpu, &mut self.hardware);
        self.resets.done();
    }

    /// A synchronous exception that takes more than an answer.
    #[allow(clippy::inline_always)] // one caller, whose every instruction counts
    #[inline(always)]
    fn sync(&mut self, seat: &mut Seat, vcpu: &mut Vcpu, esr: u64) -> After {
        self.resample_forwarded();
        match self
            .vm
            .trap(seat.cpu, vcpu, &mut self.hardware, trap_of(esr))
        {
            Next::Resume => self.before_return(seat),
            next => self.act(next, seat, vcpu),
        }
    }

    /// After an access that may have changed something.
    #[allow(clippy::inline_always)] // one caller, whose every instruction counts
    #[inline(always)]
    fn look(&mut self, seat: &mut Seat, vcpu: &mut Vcpu) -> After {
        match self.vm.asks() {
            Next::Resume => self.before_return(seat),
            next => self.act(next, seat, vcpu),
        }
    }

    /// Before the guest goes on after a trap that asked for nothing: most change nothing for
    /// [`bring_up`](Guest::bring_up).
    #[inline]
    fn before_return(&mut self, seat: &mut Seat) -> After {
        let news = self.vm.take_news() | self.waiting;
        if news.is_none() {
            After::Enter
        } else {
            self.bring_up(seat, news)
        }
    }

    /// The same after an interrupt, or a wait: where all was up to date before, the news tell what is not.
    fn before_going_on(&mut self, seat: &mut Seat) -> After {
        if self.is_as_it_was_left() {
            self.before_return(seat)
        } else {
            self.before_entry(seat)
        }
    }

    /// Interrupt inputs, timer and console, as the board has them now.
    fn before_entry(&mut self, seat: &mut Seat) -> After {
        let news = self.vm.take_news() | self.waiting;
        let all = if self.wires.is_joined() {
            News::ALL
        } else {
            News::OWN
        };
        self.bring_up(seat, news | all)
    }

    /// What of it `news` tells.
    fn bring_up(&mut self, seat: &mut Seat, mut news: News) -> After {
        let mut after = After::Enter;
        if news.has(News::WIRES) && !self.wires.is_empty() {
            if self.carry() {
                self.see_to_flush(seat);
            }
            news |= self.vm.take_news();
        }
        if news.has(News::CONSOLE) && self.typed_ahead {
            self.receive();
            news |= self.vm.take_news();
        }
        if news.has(News::TIMER) && seat.timer_forwarded && !self.vm.virtual_timer_is_high(seat.cpu)
        {
            seat.timer_forwarded = false;
            gic::deactivate(counter::VIRTUAL_TIMER);
        }
        if news.has(News::LINES) {
            let lines = self.vm.lines(seat.cpu);
            let mut wanted = self.controls.hcr;
            if lines.irq {
                wanted |= hcr::VI;
            }
            if lines.fiq {
                wanted |= hcr::VF;
            }
            if wanted != seat.hcr {
                seat.hcr = wanted;
                msr!("hcr_el2", wanted);
            }
            if self.told.len() > 1 {
                after = self.tell_others(seat.cpu);
            }
        }
        if news.has(News::CONSOLE) {
            self.drain(seat);
        }
        if news.has(News::DEADLINE) {
            if self.told.len() > 1 {
                calls::watch(self.number, seat.cpu);
            }
            let deadline = self.vm.deadline();
            if deadline != seat.armed {
                self.arm(seat, deadline, self.flush_due());
            }
        }
        after
    }

    /// Calls the other vCPUs whose interrupt inputs have changed.
    #[inline(never)]
    fn tell_others(&mut self, own: u8) -> After {
        let mut after = After::Enter;
        for cpu in 0..self.told.len() as u8 {
            let lines = self.vm.lines(cpu);
            let told = &mut self.told[usize::from(cpu)];
            if core::mem::replace(told, lines) != lines
                && cpu != own
                && calls::call(self.number, cpu)
            {
                after = After::Choose;
            }
        }
        after
    }

    /// Serves the VM's ends of the wires. Whether the link has something to send by that.
    #[inline(never)]
    fn carry(&mut self) -> bool {
        let world = World {
            now: self.vm.now(&self.hardware),
            memory: &self.hardware.memory,
        };
        let sends = self.wires.carry(self.number, self.vm.board(), &world);
        let console = self.waiting.has(News::CONSOLE);
        self.waiting = self.wires.waiting();
        if console {
            self.waiting |= News::CONSOLE;
        }
        self.at_once = self.forwarded.is_empty() && self.waiting.is_none();
        sends
    }

    /// Takes what the console has sent, and sees that the link sends it.
    #[inline(never)]
    fn drain(&mut self, seat: &mut Seat) {
        let mut drained = console::Drained::Nothing;
        if self.vm.board().console_sends() {
            let now = self.vm.now(&self.hardware);
            drained = console::drain(self.number, self.vm.board(), now);
            self.account.speaks();
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.pour(self.vm.board());
        }
        self.drained = drained;
        let recorded = self.recorder.is_some();
        self.waiting = if recorded || self.typed_ahead || drained == console::Drained::Some {
            News::CONSOLE
        } else {
            News::default()
        } | self.wires.waiting();
        self.at_once = self.forwarded.is_empty() && self.waiting.is_none();
        // Only what was put on the link just now can make a flush due that was not.
        if drained != console::Drained::Nothing || recorded {
            self.see_to_flush(seat);
        }
    }

    /// Sees that what was put on the link just now is flushed.
    fn see_to_flush(&mut self, seat: &mut Seat) {
        let flush = self.flush_due();
        if flush.is_some() != seat.flush_at.is_some() {
            self.arm(seat, self.vm.deadline(), flush);
        }
    }

    fn flush_due(&self) -> Option<u64> {
        console::flush_due(self.hardware.hz())
    }

    /// What a trap asked for, until the guest can be entered again, or not.
    fn act(&mut self, mut next: Next, seat: &mut Seat, vcpu: &mut Vcpu) -> After {
        loop {
            match next {
                Next::Resume => return self.before_entry(seat),
                Next::Ask(ask) => {
                    if let BoardAsk::DirectReads { window, on } = ask {
                        self.switch_direct_reads(window, on);
                    }
                    // Nothing else of a board is the metal's to change, but there may be more.
                    next = match self.vm.board().take_ask() {
                        None => Next::Resume,
                        Some(BoardAsk::Reset) => Next::Reset,
                        Some(BoardAsk::PowerOff) => Next::PowerOff,
                        Some(more) => Next::Ask(more),
                    };
                }
                Next::Wait => return self.wait(seat),
                Next::CpuOn(other) => {
                    let mut after = After::Enter;
                    if let Some(start) = self.starts.get_mut(usize::from(other.cpu)) {
                        *start = Some(other.entry());
                        if calls::call(self.number, other.cpu) {
                            after = After::Choose;
                        }
                    }
                    let own = self.before_entry(seat);
                    return if own == After::Choose { own } else { after };
                }
                Next::CpuOff => {
                    self.online &= !(1 << seat.cpu);
                    self.call_online();
                    seat.state = State::Off;
                    return After::Choose;
                }
                Next::Reset => {
                    log::info!("vm.{}: the guest resets its board", self.vm.name());
                    return self.want(Wish::Reset, seat, vcpu);
                }
                Next::PowerOff => return self.want(Wish::PowerOff, seat, vcpu),
                Next::Stop => {
                    if let Some(report) = self.vm.report() {
                        console::report(self.number, &report);
                    }
                    return self.want(Wish::Crash, seat, vcpu);
                }
            }
        }
    }

    /// A WFI: the vCPU waits, unless an interrupt is there.
    fn wait(&mut self, seat: &mut Seat) -> After {
        self.idles(true);
        let _ = self.before_going_on(seat);
        let lines = self.vm.lines(seat.cpu);
        if lines.irq || lines.fiq {
            self.idles(false);
            return After::Enter;
        }
        (seat.state, seat.waits_since) = (State::Waiting, counter::now());
        self.note_wakes(seat);
        After::Choose
    }

    /// When a vCPU that waits is to be looked after: for its own timer, or for the board's.
    fn note_wakes(&self, seat: &mut Seat) {
        let timer = if seat.timer_forwarded {
            None
        } else {
            context::timer_fires()
        };
        let board = self.vm.deadline();
        let board = board.map(|at| ticks_in(at.0, self.hardware.hz()).saturating_add(1));
        let on_host = |at: Option<u64>| at.map_or(u64::MAX, |at| at.saturating_add(self.began));
        (seat.wakes, seat.wakes_board) = (on_host(timer), on_host(board));
        if let Some(awaits) = seat.awaits {
            seat.wakes = seat.wakes.min(on_host(Some(awaits.until())));
        }
        seat.due = seat.wakes_at();
        if self.drained == console::Drained::Some {
            // No exit comes to take it, and the link does not tell when it has room.
            let again = counter::now() + self.hardware.hz() / 1000 * UNSENT_AGAIN_MS;
            seat.wakes = seat.wakes.min(again);
        }
    }

    /// A vCPU that would run on leaves its core to another: if it looks after the board's deadline, one
    /// on another core is called, which takes that over.
    fn hand_over(&self, seat: &Seat) {
        if seat.state != State::Ready || self.told.len() == 1 || !calls::watches(seat.vm, seat.cpu)
        {
            return;
        }
        let mut others = (0..self.told.len() as u8).filter(|cpu| self.online & 1 << cpu != 0);
        if let Some(other) = others.find(|cpu| !calls::is_here(seat.vm, *cpu)) {
            calls::call(seat.vm, other);
        }
    }

    /// Tells the recorder whether the guest waits: then all there is may go to the link.
    fn idles(&mut self, idle: bool) {
        if let Some(recorder) = &mut self.recorder {
            recorder.idle(idle);
        }
    }

    /// Whether all of the VM is up to date but for its news: nothing waits, and no other CPU of it may have
    /// changed anything.
    pub(super) fn is_as_it_was_left(&self) -> bool {
        self.at_once && self.told.len() == 1
    }

    /// Whether a vCPU that has been given the core can be entered as it is: it left the core up to date,
    /// and neither others nor time have changed anything since, but for a message that it waited for.
    #[inline]
    fn is_fresh(&mut self, seat: &mut Seat, vcpu: &mut Vcpu) -> bool {
        core::mem::take(&mut seat.fresh)
            && match seat.state {
                State::Ready => {
                    !calls::is_called(seat.vm, seat.cpu)
                        && seat.armed.is_none_or(|at| at > self.vm.now(&self.hardware))
                }
                State::Waiting => self.is_handed(seat, vcpu),
                State::Off | State::Parked => false,
            }
    }

    /// Looks after a vCPU that has just been given the core, or that is called: what is asked of its
    /// VM, and what time has brought. Whether it can be entered.
    fn attend(&mut self, seat: &mut Seat, vcpu: &mut Vcpu) -> After {
        calls::answer(seat.vm, seat.cpu);
        if seat.cpu == 0 {
            self.rebuild_if_due();
            self.take_late();
            self.take_mail(seat, vcpu);
        }
        if self.tells != 0 {
            self.tell_registers(seat, vcpu);
        }
        if seat.cpu == 0 {
            self.load_on(seat);
        }
        if let Some(after) = self.hold_still(seat, vcpu) {
            return after;
        }
        if seat.state == State::Off {
            match self
                .starts
                .get_mut(usize::from(seat.cpu))
                .and_then(Option::take)
            {
                Some(entry) => self.begin(seat, vcpu, entry),
                None => return After::Choose,
            }
        }
        self.resample_forwarded();
        let waits = seat.state == State::Waiting;
        if waits {
            if seat.shares {
                seat.comes(self.began);
            }
            // Its timer may have fired, which only its interrupt tells.
            self.acknowledge(seat);
            if seat.awaits.is_some() && self.take_awaited(seat, vcpu) {
                self.goes_on(seat);
            }
        }
        if self.channels.is_some() {
            self.level_channels();
        }
        match self.vm.catch_up(seat.cpu, &mut self.hardware) {
            Next::Resume | Next::Wait => {}
            other => {
                if self.act(other, seat, vcpu) == After::Choose {
                    return After::Choose;
                }
            }
        }
        let after = if waits {
            self.before_going_on(seat)
        } else {
            self.before_entry(seat)
        };
        if seat.state == State::Waiting {
            let over = if seat.awaits.is_some() {
                self.wait_is_over(seat, vcpu)
            } else {
                let lines = self.vm.lines(seat.cpu);
                lines.irq || lines.fiq
            };
            if !over {
                self.note_wakes(seat);
                return After::Choose;
            }
            self.goes_on(seat);
        }
        after
    }

    /// A vCPU does not wait any more.
    fn goes_on(&mut self, seat: &mut Seat) {
        seat.state = State::Ready;
        self.idles(false);
        self.account.idle += counter::now() - seat.waits_since;
    }
}

/// Where and why the guest was left.
#[inline]
fn trap_of(esr: u64) -> Trap {
    let far = mrs!("far_el2");
    let ipa = Ipa((mrs!("hpfar_el2") & 0x0000_0fff_ffff_fff0) << 8 | far & 0xfff);
    Trap { esr, far, ipa }
}

/// A synchronous exception from the guest (vectors.S).
#[unsafe(no_mangle)]
extern "C" fn guest_sync(area: &'static mut CoreArea, esr: u64) {
    #[cfg(feature = "fault-injection")]
    crate::arch::fault::injected(esr);
    let (guest, vcpu) = area.alone();
    let Some(guest) = guest else {
        return trapped(area, esr);
    };
    if !guest.at_once {
        return trapped(area, esr);
    }
    match guest.vm.quick(0, vcpu, &mut guest.hardware, trap_of(esr)) {
        Quick::Done => {}
        Quick::Look => looked(area),
        Quick::Not => trapped(area, esr),
    }
}

/// After an access that may have changed something, of a VM with one vCPU.
#[inline(never)]
fn looked(area: &mut CoreArea) {
    let (mut guest, seat, vcpu) = area.live();
    let after = guest.look(seat, vcpu);
    drop(guest);
    if after == After::Choose {
        serve::choose(area);
    }
}

/// An exception that takes more, or that is of a VM with several vCPUs.
#[inline(never)]
fn trapped(area: &mut CoreArea, esr: u64) {
    let (mut guest, seat, vcpu) = area.live();
    guest.tally.exit(esr);
    let after = if guest.channels.is_some() && hypercall::is_call(vcpu, esr) {
        guest.hypercall(seat, vcpu)
    } else {
        guest.sync(seat, vcpu, esr)
    };
    drop(guest);
    if after == After::Choose {
        serve::choose(area);
    }
}

/// A physical IRQ while the guest ran (vectors.S).
#[unsafe(no_mangle)]
extern "C" fn guest_irq(area: &'static mut CoreArea) {
    let (mut guest, seat, vcpu) = area.live();
    guest.tally.irq();
    let after = guest.take_interrupts(seat, vcpu);
    drop(guest);
    if after == After::Choose {
        serve::choose(area);
    }
}

/// A physical FIQ: the hypervisor's GIC set-up has none, so it is the host firmware's fault.
#[unsafe(no_mangle)]
extern "C" fn guest_fiq(_area: &'static mut CoreArea) {
    panic!("a physical FIQ arrived; the host's GIC should deliver IRQs only");
}

/// An SError while the guest ran: something that it did broke on the host's bus.
#[unsafe(no_mangle)]
extern "C" fn guest_serror(area: &'static mut CoreArea) {
    let (mut guest, seat, vcpu) = area.live();
    let reason = reliquary::vm::report::Reason::SError;
    let Guest { vm, hardware, .. } = &mut *guest;
    let next = vm.stop(seat.cpu, vcpu, hardware, reason);
    let after = guest.act(next, seat, vcpu);
    drop(guest);
    if after == After::Choose {
        serve::choose(area);
    }
}
