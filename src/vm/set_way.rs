//! Cache maintenance by set and way, as a walk of the VM's RAM by address.
//!
//! A guest's set and way mean nothing on the host, whose caches have another geometry and other
//! VMs' lines. But a guest that maintains by set and way goes through all of them, as its
//! board's CCSIDR counts them. So each operation stands for its share of RAM: set and way number
//! k of n cleans and invalidates the k-th n-th of it. A whole loop covers every byte. A trap does a piece
//! of a share, and the instruction is executed again until all is done: interrupts are taken between two
//! pieces. An invalidate cleans too: what is
//! lost on the board by invalidating is never something that a correct guest reads again.
//!
//! No hardware has run this; host tests check the sequence.

use super::Core;
use super::cpu::Model;
use crate::board::plan::{Plan, WindowKind};
use crate::units::Ipa;

/// The share of a cache of `ccsidr`'s geometry that the operand names: (k, n).
fn share(model: &Model, operand: u32) -> Option<(u64, u64)> {
    let level = operand >> 1 & 7;
    // Data or unified: CSSELR's InD is 0.
    let ccsidr = model.ccsidr(level << 1);
    if ccsidr == 0 {
        return None;
    }
    let line_bits = (ccsidr & 7).wrapping_add(4);
    let ways = (ccsidr >> 3 & 0x3ff).wrapping_add(1);
    let sets = (ccsidr >> 13 & 0x7fff).wrapping_add(1);
    // The way is in the top ceil(log2(ways)) bits.
    let way_bits = 32u32.wrapping_sub(ways.wrapping_sub(1).leading_zeros());
    let way = if way_bits == 0 {
        0
    } else {
        operand >> 32u32.wrapping_sub(way_bits)
    };
    let set = operand.checked_shr(line_bits).unwrap_or(0) & (0xffff_ffff >> way_bits >> line_bits);
    (way < ways && set < sets).then(|| {
        let k = u64::from(way)
            .wrapping_mul(u64::from(sets))
            .wrapping_add(u64::from(set));
        (k, u64::from(ways).wrapping_mul(u64::from(sets)))
    })
}

/// How many bytes are done at a time.
const PIECE: u64 = 16 << 10;

/// Carries out a piece of one operation by set and way, of which `done` bytes are done: how many then
/// are, if that is not all. An operand that names none does nothing.
pub fn maintain(
    plan: &Plan,
    model: &Model,
    operand: u32,
    done: u64,
    core: &mut impl Core,
) -> Option<u64> {
    let share = share(model, operand)?;
    clean(plan, share, done, PIECE, core)
}

/// Into how many shares a loop of ARMv5's "test and clean" divides RAM: as many as an ARM926EJ-S
/// with 32 KiB has lines.
pub const V5_SHARES: u16 = 1024;

/// Cleans and invalidates of the `k`-th `n`-th of RAM what is behind `done` bytes, at most `most` bytes.
/// How many are done then, if that is not all.
pub fn clean(
    plan: &Plan,
    (k, n): (u64, u64),
    done: u64,
    most: u64,
    core: &mut impl Core,
) -> Option<u64> {
    let ram = || {
        plan.windows
            .iter()
            .filter(|w| matches!(w.kind, WindowKind::Ram))
    };
    let total = ram().fold(0u64, |sum, w| sum.saturating_add(w.bytes));
    let edge = |k: u64| {
        let at = u128::from(total)
            .wrapping_mul(u128::from(k))
            .checked_div(u128::from(n));
        // Lines are at most 2 KiB (CTR): whole pages never share one.
        if k == n {
            total
        } else {
            at.unwrap_or(0) as u64 & !0xfff
        }
    };
    let (begin, end_of_share) = (edge(k), edge(k.wrapping_add(1)));
    let from = begin.saturating_add(done).min(end_of_share);
    let to = from.saturating_add(most).min(end_of_share);
    let mut before = 0u64;
    for window in ram() {
        let end = before.saturating_add(window.bytes);
        let (start, stop) = (from.max(before), to.min(end));
        if start < stop {
            let at = Ipa(window.at.0.wrapping_add(start.wrapping_sub(before)));
            core.clean_invalidate(at, stop.wrapping_sub(start));
        }
        before = end;
    }
    (to < end_of_share).then(|| to.saturating_sub(begin))
}

#[cfg(test)]
mod tests {
    use super::super::cpu::{cortex_a9, cortex_a15};
    use super::super::fake::FakeCore;
    use super::*;
    use crate::board::plan::Window;
    use std::string::String;

    #[allow(clippy::field_reassign_with_default)] // A plan has private parts.
    fn plan(windows: &[(u64, u64)]) -> Plan {
        let window = |&(at, bytes): &(u64, u64)| Window {
            at: Ipa(at),
            bytes,
            node: String::new(),
            kind: WindowKind::Ram,
        };
        let mut plan = Plan::default();
        plan.windows = windows.iter().map(window).collect();
        plan
    }

    /// What a guest's loop over all sets and ways of a level does, in its order.
    fn walk(model: &Model, level: u32, plan: &Plan) -> FakeCore {
        let mut core = FakeCore::default();
        let c = model.ccsidr(level << 1);
        let (line, ways, sets) = ((c & 7) + 4, (c >> 3 & 0x3ff) + 1, (c >> 13 & 0x7fff) + 1);
        let shift = (ways - 1).leading_zeros();
        for set in (0..sets).rev() {
            for way in (0..ways).rev() {
                let operand = way << shift | set << line | level << 1;
                let mut done = Some(0);
                while let Some(so_far) = done {
                    done = maintain(plan, model, operand, so_far, &mut core);
                    assert!(done.is_none_or(|done| done > so_far), "it ends");
                }
            }
        }
        core
    }

    #[test]
    fn a_whole_loop_covers_every_byte_of_ram_once() {
        for (model, level) in [
            (&cortex_a9::MODEL, 0),
            (&cortex_a15::MODEL, 0),
            (&cortex_a15::MODEL, 1),
        ] {
            let windows = [(0x6000_0000, 0x1234_5000), (0x8000_0000, 0x1000)];
            let mut done = walk(model, level, &plan(&windows)).cleaned;
            done.sort();
            let mut next = done[0].0.0;
            assert_eq!(next, 0x6000_0000);
            for (at, bytes) in &done {
                if next == 0x7234_5000 {
                    next = 0x8000_0000;
                }
                assert_eq!(at.0, next);
                next += bytes;
            }
            assert_eq!(next, 0x8000_1000);
        }
    }

    #[test]
    fn a_trap_does_no_more_than_a_piece() {
        let core = walk(&cortex_a9::MODEL, 0, &plan(&[(0, 0x4000_0000)]));
        let most = core.cleaned.iter().map(|c| c.1).max().unwrap();
        assert_eq!(most, PIECE);
    }

    #[test]
    fn an_operand_that_names_no_line_does_nothing() {
        let mut core = FakeCore::default();
        let plan = plan(&[(0, 0x1000)]);
        maintain(&plan, &cortex_a9::MODEL, 2 << 1, 0, &mut core);
        maintain(&plan, &cortex_a9::MODEL, 128 << 5, 0, &mut core);
        for operand in (0..u32::MAX).step_by(65_521) {
            maintain(&plan, &cortex_a15::MODEL, operand, 0, &mut core);
        }
        assert!(core.cleaned.iter().all(|c| *c == (Ipa(0), 0x1000)));
    }
}
