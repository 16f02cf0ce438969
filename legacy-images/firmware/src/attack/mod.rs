//! A hostile guest: operations that a guest should not survive to abuse, picked by a seeded sequence.
//!
//! The attacker asks at its console for a line `SEED COUNT FROM`: the seed of the sequence, how many
//! operations, and from which one on each is told before it is done. Which operations those are depends on
//! the seed alone. Each runs in a cage (`cage64`, `cage32`): registers of its own, and vectors that end it
//! whatever state it leaves behind. What it must not do is what would make the attacker its own only
//! victim: store into its own code, move its vectors or tables while they are in use, or turn itself off.

#[cfg(target_arch = "arm")]
pub mod access32;
#[cfg(target_arch = "aarch64")]
pub mod access64;
#[cfg(target_arch = "arm")]
pub mod cage32;
#[cfg(target_arch = "aarch64")]
pub mod cage64;
#[cfg(target_arch = "aarch64")]
pub mod channels64;
#[cfg(target_arch = "aarch64")]
pub mod code64;
#[cfg(target_arch = "aarch64")]
pub mod controller64;
pub mod controller_v2;
#[cfg(target_arch = "aarch64")]
pub mod interrupt64;
pub mod places;
#[cfg(target_arch = "arm")]
pub mod system32;
#[cfg(target_arch = "aarch64")]
pub mod system64;

use crate::loadstore::Random;
use crate::{check, console, println};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It went through.
    Done,
    /// Undefined, or not allowed at its level.
    Undefined,
    /// A data or prefetch abort, an alignment fault.
    Aborted,
    /// An interrupt came.
    Interrupted,
    /// Another exception.
    Other,
}

const ENDS: [&str; 5] = ["done", "undefined", "aborted", "interrupted", "other"];

/// A kind of operation.
pub struct Kind {
    /// What it is called.
    pub name: &'static str,
    /// How often it is picked, beside the others.
    pub weight: u32,
    /// Does one.
    pub attack: fn(&mut Random) -> Ended,
}

impl Kind {
    /// A kind of this name, and how often it is picked.
    pub const fn new(name: &'static str, weight: u32, attack: fn(&mut Random) -> Ended) -> Self {
        Self {
            name,
            weight,
            attack,
        }
    }
}

/// The most kinds.
const KINDS: usize = 32;

static NUMBER: AtomicU32 = AtomicU32::new(0);
static KIND: AtomicU32 = AtomicU32::new(0);
static TOLD: AtomicBool = AtomicBool::new(false);

/// Whether each operation is told.
#[must_use]
pub fn told() -> bool {
    TOLD.load(Ordering::Relaxed)
}

/// The number of the operation under way, and of its kind.
#[must_use]
pub fn under_way() -> (u32, u32) {
    (NUMBER.load(Ordering::Relaxed), KIND.load(Ordering::Relaxed))
}

/// Asks for the seed, the count and the first operation that is told.
fn ask() -> (u64, u32, u32) {
    println!("seed, count, told from:");
    let (mut fields, mut at) = ([0_u64; 3], 0);
    loop {
        match console::get() {
            None => {}
            Some(b'\r' | b'\n') if fields[1] != 0 => break,
            Some(b' ') => at = (at + 1).min(2),
            Some(byte @ b'0'..=b'9') => {
                fields[at] = fields[at]
                    .wrapping_mul(10)
                    .wrapping_add(u64::from(byte - b'0'));
            }
            Some(_) => {}
        }
    }
    let from = match fields[2] {
        0 => u32::MAX,
        from => from as u32,
    };
    (fields[0].max(1), fields[1] as u32, from)
}

/// A sum over the attacker's code and constants.
fn image() -> u32 {
    unsafe extern "C" {
        static _start: u32;
        static __bss_start: u32;
    }
    let (mut at, end) = (&raw const _start, &raw const __bss_start);
    let mut sum = 0_u32;
    while at < end {
        // SAFETY: the linker script's bounds of what is not written, a whole number of words.
        unsafe {
            sum = sum.rotate_left(1) ^ at.read_volatile();
            at = at.add(1);
        }
    }
    sum
}

/// Does as many operations of these kinds as it is told to, and tells how they ended. Now and then it looks
/// whether its own code is as it was: an operation that hit it says nothing about anybody else.
pub fn run(board: &'static crate::Board, kinds: &'static [Kind]) {
    let (seed, count, from) = ask();
    println!("seed {seed}, {count} operations");
    let mut random = Random::new(seed);
    let all: u32 = kinds.iter().map(|kind| kind.weight).sum();
    let due = image();
    let mut tally = [[0_u32; ENDS.len()]; KINDS];
    for number in 1..=count {
        let mut pick = random.below(all);
        let which = kinds
            .iter()
            .position(|kind| match pick.checked_sub(kind.weight) {
                Some(left) => {
                    pick = left;
                    false
                }
                None => true,
            })
            .unwrap_or(0);
        NUMBER.store(number, Ordering::Relaxed);
        KIND.store(which as u32, Ordering::Relaxed);
        // The operation's own sequence: what it draws does not move the next one.
        let mut own = Random::new(random.long() | 1);
        if number >= from {
            TOLD.store(true, Ordering::Relaxed);
            console::open(board.console);
            println!("{number} {}", kinds[which].name);
        }
        let ended = (kinds[which].attack)(&mut own);
        tally[which][ended as usize] += 1;
        if (told() || number.is_multiple_of(100)) && image() != due {
            console::open(board.console);
            println!();
            check::fail(format_args!(
                "the attacker hit itself, by operation {number} or some before"
            ));
        }
        if number.is_multiple_of(1000) {
            console::open(board.console);
            println!();
            println!("attack {number}");
        }
    }
    console::open(board.console);
    println!();
    for (kind, tally) in kinds.iter().zip(&tally) {
        use core::fmt::Write as _;
        let _ = write!(console::Console, "{}:", kind.name);
        for (end, times) in ENDS.iter().zip(tally) {
            if *times != 0 {
                let _ = write!(console::Console, " {times} {end}");
            }
        }
        println!();
    }
}

/// An exception outside the cage: the attacker's own fault, or memory that somebody changed.
pub fn lost(vector: u64, registers: &[(&str, u64)]) -> ! {
    static LOST: AtomicBool = AtomicBool::new(false);
    if LOST.swap(true, Ordering::Relaxed) {
        // What prints is hit itself.
        loop {
            core::hint::spin_loop();
        }
    }
    let (number, kind) = under_way();
    println!();
    println!("lost at operation {number}, kind {kind}, by vector {vector}");
    for (name, value) in registers {
        println!("{name} {value:#x}");
    }
    check::fail(format_args!("an exception outside an operation"))
}
