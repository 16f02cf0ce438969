//! The outside ends of serial wires: what the developer's machine is joined to.
//!
//! What is sent to one waits here until the hypervisor has room: it keeps [`WINDOW`] bytes, and tells
//! how many the wire has taken. So nothing is lost, however slow the wire is.
use crate::system::System;
use reliquary::link::Channel;
use std::collections::{BTreeMap, VecDeque};

/// What the hypervisor keeps of each end's (src/arch/outside.rs).
const WINDOW: u32 = 1024;
/// A record of the link's channel: the wire, three bytes of 0, how many were taken.
const RECORD: usize = 8;

/// An outside end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The wire's number.
    pub wire: u8,
    /// What it is called: the other end, as the system file has it (`press.serial1`).
    pub name: String,
}

impl Outside {
    /// All of a system's.
    pub fn all(system: &System) -> Vec<Self> {
        let wires = system.wires.iter().zip(0..);
        let outside = wires.filter(|(wire, _)| wire.leads_to_link());
        outside
            .filter_map(|(wire, number)| {
                let name = wire.ends.first()?.text.clone();
                Some(Self { wire: number, name })
            })
            .collect()
    }

    /// Its channel on the link.
    pub const fn channel(&self) -> Channel {
        Channel::Outside(self.wire)
    }
}

/// What waits for each end.
#[derive(Debug, Default)]
pub struct Waiting(BTreeMap<u8, Way>);

#[derive(Debug, Default)]
struct Way {
    queue: VecDeque<u8>,
    /// Bytes that went, and bytes that were taken, modulo 2^32.
    sent: u32,
    taken: u32,
}

impl Waiting {
    /// Something is sent to an end.
    pub fn put(&mut self, wire: u8, bytes: &[u8]) {
        self.0.entry(wire).or_default().queue.extend(bytes);
    }

    /// Bytes of the link's channel: what the wires have taken.
    pub fn heard(&mut self, bytes: &[u8]) {
        for record in bytes.chunks_exact(RECORD) {
            if let ([wire, ..], Some(taken)) = (record, record.last_chunk()) {
                self.0.entry(*wire).or_default().taken = u32::from_le_bytes(*taken);
            }
        }
    }

    /// The machine began anew, and has taken nothing.
    pub fn machine_started(&mut self) {
        for way in self.0.values_mut() {
            (way.sent, way.taken) = (0, 0);
        }
    }

    /// Something of what was sent was lost on the link: what is under way is not waited for.
    pub fn damaged(&mut self) {
        for way in self.0.values_mut() {
            way.sent = way.taken;
        }
    }

    /// What may go now.
    pub fn to_send(&mut self) -> Option<(Channel, Vec<u8>)> {
        self.0.iter_mut().find_map(|(wire, way)| {
            let under_way = way.sent.wrapping_sub(way.taken);
            // More than was sent has been taken: behind a damage.
            let room = WINDOW.checked_sub(under_way).unwrap_or(WINDOW);
            let size = way.queue.len().min(room as usize);
            let bytes: Vec<u8> = way.queue.drain(..size).collect();
            way.sent = way.sent.wrapping_add(size as u32);
            (size > 0).then_some((Channel::Outside(*wire), bytes))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(wire: u8, total: u32) -> Vec<u8> {
        let mut record = vec![wire, 0, 0, 0];
        record.extend(total.to_le_bytes());
        record
    }

    #[test]
    fn as_much_goes_as_the_wire_takes() {
        let mut waiting = Waiting::default();
        let all: Vec<u8> = (0..5000_u32).map(|n| n as u8).collect();
        waiting.put(3, &all);
        waiting.put(5, b"x");
        let (mut came, mut other) = (Vec::new(), Vec::new());
        while let Some((channel, bytes)) = waiting.to_send() {
            match channel {
                Channel::Outside(3) => came.extend(bytes),
                channel => other.push((channel, bytes)),
            }
        }
        assert_eq!(came.len(), 1024, "no more than there is room for");
        assert_eq!(other, [(Channel::Outside(5), b"x".to_vec())]);
        while came.len() < all.len() {
            waiting.heard(&taken(3, came.len() as u32 - 24));
            let (channel, bytes) = waiting.to_send().expect("there is room again");
            assert_eq!(channel, Channel::Outside(3));
            came.extend(bytes);
        }
        assert_eq!(came, all);
        assert_eq!(waiting.to_send(), None);
    }

    #[test]
    fn what_was_lost_holds_nothing_up_and_a_new_start_counts_anew() {
        let mut waiting = Waiting::default();
        waiting.put(0, &[0; 2000]);
        assert_eq!(waiting.to_send().map(|(_, bytes)| bytes.len()), Some(1024));
        assert_eq!(waiting.to_send(), None);
        waiting.damaged();
        assert_eq!(waiting.to_send().map(|(_, bytes)| bytes.len()), Some(976));
        // It took them after all.
        waiting.heard(&taken(0, 2000));
        waiting.put(0, &[0; 2000]);
        assert_eq!(waiting.to_send().map(|(_, bytes)| bytes.len()), Some(1024));
        waiting.machine_started();
        assert_eq!(waiting.to_send().map(|(_, bytes)| bytes.len()), Some(976));
    }
}
