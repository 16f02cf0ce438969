//! Who runs on a core, and until when.
//!
//! A core has *seats*: the vCPUs that it serves, of one VM or of several. Whenever something may
//! have changed (a seat waits, a moment has come, an interrupt) the metal asks [`Schedule::choose`],
//! which looks at what each seat wants and answers who runs next, and when to ask again at the
//! latest. Times are ticks of the host's counter, which every core sees alike: so the slots of a
//! cyclic schedule begin everywhere at once, and a VM's slot is a gang over its cores.
//!
//! - **Cyclic** (like ARINC 653's): a fixed table of slots, one after the other and round again. In
//!   its slot a VM has the core alone. While it waits the core sleeps, or, where slack is given
//!   away, runs another VM until the slot's owner wants the core back or the slot ends.
//! - **Priority**: of those that want to run the one of the greatest priority runs, at once.
//!
//! Seats that are equal by these rules take turns, a quantum each. The cost of a choice is linear in
//! the number of seats and slots, which the system file fixes.

#[cfg(test)]
mod tests;

use alloc::vec::Vec;

/// A vCPU that the core serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The number of its VM in the system.
    pub vm: u8,
    /// The greater runs first.
    pub priority: u8,
}

/// A part of the cyclic schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Whose it is; nobody's in an idle slot.
    pub vm: Option<u8>,
    /// How long it is, in ticks of the host's counter.
    pub ticks: u64,
}

/// How the core is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The greatest priority first.
    Priority,
    /// By a table.
    Cyclic {
        /// The slots, in their order.
        slots: Vec<Slot>,
        /// Whether the others may have what a slot's owner leaves.
        slack: bool,
    },
}

/// What a seat wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Nothing: it is off.
    Nothing,
    /// To run.
    Run,
    /// To run from this tick on; it waits.
    RunAt(u64),
}

impl Wants {
    const fn at(self) -> u64 {
        match self {
            Self::Nothing => u64::MAX,
            Self::Run => 0,
            Self::RunAt(at) => at,
        }
    }

    const fn now(self, now: u64) -> bool {
        !matches!(self, Self::Nothing) && self.at() <= now
    }
}

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The seat, or none: the core sleeps.
    pub run: Option<usize>,
    /// When to choose anew at the latest, in ticks; `u64::MAX`: only when something changes.
    pub until: u64,
}

/// How one core is shared.
#[derive(Clone, Debug)]
pub struct Schedule {
    seats: Vec<Seat>,
    /// The seats by priority, the greatest first; those of one rank are equal.
    ranks: Vec<Vec<usize>>,
    table: Option<Table>,
    quantum: u64,
    /// Who was chosen last, and when its turn is over.
    last: usize,
    turn_ends: u64,
}

/// The slots of a cyclic schedule, and the one that was looked at last.
#[derive(Clone, Debug)]
struct Table {
    slots: Vec<(Owners, u64)>,
    /// Whether the others may have what a slot's owner leaves.
    slack: bool,
    /// The length of all slots together.
    frame: u64,
    at: usize,
    begin: u64,
    end: u64,
}

/// Which seats a rule speaks of.
#[derive(Clone, Copy)]
enum Among {
    All,
    Of(u8),
}

impl Among {
    fn has(self, seat: Seat) -> bool {
        match self {
            Self::All => true,
            Self::Of(vm) => seat.vm == vm,
        }
    }
}

/// Which seats of the core have a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owners {
    Nobody,
    One(usize),
    /// Those of this VM.
    Several(u8),
}

impl Owners {
    fn of(slot: Slot, seats: &[Seat]) -> Self {
        let Some(vm) = slot.vm else {
            return Self::Nobody;
        };
        let mut own = seats.iter().enumerate().filter(|(_, seat)| seat.vm == vm);
        match (own.next(), own.next()) {
            (None, _) => Self::Nobody,
            (Some((index, _)), None) => Self::One(index),
            _ => Self::Several(vm),
        }
    }
}

impl Table {
    /// The table of a cyclic policy with a slot that lasts.
    fn of(policy: &Policy, seats: &[Seat]) -> Option<Self> {
        let Policy::Cyclic { slots, slack } = policy else {
            return None;
        };
        let slots = slots
            .iter()
            .map(|slot| (Owners::of(*slot, seats), slot.ticks));
        let slots: Vec<_> = slots.collect();
        let frame = slots
            .iter()
            .fold(0, |sum: u64, (_, ticks)| sum.saturating_add(*ticks));
        (frame > 0).then_some(Self {
            // The frame that ends at 0.
            at: slots.len().saturating_sub(1),
            slots,
            slack: *slack,
            frame,
            begin: 0,
            end: 0,
        })
    }

    /// Whose slot it is at `now`, and until when.
    fn slot(&mut self, now: u64) -> (Owners, u64) {
        if !self.is_in(now) {
            // Mostly it is the next one's time.
            let next = self.at.saturating_add(1);
            self.at = if next < self.slots.len() { next } else { 0 };
            self.begin = self.end;
            self.end = self.begin.saturating_add(self.current().1);
            if !self.is_in(now) {
                self.find(now);
            }
        }
        (self.current().0, self.end)
    }

    const fn is_in(&self, now: u64) -> bool {
        self.begin <= now && now < self.end
    }

    fn current(&self) -> (Owners, u64) {
        let slot = self.slots.get(self.at).copied();
        slot.unwrap_or((Owners::Nobody, 0))
    }

    #[cold]
    fn find(&mut self, now: u64) {
        let into = now.checked_rem(self.frame).unwrap_or(0);
        self.end = now.wrapping_sub(into);
        for (at, (_, ticks)) in self.slots.iter().enumerate() {
            (self.at, self.begin) = (at, self.end);
            self.end = self.begin.saturating_add(*ticks);
            if now < self.end {
                return;
            }
        }
    }
}

impl Schedule {
    /// A schedule of these seats. Equal ones change places every `quantum` ticks. A cyclic policy
    /// without a slot that lasts is one by priority.
    pub fn new(seats: Vec<Seat>, policy: &Policy, quantum: u64) -> Self {
        let mut order: Vec<usize> = (0..seats.len()).collect();
        let priority = |index: &usize| seats.get(*index).map_or(0, |seat| seat.priority);
        order.sort_by_key(|index| core::cmp::Reverse(priority(index)));
        let ranks = order.chunk_by(|one, other| priority(one) == priority(other));
        Self {
            ranks: ranks.map(<[usize]>::to_vec).collect(),
            table: Table::of(policy, &seats),
            seats,
            quantum: quantum.max(1),
            last: 0,
            turn_ends: 0,
        }
    }

    /// The seats.
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// Who runs at `now`, by what each seat wants.
    pub fn choose(&mut self, now: u64, wants: impl Fn(usize) -> Wants) -> Choice {
        let Some(table) = &mut self.table else {
            return self.by_priority(Among::All, now, &wants);
        };
        let (owners, end) = table.slot(now);
        let slack = table.slack;
        let owned = match owners {
            Owners::Nobody => Choice {
                run: None,
                until: u64::MAX,
            },
            Owners::One(seat) => self.alone(seat, now, wants(seat)),
            Owners::Several(vm) => self.by_priority(Among::Of(vm), now, &wants),
        };
        let choice = if owned.run.is_none() && slack {
            let given = self.by_priority(Among::All, now, &wants);
            Choice {
                run: given.run,
                until: given.until.min(owned.until),
            }
        } else {
            owned
        };
        Choice {
            until: choice.until.min(end),
            ..choice
        }
    }

    /// A seat that shares its slot, or its rank, with none.
    #[inline]
    fn alone(&mut self, seat: usize, now: u64, wants: Wants) -> Choice {
        if !wants.now(now) {
            return Choice {
                run: None,
                until: wants.at(),
            };
        }
        self.takes(seat, now);
        Choice {
            run: Some(seat),
            until: u64::MAX,
        }
    }

    /// A seat has the core, for a turn if it did not have it before.
    fn takes(&mut self, seat: usize, now: u64) {
        if seat != self.last || now >= self.turn_ends {
            self.turn_ends = now.saturating_add(self.quantum);
        }
        self.last = seat;
    }

    /// The first rank of which one wants the core has it, until one of a greater rank does.
    fn by_priority(&mut self, among: Among, now: u64, wants: &impl Fn(usize) -> Wants) -> Choice {
        let mut until = u64::MAX;
        for rank in 0..self.ranks.len() {
            let choice = match self.ranks.get(rank).map_or(&[][..], Vec::as_slice) {
                &[seat] if self.is_among(among, seat) => self.alone(seat, now, wants(seat)),
                [] | [_] => continue,
                _ => self.by_turns(rank, among, now, wants),
            };
            until = until.min(choice.until);
            if choice.run.is_some() {
                return Choice { until, ..choice };
            }
        }
        Choice { run: None, until }
    }

    fn is_among(&self, among: Among, seat: usize) -> bool {
        self.seats.get(seat).is_some_and(|seat| among.has(*seat))
    }

    /// One of several of a rank.
    #[cold]
    fn by_turns(
        &mut self,
        rank: usize,
        among: Among,
        now: u64,
        wants: &impl Fn(usize) -> Wants,
    ) -> Choice {
        let rank = self.ranks.get(rank).map_or(&[][..], Vec::as_slice);
        // From the one behind the last on, so that they follow each other.
        let last = self.last;
        let seats = || {
            rank.iter()
                .copied()
                .filter(|seat| self.is_among(among, *seat))
        };
        let behind = seats().filter(|seat| *seat > last);
        let before = seats().filter(|seat| *seat <= last);
        let (mut next, mut ready, mut waiting) = (None, 0u32, u64::MAX);
        for seat in behind.chain(before) {
            let wants = wants(seat);
            if wants.now(now) {
                ready = ready.saturating_add(1);
                // Its turn is not over.
                let goes_on = seat == self.last && now < self.turn_ends;
                next = if goes_on {
                    Some(seat)
                } else {
                    next.or(Some(seat))
                };
            } else {
                waiting = waiting.min(wants.at());
            }
        }
        let Some(run) = next else {
            return Choice {
                run: None,
                until: waiting,
            };
        };
        self.takes(run, now);
        let until = if ready > 1 {
            self.turn_ends
        } else if waiting == u64::MAX {
            u64::MAX
        } else {
            waiting.max(self.turn_ends)
        };
        Choice {
            run: Some(run),
            until,
        }
    }
}
