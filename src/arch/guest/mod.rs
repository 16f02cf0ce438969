//! A VM on its core: entered, left, and served until it stops.
//!
//! Every exit ends in [`Guest::before_entry`], which brings the interrupt inputs, the
//! hypervisor's timer and the console up to the board's state.

mod account;
mod interrupts;
mod windows;

use crate::arch::core_area::{self, CoreArea};
use crate::arch::hardware::{self, Hardware};
use crate::arch::recorder::Recorder;
use crate::arch::registers::{mrs, msr};
use crate::arch::{barrier_isb, console, counter, gic, wait_for_interrupt};
use account::{Account, Thousandths};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use reliquary::board::{BoardAsk, News};
use reliquary::units::{Instant, Ipa, ns_for};
use reliquary::vm::el2_controls::{El2Controls, hcr};
use reliquary::vm::quick::Quick;
use reliquary::vm::stage2::Stage2;
use reliquary::vm::{Core as _, Next, Trap, Vcpu, Vm};
pub use windows::{Image, Place};

/// A VM that a core serves.
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
    /// The state in which vCPU 0 starts.
    pub entry: Vcpu,
    /// What the next entry writes to HCR_EL2.
    pub hcr: u64,
    /// The virtual timer's host interrupt is active: the guest has not dealt with it yet.
    pub timer_forwarded: bool,
    /// The deadline for which the hypervisor's timer is armed.
    pub armed: Option<Instant>,
    /// Bytes wait for the console's UART, which was full: they go in as the guest reads, since
    /// no interrupt tells of that.
    pub typed_ahead: bool,
    /// The console, if bytes wait, typed ahead or for room in the link: each exit is an occasion
    /// for them.
    pub waiting: News,
    /// Whether traps may be answered at once: no interrupt of the host's is to be looked at again,
    /// and nothing waits.
    pub at_once: bool,
    /// When this core flushes the link, on the host's counter, if it owes that.
    pub flush_at: Option<u64>,
    /// What is recorded of its board goes this way, if anything is.
    pub recorder: Option<Box<Recorder>>,
    /// Counts and times, for the account at the end.
    pub account: Account,
}

/// vCPU numbers are those of the board; a VM has one.
const CPU: u8 = 0;

/// Cores that run a guest's code in the guarded region now: a panic there stops one VM.
static GUARDED: [AtomicBool; core_area::CORES_MAX] =
    [const { AtomicBool::new(false) }; core_area::CORES_MAX];
/// VMs that have not ended, so that the machine knows when it is done.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// Counts a VM in, before its core starts.
pub fn will_run() {
    RUNNING.fetch_add(1, Ordering::Relaxed);
}

/// Counts a VM out whose core did not start.
pub fn will_not_run() {
    RUNNING.fetch_sub(1, Ordering::Relaxed);
}

/// Whether a panic on this core concerns one VM only.
pub fn fails_alone() -> bool {
    GUARDED[core_area::index()].swap(false, Ordering::Relaxed)
}

impl Guest {
    /// A VM that has not been entered yet.
    #[allow(clippy::too_many_arguments)] // each is a part, and this is where they meet
    pub fn new(
        vm: Vm,
        hardware: Hardware,
        stage2: Stage2,
        number: usize,
        vttbr: u64,
        images: Vec<Image>,
        entry: Vcpu,
        forwarded: Vec<(u32, bool)>,
        controls: El2Controls,
    ) -> Self {
        Self {
            vm,
            hardware,
            stage2,
            number,
            vttbr,
            controls,
            at_once: forwarded.is_empty(),
            forwarded,
            images,
            entry,
            hcr: controls.hcr,
            timer_forwarded: false,
            armed: None,
            typed_ahead: false,
            waiting: News::default(),
            flush_at: None,
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

    /// Loads EL2's registers for this VM and EL1's reset state.
    fn load_registers(&mut self, area_vcpu: &mut Vcpu) {
        let identity = self.vm.identity(CPU);
        msr!("vpidr_el2", identity.midr);
        msr!("vmpidr_el2", identity.mpidr);
        msr!("vttbr_el2", self.vttbr);
        let pa_range = (mrs!("id_aa64mmfr0_el1") & 0xf).min(2);
        msr!("vtcr_el2", self.controls.vtcr | pa_range << 16);
        msr!("hstr_el2", self.controls.hstr);
        msr!("cptr_el2", self.controls.cptr);
        msr!(
            "mdcr_el2",
            self.controls.mdcr | (mrs!("pmcr_el0") >> 11 & 0x1f)
        );
        msr!("cnthctl_el2", self.controls.cnthctl);
        let began = counter::now();
        msr!("cntvoff_el2", began);
        if let Some(recorder) = &mut self.recorder {
            let host = ns_for(began, counter::hz());
            recorder.begins(self.vm.board(), host);
        }
        msr!("cntv_ctl_el0", 0);
        msr!("mdscr_el1", 0);
        msr!("oslar_el1", 0); // a locked OS lock keeps breakpoints from matching
        barrier_isb();
        hardware::reset_el1(self.controls.hcr & hcr::RW == 0);
        self.hcr = self.controls.hcr;
        msr!("hcr_el2", self.hcr);
        barrier_isb();
        // SAFETY: drops this VMID's stale translations, if it ever had any.
        unsafe { core::arch::asm!("tlbi vmalls12e1is", "dsb ish", "isb", options(nostack)) }
        *area_vcpu = self.entry.clone();
        self.vm.enter(CPU, area_vcpu, &mut self.hardware);
        self.account = Account::begin();
    }

    /// A synchronous exception that takes more than an answer.
    #[inline(never)]
    fn sync(&mut self, vcpu: &mut Vcpu, esr: u64) {
        self.resample_forwarded();
        match self.vm.trap(CPU, vcpu, &mut self.hardware, trap_of(esr)) {
            Next::Resume => self.before_return(),
            next => self.act(next, vcpu),
        }
    }

    /// After an access that may have changed something.
    #[inline(never)]
    fn look(&mut self, vcpu: &mut Vcpu) {
        match self.vm.asks() {
            Next::Resume => self.before_return(),
            next => self.act(next, vcpu),
        }
    }

    /// Before the guest goes on after a trap that asked for nothing: most change nothing for
    /// [`bring_up`](Guest::bring_up).
    #[inline]
    fn before_return(&mut self) {
        let news = self.vm.take_news() | self.waiting;
        if !news.is_none() {
            self.bring_up(news);
        }
    }

    /// Interrupt inputs, timer and console, as the board has them now.
    fn before_entry(&mut self) {
        let news = self.vm.take_news();
        self.bring_up(news | News::ALL);
    }

    /// What of it `news` tells.
    fn bring_up(&mut self, mut news: News) {
        if news.has(News::CONSOLE) && self.typed_ahead {
            self.receive();
            news |= self.vm.take_news();
        }
        if news.has(News::TIMER) && self.timer_forwarded && !self.vm.virtual_timer_is_high(CPU) {
            self.timer_forwarded = false;
            gic::deactivate(counter::VIRTUAL_TIMER);
        }
        if news.has(News::LINES) {
            let lines = self.vm.lines(CPU);
            let mut wanted = self.controls.hcr;
            if lines.irq {
                wanted |= hcr::VI;
            }
            if lines.fiq {
                wanted |= hcr::VF;
            }
            if wanted != self.hcr {
                self.hcr = wanted;
                msr!("hcr_el2", wanted);
            }
        }
        if news.has(News::CONSOLE) {
            self.drain();
        }
        if news.has(News::DEADLINE) {
            let deadline = self.vm.deadline();
            if deadline != self.armed {
                self.arm(deadline, self.flush_due());
            }
        }
    }

    /// Takes what the console has sent, and sees that the link sends it.
    #[inline(never)]
    fn drain(&mut self) {
        let mut drained = console::Drained::Nothing;
        if self.vm.board().console_sends() {
            let now = self.vm.now(&self.hardware);
            drained = console::drain(self.number, self.vm.board(), now);
            self.account.speaks();
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.pour(self.vm.board());
        }
        let recorded = self.recorder.is_some();
        self.waiting = if recorded || self.typed_ahead || drained == console::Drained::Some {
            News::CONSOLE
        } else {
            News::default()
        };
        self.at_once = self.forwarded.is_empty() && self.waiting.is_none();
        let flush = self.flush_due();
        if flush.is_some() != self.flush_at.is_some() {
            self.arm(self.vm.deadline(), flush);
        }
    }

    fn flush_due(&self) -> Option<u64> {
        console::flush_due(self.hardware.hz())
    }

    /// What a trap asked for, until the guest can be entered again.
    fn act(&mut self, mut next: Next, vcpu: &mut Vcpu) {
        loop {
            match next {
                Next::Resume => break,
                Next::Ask(ask) => {
                    if let BoardAsk::DirectReads { window, on } = ask {
                        self.switch_direct_reads(window, on);
                    }
                    // Nothing else of a board is the metal's to change, but there may be more.
                    next = match self.vm.board().take_ask() {
                        None => break,
                        Some(BoardAsk::Reset) => Next::Reset,
                        Some(BoardAsk::PowerOff) => Next::PowerOff,
                        Some(more) => Next::Ask(more),
                    };
                }
                Next::Wait => match self.wait() {
                    None => break,
                    Some(other) => next = other,
                },
                Next::Reset => {
                    log::info!("vm.{}: the guest resets its board", self.vm.name());
                    self.restart(vcpu);
                    break;
                }
                Next::PowerOff => self.end("the guest switched its board off"),
                Next::Stop => {
                    if let Some(report) = self.vm.report() {
                        console::report(self.number, &report);
                    }
                    self.end("stopped; its report is above")
                }
            }
        }
        self.before_entry();
    }

    /// Sleeps at EL2 until the guest has an interrupt, taking the host's meanwhile.
    ///
    /// Returns what the board asks for meanwhile, if that is more than to go on.
    fn wait(&mut self) -> Option<Next> {
        self.idles(true);
        self.before_entry();
        loop {
            let lines = self.vm.lines(CPU);
            if lines.irq || lines.fiq {
                self.idles(false);
                return None;
            }
            let from = counter::now();
            wait_for_interrupt();
            self.account.idle += counter::now() - from;
            match self.take_interrupts() {
                Next::Resume | Next::Wait => {}
                other => {
                    self.idles(false);
                    return Some(other);
                }
            }
        }
    }

    /// Tells the recorder whether the guest waits: then all there is may go to the link.
    fn idles(&mut self, idle: bool) {
        if let Some(recorder) = &mut self.recorder {
            recorder.idle = idle;
        }
    }

    fn restart(&mut self, vcpu: &mut Vcpu) {
        if self.load_memory().is_err() {
            self.end("its images do not fit its memory");
        }
        msr!("cntvoff_el2", counter::now());
        barrier_isb();
        self.vm.reset(&self.hardware);
        let windows = self.vm.board().plan().windows.len();
        (0..windows).for_each(|window| self.reset_direct_reads(window));
        if core::mem::take(&mut self.timer_forwarded) {
            gic::deactivate(counter::VIRTUAL_TIMER);
        }
        self.armed = None;
        self.load_registers(vcpu);
    }

    fn end(&mut self, why: &str) -> ! {
        console::drain_all(self);
        if let Some(recorder) = &mut self.recorder {
            recorder.end(self.vm.board());
        }
        let hz = counter::hz().max(1);
        let up = (counter::now() - self.account.started).max(1);
        let seconds = |ticks: u64| Thousandths(ticks / hz * 1000 + ticks % hz * 1000 / hz);
        log::info!(
            "vm.{}: {why} (up {} s, {} traps, {} interrupts)",
            self.vm.name(),
            seconds(up),
            self.account.traps,
            self.account.interrupts,
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
        idle_after_failure()
    }
}

unsafe extern "C" {
    fn enter_guest() -> !;
    fn abandon_stack() -> !;
}

/// A core's life after boot: its VM, if it has one; otherwise sleep and serve the host.
pub fn serve(area: &'static mut CoreArea) -> ! {
    gic::open_core();
    gic::enable(counter::HYPERVISOR_TIMER);
    gic::enable(counter::VIRTUAL_TIMER);
    let index = area.index;
    let Some(guest) = area.guest.as_mut() else {
        idle()
    };
    guest.load_registers(&mut area.vcpu);
    for (intid, _) in &guest.forwarded {
        gic::route(*intid, index, crate::system::mpidr_of(index));
        gic::enable(*intid);
    }
    guest.before_entry();
    GUARDED[index].store(true, Ordering::Relaxed);
    // SAFETY: EL2's registers, the vCPU and stage 2 are this VM's, loaded just now.
    unsafe { enter_guest() }
}

/// The rest of a core's life when its VM has ended.
pub fn idle_after_failure() -> ! {
    GUARDED[core_area::index()].store(false, Ordering::Relaxed);
    msr!("hcr_el2", hcr::RW);
    counter::disarm();
    barrier_isb();
    if RUNNING.fetch_sub(1, Ordering::AcqRel) == 1 {
        log::info!("no VM is left");
        console::flush();
        crate::system::all_done();
    }
    // SAFETY: nothing of this stack is needed any more: what failed held its own VM only.
    unsafe { abandon_stack() }
}

/// A core without a VM sleeps, and serves the host's interrupts.
#[unsafe(no_mangle)]
extern "C" fn idle() -> ! {
    loop {
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
}

/// An interrupt that is no guest's: the link's, or one whose VM has ended and whose device goes
/// on asking. That must not keep the core busy for ever.
fn serve_or_disable(intid: u32) {
    if !console::interrupt(intid) {
        gic::disable(intid);
        log::warn!("interrupt {intid} of the host belongs to no running VM: disabled");
    }
}

fn guest_of(area: &mut CoreArea) -> (&mut Box<Guest>, &mut Vcpu) {
    let guest = area.guest.as_mut().expect("a guest's exit has a guest");
    (guest, &mut area.vcpu)
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
    let (guest, vcpu) = guest_of(area);
    #[cfg(feature = "fault-injection")]
    crate::arch::fault::injected(esr);
    guest.account.traps += 1;
    if !guest.at_once {
        return guest.sync(vcpu, esr);
    }
    match guest.vm.quick(CPU, vcpu, &mut guest.hardware, trap_of(esr)) {
        Quick::Done => {}
        Quick::Look => guest.look(vcpu),
        Quick::Not => guest.sync(vcpu, esr),
    }
}

/// A physical IRQ while the guest ran (vectors.S).
#[unsafe(no_mangle)]
extern "C" fn guest_irq(area: &'static mut CoreArea) {
    let (guest, vcpu) = guest_of(area);
    match guest.take_interrupts() {
        Next::Resume => {}
        next => guest.act(next, vcpu),
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
    let (guest, vcpu) = guest_of(area);
    let reason = reliquary::vm::report::Reason::SError;
    let next = guest.vm.stop(CPU, vcpu, &mut guest.hardware, reason);
    guest.act(next, vcpu);
}
