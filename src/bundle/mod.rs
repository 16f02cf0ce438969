//! The bundle: what the host tool packs behind the hypervisor, and the hypervisor verifies.
//!
//! Layout, all little-endian, at the first 4 KiB boundary behind the hypervisor's own bytes:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic `RELIQBND` |
//! | 8 | 4 | format, [`FORMAT`] |
//! | 12 | 4 | size of the manifest in bytes |
//! | 16 | 8 | size of the whole bundle in bytes, a multiple of 4 KiB |
//! | 24 | 32 | SHA-256 of the manifest |
//! | 56 | 8 | zero |
//! | 64 | | the manifest ([`Manifest`], in postcard's encoding) |
//! | | | the items in their order, each at the first 4 KiB boundary behind the one before |
//!
//! Every byte is accounted for: the header's fields are checked against each other and
//! against the layout, the manifest and the items by their hashes, and what lies between them
//! is zero. So no damaged byte goes unnoticed. Behind the bundle the file ends with a seal
//! ([`seal`]) over the hypervisor's own bytes, which `cargo reliquary check FILE` verifies.
//!
//! Reading ([`Bundle`]) is what the hypervisor does at boot; [`Builder`], [`seal`] and
//! [`inspect`] are the tool's.

mod build;
mod error;
mod hash;
mod read;
mod sealed;
#[cfg(test)]
mod tests;

pub use build::Builder;
pub use error::BundleError;
pub use hash::Sha256;
pub use read::Bundle;
pub use sealed::{ARENA_BYTES, Inspection, SEAL_MAGIC, SEAL_SIZE, inspect, seal};

use crate::wire::channel::exchange::{Memory, Shape, hash_of};
use crate::wire::pins::Pin;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The format that this crate writes and reads.
pub const FORMAT: u32 = 6;
/// The first bytes of a bundle.
pub const MAGIC: [u8; 8] = *b"RELIQBND";
/// The size of the bundle's header in bytes.
pub const HEADER_SIZE: usize = 64;
/// Items begin at multiples of this, and so does the bundle itself.
pub const ALIGNMENT: usize = 4096;
/// The largest manifest that is read: postcard's decoding allocates in proportion to it.
pub const MANIFEST_LIMIT: usize = 64 * 1024;
/// The most items in a bundle.
pub const ITEM_LIMIT: usize = 256;
/// The most VMs in a bundle.
pub const VM_LIMIT: usize = 16;
/// The most vCPUs of one VM: as many as a GICv2 serves.
pub const CORE_LIMIT: usize = 8;
/// The most wires in a bundle.
pub const WIRE_LIMIT: usize = 32;
/// The most channels in a bundle.
pub const CHANNEL_LIMIT: usize = 64;
/// The most bytes of memory that VMs share, of all such memories together.
pub const SHARED_LIMIT: u64 = 64 << 20;
/// The most such memories.
pub const MEMORY_LIMIT: usize = 16;
/// The most loads of one VM.
pub const LOAD_LIMIT: usize = 32;

/// What is in a bundle, and what the hypervisor makes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The system's name (its file's stem).
    pub system: String,
    /// The host that the system was checked against (`qemu-virt`).
    pub host: String,
    /// The host's PL011, as its map has it: where messages go if the host's own device tree
    /// cannot be read.
    pub early_console: Option<u64>,
    /// The packed files.
    pub items: Vec<Item>,
    /// The VMs, in the system file's order. The first one's console has the focus.
    pub vms: Vec<VmSpec>,
    /// How the VMs share cores.
    pub schedule: Schedule,
    /// What joins their boards, in the system file's order.
    pub wires: Vec<WireSpec>,
    /// By which software written for it sends messages, in the system file's order.
    pub channels: Vec<ChannelSpec>,
    /// Memories that VMs share; a window of a map names one by its index here.
    pub memories: Vec<SharedSpec>,
}

/// How the VMs that have a core in common share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schedule {
    /// The greatest [`VmSpec::priority`] first; equal ones take turns.
    Priority,
    /// By a table, the same on every core.
    Cyclic {
        /// The slots in their order, which repeat for ever.
        slots: Vec<Slot>,
        /// Whether others may have what a slot's owner leaves.
        slack: bool,
    },
}

/// A part of the cyclic schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The VM, by its number; nobody in an idle slot.
    pub vm: Option<u8>,
    /// How long it is, in microseconds.
    pub us: u32,
}

/// The longest slot in microseconds.
pub const SLOT_LIMIT_US: u32 = 10_000_000;
/// The most slots of a schedule.
pub const SLOTS_LIMIT: usize = 64;

/// What becomes of a VM that cannot go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// How often it is restarted within [`within_ms`](Restart::within_ms), at most
    /// [`TIMES_MAX`](Restart::TIMES_MAX); 0: never.
    pub times: u8,
    /// Milliseconds.
    pub within_ms: u32,
}

impl Restart {
    /// The most restarts that are counted.
    pub const TIMES_MAX: u8 = 8;
}

/// One packed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What messages call it: `panel: kernel vmlinuz-6.1.0-armmp`.
    pub name: String,
    /// Where it begins, in bytes from the bundle's start.
    pub offset: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// An item, by its index in [`Manifest::items`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemId(pub u16);

/// One virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmSpec {
    /// The name that the user chose.
    pub name: String,
    /// The board's resource map: a flattened device tree, memory nodes set to this VM's size.
    pub map: ItemId,
    /// The host core of each vCPU.
    pub cores: Vec<u8>,
    /// Where cores are shared by priority: the greater runs first.
    pub priority: u8,
    /// What becomes of it when it cannot go on.
    pub restart: Restart,
    /// Whether a WFI traps: then it ends for the VM's own interrupts only, and the hypervisor
    /// counts the time that the VM is idle.
    pub trap_wfi: bool,
    /// The devices that are recorded from the reset on, if any are: numbers as in
    /// [`Seen::device`](crate::board::observe::Seen::device).
    pub record: Option<Vec<u16>>,
    /// What is copied to where before the VM starts: into RAM, or into a flash's store when
    /// the address lies in a flash window.
    pub loads: Vec<Load>,
    /// The memory card in the board's slot, if there is one.
    pub card: Option<Card>,
    /// What is high while something is pending at one of the VM's channels: an input of an interrupt
    /// controller, by the device's number in [`Plan::devices`](crate::board::Plan::devices).
    pub channel_interrupt: Option<(u16, u16)>,
    /// The state in which vCPU 0 starts.
    pub entry: Entry,
    /// The state in which the others start; none: they are off until they are switched on by PSCI.
    pub secondary: Option<Entry>,
}

/// A wire between boards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireSpec {
    /// What messages call it: `press.serial1 - panel.serial1`.
    pub name: String,
    /// What it joins.
    pub kind: WireKind,
    /// Whether what passes it goes over the link, too.
    pub tapped: bool,
}

/// What a wire joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WireKind {
    /// Two serial ports.
    Serial {
        /// The ports.
        ends: [WireEnd; 2],
        /// Characters arrive whether the receiver has room or not.
        faithful: bool,
    },
    /// A serial port, and the developer's machine at the other end of the link.
    Outside(WireEnd),
    /// Two Ethernet ports or more: a switch.
    Ethernet {
        /// The boards' ports.
        ends: Vec<WireEnd>,
        /// Whether the host's network is at one more, the last.
        outside: bool,
    },
    /// Two pins.
    Pins([(WireEnd, Pin); 2]),
}

impl WireKind {
    /// Its ends.
    pub fn ends(&self) -> Vec<WireEnd> {
        match self {
            Self::Serial { ends, .. } => ends.to_vec(),
            Self::Outside(end) => Vec::from([*end]),
            Self::Ethernet { ends, .. } => ends.clone(),
            Self::Pins(ends) => ends.iter().map(|(end, _)| *end).collect(),
        }
    }
}

impl WireKind {
    /// Whether the host's network is at one of its ends.
    pub const fn leads_to_network(&self) -> bool {
        matches!(self, Self::Ethernet { outside: true, .. })
    }

    /// How many ends it has, the outside one too.
    pub fn places(&self) -> usize {
        match self {
            Self::Ethernet { ends, outside } => ends.len().saturating_add(usize::from(*outside)),
            Self::Serial { .. } | Self::Outside(_) | Self::Pins(_) => 2,
        }
    }
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSpec {
    /// Its name, by whose hash VMs find it.
    pub name: String,
    /// The VM that sends, by its index in [`Manifest::vms`].
    pub from: u16,
    /// The VM that receives.
    pub to: u16,
    /// The largest message in bytes, 1 to 64.
    pub bytes: u8,
    /// How many messages it holds, 1 to 64.
    pub depth: u8,
    /// The greater has the lower handle.
    pub priority: u8,
    /// The shared memory that its messages tell of, and where its VMs have it.
    pub memory: Option<Memory>,
}

impl ChannelSpec {
    /// What it is to the exchange.
    pub fn shape(&self) -> Shape {
        Shape {
            from: usize::from(self.from),
            to: usize::from(self.to),
            bytes: self.bytes,
            depth: usize::from(self.depth),
            priority: self.priority,
            hash: hash_of(&self.name),
            memory: self.memory,
        }
    }
}

/// A memory that VMs share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedSpec {
    /// What messages call it.
    pub name: String,
    /// Its size, whole pages of 4 KiB.
    pub bytes: u64,
}

/// A device of a VM's board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireEnd {
    /// The VM, by its index in [`Manifest::vms`].
    pub vm: u16,
    /// The device, by its index in [`Plan::devices`](crate::board::Plan::devices).
    pub device: u16,
}

/// An item's place in the guest's address space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// What is copied.
    pub item: ItemId,
    /// The intermediate physical address of its first byte.
    pub at: u64,
}

/// A memory card. What the guest writes to it lives as long as the VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Its content, from the first block on; the card is as large as holds it.
    pub item: ItemId,
    /// Whether it is of high capacity, though it need not be.
    pub high_capacity: bool,
    /// Whether it is write-protected.
    pub read_only: bool,
}

/// The registers at the guest's first instruction. Those not named are 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A 32-bit guest.
    A32 {
        /// The first instruction; bit 0 set means Thumb (the tool has set CPSR.T to match).
        pc: u32,
        /// CPSR: mode, masks, T, E.
        cpsr: u32,
        /// r0 to r14 of the entry mode.
        r: [u32; 15],
    },
    /// A 64-bit guest.
    A64 {
        /// The first instruction.
        pc: u64,
        /// PSTATE in SPSR_EL2's layout.
        pstate: u64,
        /// x0 to x30.
        x: [u64; 31],
    },
}
