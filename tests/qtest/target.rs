//! What is played, and what is known to differ.

use crate::commands::Commands;
use crate::play::Random;
use reliquary::access::Security;

/// A device of a board, here and in QEMU.
#[derive(Clone, Copy)]
pub struct Target {
    /// The emulator of ours.
    pub compatible: &'static str,
    /// The map of the board that has it.
    pub board: &'static str,
    /// QEMU's program.
    pub program: &'static str,
    /// QEMU's options that make the same board.
    pub machine: &'static [&'static str],
    /// Its name on our board, as in a trace.
    pub device: &'static str,
    /// Which interrupt lines are compared.
    pub lines: Lines,
    /// What our board is accessed by. QEMU's has Non-secure accesses, or (`secure=off`) no
    /// Security Extensions, which a part that always has them looks like to a Secure one.
    pub security: Security,
    /// The bytes of a memory card in the first slot, erased to 0; none for most.
    pub card: Option<u64>,
    /// Inputs of it that are driven, as numbers of our device; none for most.
    pub inputs: &'static [Input],
    /// From one register to the next on these boards, where its description has them one behind
    /// the other: a power of two.
    pub shift: u32,
    /// The widths of accesses, in bytes.
    pub widths: &'static [u64],
    /// Registers that are not played, and why.
    pub leave_out: &'static [(&'static str, &'static str)],
    /// What is written first of all: QEMU's reset state is the manual's from there on.
    pub first: &'static [(&'static str, u64)],
    /// Bits that are always written as 0, and why.
    pub never: &'static [Never],
    /// A register that is accessed more often than the others.
    pub often: fn(&mut Random) -> Option<&'static str>,
    /// Values for a register, where random ones say little.
    pub values: Values,
    /// Whether a read, or a write (`true`), of a register makes sense after what was done.
    pub plays: fn(&str, bool, &[Done]) -> bool,
    /// For a device without registers, which takes commands.
    pub commands: Option<Commands>,
    /// Differences that are known.
    pub known: &'static [Known],
}

/// A device of a Versatile Express board, accessed by words; what is left is given with it.
pub const VEXPRESS_A9: Target = Target {
    compatible: "",
    board: "vexpress-a9",
    program: ARM,
    machine: &["-M", "vexpress-a9"],
    device: "",
    lines: Lines::Controller("arm_gic"),
    security: Security::NonSecure,
    card: None,
    inputs: &[],
    shift: 0,
    widths: &[4],
    leave_out: &[],
    first: &[],
    never: &[],
    often: |_| None,
    values: ANY,
    plays: |_, _, _| true,
    commands: None,
    known: &[],
};

/// QEMU's program for 32-bit boards.
const ARM: &str = "qemu-system-arm";

/// Which interrupt lines are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// The device's outputs, as inputs of the interrupt controller; QEMU's type of that.
    Controller(&'static str),
    /// The interrupt controller's outputs, as inputs of the CPU; QEMU's type of that.
    Cpu(&'static str),
    /// None: the device has no interrupt.
    None,
}

/// An input line that is driven.
pub struct Input {
    /// The number here.
    pub ours: u16,
    /// QEMU's type of device, and the number there.
    pub theirs: (&'static str, u16),
}

/// Bits that are never written as 1.
pub struct Never {
    /// The register.
    pub register: &'static str,
    /// The bits.
    pub mask: u64,
    /// Why.
    #[allow(dead_code)] // for who reads the table
    pub why: &'static str,
}

/// A difference that is known.
#[derive(Clone, Copy)]
pub struct Known {
    /// The register whose reads differ, or [`LINES`].
    pub register: &'static str,
    /// In which bits; of lines, which lines.
    pub mask: u64,
    /// Of many equal registers, from this one on.
    pub from: u64,
    /// Only where QEMU's answer is this.
    pub theirs: Option<u64>,
    /// Only where ours is this.
    pub mine: Option<u64>,
    /// Only where the answers are no further apart than this.
    pub within: Option<u64>,
    /// Who is right.
    pub right: Right,
    /// The manual's section that says so.
    pub why: &'static str,
}

/// The name of a row about interrupt lines.
pub const LINES: &str = "interrupt lines";

/// Who is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// We are: the manual says so.
    Ours,
    /// Both: the manual leaves it open.
    Both,
}

/// A value for a register; none: any. Our answers so far are told: what a guest reads it writes.
pub type Values = fn(&str, &mut Random, &[Done]) -> Option<u64>;

/// An access that was generated before.
pub struct Done {
    /// The register.
    pub register: &'static str,
    /// Whether it was written.
    pub write: bool,
    /// What our model answered, or got.
    pub value: u64,
}

/// Random values alone.
pub const ANY: Values = |_, _, _| None;

impl Known {
    /// The manual has it our way.
    pub const fn ours(register: &'static str, mask: u64, why: &'static str) -> Self {
        Self {
            register,
            mask,
            from: 0,
            theirs: None,
            mine: None,
            within: None,
            right: Right::Ours,
            why,
        }
    }

    /// The manual leaves it open.
    pub const fn both(register: &'static str, mask: u64, why: &'static str) -> Self {
        Self {
            right: Right::Both,
            ..Self::ours(register, mask, why)
        }
    }

    /// Whether the row is about these two answers of a register.
    pub fn is_about(
        &self,
        (register, index): (&str, u64),
        theirs: Option<u64>,
        ours: Option<u64>,
    ) -> bool {
        let (theirs, ours) = (theirs.unwrap_or(0), ours.unwrap_or(0));
        self.register == register
            && index >= self.from
            && self.theirs.is_none_or(|it| it == theirs)
            && self.mine.is_none_or(|it| it == ours)
            && self.within.is_none_or(|most| theirs.abs_diff(ours) <= most)
    }

    /// The same of another register.
    pub const fn named(mut self, register: &'static str) -> Self {
        self.register = register;
        self
    }

    /// Of many equal registers, from this one on.
    pub const fn from(mut self, index: u64) -> Self {
        self.from = index;
        self
    }

    /// Only where the answers are no further apart than this.
    pub const fn within(mut self, most: u64) -> Self {
        self.within = Some(most);
        self
    }

    /// Only where QEMU's answer is this.
    pub const fn theirs(mut self, theirs: u64) -> Self {
        self.theirs = Some(theirs);
        self
    }

    /// Only where our answer is this.
    pub const fn mine(mut self, mine: u64) -> Self {
        self.mine = Some(mine);
        self
    }
}

/// All bits.
pub const ALL: u64 = u64::MAX;

impl Never {
    /// A register that is only read, and why.
    pub const fn written(register: &'static str, why: &'static str) -> Self {
        Self::new(register, ALL, why)
    }

    /// Bits that are never written as 1.
    pub const fn new(register: &'static str, mask: u64, why: &'static str) -> Self {
        Self {
            register,
            mask,
            why,
        }
    }
}
