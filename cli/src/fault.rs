//! What the tool says when something is wrong: where it is, what it is, and the mend.
//!
//! Printed as
//!
//! ```text
//! error: systems/press.toml:7: the board "vexpres-a9" is not known
//!   mend: did you mean "vexpress-a9"?
//! ```
use std::fmt;
use std::path::{Path, PathBuf};

/// The outcome of a step of the tool.
pub type Result<T> = std::result::Result<T, Faults>;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, in a sentence.
    pub what: String,
    /// The file, and its line counted from 1, if it is in a file.
    pub at: Option<(PathBuf, Option<usize>)>,
    /// What to do about it.
    pub mend: Option<String>,
}

impl Fault {
    /// A fault that is in no file.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            at: None,
            mend: None,
        }
    }

    /// Says which file it is in.
    #[must_use]
    pub fn in_file(mut self, file: impl AsRef<Path>) -> Self {
        self.at = Some((file.as_ref().to_path_buf(), None));
        self
    }

    /// Says which line of which file it is in.
    #[must_use]
    pub fn at(mut self, file: impl AsRef<Path>, line: usize) -> Self {
        self.at = Some((file.as_ref().to_path_buf(), Some(line)));
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some((file, Some(line))) => write!(f, "{}:{line}: ", file.display())?,
            Some((file, None)) => write!(f, "{}: ", file.display())?,
            None => {}
        }
        f.write_str(&self.what)?;
        if let Some(mend) = &self.mend {
            write!(f, "\n  mend: {mend}")?;
        }
        Ok(())
    }
}

/// Everything that was found wrong; empty when each was told already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Prints each to standard error, in colour on a terminal.
    pub fn print(&self) {
        for fault in &self.0 {
            let text = fault.to_string();
            let text = text.replacen("\n  mend:", "\n  \u{1b}[36mmend:\u{1b}[0m", 1);
            anstream::eprintln!("\u{1b}[1;31merror:\u{1b}[0m {text}");
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "error: {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

/// Turns another error into a fault that says what was being done.
pub trait Doing<T> {
    /// `what` is what could not be done: "cannot read the kernel".
    fn doing(self, what: impl FnOnce() -> String) -> std::result::Result<T, Fault>;
}

impl<T, E: fmt::Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> std::result::Result<T, Fault> {
        self.map_err(|error| Fault::new(format!("{}: {error}", what())))
    }
}

/// The candidate that `word` was most likely meant to be.
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(edits, candidate)| *edits <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The number of one-letter edits between two words (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_file_line_and_mend() {
        let fault = Fault::new("it is broken").at("a.toml", 3).mend("mend it");
        assert_eq!(fault.to_string(), "a.toml:3: it is broken\n  mend: mend it");
    }

    #[test]
    fn a_misspelt_word_finds_the_nearest_and_a_strange_one_none() {
        let boards = ["vexpress-a9", "vexpress-a15", "virt-v7"];
        assert_eq!(did_you_mean("vexpres-a9", boards), Some("vexpress-a9"));
        assert_eq!(did_you_mean("virt-v8", boards), Some("virt-v7"));
        assert_eq!(did_you_mean("toaster", boards), None);
    }
}
