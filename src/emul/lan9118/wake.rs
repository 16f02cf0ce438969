//! Wake-up frames and magic packets (data sheet, 3.5, 3.6, 5.4.11 and 5.4.12).

use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};

const GUE: u32 = 1 << 9;
const WUFR: u32 = 1 << 6;
const MPR: u32 = 1 << 5;
const WUEN: u32 = 1 << 2;
const MPEN: u32 = 1 << 1;
const WRITABLE: u32 = GUE | WUEN | MPEN;
/// Registers of the filter: a byte mask each, then commands, offsets, and two times two CRCs.
const WORDS: usize = 8;

#[derive(Clone, Copy, Debug)]
pub(super) struct Wake {
    control: u32,
    filter: [u32; WORDS],
    /// Which of them the next write of WUFF is.
    next: usize,
}

impl Wake {
    pub(super) const RESET: Self = Self {
        control: 0,
        filter: [0; WORDS],
        next: 0,
    };

    /// Whether frames are looked at for this, and none is received.
    pub(super) const fn watches(&self) -> bool {
        self.control & (WUEN | MPEN) != 0
    }

    /// WUCSR.
    pub(super) const fn control(&self) -> u32 {
        self.control
    }

    /// WUFR and MPR are cleared by ones.
    pub(super) fn set_control(&mut self, value: u32) {
        let seen = self.control & (WUFR | MPR) & !value;
        self.control = value & WRITABLE | seen;
    }

    /// WUFF: eight writes, one behind the other.
    pub(super) fn set_filter(&mut self, value: u32) {
        if let Some(word) = self.filter.get_mut(self.next) {
            *word = value;
        }
        self.next = self.next.wrapping_add(1) % WORDS;
    }

    /// Looks at a frame whose destination passes the address filter or not; true if it wakes.
    pub(super) fn sees(&mut self, frame: &[u8], address: [u8; 6], passes: bool) -> bool {
        let mut seen = 0;
        let group = frame.first().is_some_and(|first| first & 1 != 0);
        if self.control & MPEN != 0 && (passes || group) && is_magic(frame, address) {
            seen |= MPR;
        }
        let unicast = self.control & GUE != 0 && !group && passes;
        if self.control & WUEN != 0 && (unicast || passes && self.matches(frame, group)) {
            seen |= WUFR;
        }
        self.control |= seen;
        seen != 0
    }

    fn matches(&self, frame: &[u8], group: bool) -> bool {
        let [m0, m1, m2, m3, commands, offsets, crcs01, crcs23] = self.filter;
        let [o0, o1, o2, o3] = offsets.to_le_bytes();
        let crcs = [crcs01, crcs01 >> 16, crcs23, crcs23 >> 16];
        let filters = [m0, m1, m2, m3].into_iter().zip([o0, o1, o2, o3]).zip(crcs);
        (0_u32..).zip(filters).any(|(n, ((mask, offset), crc))| {
            let command = commands.wrapping_shr(n.wrapping_mul(8));
            // Bit 0 enables it, bit 3 says for which kind of address it is.
            command & 1 != 0
                && (command & 8 != 0) == group
                && frame
                    .get(usize::from(offset)..)
                    .is_some_and(|part| masked_crc(part, mask) == crc as u16)
        })
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.u32(self.control);
        self.filter.iter().for_each(|word| out.u32(*word));
        out.u8(self.next as u8);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        let mut wake = Self::RESET;
        wake.control = from.u32()? & (WRITABLE | WUFR | MPR);
        for word in &mut wake.filter {
            *word = from.u32()?;
        }
        wake.next = usize::from(from.u8()?) % WORDS;
        Ok(wake)
    }
}

/// Six octets of ones and sixteen times the address, anywhere behind the addresses.
fn is_magic(frame: &[u8], address: [u8; 6]) -> bool {
    let body = frame.get(12..).unwrap_or_default();
    body.windows(102).any(|window| {
        let (ones, rest) = window.split_at(6);
        ones.iter().all(|octet| *octet == 0xff) && rest.chunks(6).all(|part| part == address)
    })
}

/// CRC-16 (x^16 + x^15 + x^2 + 1, from all ones, low bit first) of the octets whose bits are set
/// in the mask, told with its bits in the other order.
fn masked_crc(part: &[u8], mask: u32) -> u16 {
    let mut crc = 0xffff_u16;
    for (n, octet) in (0_u32..31).zip(part) {
        if mask.wrapping_shr(n) & 1 != 0 {
            crc ^= u16::from(*octet);
            for _ in 0..8 {
                crc = crc >> 1 ^ if crc & 1 == 0 { 0 } else { 0xa001 };
            }
        }
    }
    crc.reverse_bits()
}
