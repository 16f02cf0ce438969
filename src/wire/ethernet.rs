//! An Ethernet wire: two ports are a cable, more are a learning switch (IEEE 802.1D).
//!
//! A cable carries every frame to the other port. A switch learns behind which port an address is
//! from what comes from there, forgets it after [`AGEING_NS`], sends a frame to that port alone, and
//! one to a group or to an unknown address to all others; those to 01-80-c2-00-00-00 to 0f end at
//! it (802.1D, table 7-10), pause frames among them.
//!
//! For each port, frames of each other one wait in a queue of their own, and the ports take turns:
//! one that floods fills its own queues and delays nobody by more than a frame. A frame that finds
//! its queue full is dropped, and counted. So with addresses: [`LEARNED`] of each port are kept,
//! and one that makes up addresses drives out its own.
//!
//! Deviations:
//! - A frame takes no time, so a wire of 10 Mbit/s carries as much as one of 100.
//! - Frame check sequences are not checked: a damaged frame is dropped at its receiver, where it
//!   counts, and not here.
//! - There is no spanning tree: nothing joins two switches.

use crate::emul::frames::{FRAME_MAX, FrameQueue};
use crate::units::Instant;
use alloc::vec::Vec;

/// The most ports of a wire.
pub const PORTS: usize = 8;

/// How many addresses are known behind a port.
pub const LEARNED: usize = 16;

/// After so long without a frame from it an address is forgotten: 802.1D's 300 seconds.
pub const AGEING_NS: u64 = 300_000_000_000;

/// How many octets wait for a port, if one other sends to it; with more others each has a share,
/// but never less than [`SHARE_MIN`].
pub const WAITING: usize = 64 * 1024;

/// See [`WAITING`].
pub const SHARE_MIN: usize = 16 * 1024;

/// What has happened at a port since the wire was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames that came from its device.
    pub sent: u64,
    /// Frames that its device was given.
    pub delivered: u64,
    /// Frames for its device that found no room in the wire, or nobody.
    pub dropped: u64,
}

/// Ports, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports(u8);

impl Ports {
    /// Whether a port is among them.
    pub const fn has(self, port: usize) -> bool {
        port < PORTS && self.0 & 1 << port != 0
    }

    const fn with(self, port: usize) -> Self {
        Self(self.0 | if port < PORTS { 1 << port } else { 0 })
    }
}

impl core::ops::BitOr for Ports {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

type Mac = [u8; 6];

#[derive(Clone, Copy, Default)]
struct Address {
    mac: Mac,
    /// When a frame came from it last; none while this entry is free.
    heard: Option<Instant>,
}

struct Port {
    learned: [Address; LEARNED],
    /// What waits, by the port from which it came.
    from: Vec<FrameQueue>,
    /// Whose turn it is.
    turn: usize,
    live: bool,
    counts: Counts,
}

/// A cable or a switch.
pub struct EthernetWire {
    ports: Vec<Port>,
}

impl EthernetWire {
    /// A wire with so many ports, 2 to [`PORTS`], on which nothing is.
    #[must_use]
    pub fn new(ports: usize) -> Self {
        let ports = ports.clamp(2, PORTS);
        let others = ports.saturating_sub(1);
        let share = WAITING.checked_div(others).unwrap_or(WAITING);
        let port = |own: usize| Port {
            learned: [Address::default(); LEARNED],
            from: (0..ports)
                .map(|from| FrameQueue::new(if from == own { 1 } else { share.max(SHARE_MIN) }))
                .collect(),
            turn: 0,
            live: true,
            counts: Counts::default(),
        };
        Self {
            ports: (0..ports).map(port).collect(),
        }
    }

    /// A port's device has sent a frame. The ports that are to be told: nothing was waiting for
    /// them.
    pub fn put(&mut self, from: usize, frame: &[u8], now: Instant) -> Ports {
        let cable = self.ports.len() == 2;
        let Some(port) = self.ports.get_mut(from) else {
            return Ports::default();
        };
        port.counts.sent = port.counts.sent.wrapping_add(1);
        let to = if cable {
            None
        } else {
            let (Some(to), Some(by)) = (address(frame, 0), address(frame, 6)) else {
                return Ports::default();
            };
            if !is_group(by) {
                self.learn(from, by, now);
            }
            if matches!(to, [0x01, 0x80, 0xc2, 0, 0, 0..=0x0f]) {
                return Ports::default();
            }
            let is_behind = |port: &Port| !is_group(to) && port.knows(to, now);
            match self.ports.iter().position(is_behind) {
                Some(own) if own == from => return Ports::default(),
                to => to,
            }
        };
        let mut told = Ports::default();
        for (number, port) in self.ports.iter_mut().enumerate() {
            if number != from && to.is_none_or(|to| to == number) && port.queue(from, frame) {
                told = told.with(number);
            }
        }
        told
    }

    /// Whether a frame from this port may find no room at the other end of a cable. Who can have its frames
    /// wait asks first. What is for a switch does not wait: one port's frames would wait for another's.
    pub fn is_full(&self, from: usize) -> bool {
        let [first, second] = self.ports.as_slice() else {
            return false;
        };
        let to = if from == 0 { second } else { first };
        let queue = to.from.get(from).filter(|_| to.live);
        queue.is_some_and(|queue| !queue.has_room(FRAME_MAX))
    }

    /// An address is behind this port, and behind no other any more.
    fn learn(&mut self, from: usize, mac: Mac, now: Instant) {
        for (number, port) in self.ports.iter_mut().enumerate() {
            if number == from {
                port.learn(mac, now);
            } else {
                port.forget(mac);
            }
        }
    }

    /// How many octets the next frame for a port has.
    pub fn next_len(&self, to: usize) -> Option<usize> {
        let port = self.ports.get(to)?;
        port.from.get(port.next()?)?.next_len()
    }

    /// Copies the next frame for a port to the front of `into`, and tells how many octets it has.
    pub fn next(&mut self, to: usize, into: &mut [u8; FRAME_MAX]) -> Option<usize> {
        let port = self.ports.get_mut(to)?;
        let next = port.next()?;
        port.turn = next.wrapping_add(1);
        let octets = port.from.get_mut(next)?.pop(into)?;
        port.counts.delivered = port.counts.delivered.wrapping_add(1);
        Some(octets)
    }

    /// The board behind a port goes up or down. What is sent to one that is down is dropped, as is
    /// what was on its way to it, and its addresses are forgotten.
    pub fn connect(&mut self, port: usize, live: bool) {
        let Some(port) = self.ports.get_mut(port) else {
            return;
        };
        port.live = live;
        if !live {
            port.learned = [Address::default(); LEARNED];
            port.from.iter_mut().for_each(FrameQueue::clear);
        }
    }

    /// What has happened at a port.
    pub fn counts(&self, port: usize) -> Counts {
        self.ports
            .get(port)
            .map_or(Counts::default(), |port| port.counts)
    }
}

impl Port {
    /// The queue whose turn it is among those that hold something.
    fn next(&self) -> Option<usize> {
        let behind = (self.turn..self.from.len()).chain(0..self.turn);
        let mut waiting = behind.filter(|from| self.from.get(*from).is_some_and(|q| !q.is_empty()));
        waiting.next()
    }

    /// Whether something waits now, and nothing did.
    fn queue(&mut self, from: usize, frame: &[u8]) -> bool {
        let first = self.next().is_none();
        let live = self.live;
        let queue = self.from.get_mut(from).filter(|_| live);
        if queue.is_some_and(|queue| queue.push(frame)) {
            return first;
        }
        self.counts.dropped = self.counts.dropped.wrapping_add(1);
        false
    }

    fn knows(&self, mac: Mac, now: Instant) -> bool {
        self.learned.iter().any(|known| {
            let fresh = |heard: Instant| now.0.saturating_sub(heard.0) <= AGEING_NS;
            known.mac == mac && known.heard.is_some_and(fresh)
        })
    }

    fn forget(&mut self, mac: Mac) {
        let known = self.learned.iter_mut().find(|known| known.mac == mac);
        if let Some(known) = known {
            *known = Address::default();
        }
    }

    /// An address is behind this port: in its own place, in a free one, or in the oldest's.
    fn learn(&mut self, mac: Mac, now: Instant) {
        let entry = self
            .learned
            .iter_mut()
            .min_by_key(|known| (known.heard.is_none() || known.mac != mac, known.heard));
        if let Some(entry) = entry {
            *entry = Address {
                mac,
                heard: Some(now),
            };
        }
    }
}

fn address(frame: &[u8], at: usize) -> Option<Mac> {
    frame.get(at..)?.first_chunk().copied()
}

const fn is_group(mac: Mac) -> bool {
    mac[0] & 1 != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use alloc::vec;

    const ALL: Mac = [0xff; 6];

    fn mac(n: u8) -> Mac {
        [0x52, 0x54, 0, 0, 0, n]
    }

    fn frame(to: Mac, by: Mac, size: usize) -> Vec<u8> {
        let mut frame = vec![0; size];
        frame[..6].copy_from_slice(&to);
        frame[6..12].copy_from_slice(&by);
        frame
    }

    fn now(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000_000)
    }

    fn drain(wire: &mut EthernetWire, to: usize) -> Vec<Vec<u8>> {
        let mut into = [0; FRAME_MAX];
        core::iter::from_fn(|| {
            let promised = wire.next_len(to);
            let octets = wire.next(to, &mut into);
            assert_eq!(promised, octets);
            octets.map(|octets| into[..octets].to_vec())
        })
        .collect()
    }

    fn told(ports: Ports) -> Vec<usize> {
        (0..PORTS).filter(|port| ports.has(*port)).collect()
    }

    #[test]
    fn a_cable_carries_everything_to_its_other_end() {
        let mut wire = EthernetWire::new(2);
        let pause = frame([0x01, 0x80, 0xc2, 0, 0, 1], mac(1), 64);
        let stray = frame(mac(1), mac(1), 64);
        assert_eq!(told(wire.put(0, &pause, now(0))), [1]);
        assert_eq!(told(wire.put(0, &stray, now(0))), [], "one waits already");
        assert_eq!(told(wire.put(0, &[1, 2, 3], now(0))), []);
        assert_eq!(drain(&mut wire, 1), [pause, stray, vec![1, 2, 3]]);
        assert!(drain(&mut wire, 0).is_empty());
    }

    #[test]
    fn a_cable_that_is_full_says_so_and_a_switch_never() {
        let mut wire = EthernetWire::new(2);
        assert!(!wire.is_full(0));
        let long = frame(ALL, mac(0), FRAME_MAX);
        while !wire.is_full(0) {
            wire.put(0, &long, now(0));
        }
        assert_eq!(wire.counts(1).dropped, 0);
        assert!(!wire.is_full(1), "the other way");
        wire.next(1, &mut [0; FRAME_MAX]);
        assert!(!wire.is_full(0));
        wire.put(0, &long, now(0));
        wire.connect(1, false);
        assert!(!wire.is_full(0), "nobody waits for a board that is down");
        let mut switch = EthernetWire::new(3);
        for _ in 0..100 {
            switch.put(0, &long, now(0));
        }
        assert!(switch.counts(1).dropped > 0 && !switch.is_full(0));
    }

    #[test]
    fn a_switch_learns_and_sends_to_one_port() {
        let mut wire = EthernetWire::new(3);
        let asks = frame(ALL, mac(0), 64);
        assert_eq!(told(wire.put(0, &asks, now(1))), [1, 2], "to all others");
        let unknown = frame(mac(1), mac(0), 64);
        wire.put(0, &unknown, now(1));
        assert_eq!(drain(&mut wire, 2).len(), 2, "an unknown address, too");
        drain(&mut wire, 1);
        let answer = frame(mac(0), mac(1), 64);
        assert_eq!(told(wire.put(1, &answer, now(1))), [0]);
        assert_eq!(told(wire.put(0, &unknown, now(1))), [1]);
        assert_eq!(
            told(wire.put(1, &frame(mac(1), mac(9), 64), now(1))),
            [],
            "it is behind the port that it came from"
        );
    }

    #[test]
    fn an_address_that_moves_is_found_and_one_that_is_silent_forgotten() {
        let mut wire = EthernetWire::new(3);
        wire.put(0, &frame(ALL, mac(0), 64), now(0));
        (0..3).for_each(|port| drop(drain(&mut wire, port)));
        let to = frame(mac(0), mac(2), 64);
        assert_eq!(told(wire.put(2, &to, now(300))), [0]);
        drain(&mut wire, 0);
        wire.put(1, &frame(mac(2), mac(0), 64), now(300));
        assert_eq!(told(wire.put(2, &to, now(300))), [1]);
        (0..3).for_each(|port| drop(drain(&mut wire, port)));
        assert_eq!(told(wire.put(2, &to, now(601))), [0, 1]);
    }

    #[test]
    fn frames_for_the_switch_itself_end_there() {
        let mut wire = EthernetWire::new(3);
        let pause = frame([0x01, 0x80, 0xc2, 0, 0, 1], mac(1), 64);
        assert_eq!(told(wire.put(0, &pause, now(0))), []);
        assert_eq!(wire.counts(0).sent, 1);
        assert_eq!(told(wire.put(0, &[1, 2, 3], now(0))), [], "no frame at all");
    }

    #[test]
    fn one_that_floods_delays_another_by_a_frame() {
        let mut wire = EthernetWire::new(3);
        for _ in 0..1000 {
            wire.put(0, &frame(mac(2), mac(0), 1518), now(0));
        }
        assert!(wire.counts(2).dropped > 900);
        let quiet = frame(mac(2), mac(1), 64);
        let before = wire.counts(2).dropped;
        wire.put(1, &quiet, now(0));
        assert_eq!(wire.counts(2).dropped, before, "it finds room");
        let got = drain(&mut wire, 2);
        let place = got.iter().position(|frame| *frame == quiet).unwrap();
        assert!(place <= 1, "{place}");
        // A second flood does not drive out what another port is known by.
        for n in 0..=255 {
            wire.put(0, &frame(ALL, [2, 0, 0, 0, 1, n], 64), now(0));
        }
        wire.put(1, &frame(ALL, mac(1), 64), now(0));
        (0..3).for_each(|port| drop(drain(&mut wire, port)));
        assert_eq!(told(wire.put(2, &frame(mac(1), mac(2), 64), now(0))), [1]);
    }

    #[test]
    fn a_board_that_is_down_gets_nothing_later() {
        let mut wire = EthernetWire::new(2);
        wire.put(0, &frame(ALL, mac(0), 64), now(0));
        wire.connect(1, false);
        assert!(drain(&mut wire, 1).is_empty());
        assert_eq!(told(wire.put(0, &frame(ALL, mac(0), 64), now(0))), []);
        assert_eq!(wire.counts(1).dropped, 1);
        wire.connect(1, true);
        assert_eq!(told(wire.put(0, &frame(ALL, mac(0), 64), now(0))), [1]);
    }

    #[test]
    fn random_frames_come_whole_and_each_ports_in_order() {
        let mut random = Random(0xe7be_12e7_0000_0001);
        for ports in 2..=PORTS {
            let mut wire = EthernetWire::new(ports);
            let mut serial = 0_u32;
            let mut last = [[0; PORTS]; PORTS];
            for step in 0..20_000 {
                let port = random.below(ports);
                if random.below(2) == 0 {
                    let to = match random.below(4) {
                        0 => ALL,
                        _ => mac(random.below(ports) as u8),
                    };
                    let size = 64 + random.below(1455);
                    let mut sent = frame(to, mac(port as u8), size);
                    serial += 1;
                    sent[14..18].copy_from_slice(&serial.to_le_bytes());
                    let check = crate::crc::Crc32::of(&sent[..size - 4]);
                    sent[size - 4..].copy_from_slice(&check.to_le_bytes());
                    wire.put(port, &sent, Instant(step));
                } else {
                    for got in drain(&mut wire, port) {
                        let (body, check) = got.split_at(got.len() - 4);
                        assert_eq!(crate::crc::Crc32::of(body).to_le_bytes(), check);
                        let by = usize::from(got[11]);
                        let number = u32::from_le_bytes(got[14..18].try_into().unwrap());
                        assert!(number > last[port][by] && by != port);
                        last[port][by] = number;
                    }
                }
            }
        }
    }
}
