//! GICv3: memory-mapped distributor and redistributors, the CPU interface in system registers.

use super::{CTLR, Distributor, ICACTIVER, ICENABLER, ICPENDR, IGROUPR, IPRIORITYR, ISENABLER};
use super::{ISPENDR, PRIORITY, WAKE};
use crate::arch::core_area::{self, CORES_MAX};
use crate::arch::mmu::{self, MapRefused, Rights};
use crate::arch::registers::{mrs, msr};
use core::sync::atomic::{AtomicUsize, Ordering};
use reliquary::units::HostPa;
use reliquary::vm::el2_controls::ich_hcr;

const IROUTER: usize = 0x6000;
const GICR_WAKER: usize = 0x14;
const GICR_TYPER: usize = 0x08;
const SGI_FRAME: usize = 0x1_0000;
/// ARE (for the one or the Non-secure state), groups 1 of both states on.
const CTLR_ON: u32 = 1 << 4 | 1 << 5 | 1 | 1 << 1;
const RWP: u32 = 1 << 31;

pub struct GicV3 {
    distributor: Distributor,
    redistributors: usize,
    redistributors_end: usize,
    /// Each core's SGI_base frame, once its core has found it.
    frames: [AtomicUsize; CORES_MAX],
}

// The CPU interface is the core's own system registers; `self` stands for having opened it.
#[allow(clippy::unused_self)]
impl GicV3 {
    pub fn open(
        distributor: HostPa,
        redistributors: HostPa,
        redistributors_size: u64,
    ) -> Result<Self, MapRefused> {
        mmu::map(distributor.0, 0x1_0000, Rights::Device)?;
        mmu::map(redistributors.0, redistributors_size, Rights::Device)?;
        let gic = Self {
            distributor: Distributor {
                base: distributor.0 as usize,
            },
            redistributors: redistributors.0 as usize,
            redistributors_end: (redistributors.0 + redistributors_size) as usize,
            frames: [const { AtomicUsize::new(0) }; CORES_MAX],
        };
        let gicd = &gic.distributor;
        gicd.write(CTLR, 0);
        gic.settle();
        for id in (32..gicd.interrupts()).step_by(32) {
            let word = (id / 32 * 4) as usize;
            gicd.write(ICENABLER + word, u32::MAX);
            gicd.write(ICPENDR + word, u32::MAX);
            gicd.write(ICACTIVER + word, u32::MAX);
            gicd.write(IGROUPR + word, u32::MAX);
        }
        for id in 32..gicd.interrupts() {
            gicd.write_byte(IPRIORITYR + id as usize, PRIORITY);
        }
        gicd.write(CTLR, CTLR_ON);
        gic.settle();
        Ok(gic)
    }

    /// Waits until the distributor has taken its last write (GICD_CTLR.RWP), for a while.
    fn settle(&self) {
        for _ in 0..100_000 {
            if self.distributor.read(CTLR) & RWP == 0 {
                return;
            }
        }
    }

    /// This core's redistributor: the one whose GICR_TYPER has its affinity.
    fn own_redistributor(&self) -> Option<usize> {
        let mpidr = mrs!("mpidr_el1");
        let affinity = (mpidr & 0xff_ffff) | (mpidr >> 8 & 0xff00_0000);
        let mut frame = self.redistributors;
        while frame < self.redistributors_end {
            // SAFETY: the frame lies in the redistributors' region, mapped by `open`.
            let typer = unsafe { ((frame + GICR_TYPER) as *const u64).read_volatile() };
            if typer >> 32 == affinity {
                return Some(frame);
            }
            if typer & 1 << 4 != 0 {
                return None; // Last
            }
            frame += if typer & 1 << 1 != 0 {
                4 * SGI_FRAME
            } else {
                2 * SGI_FRAME
            };
        }
        None
    }

    fn own_frame(&self) -> Distributor {
        Distributor {
            base: self.frames[core_area::index()].load(Ordering::Relaxed),
        }
    }

    pub fn open_core(&self) {
        let frame = self
            .own_redistributor()
            .expect("each core has a redistributor");
        let redistributor = Distributor { base: frame };
        // Out of sleep: ProcessorSleep off, until ChildrenAsleep follows.
        redistributor.write(GICR_WAKER, redistributor.read(GICR_WAKER) & !(1 << 1));
        for _ in 0..100_000 {
            if redistributor.read(GICR_WAKER) & 1 << 2 == 0 {
                break;
            }
        }
        self.frames[core_area::index()].store(frame + SGI_FRAME, Ordering::Relaxed);
        let sgi = self.own_frame();
        sgi.write(ICENABLER, u32::MAX);
        sgi.write(ICPENDR, u32::MAX);
        sgi.write(ICACTIVER, u32::MAX);
        sgi.write(IGROUPR, u32::MAX);
        for id in 0..32 {
            sgi.write_byte(IPRIORITYR + id, PRIORITY);
        }
        // ICC_SRE_EL2: SRE, and not Enable, so that a guest's ICC_SRE_EL1 traps, where the core
        // has a choice.
        msr!("S3_4_C12_C9_5", mrs!("S3_4_C12_C9_5") & !(1 << 3) | 1);
        crate::arch::barrier_isb();
        // A guest's CPU interface is its board's, or is not there at all: all of its registers trap.
        // ICC_SRE_EL1.SRE is what lets them.
        msr!("S3_0_C12_C12_5", mrs!("S3_0_C12_C12_5") | 1);
        crate::arch::barrier_isb();
        msr!(
            "S3_4_C12_C11_0",
            ich_hcr::TC | ich_hcr::TALL0 | ich_hcr::TALL1
        );
        msr!("S3_0_C4_C6_0", 0xff); // ICC_PMR_EL1
        msr!("S3_0_C12_C12_4", mrs!("S3_0_C12_C12_4") | 1 << 1); // ICC_CTLR_EL1.EOImode
        msr!("S3_0_C12_C12_7", 1); // ICC_IGRPEN1_EL1
        crate::arch::barrier_isb();
        self.enable(WAKE);
    }

    pub fn enable(&self, id: u32) {
        if id < 32 {
            self.own_frame().set_bit(ISENABLER, id);
        } else {
            self.distributor.set_bit(ISENABLER, id);
        }
    }

    pub fn disable(&self, id: u32) {
        if id < 32 {
            self.own_frame().set_bit(ICENABLER, id);
        } else {
            self.distributor.set_bit(ICENABLER, id);
        }
    }

    pub fn route(&self, id: u32, _core: usize, mpidr: u64) {
        self.distributor
            .write_double(IROUTER + 8 * id as usize, mpidr & 0xff_00ff_ffff);
    }

    pub fn set_edge(&self, id: u32, edge: bool) {
        self.distributor.set_edge(id, edge);
    }

    #[inline]
    pub fn acknowledge(&self) -> u32 {
        let id = mrs!("S3_0_C12_C12_0") as u32; // ICC_IAR1_EL1
        super::super::barrier_dsb();
        id
    }

    #[inline]
    pub fn end(&self, id: u32) {
        msr!("S3_0_C12_C12_1", u64::from(id)); // ICC_EOIR1_EL1
    }

    #[inline]
    pub fn deactivate(&self, id: u32) {
        msr!("S3_0_C12_C11_1", u64::from(id)); // ICC_DIR_EL1
    }

    pub fn is_pending(&self, id: u32) -> bool {
        if id < 32 {
            self.own_frame().has_bit(ISPENDR, id)
        } else {
            self.distributor.has_bit(ISPENDR, id)
        }
    }

    pub fn wake(&self, _core: usize, mpidr: u64) {
        // ICC_SGI1R_EL1: Aff3, Aff2, Aff1 and the target list's bit for Aff0.
        let aff = |shift: u32| mpidr >> shift & 0xff;
        let value = aff(32) << 48
            | aff(16) << 32
            | u64::from(WAKE) << 24
            | aff(8) << 16
            | (aff(0) >> 4) << 44
            | 1 << (aff(0) & 0xf);
        super::super::barrier_dsb();
        msr!("S3_0_C12_C11_5", value);
        super::super::barrier_isb();
    }
}
