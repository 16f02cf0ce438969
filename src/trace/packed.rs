//! What a board was seen doing, in few bytes: from the hypervisor to the host tool, over the link.
//!
//! A stream of items, each a tag and what belongs to it. Numbers are little-endian base 128, the
//! high bit of a byte telling that more follow; differences have their sign in bit 0.
//!
//! | tag | item |
//! |---|---|
//! | 0x00 to 0x3f | an access of the shape in this slot: time, difference from the shape's last value |
//! | 0x40 to 0x7f | an access of the shape in tag - 0x40, with the shape's last value: time |
//! | 0x80 | an access of a new shape: device, block, offset, kind, CPU; time, value |
//! | 0x81, 0x82 | an output line went low, high: device, line, time |
//! | 0x83, 0x84 | an input line went low, high: device, line, time |
//! | 0x85 | a device was due: device, time |
//! | 0x86, 0x87 | cold, warm reset: time |
//! | 0x88 | bytes: way (bit 3: more follow), device, address if it is memory, time, count, bytes |
//! | 0x89 | more bytes of the same: bit 3 as above, count, bytes |
//! | 0x8a | items were lost here: how many, time |
//! | 0x8b | all that was seen up to here is here |
//! | 0x8c | the end |
//! | 0x8d | time: the whole of it, in nanoseconds |
//! | 0x8e | the board's time began: at so many nanoseconds of the host's counter |
//! | 0xff | with seven more bytes ([`MAGIC`]), a restart: items so far, time, nanoseconds a tick |
//!
//! A *time* is the difference from the item before: in ticks, times two; or in nanoseconds, times two
//! and one more. A *shape* is all of an access but its time and value; it goes to the slot that
//! [`Shape::slot`] says, at both ends, with 0 as its last value, and another's place is taken.
//!
//! A reader that has lost bytes looks for the next restart, at which both ends begin anew: it knows
//! by the number of items how many it has missed. There is one at the beginning, and then in every
//! [`BLOCK`] bytes.

use crate::access::{Access, Initiator, Security, Width};
use crate::board::observe::{By, PIECE, Seen, What};
use crate::emul::Reset;
use crate::units::{Instant, Ipa};

/// A restart's first bytes.
pub const MAGIC: [u8; 8] = [0xff, b'R', b'q', b'T', b'r', b'a', b'c', 1];
/// So many bytes after a restart comes the next.
pub const BLOCK: u32 = 16 * 1024;
/// More bytes than one item takes, with a restart before it.
pub const ITEM_MAX: usize = 128;

const SLOTS: usize = 64;
const SAME: u8 = 0x40;
const NEW: u8 = 0x80;
const OUTPUT: u8 = 0x81;
const INPUT: u8 = 0x83;
const DUE: u8 = 0x85;
const COLD: u8 = 0x86;
const WARM: u8 = 0x87;
const BYTES: u8 = 0x88;
const MORE: u8 = 0x89;
const LOST: u8 = 0x8a;
const SETTLED: u8 = 0x8b;
const END: u8 = 0x8c;
const TIME: u8 = 0x8d;
const BEGAN: u8 = 0x8e;
/// Of a way: more bytes of the same follow.
const MORE_FOLLOW: u8 = 1 << 3;

/// One item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Something was seen.
    Seen(Seen),
    /// So many were lost here.
    Lost {
        /// When the first of them was.
        at: Instant,
        /// How many.
        count: u64,
    },
    /// The board's time begins, or begins anew: at so many nanoseconds of the host's counter, with
    /// which a real device's clock goes on.
    Began(u64),
    /// All that was seen up to here is here: a trace may end at this place.
    Settled,
    /// The recording has ended.
    End,
}

/// All of an access but its time and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    device: u16,
    access: Access,
    write: bool,
    refused: bool,
}

impl Shape {
    /// Width, and what is yes or no, in one byte.
    const fn kind(&self) -> u8 {
        let width = match self.access.width {
            Width::Byte => 0,
            Width::Half => 1,
            Width::Word => 2,
            Width::Double => 3,
        };
        width
            | (self.write as u8) << 2
            | (self.refused as u8) << 3
            | (matches!(self.access.security, Security::Secure) as u8) << 4
            | (self.access.privileged as u8) << 5
            | (matches!(self.access.initiator, Initiator::Master(_)) as u8) << 6
    }

    const fn who(&self) -> u8 {
        match self.access.initiator {
            Initiator::Cpu(number) | Initiator::Master(number) => number,
        }
    }

    const fn of(device: u16, region: u8, offset: u64, kind: u8, who: u8) -> Option<Self> {
        if kind & 0x80 != 0 {
            return None;
        }
        Some(Self {
            device,
            access: Access {
                region,
                offset,
                width: match kind & 3 {
                    0 => Width::Byte,
                    1 => Width::Half,
                    2 => Width::Word,
                    _ => Width::Double,
                },
                initiator: if kind & 1 << 6 == 0 {
                    Initiator::Cpu(who)
                } else {
                    Initiator::Master(who)
                },
                security: if kind & 1 << 4 == 0 {
                    Security::NonSecure
                } else {
                    Security::Secure
                },
                privileged: kind & 1 << 5 != 0,
            },
            write: kind & 1 << 2 != 0,
            refused: kind & 1 << 3 != 0,
        })
    }

    const fn slot(&self) -> u8 {
        let register = self.access.offset >> 2 ^ (self.device as u64) << 5;
        let kind = (self.kind() as u64) << 9 ^ (self.who() as u64) << 12;
        let mixed = (register ^ kind).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 58) as u8
    }
}

/// What both ends know of the stream.
#[derive(Clone, Debug)]
struct State {
    /// Nanoseconds a tick; at least 1.
    tick: u64,
    /// The time of the last item.
    time: Instant,
    /// The last shape of each slot, and its last value.
    shapes: [Option<(Shape, u64)>; SLOTS],
    /// Bytes of which more follow.
    open: Option<(By, u16)>,
    /// Items so far, those that were lost too.
    items: u64,
}

impl State {
    const fn new(tick: u64, items: u64, time: Instant) -> Self {
        Self {
            tick: if tick == 0 { 1 } else { tick },
            time,
            shapes: [None; SLOTS],
            open: None,
            items,
        }
    }
}

/// Makes bytes of items.
#[derive(Debug)]
pub struct Packer {
    state: State,
    /// Bytes until the next restart.
    left: u32,
}

impl Packer {
    /// Of a board whose clock has one tick in so many nanoseconds.
    #[must_use]
    pub const fn new(tick: u64) -> Self {
        Self {
            state: State::new(tick, 0, Instant::ZERO),
            left: 0,
        }
    }

    /// Packs an item: at most [`ITEM_MAX`] bytes, one call of `sink` each.
    pub fn pack(&mut self, item: &Item, sink: &mut impl FnMut(u8)) {
        let mut count = 0u32;
        let mut out = |byte| {
            count = count.wrapping_add(1);
            sink(byte);
        };
        // Not within bytes that belong together: their kind would be forgotten.
        if self.left == 0 && self.state.open.is_none() {
            self.left = BLOCK;
            self.state = State::new(self.state.tick, self.state.items, self.state.time);
            MAGIC.into_iter().for_each(&mut out);
            number(self.state.items, &mut out);
            number(self.state.time.0, &mut out);
            number(self.state.tick, &mut out);
        }
        match item {
            Item::Seen(seen) => {
                self.seen(seen, &mut out);
                self.state.items = self.state.items.wrapping_add(1);
            }
            Item::Lost { at, count } => {
                self.state.open = None;
                self.tag(LOST, *at, &mut out);
                number(*count, &mut out);
                self.time(*at, &mut out);
                self.state.items = self.state.items.wrapping_add(*count);
            }
            Item::Began(host) => {
                out(BEGAN);
                number(*host, &mut out);
            }
            Item::Settled => out(SETTLED),
            Item::End => out(END),
        }
        self.left = self.left.saturating_sub(count);
    }

    fn seen(&mut self, seen: &Seen, out: &mut impl FnMut(u8)) {
        let (at, device) = (seen.at, seen.device);
        match seen.what {
            What::Access {
                access,
                write,
                value,
            } => {
                let shape = Shape {
                    device,
                    access,
                    write,
                    refused: value.is_none(),
                };
                self.access(shape, at, value.unwrap_or(0), out);
            }
            What::Output { line, level } => {
                self.line(OUTPUT, level, device, line, at, out);
            }
            What::Input { line, level } => {
                self.line(INPUT, level, device, line, at, out);
            }
            What::Due => {
                self.tag(DUE, at, out);
                number(device.into(), out);
                self.time(at, out);
            }
            What::Reset(kind) => {
                let tag = if kind == Reset::Cold { COLD } else { WARM };
                self.tag(tag, at, out);
                self.time(at, out);
            }
            What::Bytes {
                by,
                more,
                count,
                bytes,
            } => {
                let follow = if more { MORE_FOLLOW } else { 0 };
                if self.state.open == Some((by, device)) && self.state.time == at {
                    out(MORE);
                    out(follow);
                } else {
                    let (way, address) = way(by);
                    self.tag(BYTES, at, out);
                    out(way | follow);
                    number(device.into(), out);
                    if let Some(address) = address {
                        number(address.0, out);
                    }
                    self.time(at, out);
                }
                self.state.open = more.then_some((by, device));
                let bytes = bytes.get(..usize::from(count)).unwrap_or(&bytes);
                out(bytes.len() as u8);
                bytes.iter().copied().for_each(out);
            }
        }
    }

    fn line(
        &mut self,
        low: u8,
        level: bool,
        device: u16,
        line: u16,
        at: Instant,
        out: &mut impl FnMut(u8),
    ) {
        self.tag(low.wrapping_add(level.into()), at, out);
        number(device.into(), out);
        number(line.into(), out);
        self.time(at, out);
    }

    fn access(&mut self, shape: Shape, at: Instant, value: u64, out: &mut impl FnMut(u8)) {
        let slot = shape.slot();
        let known = self.state.shapes.get(usize::from(slot)).copied().flatten();
        let last = match known {
            Some((known, last)) if known == shape => {
                let tag = if last == value { slot | SAME } else { slot };
                self.tag(tag, at, out);
                last
            }
            _ => {
                self.tag(NEW, at, out);
                number(shape.device.into(), out);
                out(shape.access.region);
                number(shape.access.offset, out);
                out(shape.kind());
                out(shape.who());
                0
            }
        };
        self.time(at, out);
        if !known.is_some_and(|(known, last)| known == shape && last == value) {
            number(signed(value.wrapping_sub(last)), out);
        }
        if let Some(place) = self.state.shapes.get_mut(usize::from(slot)) {
            *place = Some((shape, value));
        }
    }

    /// A tag, for an item at this time: what cannot be told as a difference is told before it.
    fn tag(&mut self, tag: u8, at: Instant, out: &mut impl FnMut(u8)) {
        if at < self.state.time || at.since(self.state.time) >= 1 << 62 {
            out(TIME);
            number(at.0, out);
            self.state.time = at;
        }
        out(tag);
    }

    fn time(&mut self, at: Instant, out: &mut impl FnMut(u8)) {
        let gone = at.since(self.state.time);
        self.state.time = at;
        let whole = gone.checked_rem(self.state.tick) == Some(0);
        let ticks = gone.checked_div(self.state.tick).filter(|_| whole);
        number(
            match ticks {
                Some(ticks) => ticks.wrapping_shl(1),
                None => gone.wrapping_shl(1) | 1,
            },
            out,
        );
    }
}

/// Bytes that are no stream of items. [`Unpacker::damaged`] looks for where it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Makes items of bytes.
#[derive(Debug)]
pub struct Unpacker {
    state: State,
    /// Whether bytes are lost, and a restart is looked for.
    lost: bool,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self::new()
    }
}

impl Unpacker {
    /// At the stream's beginning, which is a restart.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::new(1, 0, Instant::ZERO),
            lost: true,
        }
    }

    /// Bytes were lost or damaged: nothing is believed up to the next restart.
    pub fn damaged(&mut self) {
        self.lost = true;
    }

    /// How many items came so far, with those of which it is known that they were lost.
    pub fn items(&self) -> u64 {
        self.state.items
    }

    /// What the next bytes are, and how many of them were taken: an item, or none if they are none
    /// by themselves. `Ok(None)` if there are too few of them.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<(Option<Item>, usize)>, Malformed> {
        if self.lost {
            return Ok(self.look(bytes));
        }
        let mut from = Bytes { bytes, taken: 0 };
        match self.take(&mut from) {
            Ok(item) => Ok(Some((item, from.taken))),
            Err(Stop::TooFew) => Ok(None),
            Err(Stop::Malformed) => Err(Malformed),
        }
    }

    /// Looks for a restart.
    fn look(&mut self, bytes: &[u8]) -> Option<(Option<Item>, usize)> {
        let found = bytes.windows(MAGIC.len()).position(|part| part == MAGIC);
        let Some(skip) = found else {
            let skip = bytes.len().checked_sub(MAGIC.len().wrapping_sub(1));
            return skip.filter(|skip| *skip > 0).map(|skip| (None, skip));
        };
        let mut from = Bytes {
            bytes,
            taken: skip.wrapping_add(MAGIC.len()),
        };
        match self.restart(&mut from) {
            Ok(item) => Some((item, from.taken)),
            Err(Stop::TooFew) => None,
            Err(Stop::Malformed) => Some((None, skip.wrapping_add(1))),
        }
    }

    /// What follows a restart's magic.
    fn restart(&mut self, from: &mut Bytes<'_>) -> Result<Option<Item>, Stop> {
        let items = from.number()?;
        let time = Instant(from.number()?);
        let tick = from.number()?;
        let count = items.checked_sub(self.state.items).ok_or(Stop::Malformed)?;
        if tick == 0 {
            return Err(Stop::Malformed);
        }
        self.lost = false;
        self.state = State::new(tick, items, time);
        Ok((count > 0).then_some(Item::Lost { at: time, count }))
    }

    fn take(&mut self, from: &mut Bytes<'_>) -> Result<Option<Item>, Stop> {
        let tag = from.byte()?;
        let open = self.state.open;
        let seen = match tag {
            0..NEW => self.known_shape(tag, from)?,
            NEW => self.new_shape(from)?,
            0x81..=0x84 => {
                let (device, line) = (from.small()?, from.small()?);
                let level = tag & 1 == 0;
                let what = if tag < INPUT {
                    What::Output { line, level }
                } else {
                    What::Input { line, level }
                };
                self.at(from, device, what)?
            }
            DUE => {
                let device = from.small()?;
                self.at(from, device, What::Due)?
            }
            COLD => self.at(from, 0, What::Reset(Reset::Cold))?,
            WARM => self.at(from, 0, What::Reset(Reset::Warm))?,
            BYTES => {
                let way = from.byte()?;
                let device = from.small()?;
                let by = self::by(way & !MORE_FOLLOW, || Ok(Ipa(from.number()?)))?;
                let at = self.time(from)?;
                self.bytes(from, at, by, way, device)?
            }
            MORE => {
                let (by, device) = open.ok_or(Stop::Malformed)?;
                let way = from.byte()?;
                if way & !MORE_FOLLOW != 0 {
                    return Err(Stop::Malformed);
                }
                self.bytes(from, self.state.time, by, way, device)?
            }
            LOST => {
                let count = from.number()?;
                let at = self.time(from)?;
                let items = self.state.items.checked_add(count).ok_or(Stop::Malformed)?;
                (self.state.time, self.state.items) = (at, items);
                self.state.open = None;
                return Ok(Some(Item::Lost { at, count }));
            }
            BEGAN => return Ok(Some(Item::Began(from.number()?))),
            SETTLED => return Ok(Some(Item::Settled)),
            END => return Ok(Some(Item::End)),
            TIME => {
                self.state.time = Instant(from.number()?);
                return Ok(None);
            }
            0xff => {
                for due in MAGIC.iter().skip(1) {
                    if from.byte()? != *due {
                        return Err(Stop::Malformed);
                    }
                }
                return self.restart(from);
            }
            _ => return Err(Stop::Malformed),
        };
        self.state.time = seen.at;
        self.state.items = self.state.items.wrapping_add(1);
        Ok(Some(Item::Seen(seen)))
    }

    fn known_shape(&mut self, tag: u8, from: &mut Bytes<'_>) -> Result<Seen, Stop> {
        let place = self.state.shapes.get(usize::from(tag & !SAME));
        let (shape, last) = place.copied().flatten().ok_or(Stop::Malformed)?;
        let at = self.time(from)?;
        let value = if tag & SAME == 0 {
            last.wrapping_add(unsigned(from.number()?))
        } else {
            last
        };
        Ok(self.access(at, shape, value))
    }

    fn new_shape(&mut self, from: &mut Bytes<'_>) -> Result<Seen, Stop> {
        let device = from.small()?;
        let (region, offset) = (from.byte()?, from.number()?);
        let (kind, who) = (from.byte()?, from.byte()?);
        let shape = Shape::of(device, region, offset, kind, who).ok_or(Stop::Malformed)?;
        let at = self.time(from)?;
        let value = unsigned(from.number()?);
        Ok(self.access(at, shape, value))
    }

    fn access(&mut self, at: Instant, shape: Shape, value: u64) -> Seen {
        if let Some(place) = self.state.shapes.get_mut(usize::from(shape.slot())) {
            *place = Some((shape, value));
        }
        Seen {
            at,
            device: shape.device,
            what: What::Access {
                access: shape.access,
                write: shape.write,
                value: (!shape.refused).then_some(value),
            },
        }
    }

    fn at(&self, from: &mut Bytes<'_>, device: u16, what: What) -> Result<Seen, Stop> {
        let at = self.time(from)?;
        Ok(Seen { at, device, what })
    }

    fn bytes(
        &mut self,
        from: &mut Bytes<'_>,
        at: Instant,
        by: By,
        way: u8,
        device: u16,
    ) -> Result<Seen, Stop> {
        let count = from.byte()?;
        let mut bytes = [0; PIECE];
        let places = bytes.get_mut(..usize::from(count));
        for place in places.ok_or(Stop::Malformed)? {
            *place = from.byte()?;
        }
        let more = way & MORE_FOLLOW != 0;
        self.state.open = more.then_some((by, device));
        Ok(Seen {
            at,
            device,
            what: What::Bytes {
                by,
                more,
                count,
                bytes,
            },
        })
    }

    /// The time of an item, by the difference from the last.
    fn time(&self, from: &mut Bytes<'_>) -> Result<Instant, Stop> {
        let number = from.number()?;
        let gone = if number & 1 == 0 {
            (number >> 1).checked_mul(self.state.tick)
        } else {
            Some(number >> 1)
        };
        let at = gone.and_then(|gone| self.state.time.0.checked_add(gone));
        at.map(Instant).ok_or(Stop::Malformed)
    }
}

/// Why no item was taken.
enum Stop {
    TooFew,
    Malformed,
}

struct Bytes<'a> {
    bytes: &'a [u8],
    taken: usize,
}

impl Bytes<'_> {
    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = self.bytes.get(self.taken).ok_or(Stop::TooFew)?;
        self.taken = self.taken.wrapping_add(1);
        Ok(*byte)
    }

    fn number(&mut self) -> Result<u64, Stop> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits.wrapping_shl(shift).wrapping_shr(shift) != bits {
                return Err(Stop::Malformed);
            }
            number |= bits.wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Stop::Malformed)
    }

    fn small(&mut self) -> Result<u16, Stop> {
        u16::try_from(self.number()?).map_err(|_| Stop::Malformed)
    }
}

fn number(mut number: u64, out: &mut impl FnMut(u8)) {
    // At most ten rounds.
    while number >= 0x80 {
        out(number as u8 | 0x80);
        number >>= 7;
    }
    out(number as u8);
}

/// A difference, its sign in bit 0.
const fn signed(difference: u64) -> u64 {
    let sign = (difference.cast_signed() >> 63).cast_unsigned();
    difference.wrapping_shl(1) ^ sign
}

const fn unsigned(number: u64) -> u64 {
    number >> 1 ^ (number & 1).wrapping_neg()
}

/// A way's number, and the address that it has.
const fn way(by: By) -> (u8, Option<Ipa>) {
    match by {
        By::SerialIn => (0, None),
        By::SerialOut => (1, None),
        By::FrameIn => (2, None),
        By::FrameOut => (3, None),
        By::MasterRead(at) => (4, Some(at)),
        By::MasterWrite(at) => (5, Some(at)),
    }
}

fn by(way: u8, mut address: impl FnMut() -> Result<Ipa, Stop>) -> Result<By, Stop> {
    Ok(match way {
        0 => By::SerialIn,
        1 => By::SerialOut,
        2 => By::FrameIn,
        3 => By::FrameOut,
        4 => By::MasterRead(address()?),
        5 => By::MasterWrite(address()?),
        _ => return Err(Stop::Malformed),
    })
}

#[cfg(test)]
mod tests;
