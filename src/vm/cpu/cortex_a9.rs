//! Cortex-A9 (DDI 0388I, 4.2 and 4.3; FPU and NEON: DDI 0408, DDI 0409): `arm,cortex-a9`.
//!
//! MIDR is that of the board model that the log is compared with, r0p0.

use super::Model;

/// Cortex-A9 MPCore, 16 KiB L1 caches, no cache of its own at level 2.
pub const MODEL: Model = Model {
    compatible: "arm,cortex-a9",
    name: "Cortex-A9",
    aarch64: false,
    midr: 0x410f_c090,
    // Bit 31: the format. U (bit 30) is clear: part of an MPCore. MT is not in this CPU.
    mpidr: 0x8000_0000,
    ctr: 0x8333_8003,
    tlbtr: 0,
    revidr: 0x410f_c090,
    id_1: [
        // ThumbEE (State3) is hidden, as on the Cortex-A15.
        0x0000_0031,
        0x0000_0011,
        0x0001_0444,
        0,
        0x0010_0103,
        0x2000_0000,
        0x0123_0000,
        0x0000_2111,
    ],
    id_2: [
        0x0010_1111,
        0x1311_2111,
        0x2123_2041,
        0x1111_2131,
        0x0011_1142,
        0,
        0,
        0,
    ],
    id_aa64: [0; 4],
    clidr: 0x0900_0003,
    ccsidr: [Some(0xe00f_e019), Some(0x200f_e019), None],
    fpsid: 0x4103_3090,
    mvfr: [0x1111_0222, 0x0111_1111, 0],
    // FW, L1 and L2 prefetch, full line of zero, SMP, EXCL, alloc in one way, parity.
    actlr_mask: 0x0000_03cf,
    pmcr: 0x4109_3000,
    dbgdidr: 0x3514_1000,
    dbgdevid: 0,
    l2_control: false,
    a9_control: true,
    v5: false,
    swp: true,
};
