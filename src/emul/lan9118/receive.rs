//! The receive data path (data sheet, 3.13): frames in the RX data FIFO, read with the offset and
//! the end alignment that RX_CFG asks for, and their words in the RX status FIFO.

use super::fifo::Fifo;
use super::interrupts::source;
use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};

/// DWORDs of the RX FIFOs at their largest, that of TX_FIF_SZ 2 (5.3.9, table 5.3).
const DATA_WORDS: usize = 13440 / 4;
const STATUS_WORDS: usize = 896 / 4;
/// The data FIFO counts as full so many octets before its end (5.3.9).
const RESERVE: u32 = 16;
/// A frame takes at least so many DWORDs, and one more here for its length.
const SHORTEST: usize = 4;

/// The frame that the host is reading: words that are still to be given.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    /// Whole words of offset before it.
    offset: u32,
    /// Words with its octets.
    data: u32,
    /// Words of end alignment behind it.
    end: u32,
    /// Its words that are still in the FIFO.
    stored: u32,
    /// By how many octets it is shifted up, and those that the shift has left over.
    shift: u32,
    carry: u32,
}

pub(super) struct Receiver {
    /// For each frame its length, then its octets.
    data: Fifo,
    pub status: Fifo,
    /// DWORDs of frames.
    used: u32,
    reading: Reading,
    /// RX_DMA_CNT: words to be read until RXD_INT.
    countdown: u32,
    /// RX_DROP.
    dropped: u32,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self {
            data: Fifo::new(DATA_WORDS + DATA_WORDS / SHORTEST),
            status: Fifo::new(STATUS_WORDS),
            used: 0,
            reading: Reading::default(),
            countdown: 0,
            dropped: 0,
        }
    }

    pub(super) fn reset(&mut self) {
        self.dump();
        (self.countdown, self.dropped) = (0, 0);
    }

    /// RX_DUMP: both FIFOs are empty.
    pub(super) fn dump(&mut self) {
        self.data.clear();
        self.status.clear();
        self.used = 0;
        self.reading = Reading::default();
    }

    /// RXDUSED.
    pub(super) const fn used(&self) -> u32 {
        self.used.wrapping_mul(4)
    }

    pub(super) const fn countdown(&self) -> u32 {
        self.countdown
    }

    pub(super) fn set_countdown(&mut self, words: u32) {
        self.countdown = words;
    }

    /// RX_DROP, which a read clears.
    pub(super) fn take_dropped(&mut self) -> u32 {
        core::mem::take(&mut self.dropped)
    }

    /// Octets that a frame may have and still be taken, with FIFOs of these sizes in octets.
    pub(super) fn room(&self, data: u32, status: u32) -> usize {
        if self.status.len() >= (status / 4) as usize {
            return 0;
        }
        let free = data.saturating_sub(RESERVE).saturating_sub(self.used());
        free as usize
    }

    /// Stores a frame with its status, or drops it. Gives the sources that this raises.
    pub(super) fn store(&mut self, frame: &[u8], word: u32, data: u32, status: u32) -> u32 {
        let full = self.status.len() >= (status / 4) as usize;
        if full || self.room(data, status) < frame.len().next_multiple_of(4) {
            // An overrun of the status FIFO is an error of the receiver, too (3.13.5).
            return self.drop_one() | if full { source::RXE } else { 0 };
        }
        self.data.push(frame.len() as u32);
        for octets in frame.chunks(4) {
            let mut word = [0; 4];
            word.iter_mut()
                .zip(octets)
                .for_each(|(to, from)| *to = *from);
            self.data.push(u32::from_le_bytes(word));
            self.used = self.used.wrapping_add(1);
        }
        self.status.push(word);
        0
    }

    /// Counts a dropped frame. RXDFH tells that the counter has passed half of its range.
    pub(super) fn drop_one(&mut self) -> u32 {
        self.dropped = self.dropped.wrapping_add(1);
        if self.dropped == 1 << 31 {
            source::RXDF | source::RXDFH
        } else {
            source::RXDF
        }
    }

    /// Goes to the next frame if the last one has been read; false if there is none.
    fn begin(&mut self, config: u32) -> bool {
        let reading = &self.reading;
        if reading.offset | reading.data | reading.end | reading.stored != 0 {
            return true;
        }
        let Some(octets) = self.data.pop() else {
            return false;
        };
        let start = config >> 8 & 0x1f;
        let (offset, shift) = (start / 4, start & 3);
        let data = shift.wrapping_add(octets).div_ceil(4);
        let align = match config >> 30 {
            1 => 4,
            2 => 8,
            _ => 1,
        };
        let words = offset.wrapping_add(data);
        self.reading = Reading {
            offset,
            data,
            end: words.next_multiple_of(align).wrapping_sub(words),
            stored: octets.div_ceil(4),
            shift,
            carry: 0,
        };
        true
    }

    /// The host reads a word of the data FIFO: the word, and the sources that this raises.
    pub(super) fn read(&mut self, config: u32) -> (u32, u32) {
        if !self.begin(config) {
            return (0, source::RXE);
        }
        let reading = &mut self.reading;
        let word = if let Some(offset) = reading.offset.checked_sub(1) {
            reading.offset = offset;
            0
        } else if let Some(data) = reading.data.checked_sub(1) {
            reading.data = data;
            let mut stored = 0;
            if let Some(rest) = reading.stored.checked_sub(1) {
                reading.stored = rest;
                stored = self.data.pop().unwrap_or(0);
                self.used = self.used.saturating_sub(1);
            }
            let up = reading.shift.wrapping_mul(8);
            let both = u64::from(stored).wrapping_shl(up) | u64::from(reading.carry);
            reading.carry = (both >> 32) as u32;
            both as u32
        } else {
            reading.end = reading.end.saturating_sub(1);
            0
        };
        let mut raised = 0;
        if let Some(words) = self.countdown.checked_sub(1) {
            self.countdown = words;
            if words == 0 {
                raised |= source::RXD;
            }
        }
        (word, raised)
    }

    /// RX_FFWD: what is left of the frame at the head is skipped (3.13.1.1).
    pub(super) fn fast_forward(&mut self, config: u32) {
        if self.begin(config) {
            let stored = self.reading.stored;
            self.data.skip(stored as usize);
            self.used = self.used.saturating_sub(stored);
            self.reading = Reading::default();
        }
    }

    /// The host reads a word of the status FIFO.
    pub(super) fn read_status(&mut self) -> (u32, u32) {
        match self.status.pop() {
            Some(word) => (word, 0),
            None => (0, source::RXE),
        }
    }

    pub(super) fn save(&self, out: &mut Writer) {
        self.data.save(out);
        self.status.save(out);
        let Reading {
            offset,
            data,
            end,
            stored,
            shift,
            carry,
        } = self.reading;
        for word in [
            self.used,
            offset,
            data,
            end,
            stored,
            shift,
            carry,
            self.countdown,
            self.dropped,
        ] {
            out.u32(word);
        }
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.data.load(from)?;
        self.status.load(from)?;
        self.used = from.u32()?;
        self.reading = Reading {
            offset: from.u32()?,
            data: from.u32()?,
            end: from.u32()?,
            stored: from.u32()?,
            shift: from.u32()?,
            carry: from.u32()?,
        };
        self.countdown = from.u32()?;
        self.dropped = from.u32()?;
        let r = &self.reading;
        let sound = self.used as usize <= self.data.len()
            && r.offset < 8
            && r.data <= DATA_WORDS as u32
            && r.end < 8
            && r.stored as usize <= self.data.len()
            && r.shift < 4;
        if sound {
            Ok(())
        } else {
            Err(Refusal::BadState)
        }
    }
}
