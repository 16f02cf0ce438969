//! The Snoop Control Unit of a Cortex-A9 MPCore.
//!
//! ARM DDI 0407I, chapter 2. `compatible`: `arm,cortex-a9-scu`. Region 0 holds the registers;
//! there are no lines.
//!
//! Known deviations:
//!
//! - Nothing is snooped: the host's caches are coherent, and the control bits are state only.
//! - All CPUs are reported as taking part in coherency, whatever their ACTLR.SMP says.
//! - The Non-secure access bits of the timers (SNSAC[11:4]) are stored; the timers, which are
//!   devices of their own, answer both security states.
//! - SCU RAM parity is not built in: SCU Control bit 2 reads as zero.

use super::describe::{Allowed, Bound, Description, Register as Named, bit, field, register};
use super::state::{Reader, Writer};
use super::{Cx, Device, Reset};
use crate::access::{Access, Refusal, Security, Width};

/// The most CPUs that an MPCore has.
pub const MAX_CPUS: u8 = 4;

/// What is chosen when an SCU is built into a SoC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// CPUs, 1 to 4.
    pub cpus: u8,
    /// The tag RAM field of each CPU: 0 for 16 KiB of data cache, 1 for 32, 2 for 64.
    pub tag_ram: u8,
    /// The FILTERSTART, FILTEREND and FILTEREN pins.
    pub filter: Option<(u32, u32)>,
}

impl Config {
    /// CPUs with 32 KiB of data cache, and no address filtering.
    pub const fn new(cpus: u8) -> Self {
        Self {
            cpus,
            tag_ram: 1,
            filter: None,
        }
    }
}
/// What its registers are called, and where QEMU's differs from the manual.
pub static DESCRIPTION: Description = Description::of("DDI 0407I, 2", REGISTERS)
    .bounds(&[Bound {
        register: "SCU Configuration",
        field: Some("Tag RAM sizes"),
        allowed: Allowed::Instead {
            source: "qemu-",
            mask: u64::MAX,
            theirs: 0,
            ours: 1,
        },
        reason: "each CPU that is there has its 32 KB cache's tag RAM (2.2.2); QEMU tells of none",
    }])
    .deviations(&[
        "nothing is snooped; all CPUs count as coherent",
        "SNSAC's bits of the timers are stored only",
        "no RAM parity",
    ]);

const REGISTERS: &[Named] = &[
    register(0x00, "SCU Control").fields(&[bit("SCU enable", 0), bit("Address filtering", 1)]),
    register(0x04, "SCU Configuration").fields(&[
        field("Tag RAM sizes", 15, 8),
        field("CPUs in SMP", 7, 4),
        field("CPU number", 1, 0),
    ]),
    register(0x08, "SCU CPU Power Status"),
    register(0x0c, "SCU Invalidate All"),
    register(0x40, "Filtering Start Address"),
    register(0x44, "Filtering End Address"),
    register(0x50, "SAC"),
    register(0x54, "SNSAC"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Register {
    Control,
    Configuration,
    PowerStatus,
    InvalidateAll,
    FilteringStart,
    FilteringEnd,
    Sac,
    Snsac,
    /// Reads as zero, ignores writes.
    Reserved,
}

impl Register {
    fn at(access: Access) -> Result<Self, Refusal> {
        if access.region != 0 {
            return Err(Refusal::NoRegister);
        }
        let register = match access.offset {
            0x00..=0x03 => Self::Control,
            0x04..=0x07 => Self::Configuration,
            0x08..=0x0b => Self::PowerStatus,
            0x0c..=0x0f => Self::InvalidateAll,
            0x40..=0x43 => Self::FilteringStart,
            0x44..=0x47 => Self::FilteringEnd,
            0x50..=0x53 => Self::Sac,
            0x54..=0x57 => Self::Snsac,
            0x100.. => return Err(Refusal::NoRegister),
            _ => Self::Reserved,
        };
        match access.width {
            Width::Word if access.offset.is_multiple_of(4) => Ok(register),
            // Each CPU's field of the power status is a byte of its own (2.2.3).
            Width::Byte if register == Self::PowerStatus => Ok(register),
            _ => Err(Refusal::Width),
        }
    }
}

/// SCU Control: everything but parity.
const CONTROL_BITS: u32 = 0x7b;
const FILTER_ENABLE: u32 = 1 << 1;
/// The two bits of each CPU in the power status.
const POWER_BITS: u32 = 0x0303_0303;
const FILTER_BITS: u32 = 0xfff0_0000;

/// A Cortex-A9's SCU.
pub struct Scu {
    config: Config,
    control: u32,
    power: u32,
    start: u32,
    end: u32,
    sac: u32,
    snsac: u32,
}

impl Scu {
    /// An SCU after reset.
    pub fn new(config: Config) -> Self {
        let config = Config {
            cpus: config.cpus.clamp(1, MAX_CPUS),
            tag_ram: config.tag_ram & 3,
            filter: config.filter,
        };
        let mut scu = Self {
            config,
            control: 0,
            power: 0,
            start: 0,
            end: 0,
            sac: 0,
            snsac: 0,
        };
        scu.reset(Reset::Cold);
        scu
    }

    fn configuration(&self) -> u32 {
        let cpus = u32::from(self.config.cpus);
        let tags = (0..cpus).fold(0, |all: u32, _| (all << 2) | u32::from(self.config.tag_ram));
        let coherent = 0xf_u32.wrapping_shr(4u32.wrapping_sub(cpus));
        (tags << 8) | (coherent << 4) | cpus.wrapping_sub(1)
    }

    /// A CPU that is not there reads as powered off (2.2.3).
    fn absent(&self) -> u32 {
        let shift = u32::from(self.config.cpus).wrapping_mul(8);
        POWER_BITS & 0xffff_ffff_u32.checked_shl(shift).unwrap_or(0)
    }

    /// Whether a write may change this register (2.2.7, 2.2.8).
    fn writable(&self, access: Access, register: Register) -> bool {
        let cpu = access.initiator.cpu() as u32;
        let listed = |register: u32| register & 1u32.checked_shl(cpu).unwrap_or(0) & 0xf != 0;
        let secure_only = matches!(register, Register::Snsac | Register::InvalidateAll);
        listed(self.sac)
            && match access.security {
                Security::Secure => true,
                Security::NonSecure => !secure_only && listed(self.snsac),
            }
    }
}

impl Device for Scu {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        let value = match Register::at(access)? {
            Register::Control => self.control,
            Register::Configuration => self.configuration(),
            Register::PowerStatus => {
                let lane = (access.offset as u32 & 3).wrapping_mul(8);
                self.power.wrapping_shr(lane)
            }
            Register::FilteringStart => self.start,
            Register::FilteringEnd => self.end,
            Register::Sac => self.sac,
            Register::Snsac => self.snsac,
            // Invalidation is complete at once.
            Register::InvalidateAll | Register::Reserved => 0,
        };
        Ok(u64::from(value) & access.width.mask())
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        let register = Register::at(access)?;
        if !self.writable(access, register) {
            return Ok(());
        }
        let value = value as u32;
        match register {
            Register::Control => self.control = value & CONTROL_BITS,
            Register::PowerStatus => {
                let lane = (access.offset as u32 & 3).wrapping_mul(8);
                let lanes = (access.width.mask() as u32).wrapping_shl(lane);
                let value = (self.power & !lanes) | (value.wrapping_shl(lane) & lanes);
                self.power = (value & POWER_BITS) | self.absent();
            }
            Register::FilteringStart => self.start = value & FILTER_BITS,
            Register::FilteringEnd => self.end = value & FILTER_BITS,
            Register::Sac => self.sac = value & 0xf,
            Register::Snsac => self.snsac = value & 0xfff,
            Register::Configuration | Register::InvalidateAll | Register::Reserved => {}
        }
        Ok(())
    }

    fn reset(&mut self, _: Reset) {
        self.control = if self.config.filter.is_some() {
            FILTER_ENABLE
        } else {
            0
        };
        let (start, end) = self.config.filter.unwrap_or((0, 0));
        self.start = start & FILTER_BITS;
        self.end = end & FILTER_BITS;
        self.power = self.absent();
        self.sac = 0xf;
        self.snsac = 0;
    }

    fn save(&self, out: &mut Writer) {
        for word in [
            self.control,
            self.power,
            self.start,
            self.end,
            self.sac,
            self.snsac,
        ] {
            out.u32(word);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        let mut words = [0; 6];
        for word in &mut words {
            *word = from.u32().inspect_err(|_| self.reset(Reset::Cold))?;
        }
        let [control, power, start, end, sac, snsac] = words;
        self.control = control & CONTROL_BITS;
        self.power = (power & POWER_BITS) | self.absent();
        self.start = start & FILTER_BITS;
        self.end = end & FILTER_BITS;
        self.sac = sac & 0xf;
        self.snsac = snsac & 0xfff;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Initiator;
    use crate::memory::NoMemory;
    use crate::units::Instant;

    fn secure(offset: u64) -> Access {
        Access {
            security: Security::Secure,
            ..Access::word(offset)
        }
    }
    fn get(scu: &mut Scu, access: Access) -> u64 {
        scu.read(&mut Cx::new(Instant::ZERO, &NoMemory, None), access)
            .unwrap()
    }
    fn put(scu: &mut Scu, access: Access, value: u64) {
        scu.write(&mut Cx::new(Instant::ZERO, &NoMemory, None), access, value)
            .unwrap();
    }

    #[test]
    fn reset_values_are_those_of_the_manual() {
        let mut scu = Scu::new(Config::new(4));
        let table = [
            (0x00, 0),
            (0x04, 0x55f3),
            (0x08, 0),
            (0x0c, 0),
            (0x40, 0),
            (0x50, 0xf),
            (0x54, 0),
        ];
        for (offset, value) in table {
            assert_eq!(get(&mut scu, secure(offset)), value, "{offset:#x}");
        }
        let mut scu = Scu::new(Config {
            tag_ram: 0,
            ..Config::new(1)
        });
        assert_eq!(get(&mut scu, secure(4)), 0x10);
        assert_eq!(get(&mut scu, secure(8)), 0x0303_0300);
    }

    #[test]
    fn filter_pins_set_the_range_at_reset() {
        let filter = Some((0x4000_0000, 0x7ff0_0000));
        let mut scu = Scu::new(Config {
            filter,
            ..Config::new(2)
        });
        assert_eq!(get(&mut scu, secure(0)), 2);
        assert_eq!(get(&mut scu, secure(0x40)), 0x4000_0000);
        assert_eq!(get(&mut scu, secure(0x44)), 0x7ff0_0000);
        put(&mut scu, secure(0x40), 0x1234_5678);
        assert_eq!(get(&mut scu, secure(0x40)), 0x1230_0000);
    }

    #[test]
    fn each_cpu_writes_its_power_status_as_a_byte() {
        let mut scu = Scu::new(Config::new(2));
        put(&mut scu, secure(9).sized(Width::Byte), 0xff);
        assert_eq!(get(&mut scu, secure(8)), 0x0303_0300);
        assert_eq!(get(&mut scu, secure(9).sized(Width::Byte)), 3);
        put(&mut scu, secure(8), 0);
        assert_eq!(get(&mut scu, secure(8)), 0x0303_0000);
    }

    #[test]
    fn non_secure_writes_need_both_access_registers() {
        let mut scu = Scu::new(Config::new(2));
        put(&mut scu, Access::word(0), 1);
        assert_eq!(get(&mut scu, Access::word(0)), 0);
        put(&mut scu, secure(0x54), 1);
        put(&mut scu, Access::word(0), 1);
        assert_eq!(get(&mut scu, Access::word(0)), 1);
        put(&mut scu, Access::word(0x54), 3);
        assert_eq!(get(&mut scu, secure(0x54)), 1);
        let cpu1 = Access {
            initiator: Initiator::Cpu(1),
            ..Access::word(0)
        };
        put(&mut scu, cpu1, 0);
        assert_eq!(get(&mut scu, cpu1), 1);
    }

    #[test]
    fn a_zero_in_the_access_register_locks_it_for_good() {
        let mut scu = Scu::new(Config::new(2));
        put(&mut scu, secure(0x50), 0);
        put(&mut scu, secure(0x50), 0xf);
        put(&mut scu, secure(0), 1);
        assert_eq!(get(&mut scu, secure(0x50)), 0);
        assert_eq!(get(&mut scu, secure(0)), 0);
    }

    #[test]
    fn other_widths_and_places_are_refused() {
        let mut scu = Scu::new(Config::new(1));
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        assert_eq!(
            scu.read(&mut cx, secure(0).sized(Width::Byte)),
            Err(Refusal::Width)
        );
        assert_eq!(
            scu.read(&mut cx, secure(8).sized(Width::Half)),
            Err(Refusal::Width)
        );
        assert_eq!(scu.read(&mut cx, secure(0x100)), Err(Refusal::NoRegister));
        let stray = Access {
            initiator: Initiator::Cpu(200),
            ..secure(0)
        };
        put(&mut scu, stray, 1);
        assert_eq!(get(&mut scu, secure(0)), 0);
    }

    #[test]
    fn a_saved_unit_comes_back() {
        let mut scu = Scu::new(Config::new(2));
        put(&mut scu, secure(0), 0x29);
        put(&mut scu, secure(0x54), 0xabc);
        put(&mut scu, secure(0x50), 3);
        let mut out = Writer::default();
        scu.save(&mut out);
        let bytes = out.into_bytes();
        let mut other = Scu::new(Config::new(2));
        other.load(&mut Reader::new(&bytes)).unwrap();
        for (offset, value) in [(0, 0x29), (0x50, 3), (0x54, 0xabc)] {
            assert_eq!(get(&mut other, secure(offset)), value);
        }
        assert_eq!(
            other.load(&mut Reader::new(&bytes[1..])),
            Err(Refusal::BadState)
        );
        assert_eq!(get(&mut other, secure(0)), 0);
    }
}
