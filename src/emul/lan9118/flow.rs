//! Flow control in full duplex (data sheet, 3.4, 5.3.22 and 5.4.8): PAUSE frames that are obeyed,
//! and those that are sent by command or as the RX data FIFO fills.

use super::Lan9118;
use super::mac;
use crate::units::Instant;

/// AFC_CFG.FCANY: on any frame.
const FCANY: u32 = 1;
/// A slot time is 512 bit times.
const SLOT_NS: u64 = 5_120;

#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// The transmitter's partner has asked for silence until then.
    pub paused_until: Instant,
    /// Ours has been asked for it, and not told to go on.
    pub asked: bool,
}

impl Flow {
    pub(super) const RESET: Self = Self {
        paused_until: Instant::ZERO,
        asked: false,
    };

    pub(super) fn pause(&mut self, now: Instant, slots: u16, fast: bool) {
        let slot = if fast {
            SLOT_NS
        } else {
            SLOT_NS.wrapping_mul(10)
        };
        let ns = u64::from(slots).wrapping_mul(slot);
        self.paused_until = now.saturating_add(ns);
    }
}

impl Lan9118 {
    /// A PAUSE frame leaves, whatever waits in the FIFO: the transmitter's own frame.
    pub(super) fn send_pause(&mut self, time: u16) {
        let may = self.mac.is(mac::TXEN | mac::FDPX) && self.phy.link() && !self.looped();
        if !may {
            return;
        }
        let mut frame = [0; 64];
        let octets = self.mac.pause_frame(time, &mut frame);
        let whole = mac::finish(&mut frame, octets, true, true);
        if let Some(frame) = whole.and_then(|whole| frame.get(..whole)) {
            self.sent.push(frame);
        }
    }

    /// The level of the RX data FIFO has changed: past AFC_HI the partner is asked to pause, and
    /// below AFC_LO to go on (5.3.22).
    pub(super) fn watch_level(&mut self) {
        let [enables, low, high, _] = self.plain.afc_cfg.to_le_bytes();
        let level = |blocks: u8| u32::from(blocks).wrapping_mul(64);
        let used = self.receiver.used();
        if u32::from(enables) & FCANY == 0 {
            return;
        }
        if !self.flow.asked && used >= level(high) && used > 0 {
            self.flow.asked = true;
            self.send_pause((self.mac.flow >> 16) as u16);
        } else if self.flow.asked && used <= level(low) {
            self.flow.asked = false;
            self.send_pause(0);
        }
    }
}
