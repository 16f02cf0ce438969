//! Where capstone 5.0.6 and our T32 decoder differ. Sections are those of DDI 0487J.a.
//!
//! Where an encoding is UNPREDICTABLE, ours takes a plain form or none (see the head of
//! src/mmio/decode/t32.rs), capstone now prints it and now does not.

use crate::a32::known::{beyond_d31, bit, block_count, field, is_block, register};
use crate::differences::{ALWAYS, Difference, Kind, Right};

const fn only_ours(
    mask: u32,
    value: u32,
    when: fn(u32) -> bool,
    right: Right,
    why: &'static str,
) -> Difference {
    Difference {
        mask,
        value,
        when,
        kind: Kind::OnlyOurs,
        right,
        why,
    }
}

const fn only_theirs(
    mask: u32,
    value: u32,
    when: fn(u32) -> bool,
    right: Right,
    why: &'static str,
) -> Difference {
    Difference {
        kind: Kind::OnlyTheirs,
        ..only_ours(mask, value, when, right, why)
    }
}

const fn text(mask: u32, value: u32, when: fn(u32) -> bool, why: &'static str) -> Difference {
    Difference {
        kind: Kind::Text,
        ..only_ours(mask, value, when, Right::Both, why)
    }
}

/// Of load/store multiple: RFE and SRS.
fn is_state(word: u32) -> bool {
    bit(word, 24) == bit(word, 23)
}

/// Whether a bit that should be one is not, in what is at LDREXB and LDA.
fn should_be_ones(word: u32) -> bool {
    let (pair, status) = (field(word, 4, 2) == 3, !bit(word, 20) && bit(word, 6));
    (!pair && field(word, 8, 4) != 15) || (!status && field(word, 0, 4) != 15)
}

/// The table.
pub const DIFFERENCES: &[Difference] = &[
    // Bits that should be 0 or 1, and are not.
    only_ours(
        0xfff0_0000,
        0xe850_0000,
        |word| field(word, 8, 4) != 15,
        Right::Both,
        "LDREX with a (1) that is 0: K1.1.9, UNPREDICTABLE",
    ),
    only_ours(
        0xffe0_0000,
        0xe8c0_0000,
        |word| field(word, 6, 2) != 0 && should_be_ones(word),
        Right::Both,
        "LDREXB, LDAEX, LDA and such, and their stores, with a (1) that is 0: K1.1.9, \
         UNPREDICTABLE",
    ),
    only_ours(
        0xfff0_00e0,
        0xe8d0_0000,
        |word| field(word, 8, 8) != 0xf0,
        Right::Both,
        "TBB and TBH with a (0) or (1) that is not: K1.1.9, UNPREDICTABLE",
    ),
    only_ours(
        0xfe50_0000,
        0xe810_0000,
        |word| is_state(word) && field(word, 0, 16) != 0xc000,
        Right::Both,
        "RFE with a (0) or (1) that is not: K1.1.9, UNPREDICTABLE",
    ),
    only_ours(
        0xfe50_0000,
        0xe800_0000,
        |word| is_state(word) && word & 0x000f_ffe0 != 0x000d_c000,
        Right::Both,
        "SRS with a (0) or (1) that is not: K1.1.9, UNPREDICTABLE",
    ),
    only_ours(
        0xff7f_f000,
        0xf83f_f000,
        ALWAYS,
        Right::Both,
        "PLD (literal) with a (0) that is 1, most of which capstone does not print: K1.1.9, \
         UNPREDICTABLE",
    ),
    // Registers that may not be there.
    only_ours(
        0xfe50_0000,
        0xe800_0000,
        |word| !is_state(word) && field(word, 13, 3) & 0b101 != 0,
        Right::Both,
        "STM of SP or PC: F5.1, UNPREDICTABLE",
    ),
    only_ours(
        0xfff0_f000,
        0xe840_f000,
        ALWAYS,
        Right::Both,
        "STREX of PC: F5.1, UNPREDICTABLE (Armv8-M's TT, which capstone prints, is not here)",
    ),
    only_theirs(
        0xfe6f_0000,
        0xe82f_0000,
        ALWAYS,
        Right::Both,
        "LDM, STM and RFE that write the PC back: F5.1, UNPREDICTABLE",
    ),
    only_theirs(
        0xfe6f_0000,
        0xe86f_0000,
        ALWAYS,
        Right::Both,
        "LDRD and STRD that write the PC back: F5.1, UNPREDICTABLE",
    ),
    // Hints.
    only_ours(
        0xff70_f000,
        0xf930_f000,
        ALWAYS,
        Right::Both,
        "the hints where LDRSH would load PC, which are reserved and NOPs: F3.1, Load/store \
         single; a prefetch of ours does nothing",
    ),
    // SIMD and coprocessors, as in A32.
    only_theirs(
        0xfe2f_0c00,
        0xec2f_0800,
        ALWAYS,
        Right::Both,
        "VLDM and VSTM that write the PC back: F6.1, UNPREDICTABLE",
    ),
    only_theirs(
        0xfe6f_ff00,
        0xec2f_5e00,
        ALWAYS,
        Right::Both,
        "LDC and STC that write the PC back: F5.1, UNPREDICTABLE",
    ),
    only_theirs(
        0xff1f_0000,
        0xf90f_0000,
        |word| field(word, 0, 4) != 15,
        Right::Both,
        "VLD1 to VST4 that write the PC back: F6.1, UNPREDICTABLE",
    ),
    only_theirs(
        0xfe00_0e00,
        0xec00_0a00,
        |word| is_block(word) && !(1..=32).contains(&block_count(word)),
        Right::Both,
        "VLDM and VSTM of none, or of more than 32: F6.1, UNPREDICTABLE",
    ),
    text(
        0xfe00_0e00,
        0xec00_0a00,
        |word| {
            let (count, double) = (block_count(word), bit(word, 8));
            is_block(word) && (register(word, double) + count > 32 || double && count > 16)
        },
        "VLDM and VSTM beyond S31, D31 or 16 D registers, which capstone leaves out: F6.1, \
         UNPREDICTABLE",
    ),
    only_ours(
        0xfe40_0f01,
        0xec40_0b01,
        ALWAYS,
        Right::Both,
        "FLDMX and FSTMX of D16 and above: F6.1, UNPREDICTABLE",
    ),
    only_ours(
        0xff10_0000,
        0xf900_0000,
        beyond_d31,
        Right::Both,
        "VLD1 to VST4 beyond D31: F6.1, UNPREDICTABLE",
    ),
    text(
        0xff10_0000,
        0xf900_0000,
        beyond_d31,
        "the same, where capstone prints other registers: F6.1, UNPREDICTABLE",
    ),
    only_theirs(
        0xfe00_0000,
        0xec00_0000,
        |word| !matches!(field(word, 8, 4), 9..=11) && word & 0x0040_ff00 != 0x5e00,
        Right::Ours,
        "LDC and STC of all but CP14's c5: F3.1, System register load/store: UNDEFINED",
    ),
];
