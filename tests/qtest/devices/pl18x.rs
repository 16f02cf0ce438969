use crate::compare;
use crate::target::{Done, Known, Never, Target, VEXPRESS_A9, Values};

/// What was last written to a register.
pub(super) fn last(register: &str, done: &[Done]) -> u64 {
    let written = done
        .iter()
        .rev()
        .find(|it| it.write && it.register == register);
    written.map_or(0, |it| it.value)
}

/// Values by which MCICLK runs, and nothing waits for the card that is not there.
const EMPTY: Values = |register, random, done| {
    let value = random.value();
    Some(match register {
        "MCIPower" => value | 3,
        "MCIClock" => value | 0x100,
        // A response that does not come takes its time, here.
        "MCICommand" => value & !0x340,
        // Data for no card waits, here. QEMU's count begins anew by each write.
        "MCIDataCtrl" if last(register, done) & 1 != 0 => value & !1 | 2,
        "MCIDataCtrl" => value | 2,
        "MCIDataTimer" => value | 1 << 16,
        _ => value,
    })
};

/// The interface, with nothing in its slot.
pub(super) const INTERFACE: Target = Target {
    compatible: "arm,pl180",
    device: "mmci@5000",
    first: &[
        ("MCIPower", 3),
        ("MCIClock", 0x100),
        ("MCIDataTimer", 1 << 16),
    ],
    never: &[
        Never::written(
            "MCIFIFO",
            "QEMU keeps what no transfer asks for (DDI 0205B, 2.4.4)",
        ),
        Never::new("MCIMask0", 0x8_2500, "MCIStatus differs in these, below"),
        Never::new("MCIMask1", 0x8_2500, "as above"),
    ],
    values: EMPTY,
    known: &[
        Known::ours(
            "MCIClock",
            0xf00,
            "QEMU has the divider alone (DDI 0205B, MCIClock)",
        ),
        Known::ours(
            "MCICommand",
            0x400,
            "QEMU's Enable clears itself (DDI 0205B, MCICommand)",
        ),
        Known::ours(
            "MCICommand",
            0xffff_f800,
            "reserved (DDI 0205B, MCICommand)",
        ),
        Known::ours(
            "MCIDataCtrl",
            1,
            "QEMU's Enable clears itself (DDI 0205B, MCIDataCtrl)",
        ),
        Known::ours(
            "MCIStatus",
            0x500,
            "QEMU ends data that is not there with each command, and a block with it (DDI 0205B, MCIStatus)",
        ),
        Known::ours(
            "MCIStatus",
            0x8_2000,
            "QEMU's data path goes on when it is disabled (DDI 0205B, 2.4.3)",
        ),
        Known::ours("MCISelect", 0xf, "QEMU does not have it"),
        Known::ours("MCIMask0", 0xffc0_0000, "reserved (DDI 0205B, MCIMask0)"),
        Known::ours("MCIMask1", 0xffc0_0000, "reserved (DDI 0205B, MCIMask1)"),
        Known::ours("PeriphID", 1, "QEMU has a PL181 (DUI 0447, 4.1)"),
    ],
    ..VEXPRESS_A9
};

#[test]
fn pl180_with_an_empty_slot() {
    compare(&INTERFACE);
}
