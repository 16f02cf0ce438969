//! Where capstone 5.0.6 and our A64 decoder differ. Sections are those of DDI 0487J.a.

use crate::differences::Difference;

/// The table.
pub const DIFFERENCES: &[Difference] = &[];
