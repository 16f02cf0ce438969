//! Two sequences laid beside each other, in memory that does not grow with them.
//!
//! Where they part, the nearest place is sought at which [`SURE`] records in a row are equal again;
//! what lies between is laid beside each other by its longest common subsequence.
use std::collections::HashMap;

/// How many equal records in a row are taken for the same place.
const SURE: usize = 3;
/// How far that place is sought.
const FAR: usize = 4096;
/// The longest stretch that is compared each with each.
const CLOSE: usize = 512;

/// A step through both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The next of both, which are equal.
    Both,
    /// The next of the first, which the second lacks.
    First,
    /// The next of the second, which the first lacks.
    Second,
}

/// The steps from the beginning of both to their ends.
pub fn steps<T: Eq + std::hash::Hash>(first: &[T], second: &[T]) -> Vec<Step> {
    let mut steps = Vec::with_capacity(first.len().max(second.len()));
    let (mut a, mut b) = (first, second);
    loop {
        let same = a
            .iter()
            .zip(b)
            .take_while(|(one, other)| one == other)
            .count();
        steps.extend(std::iter::repeat_n(Step::Both, same));
        (a, b) = (&a[same..], &b[same..]);
        if a.is_empty() || b.is_empty() {
            break;
        }
        let (left, right) = rejoined(a, b);
        between(&a[..left], &b[..right], &mut steps);
        (a, b) = (&a[left..], &b[right..]);
    }
    steps.extend(a.iter().map(|_| Step::First));
    steps.extend(b.iter().map(|_| Step::Second));
    steps
}

/// How far to go in each until they are equal again; to the end of what is looked at if they never are.
fn rejoined<T: Eq + std::hash::Hash>(a: &[T], b: &[T]) -> (usize, usize) {
    let far = |all: &[T]| all.len().min(FAR);
    let mut places: HashMap<&[T], usize> = HashMap::new();
    for (place, row) in b.windows(SURE).take(FAR).enumerate() {
        places.entry(row).or_insert(place);
    }
    let rows = a.windows(SURE).take(FAR).enumerate();
    let joined = rows.filter_map(|(left, row)| Some((left, *places.get(row)?)));
    let nearest = joined.min_by_key(|(left, right)| left + right);
    nearest.unwrap_or((far(a), far(b)))
}

/// The longest common subsequence of two short stretches; long ones have nothing in common.
fn between<T: Eq>(a: &[T], b: &[T], steps: &mut Vec<Step>) {
    if a.len() > CLOSE || b.len() > CLOSE {
        steps.extend(a.iter().map(|_| Step::First));
        steps.extend(b.iter().map(|_| Step::Second));
        return;
    }
    let columns = b.len() + 1;
    let mut longest = vec![0u16; (a.len() + 1) * columns];
    for left in (0..a.len()).rev() {
        for right in (0..b.len()).rev() {
            longest[left * columns + right] = if a[left] == b[right] {
                longest[(left + 1) * columns + right + 1] + 1
            } else {
                longest[(left + 1) * columns + right].max(longest[left * columns + right + 1])
            };
        }
    }
    let (mut left, mut right) = (0, 0);
    while left < a.len() || right < b.len() {
        let at = |left: usize, right: usize| longest[left * columns + right];
        if left < a.len() && right < b.len() && a[left] == b[right] {
            steps.push(Step::Both);
            left += 1;
            right += 1;
        } else if right == b.len() || left < a.len() && at(left + 1, right) >= at(left, right + 1) {
            steps.push(Step::First);
            left += 1;
        } else {
            steps.push(Step::Second);
            right += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(a: &str, b: &str) -> String {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        let (mut left, mut right) = (a.iter(), b.iter());
        let mut out = String::new();
        for step in steps(a, b) {
            let (sign, byte) = match step {
                Step::Both => ("", right.next().and(left.next())),
                Step::First => ("-", left.next()),
                Step::Second => ("+", right.next()),
            };
            out.push_str(sign);
            out.push(char::from(*byte.expect("a step is within both")));
        }
        assert!(left.next().is_none() && right.next().is_none());
        out
    }

    #[test]
    fn what_is_equal_stays_beside_each_other() {
        assert_eq!(shown("abcdef", "abcdef"), "abcdef");
        assert_eq!(shown("abcdef", "abXcdef"), "ab+Xcdef");
        assert_eq!(shown("abXcdef", "abcdef"), "ab-Xcdef");
        assert_eq!(shown("aXcYdefg", "aPcQdefg"), "a-X+Pc-Y+Qdefg");
        assert_eq!(shown("", "ab"), "+a+b");
        assert_eq!(shown("ab", "abc"), "ab+c");
    }

    #[test]
    fn long_ones_that_share_nothing_end() {
        let a: Vec<u32> = (0..20_000).collect();
        let b: Vec<u32> = (50_000..65_000).collect();
        assert_eq!(steps(&a, &b).len(), 35_000);
    }
}
