//! What the registers of a GIC are called, and where QEMU's differs from the manuals.

use crate::emul::describe::{Allowed, Bound, Description, Field, Register, bit, field, register};

/// Of a version 1 controller.
pub static V1: Description = Description::of("IHI 0048A, DDI 0407I", V1_REGISTERS)
    .lines(LINES)
    .bounds(BOUNDS)
    .deviations(&[
        "CFGSDISABLE is never asserted",
        "no legacy interrupt inputs",
        "EOIR acts out of order, too",
    ]);

/// Of a version 2 controller.
pub static V2: Description = Description::of("IHI 0048B.b, DDI 0438, DDI 0471", V2_REGISTERS)
    .lines(LINES)
    .bounds(BOUNDS)
    .deviations(&[
        "CFGSDISABLE is never asserted",
        "no legacy interrupt inputs",
        "GICD_NSACR, GICH and GICV are absent",
        "EOIR and DIR act out of order, too",
    ]);

const LINES: &[&str] = &[
    "nIRQ0", "nFIQ0", "nIRQ1", "nFIQ1", "nIRQ2", "nFIQ2", "nIRQ3", "nFIQ3",
];

const GICD_CTLR: Register =
    register(0x000, "GICD_CTLR").fields(&[bit("EnableGrp0", 0), bit("EnableGrp1", 1)]);
const GICD_TYPER: Register = register(0x004, "GICD_TYPER").fields(&[
    field("LSPI", 15, 11),
    bit("SecurityExtn", 10),
    field("CPUNumber", 7, 5),
    field("ITLinesNumber", 4, 0),
]);
const GICD_IIDR: Register = register(0x008, "GICD_IIDR");
const GICD_IGROUPR: Register = register(0x080, "GICD_IGROUPR").times(32);
const GICD_ISENABLER: Register = register(0x100, "GICD_ISENABLER").times(32);
const GICD_ICENABLER: Register = register(0x180, "GICD_ICENABLER").times(32);
const GICD_ISPENDR: Register = register(0x200, "GICD_ISPENDR").times(32);
const GICD_ICPENDR: Register = register(0x280, "GICD_ICPENDR").times(32);
const GICD_ISACTIVER: Register = register(0x300, "GICD_ISACTIVER").times(32);
const GICD_ICACTIVER: Register = register(0x380, "GICD_ICACTIVER").times(32);
const GICD_IPRIORITYR: Register = register(0x400, "GICD_IPRIORITYR").times(255);
const GICD_ITARGETSR: Register = register(0x800, "GICD_ITARGETSR").times(255);
// The private interrupts' own, then those of SPIs.
const GICD_ICFGR0: Register = register(0xc00, "GICD_ICFGR0");
const GICD_ICFGR1: Register = register(0xc04, "GICD_ICFGR1");
const GICD_ICFGR: Register = register(0xc08, "GICD_ICFGR").times(62);
const STATUS: Register = register(0xd00, "PPI and SPI status").times(32);
const GICD_SGIR: Register = register(0xf00, "GICD_SGIR").fields(&[
    field("TargetListFilter", 25, 24),
    field("CPUTargetList", 23, 16),
    bit("NSATT", 15),
    field("SGIINTID", 3, 0),
]);
const IDENTIFICATION: Register = register(0xfd0, "identification").times(12);

const fn interface(offset: u64, name: &'static str) -> Register {
    register(offset, name).region(1)
}

const INTERRUPT: &[Field] = &[field("CPUID", 12, 10), field("INTID", 9, 0)];

/// An interrupt's number, and of an SGI the CPU that sent it.
const fn interrupt(offset: u64, name: &'static str) -> Register {
    interface(offset, name).fields(INTERRUPT)
}

const GICC_CTLR: Register = interface(0x00, "GICC_CTLR").fields(&[
    bit("EnableGrp0", 0),
    bit("EnableGrp1", 1),
    bit("AckCtl", 2),
    bit("FIQEn", 3),
    bit("CBPR", 4),
]);
const GICC_PMR: Register = interface(0x04, "GICC_PMR").fields(&[field("Priority", 7, 0)]);
const GICC_BPR: Register = interface(0x08, "GICC_BPR").fields(&[field("Binary_point", 2, 0)]);
const GICC_IAR: Register = interrupt(0x0c, "GICC_IAR");
const GICC_EOIR: Register = interrupt(0x10, "GICC_EOIR");
const GICC_RPR: Register = interface(0x14, "GICC_RPR").fields(&[field("Priority", 7, 0)]);
const GICC_HPPIR: Register = interrupt(0x18, "GICC_HPPIR");
const GICC_ABPR: Register = interface(0x1c, "GICC_ABPR").fields(&[field("Binary_point", 2, 0)]);
const GICC_IIDR: Register = interface(0xfc, "GICC_IIDR").fields(&[
    field("ProductID", 31, 20),
    field("Architecture_version", 19, 16),
    field("Revision", 15, 12),
    field("Implementer", 11, 0),
]);

const V1_REGISTERS: &[Register] = &[
    GICD_CTLR,
    GICD_TYPER,
    GICD_IIDR,
    GICD_IGROUPR,
    GICD_ISENABLER,
    GICD_ICENABLER,
    GICD_ISPENDR,
    GICD_ICPENDR,
    GICD_ISACTIVER,
    GICD_IPRIORITYR,
    GICD_ITARGETSR,
    GICD_ICFGR0,
    GICD_ICFGR1,
    GICD_ICFGR,
    STATUS,
    GICD_SGIR,
    IDENTIFICATION,
    GICC_CTLR,
    GICC_PMR,
    GICC_BPR,
    GICC_IAR,
    GICC_EOIR,
    GICC_RPR,
    GICC_HPPIR,
    GICC_ABPR,
    GICC_IIDR,
];

const V2_REGISTERS: &[Register] = &[
    GICD_CTLR,
    GICD_TYPER,
    GICD_IIDR,
    GICD_IGROUPR,
    GICD_ISENABLER,
    GICD_ICENABLER,
    GICD_ISPENDR,
    GICD_ICPENDR,
    GICD_ISACTIVER,
    GICD_ICACTIVER,
    GICD_IPRIORITYR,
    GICD_ITARGETSR,
    GICD_ICFGR0,
    GICD_ICFGR1,
    GICD_ICFGR,
    STATUS,
    GICD_SGIR,
    register(0xf10, "GICD_CPENDSGIR").times(4),
    register(0xf20, "GICD_SPENDSGIR").times(4),
    IDENTIFICATION,
    GICC_CTLR,
    GICC_PMR,
    GICC_BPR,
    GICC_IAR,
    GICC_EOIR,
    GICC_RPR,
    GICC_HPPIR,
    GICC_ABPR,
    interrupt(0x20, "GICC_AIAR"),
    interrupt(0x24, "GICC_AEOIR"),
    interrupt(0x28, "GICC_AHPPIR"),
    interface(0xd0, "GICC_APR").times(4),
    interface(0xe0, "GICC_NSAPR").times(4),
    GICC_IIDR,
    interface(0x1000, "GICC_DIR"),
];

/// Bits that QEMU's model has otherwise than the manual: `theirs` there, `ours` here.
const fn qemu(
    register: &'static str,
    field: Option<&'static str>,
    [mask, theirs, ours]: [u64; 3],
    reason: &'static str,
) -> Bound {
    Bound {
        register,
        field,
        allowed: Allowed::Instead {
            source: "qemu-",
            mask,
            theirs,
            ours,
        },
        reason,
    }
}

const ALL: u64 = u64::MAX;

const BOUNDS: &[Bound] = &[
    qemu(
        "GICD_TYPER",
        Some("LSPI"),
        [ALL, 0, 31],
        "31 SPIs can be locked (DDI 0407I, 3.2.2; DDI 0438, 8.3.2)",
    ),
    qemu(
        "GICD_ICFGR",
        None,
        [0x5555_5555, 0, 0x5555_5555],
        "the low bit of each SPI is 1: it is handled by one CPU (IHI 0048B.b, 4.3.13)",
    ),
    qemu(
        "GICD_ICFGR1",
        None,
        [ALL, 0, 0x7dc0_0000],
        "a Cortex-A9's private interrupts are fixed (DDI 0407I, 3.1.2)",
    ),
    qemu(
        "GICD_ICFGR1",
        None,
        [ALL, 0, 0x5554_0000],
        "a Cortex-A15's private interrupts are fixed (DDI 0438, 8.3.2)",
    ),
    qemu(
        "GICC_IIDR",
        None,
        [ALL, 0x0001_043b, 0x3901_243b],
        "a Cortex-A9's own identification (DDI 0407I, 3.3)",
    ),
    qemu("GICC_HPPIR", Some("CPUID"), [1, 0, 1], SENDER),
    qemu("GICC_HPPIR", Some("CPUID"), [2, 0, 2], SENDER),
    qemu("GICC_HPPIR", Some("CPUID"), [4, 0, 4], SENDER),
];

const SENDER: &str = "of an SGI the CPU that sent it (IHI 0048B.b, 4.4.7)";
