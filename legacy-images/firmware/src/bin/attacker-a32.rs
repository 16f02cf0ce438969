//! Board attack-v7: what a hostile 32-bit guest can do, at random from a seed.
#![no_std]
#![no_main]

use firmware::arm32::{Frame, unexpected};
use firmware::attack::{
    self, Kind, access32 as access, cage32, controller_v2 as controller, system32 as system,
};
use firmware::loadstore::Random;
use firmware::{VIRT_V7, check};

const fn kind(name: &'static str, weight: u32, attack: fn(&mut Random) -> attack::Ended) -> Kind {
    Kind {
        name,
        weight,
        attack,
    }
}

static KINDS: [Kind; 17] = [
    kind("loads and stores of A32 anywhere", 160, access::anywhere),
    kind("loads and stores of T32 anywhere", 120, access::thumb),
    kind("registers of devices", 120, access::device),
    kind("accesses over an end", 40, access::over_an_end),
    kind("hostile tables", 40, access::tables),
    kind("instructions from anywhere", 40, access::fetch),
    kind("any word", 60, access::any_word),
    kind("coprocessor registers", 150, system::register),
    kind("coprocessors", 50, system::coprocessor),
    kind("caches by set and way", 2, system::set_way),
    kind("hypercalls", 60, system::call),
    kind("modes and banks", 30, system::modes),
    kind("debug registers", 20, system::debug),
    kind("code that changes itself", 30, access::modifies),
    kind("code over an end", 20, access::code_over_an_end),
    kind("interrupts and timers", 25, system::interrupts),
    kind("waits", 20, system::waits),
];

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let checks = check::begin("attacker", &VIRT_V7);
    cage32::begin();
    controller::quiet();
    attack::run(&VIRT_V7, &KINDS);
    checks.finish()
}
