//! The system registers of the Versatile Express motherboard V2M-P1.
//!
//! ARM DUI 0447, chapter 4.3. Compatible `arm,vexpress-sysreg`; the GPIO nodes below it
//! (`arm,vexpress-sysreg,sys_led`, `sys_mci`, `sys_flash`) are single registers of this block.
//! SYS_CFGDATA, SYS_CFGCTRL and SYS_CFGSTAT reach the [configuration bus](ConfigBus).
//!
//! Lines: inputs 0 and 1 are MMC_CARDIN and MMC_WPROT, the switches of the card slot, which
//! SYS_MCI tells.
//!
//! Deviations:
//! - SYS_FLASH, SYS_MISC, SYS_DMA and the LEDs are kept and move nothing.
//! - The UART modem lines in SYS_SW[29:28] read 0.
//! - Offsets with no register read 0 and ignore writes: the manual leaves them undefined, and
//!   the board raises no bus error for them.
//!
//! QEMU's model differs and the manual wins: there SYS_SW, SYS_DMA, SYS_FLASH and SYS_MISC
//! take no writes, and an unknown motherboard oscillator reads as 24 MHz.

mod description;

pub use description::DESCRIPTION;

use super::state::{Reader, Writer};
use super::sysreg;
use super::vexpress_config::{ConfigBus, Entry, Function, Outcome, Place, Transaction};
use super::{Cx, Device, Line, Reset, apb};
use crate::access::{Access, Refusal};
use crate::units::Instant;
use alloc::vec::Vec;

/// What differs from board to board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// SYS_ID: revision, HBI number 0x190, variant, bus architecture, FPGA build.
    pub id: u32,
    /// SYS_PROCID0 and SYS_PROCID1: processor, variant and HBI number of the daughterboards at
    /// sites 1 and 2. [`NO_TILE`] is an empty site.
    pub proc_id: [u32; 2],
    /// SYS_SW: the user switches as the board's configuration file sets them.
    pub switches: u8,
    /// SYS_CFGSW.
    pub config_switches: u8,
    /// SYS_MISC after a reset. Bit 14: daughterboard 2 is the master site.
    pub misc: u32,
    /// What is on the configuration bus.
    pub config_bus: Vec<Entry>,
}

/// SYS_PROCID of a site without a daughterboard.
pub const NO_TILE: u32 = 0xff00_0000;

impl Config {
    /// A motherboard with `daughterboard` (SYS_PROCID0) at site 1 and its `tile` entries, and
    /// the motherboard's own oscillators, supply and functions.
    pub fn motherboard(daughterboard: u32, tile: &[Entry]) -> Self {
        use Function::{DviMode, MuxFpga, Osc, Reboot, Reset, Shutdown, Volt};
        let own = [
            (Osc, 0, 50_000_000),
            (Osc, 1, 23_750_000),
            (Osc, 2, 24_000_000),
            (Volt, 0, 3_300_000),
            (Reset, 0, 0),
            (MuxFpga, 0, 0),
            (Shutdown, 0, 0),
            (Reboot, 0, 0),
            (DviMode, 0, 0),
        ];
        let own = own.map(|(function, device, value)| Entry {
            place: Place::new(function, 0, device),
            value,
        });
        Self {
            id: 0x1190_f500,
            proc_id: [daughterboard, NO_TILE],
            switches: 0,
            config_switches: 0,
            misc: 0,
            config_bus: own.iter().chain(tile).copied().collect(),
        }
    }

    /// With the CoreTile Express A9x4 (V2P-CA9, HBI 0x191).
    pub fn vexpress_a9() -> Self {
        use Function::{Osc, Volt};
        Self::motherboard(
            0x0c00_0191,
            &[
                (Osc, 0, 45_000_000),
                (Osc, 1, 23_750_000),
                (Osc, 2, 66_670_000),
                (Volt, 0, 1_000_000),
                (Volt, 1, 1_000_000),
                (Volt, 2, 1_000_000),
                (Volt, 3, 1_800_000),
                (Volt, 4, 900_000),
                (Volt, 5, 3_300_000),
            ]
            .map(tile),
        )
    }

    /// With the CoreTile Express A15x2 (V2P-CA15, HBI 0x237).
    pub fn vexpress_a15() -> Self {
        use Function::{Osc, Volt};
        Self::motherboard(
            0x1400_0237,
            &[
                (Osc, 0, 60_000_000),
                (Osc, 4, 40_000_000),
                (Osc, 5, 23_750_000),
                (Osc, 6, 50_000_000),
                (Osc, 7, 60_000_000),
                (Osc, 8, 40_000_000),
                (Volt, 0, 900_000),
            ]
            .map(tile),
        )
    }
}

fn tile((function, device, value): (Function, u16, u32)) -> Entry {
    Entry {
        place: Place::new(function, 1, device),
        value,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Id,
    Sw,
    Led,
    Count100Hz,
    /// SYS_FLAGS when read, SYS_FLAGSSET when written.
    Flags,
    FlagsClr,
    NvFlags,
    NvFlagsClr,
    Count24MHz,
    Mci,
    Flash,
    CfgSw,
    Misc,
    Dma,
    ProcId0,
    ProcId1,
    CfgData,
    CfgCtrl,
    CfgStat,
    Undefined,
}

impl Register {
    const fn at(offset: u64) -> Self {
        match offset & !3 {
            0x00 => Self::Id,
            0x04 => Self::Sw,
            0x08 => Self::Led,
            0x24 => Self::Count100Hz,
            0x30 => Self::Flags,
            0x34 => Self::FlagsClr,
            0x38 => Self::NvFlags,
            0x3c => Self::NvFlagsClr,
            0x5c => Self::Count24MHz,
            0x48 => Self::Mci,
            0x4c => Self::Flash,
            0x58 => Self::CfgSw,
            0x60 => Self::Misc,
            0x64 => Self::Dma,
            0x84 => Self::ProcId0,
            0x88 => Self::ProcId1,
            0xa0 => Self::CfgData,
            0xa4 => Self::CfgCtrl,
            0xa8 => Self::CfgStat,
            _ => Self::Undefined,
        }
    }
}

/// Bytes of the register block.
const SIZE: u64 = 0x1000;
/// SYS_CFGCTRL: starts a transaction; reads 0 once it has ended.
const CFGCTRL_START: u32 = 1 << 31;
const CFGCTRL_WRITE: u32 = 1 << 30;
/// Bits 19 and 18 are reserved.
const CFGCTRL_RESERVED: u32 = 3 << 18;
const CFGSTAT_COMPLETE: u32 = 1;
const CFGSTAT_ERROR: u32 = 2;
/// SYS_MISC: the master site is the hardware's to tell.
const MISC_MASTERSITE: u32 = 1 << 14;

/// The registers that are kept, in the order in which they are saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    common: sysreg::State,
    sw: u32,
    flash: u32,
    cfg_sw: u32,
    misc: u32,
    dma: u32,
    cfg_data: u32,
    cfg_ctrl: u32,
    cfg_stat: u32,
}

/// The system registers.
pub struct VexpressSysreg {
    config: Config,
    state: State,
    bus: ConfigBus,
    /// SYS_MCI: the levels of the inputs. No reset changes them.
    mci: u8,
}

impl VexpressSysreg {
    /// The registers after a power-on reset.
    pub fn new(config: Config) -> Self {
        let bus = ConfigBus::new(&config.config_bus);
        let mut sysreg = Self {
            config,
            state: State::default(),
            bus,
            mci: 0,
        };
        sysreg.reset(Reset::Cold);
        sysreg
    }

    /// The user LEDs: LED n is bit n.
    pub fn leds(&self) -> u8 {
        self.state.common.led
    }

    fn start(&mut self, cx: &mut Cx<'_>, ctrl: u32) {
        let outcome = self.bus.transact(Transaction {
            write: ctrl & CFGCTRL_WRITE != 0,
            function: ctrl >> 20 & 0x3f,
            site: (ctrl >> 16 & 3) as u8,
            position: (ctrl >> 12 & 0xf) as u8,
            device: (ctrl & 0xfff) as u16,
            data: self.state.cfg_data,
        });
        self.state.cfg_stat = CFGSTAT_COMPLETE;
        match outcome {
            Outcome::Value(value) => self.state.cfg_data = value,
            Outcome::Done => {}
            Outcome::Ask(ask) => cx.ask(ask),
            Outcome::Error => self.state.cfg_stat |= CFGSTAT_ERROR,
        }
    }

    fn get(&self, now: Instant, offset: u64) -> u32 {
        let state = &self.state;
        let [proc_id0, proc_id1] = self.config.proc_id;
        match Register::at(offset) {
            Register::Id => self.config.id,
            Register::Sw => state.sw,
            Register::Led => state.common.led.into(),
            Register::Count100Hz => sysreg::count_100hz(now),
            Register::Flags => state.common.flags,
            Register::NvFlags => state.common.nv_flags,
            Register::Count24MHz => sysreg::count_24mhz(now),
            Register::Mci => u32::from(self.mci),
            Register::Flash => state.flash,
            Register::CfgSw => state.cfg_sw,
            Register::Misc => state.misc,
            Register::Dma => state.dma,
            Register::ProcId0 => proc_id0,
            Register::ProcId1 => proc_id1,
            Register::CfgData => state.cfg_data,
            Register::CfgCtrl => state.cfg_ctrl,
            Register::CfgStat => state.cfg_stat,
            // Write-only, and what is not there.
            Register::FlagsClr | Register::NvFlagsClr | Register::Undefined => 0,
        }
    }

    fn set(&mut self, cx: &mut Cx<'_>, offset: u64, value: u32) {
        let state = &mut self.state;
        match Register::at(offset) {
            Register::Sw => state.sw = value & 0xff,
            Register::Led => state.common.led = value as u8,
            Register::Flags => state.common.flags |= value,
            Register::FlagsClr => state.common.flags &= !value,
            Register::NvFlags => state.common.nv_flags |= value,
            Register::NvFlagsClr => state.common.nv_flags &= !value,
            Register::Flash => state.flash = value & 1,
            Register::CfgSw => state.cfg_sw = value & 0xff,
            Register::Misc => {
                state.misc = value & !MISC_MASTERSITE | self.config.misc & MISC_MASTERSITE;
            }
            Register::Dma => state.dma = value & 0xff,
            Register::CfgData => state.cfg_data = value,
            Register::CfgCtrl => {
                state.cfg_ctrl = value & !(CFGCTRL_START | CFGCTRL_RESERVED);
                if value & CFGCTRL_START != 0 {
                    self.start(cx, value);
                }
            }
            Register::CfgStat => state.cfg_stat = value & (CFGSTAT_COMPLETE | CFGSTAT_ERROR),
            Register::Id
            | Register::Count100Hz
            | Register::Count24MHz
            | Register::Mci
            | Register::ProcId0
            | Register::ProcId1
            | Register::Undefined => {}
        }
    }
}

impl Device for VexpressSysreg {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        if access.region != 0 || access.offset >= SIZE {
            return Err(Refusal::NoRegister);
        }
        apb::read(access, |offset| self.get(cx.now, offset))
    }

    /// No register changes by a read, and the counters follow from the time.
    fn peek(&self, now: Instant, access: Access) -> Option<u64> {
        if access.region != 0 || access.offset >= SIZE {
            return None;
        }
        apb::peek(access, |offset| Some(self.get(now, offset)))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        if access.region != 0 || access.offset >= SIZE {
            return Err(Refusal::NoRegister);
        }
        apb::write(access, value, |offset, value| self.set(cx, offset, value))
    }

    fn input(&mut self, _: &mut Cx<'_>, line: Line, level: bool) {
        let bit = match line.0 {
            0 => 1,
            1 => 2,
            _ => return,
        };
        self.mci = if level {
            self.mci | bit
        } else {
            self.mci & !bit
        };
    }

    /// SYS_NVFLAGS, and what the configuration bus was told, live until the power goes.
    fn reset(&mut self, kind: Reset) {
        if kind == Reset::Cold {
            self.bus.reset();
        }
        let mut common = self.state.common;
        common.reset(kind);
        self.state = State {
            common,
            sw: u32::from(self.config.switches),
            cfg_sw: u32::from(self.config.config_switches),
            misc: self.config.misc,
            ..State::default()
        };
    }

    fn save(&self, out: &mut Writer) {
        let s = &self.state;
        s.common.save(out);
        for word in [
            s.sw, s.flash, s.cfg_sw, s.misc, s.dma, s.cfg_data, s.cfg_ctrl, s.cfg_stat,
        ] {
            out.u32(word);
        }
        out.u8(self.mci);
        self.bus.save(out);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        let mut load = || {
            let s = &mut self.state;
            s.common = sysreg::State::load(from)?;
            for word in [
                &mut s.sw,
                &mut s.flash,
                &mut s.cfg_sw,
                &mut s.misc,
                &mut s.dma,
                &mut s.cfg_data,
                &mut s.cfg_ctrl,
                &mut s.cfg_stat,
            ] {
                *word = from.u32()?;
            }
            self.mci = match from.u8()? {
                mci @ 0..=3 => mci,
                _ => return Err(Refusal::BadState),
            };
            self.bus.load(from)
        };
        let loaded = load();
        if loaded.is_err() {
            self.reset(Reset::Cold);
        }
        loaded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Width;
    use crate::emul::Ask;
    use crate::memory::NoMemory;

    fn read_at(dev: &mut VexpressSysreg, ns: u64, offset: u64) -> u64 {
        dev.read(
            &mut Cx::new(Instant(ns), &NoMemory, None),
            Access::word(offset),
        )
        .unwrap()
    }
    fn read(dev: &mut VexpressSysreg, offset: u64) -> u64 {
        read_at(dev, 0, offset)
    }
    fn write(dev: &mut VexpressSysreg, offset: u64, value: u64) -> Option<Ask> {
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        dev.write(&mut cx, Access::word(offset), value).unwrap();
        cx.asked()
    }
    fn a9() -> VexpressSysreg {
        VexpressSysreg::new(Config::vexpress_a9())
    }
    /// A bus transaction: what SYS_CFGSTAT and SYS_CFGDATA read afterwards.
    fn transact(dev: &mut VexpressSysreg, ctrl: u64) -> (u64, u64) {
        write(dev, 0xa8, 0);
        write(dev, 0xa0, 0xdead_beef);
        write(dev, 0xa4, ctrl | 1 << 31);
        (read(dev, 0xa8), read(dev, 0xa0))
    }

    #[test]
    fn registers_reset_to_the_manuals_values() {
        let (mut a9, mut a15) = (a9(), VexpressSysreg::new(Config::vexpress_a15()));
        for offset in (0..0x1000).step_by(4) {
            let both = match offset {
                0x00 => [0x1190_f500; 2],
                0x84 => [0x0c00_0191, 0x1400_0237],
                0x88 => [0xff00_0000; 2],
                _ => [0; 2],
            };
            assert_eq!(
                [read(&mut a9, offset), read(&mut a15, offset)],
                both,
                "{offset:#x}"
            );
        }
    }

    #[test]
    fn counters_follow_the_boards_time_and_wrap() {
        let mut dev = a9();
        assert_eq!(read_at(&mut dev, 9_999_999, 0x24), 0);
        assert_eq!(read_at(&mut dev, 10_000_000, 0x24), 1);
        assert_eq!(read_at(&mut dev, 41, 0x5c), 0);
        assert_eq!(read_at(&mut dev, 42, 0x5c), 1);
        assert_eq!(read_at(&mut dev, 4_150_272_762, 0x5c), 0x05ef_e012);
        // 2^32 ticks of 24 MHz are 178.956970666.. s.
        assert_eq!(read_at(&mut dev, 178_956_970_667, 0x5c), 0);
        write(&mut dev, 0x5c, 7);
        assert_eq!(read(&mut dev, 0x5c), 0);
    }

    #[test]
    fn flags_are_set_and_cleared_by_bit_and_nvflags_survive_a_warm_reset() {
        let mut dev = a9();
        for (set, clear) in [(0x30, 0x34), (0x38, 0x3c)] {
            write(&mut dev, set, 0xf0f0);
            write(&mut dev, set, 0x0f);
            write(&mut dev, clear, 0xf3);
            assert_eq!((read(&mut dev, set), read(&mut dev, clear)), (0xf00c, 0));
        }
        dev.reset(Reset::Warm);
        assert_eq!((read(&mut dev, 0x30), read(&mut dev, 0x38)), (0, 0xf00c));
        dev.reset(Reset::Cold);
        assert_eq!(read(&mut dev, 0x38), 0);
    }

    #[test]
    fn written_registers_keep_their_defined_bits_and_no_others() {
        let mut dev = a9();
        for (offset, want) in [
            (0x04, 0xff),
            (0x08, 0xff),
            (0x48, 0),
            (0x4c, 1),
            (0x58, 0xff),
            (0x60, 0xffff_bfff),
            (0x64, 0xff),
            (0x84, 0x0c00_0191),
            (0xa0, 0xffff_ffff),
            (0xa8, 3),
            (0xac, 0),
        ] {
            write(&mut dev, offset, 0xffff_ffff);
            assert_eq!(read(&mut dev, offset), want, "{offset:#x}");
        }
        assert_eq!(dev.leds(), 0xff);
    }

    #[test]
    fn sys_mci_tells_the_slots_switches_through_a_reset() {
        let mut dev = a9();
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        dev.input(&mut cx, Line(0), true);
        assert_eq!(read(&mut dev, 0x48), 1);
        dev.input(&mut cx, Line(1), true);
        dev.reset(Reset::Cold);
        assert_eq!(read(&mut dev, 0x48), 3);
        dev.input(&mut cx, Line(0), false);
        assert_eq!(read(&mut dev, 0x48), 2);
    }

    #[test]
    fn the_configuration_bus_tells_each_boards_oscillators_and_voltages() {
        let mut dev = a9();
        for (ctrl, value) in [
            (0x0010_0000, 50_000_000),
            (0x0010_0002, 24_000_000),
            (0x0011_0002, 66_670_000),
            (0x0020_0000, 3_300_000),
            (0x0021_0003, 1_800_000),
        ] {
            assert_eq!(transact(&mut dev, ctrl), (1, value), "{ctrl:#x}");
            assert_eq!(read(&mut dev, 0xa4), ctrl, "the start bit is over");
        }
        let mut a15 = VexpressSysreg::new(Config::vexpress_a15());
        assert_eq!(transact(&mut a15, 0x0011_0008), (1, 40_000_000));
        assert_eq!(transact(&mut a15, 0x0011_0001), (3, 0xdead_beef));
    }

    #[test]
    fn a_transaction_with_nothing_there_ends_in_an_error() {
        let mut dev = a9();
        for ctrl in [
            0,
            0x0011_0003,
            0x0012_0000,
            0x0010_1000,
            0x0031_0000,
            0x00a0_0000,
            0x03f0_0000,
        ] {
            assert_eq!(transact(&mut dev, ctrl), (3, 0xdead_beef), "{ctrl:#x}");
        }
    }

    #[test]
    fn without_the_start_bit_nothing_starts() {
        let mut dev = a9();
        assert_eq!(write(&mut dev, 0xa4, 0x4080_0000), None);
        assert_eq!(
            (read(&mut dev, 0xa4), read(&mut dev, 0xa8)),
            (0x4080_0000, 0)
        );
    }

    #[test]
    fn shutdown_and_reboot_ask_the_board() {
        let mut dev = a9();
        assert_eq!(write(&mut dev, 0xa4, 0xc080_0000), Some(Ask::PowerOff));
        assert_eq!(read(&mut dev, 0xa8), 1);
        assert_eq!(write(&mut dev, 0xa4, 0xc090_0000), Some(Ask::Reset));
        assert_eq!(
            write(&mut dev, 0xa4, 0x8080_0000),
            None,
            "a read of it is an error"
        );
        assert_eq!(read(&mut dev, 0xa8), 3);
        assert_eq!(
            write(&mut dev, 0xa4, 0xc081_0000),
            None,
            "not of a daughterboard"
        );
    }

    #[test]
    fn narrow_accesses_take_their_lanes_and_unaligned_ones_are_refused() {
        let mut dev = a9();
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        assert_eq!(
            dev.read(&mut cx, Access::word(2).sized(Width::Half)),
            Ok(0x1190)
        );
        assert_eq!(
            dev.read(&mut cx, Access::word(1).sized(Width::Byte)),
            Ok(0xf5)
        );
        dev.write(&mut cx, Access::word(8).sized(Width::Byte), 0x5a)
            .unwrap();
        assert_eq!(dev.leds(), 0x5a);
        for bad in [
            Access::word(4).sized(Width::Double),
            Access::word(2),
            Access::word(1).sized(Width::Half),
        ] {
            assert_eq!(dev.read(&mut cx, bad), Err(Refusal::Width));
            assert_eq!(dev.write(&mut cx, bad, 0), Err(Refusal::Width));
        }
        assert_eq!(
            dev.read(&mut cx, Access::word(0x1000)),
            Err(Refusal::NoRegister)
        );
        assert_eq!(
            dev.read(
                &mut cx,
                Access {
                    region: 1,
                    ..Access::word(0)
                }
            ),
            Err(Refusal::NoRegister)
        );
    }

    #[test]
    fn saved_state_comes_back_and_a_short_one_leaves_the_reset_state() {
        let mut one = a9();
        for offset in [0x04, 0x08, 0x30, 0x38, 0x4c, 0x58, 0x60, 0x64, 0xa0] {
            write(&mut one, offset, 0x55 + offset);
        }
        write(&mut one, 0xa4, 0xc011_0001);
        let mut out = Writer::default();
        one.save(&mut out);
        let saved = out.into_bytes();
        let mut two = a9();
        two.load(&mut Reader::new(&saved)).unwrap();
        assert_eq!(one.state, two.state);
        assert_eq!(transact(&mut two, 0x0011_0001), (1, 0x55 + 0xa0));
        assert_eq!(
            two.load(&mut Reader::new(&saved[..saved.len() - 1])),
            Err(Refusal::BadState)
        );
        assert_eq!(two.state, a9().state);
    }
}
