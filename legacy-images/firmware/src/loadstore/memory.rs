//! Both windows: filled alike, compared, and made alike again.

use super::Random;
use core::arch::asm;

/// How far below a window its RAM is.
pub const DISTANCE: usize = 0x10_0000;
/// The first address of the windows.
pub const UPPER: usize = 0x41fd_0000;
/// The same in RAM.
pub const LOWER: usize = UPPER - DISTANCE;
/// Device, RAM, device, of 64 KiB each.
pub const SPAN: usize = 0x3_0000;
/// The windows' ends, where a transfer can go from one into the next.
pub const WINDOWS: [usize; 3] = [UPPER, UPPER + 0x1_0000, UPPER + 0x2_0000];
/// Behind the windows, where nothing answers.
pub const HOLE: usize = UPPER + SPAN;

/// A word that differs.
#[derive(Clone, Copy)]
pub struct Difference {
    /// Its address in the window.
    pub at: usize,
    /// In the window.
    pub found: u32,
    /// In RAM.
    pub due: u32,
}

/// A word, by a load that has a syndrome.
fn load(at: usize) -> u32 {
    let value: u32;
    // SAFETY: a load from the windows or their RAM, which no Rust object is in.
    unsafe {
        #[cfg(target_arch = "aarch64")]
        asm!("ldr {:w}, [{}]", out(reg) value, in(reg) at, options(nostack));
        #[cfg(target_arch = "arm")]
        asm!("ldr {}, [{}]", out(reg) value, in(reg) at, options(nostack));
    }
    value
}

fn store(at: usize, value: u32) {
    // SAFETY: a store to the windows or their RAM, which no Rust object is in.
    unsafe {
        #[cfg(target_arch = "aarch64")]
        asm!("str {:w}, [{}]", in(reg) value, in(reg) at, options(nostack));
        #[cfg(target_arch = "arm")]
        asm!("str {}, [{}]", in(reg) value, in(reg) at, options(nostack));
    }
}

/// Fills both with the same random words, and the 256 bytes of RAM below each.
pub fn fill(random: &mut Random) {
    for at in (UPPER - 0x100..UPPER + SPAN).step_by(4) {
        let word = random.word();
        store(at, word);
        store(at - DISTANCE, word);
    }
}

/// The first word from `from` to `to` that differs.
#[must_use]
pub fn compare(from: usize, to: usize) -> Option<Difference> {
    (from & !3..to.min(HOLE)).step_by(4).find_map(|at| {
        let (found, due) = (load(at), load(at - DISTANCE));
        (found != due).then_some(Difference { at, found, due })
    })
}

/// Makes the windows from `from` to `to` like their RAM.
pub fn copy_back(from: usize, to: usize) {
    for at in (from & !3..to.min(HOLE)).step_by(4) {
        store(at, load(at - DISTANCE));
    }
}

/// Stores bytes in both, byte for byte.
pub fn poke(at: usize, bytes: &[u8]) {
    for (i, byte) in bytes.iter().enumerate() {
        for at in [at + i, at + i - DISTANCE] {
            let shift = 8 * (at & 3);
            let word = load(at & !3) & !(0xff << shift) | u32::from(*byte) << shift;
            store(at & !3, word);
        }
    }
}
