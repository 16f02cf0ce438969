//! The secondary interrupt controller (SIC) of the Versatile boards.
//!
//! Manual: Versatile Platform Baseboard for ARM926EJ-S User Guide, DUI 0225D, chapter 4,
//! interrupt controllers.
//! Device tree: `arm,versatile-sic`.
//!
//! Lines: inputs 0 to 31 are its sources, of which the board joins 0 to 10 and 21 to 30.
//! Output 31 is what its enabled sources make together, outputs 21 to 30 are the sources of the
//! same number where SIC_PICENABLE lets them through. The node's first interrupt is output 31;
//! a second one and on are outputs 21, 22 and so on: the primary controller's inputs of these
//! numbers.
//!
//! Deviation: a source that the board leaves open reads as low.
//!
//! QEMU 7.2's model differs and the manual wins: there SIC_SOFTINTSET changes the mask of
//! source 0, and raises nothing.

use super::describe::{Description, Register as Named, bit, register};
use super::state::{Reader, Writer};
use super::{Cx, Device, Line, Lines, Reset, apb};
use crate::access::{Access, Refusal};
use crate::units::Instant;

/// The sources that can pass through: 21 to 30.
const PASS_THROUGH: u32 = 0x7fe0_0000;
/// SIC_SOFTINT: source 0.
const SOFT: u32 = 1;
/// The output of all enabled sources together.
const COMBINED: u16 = 31;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Status,
    RawStat,
    /// SIC_ENABLE when read, SIC_ENSET when written.
    EnSet,
    EnClr,
    SoftIntSet,
    SoftIntClr,
    /// SIC_PICENABLE when read, SIC_PICENSET when written.
    PicEnSet,
    PicEnClr,
    Reserved,
}

impl Register {
    const fn at(offset: u64) -> Self {
        match offset {
            0x00 => Self::Status,
            0x04 => Self::RawStat,
            0x08 => Self::EnSet,
            0x0c => Self::EnClr,
            0x10 => Self::SoftIntSet,
            0x14 => Self::SoftIntClr,
            0x20 => Self::PicEnSet,
            0x24 => Self::PicEnClr,
            _ => Self::Reserved,
        }
    }
}

/// What its registers are called, and what is known to deviate.
pub static DESCRIPTION: Description = Description::of("DUI 0225D", REGISTERS)
    .deviations(&["a source that is left open reads as low"]);

const REGISTERS: &[Named] = &[
    register(0x00, "SIC_STATUS"),
    register(0x04, "SIC_RAWSTAT"),
    register(0x08, "SIC_ENSET"),
    register(0x0c, "SIC_ENCLR"),
    register(0x10, "SIC_SOFTINTSET").fields(&[bit("SOFTINT", 0)]),
    register(0x14, "SIC_SOFTINTCLR").fields(&[bit("SOFTINT", 0)]),
    register(0x20, "SIC_PICENSET"),
    register(0x24, "SIC_PICENCLR"),
];

/// A secondary interrupt controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VersatileSic {
    sources: u32,
    soft: u32,
    enable: u32,
    pass: u32,
}

impl VersatileSic {
    /// A controller as after reset.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sources: 0,
            soft: 0,
            enable: 0,
            pass: 0,
        }
    }

    const fn raw(&self) -> u32 {
        self.sources | self.soft
    }

    const fn get(&self, offset: u64) -> u32 {
        match Register::at(offset) {
            Register::Status => self.raw() & self.enable,
            Register::RawStat => self.raw(),
            Register::EnSet => self.enable,
            Register::SoftIntSet => self.soft,
            Register::PicEnSet => self.pass,
            Register::EnClr | Register::SoftIntClr | Register::PicEnClr | Register::Reserved => 0,
        }
    }

    const fn set(&mut self, offset: u64, value: u32) {
        match Register::at(offset) {
            Register::EnSet => self.enable |= value,
            Register::EnClr => self.enable &= !value,
            Register::SoftIntSet => self.soft |= value & SOFT,
            Register::SoftIntClr => self.soft &= !value,
            Register::PicEnSet => self.pass |= value & PASS_THROUGH,
            Register::PicEnClr => self.pass &= !value,
            Register::Status | Register::RawStat | Register::Reserved => {}
        }
    }
}

impl Device for VersatileSic {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        apb::read(access, |offset| self.get(offset))
    }

    /// No register changes by a read.
    fn peek(&self, _: Instant, access: Access) -> Option<u64> {
        apb::peek(access, |offset| Some(self.get(offset)))
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        apb::write(access, value, |offset, value| self.set(offset, value))
    }

    fn input(&mut self, _: &mut Cx<'_>, line: Line, level: bool) {
        if line.0 < 32 {
            let bit = 1u32.wrapping_shl(line.0.into());
            self.sources = self.sources & !bit | if level { bit } else { 0 };
        }
    }

    fn lines(&self) -> Lines {
        Lines(u64::from(self.raw() & self.pass)).with(COMBINED, self.raw() & self.enable != 0)
    }

    /// The inputs are what the wires say.
    fn reset(&mut self, _: Reset) {
        *self = Self {
            sources: self.sources,
            ..Self::new()
        };
    }

    fn save(&self, out: &mut Writer) {
        for word in [self.sources, self.soft, self.enable, self.pass] {
            out.u32(word);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        *self = Self::new();
        let loaded = Self {
            sources: from.u32()?,
            soft: from.u32()?,
            enable: from.u32()?,
            pass: from.u32()?,
        };
        if loaded.soft & !SOFT != 0 || loaded.pass & !PASS_THROUGH != 0 {
            return Err(Refusal::BadState);
        }
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emul::random_walk;
    use crate::memory::NoMemory;

    fn cx() -> Cx<'static> {
        Cx::new(Instant::ZERO, &NoMemory, None)
    }
    fn read(sic: &mut VersatileSic, offset: u64) -> u64 {
        let value = sic.read(&mut cx(), Access::word(offset)).unwrap();
        assert_eq!(sic.peek(Instant::ZERO, Access::word(offset)), Some(value));
        value
    }
    fn write(sic: &mut VersatileSic, offset: u64, value: u64) {
        sic.write(&mut cx(), Access::word(offset), value).unwrap();
    }
    fn line(sic: &mut VersatileSic, n: u16, level: bool) {
        sic.input(&mut cx(), Line(n), level);
    }

    #[test]
    fn registers_are_clear_after_reset() {
        let mut sic = VersatileSic::new();
        for offset in (0..0x1000).step_by(4) {
            assert_eq!(read(&mut sic, offset), 0, "{offset:#x}");
        }
    }

    #[test]
    fn an_enabled_source_raises_the_combined_output() {
        let mut sic = VersatileSic::new();
        line(&mut sic, 6, true);
        // There is no such input.
        line(&mut sic, 32, true);
        assert_eq!((read(&mut sic, 0x04), read(&mut sic, 0x00)), (1 << 6, 0));
        assert_eq!(sic.lines().0, 0);
        write(&mut sic, 0x08, 1 << 6 | 1 << 3);
        assert_eq!(read(&mut sic, 0x00), 1 << 6);
        assert_eq!(sic.lines().0, 1 << 31);
        write(&mut sic, 0x0c, 1 << 6);
        assert_eq!(read(&mut sic, 0x08), 1 << 3);
        assert_eq!(sic.lines().0, 0);
    }

    /// QEMU 7.2 changes the mask here.
    #[test]
    fn the_software_interrupt_is_source_0() {
        let mut sic = VersatileSic::new();
        write(&mut sic, 0x10, 0xffff_ffff);
        assert_eq!((read(&mut sic, 0x10), read(&mut sic, 0x04)), (1, 1));
        assert_eq!((sic.lines().0, read(&mut sic, 0x08)), (0, 0));
        write(&mut sic, 0x08, 1);
        assert_eq!(sic.lines().0, 1 << 31);
        // The input of source 0 beside it changes nothing.
        line(&mut sic, 0, true);
        assert_eq!((sic.lines().0, read(&mut sic, 0x04)), (1 << 31, 1));
        line(&mut sic, 0, false);
        write(&mut sic, 0x14, 1);
        assert_eq!(sic.lines().0, 0);
    }

    #[test]
    fn sources_21_to_30_pass_through_whatever_the_mask_says() {
        let mut sic = VersatileSic::new();
        write(&mut sic, 0x20, 0xffff_ffff);
        assert_eq!(read(&mut sic, 0x20), 0x7fe0_0000);
        write(&mut sic, 0x24, 1 << 24);
        for n in 0..32 {
            line(&mut sic, n, true);
        }
        assert_eq!(sic.lines().0, 0x7ee0_0000);
        write(&mut sic, 0x08, 1 << 24);
        assert_eq!(sic.lines().0, 0xfee0_0000);
        for n in 0..32 {
            line(&mut sic, n, false);
        }
        assert_eq!(sic.lines().0, 0);
    }

    #[test]
    fn a_reset_leaves_the_inputs() {
        let mut sic = VersatileSic::new();
        line(&mut sic, 4, true);
        write(&mut sic, 0x08, 0x10);
        sic.reset(Reset::Warm);
        assert_eq!((read(&mut sic, 0x04), read(&mut sic, 0x08)), (0x10, 0));
    }

    #[test]
    fn saved_state_comes_back_and_damage_is_refused() {
        let mut sic = VersatileSic::new();
        line(&mut sic, 22, true);
        write(&mut sic, 0x20, 1 << 22);
        write(&mut sic, 0x08, 7);
        let mut out = Writer::default();
        sic.save(&mut out);
        let bytes = out.into_bytes();
        let mut other = VersatileSic::new();
        other.load(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(other, sic);
        for at in [4, 12] {
            let mut damaged = bytes.clone();
            damaged[at] |= 2;
            let loaded = other.load(&mut Reader::new(&damaged));
            assert_eq!(loaded, Err(Refusal::BadState));
            assert_eq!(other, VersatileSic::new());
        }
    }

    #[test]
    fn random_accesses_keep_its_properties() {
        let offsets = [0, 4, 8, 0xc, 0x10, 0x14, 0x18, 0x20, 0x24];
        for seed in 1..=20 {
            random_walk::walk(VersatileSic::new, &offsets, seed, 1000);
        }
    }
}
