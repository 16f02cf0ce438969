//! The report of a VM that cannot go on: what it was, where it was, and what it did last.
//!
//! [`Stopped`] is taken at the moment of the stop, without allocation; [`Report`] prints it with
//! what the board still knows, on 100 columns.

use super::{Core, SysReg, Trap, Vm, banks, fetch};
use crate::access::Initiator;
use crate::mmio::syndrome::{DataAbort, Fault, Syndrome, ec};
use crate::units::{Instant, Ipa};
use crate::vcpu::{Vcpu, mode, psr};
use core::fmt;

/// Why a VM was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A trap that no rule here expects.
    Unexpected,
    /// The hypervisor's own code panicked while it served this VM.
    Panic,
    /// An SError interrupt was taken to EL2 while the VM ran.
    SError,
    /// The metal named a vCPU that the board does not have.
    NoSuchCpu,
    /// An access by an instruction that is no load or store which is known.
    NotDecoded,
    /// The instruction of an access could not be fetched, time and again.
    NotFetched,
    /// The guest's translation tables lie in a device.
    TableInDevice,
    /// An instruction fetch from a device's registers.
    FetchFromDevice,
    /// The guest's own abort vector cannot be fetched.
    NoVector,
    /// The host refused: not a fault of stage 2.
    HostFault(Fault),
    /// A Secure-entered guest left the world that it has here.
    SecureSwitch(Switch),
}

/// How a guest tried to leave its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// SMC: a call of a monitor that is not there.
    MonitorCall,
    /// SCR.NS was set.
    NonSecure,
    /// To Monitor mode.
    Monitor,
    /// To HYP mode.
    Hyp,
    /// To a mode that its EL1 does not have.
    IllegalMode,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unexpected => "a trap that no rule expects",
            Self::Panic => "the hypervisor panicked while it served this VM",
            Self::SError => "an SError interrupt from the host's bus",
            Self::NoSuchCpu => "the map has no CPU of this number",
            Self::NotDecoded => "an access by an instruction that is no known load or store",
            Self::NotFetched => "the instruction of an access cannot be fetched",
            Self::TableInDevice => "the guest's translation tables lie in a device",
            Self::FetchFromDevice => "an instruction fetch from a device's registers",
            Self::NoVector => "the guest's abort vector cannot be fetched",
            Self::HostFault(fault) => {
                return write!(f, "the host refused an access: {}", fault.in_words());
            }
            Self::SecureSwitch(switch) => match switch {
                Switch::MonitorCall => {
                    "SMC: the guest called a monitor, which the VM does not have"
                }
                Switch::NonSecure => {
                    "SCR.NS: the guest switched to Non-secure state, which the VM does not have"
                }
                Switch::Monitor => "the guest switched to Monitor mode, which the VM does not have",
                Switch::Hyp => "the guest switched to HYP mode, which the VM does not have",
                Switch::IllegalMode => {
                    "an illegal mode change (Monitor or HYP mode, which the VM does not have)"
                }
            },
        })
    }
}

/// The registers that a report shows beside the general ones.
const SHOWN: [(SysReg, &str); 24] = [
    (SysReg::SctlrEl1, "SCTLR"),
    (SysReg::VbarEl1, "VBAR"),
    (SysReg::TcrEl1, "TCR/TTBCR"),
    (SysReg::Ttbr0El1, "TTBR0"),
    (SysReg::Ttbr1El1, "TTBR1"),
    (SysReg::MairEl1, "MAIR/PRRR"),
    (SysReg::EsrEl1, "ESR/DFSR"),
    (SysReg::FarEl1, "FAR/IFAR:DFAR"),
    (SysReg::Ifsr32, "IFSR"),
    (SysReg::Dacr32, "DACR"),
    (SysReg::ElrEl1, "ELR_EL1"),
    (SysReg::SpsrEl1, "SPSR_EL1/svc"),
    (SysReg::SpsrAbt, "SPSR_abt"),
    (SysReg::SpsrUnd, "SPSR_und"),
    (SysReg::SpsrIrq, "SPSR_irq"),
    (SysReg::SpsrFiq, "SPSR_fiq"),
    (SysReg::SpEl0, "SP_EL0"),
    (SysReg::SpEl1, "SP_EL1"),
    (SysReg::CpacrEl1, "CPACR"),
    (SysReg::ContextidrEl1, "CONTEXTIDR"),
    (SysReg::ParEl1, "PAR"),
    (SysReg::TpidrEl1, "TPIDR_EL1"),
    (SysReg::CntvCtl, "CNTV_CTL"),
    (SysReg::CntvCval, "CNTV_CVAL"),
];

/// The state of a vCPU at a moment.
#[derive(Clone, Debug)]
struct Held {
    cpu: u8,
    at: Instant,
    regs: Vcpu,
    system: [u64; SHOWN.len()],
    instruction: Option<(u32, u8)>,
}

impl Held {
    fn take(cpu: u8, at: Instant, regs: &Vcpu, core: &mut impl Core) -> Self {
        Self {
            cpu,
            at,
            regs: regs.clone(),
            system: SHOWN.map(|(r, _)| core.get(r)),
            instruction: fetch::fetch(regs, core),
        }
    }
}

/// The state of a vCPU at the moment of its stop.
#[derive(Clone, Debug)]
pub(super) struct Stopped {
    reason: Reason,
    trap: Option<Trap>,
    state: Held,
}

impl Stopped {
    pub(super) fn take(
        cpu: u8,
        at: Instant,
        regs: &Vcpu,
        core: &mut impl Core,
        reason: Reason,
        trap: Option<Trap>,
    ) -> Self {
        Self {
            reason,
            trap,
            state: Held::take(cpu, at, regs, core),
        }
    }
}

/// What is printed of a VM that cannot go on.
pub struct Report<'a> {
    pub(super) vm: &'a Vm,
    pub(super) stopped: &'a Stopped,
}

impl Report<'_> {
    /// Why the VM stopped.
    pub fn reason(&self) -> Reason {
        self.stopped.reason
    }
}

/// The registers of a vCPU that goes on, for printing (`{}`).
pub struct Registers<'a> {
    vm: &'a Vm,
    state: Held,
}

impl<'a> Registers<'a> {
    pub(super) fn take(vm: &'a Vm, cpu: u8, regs: &Vcpu, core: &mut impl Core) -> Self {
        banks::show(regs, core);
        let state = Held::take(cpu, vm.now(core), regs, core);
        banks::settle(regs, core);
        Self { vm, state }
    }
}

impl fmt::Display for Registers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.place(f, self.vm)?;
        self.state.registers(f)
    }
}

fn mode_in_words(regs: &Vcpu) -> &'static str {
    if !regs.is_aarch32() {
        return match regs.spsr & 0xf {
            0 => "EL0",
            4 => "EL1 (SP_EL0)",
            5 => "EL1",
            _ => "no mode of a guest",
        };
    }
    match regs.mode() {
        mode::USR => "User",
        mode::FIQ => "FIQ",
        mode::IRQ => "IRQ",
        mode::SVC => "Supervisor",
        mode::ABT => "Abort",
        mode::UND => "Undefined",
        mode::SYS => "System",
        _ => "no mode of a guest",
    }
}

impl Held {
    /// Which vCPU it is, and where.
    fn place(&self, f: &mut fmt::Formatter<'_>, vm: &Vm) -> fmt::Result {
        let ns = self.at.0;
        writeln!(
            f,
            "  vCPU {} ({}), {}{}{}, {}.{:06} s after reset",
            self.cpu,
            vm.model.name,
            mode_in_words(&self.regs),
            match (self.regs.is_aarch32(), self.regs.is_thumb()) {
                (true, true) => ", T32",
                (true, false) => ", A32",
                _ => ", A64",
            },
            if vm.secure() { ", Secure" } else { "" },
            ns / 1_000_000_000,
            ns % 1_000_000_000 / 1000,
        )?;
        write!(f, "  PC {:#010x}, instruction ", self.regs.pc)?;
        match self.instruction {
            Some((word, 2)) => writeln!(f, "{word:04x}"),
            Some((word, _)) if self.regs.is_thumb() => {
                writeln!(f, "{:04x} {:04x}", word >> 16, word & 0xffff)
            }
            Some((word, _)) => writeln!(f, "{word:08x}"),
            None => writeln!(f, "not readable"),
        }
    }

    fn registers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regs = &self.regs;
        let spsr = regs.spsr;
        write!(
            f,
            "  {} {spsr:#010x} ",
            if regs.is_aarch32() { "CPSR" } else { "PSTATE" }
        )?;
        for (bit, name) in [
            (psr::N, 'N'),
            (psr::Z, 'Z'),
            (psr::C, 'C'),
            (psr::V, 'V'),
            (psr::A, 'A'),
            (psr::I, 'I'),
            (psr::F, 'F'),
        ] {
            write!(f, "{}", if spsr & bit != 0 { name } else { '-' })?;
        }
        writeln!(f)?;
        if regs.is_aarch32() {
            self.registers_32(f)?;
        } else {
            for (n, x) in regs.x.iter().enumerate() {
                write!(f, "  x{n:<2} {x:016x}")?;
                if n % 4 == 3 || n == 30 {
                    writeln!(f)?;
                }
            }
        }
        for (n, ((_, name), value)) in SHOWN.iter().zip(&self.system).enumerate() {
            write!(f, "  {name:<13} {value:016x}")?;
            if n % 3 == 2 {
                writeln!(f)?;
            }
        }
        Ok(())
    }

    fn registers_32(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regs = &self.regs;
        for n in 0..15 {
            write!(f, "  r{n:<2} {:08x}", regs.r(n))?;
            if n % 5 == 4 {
                writeln!(f)?;
            }
        }
        for (bank, sp, lr) in [
            ("usr", 13, 14),
            ("svc", 19, 18),
            ("abt", 21, 20),
            ("und", 23, 22),
            ("irq", 17, 16),
            ("fiq", 29, 30),
        ] {
            write!(
                f,
                "  SP_{bank} {:08x} LR_{bank} {:08x}",
                regs.x(sp),
                regs.x(lr)
            )?;
            if matches!(bank, "abt" | "fiq") {
                writeln!(f)?;
            }
        }
        f.write_str("  r8_fiq to r12_fiq")?;
        for n in 24..29 {
            write!(f, " {:08x}", regs.x(n))?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.stopped;
        writeln!(f, "VM {} stopped: {}", self.vm.name, s.reason)?;
        s.state.place(f, self.vm)?;
        if let Some(trap) = s.trap {
            self.syndrome(f, trap)?;
        }
        s.state.registers(f)?;
        self.accesses(f)
    }
}

impl Report<'_> {
    fn syndrome(&self, f: &mut fmt::Formatter<'_>, trap: Trap) -> fmt::Result {
        let syndrome = Syndrome(trap.esr);
        let class = syndrome.class();
        write!(
            f,
            "  syndrome {:#010x}: {}",
            trap.esr,
            syndrome.class_in_words()
        )?;
        if class != ec::DATA_ABORT && class != ec::INSN_ABORT {
            return writeln!(f, ", ISS {:#09x}", syndrome.iss());
        }
        let abort = DataAbort(syndrome.iss());
        write!(f, ", {}", abort.fault().in_words())?;
        if class == ec::DATA_ABORT {
            f.write_str(if abort.wnr() { ", write" } else { ", read" })?;
            if abort.isv() {
                write!(
                    f,
                    " of {} bytes, register {}",
                    abort.width().bytes(),
                    abort.srt()
                )?;
            } else {
                f.write_str(", no instruction syndrome")?;
            }
        }
        // Of a walk only the page is told.
        let (ipa, of) = if abort.s1ptw() {
            f.write_str(", on a stage-1 walk")?;
            (Ipa(trap.ipa.0 & !0xfff), "table in page")
        } else {
            (trap.ipa, "IPA")
        };
        writeln!(f, "\n  at VA {:#010x}, {of} {ipa}", trap.far)?;
        if let Some(n) = self.vm.board.nearest(ipa) {
            match n.inside {
                Some(offset) => writeln!(f, "  in {} at {}, offset {offset:#x}", n.node, n.at)?,
                None => writeln!(
                    f,
                    "  in no window; the nearest is {} at {}, {:#x} bytes away",
                    n.node, n.at, n.distance
                )?,
            }
        }
        Ok(())
    }

    fn accesses(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let board = &self.vm.board;
        let mut first = true;
        for a in board.recent() {
            if first {
                writeln!(f, "  the last device accesses, oldest first:")?;
                first = false;
            }
            let node = a
                .window
                .and_then(|w| board.plan().windows.get(w))
                .map(|w| w.node.as_str());
            let (kind, number) = match a.initiator {
                Initiator::Cpu(n) => ("cpu", n),
                Initiator::Master(n) => ("master", n),
            };
            writeln!(
                f,
                "  {:>14} {kind}{number} {} {} {:#05x} {} {:#x}{}",
                a.at.0,
                node.unwrap_or("no window"),
                if a.write { 'w' } else { 'r' },
                if a.window.is_some() {
                    a.offset
                } else {
                    a.ipa.0
                },
                a.width.bytes(),
                a.value,
                if a.refused { " refused" } else { "" },
            )?;
        }
        if first {
            writeln!(f, "  no device was accessed")?;
        }
        Ok(())
    }
}
