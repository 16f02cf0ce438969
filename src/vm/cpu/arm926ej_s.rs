//! ARM926EJ-S r0p5 (DDI 0198E, 2.3): `arm,arm926ej-s`.
//!
//! An ARMv5TEJ CPU, of which a host executes what ARMv7 kept: plain ARMv5TE code in ARM and
//! Thumb. Its ID, cache type and TCM registers, its operations on whole caches (test and clean
//! too), its lockdown registers and its wait for interrupt are its own. A host cannot give:
//! - The rotated result of an unaligned LDR with SCTLR.A clear: it reads the unaligned word, as
//!   ARMv6 with SCTLR.U set does, if the MMU is on and the memory is Normal.
//! - Page tables of ARMv5: fine tables, tiny pages and subpages' own permissions. Sections, large
//!   and small pages with ARMv6's attributes, and domains, work.
//! - SCTLR.S and R (system and ROM protection), and SCTLR as it resets there (0x00050078): the
//!   host's reads 0x00C50078.
//! - Jazelle; the VFP9-S in its vector modes.
//! - The FCSE: c13, c0, 0 is the host's, which translates nothing.
//!
//! And also different: TCMs are absent, the wait for interrupt (c7, c0, 4) ends at once, and
//! the CP15 registers that ARMv6 and ARMv7 added (MPIDR among them) read as they do there, where the CPU repeats
//! its ID or does what DDI 0198E leaves open.

use super::Model;

/// ARM926EJ-S of the Versatile development chip: 32 KiB caches.
pub const MODEL: Model = Model {
    compatible: "arm,arm926ej-s",
    name: "ARM926EJ-S",
    aarch64: false,
    midr: 0x4106_9265,
    // c0, c0, 3 to 7 repeat the ID code there, but VMPIDR_EL2 has its bit 31 set.
    mpidr: 0x8000_0000,
    // Separate write-back caches, each 32 KiB, 4 ways, lines of 8 words.
    ctr: 0x1d19_2192,
    tlbtr: 0x4106_9265,
    revidr: 0x4106_9265,
    id_1: [0; 8],
    id_2: [0; 8],
    id_aa64: [0; 4],
    // It has neither CLIDR nor CCSIDR; these give its operations by set and way their geometry.
    clidr: 0x0000_0003,
    ccsidr: [Some(0xe01f_e019), Some(0x201f_e019), None],
    fpsid: 0x4101_1090,
    mvfr: [0; 3],
    actlr_mask: 0,
    pmcr: 0,
    dbgdidr: 0,
    dbgdevid: 0,
    l2_control: false,
    a9_control: false,
    v5: true,
    swp: true,
};
