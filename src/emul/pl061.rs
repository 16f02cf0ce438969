//! PL061 general purpose input/output: eight pins.
//!
//! Manual: ARM PrimeCell General Purpose Input/Output (PL061), DDI 0190B.
//! Device tree: `arm,pl061`.
//!
//! Input lines: 0 to 7 are the pins, as the world drives them (GPIN); 8 to 15 GPAFOUT and 16 to
//! 23 nGPAFEN, asserted: what the hardware behind GPIOAFSEL puts on them, and whether.
//! Output lines: 0 GPIOINTR (combined); 1 to 8 GPIOMIS of each pin, which a controller may take
//! apart; 9 to 16 GPOUT, the levels of the pins that this part drives; 17 to 24 nGPEN, asserted:
//! whether it drives them; 25 to 32 GPAFIN, the pins as that hardware sees them.
//!
//! A pin that is driven from here is read back as it is driven; nothing fights over it. So
//! interrupts see outputs as they see inputs: GPIN is the pad's level. (QEMU 7.2's model looks
//! at inputs only, lets GPIOIC end a level, and drops what is written for an input pin.)
//!
//! Deviations:
//! - A change is seen at once, where hardware synchronizes it to PCLK twice.

use crate::access::{Access, Refusal};
use crate::emul::describe::{Description, Register as Named, bit, field, register};
use crate::emul::primecell::{self, Identity};
use crate::emul::state::{Reader, Writer};
use crate::emul::{Cx, Device, Line, Lines, Reset, apb};
use crate::units::Instant;

/// The registers (DDI 0190B, table 3-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    /// GPIODATA, with the bits that the address lets through (3.3.1).
    Data(u8),
    Dir,
    /// Interrupt sense: 1 is a level.
    Is,
    /// Both edges.
    Ibe,
    /// The rising edge, or the high level.
    Iev,
    /// Interrupt mask: 1 lets through.
    Ie,
    Ris,
    Mis,
    Ic,
    Afsel,
    Itcr,
    Itip1,
    Itip2,
    Itop1,
    Itop2,
    Itop3,
    /// GPIOPeriphID0 and on, by the offset from it.
    Identity(u64),
    Reserved,
}

impl Register {
    const fn at(offset: u64) -> Self {
        match offset {
            0x000..=0x3ff => Self::Data((offset >> 2) as u8),
            0x400 => Self::Dir,
            0x404 => Self::Is,
            0x408 => Self::Ibe,
            0x40c => Self::Iev,
            0x410 => Self::Ie,
            0x414 => Self::Ris,
            0x418 => Self::Mis,
            0x41c => Self::Ic,
            0x420 => Self::Afsel,
            0x600 => Self::Itcr,
            0x604 => Self::Itip1,
            0x608 => Self::Itip2,
            0x60c => Self::Itop1,
            0x610 => Self::Itop2,
            0x614 => Self::Itop3,
            0xfe0..=0xffc => Self::Identity(offset.wrapping_sub(0xfe0)),
            _ => Self::Reserved,
        }
    }
}

/// What its registers are called, and what is known to deviate.
pub static DESCRIPTION: Description = Description::of("DDI 0190B", REGISTERS)
    .lines(&[
        "GPIOINTR", "GPIOMIS0", "GPIOMIS1", "GPIOMIS2", "GPIOMIS3", "GPIOMIS4", "GPIOMIS5",
        "GPIOMIS6", "GPIOMIS7", "GPOUT0", "GPOUT1", "GPOUT2", "GPOUT3", "GPOUT4", "GPOUT5",
        "GPOUT6", "GPOUT7", "nGPEN0", "nGPEN1", "nGPEN2", "nGPEN3", "nGPEN4", "nGPEN5", "nGPEN6",
        "nGPEN7", "GPAFIN0", "GPAFIN1", "GPAFIN2", "GPAFIN3", "GPAFIN4", "GPAFIN5", "GPAFIN6",
        "GPAFIN7",
    ])
    .deviations(&["a change of a pin is seen at once"]);

const REGISTERS: &[Named] = &[
    register(0x000, "GPIODATA")
        .times(256)
        .fields(&[field("DATA", 7, 0)]),
    register(0x400, "GPIODIR").fields(&[field("DIR", 7, 0)]),
    register(0x404, "GPIOIS").fields(&[field("IS", 7, 0)]),
    register(0x408, "GPIOIBE").fields(&[field("IBE", 7, 0)]),
    register(0x40c, "GPIOIEV").fields(&[field("IEV", 7, 0)]),
    register(0x410, "GPIOIE").fields(&[field("IE", 7, 0)]),
    register(0x414, "GPIORIS").fields(&[field("RIS", 7, 0)]),
    register(0x418, "GPIOMIS").fields(&[field("MIS", 7, 0)]),
    register(0x41c, "GPIOIC").fields(&[field("IC", 7, 0)]),
    register(0x420, "GPIOAFSEL").fields(&[field("AFSEL", 7, 0)]),
    register(0x600, "GPIOITCR").fields(&[bit("ITEN", 0)]),
    register(0x604, "GPIOITIP1").fields(&[field("GPAFOUT", 7, 0)]),
    register(0x608, "GPIOITIP2").fields(&[field("nGPAFEN", 7, 0)]),
    register(0x60c, "GPIOITOP1").fields(&[field("GPIOMIS", 7, 0)]),
    register(0x610, "GPIOITOP2").fields(&[bit("GPIOINTR", 0)]),
    register(0x614, "GPIOITOP3").fields(&[field("GPAFIN", 7, 0)]),
    primecell::PERIPH_ID,
    primecell::PCELL_ID_REGISTERS,
];

/// The eight pins of each register, a bit each.
#[derive(Clone, Copy, Default)]
struct State {
    /// GPIODATA's output register.
    data: u8,
    dir: u8,
    is: u8,
    ibe: u8,
    iev: u8,
    ie: u8,
    afsel: u8,
    /// The edges that were seen.
    edges: u8,
    /// The pins when they were last compared.
    seen: u8,
    /// GPIOITCR, GPIOITIP1 and 2, GPIOITOP1 and 3.
    test: bool,
    itip: (u8, u8),
    itop1: u8,
    itop3: u8,
    /// What the world drives.
    inputs: u8,
    /// What the hardware behind AFSEL drives, and which pins of it.
    hardware: u8,
    enables: u8,
}

/// A PL061.
#[derive(Default)]
pub struct Pl061 {
    state: State,
}

impl Pl061 {
    /// A GPIO as after a cold reset, with every input low.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// GPAFOUT and nGPAFEN, asserted, behind the test multiplexer.
    const fn hardware(&self) -> (u8, u8) {
        let state = &self.state;
        if state.test {
            let (out, not_enabled) = state.itip;
            (out, !not_enabled)
        } else {
            (state.hardware, state.enables)
        }
    }

    /// The levels that the part would drive, GPIODATA's or the hardware's, and which it does.
    const fn driven(&self) -> (u8, u8) {
        let state = &self.state;
        let (out, enables) = self.hardware();
        (
            state.data & !state.afsel | out & state.afsel,
            state.dir & !state.afsel | enables & state.afsel,
        )
    }

    /// The pins' levels.
    const fn pins(&self) -> u8 {
        let (levels, drives) = self.driven();
        levels & drives | self.state.inputs & !drives
    }

    /// GPAFIN.
    const fn to_hardware(&self) -> u8 {
        if self.state.test {
            self.state.itop3
        } else {
            self.pins()
        }
    }

    /// GPIORIS: edges until they are cleared, levels as long as they last.
    const fn raw(&self) -> u8 {
        let state = &self.state;
        let active = !(self.pins() ^ state.iev);
        state.edges & !state.is | active & state.is
    }

    /// GPIOMIS, behind the test multiplexer.
    const fn masked(&self) -> u8 {
        if self.state.test {
            self.state.itop1
        } else {
            self.raw() & self.state.ie
        }
    }

    /// Notes the edges since the pins were last compared, as the registers ask for them.
    const fn see(&mut self) {
        let pins = self.pins();
        let state = &mut self.state;
        let changed = pins ^ state.seen;
        let asked = state.ibe | !(pins ^ state.iev);
        state.edges |= changed & asked & !state.is;
        state.seen = pins;
    }

    const fn read_register(&self, offset: u64) -> u32 {
        let state = &self.state;
        let byte = match Register::at(offset) {
            Register::Data(mask) => self.pins() & mask,
            Register::Dir => state.dir,
            Register::Is => state.is,
            Register::Ibe => state.ibe,
            Register::Iev => state.iev,
            Register::Ie => state.ie,
            Register::Ris => self.raw(),
            Register::Mis => self.masked(),
            Register::Afsel => state.afsel,
            Register::Itcr => state.test as u8,
            Register::Identity(n) => return Identity::arm(0x061, 0, 0).read(n),
            Register::Itip1 => self.hardware().0,
            Register::Itip2 => !self.hardware().1,
            Register::Itop2 => (self.masked() != 0) as u8,
            Register::Itop3 => self.to_hardware(),
            Register::Ic | Register::Itop1 | Register::Reserved => 0,
        };
        byte as u32
    }

    const fn write_register(&mut self, offset: u64, value: u32) {
        let byte = value as u8;
        let state = &mut self.state;
        match Register::at(offset) {
            Register::Data(mask) => state.data = state.data & !mask | byte & mask,
            Register::Dir => state.dir = byte,
            Register::Is => state.is = byte,
            Register::Ibe => state.ibe = byte,
            Register::Iev => state.iev = byte,
            Register::Ie => state.ie = byte,
            Register::Ic => state.edges &= !byte,
            Register::Afsel => state.afsel = byte,
            Register::Itcr => state.test = value & 1 != 0,
            Register::Itip1 => state.itip.0 = byte,
            Register::Itip2 => state.itip.1 = byte,
            Register::Itop1 => state.itop1 = byte,
            Register::Itop3 => state.itop3 = byte,
            Register::Ris
            | Register::Mis
            | Register::Itop2
            | Register::Identity(_)
            | Register::Reserved => {}
        }
        self.see();
    }
}

impl Device for Pl061 {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        apb::read(access, |offset| self.read_register(offset))
    }

    fn peek(&self, _: Instant, access: Access) -> Option<u64> {
        apb::peek(access, |offset| Some(self.read_register(offset)))
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        apb::write(access, value, |offset, value| {
            self.write_register(offset, value);
        })
    }

    fn input(&mut self, _: &mut Cx<'_>, line: Line, level: bool) {
        let pin = 1_u8.wrapping_shl(u32::from(line.0) & 7);
        let pins = match line.0 {
            0..8 => &mut self.state.inputs,
            8..16 => &mut self.state.hardware,
            16..24 => &mut self.state.enables,
            _ => return,
        };
        *pins = if level { *pins | pin } else { *pins & !pin };
        self.see();
    }

    fn lines(&self) -> Lines {
        let masked = self.masked();
        let (levels, drives) = self.driven();
        Lines(
            u64::from(masked != 0)
                | u64::from(masked) << 1
                | u64::from(levels & drives) << 9
                | u64::from(drives) << 17
                | u64::from(self.to_hardware()) << 25,
        )
    }

    /// What drives the pins is elsewhere and keeps its levels; they are no edges then.
    fn reset(&mut self, _: Reset) {
        let before = self.state;
        self.state = State {
            seen: before.inputs,
            inputs: before.inputs,
            hardware: before.hardware,
            enables: before.enables,
            ..State::default()
        };
    }

    fn save(&self, out: &mut Writer) {
        let state = &self.state;
        out.bytes(&[
            state.data,
            state.dir,
            state.is,
            state.ibe,
            state.iev,
            state.ie,
            state.afsel,
            state.edges,
            state.seen,
            state.inputs,
            state.hardware,
            state.enables,
            state.itop1,
            state.itop3,
            state.itip.0,
            state.itip.1,
        ]);
        out.bool(state.test);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        *self = Self::new();
        let state = State {
            data: from.u8()?,
            dir: from.u8()?,
            is: from.u8()?,
            ibe: from.u8()?,
            iev: from.u8()?,
            ie: from.u8()?,
            afsel: from.u8()?,
            edges: from.u8()?,
            seen: from.u8()?,
            inputs: from.u8()?,
            hardware: from.u8()?,
            enables: from.u8()?,
            itop1: from.u8()?,
            itop3: from.u8()?,
            itip: (from.u8()?, from.u8()?),
            test: from.bool()?,
        };
        let loaded = Self { state };
        if loaded.pins() != loaded.state.seen {
            return Err(Refusal::BadState);
        }
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
