//! A trapped access: syndrome or instruction -> accesses of the bus -> write-back.
//!
//! [`transfer::classify`] says what an abort at stage 2 is; each kind has a named outcome in
//! [`Abort`]. With a valid syndrome it is a [`Transfer`], one access of one register. Otherwise
//! [`decode`] makes an [`instruction::Operation`] of the instruction, and [`execute`] carries it
//! out; [`sequence`] goes on behind a load-exclusive.
//!
//! PC and IT state move only after the last access has been answered. Nothing here knows of VMs or
//! devices: what an instruction reaches is [`execute::Reach`], which the VM implements.

pub mod decode;
pub mod execute;
pub mod fault;
pub mod instruction;
pub mod sequence;
pub mod syndrome;
pub mod transfer;

pub use fault::DataFault;
pub use syndrome::{DataAbort, Fault, Syndrome};
pub use transfer::{Abort, Transfer};
