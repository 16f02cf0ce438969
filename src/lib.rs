//! The pure half of Reliquary: everything that a guest's bytes can steer.
//!
//! Decoding of trapped accesses, the peripherals, the boards made of them, the virtual CPU,
//! the bundle and the link are here, in safe Rust that touches no memory but its own. It
//! builds and tests on the host. The metal half (`src/main.rs` and `src/arch/`) drives it.
//!
//! Modules from the bottom up; an arrow goes down only:
//!
//! - [`units`], [`access`], [`memory`], [`vcpu`]: the plain types.
//! - [`emul`]: the peripherals, one state machine a file.
//! - [`mmio`]: a trapped access becomes an [`access::Access`], and its result goes back.
//! - [`board`]: a legacy board from its resource map.
//! - [`vm`]: the virtual CPU: exits, system registers, power control, reports.
//! - [`sched`]: who runs on a core, and until when.
//! - [`wire`]: what joins boards.
//! - [`virtqueue`]: what the host's virtio devices have of the hypervisor's buffers.
//! - [`trace`]: what was done to a board's devices, as text; replayed and compared.
//! - [`bundle`], [`link`], [`monitor`]: what goes into the hypervisor, what comes out, and what is
//!   asked of it.
#![no_std]
#![forbid(unsafe_code)]
// A guest steers nearly all of this code: it must not be able to panic it.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod access;
pub mod board;
pub mod bundle;
pub mod crc;
pub mod emul;
pub mod link;
pub mod memory;
pub mod mmio;
pub mod monitor;
#[cfg(test)]
mod random;
pub mod sched;
pub mod trace;
pub mod units;
pub mod vcpu;
pub mod virtqueue;
pub mod vm;
pub mod wire;
