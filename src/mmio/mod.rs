//! A trapped access: syndrome or instruction -> [`Transfer`] -> bus -> write-back.
//!
//! [`transfer::classify`] says what an abort at stage 2 is; each kind has a named outcome in
//! [`Abort`]. PC and IT state move only in [`Transfer::finish_read`] and
//! [`Transfer::finish_write`], after the bus has answered.

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
