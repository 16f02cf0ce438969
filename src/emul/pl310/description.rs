//! What the registers of an L2C-310 are called, and where QEMU's differs from the manual.

use crate::emul::describe::{Allowed, Bound, Description, Register, bit, field, register};

/// Of an L2C-310.
pub static DESCRIPTION: Description = Description::of("DDI 0246H", REGISTERS)
    .lines(&["L2CCINTR"])
    .bounds(&[Bound {
        register: "reg15_power_ctrl",
        field: None,
        allowed: Allowed::Instead {
            source: "qemu-",
            mask: u64::MAX,
            theirs: 0,
            ours: 3,
        },
        reason: "what is written is kept (DDI 0246H, 3.3.21); QEMU's drops it",
    }])
    .deviations(&[
        "there is no cache behind the registers: maintenance is done when it is written",
        "nothing is counted, and no interrupt rises",
        "SPNIDEN reads as 0",
    ]);

const REGISTERS: &[Register] = &[
    register(0x000, "reg0_cache_id"),
    register(0x004, "reg0_cache_type"),
    register(0x100, "reg1_control").fields(&[bit("L2_enable", 0)]),
    register(0x104, "reg1_aux_control").fields(&[
        bit("Early_BRESP_enable", 30),
        bit("Instruction_prefetch_enable", 29),
        bit("Data_prefetch_enable", 28),
        bit("NS_interrupt_access_control", 27),
        bit("NS_lockdown_enable", 26),
        field("Way_size", 19, 17),
        bit("Associativity", 16),
    ]),
    register(0x108, "reg1_tag_ram_control"),
    register(0x10c, "reg1_data_ram_control"),
    register(0x200, "reg2_ev_counter_ctrl"),
    register(0x204, "reg2_ev_counter1_cfg"),
    register(0x208, "reg2_ev_counter0_cfg"),
    register(0x20c, "reg2_ev_counter1"),
    register(0x210, "reg2_ev_counter0"),
    register(0x214, "reg2_int_mask"),
    register(0x218, "reg2_int_mask_status"),
    register(0x21c, "reg2_int_raw_status"),
    register(0x220, "reg2_int_clear"),
    register(0x730, "reg7_cache_sync"),
    register(0x770, "reg7_inv_pa"),
    register(0x77c, "reg7_inv_way"),
    register(0x7b0, "reg7_clean_pa"),
    register(0x7b8, "reg7_clean_index"),
    register(0x7bc, "reg7_clean_way"),
    register(0x7f0, "reg7_clean_inv_pa"),
    register(0x7f8, "reg7_clean_inv_index"),
    register(0x7fc, "reg7_clean_inv_way"),
    register(0x900, "reg9_lockdown").times(16),
    register(0x950, "reg9_lock_line_en"),
    register(0x954, "reg9_unlock_way"),
    register(0xc00, "reg12_addr_filtering_start"),
    register(0xc04, "reg12_addr_filtering_end"),
    register(0xf40, "reg15_debug_ctrl"),
    register(0xf60, "reg15_prefetch_ctrl"),
    register(0xf80, "reg15_power_ctrl")
        .fields(&[bit("dynamic_clk_gating_en", 1), bit("standby_mode_en", 0)]),
];
