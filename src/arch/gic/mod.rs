//! The host's interrupt controller: GICv2 (IHI 0048B) or GICv3 (IHI 0069H).
//!
//! EOI mode 1 on both: [`acknowledge`] to [`end`] drops the priority at once, so other
//! interrupts go on; an interrupt that a guest has to deal with stays active, and so cannot
//! fire again, until [`deactivate`].

mod v2;
mod v3;

use super::mmu::MapRefused;
use reliquary::units::HostPa;
use spin::Once;

/// The SGI with which a core is told to look at its inbox.
pub const WAKE: u32 = 1;
/// From here on an INTID is none (1020 to 1023 are special).
pub const SPURIOUS: u32 = 1020;

/// What the host has.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// Distributor and CPU interface.
    V2 {
        /// GICD's base.
        distributor: HostPa,
        /// GICC's base.
        cpu_interface: HostPa,
    },
    /// Distributor and the redistributors' region.
    V3 {
        /// GICD's base.
        distributor: HostPa,
        /// The first redistributor frame.
        redistributors: HostPa,
        /// Bytes of the region.
        redistributors_size: u64,
    },
}

enum Gic {
    V2(v2::GicV2),
    V3(v3::GicV3),
}

static GIC: Once<Gic> = Once::new();

/// Maps the controller and brings its distributor up, everything disabled.
pub fn open(found: Found) -> Result<(), MapRefused> {
    let gic = match found {
        Found::V2 {
            distributor,
            cpu_interface,
        } => Gic::V2(v2::GicV2::open(distributor, cpu_interface)?),
        Found::V3 {
            distributor,
            redistributors,
            redistributors_size,
        } => Gic::V3(v3::GicV3::open(
            distributor,
            redistributors,
            redistributors_size,
        )?),
    };
    GIC.call_once(|| gic);
    Ok(())
}

/// Whether it is a GICv3, so that a guest's accesses to the system registers of one trap.
pub fn has_system_registers() -> bool {
    matches!(GIC.get(), Some(Gic::V3(_)))
}

macro_rules! each {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)?;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name($($arg: $ty),*) $(-> $out)? {
            match GIC.get().expect("the GIC is opened first") {
                Gic::V2(gic) => gic.$name($($arg),*),
                Gic::V3(gic) => gic.$name($($arg),*),
            }
        }
    )*};
}

each! {
    /// This core's interface: priorities open, EOI mode 1, its SGIs on.
    open_core();
    /// Lets `id` through to this core (a PPI or SGI), or to core 0 (an SPI).
    enable(id: u32);
    /// Keeps `id` from this core, or an SPI from all.
    disable(id: u32);
    /// Routes an SPI to the core of this number and affinity.
    route(id: u32, core: usize, mpidr: u64);
    /// Sets an SPI edge-triggered or level-sensitive.
    set_edge(id: u32, edge: bool);
    /// The highest-priority pending interrupt, now active, or at least [`SPURIOUS`].
    acknowledge() -> u32;
    /// Drops the running priority after `acknowledge`.
    end(id: u32);
    /// The interrupt may fire again.
    deactivate(id: u32);
    /// Whether an active, level-sensitive interrupt's line is still high.
    is_pending(id: u32) -> bool;
    /// Sends [`WAKE`] to the core of this number and affinity.
    wake(core: usize, mpidr: u64);
}

/// Registers of the distributor that both versions share (IHI 0069H, 12.8).
struct Distributor {
    base: usize,
}

impl Distributor {
    fn read(&self, offset: usize) -> u32 {
        // SAFETY: `base` is a distributor, mapped as device memory by `open`, and every
        // offset used is of a register of it.
        unsafe { ((self.base + offset) as *const u32).read_volatile() }
    }

    fn write(&self, offset: usize, value: u32) {
        // SAFETY: as in `read`.
        unsafe { ((self.base + offset) as *mut u32).write_volatile(value) }
    }

    fn write_byte(&self, offset: usize, value: u8) {
        // SAFETY: as in `read`; the byte-accessible registers only.
        unsafe { ((self.base + offset) as *mut u8).write_volatile(value) }
    }

    fn write_double(&self, offset: usize, value: u64) {
        // SAFETY: as in `read`; GICD_IROUTER only.
        unsafe { ((self.base + offset) as *mut u64).write_volatile(value) }
    }

    /// The number of interrupt IDs (GICD_TYPER.ITLinesNumber).
    fn interrupts(&self) -> u32 {
        (((self.read(TYPER) & 0x1f) + 1) * 32).min(SPURIOUS)
    }

    fn set_bit(&self, registers: usize, id: u32) {
        self.write(registers + (id / 32 * 4) as usize, 1 << (id % 32));
    }

    fn has_bit(&self, registers: usize, id: u32) -> bool {
        self.read(registers + (id / 32 * 4) as usize) & 1 << (id % 32) != 0
    }

    fn set_edge(&self, id: u32, edge: bool) {
        let offset = ICFGR + (id / 16 * 4) as usize;
        let bit = 2 << (id % 16 * 2);
        let old = self.read(offset);
        self.write(offset, if edge { old | bit } else { old & !bit });
    }
}

const CTLR: usize = 0x000;
const TYPER: usize = 0x004;
const IGROUPR: usize = 0x080;
const ISENABLER: usize = 0x100;
const ICENABLER: usize = 0x180;
const ISPENDR: usize = 0x200;
const ICPENDR: usize = 0x280;
const ICACTIVER: usize = 0x380;
const IPRIORITYR: usize = 0x400;
const ITARGETSR: usize = 0x800;
const ICFGR: usize = 0xc00;

/// The one priority in use: below none, above the mask.
const PRIORITY: u8 = 0x80;
