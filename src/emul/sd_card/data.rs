//! Blocks on the data lines.

use super::registers::{ERROR, OUT_OF_RANGE};
use super::{BLOCK, Data, SdCard, State};
use crate::emul::Cx;

impl SdCard {
    /// The length of the block that the card sends, or will once the host's clock runs.
    #[must_use]
    pub fn sending(&self) -> Option<u16> {
        match self.data {
            Data::Register | Data::Read { .. } if self.at < self.length => Some(self.length),
            _ => None,
        }
    }

    /// Whether it waits for blocks, of [`BLOCK`] bytes.
    #[must_use]
    pub const fn is_receiving(&self) -> bool {
        matches!(self.data, Data::Write { .. })
    }

    /// Whether what it sends ends by itself: a card clocks that out, whether or not anybody
    /// listens.
    #[must_use]
    pub const fn ends_by_itself(&self) -> bool {
        matches!(
            self.data,
            Data::Register
                | Data::Read {
                    multiple: false,
                    ..
                }
        )
    }

    /// The next byte that it sends.
    pub fn sent(&mut self, cx: &Cx<'_>) -> Option<u8> {
        self.sending()?;
        let byte = self.buffer.get(usize::from(self.at)).copied()?;
        self.at = self.at.saturating_add(1);
        if self.at == self.length {
            self.block_sent(cx);
        }
        Some(byte)
    }

    /// The rest of the block that it sends goes by, and nobody takes it.
    pub fn unheard(&mut self, cx: &Cx<'_>) {
        if self.sending().is_some() {
            self.at = self.length;
            self.block_sent(cx);
        }
    }

    /// A byte of a block arrives; with the last, whether the card acknowledges the block.
    pub fn receive(&mut self, cx: &Cx<'_>, byte: u8) -> Option<bool> {
        let Data::Write { next, multiple } = self.data else {
            return None;
        };
        if let Some(to) = self.buffer.get_mut(usize::from(self.at)) {
            *to = byte;
        }
        self.at = self.at.saturating_add(1);
        if self.at < self.length {
            return None;
        }
        self.at = 0;
        let stored = next < self.config.bytes && {
            let stored = cx.store_write(next, &self.buffer).is_ok();
            self.errors |= if stored { 0 } else { ERROR };
            stored
        };
        if next >= self.config.bytes {
            self.errors |= OUT_OF_RANGE;
        }
        if stored {
            self.well_written = self.well_written.saturating_add(1);
        }
        if multiple {
            let next = next.saturating_add(BLOCK as u64).min(self.config.bytes);
            self.data = Data::Write { next, multiple };
        } else {
            self.stop();
        }
        Some(stored)
    }

    /// The rest of a block that the host does not send, or sends damaged: it is not stored.
    pub fn block_lost(&mut self) {
        self.at = 0;
        if matches!(
            self.data,
            Data::Write {
                multiple: false,
                ..
            }
        ) {
            self.stop();
        }
    }

    /// The end of a transfer. What the card writes is written already.
    pub(super) fn stop(&mut self) {
        self.data = Data::Nothing;
        (self.length, self.at) = (0, 0);
        self.state = State::Transfer;
    }

    fn block_sent(&mut self, cx: &Cx<'_>) {
        match self.data {
            Data::Read {
                next,
                multiple: true,
            } => {
                let next = next.saturating_add(u64::from(self.block_length));
                self.data = Data::Read {
                    next,
                    multiple: true,
                };
                self.fill(cx);
            }
            _ => self.stop(),
        }
    }

    /// Takes the block at the read's place from the medium. Behind the medium's end there is
    /// none: the card waits for CMD12, and then tells.
    pub(super) fn fill(&mut self, cx: &Cx<'_>) {
        let Data::Read { next, multiple } = self.data else {
            return;
        };
        (self.length, self.at) = (0, 0);
        if next >= self.config.bytes {
            self.data = Data::Nothing;
            // OUT_OF_RANGE may be set here, and the host shall ignore it (PLSS 4.3.3): it is not.
            return;
        }
        let block = self.buffer.get_mut(..usize::from(self.block_length));
        if block.is_some_and(|block| cx.store_read(next, block).is_ok()) {
            self.length = self.block_length;
        } else {
            self.errors |= ERROR;
            self.data = Data::Nothing;
            if !multiple {
                self.stop();
            }
        }
    }
}
