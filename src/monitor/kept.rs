//! The last lines of the log, kept to be shown again.

use core::fmt::{self, Write};

/// The most bytes that are kept of a line.
pub const KEPT_LIMIT: usize = 112;

/// A line, and when it was.
#[derive(Clone, Copy)]
pub struct KeptLine {
    ms: u64,
    size: u8,
    cut: bool,
    bytes: [u8; KEPT_LIMIT],
}

impl KeptLine {
    const EMPTY: Self = Self {
        ms: 0,
        size: 0,
        cut: false,
        bytes: [0; KEPT_LIMIT],
    };
}

impl Write for KeptLine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let end = usize::from(self.size).wrapping_add(character.len_utf8());
            let room = self.bytes.get_mut(usize::from(self.size)..end);
            let Some(room) = room.filter(|_| !self.cut) else {
                self.cut = true;
                return Ok(());
            };
            character.encode_utf8(room);
            self.size = end as u8;
        }
        Ok(())
    }
}

impl fmt::Display for KeptLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.get(..usize::from(self.size)).unwrap_or_default();
        let text = core::str::from_utf8(bytes).unwrap_or_default();
        let cut = if self.cut { " ..." } else { "" };
        let (seconds, ms) = (self.ms / 1000, self.ms % 1000);
        write!(f, "[{seconds:>5}.{ms:03}] {text}{cut}")
    }
}

/// The last LINES lines.
pub struct Kept<const LINES: usize> {
    lines: [KeptLine; LINES],
    /// How many there ever were.
    count: u64,
}

impl<const LINES: usize> Kept<LINES> {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            lines: [KeptLine::EMPTY; LINES],
            count: 0,
        }
    }

    const fn place(number: u64) -> usize {
        match (number as usize).checked_rem(LINES) {
            Some(place) => place,
            None => 0,
        }
    }

    /// Keeps a line, in the place of the oldest; `ms` is when it was, in milliseconds.
    pub fn keep(&mut self, ms: u64, text: fmt::Arguments<'_>) {
        if let Some(line) = self.lines.get_mut(Self::place(self.count)) {
            *line = KeptLine {
                ms,
                ..KeptLine::EMPTY
            };
            let _ = line.write_fmt(text); // it takes what there is room for
            self.count = self.count.wrapping_add(1);
        }
    }

    /// The numbers of the oldest line that is kept, and of the next one to come.
    #[must_use]
    pub const fn range(&self) -> (u64, u64) {
        (self.count.saturating_sub(LINES as u64), self.count)
    }

    /// The line of this number, if it is still there.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&KeptLine> {
        let (first, next) = self.range();
        if number < first || number >= next {
            return None;
        }
        self.lines.get(Self::place(number))
    }
}

impl<const LINES: usize> Default for Kept<LINES> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn all<const LINES: usize>(kept: &Kept<LINES>) -> Vec<String> {
        let (first, next) = kept.range();
        let lines = (first..next).filter_map(|number| kept.get(number));
        lines.map(ToString::to_string).collect()
    }

    #[test]
    fn the_last_lines_are_kept_in_order_and_the_oldest_go() {
        let mut kept = Kept::<3>::new();
        assert!(all(&kept).is_empty());
        for n in 0..5_u64 {
            kept.keep(n * 1500, format_args!("line {n}"));
        }
        assert_eq!(
            all(&kept),
            [
                "[    3.000] line 2",
                "[    4.500] line 3",
                "[    6.000] line 4"
            ]
        );
        assert!(kept.get(1).is_none() && kept.get(5).is_none());
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_says_so() {
        let mut kept = Kept::<1>::new();
        let long = "\u{fc}".repeat(KEPT_LIMIT);
        kept.keep(0, format_args!("a{long}"));
        let line = all(&kept).remove(0);
        let whole = "\u{fc}".repeat((KEPT_LIMIT - 1) / 2);
        assert_eq!(line, std::format!("[    0.000] a{whole} ..."));
    }
}
