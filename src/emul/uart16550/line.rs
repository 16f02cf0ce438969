//! What LCR and the divisor make of the line: a character's bits and times (PC16550D, 8.1, 8.3).

use super::Uart;
use super::bits::lcr;
use crate::emul::serial::{LineSettings, Pacing, Parity, USUAL_BAUD};
use crate::units::{Instant, ns_for};

impl Uart {
    const fn data_bits(&self) -> u32 {
        ((self.lcr & lcr::WORD_LENGTH) as u32).wrapping_add(5)
    }

    /// The bits of `byte` that a character carries.
    pub(super) const fn character(&self, byte: u8) -> u8 {
        byte & (0xff_u8 >> 8_u32.wrapping_sub(self.data_bits()))
    }

    const fn half_stop_bits(&self) -> u8 {
        match (self.lcr & lcr::STB != 0, self.lcr & lcr::WORD_LENGTH) {
            (false, _) => 2,
            (true, 0) => 3,
            (true, _) => 4,
        }
    }

    /// Start, data, parity and stop bits of a character, in halves: of five data bits, STB asks
    /// for one and a half stop bits.
    const fn half_bits(&self) -> u64 {
        let parity = (self.lcr & lcr::PEN != 0) as u64;
        let stop = self.half_stop_bits() as u64;
        (self.data_bits() as u64)
            .wrapping_add(1)
            .wrapping_add(parity)
            .wrapping_mul(2)
            .wrapping_add(stop)
    }

    /// How long so many characters take, if there is a baud clock.
    fn characters_ns(&self, characters: u64) -> Option<u64> {
        if self.divisor == 0 || self.config.clock == 0 {
            return None;
        }
        let half_bits = self.half_bits().saturating_mul(characters);
        let sixteenths = half_bits.saturating_mul(16);
        Some(ns_for(
            sixteenths.saturating_mul(self.divisor.into()),
            self.config.clock.saturating_mul(2),
        ))
    }

    /// What the other end has to agree with (8.1, 8.3): a bit is 16 periods of the clock, divided
    /// by the divisor; stick parity is what EPS is not.
    pub(super) fn settings(&self) -> LineSettings {
        let sixteenth = self.config.clock.checked_div(16).unwrap_or(0);
        let baud = sixteenth.checked_div(self.divisor.into());
        let is = |bit: u8| self.lcr & bit != 0;
        LineSettings {
            baud: baud
                .and_then(|baud| u32::try_from(baud).ok())
                .filter(|baud| *baud > 0),
            data_bits: self.data_bits() as u8,
            parity: Parity::of(is(lcr::PEN), is(lcr::EPS), is(lcr::STICK)),
            half_stop_bits: self.half_stop_bits(),
        }
    }

    /// How long a character takes, if there is a baud clock.
    pub(super) fn character_ns(&self) -> Option<u64> {
        self.characters_ns(1)
    }

    /// Until when the receive FIFO may wait from now on: four characters' time.
    pub(super) fn timeout_from_now(&self) -> Option<Instant> {
        if !self.fifos() {
            return None;
        }
        let ns = match (self.characters_ns(4), self.config.pacing) {
            (None, Pacing::AtOnce) => {
                let half_bits = self.half_bits().saturating_mul(4);
                ns_for(half_bits, USUAL_BAUD.saturating_mul(2))
            }
            (ns, _) => ns?,
        };
        Some(self.now.saturating_add(ns))
    }
}
