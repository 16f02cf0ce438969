//! What the distributor and the redistributors know of every interrupt, as bit sets.
//!
//! Places are those of [`gic::interrupts`](crate::emul::gic::interrupts): word 0 (SGIs and PPIs,
//! the redistributors' part) once for each CPU, the other words shared.

use super::{Config, MAX_CPUS};
use crate::emul::gic::interrupts::{Bits, PLACES, bit, place};

/// `GICD_IROUTER.IRM`.
pub(super) const IRM: u64 = 1 << 31;
/// `GICD_IROUTER`: Aff3, IRM, Aff2, Aff1, Aff0.
pub(super) const ROUTE: u64 = 0xff_80ff_ffff;

/// An interrupt's group (IHI 0069H, 4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Zero,
    /// Secure Group 1.
    SecureOne,
    /// Non-secure Group 1; with one Security state, Group 1.
    One,
}

/// A set of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Groups(pub(super) u8);

impl Groups {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(7);

    pub(super) const fn of(group: Group) -> Self {
        Self(match group {
            Group::Zero => 1,
            Group::One => 2,
            Group::SecureOne => 4,
        })
    }

    pub(super) const fn has(self, group: Group) -> bool {
        self.0 & Self::of(group).0 != 0
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A pending interrupt that is forwarded to a CPU interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: u16,
    pub(super) priority: u8,
    pub(super) group: Group,
}

/// The state of all interrupts.
pub(super) struct Interrupts {
    pub(super) group: Bits,
    /// The group modifier: only ever set with two Security states.
    pub(super) modifier: Bits,
    pub(super) enabled: Bits,
    /// Pending by an edge, by software or as an SGI; stays until acknowledged or cleared.
    pub(super) latched: Bits,
    /// The input lines as they are.
    pub(super) level: Bits,
    pub(super) active: Bits,
    /// Configured as edge-triggered.
    pub(super) edge: Bits,
    /// `GICD_IROUTER` of each SPI, as written.
    routes: [u64; 1020],
    /// The SPIs that go to each CPU by its affinity, words 1 to 31.
    targeted: [Bits; MAX_CPUS],
    /// The SPIs that go to 1 of N.
    any: Bits,
    priority: [[u8; 32]; PLACES],
    ready: Bits,
    /// Bit p: the word at place p of `ready` is not empty.
    occupied: u64,
}

impl Interrupts {
    pub(super) const fn new() -> Self {
        Self {
            group: Bits::NONE,
            modifier: Bits::NONE,
            enabled: Bits::NONE,
            latched: Bits::NONE,
            level: Bits::NONE,
            active: Bits::NONE,
            edge: Bits::NONE,
            routes: [0; 1020],
            targeted: [Bits::NONE; MAX_CPUS],
            any: Bits::NONE,
            priority: [[0; 32]; PLACES],
            ready: Bits::NONE,
            occupied: 0,
        }
    }

    /// All but the input levels. SGIs are edge-triggered for good.
    pub(super) fn reset(&mut self) {
        let level = self.level;
        for bits in self.bits_mut() {
            *bits = Bits::NONE;
        }
        self.level = level;
        for cpu in 0..MAX_CPUS {
            self.edge.set(cpu, 0xffff);
        }
        self.priority = [[0; 32]; PLACES];
    }

    /// All sets that are a part of the state.
    pub(super) fn bits_mut(&mut self) -> [&mut Bits; 7] {
        [
            &mut self.group,
            &mut self.modifier,
            &mut self.enabled,
            &mut self.latched,
            &mut self.active,
            &mut self.edge,
            &mut self.level,
        ]
    }

    /// As [`bits_mut`](Interrupts::bits_mut).
    pub(super) fn bits(&self) -> [&Bits; 7] {
        [
            &self.group,
            &self.modifier,
            &self.enabled,
            &self.latched,
            &self.active,
            &self.edge,
            &self.level,
        ]
    }

    /// An input line has this level now.
    pub(super) fn input(&mut self, at: usize, flag: u32, level: bool) {
        if !level {
            self.level.remove(at, flag);
        } else if self.level.get(at) & flag == 0 {
            self.level.insert(at, flag);
            self.latched.insert(at, flag & self.edge.get(at));
        }
    }

    /// Pending is the latch, or the input of a level-sensitive interrupt (4.1).
    pub(super) fn pending(&self, at: usize) -> u32 {
        self.latched.get(at) | (self.level.get(at) & !self.edge.get(at))
    }

    /// Brings the ready set of a place up to date. Whether a CPU's choice may have changed.
    pub(super) fn settle(&mut self, at: usize) -> bool {
        // An interrupt that is active and pending waits for its deactivation.
        let ready = self.pending(at) & self.enabled.get(at) & !self.active.get(at);
        if ready == self.ready.get(at) {
            return false;
        }
        self.ready.set(at, ready);
        let flag = 1u64.wrapping_shl(at as u32);
        if ready == 0 {
            self.occupied &= !flag;
        } else {
            self.occupied |= flag;
        }
        true
    }

    /// The interrupts of a place that are of these groups.
    fn of(&self, at: usize, groups: Groups) -> u32 {
        let (group, modifier) = (self.group.get(at), self.modifier.get(at));
        let mut of = 0;
        if groups.has(Group::Zero) {
            of |= !group & !modifier;
        }
        if groups.has(Group::SecureOne) {
            of |= !group & modifier;
        }
        if groups.has(Group::One) {
            of |= group;
        }
        of
    }

    pub(super) fn group_of(&self, at: usize, flag: u32) -> Group {
        if self.group.get(at) & flag != 0 {
            Group::One
        } else if self.modifier.get(at) & flag != 0 {
            Group::SecureOne
        } else {
            Group::Zero
        }
    }

    /// The highest-priority interrupt that is ready for `cpu`: of `own` groups if it is routed
    /// to it alone, of `shared` groups if it goes to 1 of N. Among equals it is the one with the
    /// lowest number.
    pub(super) fn highest(&self, cpu: usize, own: Groups, shared: Groups) -> Option<Candidate> {
        let mut best: Option<Candidate> = None;
        let mut places = self.occupied & (1u64.wrapping_shl(cpu as u32) | !0xff);
        while places != 0 {
            let at = places.trailing_zeros() as usize;
            places &= places.wrapping_sub(1);
            let mut bits = self.ready.get(at) & self.of(at, own);
            if at >= MAX_CPUS {
                let targeted = self.targeted.get(cpu).map_or(0, |to| to.get(at));
                bits &= targeted | (self.any.get(at) & self.of(at, shared));
            }
            while bits != 0 {
                let n = bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
                let priority = self.priority(at, n as usize);
                if best.is_none_or(|b| priority < b.priority) {
                    let word = at.saturating_sub(MAX_CPUS - 1);
                    best = Some(Candidate {
                        id: (word as u16).wrapping_mul(32).wrapping_add(n as u16),
                        priority,
                        group: self.group_of(at, bit(n)),
                    });
                }
            }
        }
        best
    }

    pub(super) fn priority(&self, at: usize, n: usize) -> u8 {
        let of_place = self.priority.get(at);
        of_place.and_then(|p| p.get(n)).copied().unwrap_or(0)
    }

    pub(super) fn set_priority(&mut self, at: usize, n: usize, to: u8) {
        if let Some(p) = self.priority.get_mut(at).and_then(|p| p.get_mut(n)) {
            *p = to;
        }
    }

    /// `GICD_IROUTER` of an SPI.
    pub(super) fn route_of(&self, id: usize) -> u64 {
        self.routes.get(id).copied().unwrap_or(0)
    }

    /// Sets `GICD_IROUTER` of an SPI.
    pub(super) fn route(&mut self, config: &Config, id: usize, route: u64) {
        let route = route & ROUTE;
        if let Some(at) = self.routes.get_mut(id) {
            *at = route;
        }
        let (at, flag) = (place(0, id / 32), bit((id % 32) as u32));
        let any = route & IRM != 0;
        let affinity = (route >> 8) as u32 & 0xff00_0000 | route as u32 & 0x00ff_ffff;
        put(&mut self.any, at, flag, any);
        let cpus = config.affinities.iter().take(usize::from(config.cpus));
        for (to, its) in self.targeted.iter_mut().zip(cpus) {
            put(to, at, flag, !any && *its == affinity);
        }
    }
}

fn put(bits: &mut Bits, at: usize, flag: u32, set: bool) {
    if set {
        bits.insert(at, flag);
    } else {
        bits.remove(at, flag);
    }
}
