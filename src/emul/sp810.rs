//! PrimeXsys system controller SP810.
//!
//! ARM DDI 0254B. Compatible `arm,sp810`. The device has no lines.
//!
//! The timer clock selects in SCCTRL are kept: on a board whose map gives each timer its clock
//! they change nothing (every guest known to write them selects the 1 MHz TIMCLK that the maps
//! name). A RemapClear that changes asks [`Ask::Remap`]; a write to SCSYSSTAT asks
//! [`Ask::Reset`].
//!
//! Deviations:
//! - Crystal and PLL are always stable: ModeStatus follows ModeCtrl at once, and SLEEP and DOZE
//!   slow nothing down.
//! - The interrupt mode of SCIMCTRL never becomes active: the board's interrupts do not come
//!   through here. The peripheral clock enables are kept and gate nothing.
//! - The integration test registers, and offsets with no register, read 0 and ignore writes.
//!
//! QEMU's boards leave this device out.

use super::state::{Reader, Writer};
use super::{Ask, Cx, Device, Reset, apb};
use crate::access::{Access, Refusal};
use crate::emul::describe::{Description, Register as Named, register};
use crate::emul::primecell;

/// What its registers are called.
pub static DESCRIPTION: Description = Description::of("DDI 0254B", REGISTERS).deviations(&[
    "crystal and PLL are always stable",
    "the interrupt mode never becomes active, and no clock is gated",
    "the integration test registers read 0",
]);

const REGISTERS: &[Named] = &[
    register(0x000, "SCCTRL"),
    register(0x004, "SCSYSSTAT"),
    register(0x008, "SCIMCTRL"),
    register(0x00c, "SCIMSTAT"),
    register(0x010, "SCXTALCTRL"),
    register(0x014, "SCPLLCTRL"),
    register(0x018, "SCPLLFCTRL"),
    register(0x01c, "SCPERCTRL0"),
    register(0x020, "SCPERCTRL1"),
    register(0x024, "SCPEREN"),
    register(0x028, "SCPERDIS"),
    register(0x02c, "SCPERCLKEN"),
    register(0x030, "SCPERSTAT"),
    primecell::PERIPH_ID,
    primecell::PCELL_ID_REGISTERS,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Ctrl,
    SysStat,
    ImCtrl,
    ImStat,
    XtalCtrl,
    PllCtrl,
    PllFCtrl,
    PerCtrl0,
    PerCtrl1,
    /// Write-only: sets bits of the enables.
    PerEn,
    /// Write-only: clears them.
    PerDis,
    PerClkEn,
    PerStat,
    /// Byte n of the PrimeCell identification.
    Id(usize),
    Undefined,
}

/// SCPeriphID0 to 3 (part 0x810, designer 0x41) and SCPCellID0 to 3.
const ID: [u8; 8] = [0x10, 0x18, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

impl Register {
    const fn at(offset: u64) -> Self {
        match offset & !3 {
            0x000 => Self::Ctrl,
            0x004 => Self::SysStat,
            0x008 => Self::ImCtrl,
            0x00c => Self::ImStat,
            0x010 => Self::XtalCtrl,
            0x014 => Self::PllCtrl,
            0x018 => Self::PllFCtrl,
            0x01c => Self::PerCtrl0,
            0x020 => Self::PerCtrl1,
            0x024 => Self::PerEn,
            0x028 => Self::PerDis,
            0x02c => Self::PerClkEn,
            0x030 => Self::PerStat,
            0xfe0..=0xffc => Self::Id((offset >> 2 & 7) as usize),
            _ => Self::Undefined,
        }
    }
}

/// Bytes of the register block.
const SIZE: u64 = 0x1000;
/// DOZE mode, asked for and reached.
const CTRL_RESET: u32 = 0x9;
/// What a write of SCCTRL changes: all but ModeStatus (6:3), RemapStat (8) and the reserved
/// bits from 24 on.
const CTRL_WRITABLE: u32 = 0x00ff_fe87;
const CTRL_REMAP_CLEAR: u32 = 1 << 7;
const CTRL_REMAP_STAT: u32 = 1 << 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    ctrl: u32,
    im_ctrl: u32,
    im_stat: u32,
    xtal_ctrl: u32,
    pll_ctrl: u32,
    pll_f_ctrl: u32,
    per_ctrl: [u32; 2],
    enables: u32,
}

const RESET: State = State {
    ctrl: CTRL_RESET,
    im_ctrl: 0,
    im_stat: 0,
    xtal_ctrl: 0,
    pll_ctrl: 0,
    pll_f_ctrl: 0,
    per_ctrl: [0; 2],
    enables: 0,
};

/// The system controller.
pub struct Sp810 {
    state: State,
}

impl Default for Sp810 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sp810 {
    /// A controller in its reset state.
    pub const fn new() -> Self {
        Self { state: RESET }
    }

    fn write_ctrl(&mut self, cx: &mut Cx<'_>, value: u32) {
        // SLEEP 0b000, DOZE 0b001, SLOW 0b01x, NORMAL 0b1xx: the status of each is one bit.
        let status = match value & 7 {
            0 => 0,
            1 => 1,
            2 | 3 => 2,
            _ => 4,
        };
        let remap_clear = value & CTRL_REMAP_CLEAR;
        if remap_clear != self.state.ctrl & CTRL_REMAP_CLEAR {
            cx.ask(Ask::Remap(remap_clear == 0));
        }
        let remap_stat = if remap_clear == 0 { 0 } else { CTRL_REMAP_STAT };
        self.state.ctrl = value & CTRL_WRITABLE | status << 3 | remap_stat;
    }

    fn get(&self, offset: u64) -> u32 {
        let s = &self.state;
        let [per_ctrl0, per_ctrl1] = s.per_ctrl;
        match Register::at(offset) {
            Register::Ctrl => s.ctrl,
            Register::ImCtrl => s.im_ctrl,
            Register::ImStat => s.im_stat,
            Register::XtalCtrl => s.xtal_ctrl,
            Register::PllCtrl => s.pll_ctrl,
            Register::PllFCtrl => s.pll_f_ctrl,
            Register::PerCtrl0 => per_ctrl0,
            Register::PerCtrl1 => per_ctrl1,
            // What is enabled is what runs.
            Register::PerClkEn | Register::PerStat => s.enables,
            Register::Id(index) => u32::from(ID.get(index).copied().unwrap_or(0)),
            Register::SysStat | Register::PerEn | Register::PerDis | Register::Undefined => 0,
        }
    }

    fn set(&mut self, cx: &mut Cx<'_>, offset: u64, value: u32) {
        let s = &mut self.state;
        let [per_ctrl0, per_ctrl1] = &mut s.per_ctrl;
        match Register::at(offset) {
            Register::Ctrl => self.write_ctrl(cx, value),
            // Any value: a soft reset of the system.
            Register::SysStat => cx.ask(Ask::Reset),
            Register::ImCtrl => s.im_ctrl = value & 0xff,
            Register::ImStat => s.im_stat = value & 1,
            Register::XtalCtrl => s.xtal_ctrl = value & 0x0007_ffff,
            Register::PllCtrl => s.pll_ctrl = value & 0x0fff_ffff,
            Register::PllFCtrl => s.pll_f_ctrl = value,
            Register::PerCtrl0 => *per_ctrl0 = value,
            Register::PerCtrl1 => *per_ctrl1 = value,
            Register::PerEn => s.enables |= value,
            Register::PerDis => s.enables &= !value,
            Register::PerClkEn | Register::PerStat | Register::Id(_) | Register::Undefined => {}
        }
    }
}

impl Device for Sp810 {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        if access.region != 0 || access.offset >= SIZE {
            return Err(Refusal::NoRegister);
        }
        apb::read(access, |offset| self.get(offset))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        if access.region != 0 || access.offset >= SIZE {
            return Err(Refusal::NoRegister);
        }
        apb::write(access, value, |offset, value| self.set(cx, offset, value))
    }

    fn reset(&mut self, _: Reset) {
        self.state = RESET;
    }

    fn save(&self, out: &mut Writer) {
        let s = &self.state;
        let [per_ctrl0, per_ctrl1] = s.per_ctrl;
        for word in [
            s.ctrl,
            s.im_ctrl,
            s.im_stat,
            s.xtal_ctrl,
            s.pll_ctrl,
            s.pll_f_ctrl,
            per_ctrl0,
            per_ctrl1,
            s.enables,
        ] {
            out.u32(word);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.state = RESET;
        let mut next = RESET;
        let [per_ctrl0, per_ctrl1] = &mut next.per_ctrl;
        for word in [
            &mut next.ctrl,
            &mut next.im_ctrl,
            &mut next.im_stat,
            &mut next.xtal_ctrl,
            &mut next.pll_ctrl,
            &mut next.pll_f_ctrl,
            per_ctrl0,
            per_ctrl1,
            &mut next.enables,
        ] {
            *word = from.u32()?;
        }
        self.state = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Width;
    use crate::memory::NoMemory;
    use crate::units::Instant;

    fn read(dev: &mut Sp810, offset: u64) -> u64 {
        dev.read(
            &mut Cx::new(Instant::ZERO, &NoMemory, None),
            Access::word(offset),
        )
        .unwrap()
    }
    fn write(dev: &mut Sp810, offset: u64, value: u64) -> Option<Ask> {
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        dev.write(&mut cx, Access::word(offset), value).unwrap();
        cx.asked()
    }

    #[test]
    fn registers_reset_to_the_manuals_values() {
        let mut dev = Sp810::new();
        for offset in (0..0x1000).step_by(4) {
            let want = match offset {
                0 => 0x9,
                0xfe0..=0xfff => u64::from(ID[(offset as usize - 0xfe0) / 4]),
                _ => 0,
            };
            assert_eq!(read(&mut dev, offset), want, "{offset:#x}");
        }
    }

    #[test]
    fn timer_clock_selects_are_kept_and_the_status_is_not_written() {
        let mut dev = Sp810::new();
        for timer in 0..4 {
            let ctrl = read(&mut dev, 0);
            write(&mut dev, 0, ctrl | 1 << (15 + 2 * timer));
        }
        assert_eq!(read(&mut dev, 0), 0x002a_8009);
        write(&mut dev, 0, 0xffff_ffff);
        assert_eq!(read(&mut dev, 0), 0x00ff_ffa7);
    }

    #[test]
    fn mode_status_follows_the_mode() {
        let mut dev = Sp810::new();
        for (mode, status) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 4), (7, 4)] {
            write(&mut dev, 0, mode);
            assert_eq!(read(&mut dev, 0) >> 3, status);
        }
    }

    #[test]
    fn remap_clear_asks_once_for_each_change() {
        let mut dev = Sp810::new();
        assert_eq!(write(&mut dev, 0, 0x9), None);
        assert_eq!(write(&mut dev, 0, 0x89), Some(Ask::Remap(false)));
        assert_eq!(read(&mut dev, 0), 0x189);
        assert_eq!(write(&mut dev, 0, 0x8a), None);
        assert_eq!(write(&mut dev, 0, 0x0a), Some(Ask::Remap(true)));
    }

    #[test]
    fn any_write_to_scsysstat_resets_the_board() {
        assert_eq!(write(&mut Sp810::new(), 4, 0), Some(Ask::Reset));
    }

    #[test]
    fn peripheral_clocks_are_enabled_and_disabled_by_bit() {
        let mut dev = Sp810::new();
        write(&mut dev, 0x24, 0xff);
        write(&mut dev, 0x28, 0x0f);
        assert_eq!(
            (
                read(&mut dev, 0x2c),
                read(&mut dev, 0x30),
                read(&mut dev, 0x24)
            ),
            (0xf0, 0xf0, 0)
        );
    }

    #[test]
    fn odd_accesses_are_refused() {
        let mut dev = Sp810::new();
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        assert_eq!(
            dev.read(&mut cx, Access::word(0xfe0).sized(Width::Byte)),
            Ok(0x10)
        );
        assert_eq!(dev.read(&mut cx, Access::word(2)), Err(Refusal::Width));
        assert_eq!(
            dev.write(&mut cx, Access::word(4).sized(Width::Double), 0),
            Err(Refusal::Width)
        );
        assert_eq!(
            dev.read(&mut cx, Access::word(0x1000)),
            Err(Refusal::NoRegister)
        );
    }

    #[test]
    fn saved_state_comes_back() {
        let mut one = Sp810::new();
        for (value, offset) in [
            (0x2a_8082, 0),
            (3, 8),
            (1, 0xc),
            (5, 0x10),
            (6, 0x14),
            (7, 0x18),
            (8, 0x1c),
            (9, 0x20),
            (10, 0x24),
        ] {
            write(&mut one, offset, value);
        }
        let mut out = Writer::default();
        one.save(&mut out);
        let saved = out.into_bytes();
        let mut two = Sp810::new();
        two.load(&mut Reader::new(&saved)).unwrap();
        assert_eq!(one.state, two.state);
        assert_eq!(
            two.load(&mut Reader::new(&saved[1..])),
            Err(Refusal::BadState)
        );
        assert_eq!(two.state, RESET);
    }
}
