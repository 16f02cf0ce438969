//! DesignWare APB UART.
//!
//! Manual: Synopsys DesignWare DW_apb_uart Databook (version 3.14a); section names below are its.
//! Device tree: `snps,dw-apb-uart`, with `reg-shift = <2>` and `reg-io-width` of 1 or 4.
//!
//! The eight registers of a 16550A ([`super::uart16550`], with its lines and deviations), a word
//! apart, and those of the DesignWare behind them. As configured here: FIFOs of 16, not
//! 16550-compatible (a write to LCR while the UART is busy is refused by an interrupt), automatic
//! flow control, programmable THRE level, FIFO access, status and shadow registers; no IrDA, no
//! fractional divisor, no RS-485.
//!
//! Deviations:
//! - MCR's SIRE is kept and does nothing.
//! - There are no DMA request lines but RXRDY and TXRDY, so DMASA acknowledges nothing.
//! - A divisor of 0 stops nothing unless the UART is paced.

use super::uart16550::{Chip, Config as ChipConfig, Register as Chip16550, Uart, fcr, lcr, mcr};
use crate::access::{Access, Refusal};
use crate::emul::describe::{Description, Register as Named, bit, field, register};
use crate::emul::serial::{Condition, Pacing, Received};
use crate::emul::state::{Reader, Writer};
use crate::emul::uart16550::DEPTH;
use crate::emul::{Cx, Device, Line, Lines, Reset, SerialPort, apb};
use crate::units::Instant;

/// CPR: APB of 32 bits, AFCE, THRE mode, additional features, FIFO access and status, shadow
/// registers, encoded parameters, extra DMA signals; FIFOs of 16.
const PARAMETERS: u32 = 0x0001_3f32;
/// UCV: "314*".
const VERSION: u32 = 0x3331_342a;
/// CTR.
const TYPE: u32 = 0x4457_0110;

/// How a UART is set up.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// `sclk` or `pclk`, in hertz.
    pub clock: u64,
    /// When a character leaves.
    pub pacing: Pacing,
}

impl Config {
    const fn chip_config(self) -> ChipConfig {
        ChipConfig {
            chip: Chip::DesignWare,
            clock: self.clock,
            pacing: self.pacing,
        }
    }
}

/// The registers ("Register Memory Map").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    /// Those of a 16550.
    Chip(Chip16550),
    /// SRBR to read, STHR to write: sixteen of them.
    Shadow,
    Far,
    Tfr,
    Rfw,
    Usr,
    Tfl,
    Rfl,
    Srr,
    Srts,
    Sbcr,
    Sdmam,
    Sfe,
    Srt,
    Stet,
    Htx,
    Dmasa,
    Cpr,
    Ucv,
    Ctr,
    Reserved,
}

impl Register {
    const fn at(offset: u64) -> Self {
        match offset {
            0x00..0x20 => match Chip16550::at(offset >> 2) {
                Some(register) => Self::Chip(register),
                None => Self::Reserved,
            },
            0x30..0x70 => Self::Shadow,
            0x70 => Self::Far,
            0x74 => Self::Tfr,
            0x78 => Self::Rfw,
            0x7c => Self::Usr,
            0x80 => Self::Tfl,
            0x84 => Self::Rfl,
            0x88 => Self::Srr,
            0x8c => Self::Srts,
            0x90 => Self::Sbcr,
            0x94 => Self::Sdmam,
            0x98 => Self::Sfe,
            0x9c => Self::Srt,
            0xa0 => Self::Stet,
            0xa4 => Self::Htx,
            0xa8 => Self::Dmasa,
            0xf4 => Self::Cpr,
            0xf8 => Self::Ucv,
            0xfc => Self::Ctr,
            _ => Self::Reserved,
        }
    }
}

/// What its registers are called, and what is known to deviate.
pub static DESCRIPTION: Description = Description::of("DW_apb_uart 3.14a", REGISTERS)
    .lines(&["INTR", "RTS", "DTR", "OUT1", "OUT2", "RXRDY", "TXRDY"])
    .deviations(&[
        "unless the map paces it, a character leaves as it is written and comes when the board gives it, whatever the divisor",
        "a break has BI, and not FE beside it",
        "MCR's SIRE is kept and does nothing",
        "there are no DMA request lines but RXRDY and TXRDY",
    ]);

const REGISTERS: &[Named] = &[
    register(0x00, "RBR").fields(&[field("RBR", 7, 0)]),
    register(0x04, "IER").fields(&[
        bit("PTIME", 7),
        bit("EDSSI", 3),
        bit("ELSI", 2),
        bit("ETBEI", 1),
        bit("ERBFI", 0),
    ]),
    register(0x08, "IIR").fields(&[field("FIFOSE", 7, 6), field("IID", 3, 0)]),
    register(0x0c, "LCR").fields(&[
        bit("DLAB", 7),
        bit("BC", 6),
        bit("SP", 5),
        bit("EPS", 4),
        bit("PEN", 3),
        bit("STOP", 2),
        field("DLS", 1, 0),
    ]),
    register(0x10, "MCR").fields(&[
        bit("SIRE", 6),
        bit("AFCE", 5),
        bit("LB", 4),
        bit("OUT2", 3),
        bit("OUT1", 2),
        bit("RTS", 1),
        bit("DTR", 0),
    ]),
    register(0x14, "LSR").fields(&[
        bit("RFE", 7),
        bit("TEMT", 6),
        bit("THRE", 5),
        bit("BI", 4),
        bit("FE", 3),
        bit("PE", 2),
        bit("OE", 1),
        bit("DR", 0),
    ]),
    register(0x18, "MSR").fields(&[
        bit("DCD", 7),
        bit("RI", 6),
        bit("DSR", 5),
        bit("CTS", 4),
        bit("DDCD", 3),
        bit("TERI", 2),
        bit("DDSR", 1),
        bit("DCTS", 0),
    ]),
    register(0x1c, "SCR").fields(&[field("SCR", 7, 0)]),
    register(0x30, "SRBR")
        .times(16)
        .fields(&[field("SRBR", 7, 0)]),
    register(0x70, "FAR").fields(&[bit("FAR", 0)]),
    register(0x74, "TFR").fields(&[field("TFR", 7, 0)]),
    register(0x78, "RFW").fields(&[bit("RFFE", 9), bit("RFPE", 8), field("RFWD", 7, 0)]),
    register(0x7c, "USR").fields(&[
        bit("RFF", 4),
        bit("RFNE", 3),
        bit("TFE", 2),
        bit("TFNF", 1),
        bit("BUSY", 0),
    ]),
    register(0x80, "TFL").fields(&[field("TFL", 4, 0)]),
    register(0x84, "RFL").fields(&[field("RFL", 4, 0)]),
    register(0x88, "SRR").fields(&[bit("XFR", 2), bit("RFR", 1), bit("UR", 0)]),
    register(0x8c, "SRTS").fields(&[bit("SRTS", 0)]),
    register(0x90, "SBCR").fields(&[bit("SBCB", 0)]),
    register(0x94, "SDMAM").fields(&[bit("SDMAM", 0)]),
    register(0x98, "SFE").fields(&[bit("SFE", 0)]),
    register(0x9c, "SRT").fields(&[field("SRT", 1, 0)]),
    register(0xa0, "STET").fields(&[field("STET", 1, 0)]),
    register(0xa4, "HTX").fields(&[bit("HTX", 0)]),
    register(0xa8, "DMASA").fields(&[bit("DMASA", 0)]),
    register(0xf4, "CPR").fields(&[
        field("FIFO_MODE", 23, 16),
        bit("DMA_EXTRA", 13),
        bit("UART_ADD_ENCODED_PARAMS", 12),
        bit("SHADOW", 11),
        bit("FIFO_STAT", 10),
        bit("FIFO_ACCESS", 9),
        bit("ADDITIONAL_FEAT", 8),
        bit("SIR_LP_MODE", 7),
        bit("SIR_MODE", 6),
        bit("THRE_MODE", 5),
        bit("AFCE_MODE", 4),
        field("APB_DATA_WIDTH", 1, 0),
    ]),
    register(0xf8, "UCV"),
    register(0xfc, "CTR"),
];

/// A DesignWare APB UART.
pub struct DwUart {
    config: Config,
    uart: Uart,
    /// FAR.
    access_mode: bool,
}

impl DwUart {
    /// A UART as after a cold reset.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            uart: Uart::new(config.chip_config()),
            access_mode: false,
        }
    }

    /// USR's BUSY: something is on the line, waits to go there, or waits to be read.
    const fn is_busy(&self) -> bool {
        let (_, received) = self.uart.levels();
        self.uart.is_transferring() || received > 0 && !self.access_mode
    }

    /// USR.
    const fn status(&self) -> u32 {
        let (waiting, received) = self.uart.levels();
        self.is_busy() as u32
            | ((waiting < DEPTH) as u32) << 1
            | ((waiting == 0) as u32) << 2
            | ((received > 0) as u32) << 3
            | ((received >= DEPTH) as u32) << 4
    }

    /// What a read gives that changes nothing; none of one that does.
    fn show(&self, register: Register) -> Option<u32> {
        let (waiting, received) = self.uart.levels();
        let fcr = self.uart.fcr();
        Some(match register {
            Register::Chip(register) => self.uart.peek(register)?.into(),
            Register::Shadow | Register::Tfr => return None,
            Register::Usr if self.uart.busy_detect => return None,
            Register::Usr => self.status(),
            Register::Far => self.access_mode.into(),
            Register::Tfl => waiting as u32,
            Register::Rfl => received as u32,
            Register::Srts => (self.uart.mcr() & mcr::RTS != 0).into(),
            Register::Sbcr => (self.uart.lcr() & lcr::BREAK != 0).into(),
            Register::Sdmam => (fcr & fcr::DMA_MODE != 0).into(),
            Register::Sfe => (fcr & fcr::ENABLE != 0).into(),
            Register::Srt => (fcr >> 6).into(),
            Register::Stet => (fcr >> 4 & 3).into(),
            Register::Htx => (self.uart.is_halted() && !self.access_mode).into(),
            Register::Cpr => PARAMETERS,
            Register::Ucv => VERSION,
            Register::Ctr => TYPE,
            Register::Rfw | Register::Srr | Register::Dmasa | Register::Reserved => 0,
        })
    }

    fn read_register(&mut self, offset: u64) -> u32 {
        match Register::at(offset) {
            Register::Chip(register) => self.uart.read(register).into(),
            Register::Shadow => self.uart.take_received().into(),
            Register::Tfr if self.access_mode => self.uart.unsend().into(),
            Register::Usr => {
                self.uart.busy_detect = false;
                self.status()
            }
            register => self.show(register).unwrap_or(0),
        }
    }

    fn write_register(&mut self, offset: u64, value: u32) {
        let byte = value as u8;
        let on = value & 1 != 0;
        let busy = self.is_busy();
        let dlab = self.uart.lcr() & lcr::DLAB != 0;
        // A shadow of some of FCR's bits.
        let shadow = |of: u8, bits: u8| self.uart.fcr() & !of | bits & of;
        match Register::at(offset) {
            // While it is busy neither the line's format nor its rate can be written.
            Register::Chip(Chip16550::Lcr) if busy => self.uart.busy_detect = true,
            Register::Chip(Chip16550::Data | Chip16550::Ier) if busy && dlab => {}
            Register::Chip(register) => self.uart.write(register, byte),
            Register::Shadow => self.uart.put(byte),
            Register::Far => self.set_access_mode(on),
            Register::Rfw if self.access_mode => self.uart.store(written(value)),
            Register::Srr => self.soft_reset(byte),
            Register::Srts => self.uart.set_rts(on),
            Register::Sbcr => {
                let lcr = self.uart.lcr() & !lcr::BREAK | if on { lcr::BREAK } else { 0 };
                self.uart.write(Chip16550::Lcr, lcr);
            }
            Register::Sdmam => self.uart.set_fcr(shadow(fcr::DMA_MODE, byte << 3)),
            Register::Sfe => self.uart.set_fcr(shadow(fcr::ENABLE, byte)),
            Register::Srt => self.uart.set_fcr(shadow(fcr::TRIGGER, byte << 6)),
            Register::Stet => self.uart.set_fcr(shadow(fcr::TRANSMIT_TRIGGER, byte << 4)),
            Register::Htx => self.uart.halt(on || self.access_mode),
            Register::Tfr
            | Register::Rfw
            | Register::Usr
            | Register::Tfl
            | Register::Rfl
            | Register::Dmasa
            | Register::Cpr
            | Register::Ucv
            | Register::Ctr
            | Register::Reserved => {}
        }
    }

    /// FAR: either way the FIFOs are treated as empty. What is written stays in the FIFO for
    /// TFR meanwhile.
    fn set_access_mode(&mut self, on: bool) {
        if on != self.access_mode {
            self.access_mode = on;
            self.soft_reset(0b110);
            self.uart.halt(on);
        }
    }

    /// SRR: the UART, the receive FIFO, the transmit FIFO.
    fn soft_reset(&mut self, which: u8) {
        if which & 1 != 0 {
            self.uart.reset(Reset::Cold);
            self.access_mode = false;
        }
        let flush = fcr::ENABLE | which & (fcr::CLEAR_RECEIVE | fcr::CLEAR_TRANSMIT);
        if self.uart.fifos() {
            self.uart.set_fcr(self.uart.fcr() | flush);
        }
    }
}

/// A character that RFW puts into the receive FIFO.
const fn written(value: u32) -> Received {
    let condition = match value >> 8 & 3 {
        0 => Condition::Good,
        1 => Condition::Parity,
        _ => Condition::Framing,
    };
    let byte = value as u8;
    Received { byte, condition }
}

impl Device for DwUart {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        self.uart.advance(cx);
        apb::read(access, |offset| self.read_register(offset))
    }

    fn peek(&self, _: Instant, access: Access) -> Option<u64> {
        if self.uart.deadline().is_some() {
            return None;
        }
        apb::peek(access, |offset| self.show(Register::at(offset)))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        self.uart.advance(cx);
        apb::write(access, value, |offset, value| {
            self.write_register(offset, value);
        })
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
        self.access_mode = false;
    }

    fn save(&self, out: &mut Writer) {
        self.uart.save(out);
        out.bool(self.access_mode);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        *self = Self::new(self.config);
        *self = Self {
            config: self.config,
            uart: Uart::load(self.config.chip_config(), from)?,
            access_mode: from.bool()?,
        };
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
