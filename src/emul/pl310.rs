//! The L2C-310 level 2 cache controller (PL310).
//!
//! ARM DDI 0246H, chapter 3. `compatible`: `arm,pl310-cache`. Region 0 holds the registers.
//! Output line 0 is L2CCINTR, the combined interrupt; it never rises (see below).
//!
//! The registers are there, the cache is not: memory behind it is what the host's coherent
//! caches make of it. So each maintenance operation is complete when it is written, nothing
//! misses or fails, and the event counters hold what software writes to them.
//!
//! Known deviations:
//!
//! - No event is counted and no interrupt status bit is ever set.
//! - SPNIDEN reads as zero in the Debug Register.
//! - Registers that Non-secure software may not write answer with a bus error, as DECERR does.
//!   Non-secure writes to the lockdown registers without leave are ignored.

mod description;

pub use description::DESCRIPTION;

use super::state::{Reader, Writer};
use super::{Cx, Device, Reset};
use crate::access::{Access, Refusal, Security, Width};

/// What is chosen when a controller is built into a SoC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The RTL release field of the Cache ID: 5 is r3p0, 6 is r3p1, 8 is r3p2, 9 is r3p3.
    pub release: u8,
    /// The CACHEID pins, six bits.
    pub cache_id: u8,
    /// The Auxiliary Control Register at reset: way size and associativity come from pins.
    pub aux_control: u32,
    /// The Tag RAM and Data RAM Latency Control Registers at reset.
    pub latency: [u32; 2],
}

impl Config {
    /// Release r3p2 with eight ways of 16 KiB, the manual's example.
    pub const R3P2: Self = Self {
        release: 8,
        cache_id: 0,
        aux_control: 0x0202_0000,
        latency: [0, 0],
    };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Register {
    CacheId,
    CacheType,
    Control,
    AuxControl,
    /// Tag RAM, then data RAM.
    Latency(usize),
    EvCounterCtrl,
    /// Of counter 1, then of counter 0, as they lie.
    EvCounterCfg(usize),
    EvCounter(usize),
    IntMask,
    /// Masked and raw.
    IntStatus,
    IntClear,
    /// Cache Sync and all operations by line and by way.
    Maintenance,
    /// Data and instruction lockdown of eight masters.
    Lockdown(usize),
    LockLineEn,
    UnlockWay,
    /// Filtering start, then end.
    AddrFiltering(usize),
    DebugCtrl,
    PrefetchCtrl,
    PowerCtrl,
    /// Reads as zero, ignores writes.
    Reserved,
}

impl Register {
    fn at(access: Access) -> Result<Self, Refusal> {
        if access.region != 0 || access.offset >= 0x1000 {
            return Err(Refusal::NoRegister);
        }
        if access.width != Width::Word || !access.offset.is_multiple_of(4) {
            return Err(Refusal::Width);
        }
        let word = |from: u64| (access.offset.wrapping_sub(from) / 4) as usize;
        Ok(match access.offset {
            0x000 => Self::CacheId,
            0x004 => Self::CacheType,
            0x100 => Self::Control,
            0x104 => Self::AuxControl,
            0x108 | 0x10c => Self::Latency(word(0x108)),
            0x200 => Self::EvCounterCtrl,
            0x204 | 0x208 => Self::EvCounterCfg(word(0x204)),
            0x20c | 0x210 => Self::EvCounter(word(0x20c)),
            0x214 => Self::IntMask,
            0x218 | 0x21c => Self::IntStatus,
            0x220 => Self::IntClear,
            0x730 | 0x770 | 0x77c | 0x7b0 | 0x7b8 | 0x7bc | 0x7f0 | 0x7f8 | 0x7fc => {
                Self::Maintenance
            }
            0x900..=0x93c => Self::Lockdown(word(0x900)),
            0x950 => Self::LockLineEn,
            0x954 => Self::UnlockWay,
            0xc00 | 0xc04 => Self::AddrFiltering(word(0xc00)),
            0xf40 => Self::DebugCtrl,
            0xf60 => Self::PrefetchCtrl,
            0xf80 => Self::PowerCtrl,
            _ => Self::Reserved,
        })
    }

    /// Registers that only Secure software writes (Table 3-1).
    fn secure_write(self) -> bool {
        matches!(
            self,
            Self::Control
                | Self::AuxControl
                | Self::Latency(_)
                | Self::AddrFiltering(_)
                | Self::DebugCtrl
                | Self::PrefetchCtrl
                | Self::PowerCtrl
        )
    }

    /// Registers that may be written only while the cache is off; otherwise SLVERR (3.3.4,
    /// 3.3.5).
    fn fixed_while_enabled(self) -> bool {
        matches!(self, Self::AuxControl | Self::Latency(_))
    }
}

const AUX_BITS: u32 = 0x7fff_3c01;
/// Instruction and data prefetch enable, which the Prefetch Control Register shows too.
const AUX_PREFETCH: u32 = 0x3000_0000;
const AUX_NS_LOCKDOWN: u32 = 1 << 26;
const AUX_NS_INTERRUPT: u32 = 1 << 27;
const LATENCY_BITS: u32 = 0x777;
const INTERRUPTS: u32 = 0x1ff;
const EVENT_CFG_BITS: u32 = 0x3f;
const FILTER_BITS: [u32; 2] = [0xfff0_0001, 0xfff0_0000];
const DEBUG_BITS: u32 = 0x3;
/// All but the two prefetch enables, which are the Auxiliary Control Register's.
const PREFETCH_BITS: u32 = 0x49a0_001f;

/// An L2C-310.
pub struct Pl310 {
    config: Config,
    enabled: bool,
    aux: u32,
    latency: [u32; 2],
    counting: bool,
    event_cfg: [u32; 2],
    events: [u32; 2],
    mask: u32,
    lockdown: [u16; 16],
    lock_line: bool,
    filter: [u32; 2],
    debug: u32,
    prefetch: u32,
    power: u32,
}

impl Pl310 {
    /// A controller after reset.
    pub fn new(config: Config) -> Self {
        let mut l2 = Self {
            config,
            enabled: false,
            aux: 0,
            latency: [0; 2],
            counting: false,
            event_cfg: [0; 2],
            events: [0; 2],
            mask: 0,
            lockdown: [0; 16],
            lock_line: false,
            filter: [0; 2],
            debug: 0,
            prefetch: 0,
            power: 0,
        };
        l2.reset(Reset::Cold);
        l2
    }

    fn cache_id(&self) -> u32 {
        let id = u32::from(self.config.cache_id & 0x3f) << 10;
        0x4100_00c0 | id | u32::from(self.config.release & 0x3f)
    }

    /// The geometry in effect, for data and instructions alike (3.3.2).
    fn cache_type(&self) -> u32 {
        let size = (self.aux >> 17) & 7;
        let ways = (self.aux >> 16) & 1;
        0x1c00_0000 | (size << 20) | (ways << 18) | (size << 8) | (ways << 6)
    }

    /// Non-secure software needs leave for the interrupt registers (3.3.4, bit 27).
    fn interrupts_open(&self, access: Access) -> bool {
        access.security == Security::Secure || self.aux & AUX_NS_INTERRUPT != 0
    }
}

fn word(of: [u32; 2], n: usize) -> u32 {
    of.get(n).copied().unwrap_or(0)
}

fn put(of: &mut [u32; 2], n: usize, value: u32) {
    if let Some(at) = of.get_mut(n) {
        *at = value;
    }
}

impl Device for Pl310 {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        Ok(u64::from(match Register::at(access)? {
            Register::CacheId => self.cache_id(),
            Register::CacheType => self.cache_type(),
            Register::Control => u32::from(self.enabled),
            Register::AuxControl => self.aux,
            Register::Latency(n) => word(self.latency, n),
            Register::EvCounterCtrl => u32::from(self.counting),
            Register::EvCounterCfg(n) => word(self.event_cfg, n),
            Register::EvCounter(n) => word(self.events, n),
            Register::IntMask if self.interrupts_open(access) => self.mask,
            Register::IntMask => return Err(Refusal::Forbidden),
            Register::Lockdown(n) => self.lockdown.get(n).copied().map_or(0, u32::from),
            Register::LockLineEn => u32::from(self.lock_line),
            Register::AddrFiltering(n) => word(self.filter, n),
            Register::DebugCtrl => self.debug,
            Register::PrefetchCtrl => self.prefetch | (self.aux & AUX_PREFETCH),
            Register::PowerCtrl => self.power,
            // Idle: no way and no line is still being worked on.
            Register::Maintenance
            | Register::UnlockWay
            | Register::IntStatus
            | Register::IntClear
            | Register::Reserved => 0,
        }))
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        let register = Register::at(access)?;
        let secure = access.security == Security::Secure;
        if register.secure_write() && !secure || register.fixed_while_enabled() && self.enabled {
            return Err(Refusal::Forbidden);
        }
        let value = value as u32;
        match register {
            Register::Control => self.enabled = value & 1 != 0,
            Register::AuxControl => self.aux = value & AUX_BITS,
            Register::Latency(n) => put(&mut self.latency, n, value & LATENCY_BITS),
            Register::EvCounterCtrl => {
                self.counting = value & 1 != 0;
                for (n, reset) in [(0, 1 << 2), (1, 1 << 1)] {
                    if value & reset != 0 {
                        put(&mut self.events, n, 0);
                    }
                }
            }
            Register::EvCounterCfg(n) => put(&mut self.event_cfg, n, value & EVENT_CFG_BITS),
            // A counter is written while it is disabled (3.3.9).
            Register::EvCounter(n) if !self.counting => put(&mut self.events, n, value),
            Register::IntMask | Register::IntClear if !self.interrupts_open(access) => {
                return Err(Refusal::Forbidden);
            }
            Register::IntMask => self.mask = value & INTERRUPTS,
            Register::Lockdown(n) if secure || self.aux & AUX_NS_LOCKDOWN != 0 => {
                if let Some(at) = self.lockdown.get_mut(n) {
                    *at = value as u16;
                }
            }
            Register::LockLineEn if secure || self.aux & AUX_NS_LOCKDOWN != 0 => {
                self.lock_line = value & 1 != 0;
            }
            Register::AddrFiltering(n) => {
                put(&mut self.filter, n, value & word(FILTER_BITS, n));
            }
            Register::DebugCtrl => self.debug = value & DEBUG_BITS,
            Register::PrefetchCtrl => {
                self.prefetch = value & PREFETCH_BITS;
                self.aux = self.aux & !AUX_PREFETCH | value & AUX_PREFETCH;
            }
            Register::PowerCtrl => self.power = value & 3,
            Register::CacheId
            | Register::CacheType
            | Register::EvCounter(_)
            | Register::IntStatus
            | Register::IntClear
            | Register::Maintenance
            | Register::Lockdown(_)
            | Register::LockLineEn
            | Register::UnlockWay
            | Register::Reserved => {}
        }
        Ok(())
    }

    fn reset(&mut self, _: Reset) {
        let [tag, data] = self.config.latency;
        *self = Self {
            config: self.config,
            enabled: false,
            aux: self.config.aux_control & AUX_BITS,
            latency: [tag & LATENCY_BITS, data & LATENCY_BITS],
            counting: false,
            event_cfg: [0; 2],
            events: [0; 2],
            mask: 0,
            lockdown: [0; 16],
            lock_line: false,
            filter: [0; 2],
            debug: 0,
            prefetch: 0,
            power: 0,
        };
    }

    fn save(&self, out: &mut Writer) {
        out.bool(self.enabled);
        out.bool(self.counting);
        out.bool(self.lock_line);
        let pairs = [self.latency, self.event_cfg, self.events, self.filter];
        for word in pairs.into_iter().flatten() {
            out.u32(word);
        }
        for word in [self.aux, self.mask, self.debug, self.prefetch, self.power] {
            out.u32(word);
        }
        for ways in self.lockdown {
            out.u16(ways);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        let flags = [from.bool()?, from.bool()?, from.bool()?];
        let mut words = [0; 13];
        for word in &mut words {
            *word = from.u32()?;
        }
        let mut lockdown = [0; 16];
        for ways in &mut lockdown {
            *ways = from.u16()?;
        }
        [self.enabled, self.counting, self.lock_line] = flags;
        let [
            tag,
            data,
            cfg1,
            cfg0,
            ev1,
            ev0,
            start,
            end,
            aux,
            mask,
            debug,
            prefetch,
            power,
        ] = words;
        let [start_bits, end_bits] = FILTER_BITS;
        self.latency = [tag & LATENCY_BITS, data & LATENCY_BITS];
        self.event_cfg = [cfg1 & EVENT_CFG_BITS, cfg0 & EVENT_CFG_BITS];
        self.events = [ev1, ev0];
        self.filter = [start & start_bits, end & end_bits];
        self.aux = aux & AUX_BITS;
        self.mask = mask & INTERRUPTS;
        self.debug = debug & DEBUG_BITS;
        self.prefetch = prefetch & PREFETCH_BITS;
        self.power = power & 3;
        self.lockdown = lockdown;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::NoMemory;
    use crate::units::Instant;

    fn secure(offset: u64) -> Access {
        Access {
            security: Security::Secure,
            ..Access::word(offset)
        }
    }
    fn get(l2: &mut Pl310, access: Access) -> Result<u64, Refusal> {
        l2.read(&mut Cx::new(Instant::ZERO, &NoMemory, None), access)
    }
    fn put(l2: &mut Pl310, access: Access, value: u64) -> Result<(), Refusal> {
        l2.write(&mut Cx::new(Instant::ZERO, &NoMemory, None), access, value)
    }
    fn l2() -> Pl310 {
        Pl310::new(Config::R3P2)
    }

    #[test]
    fn reset_values_are_those_of_the_manual() {
        let mut l2 = l2();
        for offset in (0..0x1000).step_by(4) {
            let value = match offset {
                0x000 => 0x4100_00c8,
                0x004 => 0x1c10_0100,
                0x104 => 0x0202_0000,
                _ => 0,
            };
            assert_eq!(get(&mut l2, secure(offset)), Ok(value), "{offset:#x}");
        }
    }

    #[test]
    fn the_cache_type_follows_the_auxiliary_control() {
        let mut l2 = l2();
        // 64 KiB ways, 16 of them: as a Zynq or an i.MX6 sets it.
        put(&mut l2, secure(0x104), 0x0207_0000).unwrap();
        assert_eq!(get(&mut l2, secure(4)), Ok(0x1c34_0340));
        let release = Config {
            release: 9,
            cache_id: 5,
            ..Config::R3P2
        };
        assert_eq!(get(&mut Pl310::new(release), secure(0)), Ok(0x4100_14c9));
    }

    #[test]
    fn maintenance_is_complete_at_once() {
        let mut l2 = l2();
        for offset in [
            0x730, 0x770, 0x77c, 0x7b0, 0x7b8, 0x7bc, 0x7f0, 0x7f8, 0x7fc, 0x954,
        ] {
            put(&mut l2, Access::word(offset), 0xffff_ffff).unwrap();
            assert_eq!(get(&mut l2, Access::word(offset)), Ok(0), "{offset:#x}");
        }
    }

    #[test]
    fn configuration_is_written_by_secure_software_only() {
        let mut l2 = l2();
        for offset in [
            0x100, 0x104, 0x108, 0x10c, 0xc00, 0xc04, 0xf40, 0xf60, 0xf80,
        ] {
            let before = get(&mut l2, Access::word(offset));
            assert_eq!(
                put(&mut l2, Access::word(offset), 1),
                Err(Refusal::Forbidden)
            );
            assert_eq!(get(&mut l2, Access::word(offset)), before);
        }
    }

    #[test]
    fn geometry_and_latencies_are_fixed_while_the_cache_is_on() {
        let mut l2 = l2();
        put(&mut l2, secure(0x108), 0x111).unwrap();
        put(&mut l2, secure(0x100), 1).unwrap();
        for offset in [0x104, 0x108, 0x10c] {
            assert_eq!(put(&mut l2, secure(offset), 0), Err(Refusal::Forbidden));
        }
        assert_eq!(get(&mut l2, secure(0x108)), Ok(0x111));
        put(&mut l2, secure(0x100), 0).unwrap();
        put(&mut l2, secure(0x108), 0).unwrap();
        assert_eq!(get(&mut l2, secure(0x108)), Ok(0));
    }

    #[test]
    fn registers_keep_the_bits_that_they_have() {
        let mut l2 = l2();
        let table = [
            (0x104, 0x7fff_3c01),
            (0x108, 0x777),
            (0x10c, 0x777),
            (0x204, 0x3f),
            (0x208, 0x3f),
            (0x20c, 0xffff_ffff),
            (0x214, 0x1ff),
            (0x218, 0),
            (0x21c, 0),
            (0x900, 0xffff),
            (0x93c, 0xffff),
            (0x950, 1),
            (0xc00, 0xfff0_0001),
            (0xc04, 0xfff0_0000),
            (0xf40, 3),
            (0xf60, 0x79a0_001f),
            (0xf80, 3),
            (0x100, 1),
        ];
        for (offset, value) in table {
            put(&mut l2, secure(offset), 0xffff_ffff).unwrap();
            assert_eq!(get(&mut l2, secure(offset)), Ok(value), "{offset:#x}");
        }
    }

    #[test]
    fn the_prefetch_enables_are_the_same_bits_in_both_registers() {
        let mut l2 = l2();
        put(&mut l2, secure(0xf60), 0x1000_0000).unwrap();
        assert_eq!(get(&mut l2, secure(0x104)), Ok(0x1202_0000));
        put(&mut l2, secure(0x104), 0x2202_0000).unwrap();
        assert_eq!(get(&mut l2, secure(0xf60)), Ok(0x2000_0000));
    }

    #[test]
    fn event_counters_are_written_while_off_and_cleared_one_by_one() {
        let mut l2 = l2();
        put(&mut l2, secure(0x20c), 11).unwrap();
        put(&mut l2, secure(0x210), 22).unwrap();
        put(&mut l2, secure(0x200), 1).unwrap();
        put(&mut l2, secure(0x210), 33).unwrap();
        assert_eq!(get(&mut l2, secure(0x210)), Ok(22));
        put(&mut l2, secure(0x200), 4).unwrap();
        assert_eq!(
            (get(&mut l2, secure(0x20c)), get(&mut l2, secure(0x210))),
            (Ok(0), Ok(22))
        );
        assert_eq!(get(&mut l2, secure(0x200)), Ok(0));
        put(&mut l2, secure(0x200), 2).unwrap();
        assert_eq!(get(&mut l2, secure(0x210)), Ok(0));
    }

    #[test]
    fn non_secure_software_needs_leave_for_lockdown_and_interrupts() {
        let mut l2 = l2();
        put(&mut l2, Access::word(0x900), 0xff).unwrap();
        assert_eq!(get(&mut l2, Access::word(0x900)), Ok(0));
        assert_eq!(get(&mut l2, Access::word(0x214)), Err(Refusal::Forbidden));
        assert_eq!(
            put(&mut l2, Access::word(0x220), 1),
            Err(Refusal::Forbidden)
        );
        put(&mut l2, secure(0x104), 0x0e02_0000).unwrap();
        put(&mut l2, Access::word(0x900), 0xff).unwrap();
        put(&mut l2, Access::word(0x214), 0x1ff).unwrap();
        put(&mut l2, Access::word(0x220), 1).unwrap();
        assert_eq!(get(&mut l2, Access::word(0x900)), Ok(0xff));
        assert_eq!(get(&mut l2, Access::word(0x214)), Ok(0x1ff));
    }

    #[test]
    fn other_widths_and_places_are_refused() {
        let mut l2 = l2();
        assert_eq!(
            get(&mut l2, secure(0).sized(Width::Byte)),
            Err(Refusal::Width)
        );
        assert_eq!(get(&mut l2, secure(2)), Err(Refusal::Width));
        assert_eq!(get(&mut l2, secure(0x1000)), Err(Refusal::NoRegister));
    }

    #[test]
    fn a_saved_controller_comes_back_and_a_damaged_one_does_not() {
        let mut l2 = l2();
        for offset in [
            0x104, 0x108, 0x204, 0x210, 0x214, 0x938, 0x950, 0xc00, 0xf60, 0xf80, 0x100,
        ] {
            put(&mut l2, secure(offset), 0x4242_4301).unwrap();
        }
        let mut out = Writer::default();
        l2.save(&mut out);
        let bytes = out.into_bytes();
        let mut other = Pl310::new(Config::R3P2);
        let mut reader = Reader::new(&bytes);
        other.load(&mut reader).unwrap();
        reader.end().unwrap();
        for offset in (0..0x1000).step_by(4) {
            assert_eq!(
                get(&mut other, secure(offset)),
                get(&mut l2, secure(offset))
            );
        }
        assert_eq!(
            other.load(&mut Reader::new(&bytes[1..])),
            Err(Refusal::BadState)
        );
        assert_eq!(get(&mut other, secure(0x104)), Ok(0x0202_0000));
    }
}
