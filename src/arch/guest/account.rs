//! What a VM did with its core, told when it ends.

use crate::arch::counter;
use core::fmt;

/// What a VM did with its core, in counter ticks.
#[derive(Default)]
pub struct Account {
    /// Host counter when it started.
    pub started: u64,
    /// Spent in WFI.
    pub idle: u64,
    /// Synchronous exits.
    pub traps: u64,
    /// Interrupts taken to EL2.
    pub interrupts: u64,
    /// When the console last carried a byte, and `idle` then.
    spoke: Option<(u64, u64)>,
    /// The longest time between two bytes of the console, and what of it was spent in WFI.
    pub silence: (u64, u64),
}

impl Account {
    /// A VM starts now.
    pub fn begin() -> Self {
        Self {
            started: counter::now(),
            ..Self::default()
        }
    }

    /// The console carried a byte.
    pub fn speaks(&mut self) {
        let now = counter::now();
        if let Some((then, idle)) = self.spoke.replace((now, self.idle))
            && now - then > self.silence.0
        {
            self.silence = (now - then, self.idle - idle);
        }
    }
}

/// A number of thousandths, as a decimal.
pub struct Thousandths(pub u64);

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}
