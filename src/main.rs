//! The metal half.
fn main() {}
