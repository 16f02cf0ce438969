//! Traces on the host: files of them, and what is made of them, one file a purpose.
pub mod arriving;
pub mod diff;
pub mod export;
pub mod file;
pub mod golden;
pub mod import;
pub mod record;
pub mod recording;
pub mod replay;
pub mod report;
pub mod stats;
pub mod view;
