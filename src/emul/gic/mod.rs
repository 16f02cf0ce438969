//! The Generic Interrupt Controller, versions 1 and 2.
//!
//! ARM IHI 0048A (GICv1) and IHI 0048B.b (GICv2); for the identification and the fixed
//! configuration of a core's own controller DDI 0407I chapter 3 (Cortex-A9), DDI 0438 chapter 8
//! (Cortex-A15) and DDI 0471 (GIC-400).
//!
//! `compatible`: `arm,cortex-a9-gic`, `arm,pl390` (version 1); `arm,cortex-a15-gic`,
//! `arm,gic-400` (version 2).
//!
//! Region 0 is the distributor, region 1 the CPU interface. A GICv2's virtualization registers
//! (regions 2 and 3, GICH and GICV) are absent: no register answers there.
//!
//! Input lines: an SPI has its interrupt ID (32 to 1019); PPI p (16 to 31) of CPU c is
//! 1024 + 16 c + (p - 16). A level is true when the interrupt is asserted; the wiring
//! deals with active-low signals. Output lines: 2 c is nIRQ of CPU c, 2 c + 1 is nFIQ, true when
//! asserted.
//!
//! [`Access::security`] selects the Secure or the Non-secure view; a controller without the
//! Security Extensions has one view for both.
//!
//! Known deviations and choices where the architecture leaves one:
//!
//! - SGIs are always enabled, as in all of ARM's own implementations.
//! - Among pending interrupts of one priority the lowest ID goes first, and among the sources
//!   of an SGI the lowest CPU.
//! - The running priority is the group priority of the active interrupt, in version 1 too.
//! - Lockable SPIs are counted in GICD_TYPER; CFGSDISABLE is never asserted.
//! - The bypass bits of GICC_CTLR are stored; no legacy interrupt input is there to pass.
//! - GICD_NSACR is absent, which the architecture allows.
//! - EOIR and DIR act on the interrupt that they name, also out of order; the architecture
//!   calls that unpredictable.
//! - A reset leaves the input levels: they are what the wires say.

mod cpu_interface;
pub mod description;
mod distributor;
pub(in crate::emul) mod interrupts;
mod saved;
#[cfg(test)]
mod tests;

use super::state::{Reader, Writer};
use super::{Cx, Device, Line, Lines, Reset};
use crate::access::{Access, Refusal, Security};
use crate::units::Instant;
use cpu_interface::CpuInterface;
pub(in crate::emul) use distributor::{odd_bits, spread_to_odd};
use interrupts::{Interrupts, SGIS, bit, place};

/// The most CPUs that the architecture has.
pub const MAX_CPUS: usize = 8;

/// Version of the GIC architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// GICv1, IHI 0048A.
    V1,
    /// GICv2, IHI 0048B.
    V2,
}

/// What is configured when a controller is built into a SoC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which architecture.
    pub architecture: Architecture,
    /// CPU interfaces, 1 to 8.
    pub cpus: u8,
    /// Interrupt IDs, SGIs and PPIs among them: a multiple of 32, or 1020.
    pub interrupts: u16,
    /// Whether the Security Extensions are there.
    pub security: bool,
    /// Implemented bits of a priority: 4 to 8, or 5 to 8 with the Security Extensions.
    pub priority_bits: u8,
    /// SPIs that could be locked, as GICD_TYPER tells (with the Security Extensions only).
    pub lockable_spis: u8,
    /// GICD_IIDR.
    pub gicd_iidr: u32,
    /// GICC_IIDR.
    pub gicc_iidr: u32,
    /// The distributor's words from 0xFD0 on: peripheral ID 4 to 7, 0 to 3, component ID.
    pub identification: [u8; 12],
    /// GICD_ICFGR1: the configuration of the PPIs, which software cannot change.
    pub icfgr1: u32,
    /// Bits of the SPIs' GICD_ICFGR words that always read as one (the 1-N model bit of
    /// early implementations), for 16 interrupts.
    pub icfgr_model: u32,
}

impl Config {
    /// The interrupt controller of a Cortex-A9 MPCore, r4p1 (DDI 0407I, 3.3 and 3.4).
    pub const fn cortex_a9(cpus: u8, interrupts: u16) -> Self {
        Self {
            architecture: Architecture::V1,
            cpus,
            interrupts,
            security: true,
            priority_bits: 5,
            lockable_spis: 31,
            gicd_iidr: 0x0102_043b,
            gicc_iidr: 0x3901_243b,
            identification: [4, 0, 0, 0, 0x90, 0xb3, 0x1b, 0, 0x0d, 0xf0, 0x05, 0xb1],
            // Edge: global timer 27, private timer 29, watchdog 30. Level: nFIQ 28, nIRQ 31.
            icfgr1: 0x7dc0_0000,
            icfgr_model: 0x5555_5555,
        }
    }

    /// A PL390 as the RealView PB-A8 has it: one CPU interface, no Security Extensions, 16 levels
    /// of priority (DUI 0417D, 4.11).
    pub const fn pl390(cpus: u8, interrupts: u16) -> Self {
        Self {
            security: false,
            priority_bits: 4,
            gicd_iidr: 0x0000_043b,
            gicc_iidr: 0x3901_043b,
            icfgr1: 0,
            ..Self::cortex_a9(cpus, interrupts)
        }
    }

    /// The interrupt controller of a Cortex-A15 MPCore (DDI 0438, 8.3).
    pub const fn cortex_a15(cpus: u8, interrupts: u16, security: bool) -> Self {
        Self {
            architecture: Architecture::V2,
            cpus,
            interrupts,
            security,
            priority_bits: 5,
            lockable_spis: 31,
            gicd_iidr: 0x0000_043b,
            gicc_iidr: 0x0002_043b,
            identification: [4, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1],
            // Every PPI is level-sensitive.
            icfgr1: 0x5554_0000,
            icfgr_model: 0x5555_5555,
        }
    }

    /// A CoreLink GIC-400 (DDI 0471, 3.2 and 3.4).
    pub const fn gic_400(cpus: u8, interrupts: u16, security: bool) -> Self {
        Self {
            gicd_iidr: 0x0200_143b,
            gicc_iidr: 0x0202_143b,
            ..Self::cortex_a15(cpus, interrupts, security)
        }
    }

    /// A GICv2 of nobody in particular, without Security Extensions and with all eight bits
    /// of priority: what QEMU's `virt` machine has.
    pub const fn plain_v2(cpus: u8, interrupts: u16) -> Self {
        Self {
            priority_bits: 8,
            icfgr1: 0,
            icfgr_model: 0,
            ..Self::cortex_a15(cpus, interrupts, false)
        }
    }

    /// The nearest configuration that the architecture has.
    fn clamped(self) -> Self {
        let least_bits = if self.security { 5 } else { 4 };
        Self {
            cpus: self.cpus.clamp(1, MAX_CPUS as u8),
            interrupts: self.interrupts.clamp(32, 1020),
            priority_bits: self.priority_bits.clamp(least_bits, 8),
            lockable_spis: if self.security {
                self.lockable_spis.min(31)
            } else {
                0
            },
            ..self
        }
    }

    /// Words of 32 interrupts.
    fn words(&self) -> usize {
        usize::from(self.interrupts).div_ceil(32)
    }

    /// The interrupts of word `n` that exist: none from 1020 on.
    fn implemented(&self, n: usize) -> u32 {
        if n >= self.words() {
            0
        } else if n == 31 {
            0x0fff_ffff
        } else {
            !0
        }
    }

    /// The implemented bits of a priority.
    fn priority_mask(&self) -> u8 {
        0xffu8.wrapping_shl(8u32.wrapping_sub(u32::from(self.priority_bits)))
    }

    /// The position of the lowest bit of the finest group priority: the Binary Point of
    /// Group 0 is at least one less. Bit 0 never belongs to a group priority.
    fn group_shift(&self) -> u8 {
        8u8.wrapping_sub(self.priority_bits.min(7))
    }
}

/// Which copy of a banked register an access reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// Secure, or any access to a controller without the Security Extensions.
    Full,
    /// Non-secure.
    NonSecure,
}

/// A GICv1 or GICv2.
pub struct Gic {
    config: Config,
    /// GICD_CTLR.EnableGrp0.
    group0_forwarded: bool,
    /// GICD_CTLR.EnableGrp1.
    group1_forwarded: bool,
    interrupts: Interrupts,
    interfaces: [CpuInterface; MAX_CPUS],
    lines: Lines,
}

impl Gic {
    /// A controller after a cold reset. A configuration outside of the architecture becomes
    /// the nearest one inside.
    pub fn new(config: Config) -> Self {
        let config = config.clamped();
        let mut gic = Self {
            config,
            group0_forwarded: false,
            group1_forwarded: false,
            interrupts: Interrupts::new(),
            interfaces: [CpuInterface::new(); MAX_CPUS],
            lines: Lines::default(),
        };
        gic.reset(Reset::Cold);
        gic
    }

    /// The configuration as built.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn cpus(&self) -> core::ops::Range<usize> {
        0..usize::from(self.config.cpus)
    }

    fn view(&self, access: Access) -> View {
        match access.security {
            Security::NonSecure if self.config.security => View::NonSecure,
            _ => View::Full,
        }
    }

    /// Whether interrupts have groups: GICv1 has them only as Secure and Non-secure.
    fn has_groups(&self) -> bool {
        self.config.security || self.config.architecture == Architecture::V2
    }

    /// After a change to the state of interrupts of one place.
    fn changed(&mut self, place: usize) {
        if self.interrupts.settle(place) {
            self.reconsider(place);
        }
    }

    /// Chooses again for every CPU that a place concerns.
    fn reconsider(&mut self, place: usize) {
        if place < MAX_CPUS {
            self.refresh(place);
        } else {
            self.refresh_all();
        }
    }

    fn refresh_all(&mut self) {
        for cpu in self.cpus() {
            self.refresh(cpu);
        }
    }

    /// Chooses the highest pending interrupt of a CPU again, and drives its lines.
    fn refresh(&mut self, cpu: usize) {
        let best = self
            .interrupts
            .highest(cpu, self.group0_forwarded, self.group1_forwarded);
        if let Some(interface) = self.interfaces.get_mut(cpu) {
            interface.highest = best;
        }
        self.drive(cpu);
    }

    /// Drives the lines of a CPU from its highest pending interrupt.
    fn drive(&mut self, cpu: usize) {
        let Some(interface) = self.interfaces.get(cpu) else {
            return;
        };
        let signal = interface.signalled(&self.config);
        let fiq = signal.is_some_and(|s| !s.group1) && interface.takes_fiq();
        let irq = signal.is_some() && !fiq;
        let n = (cpu as u16).wrapping_mul(2);
        self.lines = self.lines.with(n, irq).with(n.wrapping_add(1), fiq);
    }
}

impl Device for Gic {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        let cpu = access.initiator.cpu();
        if cpu >= usize::from(self.config.cpus) {
            return Err(Refusal::Forbidden);
        }
        match access.region {
            0 => self.read_distributor(cpu, access).map(u64::from),
            1 => self.read_cpu_interface(cpu, access).map(u64::from),
            _ => Err(Refusal::NoRegister),
        }
    }

    /// The distributor: none of its registers changes by a read.
    fn peek(&self, _: Instant, access: Access) -> Option<u64> {
        let cpu = access.initiator.cpu();
        if access.region != 0 || cpu >= usize::from(self.config.cpus) {
            return None;
        }
        self.read_distributor(cpu, access).ok().map(u64::from)
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        let cpu = access.initiator.cpu();
        if cpu >= usize::from(self.config.cpus) {
            return Err(Refusal::Forbidden);
        }
        match access.region {
            0 => self.write_distributor(cpu, access, value as u32),
            1 => self.write_cpu_interface(cpu, access, value as u32),
            _ => Err(Refusal::NoRegister),
        }
    }

    fn input(&mut self, _: &mut Cx<'_>, Line(line): Line, level: bool) {
        let (cpu, id) = match line {
            32..=1019 => (0, usize::from(line)),
            1024.. => {
                let ppi = usize::from(line.wrapping_sub(1024));
                (ppi / 16, (ppi % 16).wrapping_add(16))
            }
            _ => return,
        };
        let at = place(cpu, id / 32);
        let flag = bit((id % 32) as u32);
        if cpu >= usize::from(self.config.cpus) || self.config.implemented(id / 32) & flag == 0 {
            return;
        }
        let interrupts = &mut self.interrupts;
        if (interrupts.level.get(at) & flag != 0) == level {
            return;
        }
        if level {
            interrupts.level.insert(at, flag);
            interrupts
                .latched
                .insert(at, flag & interrupts.edge.get(at));
        } else {
            interrupts.level.remove(at, flag);
        }
        self.changed(at);
    }

    fn lines(&self) -> Lines {
        self.lines
    }

    fn reset(&mut self, _: Reset) {
        let level = self.interrupts.level;
        self.interrupts = Interrupts::new();
        self.interrupts.level = level;
        self.group0_forwarded = false;
        self.group1_forwarded = false;
        for cpu in 0..MAX_CPUS {
            self.interrupts.enabled.set(cpu, SGIS);
            self.interrupts.edge.set(cpu, self.fixed_edges());
        }
        // With one CPU everything goes to it, and GICD_ITARGETSR is not there to say so.
        if self.config.cpus == 1 {
            for n in 1..self.config.words() {
                if let Some(to) = self.interrupts.targeted.get_mut(0) {
                    to.set(place(0, n), self.config.implemented(n));
                }
            }
        }
        self.interfaces = [CpuInterface::after_reset(&self.config); MAX_CPUS];
        for at in 0..interrupts::PLACES {
            self.interrupts.settle(at);
        }
        self.refresh_all();
    }

    fn save(&self, out: &mut Writer) {
        saved::save(self, out);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        saved::load(self, from).inspect_err(|_| self.reset(Reset::Cold))
    }
}
