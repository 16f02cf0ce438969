//! What the registers are called.

use crate::access::{SYSTEM_REGISTERS, system_register};
use crate::emul::describe::{Allowed, Bound, Description, Register, bit, field, register};

/// What its registers are called, and what is known to deviate. Of the redistributors it names
/// those of the first CPU of region 1.
pub static DESCRIPTION: Description = Description::of("IHI 0069H", REGISTERS)
    .lines(&[
        "IRQ0", "FIQ0", "IRQ1", "FIQ1", "IRQ2", "FIQ2", "IRQ3", "FIQ3", "IRQ4", "FIQ4", "IRQ5",
        "FIQ5", "IRQ6", "FIQ6", "IRQ7", "FIQ7",
    ])
    .bounds(BOUNDS)
    .deviations(&[
        "affinity routing and the system registers are always on: no legacy operation",
        "with two Security states GICD_CTLR.DS is 0, and CPUs are at Secure EL1 for good",
        "no LPIs, no ITS, no message-based SPIs, no extended ranges, no range selector",
        "no GICD_NSACR, GICR_NSACR, GICR_CTLR.DPG, GICD_STATUSR; no registers of EL3",
        "writes have their effect at once: RWP and UWP are 0",
        "a 1 of N interrupt goes to the lowest CPU that is awake and has its group enabled",
        "EOIR of another group than the highest active priority's, and DIR without EOImode, are ignored",
    ]);

const QEMU: &str = "qemu-7.2";

const fn theirs(register: &'static str, field: &'static str, theirs: u64, ours: u64) -> Bound {
    Bound {
        register,
        field: Some(field),
        allowed: Allowed::Instead {
            source: QEMU,
            mask: u64::MAX,
            theirs,
            ours,
        },
        reason: "implementation defined",
    }
}

const BOUNDS: &[Bound] = &[
    theirs("GICD_TYPER", "No1N", 1, 0),
    theirs("GICD_TYPER", "IDbits", 15, 9),
    theirs("GICD_TYPER", "LPIS", 1, 0),
    theirs("GICR_CTLR", "CES", 1, 0),
    theirs("GICR_TYPER", "CommonLPIAff", 1, 0),
    theirs("GICR_TYPER", "PLPIS", 1, 0),
    theirs("ICC_CTLR_EL1", "IDbits", 1, 0),
];

/// A register of `RD_base`.
const fn redistributor(offset: u64, name: &'static str) -> Register {
    register(offset, name).region(1)
}

/// A register of `SGI_base`.
const fn private(offset: u64, name: &'static str) -> Register {
    register(offset | 0x1_0000, name).region(1)
}

/// A system register at op0 3, op1 0.
const fn system(crn: u8, crm: u8, op2: u8, name: &'static str) -> Register {
    register(system_register(3, 0, crn, crm, op2), name)
        .region(SYSTEM_REGISTERS)
        .bytes(8)
}

const REGISTERS: &[Register] = &[
    register(0x0000, "GICD_CTLR").fields(&[
        bit("RWP", 31),
        bit("E1NWF", 7),
        bit("DS", 6),
        bit("ARE_NS", 5),
        bit("ARE_S", 4),
        bit("EnableGrp1S", 2),
        bit("EnableGrp1NS", 1),
        bit("EnableGrp0", 0),
    ]),
    register(0x0004, "GICD_TYPER").fields(&[
        bit("RSS", 26),
        bit("No1N", 25),
        bit("A3V", 24),
        field("IDbits", 23, 19),
        bit("LPIS", 17),
        bit("MBIS", 16),
        bit("SecurityExtn", 10),
        field("CPUNumber", 7, 5),
        field("ITLinesNumber", 4, 0),
    ]),
    register(0x0008, "GICD_IIDR"),
    register(0x0080, "GICD_IGROUPR").times(32),
    register(0x0100, "GICD_ISENABLER").times(32),
    register(0x0180, "GICD_ICENABLER").times(32),
    register(0x0200, "GICD_ISPENDR").times(32),
    register(0x0280, "GICD_ICPENDR").times(32),
    register(0x0300, "GICD_ISACTIVER").times(32),
    register(0x0380, "GICD_ICACTIVER").times(32),
    register(0x0400, "GICD_IPRIORITYR").times(255),
    register(0x0c00, "GICD_ICFGR").times(64),
    register(0x0d00, "GICD_IGRPMODR").times(32),
    register(0x6100, "GICD_IROUTER")
        .bytes(8)
        .times(988)
        .fields(&[
            field("Aff3", 39, 32),
            bit("Interrupt_Routing_Mode", 31),
            field("Aff2", 23, 16),
            field("Aff1", 15, 8),
            field("Aff0", 7, 0),
        ]),
    register(0xffd0, "GICD_PIDR4").times(4),
    register(0xffe0, "GICD_PIDR0").times(4),
    register(0xfff0, "GICD_CIDR").times(4),
    redistributor(0x0000, "GICR_CTLR").fields(&[
        bit("UWP", 31),
        bit("RWP", 3),
        bit("IR", 2),
        bit("CES", 1),
        bit("EnableLPIs", 0),
    ]),
    redistributor(0x0004, "GICR_IIDR"),
    redistributor(0x0008, "GICR_TYPER").bytes(8).fields(&[
        field("Affinity_Value", 63, 32),
        field("CommonLPIAff", 25, 24),
        field("Processor_Number", 23, 8),
        bit("Last", 4),
        bit("PLPIS", 0),
    ]),
    redistributor(0x0014, "GICR_WAKER")
        .fields(&[bit("ChildrenAsleep", 2), bit("ProcessorSleep", 1)]),
    redistributor(0xffd0, "GICR_PIDR4").times(4),
    redistributor(0xffe0, "GICR_PIDR0").times(4),
    redistributor(0xfff0, "GICR_CIDR").times(4),
    private(0x0080, "GICR_IGROUPR0"),
    private(0x0100, "GICR_ISENABLER0"),
    private(0x0180, "GICR_ICENABLER0"),
    private(0x0200, "GICR_ISPENDR0"),
    private(0x0280, "GICR_ICPENDR0"),
    private(0x0300, "GICR_ISACTIVER0"),
    private(0x0380, "GICR_ICACTIVER0"),
    private(0x0400, "GICR_IPRIORITYR").times(8),
    private(0x0c00, "GICR_ICFGR").times(2),
    private(0x0d00, "GICR_IGRPMODR0"),
    system(4, 6, 0, "ICC_PMR_EL1"),
    system(12, 8, 0, "ICC_IAR0_EL1"),
    system(12, 8, 1, "ICC_EOIR0_EL1"),
    system(12, 8, 2, "ICC_HPPIR0_EL1"),
    system(12, 8, 3, "ICC_BPR0_EL1"),
    system(12, 8, 4, "ICC_AP0R_EL1").times(4),
    system(12, 9, 0, "ICC_AP1R_EL1").times(4),
    system(12, 11, 1, "ICC_DIR_EL1"),
    system(12, 11, 3, "ICC_RPR_EL1"),
    system(12, 11, 5, "ICC_SGI1R_EL1"),
    system(12, 11, 6, "ICC_ASGI1R_EL1"),
    system(12, 11, 7, "ICC_SGI0R_EL1"),
    system(12, 12, 0, "ICC_IAR1_EL1"),
    system(12, 12, 1, "ICC_EOIR1_EL1"),
    system(12, 12, 2, "ICC_HPPIR1_EL1"),
    system(12, 12, 3, "ICC_BPR1_EL1"),
    system(12, 12, 4, "ICC_CTLR_EL1").fields(&[
        bit("A3V", 15),
        field("IDbits", 13, 11),
        field("PRIbits", 10, 8),
        bit("EOImode", 1),
        bit("CBPR", 0),
    ]),
    system(12, 12, 5, "ICC_SRE_EL1").fields(&[bit("DIB", 2), bit("DFB", 1), bit("SRE", 0)]),
    system(12, 12, 6, "ICC_IGRPEN0_EL1").fields(&[bit("Enable", 0)]),
    system(12, 12, 7, "ICC_IGRPEN1_EL1").fields(&[bit("Enable", 0)]),
];
