//! The board itself: devices on a bus, joined by wires.

use super::bus::{Bus, Found, Miss, Order, Port};
use super::catalog::{self, Making};
use super::devicetree::Tree;
use super::plan::{Plan, Unclaimed, Window, WindowKind};
use super::recent::Recent;
use super::wiring::{Change, Source, Wiring};
use super::{
    BoardAsk, BusFault, CpuLines, CpuTimer, MapError, Nearest, News, RecentAccess, Reply,
    Transaction, World,
};
use crate::access::{Access, Initiator, Refusal, Width};
use crate::emul::{Ask, Cx, Device, Lines, Reset, SerialPort, Served};
use crate::memory::StoreId;
use crate::units::{HostPa, Instant, Ipa};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

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
}

struct Slot {
    device: Box<dyn Device>,
    store: Option<StoreId>,
    lines: Lines,
    /// The lines that lead somewhere.
    wired: Lines,
    deadline: Option<Instant>,
}

/// A window of a device that was accessed lately: most accesses are served by these few words.
/// As long as a power of two, so that its place is a shift.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Near {
    first: u64,
    /// The offset of its last word.
    last: u64,
    window: u16,
    device: u16,
    region: u8,
}

/// How many of these.
const NEAR: usize = 16;

impl Near {
    /// Only the last byte of all addresses would be here, and no device has this number.
    const NOTHING: Self = Self {
        first: u64::MAX,
        last: 0,
        window: 0,
        device: u16::MAX,
        region: 0,
    };

    /// Where the window of `at` is remembered. Boards put their devices pages, 64 KiB or 16 MiB
    /// apart; a CPU's private ones are some hundred bytes apart.
    #[inline]
    const fn way(at: Ipa) -> usize {
        (at.0 >> 8 ^ at.0 >> 12 ^ at.0 >> 16 ^ at.0 >> 23) as usize % NEAR
    }
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
            let made = (entry.make)(&Making {
                tree: &tree,
                node,
                plan,
                bytes,
            })?;
            if entry.drives_cpus() {
                controllers.push(index);
            }
            slots.push(Slot {
                lines: Lines::default(),
                wired: wired(plan, index),
                deadline: None,
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
        (self.reset, self.power_off, self.remap) = (false, false, None);
        self.direct_reads_at_reset();
        for device in 0..self.slots.len() {
            self.lines_of(device);
        }
        self.propagate(world);
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

    /// A read that changes nothing, of a device that was accessed lately; none if it is not one.
    #[allow(clippy::inline_always)] // every access passes here; for size it would be a call
    #[inline(always)]
    #[allow(clippy::trivially_copy_pass_by_ref)] // by value it is packed into one register
    pub fn peek(&mut self, now: Instant, at: Ipa, how: &Transaction) -> Option<u64> {
        let (near, access) = self.near(at, how)?;
        let slot = self.slots.get(usize::from(near.device))?;
        let value = slot.device.peek(now, access)?;
        self.recent.read(now, at, value, near.window, *how);
        Some(value)
    }

    /// Reads of successive words that change nothing, of one device that was accessed lately;
    /// or nothing is done, and it says so.
    #[inline]
    pub fn peek_run(
        &mut self,
        now: Instant,
        at: Ipa,
        how: Transaction,
        values: &mut [u32],
    ) -> bool {
        let Some((near, mut access)) = self.near(at, &how) else {
            return false;
        };
        let Some(slot) = self.slots.get(usize::from(near.device)) else {
            return false;
        };
        for value in values.iter_mut() {
            match slot.device.peek(now, access) {
                Some(read) if access.offset <= near.last => *value = read as u32,
                _ => return false,
            }
            access.offset = access.offset.wrapping_add(how.width.bytes());
        }
        self.recent.reads(now, at, values, near.window, how);
        true
    }

    /// A read of a device that was accessed lately; none, and nothing done, if it is not one.
    #[inline(never)]
    pub fn read_near(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
    ) -> Option<Result<Reply, BusFault>> {
        let (near, access) = self.near(at, &how).filter(|_| how.width <= Width::Word)?;
        Some(match self.serve(world, near.device, access, None)? {
            Ok(value) => {
                let value = value & how.width.mask();
                self.recent.read(world.now, at, value, near.window, how);
                Ok(Reply::Value(value))
            }
            Err(why) => self.refused(world, at, how, None, why),
        })
    }

    /// A write to a device that was accessed lately; none, and nothing done, if it is not one.
    #[inline(never)]
    pub fn write_near(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
        value: u64,
    ) -> Option<Result<Reply, BusFault>> {
        let value = value & how.width.mask();
        let (near, access) = self.near(at, &how).filter(|_| how.width <= Width::Word)?;
        Some(match self.serve(world, near.device, access, Some(value))? {
            Ok(_) => {
                self.recent.write(world.now, at, value, near.window, how);
                Ok(Reply::Done)
            }
            Err(why) => self.refused(world, at, how, Some(value), why),
        })
    }

    /// What a tapped access, answered with [`Reply::Host`], read or wrote: it is the latest of
    /// [`recent`](Board::recent).
    pub fn record(&mut self, value: u64) {
        self.recent.correct(value);
    }

    /// Brings every device whose deadline is due up to now.
    pub fn advance(&mut self, world: &World<'_>) {
        for device in 0..self.slots.len() {
            let due = self.slots.get(device).and_then(|slot| slot.deadline);
            if due.is_some_and(|due| due <= world.now) {
                self.touch(world, device, |device, cx| device.advance(cx));
            }
        }
        self.propagate(world);
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
        let Some(device) = self.plan.console else {
            return false;
        };
        let mut taken = false;
        self.touch(world, device, |device, cx| {
            device.advance(cx);
            if let Some(port) = device.serial()
                && port.room() > 0
            {
                port.receive(cx, byte);
                taken = true;
            }
        });
        self.propagate(world);
        taken
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

    /// The device that was accessed lately at this address. A doubleword may be more than it takes
    /// at once.
    #[allow(clippy::inline_always)] // every access passes here; for size it would be a call
    #[inline(always)]
    #[allow(clippy::trivially_copy_pass_by_ref)] // by value it is packed into one register
    fn near(&self, at: Ipa, how: &Transaction) -> Option<(Near, Access)> {
        let near = *self.near.get(Near::way(at))?;
        let offset = at.0.wrapping_sub(near.first);
        if offset > near.last {
            return None;
        }
        let access = Access {
            region: near.region,
            offset,
            width: how.width,
            initiator: how.initiator,
            security: how.security,
            privileged: how.privileged,
        };
        Some((near, access))
    }

    /// An access to a device; none if there is no such device.
    #[inline]
    fn serve(
        &mut self,
        world: &World<'_>,
        device: u16,
        access: Access,
        value: Option<u64>,
    ) -> Option<Result<u64, Refusal>> {
        let index = usize::from(device);
        let slot = self.slots.get_mut(index)?;
        let mut cx = Cx::new(world.now, world.memory, slot.store);
        let served = slot.device.access(&mut cx, access, value);
        if served.lines != slot.lines
            || served.deadline != slot.deadline
            || served.sends
            || cx.asked().is_some()
        {
            self.afterwards(world, index, &served, cx.asked());
        }
        Some(served.outcome)
    }

    /// What the device was left with after an access that changed something for others.
    #[cold]
    fn afterwards(&mut self, world: &World<'_>, index: usize, served: &Served, asked: Option<Ask>) {
        if let Some(asked) = asked {
            self.ask(index, asked);
        }
        self.outputs(index, served.lines, served.deadline, served.sends);
        self.propagate(world);
    }

    /// The policy for an access that its device refused, and the record of it.
    #[cold]
    fn refused(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
        value: Option<u64>,
        why: Refusal,
    ) -> Result<Reply, BusFault> {
        let found = self.bus.find(at, how.width.bytes()).ok();
        let mut record = RecentAccess {
            at: world.now,
            initiator: how.initiator,
            window: found.map(|found| found.window),
            ipa: at,
            offset: found.map_or(0, |found| found.offset),
            write: value.is_some(),
            width: how.width,
            value: value.unwrap_or(0),
            refused: false,
        };
        let fault = Err(BusFault::Refused(why));
        let outcome = self.nobody(at, record, fault, record.write);
        record.refused = outcome.is_err();
        self.recent.note(&record);
        outcome
    }

    /// An access to what is not near, or to nothing.
    #[cold]
    fn far(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        self.approach(at);
        let reply = match value {
            None => self.read_near(world, at, how),
            Some(value) => self.write_near(world, at, how, value),
        };
        match reply {
            Some(reply) => reply,
            None => self.access(world, at, how, value),
        }
    }

    /// Remembers the window at `at`, if a device can serve it there.
    fn approach(&mut self, at: Ipa) {
        let found = match self.bus.find(at, 1) {
            Ok(found) if found.port.width >= Width::Word => found,
            _ => return,
        };
        let Some(window) = self.plan.windows.get(found.window) else {
            return;
        };
        let (WindowKind::Device { device, region }
        | WindowKind::DirectReads { device, region, .. }) = window.kind
        else {
            return;
        };
        let (Ok(number), Ok(device)) = (u16::try_from(found.window), u16::try_from(device)) else {
            return;
        };
        if let (Some(last), Some(near)) = (
            window.bytes.checked_sub(Width::Word.bytes()),
            self.near.get_mut(Near::way(at)),
        ) {
            *near = Near {
                first: window.at.0,
                last,
                window: number,
                device,
                region,
            };
        }
    }

    fn access(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let found = self.bus.find(at, how.width.bytes());
        match found {
            Ok(found) if how.width > found.port.width => self.split(world, at, found, how, value),
            found => self.piece(world, at, found, how, value),
        }
    }

    /// An access that is wider than the device's port: the pieces that the bridge makes of it,
    /// at most eight, in its order. When one is refused the rest is not done, and what came
    /// before it has happened.
    #[cold]
    fn split(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        found: Found,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let Port { width, order } = found.port;
        let last = how.width.bytes().wrapping_sub(width.bytes());
        let mut whole = 0;
        for step in (0..=last).step_by(width.bytes() as usize) {
            let offset = match order {
                Order::LowFirst => step,
                Order::HighFirst => last.wrapping_sub(step),
            };
            let shift = (offset as u32).wrapping_mul(8);
            let piece = Found {
                offset: found.offset.wrapping_add(offset),
                ..found
            };
            let reply = self.piece(
                world,
                at.wrapping_add(offset),
                Ok(piece),
                Transaction { width, ..how },
                value.map(|value| value.wrapping_shr(shift) & width.mask()),
            )?;
            match reply {
                Reply::Value(part) => whole |= part.wrapping_shl(shift),
                Reply::Done => {}
                // The host's registers take every width, so none of theirs is split.
                Reply::Host(_) => return Err(BusFault::Memory),
            }
        }
        Ok(value.map_or(Reply::Value(whole), |_| Reply::Done))
    }

    /// One access that its window's port takes whole, or that no window claims.
    fn piece(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        found: Result<Found, Miss>,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let (window, offset) = match found {
            Ok(found) => (Some(found.window), found.offset),
            Err(_) => (None, 0),
        };
        let outcome = match found {
            Ok(found) => self.inside(world, found.window, found.offset, how, value),
            Err(Miss::LeavesWindow) => Err(BusFault::LeavesWindow),
            Err(Miss::Unclaimed) => Err(BusFault::Unclaimed),
        };
        let mut access = RecentAccess {
            at: world.now,
            initiator: how.initiator,
            window,
            ipa: at,
            offset,
            write: value.is_some(),
            width: how.width,
            value: value.unwrap_or(0),
            refused: false,
        };
        let outcome = match outcome {
            Err(BusFault::Unclaimed | BusFault::Refused(_)) => {
                self.nobody(at, access, outcome, value.is_some())
            }
            outcome => outcome,
        };
        access.refused = outcome.is_err();
        if let Ok(Reply::Value(value)) = outcome {
            access.value = value;
        }
        self.recent.note(&access);
        outcome
    }

    /// The map's policy for an address at which no register answers.
    fn nobody(
        &mut self,
        at: Ipa,
        access: RecentAccess,
        fault: Result<Reply, BusFault>,
        write: bool,
    ) -> Result<Reply, BusFault> {
        let inside = |offset: u64, bytes| offset < bytes;
        let range = self.plan.ignored.iter().any(|range| {
            at.0.checked_sub(range.at.0)
                .is_some_and(|offset| inside(offset, range.bytes))
        });
        match self.plan.unclaimed {
            Unclaimed::Abort if !range => return fault,
            Unclaimed::Learn if !range => {
                let known = self.learned.iter().any(|l| (l.ipa, l.write) == (at, write));
                if !known && self.learned.len() < LEARNED {
                    self.learned.push(access);
                }
            }
            _ => {}
        }
        Ok(if write { Reply::Done } else { Reply::Value(0) })
    }

    fn inside(
        &mut self,
        world: &World<'_>,
        window: usize,
        offset: u64,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let window = self.plan.windows.get(window).ok_or(BusFault::Unclaimed)?;
        match &window.kind {
            WindowKind::Device { device, region }
            | WindowKind::DirectReads { device, region, .. } => {
                let (device, region) = (*device, *region);
                let Transaction {
                    width,
                    initiator,
                    security,
                    privileged,
                } = how;
                let access = Access {
                    region,
                    offset,
                    width,
                    initiator,
                    security,
                    privileged,
                };
                self.register(world, device, access, value)
            }
            WindowKind::Rom if value.is_some() => Err(BusFault::Memory),
            WindowKind::Ram | WindowKind::Rom => {
                memory(world, window.at.wrapping_add(offset), how.width, value)
            }
            WindowKind::PassThrough { host, tap, .. } => match host {
                Some(host) if *tap => Ok(Reply::Host(HostPa(host.0.wrapping_add(offset)))),
                _ => Err(BusFault::Memory),
            },
            WindowKind::Alias { target } => {
                let at = target.wrapping_add(offset);
                self.aliased(world, at, how, value)
            }
        }
    }

    /// An access to what is at `at`, through an alias of it.
    fn aliased(
        &mut self,
        world: &World<'_>,
        at: Ipa,
        how: Transaction,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let found = self.bus.find(at, how.width.bytes());
        let Found { window, offset, .. } = found.map_err(|_| BusFault::Memory)?;
        match self.plan.windows.get(window).map(|w| &w.kind) {
            // `Plan::read` refuses an alias of an alias.
            None | Some(WindowKind::Alias { .. }) => Err(BusFault::Memory),
            Some(_) => self.inside(world, window, offset, how, value),
        }
    }

    fn register(
        &mut self,
        world: &World<'_>,
        device: usize,
        access: Access,
        value: Option<u64>,
    ) -> Result<Reply, BusFault> {
        let mut outcome = Err(BusFault::Unclaimed);
        self.touch(world, device, |device, cx| {
            device.advance(cx);
            outcome = match value {
                None => device
                    .read(cx, access)
                    .map(|v| Reply::Value(v & access.width.mask())),
                Some(value) => device.write(cx, access, value).map(|()| Reply::Done),
            }
            .map_err(BusFault::Refused);
        });
        self.propagate(world);
        outcome
    }

    /// Calls a device, then takes what it asks for, its deadline, and its lines.
    fn touch(
        &mut self,
        world: &World<'_>,
        index: usize,
        call: impl FnOnce(&mut dyn Device, &mut Cx<'_>),
    ) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let mut cx = Cx::new(world.now, world.memory, slot.store);
        call(&mut *slot.device, &mut cx);
        if let Some(asked) = cx.asked() {
            self.ask(index, asked);
        }
        self.lines_of(index);
    }

    fn ask(&mut self, index: usize, asked: Ask) {
        self.asking = true;
        match asked {
            Ask::Reset => self.reset = true,
            Ask::PowerOff => self.power_off = true,
            Ask::Remap(on) => self.remap = Some(on),
            Ask::DirectReads { region, on } => self.direct_reads(index, region, on),
        }
    }

    fn lines_of(&mut self, index: usize) {
        if let Some(slot) = self.slots.get(index) {
            let (lines, deadline) = (slot.device.lines(), slot.device.deadline());
            self.outputs(index, lines, deadline, slot.device.sends());
        }
    }

    /// Compares a device's output lines with the last ones, and drives the wires of those that
    /// changed; notes its deadline, and whether it is a console that sends.
    fn outputs(&mut self, index: usize, lines: Lines, deadline: Option<Instant>, sends: bool) {
        if sends && self.plan.console == Some(index) {
            self.news |= News::CONSOLE;
        }
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let earlier = core::mem::replace(&mut slot.deadline, deadline);
        let mut changed = lines.0 ^ slot.lines.0;
        let wired = slot.wired.0;
        slot.lines = lines;
        if earlier != deadline {
            let first = self.slots.iter().filter_map(|slot| slot.deadline).min();
            if first != self.deadline {
                self.news |= News::DEADLINE;
            }
            self.deadline = first;
        }
        if changed != 0 && self.controllers.contains(&index) {
            let controllers = self.controllers.iter().filter_map(|c| self.slots.get(*c));
            let inputs = Lines(controllers.fold(0, |all, slot| all | slot.lines.0));
            if inputs != self.inputs {
                self.news |= News::LINES;
            }
            self.inputs = inputs;
        }
        changed &= wired;
        // At most 64 rounds: one for each line.
        while changed != 0 {
            let line = changed.trailing_zeros() as u16;
            changed &= changed.wrapping_sub(1);
            let source = Source::Device {
                device: index,
                line,
            };
            let pending = &mut self.pending;
            self.wiring
                .drive(source, lines.is_high(line), |change| queue(pending, change));
        }
    }

    fn drive(&mut self, world: &World<'_>, source: Source, level: bool) {
        let pending = &mut self.pending;
        self.wiring
            .drive(source, level, |change| queue(pending, change));
        self.propagate(world);
    }

    /// Delivers changes, those for the devices first in the order first. A device's change
    /// leads only further on in the order, so this ends.
    fn propagate(&mut self, world: &World<'_>) {
        while let Some((place, change)) = self
            .pending
            .iter()
            .copied()
            .enumerate()
            .min_by_key(|(place, change)| (self.wiring.rank(change.device), *place))
        {
            self.pending.remove(place);
            self.touch(world, change.device, |device, cx| {
                device.advance(cx);
                device.input(cx, change.line, change.level);
            });
        }
    }

    /// Reads every device's lines once, after the build, when nothing has run yet.
    fn settle(&mut self) {
        let world = World {
            now: Instant::ZERO,
            memory: &crate::memory::NoMemory,
        };
        for device in 0..self.slots.len() {
            self.lines_of(device);
        }
        self.propagate(&world);
    }

    fn direct_reads_at_reset(&mut self) {
        for window in 0..self.plan.windows.len() {
            if let Some(WindowKind::DirectReads {
                device,
                region,
                at_reset,
                ..
            }) = self.plan.windows.get(window).map(|w| &w.kind)
            {
                let (device, region, on) = (*device, *region, *at_reset);
                self.direct_reads(device, region, on);
                self.tell_again(device, region);
                self.asking = true;
            }
        }
    }

    /// Switches the direct reads of a register block, and of the aliases that show it.
    fn direct_reads(&mut self, device: usize, region: u8, on: bool) {
        for (window, direct) in self.plan.windows.iter().zip(&mut self.direct) {
            if shows(&self.plan.windows, window, device, region) && direct.on != on {
                *direct = Direct { on, told: false };
            }
        }
    }

    fn tell_again(&mut self, device: usize, region: u8) {
        for (window, direct) in self.plan.windows.iter().zip(&mut self.direct) {
            if shows(&self.plan.windows, window, device, region) {
                direct.told = false;
            }
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

/// Whether `window` is the register block `region` of `device`, or an alias of a part of it.
fn shows(windows: &[Window], window: &Window, device: usize, region: u8) -> bool {
    let is = |w: &Window| {
        matches!(&w.kind, WindowKind::DirectReads { device: d, region: r, .. }
            if *d == device && *r == region)
    };
    match &window.kind {
        WindowKind::Alias { target } => windows.iter().any(|w| is(w) && w.holds(*target, 1)),
        _ => is(window),
    }
}

/// Queues a change; a change of the same input that is still on its way is overtaken by it.
fn queue(pending: &mut Vec<Change>, change: Change) {
    let same = |p: &&mut Change| (p.device, p.line) == (change.device, change.line);
    if let Some(waiting) = pending.iter_mut().find(same) {
        waiting.level = change.level;
    } else if pending.len() < pending.capacity() {
        // There is room for one change of every input, so this is always so.
        pending.push(change);
    }
}

/// An access to memory that stage 2 did not serve: it traps on a board without it.
fn memory(world: &World<'_>, at: Ipa, width: Width, value: Option<u64>) -> Result<Reply, BusFault> {
    let mut bytes = value.unwrap_or(0).to_le_bytes();
    let bytes = bytes
        .get_mut(..width.bytes() as usize)
        .ok_or(BusFault::Memory)?;
    if value.is_some() {
        world
            .memory
            .write(at, bytes)
            .map_err(|_| BusFault::Memory)?;
        return Ok(Reply::Done);
    }
    world.memory.read(at, bytes).map_err(|_| BusFault::Memory)?;
    let mut whole = [0; 8];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    Ok(Reply::Value(u64::from_le_bytes(whole)))
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
