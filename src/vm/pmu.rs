//! The performance monitors as a guest sees them (DDI 0406C, C12; DDI 0487, D12).
//!
//! Known deviation: there are as many event counters as the board's CPU has, and they keep what
//! is written, but no event is ever counted; the cycle counter counts nanoseconds of the
//! board's life. No overflow interrupt is raised. PMCEID0 and 1 read as zero: no common event.

const E: u32 = 1 << 0;
const P: u32 = 1 << 1;
const C: u32 = 1 << 2;
/// D, X, DP and E are kept.
const KEPT: u32 = 0x39;
/// The cycle counter's bit in the enable registers.
const CYCLES: u32 = 1 << 31;

/// A register of the performance monitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PmuRegister {
    Control,
    EnableSet,
    EnableClear,
    Overflow,
    OverflowSet,
    Increment,
    Select,
    CommonEvents,
    Cycles,
    SelectedType,
    SelectedCounter,
    User,
    InterruptSet,
    InterruptClear,
    Counter(u8),
    Type(u8),
}

impl PmuRegister {
    /// By CRm and opc2 (op2), below CRn 9.
    pub const fn at(crm: u8, opc2: u8) -> Option<Self> {
        Some(match (crm, opc2) {
            (12, 0) => Self::Control,
            (12, 1) => Self::EnableSet,
            (12, 2) => Self::EnableClear,
            (12, 3) => Self::Overflow,
            (12, 4) => Self::Increment,
            (12, 5) => Self::Select,
            (12, 6 | 7) | (14, 4 | 5) => Self::CommonEvents,
            (13, 0) => Self::Cycles,
            (13, 1) => Self::SelectedType,
            (13, 2) => Self::SelectedCounter,
            (14, 0) => Self::User,
            (14, 1) => Self::InterruptSet,
            (14, 2) => Self::InterruptClear,
            (14, 3) => Self::OverflowSet,
            _ => return None,
        })
    }

    /// By CRm and opc2 (op2), below CRn 14: the counters by number, CRm 8 to 15.
    pub const fn numbered(crm: u8, opc2: u8) -> Option<Self> {
        let n = (crm & 3) << 3 | opc2 & 7;
        match crm {
            8..=11 => Some(Self::Counter(n)),
            12..=15 => Some(Self::Type(n)),
            _ => None,
        }
    }
}

/// The most event counters that any of the CPUs has.
const COUNTERS: usize = 6;

/// The performance monitors of one CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pmu {
    control: u32,
    enabled: u32,
    overflow: u32,
    interrupts: u32,
    select: u32,
    user: u32,
    counters: [u32; COUNTERS],
    types: [u32; COUNTERS],
    cycle_type: u32,
    /// The cycle counter while it stands; while it runs, `now` minus it is the count.
    cycles: u64,
}

impl Pmu {
    /// Whether EL0 may use the registers: PMUSERENR.EN.
    pub const fn open_to_user(&self) -> bool {
        self.user & 1 != 0
    }

    const fn runs(&self) -> bool {
        self.control & E != 0 && self.enabled & CYCLES != 0
    }

    const fn count(&self, now: u64) -> u64 {
        if self.runs() {
            now.wrapping_sub(self.cycles)
        } else {
            self.cycles
        }
    }

    fn set_count(&mut self, now: u64, count: u64) {
        self.cycles = if self.runs() {
            now.wrapping_sub(count)
        } else {
            count
        };
    }

    /// Reads a register; `identity` is the CPU's PMCR.
    pub fn read(&self, register: PmuRegister, identity: u32, now: u64) -> u64 {
        let word = |table: &[u32], n: u32| table.get(n as usize).copied().unwrap_or(0);
        let value = match register {
            PmuRegister::Control => identity | self.control,
            PmuRegister::EnableSet | PmuRegister::EnableClear => self.enabled,
            PmuRegister::Overflow | PmuRegister::OverflowSet => self.overflow,
            PmuRegister::Increment | PmuRegister::CommonEvents => 0,
            PmuRegister::Select => self.select,
            PmuRegister::Cycles => return self.count(now),
            PmuRegister::SelectedType if self.select == 31 => self.cycle_type,
            PmuRegister::SelectedType => word(&self.types, self.select),
            PmuRegister::SelectedCounter => word(&self.counters, self.select),
            PmuRegister::User => self.user,
            PmuRegister::InterruptSet | PmuRegister::InterruptClear => self.interrupts,
            PmuRegister::Counter(n) => word(&self.counters, n.into()),
            PmuRegister::Type(31) => self.cycle_type,
            PmuRegister::Type(n) => word(&self.types, n.into()),
        };
        u64::from(value)
    }

    /// Writes a register; `identity` is the CPU's PMCR.
    pub fn write(&mut self, register: PmuRegister, identity: u32, now: u64, value: u64) {
        let there = CYCLES | (1u32 << (identity >> 11 & 0x1f)).wrapping_sub(1);
        let word = value as u32;
        let count = self.count(now);
        match register {
            PmuRegister::Control => {
                self.control = word & KEPT;
                if word & P != 0 {
                    self.counters = [0; COUNTERS];
                }
                self.set_count(now, if word & C != 0 { 0 } else { count });
            }
            PmuRegister::EnableSet => {
                self.enabled |= word & there;
                self.set_count(now, count);
            }
            PmuRegister::EnableClear => {
                self.enabled &= !word;
                self.set_count(now, count);
            }
            PmuRegister::Overflow => self.overflow &= !word,
            PmuRegister::OverflowSet => self.overflow |= word & there,
            PmuRegister::Select => self.select = word & 0x1f,
            PmuRegister::Cycles => self.set_count(now, value),
            PmuRegister::User => self.user = word & 0xf,
            PmuRegister::InterruptSet => self.interrupts |= word & there,
            PmuRegister::InterruptClear => self.interrupts &= !word,
            PmuRegister::Increment | PmuRegister::CommonEvents => {}
            PmuRegister::SelectedType => self.set_type(self.select, word),
            PmuRegister::Type(n) => self.set_type(n.into(), word),
            PmuRegister::SelectedCounter => self.set_counter(self.select, word),
            PmuRegister::Counter(n) => self.set_counter(n.into(), word),
        }
    }

    fn set_type(&mut self, n: u32, value: u32) {
        if n == 31 {
            self.cycle_type = value;
        } else if let Some(slot) = self.types.get_mut(n as usize) {
            *slot = value;
        }
    }

    fn set_counter(&mut self, n: u32, value: u32) {
        if let Some(slot) = self.counters.get_mut(n as usize) {
            *slot = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A15: u32 = 0x410f_3000;

    #[test]
    fn the_cycle_counter_runs_only_while_both_enables_are_set() {
        let mut p = Pmu::default();
        p.write(PmuRegister::EnableSet, A15, 100, 1 << 31);
        assert_eq!(p.read(PmuRegister::Cycles, A15, 500), 0);
        p.write(PmuRegister::Control, A15, 1000, 1);
        assert_eq!(p.read(PmuRegister::Cycles, A15, 1300), 300);
        p.write(PmuRegister::EnableClear, A15, 1400, 1 << 31);
        assert_eq!(p.read(PmuRegister::Cycles, A15, 9000), 400);
        p.write(PmuRegister::Control, A15, 9000, 4);
        assert_eq!(p.read(PmuRegister::Cycles, A15, 9000), 0);
    }

    #[test]
    fn only_counters_that_the_cpu_has_can_be_enabled() {
        let mut p = Pmu::default();
        p.write(PmuRegister::EnableSet, A15, 0, u64::MAX);
        assert_eq!(p.read(PmuRegister::EnableClear, A15, 0), 0x8000_003f);
        p.write(PmuRegister::Select, A15, 0, 30);
        p.write(PmuRegister::SelectedCounter, A15, 0, 5);
        assert_eq!(p.read(PmuRegister::SelectedCounter, A15, 0), 0);
        p.write(PmuRegister::Select, A15, 0, 2);
        p.write(PmuRegister::SelectedCounter, A15, 0, 5);
        assert_eq!(p.read(PmuRegister::Counter(2), A15, 0), 5);
    }

    #[test]
    fn pmcr_keeps_its_identity_and_not_its_reset_bits() {
        let mut p = Pmu::default();
        p.write(PmuRegister::Control, A15, 0, u64::MAX);
        assert_eq!(p.read(PmuRegister::Control, A15, 0), u64::from(A15 | 0x39));
    }
}
