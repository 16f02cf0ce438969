//! What a VM's board is seen doing, and what passes wires that are tapped, on its way to the host
//! tool: packed, and kept until the link has room. Nothing waits for the link but a VM that has
//! ended: where there is no room the observer counts what it loses.

use super::console;
use alloc::collections::VecDeque;
use reliquary::board::Board;
use reliquary::board::observe::{Kinds, Observer};
use reliquary::link::Channel;
use reliquary::trace::packed::{ITEM_MAX, Item, Packer};

/// What is seen between two exits, and while the packed bytes have no room.
const SEEN: usize = 4096;
/// Packed bytes on their way to the link.
const BYTES: usize = 1 << 20;
/// How many items are packed at an exit: twice what one leaves at most, but for long transfers.
const AT_ONCE: usize = 256;
/// A trace can end where everything that was seen is in it: after so many items this is told.
const SETTLE_AFTER: u32 = 64;

/// What was seen, packed, on its way to a channel of the link.
pub struct Stream {
    channel: Channel,
    packer: Packer,
    bytes: VecDeque<u8>,
    /// Items since it was last told that all is there.
    unsettled: u32,
    /// Nothing more is to be expected for now: whatever is there is all.
    pub idle: bool,
}

impl Stream {
    /// A stream whose times are of a clock of `hz` ticks a second.
    pub fn new(channel: Channel, hz: u64) -> Self {
        Self {
            channel,
            packer: Packer::new(1_000_000_000_u64.checked_div(hz).unwrap_or(1)),
            bytes: VecDeque::with_capacity(BYTES),
            unsettled: 0,
            idle: false,
        }
    }

    /// How many bytes it has room for.
    pub fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// Gives the link what it has room for. Whether there was anything.
    pub fn pour(&mut self) -> bool {
        let any = !self.bytes.is_empty();
        if any {
            console::record(self.channel, &mut self.bytes);
        }
        any
    }

    /// Gives the link all of it, and waits for that.
    pub fn pour_all(&mut self) {
        console::record_all(self.channel, &mut self.bytes);
    }

    /// Takes what was seen, as far as there is room.
    pub fn pack(&mut self, observer: &mut Observer) {
        for _ in 0..AT_ONCE {
            if self.room() < ITEM_MAX {
                return;
            }
            if let Some(seen) = observer.take() {
                self.put(&Item::Seen(seen));
                self.unsettled += 1;
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

    fn put(&mut self, item: &Item) {
        let bytes = &mut self.bytes;
        self.packer.pack(item, &mut |byte| bytes.push_back(byte));
    }
}

/// A VM's recorder.
pub struct Recorder(Stream);

impl Recorder {
    /// Records these devices of `board`, whose clock ticks `hz` times a second.
    pub fn new(board: &mut Board, devices: &[u16], hz: u64) -> Self {
        let observer = Observer::new(Kinds::ALL, SEEN).only(devices.iter().copied());
        board.observe(Some(observer));
        Self(Stream::new(Channel::Trace, hz))
    }

    /// Tells whether the guest waits for an interrupt.
    pub fn idle(&mut self, idle: bool) {
        self.0.idle = idle;
    }

    /// Records nothing for now, or goes on: what happens meanwhile counts as lost.
    pub fn pause(board: &mut Board, on: bool) {
        if let Some(observer) = board.observer() {
            observer.pause(on);
        }
    }

    /// Takes what was seen, as far as there is room, and gives the link what it has room for.
    pub fn pour(&mut self, board: &mut Board) {
        self.pack(board);
        self.0.pour();
    }

    /// The same, and tells that it is all there, if it is.
    pub fn settle(&mut self, board: &mut Board) {
        let idle = core::mem::replace(&mut self.0.idle, true);
        self.pour(board);
        self.0.idle = idle;
    }

    /// The board's time begins, when the host's counter is at so many nanoseconds. What was seen of
    /// the time before has been taken.
    pub fn begins(&mut self, board: &mut Board, host: u64) {
        self.pour(board);
        if self.0.room() >= ITEM_MAX {
            self.0.put(&Item::Began(host));
        }
    }

    fn pack(&mut self, board: &mut Board) {
        if let Some(observer) = board.observer() {
            self.0.pack(observer);
        }
    }

    /// Sends all there is, and that it is all: the VM has ended.
    pub fn end(&mut self, board: &mut Board) {
        self.0.idle = true;
        Self::pause(board, false);
        // Each round packs or sends something, and what was seen is bounded.
        for _ in 0..2 * (SEEN / AT_ONCE) {
            self.pack(board);
            self.0.pour_all();
        }
        self.0.put(&Item::End);
        self.0.pour_all();
    }
}
