//! Board attack-v8: what a hostile guest can do with channels, shared memories and doorbells, at random from a
//! seed; see systems/tests/attack-channels.toml.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering::Relaxed;
use firmware::arm64::{Frame, IRQ, SYNCHRONOUS, interrupts, unexpected};
use firmware::attack::channels64 as channels;
use firmware::attack::controller_v2::{self as controller, VIRTUAL_TIMER};
use firmware::attack::{self, Kind};
use firmware::orderly::{BELLS, CHANNELS};
use firmware::{VIRT_V8, check, sysreg};

static KINDS: [Kind; 11] = [
    Kind::new("queues that are filled", 40, channels::fills),
    Kind::new("calls", 40, channels::calls),
    Kind::new("replies", 60, channels::replies),
    Kind::new("handles that are not its own", 60, channels::handles),
    Kind::new("sizes", 40, channels::sizes),
    Kind::new("wrong ends", 40, channels::ends),
    Kind::new("storms of notifications", 30, channels::storms),
    Kind::new("waits", 20, channels::waits),
    Kind::new("any call", 120, channels::any),
    Kind::new("shared memories", 60, channels::memories),
    Kind::new("doorbells", 30, channels::bells),
];

/// ESR's exception classes: aborts of the current level, and a PC that is not aligned.
const FETCH: u64 = 0x21;
const PC: u64 = 0x22;
const DATA: u64 = 0x25;

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    match (vector, sysreg!("esr_el1") >> 26) {
        (SYNCHRONOUS, DATA) => frame.elr += 4,
        // Back to where the branch came from.
        (SYNCHRONOUS, FETCH | PC) => frame.elr = frame.x[30],
        (IRQ, _) => {
            match controller::take() {
                Some(VIRTUAL_TIMER) => channels::tick(),
                // Levels that would stay: it hears of them once.
                Some(id) if id == CHANNELS || BELLS.contains(&id) => controller::disable(id),
                _ => {}
            }
            return;
        }
        _ => unexpected(vector, frame),
    }
    channels::ABORTS.store(channels::ABORTS.load(Relaxed) + 1, Relaxed);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let checks = check::begin("attacker", &VIRT_V8);
    controller::quiet();
    for id in [VIRTUAL_TIMER, CHANNELS, BELLS[0], BELLS[1]] {
        controller::enable(id);
    }
    channels::tick();
    interrupts(true);
    attack::run(&VIRT_V8, &KINDS);
    checks.finish()
}
