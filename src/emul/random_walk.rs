//! A property that every device has, tested by random accesses: nothing happens to its lines
//! between an access and its deadline, no access panics, and its saved state is all of it.

use super::frames::FRAME_MAX;
use super::state::{Reader, Writer};
use super::{Cx, Device, Reset};
use crate::access::{Access, Width};
use crate::memory::NoMemory;
use crate::units::Instant;
use std::vec::Vec;

/// Numbers that are the same on every run (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    /// Small, large and few-bit values: those that registers tell apart.
    fn value(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(16),
            1 => 1 << self.below(32),
            2 => self.below(1 << 10),
            _ => self.next() & 0xffff_ffff,
        }
    }
}

fn saved(device: &impl Device) -> Vec<u8> {
    let mut out = Writer::default();
    device.save(&mut out);
    out.into_bytes()
}

fn cx(now: u64) -> Cx<'static> {
    Cx::new(Instant(now), &NoMemory, None)
}

/// Advances to `until`, stopping at each deadline and one nanosecond before it.
fn pass_time(device: &mut dyn Device, mut now: u64, until: u64) {
    for _ in 0..100 {
        let lines = device.lines();
        let due = device.deadline().map_or(u64::MAX, |at| at.0.max(now));
        let quiet = until.min(due.saturating_sub(1)).max(now);
        if due > now {
            device.advance(&mut cx(quiet));
            assert_eq!(
                device.lines(),
                lines,
                "before the deadline {due}, from {now} to {quiet}"
            );
        }
        if due > until {
            return;
        }
        device.advance(&mut cx(due));
        now = due;
    }
    device.advance(&mut cx(until));
}

/// Walks `device` through `steps` random accesses to `offsets`.
pub(super) fn walk<D: Device>(make: impl Fn() -> D, offsets: &[u64], seed: u64, steps: usize) {
    let mut random = Random(seed);
    let mut device = make();
    let mut now = 0_u64;
    for _ in 0..steps {
        let scale = random.below(40);
        let later = now.saturating_add(random.below(1 << scale));
        pass_time(&mut device, now, later);
        now = later;

        let widths = [
            Width::Byte,
            Width::Half,
            Width::Word,
            Width::Word,
            Width::Double,
        ];
        let width = widths[random.below(5) as usize];
        let offset = offsets[random.below(offsets.len() as u64) as usize] + random.below(2) * 2;
        let access = Access::word(offset).sized(width);
        match random.below(8) {
            0..3 => drop(device.read(&mut cx(now), access)),
            3..6 => drop(device.write(&mut cx(now), access, random.value() & width.mask())),
            6 => device.input(
                &mut cx(now),
                super::Line(random.below(5) as u16),
                random.below(2) == 1,
            ),
            _ => {
                let (many, byte) = (random.below(40), random.next() as u8);
                if let Some(serial) = device.serial() {
                    for _ in 0..many {
                        serial.transmitted();
                        serial.receive(&mut cx(now), byte);
                    }
                }
                if let Some(frames) = device.frames() {
                    let mut frame = [byte; FRAME_MAX];
                    for octets in (0..many).map(|n| n as usize * 40) {
                        frames.transmitted(&mut frame);
                        frames.receive(&mut cx(now), &frame[..octets]);
                    }
                    if many == 0 {
                        frames.connect(&mut cx(now), byte & 1 != 0);
                    }
                }
            }
        }

        if random.below(16) == 0 {
            let state = saved(&device);
            let mut copy = make();
            let mut from = Reader::new(&state);
            copy.load(&mut from).expect("its own state");
            from.end().expect("all of it");
            assert_eq!(saved(&copy), state);
            assert_eq!(copy.lines(), device.lines());
            assert_eq!(copy.deadline(), device.deadline());
            device = copy;
        }
        if random.below(500) == 0 {
            device.reset(Reset::Cold);
            now = 0;
        }
    }
}
