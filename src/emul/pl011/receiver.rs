//! The receive side: FIFO, error bits, overrun and timeout (DDI 0183G, 2.4, 2.8).

use super::registers::{dr, int};
use crate::access::Refusal;
use crate::emul::serial::{Condition, Received, Ring};
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;

#[derive(Default)]
pub(super) struct Receiver {
    /// Characters with their error bits, as UARTDR gives them.
    fifo: Ring<32>,
    /// A character was lost since the last one that went into the FIFO.
    overrun: bool,
    /// UARTRSR, in UARTDR's bits.
    status: u16,
    /// When the FIFO will have waited for 32 bit periods.
    timeout: Option<Instant>,
    /// Whether the FIFO was at its trigger level when last compared.
    reached: bool,
}

impl Receiver {
    pub(super) const fn level(&self) -> usize {
        self.fifo.len()
    }

    /// UARTRSR: the errors of the character last read, and overrun until it is cleared.
    pub(super) const fn status(&self) -> u16 {
        self.status >> 8
    }

    /// A write to UARTECR.
    pub(super) const fn clear_errors(&mut self) {
        self.status = 0;
    }

    /// A character arrives at a FIFO that holds `depth`; it may wait `until` then.
    pub(super) fn arrive(
        &mut self,
        received: Received,
        depth: usize,
        until: Option<Instant>,
        ris: &mut u16,
    ) {
        let error = match received.condition {
            Condition::Good => 0,
            Condition::Parity => dr::PE,
            Condition::Framing => dr::FE,
            Condition::Break => dr::BE,
        };
        self.store(u16::from(received.byte) | error, depth, until, ris);
    }

    /// A character with its error bits, as UARTDR gives them.
    pub(super) fn store(&mut self, word: u16, depth: usize, until: Option<Instant>, ris: &mut u16) {
        self.timeout = until;
        if self.fifo.len() >= depth {
            // The FIFO stays; the shift register's character is overwritten (2.4).
            self.overrun = true;
            self.status |= dr::OE;
            *ris |= int::OE;
            return;
        }
        let overrun = if self.overrun { dr::OE } else { 0 };
        self.fifo.push(word | overrun);
        self.overrun = false;
        for (error, interrupt) in [(dr::FE, int::FE), (dr::PE, int::PE), (dr::BE, int::BE)] {
            if word & error != 0 {
                *ris |= interrupt;
            }
        }
    }

    /// The timeout's mask changed, which enables its counter: raw and masked status are one
    /// (DDI 0183G, 3.3.11).
    pub(super) fn enable_timeout(&mut self, until: Option<Instant>, ris: &mut u16) {
        self.timeout = until.filter(|_| self.fifo.len() > 0);
        *ris &= !int::RT;
    }

    /// UARTDR's next character; 0 if there is none.
    pub(super) fn take(&mut self, ris: &mut u16) -> u16 {
        let Some(word) = self.fifo.pop() else {
            return 0;
        };
        self.status = self.status & dr::OE | word & (dr::BE | dr::PE | dr::FE);
        if self.fifo.len() == 0 {
            self.calm(ris);
        }
        word
    }

    /// Nothing waits any longer: no timeout.
    fn calm(&mut self, ris: &mut u16) {
        self.timeout = None;
        *ris &= !int::RT;
    }

    pub(super) fn flush(&mut self, ris: &mut u16) {
        self.fifo.clear();
        self.overrun = false;
        self.calm(ris);
    }

    /// UARTRXINTR rises when the FIFO reaches its trigger level, and falls below it (2.8.2).
    pub(super) const fn compare(&mut self, trigger: usize, ris: &mut u16) {
        let reached = self.fifo.len() >= trigger;
        if !reached {
            *ris &= !int::RX;
        } else if !self.reached {
            *ris |= int::RX;
        }
        self.reached = reached;
    }

    /// UARTRTINTR rises when its time has come and the FIFO still holds something.
    pub(super) fn expire(&mut self, now: Instant, ris: &mut u16) {
        if self.timeout.is_some_and(|timeout| timeout <= now) {
            self.timeout = None;
            *ris |= int::RT;
        }
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.timeout
    }

    pub(super) fn save(&self, out: &mut Writer) {
        self.fifo.save(out);
        out.bool(self.overrun);
        out.u16(self.status);
        out.bool(self.timeout.is_some());
        out.u64(self.timeout.unwrap_or_default().0);
        out.bool(self.reached);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        let fifo = Ring::load(from)?;
        let overrun = from.bool()?;
        let status = from.u16()? & (dr::OE | dr::BE | dr::PE | dr::FE);
        let has_timeout = from.bool()?;
        let timeout = Instant(from.u64()?);
        Ok(Self {
            fifo,
            overrun,
            status,
            timeout: has_timeout.then_some(timeout),
            reached: from.bool()?,
        })
    }
}
