//! A synchronous exception from the guest, by its class (DDI 0487, D17.2.37).
//!
//! | EC | class | outcome |
//! |---|---|---|
//! | 0x24 | data abort | the bus, by the syndrome or by [`super::instruction`]; see [`Abort`] for the rest |
//! | 0x20 | instruction abort | prefetch abort for the guest; from a device, a report |
//! | 0x01 | WFI, WFE | [`Next::Wait`] until a line is high; WFE goes on |
//! | 0x03, 0x04, 0x05, 0x0c, 0x08 | MCR, MRC, MCRR, MRRC, VMRS | [`super::cp15`] |
//! | 0x06 | LDC, STC to CP14 | UNDEF: the debug channel has no other end |
//! | 0x18 | MSR, MRS, SYS | [`super::sysreg64`] |
//! | 0x12, 0x16 | HVC | PSCI, or UNDEF; the metal serves [`super::hypercall`] before |
//! | 0x13, 0x17 | SMC | PSCI, or a report: the board's monitor is not there |
//! | 0x30, 0x32 | breakpoint, step | [`super::undef`] |
//! | 0x38, 0x3c | BKPT, BRK | the guest takes its own |
//! | 0x00, 0x07, 0x09, 0x19 | unknown, and what the board's CPU does not have | UNDEF |
//! | others | | a report |
//!
//! An AArch32 instruction that trapped and fails its condition is skipped.

use super::banks;
use super::cp15;
use super::inject::{self, Exception, vector};
use super::registers::Refused;
use super::report::{Reason, Switch};
use super::{At, Core, Next, SysReg, Trap, Vm, sysreg64};
use crate::access::{Initiator, Width};
use crate::board::{Reply, Transaction, World};
use crate::mmio::DataFault;
use crate::mmio::syndrome::{DataAbort, Fault, Syndrome, ec};
use crate::mmio::transfer::{Abort, Transfer, classify};
use crate::vcpu::{Vcpu, syndrome_register};

/// SCTLR.M: stage 1 is on.
const SCTLR_M: u64 = 1;

impl Vm {
    /// Handles a synchronous exception from the guest.
    pub fn trap(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core, trap: Trap) -> Next {
        let syndrome = Syndrome(trap.esr);
        if syndrome.class() != ec::DATA_ABORT {
            return self.other_class(cpu, regs, core, trap);
        }
        let sctlr = if regs.is_aarch32() {
            0
        } else {
            core.get(SysReg::SctlrEl1)
        };
        match classify(syndrome, trap.ipa, regs, sctlr) {
            Abort::Access(transfer) => {
                if trap.ipa.0.trailing_zeros() >= 12 && began_before(core, trap) {
                    return self.instruction(cpu, regs, core, trap);
                }
                self.access(cpu, regs, core, trap, transfer)
            }
            Abort::Instruction => self.instruction(cpu, regs, core, trap),
            other => self.other_abort(cpu, regs, core, trap, other),
        }
    }

    /// One access of the bus.
    fn access(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
        t: Transfer,
    ) -> Next {
        let now = self.now(core);
        self.sync_lines(cpu, core, now);
        let how = Transaction {
            width: t.width,
            initiator: Initiator::Cpu(cpu),
            security: self.security(),
            privileged: !regs.is_user(),
        };
        let world = World {
            now,
            memory: core.memory(),
        };
        if t.write {
            let value = t.value(regs);
            match self.board.write(&world, trap.ipa, how, value) {
                Ok(Reply::Done | Reply::Value(_)) => {}
                Ok(Reply::Host(at)) => {
                    core.host_write(at, t.width, value);
                    self.board.record(value);
                }
                Err(_) => {
                    let e = Exception::Data(DataFault::external(trap.far, true));
                    self.inject(regs, core, e);
                    return self.asks();
                }
            }
            t.finish_write(regs);
        } else {
            let value = match self.board.read(&world, trap.ipa, how) {
                Ok(Reply::Value(value)) => value,
                Ok(Reply::Done) => 0,
                Ok(Reply::Host(at)) => {
                    let value = core.host_read(at, t.width) & t.width.mask();
                    self.board.record(value);
                    value
                }
                Err(_) => {
                    let e = Exception::Data(DataFault::external(trap.far, false));
                    self.inject(regs, core, e);
                    return self.asks();
                }
            };
            t.finish_read(regs, value);
        }
        self.asks()
    }

    #[cold]
    fn other_abort(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
        abort: Abort,
    ) -> Next {
        let fault = DataAbort(Syndrome(trap.esr).iss());
        let reason = match abort {
            Abort::Access(transfer) => return self.access(cpu, regs, core, trap, transfer),
            Abort::CacheMaintenance => {
                regs.advance(4);
                return Next::Resume;
            }
            Abort::Instruction => return self.instruction(cpu, regs, core, trap),
            Abort::TableInDevice => Reason::TableInDevice,
            Abort::NotOfStage2 => match fault.fault() {
                Fault::External => {
                    // A passed-through device refused.
                    let e = Exception::Data(DataFault::external(trap.far, fault.wnr()));
                    return self.inject(regs, core, e);
                }
                other => {
                    let reason = Reason::HostFault(other);
                    return self.stop_at(cpu, regs, core, reason, Some(trap));
                }
            },
        };
        self.cannot(cpu, regs, core, trap, reason)
    }

    fn other_class(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core, trap: Trap) -> Next {
        let syndrome = Syndrome(trap.esr);
        let (class, iss) = (syndrome.class(), syndrome.iss());
        let now = self.now(core);
        self.sync_lines(cpu, core, now);
        let conditional = matches!(
            class,
            ec::WFX
                | ec::CP15_32
                | ec::CP15_64
                | ec::CP14_32
                | ec::CP14_LS
                | ec::CP14_64
                | ec::CP10_ID
                | ec::SMC32
        );
        if conditional && regs.is_aarch32() && !condition_passed(regs, iss) {
            regs.advance(syndrome.length());
            return Next::Resume;
        }
        match class {
            ec::WFX => {
                regs.advance(syndrome.length());
                let lines = self.lines(cpu);
                // TI: 0 is WFI. The others are WFE and the timed forms: hints.
                if matches!(iss & 3, 0) && !lines.irq && !lines.fiq {
                    Next::Wait
                } else {
                    Next::Resume
                }
            }
            ec::CP15_32 => self.moved(cpu, regs, core, trap, cp15::Move::of_one(15, iss)),
            ec::CP15_64 => self.moved(cpu, regs, core, trap, cp15::Move::of_two(15, iss)),
            ec::CP14_32 => self.moved(cpu, regs, core, trap, cp15::Move::of_one(14, iss)),
            ec::CP14_64 => self.moved(cpu, regs, core, trap, cp15::Move::of_two(14, iss)),
            ec::CP10_ID => self.moved(cpu, regs, core, trap, cp15::Move::of_one(10, iss)),
            ec::SYS64 => self.moved_64(cpu, regs, core, trap),
            ec::HVC32 | ec::HVC64 => {
                if self.has_psci_by(true) {
                    return self.psci(cpu, regs);
                }
                // HVC is done when it traps; as UNDEF it is not.
                regs.pc = regs.pc.wrapping_sub(4);
                self.undefined(regs, core)
            }
            ec::SMC32 | ec::SMC64 => {
                if !self.has_psci_by(false) {
                    if self.aborts_instead() {
                        // As a CPU without EL3 has it.
                        return self.undefined(regs, core);
                    }
                    let reason = Reason::SecureSwitch(Switch::MonitorCall);
                    return self.stop_at(cpu, regs, core, reason, Some(trap));
                }
                regs.advance(4);
                self.psci(cpu, regs)
            }
            ec::INSN_ABORT => self.instruction_abort(cpu, regs, core, trap),
            ec::BREAKPOINT => self.undef_vector(cpu, regs, core, trap),
            ec::STEP => self.stepped(regs, core),
            ec::BKPT32 | ec::BRK64 => self.inject(regs, core, Exception::Breakpoint(iss)),
            ec::UNKNOWN | ec::CP14_LS | ec::FP | ec::PAUTH | ec::SVE => self.undefined(regs, core),
            _ => self.stop_at(cpu, regs, core, Reason::Unexpected, Some(trap)),
        }
    }

    fn undefined(&self, regs: &mut Vcpu, core: &mut impl Core) -> Next {
        self.inject(regs, core, Exception::Undefined)
    }

    /// The guest takes `exception`, with its banked registers as the hardware leaves them.
    pub(super) fn inject(
        &self,
        regs: &mut Vcpu,
        core: &mut impl Core,
        exception: Exception,
    ) -> Next {
        let from = regs.mode();
        self.inject_from(regs, core, from, exception);
        Next::Resume
    }

    /// As [`inject`](Vm::inject), with the core's banks in mode `from`.
    pub(super) fn inject_from(
        &self,
        regs: &mut Vcpu,
        core: &mut impl Core,
        from: u64,
        exception: Exception,
    ) {
        inject::inject(regs, core, self.model.aarch64, exception);
        banks::settle_from(from, regs, core);
    }

    fn instruction_abort(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
    ) -> Next {
        let abort = DataAbort(Syndrome(trap.esr).iss());
        let at_vector = !self.model.aarch64
            && regs.pc == inject::vectors(core).wrapping_add(vector::PREFETCH_ABORT);
        let in_device = || {
            let near = self.board.nearest(trap.ipa);
            near.is_some_and(|n| n.inside.is_some())
        };
        let reason = if abort.s1ptw() {
            Some(Reason::TableInDevice)
        } else if at_vector {
            Some(Reason::NoVector)
        } else if !abort.fault().is_of_stage_2() {
            Some(Reason::HostFault(abort.fault()))
        } else if in_device() {
            Some(Reason::FetchFromDevice)
        } else {
            None
        };
        let abort_instead = !at_vector && self.aborts_instead();
        match reason {
            Some(Reason::TableInDevice | Reason::FetchFromDevice) if abort_instead => {}
            Some(reason) => return self.stop_at(cpu, regs, core, reason, Some(trap)),
            None => {}
        }
        let (before, from) = (regs.pc, regs.mode());
        inject::inject(regs, core, self.model.aarch64, Exception::PrefetchAbort);
        if regs.pc == before {
            return self.stop_at(cpu, regs, core, Reason::NoVector, Some(trap));
        }
        banks::settle_from(from, regs, core);
        Next::Resume
    }

    /// A coprocessor move that trapped.
    fn moved(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
        m: cp15::Move,
    ) -> Next {
        match self.coprocessor(cpu, regs, core, m) {
            Ok(()) => {
                regs.advance(Syndrome(trap.esr).length());
                Next::Resume
            }
            Err(Refused::Undefined) => self.undefined(regs, core),
            Err(Refused::Stop(reason)) => self.stop_at(cpu, regs, core, reason, Some(trap)),
            Err(Refused::Again) => Next::Resume,
        }
    }

    /// Carries out a coprocessor move; PC stays.
    pub(super) fn coprocessor(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        m: cp15::Move,
    ) -> Result<(), Refused> {
        let register = m.register().ok_or(Refused::Undefined)?;
        let mode = regs.mode();
        let x = |field: u8| syndrome_register(mode, field);
        let user = regs.is_user();
        if m.read {
            let value = self.register(cpu, core, user, register, None)?;
            match (x(m.rt), m.crn) {
                (Some(rt), Some(_)) => regs.set_x(rt, value & 0xffff_ffff),
                (Some(rt), None) => {
                    regs.set_x(rt, value & 0xffff_ffff);
                    if let Some(rt2) = x(m.rt2) {
                        regs.set_x(rt2, value >> 32);
                    }
                }
                // r15 as the target of MRC is APSR's flags.
                (None, _) => regs.spsr = regs.spsr & !0xf000_0000 | value & 0xf000_0000,
            }
            return Ok(());
        }
        let low = x(m.rt).map_or(0, |rt| regs.x(rt)) & 0xffff_ffff;
        let high = match m.crn {
            Some(_) => 0,
            None => x(m.rt2).map_or(0, |rt2| regs.x(rt2)) << 32,
        };
        self.register(cpu, core, user, register, Some(low | high))
            .map(|_| ())
    }

    fn moved_64(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core, trap: Trap) -> Next {
        let m = sysreg64::Move::of(Syndrome(trap.esr).iss());
        let write = if m.read { None } else { Some(regs.x(m.rt)) };
        let result = m
            .register()
            .ok_or(Refused::Undefined)
            .and_then(|r| self.register(cpu, core, regs.is_user(), r, write));
        match result {
            Ok(value) => {
                if m.read {
                    regs.set_x(m.rt, value);
                }
                regs.advance(4);
                Next::Resume
            }
            Err(Refused::Undefined) => self.undefined(regs, core),
            Err(Refused::Stop(reason)) => self.stop_at(cpu, regs, core, reason, Some(trap)),
            Err(Refused::Again) => Next::Resume,
        }
    }
}

/// Whether an access that faulted at a page's first byte may have begun in the page before: the
/// address of a fault in the second page is that page's (DDI 0487, D17.2.40). Only Normal memory
/// takes an access that lies in two pages.
#[inline(never)]
fn began_before(core: &mut impl Core, trap: Trap) -> bool {
    let width = DataAbort(Syndrome(trap.esr).iss()).width();
    if width == Width::Byte || core.get(SysReg::SctlrEl1) & SCTLR_M == 0 {
        return false;
    }
    core.stage_1(trap.far, At::E1Read)
        .is_ok_and(|found| !found.device || found.untold)
}

/// Whether the trapped AArch32 instruction passes its condition: CV and COND of its ISS, or, in
/// T32 state without them, the IT state.
fn condition_passed(regs: &Vcpu, iss: u32) -> bool {
    let cond = if iss & 1 << 24 != 0 {
        (iss >> 20) as u8 & 0xf
    } else if regs.is_thumb() {
        regs.it_condition()
    } else {
        return true;
    };
    regs.condition_holds(cond)
}
