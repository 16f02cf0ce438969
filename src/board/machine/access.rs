//! An access of the bus, whatever it meets: split as the port asks, resolved through aliases, and
//! ended by the map's policy where nothing answers.

use super::{Board, LEARNED};
use crate::access::{Access, SYSTEM_REGISTERS, Width};
use crate::board::bus::{Found, Miss, Order, Port};
use crate::board::observe::{Kinds, Seen, What};
use crate::board::plan::{Unclaimed, WindowKind};
use crate::board::{BusFault, RecentAccess, Reply, Transaction, World};
use crate::units::{HostPa, Ipa};

impl Board {
    /// An access to a system register of the interrupt controller, at the offset that
    /// [`system_register`](crate::access::system_register) gives; a refusal is an instruction that
    /// is undefined here.
    pub fn system_register(
        &mut self,
        world: &World<'_>,
        offset: u64,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let device = self.system_registers.ok_or(BusFault::Unclaimed)?;
        let access = Access {
            region: SYSTEM_REGISTERS,
            offset,
            width: how.width,
            initiator: how.initiator,
            security: how.security,
            privileged: how.privileged,
        };
        if self.observer.is_some() {
            return self.register(world, device, access, value);
        }
        let served = u16::try_from(device).ok();
        let served = served.and_then(|device| self.serve(world, device, access, value));
        match served.ok_or(BusFault::Unclaimed)? {
            Ok(read) => Ok(value.map_or(Reply::Value(read), |_| Reply::Done)),
            Err(why) => Err(BusFault::Refused(why)),
        }
    }

    pub(super) fn access(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let found = self.bus.find(at, how.width.bytes());
        match found {
            Ok(found) if how.width > found.port.width => self.split(world, at, found, how, value),
            found => self.piece(world, at, found, how, value),
        }
    }

    /// An access that is wider than the device's port: the pieces that the bridge makes of it,
    /// at most eight, in its order. When one is refused the rest is not done, and what came
    /// before it has happened.
    #[cold]
    fn split(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        found: Found,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let Port { width, order } = found.port;
        let last = how.width.bytes().wrapping_sub(width.bytes());
        let mut whole = 0;
        for step in (0..=last).step_by(width.bytes() as usize) {
            let offset = match order {
                Order::LowFirst => step,
                Order::HighFirst => last.wrapping_sub(step),
            };
            let shift = (offset as u32).wrapping_mul(8);
            let piece = Found {
                offset: found.offset.wrapping_add(offset),
                ..found
            };
            let reply = self.piece(
                world,
                at.wrapping_add(offset),
                Ok(piece),
                Transaction { width, ..how },
                value.map(|value| value.wrapping_shr(shift) & width.mask()),
            )?;
            match reply {
                Reply::Value(part) => whole |= part.wrapping_shl(shift),
                Reply::Done => {}
                // The host's registers take every width, so none of theirs is split.
                Reply::Host(_) => return Err(BusFault::Memory),
            }
        }
        Ok(value.map_or(Reply::Value(whole), |_| Reply::Done))
    }

    /// One access that its window's port takes whole, or that no window claims.
    fn piece(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        found: Result<Found, Miss>,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let (window, offset) = match found {
            Ok(found) => (Some(found.window), found.offset),
            Err(_) => (None, 0),
        };
        let outcome = match found {
            Ok(found) => self.inside(world, found.window, found.offset, how, value),
            Err(Miss::LeavesWindow) => Err(BusFault::LeavesWindow),
            Err(Miss::Unclaimed) => Err(BusFault::Unclaimed),
        };
        let mut access = RecentAccess {
            at: world.now,
            initiator: how.initiator,
            window,
            ipa: at,
            offset,
            write: value.is_some(),
            width: how.width,
            value: value.unwrap_or(0),
            refused: false,
        };
        let outcome = match outcome {
            Err(BusFault::Unclaimed | BusFault::Refused(_)) => {
                self.nobody(at, access, outcome, value.is_some())
            }
            outcome => outcome,
        };
        access.refused = outcome.is_err();
        if let Ok(Reply::Value(value)) = outcome {
            access.value = value;
        }
        self.recent.note(&access);
        outcome
    }

    /// The map's policy for an address at which no register answers.
    pub(super) fn nobody(
        &mut self,
        at: Ipa,
        access: RecentAccess,
        fault: Result<Reply, BusFault>,
        write: bool,
    ) -> Result<Reply, BusFault> {
        let inside = |offset: u64, bytes| offset < bytes;
        let range = self.plan.ignored.iter().any(|range| {
            at.0.checked_sub(range.at.0)
                .is_some_and(|offset| inside(offset, range.bytes))
        });
        match self.plan.unclaimed {
            Unclaimed::Abort if !range => return fault,
            Unclaimed::Learn if !range => {
                let known = self.learned.iter().any(|l| (l.ipa, l.write) == (at, write));
                if !known && self.learned.len() < LEARNED {
                    self.learned.push(access);
                }
            }
            _ => {}
        }
        Ok(if write { Reply::Done } else { Reply::Value(0) })
    }

    fn inside(
        &mut self,
        world: &World<'_>,
        index: usize,
        offset: u64,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let window = self.plan.windows.get(index).ok_or(BusFault::Unclaimed)?;
        match &window.kind {
            WindowKind::Device { device, region }
            | WindowKind::DirectReads { device, region, .. } => {
                let (device, region) = (*device, *region);
                self.register(world, device, how.access(region, offset), value)
            }
            WindowKind::Rom if value.is_some() => Err(BusFault::Memory),
            WindowKind::Ram | WindowKind::Rom => {
                memory(world, window.at.wrapping_add(offset), how.width, value)
            }
            WindowKind::PassThrough {
                host: Some(host),
                tap: true,
                region,
                ..
            } => {
                let host = HostPa(host.0.wrapping_add(offset));
                if let Some(observer) = &mut self.observer {
                    let window = self.plan.devices.len().saturating_add(index);
                    let what = What::Access {
                        access: how.access(*region, offset),
                        write: value.is_some(),
                        value: None,
                    };
                    observer.asked(Seen {
                        at: world.now,
                        device: window as u16,
                        what,
                    });
                }
                Ok(Reply::Host(host))
            }
            // Stage 2 serves what may be done there.
            WindowKind::Shared { .. } | WindowKind::PassThrough { .. } => Err(BusFault::Memory),
            WindowKind::Alias { target } => {
                let at = target.wrapping_add(offset);
                self.aliased(world, at, how, value)
            }
        }
    }

    /// An access to what is at `at`, through an alias of it.
    fn aliased(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let found = self.bus.find(at, how.width.bytes());
        let Found { window, offset, .. } = found.map_err(|_| BusFault::Memory)?;
        match self.plan.windows.get(window).map(|w| &w.kind) {
            // `Plan::read` refuses an alias of an alias.
            None | Some(WindowKind::Alias { .. }) => Err(BusFault::Memory),
            Some(_) => self.inside(world, window, offset, how, value),
        }
    }

    fn register(
        &mut self,
        world: &World<'_>,
        device: usize,
        access: Access,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let mut outcome = Err(BusFault::Unclaimed);
        self.call(world, device, |device, cx| {
            device.advance(cx);
            outcome = match value {
                None => device
                    .read(cx, access)
                    .map(|v| Reply::Value(v & access.width.mask())),
                Some(value) => device.write(cx, access, value).map(|()| Reply::Done),
            }
            .map_err(BusFault::Refused);
        });
        if self.observer.is_some() {
            self.see_access(world, device, access, value, outcome);
        }
        self.lines_of(device, world.now);
        self.propagate(world);
        outcome
    }

    /// Tells the observer of an access that a device carried out or refused.
    #[cold]
    fn see_access(
        &mut self,
        world: &World<'_>,
        device: usize,
        access: Access,
        written: Option<u64>,
        outcome: Result<Reply, BusFault>,
    ) {
        let value = match outcome {
            Ok(Reply::Value(read)) => Some(read),
            Ok(_) => written,
            Err(_) => None,
        };
        let write = written.is_some();
        let what = What::Access {
            access,
            write,
            value,
        };
        self.see(Kinds::ACCESSES, world.now, device, what);
    }
}

/// An access to memory that stage 2 did not serve: it traps on a board without it.
fn memory(world: &World<'_>, at: Ipa, width: Width, value: Option<u64>) -> Result<Reply, BusFault> {
    let mut bytes = value.unwrap_or(0).to_le_bytes();
    let bytes = bytes
        .get_mut(..width.bytes() as usize)
        .ok_or(BusFault::Memory)?;
    if value.is_some() {
        world
            .memory
            .write(at, bytes)
            .map_err(|_| BusFault::Memory)?;
        return Ok(Reply::Done);
    }
    world.memory.read(at, bytes).map_err(|_| BusFault::Memory)?;
    let mut whole = [0; 8];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    Ok(Reply::Value(u64::from_le_bytes(whole)))
}
