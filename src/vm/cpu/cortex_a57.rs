//! Cortex-A57 r1p0 (DDI 0488H, 4.2 to 4.5): `arm,cortex-a57`.
//!
//! Known deviations: EL2 and EL3 read as absent (ID_AA64PFR0_EL1, ID_PFR1), because a guest has
//! neither, and PARange is 40 bits, which is what its stage 2 has.

use super::Model;

/// Cortex-A57 MPCore, 32 and 48 KiB L1 caches, 2 MiB at level 2.
pub const MODEL: Model = Model {
    compatible: "arm,cortex-a57",
    name: "Cortex-A57",
    aarch64: true,
    midr: 0x411f_d070,
    mpidr: 0x8000_0000,
    ctr: 0x8444_c004,
    tlbtr: 0,
    revidr: 0,
    id_1: [
        0x0000_0131,
        0x0001_0001,
        0x0301_0066,
        0,
        0x1010_1105,
        0x4000_0000,
        0x0126_0000,
        0x0210_2211,
    ],
    id_2: [
        0x0210_1110,
        0x1311_2111,
        0x2123_2042,
        0x0111_2131,
        0x0001_1142,
        0x0001_1121,
        0,
        0,
    ],
    id_aa64: [0x0000_0022, 0x1030_5106, 0x0001_1120, 0x0000_1122],
    clidr: 0x0a20_0023,
    ccsidr: [Some(0x701f_e00a), Some(0x201f_e012), Some(0x70ff_e07a)],
    fpsid: 0x4103_4070,
    mvfr: [0x1011_0222, 0x1211_1111, 0x0000_0043],
    actlr_mask: 0,
    pmcr: 0x4101_3000,
    dbgdidr: 0x3516_d000,
    dbgdevid: 0x0111_0f13,
    l2_control: true,
    a9_control: false,
    v5: false,
    swp: false,
};
