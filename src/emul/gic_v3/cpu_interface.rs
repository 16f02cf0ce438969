//! The CPU interface: its system registers (IHI 0069H, 12.2), priorities and preemption (4.8).

use super::interrupts::{Candidate, Group, Groups};
use super::{Config, GicV3};
use crate::access::{Access, Refusal, Width, system_register};
use crate::emul::gic::interrupts::{bit, place};

/// No interrupt to acknowledge.
const SPURIOUS: u64 = 1023;
/// The running priority while no interrupt is active.
const IDLE: u16 = 0x100;
/// `ICC_SRE_EL1`: DIB, DFB, SRE.
const SRE: u64 = 7;
/// `ICC_CTLR_EL1`.
const CBPR: u8 = 1 << 0;
const EOI_MODE: u8 = 1 << 1;
/// `ICC_CTLR_EL1.A3V`: Aff3 may be other than zero. `IDbits` is 0: 16 bits of interrupt IDs.
const A3V: u64 = 1 << 15;
const PRI_BITS_SHIFT: u32 = 8;

/// Which of the two sets of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// Of Group 0.
    Zero,
    /// Of the Group 1 of the CPU's own Security state.
    One,
}

/// A system register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    Pmr,
    Iar(Set),
    Eoir(Set),
    Hppir(Set),
    Bpr(Set),
    /// `ICC_AP0Rn_EL1`, `ICC_AP1Rn_EL1`.
    Apr(Set, u32),
    Dir,
    Rpr,
    Sgi1r,
    Asgi1r,
    Sgi0r,
    Ctlr,
    Sre,
    Igrpen(Set),
}

impl Register {
    /// The register of an access, which moves all of its 64 bits.
    pub(super) fn at(access: Access) -> Result<Self, Refusal> {
        if access.width != Width::Double {
            return Err(Refusal::Width);
        }
        Self::named(access.offset).ok_or(Refusal::NoRegister)
    }

    /// The register of this encoding.
    fn named(encoding: u64) -> Option<Self> {
        const PMR: u64 = system_register(3, 0, 4, 6, 0);
        const FIRST: u64 = system_register(3, 0, 12, 8, 0);
        if encoding == PMR {
            return Some(Self::Pmr);
        }
        let (number, odd) = (encoding.checked_sub(FIRST)? / 8, encoding % 8);
        // CRm above 8, op2.
        Some(match (number / 8, number % 8) {
            _ if odd != 0 => return None,
            (0, 0) => Self::Iar(Set::Zero),
            (0, 1) => Self::Eoir(Set::Zero),
            (0, 2) => Self::Hppir(Set::Zero),
            (0, 3) => Self::Bpr(Set::Zero),
            (0, n @ 4..=7) => Self::Apr(Set::Zero, (n & 3) as u32),
            (1, n @ 0..=3) => Self::Apr(Set::One, n as u32),
            (3, 1) => Self::Dir,
            (3, 3) => Self::Rpr,
            (3, 5) => Self::Sgi1r,
            (3, 6) => Self::Asgi1r,
            (3, 7) => Self::Sgi0r,
            (4, 0) => Self::Iar(Set::One),
            (4, 1) => Self::Eoir(Set::One),
            (4, 2) => Self::Hppir(Set::One),
            (4, 3) => Self::Bpr(Set::One),
            (4, 4) => Self::Ctlr,
            (4, 5) => Self::Sre,
            (4, 6) => Self::Igrpen(Set::Zero),
            (4, 7) => Self::Igrpen(Set::One),
            _ => return None,
        })
    }
}

/// The state of one CPU's interface, and of its redistributor's link to it.
#[derive(Clone, Copy)]
pub(super) struct CpuInterface {
    /// `GICR_WAKER.ProcessorSleep`.
    pub(super) asleep: bool,
    /// `ICC_CTLR_EL1.CBPR` and `EOImode`.
    pub(super) ctlr: u8,
    pub(super) pmr: u8,
    /// `ICC_IGRPEN0_EL1`, `ICC_IGRPEN1_EL1`.
    pub(super) enables: [bool; 2],
    /// `ICC_BPR0_EL1`, `ICC_BPR1_EL1`.
    pub(super) bpr: [u8; 2],
    /// Active group priorities, one bit each: `ICC_AP0Rn_EL1`, `ICC_AP1Rn_EL1`.
    pub(super) active: [u128; 2],
    /// The highest pending interrupt that is forwarded.
    pub(super) highest: Option<Candidate>,
}

impl CpuInterface {
    pub(super) fn after_reset(config: &Config) -> Self {
        Self {
            asleep: true,
            ctlr: 0,
            pmr: 0,
            enables: [false; 2],
            bpr: [
                least_point(config, Set::Zero),
                least_point(config, Set::One),
            ],
            active: [0; 2],
            highest: None,
        }
    }

    /// The groups that are enabled here.
    pub(super) fn enabled(&self, config: &Config) -> Groups {
        let [zero, one] = self.enables;
        let of = |on, group| if on { Groups::of(group) } else { Groups::NONE };
        of(zero, Group::Zero).or(of(one, config.group1()))
    }

    fn bpr_of(&self, set: Set) -> u8 {
        let [zero, one] = self.bpr;
        match set {
            Set::Zero => zero,
            Set::One => one,
        }
    }

    fn active_of(&mut self, set: Set) -> &mut u128 {
        let [zero, one] = &mut self.active;
        match set {
            Set::Zero => zero,
            Set::One => one,
        }
    }

    /// The bits of a priority that decide on preemption by a group (4.8.3). With one Security state Group 1's
    /// own Binary Point is one higher for the same split; `CBPR` says to use Group 0's.
    fn group_mask(&self, config: &Config, group: Group) -> u8 {
        let set = match group {
            Group::Zero => Set::Zero,
            _ if self.ctlr & CBPR != 0 => Set::Zero,
            _ => Set::One,
        };
        let higher = set == Set::One && !config.security;
        let shift = u32::from(self.bpr_of(set)).wrapping_add(u32::from(!higher));
        0xffu8.checked_shl(shift).unwrap_or(0)
    }

    /// The highest active group priority.
    fn running(&self, config: &Config) -> u16 {
        let [zero, one] = self.active;
        match (zero | one).trailing_zeros() {
            128 => IDLE,
            level => (level as u16).wrapping_shl(u32::from(config.group_shift())),
        }
    }

    /// Of which set the highest active priority is.
    fn running_set(&self) -> Option<Set> {
        let [zero, one] = self.active.map(u128::trailing_zeros);
        match zero.min(one) {
            128 => None,
            _ if zero <= one => Some(Set::Zero),
            _ => Some(Set::One),
        }
    }

    /// The interrupt that this interface signals to its CPU, if any.
    pub(super) fn signalled(&self, config: &Config) -> Option<Candidate> {
        let highest = self.highest?;
        let mask = self.group_mask(config, highest.group);
        let running = self.running(config);
        let preempts = running == IDLE || highest.priority & mask < running as u8 & mask;
        (highest.priority < self.pmr && preempts).then_some(highest)
    }
}

/// The set of registers that serves a group.
fn set_of(group: Group) -> Set {
    match group {
        Group::Zero => Set::Zero,
        Group::One | Group::SecureOne => Set::One,
    }
}

/// The least value of a Binary Point Register (12.2.5): one more in a Non-secure `ICC_BPR1_EL1`.
pub(super) fn least_point(config: &Config, set: Set) -> u8 {
    let least = config.group_shift().wrapping_sub(1);
    match set {
        Set::One if !config.security => least.wrapping_add(1),
        _ => least,
    }
}

/// The number of group priorities.
fn levels(config: &Config) -> u32 {
    256u32.wrapping_shr(u32::from(config.group_shift()))
}

/// The bits of `ICC_CTLR_EL1` that software changes: with two Security states `CBPR` is EL3's.
pub(super) fn ctlr_bits(config: &Config) -> u8 {
    if config.security {
        EOI_MODE
    } else {
        EOI_MODE | CBPR
    }
}

/// The bits of an active priorities set that exist.
pub(super) fn active_bits(config: &Config) -> u128 {
    match levels(config) {
        128 => u128::MAX,
        levels => 1u128.wrapping_shl(levels).wrapping_sub(1),
    }
}

impl GicV3 {
    pub(super) fn read_system_register(&mut self, access: Access) -> Result<u64, Refusal> {
        let register = Register::at(access)?;
        let cpu = access.initiator.cpu();
        let config = &self.config;
        let interface = self
            .interfaces
            .get(cpu)
            .filter(|_| cpu < usize::from(config.cpus));
        let interface = interface.ok_or(Refusal::Forbidden)?;
        Ok(match register {
            Register::Pmr => u64::from(interface.pmr),
            Register::Iar(set) => match interface.signalled(config) {
                Some(taken) if set_of(taken.group) == set => self.acknowledge(cpu, taken),
                _ => SPURIOUS,
            },
            Register::Hppir(set) => match interface.highest {
                Some(highest) if set_of(highest.group) == set => u64::from(highest.id),
                _ => SPURIOUS,
            },
            // As Group 0's is used for both, the other shows what it would be there (12.2.5).
            Register::Bpr(Set::One) if interface.ctlr & CBPR != 0 => {
                u64::from(interface.bpr_of(Set::Zero).wrapping_add(1).min(7))
            }
            Register::Bpr(set) => u64::from(interface.bpr_of(set)),
            Register::Apr(set, n) if n < levels(config).div_ceil(32) => {
                let [zero, one] = interface.active;
                let active = if set == Set::Zero { zero } else { one };
                u64::from(active.wrapping_shr(n.wrapping_mul(32)) as u32)
            }
            Register::Rpr => u64::from(u8::try_from(interface.running(config)).unwrap_or(0xff)),
            Register::Ctlr => {
                let bits = u64::from(config.priority_bits).wrapping_sub(1);
                A3V | bits << PRI_BITS_SHIFT | u64::from(interface.ctlr)
            }
            Register::Sre => SRE,
            Register::Igrpen(set) => {
                let [zero, one] = interface.enables;
                u64::from(if set == Set::Zero { zero } else { one })
            }
            // Write-only, or of more priorities than there are.
            Register::Apr(..)
            | Register::Eoir(_)
            | Register::Dir
            | Register::Sgi1r
            | Register::Asgi1r
            | Register::Sgi0r => return Err(Refusal::NoRegister),
        })
    }

    pub(super) fn write_system_register(
        &mut self,
        access: Access,
        value: u64,
    ) -> Result<(), Refusal> {
        let register = Register::at(access)?;
        let cpu = access.initiator.cpu();
        let config = self.config;
        let interface = self.interfaces.get_mut(cpu);
        let interface = interface.filter(|_| cpu < usize::from(config.cpus));
        let interface = interface.ok_or(Refusal::Forbidden)?;
        let id = (value & 0xff_ffff) as usize;
        match register {
            Register::Pmr => interface.pmr = value as u8 & config.priority_mask(),
            Register::Eoir(set) => self.end(cpu, set, id),
            Register::Dir if interface.ctlr & EOI_MODE != 0 => self.deactivate(cpu, id),
            Register::Bpr(Set::One) if interface.ctlr & CBPR != 0 => {}
            Register::Bpr(set) => {
                let [zero, one] = &mut interface.bpr;
                let point = if set == Set::Zero { zero } else { one };
                *point = (value as u8 & 7).max(least_point(&config, set));
            }
            Register::Apr(set, n) if n < levels(&config).div_ceil(32) => {
                let shift = n.wrapping_mul(32);
                let active = interface.active_of(set);
                let kept = *active & !u128::from(u32::MAX).wrapping_shl(shift);
                let put = u128::from(value as u32).wrapping_shl(shift);
                *active = (kept | put) & active_bits(&config);
            }
            Register::Ctlr => interface.ctlr = value as u8 & ctlr_bits(&config),
            Register::Igrpen(set) => {
                let [zero, one] = &mut interface.enables;
                *(if set == Set::Zero { zero } else { one }) = value & 1 != 0;
                // What goes to 1 of N may go to another now.
                self.refresh_all();
            }
            Register::Sgi0r | Register::Sgi1r | Register::Asgi1r => {
                self.send_sgi(cpu, register, value);
            }
            Register::Dir | Register::Sre => {}
            Register::Iar(_) | Register::Hppir(_) | Register::Rpr | Register::Apr(..) => {
                return Err(Refusal::NoRegister);
            }
        }
        self.drive(cpu);
        Ok(())
    }

    /// The signalled interrupt is taken.
    fn acknowledge(&mut self, cpu: usize, taken: Candidate) -> u64 {
        if let Some(interface) = self.interfaces.get_mut(cpu) {
            let mask = interface.group_mask(&self.config, taken.group);
            let level = (taken.priority & mask).wrapping_shr(u32::from(self.config.group_shift()));
            *interface.active_of(set_of(taken.group)) |= 1u128.wrapping_shl(u32::from(level));
        }
        let id = usize::from(taken.id);
        let (at, flag) = (place(cpu, id / 32), bit((id % 32) as u32));
        self.interrupts.active.insert(at, flag);
        self.interrupts.latched.remove(at, flag);
        self.interrupts.settle(at);
        self.reconsider(at);
        u64::from(taken.id)
    }

    /// `ICC_EOIR0_EL1` or `ICC_EOIR1_EL1`: the priority drop, and the deactivation, unless that
    /// is `ICC_DIR_EL1`'s.
    fn end(&mut self, cpu: usize, set: Set, id: usize) {
        let Some(interface) = self.interfaces.get_mut(cpu) else {
            return;
        };
        if !self.config.has(id) || interface.running_set() != Some(set) {
            return;
        }
        let active = interface.active_of(set);
        *active &= active.wrapping_sub(1);
        if interface.ctlr & EOI_MODE == 0 {
            self.deactivate(cpu, id);
        }
    }

    fn deactivate(&mut self, cpu: usize, id: usize) {
        if self.config.has(id) {
            let at = place(cpu, id / 32);
            self.interrupts.active.remove(at, bit((id % 32) as u32));
            self.changed(at);
        }
    }

    /// `ICC_SGI0R_EL1`, `ICC_SGI1R_EL1`, `ICC_ASGI1R_EL1`: to the CPUs of one cluster that are
    /// listed, or to all others (12.2.20), as far as the target's group lets it (12.1.10).
    fn send_sgi(&mut self, cpu: usize, register: Register, value: u64) {
        let id = value >> 24 & 0xf;
        let flag = bit(id as u32);
        let cluster =
            (value >> 24 & 0xff00_0000 | value >> 16 & 0xff_0000 | value >> 8 & 0xff00) as u32;
        for target in self.cpus() {
            let affinity = self.config.affinities.get(target).copied().unwrap_or(0);
            let listed = if value & 1 << 40 != 0 {
                target != cpu
            } else {
                affinity & !0xf == cluster && value & 1 << (affinity & 0xf) != 0
            };
            let group = self.interrupts.group_of(target, flag);
            if listed && self.lets_through(register, group) {
                self.interrupts.latched.insert(target, flag);
                self.changed(target);
            }
        }
    }

    /// Whether an SGI of this register reaches a target that has it in this group.
    fn lets_through(&self, register: Register, group: Group) -> bool {
        match register {
            // A Secure Group 1 SGI is taken as what its target has it, of the Secure groups.
            Register::Sgi1r if self.config.security => group != Group::One,
            Register::Sgi1r => group == Group::One,
            // The other Security state's; with one state, Group 0's as ICC_SGI0R_EL1.
            Register::Asgi1r if self.config.security => group == Group::One,
            _ => group == Group::Zero,
        }
    }
}
