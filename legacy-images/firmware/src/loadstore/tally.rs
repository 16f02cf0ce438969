//! How many cases of each class there were, and what went wrong.

use crate::check;
use crate::println;

/// A class of instructions: its name, its cases, and those that failed.
#[derive(Clone, Copy)]
struct Class {
    name: &'static str,
    cases: u32,
    failed: u32,
}

/// The count.
pub struct Tally {
    classes: [Class; 64],
    used: usize,
}

/// So many failures of a class are told in full.
const TOLD: u32 = 3;

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            classes: [Class {
                name: "",
                cases: 0,
                failed: 0,
            }; 64],
            used: 0,
        }
    }

    fn class(&mut self, name: &'static str) -> &mut Class {
        let found = self.classes[..self.used]
            .iter()
            .position(|class| class.name == name);
        let at = found.unwrap_or_else(|| {
            self.used += 1;
            self.used - 1
        });
        self.classes[at].name = name;
        &mut self.classes[at]
    }

    /// A case was run.
    pub fn ran(&mut self, class: &'static str) {
        self.class(class).cases += 1;
    }

    /// A case failed; whether it is to be told.
    pub fn failed(&mut self, class: &'static str) -> bool {
        let class = self.class(class);
        class.failed += 1;
        if class.failed == TOLD + 1 {
            println!("(further failures of \"{}\" are counted only)", class.name);
        }
        class.failed <= TOLD
    }

    /// All cases.
    #[must_use]
    pub fn cases(&self) -> u32 {
        self.classes[..self.used]
            .iter()
            .map(|class| class.cases)
            .sum()
    }

    /// Tells the classes, and ends the program.
    pub fn finish(&self, name: &str) -> ! {
        let mut failed = 0;
        for class in &self.classes[..self.used] {
            failed += class.failed;
            if class.failed == 0 {
                println!("{}: {} cases", class.name, class.cases);
            } else {
                println!(
                    "{}: {} cases, {} FAILED",
                    class.name, class.cases, class.failed
                );
            }
        }
        let cases = self.cases();
        if failed == 0 {
            println!("{cases} cases");
            check::end(format_args!("PASS {name}"))
        }
        check::fail(format_args!("{failed} of {cases} cases"))
    }
}
