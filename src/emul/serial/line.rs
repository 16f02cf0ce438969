//! What both ends of a serial line have to agree on, and what arrives where they do not.
//!
//! A character is a waveform: low for the start bit, the data bits from the lowest on, the parity
//! bit, and high from the stop bit on. The receiver looks at it in the middle of each of its own
//! bits, counted from the edge that it took for the start.
//!
//! Deviation: each character is looked at by itself, with an idle line before and behind it. So a
//! receiver that is too slow does not mix the next one into it, and one that is too fast does not
//! make two of it.

use super::{Condition, Received};

/// The parity bit of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// There is none.
    None,
    /// It makes the number of ones even.
    Even,
    /// It makes the number of ones odd.
    Odd,
    /// It is 1.
    Mark,
    /// It is 0.
    Space,
}

impl Parity {
    /// As the three bits of a line control register say it, a 16550's and a PL011's alike.
    pub(in crate::emul) const fn of(enabled: bool, even: bool, stick: bool) -> Self {
        match (enabled, stick, even) {
            (false, ..) => Self::None,
            (true, false, true) => Self::Even,
            (true, false, false) => Self::Odd,
            (true, true, false) => Self::Mark,
            (true, true, true) => Self::Space,
        }
    }

    /// The bit beside these data bits, if there is one.
    const fn bit(self, data: u8) -> Option<bool> {
        let odd = data.count_ones() % 2 == 1;
        match self {
            Self::None => None,
            Self::Even => Some(odd),
            Self::Odd => Some(!odd),
            Self::Mark => Some(true),
            Self::Space => Some(false),
        }
    }
}

/// How a port sends and receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSettings {
    /// Bits in a second; none while no divisor is set: then it is the other end's.
    pub baud: Option<u32>,
    /// 5 to 8.
    pub data_bits: u8,
    /// The parity bit.
    pub parity: Parity,
    /// 2, 3 or 4.
    pub half_stop_bits: u8,
}

impl LineSettings {
    /// 115,200 baud, 8 data bits, no parity, 1 stop bit.
    pub const USUAL: Self = Self {
        baud: Some(115_200),
        data_bits: 8,
        parity: Parity::None,
        half_stop_bits: 2,
    };

    /// Whether two ends hear each other without a flaw. The receiver looks at one stop bit only.
    fn agrees(self, with: Self) -> bool {
        let rates = match (self.baud, with.baud) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        rates && (self.data_bits, self.parity) == (with.data_bits, with.parity)
    }

    const fn data(self, byte: u8) -> u8 {
        byte & 0xff_u8.wrapping_shr(8_u32.saturating_sub(self.data_bits as u32))
    }

    /// The level in bit `n` of the character that carries `byte`: 0 is the start bit.
    const fn level(self, byte: u8, n: u64) -> bool {
        let data_bits = self.data_bits as u64;
        if n == 0 {
            false
        } else if n <= data_bits {
            byte.wrapping_shr((n as u32).wrapping_sub(1)) & 1 != 0
        } else if n == data_bits.wrapping_add(1) {
            match self.parity.bit(self.data(byte)) {
                Some(bit) => bit,
                None => true,
            }
        } else {
            true
        }
    }

    /// What a port with the settings `to` receives of the `byte` that one with these sends; none
    /// if it sees no start bit in it.
    pub fn carry(self, byte: u8, to: Self) -> Option<Received> {
        if self.agrees(to) {
            return Some(Received::from(self.data(byte)));
        }
        let rate = |own: Option<u32>, other: Option<u32>| u64::from(own.or(other).unwrap_or(1));
        let (sends, receives) = (rate(self.baud, to.baud), rate(to.baud, self.baud));
        // The bit of the sender's in which the middle of the receiver's bit `n` lies.
        let seen = |n: u64| {
            let halves = n.wrapping_mul(2).wrapping_add(1);
            let sent = halves.saturating_mul(sends);
            sent.checked_div(receives.wrapping_mul(2)).unwrap_or(0)
        };
        // The start bit and ten more: a falling edge behind these there is none.
        let start = (0..11_u64).find(|start| {
            let falls = match start.checked_sub(1) {
                None => true,
                Some(before) => self.level(byte, before) && !self.level(byte, *start),
            };
            falls && !self.level(byte, start.wrapping_add(seen(0)))
        })?;
        let at = |n: u64| self.level(byte, start.wrapping_add(seen(n)));
        let mut data = 0_u8;
        for bit in 0..to.data_bits {
            if at(u64::from(bit).wrapping_add(1)) {
                data |= 1_u8.wrapping_shl(bit.into());
            }
        }
        let behind = u64::from(to.data_bits).wrapping_add(1);
        let (parity, stop) = match to.parity {
            Parity::None => (None, at(behind)),
            _ => (Some(at(behind)), at(behind.wrapping_add(1))),
        };
        let condition = if !stop && data == 0 && parity != Some(true) {
            Condition::Break
        } else if !stop {
            Condition::Framing
        } else if parity != to.parity.bit(data) {
            Condition::Parity
        } else {
            Condition::Good
        };
        Some(Received {
            byte: data,
            condition,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: LineSettings = LineSettings::USUAL;

    fn with(change: impl FnOnce(&mut LineSettings)) -> LineSettings {
        let mut settings = USUAL;
        change(&mut settings);
        settings
    }

    fn conditions(from: LineSettings, to: LineSettings) -> [usize; 5] {
        let mut counts = [0; 5];
        for byte in 0..=255 {
            let index = match from.carry(byte, to).map(|received| received.condition) {
                Some(Condition::Good) => 0,
                Some(Condition::Parity) => 1,
                Some(Condition::Framing) => 2,
                Some(Condition::Break) => 3,
                None => 4,
            };
            counts[index] += 1;
        }
        counts
    }

    #[test]
    fn ends_that_agree_hear_every_byte() {
        for parity in [
            Parity::None,
            Parity::Even,
            Parity::Odd,
            Parity::Mark,
            Parity::Space,
        ] {
            for data_bits in 5..=8 {
                let settings = with(|s| (s.parity, s.data_bits) = (parity, data_bits));
                // 460 is within what a receiver stands, so the samples are taken.
                let near = LineSettings {
                    baud: Some(115_200 + 460),
                    ..settings
                };
                for byte in 0..=255_u8 {
                    let data = byte & (0xff >> (8 - data_bits));
                    assert_eq!(settings.carry(byte, settings), Some(data.into()));
                    assert_eq!(settings.carry(byte, near), Some(data.into()));
                }
            }
        }
    }

    #[test]
    fn a_rate_that_is_unset_is_the_other_ends() {
        let unset = with(|s| s.baud = None);
        let slow = with(|s| s.baud = Some(9600));
        assert_eq!(unset.carry(0x5a, slow), Some(0x5a.into()));
        assert_eq!(slow.carry(0x5a, unset), Some(0x5a.into()));
        assert_eq!(unset.carry(0x5a, unset), Some(0x5a.into()));
    }

    #[test]
    fn four_percent_are_borne_and_ten_are_not() {
        for (baud, good) in [(110_700, true), (119_700, true), (103_680, false)] {
            let other = with(|s| s.baud = Some(baud));
            let all = (0..=255).all(|byte| USUAL.carry(byte, other) == Some(byte.into()));
            assert_eq!(all, good, "{baud}");
        }
    }

    #[test]
    fn a_sender_at_half_the_rate_gives_framing_errors() {
        let slow = with(|s| s.baud = Some(57_600));
        let [good, parity, framing, broken, unseen] = conditions(slow, USUAL);
        assert_eq!((parity, unseen), (0, 0));
        // The stop bit is looked for in the middle of data bit 3.
        assert_eq!((good, framing + broken), (128, 128));
        assert!(broken > 0, "low all the time is a break");
    }

    #[test]
    fn a_sender_at_twelve_times_the_rate_is_a_spike_or_nothing() {
        let slow = with(|s| s.baud = Some(9600));
        let [good, .., unseen] = conditions(USUAL, slow);
        assert_eq!(good + unseen, 256);
        assert!(good > 0 && unseen > 0);
        // What it takes for a start bit is over before its first data bit.
        let mut seen = (0..=255).filter_map(|byte| USUAL.carry(byte, slow));
        assert!(seen.all(|received| received == 0xff.into()));
    }

    #[test]
    fn the_wrong_parity_is_a_parity_error_of_every_byte() {
        let odd = with(|s| s.parity = Parity::Odd);
        let even = with(|s| s.parity = Parity::Even);
        assert_eq!(conditions(odd, even), [0, 256, 0, 0, 0]);
        for byte in 0..=255 {
            let received = odd.carry(byte, even).unwrap();
            assert_eq!(received.byte, byte, "its data are right");
        }
    }

    #[test]
    fn parity_that_only_the_sender_has_lies_where_the_stop_bit_should() {
        let even = with(|s| s.parity = Parity::Even);
        // 0 has parity 0: low in start, data and stop.
        assert_eq!(even.carry(0, USUAL), Some(Received::BREAK));
        assert_eq!(even.carry(1, USUAL), Some(1.into()));
        let framing = Received {
            byte: 3,
            condition: Condition::Framing,
        };
        assert_eq!(even.carry(3, USUAL), Some(framing));
    }

    #[test]
    fn parity_that_only_the_receiver_has_is_the_stop_bit() {
        let odd = with(|s| s.parity = Parity::Odd);
        for byte in 0..=255_u8 {
            let good = byte.count_ones() % 2 == 0;
            let received = USUAL.carry(byte, odd).unwrap();
            assert_eq!(received.condition == Condition::Good, good, "{byte:#x}");
            assert_ne!(received.condition, Condition::Framing);
        }
    }

    #[test]
    fn eight_bits_at_a_receiver_of_seven_need_the_highest_for_a_stop_bit() {
        let seven = with(|s| s.data_bits = 7);
        assert_eq!(USUAL.carry(0xc1, seven), Some(0x41.into()));
        assert_eq!(
            USUAL.carry(0x41, seven),
            Some(Received {
                byte: 0x41,
                condition: Condition::Framing
            })
        );
    }

    #[test]
    fn stop_bits_may_differ() {
        let two = with(|s| s.half_stop_bits = 4);
        assert_eq!(conditions(two, USUAL), [256, 0, 0, 0, 0]);
        assert_eq!(conditions(USUAL, two), [256, 0, 0, 0, 0]);
    }
}
