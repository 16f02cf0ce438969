//! What a VM's board is seen doing, on its way to the host tool: packed, and kept until the link has
//! room. Nothing waits for the link but a VM that has ended: where there is no room the board's
//! observer counts what it loses.

use super::console;
use reliquary::board::Board;
use reliquary::board::observe::{Kinds, Observer};
use reliquary::link::Channel;
use reliquary::trace::packed::{ITEM_MAX, Item};
use reliquary::trace::stream::{AT_ONCE, Stream};

/// What is seen between two exits, and while the packed bytes have no room.
const SEEN: usize = 4096;
/// Packed bytes on their way to the link.
const BYTES: usize = 1 << 20;

/// A VM's recorder.
pub struct Recorder(Stream);

impl Recorder {
    /// Records these devices of `board`, whose clock ticks `hz` times a second.
    pub fn new(board: &mut Board, devices: &[u16], hz: u64) -> Self {
        let observer = Observer::new(Kinds::ALL, SEEN).only(devices.iter().copied());
        board.observe(Some(observer));
        Self(Stream::new(BYTES, hz))
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
        if !self.0.bytes().is_empty() {
            console::record(Channel::Trace, self.0.bytes());
        }
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
            console::record_all(Channel::Trace, self.0.bytes());
        }
        self.0.put(&Item::End);
        console::record_all(Channel::Trace, self.0.bytes());
    }
}
