//! The small runtime that the test programs share: start-up, console, vectors, checks.
//!
//! A program is a guest: it does what firmware of its time does, and `unsafe` says where.
//! It prints one line a check and as its last line `PASS name` or `FAIL name: why`.
#![no_std]

#[cfg(target_arch = "arm")]
pub mod arm32;
#[cfg(target_arch = "aarch64")]
pub mod arm64;
pub mod attack;
pub mod check;
pub mod console;
pub mod cost;
pub mod device;
#[cfg(target_arch = "aarch64")]
pub mod forwarded;
pub mod gic;
#[cfg(target_arch = "arm")]
pub mod identity;
pub mod lan9118;
pub mod loadstore;
#[cfg(target_arch = "aarch64")]
pub mod orderly;
#[cfg(target_arch = "aarch64")]
pub mod pins;
#[cfg(target_arch = "aarch64")]
pub mod second;
pub mod serial;
pub mod versatile;

/// A board, as far as every program needs it.
pub struct Board {
    /// The console's PL011.
    pub console: usize,
    /// How the board is turned off.
    pub off: Off,
}

/// How a board is turned off.
pub enum Off {
    /// PSCI `SYSTEM_OFF` by HVC.
    Psci,
    /// The versatile express configuration bus, from the system registers at this address.
    Configuration(usize),
    /// Not at all: the program waits.
    Never,
}

/// QEMU virt's layout, 64-bit.
pub const VIRT_V8: Board = Board {
    console: 0x0900_0000,
    off: Off::Psci,
};
/// QEMU virt's layout, 32-bit.
pub const VIRT_V7: Board = Board {
    console: 0x0900_0000,
    off: Off::Psci,
};
/// Versatile Express with the Cortex-A9 tile (legacy memory map).
pub const VEXPRESS_A9: Board = Board {
    console: 0x1000_9000,
    off: Off::Configuration(0x1000_0000),
};
/// Versatile Express with the Cortex-A15 tile (RS1 memory map).
pub const VEXPRESS_A15: Board = Board {
    console: 0x1c09_0000,
    off: Off::Configuration(0x1c01_0000),
};
/// Versatile Platform Baseboard for ARM926EJ-S.
pub const VERSATILEPB: Board = Board {
    console: 0x101f_1000,
    off: Off::Never,
};
/// RealView Platform Baseboard for Cortex-A8.
pub const REALVIEW_PB_A8: Board = Board {
    console: 0x1000_9000,
    off: Off::Never,
};
