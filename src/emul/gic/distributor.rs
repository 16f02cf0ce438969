//! The distributor's registers (IHI 0048B, 4.3).

use super::interrupts::{SGIS, bit, place};
use super::{Architecture, Gic, View};
use crate::access::{Access, Refusal, Width};

/// A register, and for an array which word of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    Ctlr,
    Typer,
    Iidr,
    Igroupr(usize),
    Isenabler(usize),
    Icenabler(usize),
    Ispendr(usize),
    Icpendr(usize),
    Isactiver(usize),
    Icactiver(usize),
    /// By byte: the interrupt ID.
    Ipriorityr(usize),
    /// By byte: the interrupt ID.
    Itargetsr(usize),
    Icfgr(usize),
    /// GICD_PPISR is word 0, GICD_SPISRn are the others.
    Status(usize),
    Sgir,
    /// By byte: the SGI's ID.
    Cpendsgir(usize),
    /// By byte: the SGI's ID.
    Spendsgir(usize),
    Identification(usize),
    /// Reads as zero, ignores writes.
    Reserved,
}

impl Register {
    /// The register at `offset`, and a refusal for an access that it does not take: words
    /// everywhere, and bytes where the architecture says "byte-accessible".
    pub(super) fn at(access: Access) -> Result<Self, Refusal> {
        let offset = usize::try_from(access.offset).map_err(|_| Refusal::NoRegister)?;
        let word = |from: usize| offset.wrapping_sub(from) / 4;
        let byte = |from: usize| offset.wrapping_sub(from);
        let register = match offset {
            0x000..=0x003 => Self::Ctlr,
            0x004..=0x007 => Self::Typer,
            0x008..=0x00b => Self::Iidr,
            0x080..=0x0ff => Self::Igroupr(word(0x080)),
            0x100..=0x17f => Self::Isenabler(word(0x100)),
            0x180..=0x1ff => Self::Icenabler(word(0x180)),
            0x200..=0x27f => Self::Ispendr(word(0x200)),
            0x280..=0x2ff => Self::Icpendr(word(0x280)),
            0x300..=0x37f => Self::Isactiver(word(0x300)),
            0x380..=0x3ff => Self::Icactiver(word(0x380)),
            0x400..=0x7fb => Self::Ipriorityr(byte(0x400)),
            0x800..=0xbfb => Self::Itargetsr(byte(0x800)),
            0xc00..=0xcff => Self::Icfgr(word(0xc00)),
            0xd00..=0xd7f => Self::Status(word(0xd00)),
            0xf00..=0xf03 => Self::Sgir,
            0xf10..=0xf1f => Self::Cpendsgir(byte(0xf10)),
            0xf20..=0xf2f => Self::Spendsgir(byte(0xf20)),
            0xfd0..=0xfff => Self::Identification(word(0xfd0)),
            0x1000.. => return Err(Refusal::NoRegister),
            _ => Self::Reserved,
        };
        let takes_bytes = matches!(
            register,
            Self::Ipriorityr(_) | Self::Itargetsr(_) | Self::Cpendsgir(_) | Self::Spendsgir(_)
        );
        match access.width {
            Width::Word if offset.is_multiple_of(4) => Ok(register),
            Width::Byte if takes_bytes => Ok(register),
            _ => Err(Refusal::Width),
        }
    }
}

/// The byte lanes of an access of 1 or 4 bytes to a byte-accessible array.
fn lanes(access: Access) -> core::ops::Range<usize> {
    0..access.width.bytes() as usize
}

/// Every second bit of `word`, from bit `from` on, as 16 bits; and the inverse.
pub(in crate::emul) fn odd_bits(word: u32) -> u32 {
    (0..16).fold(0, |out, n: u32| {
        let set = word & bit(n.wrapping_mul(2).wrapping_add(1)) != 0;
        if set { out | bit(n) } else { out }
    })
}

pub(in crate::emul) fn spread_to_odd(half: u32) -> u32 {
    (0..16).fold(0, |out, n: u32| {
        let set = half & bit(n) != 0;
        if set {
            out | bit(n.wrapping_mul(2).wrapping_add(1))
        } else {
            out
        }
    })
}

impl Gic {
    /// The edge-triggered interrupts of word 0: all SGIs, and PPIs as built.
    pub(super) fn fixed_edges(&self) -> u32 {
        SGIS | odd_bits(self.config.icfgr1).wrapping_shl(16)
    }

    /// The interrupts of word `n` that this view may see and change.
    fn visible(&self, at: usize, n: usize, view: View) -> u32 {
        let group = if view == View::Full {
            !0
        } else {
            self.interrupts.group.get(at)
        };
        self.config.implemented(n) & group
    }

    pub(super) fn read_distributor(&self, cpu: usize, access: Access) -> Result<u32, Refusal> {
        let view = self.view(access);
        let v2 = self.config.architecture == Architecture::V2;
        Ok(match Register::at(access)? {
            Register::Ctlr => match view {
                View::Full => {
                    u32::from(self.group0_forwarded) | (u32::from(self.group1_forwarded) << 1)
                }
                View::NonSecure => u32::from(self.group1_forwarded),
            },
            Register::Typer => self.typer(),
            Register::Iidr => self.config.gicd_iidr,
            Register::Igroupr(n) => match view {
                View::Full => self.interrupts.group.get(place(cpu, n)),
                View::NonSecure => 0,
            },
            Register::Isenabler(n) | Register::Icenabler(n) => {
                let at = place(cpu, n);
                self.interrupts.enabled.get(at) & self.visible(at, n, view)
            }
            Register::Ispendr(n) | Register::Icpendr(n) => {
                let at = place(cpu, n);
                self.interrupts.pending(at) & self.visible(at, n, view)
            }
            Register::Icactiver(_) if !v2 => 0,
            Register::Isactiver(n) | Register::Icactiver(n) => {
                let at = place(cpu, n);
                self.interrupts.active.get(at) & self.visible(at, n, view)
            }
            Register::Ipriorityr(id) => self.gather(access, |gic, lane| {
                gic.priority_seen(cpu, id.wrapping_add(lane), view)
            }),
            Register::Itargetsr(id) => self.gather(access, |gic, lane| {
                gic.targets_seen(cpu, id.wrapping_add(lane), view)
            }),
            Register::Icfgr(n) => self.configuration_seen(cpu, n, view),
            Register::Status(n) => {
                let at = place(cpu, n);
                let seen = self.interrupts.level.get(at) & self.visible(at, n, view);
                if n == 0 { seen >> 16 } else { seen }
            }
            Register::Sgir | Register::Reserved => 0,
            Register::Cpendsgir(id) | Register::Spendsgir(id) => self
                .gather(access, |gic, lane| {
                    gic.sources_seen(cpu, id.wrapping_add(lane), view)
                }),
            Register::Identification(n) => self
                .config
                .identification
                .get(n)
                .copied()
                .map_or(0, u32::from),
        })
    }

    pub(super) fn write_distributor(
        &mut self,
        cpu: usize,
        access: Access,
        value: u32,
    ) -> Result<(), Refusal> {
        let view = self.view(access);
        let v2 = self.config.architecture == Architecture::V2;
        match Register::at(access)? {
            Register::Ctlr => self.write_ctlr(view, value),
            Register::Igroupr(n) if view == View::Full && self.has_groups() => {
                let at = place(cpu, n);
                self.interrupts
                    .group
                    .set(at, value & self.config.implemented(n));
                self.reconsider(at);
            }
            Register::Isenabler(n) => {
                let at = place(cpu, n);
                self.interrupts
                    .enabled
                    .insert(at, value & self.visible(at, n, view));
                self.changed(at);
            }
            Register::Icenabler(n) => {
                let at = place(cpu, n);
                let kept = if n == 0 { SGIS } else { 0 };
                self.interrupts
                    .enabled
                    .remove(at, value & self.visible(at, n, view) & !kept);
                self.changed(at);
            }
            // An SGI becomes pending by GICD_SGIR and GICD_SPENDSGIR only.
            Register::Ispendr(n) => {
                let at = place(cpu, n);
                let kept = if n == 0 { SGIS } else { 0 };
                self.interrupts
                    .latched
                    .insert(at, value & self.visible(at, n, view) & !kept);
                self.changed(at);
            }
            Register::Icpendr(n) => {
                let at = place(cpu, n);
                let kept = if n == 0 { SGIS } else { 0 };
                self.interrupts
                    .latched
                    .remove(at, value & self.visible(at, n, view) & !kept);
                self.changed(at);
            }
            // GICv1 has one read-only set of Active Bit Registers (IHI 0048A, 4.3.8).
            Register::Isactiver(n) if v2 => {
                let at = place(cpu, n);
                self.interrupts
                    .active
                    .insert(at, value & self.visible(at, n, view));
                self.changed(at);
            }
            Register::Icactiver(n) if v2 => {
                let at = place(cpu, n);
                self.interrupts
                    .active
                    .remove(at, value & self.visible(at, n, view));
                self.changed(at);
            }
            Register::Ipriorityr(id) => {
                for lane in lanes(access) {
                    let byte = value.to_le_bytes().get(lane).copied().unwrap_or(0);
                    self.set_priority(cpu, id.wrapping_add(lane), view, byte);
                }
                self.reconsider(place(cpu, id / 32));
            }
            Register::Itargetsr(id) if id >= 32 && self.config.cpus > 1 => {
                for lane in lanes(access) {
                    let byte = value.to_le_bytes().get(lane).copied().unwrap_or(0);
                    self.set_targets(id.wrapping_add(lane), view, byte);
                }
                self.refresh_all();
            }
            // SGIs and PPIs are configured as built.
            Register::Icfgr(n) if n >= 2 => {
                let at = place(cpu, n / 2);
                let shift = if n.is_multiple_of(2) { 0 } else { 16 };
                let half = self.visible(at, n / 2, view) & SGIS.wrapping_shl(shift);
                let edges = odd_bits(value).wrapping_shl(shift) & half;
                self.interrupts.edge.remove(at, half);
                self.interrupts.edge.insert(at, edges);
                self.changed(at);
            }
            Register::Sgir => self.send_sgi(cpu, view, value),
            Register::Cpendsgir(id) if v2 => {
                self.change_sources(cpu, id, view, access, value, |now, byte| now & !byte);
            }
            Register::Spendsgir(id) if v2 => {
                self.change_sources(cpu, id, view, access, value, |now, byte| now | byte);
            }
            Register::Typer
            | Register::Iidr
            | Register::Igroupr(_)
            | Register::Isactiver(_)
            | Register::Icactiver(_)
            | Register::Itargetsr(_)
            | Register::Icfgr(_)
            | Register::Status(_)
            | Register::Cpendsgir(_)
            | Register::Spendsgir(_)
            | Register::Identification(_)
            | Register::Reserved => {}
        }
        Ok(())
    }

    fn typer(&self) -> u32 {
        let lines = (self.config.words() as u32).wrapping_sub(1);
        let cpus = u32::from(self.config.cpus).wrapping_sub(1) << 5;
        let security = u32::from(self.config.security) << 10;
        lines | cpus | security | (u32::from(self.config.lockable_spis) << 11)
    }

    fn write_ctlr(&mut self, view: View, value: u32) {
        match view {
            View::Full => {
                self.group0_forwarded = value & 1 != 0;
                self.group1_forwarded = value & 2 != 0 && self.has_groups();
            }
            View::NonSecure => self.group1_forwarded = value & 1 != 0,
        }
        self.refresh_all();
    }

    /// A word or a byte of a byte-accessible array.
    fn gather(&self, access: Access, byte: impl Fn(&Self, usize) -> u8) -> u32 {
        lanes(access).fold(0, |word, lane| {
            let shift = (lane as u32).wrapping_mul(8);
            word | u32::from(byte(self, lane)).wrapping_shl(shift)
        })
    }

    fn sees(&self, cpu: usize, id: usize, view: View) -> bool {
        self.visible(place(cpu, id / 32), id / 32, view) & bit((id % 32) as u32) != 0
    }

    fn priority_seen(&self, cpu: usize, id: usize, view: View) -> u8 {
        if !self.sees(cpu, id, view) {
            return 0;
        }
        let priority = self.interrupts.priority(place(cpu, id / 32), id % 32);
        // Non-secure software sees its half of the range as the whole (IHI 0048B, 3.8.1).
        if view == View::Full {
            priority
        } else {
            priority << 1
        }
    }

    fn set_priority(&mut self, cpu: usize, id: usize, view: View, value: u8) {
        if self.sees(cpu, id, view) {
            let value = if view == View::Full {
                value
            } else {
                0x80 | (value >> 1)
            };
            let value = value & self.config.priority_mask();
            self.interrupts
                .set_priority(place(cpu, id / 32), id % 32, value);
        }
    }

    fn targets_seen(&self, cpu: usize, id: usize, view: View) -> u8 {
        // A uniprocessor implementation has no targets to choose: RAZ/WI (IHI 0048B, 4.3.12).
        if self.config.cpus == 1 || !self.sees(cpu, id, view) {
            return 0;
        }
        if id < 32 {
            return 1u8.wrapping_shl(cpu as u32);
        }
        let flag = bit((id % 32) as u32);
        self.interrupts.targeted.iter().rev().fold(0, |set, to| {
            (set << 1) | u8::from(to.get(place(0, id / 32)) & flag != 0)
        })
    }

    fn set_targets(&mut self, id: usize, view: View, value: u8) {
        if !self.sees(0, id, view) {
            return;
        }
        let flag = bit((id % 32) as u32);
        let at = place(0, id / 32);
        let cpus = usize::from(self.config.cpus);
        for (cpu, to) in self.interrupts.targeted.iter_mut().take(cpus).enumerate() {
            if value & 1u8.wrapping_shl(cpu as u32) == 0 {
                to.remove(at, flag);
            } else {
                to.insert(at, flag);
            }
        }
    }

    fn configuration_seen(&self, cpu: usize, n: usize, view: View) -> u32 {
        let at = place(cpu, n / 2);
        let shift = if n.is_multiple_of(2) { 0 } else { 16 };
        let visible = self.visible(at, n / 2, view).wrapping_shr(shift) & SGIS;
        let edges = self.interrupts.edge.get(at).wrapping_shr(shift);
        let fields = spread_to_odd(visible) | (spread_to_odd(visible) >> 1);
        let model = match n {
            0 => 0,
            1 => self.config.icfgr1,
            _ => self.config.icfgr_model,
        };
        (spread_to_odd(edges) | (model & 0x5555_5555)) & fields
    }

    fn sources_seen(&self, cpu: usize, id: usize, view: View) -> u8 {
        let there = self.config.architecture == Architecture::V2 && self.sees(cpu, id, view);
        if there {
            self.interrupts.sources(cpu, id)
        } else {
            0
        }
    }

    fn change_sources(
        &mut self,
        cpu: usize,
        id: usize,
        view: View,
        access: Access,
        value: u32,
        change: impl Fn(u8, u8) -> u8,
    ) {
        let exists = 0xffu8.wrapping_shr(8u32.wrapping_sub(u32::from(self.config.cpus)));
        for lane in lanes(access) {
            let byte = value.to_le_bytes().get(lane).copied().unwrap_or(0) & exists;
            let id = id.wrapping_add(lane);
            if self.sees(cpu, id, view) {
                let now = self.interrupts.sources(cpu, id);
                self.interrupts.set_sources(cpu, id, change(now, byte));
            }
        }
        self.changed(cpu);
    }

    /// A write to GICD_SGIR (IHI 0048B, 4.3.15).
    fn send_sgi(&mut self, cpu: usize, view: View, value: u32) {
        let own = 1u32.wrapping_shl(cpu as u32);
        let listed = match (value >> 24) & 3 {
            0 => (value >> 16) & 0xff,
            1 => !own,
            2 => own,
            _ => 0,
        };
        let id = (value & 0xf) as usize;
        let nsatt = value & 0x8000 != 0;
        for target in self.cpus() {
            if listed & bit(target as u32) == 0 {
                continue;
            }
            let group1 = self.interrupts.group.get(target) & bit(id as u32) != 0;
            let forwarded = match view {
                // Non-secure software reaches Group 1 only; Secure software says which.
                View::NonSecure => group1,
                View::Full => !self.config.security || group1 == nsatt,
            };
            if forwarded {
                let from = self.interrupts.sources(target, id) | own as u8;
                self.interrupts.set_sources(target, id, from);
                self.changed(target);
            }
        }
    }
}
