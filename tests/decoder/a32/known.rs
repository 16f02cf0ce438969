//! Where capstone 5.0.6 and our A32 decoder differ. Sections are those of DDI 0487J.a.
//!
//! Where an encoding is UNPREDICTABLE, ours takes a plain form or none (see the head of
//! src/mmio/decode/a32.rs), capstone now prints it and now does not.

use crate::differences::{ALWAYS, Difference, Kind, Right};

/// The table.
pub const DIFFERENCES: &[Difference] = &[
    // Bits that should be 0 or 1, and are not.
    Difference {
        mask: 0x0f80_00f0,
        value: 0x0180_0090,
        when: |word| {
            field(word, 10, 2) != 3
                || (bit(word, 20) && field(word, 0, 4) != 15)
                || (!bit(word, 20) && field(word, 8, 2) == 0 && field(word, 12, 4) != 15)
        },
        kind: Kind::OnlyOurs,
        right: Right::Both,
        why: "exclusives, LDA and STL with a (1) that is 0: F2.1.3, UNPREDICTABLE",
    },
    Difference {
        mask: 0x0f70_00f0,
        value: 0x0020_00b0,
        when: |word| field(word, 8, 4) != 0,
        kind: Kind::OnlyOurs,
        right: Right::Both,
        why: "STRHT (register) with a (0) that is 1: F2.1.3, UNPREDICTABLE",
    },
    Difference {
        mask: 0xfc30_0000,
        value: 0xf410_0000,
        when: |word| field(word, 12, 4) != 15,
        kind: Kind::OnlyOurs,
        right: Right::Both,
        why: "PLD, PLDW and PLI with a (1) that is 0: F2.1.3, UNPREDICTABLE",
    },
    Difference {
        mask: 0xfe50_0000,
        value: 0xf810_0000,
        when: |word| field(word, 0, 16) != 0x0a00,
        kind: Kind::OnlyOurs,
        right: Right::Both,
        why: "RFE with a (0) or (1) that is not: F2.1.3, UNPREDICTABLE",
    },
    Difference {
        mask: 0xfe70_0000,
        value: 0xf830_0000,
        when: |word| field(word, 0, 16) != 0x0a00,
        kind: Kind::Text,
        right: Right::Ours,
        why: "the same, where capstone prints a number for the base register",
    },
    Difference {
        mask: 0xfe50_0000,
        value: 0xf840_0000,
        when: |word| word & 0x000f_ffe0 != 0x000d_0500,
        kind: Kind::OnlyOurs,
        right: Right::Both,
        why: "SRS with a (0) or (1) that is not: F2.1.3, UNPREDICTABLE",
    },
    // Write-back to the PC.
    Difference {
        mask: 0x0c0f_0000,
        value: 0x040f_0000,
        when: |word| word < 0xf000_0000 && writes_back(word) && (!bit(word, 25) || !bit(word, 4)),
        kind: Kind::OnlyTheirs,
        right: Right::Both,
        why: "LDR, STR and their B and T forms that write the PC back: F5.1, UNPREDICTABLE",
    },
    Difference {
        mask: 0x0e0f_0090,
        value: 0x000f_0090,
        when: |word| word < 0xf000_0000 && writes_back(word) && field(word, 5, 2) != 0,
        kind: Kind::OnlyTheirs,
        right: Right::Both,
        why: "LDRH, LDRD and such that write the PC back: F5.1, UNPREDICTABLE",
    },
    Difference {
        mask: 0x0e2f_0000,
        value: 0x082f_0000,
        when: |word| word < 0xf000_0000,
        kind: Kind::OnlyTheirs,
        right: Right::Both,
        why: "LDM and STM that write the PC back: F5.1, UNPREDICTABLE",
    },
    Difference {
        mask: 0xfe7f_0000,
        value: 0xf83f_0000,
        when: ALWAYS,
        kind: Kind::OnlyTheirs,
        right: Right::Both,
        why: "RFE that writes the PC back: F5.1, UNPREDICTABLE",
    },
    Difference {
        mask: 0x0e2f_0c00,
        value: 0x0c2f_0800,
        when: |word| word < 0xf000_0000,
        kind: Kind::OnlyTheirs,
        right: Right::Both,
        why: "VLDM and VSTM that write the PC back: F6.1, UNPREDICTABLE",
    },
    Difference {
        mask: 0x0e6f_ff00,
        value: 0x0c2f_5e00,
        when: |word| word < 0xf000_0000,
        kind: Kind::OnlyTheirs,
        right: Right::Both,
        why: "LDC and STC that write the PC back: F5.1, UNPREDICTABLE",
    },
    Difference {
        mask: 0xff1f_0000,
        value: 0xf40f_0000,
        when: |word| field(word, 0, 4) != 15,
        kind: Kind::OnlyTheirs,
        right: Right::Both,
        why: "VLD1 to VST4 that write the PC back: F6.1, UNPREDICTABLE",
    },
    // Registers that are none.
    Difference {
        mask: 0x0e00_0e00,
        value: 0x0c00_0a00,
        when: |word| is_block(word) && !(1..=32).contains(&block_count(word)),
        kind: Kind::OnlyTheirs,
        right: Right::Both,
        why: "VLDM and VSTM of none, or of more than 32: F6.1, UNPREDICTABLE",
    },
    Difference {
        mask: 0x0e00_0e00,
        value: 0x0c00_0a00,
        when: |word| {
            let (count, double) = (block_count(word), bit(word, 8));
            let first = register(word, double);
            is_block(word) && (first + count > 32 || double && count > 16)
        },
        kind: Kind::Text,
        right: Right::Both,
        why: "VLDM and VSTM beyond S31, D31 or 16 D registers, which capstone leaves out: F6.1, \
              UNPREDICTABLE",
    },
    Difference {
        mask: 0x0e40_0f01,
        value: 0x0c40_0b01,
        when: ALWAYS,
        kind: Kind::OnlyOurs,
        right: Right::Both,
        why: "FLDMX and FSTMX of D16 and above: F6.1, UNPREDICTABLE",
    },
    Difference {
        mask: 0xff10_0000,
        value: 0xf400_0000,
        when: beyond_d31,
        kind: Kind::OnlyOurs,
        right: Right::Both,
        why: "VLD1 to VST4 beyond D31: F6.1, UNPREDICTABLE",
    },
    Difference {
        mask: 0xff10_0000,
        value: 0xf400_0000,
        when: beyond_d31,
        kind: Kind::Text,
        right: Right::Both,
        why: "the same, where capstone prints other registers: F6.1, UNPREDICTABLE",
    },
    Difference {
        mask: 0x0fe0_0cf0,
        value: 0x01a0_0c90,
        when: |word| bit(word, if bit(word, 20) { 12 } else { 0 }),
        kind: Kind::Text,
        right: Right::Both,
        why: "LDREXD, STREXD and such of an odd register, for which capstone prints the even one: \
              F5.1, UNPREDICTABLE",
    },
    Difference {
        mask: 0x0fe0_0cf0,
        value: 0x01a0_0c90,
        when: |word| field(word, if bit(word, 20) { 12 } else { 0 }, 4) == 14,
        kind: Kind::OnlyOurs,
        right: Right::Both,
        why: "LDREXD, STREXD and such of LR and PC: F5.1, UNPREDICTABLE",
    },
    // Of another age of the architecture.
    Difference {
        mask: 0x0e00_0000,
        value: 0x0c00_0000,
        when: |word| {
            word >= 0xf000_0000
                || !matches!(field(word, 8, 4), 9..=11) && word & 0x0040_ff00 != 0x5e00
        },
        kind: Kind::OnlyTheirs,
        right: Right::Ours,
        why: "LDC and STC of all but CP14's c5, LDC2, STC2: F4.1, System register load/store: \
              UNDEFINED",
    },
    Difference {
        mask: 0x0fb0_00f0,
        value: 0x0100_0090,
        when: ALWAYS,
        kind: Kind::OnlyOurs,
        right: Right::Ours,
        why: "SWP and SWPB, which capstone does not print as ARMv8's: DDI 0406C, A8.8.229",
    },
];

pub fn field(word: u32, low: u32, bits: u32) -> u32 {
    word >> low & ((1 << bits) - 1)
}

pub fn bit(word: u32, number: u32) -> bool {
    field(word, number, 1) != 0
}

/// P is clear or W is set.
fn writes_back(word: u32) -> bool {
    !bit(word, 24) || bit(word, 21)
}

/// The number of an S or D register.
pub fn register(word: u32, double: bool) -> u32 {
    let (vd, d) = (field(word, 12, 4), field(word, 22, 1));
    if double { d << 4 | vd } else { vd << 1 | d }
}

/// Of VLDM, VSTM, VLDR and VSTR: not those of one register.
pub fn is_block(word: u32) -> bool {
    !bit(word, 24) || bit(word, 21)
}

/// How many registers VLDM moves.
pub fn block_count(word: u32) -> u32 {
    field(word, 0, 8) >> field(word, 8, 1)
}

/// Whether the last register of VLD1 to VLD4 is beyond D31.
pub fn beyond_d31(word: u32) -> bool {
    let elements = field(word, 8, 2);
    let single_spacing = match field(word, 10, 2) {
        0 => 1,
        size => 1 + field(word, 4 + size, 1),
    };
    let behind = match (bit(word, 23), field(word, 10, 2)) {
        (false, _) => match field(word, 8, 4) {
            0b0111 => 0,
            0b1000 | 0b1010 => 1,
            0b0100 | 0b0110 | 0b1001 => 2,
            0b0000 | 0b0010 | 0b0011 => 3,
            0b0101 => 4,
            0b0001 => 6,
            _ => return false,
        },
        (true, 3) if elements == 0 => field(word, 5, 1),
        (true, 3) => elements * (1 + field(word, 5, 1)),
        (true, _) => elements * single_spacing,
    };
    register(word, true) + behind > 31
}
