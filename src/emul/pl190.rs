//! PL190 vectored interrupt controller (VIC).
//!
//! Manual: ARM PrimeCell Vectored Interrupt Controller (PL190), DDI 0181E.
//! Device tree: `arm,pl190-vic`; `arm,versatile-vic` is the one of the Versatile boards.
//!
//! Lines: input n (0 to 31) is VICINTSOURCEn; 32 and 33 are the daisy chain's nVICIRQIN and
//! nVICFIQIN, true when asserted. Output 0 is nVICIRQ, 1 is nVICFIQ, true when asserted. A
//! controller whose node has `interrupts` is chained: they are its nVICIRQ and nVICFIQ, which
//! lead to inputs 32 and 33 of the one before it.
//!
//! Priority (2.2): a level for each of the 16 vectored slots, 0 the highest, then one for
//! all interrupts without a slot, then the daisy chain. A read of VICVECTADDR takes the highest
//! level that is active into service, and what is not above it waits; a write ends the highest
//! level in service. As a level is entered from below only, the set of the levels in service is
//! their stack.
//!
//! A read of VICVECTADDR with nothing to take, which the manual leaves undefined, gives the
//! address of the level in service, or VICDEFVECTADDR.
//!
//! Deviations:
//! - VICVECTADDRIN is no line: the address of a chained controller's interrupt is VICITIP2 in
//!   test mode, and else 0. Software reads the chained controller.
//! - The test registers' I and F bits are 1 for an asserted signal.
//! - The VIC takes bytes and halfwords as an APB device does: zeroes on the other lanes.
//!
//! QEMU 7.2's model differs and the manual wins: there an interrupt that VICINTSELECT makes
//! an FIQ asserts nVICFIQ though VICINTENABLE does not enable it, a read of VICVECTADDR takes
//! one that is not enabled, VICPROTECTION keeps no one out, and the test registers read 0.

use crate::access::{Access, Refusal};
use crate::emul::describe::{Description, Register as Named, bit, field, register};
use crate::emul::primecell::{self, Identity};
use crate::emul::state::{Reader, Writer};
use crate::emul::{Cx, Device, Line, Lines, Reset, apb};
use crate::units::Instant;

/// How many slots there are.
const SLOTS: usize = 16;
/// The priority level of an interrupt without a slot.
const DEFAULT_LEVEL: u8 = 16;
/// That of the daisy chain.
const DAISY_LEVEL: u8 = 17;
/// Below every level: none is in service.
const IDLE: u8 = 18;

/// VICVECTCNTL: the slot is on.
const CNTL_E: u8 = 1 << 5;
/// VICITIP1 and VICITOP1: nVICIRQIN, nVICIRQ.
const TEST_I: u8 = 1 << 7;
/// nVICFIQIN, nVICFIQ.
const TEST_F: u8 = 1 << 6;

/// The registers (DDI 0181E, 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    IrqStatus,
    FiqStatus,
    RawIntr,
    IntSelect,
    IntEnable,
    IntEnClear,
    SoftInt,
    SoftIntClear,
    Protection,
    VectAddr,
    DefVectAddr,
    /// VICVECTADDR0 to 15.
    SlotAddr(usize),
    /// VICVECTCNTL0 to 15.
    SlotCntl(usize),
    Itcr,
    Itip1,
    Itip2,
    Itop1,
    Itop2,
    /// VICPERIPHID0 and on, by the offset from it.
    Identity(u64),
    Reserved,
}

impl Register {
    const fn at(offset: u64) -> Self {
        let slot = (offset as usize >> 2) & 15;
        match offset {
            0x000 => Self::IrqStatus,
            0x004 => Self::FiqStatus,
            0x008 => Self::RawIntr,
            0x00c => Self::IntSelect,
            0x010 => Self::IntEnable,
            0x014 => Self::IntEnClear,
            0x018 => Self::SoftInt,
            0x01c => Self::SoftIntClear,
            0x020 => Self::Protection,
            0x030 => Self::VectAddr,
            0x034 => Self::DefVectAddr,
            0x100..=0x13c => Self::SlotAddr(slot),
            0x200..=0x23c => Self::SlotCntl(slot),
            0x300 => Self::Itcr,
            0x304 => Self::Itip1,
            0x308 => Self::Itip2,
            0x30c => Self::Itop1,
            0x310 => Self::Itop2,
            0xfe0..=0xffc => Self::Identity(offset.wrapping_sub(0xfe0)),
            _ => Self::Reserved,
        }
    }
}

/// What its registers are called, and what is known to deviate.
pub static DESCRIPTION: Description = Description::of("DDI 0181E", REGISTERS)
    .lines(&["nVICIRQ", "nVICFIQ"])
    .deviations(&[
        "VICVECTADDRIN of a daisy chain is VICITIP2 in test mode, and else 0",
        "the test registers' I and F bits are 1 for an asserted signal",
        "a narrow write puts zeroes on the other lanes",
    ]);

const REGISTERS: &[Named] = &[
    register(0x000, "VICIRQSTATUS"),
    register(0x004, "VICFIQSTATUS"),
    register(0x008, "VICRAWINTR"),
    register(0x00c, "VICINTSELECT"),
    register(0x010, "VICINTENABLE"),
    register(0x014, "VICINTENCLEAR"),
    register(0x018, "VICSOFTINT"),
    register(0x01c, "VICSOFTINTCLEAR"),
    register(0x020, "VICPROTECTION").fields(&[bit("Protection", 0)]),
    register(0x030, "VICVECTADDR"),
    register(0x034, "VICDEFVECTADDR"),
    register(0x100, "VICVECTADDRn").times(16),
    register(0x200, "VICVECTCNTLn")
        .times(16)
        .fields(&[bit("E", 5), field("IntSource", 4, 0)]),
    register(0x300, "VICITCR").fields(&[bit("ITEN", 0)]),
    register(0x304, "VICITIP1").fields(&[bit("I", 7), bit("F", 6)]),
    register(0x308, "VICITIP2"),
    register(0x30c, "VICITOP1").fields(&[bit("I", 7), bit("F", 6)]),
    register(0x310, "VICITOP2"),
    primecell::PERIPH_ID,
    primecell::PCELL_ID_REGISTERS,
];

/// A PL190.
#[allow(clippy::struct_excessive_bools)] // Each is a bit of a register, or a wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pl190 {
    /// VICINTSOURCE.
    sources: u32,
    /// nVICIRQIN is asserted.
    irq_in: bool,
    /// nVICFIQIN is asserted.
    fiq_in: bool,
    soft: u32,
    enable: u32,
    select: u32,
    protection: bool,
    default_address: u32,
    addresses: [u32; SLOTS],
    controls: [u8; SLOTS],
    /// Bit n: level n is in service.
    in_service: u32,
    /// VICITCR.ITEN.
    test: bool,
    /// VICITIP1.
    test_signals: u8,
    /// VICITIP2.
    test_address: u32,
}

impl Pl190 {
    /// A controller as after reset.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    const fn raw(&self) -> u32 {
        self.sources | self.soft
    }

    const fn irq_status(&self) -> u32 {
        self.raw() & self.enable & !self.select
    }

    const fn fiq_status(&self) -> u32 {
        self.raw() & self.enable & self.select
    }

    /// The daisy chain's nVICIRQIN and nVICFIQIN, or what stands for them in test mode.
    const fn daisy(&self) -> (bool, bool) {
        if self.test {
            (
                self.test_signals & TEST_I != 0,
                self.test_signals & TEST_F != 0,
            )
        } else {
            (self.irq_in, self.fiq_in)
        }
    }

    /// The highest level that is active, or [`IDLE`].
    fn active(&self) -> u8 {
        let irqs = self.irq_status();
        if irqs == 0 {
            return if self.daisy().0 { DAISY_LEVEL } else { IDLE };
        }
        let wants = |control: &u8| {
            control & CNTL_E != 0 && irqs.wrapping_shr(u32::from(control & 31)) & 1 != 0
        };
        match self.controls.iter().position(wants) {
            Some(slot) => slot as u8,
            None => DEFAULT_LEVEL,
        }
    }

    /// The highest level in service, or [`IDLE`].
    fn running(&self) -> u8 {
        (self.in_service.trailing_zeros() as u8).min(IDLE)
    }

    /// The vector of a level.
    fn address(&self, level: u8) -> u32 {
        match level {
            DAISY_LEVEL if self.test => self.test_address,
            DAISY_LEVEL => 0,
            slot => match self.addresses.get(usize::from(slot)) {
                Some(address) => *address,
                None => self.default_address,
            },
        }
    }

    /// What VICVECTADDR reads as, and what a read of it takes.
    fn next(&self) -> u8 {
        self.active().min(self.running())
    }

    fn irq(&self) -> bool {
        self.active() < self.running()
    }

    const fn fiq(&self) -> bool {
        self.fiq_status() != 0 || self.daisy().1
    }

    fn get(&self, offset: u64) -> u32 {
        match Register::at(offset) {
            Register::IrqStatus => self.irq_status(),
            Register::FiqStatus => self.fiq_status(),
            Register::RawIntr => self.raw(),
            Register::IntSelect => self.select,
            Register::IntEnable => self.enable,
            Register::SoftInt => self.soft,
            Register::Protection => self.protection.into(),
            Register::VectAddr | Register::Itop2 => self.address(self.next()),
            Register::DefVectAddr => self.default_address,
            Register::SlotAddr(n) => self.addresses.get(n).copied().unwrap_or(0),
            Register::SlotCntl(n) => self.controls.get(n).copied().unwrap_or(0).into(),
            Register::Itcr => self.test.into(),
            Register::Itip1 => {
                let (irq, fiq) = self.daisy();
                signals(irq, fiq)
            }
            Register::Itip2 => self.test_address,
            Register::Itop1 => signals(self.irq(), self.fiq()),
            Register::Identity(n) => Identity::arm(0x190, 0, 0).read(n),
            Register::IntEnClear | Register::SoftIntClear | Register::Reserved => 0,
        }
    }

    fn set(&mut self, offset: u64, value: u32) {
        match Register::at(offset) {
            Register::IntSelect => self.select = value,
            Register::IntEnable => self.enable |= value,
            Register::IntEnClear => self.enable &= !value,
            Register::SoftInt => self.soft |= value,
            Register::SoftIntClear => self.soft &= !value,
            Register::Protection => self.protection = value & 1 != 0,
            // The highest level in service ends; the value does not matter (3.3.10).
            Register::VectAddr => self.in_service &= self.in_service.wrapping_sub(1),
            Register::DefVectAddr => self.default_address = value,
            Register::SlotAddr(n) => {
                if let Some(address) = self.addresses.get_mut(n) {
                    *address = value;
                }
            }
            Register::SlotCntl(n) => {
                if let Some(control) = self.controls.get_mut(n) {
                    *control = value as u8 & 0x3f;
                }
            }
            Register::Itcr => self.test = value & 1 != 0,
            Register::Itip1 => self.test_signals = value as u8 & (TEST_I | TEST_F),
            Register::Itip2 => self.test_address = value,
            Register::IrqStatus
            | Register::FiqStatus
            | Register::RawIntr
            | Register::Itop1
            | Register::Itop2
            | Register::Identity(_)
            | Register::Reserved => {}
        }
    }

    /// With VICPROTECTION set the registers are open to privileged accesses only; that
    /// register itself always is (3.3.9).
    fn open(&self, access: Access) -> Result<(), Refusal> {
        let guarded = self.protection || Register::at(access.offset & !3) == Register::Protection;
        if guarded && !access.privileged {
            Err(Refusal::Forbidden)
        } else {
            Ok(())
        }
    }
}

const fn signals(irq: bool, fiq: bool) -> u32 {
    (if irq { TEST_I as u32 } else { 0 }) | (if fiq { TEST_F as u32 } else { 0 })
}

impl Device for Pl190 {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        self.open(access)?;
        let value = apb::read(access, |offset| self.get(offset))?;
        if Register::at(access.offset & !3) == Register::VectAddr {
            let next = self.next();
            if next < IDLE {
                self.in_service |= 1u32.wrapping_shl(next.into());
            }
        }
        Ok(value)
    }

    /// A read of VICVECTADDR takes an interrupt; every other changes nothing.
    fn peek(&self, _: Instant, access: Access) -> Option<u64> {
        if self.open(access).is_err() || Register::at(access.offset & !3) == Register::VectAddr {
            return None;
        }
        apb::peek(access, |offset| Some(self.get(offset)))
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        self.open(access)?;
        apb::write(access, value, |offset, value| self.set(offset, value))
    }

    fn input(&mut self, _: &mut Cx<'_>, line: Line, level: bool) {
        match line.0 {
            n @ 0..32 => {
                let bit = 1u32.wrapping_shl(n.into());
                self.sources = self.sources & !bit | if level { bit } else { 0 };
            }
            32 => self.irq_in = level,
            33 => self.fiq_in = level,
            _ => {}
        }
    }

    fn lines(&self) -> Lines {
        Lines::default().with(0, self.irq()).with(1, self.fiq())
    }

    /// Both kinds of reset are HRESETn. The inputs are what the wires say.
    fn reset(&mut self, _: Reset) {
        *self = Self {
            sources: self.sources,
            irq_in: self.irq_in,
            fiq_in: self.fiq_in,
            ..Self::new()
        };
    }

    fn save(&self, out: &mut Writer) {
        out.u32(self.sources);
        out.bool(self.irq_in);
        out.bool(self.fiq_in);
        for word in [self.soft, self.enable, self.select] {
            out.u32(word);
        }
        out.bool(self.protection);
        out.u32(self.default_address);
        for address in self.addresses {
            out.u32(address);
        }
        out.bytes(&self.controls);
        out.u32(self.in_service);
        out.bool(self.test);
        out.u8(self.test_signals);
        out.u32(self.test_address);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        *self = Self::new();
        let mut loaded = Self {
            sources: from.u32()?,
            irq_in: from.bool()?,
            fiq_in: from.bool()?,
            soft: from.u32()?,
            enable: from.u32()?,
            select: from.u32()?,
            protection: from.bool()?,
            default_address: from.u32()?,
            ..Self::new()
        };
        for address in &mut loaded.addresses {
            *address = from.u32()?;
        }
        for control in &mut loaded.controls {
            *control = from.u8()?;
        }
        loaded.in_service = from.u32()?;
        loaded.test = from.bool()?;
        loaded.test_signals = from.u8()?;
        loaded.test_address = from.u32()?;
        let sound = loaded.controls.iter().all(|control| *control < 0x40)
            && loaded.in_service < 1 << IDLE
            && loaded.test_signals & !(TEST_I | TEST_F) == 0;
        if !sound {
            return Err(Refusal::BadState);
        }
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
