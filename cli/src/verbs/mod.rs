//! The command line, one file a verb.
pub mod board;
pub mod build;
pub mod check;
pub mod console;
pub mod demo;
pub mod fidelity;
pub mod images;
pub mod run;
pub mod setup;
pub mod test;
pub mod trace;
