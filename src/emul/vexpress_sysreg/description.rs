//! What the system registers of a Versatile Express motherboard are called.

use crate::emul::describe::{Allowed, Bound, Description, Register, bit, field, register};

/// Of the motherboard V2M-P1.
pub static DESCRIPTION: Description = Description::of("DUI 0447, 4.3", REGISTERS)
    .bounds(&[
        Bound {
            register: "SYS_24MHZ",
            field: None,
            allowed: Allowed::Ticks(1),
            reason: "a recorder rounds the 24 MHz counter in its own way",
        },
        Bound {
            register: "SYS_100HZ",
            field: None,
            allowed: Allowed::Ticks(1),
            reason: "a recorder rounds the 100 Hz counter in its own way",
        },
    ])
    .deviations(&[
        "LEDs, SYS_FLASH, SYS_MISC and SYS_DMA are kept and move nothing",
        "the UARTs' modem lines in SYS_SW read 0",
        "oscillators and voltages are kept and change nothing",
    ]);

const REGISTERS: &[Register] = &[
    register(0x00, "SYS_ID").fields(&[
        field("Rev", 31, 28),
        field("HBI", 27, 16),
        field("Build", 15, 12),
        field("Arch", 11, 8),
        field("FPGA", 7, 0),
    ]),
    register(0x04, "SYS_SW"),
    register(0x08, "SYS_LED"),
    register(0x24, "SYS_100HZ"),
    register(0x30, "SYS_FLAGS"),
    register(0x34, "SYS_FLAGSCLR"),
    register(0x38, "SYS_NVFLAGS"),
    register(0x3c, "SYS_NVFLAGSCLR"),
    register(0x48, "SYS_MCI").fields(&[bit("WPROT", 1), bit("CARDIN", 0)]),
    register(0x4c, "SYS_FLASH"),
    register(0x58, "SYS_CFGSW"),
    register(0x5c, "SYS_24MHZ"),
    register(0x60, "SYS_MISC"),
    register(0x64, "SYS_DMA"),
    register(0x84, "SYS_PROCID0"),
    register(0x88, "SYS_PROCID1"),
    register(0xa0, "SYS_CFGDATA"),
    register(0xa4, "SYS_CFGCTRL").fields(&[
        bit("Start", 31),
        bit("nRead_Write", 30),
        field("DCC", 29, 26),
        field("Function", 25, 20),
        field("Site", 17, 16),
        field("Position", 15, 12),
        field("Device", 11, 0),
    ]),
    register(0xa8, "SYS_CFGSTAT").fields(&[bit("Error", 1), bit("Complete", 0)]),
];
