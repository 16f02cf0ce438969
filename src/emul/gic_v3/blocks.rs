//! The memory-mapped registers: the distributor's (IHI 0069H, 12.9) and the redistributors'
//! (12.11). SGIs and PPIs have in `SGI_base` what SPIs have in the distributor, at the same
//! offsets.

use super::interrupts::{Group, Groups};
use super::{GicV3, REDISTRIBUTOR_BYTES, View};
use crate::access::{Access, Refusal, Width};
use crate::emul::gic::interrupts::{Bits, bit, place};
use crate::emul::gic::{odd_bits, spread_to_odd};

/// A frame.
const FRAME: u64 = 0x1_0000;
/// `GICD_IIDR`, `GICR_IIDR`: Arm.
const IIDR: u64 = 0x0000_043b;
/// From 0xffd0 on: peripheral ID 4 to 7, 0 (below) to 3, component ID. GICv3, JEP106 Arm.
const IDENTIFICATION: [u8; 12] = [0x44, 0, 0, 0, 0, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1];
/// Peripheral ID 0 of the distributor and of a redistributor.
const PART: [u8; 2] = [0x92, 0x93];
/// `GICD_CTLR.DS`, `GICR_WAKER`.
const DS: u64 = 1 << 6;
const PROCESSOR_SLEEP: u64 = 1 << 1;
const CHILDREN_ASLEEP: u64 = 1 << 2;

/// A frame of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Distributor,
    /// `RD_base` of a CPU.
    Redistributor(usize),
    /// `SGI_base` of a CPU.
    Private(usize),
}

/// A register, and for an array which word of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    /// `GICD_CTLR`.
    Ctlr,
    /// `GICD_TYPER`.
    Typer,
    Iidr,
    Igroupr(usize),
    Igrpmodr(usize),
    Isenabler(usize),
    Icenabler(usize),
    Ispendr(usize),
    Icpendr(usize),
    Isactiver(usize),
    Icactiver(usize),
    /// By byte: the interrupt ID.
    Ipriorityr(usize),
    Icfgr(usize),
    /// `GICD_IROUTER` of this SPI.
    Irouter(usize),
    /// `GICR_TYPER`.
    RedistributorTyper(usize),
    /// `GICR_WAKER`.
    Waker(usize),
    /// Of the distributor (0) or a redistributor (1), from 0xffd0 on.
    Identification(usize, usize),
    /// Reads as zero, ignores writes.
    Reserved,
}

impl Register {
    /// The register at `offset` of a frame.
    pub(super) fn at(block: Block, offset: u64) -> Self {
        let word = |from: u64| (offset.wrapping_sub(from) / 4) as usize;
        match (block, offset) {
            (Block::Distributor, 0x0..=0x3) => Self::Ctlr,
            (Block::Distributor, 0x4..=0x7) => Self::Typer,
            (Block::Distributor, 0x8..=0xb) | (Block::Redistributor(_), 0x4..=0x7) => Self::Iidr,
            (Block::Distributor, 0x6100..=0x7fdf) => Self::Irouter((offset as usize & 0x1fff) / 8),
            (Block::Distributor, 0xffd0..) => Self::Identification(0, word(0xffd0)),
            (Block::Redistributor(cpu), 0x8..=0xf) => Self::RedistributorTyper(cpu),
            (Block::Redistributor(cpu), 0x14..=0x17) => Self::Waker(cpu),
            (Block::Redistributor(_), 0xffd0..) => Self::Identification(1, word(0xffd0)),
            (Block::Distributor, _) => {
                // The first word of each array is the redistributors' (affinity routing is on).
                let (register, id) = Self::of_array(offset);
                if id < 32 { Self::Reserved } else { register }
            }
            (Block::Private(_), _) => {
                let (register, id) = Self::of_array(offset);
                if id < 32 { register } else { Self::Reserved }
            }
            (Block::Redistributor(_), _) => Self::Reserved,
        }
    }

    /// The register of an array, and the first interrupt that it is of.
    fn of_array(offset: u64) -> (Self, usize) {
        let word = (offset as usize & 0x7f) / 4;
        let first = word.wrapping_mul(32);
        match offset {
            0x080..=0x0ff => (Self::Igroupr(word), first),
            0x100..=0x17f => (Self::Isenabler(word), first),
            0x180..=0x1ff => (Self::Icenabler(word), first),
            0x200..=0x27f => (Self::Ispendr(word), first),
            0x280..=0x2ff => (Self::Icpendr(word), first),
            0x300..=0x37f => (Self::Isactiver(word), first),
            0x380..=0x3ff => (Self::Icactiver(word), first),
            0x400..=0x7fb => {
                let id = (offset as usize).wrapping_sub(0x400);
                (Self::Ipriorityr(id), id)
            }
            0xc00..=0xcff => {
                let word = (offset as usize & 0xff) / 4;
                (Self::Icfgr(word), word.wrapping_mul(16))
            }
            0xd00..=0xd7f => (Self::Igrpmodr(word), first),
            _ => (Self::Reserved, 0),
        }
    }

    /// Words everywhere; bytes of priorities; doublewords of what has 64 bits (12.1.3).
    fn takes(self, access: Access) -> bool {
        let aligned = access.offset & access.width.bytes().wrapping_sub(1) == 0;
        aligned
            && match access.width {
                Width::Word => true,
                Width::Byte => matches!(self, Self::Ipriorityr(_)),
                Width::Double => matches!(self, Self::Irouter(_) | Self::RedistributorTyper(_)),
                Width::Half => false,
            }
    }
}

/// The half of a 64-bit register that an access reads, or all of it.
fn part(access: Access, whole: u64) -> u64 {
    whole.wrapping_shr((access.offset as u32 & 4).wrapping_mul(8)) & access.width.mask()
}

/// A 64-bit register after a write of a half of it, or of all of it.
fn put_part(access: Access, whole: u64, value: u64) -> u64 {
    let shift = (access.offset as u32 & 4).wrapping_mul(8);
    whole & !access.width.mask().wrapping_shl(shift) | value.wrapping_shl(shift)
}

impl GicV3 {
    /// The frame and the register that an access reaches, and the CPU of a banked word.
    fn find(&self, access: Access) -> Result<(Register, usize), Refusal> {
        let (block, offset) = if access.region == 0 {
            (Block::Distributor, access.offset)
        } else {
            let found = self.config.redistributor(access.region, access.offset);
            match found.ok_or(Refusal::NoRegister)? {
                (cpu, offset @ ..FRAME) => (Block::Redistributor(cpu), offset),
                (cpu, offset @ ..REDISTRIBUTOR_BYTES) => {
                    (Block::Private(cpu), offset.wrapping_sub(FRAME))
                }
                _ => return Err(Refusal::NoRegister),
            }
        };
        if offset >= FRAME {
            return Err(Refusal::NoRegister);
        }
        let register = Register::at(block, offset);
        if !register.takes(access) {
            return Err(Refusal::Width);
        }
        let cpu = match block {
            Block::Private(cpu) => cpu,
            _ => 0,
        };
        Ok((register, cpu))
    }

    /// The interrupts of word `n` that this view may see and change.
    fn visible(&self, at: usize, n: usize, view: View) -> u32 {
        let group = match view {
            View::Full => !0,
            View::NonSecure => self.interrupts.group.get(at),
        };
        self.config.implemented(n) & group
    }

    fn sees(&self, cpu: usize, id: usize, view: View) -> bool {
        self.visible(place(cpu, id / 32), id / 32, view) & bit((id % 32) as u32) != 0
    }

    pub(super) fn read_block(&self, access: Access) -> Result<u64, Refusal> {
        let (register, cpu) = self.find(access)?;
        let view = self.view(access);
        let seen = |bits: &Bits, n: usize| {
            let at = place(cpu, n);
            u64::from(bits.get(at) & self.visible(at, n, view))
        };
        let i = &self.interrupts;
        Ok(match register {
            Register::Ctlr => self.ctlr(view),
            Register::Typer => self.typer(),
            Register::Iidr => IIDR,
            Register::Igroupr(n) if view == View::Full => seen(&i.group, n),
            Register::Igrpmodr(n) if view == View::Full => seen(&i.modifier, n),
            Register::Isenabler(n) | Register::Icenabler(n) => seen(&i.enabled, n),
            Register::Ispendr(n) | Register::Icpendr(n) => {
                let at = place(cpu, n);
                u64::from(i.pending(at) & self.visible(at, n, view))
            }
            Register::Isactiver(n) | Register::Icactiver(n) => seen(&i.active, n),
            Register::Ipriorityr(id) => (0..access.width.bytes() as usize).rev().fold(0, |v, n| {
                v << 8 | u64::from(self.priority_seen(cpu, id.wrapping_add(n), view))
            }),
            Register::Icfgr(n) => {
                let at = place(cpu, n / 2);
                let edges = i.edge.get(at) & self.visible(at, n / 2, view);
                u64::from(spread_to_odd(edges.wrapping_shr(half(n)) & 0xffff))
            }
            Register::Irouter(id) if self.sees(0, id, view) => part(access, i.route_of(id)),
            Register::RedistributorTyper(cpu) => part(access, self.redistributor_typer(cpu)),
            Register::Waker(cpu) if view == View::Full => {
                let asleep = self.interfaces.get(cpu).is_some_and(|i| i.asleep);
                if asleep {
                    PROCESSOR_SLEEP | CHILDREN_ASLEEP
                } else {
                    0
                }
            }
            Register::Identification(of, 4) => PART.get(of).copied().map_or(0, u64::from),
            Register::Identification(_, n) => IDENTIFICATION.get(n).copied().map_or(0, u64::from),
            Register::Igroupr(_)
            | Register::Igrpmodr(_)
            | Register::Irouter(_)
            | Register::Waker(_)
            | Register::Reserved => 0,
        })
    }

    pub(super) fn write_block(&mut self, access: Access, value: u64) -> Result<(), Refusal> {
        let (register, cpu) = self.find(access)?;
        let view = self.view(access);
        let word = value as u32;
        match register {
            Register::Ctlr => self.write_ctlr(view, value),
            Register::Igroupr(n) if view == View::Full => {
                let at = place(cpu, n);
                let groups = word & self.config.implemented(n);
                self.interrupts.group.set(at, groups);
                self.reconsider(at);
            }
            Register::Igrpmodr(n) if view == View::Full && self.config.security => {
                let at = place(cpu, n);
                let modifiers = word & self.config.implemented(n);
                self.interrupts.modifier.set(at, modifiers);
                self.reconsider(at);
            }
            Register::Isenabler(n) => self.change(cpu, n, view, word, |i| &mut i.enabled, true),
            Register::Icenabler(n) => self.change(cpu, n, view, word, |i| &mut i.enabled, false),
            Register::Ispendr(n) => self.change(cpu, n, view, word, |i| &mut i.latched, true),
            Register::Icpendr(n) => self.change(cpu, n, view, word, |i| &mut i.latched, false),
            Register::Isactiver(n) => self.change(cpu, n, view, word, |i| &mut i.active, true),
            Register::Icactiver(n) => self.change(cpu, n, view, word, |i| &mut i.active, false),
            Register::Ipriorityr(id) => {
                for lane in 0..access.width.bytes() as usize {
                    let byte = value.to_le_bytes().get(lane).copied().unwrap_or(0);
                    self.set_priority(cpu, id.wrapping_add(lane), view, byte);
                }
                self.reconsider(place(cpu, id / 32));
            }
            // SGIs are edge-triggered for good.
            Register::Icfgr(n) if n >= 1 => {
                let at = place(cpu, n / 2);
                let own = self.visible(at, n / 2, view) & 0xffffu32.wrapping_shl(half(n));
                let edges = odd_bits(word).wrapping_shl(half(n)) & own;
                self.interrupts.edge.remove(at, own);
                self.interrupts.edge.insert(at, edges);
                self.changed(at);
            }
            Register::Irouter(id) if self.sees(0, id, view) => {
                let route = put_part(access, self.interrupts.route_of(id), value);
                self.interrupts.route(&self.config, id, route);
                self.refresh_all();
            }
            Register::Waker(cpu) if view == View::Full => {
                if let Some(interface) = self.interfaces.get_mut(cpu) {
                    interface.asleep = value & PROCESSOR_SLEEP != 0;
                }
                self.refresh_all();
            }
            Register::Typer
            | Register::Iidr
            | Register::Igroupr(_)
            | Register::Igrpmodr(_)
            | Register::Icfgr(_)
            | Register::Irouter(_)
            | Register::RedistributorTyper(_)
            | Register::Waker(_)
            | Register::Identification(..)
            | Register::Reserved => {}
        }
        Ok(())
    }

    /// Sets or clears bits of a set, where a one was written.
    fn change(
        &mut self,
        cpu: usize,
        n: usize,
        view: View,
        word: u32,
        of: fn(&mut super::Interrupts) -> &mut Bits,
        set: bool,
    ) {
        let at = place(cpu, n);
        let word = word & self.visible(at, n, view);
        let bits = of(&mut self.interrupts);
        if set {
            bits.insert(at, word);
        } else {
            bits.remove(at, word);
        }
        self.changed(at);
    }

    /// `GICD_CTLR` (12.9.4), in each of its three forms.
    fn ctlr(&self, view: View) -> u64 {
        let enabled = u64::from(self.forwarded.0);
        match view {
            // EnableGrp1A is bit 1 there too; ARE_NS is bit 4.
            View::NonSecure => enabled & 2 | 1 << 4,
            View::Full if self.config.security => enabled | 3 << 4,
            View::Full => enabled | 1 << 4 | DS,
        }
    }

    fn write_ctlr(&mut self, view: View, value: u64) {
        let own = match view {
            View::NonSecure => Groups::of(Group::One),
            View::Full if self.config.security => Groups::ALL,
            View::Full => Groups::of(Group::Zero).or(Groups::of(Group::One)),
        };
        // The enables are bits 0 to 2, as a set of groups has them.
        let written = Groups(value as u8).and(own);
        self.forwarded = self.forwarded.without(own).or(written);
        self.refresh_all();
    }

    /// `GICD_TYPER` (12.9.38): A3V, ten bits of interrupt IDs, `SecurityExtn`, `ITLinesNumber`.
    fn typer(&self) -> u64 {
        let lines = (self.config.words() as u64).wrapping_sub(1);
        1 << 24 | 9 << 19 | u64::from(self.config.security) << 10 | lines
    }

    /// `GICR_TYPER` (12.11.35): affinity, `Processor_Number`, `Last`.
    fn redistributor_typer(&self, cpu: usize) -> u64 {
        let affinity = self.config.affinities.get(cpu).copied().unwrap_or(0);
        let last = u64::from(self.config.is_last(cpu));
        u64::from(affinity) << 32 | (cpu as u64) << 8 | last << 4
    }

    fn priority_seen(&self, cpu: usize, id: usize, view: View) -> u8 {
        if !self.sees(cpu, id, view) {
            return 0;
        }
        let priority = self.interrupts.priority(place(cpu, id / 32), id % 32);
        // Non-secure software sees its half of the range as the whole (4.8.1).
        match view {
            View::Full => priority,
            View::NonSecure => priority << 1,
        }
    }

    fn set_priority(&mut self, cpu: usize, id: usize, view: View, value: u8) {
        if self.sees(cpu, id, view) {
            let value = match view {
                View::Full => value,
                View::NonSecure => 0x80 | value >> 1,
            };
            let value = value & self.config.priority_mask();
            self.interrupts
                .set_priority(place(cpu, id / 32), id % 32, value);
        }
    }
}

/// Where in a word of interrupts those of a configuration register begin.
const fn half(n: usize) -> u32 {
    if n.is_multiple_of(2) { 0 } else { 16 }
}
