//! `cargo reliquary`: the host tool.
fn main() {}
