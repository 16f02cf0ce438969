use crate::compare;
use crate::target::{ALL, Known, Lines, Target, VEXPRESS_A9};
use reliquary::access::Security;

const NONE: &str = "QEMU does not have it";

const TARGET: Target = Target {
    compatible: "arm,pl310-cache",
    device: "cache-controller@1e00a000",
    lines: Lines::None,
    security: Security::Secure,
    known: &[
        Known::ours(
            "reg0_cache_type",
            0x0074_0740,
            "QEMU adds each way size that was written (DDI 0246H, 3.3.2)",
        ),
        Known::ours(
            "reg1_aux_control",
            ALL,
            "reserved bits, and none changes while the cache is on (DDI 0246H, 3.3.4)",
        ),
        Known::ours("reg1_tag_ram_control", ALL, "as above (3.3.5)"),
        Known::ours("reg1_data_ram_control", ALL, "as above (3.3.5)"),
        Known::ours("reg2_ev_counter_ctrl", 1, NONE),
        Known::ours("reg2_ev_counter1_cfg", 0x3f, NONE),
        Known::ours("reg2_ev_counter0_cfg", 0x3f, NONE),
        Known::ours("reg2_ev_counter1", ALL, NONE),
        Known::ours("reg2_ev_counter0", ALL, NONE),
        Known::ours("reg2_int_mask", 0x1ff, NONE),
        Known::ours("reg9_lockdown", 0xffff, NONE),
        Known::ours("reg9_lock_line_en", 1, NONE),
        Known::ours(
            "reg12_addr_filtering_start",
            0x000f_fffe,
            "reserved (DDI 0246H, 3.3.19)",
        ),
        Known::ours(
            "reg12_addr_filtering_end",
            0x000f_ffff,
            "reserved (DDI 0246H, 3.3.19)",
        ),
        Known::ours("reg15_debug_ctrl", 3, NONE),
        Known::ours("reg15_prefetch_ctrl", ALL, NONE),
        Known::ours("reg15_power_ctrl", 3, NONE),
    ],
    ..VEXPRESS_A9
};

#[test]
fn pl310() {
    compare(&TARGET);
}
