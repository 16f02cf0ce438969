//! Loads and stores against a device that is like RAM, compared with the same in RAM.
//!
//! The board (systems/tests/loadstore-*.dts; QEMU's `virt` with 32 MiB, where all of it is RAM):
//!
//! | from | to | is |
//! |---|---|---|
//! | 0x40000000 | 0x41fd0000 | RAM: the program, what the cases are compared with |
//! | 0x41fd0000 | 0x41fe0000 | a device |
//! | 0x41fe0000 | 0x41ff0000 | RAM |
//! | 0x41ff0000 | 0x42000000 | a device |
//! | 0x42000000 | | nothing: an access is an external abort |
//!
//! Each case is an instruction, or a few, run twice from the same registers: once where the
//! addresses are in the table's upper rows, and once 1 MiB below, where all is RAM. Both have the
//! same bytes, and must have the same bytes afterwards. With the MMU off the second run's base
//! register is less by that 1 MiB, and so is what is written back to it; with the MMU on both
//! use the same virtual addresses, and the tables differ.

#[cfg(target_arch = "aarch64")]
pub mod a64;
#[cfg(target_arch = "arm")]
pub mod arm;
#[cfg(target_arch = "arm")]
pub mod arm_case;
#[cfg(target_arch = "arm")]
pub mod arm_forms;
#[cfg(target_arch = "arm")]
pub mod arm_program;
#[cfg(target_arch = "arm")]
pub mod arm_simd;
#[cfg(target_arch = "arm")]
pub mod forms_a32;
#[cfg(target_arch = "aarch64")]
pub mod forms_a64;
#[cfg(target_arch = "arm")]
pub mod forms_t32;

mod memory;
mod random;
mod tally;

pub use memory::{
    DISTANCE, Difference, HOLE, LOWER, SPAN, UPPER, WINDOWS, compare, copy_back, fill, poke,
};
pub use random::Random;
pub use tally::Tally;
