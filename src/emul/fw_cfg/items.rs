//! The items of a firmware configuration device: what a guest selects by number.

use alloc::string::String;
use alloc::vec::Vec;

/// The most files that a device has.
pub const FILES_MAX: usize = 32;
/// The most bytes of all files together.
pub const BYTES_MAX: usize = 0x1_0000;
/// The longest name, without the NUL that ends it in the directory.
pub const NAME_MAX: usize = 55;

/// FW_CFG_SIGNATURE.
const SIGNATURE: u16 = 0x00;
/// FW_CFG_ID: the interface's revision.
const ID: u16 = 0x01;
/// FW_CFG_NB_CPUS.
const NB_CPUS: u16 = 0x05;
/// FW_CFG_FILE_DIR.
const FILE_DIR: u16 = 0x19;
/// FW_CFG_FILE_FIRST: the first file's key.
const FILE_FIRST: u16 = 0x20;

/// Bit 14 once asked for writing; it selects the same item.
const WRITE: u16 = 1 << 14;

/// Bit 0: selector and data register. Bit 1: DMA.
const REVISION: [u8; 4] = [3, 0, 0, 0];

/// A named item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What the directory calls it: printable ASCII, at most [`NAME_MAX`] characters.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Why files cannot be those of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There are more than [`FILES_MAX`].
    TooMany,
    /// They have more than [`BYTES_MAX`] bytes together.
    TooLarge,
    /// The file of this index has a name that is empty, too long or not printable ASCII.
    Name(usize),
    /// The file of this index has the name of one before it.
    Twice(usize),
}

/// All items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Items {
    cpus: [u8; 2],
    directory: Vec<u8>,
    files: Vec<File>,
}

impl Items {
    /// Those of a board with `cpus` CPUs: the numbered ones, and `files`.
    pub fn new(cpus: u16, files: Vec<File>) -> Result<Self, Unfit> {
        if files.len() > FILES_MAX {
            return Err(Unfit::TooMany);
        }
        let bytes = files.iter().map(|file| file.bytes.len());
        if bytes.fold(0, usize::saturating_add) > BYTES_MAX {
            return Err(Unfit::TooLarge);
        }
        // A count, then 64 bytes for each file: size, key, two reserved bytes, name.
        let mut directory = Vec::new();
        directory.extend_from_slice(&(files.len() as u32).to_be_bytes());
        for (index, (key, file)) in (FILE_FIRST..).zip(&files).enumerate() {
            let name = file.name.as_bytes();
            let sound = (1..=NAME_MAX).contains(&name.len());
            if !sound || !name.iter().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err(Unfit::Name(index));
            }
            if files.iter().take(index).any(|one| one.name == file.name) {
                return Err(Unfit::Twice(index));
            }
            directory.extend_from_slice(&(file.bytes.len() as u32).to_be_bytes());
            directory.extend_from_slice(&key.to_be_bytes());
            directory.extend_from_slice(&[0; 2]);
            directory.extend_from_slice(name);
            let padding = NAME_MAX.saturating_add(1).saturating_sub(name.len());
            directory.extend((0..padding).map(|_| 0));
        }
        Ok(Self {
            cpus: cpus.to_le_bytes(),
            directory,
            files,
        })
    }

    /// The item of this key; empty if there is none.
    pub fn get(&self, key: u16) -> &[u8] {
        match key & !WRITE {
            SIGNATURE => b"QEMU",
            ID => &REVISION,
            NB_CPUS => &self.cpus,
            FILE_DIR => &self.directory,
            key => key
                .checked_sub(FILE_FIRST)
                .and_then(|index| self.files.get(usize::from(index)))
                .map_or(&[], |file| &file.bytes),
        }
    }
}
