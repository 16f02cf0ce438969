//! The host's network at a port of an Ethernet wire: what a frame is to each of them, and how much of a VM's
//! time may go into what comes from there.

use crate::crc::Crc32;
use crate::emul::frames::{FRAME_MAX, FRAME_MIN};
use crate::units::Instant;

/// Octets of a frame check sequence. A wire's frames have one; the host's network device makes and checks its own.
pub const FCS: usize = 4;

/// The fewest octets of a frame before its check sequence (IEEE 802.3, 4A.4.2): the sender fills shorter ones up.
const LEAST: usize = 60;

/// A wire's frame as the network has it; none if it is damaged, and so lost.
#[must_use]
pub fn outgoing(frame: &[u8]) -> Option<&[u8]> {
    let (body, fcs) = frame.split_last_chunk::<FCS>()?;
    let sound = frame.len() >= FRAME_MIN && *fcs == Crc32::of(body).to_le_bytes();
    sound.then_some(body)
}

/// A frame from the network, the first `octets` of `frame`, becomes a wire's: how many octets that has. None if
/// it is no frame, or a longer one than a wire carries.
pub fn incoming(frame: &mut [u8; FRAME_MAX], octets: usize) -> Option<usize> {
    if octets.saturating_add(FCS) < FRAME_MIN {
        return None;
    }
    let end = octets.max(LEAST);
    let whole = end.checked_add(FCS)?;
    frame.get_mut(octets..end)?.fill(0);
    let fcs = Crc32::of(frame.get(..end)?).to_le_bytes();
    frame.get_mut(end..whole)?.copy_from_slice(&fcs);
    Some(whole)
}

/// How much time goes into what comes from the network: half of all time at most, and [`Allowance::AT_ONCE`]
/// beside that. So whoever floods the network leaves the VM that serves it half of its time.
#[derive(Debug, Default)]
pub struct Allowance {
    /// Nanoseconds that were taken and not yet made up for by others.
    taken: u64,
    until: Instant,
}

impl Allowance {
    /// Nanoseconds that may be taken at once.
    pub const AT_ONCE: u64 = 2_000_000;

    /// Whether some is left.
    #[must_use]
    pub fn has(&self, now: Instant) -> bool {
        self.left(now) < Self::AT_ONCE
    }

    fn left(&self, now: Instant) -> u64 {
        self.taken
            .saturating_sub(now.0.saturating_sub(self.until.0))
    }

    /// The time between these was taken.
    pub fn take(&mut self, from: Instant, to: Instant) {
        let left = self.left(from);
        self.taken = left.saturating_add(to.0.saturating_sub(from.0));
        self.until = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_the_same_on_both_sides() {
        for octets in 14..=FRAME_MAX - FCS {
            let mut frame = [0xa5; FRAME_MAX];
            let whole = incoming(&mut frame, octets).unwrap();
            assert_eq!(whole, octets.max(60) + 4);
            let body = outgoing(&frame[..whole]).unwrap();
            assert!(body[..octets].iter().all(|octet| *octet == 0xa5));
            assert!(body[octets..].iter().all(|octet| *octet == 0), "filled up");
            frame[octets / 2] ^= 4;
            assert_eq!(outgoing(&frame[..whole]), None, "damaged");
        }
    }

    #[test]
    fn what_is_no_frame_passes_neither_way() {
        let mut frame = [0; FRAME_MAX];
        for octets in [0, 1, 13, FRAME_MAX - 3, FRAME_MAX, 65_536, usize::MAX] {
            assert_eq!(incoming(&mut frame, octets), None, "{octets}");
        }
        for octets in 0..FRAME_MIN {
            let mut short = alloc::vec![0; octets];
            if let Some(end) = octets.checked_sub(4) {
                let fcs = Crc32::of(&short[..end]).to_le_bytes();
                short[end..].copy_from_slice(&fcs);
            }
            assert_eq!(outgoing(&short), None, "{octets}");
        }
    }

    #[test]
    fn half_of_the_time_is_left_whoever_floods() {
        let mut allowance = Allowance::default();
        let (mut now, mut taken) = (1_000_000_000_u64, 0);
        let began = now;
        while now < began + 1_000_000_000 {
            if allowance.has(Instant(now)) {
                allowance.take(Instant(now), Instant(now + 300_000));
                (now, taken) = (now + 300_000, taken + 300_000);
            } else {
                now += 10_000;
            }
        }
        // What is at once, half of the rest, and one turn that began in time.
        let most = Allowance::AT_ONCE + 500_000_000 + 300_000;
        assert!(taken <= most && taken > 490_000_000, "{taken}");
        // After a rest as much is there at once as at first.
        now += 10_000_000;
        let mut turns = 0;
        while allowance.has(Instant(now)) {
            allowance.take(Instant(now), Instant(now + 100_000));
            (now, turns) = (now + 100_000, turns + 1);
        }
        assert_eq!(turns, 20);
    }
}
