//! Board virt-v8 with a PL061: the end of systems/tests/pins.toml that answers.
#![no_std]
#![no_main]

use firmware::arm64::Frame;
use firmware::{VIRT_V8, check, pins};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    pins::exception(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    pins::answer(check::begin("pins-answers", &VIRT_V8))
}
