//! What is fuzzed: two bodies, each of which takes any bytes and panics if something that must
//! hold does not.
//!
//! They have two users: `tests/fuzz/main.rs` on stable, in `cargo reliquary test`, and the targets
//! of cargo-fuzz under `fuzz/`, a workspace of its own. Both include these files by their path, and
//! the files see the library by its public face alone: the core under the VM is an implementation
//! of [`reliquary::vm::Core`] of its own. So nothing of this is in the library, with or without a
//! feature, and nothing in the image.

pub mod decode;
pub mod execute;

mod board;
mod core;
mod operation;
mod record;

#[allow(unused_imports)] // the targets have their own noise
pub use record::Noise;
