//! The program that runs the cases of A32 or of T32.

use super::arm_forms::{Class, Make};
use super::{HOLE, Random, Tally, UPPER, arm, arm_case, compare, fill};
use crate::{VIRT_V7, check, println};

/// Runs every class in every state, a round for each seed.
pub fn run(name: &'static str, thumb: bool, all: &[Class], aborts: &[Class], seeds: &[u64]) -> ! {
    let _ = check::begin(name, &VIRT_V7);
    arm::begin();
    arm_case::begin();
    let mut tally = Tally::new();
    for seed in seeds {
        println!("seed {seed:#x}");
        let mut random = Random::new(*seed);
        fill(&mut random);
        for state in &arm::STATES {
            println!("{}", state.name);
            arm::map(state);
            for (abort, classes) in [(false, all), (true, aborts)] {
                for (form, cases) in classes {
                    for _ in 0..*cases {
                        let mut make = Make {
                            state,
                            random: &mut random,
                            thumb,
                            abort,
                        };
                        if let Some(mut case) = form(&mut make) {
                            case.run(state, *seed, &mut tally);
                        }
                    }
                }
            }
        }
        if let Some(difference) = compare(UPPER, HOLE) {
            println!(
                "BAD a store went astray: {:#x} is {:#x}, due {:#x}",
                difference.at, difference.found, difference.due
            );
            tally.ran("all of the windows");
            tally.failed("all of the windows");
        }
    }
    tally.finish(name)
}
