//! Cortex-A15 r4p0 (DDI 0438I, 4.2 and 4.3): `arm,cortex-a15`.

use super::Model;

/// Cortex-A15 MPCore, 32 KiB L1 caches, 4 MiB at level 2.
pub const MODEL: Model = Model {
    compatible: "arm,cortex-a15",
    name: "Cortex-A15",
    aarch64: false,
    midr: 0x414f_c0f0,
    mpidr: 0x8000_0000,
    ctr: 0x8444_c004,
    tlbtr: 0,
    revidr: 0x414f_c0f0,
    id_1: [
        // ThumbEE (State3) is hidden: no ARMv8 CPU can execute it, and a kernel that finds it
        // saves its registers at every context switch.
        0x0000_0131,
        0x0001_1011,
        0x0201_0555,
        0,
        0x1020_1105,
        0x2000_0000,
        0x0124_0000,
        0x0210_2211,
    ],
    id_2: [
        0x0210_1110,
        0x1311_2111,
        0x2123_2041,
        0x1111_2131,
        0x1001_1142,
        0,
        0,
        0,
    ],
    id_aa64: [0; 4],
    clidr: 0x0a20_0023,
    ccsidr: [Some(0x701f_e00a), Some(0x201f_e00a), Some(0x711f_e07a)],
    fpsid: 0x4104_30f0,
    mvfr: [0x1011_0222, 0x1111_1111, 0],
    actlr_mask: 0xffff_ffff,
    pmcr: 0x410f_3000,
    dbgdidr: 0x3515_f021,
    dbgdevid: 0x0111_0f13,
    l2_control: true,
    a9_control: false,
    v5: false,
    swp: true,
};
