//! The wires between VMs: made at boot, shared by the cores, served by each VM's own.
//!
//! A VM serves its ends of the wires when its board has news of them, when it has mail, and at every
//! entry at which something waits for room; how much at a time is bounded (`reliquary::board`'s
//! carrying). Whom that concerns is told by mail, and takes it in its own time: a VM out of its slot
//! finds it when the slot begins.
//!
//! Lock order: a wire's lock is taken alone, for as long as a queue is changed, and never across a
//! call of a device.

use super::mailbox::{self, Mail};
use super::{counter, let_go};
use alloc::boxed::Box;
use alloc::vec::Vec;
use reliquary::board::{Board, News, World};
use reliquary::bundle::{WireKind, WireSpec};
use reliquary::emul::Lines;
use reliquary::emul::frames::FRAME_MAX;
use reliquary::units::{Instant, ns_for};
use reliquary::wire::ethernet::{EthernetWire, PORTS};
use reliquary::wire::pins::{Pin, PinWire};
use reliquary::wire::serial::{Sent, SerialWire};
use reliquary::wire::{Shared, Side};
use spin::{Mutex, Once};

enum Wire {
    Serial(Mutex<SerialWire>),
    Ethernet(Mutex<EthernetWire>),
    Pins(Mutex<PinWire>),
}

/// A wire, with the VM at each of its ends.
struct Joined {
    wire: Wire,
    vms: Vec<usize>,
}

static WIRES: Once<Vec<Joined>> = Once::new();

/// Makes the wires of a system, once.
pub fn open(specs: &[WireSpec]) {
    WIRES.call_once(|| {
        let joined = specs.iter().map(|spec| Joined {
            wire: match &spec.kind {
                // Nobody is up yet: see `Ends::of`.
                WireKind::Serial { faithful, .. } => {
                    let mut wire = SerialWire::new(*faithful);
                    for side in [Side::First, Side::Second] {
                        wire.connect(side, false);
                    }
                    Wire::Serial(Mutex::new(wire))
                }
                WireKind::Ethernet(ends) => {
                    let mut wire = EthernetWire::new(ends.len());
                    (0..ends.len()).for_each(|port| wire.connect(port, false));
                    Wire::Ethernet(Mutex::new(wire))
                }
                WireKind::Pins(_) => Wire::Pins(Mutex::new(PinWire::new())),
            },
            vms: spec
                .kind
                .ends()
                .iter()
                .map(|end| usize::from(end.vm))
                .collect(),
        });
        joined.collect()
    });
}

/// One of a VM's ends.
struct End {
    device: usize,
    at: At,
}

/// Where it leads to: the wire's number, and its end there.
enum At {
    Serial(usize, Side),
    Ethernet(usize, usize),
    Pins(usize, Side, Pin),
    /// A UART that is on no wire and is not the console: what it sends is lost.
    Nobody,
}

/// All of a VM's ends.
#[derive(Default)]
pub struct Ends {
    served: Vec<End>,
    /// Room for a frame, if one of them is an Ethernet port.
    frame: Option<Box<[u8; FRAME_MAX]>>,
    /// Whether one of them is a wire's.
    joined: bool,
    /// Something waits until a device has room.
    waits: bool,
}

const fn side_of(place: usize) -> Side {
    if place == 0 {
        Side::First
    } else {
        Side::Second
    }
}

impl Ends {
    /// The ends of VM `vm`, whose devices are told that someone takes what they send.
    pub fn of(vm: usize, board: &mut Board, specs: &[WireSpec]) -> Self {
        let mut own = Self::default();
        for (number, spec) in specs.iter().enumerate() {
            for (place, end) in spec.kind.ends().iter().enumerate() {
                if usize::from(end.vm) != vm {
                    continue;
                }
                let device = usize::from(end.device);
                let at = match &spec.kind {
                    WireKind::Serial { .. } if board.take_serial(device) => {
                        At::Serial(number, side_of(place))
                    }
                    WireKind::Ethernet(_) if board.take_frames(device, true) => {
                        own.frame.get_or_insert_with(|| Box::new([0; FRAME_MAX]));
                        At::Ethernet(number, place)
                    }
                    WireKind::Pins(ends) => {
                        let pin = ends[usize::from(place != 0)].1;
                        let lines = [pin.output, pin.enable];
                        let lines = lines.into_iter().flatten();
                        let none = Lines::default();
                        board.watch_outputs(
                            device,
                            lines.fold(none, |all, line| all.with(line, true)),
                        );
                        At::Pins(number, side_of(place), pin)
                    }
                    _ => {
                        log::error!("wire {}: its end {place} has no such port", spec.name);
                        continue;
                    }
                };
                own.served.push(End { device, at });
            }
        }
        own.joined = !own.served.is_empty();
        for device in 0..board.plan().devices.len() {
            let wired = |end: &End| end.device == device && !matches!(end.at, At::Pins(..));
            if board.plan().console != Some(device)
                && !own.served.iter().any(wired)
                && board.take_serial(device)
            {
                let at = At::Nobody;
                own.served.push(End { device, at });
            }
        }
        own.connect(true);
        own
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.served.is_empty()
    }

    /// Whether one of them is a wire's, and not of a port that leads to nobody.
    pub fn is_joined(&self) -> bool {
        self.joined
    }

    /// What each exit is an occasion for.
    pub fn waiting(&self) -> News {
        if self.waits {
            News::WIRES
        } else {
            News::default()
        }
    }

    /// Serves them all: what the board has sent goes into the wires, and what waits there for it
    /// comes out.
    pub fn carry(&mut self, vm: usize, board: &mut Board, world: &World<'_>) {
        let joined = WIRES.get().map_or(&[][..], Vec::as_slice);
        let (mut waits, mut more) = (false, false);
        for end in &self.served {
            let wire = |number: &usize| {
                joined
                    .get(*number)
                    .map(|joined| (&joined.wire, &joined.vms))
            };
            match &end.at {
                At::Serial(number, side) => {
                    let Some((Wire::Serial(wire), vms)) = wire(number) else {
                        continue;
                    };
                    let carried = board.carry_serial(world, end.device, wire, *side);
                    if carried.tell {
                        tell(vms, other(*side));
                    }
                    waits |= carried.waits;
                    more |= carried.more;
                }
                At::Ethernet(number, port) => {
                    let (Some((Wire::Ethernet(wire), vms)), Some(frame)) =
                        (wire(number), &mut self.frame)
                    else {
                        continue;
                    };
                    let now = Instant(ns_for(counter::now(), counter::hz()));
                    let carried = board.carry_frames(world, end.device, wire, *port, now, frame);
                    (0..PORTS)
                        .filter(|port| carried.tell.has(*port))
                        .for_each(|port| tell(vms, port));
                    waits |= carried.waits;
                    more |= carried.more;
                }
                At::Pins(number, side, pin) => {
                    let Some((Wire::Pins(wire), vms)) = wire(number) else {
                        continue;
                    };
                    if board.carry_pin(world, end.device, *pin, wire, *side) {
                        tell(vms, other(*side));
                    }
                }
                At::Nobody => {
                    let mut sent = [Sent::Break; 64];
                    more |= board.serial_sent(world, end.device, &mut sent) == sent.len();
                }
            }
        }
        self.waits = waits;
        if more {
            mailbox::post(vm, Mail::WIRES);
        }
    }

    /// This core failed, perhaps with one of these wires in its hands: whoever has one after longer than
    /// any use takes, has it no more.
    pub fn let_go(&self) {
        let joined = WIRES.get().map_or(&[][..], Vec::as_slice);
        for end in &self.served {
            let (At::Serial(number, _) | At::Ethernet(number, _) | At::Pins(number, ..)) = end.at
            else {
                continue;
            };
            match joined.get(number).map(|joined| &joined.wire) {
                Some(Wire::Serial(wire)) => let_go(wire),
                Some(Wire::Ethernet(wire)) => let_go(wire),
                Some(Wire::Pins(wire)) => let_go(wire),
                None => {}
            }
        }
    }

    /// The VM goes up or down: what is sent to one that is down is lost, and holds nobody up.
    pub fn connect(&self, live: bool) {
        let joined = WIRES.get().map_or(&[][..], Vec::as_slice);
        for end in &self.served {
            let wire = |number: &usize| {
                joined
                    .get(*number)
                    .map(|joined| (&joined.wire, &joined.vms))
            };
            match &end.at {
                At::Serial(number, side) => {
                    if let Some((Wire::Serial(wire), vms)) = wire(number)
                        && wire.with(|wire| wire.connect(*side, live))
                    {
                        tell(vms, other(*side));
                    }
                }
                At::Ethernet(number, port) => {
                    if let Some((Wire::Ethernet(wire), _)) = wire(number) {
                        wire.with(|wire| wire.connect(*port, live));
                    }
                }
                At::Pins(number, side, _) => {
                    if let Some((Wire::Pins(wire), vms)) = wire(number)
                        && !live
                        && wire.with(|wire| wire.drive(*side, None))
                    {
                        tell(vms, other(*side));
                    }
                }
                At::Nobody => {}
            }
        }
    }

    /// Tells the log what a VM's wires lost, if anything.
    pub fn account(&self, name: &str) {
        let joined = WIRES.get().map_or(&[][..], Vec::as_slice);
        for end in &self.served {
            match &end.at {
                At::Serial(number, side) => {
                    let Some(Wire::Serial(wire)) = joined.get(*number).map(|joined| &joined.wire)
                    else {
                        continue;
                    };
                    let counts = wire.with(|wire| wire.counts(*side));
                    log::info!(
                        "vm.{name}: wire {number} brought {} characters, {} overruns, {} flawed, {} lost",
                        counts.sent,
                        counts.overruns,
                        counts.flawed,
                        counts.lost
                    );
                }
                At::Ethernet(number, port) => {
                    let Some(Wire::Ethernet(wire)) = joined.get(*number).map(|joined| &joined.wire)
                    else {
                        continue;
                    };
                    let counts = wire.with(|wire| wire.counts(*port));
                    log::info!(
                        "vm.{name}: wire {number} took {} frames, brought {}, dropped {}",
                        counts.sent,
                        counts.delivered,
                        counts.dropped
                    );
                }
                _ => {}
            }
        }
    }
}

const fn other(side: Side) -> usize {
    match side {
        Side::First => 1,
        Side::Second => 0,
    }
}

/// The VM at the wire's end `place` has something to look at.
fn tell(vms: &[usize], place: usize) {
    if let Some(vm) = vms.get(place) {
        mailbox::post(*vm, Mail::WIRES);
    }
}
