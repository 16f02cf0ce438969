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

pub mod el2_controls;
pub mod report;
pub mod stage2;

use crate::access::Width;
use crate::board::{Board, CpuLines, MapError, Plan};
use crate::memory::BoardMemory;
use crate::units::{HostPa, Instant, Ipa};
pub use crate::vcpu::Vcpu;
use alloc::string::String;
use el2_controls::El2Controls;
use report::{Reason, Report};

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
    /// Where the guest's stage 1 puts `va` for a privileged read (AT S12E1R, and PAR_EL1 is left
    /// as the guest had it), or the PAR_EL1 that says why nowhere.
    fn translate(&mut self, va: u64) -> Result<Ipa, u64>;
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
    /// coherency. The range lies in one RAM window.
    fn clean_invalidate(&mut self, from: Ipa, bytes: u64);
}

/// What the metal does after a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Enter the guest again.
    Resume,
    /// Resume, but first carry out what [`Board::take_asks`] gives: a window changed.
    Asks,
    /// WFI or WFE was trapped: enter again when [`Vm::lines`] has one high, at
    /// [`Vm::deadline`], or after a host interrupt.
    Wait,
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

/// A virtual machine.
pub struct Vm {
    name: String,
    board: Board,
}

impl Vm {
    /// Builds the VM that runs the board of `plan`; `hz` is the guest counter's frequency.
    pub fn new(name: &str, plan: &Plan, _hz: u64) -> Result<Self, MapError> {
        Ok(Self {
            name: String::from(name),
            board: Board::build(plan)?,
        })
    }

    /// The name that the user gave.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values of EL2's control registers for this VM. `owned` says that its core serves no
    /// other VM: WFI then need not trap.
    pub fn controls(&self, owned: bool) -> El2Controls {
        El2Controls::new(true, owned)
    }

    /// What vCPU `cpu` reads as its identity.
    pub fn identity(&self, _cpu: u8) -> Identity {
        Identity { midr: 0, mpidr: 0 }
    }

    /// Prepares `core` for the first entry of `cpu` after a reset, whose EL1 registers the metal
    /// has reset.
    pub fn enter(&mut self, _cpu: u8, _core: &mut impl Core) {}

    /// Puts the board into its reset state, before the vCPU enters anew.
    pub fn reset(&mut self, _cpu: u8, _core: &mut impl Core) {}

    /// Handles a synchronous exception from the guest.
    pub fn trap(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core, _trap: Trap) -> Next {
        self.stop(cpu, regs, core, Reason::Unexpected)
    }

    /// Brings timers and devices up to now.
    pub fn catch_up(&mut self, _cpu: u8, _core: &mut impl Core) -> Next {
        Next::Resume
    }

    /// CNTV's output, which the hardware runs, is now at `level`.
    pub fn virtual_timer(&mut self, _cpu: u8, _core: &mut impl Core, _level: bool) {}

    /// When [`Vm::catch_up`] is next owed.
    pub fn deadline(&self) -> Option<Instant> {
        self.board.deadline()
    }

    /// The interrupt inputs of vCPU `cpu`: HCR_EL2.VI and VF.
    pub fn lines(&self, cpu: u8) -> CpuLines {
        self.board.cpu_lines(cpu)
    }

    /// The board.
    pub fn board(&mut self) -> &mut Board {
        &mut self.board
    }

    /// Stops the VM for a reason that the metal found, and makes its report.
    pub fn stop(&mut self, _: u8, _: &Vcpu, _: &mut impl Core, _: Reason) -> Next {
        Next::Stop
    }

    /// Why the VM stopped, for printing (`{}`).
    pub fn report(&self) -> Option<Report<'_>> {
        None
    }
}
