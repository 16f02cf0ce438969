use crate::compare;
use crate::target::{Known, Lines, Never, Target, VEXPRESS_A9};
use reliquary::access::Security;

const TARGET: Target = Target {
    compatible: "arm,cortex-a9-scu",
    device: "scu@1e000000",
    lines: Lines::None,
    security: Security::Secure,
    never: &[Never::written(
        "SAC",
        "a CPU that it shuts out cannot write again (DDI 0407I, 2.2.8)",
    )],
    known: &[
        Known::ours(
            "SCU Control",
            0x7a,
            "QEMU keeps the enable alone (DDI 0407I, 2.2.1)",
        ),
        Known::ours(
            "SCU Configuration",
            0x100,
            "a 32 KB cache's tag RAM (DDI 0407I, 2.2.2)",
        ),
        Known::ours(
            "SCU CPU Power Status",
            !3,
            "reserved bits, and CPUs that are not there (DDI 0407I, 2.2.3)",
        ),
        Known::ours(
            "Filtering Start Address",
            0xfff0_0000,
            "QEMU does not have it",
        ),
        Known::ours(
            "Filtering End Address",
            0xfff0_0000,
            "QEMU does not have it",
        ),
        Known::ours("SAC", 0xf, "QEMU does not have it"),
        Known::ours("SNSAC", 0xfff, "QEMU does not have it"),
    ],
    ..VEXPRESS_A9
};

#[test]
fn scu_of_a_cortex_a9() {
    compare(&TARGET);
}
