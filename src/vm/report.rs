//! The report of a VM that cannot go on.

use core::fmt;
use core::marker::PhantomData;

/// Why a VM was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A trap that nothing here expects.
    Unexpected,
    /// The hypervisor's own code panicked while it served this VM.
    Panic,
    /// An SError interrupt was taken to EL2 while the VM ran.
    SError,
}

/// What is printed of a VM that cannot go on.
pub struct Report<'a>(PhantomData<&'a ()>);

impl fmt::Display for Report<'_> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
