//! The Generic Interrupt Controller, version 3.
//!
//! ARM IHI 0069H; what the CPU interface of a core adds, DDI 0488 chapter 9 (Cortex-A57); the
//! identification is that of a GIC-500 (DDI 0516).
//!
//! `compatible`: `arm,gic-v3`.
//!
//! Region 0 is the distributor, regions 1 and on hold the redistributors, two frames of 64 KiB
//! (`RD_base`, `SGI_base`) a CPU. The CPU interface is system registers: region
//! [`SYSTEM_REGISTERS`].
//!
//! Input lines, as a GICv2's: an SPI has its interrupt ID (32 to 1019); PPI p (16 to 31) of CPU c
//! is 1024 + 16 c + (p - 16). A level is true when the interrupt is asserted. Output lines: 2 c is
//! IRQ of CPU c, 2 c + 1 is FIQ, true when asserted.
//!
//! [`Access::security`] selects the view of the memory-mapped registers, where there are two
//! Security states. With one (`GICD_CTLR.DS` reads as one) Group 0 is FIQ and Group 1 is IRQ.
//! With two, the CPUs are taken to be in Secure state, at EL1, for good: their system registers
//! are the Secure copies, Group 0 is FIQ, Secure Group 1 is IRQ; Non-secure Group 1, whose enable
//! is in Non-secure hands, is never signalled.
//!
//! Known deviations and choices where the architecture leaves one:
//!
//! - Affinity routing and the system registers are always on: `GICD_CTLR.ARE*`,
//!   `ICC_SRE_EL1.SRE`, `DFB` and `DIB` read as one and ignore writes (2.1, 12.9.4). What exists
//!   for legacy operation only (`GICD_SGIR`, `GICD_ITARGETSR` and so on) is reserved.
//! - With two Security states `GICD_CTLR.DS` reads as zero and ignores writes.
//! - No LPIs and no ITS (`GICD_TYPER.LPIS`, `GICR_TYPER.PLPIS` are 0), no message-based SPIs
//!   (`MBIS` is 0), no extended SPIs or PPIs, no range selector (`RSS` is 0), no `GICD_NSACR` and
//!   `GICR_NSACR`, no `GICR_CTLR.DPG*`, no `GICD_STATUSR`: reserved. `GICD_CTLR.E1NWF` is 0.
//! - A reserved register reads as zero and ignores writes; an access of a width that a register
//!   does not take is refused.
//! - Writes have their effect at once: `RWP` and `UWP` are 0, `ChildrenAsleep` follows
//!   `ProcessorSleep`. While asleep a CPU gets no interrupt.
//! - Among pending interrupts of one priority the lowest ID goes first. Only groups that both
//!   the distributor and the CPU interface enable are candidates.
//! - A 1 of N interrupt goes to the lowest-numbered CPU that is awake and has its group enabled,
//!   whatever that CPU's priorities are.
//! - `EOIR` of another group than that of the highest active priority is ignored; `DIR` without
//!   split end too. Both act on the interrupt that they name, also out of order. The architecture
//!   calls these unpredictable.
//! - `ICC_PMR_EL1` and the priorities have the same implemented bits.
//! - The registers of EL3 (`ICC_CTLR_EL3`, `ICC_MCTLR` and so on) are not there.
//! - A reset leaves the input levels: they are what the wires say.

mod blocks;
mod cpu_interface;
mod description;
mod interrupts;
mod saved;
#[cfg(test)]
mod tests;

use super::gic::MAX_CPUS;
use super::gic::interrupts::{PLACES, bit, place};
use super::state::{Reader, Writer};
use super::{Cx, Device, Line, Lines, Reset};
use crate::access::{Access, Refusal, SYSTEM_REGISTERS, Security};
use crate::units::Instant;
use cpu_interface::CpuInterface;
pub use description::DESCRIPTION;
use interrupts::{Group, Groups, Interrupts};

/// What is configured when a controller is built into a SoC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// CPUs, 1 to 8.
    pub cpus: u8,
    /// Aff3, Aff2, Aff1 and Aff0 of each, a byte each.
    pub affinities: [u32; MAX_CPUS],
    /// Interrupt IDs, SGIs and PPIs among them: a multiple of 32, or 1020.
    pub interrupts: u16,
    /// Two Security states.
    pub security: bool,
    /// Implemented bits of a priority: 4 to 8, or 5 to 8 with two Security states.
    pub priority_bits: u8,
    /// For how many redistributors each region from 1 on has room.
    pub redistributors: [u8; MAX_CPUS],
    /// Bytes from one redistributor to the next.
    pub stride: u64,
}

/// The two frames of a redistributor.
pub const REDISTRIBUTOR_BYTES: u64 = 0x2_0000;

impl Config {
    /// A controller whose redistributors are one behind the other in region 1; five bits of
    /// priority, as a Cortex-A57's CPU interface has.
    pub fn new(affinities: &[u32], interrupts: u16, security: bool) -> Self {
        let mut all = [0; MAX_CPUS];
        for (at, affinity) in all.iter_mut().zip(affinities) {
            *at = *affinity;
        }
        Self {
            cpus: affinities.len().clamp(1, MAX_CPUS) as u8,
            affinities: all,
            interrupts: interrupts.clamp(32, 1020),
            security,
            priority_bits: 5,
            redistributors: [MAX_CPUS as u8; MAX_CPUS],
            stride: REDISTRIBUTOR_BYTES,
        }
    }

    /// The nearest configuration that the architecture has.
    fn clamped(self) -> Self {
        let least_bits = if self.security { 5 } else { 4 };
        Self {
            cpus: self.cpus.clamp(1, MAX_CPUS as u8),
            interrupts: self.interrupts.clamp(32, 1020),
            priority_bits: self.priority_bits.clamp(least_bits, 8),
            stride: self.stride.max(REDISTRIBUTOR_BYTES),
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

    /// Whether there is an interrupt of this number.
    fn has(&self, id: usize) -> bool {
        self.implemented(id / 32) & bit((id % 32) as u32) != 0
    }

    /// The implemented bits of a priority.
    fn priority_mask(&self) -> u8 {
        0xffu8.wrapping_shl(8u32.wrapping_sub(u32::from(self.priority_bits)))
    }

    /// The position of the lowest bit of the finest group priority; bit 0 never belongs to one.
    fn group_shift(&self) -> u8 {
        8u8.wrapping_sub(self.priority_bits.min(7))
    }

    /// The group of the CPUs' own Group 1 registers.
    const fn group1(&self) -> Group {
        if self.security {
            Group::SecureOne
        } else {
            Group::One
        }
    }

    /// The CPU whose redistributor is at `offset` of `region`, and the offset in its frames.
    fn redistributor(&self, region: u8, offset: u64) -> Option<(usize, u64)> {
        let before = usize::from(region.checked_sub(1)?);
        let room = u64::from(*self.redistributors.get(before)?);
        let within = offset.checked_div(self.stride)?;
        let first: u64 = self
            .redistributors
            .iter()
            .take(before)
            .map(|n| u64::from(*n))
            .sum();
        let cpu = first.checked_add(within)?;
        let there = within < room && cpu < u64::from(self.cpus);
        there.then_some((cpu as usize, offset.checked_rem(self.stride)?))
    }

    /// `GICR_TYPER.Last`: no redistributor follows in the same region.
    fn is_last(&self, cpu: usize) -> bool {
        let mut end = 0usize;
        let ends = |n: &u8| {
            end = end.saturating_add(usize::from(*n));
            end == cpu.wrapping_add(1)
        };
        cpu.wrapping_add(1) == usize::from(self.cpus) || self.redistributors.iter().any(ends)
    }
}

/// Which copy of a register an access reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// Secure, or any access to a controller with one Security state.
    Full,
    /// Non-secure.
    NonSecure,
}

/// A GICv3.
pub struct GicV3 {
    config: Config,
    /// The groups that `GICD_CTLR` enables.
    forwarded: Groups,
    interrupts: Interrupts,
    interfaces: [CpuInterface; MAX_CPUS],
    lines: Lines,
}

impl GicV3 {
    /// A controller after a cold reset. A configuration outside of the architecture becomes
    /// the nearest one inside.
    pub fn new(config: Config) -> Self {
        let config = config.clamped();
        let mut gic = Self {
            config,
            forwarded: Groups::NONE,
            interrupts: Interrupts::new(),
            interfaces: [CpuInterface::after_reset(&config); MAX_CPUS],
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

    /// The groups of which a CPU takes interrupts.
    fn accepted(&self, cpu: usize) -> Groups {
        let interface = self.interfaces.get(cpu).filter(|i| !i.asleep);
        interface.map_or(Groups::NONE, |i| i.enabled(&self.config))
    }

    /// Chooses the highest pending interrupt of a CPU again, and drives its lines.
    fn refresh(&mut self, cpu: usize) {
        let own = self.accepted(cpu).and(self.forwarded);
        let before = (0..cpu).fold(Groups::NONE, |all, other| all.or(self.accepted(other)));
        let best = self.interrupts.highest(cpu, own, own.without(before));
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
        let signal = interface.signalled(&self.config).map(|taken| taken.group);
        let fiq = signal == Some(Group::Zero);
        let n = (cpu as u16).wrapping_mul(2);
        self.lines = self
            .lines
            .with(n, signal.is_some() && !fiq)
            .with(n.wrapping_add(1), fiq);
    }
}

impl Device for GicV3 {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        if access.region == SYSTEM_REGISTERS {
            self.read_system_register(access)
        } else {
            self.read_block(access)
        }
    }

    /// The memory-mapped registers: none of them changes by a read.
    fn peek(&self, _: Instant, access: Access) -> Option<u64> {
        self.read_block(access).ok()
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        if access.region == SYSTEM_REGISTERS {
            self.write_system_register(access, value)
        } else {
            self.write_block(access, value)
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
        if cpu >= usize::from(self.config.cpus) || !self.config.has(id) {
            return;
        }
        let at = place(cpu, id / 32);
        self.interrupts.input(at, bit((id % 32) as u32), level);
        self.changed(at);
    }

    fn lines(&self) -> Lines {
        self.lines
    }

    fn reset(&mut self, _: Reset) {
        self.interrupts.reset();
        self.forwarded = Groups::NONE;
        self.interfaces = [CpuInterface::after_reset(&self.config); MAX_CPUS];
        for id in 32..usize::from(self.config.interrupts) {
            self.interrupts.route(&self.config, id, 0);
        }
        for at in 0..PLACES {
            self.interrupts.settle(at);
        }
        self.refresh_all();
    }

    fn save(&self, out: &mut Writer) {
        saved::save(self, out);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        saved::load(self, from).inspect_err(|_| {
            self.interrupts = Interrupts::new();
            self.reset(Reset::Cold);
        })
    }
}
