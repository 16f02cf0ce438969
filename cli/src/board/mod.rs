//! The verbs of `cargo reliquary board`: what a resource map describes, and where it comes from.
pub mod check;
pub mod import;
pub mod list;
