//! The receive side: FIFO or RBR, errors with their characters, and the character timeout
//! (PC16550D, 8.4, "FIFO interrupt mode operation").

use super::DEPTH;
use super::bits::lsr;
use crate::access::Refusal;
use crate::emul::serial::{Condition, Received, Ring};
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;

/// LSR's bits of errors.
const ERRORS: u8 = lsr::OE | lsr::PE | lsr::FE | lsr::BI;

#[derive(Default)]
pub(super) struct Receiver {
    /// Characters; above each its errors, until they have been read in LSR.
    fifo: Ring<DEPTH>,
    /// The errors that LSR shows.
    errors: u8,
    /// How many characters in the FIFO have errors.
    flawed: u8,
    /// When the FIFO will have waited for four characters' time.
    timeout: Option<Instant>,
    timed_out: bool,
}

const fn errors_of(word: u16) -> u8 {
    (word >> 8) as u8
}

impl Receiver {
    pub(super) const fn level(&self) -> usize {
        self.fifo.len()
    }

    pub(super) const fn has_errors(&self) -> bool {
        self.errors != 0
    }

    pub(super) const fn is_timed_out(&self) -> bool {
        self.timed_out
    }

    /// LSR, but for what the transmitter has in it.
    pub(super) const fn status(&self, fifos: bool) -> u8 {
        let mut status = self.errors;
        if self.fifo.len() > 0 {
            status |= lsr::DR;
        }
        if fifos && self.flawed > 0 {
            status |= lsr::FIFO_ERROR;
        }
        status
    }

    /// A character arrives; with the FIFO it may wait `until` then.
    pub(super) fn arrive(&mut self, received: Received, fifos: bool, until: Option<Instant>) {
        if !self.timed_out {
            self.timeout = until;
        }
        let errors = match received.condition {
            Condition::Good => 0,
            Condition::Parity => lsr::PE,
            Condition::Framing => lsr::FE,
            Condition::Break => lsr::BI,
        };
        let depth = if fifos { DEPTH } else { 1 };
        if self.fifo.len() >= depth {
            self.errors |= lsr::OE;
            if fifos {
                // The FIFO stays; the shift register's character is overwritten.
                return;
            }
            self.remove();
        }
        self.fifo
            .push(u16::from(received.byte) | u16::from(errors) << 8);
        if errors != 0 {
            self.flawed = self.flawed.saturating_add(1);
        }
        if self.fifo.len() == 1 {
            self.reveal();
        }
    }

    /// The errors of a character show in LSR when it is the next to be read.
    fn reveal(&mut self) {
        self.errors |= self.fifo.first().map_or(0, errors_of);
    }

    fn remove(&mut self) -> Option<u8> {
        let word = self.fifo.pop()?;
        if errors_of(word) != 0 {
            self.flawed = self.flawed.saturating_sub(1);
        }
        Some(word as u8)
    }

    /// RBR's next character; 0 if there is none. The rest may wait `until` then.
    pub(super) fn take(&mut self, until: Option<Instant>) -> u8 {
        let byte = self.remove().unwrap_or(0);
        self.timed_out = false;
        self.timeout = until.filter(|_| self.fifo.len() > 0);
        self.reveal();
        byte
    }

    /// LSR was read: its errors go, and those of the character that they are of.
    pub(super) fn clear_errors(&mut self) {
        self.errors = 0;
        if let Some(word) = self.fifo.first().filter(|word| errors_of(*word) != 0) {
            self.fifo.replace_first(word & 0xff);
            self.flawed = self.flawed.saturating_sub(1);
        }
    }

    /// The FIFO is emptied. An overrun stays to be read.
    pub(super) fn flush(&mut self) {
        *self = Self {
            errors: self.errors & lsr::OE,
            ..Self::default()
        };
    }

    /// The timeout's time has come.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.timeout.is_some_and(|timeout| timeout <= now) {
            self.timeout = None;
            self.timed_out = true;
        }
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.timeout
    }

    pub(super) fn save(&self, out: &mut Writer) {
        self.fifo.save(out);
        out.u8(self.errors);
        out.bool(self.timeout.is_some());
        out.u64(self.timeout.unwrap_or_default().0);
        out.bool(self.timed_out);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        let fifo: Ring<DEPTH> = Ring::load(from)?;
        let mut rest = fifo;
        let mut flawed = 0_u8;
        while let Some(word) = rest.pop() {
            let errors = errors_of(word);
            if errors & !(ERRORS & !lsr::OE) != 0 {
                return Err(Refusal::BadState);
            }
            flawed = flawed.saturating_add(u8::from(errors != 0));
        }
        let errors = from.u8()?;
        let has_timeout = from.bool()?;
        let timeout = Instant(from.u64()?);
        let timed_out = from.bool()?;
        if errors & !ERRORS != 0 || has_timeout && timed_out {
            return Err(Refusal::BadState);
        }
        Ok(Self {
            fifo,
            errors,
            flawed,
            timeout: has_timeout.then_some(timeout),
            timed_out,
        })
    }
}
