//! A GIC as programs of GICv1 and GICv2 use it (Arm IHI 0048B).

use crate::device::Device;

/// `GICD_CTLR`.
pub const GICD_CTLR: usize = 0x000;
/// `GICD_TYPER`.
pub const GICD_TYPER: usize = 0x004;
/// `GICD_IGROUPR0`.
pub const GICD_IGROUPR: usize = 0x080;
/// `GICD_ISENABLER0`.
pub const GICD_ISENABLER: usize = 0x100;
/// `GICD_ICENABLER0`.
pub const GICD_ICENABLER: usize = 0x180;
/// `GICD_ISPENDR0`.
pub const GICD_ISPENDR: usize = 0x200;
/// `GICD_ICPENDR0`.
pub const GICD_ICPENDR: usize = 0x280;
/// `GICD_IPRIORITYR0`.
pub const GICD_IPRIORITYR: usize = 0x400;
/// `GICD_ITARGETSR0`.
pub const GICD_ITARGETSR: usize = 0x800;
/// `GICD_SGIR`.
pub const GICD_SGIR: usize = 0xf00;
/// `GICC_CTLR`.
pub const GICC_CTLR: usize = 0x00;
/// `GICC_PMR`.
pub const GICC_PMR: usize = 0x04;
/// `GICC_BPR`.
pub const GICC_BPR: usize = 0x08;
/// `GICC_IAR`.
pub const GICC_IAR: usize = 0x0c;
/// `GICC_EOIR`.
pub const GICC_EOIR: usize = 0x10;
/// `GICC_RPR`.
pub const GICC_RPR: usize = 0x14;
/// `GICC_HPPIR`.
pub const GICC_HPPIR: usize = 0x18;

/// The INTID in `GICC_IAR` that means none.
pub const SPURIOUS: u32 = 1023;

/// A distributor and this CPU's interface.
#[derive(Clone, Copy)]
pub struct Gic {
    /// The distributor.
    pub distributor: Device,
    /// The CPU interface.
    pub interface: Device,
}

impl Gic {
    /// Turns both on, with all priorities let through.
    pub fn open(self) {
        self.interface.write(GICC_PMR, 0xff);
        self.distributor.write(GICD_CTLR, 1);
        self.interface.write(GICC_CTLR, 1);
    }

    /// Enables an interrupt, at a middle priority, for this CPU.
    pub fn enable(self, id: u32) {
        let id = id as usize;
        self.distributor.write_byte(GICD_IPRIORITYR + id, 0xa0);
        if id >= 32 {
            self.distributor.write_byte(GICD_ITARGETSR + id, 1);
        }
        self.distributor
            .write(GICD_ISENABLER + id / 32 * 4, 1 << (id % 32));
    }

    /// Disables an interrupt.
    pub fn disable(self, id: u32) {
        let id = id as usize;
        self.distributor
            .write(GICD_ICENABLER + id / 32 * 4, 1 << (id % 32));
    }

    /// Acknowledges the pending interrupt: the value that [`Gic::end`] takes.
    #[must_use]
    pub fn acknowledge(self) -> u32 {
        self.interface.read(GICC_IAR)
    }

    /// Ends an interrupt.
    pub fn end(self, acknowledged: u32) {
        self.interface.write(GICC_EOIR, acknowledged);
    }
}
