//! GICv2: memory-mapped distributor and CPU interface.

use super::{CTLR, Distributor, ICACTIVER, ICENABLER, ICPENDR, IPRIORITYR, ISENABLER, ISPENDR};
use super::{ITARGETSR, PRIORITY, WAKE};
use crate::arch::mmu::{self, MapRefused, Rights};
use reliquary::units::HostPa;

const SGIR: usize = 0xf00;
const GICC_CTLR: usize = 0x00;
const GICC_PMR: usize = 0x04;
const GICC_IAR: usize = 0x0c;
const GICC_EOIR: usize = 0x10;
const GICC_DIR: usize = 0x1000;

/// EnableGrp0 (EnableGrp1 in a Non-secure view), and EOImode, at bit 9 in both views.
const GICC_CTLR_ON: u32 = 1 | 1 << 9;

pub struct GicV2 {
    distributor: Distributor,
    cpu_interface: usize,
}

impl GicV2 {
    pub fn open(distributor: HostPa, cpu_interface: HostPa) -> Result<Self, MapRefused> {
        mmu::map(distributor.0, 0x1000, Rights::Device)?;
        mmu::map(cpu_interface.0, 0x2000, Rights::Device)?;
        let gic = Self {
            distributor: Distributor {
                base: distributor.0 as usize,
            },
            cpu_interface: cpu_interface.0 as usize,
        };
        let gicd = &gic.distributor;
        gicd.write(CTLR, 0);
        for id in (32..gicd.interrupts()).step_by(32) {
            let word = (id / 32 * 4) as usize;
            gicd.write(ICENABLER + word, u32::MAX);
            gicd.write(ICPENDR + word, u32::MAX);
            gicd.write(ICACTIVER + word, u32::MAX);
        }
        for id in 32..gicd.interrupts() {
            gicd.write_byte(IPRIORITYR + id as usize, PRIORITY);
        }
        gicd.write(CTLR, 1);
        Ok(gic)
    }

    fn read(&self, offset: usize) -> u32 {
        // SAFETY: `cpu_interface` is a GICC, mapped as device memory by `open`.
        unsafe { ((self.cpu_interface + offset) as *const u32).read_volatile() }
    }

    fn write(&self, offset: usize, value: u32) {
        // SAFETY: as in `read`.
        unsafe { ((self.cpu_interface + offset) as *mut u32).write_volatile(value) }
    }

    pub fn open_core(&self) {
        let gicd = &self.distributor;
        gicd.write(ICENABLER, u32::MAX);
        gicd.write(ICPENDR, u32::MAX);
        gicd.write(ICACTIVER, u32::MAX);
        for id in 0..32 {
            gicd.write_byte(IPRIORITYR + id, PRIORITY);
        }
        self.write(GICC_PMR, 0xff);
        self.write(GICC_CTLR, GICC_CTLR_ON);
        self.enable(WAKE);
    }

    pub fn enable(&self, id: u32) {
        self.distributor.set_bit(ISENABLER, id);
    }

    pub fn disable(&self, id: u32) {
        self.distributor.set_bit(ICENABLER, id);
    }

    pub fn route(&self, id: u32, core: usize, _mpidr: u64) {
        self.distributor
            .write_byte(ITARGETSR + id as usize, 1 << core);
    }

    pub fn set_edge(&self, id: u32, edge: bool) {
        self.distributor.set_edge(id, edge);
    }

    /// GICC_IAR whole: an SGI's source CPU belongs into what `end` writes.
    pub fn acknowledge(&self) -> u32 {
        let iar = self.read(GICC_IAR);
        if iar & 0x3ff < 16 {
            // An SGI is done with at once: its source CPU is known only here.
            self.write(GICC_EOIR, iar);
            self.write(GICC_DIR, iar);
        }
        iar & 0x3ff
    }

    pub fn end(&self, id: u32) {
        if id >= 16 {
            self.write(GICC_EOIR, id);
        }
    }

    pub fn deactivate(&self, id: u32) {
        if id >= 16 {
            self.write(GICC_DIR, id);
        }
    }

    pub fn is_pending(&self, id: u32) -> bool {
        self.distributor.has_bit(ISPENDR, id)
    }

    pub fn wake(&self, core: usize, _mpidr: u64) {
        self.distributor.write(SGIR, 1 << (16 + core) | WAKE);
    }
}
