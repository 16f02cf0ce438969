//! A wire between two pins, or from an interrupt line to a pin.
//!
//! Each end may drive the wire; the other end then sees its level. A wire that nobody drives is
//! low, as a pin of a PL061 is that nothing is connected to; of one that both drive each end sees
//! the other's level, and nothing burns.
//!
//! An edge is not a level: a pulse that a board's CPU makes between two looks of the other's is
//! two edges there, in their order. At most [`EDGES`] wait for an end; of more, pairs are left out,
//! so that the level is right when it has seen them.

use super::{Pair, Side};
use serde::{Deserialize, Serialize};

/// The most edges that wait in a wire for one end.
pub const EDGES: u32 = 16;

/// What a wire is joined to: lines of a device, each if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The output line that drives the wire.
    pub output: Option<u16>,
    /// The output line that says whether it does; without it, it always does.
    pub enable: Option<u16>,
    /// The input line that sees it.
    pub input: Option<u16>,
}

/// One direction.
#[derive(Clone, Debug, Default)]
struct Way {
    /// The level that the other end drives.
    level: bool,
    /// Edges that this end has not seen: the level that it has is `level`, this often turned.
    unseen: u32,
    lost: u64,
}

/// A wire between two pins.
#[derive(Clone, Debug, Default)]
pub struct PinWire {
    to: Pair<Way>,
}

impl PinWire {
    /// A wire that nobody drives.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An end drives this level, or (none) does not drive the wire. Whether the other end is to
    /// be told: nothing was waiting for it.
    pub fn drive(&mut self, from: Side, level: Option<bool>) -> bool {
        let way = self.to.of_mut(from.other());
        let level = level.unwrap_or(false);
        if level == way.level {
            return false;
        }
        way.level = level;
        way.unseen = way.unseen.wrapping_add(1);
        if way.unseen > EDGES {
            way.unseen = way.unseen.wrapping_sub(2);
            way.lost = way.lost.wrapping_add(2);
        }
        way.unseen == 1
    }

    /// The level that an end drives, low if it drives none.
    pub const fn driven(&self, from: Side) -> bool {
        self.to.of(from.other()).level
    }

    /// The next level of an end's input that it has not seen.
    pub fn next(&mut self, to: Side) -> Option<bool> {
        let way = self.to.of_mut(to);
        way.unseen = way.unseen.checked_sub(1)?;
        Some(way.level ^ (way.unseen % 2 == 1))
    }

    /// The level that an end's input has when it has seen all edges.
    pub const fn level(&self, to: Side) -> bool {
        self.to.of(to).level
    }

    /// How many edges an end was not shown.
    pub const fn lost(&self, to: Side) -> u64 {
        self.to.of(to).lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Side::{First, Second};

    #[test]
    fn a_pulse_is_two_edges_at_the_other_end() {
        let mut wire = PinWire::new();
        assert!(wire.drive(First, Some(true)));
        assert!(!wire.drive(First, Some(true)), "no edge");
        assert!(!wire.drive(First, Some(false)), "one waits already");
        assert_eq!(wire.next(Second), Some(true));
        assert_eq!(wire.next(Second), Some(false));
        assert_eq!(wire.next(Second), None);
        assert_eq!(wire.next(First), None, "the end that drives sees nothing");
    }

    #[test]
    fn an_end_that_lets_go_leaves_the_wire_low() {
        let mut wire = PinWire::new();
        wire.drive(First, Some(true));
        assert_eq!(wire.next(Second), Some(true));
        assert!(wire.drive(First, None));
        assert_eq!(wire.next(Second), Some(false));
    }

    #[test]
    fn both_ends_may_drive_and_each_sees_the_other() {
        let mut wire = PinWire::new();
        wire.drive(First, Some(true));
        wire.drive(Second, Some(false));
        assert!(wire.level(Second) && !wire.level(First));
        wire.drive(Second, Some(true));
        assert_eq!(wire.next(First), Some(true));
    }

    #[test]
    fn of_too_many_edges_pairs_are_left_out_and_the_level_is_right() {
        for edges in 1..100_u32 {
            let mut wire = PinWire::new();
            for n in 0..edges {
                wire.drive(First, Some(n % 2 == 0));
            }
            let mut seen = 0;
            let mut level = false;
            while let Some(next) = wire.next(Second) {
                assert_ne!(next, level, "each is an edge");
                level = next;
                seen += 1;
            }
            assert_eq!(level, edges % 2 == 1, "{edges}");
            assert_eq!(seen + wire.lost(Second), u64::from(edges));
            assert!(seen <= u64::from(EDGES));
        }
    }
}
