//! Cortex-A8 r3p2 (DDI 0344K, 3.2): `arm,cortex-a8`.
//!
//! The L2 Auxiliary Control Register, which is where later CPUs have L2CTLR, keeps what is
//! written. The preload engine and the cache and TLB lockdown registers read as zero.

use super::Model;

/// Cortex-A8, 16 KiB L1 caches, no cache at level 2.
pub const MODEL: Model = Model {
    compatible: "arm,cortex-a8",
    name: "Cortex-A8",
    aarch64: false,
    midr: 0x413f_c082,
    // It reads as zero there, but VMPIDR_EL2 has its bit 31 set.
    mpidr: 0x8000_0000,
    ctr: 0x8204_8004,
    tlbtr: 0x0020_2001,
    revidr: 0x413f_c082,
    id_1: [
        // ThumbEE (State3) is hidden, as on the Cortex-A15.
        0x0000_0031,
        0x0000_0011,
        0x0000_0400,
        0,
        0x3110_0003,
        0x2000_0000,
        0x0120_2000,
        0x0000_0011,
    ],
    id_2: [
        0x0010_1111,
        0x1211_2111,
        0x2123_2031,
        0x1111_2131,
        0x0011_1142,
        0,
        0,
        0,
    ],
    id_aa64: [0; 4],
    clidr: 0x0a00_0003,
    ccsidr: [Some(0xe007_e01a), Some(0x2007_e01a), None],
    fpsid: 0x4103_30c3,
    mvfr: [0x1111_0222, 0x0001_1111, 0],
    actlr_mask: 0xffff_ffff,
    pmcr: 0x4100_2000,
    dbgdidr: 0x1514_1000,
    dbgdevid: 0,
    l2_control: true,
    a9_control: false,
    v5: false,
    swp: true,
};
