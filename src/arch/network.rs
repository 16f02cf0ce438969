//! The outside end of an Ethernet wire: the host's network, over its virtio device.
//!
//! Whichever VM at the wire serves its own end serves this one too, in its own time: 16 frames each way, and for
//! what comes in half of the time at most ([`Allowance`]); where that is used up, the rest waits for the core's
//! next flush of the link. Meanwhile frames wait with the device, which drops what it has no buffer for, and
//! interrupts for them are off until all are taken: there is one interrupt at most between two turns of a VM.
//!
//! Lock order: the device's lock is held for one frame, so that frames stay in their order whoever serves;
//! inside it the wire's is taken.

use super::virtio::net::{Interrupt, VirtioNet};
use super::{console, wires};
use core::sync::atomic::{AtomicBool, Ordering};
use reliquary::board::CarriedFrames;
use reliquary::emul::frames::FRAME_MAX;
use reliquary::units::Instant;
use reliquary::virtqueue::Wrong;
use reliquary::wire::ethernet::EthernetWire;
use reliquary::wire::network::{Allowance, incoming, outgoing};
use reliquary::wire::{Passed, Shared};
use spin::Mutex;

/// Frames that are carried in one turn, each way.
const FRAMES: usize = 16;

/// The network, at a port of its wire.
pub struct Network {
    port: usize,
    intid: u32,
    interrupt: Interrupt,
    device: Mutex<Device>,
    /// Frames may wait with the device of which no interrupt tells.
    waits: AtomicBool,
    /// They wait until there is time again.
    rests: AtomicBool,
    /// The device said what cannot be: nothing of it is looked at any more.
    failed: AtomicBool,
}

struct Device {
    net: VirtioNet,
    allowance: Allowance,
}

/// What came in.
#[derive(Default)]
struct In {
    /// How many frames.
    frames: usize,
    carried: CarriedFrames,
    /// There is no time for more now. No exit is an occasion for that before the flush: looking takes time, too.
    rests: bool,
}

impl Network {
    /// The network behind a device with this interrupt.
    pub fn new(port: usize, net: VirtioNet, intid: u32) -> Self {
        Self {
            port,
            intid,
            interrupt: net.interrupt(),
            device: Mutex::new(Device {
                net,
                allowance: Allowance::default(),
            }),
            waits: AtomicBool::new(false),
            rests: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Serves an interrupt, if it is the device's. The VMs at the wire are to be told then.
    pub fn interrupted(&self, intid: u32) -> bool {
        // That of a device which is looked at no more is nobody's, and so disabled.
        let own = intid == self.intid && !self.failed.load(Ordering::Relaxed);
        if own {
            self.interrupt.serve();
            // Behind that: who takes this lets the interrupts come again.
            self.waits.store(true, Ordering::Release);
        }
        own
    }

    /// Takes that frames rest. The VMs at the wire are to be told then.
    pub fn go_on(&self) -> bool {
        self.rests.swap(false, Ordering::Relaxed)
    }

    /// Serves the network's end of the wire on behalf of a VM, whose own end `own` serves. What is to be done
    /// now; and whether something rests, to which this core comes back by the [console]'s flush.
    pub fn carry(
        &self,
        wire: &impl Shared<EthernetWire>,
        now: Instant,
        frame: &mut [u8; FRAME_MAX],
        own: impl FnOnce(&mut [u8; FRAME_MAX]) -> CarriedFrames,
    ) -> (CarriedFrames, bool) {
        let came = self.put_in(wire, now, frame);
        let carried = own(frame);
        if came.frames > 0 {
            // Its way through the VM's device is a part of what a frame costs.
            self.device.lock().allowance.take(now, wires::now());
        }
        if came.rests {
            self.rests.store(true, Ordering::Relaxed);
            console::come_back();
        }
        let more = self.take_out(wire, frame);
        let carried = CarriedFrames {
            tell: carried.tell | came.carried.tell,
            more: carried.more | came.carried.more | more,
            waits: carried.waits | came.carried.waits,
        };
        (carried, came.rests)
    }

    /// What has come goes into the wire, as far as there is time, and on a cable room.
    fn put_in(
        &self,
        wire: &impl Shared<EthernetWire>,
        now: Instant,
        frame: &mut [u8; FRAME_MAX],
    ) -> In {
        let mut came = In::default();
        if !self.waits.load(Ordering::Acquire) || self.failed.load(Ordering::Relaxed) {
            return came;
        }
        let mut taken = 0;
        loop {
            let mut device = self.device.lock();
            came.rests = !device.allowance.has(now);
            came.carried.more = taken == FRAMES && !came.rests;
            let full = wire.with(|wire| wire.is_full(self.port));
            if came.rests || full || came.carried.more {
                came.carried.waits = full;
                self.waits.store(true, Ordering::Release);
                break;
            }
            match self.next(&mut device.net, frame) {
                Ok(Some(octets)) => {
                    taken += 1;
                    if let Some(whole) = incoming(frame, octets) {
                        let came_in = &frame[..whole];
                        wire.saw(self.port, Passed::Frame(came_in));
                        let tell = wire.with(|wire| wire.put(self.port, came_in, now));
                        came.carried.tell = came.carried.tell | tell;
                    }
                }
                Ok(None) => break,
                Err(Wrong) => {
                    drop(device);
                    self.fails(wire);
                    break;
                }
            }
        }
        if taken > 0 {
            self.device.lock().net.notify();
        }
        came.frames = taken;
        came
    }

    /// The next frame; if there is none, an interrupt tells of the next one.
    fn next(
        &self,
        net: &mut VirtioNet,
        frame: &mut [u8; FRAME_MAX],
    ) -> Result<Option<usize>, Wrong> {
        loop {
            let next = net.receive(frame)?;
            if next.is_some() || !self.waits.swap(false, Ordering::AcqRel) {
                return Ok(next);
            }
            if !net.tell_received()? {
                return Ok(None);
            }
        }
    }

    /// What the wire holds for the network goes there, as far as the device has room; an interrupt tells of
    /// more. Whether there is more to carry now.
    fn take_out(&self, wire: &impl Shared<EthernetWire>, frame: &mut [u8; FRAME_MAX]) -> bool {
        let waiting = || wire.with(|wire| wire.next_len(self.port)).is_some();
        let mut sent = 0;
        while sent < FRAMES && waiting() {
            let mut device = self.device.lock();
            match device.net.has_room() {
                Ok(true) => {}
                Ok(false) => {
                    device.net.notify();
                    return false;
                }
                Err(Wrong) => {
                    drop(device);
                    self.fails(wire);
                    return false;
                }
            }
            let Some(octets) = wire.with(|wire| wire.next(self.port, frame)) else {
                break; // another core was faster
            };
            if let Some(goes) = outgoing(&frame[..octets]) {
                device.net.send(goes);
            }
            sent += 1;
        }
        if sent > 0 {
            self.device.lock().net.notify();
        }
        sent == FRAMES && waiting()
    }

    /// The device cannot be believed: the wire's end is unplugged.
    fn fails(&self, wire: &impl Shared<EthernetWire>) {
        wire.with(|wire| wire.connect(self.port, false));
        if !self.failed.swap(true, Ordering::Relaxed) {
            log::error!(
                "wires: the host's network device returns buffers that it does not have: its end is unplugged; \
                 restart the machine"
            );
        }
    }

    /// The core failed, perhaps with the device in its hands.
    pub fn let_go(&self) {
        super::let_go(&self.device);
    }
}
