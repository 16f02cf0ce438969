//! What an emulated load or store reaches: the guest's memory through its own stage 1, its board,
//! its SIMD registers.
//!
//! The page in which the access faulted is known from the trap; any other is translated as the
//! access itself would be, and the last one is remembered.

use super::banks::spsr_of;
use super::{At, Core, Stage1, SysReg, Trap, inject};
use crate::access::{Initiator, Security, Width};
use crate::board::{Board, Reply, Transaction, World};
use crate::mmio::DataFault;
use crate::mmio::execute;
use crate::units::{Instant, Ipa};

const PAGE: u64 = 0xfff;
/// SCTLR.M: stage 1 is on.
const SCTLR_M: u64 = 1;
/// SCTLR.A: alignment is checked.
const SCTLR_A: u64 = 1 << 1;

/// A vCPU's way to its data, for one instruction.
pub(super) struct Reach<'a, C> {
    pub board: &'a mut Board,
    pub core: &'a mut C,
    /// What faulted: its page's translation is known.
    pub trap: Trap,
    pub now: Instant,
    pub cpu: u8,
    pub security: Security,
    /// The guest is at EL0.
    pub at_el0: bool,
    /// The last other page: its address, the kind of access, and where it is.
    pub page: Option<(u64, At, Stage1)>,
}

/// Where an access goes.
enum Place {
    /// To what faulted.
    Board(Ipa),
    /// To what stage 2 may map: memory, or else the board.
    Any(Ipa, Stage1),
}

impl<C: Core> Reach<'_, C> {
    fn how(&self, user: bool, write: bool) -> At {
        match (self.at_el0 || user, write) {
            (false, false) => At::E1Read,
            (false, true) => At::E1Write,
            (true, false) => At::E0Read,
            (true, true) => At::E0Write,
        }
    }

    fn stage_1(&mut self, at: u64, how: At) -> Result<Stage1, DataFault> {
        let write = matches!(how, At::E1Write | At::E0Write);
        self.core.stage_1(at, how).map_err(|par| {
            match inject::stage_1_status(par) {
                Some(status) => DataFault { at, write, status },
                // Stage 2 refused the walk.
                None => DataFault::external(at, write),
            }
        })
    }

    fn place(&mut self, at: u64, how: At) -> Result<Place, DataFault> {
        if (at ^ self.trap.far) & !PAGE == 0 {
            return Ok(Place::Board(Ipa(self.trap.ipa.0 & !PAGE | at & PAGE)));
        }
        let page = at & !PAGE;
        let found = match self.page {
            Some((known, kind, found)) if known == page && kind == how => found,
            _ => {
                let found = self.stage_1(at, how)?;
                self.page = Some((page, how, found));
                found
            }
        };
        Ok(Place::Any(Ipa(found.page.0 | at & PAGE), found))
    }

    /// Whether the memory at `at` takes an access that is not aligned (DDI 0487, B2.5.2, E2.5.2).
    /// In the page that faulted the CPU has let it through: an alignment fault comes before those
    /// of stage 2. With stage 1 off QEMU 7.2 lets everything through, and hardware nothing.
    fn takes_misaligned(&mut self, at: u64, how: At) -> Result<bool, DataFault> {
        if self.core.get(SysReg::SctlrEl1) & (SCTLR_A | SCTLR_M) != SCTLR_M {
            return Ok(false);
        }
        Ok((at ^ self.trap.far) & !PAGE == 0 || !self.stage_1(at, how)?.device)
    }

    fn transaction(&self, width: Width, user: bool) -> Transaction {
        Transaction {
            width,
            initiator: Initiator::Cpu(self.cpu),
            security: self.security,
            privileged: !self.at_el0 && !user,
        }
    }

    /// One aligned access; a write of `value`, or a read.
    fn access(
        &mut self,
        at: u64,
        width: Width,
        value: Option<u64>,
        user: bool,
    ) -> Result<u64, DataFault> {
        let write = value.is_some();
        let how = self.how(user, write);
        let ipa = match self.place(at, how)? {
            Place::Board(ipa) => ipa,
            Place::Any(ipa, found) => match self.memory(ipa, found, width, value) {
                Some(value) => return Ok(value),
                None => ipa,
            },
        };
        let transaction = self.transaction(width, user);
        let world = World {
            now: self.now,
            memory: self.core.memory(),
        };
        let reply = match value {
            None => self.board.read(&world, ipa, transaction),
            Some(value) => self.board.write(&world, ipa, transaction, value),
        };
        match (reply, value) {
            (Ok(Reply::Value(value)), _) => Ok(value),
            (Ok(Reply::Done), _) => Ok(0),
            (Ok(Reply::Host(host)), Some(value)) => {
                self.core.host_write(host, width, value);
                self.board.record(value);
                Ok(0)
            }
            (Ok(Reply::Host(host)), None) => {
                let value = self.core.host_read(host, width) & width.mask();
                self.board.record(value);
                Ok(value)
            }
            (Err(_), _) => Err(DataFault::external(at, write)),
        }
    }

    /// An access to RAM or ROM; none if that is not what is there.
    fn memory(&mut self, ipa: Ipa, found: Stage1, width: Width, value: Option<u64>) -> Option<u64> {
        if !found.cached {
            // The guest goes past the caches here, and EL2 does not.
            self.core.clean_invalidate(ipa, width.bytes());
        }
        let mut bytes = value.unwrap_or(0).to_le_bytes();
        let part = bytes.get_mut(..width.bytes() as usize)?;
        if value.is_some() {
            self.core.memory().write(ipa, part).ok()?;
            if !found.cached {
                self.core.clean_invalidate(ipa, width.bytes());
            }
        } else {
            self.core.memory().read(ipa, part).ok()?;
        }
        Some(u64::from_le_bytes(bytes))
    }

    /// An access that is not aligned: in pieces that are, in the order of their addresses.
    #[cold]
    fn pieces(
        &mut self,
        at: u64,
        width: Width,
        value: Option<u64>,
        user: bool,
    ) -> Result<u64, DataFault> {
        let write = value.is_some();
        let how = self.how(user, write);
        let last = at.wrapping_add(width.bytes().wrapping_sub(1));
        if !self.takes_misaligned(at, how)? {
            return Err(DataFault::misaligned(at, write));
        }
        if (at ^ last) & !PAGE != 0 && !self.takes_misaligned(last & !PAGE, how)? {
            return Err(DataFault::misaligned(at, write));
        }
        let (mut done, mut whole) = (0u64, 0u64);
        // At most one piece a byte.
        while done < width.bytes() {
            let place = at.wrapping_add(done);
            let left = width.bytes().wrapping_sub(done);
            let piece = [Width::Double, Width::Word, Width::Half]
                .into_iter()
                .find(|w| w.bytes() <= left && place & w.bytes().wrapping_sub(1) == 0)
                .unwrap_or(Width::Byte);
            let shift = done.wrapping_mul(8) as u32;
            let part = value.map(|v| v.wrapping_shr(shift) & piece.mask());
            whole |= self.access(place, piece, part, user)?.wrapping_shl(shift);
            done = done.wrapping_add(piece.bytes());
        }
        Ok(whole)
    }
}

impl<C: Core> execute::Reach for Reach<'_, C> {
    #[inline]
    fn read(&mut self, at: u64, width: Width, user: bool) -> Result<u64, DataFault> {
        let aligned = at & width.bytes().wrapping_sub(1) == 0;
        if aligned && (at ^ self.trap.far) & !PAGE == 0 {
            // What faulted, and mostly a register whose read changes nothing.
            let ipa = Ipa(self.trap.ipa.0 & !PAGE | at & PAGE);
            let how = self.transaction(width, user);
            if let Some(value) = self.board.peek(self.now, ipa, &how) {
                return Ok(value);
            }
        }
        if at & width.bytes().wrapping_sub(1) != 0 {
            return self.pieces(at, width, None, user);
        }
        self.access(at, width, None, user)
    }

    fn write(&mut self, at: u64, width: Width, value: u64, user: bool) -> Result<(), DataFault> {
        if at & width.bytes().wrapping_sub(1) != 0 {
            return self.pieces(at, width, Some(value), user).map(|_| ());
        }
        self.access(at, width, Some(value), user).map(|_| ())
    }

    fn simd(&mut self, n: u8) -> u128 {
        self.core.simd(n)
    }

    fn set_simd(&mut self, n: u8, value: u128) {
        self.core.set_simd(n, value);
    }

    fn stack_pointer(&mut self, el1: bool) -> u64 {
        self.core
            .get(if el1 { SysReg::SpEl1 } else { SysReg::SpEl0 })
    }

    fn set_stack_pointer(&mut self, el1: bool, value: u64) {
        let register = if el1 { SysReg::SpEl1 } else { SysReg::SpEl0 };
        self.core.set(register, value);
    }

    fn saved_status(&mut self, mode: u64) -> u64 {
        spsr_of(mode).map_or(0, |register| self.core.get(register))
    }

    fn zero_block_bytes(&mut self) -> u64 {
        self.core.zero_block_bytes()
    }
}
