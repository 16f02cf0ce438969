//! Board vexpress-a9: a thousand lives. Each ends by the motherboard's SP805 (Arm DDI 0270B), which nobody
//! feeds; a flash, which a reset does not erase, has a bit for each.
#![no_std]
#![no_main]

use firmware::arm32::{Frame, unexpected, wait};
use firmware::device::Device;
use firmware::{VEXPRESS_A9, check, println};

const LIVES: u32 = 1000;
/// WDOGCLK has 32,768 Hz: half a millisecond, once to interrupt and once more to reset.
const TICKS: u32 = 16;
const LOAD: usize = 0x00;
const CONTROL: usize = 0x08;

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

fn flash() -> Device {
    // SAFETY: the second bank of the NOR flash, where no program is.
    unsafe { Device::at(0x4400_0000) }
}

/// Programs a word by the Intel command set, of two 16-bit chips side by side.
fn program(offset: usize, value: u32) {
    flash().write(offset, 0x0040_0040);
    flash().write(offset, value);
    while flash().read(offset) & 0x0080_0080 != 0x0080_0080 {}
    flash().write(offset, 0x00ff_00ff);
}

/// Takes the next bit of the flash; its number.
fn life() -> u32 {
    let mut word = 0;
    while flash().read(4 * word) == 0 {
        word += 1;
    }
    let bits = flash().read(4 * word);
    program(4 * word, bits & bits.wrapping_sub(1));
    32 * word as u32 + 32 - bits.count_ones()
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("restarts-a9", &VEXPRESS_A9);
    let life = life();
    println!("life {life}");
    if life == LIVES {
        checks.equal("the last life", u64::from(life), u64::from(LIVES));
        checks.finish();
    }
    // SAFETY: the motherboard's SP805.
    let dog = unsafe { Device::at(0x1000_f000) };
    dog.write(LOAD, TICKS);
    dog.write(CONTROL, 3);
    loop {
        wait();
    }
}
