//! Devices that were accessed lately: most accesses are of these, and take the short way.
//!
//! [`Board::peek`] answers a read that changes nothing; [`Board::read_near`] and
//! [`Board::write_near`] serve a whole access by one call of the device; what is not near is
//! brought near by [`Board::far`], or is no device's and goes the long way of [`super::access`].

use super::Board;
use crate::access::{Access, Refusal, Width};
use crate::board::observe::{Kinds, Observer};
use crate::board::plan::WindowKind;
use crate::board::{BusFault, RecentAccess, Reply, Transaction, World};
use crate::emul::{Ask, Cx, Served};
use crate::units::{Instant, Ipa};

/// A window of a device that was accessed lately: most accesses are served by these few words.
/// As long as a power of two, so that its place is a shift.
#[derive(Clone, Copy)]
#[repr(align(32))]
pub(super) struct Near {
    first: u64,
    /// The offset of its last word.
    last: u64,
    window: u16,
    device: u16,
    region: u8,
}

/// How many of these.
pub(super) const NEAR: usize = 16;

impl Near {
    /// Only the last byte of all addresses would be here, and no device has this number.
    pub(super) const NOTHING: Self = Self {
        first: u64::MAX,
        last: 0,
        window: 0,
        device: u16::MAX,
        region: 0,
    };

    /// Where the window of `at` is remembered. Boards put their devices pages, 64 KiB or 16 MiB
    /// apart; a CPU's private ones are some hundred bytes apart.
    #[inline]
    const fn way(at: Ipa) -> usize {
        (at.0 >> 8 ^ at.0 >> 12 ^ at.0 >> 16 ^ at.0 >> 23) as usize % NEAR
    }
}

impl Board {
    /// A read that changes nothing, of a device that was accessed lately; none if it is not one.
    #[allow(clippy::inline_always)] // every access passes here; for size it would be a call
    #[inline(always)]
    #[allow(clippy::trivially_copy_pass_by_ref)] // by value it is packed into one register
    pub fn peek(&mut self, now: Instant, at: Ipa, how: &Transaction) -> Option<u64> {
        let (near, access) = self.near(at, how)?;
        let slot = self.slots.get(usize::from(near.device))?;
        let value = slot.device.peek(now, access)?;
        self.recent.read(now, at, value, near.window, *how);
        Some(value)
    }

    /// Reads of successive words that change nothing, of one device that was accessed lately;
    /// or nothing is done, and it says so.
    #[inline]
    pub fn peek_run(
        &mut self,
        now: Instant,
        at: Ipa,
        how: Transaction,
        values: &mut [u32],
    ) -> bool {
        let Some((near, mut access)) = self.near(at, &how) else {
            return false;
        };
        let Some(slot) = self.slots.get(usize::from(near.device)) else {
            return false;
        };
        for value in values.iter_mut() {
            match slot.device.peek(now, access) {
                Some(read) if access.offset <= near.last => *value = read as u32,
                _ => return false,
            }
            access.offset = access.offset.wrapping_add(how.width.bytes());
        }
        self.recent.reads(now, at, values, near.window, how);
        true
    }

    /// A read of a device that was accessed lately; none, and nothing done, if it is not one.
    #[inline(never)]
    pub fn read_near(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
    ) -> Option<Result<Reply, BusFault>> {
        let (near, access) = self.near(at, &how).filter(|_| how.width <= Width::Word)?;
        Some(match self.serve(world, near.device, access, None)? {
            Ok(value) => {
                let value = value & how.width.mask();
                self.recent.read(world.now, at, value, near.window, how);
                Ok(Reply::Value(value))
            }
            Err(why) => self.refused(world, at, how, None, why),
        })
    }

    /// A write to a device that was accessed lately; none, and nothing done, if it is not one.
    #[inline(never)]
    pub fn write_near(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
        value: u64,
    ) -> Option<Result<Reply, BusFault>> {
        let value = value & how.width.mask();
        let (near, access) = self.near(at, &how).filter(|_| how.width <= Width::Word)?;
        Some(match self.serve(world, near.device, access, Some(value))? {
            Ok(_) => {
                self.recent.write(world.now, at, value, near.window, how);
                Ok(Reply::Done)
            }
            Err(why) => self.refused(world, at, how, Some(value), why),
        })
    }

    /// The device that was accessed lately at this address. A doubleword may be more than it takes
    /// at once.
    #[allow(clippy::inline_always)] // every access passes here; for size it would be a call
    #[inline(always)]
    #[allow(clippy::trivially_copy_pass_by_ref)] // by value it is packed into one register
    fn near(&self, at: Ipa, how: &Transaction) -> Option<(Near, Access)> {
        let near = *self.near.get(Near::way(at))?;
        let offset = at.0.wrapping_sub(near.first);
        if offset > near.last {
            return None;
        }
        let access = Access {
            region: near.region,
            offset,
            width: how.width,
            initiator: how.initiator,
            security: how.security,
            privileged: how.privileged,
        };
        Some((near, access))
    }

    /// An access to a device; none if there is no such device.
    #[inline]
    pub(super) fn serve(
        &mut self,
        world: &World<'_>,
        device: u16,
        access: Access,
        value: Option<u64>,
    ) -> Option<Result<u64, Refusal>> {
        let index = usize::from(device);
        let slot = self.slots.get_mut(index)?;
        let mut cx = Cx::new(world.now, world.memory, slot.store);
        let served = slot.device.access(&mut cx, access, value);
        if served.lines != slot.lines
            || served.deadline != slot.deadline
            || served.sends
            || cx.asked().is_some()
        {
            self.afterwards(world, index, &served, cx.asked());
        }
        Some(served.outcome)
    }

    /// What the device was left with after an access that changed something for others.
    #[cold]
    fn afterwards(&mut self, world: &World<'_>, index: usize, served: &Served, asked: Option<Ask>) {
        if let Some(asked) = asked {
            self.ask(index, asked);
        }
        self.outputs(
            index,
            world.now,
            served.lines,
            served.deadline,
            served.sends,
        );
        self.propagate(world);
    }

    /// The policy for an access that its device refused, and the record of it.
    #[cold]
    fn refused(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
        value: Option<u64>,
        why: Refusal,
    ) -> Result<Reply, BusFault> {
        let found = self.bus.find(at, how.width.bytes()).ok();
        let mut record = RecentAccess {
            at: world.now,
            initiator: how.initiator,
            window: found.map(|found| found.window),
            ipa: at,
            offset: found.map_or(0, |found| found.offset),
            write: value.is_some(),
            width: how.width,
            value: value.unwrap_or(0),
            refused: false,
        };
        let fault = Err(BusFault::Refused(why));
        let outcome = self.nobody(at, record, fault, record.write);
        record.refused = outcome.is_err();
        self.recent.note(&record);
        outcome
    }

    /// An access to what is not near, or to nothing.
    #[cold]
    pub(super) fn far(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        self.approach(at);
        let reply = match value {
            None => self.read_near(world, at, how),
            Some(value) => self.write_near(world, at, how, value),
        };
        match reply {
            Some(reply) => reply,
            None => self.access(world, at, how, value),
        }
    }

    /// Remembers the window at `at`, if a device can serve it there.
    fn approach(&mut self, at: Ipa) {
        let found = match self.bus.find(at, 1) {
            Ok(found) if found.port.width >= Width::Word => found,
            _ => return,
        };
        let Some(window) = self.plan.windows.get(found.window) else {
            return;
        };
        let (WindowKind::Device { device, region }
        | WindowKind::DirectReads { device, region, .. }) = window.kind
        else {
            return;
        };
        let (Ok(number), Ok(device)) = (u16::try_from(found.window), u16::try_from(device)) else {
            return;
        };
        let observed = |observer: &Observer| observer.sees(Kinds::ACCESSES, device);
        if self.observer.as_deref().is_some_and(observed) {
            return;
        }
        if let (Some(last), Some(near)) = (
            window.bytes.checked_sub(Width::Word.bytes()),
            self.near.get_mut(Near::way(at)),
        ) {
            *near = Near {
                first: window.at.0,
                last,
                window: number,
                device,
                region,
            };
        }
    }
}
