//! What differs in A32, and why.

use crate::differences::{ALWAYS, Difference, Kind, Right};

pub const DIFFERENCES: &[Difference] = &[];
pub const SWAPS: &[Difference] = &[];
