//! The transmit side of a UART: FIFO, shift register, and the wire that the board drains.

use super::ring::Ring;
use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;

/// Characters that have left and wait for the board. A full wire holds the transmitter up,
/// so that its status tells, and nothing is lost.
const WIRE: usize = 256;

/// A break among them.
const BREAK: u16 = 1 << 8;

/// A character in the shift register.
#[derive(Clone, Copy, Debug)]
struct Shifting {
    byte: u8,
    /// When its last stop bit ends.
    ends: Instant,
    /// Whether that is over, and a full wire holds it up.
    held: bool,
}

/// A FIFO of at most `N`, the shift register, and the wire.
pub(in crate::emul) struct Sender<const N: usize> {
    fifo: Ring<N>,
    shifting: Option<Shifting>,
    wire: Ring<WIRE>,
    /// Whether a break is asked for, and waits for the character that is being sent.
    break_due: bool,
}

impl<const N: usize> Default for Sender<N> {
    fn default() -> Self {
        Self {
            fifo: Ring::default(),
            shifting: None,
            wire: Ring::default(),
            break_due: false,
        }
    }
}

impl<const N: usize> Sender<N> {
    pub(in crate::emul) const fn level(&self) -> usize {
        self.fifo.len()
    }

    pub(in crate::emul) const fn is_busy(&self) -> bool {
        self.fifo.len() > 0 || self.shifting.is_some()
    }

    pub(in crate::emul) const fn is_shifting(&self) -> bool {
        self.shifting.is_some()
    }

    /// Whether something waits to go, or is going.
    pub(in crate::emul) const fn has_work(&self) -> bool {
        self.is_busy() || self.break_due
    }

    /// A write to the FIFO; one that holds `depth` already loses it, as the hardware's does.
    pub(in crate::emul) fn write(&mut self, byte: u8, depth: usize) {
        if self.fifo.len() < depth {
            self.fifo.push(byte.into());
        }
    }

    pub(in crate::emul) fn flush(&mut self) {
        self.fifo.clear();
    }

    pub(in crate::emul) fn take(&mut self) -> Option<u8> {
        self.fifo.pop().map(|word| word as u8)
    }

    /// Whether the wire holds something for its other end.
    pub(in crate::emul) const fn is_heard(&self) -> bool {
        self.wire.len() > 0
    }

    pub(in crate::emul) const fn wire_has_room(&self) -> bool {
        self.wire.len() < WIRE
    }

    pub(in crate::emul) fn put_on_wire(&mut self, byte: u8) {
        self.wire.push(byte.into());
    }

    /// The next byte on the wire; a break before it shows as nothing.
    pub(in crate::emul) fn take_from_wire(&mut self) -> Option<u8> {
        let mut word = self.wire.pop()?;
        while word & BREAK != 0 {
            word = self.wire.pop()?;
        }
        Some(word as u8)
    }

    pub(in crate::emul) fn take_break_from_wire(&mut self) -> bool {
        let is_break = self.wire.first().is_some_and(|word| word & BREAK != 0);
        if is_break {
            self.wire.pop();
        }
        is_break
    }

    /// The line is to go low behind the character that is being sent, or no longer.
    pub(in crate::emul) const fn set_break(&mut self, due: bool) {
        self.break_due = due;
    }

    /// Puts the break on the wire that is due: whether it did.
    pub(in crate::emul) fn send_break(&mut self) -> bool {
        let goes = self.break_due && self.shifting.is_none() && self.wire_has_room();
        if goes {
            self.break_due = false;
            self.wire.push(BREAK);
        }
        goes
    }

    /// Forgets the break that is due, if it could be sent: whether it could.
    pub(in crate::emul) fn drop_break(&mut self) -> bool {
        let goes = self.break_due && self.shifting.is_none();
        self.break_due &= !goes;
        goes
    }

    /// Shifts on, until `now`: gives the character whose time is over, if there is one, and
    /// loads the next, if one may start (`character` is how long it will take).
    ///
    /// Called until there is none, at every access: so a character that ends between two
    /// calls is followed by the next without a gap, unless a full wire held it up.
    pub(in crate::emul) fn shift_until(
        &mut self,
        now: Instant,
        character: Option<u64>,
    ) -> Option<u8> {
        let mut start = now;
        let has_room = self.wire_has_room();
        let done = match &mut self.shifting {
            Some(shifting) if shifting.ends > now => return None,
            Some(shifting) if !has_room => {
                shifting.held = true;
                return None;
            }
            Some(shifting) => {
                if !shifting.held {
                    start = shifting.ends;
                }
                Some(shifting.byte)
            }
            None => None,
        };
        self.shifting = character.and_then(|ns| {
            let byte = self.take()?;
            Some(Shifting {
                byte,
                ends: start.saturating_add(ns),
                held: false,
            })
        });
        done
    }

    /// When the next character leaves. A full wire must be drained first; the character that
    /// waited is then overdue.
    pub(in crate::emul) fn deadline(&self) -> Option<Instant> {
        self.shifting
            .filter(|_| self.wire_has_room())
            .map(|shifting| shifting.ends)
    }

    pub(in crate::emul) fn save(&self, out: &mut Writer) {
        self.fifo.save(out);
        out.bool(self.shifting.is_some());
        out.u8(self.shifting.map_or(0, |shifting| shifting.byte));
        out.u64(self.shifting.map_or(0, |shifting| shifting.ends.0));
        out.bool(self.shifting.is_some_and(|shifting| shifting.held));
        self.wire.save(out);
        out.bool(self.break_due);
    }

    pub(in crate::emul) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        let fifo = Ring::load(from)?;
        let is_shifting = from.bool()?;
        let shifting = Shifting {
            byte: from.u8()?,
            ends: Instant(from.u64()?),
            held: from.bool()?,
        };
        Ok(Self {
            fifo,
            shifting: is_shifting.then_some(shifting),
            wire: Ring::load(from)?,
            break_due: from.bool()?,
        })
    }
}
