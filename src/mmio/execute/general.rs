//! Loads and stores of one or two general registers (DDI 0487, C6.2, F5.1).

use super::super::instruction::{Class, Extend, General};
use super::{Cpu, Ended, Reach, aligned};
use crate::access::Width;

impl<R: Reach> Cpu<'_, R> {
    pub(super) fn general(&mut self, op: &General) -> Result<(), Ended> {
        let (at, base) = self.locate(&op.address);
        let bytes = op.width.bytes();
        let user = op.class == Class::Unprivileged;
        let whole = match (op.class, op.second) {
            // Checked whatever the memory's type (B2.5.2, E2.5.2): exclusives as one, acquire
            // and release by their size, LDRD and STRD by words.
            (Class::LoadExclusive | Class::StoreExclusive { .. }, Some(_)) => bytes << 1,
            (Class::LoadExclusive | Class::StoreExclusive { .. } | Class::Ordered, _) => bytes,
            (_, Some(_)) if self.regs.is_aarch32() => bytes,
            _ => 1,
        };
        aligned(at, whole, !op.load)?;
        let next = at.wrapping_add(bytes);
        if op.load {
            let first = self.load(at, op.width, user)?;
            let second = match op.second {
                Some(register) => Some((register, self.load(next, op.width, user)?)),
                None => None,
            };
            self.set_base(op.address.base, base);
            if let Some((register, value)) = second {
                self.set_register(register, extended(value, op.width, op.extend));
            }
            if op.first == 15 && self.regs.is_aarch32() {
                self.branch_with_state(first);
                return Ok(());
            }
            self.set_register(op.first, extended(first, op.width, op.extend));
        } else {
            let first = self.register(op.first);
            self.store(at, op.width, first, user)?;
            if let Some(register) = op.second {
                let second = self.register(register);
                self.store(next, op.width, second, user)?;
            }
            self.set_base(op.address.base, base);
            if let Class::StoreExclusive { status } = op.class {
                self.set_register(status, 0);
            }
        }
        self.done();
        Ok(())
    }
}

fn extended(value: u64, width: Width, extend: Extend) -> u64 {
    match extend {
        Extend::Zero => value,
        Extend::Sign64 => width.sign_extend(value),
        Extend::Sign32 => width.sign_extend(value) & 0xffff_ffff,
    }
}
