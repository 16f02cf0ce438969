//! 8250, 16450, 16550 and 16550A UARTs, as they hang on a board's bus.
//!
//! Manual: National Semiconductor PC16550D; the chip is [`super::uart16550`], with its lines and
//! deviations.
//! Device tree: `ns8250`, `ns16450`, `ns16550`, `ns16550a`, with `clock-frequency` or `clocks`,
//! `reg-shift`, `reg-io-width`, `reg-offset` (the binding `serial/8250`). A big-endian one is not
//! served.
//!
//! Each register has `1 << reg-shift` bytes, and is the lowest of them. An access must stay
//! inside one register, or have the width that `reg-io-width` tells, in bytes.
//!
//! `ns16550` has the FIFOs of a 16550A: trees say it of parts that have them, and the faults of
//! the first 16550's are in no data sheet.

pub use super::uart16550::Chip;
use super::uart16550::{Config as ChipConfig, Register, Uart};
use crate::access::{Access, Refusal};
use crate::emul::describe::{Description, Register as Named, bit, field, register};
use crate::emul::serial::Pacing;
use crate::emul::state::{Reader, Writer};
use crate::emul::{Cx, Device, Line, Lines, Reset, SerialPort};
use crate::units::Instant;

/// How a UART is set up.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Which of the family.
    pub chip: Chip,
    /// Its input clock, in hertz.
    pub clock: u64,
    /// When a character leaves.
    pub pacing: Pacing,
    /// `reg-shift`: from one register to the next, as a power of two. At most 8.
    pub shift: u8,
    /// `reg-io-width`: how wide an access is, in bytes.
    pub io_width: u8,
    /// `reg-offset`: where the first register is.
    pub offset: u64,
}

impl Config {
    /// A 16550A of a PC's clock, its registers one behind the other.
    #[must_use]
    pub const fn new(chip: Chip) -> Self {
        Self {
            chip,
            clock: 1_843_200,
            pacing: Pacing::AtOnce,
            shift: 0,
            io_width: 1,
            offset: 0,
        }
    }

    const fn chip_config(self) -> ChipConfig {
        ChipConfig {
            chip: self.chip,
            clock: self.clock,
            pacing: self.pacing,
        }
    }
}

/// What its registers are called, of one whose registers are bytes one behind the other.
pub static DESCRIPTION: Description = Description::of("PC16550D", REGISTERS)
    .lines(&["INTR", "RTS", "DTR", "OUT1", "OUT2", "RXRDY", "TXRDY"])
    .deviations(&[
        "unless the map paces it, a character leaves as it is written and comes when the board gives it, whatever the divisor",
        "THRE is told as soon as it is so",
        "a break has BI, and not FE beside it",
        "after a cold reset the divisor latch and the scratch register are 0",
    ]);

const REGISTERS: &[Named] = &[
    register(0, "RBR").bytes(1),
    register(1, "IER").bytes(1).fields(&[
        bit("EDSSI", 3),
        bit("ELSI", 2),
        bit("ETBEI", 1),
        bit("ERBFI", 0),
    ]),
    register(2, "IIR").bytes(1).fields(&[
        field("FIFOs enabled", 7, 6),
        field("ID", 3, 1),
        bit("no interrupt", 0),
    ]),
    register(3, "LCR").bytes(1).fields(&[
        bit("DLAB", 7),
        bit("SB", 6),
        bit("SP", 5),
        bit("EPS", 4),
        bit("PEN", 3),
        bit("STB", 2),
        field("WLS", 1, 0),
    ]),
    register(4, "MCR").bytes(1).fields(&[
        bit("LOOP", 4),
        bit("OUT2", 3),
        bit("OUT1", 2),
        bit("RTS", 1),
        bit("DTR", 0),
    ]),
    register(5, "LSR").bytes(1).fields(&[
        bit("ERF", 7),
        bit("TEMT", 6),
        bit("THRE", 5),
        bit("BI", 4),
        bit("FE", 3),
        bit("PE", 2),
        bit("OE", 1),
        bit("DR", 0),
    ]),
    register(6, "MSR").bytes(1).fields(&[
        bit("DCD", 7),
        bit("RI", 6),
        bit("DSR", 5),
        bit("CTS", 4),
        bit("DDCD", 3),
        bit("TERI", 2),
        bit("DDSR", 1),
        bit("DCTS", 0),
    ]),
    register(7, "SCR").bytes(1),
];

/// A UART of the 8250 family.
pub struct Ns16550 {
    config: Config,
    uart: Uart,
}

impl Ns16550 {
    /// A UART as after a cold reset.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            uart: Uart::new(config.chip_config()),
        }
    }

    /// The register in which an access lies, if any, and the bits by which it is shifted there.
    fn place(&self, access: Access) -> Result<(Option<Register>, u32), Refusal> {
        let bytes = access.width.bytes();
        let cell = 1_u64.wrapping_shl(self.config.shift.min(8).into());
        if access.offset & bytes.wrapping_sub(1) != 0
            || bytes > cell.max(self.config.io_width.into())
        {
            return Err(Refusal::Width);
        }
        let Some(offset) = access.offset.checked_sub(self.config.offset) else {
            return Ok((None, 0));
        };
        let number = offset.wrapping_shr(self.config.shift.min(8).into());
        let lane = (offset & cell.wrapping_sub(1)).wrapping_mul(8);
        Ok((Register::at(number), lane as u32))
    }
}

/// The byte, in the lanes of an access that begins so many bits above it.
fn lanes(byte: u8, lane: u32) -> u64 {
    u64::from(byte).checked_shr(lane).unwrap_or(0)
}

impl Device for Ns16550 {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        self.uart.advance(cx);
        let (register, lane) = self.place(access)?;
        let byte = register.map_or(0, |register| self.uart.read(register));
        Ok(lanes(byte, lane))
    }

    fn peek(&self, _: Instant, access: Access) -> Option<u64> {
        let (register, lane) = self.place(access).ok()?;
        let byte = match register {
            Some(register) => self.uart.peek(register)?,
            None => 0,
        };
        Some(lanes(byte, lane))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        self.uart.advance(cx);
        let (register, lane) = self.place(access)?;
        if let Some(register) = register {
            let value = value.checked_shl(lane).unwrap_or(0);
            self.uart.write(register, value as u8);
        }
        Ok(())
    }

    fn input(&mut self, cx: &mut Cx<'_>, line: Line, level: bool) {
        self.uart.advance(cx);
        self.uart.input(line, level);
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        self.uart.advance(cx);
    }

    fn lines(&self) -> Lines {
        self.uart.lines()
    }

    fn deadline(&self) -> Option<Instant> {
        self.uart.deadline()
    }

    fn reset(&mut self, kind: Reset) {
        self.uart.reset(kind);
    }

    fn save(&self, out: &mut Writer) {
        self.uart.save(out);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        let config = self.config.chip_config();
        self.uart = Uart::new(config);
        self.uart = Uart::load(config, from)?;
        Ok(())
    }

    fn sends(&self) -> bool {
        self.uart.sends()
    }

    fn serial(&mut self) -> Option<&mut dyn SerialPort> {
        Some(&mut self.uart)
    }
}

#[cfg(test)]
mod tests;
