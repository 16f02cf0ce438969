//! Board vexpress-a15: loads and stores under SETEND BE, of the PL011's and the SP804's registers
//! (BE-8: the bytes of a word change places between register and bus).
#![no_std]
#![no_main]

use core::arch::asm;
use firmware::arm32::{Frame, unexpected};
use firmware::{VEXPRESS_A15, check, println};

/// UARTIBRD, which keeps 16 bits; and the SP804's load register, which keeps 32.
const IBRD: usize = 0x24;
const TIMER: usize = 0x1c11_0000;

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

/// One load under SETEND BE.
macro_rules! load {
    ($name:literal, $at:expr) => {{
        let value: u32;
        // SAFETY: a load from a device's register, in big-endian state.
        unsafe {
            asm!("setend be", concat!($name, " {}, [{}]"), "setend le", out(reg) value,
                in(reg) $at, options(nostack));
        }
        value
    }};
}

/// One store under SETEND BE.
macro_rules! store {
    ($name:literal, $at:expr, $value:expr) => {{
        let value: u32 = $value;
        // SAFETY: a store to a device's register, in big-endian state.
        unsafe {
            asm!("setend be", concat!($name, " {}, [{}]"), "setend le", in(reg) value,
                in(reg) $at, options(nostack));
        }
    }};
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("bigendian", &VEXPRESS_A15);
    let uart = VEXPRESS_A15.console;
    for (i, (uart_id, timer_id)) in [(0x11, 0x04), (0x10, 0x18)].into_iter().enumerate() {
        let at = 0xfe0 + 4 * i;
        let (from_uart, from_timer) = (load!("ldr", uart + at), load!("ldr", TIMER + at));
        println!("ID {i}: {from_uart:#010x} {from_timer:#010x}");
        checks.equal("PL011's ID by LDR", u64::from(from_uart), uart_id << 24);
        checks.equal("SP804's ID by LDR", u64::from(from_timer), timer_id << 24);
    }
    checks.equal(
        "PL011's ID by LDRH",
        u64::from(load!("ldrh", uart + 0xfe0)),
        0x1100,
    );
    checks.equal(
        "PL011's ID by LDRB",
        u64::from(load!("ldrb", uart + 0xfe0)),
        0x11,
    );

    store!("str", uart + IBRD, 0x3412_0000);
    checks.equal(
        "UARTIBRD by STR",
        u64::from(load!("ldr", uart + IBRD)),
        0x3412_0000,
    );
    store!("strh", uart + IBRD, 0x7856);
    checks.equal(
        "UARTIBRD by STRH and LDRH",
        u64::from(load!("ldrh", uart + IBRD)),
        0x7856,
    );
    checks.equal(
        "the same by LDRSH",
        u64::from(load!("ldrsh", uart + IBRD)),
        0x7856,
    );
    store!("str", TIMER, 0x1122_3344);
    checks.equal(
        "Timer1Load by STR",
        u64::from(load!("ldr", TIMER)),
        0x1122_3344,
    );
    let swapped: u32;
    // SAFETY: a load from a device's register.
    unsafe { asm!("ldr {}, [{}]", out(reg) swapped, in(reg) TIMER, options(nostack)) };
    checks.equal("the same, little-endian", u64::from(swapped), 0x4433_2211);
    checks.finish()
}
