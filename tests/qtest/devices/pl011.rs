use crate::compare;
use crate::target::{ALL, Known, Never, Target, VEXPRESS_A9};

/// Transmission takes time, which stands still here, and is at once in QEMU: it is left to own
/// firmware and its traces, with all that comes of it. So is reception.
const TARGET: Target = Target {
    compatible: "arm,pl011",
    device: "serial1",
    never: &[
        Never::written("UARTDR", "transmission takes time"),
        Never::new("UARTCR", 0x80, "loopback takes time"),
        Never::written("UARTTCR", "QEMU has no integration test (DDI 0183G, 4.3)"),
    ],
    known: &[
        Known::ours("UARTILPR", !0xff, "reserved (DDI 0183G, 3.3.4)"),
        Known::ours("UARTIBRD", !0xffff, "reserved (DDI 0183G, 3.3.5)"),
        Known::ours("UARTFBRD", !0x3f, "reserved (DDI 0183G, 3.3.6)"),
        Known::ours("UARTLCR_H", !0xff, "reserved (DDI 0183G, 3.3.7)"),
        Known::ours("UARTCR", 0xffff_0078, "reserved (DDI 0183G, 3.3.8)"),
        Known::ours("UARTIFLS", !0x3f, "reserved (DDI 0183G, 3.3.9)"),
        Known::ours("UARTIMSC", !0x7ff, "reserved (DDI 0183G, 3.3.10)"),
        Known::ours(
            "UARTITIP",
            ALL,
            "QEMU has no integration test (DDI 0183G, 4.3)",
        ),
        Known::ours("UARTITOP", ALL, "as above"),
        Known::ours("UARTDMACR", !7, "reserved (DDI 0183G, 3.3.14)"),
    ],
    ..VEXPRESS_A9
};

#[test]
fn pl011() {
    compare(&TARGET);
}
