//! All channels of a system, and who holds which.
//!
//! A VM names a channel by a *handle*, its index in the VM's own [`Table`]; there is no other name,
//! and none can be passed on. For each VM a word has the handles at which something is
//! [pending](Exchange::pending), and another the vCPUs that [wait](Exchange::set_waiting).
//!
//! Lock order: a channel's lock is taken alone, and what is pending is noted under it. Nobody is
//! lost: who waits says so first and looks then; who sends puts first and looks then who waits. Both
//! do so with one total order, so one of them sees the other.

use super::{Channel, Refused};
use crate::wire::Side;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use serde::{Deserialize, Serialize};
use spin::Mutex;

/// The most channels that one VM holds.
pub const HANDLES_MAX: usize = 32;

/// A channel as the system file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The VM that sends.
    pub from: usize,
    /// The VM that receives.
    pub to: usize,
    /// The largest message in bytes.
    pub bytes: u8,
    /// How many messages it holds.
    pub depth: usize,
    /// The greater has the lower handle.
    pub priority: u8,
    /// The hash of its name.
    pub hash: u32,
    /// The memory that its messages tell of, if it has one.
    pub memory: Option<Memory>,
}

/// A memory that both VMs of a channel have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Its size.
    pub bytes: u64,
    /// Where the sender and the receiver have it.
    pub at: [u64; 2],
}

/// One VM's end of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The channel, by its number in the system.
    channel: usize,
    /// Which end.
    pub side: Side,
    /// What it is.
    pub shape: Shape,
    /// The VM at the other end, and its handle there.
    peer: (usize, usize),
}

/// What one VM holds.
#[derive(Debug, Default)]
struct Table {
    held: Vec<Held>,
    /// Whether an interrupt tells it that something is pending.
    interrupt: bool,
    pending: AtomicU32,
    waiting: AtomicU32,
}

/// All channels of a system.
#[derive(Debug)]
pub struct Exchange {
    channels: Vec<Mutex<Channel>>,
    tables: Vec<Table>,
}

/// A handle that the VM does not have, or not for this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is no such handle.
    NoHandle,
    /// It is of the other end.
    WrongEnd,
}

/// What came of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done<R> {
    /// Its result.
    pub result: R,
    /// The VM that has to be told.
    pub tell: Option<usize>,
}

impl Exchange {
    /// The channels of a system whose VMs are told by an interrupt, or not.
    pub fn new(shapes: &[Shape], interrupts: &[bool]) -> Self {
        let mut order: Vec<usize> = (0..shapes.len()).collect();
        // Stable: equal ones in the system file's order.
        order.sort_by_key(|n| core::cmp::Reverse(shapes.get(*n).map_or(0, |shape| shape.priority)));
        let mut tables: Vec<Table> = interrupts
            .iter()
            .map(|interrupt| Table {
                interrupt: *interrupt,
                ..Table::default()
            })
            .collect();
        for number in order {
            let Some(shape) = shapes.get(number) else {
                continue;
            };
            let count = |vm: usize| tables.get(vm).map_or(0, |table: &Table| table.held.len());
            let first = (shape.from, count(shape.from));
            let second = (shape.to, count(shape.to));
            for (own, peer, side) in [(first, second, Side::First), (second, first, Side::Second)] {
                if let Some(table) = tables.get_mut(own.0).filter(|t| t.held.len() < HANDLES_MAX) {
                    table.held.push(Held {
                        channel: number,
                        side,
                        shape: *shape,
                        peer,
                    });
                }
            }
        }
        let channels = shapes
            .iter()
            .map(|shape| Mutex::new(Channel::new(shape.bytes, shape.depth)));
        Self {
            channels: channels.collect(),
            tables,
        }
    }

    /// What a VM holds, by its handles.
    pub fn held(&self, vm: usize) -> &[Held] {
        self.tables.get(vm).map_or(&[], |table| &table.held)
    }

    /// The handles of a VM at which something is pending: bit n is handle n.
    #[inline]
    pub fn pending(&self, vm: usize) -> u32 {
        let table = self.tables.get(vm);
        table.map_or(0, |table| table.pending.load(Ordering::SeqCst))
    }

    /// A vCPU waits for a channel, or does not any more. Whoever waits looks once more after this.
    pub fn set_waiting(&self, vm: usize, cpu: u8, waits: bool) {
        let Some(table) = self.tables.get(vm) else {
            return;
        };
        let bit = 1_u32 << (cpu & 31);
        if waits {
            table.waiting.fetch_or(bit, Ordering::SeqCst);
        } else {
            table.waiting.fetch_and(!bit, Ordering::SeqCst);
        }
    }

    /// The vCPUs of a VM that wait: bit n is vCPU n.
    #[inline]
    pub fn waiting(&self, vm: usize) -> u32 {
        let table = self.tables.get(vm);
        table.map_or(0, |table| table.waiting.load(Ordering::SeqCst))
    }

    /// Does something at a VM's end of a channel, which has to be the end `side`.
    #[inline]
    pub fn at<R>(
        &self,
        vm: usize,
        handle: u64,
        side: Side,
        act: impl FnOnce(&mut Channel) -> Result<R, Refused>,
    ) -> Result<Done<Result<R, Refused>>, Denied> {
        let table = self.tables.get(vm).ok_or(Denied::NoHandle)?;
        let handle = usize::try_from(handle).map_err(|_| Denied::NoHandle)?;
        let held = table.held.get(handle).ok_or(Denied::NoHandle)?;
        if held.side != side {
            return Err(Denied::WrongEnd);
        }
        let (result, tell) = self
            .with(held, table, handle, act)
            .ok_or(Denied::NoHandle)?;
        // What is refused changes nothing for the other end.
        let tell = tell.filter(|_| result.is_ok());
        Ok(Done { result, tell })
    }

    /// A VM notifies: the other end is told only of bits that were not set, so that who sends the
    /// same ones for ever wakes nobody.
    #[inline]
    pub fn notify(
        &self,
        vm: usize,
        handle: u64,
        bits: u64,
    ) -> Result<Done<Result<bool, Refused>>, Denied> {
        let done = self.at(vm, handle, Side::First, |channel| channel.notify(bits))?;
        let tell = done.tell.filter(|_| done.result == Ok(true));
        Ok(Done { tell, ..done })
    }

    /// Does something with a channel, and notes what is pending at both ends then. Whether the other
    /// end is to be told.
    #[inline]
    fn with<R>(
        &self,
        held: &Held,
        own: &Table,
        handle: usize,
        act: impl FnOnce(&mut Channel) -> R,
    ) -> Option<(R, Option<usize>)> {
        let peer = self.tables.get(held.peer.0)?;
        let mut channel = self.channels.get(held.channel)?.lock();
        let result = act(&mut channel);
        note(own, handle, channel.is_pending(held.side));
        let pending = channel.is_pending(held.side.other());
        let rose = note(peer, held.peer.1, pending);
        drop(channel);
        let waited = pending && peer.waiting.load(Ordering::SeqCst) != 0;
        let tell = waited || rose && peer.interrupt;
        Some((result, tell.then_some(held.peer.0)))
    }

    /// The locks of a VM's channels, for who has to see that none is held.
    pub fn locks(&self, vm: usize) -> impl Iterator<Item = &Mutex<Channel>> {
        let held = self.tables.get(vm).map_or(&[][..], |table| &table.held);
        held.iter()
            .filter_map(|held| self.channels.get(held.channel))
    }

    /// A VM is built, before any runs.
    pub fn begin(&self, vm: usize) {
        self.each(vm, Channel::begin, |_| {});
    }

    /// A VM starts anew. The VMs to be told are given to `tell`.
    pub fn up(&self, vm: usize, tell: impl FnMut(usize)) {
        self.each(vm, Channel::up, tell);
    }

    /// A VM ends.
    pub fn down(&self, vm: usize, tell: impl FnMut(usize)) {
        self.each(vm, Channel::down, tell);
    }

    fn each(&self, vm: usize, act: fn(&mut Channel, Side), mut tell: impl FnMut(usize)) {
        let Some(table) = self.tables.get(vm) else {
            return;
        };
        // None of its vCPUs is in a call now.
        table.waiting.store(0, Ordering::SeqCst);
        // Told when all is done: who looks then finds all of it.
        let mut told = 0_u64;
        for (handle, held) in table.held.iter().enumerate() {
            let done = self.with(held, table, handle, |channel| act(channel, held.side));
            if let Some(((), Some(peer))) = done {
                told |= 1 << (peer & 63);
            }
        }
        (0..64)
            .filter(|peer| told & 1 << peer != 0)
            .for_each(&mut tell);
    }
}

/// Notes whether something is pending at a handle; whether that is new.
#[inline]
fn note(table: &Table, handle: usize, pending: bool) -> bool {
    let bit = 1_u32 << (handle & 31);
    if (table.pending.load(Ordering::SeqCst) & bit != 0) == pending {
        return false;
    }
    if pending {
        table.pending.fetch_or(bit, Ordering::SeqCst);
    } else {
        table.pending.fetch_and(!bit, Ordering::SeqCst);
    }
    pending
}

/// FNV-1a of a channel's name, by which a VM finds it (docs/reference/channels.md).
pub fn hash_of(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
