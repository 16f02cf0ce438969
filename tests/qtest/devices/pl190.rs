use crate::compare;
use crate::target::{ALL, Input, Known, Lines, Never, Target, VEXPRESS_A9};

const fn vectored(n: u16) -> Input {
    Input {
        ours: n,
        theirs: ("pl190", n),
    }
}

const fn second(n: u16) -> Input {
    Input {
        ours: n,
        theirs: ("versatilepb_sic", n),
    }
}

const VIC: Target = Target {
    compatible: "arm,versatile-vic",
    board: "versatilepb",
    machine: &["-M", "versatilepb"],
    device: "interrupt-controller@10140000",
    lines: Lines::Cpu("arm926-arm-cpu"),
    inputs: &[
        vectored(0),
        vectored(1),
        vectored(5),
        vectored(16),
        vectored(31),
    ],
    leave_out: &[(
        "VICVECTADDR",
        "a read with nothing to take is undefined, and QEMU's takes what is not enabled (DDI 0181E, 2.2)",
    )],
    never: &[
        Never::written("VICITCR", "QEMU has no integration test (DDI 0181E, 4.3)"),
        Never::written(
            "VICINTSELECT",
            "an FIQ of QEMU's needs no enable (DDI 0181E, 3.3.5)",
        ),
    ],
    known: &[
        Known::ours(
            "VICITIP2",
            ALL,
            "QEMU has no integration test (DDI 0181E, 4.3)",
        ),
        Known::ours("VICITOP1", ALL, "as above"),
        Known::ours("VICITOP2", ALL, "as above"),
        Known::ours("VICVECTCNTLn", 0xc0, "reserved (DDI 0181E, 3.3.11)"),
    ],
    ..VEXPRESS_A9
};

const SIC: Target = Target {
    compatible: "arm,versatile-sic",
    device: "interrupt-controller@10003000",
    lines: Lines::Controller("pl190"),
    inputs: &[second(1), second(5), second(22), second(31)],
    leave_out: &[],
    never: &[
        Never::written("SIC_SOFTINTSET", "QEMU's enables the interrupt instead"),
        Never::written("SIC_SOFTINTCLR", "as above"),
        Never::written("SIC_PICENCLR", "QEMU's leaves the line as it was"),
    ],
    known: &[],
    ..VIC
};

#[test]
fn pl190_of_a_versatile_board() {
    compare(&VIC);
}

#[test]
fn secondary_controller_of_a_versatile_board() {
    compare(&SIC);
}
