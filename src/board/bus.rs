//! The bus: which window an access belongs to.
//!
//! A table sorted by address, built once and immutable afterwards. A lookup tries one of eight
//! remembered windows, chosen by the address bits above the page, and else searches by halves.
//! The table also knows how wide each window's port is: what the board splits, and in which
//! order.

use crate::access::Width;
use crate::units::Ipa;
use alloc::vec::Vec;

/// Which piece of an access that is wider than the port goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The piece at the lowest address, as Arm's bridges and downsizers do.
    LowFirst,
    /// The piece at the highest address.
    HighFirst,
}

/// The port by which a window hangs on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The widest access that goes through in one piece.
    pub width: Width,
    /// The order of a wider one's pieces.
    pub order: Order,
}

impl Port {
    /// 32 bits, the lower word first: a PrimeCell behind an APB or AHB-Lite bridge.
    pub const WORD: Self = Self {
        width: Width::Word,
        order: Order::LowFirst,
    };
    /// 64 bits: nothing is split. Memory, the host's registers, and devices that take 64 bits
    /// or refuse them themselves.
    pub const DOUBLE: Self = Self {
        width: Width::Double,
        order: Order::LowFirst,
    };
}

/// A window as the bus sees it: where it is, its index in the plan, and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u64,
    /// The last address: an end cannot wrap.
    last: u64,
    window: u16,
    port: Port,
}

/// Where an access goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The window's index.
    pub window: usize,
    /// Bytes from its start.
    pub offset: u64,
    /// Its port.
    pub port: Port,
}

/// Why an address is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// No window is there.
    Unclaimed,
    /// The access begins inside a window and ends outside it, or wraps around.
    LeavesWindow,
}

/// Two windows that claim the same address, by their indices; or one that wraps around or is
/// empty, twice the same index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clash(pub usize, pub usize);

const REMEMBERED: usize = 8;

/// The table.
pub struct Bus {
    spans: Vec<Span>,
    /// Indices into `spans`.
    recent: [u16; REMEMBERED],
}

impl Bus {
    /// Makes the table of windows that begin at an address, have a size, and a port.
    pub fn new(windows: impl Iterator<Item = (Ipa, u64, Port)>) -> Result<Self, Clash> {
        let mut spans = Vec::with_capacity(windows.size_hint().0);
        for (index, (at, bytes, port)) in windows.enumerate() {
            let last = bytes.checked_sub(1).and_then(|rest| at.0.checked_add(rest));
            let (Some(last), Ok(window)) = (last, u16::try_from(index)) else {
                return Err(Clash(index, index));
            };
            spans.push(Span {
                first: at.0,
                last,
                window,
                port,
            });
        }
        spans.sort_unstable_by_key(|span| span.first);
        for pair in spans.windows(2) {
            if let [a, b] = pair
                && a.last >= b.first
            {
                return Err(Clash(a.window as usize, b.window as usize));
            }
        }
        Ok(Self {
            spans,
            recent: [0; REMEMBERED],
        })
    }

    /// The window of an access of `bytes` bytes.
    pub fn find(&mut self, at: Ipa, bytes: u64) -> Result<Found, Miss> {
        // Devices are pages apart: the bits above the page tell neighbours apart.
        let way = (at.0 >> 12) as usize % REMEMBERED;
        let remembered = self
            .recent
            .get(way)
            .and_then(|i| self.spans.get(*i as usize))
            .copied();
        let span =
            if let Some(span) = remembered.filter(|span| span.first <= at.0 && at.0 <= span.last) {
                span
            } else {
                let place = self.place(at)?;
                if let Some(slot) = self.recent.get_mut(way) {
                    *slot = place as u16;
                }
                self.spans.get(place).copied().ok_or(Miss::Unclaimed)?
            };
        let end = bytes.checked_sub(1).and_then(|rest| at.0.checked_add(rest));
        if end.is_none_or(|end| end > span.last) {
            return Err(Miss::LeavesWindow);
        }
        Ok(Found {
            window: span.window as usize,
            offset: at.0.wrapping_sub(span.first),
            port: span.port,
        })
    }

    fn place(&self, at: Ipa) -> Result<usize, Miss> {
        let above = self.spans.partition_point(|span| span.first <= at.0);
        let place = above.checked_sub(1).ok_or(Miss::Unclaimed)?;
        let inside = self.spans.get(place).is_some_and(|span| at.0 <= span.last);
        inside.then_some(place).ok_or(Miss::Unclaimed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::devicetree::tests::Lcg;
    use super::*;

    fn bus(windows: &[(u64, u64)]) -> Result<Bus, Clash> {
        Bus::new(windows.iter().map(|w| (Ipa(w.0), w.1, Port::DOUBLE)))
    }

    fn found(bus: &mut Bus, at: u64, bytes: u64) -> Result<(usize, u64), Miss> {
        let found = bus.find(Ipa(at), bytes)?;
        Ok((found.window, found.offset))
    }

    #[test]
    fn overlap_wrap_and_emptiness_are_refused() {
        assert_eq!(
            bus(&[(0x1000, 0x100), (0x0, 0x1001)]).err(),
            Some(Clash(1, 0))
        );
        assert_eq!(
            bus(&[(0x1000, 0x100), (0x1080, 8)]).err(),
            Some(Clash(0, 1))
        );
        assert_eq!(bus(&[(0, 4), (u64::MAX - 3, 5)]).err(), Some(Clash(1, 1)));
        assert_eq!(bus(&[(0, 0)]).err(), Some(Clash(0, 0)));
        assert!(bus(&[(0, 4), (4, 4), (u64::MAX - 3, 4)]).is_ok());
    }

    #[test]
    fn an_access_that_leaves_its_window_is_refused_even_into_a_neighbour() {
        let mut bus = bus(&[(0x1000, 0x10), (0x1010, 0x10), (u64::MAX, 1)]).expect("no overlap");
        assert_eq!(found(&mut bus, 0x100c, 4), Ok((0, 0xc)));
        assert_eq!(found(&mut bus, 0x100e, 4), Err(Miss::LeavesWindow));
        assert_eq!(found(&mut bus, u64::MAX, 1), Ok((2, 0)));
        assert_eq!(found(&mut bus, u64::MAX, 8), Err(Miss::LeavesWindow));
        assert_eq!(found(&mut bus, 0x1020, 4), Err(Miss::Unclaimed));
        assert_eq!(found(&mut bus, 0xffc, 8), Err(Miss::Unclaimed));
    }

    #[test]
    fn random_tables_answer_as_a_plain_search_does() {
        let mut random = Lcg(3);
        for _ in 0..200 {
            let mut windows = Vec::new();
            let mut at = random.below(0x3000);
            for _ in 0..random.below(24) {
                let bytes = 1 + random.below(0x2800);
                windows.push((at, bytes));
                at += bytes + random.below(3) * random.below(0x1800);
            }
            for i in (1..windows.len()).rev() {
                windows.swap(i, random.below(i as u64 + 1) as usize);
            }
            let mut bus = bus(&windows).expect("no overlap");
            for _ in 0..400 {
                let (at, bytes) = (random.below(at + 0x100), 1 << random.below(4));
                let plain = windows
                    .iter()
                    .position(|(w, size)| (*w..w + size).contains(&at));
                let expected = match plain {
                    None => Err(Miss::Unclaimed),
                    Some(i) if at + bytes > windows[i].0 + windows[i].1 => Err(Miss::LeavesWindow),
                    Some(i) => Ok((i, at - windows[i].0)),
                };
                assert_eq!(found(&mut bus, at, bytes), expected);
            }
        }
    }
}
