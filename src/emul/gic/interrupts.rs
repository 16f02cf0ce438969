//! What the distributor knows of every interrupt, as bit sets of 32 interrupts a word.
//!
//! Word 0 (SGIs and PPIs) exists once for each CPU, the others are shared. All words live in
//! one row, banked ones first: a *place* is an index into that row. The set of interrupts
//! that are ready (pending, enabled, not active) is kept up to date at every change, with
//! a summary of the words that are not empty, so that finding the highest of a CPU looks only
//! at interrupts that are ready.

use super::MAX_CPUS;

/// Places: word 0 of eight CPUs, then words 1 to 31.
pub(in crate::emul) const PLACES: usize = 39;

/// The word of SGI bits in a banked word.
pub(super) const SGIS: u32 = 0xffff;

/// Where word `n` of a register array is, for `cpu`.
pub(in crate::emul) const fn place(cpu: usize, n: usize) -> usize {
    if n == 0 {
        cpu
    } else {
        n.wrapping_add(MAX_CPUS - 1)
    }
}

/// Bit `n` of a word.
pub(in crate::emul) const fn bit(n: u32) -> u32 {
    1u32.wrapping_shl(n)
}

/// One bit for each interrupt of each place.
#[derive(Clone, Copy)]
pub(in crate::emul) struct Bits([u32; PLACES]);

impl Bits {
    pub(in crate::emul) const NONE: Self = Self([0; PLACES]);

    pub(in crate::emul) fn get(&self, place: usize) -> u32 {
        self.0.get(place).copied().unwrap_or(0)
    }

    pub(in crate::emul) fn set(&mut self, place: usize, word: u32) {
        if let Some(at) = self.0.get_mut(place) {
            *at = word;
        }
    }

    pub(in crate::emul) fn insert(&mut self, place: usize, bits: u32) {
        self.set(place, self.get(place) | bits);
    }

    pub(in crate::emul) fn remove(&mut self, place: usize, bits: u32) {
        self.set(place, self.get(place) & !bits);
    }
}

/// A pending interrupt that the distributor forwards to a CPU interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: u16,
    pub(super) priority: u8,
    pub(super) group1: bool,
}

/// The state of all interrupts.
pub(super) struct Interrupts {
    pub(super) group: Bits,
    pub(super) enabled: Bits,
    /// Pending by an edge, by software or as an SGI; stays until acknowledged or cleared.
    pub(super) latched: Bits,
    /// The input lines as they are.
    pub(super) level: Bits,
    pub(super) active: Bits,
    /// Configured as edge-triggered.
    pub(super) edge: Bits,
    /// The SPIs that go to each CPU, words 1 to 31.
    pub(super) targeted: [Bits; MAX_CPUS],
    priority: [[u8; 32]; PLACES],
    /// The CPUs that sent each pending SGI, as a set.
    sources: [[u8; 16]; MAX_CPUS],
    ready: Bits,
    /// Bit p: the word at place p of `ready` is not empty.
    occupied: u64,
}

impl Interrupts {
    pub(super) const fn new() -> Self {
        Self {
            group: Bits::NONE,
            enabled: Bits::NONE,
            latched: Bits::NONE,
            level: Bits::NONE,
            active: Bits::NONE,
            edge: Bits::NONE,
            targeted: [Bits::NONE; MAX_CPUS],
            priority: [[0; 32]; PLACES],
            sources: [[0; 16]; MAX_CPUS],
            ready: Bits::NONE,
            occupied: 0,
        }
    }

    /// Pending is the latch, or the input of a level-sensitive interrupt (IHI 0048B, 4.3.8,
    /// control of the pending status of level-sensitive interrupts).
    pub(super) fn pending(&self, place: usize) -> u32 {
        self.latched.get(place) | (self.level.get(place) & !self.edge.get(place))
    }

    /// Brings the ready set of a place up to date. Whether a CPU's choice may have changed.
    pub(super) fn settle(&mut self, place: usize) -> bool {
        // An interrupt that is active and pending waits for its deactivation.
        let ready = self.pending(place) & self.enabled.get(place) & !self.active.get(place);
        if ready == self.ready.get(place) {
            return false;
        }
        self.ready.set(place, ready);
        let flag = 1u64.wrapping_shl(place as u32);
        if ready == 0 {
            self.occupied &= !flag;
        } else {
            self.occupied |= flag;
        }
        true
    }

    /// The highest-priority interrupt that is ready for `cpu`, of the groups that are
    /// forwarded. Among equals it is the one with the lowest number.
    pub(super) fn highest(&self, cpu: usize, group0: bool, group1: bool) -> Option<Candidate> {
        let mut best: Option<Candidate> = None;
        let own = 1u64.wrapping_shl(cpu as u32);
        let mut places = self.occupied & (own | !0xff);
        while places != 0 {
            let place = places.trailing_zeros() as usize;
            places &= places.wrapping_sub(1);
            let group = self.group.get(place);
            let mut bits = self.ready.get(place);
            if place >= MAX_CPUS {
                bits &= self.targeted.get(cpu).map_or(0, |to| to.get(place));
            }
            bits &= if group0 { !0 } else { group };
            bits &= if group1 { !0 } else { !group };
            while bits != 0 {
                let n = bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
                let priority = self.priority(place, n as usize);
                if best.is_none_or(|b| priority < b.priority) {
                    let word = place.saturating_sub(MAX_CPUS - 1);
                    let id = (word as u16).wrapping_mul(32).wrapping_add(n as u16);
                    best = Some(Candidate {
                        id,
                        priority,
                        group1: group & bit(n) != 0,
                    });
                }
            }
        }
        best
    }

    pub(super) fn priority(&self, place: usize, n: usize) -> u8 {
        self.priority
            .get(place)
            .and_then(|p| p.get(n))
            .copied()
            .unwrap_or(0)
    }

    pub(super) fn set_priority(&mut self, place: usize, n: usize, to: u8) {
        if let Some(p) = self.priority.get_mut(place).and_then(|p| p.get_mut(n)) {
            *p = to;
        }
    }

    /// The CPUs whose SGI `id` is pending on `cpu`.
    pub(super) fn sources(&self, cpu: usize, id: usize) -> u8 {
        self.sources
            .get(cpu)
            .and_then(|s| s.get(id))
            .copied()
            .unwrap_or(0)
    }

    /// Sets those CPUs; the SGI is pending while there is any.
    pub(super) fn set_sources(&mut self, cpu: usize, id: usize, from: u8) {
        let Some(s) = self.sources.get_mut(cpu).and_then(|s| s.get_mut(id)) else {
            return;
        };
        *s = from;
        if from == 0 {
            self.latched.remove(cpu, bit(id as u32));
        } else {
            self.latched.insert(cpu, bit(id as u32));
        }
    }
}
