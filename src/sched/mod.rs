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
    policy: Policy,
    /// Whose each slot is.
    owners: Vec<Owners>,
    /// The length of all slots together.
    frame: u64,
    quantum: u64,
    /// Who was chosen last, and when its turn is over.
    last: usize,
    turn_ends: u64,
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

/// A part of the cyclic schedule, at a moment.
struct Part {
    owners: Owners,
    end: u64,
    /// Whether the others may have what the owners leave.
    slack: bool,
}

impl Schedule {
    /// A schedule of these seats. Equal ones change places every `quantum` ticks. A cyclic policy
    /// without a slot that lasts is one by priority.
    pub fn new(seats: Vec<Seat>, policy: Policy, quantum: u64) -> Self {
        let slots = match &policy {
            Policy::Priority => &[][..],
            Policy::Cyclic { slots, .. } => slots,
        };
        let frame = slots
            .iter()
            .fold(0, |sum: u64, slot| sum.saturating_add(slot.ticks));
        let owners = slots.iter().map(|slot| Owners::of(*slot, &seats)).collect();
        Self {
            seats,
            policy,
            owners,
            frame,
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
        let Some(part) = self.part(now) else {
            return self.by_priority(Among::All, now, &wants);
        };
        let owned = match part.owners {
            Owners::Nobody => Choice {
                run: None,
                until: u64::MAX,
            },
            Owners::One(seat) => self.alone(seat, now, wants(seat)),
            Owners::Several(vm) => self.by_priority(Among::Of(vm), now, &wants),
        };
        let choice = if owned.run.is_none() && part.slack {
            let given = self.by_priority(Among::All, now, &wants);
            Choice {
                run: given.run,
                until: given.until.min(owned.until),
            }
        } else {
            owned
        };
        Choice {
            until: choice.until.min(part.end),
            ..choice
        }
    }

    /// The part of the cyclic schedule at `now`; none if there is no such schedule.
    fn part(&self, now: u64) -> Option<Part> {
        let Policy::Cyclic { slots, slack } = &self.policy else {
            return None;
        };
        let into = now.checked_rem(self.frame)?;
        let mut end = now.wrapping_sub(into);
        for (slot, owners) in slots.iter().zip(&self.owners) {
            end = end.saturating_add(slot.ticks);
            if now < end {
                return Some(Part {
                    owners: *owners,
                    end,
                    slack: *slack,
                });
            }
        }
        None
    }

    /// A seat that shares its slot with none.
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

    fn by_priority(&mut self, among: Among, now: u64, wants: &impl Fn(usize) -> Wants) -> Choice {
        // From the one behind the last on, so that equals follow each other.
        let behind = self.last.saturating_add(1);
        let mut best: Option<(usize, u8)> = None;
        let mut equals = 0u32;
        let seats = self.seats.iter().copied().enumerate();
        for (index, seat) in seats
            .clone()
            .skip(behind)
            .chain(seats.clone().take(behind))
            .filter(|(_, seat)| among.has(*seat))
        {
            let better = best.is_none_or(|(_, priority)| seat.priority > priority);
            let equal = best.is_some_and(|(_, priority)| seat.priority == priority);
            if (better || equal) && wants(index).now(now) {
                if better {
                    (best, equals) = (Some((index, seat.priority)), 1);
                } else {
                    equals = equals.saturating_add(1);
                    // Its turn is not over.
                    if index == self.last && now < self.turn_ends {
                        best = Some((index, seat.priority));
                    }
                }
            }
        }
        // When a greater one, or an equal one, that waits is to run.
        let (mut sooner, mut equal) = (u64::MAX, u64::MAX);
        for (index, seat) in seats.filter(|(_, seat)| among.has(*seat)) {
            let at = match best {
                Some((_, priority)) if seat.priority < priority => continue,
                Some((run, _)) if run == index => continue,
                _ => wants(index).at(),
            };
            if at > now {
                match best {
                    Some((_, priority)) if seat.priority == priority => equal = equal.min(at),
                    _ => sooner = sooner.min(at),
                }
            }
        }
        let Some((run, _)) = best else {
            return Choice {
                run: None,
                until: sooner,
            };
        };
        self.takes(run, now);
        let turn = if equals > 1 {
            self.turn_ends
        } else if equal == u64::MAX {
            u64::MAX
        } else {
            equal.max(self.turn_ends)
        };
        Choice {
            run: Some(run),
            until: sooner.min(turn),
        }
    }
}
