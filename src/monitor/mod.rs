//! The monitor's language: what its commands are, what it answers, what it remembers.
//!
//! The host tool sends command lines on the link's monitor channel, and the hypervisor answers there
//! as text (docs/reference/monitor.md). Here is all of it that needs no machine:
//!
//! - [`command`]: a line becomes a [`Command`], or a [`Fault`] that says what there is instead;
//! - [`show`]: the tables of `vms` and `top`;
//! - [`kept`]: the last lines of the hypervisor's log, for `log`.
//!
//! Nothing is allocated: lines, names and rows are bounded, and text goes to a [`core::fmt::Write`].

pub mod command;
pub mod kept;
pub mod show;

pub use command::{Command, Fault, HELP, LINE_LIMIT, Line};
pub use kept::Kept;
pub use show::{Cause, Figures, State, VmRow};
