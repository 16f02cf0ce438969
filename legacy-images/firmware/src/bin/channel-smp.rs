#![no_std]
#![no_main]
use firmware::{VIRT_V8, check};
#[unsafe(no_mangle)]
extern "C" fn exception() {}
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    check::begin("x", &VIRT_V8).finish()
}
