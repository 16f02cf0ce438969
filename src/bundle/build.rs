//! Writing a bundle: the host tool's side.

use super::{
    ALIGNMENT, Bundle, BundleError, ChannelSpec, FORMAT, HEADER_SIZE, ITEM_LIMIT, Item, ItemId,
    MAGIC, MANIFEST_LIMIT, Manifest, Schedule, Sha256, SharedSpec, VmSpec, WireSpec,
};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A bundle in the making.
///
/// An item has its number as soon as it is added, so that a VM added later can name it.
pub struct Builder {
    manifest: Manifest,
    contents: Vec<Vec<u8>>,
}

impl Builder {
    /// A bundle of the system `system`, checked against the host `host`.
    #[must_use]
    pub fn new(system: &str, host: &str) -> Self {
        let manifest = Manifest {
            system: system.to_string(),
            host: host.to_string(),
            early_console: None,
            items: Vec::new(),
            vms: Vec::new(),
            schedule: Schedule::Priority,
            wires: Vec::new(),
            channels: Vec::new(),
            memories: Vec::new(),
        };
        Self {
            manifest,
            contents: Vec::new(),
        }
    }

    /// Names the host's PL011, for messages when the host's own device tree cannot be read.
    pub fn early_console(&mut self, at: Option<u64>) {
        self.manifest.early_console = at;
    }

    /// Adds a file, which messages will call `name`.
    pub fn item(&mut self, name: &str, bytes: Vec<u8>) -> Result<ItemId, BundleError> {
        let number = self.manifest.items.len();
        if number >= ITEM_LIMIT {
            return Err(BundleError::Manifest {
                of: String::new(),
                what: "too many items",
            });
        }
        self.manifest.items.push(Item {
            name: name.to_string(),
            offset: 0, // known when the manifest's size is
            size: bytes.len() as u64,
            sha256: Sha256::of(&bytes),
        });
        self.contents.push(bytes);
        Ok(ItemId(number as u16))
    }

    /// Adds a VM.
    pub fn vm(&mut self, vm: VmSpec) {
        self.manifest.vms.push(vm);
    }

    /// Says how VMs share cores; without it, by priority.
    pub fn schedule(&mut self, schedule: Schedule) {
        self.manifest.schedule = schedule;
    }

    /// Adds a wire between VMs that have been added.
    pub fn wire(&mut self, wire: WireSpec) {
        self.manifest.wires.push(wire);
    }

    /// Adds a channel between VMs that have been added.
    pub fn channel(&mut self, channel: ChannelSpec) {
        self.manifest.channels.push(channel);
    }

    /// Adds a memory that VMs share.
    pub fn memory(&mut self, memory: SharedSpec) {
        self.manifest.memories.push(memory);
    }

    /// The bundle's bytes, which [`Bundle::open`] accepts.
    pub fn finish(mut self) -> Result<Vec<u8>, BundleError> {
        let unreadable = |_| BundleError::ManifestUnreadable;
        // Offsets are of variable length in postcard: lay out behind the largest manifest that
        // they could give, until the size that they were made for holds them.
        let mut room = HEADER_SIZE;
        let encoded = loop {
            self.lay_out(room);
            let encoded = postcard::to_allocvec(&self.manifest).map_err(unreadable)?;
            let end = HEADER_SIZE.saturating_add(encoded.len());
            if end.next_multiple_of(ALIGNMENT) == room.next_multiple_of(ALIGNMENT) {
                break encoded;
            }
            room = room.next_multiple_of(ALIGNMENT).max(end);
            if room > HEADER_SIZE.saturating_add(MANIFEST_LIMIT) {
                let what = "larger than 64 KiB";
                return Err(BundleError::Manifest {
                    of: String::new(),
                    what,
                });
            }
        };

        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
        out.extend_from_slice(&[0; 8]); // the bundle's size, below
        out.extend_from_slice(&Sha256::of(&encoded));
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&encoded);
        pad(&mut out);
        for bytes in &self.contents {
            out.extend_from_slice(bytes);
            pad(&mut out);
        }
        let size = out.len() as u64;
        if let Some(place) = out.get_mut(16..24) {
            place.copy_from_slice(&size.to_le_bytes());
        }
        Bundle::open(&out)?;
        Ok(out)
    }

    /// Gives each item its place, the first at the boundary at or behind `from`.
    fn lay_out(&mut self, from: usize) {
        let mut next = from.next_multiple_of(ALIGNMENT) as u64;
        for item in &mut self.manifest.items {
            item.offset = next;
            next = next
                .saturating_add(item.size)
                .next_multiple_of(ALIGNMENT as u64);
        }
    }
}

/// Adds zeroes up to the next boundary.
pub(super) fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
}
