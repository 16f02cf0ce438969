//! Board attack-v8: what a hostile 64-bit guest can do, at random from a seed.
#![no_std]
#![no_main]

use firmware::arm64::{Frame, unexpected};
use firmware::attack::{
    self, Kind, access64 as access, cage64, code64 as code, controller64, interrupt64 as interrupt,
    system64 as system,
};
use firmware::{VIRT_V8, check};

const fn kind(
    name: &'static str,
    weight: u32,
    attack: fn(&mut firmware::loadstore::Random) -> attack::Ended,
) -> Kind {
    Kind {
        name,
        weight,
        attack,
    }
}

static KINDS: [Kind; 20] = [
    kind("loads and stores anywhere", 200, access::anywhere),
    kind("registers of devices", 120, access::device),
    kind("accesses over an end", 40, access::over_an_end),
    kind("hostile tables", 40, access::tables),
    kind("A32 at EL0", 40, access::a32),
    kind("instructions from anywhere", 40, access::fetch),
    kind("any word", 60, access::any_word),
    kind("cache, TLB and SYS", 60, access::system),
    kind("caches by set and way", 2, access::set_way),
    kind("DC ZVA and prefetches", 20, access::zero),
    kind("system registers", 150, system::register),
    kind("hints and immediates", 20, system::immediate),
    kind("hypercalls", 60, system::call),
    kind("returns to any mode", 20, system::modes),
    kind("debug registers", 20, system::debug),
    kind("code that changes itself", 30, code::modifies),
    kind("code over an end", 20, code::over_an_end),
    kind("branches to anywhere", 20, code::branches),
    kind("interrupts and timers", 25, timers_and_levels),
    kind("waits", 20, interrupt::waits),
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
