//! The system registers of the Versatile and RealView baseboards.
//!
//! Manuals: Versatile PB926EJ-S, DUI 0225D, and RealView PB-A8, DUI 0417D; of both the chapter
//! "Status and system control registers".
//! Device tree: `arm,core-module-versatile`, `arm,versatile-sysreg`; `arm,realview-pba8-syscon`.
//! The device has no lines.
//!
//! SYS_OSCx, SYS_OSCRESETx, SYS_CFGDATAx and SYS_RESETCTL take writes only while SYS_LOCK
//! holds 0xA05F. SYS_RESETCTL resets the board: on a Versatile by its bit 8, whatever the
//! level in its low bits, on a PB-A8 by a level from 4 on.
//!
//! Deviations:
//! - The oscillators are kept and change nothing. What they are set to after power-up, 0 here,
//!   is not known; SYS_TEST_OSCx, which count their ticks, read 0.
//! - SYS_MCI, SYS_BOOTCS, SYS_SW and SYS_MISC tell of no card, whatever is in a slot, and of
//!   switches that are off.
//! - Nothing is behind SYS_PCICTL, SYS_CLCDSER and, on a PB-A8, SYS_VOLTAGEx: they read 0.
//!   SYS_FLASH, SYS_CLCD, SYS_DMAPSRx, SYS_IOSEL and the LEDs are kept and move nothing.
//! - Offsets with no register read 0 and ignore writes: the manuals leave them undefined.
//!
//! QEMU 7.2's model differs and the manuals win: there SYS_LOCK has no LOCKED bit,
//! SYS_PCICTL reads 1, SYS_OSCx and SYS_OSCRESETx keep nothing, and a Versatile has the
//! SYS_PROCID of a RealView.

use super::describe::{Description, Register as Named, bit, field, register};
use super::state::{Reader, Writer};
use super::sysreg;
use super::{Ask, Cx, Device, Reset, apb};
use crate::access::{Access, Refusal};
use crate::units::Instant;

/// What differs from board to board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// SYS_ID.
    pub id: u32,
    /// SYS_PROCID0 and SYS_PROCID1, on a board that has them.
    pub proc_id: Option<[u32; 2]>,
    /// The bits of SYS_RESETCTL that reset the board.
    pub reset_bits: u32,
}

impl Config {
    /// A Versatile PB926EJ-S: manufacturer Arm, ARM926EJ-S, FPGA XC2V2000.
    #[must_use]
    pub const fn versatile_pb() -> Self {
        Self {
            id: 0x4100_7004,
            proc_id: None,
            reset_bits: 1 << 8,
        }
    }

    /// A RealView PB-A8: HBI 0x178, AXI, Cortex-A8.
    #[must_use]
    pub const fn realview_pba8() -> Self {
        Self {
            id: 0x0178_0500,
            proc_id: Some([0x0e00_0000, 0xff00_0000]),
            reset_bits: 1 << 2,
        }
    }
}

/// The oscillators ICS307 that SYS_OSCx set.
const OSCILLATORS: usize = 5;
/// SYS_DMAPSRx.
const DMA_CHANNELS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Led,
    Count100Hz,
    /// SYS_FLAGS when read, SYS_FLAGSSET when written.
    Flags,
    FlagsClr,
    NvFlags,
    NvFlagsClr,
    Count24MHz,
    Id,
    Osc(usize),
    Lock,
    CfgData(usize),
    ResetCtl,
    Flash,
    Clcd,
    DmaPsr(usize),
    IoSel,
    ProcId(usize),
    OscReset(usize),
    /// It reads 0: undefined, or with nothing behind it (SYS_SW, SYS_PCICTL, SYS_MCI,
    /// SYS_CLCDSER, SYS_BOOTCS, SYS_MISC, SYS_VOLTAGEx, SYS_TEST_OSCx).
    Zero,
}

impl Register {
    const fn at(offset: u64) -> Self {
        match offset {
            0x00 => Self::Id,
            0x08 => Self::Led,
            0x24 => Self::Count100Hz,
            0x30 => Self::Flags,
            0x34 => Self::FlagsClr,
            0x38 => Self::NvFlags,
            0x3c => Self::NvFlagsClr,
            0x5c => Self::Count24MHz,
            0x0c..=0x1c => Self::Osc(from_first(offset, 0x0c)),
            0x20 => Self::Lock,
            0x28 | 0x2c => Self::CfgData(from_first(offset, 0x28)),
            0x40 => Self::ResetCtl,
            0x4c => Self::Flash,
            0x50 => Self::Clcd,
            0x64..=0x6c => Self::DmaPsr(from_first(offset, 0x64)),
            0x70 => Self::IoSel,
            0x84 | 0x88 => Self::ProcId(from_first(offset, 0x84)),
            0x8c..=0x9c => Self::OscReset(from_first(offset, 0x8c)),
            _ => Self::Zero,
        }
    }
}

/// Which of the registers that begin at `first`.
const fn from_first(offset: u64, first: u64) -> usize {
    (offset.wrapping_sub(first) >> 2) as usize
}

/// What its registers are called, and what is known to deviate.
pub static DESCRIPTION: Description = Description::of("DUI 0225D, DUI 0417D", REGISTERS)
    .deviations(&[
        "oscillators are kept and change nothing, and are 0 after power-up",
        "cards, switches, PCI, voltages and test counters read 0",
        "SYS_FLASH, SYS_CLCD, SYS_DMAPSRx, SYS_IOSEL and the LEDs move nothing",
    ]);

const REGISTERS: &[Named] = &[
    register(0x00, "SYS_ID"),
    register(0x04, "SYS_SW"),
    register(0x08, "SYS_LED").fields(&[field("LED", 7, 0)]),
    register(0x0c, "SYS_OSCx").times(5),
    register(0x20, "SYS_LOCK").fields(&[bit("LOCKED", 16), field("LOCKVAL", 15, 0)]),
    register(0x24, "SYS_100HZ"),
    register(0x28, "SYS_CFGDATAx").times(2),
    register(0x30, "SYS_FLAGS"),
    register(0x34, "SYS_FLAGSCLR"),
    register(0x38, "SYS_NVFLAGS"),
    register(0x3c, "SYS_NVFLAGSCLR"),
    register(0x40, "SYS_RESETCTL"),
    register(0x44, "SYS_PCICTL"),
    register(0x48, "SYS_MCI"),
    register(0x4c, "SYS_FLASH").fields(&[bit("FLASHWRITEEN", 0)]),
    register(0x50, "SYS_CLCD").fields(&[field("CLCDID", 12, 8)]),
    register(0x54, "SYS_CLCDSER"),
    register(0x58, "SYS_BOOTCS"),
    register(0x5c, "SYS_24MHZ"),
    register(0x60, "SYS_MISC"),
    register(0x64, "SYS_DMAPSRx").times(3),
    register(0x70, "SYS_IOSEL"),
    register(0x84, "SYS_PROCIDx").times(2),
    register(0x8c, "SYS_OSCRESETx").times(5),
    register(0xc0, "SYS_TEST_OSCx").times(5),
];

/// Bytes of the register block.
const SIZE: u64 = 0x1000;
/// SYS_LOCK: what opens the lock.
const KEY: u16 = 0xa05f;
/// SYS_LOCK: it is closed.
const LOCKED: u32 = 1 << 16;
/// An ICS307's setting has 19 bits.
const OSC_MASK: u32 = 0x7_ffff;
/// CLCDID: no panel is there, so VGA.
const CLCD_ID: u32 = 0x1f00;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    common: sysreg::State,
    lock: u16,
    osc: [u32; OSCILLATORS],
    osc_reset: [u32; OSCILLATORS],
    cfg_data: [u32; 2],
    reset_ctl: u32,
    flash: bool,
    clcd: u8,
    dma: [u8; DMA_CHANNELS],
    io_sel: u32,
}

/// The system registers.
pub struct VersatileSysreg {
    config: Config,
    state: State,
}

impl VersatileSysreg {
    /// The registers after a power-on reset.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            state: State::default(),
        }
    }

    /// The user LEDs: LED n is bit n.
    #[must_use]
    pub const fn leds(&self) -> u8 {
        self.state.common.led
    }

    const fn is_open(&self) -> bool {
        self.state.lock == KEY
    }

    fn get(&self, now: Instant, offset: u64) -> u32 {
        let state = &self.state;
        let word = |words: &[u32], n: usize| words.get(n).copied().unwrap_or(0);
        match Register::at(offset) {
            Register::Led => state.common.led.into(),
            Register::Count100Hz => sysreg::count_100hz(now),
            Register::Flags => state.common.flags,
            Register::NvFlags => state.common.nv_flags,
            Register::Count24MHz => sysreg::count_24mhz(now),
            Register::Id => self.config.id,
            Register::Osc(n) => word(&state.osc, n),
            Register::Lock => u32::from(state.lock) | if self.is_open() { 0 } else { LOCKED },
            Register::CfgData(n) => word(&state.cfg_data, n),
            Register::ResetCtl => state.reset_ctl,
            Register::Flash => state.flash.into(),
            Register::Clcd => CLCD_ID | u32::from(state.clcd),
            Register::DmaPsr(n) => state.dma.get(n).copied().unwrap_or(0).into(),
            Register::IoSel => state.io_sel,
            Register::ProcId(n) => self.config.proc_id.map_or(0, |ids| word(&ids, n)),
            Register::OscReset(n) => word(&state.osc_reset, n),
            // Write-only, and what is not there.
            Register::FlagsClr | Register::NvFlagsClr | Register::Zero => 0,
        }
    }

    fn set(&mut self, cx: &mut Cx<'_>, offset: u64, value: u32) {
        let open = self.is_open();
        let state = &mut self.state;
        let keep = |words: &mut [u32], n: usize, mask: u32| {
            if let Some(word) = words.get_mut(n)
                && open
            {
                *word = value & mask;
            }
        };
        match Register::at(offset) {
            Register::Led => state.common.led = value as u8,
            Register::Flags => state.common.flags |= value,
            Register::FlagsClr => state.common.flags &= !value,
            Register::NvFlags => state.common.nv_flags |= value,
            Register::NvFlagsClr => state.common.nv_flags &= !value,
            Register::Osc(n) => keep(&mut state.osc, n, OSC_MASK),
            Register::Lock => state.lock = value as u16,
            Register::CfgData(n) => keep(&mut state.cfg_data, n, u32::MAX),
            Register::ResetCtl if open => {
                state.reset_ctl = value & 0x1ff;
                if value & self.config.reset_bits != 0 {
                    cx.ask(Ask::Reset);
                }
            }
            Register::Flash => state.flash = value & 1 != 0,
            Register::Clcd => state.clcd = value as u8,
            Register::DmaPsr(n) => {
                if let Some(dma) = state.dma.get_mut(n) {
                    *dma = value as u8;
                }
            }
            // A Versatile has none, nor SYS_PROCID.
            Register::IoSel if self.config.proc_id.is_some() => state.io_sel = value,
            Register::OscReset(n) => keep(&mut state.osc_reset, n, OSC_MASK),
            Register::ResetCtl
            | Register::IoSel
            | Register::Id
            | Register::Count100Hz
            | Register::Count24MHz
            | Register::ProcId(_)
            | Register::Zero => {}
        }
    }
}

const fn inside(access: Access) -> Result<(), Refusal> {
    if access.region != 0 || access.offset >= SIZE {
        Err(Refusal::NoRegister)
    } else {
        Ok(())
    }
}

impl Device for VersatileSysreg {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        inside(access)?;
        apb::read(access, |offset| self.get(cx.now, offset))
    }

    /// No register changes by a read, and the counters follow from the time.
    fn peek(&self, now: Instant, access: Access) -> Option<u64> {
        inside(access).ok()?;
        apb::peek(access, |offset| Some(self.get(now, offset)))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        inside(access)?;
        apb::write(access, value, |offset, value| self.set(cx, offset, value))
    }

    /// SYS_NVFLAGS, and what is there for the next reset to take (SYS_CFGDATAx, SYS_OSCRESETx),
    /// live until the power goes.
    fn reset(&mut self, kind: Reset) {
        let before = self.state;
        self.state = State::default();
        if kind == Reset::Warm {
            self.state.common = before.common;
            self.state.common.reset(kind);
            self.state.osc = before.osc_reset;
            self.state.osc_reset = before.osc_reset;
            self.state.cfg_data = before.cfg_data;
        }
    }

    fn save(&self, out: &mut Writer) {
        let s = &self.state;
        s.common.save(out);
        out.u16(s.lock);
        for word in s.osc.iter().chain(&s.osc_reset).chain(&s.cfg_data) {
            out.u32(*word);
        }
        out.u32(s.reset_ctl);
        out.bool(s.flash);
        out.u8(s.clcd);
        out.bytes(&s.dma);
        out.u32(s.io_sel);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        let mut s = State {
            common: sysreg::State::load(from)?,
            lock: from.u16()?,
            ..State::default()
        };
        let settings = s.osc.iter_mut().chain(&mut s.osc_reset);
        for word in settings {
            *word = from.u32()?;
            if *word & !OSC_MASK != 0 {
                return Err(Refusal::BadState);
            }
        }
        for word in &mut s.cfg_data {
            *word = from.u32()?;
        }
        s.reset_ctl = from.u32()?;
        s.flash = from.bool()?;
        s.clcd = from.u8()?;
        for byte in &mut s.dma {
            *byte = from.u8()?;
        }
        s.io_sel = from.u32()?;
        self.state = s;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Width;
    use crate::emul::random_walk;
    use crate::memory::NoMemory;
    use std::vec::Vec;

    fn read_at(dev: &mut VersatileSysreg, ns: u64, offset: u64) -> u64 {
        let mut cx = Cx::new(Instant(ns), &NoMemory, None);
        let value = dev.read(&mut cx, Access::word(offset)).unwrap();
        assert_eq!(dev.peek(Instant(ns), Access::word(offset)), Some(value));
        value
    }
    fn read(dev: &mut VersatileSysreg, offset: u64) -> u64 {
        read_at(dev, 0, offset)
    }
    fn write(dev: &mut VersatileSysreg, offset: u64, value: u64) -> Option<Ask> {
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        dev.write(&mut cx, Access::word(offset), value).unwrap();
        cx.asked()
    }
    fn pb() -> VersatileSysreg {
        VersatileSysreg::new(Config::versatile_pb())
    }
    fn pba8() -> VersatileSysreg {
        VersatileSysreg::new(Config::realview_pba8())
    }

    #[test]
    fn registers_have_their_reset_values() {
        let (mut pb, mut pba8) = (pb(), pba8());
        for offset in (0..0x1000).step_by(4) {
            let both = match offset {
                0x00 => [0x4100_7004, 0x0178_0500],
                0x20 => [0x1_0000; 2],
                0x50 => [0x1f00; 2],
                0x84 => [0, 0x0e00_0000],
                0x88 => [0, 0xff00_0000],
                _ => [0; 2],
            };
            let found = [read(&mut pb, offset), read(&mut pba8, offset)];
            assert_eq!(found, both, "{offset:#x}");
        }
    }

    #[test]
    fn counters_follow_the_boards_time() {
        let mut dev = pb();
        assert_eq!(read_at(&mut dev, 9_999_999, 0x24), 0);
        assert_eq!(read_at(&mut dev, 10_000_000, 0x24), 1);
        assert_eq!(read_at(&mut dev, 1_000_000, 0x5c), 24_000);
        write(&mut dev, 0x5c, 7);
        assert_eq!(read(&mut dev, 0x5c), 0);
    }

    #[test]
    fn written_registers_keep_their_bits_and_lockable_ones_need_the_key() {
        for lock in [0xa05e, 0xa05f] {
            let (mut pb, mut pba8) = (pb(), pba8());
            write(&mut pb, 0x20, lock);
            write(&mut pba8, 0x20, lock);
            for offset in (0..0x1000).step_by(4).filter(|n| *n != 0x20 && *n != 0x40) {
                write(&mut pb, offset, 0xffff_ffff);
                write(&mut pba8, offset, 0xffff_ffff);
                let lockable = |value| if lock == 0xa05f { [value; 2] } else { [0; 2] };
                let kept = match offset {
                    0x00 => [0x4100_7004, 0x0178_0500],
                    0x08 | 0x64..=0x6c => [0xff; 2],
                    0x0c..=0x1c | 0x8c..=0x9c => lockable(0x7_ffff),
                    0x28 | 0x2c => lockable(0xffff_ffff),
                    0x30 | 0x38 => [0xffff_ffff; 2],
                    0x4c => [1; 2],
                    0x50 => [0x1fff; 2],
                    0x70 => [0, 0xffff_ffff],
                    0x84 => [0, 0x0e00_0000],
                    0x88 => [0, 0xff00_0000],
                    _ => [0; 2],
                };
                let found = [read(&mut pb, offset), read(&mut pba8, offset)];
                assert_eq!(found, kept, "{offset:#x}");
            }
            assert_eq!((pb.leds(), pba8.leds()), (0xff, 0xff));
        }
    }

    #[test]
    fn the_lock_tells_its_value_and_whether_it_is_closed() {
        let mut dev = pb();
        for (written, found) in [(0xa05f, 0xa05f), (0xffff_a05f, 0xa05f), (0x1234, 0x1_1234)] {
            write(&mut dev, 0x20, written);
            assert_eq!(read(&mut dev, 0x20), found);
        }
    }

    #[test]
    fn the_reset_register_resets_the_board_when_it_is_unlocked() {
        for (mut dev, quiet, resets) in [(pb(), 0x005, 0x105), (pba8(), 0x003, 0x004)] {
            assert_eq!(write(&mut dev, 0x40, resets), None);
            write(&mut dev, 0x20, 0xa05f);
            assert_eq!(write(&mut dev, 0x40, quiet), None);
            assert_eq!(read(&mut dev, 0x40), quiet);
            assert_eq!(write(&mut dev, 0x40, resets), Some(Ask::Reset));
        }
    }

    #[test]
    fn a_warm_reset_takes_the_oscillators_settings_and_keeps_the_nvflags() {
        let mut dev = pb();
        write(&mut dev, 0x20, 0xa05f);
        for (offset, value) in [(0x0c, 1), (0x8c, 2), (0x28, 3), (0x30, 4), (0x38, 5)] {
            write(&mut dev, offset, value);
        }
        dev.reset(Reset::Warm);
        for (offset, value) in [(0x0c, 2), (0x8c, 2), (0x28, 3), (0x30, 0), (0x38, 5)] {
            assert_eq!(read(&mut dev, offset), value, "{offset:#x}");
        }
        assert_eq!(read(&mut dev, 0x20), 0x1_0000);
        dev.reset(Reset::Cold);
        assert_eq!(dev.state, State::default());
    }

    #[test]
    fn what_is_outside_or_wider_is_refused() {
        let mut dev = pb();
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        let outside = Access::word(0x1000);
        assert_eq!(dev.read(&mut cx, outside), Err(Refusal::NoRegister));
        assert_eq!(dev.write(&mut cx, outside, 0), Err(Refusal::NoRegister));
        assert_eq!(dev.peek(Instant::ZERO, outside), None);
        let wide = Access::word(0).sized(Width::Double);
        assert_eq!(dev.read(&mut cx, wide), Err(Refusal::Width));
    }

    #[test]
    fn saved_state_comes_back_and_damage_is_refused() {
        let mut one = pba8();
        write(&mut one, 0x20, 0xa05f);
        for offset in (0..0xa0).step_by(4).filter(|n| *n != 0x20 && *n != 0x40) {
            write(&mut one, offset, 0x55 + offset);
        }
        let mut out = Writer::default();
        one.save(&mut out);
        let bytes = out.into_bytes();
        let mut two = pba8();
        let mut from = Reader::new(&bytes);
        two.load(&mut from).unwrap();
        from.end().unwrap();
        assert_eq!(one.state, two.state);
        // The upper half of SYS_OSC0, and the end.
        let mut damaged = bytes.clone();
        damaged[14] = 8;
        for bad in [&damaged[..], &bytes[..bytes.len() - 1]] {
            assert_eq!(two.load(&mut Reader::new(bad)), Err(Refusal::BadState));
            assert_eq!(two.state, State::default());
        }
    }

    #[test]
    fn random_accesses_keep_its_properties() {
        let offsets: Vec<u64> = (0..0xa0).step_by(4).collect();
        for seed in 1..=20 {
            random_walk::walk(pba8, &offsets, seed, 1000);
        }
    }
}
