//! A bundle, read and checked.
//!
//! [`Bundle::open`] checks all but the items' contents, so that the hypervisor can name its
//! VMs at once; each item's hash is checked when it is used ([`Bundle::item_bytes`]), or while
//! it is copied ([`Bundle::check`]). The manifest's hash is checked before it is decoded;
//! decoding itself is bounded all the same: no length in it is believed beyond the bytes that
//! are there, and those are at most [`MANIFEST_LIMIT`].

use super::{
    ALIGNMENT, BundleError, CHANNEL_LIMIT, CORE_LIMIT, ChannelSpec, FORMAT, HEADER_SIZE,
    ITEM_LIMIT, Item, ItemId, LOAD_LIMIT, MAGIC, MANIFEST_LIMIT, MEMORY_LIMIT, Manifest, Restart,
    SHARED_LIMIT, SLOT_LIMIT_US, SLOTS_LIMIT, Schedule, Sha256, SharedSpec, VM_LIMIT, VmSpec,
    WIRE_LIMIT, WireEnd, WireKind, WireSpec,
};
use crate::board::observe::SEEN_LIMIT;
use crate::emul::sd_card;
use crate::wire::channel::exchange::HANDLES_MAX;
use crate::wire::channel::{BYTES_MAX, DEPTH_MAX};
use crate::wire::{ethernet, pins::Pin};
use alloc::string::String;
use alloc::vec::Vec;

/// A bundle whose header, manifest and layout are sound.
#[derive(Debug)]
pub struct Bundle<'a> {
    bytes: &'a [u8],
    manifest: Manifest,
}

impl<'a> Bundle<'a> {
    /// Reads the bundle at the beginning of `bytes`; what follows it is left alone.
    ///
    /// Checks everything but the contents of the items.
    pub fn open(bytes: &'a [u8]) -> Result<Self, BundleError> {
        let header = Header::read(bytes)?;
        let bytes = prefix(bytes, header.bundle_size)?;
        let manifest_end = HEADER_SIZE.saturating_add(header.manifest_size);
        let encoded = bytes
            .get(HEADER_SIZE..manifest_end)
            .ok_or(BundleError::Header("manifest size"))?;
        if Sha256::of(encoded) != header.manifest_hash {
            return Err(BundleError::ManifestDamaged);
        }
        let Ok((manifest, [])) = postcard::take_from_bytes::<Manifest>(encoded) else {
            return Err(BundleError::ManifestUnreadable);
        };
        check_counts(&manifest)?;
        let end = check_layout(bytes, &manifest.items, manifest_end)?;
        if end != bytes.len() {
            return Err(BundleError::Header("bundle size"));
        }
        manifest
            .vms
            .iter()
            .try_for_each(|vm| check_vm(vm, &manifest))?;
        check_wires(&manifest.wires, manifest.vms.len())?;
        check_channels(&manifest.channels, manifest.vms.len())?;
        check_memories(&manifest.memories)?;
        Ok(Self { bytes, manifest })
    }

    /// The size of the bundle whose first [`HEADER_SIZE`] bytes are given, for the metal to
    /// know how much to look at. Only [`Bundle::open`] can tell whether it is true.
    pub fn size(header: &[u8]) -> Result<u64, BundleError> {
        Header::read(header).map(|header| header.bundle_size)
    }

    /// What is in it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// An item's entry in the manifest.
    pub fn item(&self, id: ItemId) -> Result<&Item, BundleError> {
        self.manifest
            .items
            .get(usize::from(id.0))
            .ok_or(BundleError::NoSuchItem(id.0))
    }

    /// An item's bytes, not verified: for the metal, which hashes while it copies and then
    /// asks [`Bundle::check`].
    pub fn unverified_bytes(&self, id: ItemId) -> Result<&'a [u8], BundleError> {
        let item = self.item(id)?;
        let misplaced = || BundleError::Misplaced {
            item: item.name.clone(),
        };
        let start = usize::try_from(item.offset).map_err(|_| misplaced())?;
        let size = usize::try_from(item.size).map_err(|_| misplaced())?;
        let end = start.checked_add(size).ok_or_else(misplaced)?;
        self.bytes.get(start..end).ok_or_else(misplaced)
    }

    /// An item's bytes, which have the hash that the manifest gives.
    pub fn item_bytes(&self, id: ItemId) -> Result<&'a [u8], BundleError> {
        let bytes = self.unverified_bytes(id)?;
        self.check(id, &Sha256::of(bytes))?;
        Ok(bytes)
    }

    /// Whether an item's bytes have the hash that the manifest gives.
    pub fn verify_item(&self, id: ItemId) -> Result<(), BundleError> {
        self.item_bytes(id).map(|_| ())
    }

    /// Whether `digest`, of an item's bytes hashed elsewhere, is the one in the manifest.
    pub fn check(&self, id: ItemId, digest: &[u8; 32]) -> Result<(), BundleError> {
        let item = self.item(id)?;
        if item.sha256 == *digest {
            Ok(())
        } else {
            Err(BundleError::Damaged {
                item: item.name.clone(),
            })
        }
    }

    /// Every item's number.
    pub fn ids(&self) -> impl Iterator<Item = ItemId> + use<> {
        (0..self.manifest.items.len())
            .filter_map(|i| u16::try_from(i).ok())
            .map(ItemId)
    }
}

/// The header's fields, each plausible by itself.
struct Header {
    manifest_size: usize,
    bundle_size: u64,
    manifest_hash: [u8; 32],
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        let header = prefix(bytes, HEADER_SIZE as u64)?;
        if field(header, 0)? != MAGIC {
            return Err(BundleError::NotABundle);
        }
        let format = u32::from_le_bytes(field(header, 8)?);
        if format != FORMAT {
            return Err(BundleError::Format(format));
        }
        let manifest_size = u32::from_le_bytes(field(header, 12)?) as usize;
        if manifest_size > MANIFEST_LIMIT {
            return Err(BundleError::Header("manifest size"));
        }
        let bundle_size = u64::from_le_bytes(field(header, 16)?);
        if !bundle_size.is_multiple_of(ALIGNMENT as u64) {
            return Err(BundleError::Header("bundle size"));
        }
        if field(header, 56)? != [0; 8] {
            return Err(BundleError::Header("the zero field"));
        }
        Ok(Self {
            manifest_size,
            bundle_size,
            manifest_hash: field(header, 24)?,
        })
    }
}

/// The first `size` bytes.
fn prefix(bytes: &[u8], size: u64) -> Result<&[u8], BundleError> {
    usize::try_from(size)
        .ok()
        .and_then(|size| bytes.get(..size))
        .ok_or(BundleError::Truncated {
            need: size,
            have: bytes.len() as u64,
        })
}

/// The `N` bytes at `at`.
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], BundleError> {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .copied()
        .ok_or(BundleError::Truncated {
            need: at.saturating_add(N) as u64,
            have: bytes.len() as u64,
        })
}

fn wrong(of: &str, what: &'static str) -> BundleError {
    BundleError::Manifest {
        of: String::from(of),
        what,
    }
}

fn check_counts(manifest: &Manifest) -> Result<(), BundleError> {
    if manifest.items.len() > ITEM_LIMIT {
        return Err(wrong("", "too many items"));
    }
    if manifest.vms.is_empty() {
        return Err(wrong("", "no VM"));
    }
    if manifest.vms.len() > VM_LIMIT {
        return Err(wrong("", "too many VMs"));
    }
    let mut names: Vec<&str> = manifest.vms.iter().map(|vm| vm.name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(wrong("", "two VMs of one name"));
    }
    check_schedule(manifest)
}

/// Checks each item's place and the zeroes between them; the offset at which they end.
fn check_layout(bytes: &[u8], items: &[Item], from: usize) -> Result<usize, BundleError> {
    let mut end = from;
    let mut before = "the manifest";
    for item in items {
        let misplaced = || BundleError::Misplaced {
            item: item.name.clone(),
        };
        let start = padded(bytes, end, before)?;
        if item.offset != start as u64 {
            return Err(misplaced());
        }
        let size = usize::try_from(item.size).map_err(|_| misplaced())?;
        end = start
            .checked_add(size)
            .filter(|end| *end <= bytes.len())
            .ok_or_else(misplaced)?;
        before = &item.name;
    }
    padded(bytes, end, before)
}

/// The first boundary at or behind `end`, with only zeroes up to it.
fn padded(bytes: &[u8], end: usize, after: &str) -> Result<usize, BundleError> {
    let next = end
        .checked_next_multiple_of(ALIGNMENT)
        .unwrap_or(usize::MAX);
    let padding = bytes
        .get(end..next)
        .ok_or(BundleError::Header("bundle size"))?;
    match padding.iter().position(|byte| *byte != 0) {
        None => Ok(next),
        Some(at) => Err(BundleError::Padding {
            after: String::from(after),
            offset: end.saturating_add(at) as u64,
        }),
    }
}

fn check_schedule(manifest: &Manifest) -> Result<(), BundleError> {
    let Schedule::Cyclic { slots, .. } = &manifest.schedule else {
        return Ok(());
    };
    if slots.is_empty() || slots.len() > SLOTS_LIMIT {
        return Err(wrong("", "a schedule has 1 to 64 slots"));
    }
    let known = |vm: u8| usize::from(vm) < manifest.vms.len();
    for slot in slots {
        if slot.us == 0 || slot.us > SLOT_LIMIT_US {
            return Err(wrong("", "a slot is 1 to 10,000,000 us long"));
        }
        if slot.vm.is_some_and(|vm| !known(vm)) {
            return Err(wrong("", "a slot of a VM that there is not"));
        }
    }
    Ok(())
}

fn check_vm(vm: &VmSpec, manifest: &Manifest) -> Result<(), BundleError> {
    let size_of = |id: ItemId| manifest.items.get(usize::from(id.0)).map(|item| item.size);
    if vm.name.is_empty() {
        return Err(wrong("", "a VM without a name"));
    }
    if size_of(vm.map).is_none() {
        return Err(wrong(&vm.name, "its map is not in the bundle"));
    }
    if vm.cores.is_empty() || vm.cores.len() > CORE_LIMIT {
        return Err(wrong(&vm.name, "a VM has 1 to 8 vCPUs"));
    }
    if vm.restart.times > Restart::TIMES_MAX {
        return Err(wrong(&vm.name, "restarts that are not counted"));
    }
    let recorded = vm.record.iter().flatten();
    if recorded.max().is_some_and(|device| *device >= SEEN_LIMIT) {
        return Err(wrong(&vm.name, "it records what no board has"));
    }
    if vm.loads.len() > LOAD_LIMIT {
        return Err(wrong(&vm.name, "too many images"));
    }
    if let Some(card) = vm.card {
        let size =
            size_of(card.item).ok_or_else(|| wrong(&vm.name, "its card is not in the bundle"))?;
        if sd_card::Config::holding(size, card.high_capacity, card.read_only).is_err() {
            return Err(wrong(&vm.name, "no card is as large as its image"));
        }
    }
    for load in &vm.loads {
        let size =
            size_of(load.item).ok_or_else(|| wrong(&vm.name, "an image is not in the bundle"))?;
        if load.at.checked_add(size).is_none() {
            return Err(wrong(
                &vm.name,
                "an image runs past the end of the address space",
            ));
        }
    }
    Ok(())
}

fn check_wires(wires: &[WireSpec], vms: usize) -> Result<(), BundleError> {
    if wires.len() > WIRE_LIMIT {
        return Err(wrong("", "too many wires"));
    }
    let mut ports: Vec<WireEnd> = Vec::new();
    let mut network = false;
    for wire in wires {
        if wire
            .kind
            .ends()
            .iter()
            .any(|end| usize::from(end.vm) >= vms)
        {
            return Err(wrong(&wire.name, "it leads to no VM"));
        }
        match &wire.kind {
            WireKind::Serial { ends, .. } => ports.extend(ends),
            WireKind::Outside(end) => ports.push(*end),
            WireKind::Ethernet { ends, outside } => {
                if ends.is_empty() || !(2..=ethernet::PORTS).contains(&wire.kind.places()) {
                    return Err(wrong(&wire.name, "an Ethernet wire has 2 to 8 ports"));
                }
                if *outside && core::mem::replace(&mut network, true) {
                    return Err(wrong(&wire.name, "two wires lead to the host's network"));
                }
                ports.extend(ends);
            }
            WireKind::Pins(ends) => {
                let outputs = |(_, pin): &(_, Pin)| [pin.output, pin.enable];
                if ends
                    .iter()
                    .flat_map(outputs)
                    .flatten()
                    .any(|line| line >= 64)
                {
                    return Err(wrong(&wire.name, "no device has such a line"));
                }
            }
        }
    }
    ports.sort_unstable_by_key(|end| (end.vm, end.device));
    if ports.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(wrong("", "a port is on two wires"));
    }
    Ok(())
}

fn check_channels(channels: &[ChannelSpec], vms: usize) -> Result<(), BundleError> {
    if channels.len() > CHANNEL_LIMIT {
        return Err(wrong("", "too many channels"));
    }
    for channel in channels {
        let ends = [usize::from(channel.from), usize::from(channel.to)];
        if ends.iter().any(|vm| *vm >= vms) {
            return Err(wrong(&channel.name, "it leads to no VM"));
        }
        if channel.from == channel.to {
            return Err(wrong(&channel.name, "both its ends are one VM's"));
        }
        if !(1..=BYTES_MAX).contains(&usize::from(channel.bytes)) {
            return Err(wrong(&channel.name, "a message has 1 to 64 bytes"));
        }
        if !(1..=DEPTH_MAX).contains(&usize::from(channel.depth)) {
            return Err(wrong(&channel.name, "a channel holds 1 to 64 messages"));
        }
    }
    let held = |vm: usize| {
        let of = |channel: &&ChannelSpec| [channel.from, channel.to].map(usize::from).contains(&vm);
        channels.iter().filter(of).count()
    };
    if (0..vms).any(|vm| held(vm) > HANDLES_MAX) {
        return Err(wrong("", "a VM holds at most 32 channels"));
    }
    Ok(())
}

fn check_memories(memories: &[SharedSpec]) -> Result<(), BundleError> {
    if memories.len() > MEMORY_LIMIT {
        return Err(wrong("", "too many shared memories"));
    }
    let mut total = 0_u64;
    for memory in memories {
        if memory.bytes == 0 || !memory.bytes.is_multiple_of(ALIGNMENT as u64) {
            return Err(wrong(&memory.name, "a shared memory is whole pages"));
        }
        total = total.saturating_add(memory.bytes);
    }
    if total > SHARED_LIMIT {
        return Err(wrong("", "shared memories of more than 64 MiB"));
    }
    Ok(())
}
