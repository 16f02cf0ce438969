//! What UARTLCR_H and the baud rate divisor make of the line: a character's bits and times.

use super::registers::lcr_h;
use crate::emul::serial::{LineSettings, Pacing, Parity, USUAL_BAUD};
use crate::units::ns_for;

/// The register of 30 bits that a write to UARTLCR_H strobes (3.3.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LineControl {
    pub lcr_h: u8,
    /// UARTIBRD and UARTFBRD as one number: the divisor in 64ths.
    pub divisor: u32,
}

/// The divisor, in 64ths, by which UARTCLK gives 16 times `baud` (3.3.6).
pub(super) fn divisor_for(uartclk: u64, baud: u64) -> u32 {
    let divisor = uartclk.saturating_mul(4).checked_div(baud).unwrap_or(0);
    u32::try_from(divisor).unwrap_or(u32::MAX).min(0xffff << 6)
}

impl LineControl {
    /// Data bits in a character: 5 to 8.
    const fn data_bits(self) -> u32 {
        ((self.lcr_h >> lcr_h::WLEN_SHIFT & 3) as u32).wrapping_add(5)
    }

    /// The bits of `byte` that a character carries.
    pub(super) const fn character(self, byte: u8) -> u8 {
        byte & (0xff_u8 >> 8_u32.wrapping_sub(self.data_bits()))
    }

    /// Start, data, parity and stop bits of a character.
    const fn character_bits(self) -> u64 {
        let parity = (self.lcr_h & lcr_h::PEN != 0) as u64;
        let stop = if self.lcr_h & lcr_h::STP2 != 0 { 2 } else { 1 };
        (self.data_bits() as u64)
            .wrapping_add(1)
            .wrapping_add(parity)
            .wrapping_add(stop)
    }

    /// How long `bits` take: each is 16 periods of UARTCLK divided by `divisor` / 64. An
    /// integer part of 0 gives no baud clock.
    fn bits_ns(self, bits: u64, uartclk: u64) -> Option<u64> {
        if self.divisor < 64 || uartclk == 0 {
            return None;
        }
        Some(ns_for(
            bits.saturating_mul(self.divisor.into()),
            uartclk.saturating_mul(4),
        ))
    }

    /// How long a character takes, if there is a baud clock.
    pub(super) fn character_ns(self, uartclk: u64) -> Option<u64> {
        self.bits_ns(self.character_bits(), uartclk)
    }

    /// What the other end has to agree with: 16 periods of UARTCLK, divided by the divisor, a bit
    /// (3.3.6); SPS makes the parity bit what EPS is not (table 3-13).
    pub(super) fn settings(self, uartclk: u64) -> LineSettings {
        let fourths = uartclk.saturating_mul(4);
        let baud = match self.divisor {
            0..64 => None,
            divisor => fourths.checked_div(divisor.into()),
        };
        let is = |bit: u8| self.lcr_h & bit != 0;
        LineSettings {
            baud: baud.and_then(|baud| u32::try_from(baud).ok()),
            data_bits: self.data_bits() as u8,
            parity: Parity::of(is(lcr_h::PEN), is(lcr_h::EPS), is(lcr_h::SPS)),
            half_stop_bits: if is(lcr_h::STP2) { 4 } else { 2 },
        }
    }

    /// The receive timeout: 32 bit periods (2.8.4).
    pub(super) fn receive_timeout(self, uartclk: u64, pacing: Pacing) -> Option<u64> {
        match (self.bits_ns(32, uartclk), pacing) {
            (None, Pacing::AtOnce) => Some(ns_for(32, USUAL_BAUD)),
            (timeout, _) => timeout,
        }
    }
}
