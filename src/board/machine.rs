//! The board itself: devices on a bus, joined by wires.

mod access;
mod carry;
mod frames;
mod lines;
mod near;
mod seen;
mod wired;

use super::bus::{Bus, Port};
use super::catalog::{self, Making};
use super::devicetree::Tree;
use super::observe::{By, Kinds, Observer, Seen, What};
use super::plan::{Plan, Window, WindowKind};
use super::recent::Recent;
use super::wiring::{Change, Source, Wiring};
use super::{
    BoardAsk, BusFault, CpuLines, CpuTimer, MapError, Nearest, News, RecentAccess, Reply,
    Transaction, World,
};
use crate::access::Initiator;
use crate::emul::{Cx, Device, Line, Lines, Reset, SerialPort};
use crate::memory::StoreId;
use crate::units::{Instant, Ipa};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
pub use carry::{Carried, CarriedFrames};
use near::{NEAR, Near};

/// How many unclaimed accesses the policy `learn` keeps.
const LEARNED: usize = 64;

/// A board.
#[allow(clippy::struct_excessive_bools)] // each is something that the VM asks about
pub struct Board {
    plan: Plan,
    bus: Bus,
    wiring: Wiring,
    slots: Vec<Slot>,
    /// Indices of the interrupt controllers whose outputs are the CPUs' inputs.
    controllers: Vec<usize>,
    /// The one that CPUs reach by system registers.
    system_registers: Option<usize>,
    /// Changes of inputs that have not reached their devices; room for every input.
    pending: Vec<Change>,
    /// The direct reads of each window: on or off, and whether the metal has been told.
    direct: Vec<Direct>,
    reset: bool,
    power_off: bool,
    remap: Option<bool>,
    recent: Recent,
    near: [Near; NEAR],
    /// The outputs of the interrupt controllers: what the CPUs' inputs are.
    inputs: Lines,
    /// The first of the devices' deadlines.
    deadline: Option<Instant>,
    /// Whether [`take_ask`](Board::take_ask) may have something to tell.
    asking: bool,
    /// See [`take_news`](Board::take_news).
    news: News,
    learned: Vec<RecentAccess>,
    observer: Option<Box<Observer>>,
    /// Whether the devices' output lines lead nowhere: see [`Board::cut_wires`].
    cut: bool,
}

struct Slot {
    device: Box<dyn Device>,
    store: Option<StoreId>,
    lines: Lines,
    /// The lines that lead somewhere.
    wired: Lines,
    deadline: Option<Instant>,
    /// If it has a port to an Ethernet wire: whether someone takes what it sends.
    frames_taken: Option<bool>,
    /// Whether someone takes what its serial port sends.
    serial_taken: bool,
    /// The lines of which someone is told: see [`Board::watch_outputs`].
    watched: Lines,
}

#[derive(Clone, Copy)]
struct Direct {
    on: bool,
    told: bool,
}

impl Board {
    /// Makes the devices of `plan` and joins them.
    pub fn build(plan: &Plan) -> Result<Self, MapError> {
        let tree = Tree::read(&plan.map)?;
        let mut slots = Vec::with_capacity(plan.devices.len());
        let mut controllers = Vec::new();
        for (index, device) in plan.devices.iter().enumerate() {
            let missing = || MapError::new(device.node.clone(), "it is not in the map any more");
            let node = tree.node(&device.node).ok_or_else(missing)?;
            let entry = catalog::find(&device.compatible).ok_or_else(missing)?;
            let bytes = node.reg()?.first().map_or(0, |reg| reg.bytes);
            let mut made = (entry.make)(&Making {
                tree: &tree,
                node,
                plan,
                bytes,
                card: device.card,
            })?;
            if device.drives_cpus {
                controllers.push(index);
            }
            slots.push(Slot {
                lines: Lines::default(),
                wired: wired(plan, index),
                deadline: None,
                frames_taken: made.frames().map(|_| false),
                serial_taken: false,
                watched: Lines::default(),
                store: device.store.map(|(store, _)| store),
                device: made,
            });
        }
        let windows = plan.windows.iter();
        let bus = Bus::new(windows.map(|w| (w.at, w.bytes, port(plan, w)))).map_err(|clash| {
            let node = plan
                .windows
                .get(clash.0)
                .map(|w| w.node.clone())
                .unwrap_or_default();
            MapError::new(node, "its window overlaps another").property("reg")
        })?;
        let wiring = Wiring::new(slots.len(), &plan.wires).map_err(|cycle| {
            let device = cycle.devices.first().and_then(|d| plan.devices.get(*d));
            let node = device.map(|d| d.node.clone()).unwrap_or_default();
            MapError::new(node, "its interrupts go in a circle").property("interrupts")
        })?;
        let mut board = Self {
            bus,
            wiring,
            slots,
            controllers,
            system_registers: plan.system_registers(),
            pending: Vec::with_capacity(plan.wires.len()),
            direct: vec![
                Direct {
                    on: false,
                    told: true
                };
                plan.windows.len()
            ],
            reset: false,
            power_off: false,
            remap: None,
            recent: Recent::new(),
            near: [Near::NOTHING; NEAR],
            inputs: Lines::default(),
            deadline: None,
            asking: true,
            news: News::ALL,
            learned: Vec::with_capacity(LEARNED),
            observer: None,
            cut: false,
            plan: plan.clone(),
        };
        board.direct_reads_at_reset();
        board.settle();
        Ok(board)
    }

    /// What the board was built from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Puts every device into its reset state. Input lines keep the levels of what drives
    /// them; direct reads are asked for anew.
    pub fn reset(&mut self, world: &World<'_>, kind: Reset) {
        for slot in &mut self.slots {
            slot.device.reset(kind);
        }
        self.see(Kinds::ALL, world.now, 0, What::Reset(kind));
        (self.reset, self.power_off, self.remap) = (false, false, None);
        self.direct_reads_at_reset();
        for device in 0..self.slots.len() {
            self.lines_of(device, world.now);
        }
        self.propagate(world);
    }

    /// Has what the board does noted from now on, or no more. An observed device leaves the short
    /// way of an access.
    pub fn observe(&mut self, observer: Option<Observer>) {
        self.observer = observer.map(Box::new);
        self.near = [Near::NOTHING; NEAR];
    }

    /// What is being noted, to be drained.
    pub fn observer(&mut self) -> Option<&mut Observer> {
        self.observer.as_deref_mut()
    }

    /// Cuts the devices' output lines off what they lead to: from now on only
    /// [`drive_output`](Board::drive_output) drives that.
    pub fn cut_wires(&mut self) {
        self.cut = true;
    }

    /// Drives what output `line` of device `index` leads to, whatever the device says.
    pub fn drive_output(&mut self, world: &World<'_>, index: usize, line: u16, level: bool) {
        let device = index;
        self.drive(world, Source::Device { device, line }, level);
    }

    fn see(&mut self, kind: Kinds, at: Instant, device: usize, what: What) {
        if let Some(observer) = &mut self.observer {
            let device = device as u16;
            observer.note(kind, Seen { at, device, what });
        }
    }

    fn sees(&self, kind: Kinds, device: usize) -> bool {
        let observer = self.observer.as_deref();
        observer.is_some_and(|observer| observer.sees(kind, device as u16))
    }

    fn see_bytes(&mut self, at: Instant, device: usize, by: By, all: &[u8]) {
        if let Some(observer) = &mut self.observer {
            observer.note_bytes(at, device as u16, by, all);
        }
    }

    /// A read by a bus master.
    #[inline]
    pub fn read(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
    ) -> Result<Reply, BusFault> {
        if let Some(value) = self.peek(world.now, at, &how) {
            return Ok(Reply::Value(value));
        }
        match self.read_near(world, at, how) {
            Some(reply) => reply,
            None => self.far(world, at, how, None),
        }
    }

    /// A write by a bus master.
    pub fn write(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
        value: u64,
    ) -> Result<Reply, BusFault> {
        match self.write_near(world, at, how, value) {
            Some(reply) => reply,
            None => self.far(world, at, how, Some(value & how.width.mask())),
        }
    }

    /// Whether the interrupt controller is reached by system registers.
    pub fn has_system_registers(&self) -> bool {
        self.system_registers.is_some()
    }

    /// What a tapped access, answered with [`Reply::Host`], read or wrote: it is the latest of
    /// [`recent`](Board::recent).
    pub fn record(&mut self, value: u64) {
        self.recent.correct(value);
        if let Some(observer) = &mut self.observer {
            observer.answered(value);
        }
    }

    /// Brings every device whose deadline is due up to now.
    pub fn advance(&mut self, world: &World<'_>) {
        for device in 0..self.slots.len() {
            let due = self.slots.get(device).and_then(|slot| slot.deadline);
            if due.is_some_and(|due| due <= world.now) {
                self.see_due(world.now, device);
                self.touch(world, device, |device, cx| device.advance(cx));
            }
        }
        self.propagate(world);
    }

    /// Brings device `index` alone up to now.
    pub fn advance_one(&mut self, world: &World<'_>, index: usize) {
        self.touch(world, index, |device, cx| device.advance(cx));
        self.propagate(world);
    }

    fn see_due(&mut self, now: Instant, index: usize) {
        if self.observer.is_some() {
            let due = self.slots.get(index).and_then(|slot| slot.deadline);
            if due.is_some_and(|due| due <= now) {
                self.see(Kinds::DEADLINES, now, index, What::Due);
            }
        }
    }

    /// When [`advance`](Board::advance) is next owed.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What changed since this was last asked. Until then what was told of the rest holds.
    #[inline]
    pub fn take_news(&mut self) -> News {
        core::mem::take(&mut self.news)
    }

    /// The output of a CPU's generic timer: drives the private interrupt that the map names.
    pub fn timer_line(&mut self, world: &World<'_>, cpu: u8, timer: CpuTimer, level: bool) {
        self.drive(
            world,
            Source::Timer {
                cpu,
                timer: timer.number(),
            },
            level,
        );
    }

    /// The level of interrupt `index` of [`Plan::host_interrupts`], a passed-through device's.
    pub fn host_interrupt(&mut self, world: &World<'_>, index: usize, level: bool) {
        self.drive(world, Source::Host(index), level);
    }

    /// A CPU's interrupt inputs.
    pub fn cpu_lines(&self, cpu: u8) -> CpuLines {
        let irq = u16::from(cpu).wrapping_mul(2);
        CpuLines {
            irq: self.inputs.is_high(irq),
            fiq: self.inputs.is_high(irq.wrapping_add(1)),
        }
    }

    /// The next thing that the board asks of its VM; call until `None`. After
    /// [`build`](Board::build) and [`reset`](Board::reset) it tells which windows to map for
    /// direct reads; aliases of such a window are told beside it.
    #[inline]
    pub fn take_ask(&mut self) -> Option<BoardAsk> {
        if self.asking { self.next_ask() } else { None }
    }

    #[cold]
    fn next_ask(&mut self) -> Option<BoardAsk> {
        if core::mem::take(&mut self.power_off) {
            return Some(BoardAsk::PowerOff);
        }
        if core::mem::take(&mut self.reset) {
            return Some(BoardAsk::Reset);
        }
        if let Some(on) = self.remap.take() {
            return Some(BoardAsk::Remap(on));
        }
        let mut untold = self.direct.iter_mut().enumerate().filter(|(_, d)| !d.told);
        let Some((window, direct)) = untold.next() else {
            self.asking = false;
            return None;
        };
        direct.told = true;
        Some(BoardAsk::DirectReads {
            window,
            on: direct.on,
        })
    }

    /// The UART that `/chosen` names in `stdout-path`, or else `serial0`.
    pub fn console(&mut self) -> Option<&mut dyn SerialPort> {
        self.slots.get_mut(self.plan.console?)?.device.serial()
    }

    /// A byte arrives at the console: receives it and propagates the lines. `false` if the
    /// console has no room (the byte was not taken) or the board has none.
    pub fn console_receive(&mut self, world: &World<'_>, byte: u8) -> bool {
        match self.plan.console {
            Some(device) => self.receive(world, device, byte),
            None => false,
        }
    }

    /// A byte arrives at the serial port of device `index`. `false` if it has no room (the byte
    /// was not taken) or no such port.
    pub fn receive(&mut self, world: &World<'_>, index: usize, byte: u8) -> bool {
        let mut room = false;
        self.see_due(world.now, index);
        self.call(world, index, |device, cx| {
            device.advance(cx);
            room = device.serial().is_some_and(|port| port.room() > 0);
        });
        if room {
            self.see_bytes(world.now, index, By::SerialIn, &[byte]);
            self.call(world, index, |device, cx| {
                if let Some(port) = device.serial() {
                    port.receive(cx, byte);
                }
            });
        }
        self.lines_of(index, world.now);
        self.propagate(world);
        room
    }

    /// Whether device `index` has a serial port.
    pub fn has_serial(&mut self, index: usize) -> bool {
        let slot = self.slots.get_mut(index);
        slot.is_some_and(|slot| slot.device.serial().is_some())
    }

    /// The levels of device `index`'s output lines, as they were last taken.
    pub fn output_lines(&self, index: usize) -> Lines {
        self.slots.get(index).map_or(Lines(0), |slot| slot.lines)
    }

    /// The output lines of device `index` that lead to another device.
    pub fn wired_lines(&self, index: usize) -> Lines {
        self.slots.get(index).map_or(Lines(0), |slot| slot.wired)
    }

    /// Whether the console has sent what nobody has taken.
    pub fn console_sends(&self) -> bool {
        let slot = self
            .plan
            .console
            .and_then(|console| self.slots.get(console));
        slot.is_some_and(|slot| slot.device.sends())
    }

    /// Takes the next byte that the console has sent.
    pub fn console_sent(&mut self, now: Instant) -> Option<u8> {
        self.sent(now, self.plan.console?)
    }

    /// Takes the next byte that the serial port of device `index` has sent.
    pub fn sent(&mut self, now: Instant, index: usize) -> Option<u8> {
        let byte = self.slots.get_mut(index)?.device.serial()?.transmitted()?;
        self.see_bytes(now, index, By::SerialOut, &[byte]);
        Some(byte)
    }

    /// Input `line` of device `index` is driven from outside the board.
    pub fn input(&mut self, world: &World<'_>, index: usize, line: Line, level: bool) {
        self.see_input(world.now, index, line, level);
        self.touch(world, index, |device, cx| {
            device.advance(cx);
            device.input(cx, line, level);
        });
        self.propagate(world);
    }

    fn see_input(&mut self, at: Instant, index: usize, line: Line, level: bool) {
        let line = line.0;
        self.see(Kinds::INPUTS, at, index, What::Input { line, level });
    }

    /// What is nearest to `at`.
    pub fn nearest(&self, at: Ipa) -> Option<Nearest<'_>> {
        let distance = |w: &Window| {
            let last = w.at.0.saturating_add(w.bytes.saturating_sub(1));
            w.at.0.saturating_sub(at.0).max(at.0.saturating_sub(last))
        };
        let window = self.plan.windows.iter().min_by_key(|w| distance(w))?;
        let distance = distance(window);
        let inside = (distance == 0).then(|| at.0.wrapping_sub(window.at.0));
        Some(Nearest {
            node: &window.node,
            at: window.at,
            inside,
            distance,
        })
    }

    /// The last [`RECENT`](super::RECENT) device accesses, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = RecentAccess> {
        self.recent.iter(&self.plan.windows)
    }

    /// Unclaimed accesses under the policy `learn`, the first of each address: at most 64.
    pub fn learned(&self) -> &[RecentAccess] {
        &self.learned
    }

    /// Calls a device, then takes what it asks for, its deadline, and its lines.
    fn touch(
        &mut self,
        world: &World<'_>,
        index: usize,
        call: impl FnOnce(&mut dyn Device, &mut Cx<'_>),
    ) {
        self.call(world, index, call);
        self.lines_of(index, world.now);
    }

    /// Calls a device, then takes what it asks for. Its lines are to be taken next.
    fn call(
        &mut self,
        world: &World<'_>,
        index: usize,
        call: impl FnOnce(&mut dyn Device, &mut Cx<'_>),
    ) {
        if self.observer.is_some() {
            return self.call_seen(world, index, call);
        }
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let mut cx = Cx::new(world.now, world.memory, slot.store);
        call(&mut *slot.device, &mut cx);
        if let Some(asked) = cx.asked() {
            self.ask(index, asked);
        }
    }
}

/// The port of a window: its device's, or that of what an alias shows. Memory and the host's
/// registers take every width.
fn port(plan: &Plan, window: &Window) -> Port {
    let shown = match window.kind {
        WindowKind::Alias { target } => plan.windows.iter().find(|w| w.holds(target, 1)),
        _ => Some(window),
    };
    let device = match shown.map(|w| &w.kind) {
        Some(WindowKind::Device { device, .. } | WindowKind::DirectReads { device, .. }) => {
            plan.devices.get(*device)
        }
        _ => None,
    };
    let entry = device.and_then(|device| catalog::find(&device.compatible));
    entry.map_or(Port::DOUBLE, |entry| entry.port)
}

/// The output lines of a device that a wire begins at.
fn wired(plan: &Plan, index: usize) -> Lines {
    let lines = plan.wires.iter().filter_map(|wire| match wire.from {
        Source::Device { device, line } if device == index => Some(line),
        _ => None,
    });
    lines.fold(Lines::default(), |all, line| all.with(line, true))
}

impl core::fmt::Debug for Board {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Board")
            .field("model", &self.plan.model)
            .finish_non_exhaustive()
    }
}

// The initiator of a recent access is `Copy`; a board is moved between cores as a whole.
const _: fn() = || {
    fn sendable<T: Send>() {}
    sendable::<Board>();
    sendable::<Initiator>();
};
