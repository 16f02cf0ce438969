//! The CPU interface: its registers (IHI 0048B, 4.4), priorities and preemption (3.3).

use super::interrupts::{Candidate, bit, place};
use super::{Architecture, Config, Gic, View};
use crate::access::{Access, Refusal, Width};

/// No interrupt to acknowledge.
const SPURIOUS: u32 = 1023;
/// The interrupt to acknowledge is of Group 1, and this read is of Group 0.
const OTHER_GROUP: u32 = 1022;
/// The running priority while no interrupt is active.
const IDLE: u16 = 0x100;

/// Bits of GICC_CTLR, as Secure software sees them.
mod ctlr {
    pub(super) const ENABLE_GRP0: u32 = 1 << 0;
    pub(super) const ENABLE_GRP1: u32 = 1 << 1;
    pub(super) const ACK_CTL: u32 = 1 << 2;
    pub(super) const FIQ_EN: u32 = 1 << 3;
    pub(super) const CBPR: u32 = 1 << 4;
    pub(super) const FIQ_BYP_DIS_GRP1: u32 = 1 << 7;
    pub(super) const IRQ_BYP_DIS_GRP1: u32 = 1 << 8;
    pub(super) const EOI_MODE_S: u32 = 1 << 9;
    pub(super) const EOI_MODE_NS: u32 = 1 << 10;
    /// The Non-secure copy: its bit, and where that bit is for Secure software.
    pub(super) const NON_SECURE: [(u32, u32); 4] = [
        (1 << 0, ENABLE_GRP1),
        (1 << 5, FIQ_BYP_DIS_GRP1),
        (1 << 6, IRQ_BYP_DIS_GRP1),
        (1 << 9, EOI_MODE_NS),
    ];
}

/// A register, and for an array which word of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    Ctlr,
    Pmr,
    Bpr,
    Iar,
    Eoir,
    Rpr,
    Hppir,
    Abpr,
    Aiar,
    Aeoir,
    Ahppir,
    Apr(u32),
    Nsapr(u32),
    Iidr,
    Dir,
    /// Reads as zero, ignores writes.
    Reserved,
}

impl Register {
    fn at(access: Access, architecture: Architecture) -> Result<Self, Refusal> {
        let v2 = architecture == Architecture::V2;
        let register = match access.offset {
            0x00..=0x03 => Self::Ctlr,
            0x04..=0x07 => Self::Pmr,
            0x08..=0x0b => Self::Bpr,
            0x0c..=0x0f => Self::Iar,
            0x10..=0x13 => Self::Eoir,
            0x14..=0x17 => Self::Rpr,
            0x18..=0x1b => Self::Hppir,
            0x1c..=0x1f => Self::Abpr,
            0x20..=0x23 if v2 => Self::Aiar,
            0x24..=0x27 if v2 => Self::Aeoir,
            0x28..=0x2b if v2 => Self::Ahppir,
            0xd0..=0xdf if v2 => Self::Apr((access.offset as u32 & 0xf) / 4),
            0xe0..=0xef if v2 => Self::Nsapr((access.offset as u32 & 0xf) / 4),
            0xfc..=0xff => Self::Iidr,
            0x1000..=0x1003 if v2 => Self::Dir,
            0x2000.. => return Err(Refusal::NoRegister),
            _ => Self::Reserved,
        };
        if access.width == Width::Word && access.offset.is_multiple_of(4) {
            Ok(register)
        } else {
            Err(Refusal::Width)
        }
    }
}

/// The state of one CPU's interface.
#[derive(Clone, Copy)]
pub(super) struct CpuInterface {
    /// GICC_CTLR, as Secure software sees it.
    pub(super) ctlr: u32,
    pub(super) pmr: u8,
    /// GICC_BPR of Group 0, then of Group 1 (GICC_ABPR).
    pub(super) bpr: [u8; 2],
    /// Active group priorities, one bit each, of Group 0 and Group 1: GICC_APRn, GICC_NSAPRn.
    pub(super) active: [u128; 2],
    /// The highest pending interrupt that the distributor forwards.
    pub(super) highest: Option<Candidate>,
}

impl CpuInterface {
    pub(super) const fn new() -> Self {
        Self {
            ctlr: 0,
            pmr: 0,
            bpr: [0; 2],
            active: [0; 2],
            highest: None,
        }
    }

    pub(super) fn after_reset(config: &Config) -> Self {
        let least = config.group_shift().wrapping_sub(1);
        Self {
            bpr: [least, least.wrapping_add(1)],
            ..Self::new()
        }
    }

    /// Whether Group 0 interrupts are signalled as FIQs.
    pub(super) fn takes_fiq(&self) -> bool {
        self.ctlr & ctlr::FIQ_EN != 0
    }

    fn bpr_of(&self, group1: bool) -> u8 {
        let [group0_point, group1_point] = self.bpr;
        if group1 { group1_point } else { group0_point }
    }

    fn active_of(&mut self, group1: bool) -> &mut u128 {
        let [group0, group1_active] = &mut self.active;
        if group1 { group1_active } else { group0 }
    }

    /// The part of a priority that decides on preemption (IHI 0048B, 3.3.3): Group 1 has its
    /// own Binary Point, one higher for the same split, unless CBPR says to use the other.
    fn group_priority(&self, of: Candidate) -> u8 {
        let own_point = of.group1 && self.ctlr & ctlr::CBPR == 0;
        let shift = u32::from(self.bpr_of(own_point)).wrapping_add(u32::from(!own_point));
        0xffu8.checked_shl(shift).unwrap_or(0) & of.priority
    }

    /// The highest active group priority.
    fn running(&self, config: &Config) -> u16 {
        let [group0, group1] = self.active;
        match (group0 | group1).trailing_zeros() {
            128 => IDLE,
            level => (level as u16).wrapping_shl(u32::from(config.group_shift())),
        }
    }

    /// The interrupt that this interface signals to its CPU, if any.
    pub(super) fn signalled(&self, config: &Config) -> Option<Candidate> {
        let highest = self.highest?;
        let enable = if highest.group1 {
            ctlr::ENABLE_GRP1
        } else {
            ctlr::ENABLE_GRP0
        };
        let signalled = self.ctlr & enable != 0
            && highest.priority < self.pmr
            && u16::from(self.group_priority(highest)) < self.running(config);
        signalled.then_some(highest)
    }

    fn activate(&mut self, config: &Config, taken: Candidate) {
        let level = self
            .group_priority(taken)
            .wrapping_shr(u32::from(config.group_shift()));
        *self.active_of(taken.group1) |= 1u128.wrapping_shl(u32::from(level));
    }

    /// The priority drop: the highest active priority of a group is left.
    fn drop_priority(&mut self, group1: bool) {
        let active = self.active_of(group1);
        *active &= active.wrapping_sub(1);
    }
}

impl Gic {
    /// The bits of GICC_CTLR that this implementation has.
    pub(super) fn ctlr_bits(&self) -> u32 {
        match (self.config.architecture, self.config.security) {
            (Architecture::V1, false) => 0x1,
            (Architecture::V1, true) => 0x1f,
            (Architecture::V2, false) => 0x3ff,
            (Architecture::V2, true) => 0x7ff,
        }
    }

    pub(super) fn read_cpu_interface(
        &mut self,
        cpu: usize,
        access: Access,
    ) -> Result<u32, Refusal> {
        let register = Register::at(access, self.config.architecture)?;
        let view = self.view(access);
        let full = view == View::Full;
        let Some(interface) = self.interfaces.get(cpu) else {
            return Err(Refusal::Forbidden);
        };
        Ok(match register {
            Register::Iar => self.acknowledge(cpu, |signalled, ack_ctl| match signalled.group1 {
                false if full => Ok(()),
                false => Err(SPURIOUS),
                true if full && !ack_ctl => Err(OTHER_GROUP),
                true => Ok(()),
            }),
            Register::Aiar if full => self.acknowledge(cpu, |signalled, _| {
                if signalled.group1 {
                    Ok(())
                } else {
                    Err(SPURIOUS)
                }
            }),
            Register::Ctlr if full => interface.ctlr,
            Register::Ctlr => ctlr::NON_SECURE.iter().fold(0, |seen, (own, secure)| {
                if interface.ctlr & secure != 0 {
                    seen | own
                } else {
                    seen
                }
            }),
            Register::Pmr => u32::from(seen(view, interface.pmr)),
            Register::Bpr if full => u32::from(interface.bpr_of(false)),
            Register::Bpr if interface.ctlr & ctlr::CBPR != 0 => {
                u32::from(interface.bpr_of(false).wrapping_add(1).min(7))
            }
            Register::Bpr => u32::from(interface.bpr_of(true)),
            Register::Abpr if full && self.has_groups() => u32::from(interface.bpr_of(true)),
            Register::Rpr => match u8::try_from(interface.running(&self.config)) {
                Ok(priority) => u32::from(seen(view, priority)),
                Err(_) => 0xff,
            },
            Register::Hppir => match interface.highest {
                Some(h) if !h.group1 && full => self.id_with_source(cpu, h.id),
                Some(h) if h.group1 && full && interface.ctlr & ctlr::ACK_CTL == 0 => OTHER_GROUP,
                Some(h) if h.group1 => self.id_with_source(cpu, h.id),
                _ => SPURIOUS,
            },
            Register::Ahppir if full => match interface.highest {
                Some(h) if h.group1 => self.id_with_source(cpu, h.id),
                _ => SPURIOUS,
            },
            Register::Apr(n) => {
                let [group0, group1] = interface.active;
                let seen = if full {
                    group0
                } else {
                    group1.wrapping_shr(self.levels() / 2)
                };
                seen.wrapping_shr(n.wrapping_mul(32)) as u32
            }
            Register::Nsapr(n) if full => {
                let [_, group1] = interface.active;
                group1.wrapping_shr(n.wrapping_mul(32)) as u32
            }
            Register::Iidr => self.config.gicc_iidr,
            Register::Eoir
            | Register::Abpr
            | Register::Aiar
            | Register::Aeoir
            | Register::Ahppir
            | Register::Nsapr(_)
            | Register::Dir
            | Register::Reserved => 0,
        })
    }

    pub(super) fn write_cpu_interface(
        &mut self,
        cpu: usize,
        access: Access,
        value: u32,
    ) -> Result<(), Refusal> {
        let register = Register::at(access, self.config.architecture)?;
        let view = self.view(access);
        let full = view == View::Full;
        let bits = self.ctlr_bits();
        let has_groups = self.has_groups();
        let (mask, least) = (self.config.priority_mask(), self.config.group_shift());
        let levels = self.levels();
        let Some(interface) = self.interfaces.get_mut(cpu) else {
            return Err(Refusal::Forbidden);
        };
        let split = ctlr::EOI_MODE_S;
        let split = interface.ctlr & if full { split } else { ctlr::EOI_MODE_NS } != 0;
        let [point0, point1] = &mut interface.bpr;
        let [active0, active1] = &mut interface.active;
        match register {
            Register::Eoir => self.end(cpu, view, value, split),
            Register::Aeoir if full => self.end(cpu, View::NonSecure, value, split),
            Register::Dir if split => self.deactivate(cpu, view, value),
            Register::Ctlr if full => interface.ctlr = value & bits,
            Register::Ctlr => {
                for (own, secure) in ctlr::NON_SECURE {
                    let set = if value & own == 0 { 0 } else { secure & bits };
                    interface.ctlr = interface.ctlr & !secure | set;
                }
            }
            Register::Pmr if full => interface.pmr = value as u8 & mask,
            // Non-secure software changes the mask only while it is in its half of the
            // range (IHI 0048B, 4.4.2).
            Register::Pmr if interface.pmr & 0x80 != 0 => {
                interface.pmr = (0x80 | (value as u8 >> 1)) & mask;
            }
            Register::Bpr if full => *point0 = (value as u8 & 7).max(least.wrapping_sub(1)),
            Register::Bpr if interface.ctlr & ctlr::CBPR == 0 => {
                *point1 = (value as u8 & 7).max(least);
            }
            Register::Abpr if full && has_groups => *point1 = (value as u8 & 7).max(least),
            Register::Apr(n) if full => put_word(active0, n, value, levels),
            Register::Apr(n) => {
                let mut seen = active1.wrapping_shr(levels / 2);
                put_word(&mut seen, n, value, levels / 2);
                let lower = 1u128.wrapping_shl(levels / 2).wrapping_sub(1);
                *active1 = *active1 & lower | seen.wrapping_shl(levels / 2);
            }
            Register::Nsapr(n) if full => put_word(active1, n, value, levels),
            Register::Pmr
            | Register::Bpr
            | Register::Iar
            | Register::Rpr
            | Register::Hppir
            | Register::Abpr
            | Register::Aiar
            | Register::Aeoir
            | Register::Ahppir
            | Register::Nsapr(_)
            | Register::Iidr
            | Register::Dir
            | Register::Reserved => {}
        }
        self.drive(cpu);
        Ok(())
    }

    /// The number of group priorities.
    fn levels(&self) -> u32 {
        256u32.wrapping_shr(u32::from(self.config.group_shift()))
    }

    /// An interrupt ID, with the lowest CPU that sent it if it is a pending SGI.
    fn id_with_source(&self, cpu: usize, id: u16) -> u32 {
        if id >= 16 {
            return u32::from(id);
        }
        let from = self.interrupts.sources(cpu, usize::from(id));
        u32::from(id) | ((from.trailing_zeros() & 7) << 10)
    }

    /// A read of GICC_IAR or GICC_AIAR; `allows` decides whether this read may take it.
    fn acknowledge(
        &mut self,
        cpu: usize,
        allows: impl Fn(Candidate, bool) -> Result<(), u32>,
    ) -> u32 {
        let Some(interface) = self.interfaces.get_mut(cpu) else {
            return SPURIOUS;
        };
        let Some(taken) = interface.signalled(&self.config) else {
            return SPURIOUS;
        };
        if let Err(special) = allows(taken, interface.ctlr & ctlr::ACK_CTL != 0) {
            return special;
        }
        interface.activate(&self.config, taken);
        let answer = self.id_with_source(cpu, taken.id);
        let id = usize::from(taken.id);
        let at = place(cpu, id / 32);
        let flag = bit((id % 32) as u32);
        self.interrupts.active.insert(at, flag);
        if id < 16 {
            let left = self.interrupts.sources(cpu, id);
            self.interrupts
                .set_sources(cpu, id, left & left.wrapping_sub(1));
        } else {
            self.interrupts.latched.remove(at, flag);
        }
        self.interrupts.settle(at);
        self.reconsider(at);
        answer
    }

    /// The group of an interrupt on this CPU, if there is such an interrupt.
    fn group_of(&self, cpu: usize, id: usize) -> Option<bool> {
        let flag = bit((id % 32) as u32);
        let exists = self.config.implemented(id / 32) & flag != 0;
        exists.then(|| self.interrupts.group.get(place(cpu, id / 32)) & flag != 0)
    }

    /// A write to GICC_EOIR or GICC_AEOIR. With `split` it is the priority drop alone.
    fn end(&mut self, cpu: usize, view: View, value: u32, split: bool) {
        let id = (value & 0x3ff) as usize;
        match self.group_of(cpu, id) {
            None => return,
            // Group 0 is not for Non-secure software, nor for the aliased register.
            Some(false) if view == View::NonSecure => return,
            Some(group1) => {
                if let Some(interface) = self.interfaces.get_mut(cpu) {
                    interface.drop_priority(group1);
                }
            }
        }
        if !split {
            let at = place(cpu, id / 32);
            self.interrupts.active.remove(at, bit((id % 32) as u32));
            self.changed(at);
        }
    }

    /// A write to GICC_DIR.
    fn deactivate(&mut self, cpu: usize, view: View, value: u32) {
        let id = (value & 0x3ff) as usize;
        match self.group_of(cpu, id) {
            None => return,
            Some(false) if view == View::NonSecure => return,
            Some(_) => {}
        }
        let at = place(cpu, id / 32);
        self.interrupts.active.remove(at, bit((id % 32) as u32));
        self.changed(at);
    }
}

/// A priority register as a view shows it: Non-secure software sees the lower half of
/// the priorities as the whole range, and 0 for what is above.
fn seen(view: View, priority: u8) -> u8 {
    match view {
        View::Full => priority,
        View::NonSecure if priority & 0x80 == 0 => 0,
        View::NonSecure => priority << 1,
    }
}

/// Sets word `n` of a set of `levels` active priorities.
fn put_word(set: &mut u128, n: u32, word: u32, levels: u32) {
    let shift = n.wrapping_mul(32);
    let kept = *set & !u128::from(u32::MAX).wrapping_shl(shift);
    let all = if levels >= 128 {
        !0
    } else {
        1u128.wrapping_shl(levels).wrapping_sub(1)
    };
    *set = (kept | u128::from(word).wrapping_shl(shift)) & all;
}
