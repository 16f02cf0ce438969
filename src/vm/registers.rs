//! The system registers that trap, whichever instruction names them, and what each does.
//!
//! [`super::cp15`] and [`super::sysreg64`] name a register; [`Vm::register`] reads or writes it.
//! DDI 0406C, B4 and DDI 0487, D17; what a CPU adds is in its own manual (see [`super::cpu`]).

use super::debug::DebugRegister;
use super::inject;
use super::pmu::PmuRegister;
use super::report::{Reason, Switch};
use super::timer::TimerRegister;
use super::{Core, SysReg, Vm, set_way};
use crate::access::{Initiator, Width};
use crate::board::{Board, Reply, Transaction, World};

/// A register that traps, or that a CPU has and the host may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Register {
    Midr,
    Ctr,
    Tcmtr,
    Tlbtr,
    Mpidr,
    Revidr,
    Id {
        crm: u8,
        opc2: u8,
    },
    Ccsidr,
    Clidr,
    Aidr,
    Csselr,
    Actlr,
    Vbar,
    Isr,
    /// Secure configuration: of a guest that entered in Secure state.
    Scr,
    Sder,
    Nsacr,
    Mvbar,
    Frequency,
    L2Control,
    L2ExtendedControl,
    PeripheralBase,
    A9PowerControl,
    A9Diagnostic,
    SetWay,
    /// ARMv5: all of the data cache, or of both.
    V5Invalidate,
    /// ARMv5: cleans a part of the data cache, and tells in Z whether it was the last.
    V5TestClean,
    /// ARMv5: there, reads as zero, and without an effect on a guest.
    V5Nothing,
    Fpsid,
    Mvfr(u8),
    Pmu(PmuRegister),
    Timer(TimerRegister),
    Debug(DebugRegister),
    /// The interrupt controller's, at its offset there: a GICv3's CPU interface.
    Gic(u64),
    /// OSLAR_EL1, whose bit 0 is the lock.
    OsLock64,
    /// There, reads as zero, takes no write.
    Zero,
}

/// Why a register is not read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The instruction is undefined there.
    Undefined,
    /// The VM cannot go on.
    Stop(Reason),
    /// Not all is done: the instruction is to be executed again, after interrupts.
    Again,
}

/// SCR.NS.
const SCR_NS: u64 = 1;
/// NSACR as a Non-secure state sees it whose Secure state opened the VFP: cp10 and cp11.
const NSACR_OPEN: u64 = 0xc00;

impl Register {
    /// Whether EL0 may ever get this far: what is refused to it by the guest's own controls
    /// never traps to EL2.
    const fn reaches_el0(self) -> bool {
        matches!(
            self,
            Self::Ctr
                | Self::Timer(_)
                | Self::Pmu(_)
                | Self::Debug(
                    DebugRegister::Identification
                        | DebugRegister::StatusInternal
                        | DebugRegister::TransferInternal
                )
        )
    }
}

impl Vm {
    /// Reads (`write` is `None`) or writes a register of vCPU `cpu`. A write's result is 0.
    pub(super) fn register(
        &mut self,
        cpu: u8,
        core: &mut impl Core,
        user: bool,
        register: Register,
        write: Option<u64>,
    ) -> Result<u64, Refused> {
        match register {
            Register::Gic(offset) => self.gic_register(cpu, core, user, offset, write),
            other => self.own_register(cpu, core, user, other, write),
        }
    }

    #[allow(clippy::too_many_lines)] // One arm a register: a table.
    fn own_register(
        &mut self,
        cpu: u8,
        core: &mut impl Core,
        user: bool,
        register: Register,
        write: Option<u64>,
    ) -> Result<u64, Refused> {
        let now = self.now(core);
        let aarch64 = self.model.aarch64;
        let secure = self.secure();
        let ticks = core.ticks();
        let lines = self.board.cpu_lines(cpu);
        let model = self.model;
        let cpus = self.cpus.len() as u64;
        let state = self
            .cpus
            .get_mut(usize::from(cpu))
            .ok_or(Refused::Stop(Reason::NoSuchCpu))?;
        if user && !register.reaches_el0() {
            return Err(Refused::Undefined);
        }
        let Some(value) = write else {
            return Ok(match register {
                Register::Midr => u64::from(model.midr),
                Register::Ctr => u64::from(model.ctr),
                Register::Tlbtr => u64::from(model.tlbtr),
                Register::Mpidr => state.mpidr,
                Register::Revidr => u64::from(model.revidr),
                Register::Id { crm, opc2 } => {
                    model.id(crm, opc2) | gic_field(&self.board, crm, opc2)
                }
                Register::Ccsidr => u64::from(model.ccsidr(state.csselr)),
                Register::Clidr => u64::from(model.clidr),
                Register::Csselr => u64::from(state.csselr),
                Register::Actlr => u64::from(state.actlr),
                Register::Vbar => core.get(SysReg::VbarEl1),
                // I and F: what is pending, whatever the masks say.
                Register::Isr => u64::from(lines.irq) << 7 | u64::from(lines.fiq) << 6,
                Register::Scr if secure => state.scr,
                Register::Sder if secure => state.sder,
                Register::Mvbar if secure => state.mvbar,
                Register::Nsacr => {
                    if secure {
                        state.nsacr
                    } else {
                        NSACR_OPEN
                    }
                }
                Register::L2Control if model.l2_control => {
                    state.l2_control | (cpus.saturating_sub(1) & 3) << 24
                }
                Register::L2ExtendedControl if model.l2_control => state.l2_extended,
                Register::PeripheralBase => self.peripheral_base,
                Register::A9PowerControl if model.a9_control => state.a9_power,
                Register::A9Diagnostic if model.a9_control => state.a9_diagnostic,
                Register::Fpsid => u64::from(model.fpsid),
                Register::Mvfr(n) => {
                    u64::from(model.mvfr.get(usize::from(n)).copied().unwrap_or(0))
                }
                Register::Pmu(r) => {
                    if user && !state.pmu.open_to_user() && r != PmuRegister::User {
                        return Err(Refused::Undefined);
                    }
                    state.pmu.read(r, model.pmcr, now.0)
                }
                Register::Timer(r) => state.timer.read(r, ticks),
                Register::Debug(r) => state.debug.read(r, model),
                Register::V5TestClean if model.v5 => {
                    let k = state.v5_cleaned;
                    let last = k >= set_way::V5_SHARES.saturating_sub(1);
                    state.v5_cleaned = if last { 0 } else { k.saturating_add(1) };
                    let (k, n) = (k.into(), set_way::V5_SHARES.into());
                    set_way::clean(self.board.plan(), (k, n), 0, u64::MAX, core);
                    // Its target is R15: bit 30 becomes Z.
                    u64::from(last) << 30
                }
                Register::V5Nothing if model.v5 => 0,
                Register::Tcmtr | Register::Aidr | Register::Zero => 0,
                _ => return Err(Refused::Undefined),
            });
        };
        match register {
            Register::Csselr => state.csselr = value as u32 & 0xf,
            Register::Actlr => state.actlr = value as u32 & model.actlr_mask,
            Register::Vbar => {
                let kept = if aarch64 { !0x7ff } else { 0xffff_ffe0 };
                core.set(SysReg::VbarEl1, value & kept);
                self.watch(core);
            }
            Register::Scr if secure => {
                if value & SCR_NS != 0 {
                    return Err(Refused::Stop(Reason::SecureSwitch(Switch::NonSecure)));
                }
                state.scr = value & 0x3ff;
            }
            Register::Sder if secure => state.sder = value & 3,
            Register::Nsacr if secure => state.nsacr = value & 0xffff_ffff,
            Register::Mvbar if secure => state.mvbar = value & 0xffff_ffe0,
            // The counter's frequency is the host's; `check` has compared it.
            Register::Frequency | Register::PeripheralBase if secure => {}
            Register::L2Control if model.l2_control => state.l2_control = value & 0xfcff_ffff,
            Register::L2ExtendedControl if model.l2_control => {
                state.l2_extended = value & 0xffff_ffff;
            }
            Register::A9PowerControl if model.a9_control => state.a9_power = value & 0x701,
            Register::A9Diagnostic if model.a9_control => {
                state.a9_diagnostic = value & 0xffff_ffff;
            }
            // Data that an invalidate would lose is kept (see set_way).
            Register::V5Invalidate if model.v5 => core.invalidate_code(),
            Register::V5Nothing if model.v5 => {}
            Register::SetWay => {
                let operand = value as u32;
                let so_far = state.maintains.filter(|(own, _)| *own == operand);
                let done = so_far.map_or(0, |(_, done)| done);
                let left = set_way::maintain(self.board.plan(), model, operand, done, core);
                state.maintains = left.map(|done| (operand, done));
                if left.is_some() {
                    return Err(Refused::Again);
                }
            }
            Register::Pmu(r) => {
                if user && (!state.pmu.open_to_user() || r == PmuRegister::User) {
                    return Err(Refused::Undefined);
                }
                state.pmu.write(r, model.pmcr, now.0, value);
            }
            Register::Timer(TimerRegister::Counter) => return Err(Refused::Undefined),
            Register::Timer(r) => {
                state.timer.write(r, ticks, value);
                self.physical_timer(cpu, core, now);
            }
            Register::Debug(r) => state.debug.write(r, value),
            Register::OsLock64 => state.debug.set_os_lock(value & 1 != 0),
            // FPSID takes writes and ignores them (DDI 0406C, B4.1.58).
            Register::Fpsid | Register::Zero => {}
            _ => return Err(Refused::Undefined),
        }
        Ok(0)
    }

    /// A register of the interrupt controller: undefined where the board's has none.
    #[inline(never)]
    fn gic_register(
        &mut self,
        cpu: u8,
        core: &mut impl Core,
        user: bool,
        offset: u64,
        write: Option<u64>,
    ) -> Result<u64, Refused> {
        if user {
            return Err(Refused::Undefined);
        }
        let how = Transaction {
            width: Width::Double,
            initiator: Initiator::Cpu(cpu),
            security: self.security(),
            privileged: true,
        };
        let world = World {
            now: self.now(core),
            memory: core.memory(),
        };
        match self.board.system_register(&world, offset, how, write) {
            Ok(Reply::Value(value)) => Ok(value),
            Ok(_) => Ok(0),
            Err(_) => Err(Refused::Undefined),
        }
    }

    /// Puts the breakpoints on the UNDEF vector where the guest's VBAR has it, and high.
    pub(super) fn watch(&self, core: &mut impl Core) {
        if self.model.aarch64 {
            core.watch_undef_vectors(None);
            return;
        }
        let low = core.get(SysReg::VbarEl1) & 0xffff_ffe0;
        core.watch_undef_vectors(Some([
            low | inject::vector::UNDEFINED,
            inject::vector::HIGH | inject::vector::UNDEFINED,
        ]));
    }
}

/// `ID_PFR1.GIC` (CRm 1, opc2 1) and `ID_AA64PFR0_EL1.GIC` (CRm 4, opc2 0): the system registers of
/// a GICv3 are there, on a board that has one.
fn gic_field(board: &Board, crm: u8, opc2: u8) -> u64 {
    match (crm, opc2) {
        (1, 1) if board.has_system_registers() => 1 << 28,
        (4, 0) if board.has_system_registers() => 1 << 24,
        _ => 0,
    }
}
