//! Tests of system files.
