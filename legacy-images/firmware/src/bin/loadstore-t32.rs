//! Board loadstore-v7: every load and store of T32, on a device and in RAM.
#![no_std]
#![no_main]

use firmware::arm32::{Frame, unexpected};
use firmware::loadstore::arm_program;
use firmware::loadstore::forms_t32::{ABORTS, CLASSES};

/// A seed for each round.
const SEEDS: [u64; 2] = [0x6c07_8965_0bad_0732, 0x0000_5eed_0000_0732];

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    arm_program::run("loadstore-t32", true, &CLASSES, &ABORTS, &SEEDS)
}
