//! The virtual machine: a board with vCPUs in it.
//!
//! The metal catches an exception from the guest, hands it to [`Vm::trap`], and does what the
//! [`Next`] says. Everything in between is here, tested on the host with a fake [`Core`].
//!
//! How the metal uses it:
//!
//! 1. [`Vm::new`]; program EL2 with [`Vm::controls`] and, for each vCPU, VPIDR_EL2 and VMPIDR_EL2
//!    with [`Vm::identity`].
//! 2. Before the first entry of a vCPU, with its EL1 registers reset: [`Vm::enter`].
//! 3. On each synchronous exception: [`Vm::trap`]. On each host interrupt, and at
//!    [`Vm::deadline`]: [`Vm::catch_up`]. When CNTV's interrupt comes: [`Vm::virtual_timer`].
//! 4. Before each entry: HCR_EL2.VI and VF from [`Vm::lines`].
//!
//! No call allocates: what a report needs is set aside by [`Vm::new`].

pub mod banks;
mod cp15;
pub mod cpu;
mod debug;
pub mod el2_controls;
#[cfg(test)]
mod fake;
mod fetch;
pub mod hypercall;
pub mod inject;
mod instruction;
mod pmu;
mod psci;
pub mod quick;
mod reach;
mod registers;
pub mod report;
mod secure;
mod set_way;
pub mod stage2;
mod sysreg64;
#[cfg(test)]
mod tests;
mod timer;
mod traps;
mod undef;

use crate::access::Width;
use crate::board::{Board, BoardAsk, CpuLines, CpuTimer, MapError, News, Plan, World};
use crate::emul::Reset;
use crate::memory::BoardMemory;
use crate::mmio::decode::plain::Remembered;
use crate::mmio::syndrome::{Syndrome, ec};
use crate::units::{HostPa, Instant, Ipa, ns_for};
pub use crate::vcpu::Vcpu;
use alloc::string::String;
use alloc::vec::Vec;
use cpu::Model;
use debug::Debug;
use el2_controls::El2Controls;
use pmu::Pmu;
pub use psci::CpuStart;
use report::{Reason, Registers, Report, Stopped};
use timer::PhysicalTimer;

/// A synchronous exception from the guest, as EL2's syndrome registers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// ESR_EL2.
    pub esr: u64,
    /// FAR_EL2: the virtual address, for an abort.
    pub far: u64,
    /// From HPFAR_EL2 and FAR_EL2's page offset: where a stage-2 abort was, to the byte.
    pub ipa: Ipa,
}

/// Registers of the guest that the hardware holds while the VM runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SysReg {
    SctlrEl1,
    VbarEl1,
    CpacrEl1,
    ActlrEl1,
    Ttbr0El1,
    Ttbr1El1,
    TcrEl1,
    MairEl1,
    EsrEl1,
    FarEl1,
    ElrEl1,
    SpsrEl1,
    SpEl0,
    SpEl1,
    Ifsr32,
    Dacr32,
    SpsrAbt,
    SpsrUnd,
    SpsrIrq,
    SpsrFiq,
    ContextidrEl1,
    TpidrEl0,
    TpidrroEl0,
    TpidrEl1,
    ParEl1,
    CntvCtl,
    CntvCval,
    Csselr,
    Amair,
    /// TPIDR_EL1's AArch32 neighbours lie in TPIDR_EL0, TPIDRRO_EL0 and TPIDR_EL1.
    CntkctlEl1,
    /// CNTVOFF_EL2: what the guest's CNTVCT is behind the host's counter.
    Cntvoff,
    Fpexc32,
}

/// An access, as the address translation instructions tell them apart (DDI 0487, C5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// AT S12E1R: a privileged read.
    E1Read,
    /// AT S12E1W: a privileged write.
    E1Write,
    /// AT S12E0R: a read from User mode.
    E0Read,
    /// AT S12E0W: a write from User mode.
    E0Write,
}

/// What the guest's stage 1 says of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage1 {
    /// The page on the board.
    pub page: Ipa,
    /// It is Device memory, as everything is while stage 1 is off.
    pub device: bool,
    /// It is Device-nGnRnE (Strongly-ordered), or the host does not tell: QEMU 7.2 says this of
    /// every page of the short-descriptor format.
    pub untold: bool,
    /// It is Normal memory, write-back cacheable.
    pub cached: bool,
}

/// The physical core under the vCPU. The metal implements it; tests fake it.
pub trait Core {
    /// Reads a register of the guest.
    fn get(&self, reg: SysReg) -> u64;
    /// Writes a register of the guest.
    fn set(&mut self, reg: SysReg, value: u64);
    /// The guest's counter: CNTVCT, which is also what its CNTPCT shows. 0 at the board's reset.
    fn ticks(&self) -> u64;
    /// The counter's frequency in hertz.
    fn hz(&self) -> u64;
    /// Where the guest's stage 1 puts `va` for this access, which stage 2 lets through, or the
    /// PAR_EL1 that says why nowhere. PAR_EL1 itself is left as the guest had it.
    fn translate(&mut self, va: u64, how: At) -> Result<Ipa, u64>;
    /// Where the guest's stage 1 alone puts the page of `va` for this access, or the PAR_EL1 that
    /// says why nowhere. PAR_EL1 itself is left as the guest had it.
    fn stage_1(&mut self, va: u64, how: At) -> Result<Stage1, u64>;
    /// Copies code at `va`: RAM, ROM, or a flash from which the guest executes in place. None if
    /// it is not mapped, and for a device.
    fn code(&mut self, va: u64, into: &mut [u8]) -> Option<()>;
    /// The 32 bits of code at `va`, a multiple of 4, as [`code`](Core::code) has them.
    fn code_word(&mut self, va: u64) -> Option<u32> {
        let mut word = [0; 4];
        self.code(va, &mut word)?;
        Some(u32::from_le_bytes(word))
    }
    /// Whether the SPSR of the guest's own mode is not what [`get`](Core::get) and
    /// [`set`](Core::set) reach by its name (docs/adr/0005).
    fn hides_spsr(&self) -> bool;
    /// On such a host: the core's banks are those of the privileged mode `to` from now on, and no
    /// more those of `from`.
    fn change_banks(&mut self, from: u64, to: u64);
    /// The guest's V register `n`, 0 to 31.
    fn simd(&mut self, n: u8) -> u128;
    /// Sets the guest's V register `n`, 0 to 31.
    fn set_simd(&mut self, n: u8, value: u128);
    /// How many bytes DC ZVA clears: DCZID_EL0.
    fn zero_block_bytes(&self) -> u64;
    /// The VM's memory.
    fn memory(&self) -> &dyn BoardMemory;
    /// Reads a register of the host: a tapped device.
    fn host_read(&mut self, at: HostPa, width: Width) -> u64;
    /// Writes a register of the host: a tapped device.
    fn host_write(&mut self, at: HostPa, width: Width, value: u64);
    /// Sets two hardware breakpoints, routed to EL2, on the guest's UNDEF vector: where VBAR puts
    /// it, and the high one (0xffff_0004), because SCTLR.V changes without a trap. Or none.
    fn watch_undef_vectors(&mut self, at: Option<[u64; 2]>);
    /// Software step, routed to EL2: the guest executes one instruction, then traps (EC 0x32).
    fn step(&mut self, on: bool);
    /// Cleans and invalidates guest RAM in the data caches, by address, to the point of
    /// coherency. A range that does not lie in one RAM window is left alone.
    fn clean_invalidate(&mut self, from: Ipa, bytes: u64);
    /// Invalidates the instruction caches.
    fn invalidate_code(&mut self);
}

/// What the metal does after a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Enter the guest again.
    Resume,
    /// Resume, but first change stage 2 as the board asks, then do what else
    /// [`Board::take_ask`] gives.
    Ask(BoardAsk),
    /// WFI or WFE was trapped: enter again when [`Vm::lines`] has one high, at
    /// [`Vm::deadline`], or after a host interrupt.
    Wait,
    /// Resume, and start another CPU that was off.
    CpuOn(CpuStart),
    /// The CPU is off.
    CpuOff,
    /// The board resets: build the VM's objects and its memory anew, and enter.
    Reset,
    /// The guest switched its board off.
    PowerOff,
    /// The VM cannot go on; [`Vm::report`] says why.
    Stop,
}

/// What a vCPU reads as MIDR and MPIDR: VPIDR_EL2 and VMPIDR_EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// MIDR.
    pub midr: u64,
    /// MPIDR, with affinity from the board's cpu node.
    pub mpidr: u64,
}

/// Board time from counter ticks, without a division where the frequency allows it.
#[derive(Clone, Copy, Debug)]
struct Clock {
    hz: u64,
    /// Nanoseconds a tick, or 0 if that is no whole number.
    whole: u64,
}

impl Clock {
    const fn new(hz: u64) -> Self {
        const NS: u64 = 1_000_000_000;
        let whole = match (NS.checked_rem(hz), NS.checked_div(hz)) {
            (Some(0), Some(ns)) => ns,
            _ => 0,
        };
        Self { hz, whole }
    }

    #[inline]
    fn at(self, ticks: u64) -> Instant {
        Instant(match self.whole {
            0 => ns_for(ticks, self.hz),
            // 64 bits of nanoseconds last for 584 years.
            ns => ticks.wrapping_mul(ns),
        })
    }
}

/// What of a vCPU is kept here and not in the hardware.
#[derive(Clone, Debug, Default)]
struct CpuState {
    /// Whether it is switched on.
    on: bool,
    mpidr: u64,
    csselr: u32,
    actlr: u32,
    scr: u64,
    sder: u64,
    nsacr: u64,
    mvbar: u64,
    l2_control: u64,
    l2_extended: u64,
    a9_power: u64,
    a9_diagnostic: u64,
    /// The operation by set and way that is under way, by its operand, and how many bytes are done.
    maintains: Option<(u32, u64)>,
    /// How many shares of RAM a loop of test and clean has been through.
    v5_cleaned: u16,
    pmu: Pmu,
    debug: Debug,
    timer: PhysicalTimer,
    /// When `timer`'s output rises.
    timer_deadline: Option<Instant>,
    /// The level of CNTV's output, as the board was told.
    virtual_level: bool,
    /// Until then neither timer has to be looked after: see [`CpuState::note`].
    quiet_until: Instant,
    /// The PC of an instruction that could not be fetched, and how often in succession.
    refetched: (u64, u8),
}

impl CpuState {
    /// One of the timers has changed: until when is there nothing to do for them?
    fn note(&mut self) {
        self.quiet_until = if self.virtual_level {
            Instant::ZERO
        } else {
            self.timer_deadline.unwrap_or(Instant(u64::MAX))
        };
    }
}

/// A virtual machine.
pub struct Vm {
    name: String,
    board: Board,
    model: &'static Model,
    clock: Clock,
    cpus: Vec<CpuState>,
    /// CBAR.
    peripheral_base: u64,
    stopped: Option<Stopped>,
    /// See [`Vm::take_news`].
    news: News,
    /// Instructions that were carried out at once: see [`quick`].
    remembered: Remembered,
}

/// CNTV_CTL: enabled, not masked, condition met.
const CNTV_FIRES: u64 = 0b101;

impl Vm {
    /// Builds the VM that runs the board of `plan`; `hz` is the guest counter's frequency.
    pub fn new(name: &str, plan: &Plan, hz: u64) -> Result<Self, MapError> {
        let wrong = |node: &str, what: &str, mend: &str| MapError {
            node: String::from(node),
            property: Some(String::from("compatible")),
            what: String::from(what),
            mend: String::from(mend),
        };
        let first = plan.cpus.first().ok_or_else(|| {
            wrong(
                "/cpus",
                "the board has no CPU",
                "give it a cpu node of a known CPU",
            )
        })?;
        let model = cpu::model(&first.compatible).ok_or_else(|| {
            wrong(
                &first.node,
                "this CPU is not known",
                "use arm,arm926ej-s, arm,cortex-a8, arm,cortex-a9, arm,cortex-a15 or arm,cortex-a57",
            )
        })?;
        let cpus = plan.cpus.iter().map(|c| CpuState {
            mpidr: model.mpidr(c.affinity),
            nsacr: if plan.secure { 0 } else { 0xc00 },
            ..CpuState::default()
        });
        Ok(Self {
            name: String::from(name),
            board: Board::build(plan)?,
            model,
            clock: Clock::new(hz),
            cpus: cpus.collect(),
            peripheral_base: peripheral_base(plan),
            stopped: None,
            news: News::ALL,
            remembered: Remembered::new(),
        })
    }

    /// The name that the user gave.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The CPU that the guest sees.
    pub fn cpu(&self) -> &'static Model {
        self.model
    }

    /// The values of EL2's control registers for this VM, whose WFI traps or not.
    pub fn controls(&self, trap_wfi: bool) -> El2Controls {
        El2Controls::new(!self.model.aarch64, trap_wfi)
    }

    /// What vCPU `cpu` reads as its identity.
    pub fn identity(&self, cpu: u8) -> Identity {
        let mpidr = self
            .cpus
            .get(usize::from(cpu))
            .map_or(self.model.mpidr, |c| c.mpidr);
        Identity {
            midr: u64::from(self.model.midr),
            mpidr,
        }
    }

    /// Puts the whole board back as a cold reset does; board time must begin at 0 again
    /// (CNTVOFF). [`Vm::enter`] comes next.
    pub fn reset(&mut self, core: &impl Core) {
        for state in &mut self.cpus {
            *state = CpuState {
                mpidr: state.mpidr,
                nsacr: if self.board.plan().secure { 0 } else { 0xc00 },
                ..CpuState::default()
            };
        }
        self.stopped = None;
        self.news = News::ALL;
        let world = World {
            now: self.clock.at(core.ticks()),
            memory: core.memory(),
        };
        self.board.reset(&world, Reset::Cold);
    }

    /// Prepares `core` for the first entry of `cpu` after a reset, whose EL1 registers the metal
    /// has reset. `regs` are the guest's.
    pub fn enter(&mut self, cpu: u8, regs: &Vcpu, core: &mut impl Core) {
        if let Some(state) = self.cpus.get_mut(usize::from(cpu)) {
            state.on = true;
            state.virtual_level = false;
            state.note();
        }
        core.step(false);
        self.watch(core);
        banks::settle(regs, core);
    }

    /// Brings timers and devices up to now.
    pub fn catch_up(&mut self, cpu: u8, core: &mut impl Core) -> Next {
        let now = self.now(core);
        self.sync_lines(cpu, core, now);
        self.board.advance(&World {
            now,
            memory: core.memory(),
        });
        self.asks()
    }

    /// CNTV's output, which the hardware runs, is now at `level`. Once it is high, each trap and
    /// [`Vm::catch_up`] look whether the guest has brought it down; the metal may let the host's
    /// interrupt through again when [`Vm::virtual_timer_is_high`] says so.
    pub fn virtual_timer(&mut self, cpu: u8, core: &mut impl Core, level: bool) {
        let now = self.now(core);
        self.set_virtual_level(cpu, core, now, level);
    }

    /// Whether the board still sees CNTV's output high.
    pub fn virtual_timer_is_high(&self, cpu: u8) -> bool {
        self.cpus
            .get(usize::from(cpu))
            .is_some_and(|c| c.virtual_level)
    }

    /// What may have changed since this was last asked: most traps change nothing of what the
    /// metal brings up to date before an entry.
    #[inline]
    pub fn take_news(&mut self) -> News {
        core::mem::take(&mut self.news) | self.board.take_news()
    }

    /// When [`Vm::catch_up`] is next owed.
    pub fn deadline(&self) -> Option<Instant> {
        let timers = self.cpus.iter().filter_map(|c| c.timer_deadline);
        timers.chain(self.board.deadline()).min()
    }

    /// The interrupt inputs of vCPU `cpu`: HCR_EL2.VI and VF.
    pub fn lines(&self, cpu: u8) -> CpuLines {
        self.board.cpu_lines(cpu)
    }

    /// The board.
    pub fn board(&mut self) -> &mut Board {
        &mut self.board
    }

    /// The board's time.
    #[inline]
    pub fn now(&self, core: &impl Core) -> Instant {
        self.clock.at(core.ticks())
    }

    /// Stops the VM for a reason that the metal found, and makes its report.
    pub fn stop(&mut self, cpu: u8, regs: &Vcpu, core: &mut impl Core, reason: Reason) -> Next {
        self.stop_at(cpu, regs, core, reason, None)
    }

    fn stop_at(
        &mut self,
        cpu: u8,
        regs: &Vcpu,
        core: &mut impl Core,
        reason: Reason,
        trap: Option<Trap>,
    ) -> Next {
        let now = self.now(core);
        // At the UNDEF vector's breakpoint the core was brought to where all SPSRs show.
        if trap.is_none_or(|t| Syndrome(t.esr).class() != ec::BREAKPOINT) {
            banks::show(regs, core);
        }
        self.stopped = Some(Stopped::take(cpu, now, regs, core, reason, trap));
        Next::Stop
    }

    /// Why the VM stopped, for printing (`{}`).
    pub fn report(&self) -> Option<Report<'_>> {
        self.stopped
            .as_ref()
            .map(|stopped| Report { vm: self, stopped })
    }

    /// The registers of a vCPU that is in the core, for printing (`{}`).
    pub fn registers(&self, cpu: u8, regs: &Vcpu, core: &mut impl Core) -> Registers<'_> {
        Registers::take(self, cpu, regs, core)
    }

    /// What the board asks for, as the metal's next step.
    #[inline]
    pub fn asks(&mut self) -> Next {
        match self.board.take_ask() {
            None => Next::Resume,
            Some(BoardAsk::Reset) => Next::Reset,
            Some(BoardAsk::PowerOff) => Next::PowerOff,
            Some(ask) => Next::Ask(ask),
        }
    }

    /// Brings the timers' outputs up to now, if one may have changed.
    #[inline]
    fn sync_lines(&mut self, cpu: u8, core: &mut impl Core, now: Instant) {
        let Some(state) = self.cpus.get(usize::from(cpu)) else {
            return;
        };
        if state.quiet_until <= now {
            self.timers_outputs(cpu, core, now);
        }
    }

    #[cold]
    fn timers_outputs(&mut self, cpu: u8, core: &mut impl Core, now: Instant) {
        let Some(state) = self.cpus.get(usize::from(cpu)) else {
            return;
        };
        let (due, high) = (
            state.timer_deadline.is_some_and(|d| d <= now),
            state.virtual_level,
        );
        if due {
            self.physical_timer(cpu, core, now);
        }
        if high {
            let level = core.get(SysReg::CntvCtl) & 0b111 == CNTV_FIRES;
            self.set_virtual_level(cpu, core, now, level);
        }
    }

    fn set_virtual_level(&mut self, cpu: u8, core: &mut impl Core, now: Instant, level: bool) {
        let Some(state) = self.cpus.get_mut(usize::from(cpu)) else {
            return;
        };
        if state.virtual_level != level {
            state.virtual_level = level;
            state.note();
            self.news |= News::TIMER;
            let world = World {
                now,
                memory: core.memory(),
            };
            self.board.timer_line(&world, cpu, CpuTimer::Virtual, level);
        }
    }

    /// The physical timer may have changed: its output goes to the board, its deadline is noted.
    fn physical_timer(&mut self, cpu: u8, core: &mut impl Core, now: Instant) {
        let bank = self.timer_bank();
        let Some(state) = self.cpus.get_mut(usize::from(cpu)) else {
            return;
        };
        let ticks = core.ticks();
        self.news |= News::DEADLINE;
        state.timer_deadline = state.timer.deadline(ticks, self.clock.hz);
        state.note();
        let level = state.timer.output(ticks);
        self.board.timer_line(
            &World {
                now,
                memory: core.memory(),
            },
            cpu,
            bank,
            level,
        );
    }
}

/// CBAR: where a CPU's private peripherals are, as its manual has it: a Cortex-A9's SCU, or the
/// page before a later CPU's GIC distributor.
fn peripheral_base(plan: &Plan) -> u64 {
    let base_of = |compatible: &str| {
        let device = plan
            .devices
            .iter()
            .position(|d| d.compatible == compatible)?;
        plan.windows
            .iter()
            .find(|w| {
                matches!(w.kind, crate::board::plan::WindowKind::Device { device: d, region: 0 }
                    if d == device)
            })
            .map(|w| w.at.0 & !0x7fff)
    };
    [
        "arm,cortex-a9-scu",
        "arm,cortex-a15-gic",
        "arm,gic-400",
        "arm,cortex-a9-gic",
    ]
    .into_iter()
    .find_map(base_of)
    .unwrap_or(0)
}
