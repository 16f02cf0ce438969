//! What a row of a table of differences says.
//!
//! A row excuses one kind of difference for the words that it names, and nothing else.

/// Words for which the decoders differ, and why that is right.
pub struct Difference {
    /// Which bits of the word count.
    pub mask: u32,
    /// What they are.
    pub value: u32,
    /// What else must hold of the word, where a mask cannot say it.
    pub when: fn(u32) -> bool,
    /// In what the decoders differ.
    pub kind: Kind,
    /// Who is right.
    pub right: Right,
    /// What the word is, and which section of the manual decides it.
    pub why: &'static str,
}

/// In what the decoders differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ours sees a load or store.
    OnlyOurs,
    /// Only capstone's does.
    OnlyTheirs,
    /// Both do, with another operation or operands.
    Text,
}

/// Who is right about a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// We are; capstone has a defect, or does not know the instruction.
    Ours,
    /// Both: the architecture leaves it open (CONSTRAINED UNPREDICTABLE).
    Both,
    /// Capstone is; it is an instruction that we leave out, as the decoder's header says.
    LeftOut,
}

/// For rows whose mask says all.
pub const ALWAYS: fn(u32) -> bool = |_| true;

impl Difference {
    /// Instructions of an extension that we leave out.
    pub const fn left_out(mask: u32, value: u32, why: &'static str) -> Self {
        Self {
            mask,
            value,
            when: ALWAYS,
            kind: Kind::OnlyTheirs,
            right: Right::LeftOut,
            why,
        }
    }

    /// Loads and stores that only we take for such.
    pub const fn only_ours(
        mask: u32,
        value: u32,
        when: fn(u32) -> bool,
        right: Right,
        why: &'static str,
    ) -> Self {
        Self {
            mask,
            value,
            when,
            kind: Kind::OnlyOurs,
            right,
            why,
        }
    }

    /// Whether it excuses this difference.
    pub fn covers(&self, word: u32, kind: Kind) -> bool {
        self.kind == kind && word & self.mask == self.value && (self.when)(word)
    }
}
