//! Board virt-v8: makes a hypervisor that is built for it fail at EL2, in the way that is typed.
//!
//! `p` a panic, `a` a data abort, `s` a stack overflow, `m` an allocation after boot. A
//! hypervisor that is not built for it lets the guest have its UNDEF.
#![no_std]
#![no_main]

use core::arch::asm;
use firmware::arm64::{Frame, unexpected};
use firmware::{VIRT_V8, check, console, println};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    unexpected(vector, frame)
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("die-el2", &VIRT_V8);
    println!("how? p, a, s or m");
    let how = loop {
        if let Some(byte) = console::get() {
            break byte;
        }
    };
    // SAFETY: HVC is a call to the hypervisor, which may change X0 to X17.
    unsafe {
        match how {
            b'p' => asm!("hvc #0xe100", clobber_abi("C")),
            b'a' => asm!("hvc #0xe101", clobber_abi("C")),
            b's' => asm!("hvc #0xe102", clobber_abi("C")),
            b'm' => asm!("hvc #0xe103", clobber_abi("C")),
            _ => {}
        }
    }
    checks.that("the hypervisor does not come back", false);
    checks.finish()
}
