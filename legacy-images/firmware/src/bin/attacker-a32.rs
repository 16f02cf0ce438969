//! Board attack-v7: what a hostile 32-bit guest can do, at random from a seed.
#![no_std]
#![no_main]

use firmware::arm32::{Frame, unexpected};
use firmware::attack::{
    self, Kind, access32 as access, cage32, controller_v2 as controller, system32 as system,
};
use firmware::{VIRT_V7, check};

static KINDS: [Kind; 17] = [
    Kind::new("loads and stores of A32 anywhere", 160, access::anywhere),
    Kind::new("loads and stores of T32 anywhere", 120, access::thumb),
    Kind::new("registers of devices", 120, access::device),
    Kind::new("accesses over an end", 40, access::over_an_end),
    Kind::new("hostile tables", 40, access::tables),
    Kind::new("instructions from anywhere", 40, access::fetch),
    Kind::new("any word", 60, access::any_word),
    Kind::new("coprocessor registers", 150, system::register),
    Kind::new("coprocessors", 50, system::coprocessor),
    Kind::new("caches by set and way", 2, system::set_way),
    Kind::new("hypercalls", 60, system::call),
    Kind::new("modes and banks", 30, system::modes),
    Kind::new("debug registers", 20, system::debug),
    Kind::new("code that changes itself", 30, access::modifies),
    Kind::new("code over an end", 20, access::code_over_an_end),
    Kind::new("interrupts and timers", 25, system::interrupts),
    Kind::new("waits", 20, system::waits),
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
