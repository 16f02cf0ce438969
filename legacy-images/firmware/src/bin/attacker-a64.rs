//! Board attack-v8: what a hostile 64-bit guest can do, at random from a seed.
#![no_std]
#![no_main]

use firmware::arm64::{Frame, unexpected};
use firmware::attack::{
    self, Kind, access64 as access, cage64, code64 as code, controller64, interrupt64 as interrupt,
    system64 as system,
};
use firmware::{VIRT_V8, check};

static KINDS: [Kind; 20] = [
    Kind::new("loads and stores anywhere", 200, access::anywhere),
    Kind::new("registers of devices", 120, access::device),
    Kind::new("accesses over an end", 40, access::over_an_end),
    Kind::new("hostile tables", 40, access::tables),
    Kind::new("A32 at EL0", 40, access::a32),
    Kind::new("instructions from anywhere", 40, access::fetch),
    Kind::new("any word", 60, access::any_word),
    Kind::new("cache, TLB and SYS", 60, access::system),
    Kind::new("caches by set and way", 2, access::set_way),
    Kind::new("DC ZVA and prefetches", 20, access::zero),
    Kind::new("system registers", 150, system::register),
    Kind::new("hints and immediates", 20, system::immediate),
    Kind::new("hypercalls", 60, system::call),
    Kind::new("returns to any mode", 20, system::modes),
    Kind::new("debug registers", 20, system::debug),
    Kind::new("code that changes itself", 30, code::modifies),
    Kind::new("code over an end", 20, code::over_an_end),
    Kind::new("branches to anywhere", 20, code::branches),
    Kind::new("interrupts and timers", 25, timers_and_levels),
    Kind::new("waits", 20, interrupt::waits),
];

fn timers_and_levels(random: &mut firmware::loadstore::Random) -> attack::Ended {
    match random.below(3) {
        0 => interrupt::storm(random),
        1 => interrupt::levels(random),
        _ => interrupt::timers(random),
    }
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    unexpected(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let checks = check::begin("attacker", &VIRT_V8);
    cage64::begin();
    controller64::quiet();
    attack::run(&VIRT_V8, &KINDS);
    checks.finish()
}
