//! Power state coordination: PSCI 0.1 to 1.1 (DEN 0022E, 5) and the SMC calling convention's
//! version call (DEN 0028D, 7), by HVC or SMC as the map's psci node says.
//!
//! Known deviation: CPU_SUSPEND is a standby whatever state it asks for.

use super::Next;
use super::Vm;
use crate::vcpu::{Vcpu, mode, psr};

const SUCCESS: i32 = 0;
const NOT_SUPPORTED: i32 = -1;
const INVALID_PARAMETERS: i32 = -2;
const DENIED: i32 = -3;
const ALREADY_ON: i32 = -4;

/// AFFINITY_INFO: on, off.
const ON: i32 = 0;
const OFF: i32 = 1;
/// MIGRATE_INFO_TYPE: no trusted OS that would have to migrate.
const NO_TRUSTED_OS: i32 = 2;
/// SMCCC 1.1.
const SMCCC_VERSION: i32 = 0x1_0001;

/// A function of PSCI or SMCCC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Version,
    CpuSuspend,
    CpuOff,
    CpuOn,
    AffinityInfo,
    Migrate,
    MigrateInfoType,
    SystemOff,
    SystemReset,
    Features,
    SmcccVersion,
}

impl Function {
    /// By its number; those of SMC64 exist for AArch64 callers only.
    const fn of(number: u32, version: u16, aarch64: bool) -> Option<Self> {
        let f = match number {
            0x8400_0000 => Self::Version,
            0x8400_0001 => Self::CpuSuspend,
            0x8400_0002 => Self::CpuOff,
            0x8400_0003 => Self::CpuOn,
            0x8400_0004 => Self::AffinityInfo,
            0x8400_0005 => Self::Migrate,
            0x8400_0006 => Self::MigrateInfoType,
            0x8400_0008 => Self::SystemOff,
            0x8400_0009 => Self::SystemReset,
            0x8400_000a if version >= 0x100 => Self::Features,
            0x8000_0000 if version >= 0x100 => Self::SmcccVersion,
            0xc400_0001 if aarch64 => Self::CpuSuspend,
            0xc400_0003 if aarch64 => Self::CpuOn,
            0xc400_0004 if aarch64 => Self::AffinityInfo,
            0xc400_0005 if aarch64 => Self::Migrate,
            _ => return None,
        };
        Some(f)
    }
}

impl Vm {
    /// Whether the board answers PSCI by HVC (`hvc`) or by SMC.
    pub(super) fn has_psci_by(&self, hvc: bool) -> bool {
        self.board
            .plan()
            .psci
            .as_ref()
            .is_some_and(|p| p.hvc == hvc)
    }

    /// One call. The guest's PC is already behind the instruction.
    pub(super) fn psci(&mut self, cpu: u8, regs: &mut Vcpu) -> Next {
        let aarch64 = !regs.is_aarch32();
        let Some(psci) = self.board.plan().psci.as_ref() else {
            return Next::Resume;
        };
        let version = psci.version;
        let number = regs.x(0) as u32;
        let old = psci.functions.iter().position(|f| *f == Some(number));
        let function = match old {
            Some(0) => Some(Function::CpuSuspend),
            Some(1) => Some(Function::CpuOff),
            Some(2) => Some(Function::CpuOn),
            Some(_) => Some(Function::Migrate),
            None if version < 2 => None,
            None => Function::of(number, version, aarch64),
        };
        let wide = aarch64 && number & 1 << 30 != 0;
        let argument = |n: u8| {
            if wide {
                regs.x(n)
            } else {
                regs.x(n) & 0xffff_ffff
            }
        };
        let answer = match function {
            Some(Function::Version) => i32::from(version >> 8) << 16 | minor(version),
            Some(Function::CpuSuspend) => {
                regs.set_x(0, 0);
                return if self.lines(cpu).irq || self.lines(cpu).fiq {
                    Next::Resume
                } else {
                    Next::Wait
                };
            }
            // The last one: nobody is left to switch it on.
            Some(Function::CpuOff) if self.cpus.iter().filter(|c| c.on).count() < 2 => DENIED,
            Some(Function::CpuOff) => {
                if let Some(own) = self.cpus.get_mut(usize::from(cpu)) {
                    own.on = false;
                }
                return Next::CpuOff;
            }
            Some(Function::CpuOn) => {
                let start = CpuStart {
                    cpu: 0,
                    pc: argument(2),
                    context: argument(3),
                    aarch64,
                };
                match self.cpu_of(argument(1)) {
                    None => INVALID_PARAMETERS,
                    Some(other) => match self.switch_on(other) {
                        Some(cpu) => {
                            regs.set_x(0, 0);
                            return Next::CpuOn(CpuStart { cpu, ..start });
                        }
                        None => ALREADY_ON,
                    },
                }
            }
            Some(Function::AffinityInfo) => match (self.cpu_of(argument(1)), argument(2)) {
                (Some(other), 0) if self.cpus.get(other).is_some_and(|c| c.on) => ON,
                (Some(_), 0) => OFF,
                _ => INVALID_PARAMETERS,
            },
            Some(Function::MigrateInfoType) => NO_TRUSTED_OS,
            Some(Function::SystemOff) => return Next::PowerOff,
            Some(Function::SystemReset) => return Next::Reset,
            Some(Function::Features) => {
                let asked = Function::of(argument(1) as u32, version, aarch64);
                match asked {
                    None | Some(Function::Migrate) => NOT_SUPPORTED,
                    Some(_) => SUCCESS,
                }
            }
            Some(Function::SmcccVersion) => SMCCC_VERSION,
            Some(Function::Migrate) | None => NOT_SUPPORTED,
        };
        // SMC32 results fill W0; an AArch64 caller gets them sign-extended, which SMC64 asks for.
        regs.set_x(
            0,
            if aarch64 {
                i64::from(answer).cast_unsigned()
            } else {
                u64::from(answer.cast_unsigned())
            },
        );
        Next::Resume
    }

    /// A CPU that was off is on from now on: its number.
    fn switch_on(&mut self, cpu: usize) -> Option<u8> {
        let state = self.cpus.get_mut(cpu).filter(|state| !state.on)?;
        state.on = true;
        u8::try_from(cpu).ok()
    }

    /// The CPU with this affinity.
    fn cpu_of(&self, affinity: u64) -> Option<usize> {
        self.board
            .plan()
            .cpus
            .iter()
            .position(|c| c.affinity == affinity)
    }
}

/// A CPU that is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuStart {
    /// Its number.
    pub cpu: u8,
    /// `entry_point_address`: bit 0 of an AArch32 one means Thumb.
    pub pc: u64,
    /// `context_id`, which it finds in R0 or X0.
    pub context: u64,
    /// Whether it is in AArch64 state.
    pub aarch64: bool,
}

impl CpuStart {
    /// The state in which it starts (DEN 0022E, 6.4): with interrupts masked, at EL1 or in Supervisor
    /// mode.
    pub fn entry(&self) -> Vcpu {
        let mut x = [0; 31];
        if let Some(first) = x.first_mut() {
            *first = self.context;
        }
        let masks = psr::A | psr::I | psr::F;
        let thumb = if self.pc & 1 != 0 { psr::T } else { 0 };
        let (pc, spsr) = if self.aarch64 {
            (self.pc, psr::DAIF | psr::EL1H)
        } else {
            (self.pc & 0xffff_fffe, mode::SVC | masks | thumb)
        };
        Vcpu { x, pc, spsr }
    }
}

/// The plan's version is 2 for 0.2 and 0x100 for 1.0.
fn minor(version: u16) -> i32 {
    i32::from(version & 0xff)
}
