//! EL2's control registers for a guest, each bit with its reason (DDI 0487, D17.2).
//!
//! The same tables are in `docs/trap-table.md`.
//!
//! ## HCR_EL2
//!
//! | bit | name | A32 | A64 | reason |
//! |---|---|---|---|---|
//! | 0 | VM | 1 | 1 | Stage 2 is what makes the board's address space. |
//! | 1 | SWIO | 1 | 1 | A guest's invalidate by set/way must never drop another's data. |
//! | 2 | PTW | 1 | 1 | A stage-1 walk into device memory is a fault, with a report, not a read with side effects. |
//! | 3 | FMO | 1 | 1 | FIQs go to EL2, and VF is the guest's nFIQ. |
//! | 4 | IMO | 1 | 1 | IRQs go to EL2, and VI is the guest's nIRQ. |
//! | 5 | AMO | 1 | 1 | An SError is the host's, and is never taken by a guest as its own. |
//! | 6-8 | VF, VI, VSE | 0 | 0 | Set at each entry from the board's interrupt controller. |
//! | 9 | FB | 1 | 1 | A guest's TLB and I-cache maintenance reaches every core that it may have run on. |
//! | 10-11 | BSU | 01 | 01 | Its barriers reach as far as that. |
//! | 12 | DC | 0 | 0 | The guest's MMU off means what its manual says: device memory. |
//! | 13 | TWI | 1 | 1 | A WFI must end for the guest's own interrupts only, and its idle time is counted. 0 for a VM with `wfi = "direct"`: the core then sleeps without a trap, and any interrupt of the host wakes the guest too. |
//! | 14 | TWE | 0 | 0 | WFE is a hint, and the event stream wakes it. |
//! | 15 | TID0 | 1 | 0 | FPSID and JIDR are the board's CPU's. |
//! | 16 | TID1 | 1 | 1 | TCMTR, TLBTR, AIDR and REVIDR are the board's CPU's. |
//! | 17 | TID2 | 1 | 1 | CTR, CCSIDR, CLIDR and CSSELR are the board's CPU's. |
//! | 18 | TID3 | 1 | 1 | The ID registers are the board's CPU's. |
//! | 19 | TSC | 1 | 1 | SMC is the board's PSCI or its monitor, never the host's firmware. |
//! | 20 | TIDCP | 1 | 1 | Implementation-defined registers (L2CTLR and so on) are the board's CPU's. |
//! | 21 | TACR | 1 | 1 | ACTLR is the board's CPU's. |
//! | 22 | TSW | 1 | 1 | Set/way operations become a bounded walk by address. |
//! | 23 | TPCP | 0 | 0 | Maintenance by address is the guest's own to do, and frequent (each page-table write on one CPU). |
//! | 24 | TPU | 0 | 0 | Cache maintenance to the point of unification is harmless. |
//! | 25 | TTLB | 0 | 0 | The VMID bounds TLB maintenance. |
//! | 26 | TVM | 0 | 0 | Writes of the MMU's registers go straight through; HSTR_EL2.T12 traps VBAR, which matters. |
//! | 27 | TGE | 0 | 0 | The guest has its own EL1. |
//! | 28 | TDZ | 0 | 0 | DC ZVA works on RAM; on a device it faults as it does on the board. |
//! | 29 | HCD | 0 | 0 | HVC comes here: PSCI, or UNDEF by injection. |
//! | 30 | TRVM | 0 | 0 | Reads of those registers are harmless. |
//! | 31 | RW | 0 | 1 | EL1 is AArch32, or AArch64. |
//!
//! ## HSTR_EL2
//!
//! | bit | name | A32 | A64 | reason |
//! |---|---|---|---|---|
//! | 1 | T1 | 0 | 0 | Linux reads SCTLR at every entry from user mode. ACTLR traps by TACR; the high UNDEF vector has a breakpoint of its own. |
//! | 9 | T9 | 1 | 0 | L2CTLR and L2ECTLR, where TIDCP does nothing (QEMU 7.2); the PMU, which traps anyway. |
//! | 11 | T11 | 1 | 0 | Implementation-defined (TCM, preload engine), as T9. |
//! | 12 | T12 | 1 | 0 | VBAR: the breakpoint on the UNDEF vector follows it. ISR beside it. |
//! | 15 | T15 | 1 | 0 | Implementation-defined: the host's own c15 is not the board's CPU's. |
//!
//! ## CPTR_EL2
//!
//! | bit | name | value | reason |
//! |---|---|---|---|
//! | 10 | TFP | 0 | The guest owns the floating-point registers; EL2 uses none. |
//! | 20 | TTA | 1 | The host's trace unit is none of the board's. |
//! | 31 | TCPAC | 0 | CPACR is the guest's own. |
//! | 13, 12, 9-0 | | 1 | RES1; SVE and SME, where the host has them, trap: the boards' CPUs have neither. |
//!
//! ## MDCR_EL2
//!
//! | bit | name | value | reason |
//! |---|---|---|---|
//! | 0-4 | HPMN | 0 | The metal puts PMCR_EL0.N there: with TPM no counter is the guest's. |
//! | 5, 6 | TPMCR, TPM | 1 | The PMU is emulated: the host's events are not the board's. QEMU 7.2 wants both. |
//! | 8 | TDE | 1 | Debug exceptions go to EL2: the breakpoint on the UNDEF vector. |
//! | 9-11 | TDA, TDOSA, TDRA | 1 | The guest's debug registers are storage here. |
//!
//! ## CNTHCTL_EL2
//!
//! | bit | name | value | reason |
//! |---|---|---|---|
//! | 0 | EL1PCTEN | 0 | CNTPCT is the board's clock, as CNTVCT is. |
//! | 1 | EL1PCEN | 0 | CNTP is emulated on the board's clock; EL2 keeps its own CNTHP. |
//! | 2 | EVNTEN | 0 | The guest's event stream is CNTKCTL's. |
//!
//! ## ICH_HCR_EL2
//!
//! On a host with a GICv3, whatever the board has.
//!
//! | bit | name | value | reason |
//! |---|---|---|---|
//! | 0 | En | 0 | The host's list registers are not used: the board's controller drives VI and VF. |
//! | 10 | TC | 1 | ICC_PMR, ICC_CTLR, ICC_RPR, ICC_DIR and the registers that generate SGIs are the board's controller's, or undefined. |
//! | 11, 12 | TALL0, TALL1 | 1 | As TC: the registers of Group 0 and Group 1. |
//!
//! ## VTCR_EL2
//!
//! | bits | name | value | reason |
//! |---|---|---|---|
//! | 5-0 | T0SZ | 24 | 40 bits of IPA: what LPAE gives a Cortex-A15. |
//! | 7-6 | SL0 | 1 | The walk starts at level 1, in two concatenated tables. |
//! | 9-8, 11-10 | IRGN0, ORGN0 | 1 | Walks are write-back cacheable, as EL2's own stage 1 is. |
//! | 13-12 | SH0 | 3 | Inner shareable. |
//! | 15-14 | TG0 | 0 | 4 KiB granule. |
//! | 18-16 | PS | | The host's ID_AA64MMFR0_EL1.PARange, at most 2 (40 bits): the metal puts it there. |
//! | 31 | | 1 | RES1. |

/// HCR_EL2.
pub mod hcr {
    #![allow(missing_docs)]
    pub const VM: u64 = 1 << 0;
    pub const SWIO: u64 = 1 << 1;
    pub const PTW: u64 = 1 << 2;
    pub const FMO: u64 = 1 << 3;
    pub const IMO: u64 = 1 << 4;
    pub const AMO: u64 = 1 << 5;
    pub const VF: u64 = 1 << 6;
    pub const VI: u64 = 1 << 7;
    pub const VSE: u64 = 1 << 8;
    pub const FB: u64 = 1 << 9;
    pub const BSU_INNER: u64 = 1 << 10;
    pub const TWI: u64 = 1 << 13;
    pub const TWE: u64 = 1 << 14;
    pub const TID0: u64 = 1 << 15;
    pub const TID1: u64 = 1 << 16;
    pub const TID2: u64 = 1 << 17;
    pub const TID3: u64 = 1 << 18;
    pub const TSC: u64 = 1 << 19;
    pub const TIDCP: u64 = 1 << 20;
    pub const TACR: u64 = 1 << 21;
    pub const TSW: u64 = 1 << 22;
    pub const TPCP: u64 = 1 << 23;
    pub const RW: u64 = 1 << 31;
}

/// HSTR_EL2.
pub mod hstr {
    #![allow(missing_docs)]
    pub const T9: u64 = 1 << 9;
    pub const T11: u64 = 1 << 11;
    pub const T12: u64 = 1 << 12;
    pub const T15: u64 = 1 << 15;
}

/// CPTR_EL2.
pub mod cptr {
    #![allow(missing_docs)]
    pub const RES1: u64 = 0x33ff;
    pub const TTA: u64 = 1 << 20;
}

/// MDCR_EL2.
pub mod mdcr {
    #![allow(missing_docs)]
    pub const TPMCR: u64 = 1 << 5;
    pub const TPM: u64 = 1 << 6;
    pub const TDE: u64 = 1 << 8;
    pub const TDA: u64 = 1 << 9;
    pub const TDOSA: u64 = 1 << 10;
    pub const TDRA: u64 = 1 << 11;
}

/// ICH_HCR_EL2.
pub mod ich_hcr {
    #![allow(missing_docs)]
    pub const TC: u64 = 1 << 10;
    pub const TALL0: u64 = 1 << 11;
    pub const TALL1: u64 = 1 << 12;
}

/// VTCR_EL2.
pub mod vtcr {
    #![allow(missing_docs)]
    pub const T0SZ_40_BITS: u64 = 24;
    pub const SL0_LEVEL_1: u64 = 1 << 6;
    pub const IRGN0_WB: u64 = 1 << 8;
    pub const ORGN0_WB: u64 = 1 << 10;
    pub const SH0_INNER: u64 = 3 << 12;
    pub const RES1: u64 = 1 << 31;
    pub const PS_SHIFT: u32 = 16;
}

/// The values of EL2's control registers while a guest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct El2Controls {
    /// HCR_EL2, without VI and VF.
    pub hcr: u64,
    /// HSTR_EL2.
    pub hstr: u64,
    /// CPTR_EL2.
    pub cptr: u64,
    /// MDCR_EL2, without HPMN.
    pub mdcr: u64,
    /// CNTHCTL_EL2.
    pub cnthctl: u64,
    /// VTCR_EL2, without PS.
    pub vtcr: u64,
}

impl El2Controls {
    /// For an AArch32 guest (`a32`) or an AArch64 one, whose WFI traps or not.
    pub const fn new(a32: bool, trap_wfi: bool) -> Self {
        let mut hcr = hcr::VM
            | hcr::SWIO
            | hcr::PTW
            | hcr::FMO
            | hcr::IMO
            | hcr::AMO
            | hcr::FB
            | hcr::BSU_INNER
            | hcr::TID1
            | hcr::TID2
            | hcr::TID3
            | hcr::TSC
            | hcr::TIDCP
            | hcr::TACR
            | hcr::TSW;
        hcr |= if a32 { hcr::TID0 } else { hcr::RW };
        if trap_wfi {
            hcr |= hcr::TWI;
        }
        let hstr = if a32 {
            hstr::T9 | hstr::T11 | hstr::T12 | hstr::T15
        } else {
            0
        };
        Self {
            hcr,
            hstr,
            cptr: cptr::RES1 | cptr::TTA,
            mdcr: mdcr::TPMCR | mdcr::TPM | mdcr::TDE | mdcr::TDA | mdcr::TDOSA | mdcr::TDRA,
            cnthctl: 0,
            vtcr: vtcr::T0SZ_40_BITS
                | vtcr::SL0_LEVEL_1
                | vtcr::IRGN0_WB
                | vtcr::ORGN0_WB
                | vtcr::SH0_INNER
                | vtcr::RES1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_a64_guest_differs_by_rw_and_by_nothing_that_only_aarch32_has() {
        let (a32, a64) = (El2Controls::new(true, true), El2Controls::new(false, true));
        assert_eq!(a32.hcr ^ a64.hcr, hcr::RW | hcr::TID0);
        assert_eq!(a64.hstr, 0);
    }

    #[test]
    fn wfi_traps_where_it_is_told_to() {
        assert_ne!(El2Controls::new(true, true).hcr & hcr::TWI, 0);
        assert_eq!(El2Controls::new(true, false).hcr & hcr::TWI, 0);
    }

    const DOCS: &str = include_str!("../../docs/trap-table.md");

    /// The rows of the table under `## name`, as their cells.
    fn rows(name: &str) -> std::vec::Vec<std::vec::Vec<&'static str>> {
        let (_, section) = DOCS.split_once(&std::format!("## {name}\n")).unwrap();
        let section = section.split("\n## ").next().unwrap();
        section
            .lines()
            .filter(|line| line.starts_with('|'))
            .skip(2)
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect()
    }

    /// `5`, `6-8` and `9, 10` as bits.
    fn bits(cell: &str) -> u64 {
        cell.split(", ").fold(0, |mask, part| {
            let (a, b) = part.split_once('-').unwrap_or((part, part));
            let (a, b): (u32, u32) = (a.parse().unwrap(), b.parse().unwrap());
            (a.min(b)..=a.max(b)).fold(mask, |mask, bit| mask | 1 << bit)
        })
    }

    /// The value of a cell in its field: a number, or, where the row has several bits or names,
    /// each bit alike.
    fn value(field: &str, name: &str, cell: &str) -> u64 {
        let mask = bits(field);
        let several = field.contains(", ") || name.contains(", ");
        match cell {
            "0" => 0,
            "1" if several => mask,
            number => u64::from_str_radix(number, 2).unwrap() << mask.trailing_zeros(),
        }
    }

    /// What a table says, and the bits that it speaks of.
    fn sum(name: &str, column: usize) -> (u64, u64) {
        rows(name)
            .iter()
            .filter(|row| !row[column].is_empty())
            .fold((0, 0), |(sum, mask), row| {
                (
                    sum | value(row[0], row[1], row[column]),
                    mask | bits(row[0]),
                )
            })
    }

    #[test]
    fn the_documented_tables_give_the_values_that_are_written() {
        for (column, a32) in [(2, true), (3, false)] {
            let controls = El2Controls::new(a32, true);
            assert_eq!(sum("HCR_EL2", column), (controls.hcr, 0xffff_ffff));
            assert_eq!(sum("HSTR_EL2", column).0, controls.hstr);
        }
        let controls = El2Controls::new(true, true);
        assert_eq!(sum("CPTR_EL2", 2).0, controls.cptr);
        assert_eq!(sum("MDCR_EL2", 2).0, controls.mdcr);
        assert_eq!(sum("CNTHCTL_EL2", 2), (controls.cnthctl, 7));
        let gic = ich_hcr::TC | ich_hcr::TALL0 | ich_hcr::TALL1;
        assert_eq!(sum("ICH_HCR_EL2", 2).0, gic);
    }

    #[test]
    fn the_documented_tables_are_those_of_the_source() {
        for source in [include_str!("el2_controls.rs"), include_str!("traps.rs")] {
            for row in source.lines().filter_map(|line| line.strip_prefix("//! |")) {
                // The classes' table names its sources as Rust does.
                let found = DOCS.contains(row) || row.contains('[');
                assert!(found, "not in docs/trap-table.md: {row}");
            }
        }
    }
}
