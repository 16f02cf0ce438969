//! Board loadstore-v8: every load and store of A64, on a device and in RAM.
#![no_std]
#![no_main]

use firmware::arm64::{Frame, unexpected};
use firmware::loadstore::forms_a64::{abort_case, case, rows};
use firmware::loadstore::{Random, Tally, a64, compare, fill};
use firmware::{VIRT_V8, check, println};

const NAME: &str = "loadstore-a64";
/// A seed for each round.
const SEEDS: [u64; 2] = [0x1d87_2b41_95c3_70ef, 0x0000_5eed_0000_a640];

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    unexpected(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let _ = check::begin(NAME, &VIRT_V8);
    a64::begin();
    let mut tally = Tally::new();
    for seed in SEEDS {
        println!("seed {seed:#x}");
        let mut random = Random::new(seed);
        fill(&mut random);
        for state in &a64::STATES {
            println!("{}", state.name);
            a64::map(state);
            rows(|row| {
                for _ in 0..row.cases(&mut random) {
                    if let Some(case) = case(&row, state, &mut random) {
                        case.run(state, seed, &mut tally);
                    }
                }
                if let Some(case) = abort_case(&row, state, &mut random) {
                    case.run(state, seed, &mut tally);
                }
            });
        }
        if let Some(difference) = compare(firmware::loadstore::UPPER, firmware::loadstore::HOLE) {
            println!(
                "BAD a store went astray: {:#x} is {:#x}, due {:#x}",
                difference.at, difference.found, difference.due
            );
            tally.ran("all of the windows");
            tally.failed("all of the windows");
        }
    }
    tally.finish(NAME)
}
