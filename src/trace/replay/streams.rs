//! Bytes that go out over ports and to memory: compared in their order, whenever they come.

use super::divergence::Difference;
use crate::units::Ipa;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Whose bytes: a device's port, or the board's memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Port(usize),
    Memory,
}

/// One byte, and where in memory it went.
type Token = (Option<Ipa>, u8);

struct Stream {
    key: Key,
    /// The line of the trace, the device, and the byte.
    recorded: VecDeque<(usize, usize, Token)>,
    ours: VecDeque<Token>,
    /// Nothing behind the first difference is compared: all of it would differ.
    broken: bool,
}

/// All streams.
#[derive(Default)]
pub(super) struct Streams {
    streams: Vec<Stream>,
    equal: u64,
}

impl Streams {
    fn stream(&mut self, key: Key) -> Option<&mut Stream> {
        let known = self.streams.iter().position(|stream| stream.key == key);
        let place = known.unwrap_or_else(|| {
            self.streams.push(Stream {
                key,
                recorded: VecDeque::new(),
                ours: VecDeque::new(),
                broken: false,
            });
            self.streams.len().saturating_sub(1)
        });
        self.streams.get_mut(place).filter(|stream| !stream.broken)
    }

    /// Bytes that were recorded.
    pub(super) fn recorded(&mut self, device: usize, line: usize, at: Option<Ipa>, bytes: &[u8]) {
        let key = if at.is_some() {
            Key::Memory
        } else {
            Key::Port(device)
        };
        if let Some(stream) = self.stream(key) {
            let tokens = tokens(at, bytes).map(|token| (line, device, token));
            stream.recorded.extend(tokens);
        }
    }

    /// Bytes that a device of ours sent.
    pub(super) fn ours(&mut self, device: usize, bytes: &[u8]) {
        if let Some(stream) = self.stream(Key::Port(device)) {
            stream.ours.extend(tokens(None, bytes));
        }
    }

    /// Bytes that a device of ours wrote to memory.
    pub(super) fn ours_to_memory(&mut self, at: Ipa, bytes: &[u8]) {
        if let Some(stream) = self.stream(Key::Memory) {
            stream.ours.extend(tokens(Some(at), bytes));
        }
    }

    /// How many bytes were the same.
    pub(super) fn equal(&self) -> u64 {
        self.equal
    }

    /// The next difference between bytes that are on both sides: line, device, and what.
    pub(super) fn difference(&mut self) -> Option<(usize, usize, Difference)> {
        for stream in &mut self.streams {
            while let (Some((line, device, expected)), Some(got)) = (
                stream.recorded.front().copied(),
                stream.ours.front().copied(),
            ) {
                if expected != got {
                    stream.give_up();
                    return Some((line, device, byte(Some(expected), Some(got))));
                }
                stream.recorded.pop_front();
                stream.ours.pop_front();
                self.equal = self.equal.saturating_add(1);
            }
        }
        None
    }

    /// At the end: streams of which one side has more than the other.
    pub(super) fn rest(&mut self) -> Vec<(usize, usize, Difference)> {
        let mut all = Vec::new();
        for stream in &mut self.streams {
            let (recorded, ours) = (stream.recorded.front(), stream.ours.front());
            let device = match stream.key {
                Key::Port(device) => device,
                Key::Memory => 0,
            };
            let place = recorded.map_or((0, device), |(line, device, _)| (*line, *device));
            if recorded.is_some() || ours.is_some() {
                let expected = recorded.map(|(.., token)| *token);
                all.push((place.0, place.1, byte(expected, ours.copied())));
            }
            stream.give_up();
        }
        all
    }
}

impl Stream {
    fn give_up(&mut self) {
        self.broken = true;
        self.recorded.clear();
        self.ours.clear();
    }
}

fn byte(expected: Option<Token>, got: Option<Token>) -> Difference {
    Difference::Byte {
        at: expected.or(got).and_then(|(at, _)| at),
        expected: expected.map(|(_, byte)| byte),
        got: got.map(|(_, byte)| byte),
    }
}

fn tokens(at: Option<Ipa>, bytes: &[u8]) -> impl Iterator<Item = Token> {
    let places = bytes.iter().enumerate();
    places.map(move |(place, byte)| (at.map(|at| at.wrapping_add(place as u64)), *byte))
}
