//! A data abort whose instruction has to be looked at: fetched, decoded, carried out.
//!
//! | what it is | outcome |
//! |---|---|
//! | a load or store | carried out, or the data abort that its access ends in |
//! | not fetched | entered again, so that the guest has its own abort if it is one; 16 times, then a report |
//! | not a load or store that [`decode`] knows | the board's policy: a report, or an external abort |
//! | a load-exclusive | the board's policy: the fault "unsupported exclusive", or [`carry_out`](Vm::carry_out) |
//! | a store-exclusive on its own | not done, status 1: ERET has cleared the monitor |
//!
//! DDI 0487, B2.9 (exclusives).

use super::banks;
use super::fetch::{fetch, state_of};
use super::inject::Exception;
use super::reach::Reach;
use super::report::Reason;
use super::{Core, Next, SysReg, Trap, Vm};
use crate::board::plan::{CannotEmulate, Exclusives};
use crate::mmio::DataFault;
use crate::mmio::decode::decode;
use crate::mmio::execute::{self, Ended, execute};
use crate::mmio::instruction::{Bank, Class, General, Operation};
use crate::mmio::sequence::{self, End};
use crate::mmio::syndrome::{DataAbort, Syndrome};
use crate::mmio::transfer::is_big_endian;
use crate::vcpu::{Vcpu, mode};

/// How often an instruction that cannot be fetched is tried again.
const REFETCHES: u8 = 16;
impl Vm {
    /// The data abort `trap` of the guest's instruction at PC.
    #[inline(never)]
    pub(super) fn instruction(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
    ) -> Next {
        let Some((word, length)) = fetch(regs, core) else {
            return self.fetch_again(cpu, regs, core, trap);
        };
        let Ok(operation) = decode(state_of(regs), word) else {
            return self.cannot(cpu, regs, core, trap, Reason::NotDecoded);
        };
        let mut from = regs.mode();
        if needs_saved_status(&operation) && banks::hidden(regs, core).is_some() {
            banks::show(regs, core);
            from = mode::SYS;
        }
        let now = self.now(core);
        self.sync_lines(cpu, core, now);
        let big_endian = is_big_endian(regs, core.get(SysReg::SctlrEl1));
        let policy = self.board.plan().exclusives;
        let mut reach = Reach {
            security: self.security(),
            board: &mut self.board,
            core,
            trap,
            now,
            cpu,
            at_el0: regs.is_user(),
            page: None,
        };
        let ended = match &operation {
            Operation::General(General {
                class: Class::StoreExclusive { status },
                ..
            }) => {
                not_stored(*status, length, regs);
                Ok(())
            }
            Operation::General(
                load @ General {
                    class: Class::LoadExclusive,
                    ..
                },
            ) => match policy {
                Exclusives::Abort => Err(Ended::Fault(DataFault::exclusive(trap.far, false))),
                Exclusives::CarryOut => carry_out(load, length, big_endian, regs, &mut reach),
            },
            other => execute(other, length, big_endian, regs, &mut reach),
        };
        match ended {
            Ok(()) if regs.mode() != from => {
                banks::settle_from(from, regs, core);
            }
            Ok(()) => {}
            Err(Ended::Fault(fault)) => {
                self.inject_from(regs, core, from, Exception::Data(fault));
            }
            Err(Ended::Undefined) => {
                self.inject_from(regs, core, from, Exception::Undefined);
            }
        }
        self.asks()
    }

    /// The instruction is not there any more, or its page is not: another CPU of the guest changed
    /// its tables. Entered again, the guest fetches it or takes the abort of that.
    #[cold]
    fn fetch_again(&mut self, cpu: u8, regs: &mut Vcpu, core: &mut impl Core, trap: Trap) -> Next {
        let Some(state) = self.cpus.get_mut(usize::from(cpu)) else {
            return self.stop_at(cpu, regs, core, Reason::NoSuchCpu, Some(trap));
        };
        let (pc, times) = state.refetched;
        let times = if pc == regs.pc {
            times.wrapping_add(1)
        } else {
            1
        };
        state.refetched = (regs.pc, times);
        if times <= REFETCHES {
            return Next::Resume;
        }
        state.refetched = (0, 0);
        self.cannot(cpu, regs, core, trap, Reason::NotFetched)
    }

    /// What has no outcome here, by the board's policy.
    #[cold]
    pub(super) fn cannot(
        &mut self,
        cpu: u8,
        regs: &mut Vcpu,
        core: &mut impl Core,
        trap: Trap,
        reason: Reason,
    ) -> Next {
        if !self.aborts_instead() {
            return self.stop_at(cpu, regs, core, reason, Some(trap));
        }
        let write = DataAbort(Syndrome(trap.esr).iss()).wnr();
        let fault = DataFault::external(trap.far, write);
        self.inject(regs, core, Exception::Data(fault))
    }

    /// The board's policy: what cannot be emulated is an external abort, and no report.
    pub(super) fn aborts_instead(&self) -> bool {
        self.board.plan().cannot_emulate == CannotEmulate::Abort
    }
}

/// Whether the operation reads the current mode's SPSR.
fn needs_saved_status(operation: &Operation) -> bool {
    match operation {
        Operation::Multiple(multiple) => multiple.bank == Bank::ExceptionReturn,
        Operation::StoreReturnState(_) => true,
        _ => false,
    }
}

/// A store-exclusive without its monitor: nothing is stored, and it says so.
fn not_stored(status: u8, length: u8, regs: &mut Vcpu) {
    if regs.is_aarch32() {
        regs.set_r(status, 1);
    } else {
        regs.set_x(status, 1);
    }
    regs.advance(u64::from(length));
}

/// A load-exclusive from a device, and what follows it up to its store-exclusive, without
/// returning to the guest: that would clear the monitor. What cannot be done so ends as the
/// load's fault, with all registers as before it.
fn carry_out<C: Core>(
    load: &General,
    length: u8,
    big_endian: bool,
    regs: &mut Vcpu,
    reach: &mut Reach<'_, C>,
) -> Result<(), Ended> {
    let before = regs.clone();
    let (at, _) = execute::locate(&load.address, regs, reach);
    execute(&Operation::General(*load), length, big_endian, regs, reach)?;
    let core = &mut *reach.core;
    match sequence::carry_out(regs, &mut |regs| fetch(regs, core)) {
        End::Left => Ok(()),
        End::Lost => {
            *regs = before;
            Err(Ended::Fault(DataFault::exclusive(at, false)))
        }
        End::Store { store, length } => {
            let (to, _) = execute::locate(&store.address, regs, reach);
            let marked = to == at
                && store.width == load.width
                && store.second.is_some() == load.second.is_some();
            match store.class {
                Class::StoreExclusive { status } if !marked => {
                    not_stored(status, length, regs);
                    Ok(())
                }
                _ => execute(&Operation::General(store), length, big_endian, regs, reach),
            }
        }
    }
}

#[cfg(test)]
mod real_code;
#[cfg(test)]
mod tests;
