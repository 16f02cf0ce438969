//! Any bytes: a word and registers, decoded and stepped.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/fuzz/bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    bodies::decode::run(input);
});
