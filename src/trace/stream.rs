//! What was seen, packed, until it can go on its way to the host tool.

use super::packed::{ITEM_MAX, Item, Packer};
use crate::board::observe::Observer;
use alloc::collections::VecDeque;

/// How many items are packed in one call: twice what an exit of a VM leaves at most, but for long
/// transfers.
pub const AT_ONCE: usize = 256;
/// A trace can end where everything that was seen is in it: after so many items this is told.
const SETTLE_AFTER: u32 = 64;

/// A bounded queue of packed bytes, filled from an observer.
#[derive(Debug)]
pub struct Stream {
    packer: Packer,
    bytes: VecDeque<u8>,
    /// Items since it was last told that all is there.
    unsettled: u32,
    /// Nothing more is to be expected for now: whatever is there is all.
    pub idle: bool,
}

impl Stream {
    /// A stream of so many bytes, whose times are of a clock of `hz` ticks a second.
    pub fn new(bytes: usize, hz: u64) -> Self {
        Self {
            packer: Packer::new(1_000_000_000_u64.checked_div(hz).unwrap_or(1)),
            bytes: VecDeque::with_capacity(bytes),
            unsettled: 0,
            idle: false,
        }
    }

    /// How many bytes it has room for.
    pub fn room(&self) -> usize {
        self.bytes.capacity().saturating_sub(self.bytes.len())
    }

    /// The bytes that wait: whoever sends them takes them from the front.
    pub const fn bytes(&mut self) -> &mut VecDeque<u8> {
        &mut self.bytes
    }

    /// Takes what was seen, as far as there is room. What finds none stays with the observer.
    pub fn pack(&mut self, observer: &mut Observer) {
        for _ in 0..AT_ONCE {
            if self.room() < ITEM_MAX {
                return;
            }
            if let Some(seen) = observer.take() {
                self.put(&Item::Seen(seen));
                self.unsettled = self.unsettled.saturating_add(1);
            } else if let Some((at, count)) = observer.take_lost() {
                self.put(&Item::Lost { at, count });
            } else {
                if self.unsettled > if self.idle { 0 } else { SETTLE_AFTER } {
                    self.unsettled = 0;
                    self.put(&Item::Settled);
                }
                return;
            }
        }
    }

    /// Packs an item, for which there is room.
    pub fn put(&mut self, item: &Item) {
        let bytes = &mut self.bytes;
        self.packer.pack(item, &mut |byte| bytes.push_back(byte));
    }
}
