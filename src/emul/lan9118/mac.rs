//! The MAC's own registers (data sheet, 5.4), its address filter (3.3, 3.4), and what it says of a
//! frame that has come in (3.13.3).

use crate::access::Refusal;
use crate::crc::Crc32;
use crate::emul::state::{Reader, Writer};

pub(super) const RXALL: u32 = 1 << 31;
pub(super) const RCVOWN: u32 = 1 << 23;
pub(super) const LOOPBK: u32 = 1 << 21;
pub(super) const FDPX: u32 = 1 << 20;
const MCPAS: u32 = 1 << 19;
const PRMS: u32 = 1 << 18;
const INVFILT: u32 = 1 << 17;
pub(super) const PASSBAD: u32 = 1 << 16;
const HO: u32 = 1 << 15;
const HPFILT: u32 = 1 << 13;
const BCAST: u32 = 1 << 11;
const PADSTR: u32 = 1 << 8;
pub(super) const TXEN: u32 = 1 << 3;
pub(super) const RXEN: u32 = 1 << 2;
const CR_WRITABLE: u32 = 0x80bf_bdec;

const FCPASS: u32 = 1 << 2;
const FCEN: u32 = 1 << 1;
pub(super) const FCBSY: u32 = 1;

/// RX status.
mod status {
    pub const FILTERED: u32 = 1 << 30;
    pub const ERROR: u32 = 1 << 15;
    pub const BROADCAST: u32 = 1 << 13;
    pub const LENGTH: u32 = 1 << 12;
    pub const RUNT: u32 = 1 << 11;
    pub const MULTICAST: u32 = 1 << 10;
    pub const TOO_LONG: u32 = 1 << 7;
    pub const ETHERNET: u32 = 1 << 5;
    pub const CRC: u32 = 1 << 1;
}

const FCS: usize = 4;
/// The shortest frame (IEEE 802.3), and the longest with no tag.
const SHORTEST: usize = 64;
const LONGEST: usize = 1518;
/// The address of MAC control frames, their type, and the operation that is PAUSE.
const CONTROL: [u8; 6] = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x01];
const CONTROL_TYPE: u16 = 0x8808;
const PAUSE: u16 = 1;

#[derive(Clone, Copy, Debug)]
pub(super) struct Mac {
    pub control: u32,
    pub address: [u8; 6],
    hash: [u32; 2],
    pub flow: u32,
    vlan: [u16; 2],
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Its status word; none if the MAC keeps it from the host.
    pub status: Option<u32>,
    /// How many of its octets the host gets.
    pub octets: usize,
    /// For how many slot times the transmitter has to pause, if it is told to.
    pub pause: Option<u16>,
}

impl Mac {
    pub(super) const RESET: Self = Self {
        control: PRMS,
        address: [0xff; 6],
        hash: [0; 2],
        flow: 0,
        vlan: [0xffff; 2],
    };

    pub(super) fn read(&self, register: u32) -> u32 {
        let [a, b, c, d, e, f] = self.address;
        let [high, low] = self.hash;
        let [vlan1, vlan2] = self.vlan;
        match register {
            1 => self.control,
            2 => u32::from_le_bytes([e, f, 0, 0]),
            3 => u32::from_le_bytes([a, b, c, d]),
            4 => high,
            5 => low,
            8 => self.flow,
            9 => vlan1.into(),
            10 => vlan2.into(),
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, register: u32, value: u32) {
        let [v0, v1, v2, v3] = value.to_le_bytes();
        let [a, b, c, d, e, f] = &mut self.address;
        let [high, low] = &mut self.hash;
        let [vlan1, vlan2] = &mut self.vlan;
        match register {
            1 => self.control = value & CR_WRITABLE,
            2 => (*e, *f) = (v0, v1),
            3 => (*a, *b, *c, *d) = (v0, v1, v2, v3),
            4 => *high = value,
            5 => *low = value,
            8 => self.flow = value & (0xffff_0000 | FCPASS | FCEN),
            9 => *vlan1 = value as u16,
            10 => *vlan2 = value as u16,
            _ => {}
        }
    }

    pub(super) const fn is(&self, bits: u32) -> bool {
        self.control & bits == bits
    }

    /// Table 3.1: whether a frame to this address is for the host.
    pub(super) fn passes(&self, to: [u8; 6]) -> bool {
        if self.is(PRMS) {
            return true;
        }
        if to == [0xff; 6] {
            return !self.is(BCAST);
        }
        let group = is_group(to);
        if group && self.is(MCPAS) {
            return true;
        }
        if self.is(INVFILT) {
            return to != self.address;
        }
        let hashed = if group { HPFILT } else { HO };
        if self.is(hashed) {
            self.hash_has(to)
        } else {
            to == self.address
        }
    }

    /// The six upper bits of the address's CRC choose a bit: the first one the register, the
    /// others its bit (3.4.2). The CRC register's first bit is the one that leaves the wire first.
    fn hash_has(&self, to: [u8; 6]) -> bool {
        let index = (!Crc32::of(&to)).reverse_bits() >> 26;
        let [high, low] = self.hash;
        let register = if index & 0x20 == 0 { low } else { high };
        register.wrapping_shr(index & 0x1f) & 1 != 0
    }

    /// Looks at a frame that has come in.
    pub(super) fn judge(&self, frame: &[u8]) -> Verdict {
        let header: Option<&[u8; 14]> = frame.first_chunk();
        let Some([a, b, c, d, e, f, .., t1, t0]) = header.copied() else {
            return Verdict {
                status: None,
                octets: 0,
                pause: None,
            };
        };
        let to = [a, b, c, d, e, f];
        let kind = u16::from_be_bytes([t1, t0]);
        let (body, fcs) = frame.split_at(frame.len().saturating_sub(FCS));
        let good = fcs == Crc32::of(body).to_le_bytes();
        let runt = frame.len() < SHORTEST;
        let pause = if good && !runt {
            self.pause(to, kind, body)
        } else {
            None
        };

        let passes = self.passes(to) || pause.is_some() && self.flow & FCPASS != 0;
        let mut word = 0;
        let mut set = |bits, when| {
            if when {
                word |= bits;
            }
        };
        // A frame with a tag may be as much longer as its tag (5.4.9, 5.4.10).
        let [vlan1, vlan2] = self.vlan;
        let longest = match kind {
            _ if kind == vlan1 => LONGEST.wrapping_add(4),
            _ if kind == vlan2 => LONGEST.wrapping_add(20),
            _ => LONGEST,
        };
        let data = body.len().saturating_sub(14);
        let too_long = frame.len() > longest;
        set(status::FILTERED, !passes);
        set(status::BROADCAST, to == [0xff; 6]);
        set(status::MULTICAST, to != [0xff; 6] && is_group(to));
        set(status::RUNT, runt);
        set(status::TOO_LONG, too_long);
        set(status::ETHERNET, kind > 1500);
        set(
            status::LENGTH,
            kind <= 1500 && usize::from(kind).max(46) != data && !runt,
        );
        set(status::CRC, !good);
        set(status::ERROR, runt || too_long || !good);

        // PADSTR: padding, and the FCS that was of all, are taken away (5.4.1).
        let octets = if self.is(PADSTR) && kind < 46 && data >= usize::from(kind) {
            usize::from(kind).wrapping_add(14)
        } else {
            frame.len()
        };
        let taken = (passes || self.is(RXALL)) && (!runt || self.is(PASSBAD));
        Verdict {
            status: taken.then_some(word | (octets as u32) << 16),
            octets,
            pause,
        }
    }

    fn pause(&self, to: [u8; 6], kind: u16, body: &[u8]) -> Option<u16> {
        let obeyed =
            self.flow & FCEN != 0 && self.is(FDPX) && (to == CONTROL || to == self.address);
        let operation: &[u8; 4] = body.get(14..)?.first_chunk()?;
        let [o1, o0, time1, time0] = *operation;
        (obeyed && kind == CONTROL_TYPE && u16::from_be_bytes([o1, o0]) == PAUSE)
            .then_some(u16::from_be_bytes([time1, time0]))
    }

    /// Makes a PAUSE frame of `time` slot times in `into`, with no padding and no FCS: its length.
    pub(super) fn pause_frame(&self, time: u16, into: &mut [u8]) -> usize {
        let fields = [CONTROL_TYPE, PAUSE, time].map(u16::to_be_bytes);
        let octets = CONTROL
            .into_iter()
            .chain(self.address)
            .chain(fields.into_iter().flatten());
        let made = into.iter_mut().zip(octets);
        made.map(|(to, from)| *to = from).count()
    }

    pub(super) fn save(&self, out: &mut Writer) {
        let [high, low] = self.hash;
        let [vlan1, vlan2] = self.vlan;
        out.u32(self.control);
        out.bytes(&self.address);
        out.u32(high);
        out.u32(low);
        out.u32(self.flow);
        out.u16(vlan1);
        out.u16(vlan2);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            control: from.u32()? & CR_WRITABLE,
            address: from.bytes(6)?.try_into().map_err(|_| Refusal::BadState)?,
            hash: [from.u32()?, from.u32()?],
            flow: from.u32()?,
            vlan: [from.u16()?, from.u16()?],
        })
    }
}

const fn is_group([first, ..]: [u8; 6]) -> bool {
    first & 1 != 0
}

/// Pads a frame of `octets` in `frame` and adds its FCS, as TX command B has it (3.12.2.2): what
/// leaves on the wire has so many octets. None if it does not fit.
pub(super) fn finish(frame: &mut [u8], octets: usize, pad: bool, crc: bool) -> Option<usize> {
    let padded = pad && octets < SHORTEST.wrapping_sub(FCS);
    let end = if padded {
        SHORTEST.wrapping_sub(FCS)
    } else {
        octets
    };
    frame.get_mut(octets..end)?.fill(0);
    // Where padding is added a FCS is, too, for the host's can be of the short frame only.
    if !crc && !padded {
        return Some(octets);
    }
    let fcs = Crc32::of(frame.get(..end)?).to_le_bytes();
    let whole = end.wrapping_add(FCS);
    frame.get_mut(end..whole)?.copy_from_slice(&fcs);
    Some(whole)
}
