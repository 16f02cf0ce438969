//! What is wrong with a device tree or a map, where, and how to mend it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

/// Something wrong with a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapError {
    /// The path of the node.
    pub node: String,
    /// The property, if it is one's fault.
    pub property: Option<String>,
    /// What is wrong.
    pub what: String,
    /// How to mend it; may be empty.
    pub mend: String,
}

impl MapError {
    /// `what` is wrong at the node of this path.
    pub fn new(node: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            property: None,
            what: what.into(),
            mend: String::new(),
        }
    }

    /// It is this property's fault.
    #[must_use]
    pub fn property(mut self, name: &str) -> Self {
        self.property = Some(name.to_owned());
        self
    }

    /// How to mend it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = mend.into();
        self
    }
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.node)?;
        if let Some(property) = &self.property {
            write!(f, ": {property}")?;
        }
        write!(f, ": {}", self.what)?;
        if !self.mend.is_empty() {
            write!(f, " ({})", self.mend)?;
        }
        Ok(())
    }
}
