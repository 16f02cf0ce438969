//! The channels between VMs: made at boot, shared by the cores, used by each VM's own.
//!
//! Queues, locks and who waits are the library's (`reliquary::wire::channel`); here is the one static,
//! and how a VM on another core is told: by mail, which it takes in its own time.

use super::let_go;
use super::mailbox::{self, Mail};
use alloc::vec::Vec;
use reliquary::bundle::{ChannelSpec, VmSpec};
use reliquary::wire::channel::exchange::Exchange;
use spin::Once;

static EXCHANGE: Once<Exchange> = Once::new();

/// Makes the channels of a system, once.
pub fn open(specs: &[ChannelSpec], vms: &[VmSpec]) {
    let shapes: Vec<_> = specs.iter().map(ChannelSpec::shape).collect();
    let interrupts = vms.iter().map(|vm| vm.channel_interrupt.is_some());
    EXCHANGE.call_once(|| Exchange::new(&shapes, &interrupts.collect::<Vec<_>>()));
}

/// What one VM holds.
#[derive(Clone, Copy)]
pub struct Channels {
    /// All channels.
    pub exchange: &'static Exchange,
    /// The device and its input that are high while something is pending.
    pub line: Option<(usize, u16)>,
    /// Whether it is.
    pub level: bool,
}

impl Channels {
    /// What VM `vm` holds, which is built now; none if that is nothing.
    pub fn of(vm: usize, line: Option<(u16, u16)>) -> Option<Self> {
        let exchange = EXCHANGE.get()?;
        if exchange.held(vm).is_empty() {
            return None;
        }
        exchange.begin(vm);
        Some(Self {
            exchange,
            line: line.map(|(device, input)| (usize::from(device), input)),
            level: false,
        })
    }

    /// This core failed, perhaps with one of the VM's channels in its hands.
    pub fn let_go(&self, vm: usize) {
        self.exchange.locks(vm).for_each(let_go);
    }

    /// The VM starts anew, or ends: what is in its channels is gone, and the others are told.
    pub fn connect(&mut self, vm: usize, live: bool) {
        let tell = |peer| mailbox::post(peer, Mail::CHANNELS);
        if live {
            self.level = false; // the board was reset
            self.exchange.up(vm, tell);
        } else {
            self.exchange.down(vm, tell);
        }
    }
}
