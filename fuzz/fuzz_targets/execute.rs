//! Any bytes: a data abort of an instruction on a board.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/fuzz/bodies/mod.rs"]
mod bodies;

use bodies::execute::Boards;
use std::cell::RefCell;

thread_local! {
    static BOARDS: RefCell<Boards> = RefCell::new(Boards::new());
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    BOARDS.with_borrow_mut(|boards| boards.run(input));
});
