//! Traces: what was done to a board's devices, and what they did, as text.
//!
//! A trace is text, one record a line, so that it can be read, compared and committed
//! (docs/reference/trace.md is the format). The parts, in the order of a trace's way:
//!
//! - [`record`]: one line, in Rust's terms; [`header`]: what stands before the first.
//! - [`names`]: what a board's devices are called in a trace.
//! - [`write`](mod@write) and [`read`]: text from records, and records from text, each line checked.
//! - [`observed`]: records of what a board's [`Observer`](crate::board::observe::Observer) saw.
//! - [`packed`]: the same on its way from the hypervisor to the host tool; [`stream`]: where it waits
//!   for that.
//! - [`replay`]: a board, built with no CPU, is given what was recorded, and what it answers is
//!   compared with what was recorded, within the bounds that stand beside each device.

pub mod header;
mod memory;
pub mod names;
pub mod observed;
pub mod packed;
pub mod read;
pub mod record;
pub mod replay;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod write;
