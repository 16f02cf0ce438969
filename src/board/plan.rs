//! A board's map, read and checked.

use super::error::MapError;
use crate::memory::StoreId;
use crate::units::{HostPa, Ipa};
use alloc::string::String;
use alloc::vec::Vec;

/// A board's map, read and checked: what [`super::Board::build`] makes a board from, what the
/// metal makes stage 2 from, and what `check` looks at.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The root's `model`.
    pub model: String,
    /// The root's `compatible`.
    pub compatible: Vec<String>,
    /// `reliquary,secure`: the guest enters in Secure state.
    pub secure: bool,
    /// The CPUs, in the map's order; a vCPU's number is its index here.
    pub cpus: Vec<CpuPlan>,
    /// How the guest reaches PSCI, if the board has it.
    pub psci: Option<PsciPlan>,
    /// The generic timer, if the board has one.
    pub timer: Option<TimerPlan>,
    /// All windows, sorted by address; none overlaps another.
    pub windows: Vec<Window>,
    /// The devices, in the map's order.
    pub devices: Vec<DevicePlan>,
    /// Index in `devices` of the console's UART.
    pub console: Option<usize>,
    /// Interrupts of passed-through devices, which the metal forwards.
    pub host_interrupts: Vec<HostInterrupt>,
    /// What an access meets that no window claims.
    pub unclaimed: Unclaimed,
    /// Ranges with a policy of their own: what falls there is ignored.
    pub ignored: Vec<Range>,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first address.
    pub at: Ipa,
    /// Its size; never 0, and `at + bytes` does not wrap.
    pub bytes: u64,
}

/// What an access meets that no window claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unclaimed {
    /// An external abort.
    #[default]
    Abort,
    /// Reads as zero, ignores writes.
    Ignore,
    /// As `Ignore`, and the access is kept for the report.
    Learn,
}

/// One CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuPlan {
    /// Its node's path.
    pub node: String,
    /// The `compatible` that picks its identity: `arm,cortex-a9`.
    pub compatible: String,
    /// `reg`: the affinity fields of its MPIDR.
    pub affinity: u64,
}

/// How the guest calls PSCI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PsciPlan {
    /// By HVC, or else by SMC.
    pub hvc: bool,
    /// The newest version that `compatible` names: 1 for 0.1, 2 for 0.2, 0x100 for 1.0.
    pub version: u16,
    /// Function numbers of a 0.1 node: `cpu_suspend`, `cpu_off`, `cpu_on`, `migrate`.
    pub functions: [Option<u32>; 4],
}

/// The generic timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerPlan {
    /// The private interrupt (INTID 16 to 31) of each [`super::CpuTimer`], in its order.
    pub ppis: [Option<u16>; 4],
    /// `clock-frequency`, which the firmware of a board sometimes leaves to the tree.
    pub frequency: Option<u32>,
    /// `reliquary,any-timer-frequency`: the guest does not care what CNTFRQ says.
    pub any_frequency: bool,
}

/// A part of the board's address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first address.
    pub at: Ipa,
    /// Its size; never 0, and `at + bytes` does not wrap.
    pub bytes: u64,
    /// The path of its node in the map.
    pub node: String,
    /// What it is.
    pub kind: WindowKind,
}

/// What a window is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Memory, mapped read, write and execute.
    Ram,
    /// Memory that the guest only reads.
    Rom,
    /// The memory (or direct reads) of another window, again.
    Alias {
        /// The address of which this window's first byte is an alias.
        target: Ipa,
    },
    /// Registers: every access is emulated.
    Device {
        /// Index in [`Plan::devices`].
        device: usize,
        /// Which of its register blocks.
        region: u8,
    },
    /// Registers whose reads go straight to a store while the device says so.
    DirectReads {
        /// Index in [`Plan::devices`].
        device: usize,
        /// Which of its register blocks.
        region: u8,
        /// The store.
        store: StoreId,
        /// Where in the store the window begins, in bytes.
        offset: u64,
        /// Whether reads are direct after a reset.
        at_reset: bool,
    },
    /// The host's registers.
    PassThrough {
        /// Path of the device's node in the host's tree.
        host_node: String,
        /// Which of that node's register blocks.
        region: u8,
        /// Where it is on the host, once [`Plan::bind_host`] has found it.
        host: Option<HostPa>,
        /// `reliquary,tap`: trapped, carried out by the metal, and recorded. Otherwise the
        /// metal maps the pages.
        tap: bool,
    },
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePlan {
    /// Its node's path.
    pub node: String,
    /// The `compatible` by which its emulator was found; empty for a pass-through.
    pub compatible: String,
    /// A backing store of this many bytes, if it has one.
    pub store: Option<(StoreId, u64)>,
}

/// An interrupt of a passed-through device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInterrupt {
    /// Path of the device's node in the host's tree.
    pub host_node: String,
    /// Index in that node's `interrupts`.
    pub index: usize,
    /// The host GIC's INTID, once [`Plan::bind_host`] has found it.
    pub intid: Option<u32>,
    /// Whether the host's tree calls it edge-triggered.
    pub edge: bool,
}

impl Plan {
    /// Reads a map, a flattened device tree, and says everything that is wrong with it.
    pub fn read(_map: &[u8]) -> Result<Self, Vec<MapError>> {
        Ok(Self::default())
    }

    /// Finds passed-through devices in the host's tree.
    pub fn bind_host(&mut self, _host: &[u8]) -> Result<(), Vec<MapError>> {
        Ok(())
    }

    /// Whether `at` to `at + bytes` is one window's RAM.
    pub fn is_ram(&self, at: Ipa, bytes: u64) -> bool {
        self.windows.iter().any(|w| {
            matches!(w.kind, WindowKind::Ram)
                && at.0.checked_sub(w.at.0).and_then(|o| o.checked_add(bytes)) <= Some(w.bytes)
                && at >= w.at
        })
    }
}
