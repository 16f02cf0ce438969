//! The CPU that a guest sees: its board's, whatever the host's is.
//!
//! One constant a CPU, from its technical reference manual. What a guest reads by a trapped
//! register comes from here. Three things cannot be trapped and stay the host's: FPSCR's and
//! DCZID_EL0's feature bits, CNTFRQ, and JIDR's neighbours where the host has none.
//!
//! Known deviation: ID registers are the board CPU's also where the host lacks a feature
//! (the cryptographic instructions of a Cortex-A57).

pub mod arm926ej_s;
pub mod cortex_a15;
pub mod cortex_a57;
pub mod cortex_a8;
pub mod cortex_a9;

/// What identifies a CPU.
#[allow(clippy::struct_excessive_bools)] // Each is one thing that a CPU has or has not.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    /// The device tree's `compatible`.
    pub compatible: &'static str,
    /// The name that a report gives.
    pub name: &'static str,
    /// Its guests enter EL1 in AArch64.
    pub aarch64: bool,
    /// MIDR.
    pub midr: u32,
    /// MPIDR without affinity.
    pub mpidr: u64,
    /// CTR.
    pub ctr: u32,
    /// TLBTR.
    pub tlbtr: u32,
    /// REVIDR; a CPU without one shows MIDR there.
    pub revidr: u32,
    /// ID_PFR0 and 1, ID_DFR0, ID_AFR0, ID_MMFR0 to 3: CRm 1, by opc2.
    pub id_1: [u32; 8],
    /// ID_ISAR0 to 5, ID_MMFR4, ID_ISAR6: CRm 2, by opc2.
    pub id_2: [u32; 8],
    /// ID_AA64PFR0, ID_AA64DFR0, ID_AA64ISAR0, ID_AA64MMFR0: CRm 4 to 7, opc2 0.
    pub id_aa64: [u64; 4],
    /// CLIDR.
    pub clidr: u32,
    /// CCSIDR for CSSELR 0, 1 and 2: L1 data, L1 instruction, L2.
    pub ccsidr: [Option<u32>; 3],
    /// FPSID.
    pub fpsid: u32,
    /// MVFR0 to 2.
    pub mvfr: [u32; 3],
    /// Bits of ACTLR that keep what is written.
    pub actlr_mask: u32,
    /// PMCR's IMP, IDCODE and N.
    pub pmcr: u32,
    /// DBGDIDR.
    pub dbgdidr: u32,
    /// DBGDEVID.
    pub dbgdevid: u32,
    /// It has L2CTLR and L2ECTLR.
    pub l2_control: bool,
    /// It has Cortex-A9's power control and diagnostic registers.
    pub a9_control: bool,
    /// It has ARMv5's operations on whole caches, and lockdown registers.
    pub v5: bool,
    /// It has SWP and SWPB.
    pub swp: bool,
}

/// The CPU that `compatible` names.
pub fn model(compatible: &str) -> Option<&'static Model> {
    MODELS.into_iter().find(|m| m.compatible == compatible)
}

const MODELS: [&Model; 5] = [
    &arm926ej_s::MODEL,
    &cortex_a8::MODEL,
    &cortex_a9::MODEL,
    &cortex_a15::MODEL,
    &cortex_a57::MODEL,
];

impl Model {
    /// MPIDR of the CPU whose cpu node has this `reg`.
    pub const fn mpidr(&self, affinity: u64) -> u64 {
        let fields = if self.aarch64 {
            0xff_00ff_ffff
        } else {
            0x00ff_ffff
        };
        self.mpidr | affinity & fields
    }

    /// The ID register at CRn 0, `crm` 1 to 7, `opc2`: AArch32's coprocessor 15, opc1 0, and
    /// AArch64's op0 3, op1 0 have the same table. What is not in it reads as zero (DDI 0487,
    /// D17.3.1: reserved, RAZ).
    pub fn id(&self, crm: u8, opc2: u8) -> u64 {
        let at = usize::from(opc2);
        let word = |table: &[u32]| u64::from(table.get(at).copied().unwrap_or(0));
        match (crm, opc2) {
            (1, _) => word(&self.id_1),
            (2, _) => word(&self.id_2),
            (3, 0..=2) if self.aarch64 => word(&self.mvfr),
            (4..=7, 0) => self
                .id_aa64
                .get(usize::from(crm.wrapping_sub(4)))
                .copied()
                .unwrap_or(0),
            _ => 0,
        }
    }

    /// CCSIDR as `csselr` selects it; a cache that is not there reads as zero.
    pub fn ccsidr(&self, csselr: u32) -> u32 {
        self.ccsidr
            .get((csselr & 0xf) as usize)
            .copied()
            .flatten()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_number_is_what_cpuinfo_shows() {
        for (compatible, part) in [
            ("arm,arm926ej-s", 0x926),
            ("arm,cortex-a8", 0xc08),
            ("arm,cortex-a9", 0xc09),
            ("arm,cortex-a15", 0xc0f),
            ("arm,cortex-a57", 0xd07),
        ] {
            assert_eq!(model(compatible).unwrap().midr >> 4 & 0xfff, part);
        }
        assert_eq!(model("arm,cortex-a5"), None);
    }

    #[test]
    fn mpidr_keeps_its_format_bits_whatever_the_map_says() {
        let a9 = &cortex_a9::MODEL;
        assert_eq!(a9.mpidr(0), 0x8000_0000);
        assert_eq!(a9.mpidr(0x103), 0x8000_0103);
        assert_eq!(a9.mpidr(u64::MAX), 0x80ff_ffff, "U and MT stay clear");
        assert_eq!(cortex_a57::MODEL.mpidr(0x1_0000_0001), 0x1_8000_0001);
    }

    #[test]
    fn caches_that_clidr_names_have_a_ccsidr() {
        for m in MODELS {
            assert_eq!(m.clidr & 7, 3, "separate L1 caches");
            assert!(m.ccsidr(0) != 0 && m.ccsidr(1) != 0);
            assert_eq!(m.clidr >> 3 & 7 != 0, m.ccsidr(2) != 0, "{}", m.name);
            assert_eq!(m.ccsidr(7), 0);
        }
    }

    #[test]
    fn an_id_register_that_nobody_defined_reads_as_zero() {
        for crm in 0..16 {
            for opc2 in 0..8 {
                let v = cortex_a9::MODEL.id(crm, opc2);
                assert!(v == 0 || matches!(crm, 1 | 2), "{crm} {opc2}");
            }
        }
        assert_eq!(cortex_a57::MODEL.id(4, 0), 0x22);
        assert_eq!(
            cortex_a57::MODEL.id(7, 0) & 0xf,
            2,
            "no more than 40 bits of address"
        );
    }
}
