//! The wires between VMs: made at boot, shared by the cores, served by each VM's own.
//!
//! A VM serves its ends of the wires when its board has news of them, when it has mail, and at every
//! entry at which something waits for room; how much at a time is bounded (`reliquary::board`'s
//! carrying). Whom that concerns is told by mail, and takes it in its own time: a VM out of its slot
//! finds it when the slot begins.
//!
//! Lock order: a wire's lock is taken alone or inside the network device's, for as long as a queue is
//! changed, and never across a call of a device.

use super::mailbox::{self, Mail};
use super::network::Network;
use super::outside::Outside;
use super::virtio::net::VirtioNet;
use super::{counter, let_go, tap};
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
use reliquary::wire::{Passed, Shared, Side};
use spin::{Mutex, Once};

enum Wire {
    Serial(Tapped<SerialWire>),
    Ethernet(Tapped<EthernetWire>),
    Pins(Tapped<PinWire>),
}

/// A wire of one kind.
struct Tapped<W> {
    wire: Mutex<W>,
    /// The number that its first end has in the tap, if it is tapped.
    first: Option<u16>,
}

impl<W> Shared<W> for Tapped<W> {
    fn with<R>(&self, act: impl FnOnce(&mut W) -> R) -> R {
        self.wire.with(act)
    }

    #[inline]
    fn saw(&self, from: usize, passed: Passed<'_>) {
        if let Some(first) = self.first {
            tap::saw(first.wrapping_add(from as u16), passed);
        }
    }
}

/// A wire, with the VM at each of its ends.
struct Joined {
    wire: Wire,
    vms: Vec<usize>,
    outside: Option<Outside>,
    network: Option<Network>,
}

static WIRES: Once<Vec<Joined>> = Once::new();

/// Makes the wires of a system, once; `network` is the device for the one that leads to the host's network,
/// and its interrupt.
pub fn open(specs: &[WireSpec], mut network: Option<(VirtioNet, u32)>) {
    if specs.iter().any(|spec| spec.tapped) {
        tap::open();
    }
    WIRES.call_once(|| {
        let mut next = 0_u16;
        let joined = specs.iter().enumerate().map(|(number, spec)| {
            let first = spec.tapped.then_some(next);
            next = next.wrapping_add(spec.kind.places() as u16);
            let leads_outside = matches!(spec.kind, WireKind::Outside(_));
            let ends = spec.kind.ends();
            let network = network.take_if(|_| spec.kind.leads_to_network());
            Joined {
                wire: made(&spec.kind, first, network.is_some()),
                vms: ends.iter().map(|end| usize::from(end.vm)).collect(),
                outside: leads_outside.then(|| Outside::new(number as u8)),
                network: network.map(|(net, intid)| Network::new(ends.len(), net, intid)),
            }
        });
        joined.collect()
    });
}

/// A wire at which nobody is up yet: see [`Ends::of`].
fn made(kind: &WireKind, first: Option<u16>, network: bool) -> Wire {
    match kind {
        WireKind::Serial { faithful, .. } => {
            let mut wire = SerialWire::new(*faithful);
            for side in [Side::First, Side::Second] {
                wire.connect(side, false);
            }
            let wire = Mutex::new(wire);
            Wire::Serial(Tapped { wire, first })
        }
        WireKind::Outside(_) => {
            let mut wire = SerialWire::new(false);
            wire.connect(Side::First, false);
            let wire = Mutex::new(wire);
            Wire::Serial(Tapped { wire, first })
        }
        WireKind::Ethernet { ends, .. } => {
            let places = kind.places();
            let mut wire = EthernetWire::new(places);
            (0..places).for_each(|port| wire.connect(port, network && port == ends.len()));
            let wire = Mutex::new(wire);
            Wire::Ethernet(Tapped { wire, first })
        }
        WireKind::Pins(_) => {
            let wire = Mutex::new(PinWire::new());
            Wire::Pins(Tapped { wire, first })
        }
    }
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
                    WireKind::Serial { .. } | WireKind::Outside(_) if board.take_serial(device) => {
                        At::Serial(number, side_of(place))
                    }
                    WireKind::Ethernet { .. } if board.take_frames(device, true) => {
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
    /// comes out. Whether the link has something to send by that.
    pub fn carry(&mut self, vm: usize, board: &mut Board, world: &World<'_>) -> bool {
        let joined = WIRES.get().map_or(&[][..], Vec::as_slice);
        let (mut waits, mut more, mut sends) = (false, false, false);
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
                    let outside = joined
                        .get(*number)
                        .and_then(|joined| joined.outside.as_ref());
                    if let (Some(outside), Some(line)) = (outside, board.serial_line(end.device)) {
                        let left = outside.put_in(wire, line);
                        waits |= left.waits;
                        more |= left.more;
                    }
                    let carried = board.carry_serial(world, end.device, wire, *side);
                    if let Some(outside) = outside {
                        let left = outside.take_out(wire);
                        waits |= left.waits;
                        more |= left.more;
                        sends = true;
                    }
                    if carried.tell {
                        tell(vms, side.other().place());
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
                    let now = now();
                    let mut own = |frame: &mut [u8; FRAME_MAX]| {
                        board.carry_frames(world, end.device, wire, *port, now, frame)
                    };
                    let carried = match network(*number) {
                        None => own(frame),
                        Some(network) => {
                            let (carried, rests) = network.carry(wire, now, frame, own);
                            sends |= rests;
                            carried
                        }
                    };
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
                        tell(vms, side.other().place());
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
        tap::pour() | sends
    }

    /// This core failed, perhaps with one of these wires in its hands: whoever has one after longer than
    /// any use takes, has it no more.
    pub fn let_go(&self) {
        tap::let_go();
        let joined = WIRES.get().map_or(&[][..], Vec::as_slice);
        for end in &self.served {
            let (At::Serial(number, _) | At::Ethernet(number, _) | At::Pins(number, ..)) = end.at
            else {
                continue;
            };
            match joined.get(number).map(|joined| &joined.wire) {
                Some(Wire::Serial(wire)) => let_go(&wire.wire),
                Some(Wire::Ethernet(wire)) => {
                    network(number).into_iter().for_each(Network::let_go);
                    let_go(&wire.wire);
                }
                Some(Wire::Pins(wire)) => let_go(&wire.wire),
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
                        tell(vms, side.other().place());
                    }
                    let outside = joined
                        .get(*number)
                        .and_then(|joined| joined.outside.as_ref());
                    if let Some(outside) = outside.filter(|_| !live) {
                        outside.forget();
                    }
                }
                At::Ethernet(number, port) => {
                    if let Some((Wire::Ethernet(wire), vms)) = wire(number) {
                        wire.with(|wire| wire.connect(*port, live));
                        if live {
                            tell(vms, *port); // what came while nobody was there
                        }
                    }
                }
                At::Pins(number, side, _) => {
                    if let Some((Wire::Pins(wire), vms)) = wire(number)
                        && !live
                    {
                        let drove =
                            |wire: &mut PinWire| (wire.driven(*side), wire.drive(*side, None));
                        let (was_high, tells) = wire.with(drove);
                        if was_high {
                            wire.saw(side.place(), Passed::Level(false));
                        }
                        if tells {
                            tell(vms, side.other().place());
                        }
                    }
                }
                At::Nobody => {}
            }
        }
    }

    /// Tells the log what a VM's wires lost, if anything.
    pub fn account(&self, name: &str) {
        tap::pour_all();
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

/// Bytes from the link for the outside end of a wire. How many there was room for; the VM at its
/// other end is then to be [woken](wake).
pub fn typed(wire: u8, bytes: &[u8]) -> usize {
    let joined = WIRES.get().and_then(|wires| wires.get(usize::from(wire)));
    let outside = joined.and_then(|joined| joined.outside.as_ref());
    outside.map_or(0, |outside| outside.typed(bytes))
}

/// Something has come for the VM at the first end of a wire.
pub fn wake(wire: u8) {
    if let Some(joined) = WIRES.get().and_then(|wires| wires.get(usize::from(wire))) {
        tell(&joined.vms, 0);
    }
}

/// Serves the interrupt of a device behind a wire; false if it is none's.
pub fn interrupt(intid: u32) -> bool {
    tell_all(|network| network.interrupted(intid))
}

/// What rests goes on.
pub fn go_on() {
    tell_all(Network::go_on);
}

/// The VMs at a wire to the network are told, if that asks for it. Whether one was.
fn tell_all(asks: impl Fn(&Network) -> bool) -> bool {
    let mut any = false;
    for joined in WIRES.get().map_or(&[][..], Vec::as_slice) {
        if joined.network.as_ref().is_some_and(&asks) {
            any = true;
            (0..joined.vms.len()).for_each(|place| tell(&joined.vms, place));
        }
    }
    any
}

/// The network at a wire, if it leads there.
fn network(wire: usize) -> Option<&'static Network> {
    WIRES.get()?.get(wire)?.network.as_ref()
}

/// The wires' time: one clock for all VMs.
pub fn now() -> Instant {
    Instant(ns_for(counter::now(), counter::hz()))
}

/// The VM at the wire's end `place` has something to look at.
fn tell(vms: &[usize], place: usize) {
    if let Some(vm) = vms.get(place) {
        mailbox::post(*vm, Mail::WIRES);
    }
}
