//! A VM on its core: entered, left, and served until it stops.
//!
//! Every exit ends in [`Guest::before_entry`], which brings the interrupt inputs, the
//! hypervisor's timer and the console up to the board's state.

use super::core_area::{self, CoreArea};
use super::hardware::Hardware;
use super::registers::{mrs, msr};
use super::stage2_tables::Stage2Tables;
use super::{barrier_isb, console, counter, gic, wait_for_interrupt};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use reliquary::access::Width;
use reliquary::board::plan::WindowKind;
use reliquary::board::{BoardAsk, World};
use reliquary::memory::{BoardMemory as _, StoreId, Unbacked};
use reliquary::units::{HostPa, Instant, Ipa, ticks_in};
use reliquary::vm::el2_controls::{El2Controls, hcr};
use reliquary::vm::stage2::{self, Stage2};
use reliquary::vm::{Core as _, Next, Trap, Vcpu, Vm};

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
    /// When this core flushes the link, on the host's counter, if it owes that.
    pub flush_at: Option<u64>,
    /// Counts and times, for the account at the end.
    pub account: Account,
}

/// An image and its place.
pub struct Image {
    /// Where it goes.
    pub to: Place,
    /// Its bytes, in the bundle.
    pub bytes: &'static [u8],
}

/// A place in a VM's memory.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// RAM or ROM.
    Memory(Ipa),
    /// A device's store, from this byte on.
    Store(StoreId, u64),
}

/// What a VM did with its core, in counter ticks.
#[derive(Default)]
pub struct Account {
    /// Host counter when it started.
    pub started: u64,
    /// Spent in WFI.
    pub idle: u64,
    /// Synchronous exits.
    pub traps: u64,
    /// Interrupts taken to EL2.
    pub interrupts: u64,
    /// When the console last carried a byte, and `idle` then.
    spoke: Option<(u64, u64)>,
    /// The longest time between two bytes of the console, and what of it was spent in WFI.
    silence: (u64, u64),
}

impl Account {
    /// The console carried a byte.
    fn speaks(&mut self) {
        let now = counter::now();
        if let Some((then, idle)) = self.spoke.replace((now, self.idle))
            && now - then > self.silence.0
        {
            self.silence = (now - then, self.idle - idle);
        }
    }
}

/// A number of thousandths, as a decimal.
struct Thousandths(u64);

impl core::fmt::Display for Thousandths {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
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
            forwarded,
            images,
            entry,
            hcr: controls.hcr,
            timer_forwarded: false,
            armed: None,
            typed_ahead: false,
            flush_at: None,
            account: Account::default(),
        }
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
        msr!("cntvoff_el2", counter::now());
        msr!("cntv_ctl_el0", 0);
        msr!("mdscr_el1", 0);
        msr!("oslar_el1", 0); // a locked OS lock keeps breakpoints from matching
        barrier_isb();
        reset_el1(self.controls.hcr & hcr::RW == 0);
        self.hcr = self.controls.hcr;
        msr!("hcr_el2", self.hcr);
        barrier_isb();
        // SAFETY: drops this VMID's stale translations, if it ever had any.
        unsafe { core::arch::asm!("tlbi vmalls12e1is", "dsb ish", "isb", options(nostack)) }
        *area_vcpu = self.entry.clone();
        self.vm.enter(CPU, area_vcpu, &mut self.hardware);
        self.account = Account {
            started: counter::now(),
            ..Account::default()
        };
    }

    /// The guest may have dealt with an interrupt that stays active on the host until its
    /// device lets go of the line: look, before the board answers anything.
    #[inline]
    fn resample_forwarded(&mut self) {
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

    /// Interrupt inputs, timer and console, as the board has them now.
    #[inline]
    fn before_entry(&mut self) {
        if self.typed_ahead {
            self.receive();
        }
        if self.timer_forwarded && !self.vm.virtual_timer_is_high(CPU) {
            self.timer_forwarded = false;
            gic::deactivate(counter::VIRTUAL_TIMER);
        }
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
        if let Some(port) = self.vm.board().console()
            && console::drain(self.number, port)
        {
            self.account.speaks();
        }
        let deadline = self.vm.deadline();
        let flush = console::flush_due(self.hardware.hz());
        if deadline != self.armed || flush.is_some() != self.flush_at.is_some() {
            self.arm(deadline, flush);
        }
    }

    /// Sets the hypervisor's timer for the board's deadline, or for the link's if that is first.
    fn arm(&mut self, deadline: Option<Instant>, flush: Option<u64>) {
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
    fn take_interrupts(&mut self) -> Next {
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
                    console::interrupt(other);
                }
            }
            gic::deactivate(id);
        }
        let next = self.vm.catch_up(CPU, &mut self.hardware);
        self.receive();
        if fired {
            self.arm(self.vm.deadline(), console::flush_due(self.hardware.hz()));
        }
        self.before_entry();
        next
    }

    /// Bytes for this VM's console, as many as its UART takes now.
    fn receive(&mut self) {
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

    /// Maps a window of direct reads, with its aliases, or takes it away so that reads trap.
    fn switch_direct_reads(&mut self, of: usize, on: bool) {
        let Self {
            vm,
            hardware,
            stage2,
            ..
        } = self;
        let plan = vm.board().plan();
        for index in (0..plan.windows.len()).filter(|index| stage2::shows(plan, *index, of)) {
            let place = &mut |backing| hardware.memory.place(backing);
            let Some(mapping) = stage2::mapping_of(plan, index, true, place) else {
                continue;
            };
            let result = if on && stage2.lookup(&Stage2Tables, mapping.at).is_some() {
                Ok(())
            } else if on {
                stage2.map(&mut Stage2Tables, mapping)
            } else {
                stage2.unmap(&mut Stage2Tables, mapping.at, mapping.bytes)
            };
            if let Err(why) = result {
                log::error!("{}: direct reads {on}: {why:?}", plan.windows[index].node);
            }
        }
    }

    /// Maps everything that is mapped after a reset.
    pub fn map_windows(&mut self) -> Result<(), (usize, stage2::Refused)> {
        let Self {
            vm,
            hardware,
            stage2,
            ..
        } = self;
        let plan = vm.board().plan();
        for index in 0..plan.windows.len() {
            let place = &mut |backing| hardware.memory.place(backing);
            if let Some(mapping) = stage2::mapping_of(plan, index, true, place) {
                stage2
                    .map(&mut Stage2Tables, mapping)
                    .map_err(|why| (index, why))?;
            }
        }
        Ok(())
    }

    /// As the power comes on: RAM cleared, stores erased, images copied in from the verified
    /// bundle.
    pub fn power_on(&self) -> Result<(), Unbacked> {
        let memory = &self.hardware.memory;
        memory.erase_stores();
        for image in &self.images {
            if let Place::Store(store, offset) = image.to {
                memory.store_write(store, offset, image.bytes)?;
            }
        }
        self.load_memory()
    }

    /// RAM cleared, and its images copied in. Stores stay: a flash keeps through a reset what
    /// the guest wrote to it.
    fn load_memory(&self) -> Result<(), Unbacked> {
        let memory = &self.hardware.memory;
        memory.clear();
        for image in &self.images {
            if let Place::Memory(at) = image.to {
                memory.load(at, image.bytes)?;
            }
        }
        memory.publish();
        Ok(())
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
        self.before_entry();
        loop {
            let lines = self.vm.lines(CPU);
            if lines.irq || lines.fiq {
                return None;
            }
            let from = counter::now();
            wait_for_interrupt();
            self.account.idle += counter::now() - from;
            match self.take_interrupts() {
                Next::Resume | Next::Wait => {}
                other => return Some(other),
            }
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
        self.timer_forwarded = false;
        self.armed = None;
        self.load_registers(vcpu);
    }

    fn reset_direct_reads(&mut self, window: usize) {
        let kind = &self.vm.board().plan().windows[window].kind;
        if let WindowKind::DirectReads { at_reset, .. } = *kind {
            self.switch_direct_reads(window, false);
            self.switch_direct_reads(window, at_reset);
        }
    }

    fn end(&mut self, why: &str) -> ! {
        console::drain_all(self);
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

/// EL1 as a reset leaves it; what the architecture leaves unknown is zero.
fn reset_el1(a32: bool) {
    // RES1 bits and the reset values of SCTLR (DDI 0487, G8.2.126 and D17.2.118).
    msr!("sctlr_el1", if a32 { 0x00c5_0078 } else { 0x30d0_0800 });
    for_each_zero();
}

macro_rules! zero {
    ($($name:literal),* $(,)?) => { $(msr!($name, 0);)* };
}

fn for_each_zero() {
    zero!(
        "vbar_el1",
        "cpacr_el1",
        "ttbr0_el1",
        "ttbr1_el1",
        "tcr_el1",
        "mair_el1",
        "amair_el1",
        "esr_el1",
        "far_el1",
        "elr_el1",
        "spsr_el1",
        "sp_el0",
        "sp_el1",
        "ifsr32_el2",
        "dacr32_el2",
        "spsr_abt",
        "spsr_und",
        "spsr_irq",
        "spsr_fiq",
        "contextidr_el1",
        "tpidr_el0",
        "tpidrro_el0",
        "tpidr_el1",
        "par_el1",
        "cntkctl_el1",
        "csselr_el1",
        "fpexc32_el2",
        "afsr0_el1",
        "afsr1_el1",
        "cntv_cval_el0",
    );
}

/// Reads a tapped register of the host.
pub fn host_register_read(at: HostPa, width: Width) -> u64 {
    // SAFETY: the board answers with a host address only inside a tapped window, whose pages
    // were mapped as device memory when the VM was built; reading them is the guest's own
    // access, which it would make itself without the tap.
    unsafe {
        match width {
            Width::Byte => u64::from((at.0 as *const u8).read_volatile()),
            Width::Half => u64::from((at.0 as *const u16).read_volatile()),
            Width::Word => u64::from((at.0 as *const u32).read_volatile()),
            Width::Double => (at.0 as *const u64).read_volatile(),
        }
    }
}

/// Writes a tapped register of the host.
pub fn host_register_write(at: HostPa, width: Width, value: u64) {
    // SAFETY: as in `host_register_read`.
    unsafe {
        match width {
            Width::Byte => (at.0 as *mut u8).write_volatile(value as u8),
            Width::Half => (at.0 as *mut u16).write_volatile(value as u16),
            Width::Word => (at.0 as *mut u32).write_volatile(value as u32),
            Width::Double => (at.0 as *mut u64).write_volatile(value),
        }
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
                other => console::interrupt(other),
            }
            gic::deactivate(id);
        }
    }
}

fn guest_of(area: &mut CoreArea) -> (&mut Box<Guest>, &mut Vcpu) {
    let guest = area.guest.as_mut().expect("a guest's exit has a guest");
    (guest, &mut area.vcpu)
}

/// A synchronous exception from the guest (vectors.S).
#[unsafe(no_mangle)]
extern "C" fn guest_sync(area: &'static mut CoreArea, esr: u64) {
    let (guest, vcpu) = guest_of(area);
    #[cfg(feature = "fault-injection")]
    super::fault::injected(esr);
    guest.account.traps += 1;
    let far = mrs!("far_el2");
    let ipa = Ipa((mrs!("hpfar_el2") & 0x0000_0fff_ffff_fff0) << 8 | far & 0xfff);
    guest.resample_forwarded();
    match guest
        .vm
        .trap(CPU, vcpu, &mut guest.hardware, Trap { esr, far, ipa })
    {
        Next::Resume => guest.before_entry(),
        next => guest.act(next, vcpu),
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
