//! Output lines: each recorded change is matched with one of ours, within the device's bound.

use super::divergence::{Difference, Divergence};
use super::summary::Summary;
use crate::units::Instant;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A device's number, and its line's.
type Place = (usize, u16);

/// A change that has not found its counterpart.
struct Waiting {
    place: Place,
    level: bool,
    at: Instant,
    /// How long the counterpart may be before or behind it, in nanoseconds.
    within: u64,
    /// The line of the trace; none: it is ours.
    recorded: Option<usize>,
}

/// The changes that have not found their counterparts.
#[derive(Default)]
pub(super) struct Lines {
    waiting: VecDeque<Waiting>,
}

impl Lines {
    /// A change that was recorded.
    pub(super) fn recorded(
        &mut self,
        place: Place,
        level: bool,
        at: Instant,
        line: usize,
        within: u64,
        summary: &mut Summary,
    ) {
        let new = Waiting {
            place,
            level,
            at,
            within,
            recorded: Some(line),
        };
        self.change(new, summary);
    }

    /// A change of ours.
    pub(super) fn ours(
        &mut self,
        place: Place,
        level: bool,
        at: Instant,
        within: u64,
        summary: &mut Summary,
    ) {
        let new = Waiting {
            place,
            level,
            at,
            within,
            recorded: None,
        };
        self.change(new, summary);
    }

    fn change(&mut self, new: Waiting, summary: &mut Summary) {
        let other_side = |other: &Waiting| {
            other.place == new.place
                && other.level == new.level
                && other.recorded.is_some() != new.recorded.is_some()
                && apart(other.at, new.at) <= new.within
        };
        let Some(place) = self.waiting.iter().position(other_side) else {
            self.waiting.push_back(new);
            return;
        };
        if let Some(other) = self.waiting.remove(place) {
            let counts = &mut summary.lines;
            if other.at == new.at {
                counts.exact = counts.exact.saturating_add(1);
            } else {
                counts.within = counts.within.saturating_add(1);
            }
        }
    }

    /// Changes whose counterpart can come no more are divergences. `of` gives a device's name, a
    /// line's name, and what led there.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        summary: &mut Summary,
        of: impl Fn(usize, u16) -> (String, Option<&'static str>, Vec<(usize, String)>),
    ) {
        let due = |first: &Waiting| first.at.saturating_add(first.within) < now;
        while self.waiting.front().is_some_and(due) {
            let Some(first) = self.waiting.pop_front() else {
                break;
            };
            if self.undoes(&first) {
                continue;
            }
            summary.lines.diverged = summary.lines.diverged.saturating_add(1);
            if !summary.wants_more() {
                continue;
            }
            let (device, name, before) = of(first.place.0, first.place.1);
            let number = first.place.1;
            let line = name.map_or_else(|| number.to_string(), |name| format!("{number} ({name})"));
            let level = first.level;
            let what = match first.recorded {
                Some(_) => Difference::LineMissing { line, level },
                None => Difference::LineExtra { line, level },
            };
            let latest = before.last().map_or(0, |(line, _)| *line);
            summary.divergences.push(Divergence {
                line: first.recorded.unwrap_or(latest),
                at: first.at,
                device,
                what,
                before,
            });
        }
    }

    /// Whether the same side's next change takes this one back within the bound: each of them may
    /// be so much earlier or later, so they may as well be at one moment, where nobody sees
    /// either. Both are dropped then.
    fn undoes(&mut self, first: &Waiting) -> bool {
        let back = self.waiting.iter().position(|next| {
            next.place == first.place
                && apart(next.at, first.at) <= first.within
                && next.level != first.level
                && next.recorded.is_some() == first.recorded.is_some()
        });
        back.and_then(|place| self.waiting.remove(place)).is_some()
    }
}

const fn apart(a: Instant, b: Instant) -> u64 {
    a.0.abs_diff(b.0)
}
