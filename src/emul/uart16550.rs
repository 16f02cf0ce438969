//! The 8250 family of UARTs: the chip itself, eight registers of a byte, whichever way they hang
//! on a bus ([`super::ns16550`], [`super::dw_uart`]).
//!
//! Manual: National Semiconductor PC16550D (June 1995); section numbers below are its.
//! Device tree: none of its own.
//!
//! Input lines: 0 CTS, 1 DSR, 2 DCD, 3 RI, high meaning asserted.
//! Output lines: 0 INTR; 1 RTS, 2 DTR, 3 OUT1, 4 OUT2, 5 RXRDY, 6 TXRDY, high meaning asserted.
//!
//! Deviations:
//! - [`Pacing::AtOnce`], the default: a character leaves as it is written and comes when the
//!   board gives it, whatever the divisor. For the time of a receive timeout a divisor of 0
//!   counts as 115,200 baud there. [`Pacing::Baud`] gives every character its time, and none
//!   without a divisor.
//! - THRE is told as soon as it is so: not a character time minus the last stop bit later, as
//!   the data sheet has it for the first character of a FIFO.
//! - A break has BI alone, and not FE beside it. Characters sent while it lasts are lost, as on
//!   the wire.
//! - The divisor latch and the scratch register, which the chip's reset leaves, are 0 after a
//!   cold one.

mod bits;
mod interrupts;
mod line;
mod modem;
mod port;
mod receiver;
mod state;

use crate::emul::serial::{Arriving, Pacing, Received, Sender};
use crate::emul::{Cx, Line, Lines, Reset};
use crate::units::Instant;
pub(super) use bits::{fcr, lcr, mcr};
use bits::{ier, lsr};
use receiver::Receiver;

/// Which of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// No FIFOs, no scratch register.
    Ns8250,
    /// No FIFOs.
    Ns16450,
    /// FIFOs of 16. (Those of the first 16550 had faults, which nobody is known to need.)
    Ns16550a,
    /// The registers of the DesignWare APB UART at these eight places.
    DesignWare,
}

/// How a UART is set up.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Which of the family.
    pub chip: Chip,
    /// The input clock in hertz: 16 times the divisor times the baud rate.
    pub clock: u64,
    /// When a character leaves.
    pub pacing: Pacing,
}

/// Depth of the FIFOs.
pub(super) const DEPTH: usize = 16;

/// The registers, by their address (table 2). DLAB says what the first two are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    /// RBR to read, THR to write; DLL.
    Data,
    /// IER; DLM.
    Ier,
    /// IIR to read, FCR to write.
    Iir,
    Lcr,
    Mcr,
    Lsr,
    Msr,
    Scr,
}

impl Register {
    pub(super) const fn at(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Data,
            1 => Self::Ier,
            2 => Self::Iir,
            3 => Self::Lcr,
            4 => Self::Mcr,
            5 => Self::Lsr,
            6 => Self::Msr,
            7 => Self::Scr,
            _ => return None,
        })
    }
}

/// A UART's chip.
#[allow(clippy::struct_excessive_bools)] // each is a latch of its own
pub(super) struct Uart {
    config: Config,
    ier: u8,
    fcr: u8,
    lcr: u8,
    mcr: u8,
    scr: u8,
    divisor: u16,
    /// Modem inputs at the pins, in MSR's bits.
    pins: u8,
    /// Modem inputs as they were last compared.
    modem: u8,
    /// MSR's changes.
    deltas: u8,
    /// Whether the transmit FIFO was at or below its level when last compared.
    low: bool,
    /// The interrupt of that, until it is read in IIR or THR is written.
    thre: bool,
    /// RXRDY and TXRDY of DMA mode 1.
    rxrdy: bool,
    txrdy: bool,
    /// Of the DesignWare: RTS held back by a full receive FIFO, the transmitter halted, and a
    /// write that came while it was busy.
    held: bool,
    halted: bool,
    pub busy_detect: bool,
    sender: Sender<DEPTH>,
    receiver: Receiver,
    arriving: Arriving,
    /// The time of the last call that brought one.
    now: Instant,
}

impl Uart {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            ier: 0,
            fcr: 0,
            lcr: 0,
            mcr: 0,
            scr: 0,
            divisor: 0,
            pins: 0,
            modem: 0,
            deltas: 0,
            low: true,
            thre: false,
            rxrdy: false,
            txrdy: true,
            held: false,
            halted: false,
            busy_detect: false,
            sender: Sender::default(),
            receiver: Receiver::default(),
            arriving: Arriving::default(),
            now: Instant::ZERO,
        }
    }

    const fn has_fifos(&self) -> bool {
        matches!(self.config.chip, Chip::Ns16550a | Chip::DesignWare)
    }

    const fn is_designware(&self) -> bool {
        matches!(self.config.chip, Chip::DesignWare)
    }

    /// Whether the FIFOs are on.
    pub(super) const fn fifos(&self) -> bool {
        self.fcr & fcr::ENABLE != 0
    }

    const fn depth(&self) -> usize {
        if self.fifos() { DEPTH } else { 1 }
    }

    pub(super) const fn fcr(&self) -> u8 {
        self.fcr
    }

    pub(super) const fn lcr(&self) -> u8 {
        self.lcr
    }

    pub(super) const fn mcr(&self) -> u8 {
        self.mcr
    }

    /// How many characters wait to be sent, and to be read.
    pub(super) const fn levels(&self) -> (usize, usize) {
        (self.sender.level(), self.receiver.level())
    }

    /// Whether characters are on the line, either way.
    pub(super) const fn is_transferring(&self) -> bool {
        self.sender.is_busy() || self.arriving.len() > 0
    }

    const fn is_looped(&self) -> bool {
        self.mcr & mcr::LOOP != 0
    }

    /// What a read gives that changes nothing; none of one that does.
    pub(super) const fn peek(&self, register: Register) -> Option<u8> {
        if self.is_waiting() {
            return None;
        }
        let dlab = self.lcr & lcr::DLAB != 0;
        Some(match register {
            Register::Data if dlab => self.divisor as u8,
            Register::Ier if dlab => (self.divisor >> 8) as u8,
            Register::Data => return None,
            Register::Ier => self.ier,
            Register::Iir => match self.identification() {
                (_, true) => return None,
                (iir, false) => iir,
            },
            Register::Lcr => self.lcr,
            Register::Mcr => self.mcr,
            Register::Lsr if self.receiver.has_errors() => return None,
            Register::Lsr => self.line_status(),
            Register::Msr if self.deltas != 0 => return None,
            Register::Msr => self.modem,
            Register::Scr => self.scr,
        })
    }

    /// A read; `advance` has been called.
    pub(super) fn read(&mut self, register: Register) -> u8 {
        let dlab = self.lcr & lcr::DLAB != 0;
        match register {
            Register::Data if dlab => self.divisor as u8,
            Register::Ier if dlab => (self.divisor >> 8) as u8,
            Register::Data => self.take_received(),
            Register::Ier => self.ier,
            Register::Iir => {
                let (iir, thre) = self.identification();
                self.thre &= !thre;
                iir
            }
            Register::Lcr => self.lcr,
            Register::Mcr => self.mcr,
            Register::Lsr => {
                let status = self.line_status();
                self.receiver.clear_errors();
                status
            }
            Register::Msr => self.modem | core::mem::take(&mut self.deltas),
            Register::Scr => self.scr,
        }
    }

    /// A write; `advance` has been called.
    pub(super) fn write(&mut self, register: Register, value: u8) {
        let dlab = self.lcr & lcr::DLAB != 0;
        match register {
            Register::Data if dlab => self.divisor = self.divisor & 0xff00 | u16::from(value),
            Register::Ier if dlab => {
                self.divisor = self.divisor & 0x00ff | u16::from(value) << 8;
            }
            Register::Data => self.put(value),
            Register::Ier => self.set_ier(value),
            Register::Iir => self.set_fcr(value),
            Register::Lcr => self.set_lcr(value),
            Register::Mcr => self.mcr = value & self.mcr_bits(),
            Register::Scr if self.config.chip == Chip::Ns8250 => {}
            Register::Scr => self.scr = value,
            Register::Lsr | Register::Msr => {}
        }
        self.settle();
        self.send();
    }

    /// Reads RBR.
    pub(super) fn take_received(&mut self) -> u8 {
        let until = self.timeout_from_now();
        let byte = self.receiver.take(until);
        self.settle();
        // In loopback with flow control, room here lets the transmitter go on.
        self.send();
        byte
    }

    /// Writes THR; without FIFOs what it held is overwritten.
    pub(super) fn put(&mut self, value: u8) {
        self.thre = false;
        if !self.fifos() {
            self.sender.flush();
        }
        self.sender.write(value, self.depth());
        self.settle();
        self.send();
    }

    const fn mcr_bits(&self) -> u8 {
        if self.is_designware() { 0x7f } else { 0x1f }
    }

    /// Enabling ETBEI with THRE set is an interrupt.
    const fn set_ier(&mut self, value: u8) {
        let bits = if self.is_designware() { 0x8f } else { 0x0f };
        let before = self.ier;
        self.ier = value & bits;
        if self.ier & !before & ier::ETBEI != 0 && self.sender.level() <= self.transmit_level() {
            self.thre = true;
        }
    }

    /// FCR (8.5). Bit 0 changed empties the FIFOs; without it the other bits are not
    /// programmed.
    pub(super) fn set_fcr(&mut self, value: u8) {
        if !self.has_fifos() {
            return;
        }
        let changed = (value ^ self.fcr) & fcr::ENABLE != 0;
        let on = value & fcr::ENABLE != 0;
        if changed || on && value & fcr::CLEAR_RECEIVE != 0 {
            self.receiver.flush();
        }
        if changed || on && value & fcr::CLEAR_TRANSMIT != 0 {
            self.sender.flush();
        }
        let levels = if self.is_designware() {
            fcr::TRANSMIT_TRIGGER
        } else {
            0
        };
        self.fcr = if on {
            value & (fcr::ENABLE | fcr::DMA_MODE | fcr::TRIGGER | levels)
        } else {
            0
        };
        self.settle();
    }

    pub(super) const fn set_lcr(&mut self, value: u8) {
        if (value ^ self.lcr) & lcr::BREAK != 0 {
            self.sender.set_break(value & lcr::BREAK != 0);
        }
        self.lcr = value;
    }

    /// Halts the transmitter, or lets it go on.
    pub(super) fn halt(&mut self, on: bool) {
        self.halted = on;
        self.send();
    }

    pub(super) const fn is_halted(&self) -> bool {
        self.halted
    }

    /// What MCR's shadow of RTS does.
    pub(super) fn set_rts(&mut self, on: bool) {
        let bit = if on { mcr::RTS } else { 0 };
        self.write(Register::Mcr, self.mcr & !mcr::RTS | bit);
    }

    /// A character with its errors into the receive FIFO, as a test of it.
    pub(super) fn store(&mut self, received: Received) {
        self.arrive(received);
        self.settle();
    }

    /// A character out of the transmit FIFO, as a test of it.
    pub(super) fn unsend(&mut self) -> u8 {
        let byte = self.sender.take().unwrap_or(0);
        self.settle();
        byte
    }

    /// LSR (8.4).
    const fn line_status(&self) -> u8 {
        let mut status = self.receiver.status(self.fifos());
        let level = self.sender.level();
        let thre = if self.has_transmit_level() {
            level >= DEPTH
        } else {
            level == 0
        };
        if thre {
            status |= lsr::THRE;
        }
        if !self.sender.is_busy() {
            status |= lsr::TEMT;
        }
        status
    }

    /// Whether the transmitter may begin with a character.
    const fn may_send(&self) -> bool {
        let flows = self.mcr & mcr::AFCE == 0 || self.modem & bits::msr::CTS != 0;
        flows && !(self.halted && self.fifos())
    }

    fn arrive(&mut self, received: Received) {
        let until = self.timeout_from_now();
        let byte = self.character(received.byte);
        let received = Received { byte, ..received };
        self.receiver.arrive(received, self.fifos(), until);
    }

    /// Lets go what may go by now: at most what FIFO and shift register hold. The levels have
    /// been settled before.
    fn send(&mut self) {
        if !self.sender.has_work() {
            return;
        }
        while let Some(byte) = self.next_sent() {
            // A FIFO whose level is programmed never rises above it when characters leave at
            // once; its writer is told all the same.
            self.thre |= self.config.pacing == Pacing::AtOnce;
            let byte = self.character(byte);
            if self.is_looped() {
                self.arrive(Received::from(byte));
            } else if self.lcr & lcr::BREAK == 0 {
                self.sender.put_on_wire(byte);
            }
            self.settle();
        }
        if !self.is_looped() {
            self.sender.send_break();
        } else if self.sender.drop_break() {
            self.arrive(Received::BREAK);
        }
        self.settle();
    }

    fn next_sent(&mut self) -> Option<u8> {
        let may_send = self.may_send();
        match self.config.pacing {
            Pacing::AtOnce if may_send && self.sender.wire_has_room() => self.sender.take(),
            Pacing::AtOnce => None,
            Pacing::Baud => {
                let character = self.character_ns();
                self.sender
                    .shift_until(self.now, character.filter(|_| may_send))
            }
        }
    }

    /// What has arrived by now, in the order of time with the character timeout.
    fn hear(&mut self) {
        let now = self.now;
        let ns = self.character_ns().unwrap_or(0);
        while let Some((at, received)) = self.arriving.take(now, ns) {
            self.receiver.expire(at);
            self.now = at;
            if !self.is_looped() {
                self.arrive(received);
            }
            self.settle();
        }
        self.now = now;
    }

    /// Whether something happens with the time.
    const fn is_waiting(&self) -> bool {
        self.receiver.deadline().is_some() || self.sender.is_shifting() || self.arriving.len() > 0
    }

    pub(super) fn advance(&mut self, cx: &Cx<'_>) {
        self.now = cx.now;
        if self.is_waiting() {
            self.hear();
            self.receiver.expire(cx.now);
            self.settle();
            self.send();
        }
    }

    /// An input line changed; `advance` has been called.
    pub(super) fn input(&mut self, line: Line, level: bool) {
        self.set_pin(line, level);
        self.settle();
        self.send();
    }

    pub(super) fn lines(&self) -> Lines {
        Lines(
            u64::from(self.interrupts())
                | u64::from(self.modem_outputs()) << 1
                | u64::from(self.receive_ready()) << 5
                | u64::from(self.transmit_ready()) << 6,
        )
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        if !self.is_waiting() {
            return None;
        }
        self.receiver
            .deadline()
            .into_iter()
            .chain(self.sender.deadline())
            .chain(self.arriving.deadline())
            .min()
    }

    /// MR (8.1). The pins are other parts' and keep their levels; a warm reset leaves what the
    /// data sheet does not list.
    pub(super) fn reset(&mut self, kind: Reset) {
        let (divisor, scr) = match kind {
            Reset::Cold => (0, 0),
            Reset::Warm => (self.divisor, self.scr),
        };
        *self = Self {
            pins: self.pins,
            modem: self.pins,
            divisor,
            scr,
            ..Self::new(self.config)
        };
    }
}
