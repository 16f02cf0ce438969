//! The decoders of loads and stores against capstone's, operands and all.
//!
//! Each word is decoded by both. What ours gives is written out as assembly in one canonical form,
//! what capstone's gives is brought into the same form, and the texts are compared; so is whether
//! a word is a load or store at all. The words are directed ones (every value of each field that
//! selects an instruction, boundaries of those that are operands), random ones, and those of real binaries.
//!
//! `RELIQUARY_WORDS` says how many random words are taken for each instruction set: 2000000 where it
//! is not set. With 20000000 or more the run is a full one, and a row of the table of differences
//! that no word hits fails it.
mod a32;
mod a64;
mod aarch32;
mod binaries;
mod compare;
mod differences;
mod t32;
mod text;
mod words;

#[test]
fn a64_loads_and_stores_are_those_of_capstone() {
    compare::run(&a64::SET);
}

#[test]
fn a32_loads_and_stores_are_those_of_capstone() {
    compare::run(&a32::SET);
}

#[test]
fn swaps_are_those_of_capstone() {
    compare::run(&a32::SWAPS);
}

#[test]
fn t32_loads_and_stores_are_those_of_capstone() {
    compare::run(&t32::SET);
}
