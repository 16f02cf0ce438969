//! Channels, shared memories and doorbells, abused.
//!
//! The attacker holds three ends: it sends at two, and receives at one. A timer interrupts it every 100 to
//! 400 microseconds, so no wait lasts longer, whatever it asks for.

use super::Ended;
use crate::device::Device;
use crate::loadstore::Random;
use crate::orderly::{BOTH, SHOWN, SIZE};
use crate::sysreg;
use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Channels' calls of SMC64, and the first bit of SMC32.
const CALLS: u64 = 0xc600_0000;
const NARROW: u64 = 0x4000_0000;
const SEND: u64 = 3;
const RECEIVE: u64 = 4;
const CALL: u64 = 5;
const AWAIT: u64 = 6;
const REPLY: u64 = 7;
const NOTIFY: u64 = 8;
const TAKE: u64 = 9;
const PENDING: u64 = 10;
/// The longest wait that is taken.
const WAIT_MAX: u64 = 60_000_000_000;
/// How many handles it holds.
const OWN: u32 = 3;

/// Accesses that were refused: the exceptions of an operation.
pub static ABORTS: AtomicU32 = AtomicU32::new(0);
/// The last call that it received, whose number it may know.
static LAST: AtomicU32 = AtomicU32::new(0);

fn hvc(x: &mut [u64; 12]) -> Ended {
    // SAFETY: a call of the hypervisor's, which changes these registers only (DEN 0028E, 2.6).
    unsafe {
        asm!("hvc #0",
            inlateout("x0") x[0], inlateout("x1") x[1], inlateout("x2") x[2], inlateout("x3") x[3],
            inlateout("x4") x[4], inlateout("x5") x[5], inlateout("x6") x[6], inlateout("x7") x[7],
            inlateout("x8") x[8], inlateout("x9") x[9], inlateout("x10") x[10], inlateout("x11") x[11],
            options(nostack));
    }
    match x[0] as i32 {
        0 => Ended::Done,
        -21 => Ended::Interrupted,
        _ => Ended::Other,
    }
}

/// A call with these arguments, and any registers behind them.
fn call(random: &mut Random, number: u64, arguments: [u64; 3]) -> Ended {
    let mut x: [u64; 12] = core::array::from_fn(|_| random.long());
    x[0] = CALLS | number;
    if random.once_in(8) {
        x[0] ^= NARROW;
    }
    x[1..4].copy_from_slice(&arguments);
    let ended = hvc(&mut x);
    if number == RECEIVE && ended == Ended::Done && x[2] != 0 {
        LAST.store(x[2] as u32, Relaxed);
    }
    ended
}

fn own(random: &mut Random) -> u64 {
    u64::from(random.below(OWN))
}

fn wild(random: &mut Random) -> u64 {
    match random.below(5) {
        0 => u64::from(OWN + random.below(64)),
        1 => own(random) | 1 << (8 + random.below(56)),
        2 => u64::MAX - u64::from(random.below(4)),
        3 => 1 << random.below(64),
        _ => random.long(),
    }
}

fn size(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => wild(random),
        1 => u64::from(64 + random.below(3)),
        _ => u64::from(random.below(65)),
    }
}

/// None, a short one, one that is ended by an interrupt, or one that is too long.
fn wait(random: &mut Random) -> u64 {
    match random.below(6) {
        0 | 1 => 0,
        2 => u64::from(random.below(50_000)),
        3 => WAIT_MAX - u64::from(random.below(2)),
        4 => WAIT_MAX + 1 + random.long() / 2,
        _ => random.long() % WAIT_MAX,
    }
}

/// Fills queues, and goes on.
pub fn fills(random: &mut Random) -> Ended {
    let mut last = Ended::Done;
    let (handle, bytes) = (own(random), u64::from(random.below(65)));
    for _ in 0..=random.below(80) {
        last = call(random, SEND, [handle, bytes, 0]);
    }
    last
}

/// Calls, and waits or not; a call may be left as it is, or waited for by another call.
pub fn calls(random: &mut Random) -> Ended {
    let handle = own(random);
    for _ in 0..random.below(3) {
        let (bytes, ns) = (u64::from(random.below(65)), wait(random));
        call(random, CALL, [handle, bytes, ns]);
    }
    let ns = wait(random);
    call(random, AWAIT, [handle, ns, 0])
}

/// Receives, or not, and answers: what was asked, what was not, twice, and with too much.
pub fn replies(random: &mut Random) -> Ended {
    let handle = if random.once_in(4) { own(random) } else { 2 };
    let mut last = Ended::Done;
    for _ in 0..random.below(3) {
        let ns = wait(random);
        call(random, RECEIVE, [handle, ns, 0]);
    }
    for _ in 0..=random.below(3) {
        let number = match random.below(4) {
            0 => random.long(),
            1 => u64::from(LAST.load(Relaxed).wrapping_add(random.below(3))),
            _ => u64::from(LAST.load(Relaxed)),
        };
        let bytes = size(random);
        last = call(random, REPLY, [handle, bytes, number]);
    }
    last
}

/// Every call with a handle that it does not hold.
pub fn handles(random: &mut Random) -> Ended {
    let (number, handle) = (1 + u64::from(random.below(9)), wild(random));
    let (bytes, third) = (size(random), wait(random));
    call(random, number, [handle, bytes, third])
}

/// Messages of any size.
pub fn sizes(random: &mut Random) -> Ended {
    let number = random.one_of(&[SEND, CALL, REPLY]);
    let (handle, bytes) = (own(random), size(random));
    call(random, number, [handle, bytes, 0])
}

/// The end of a channel that it does not have.
pub fn ends(random: &mut Random) -> Ended {
    let (number, handle) = random.one_of(&[
        (SEND, 2),
        (CALL, 2),
        (AWAIT, 2),
        (NOTIFY, 2),
        (RECEIVE, 0),
        (RECEIVE, 1),
        (REPLY, 0),
        (REPLY, 1),
        (TAKE, 0),
        (TAKE, 1),
    ]);
    let (second, third) = (u64::from(random.below(9)), wait(random));
    call(random, number, [handle, second, third])
}

/// Notifications without an end.
pub fn storms(random: &mut Random) -> Ended {
    let (handle, same) = (own(random), random.coin());
    let mut last = Ended::Done;
    for n in 0..=random.below(100) {
        let bits = if same { 1 } else { 1 << (n & 63) };
        last = call(random, NOTIFY, [handle, bits, 0]);
    }
    last
}

/// Waits that the timer ends, one after the other.
pub fn waits(random: &mut Random) -> Ended {
    let hz = sysreg!("cntfrq_el0");
    PERIOD.store((hz / 10_000) as u32 * random.below(4), Relaxed);
    let mut last = Ended::Done;
    for _ in 0..=random.below(3) {
        let ns = WAIT_MAX - u64::from(random.below(1000));
        last = if random.coin() {
            call(random, PENDING, [ns, 0, 0])
        } else {
            call(random, RECEIVE, [2, ns, 0])
        };
    }
    last
}

/// A call of any number with any arguments.
pub fn any(random: &mut Random) -> Ended {
    let number = match random.below(3) {
        0 => u64::from(random.below(0x1_0000)),
        _ => u64::from(random.below(12)),
    };
    let pick = |random: &mut Random| match random.below(3) {
        0 => own(random),
        1 => wild(random),
        _ => wait(random),
    };
    let arguments = [pick(random), pick(random), pick(random)];
    call(random, number, arguments)
}

/// Writes, reads and fetches in both memories and over their ends.
pub fn memories(random: &mut Random) -> Ended {
    let before = ABORTS.load(Relaxed);
    for _ in 0..=random.below(64) {
        let memory = random.one_of(&[BOTH, BOTH, SHOWN]);
        let mut at = memory + random.below(SIZE as u32) as usize & !3;
        if random.once_in(8) {
            at += random.one_of(&[1_usize, 2, 0x1000 - 4, 0x2000, usize::MAX - 7]);
        }
        let value = random.long();
        // SAFETY: the memories, their doorbells, or nothing, where no Rust object is; an access that is
        // refused is left out by the handler, and so is a branch.
        unsafe {
            match random.below(8) {
                0 => asm!("ldr {:w}, [{}]", out(reg) _, in(reg) at, options(nostack)),
                1 => asm!("str {}, [{}]", in(reg) value, in(reg) at, options(nostack)),
                2 => asm!("stp {v}, {v}, [{}]", in(reg) at, v = in(reg) value, options(nostack)),
                3 => asm!("dc civac, {}", in(reg) at, options(nostack)),
                4 if memory == SHOWN => {
                    asm!("blr {}", in(reg) at, out("x30") _, options(nostack));
                }
                _ => asm!("str {:w}, [{}]", in(reg) value, in(reg) at, options(nostack)),
            }
        }
    }
    if ABORTS.load(Relaxed) == before {
        Ended::Done
    } else {
        Ended::Aborted
    }
}

/// Rings without an end, and the doorbells' other registers.
pub fn bells(random: &mut Random) -> Ended {
    // SAFETY: the doorbells' page, behind the memory.
    let bells = unsafe { Device::at(random.one_of(&[BOTH, SHOWN]) + SIZE) };
    let storm = random.coin();
    for _ in 0..=random.below(64) {
        let register = if storm { 4 } else { random.below(0x20) & !3 };
        if random.once_in(8) {
            let _ = bells.read(register as usize);
        } else {
            bells.write(register as usize, random.word());
        }
    }
    Ended::Done
}

/// What the timer's period has beyond 100 microseconds, in ticks; 0 at first, as the attacker's image must
/// not change.
static PERIOD: AtomicU32 = AtomicU32::new(0);

/// The timer's interrupt: the next one is near.
pub fn tick() {
    let period = sysreg!("cntfrq_el0") / 10_000 + u64::from(PERIOD.load(Relaxed));
    let next = sysreg!("cntvct_el0") + period;
    sysreg!("cntv_cval_el0", next);
    sysreg!("cntv_ctl_el0", 1);
}
