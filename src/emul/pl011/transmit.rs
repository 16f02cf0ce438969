//! The transmit interrupt (DDI 0183G, 2.8.3).

use super::registers::int;

/// Where the transmit FIFO stood when it was last compared with its trigger level.
pub(super) struct TransmitLevel {
    /// Whether it was at or below it.
    pub low: bool,
}

impl Default for TransmitLevel {
    /// An empty FIFO is below every level: that is no transition yet.
    fn default() -> Self {
        Self { low: true }
    }
}

impl TransmitLevel {
    /// UARTTXINTR rises when the FIFO falls to its trigger level, by the transition only, and
    /// falls above it (2.8.3).
    pub(super) const fn compare(&mut self, level: usize, trigger: usize, ris: &mut u16) {
        let low = level <= trigger;
        if !low {
            *ris &= !int::TX;
        } else if !self.low {
            *ris |= int::TX;
        }
        self.low = low;
    }

    /// Characters left at once. Where the line takes its time, a FIFO filled by a writer
    /// drains through its trigger level; here it never fills, and the writer is told all the
    /// same.
    pub(super) const fn drained_at_once(&self, ris: &mut u16) {
        if self.low {
            *ris |= int::TX;
        }
    }
}
