//! What an operation costs in instructions, a guest's and its hypervisor's together.
//!
//! Under QEMU's `-icount shift=0` an instruction takes one nanosecond of the machine's time, so
//! the virtual counter counts instructions, by the 16 at 62.5 MHz. An operation is repeated
//! [`TIMES`] times in a loop of two instructions more; the loop is part of the figure, and of
//! the native one that is told beside it: what the loop executes with no hypervisor under it.
//!
//! All rows are measured before the first is printed: what the console has to do would count.

use crate::{check, println};

/// Repetitions of an operation.
pub const TIMES: usize = 1000;
/// The least of so many measurements counts: a timer of the hypervisor may fall into one.
const ROUNDS: usize = 4;
/// What the rows hold.
const ROWS: usize = 32;

#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    native: u32,
    hundredths: u64,
}

/// The rows measured so far.
pub struct Costs {
    rows: [Row; ROWS],
    count: usize,
    /// Nanoseconds, which are instructions, of a tick.
    tick: u64,
}

impl Costs {
    /// None yet; the counter has `hz` hertz.
    #[must_use]
    pub fn new(hz: u64) -> Self {
        let none = Row {
            name: "",
            native: 0,
            hundredths: 0,
        };
        Self {
            rows: [none; ROWS],
            count: 0,
            tick: 1_000_000_000 / hz,
        }
    }

    /// Instructions of a tick of the counter.
    #[must_use]
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// A row of an operation that `loop_of` repeats [`TIMES`] times, giving the ticks that took.
    pub fn repeated(&mut self, name: &'static str, native: u32, loop_of: impl Fn() -> u64) {
        let ticks = (0..ROUNDS).map(|_| loop_of()).min().unwrap_or(0);
        self.add(
            name,
            native,
            ticks * self.tick * 100 / u64::try_from(TIMES).unwrap_or(1),
        );
    }

    /// A row of the least of some durations in instructions.
    pub fn least(&mut self, name: &'static str, native: u32, once: impl Fn() -> u64) {
        let least = (0..32).map(|_| once()).min().unwrap_or(0);
        self.add(name, native, least * 100);
    }

    /// A row of `ticks` that `times` operations took.
    pub fn sum(&mut self, name: &'static str, native: u32, ticks: u64, times: u64) {
        self.add(name, native, ticks * self.tick * 100 / times);
    }

    fn add(&mut self, name: &'static str, native: u32, hundredths: u64) {
        self.rows[self.count] = Row {
            name,
            native,
            hundredths,
        };
        self.count += 1;
    }

    /// Prints the rows, and forgets them.
    pub fn print(&mut self) {
        for row in &self.rows[..self.count] {
            println!(
                "cost | {} | {} | {}.{:02}",
                row.name,
                row.native,
                row.hundredths / 100,
                row.hundredths % 100
            );
        }
        self.count = 0;
    }

    /// Ends the program.
    pub fn finish(mut self, checks: check::Checks) -> ! {
        self.print();
        checks.finish()
    }
}
