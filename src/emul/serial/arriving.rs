//! What is on its way to the receiver while a UART is paced: a character takes its bits.

use super::ring::Ring;
use super::{Condition, Received};
use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;

/// As many characters as the deepest FIFO: what its reader may be behind.
const LINE: usize = 32;

/// Characters that follow each other on the line.
#[derive(Default)]
pub(in crate::emul) struct Arriving {
    line: Ring<LINE>,
    /// When the first one's stop bit ends.
    ends: Instant,
}

impl Arriving {
    pub(in crate::emul) const fn len(&self) -> usize {
        self.line.len()
    }

    /// A character begins after those before it; `ns` is how long it takes. Behind a full
    /// line it is lost.
    pub(in crate::emul) fn begin(&mut self, now: Instant, received: Received, ns: u64) {
        if self.line.len() == 0 {
            self.ends = now.saturating_add(ns);
        }
        let condition = match received.condition {
            Condition::Good => 0,
            Condition::Parity => 1,
            Condition::Framing => 2,
            Condition::Break => 3,
        };
        self.line.push(u16::from(received.byte) | condition << 8);
    }

    /// The character that has arrived by `now`, and when; the next then takes `ns`.
    pub(in crate::emul) fn take(&mut self, now: Instant, ns: u64) -> Option<(Instant, Received)> {
        let at = self.deadline().filter(|at| *at <= now)?;
        let word = self.line.pop()?;
        self.ends = at.saturating_add(ns);
        let condition = match word >> 8 {
            0 => Condition::Good,
            1 => Condition::Parity,
            2 => Condition::Framing,
            _ => Condition::Break,
        };
        let byte = word as u8;
        Some((at, Received { byte, condition }))
    }

    pub(in crate::emul) fn deadline(&self) -> Option<Instant> {
        (self.line.len() > 0).then_some(self.ends)
    }

    pub(in crate::emul) fn save(&self, out: &mut Writer) {
        self.line.save(out);
        out.u64(self.ends.0);
    }

    pub(in crate::emul) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            line: Ring::load(from)?,
            ends: Instant(from.u64()?),
        })
    }
}
