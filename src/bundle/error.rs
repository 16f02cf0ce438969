//! What can be wrong with a bundle, said so that the reader knows what to do.

use alloc::string::String;
use core::fmt;

/// Why a bundle, or one item of it, is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BundleError {
    /// The bytes end before the header, the manifest or the bundle does.
    Truncated {
        /// How many bytes there should be.
        need: u64,
        /// How many there are.
        have: u64,
    },
    /// There is no bundle here: its magic is missing.
    NotABundle,
    /// A bundle of a format that this version does not read.
    Format(u32),
    /// A field of the header contradicts the rest; its name.
    Header(&'static str),
    /// The manifest's bytes do not have the hash that the header gives.
    ManifestDamaged,
    /// The manifest has the right hash but does not decode.
    ManifestUnreadable,
    /// The manifest says something that cannot be: too many of a thing, or a dangling name.
    Manifest {
        /// The VM or item at fault; empty for the manifest as a whole.
        of: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// An item does not lie where the layout puts it, or does not fit.
    Misplaced {
        /// The item's name.
        item: String,
    },
    /// An item's bytes do not have the hash that the manifest gives.
    Damaged {
        /// The item's name.
        item: String,
    },
    /// A byte behind an item (or the manifest, by that name) that should be zero is not.
    Padding {
        /// What lies before the byte.
        after: String,
        /// The byte's offset from the bundle's start.
        offset: u64,
    },
    /// There is no item of this number.
    NoSuchItem(u16),
    /// The hypervisor's binary has no arm64 Image header.
    NotAnImage,
    /// The file does not end with a seal: it was cut short, or something was added.
    NoSeal,
    /// A field of the seal contradicts the file; its name.
    Seal(&'static str),
    /// The hypervisor's own bytes (or the seal's) do not have the hash that the seal gives.
    HypervisorDamaged,
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { need, have } => {
                write!(f, "the bundle is cut short: {have} bytes of {need}")?;
            }
            Self::NotABundle => write!(f, "no bundle behind the hypervisor (magic missing)")?,
            Self::Format(found) => write!(
                f,
                "the bundle has format {found}, this hypervisor reads {}",
                super::FORMAT
            )?,
            Self::Header(field) => write!(f, "the bundle's header is damaged: {field}")?,
            Self::ManifestDamaged => {
                write!(f, "the bundle's manifest is damaged: its SHA-256 differs")?;
            }
            Self::ManifestUnreadable => write!(f, "the bundle's manifest does not decode")?,
            Self::Manifest { of, what } if of.is_empty() => {
                write!(f, "the bundle's manifest: {what}")?;
            }
            Self::Manifest { of, what } => write!(f, "the bundle's manifest: {of}: {what}")?,
            Self::Misplaced { item } => {
                write!(f, "{item}: does not lie where the bundle's layout puts it")?;
            }
            Self::Damaged { item } => write!(f, "{item}: damaged, its SHA-256 differs")?,
            Self::Padding { after, offset } => write!(
                f,
                "{after}: the bundle is damaged behind it, byte {offset:#x} is not zero"
            )?,
            Self::NoSuchItem(id) => write!(f, "the bundle has no item {id}")?,
            Self::NotAnImage => write!(f, "the hypervisor has no arm64 Image header")?,
            Self::NoSeal => {
                write!(
                    f,
                    "the file does not end with its seal: cut short, or added to"
                )?;
            }
            Self::Seal(field) => write!(f, "the seal at the file's end is damaged: {field}")?,
            Self::HypervisorDamaged => {
                write!(
                    f,
                    "the hypervisor's own bytes are damaged: their SHA-256 differs"
                )?;
            }
        }
        f.write_str("; rebuild with cargo reliquary build")
    }
}

impl core::error::Error for BundleError {}
