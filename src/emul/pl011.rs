//! PL011 UART.
//!
//! Manual: ARM PrimeCell UART (PL011), DDI 0183G.
//! Device tree: `arm,pl011`.
//!
//! Output lines: 0 UARTINTR (combined), 1 UARTMSINTR, 2 UARTRXINTR, 3 UARTTXINTR,
//! 4 UARTRTINTR, 5 UARTEINTR; 6 nUARTRTS, 7 nUARTDTR, 8 nUARTOut1, 9 nUARTOut2.
//! 10 UARTTXDMASREQ, 11 UARTTXDMABREQ, 12 UARTRXDMASREQ, 13 UARTRXDMABREQ.
//! Input lines: 0 nUARTCTS, 1 nUARTDSR, 2 nUARTDCD, 3 nUARTRI; 4 UARTTXDMACLR,
//! 5 UARTRXDMACLR.
//! Of the modem lines, inputs and outputs, high means asserted, whatever the pin's polarity.
//!
//! A UART whose guest expects its boot loader to have set it up (an early console, an image
//! entered without its firmware) needs [`Config::left_running`]: as after reset, the
//! transmitter is off, and what is written waits in the FIFO.
//!
//! Deviations:
//! - [`Pacing::AtOnce`], the default: a character leaves as it is written, and each one that
//!   leaves may raise UARTTXINTR, also where a slow line's FIFO would not have risen above the
//!   trigger level before; characters arrive when the board gives them. A baud rate that was
//!   never set counts as 115,200 there. [`Pacing::Baud`] gives every character its time.
//! - IrDA: UARTILPR, SIREN, SIRLP and SIRTEST are storage; what is sent goes to the same port.
//! - The receive timeout's 32 bit periods begin with the last character's arrival, or with the
//!   mask that enables it.
//! - A break has BE alone, and not FE beside it. While it is sent, no character begins.
//! - UARTITOP's UARTTXD and nSIROUT move nothing; UARTITIP's serial inputs are idle.
//! - IFLS's reserved levels count as 7/8.

mod config;
mod description;
mod dma;
mod integration;
mod line;
mod modem;
mod port;
mod receiver;
mod registers;
mod state;
mod transmit;

use crate::access::{Access, Refusal};
use crate::emul::primecell::Identity;
use crate::emul::serial::{Arriving, Sender, USUAL_BAUD};
pub use crate::emul::serial::{Condition, Pacing, Received};
use crate::emul::state::{Reader, Writer};
use crate::emul::{Cx, Device, Line, Lines, Reset, SerialPort, apb};
use crate::units::Instant;
pub use config::{Config, Revision};
pub use description::DESCRIPTION;
use dma::Dma;
use integration::Integration;
use line::LineControl;
use receiver::Receiver;
use registers::{Register, cr, fr, int, lcr_h};
use transmit::TransmitLevel;

/// A PL011.
pub struct Pl011 {
    config: Config,
    /// UARTILPR, UARTIBRD, UARTFBRD: storage, the latter two until UARTLCR_H latches them.
    ilpr: u8,
    ibrd: u16,
    fbrd: u8,
    /// What UARTLCR_H and, with it, the divisor were last set to.
    line: LineControl,
    cr: u16,
    ifls: u8,
    imsc: u16,
    ris: u16,
    dma: Dma,
    integration: Integration,
    /// Modem inputs at the pins, in UARTFR's bits.
    pins: u16,
    /// Modem inputs as they were last compared.
    modem: u16,
    transmitter: Sender<32>,
    transmit_level: TransmitLevel,
    receiver: Receiver,
    /// Characters on their way to the receiver, of a UART that is paced.
    arriving: Arriving,
    /// The time of the last call that brought one.
    now: Instant,
}

impl Pl011 {
    /// A UART as after a cold reset.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut uart = Self {
            config,
            ilpr: 0,
            ibrd: 0,
            fbrd: 0,
            line: LineControl::default(),
            cr: cr::RXE | cr::TXE,
            ifls: 0x12,
            imsc: 0,
            ris: 0,
            dma: Dma::default(),
            integration: Integration::default(),
            pins: 0,
            modem: 0,
            transmitter: Sender::default(),
            transmit_level: TransmitLevel::default(),
            receiver: Receiver::default(),
            arriving: Arriving::default(),
            now: Instant::ZERO,
        };
        if config.left_running {
            let divisor = line::divisor_for(config.uartclk, USUAL_BAUD);
            uart.ibrd = (divisor >> 6) as u16;
            uart.fbrd = (divisor & 0x3f) as u8;
            uart.line = LineControl {
                lcr_h: lcr_h::WLEN_8 | lcr_h::FEN,
                divisor,
            };
            uart.cr |= cr::UARTEN;
        }
        uart
    }

    /// How many characters the FIFOs hold: one each while they are disabled.
    const fn depth(&self) -> usize {
        if self.line.lcr_h & lcr_h::FEN != 0 {
            self.config.revision.fifo_depth()
        } else {
            1
        }
    }

    /// The level at which UARTRXINTR rises, from below.
    const fn receive_trigger(&self) -> usize {
        match self.depth() {
            1 => 1,
            depth => registers::trigger(self.ifls >> 3, depth),
        }
    }

    /// The level at which UARTTXINTR rises, from above.
    const fn transmit_trigger(&self) -> usize {
        match self.depth() {
            1 => 0,
            depth => registers::trigger(self.ifls, depth),
        }
    }

    const fn is_on(&self, direction: u16) -> bool {
        self.cr & (cr::UARTEN | direction) == cr::UARTEN | direction
    }

    /// Whether the transmitter may begin with a character.
    const fn may_send(&self) -> bool {
        self.is_on(cr::TXE)
            && self.line.lcr_h & lcr_h::BRK == 0
            && (self.cr & cr::CTSEN == 0 || self.modem & fr::CTS != 0)
    }

    /// Brings the interrupts' level comparators and the modem's edge detectors up to date.
    fn settle(&mut self) {
        let (rx_trigger, tx_trigger) = (self.receive_trigger(), self.transmit_trigger());
        self.receiver.compare(rx_trigger, &mut self.ris);
        self.transmit_level
            .compare(self.transmitter.level(), tx_trigger, &mut self.ris);
        let inputs = self.modem_inputs();
        self.ris |= modem::interrupts(inputs ^ self.modem);
        self.modem = inputs;
        if self.dma.is_live() {
            self.settle_dma();
        }
    }

    /// How long a character takes, if there is a baud clock.
    fn character_ns(&self) -> Option<u64> {
        self.line.character_ns(self.config.uartclk)
    }

    /// Until when a character that arrives now may wait, if its interrupt's mask lets the
    /// timeout count.
    fn receive_timeout(&self) -> Option<Instant> {
        if self.imsc & int::RT == 0 {
            return None;
        }
        let (uartclk, pacing) = (self.config.uartclk, self.config.pacing);
        let ns = self.line.receive_timeout(uartclk, pacing)?;
        Some(self.now.saturating_add(ns))
    }

    fn arrive(&mut self, received: Received) {
        if self.is_on(cr::RXE) {
            let until = self.receive_timeout();
            let word = self.line.character(received.byte);
            self.receiver.arrive(
                Received {
                    byte: word,
                    ..received
                },
                self.depth(),
                until,
                &mut self.ris,
            );
        }
    }

    /// Lets go what may go by now: at most what FIFO and shift register hold. The levels have
    /// been settled before.
    fn send(&mut self) {
        if self.transmitter.has_work() {
            self.send_on();
        }
    }

    fn send_on(&mut self) {
        let mut at_once = false;
        while let Some(byte) = self.next_sent() {
            let byte = self.line.character(byte);
            self.transmitter.put_on_wire(byte);
            if self.cr & cr::LBE != 0 {
                self.arrive(Received::from(byte));
            }
            at_once |= self.config.pacing == Pacing::AtOnce;
            self.settle();
        }
        if self.transmitter.send_break() && self.cr & cr::LBE != 0 {
            self.arrive(Received::BREAK);
        }
        self.settle();
        if at_once {
            self.transmit_level.drained_at_once(&mut self.ris);
        }
    }

    fn next_sent(&mut self) -> Option<u8> {
        let may_send = self.may_send();
        match self.config.pacing {
            Pacing::AtOnce if may_send && self.transmitter.wire_has_room() => {
                self.transmitter.take()
            }
            Pacing::AtOnce => None,
            Pacing::Baud => {
                let character = self.character_ns();
                self.transmitter
                    .shift_until(self.now, character.filter(|_| may_send))
            }
        }
    }

    /// What has arrived by now, in the order of time with the receive timeout.
    fn hear(&mut self) {
        let now = self.now;
        let ns = self.character_ns().unwrap_or(0);
        while let Some((at, received)) = self.arriving.take(now, ns) {
            self.receiver.expire(at, &mut self.ris);
            self.now = at;
            self.arrive_from_line(received);
            self.settle();
        }
        self.now = now;
    }

    /// Reads UARTDR.
    fn take_received(&mut self) -> u32 {
        let word = self.receiver.take(&mut self.ris);
        self.settle();
        // In loopback with flow control, room here lets the transmitter go on.
        self.send();
        word.into()
    }

    /// Whether something happens with the time. What waits in the transmit FIFO and is not
    /// being sent waits for an access, an input, or room on the wire.
    const fn is_waiting(&self) -> bool {
        self.receiver.deadline().is_some()
            || self.transmitter.is_shifting()
            || self.arriving.len() > 0
    }

    /// What a read gives that changes nothing; of UARTDR and UARTTDR that is 0.
    #[allow(clippy::inline_always)] // every access passes here; for size it would be a call
    #[inline(always)]
    fn show_register(&self, register: Register) -> u32 {
        match register {
            Register::Uartrsr => self.receiver.status().into(),
            Register::Uartfr => self.flags().into(),
            Register::Uartilpr => self.ilpr.into(),
            Register::Uartibrd => self.ibrd.into(),
            Register::Uartfbrd => self.fbrd.into(),
            Register::Uartlcr_h => self.line.lcr_h.into(),
            Register::Uartcr => self.cr.into(),
            Register::Uartifls => self.ifls.into(),
            Register::Uartimsc => self.imsc.into(),
            Register::Uartris => self.ris.into(),
            Register::Uartmis => (self.ris & self.imsc).into(),
            Register::Uartdmacr => self.dma.control.into(),
            Register::Uarttcr => self.integration.control.into(),
            Register::Uartitip => self.test_inputs().into(),
            Register::Uartitop => self.test_outputs().into(),
            Register::Identity(n) => Identity::arm(0x011, self.config.revision.number(), 0).read(n),
            Register::Uartdr | Register::Uarttdr | Register::Uarticr | Register::Reserved => 0,
        }
    }

    fn write_register(&mut self, offset: u64, value: u32) {
        match Register::at(offset) {
            Register::Uartdr => {
                let depth = self.depth();
                self.transmitter.write(value as u8, depth);
            }
            Register::Uartrsr => self.receiver.clear_errors(),
            Register::Uartilpr => self.ilpr = value as u8,
            Register::Uartibrd => self.ibrd = value as u16,
            Register::Uartfbrd => self.fbrd = value as u8 & 0x3f,
            Register::Uartlcr_h => self.set_line_control(value as u8),
            Register::Uartcr => self.cr = value as u16 & cr::DEFINED,
            Register::Uartifls => self.ifls = value as u8 & 0x3f,
            Register::Uartimsc => self.set_mask(value as u16 & int::ALL),
            Register::Uarticr => self.ris &= !(value as u16),
            Register::Uartdmacr => self.dma.control = value as u8 & 7,
            Register::Uarttcr => self.integration.control = value as u8 & 7,
            Register::Uartitip => self.integration.clears = (value >> 6) as u8 & 3,
            Register::Uartitop => self.integration.outputs = value as u16,
            Register::Uarttdr => self.write_test_data(value as u16),
            Register::Uartfr
            | Register::Uartris
            | Register::Uartmis
            | Register::Identity(_)
            | Register::Reserved => {}
        }
        self.settle();
        self.send();
    }

    /// UARTLCR_H, UARTIBRD and UARTFBRD are one register of 30 bits, which a write to the
    /// first strobes (3.3.7).
    fn set_line_control(&mut self, value: u8) {
        let (before, divisor) = (
            self.line.lcr_h,
            u32::from(self.ibrd) << 6 | u32::from(self.fbrd),
        );
        self.line = LineControl {
            lcr_h: value,
            divisor,
        };
        // Disabling the FIFOs flushes them (3.3.8).
        if before & !value & lcr_h::FEN != 0 {
            self.transmitter.flush();
            self.receiver.flush(&mut self.ris);
        }
        if (value ^ before) & lcr_h::BRK != 0 {
            self.transmitter.set_break(value & lcr_h::BRK != 0);
        }
    }

    /// UARTIMSC. The receive timeout's bit is also what lets its counter run (3.3.11).
    fn set_mask(&mut self, mask: u16) {
        let changed = mask ^ self.imsc;
        self.imsc = mask;
        if changed & int::RT != 0 {
            let until = self.receive_timeout();
            self.receiver.enable_timeout(until, &mut self.ris);
        }
    }

    /// The output lines outside integration test, but for those of the DMA.
    #[inline]
    fn serial_lines(&self) -> u64 {
        let mis = self.ris & self.imsc;
        let pins = u64::from(self.requests_to_send()) << 6
            | u64::from(self.cr & cr::DTR != 0) << 7
            | u64::from(self.cr & (cr::OUT1 | cr::OUT2)) >> 4;
        if mis == 0 {
            return pins;
        }
        pins | 1
            | u64::from(mis & int::MODEM != 0) << 1
            | u64::from(mis & (int::RX | int::TX | int::RT)) >> 2
            | u64::from(mis & int::ERROR != 0) << 5
    }

    /// UARTFR.
    const fn flags(&self) -> u16 {
        let depth = self.depth();
        let mut flags = self.modem;
        if self.transmitter.level() == 0 {
            flags |= fr::TXFE;
        }
        if self.receiver.level() >= depth {
            flags |= fr::RXFF;
        }
        if self.transmitter.level() >= depth {
            flags |= fr::TXFF;
        }
        if self.receiver.level() == 0 {
            flags |= fr::RXFE;
        }
        if self.transmitter.is_busy() {
            flags |= fr::BUSY;
        }
        flags
    }
}

impl Device for Pl011 {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        self.advance(cx);
        apb::read(access, |offset| match Register::at(offset) {
            Register::Uartdr => self.take_received(),
            Register::Uarttdr => self.read_test_data(),
            register => self.show_register(register),
        })
    }

    fn peek(&self, _: Instant, access: Access) -> Option<u64> {
        if self.is_waiting() {
            return None;
        }
        apb::peek(access, |offset| match Register::at(offset) {
            Register::Uartdr | Register::Uarttdr => None,
            register => Some(self.show_register(register)),
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        self.advance(cx);
        apb::write(access, value, |offset, value| {
            self.write_register(offset, value);
        })
    }

    fn input(&mut self, cx: &mut Cx<'_>, line: Line, level: bool) {
        self.advance(cx);
        let pin = match line.0 {
            0 => fr::CTS,
            1 => fr::DSR,
            2 => fr::DCD,
            3 => fr::RI,
            _ => 0,
        };
        let clear = match line.0 {
            4 => 1 << 1,
            5 => 1 << 0,
            _ => 0,
        };
        self.pins = if level {
            self.pins | pin
        } else {
            self.pins & !pin
        };
        self.dma.clears = if level {
            self.dma.clears | clear
        } else {
            self.dma.clears & !clear
        };
        self.settle();
        self.send();
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        self.now = cx.now;
        // With nothing to send and nobody waiting, every level is as it was last settled.
        if self.is_waiting() {
            self.hear();
            self.receiver.expire(cx.now, &mut self.ris);
            self.send();
        }
    }

    fn lines(&self) -> Lines {
        if self.integration.is_on() {
            return self.integration.lines();
        }
        Lines(self.serial_lines() | dma::lines(self.dma_requests()))
    }

    fn deadline(&self) -> Option<Instant> {
        if !self.is_waiting() {
            return None;
        }
        self.receiver
            .deadline()
            .into_iter()
            .chain(self.transmitter.deadline())
            .chain(self.arriving.deadline())
            .min()
    }

    /// The pins are other parts' and keep their levels.
    fn reset(&mut self, _: Reset) {
        *self = Self {
            pins: self.pins,
            modem: self.pins,
            dma: self.dma.after_reset(),
            ..Self::new(self.config)
        };
    }

    fn save(&self, out: &mut Writer) {
        self.save_state(out);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        *self = Self::new(self.config);
        *self = Self::load_state(self.config, from)?;
        Ok(())
    }

    fn sends(&self) -> bool {
        self.transmitter.is_heard()
    }

    fn serial(&mut self) -> Option<&mut dyn SerialPort> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
