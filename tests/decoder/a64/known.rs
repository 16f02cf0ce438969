//! Where capstone 5.0.6 and our A64 decoder differ. The sections are those of DDI 0487.

use crate::differences::{Difference, Right};

const fn field(word: u32, low: u32) -> u32 {
    word >> low & 31
}

/// A field that should be one is not.
fn rs_or_rt2_is_not_ones(word: u32) -> bool {
    field(word, 16) != 31 || field(word, 10) != 31
}

fn rs_is_not_ones(word: u32) -> bool {
    field(word, 16) != 31
}

fn one_register_twice(word: u32) -> bool {
    field(word, 0) == field(word, 10)
}

/// 31 is the stack pointer as Rn, and no register as Rt.
fn base_is_the_register(word: u32) -> bool {
    field(word, 5) == field(word, 0) && field(word, 5) != 31
}

fn base_is_one_of_the_pair(word: u32) -> bool {
    let base = field(word, 5);
    base != 31 && (base == field(word, 0) || base == field(word, 10))
}

/// The table.
pub const DIFFERENCES: &[Difference] = &[
    Difference::only_ours(
        0x3fe0_0000,
        0x0840_0000,
        rs_or_rt2_is_not_ones,
        Right::Both,
        "LDXR, LDAXR: Rs and Rt2 should be ones (C6.2.LDXR); otherwise CONSTRAINED UNPREDICTABLE, \
         as if they were being allowed (K1.2). Capstone is free with STXR's Rt2 and LDXP's Rs",
    ),
    Difference::only_ours(
        0x3fa0_0000,
        0x0880_0000,
        rs_or_rt2_is_not_ones,
        Right::Both,
        "LDAR, LDLAR, STLR, STLLR: Rs and Rt2 should be ones (C6.2, K1.2), as above",
    ),
    Difference::only_ours(
        0x3fe0_fc00,
        0x38a0_c000,
        rs_is_not_ones,
        Right::Both,
        "LDAPR: Rs should be ones (C6.2.LDAPR, K1.2), as above",
    ),
    Difference::only_ours(
        0xbf60_0000,
        0x8860_0000,
        one_register_twice,
        Right::Both,
        "LDXP, LDAXP of one register twice: CONSTRAINED UNPREDICTABLE, as the plain form being \
         allowed (C6.2.LDXP, K1.2)",
    ),
    Difference::only_ours(
        0x3a40_0000,
        0x2840_0000,
        one_register_twice,
        Right::Both,
        "LDP, LDNP, LDPSW of one register twice, general or SIMD and FP: CONSTRAINED \
         UNPREDICTABLE, as the plain form being allowed (C6.2.LDP, C7.2.LDP, K1.2)",
    ),
    Difference::only_ours(
        0x3e80_0000,
        0x2880_0000,
        base_is_one_of_the_pair,
        Right::Both,
        "LDP, LDPSW, STP of the base with write-back: CONSTRAINED UNPREDICTABLE, as the plain form \
         being allowed (C6.2.LDP, C6.2.STP, K1.2)",
    ),
    Difference::only_ours(
        0x3f20_0400,
        0x3800_0400,
        base_is_the_register,
        Right::Both,
        "LDR and such of the base with write-back: CONSTRAINED UNPREDICTABLE, as the plain form \
         being allowed (C6.2.LDR, K1.2)",
    ),
    Difference::only_ours(
        0x3f20_0c00,
        0x3800_0800,
        base_is_the_register,
        Right::Ours,
        "LDTR and such of the base: they have no write-back, so nothing is unpredictable \
         (C6.2.LDTR). Capstone takes them for a form with write-back",
    ),
    Difference::left_out(0x1e00_0000, 0x0400_0000, "SVE (C4.1)"),
    Difference::left_out(0x9e00_0000, 0x8000_0000, "SME (C4.1)"),
    Difference::left_out(
        0xff20_0400,
        0xf820_0400,
        "FEAT_PAuth: LDRAA, LDRAB (C6.2.LDRAA)",
    ),
    Difference::left_out(0xff20_0000, 0xd920_0000, "FEAT_MTE: LDG to STZGM (C6.2)"),
    Difference::left_out(
        0xffe0_8c00,
        0xf820_8000,
        "FEAT_LS64: LD64B to ST64BV0 (C6.2)",
    ),
];
