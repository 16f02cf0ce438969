//! The verbs of `cargo reliquary board`: what a resource map describes, and where it comes from.
pub mod check;
pub mod fate;
pub mod import;
pub mod list;
pub mod write;
