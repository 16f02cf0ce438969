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

impl Schedule {
    /// A schedule of these seats. Equal ones change places every `quantum` ticks. A cyclic policy
    /// without a slot that lasts is one by priority.
    pub fn new(seats: Vec<Seat>, policy: Policy, quantum: u64) -> Self {
        let frame = match &policy {
            Policy::Priority => 0,
            Policy::Cyclic { slots, .. } => slots
                .iter()
                .fold(0, |sum: u64, slot| sum.saturating_add(slot.ticks)),
        };
        Self {
            seats,
            policy,
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
        let Some((owner, end, slack)) = self.slot(now) else {
            return self.by_priority(Among::All, now, &wants);
        };
        let owned = match owner {
            Some(vm) => self.by_priority(Among::Of(vm), now, &wants),
            None => Choice {
                run: None,
                until: u64::MAX,
            },
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

    /// The slot at `now`: whose it is, when it ends, whether its slack is given away.
    fn slot(&self, now: u64) -> Option<(Option<u8>, u64, bool)> {
        let Policy::Cyclic { slots, slack } = &self.policy else {
            return None;
        };
        let into = now.checked_rem(self.frame)?;
        let mut end = now.wrapping_sub(into);
        for slot in slots {
            end = end.saturating_add(slot.ticks);
            if now < end {
                return Some((slot.vm, end, *slack));
            }
        }
        None
    }

    fn by_priority(&mut self, among: Among, now: u64, wants: &impl Fn(usize) -> Wants) -> Choice {
        let mut first: Option<(usize, u8)> = None;
        let mut equals = 0u32;
        // From the one behind the last on, so that equals follow each other.
        let count = self.seats.len();
        for step in 1..=count {
            let index = self.last.wrapping_add(step).checked_rem(count).unwrap_or(0);
            let Some(seat) = self.seats.get(index).copied() else {
                continue;
            };
            if !among.has(seat) || !wants(index).now(now) {
                continue;
            }
            match first {
                Some((_, best)) if best > seat.priority => {}
                Some((_, best)) if best == seat.priority => equals = equals.saturating_add(1),
                _ => (first, equals) = (Some((index, seat.priority)), 1),
            }
        }
        let Some((mut run, priority)) = first else {
            let until = self.next(among, now, wants, |_| true);
            return Choice { run: None, until };
        };
        let keeps = self.seats.get(self.last).is_some_and(|seat| {
            among.has(*seat) && seat.priority == priority && wants(self.last).now(now)
        });
        if keeps && (now < self.turn_ends || equals == 1) {
            run = self.last;
        }
        if run != self.last || now >= self.turn_ends {
            self.turn_ends = now.saturating_add(self.quantum);
        }
        self.last = run;
        let sooner = self.next(among, now, wants, |other| other > priority);
        let turn = if equals > 1 {
            self.turn_ends
        } else {
            let equal = self.next(among, now, wants, |other| other == priority);
            equal.max(if equal == u64::MAX { 0 } else { self.turn_ends })
        };
        Choice {
            run: Some(run),
            until: sooner.min(turn),
        }
    }

    /// When the first of those that wait, of these priorities, is to run.
    fn next(
        &self,
        among: Among,
        now: u64,
        wants: &impl Fn(usize) -> Wants,
        of: impl Fn(u8) -> bool,
    ) -> u64 {
        let seats = self.seats.iter().enumerate();
        let waiting = seats.filter(|(_, seat)| among.has(**seat) && of(seat.priority));
        let times = waiting.filter_map(|(index, _)| match wants(index) {
            Wants::RunAt(at) if at > now => Some(at),
            _ => None,
        });
        times.min().unwrap_or(u64::MAX)
    }
}
