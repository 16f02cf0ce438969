//! A board's map, read and checked.

use super::catalog::{self, Entry, Input, Output};
use super::census::{self, Role};
use super::devicetree::{Node, Tree};
use super::error::MapError;
use super::wiring::{Source, Wire, Wiring};
use super::{CpuTimer, bus, pass_through};
use crate::access::SYSTEM_REGISTERS;
use crate::emul::{Line, sd_card};
use crate::memory::StoreId;
use crate::units::{HostPa, Ipa};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A board's map, read and checked: what [`super::Board::build`] makes a board from, what the
/// metal makes stage 2 from, and what `check` looks at.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The root's `model`.
    pub model: String,
    /// The root's `compatible`.
    pub compatible: Vec<String>,
    /// `reliquary,secure`: the guest enters in Secure state.
    pub secure: bool,
    /// The CPUs, in the map's order; a vCPU's number is its index here. A VM with fewer cores
    /// than the board cuts the list before it builds the board.
    pub cpus: Vec<CpuPlan>,
    /// How the guest reaches PSCI, if the board has it.
    pub psci: Option<PsciPlan>,
    /// The generic timer, if the board has one.
    pub timer: Option<TimerPlan>,
    /// All windows, sorted by address; none overlaps another.
    pub windows: Vec<Window>,
    /// The devices, in the map's order.
    pub devices: Vec<DevicePlan>,
    /// The interrupt wiring.
    pub wires: Vec<Wire>,
    /// Index in `devices` of the console's UART.
    pub console: Option<usize>,
    /// Interrupts of passed-through devices, which the metal forwards.
    pub host_interrupts: Vec<HostInterrupt>,
    /// What an access meets that no window claims.
    pub unclaimed: Unclaimed,
    /// What becomes of a load-exclusive on a device.
    pub exclusives: Exclusives,
    /// What becomes of an access that cannot be emulated.
    pub cannot_emulate: CannotEmulate,
    /// Ranges with a policy of their own: what falls there is ignored.
    pub ignored: Vec<Range>,
    /// Whether the board's own firmware is taken to have run, and to have left behind what
    /// `reliquary,left-running` says.
    pub firmware_ran: bool,
    /// What a real-time clock that nobody has set shows at time 0, in Unix seconds.
    pub unix_seconds: u32,
    /// How many nanoseconds of that second have gone by then.
    pub unix_ns: u32,
    /// The map itself, from which the devices' constructors read.
    pub map: Vec<u8>,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first address.
    pub at: Ipa,
    /// Its size; never 0, and `at + bytes` does not wrap.
    pub bytes: u64,
}

/// What an access meets that no window claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unclaimed {
    /// An external abort.
    #[default]
    Abort,
    /// Reads as zero, ignores writes.
    Ignore,
    /// As `Ignore`, and the access is kept for the report.
    Learn,
}

/// What becomes of a load-exclusive on a device (`reliquary,exclusives`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exclusives {
    /// The fault "unsupported exclusive".
    #[default]
    Abort,
    /// It is carried out with its store-exclusive, if that is not far.
    CarryOut,
}

/// What becomes of an access that cannot be emulated (`reliquary,cannot-emulate`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CannotEmulate {
    /// The VM stops with a report.
    #[default]
    Stop,
    /// The guest takes an external abort.
    Abort,
}

/// One CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuPlan {
    /// Its node's path.
    pub node: String,
    /// The `compatible` that picks its identity: `arm,cortex-a9`.
    pub compatible: String,
    /// `reg`: the affinity fields of its MPIDR.
    pub affinity: u64,
}

/// How the guest calls PSCI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PsciPlan {
    /// By HVC, or else by SMC.
    pub hvc: bool,
    /// The newest version that `compatible` names: 1 for 0.1, 2 for 0.2, 0x100 for 1.0.
    pub version: u16,
    /// Function numbers of a 0.1 node: `cpu_suspend`, `cpu_off`, `cpu_on`, `migrate`.
    pub functions: [Option<u32>; 4],
}

/// The generic timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerPlan {
    /// The private interrupt (INTID 16 to 31) of each [`CpuTimer`], in its order.
    pub ppis: [Option<u16>; 4],
    /// `clock-frequency`, which the firmware of a board sometimes leaves to the tree.
    pub frequency: Option<u32>,
    /// `reliquary,any-timer-frequency`: the guest does not care what CNTFRQ says.
    pub any_frequency: bool,
}

/// A part of the board's address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first address.
    pub at: Ipa,
    /// Its size; never 0, and `at + bytes` does not wrap.
    pub bytes: u64,
    /// The path of its node in the map.
    pub node: String,
    /// What it is.
    pub kind: WindowKind,
}

/// What a window is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Memory, mapped read, write and execute.
    Ram,
    /// Memory that the guest only reads.
    Rom,
    /// Memory that other VMs have too. It is none of the board's devices' or of its images'.
    Shared {
        /// Its number in the system.
        memory: u16,
        /// Whether the guest only reads it.
        read_only: bool,
    },
    /// The memory (or direct reads) of another window, again. The whole of it lies in one
    /// window, which is no alias.
    Alias {
        /// The address of which this window's first byte is an alias.
        target: Ipa,
    },
    /// Registers: every access is emulated.
    Device {
        /// Index in [`Plan::devices`].
        device: usize,
        /// Which of its register blocks.
        region: u8,
    },
    /// Registers whose reads go straight to a store while the device says so.
    DirectReads {
        /// Index in [`Plan::devices`].
        device: usize,
        /// Which of its register blocks.
        region: u8,
        /// The store.
        store: StoreId,
        /// Where in the store the window begins, in bytes.
        offset: u64,
        /// Whether reads are direct after a reset.
        at_reset: bool,
    },
    /// The host's registers.
    PassThrough {
        /// Path of the device's node in the host's tree.
        host_node: String,
        /// Which of that node's register blocks.
        region: u8,
        /// Where it is on the host, once [`Plan::bind_host`] has found it.
        host: Option<HostPa>,
        /// `reliquary,tap`: trapped, carried out by the metal, and recorded. Otherwise the
        /// metal maps the pages.
        tap: bool,
    },
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePlan {
    /// Its node's path.
    pub node: String,
    /// The `compatible` by which its emulator is found.
    pub compatible: String,
    /// Whether it is an interrupt controller whose outputs are the CPUs' inputs.
    pub drives_cpus: bool,
    /// A backing store of this many bytes, if it has one: its direct windows, one after the
    /// other in the order of `reg`; or the card in its slot.
    pub store: Option<(StoreId, u64)>,
    /// Whether it has a slot for a memory card.
    pub card_slot: bool,
    /// What is in that slot.
    pub card: Option<sd_card::Config>,
}

/// There is no slot that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSlot;

/// An interrupt of a passed-through device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInterrupt {
    /// Path of the device's node in the map.
    pub node: String,
    /// Path of the device's node in the host's tree.
    pub host_node: String,
    /// Index in that node's `interrupts`.
    pub index: usize,
    /// The host GIC's INTID, once [`Plan::bind_host`] has found it.
    pub intid: Option<u32>,
    /// Whether the host's tree calls it edge-triggered.
    pub edge: bool,
}

impl Plan {
    /// Reads a map, a flattened device tree, and says everything that is wrong with it.
    pub fn read(map: &[u8]) -> Result<Self, Vec<MapError>> {
        let tree = Tree::read(map).map_err(|error| alloc::vec![error])?;
        let (roles, errors) = census::roles(&tree);
        let mut reading = Reading {
            plan: Self {
                map: tree.blob().to_vec(),
                firmware_ran: true,
                ..Self::default()
            },
            errors,
            devices: Vec::new(),
        };
        reading.root(&tree);
        for (node, role) in &roles {
            let step = reading.node(*node, *role);
            reading.keep(step);
        }
        if reading.plan.cpus.is_empty() {
            reading.errors.push(
                MapError::new("/cpus", "there is no CPU")
                    .mend("add a cpu node with its compatible"),
            );
        }
        reading.check_windows();
        reading.wire(&roles);
        reading.console(&tree);
        if reading.errors.is_empty() {
            Ok(reading.plan)
        } else {
            Err(reading.errors)
        }
    }

    /// Finds the passed-through devices in the host's tree: addresses and interrupts.
    pub fn bind_host(&mut self, host: &[u8]) -> Result<(), Vec<MapError>> {
        pass_through::bind(self, host)
    }

    /// The node of a device of the host's that this board and `other` are both given; both are
    /// bound. One host device serves one VM.
    pub fn host_device_of_both(&self, other: &Plan) -> Option<&str> {
        pass_through::shared(self, other)
    }

    /// The index of the interrupt controller that CPUs reach by system registers, if there is one:
    /// such a board needs a host whose CPUs have a GICv3's.
    pub fn system_registers(&self) -> Option<usize> {
        let has = |d: &DevicePlan| catalog::find(&d.compatible).is_some_and(|e| e.system_registers);
        self.devices.iter().position(has)
    }

    /// Puts a card into the first slot that is free; its medium is the device's store, which this
    /// returns. To be done before the board is built.
    pub fn insert_card(&mut self, card: sd_card::Config) -> Result<StoreId, NoSlot> {
        let store = StoreId(self.stores().count() as u16);
        let free = |device: &&mut DevicePlan| device.card_slot && device.card.is_none();
        let device = self.devices.iter_mut().find(free).ok_or(NoSlot)?;
        device.store = Some((store, card.bytes()));
        device.card = Some(card);
        Ok(store)
    }

    /// The stores in the order of their numbers, from 0 on: each with its device's index and its
    /// size.
    pub fn stores(&self) -> impl Iterator<Item = (usize, u64)> {
        let mut stores: Vec<_> = self
            .devices
            .iter()
            .enumerate()
            .filter_map(|(index, device)| device.store.map(|(id, bytes)| (id, index, bytes)))
            .collect();
        stores.sort_unstable();
        stores.into_iter().map(|(_, index, bytes)| (index, bytes))
    }

    /// Whether `at` to `at + bytes` is one window's RAM.
    pub fn is_ram(&self, at: Ipa, bytes: u64) -> bool {
        self.windows
            .iter()
            .any(|w| matches!(w.kind, WindowKind::Ram) && w.holds(at, bytes))
    }
}

impl Window {
    /// Whether `at` to `at + bytes` lies in it.
    pub fn holds(&self, at: Ipa, bytes: u64) -> bool {
        at.0.checked_sub(self.at.0)
            .and_then(|offset| offset.checked_add(bytes))
            .is_some_and(|end| end <= self.bytes)
    }
}

/// A plan on its way.
struct Reading {
    plan: Plan,
    errors: Vec<MapError>,
    /// The node's number in the tree, and the emulator, of each of the plan's devices.
    devices: Vec<(usize, &'static Entry)>,
}

impl Reading {
    fn keep(&mut self, step: Result<(), MapError>) {
        if let Err(error) = step {
            self.errors.push(error);
        }
    }

    fn root(&mut self, tree: &Tree<'_>) {
        let root = tree.root();
        self.plan.model = root
            .strings("model")
            .next()
            .map(ToOwned::to_owned)
            .unwrap_or_default();
        self.plan.compatible = root.strings("compatible").map(ToOwned::to_owned).collect();
        self.plan.secure = root.has("reliquary,secure");
        self.plan.unclaimed = self.policy(
            root,
            "reliquary,unclaimed",
            &[
                ("abort", Unclaimed::Abort),
                ("ignore", Unclaimed::Ignore),
                ("learn", Unclaimed::Learn),
            ],
        );
        self.plan.exclusives = self.policy(
            root,
            "reliquary,exclusives",
            &[
                ("abort", Exclusives::Abort),
                ("carry-out", Exclusives::CarryOut),
            ],
        );
        self.plan.cannot_emulate = self.policy(
            root,
            "reliquary,cannot-emulate",
            &[
                ("stop", CannotEmulate::Stop),
                ("abort", CannotEmulate::Abort),
            ],
        );
        let step = self.ignored(root);
        self.keep(step);
    }

    /// One of the words that a property may say; the default where it is not there.
    fn policy<T: Copy + Default>(
        &mut self,
        root: Node<'_, '_>,
        property: &str,
        words: &[(&str, T)],
    ) -> T {
        let Some(said) = root.strings(property).next() else {
            return T::default();
        };
        if let Some((_, policy)) = words.iter().find(|(word, _)| *word == said) {
            return *policy;
        }
        let words: Vec<String> = words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        self.errors.push(
            root.wrong(format!("\"{said}\" is no policy"))
                .property(property)
                .mend(format!("say {}", words.join(" or "))),
        );
        T::default()
    }

    fn ignored(&mut self, root: Node<'_, '_>) -> Result<(), MapError> {
        let name = "reliquary,ignore-ranges";
        let Some(mut cells) = root.cells(name)? else {
            return Ok(());
        };
        let (address, size) = (root.address_cells(), root.size_cells());
        while !cells.is_empty() {
            let (Some(at), Some(bytes)) = (cells.take_u64(address), cells.take_u64(size)) else {
                return Err(root
                    .wrong(format!("not {address} + {size} cells each"))
                    .property(name));
            };
            if bytes == 0 || at.checked_add(bytes).is_none() {
                return Err(root
                    .wrong(format!("{at:#x}, {bytes:#x} is no range"))
                    .property(name));
            }
            self.plan.ignored.push(Range { at: Ipa(at), bytes });
        }
        Ok(())
    }

    fn node(&mut self, node: Node<'_, '_>, role: Role) -> Result<(), MapError> {
        match role {
            Role::Described | Role::Bus | Role::Part | Role::Disabled => Ok(()),
            Role::Memory | Role::Ram => self.memory(node),
            Role::Alias => self.alias(node),
            Role::Cpu => self.cpu(node),
            Role::Timer => self.timer(node),
            Role::Psci => self.psci(node),
            Role::Device(entry) => self.device(node, entry),
            Role::PassThrough { tap } => self.pass_through(node, tap),
            Role::Unknown => Err(unknown(node)),
        }
    }

    /// The node's register blocks in CPU addresses, sound as windows.
    fn blocks(node: Node<'_, '_>) -> Result<Vec<(Ipa, u64)>, MapError> {
        let blocks = node.reg()?.into_iter().map(|reg| {
            let at = reg.cpu.ok_or_else(|| {
                node.wrong(format!(
                    "{:#x} is in no range of the buses above it",
                    reg.bus
                ))
                .property("reg")
                .mend("the ranges of its parents must lead there")
            })?;
            if reg.bytes == 0 {
                return Err(node.wrong("a block of no bytes").property("reg"));
            }
            if at.checked_add(reg.bytes).is_none() {
                return Err(node
                    .wrong("it wraps around the end of addresses")
                    .property("reg"));
            }
            Ok((Ipa(at), reg.bytes))
        });
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        if blocks.is_empty() {
            return Err(node.wrong("it has no reg").mend("give it its addresses"));
        }
        Ok(blocks)
    }

    fn memory(&mut self, node: Node<'_, '_>) -> Result<(), MapError> {
        for (at, bytes) in Self::blocks(node)? {
            if (at.0 | bytes) & 0xfff != 0 {
                return Err(node
                    .wrong(format!("{at}, {bytes:#x} bytes: not whole pages of 4 KiB"))
                    .property("reg"));
            }
            self.window(at, bytes, node, WindowKind::Ram);
        }
        Ok(())
    }

    fn window(&mut self, at: Ipa, bytes: u64, node: Node<'_, '_>, kind: WindowKind) {
        self.plan.windows.push(Window {
            at,
            bytes,
            node: node.path(),
            kind,
        });
    }

    fn alias(&mut self, node: Node<'_, '_>) -> Result<(), MapError> {
        let name = "reliquary,alias";
        let target = node
            .cells(name)?
            .and_then(|mut cells| cells.take_u64(cells.len()));
        let target = target.ok_or_else(|| node.wrong("it is no address").property(name))?;
        let mut offset = 0u64;
        for (at, bytes) in Self::blocks(node)? {
            let target = Ipa(target.wrapping_add(offset));
            self.window(at, bytes, node, WindowKind::Alias { target });
            offset = offset.wrapping_add(bytes);
        }
        Ok(())
    }

    fn cpu(&mut self, node: Node<'_, '_>) -> Result<(), MapError> {
        let mut reg = node.cells("reg")?.unwrap_or_default();
        let affinity = reg.take_u64(reg.len()).unwrap_or(0);
        let compatible = node
            .strings("compatible")
            .next()
            .unwrap_or_default()
            .to_owned();
        self.plan.cpus.push(CpuPlan {
            node: node.path(),
            compatible,
            affinity,
        });
        Ok(())
    }

    fn timer(&mut self, node: Node<'_, '_>) -> Result<(), MapError> {
        let mut ppis = [None; 4];
        for (slot, interrupt) in ppis.iter_mut().zip(node.interrupts()?) {
            let [kind, number, ..] = interrupt.specifier;
            if kind != 1 || number > 15 {
                return Err(node
                    .wrong(format!(
                        "interrupt <{kind} {number}> is no private interrupt (1, 0 to 15)"
                    ))
                    .property("interrupts"));
            }
            *slot = Some(number as u16 | 16);
        }
        self.plan.timer = Some(TimerPlan {
            ppis,
            frequency: node.u32("clock-frequency")?,
            any_frequency: node
                .parent()
                .is_some_and(|p| p.has("reliquary,any-timer-frequency"))
                || node.has("reliquary,any-timer-frequency"),
        });
        Ok(())
    }

    fn psci(&mut self, node: Node<'_, '_>) -> Result<(), MapError> {
        let hvc = match node.str("method")? {
            Some("hvc") => true,
            Some("smc") => false,
            _ => return Err(node.wrong("it is neither hvc nor smc").property("method")),
        };
        let version = if node.is_compatible("arm,psci-1.0") {
            0x100
        } else if node.is_compatible("arm,psci-0.2") {
            2
        } else {
            1
        };
        let mut functions = [None; 4];
        for (slot, name) in
            functions
                .iter_mut()
                .zip(["cpu_suspend", "cpu_off", "cpu_on", "migrate"])
        {
            *slot = node.u32(name)?;
        }
        self.plan.psci = Some(PsciPlan {
            hvc,
            version,
            functions,
        });
        Ok(())
    }

    fn device(&mut self, node: Node<'_, '_>, entry: &'static Entry) -> Result<(), MapError> {
        let device = self.plan.devices.len();
        let blocks = Self::blocks(node)?;
        let store = entry.direct_reads.then(|| {
            let stores = self.plan.stores().count();
            StoreId(stores as u16)
        });
        let mut stored = 0u64;
        for (region, (at, bytes)) in blocks.into_iter().enumerate() {
            let region = u8::try_from(region).ok().filter(|n| *n < SYSTEM_REGISTERS);
            let region = region
                .ok_or_else(|| node.wrong("more than 255 register blocks").property("reg"))?;
            let kind = match store {
                None if entry.shares_memory() && region == 0 => shared(node, at, bytes)?,
                Some(store) => WindowKind::DirectReads {
                    device,
                    region,
                    store,
                    offset: stored,
                    at_reset: true,
                },
                None => WindowKind::Device { device, region },
            };
            stored = stored.saturating_add(bytes);
            self.window(at, bytes, node, kind);
        }
        self.devices.push((node.index(), entry));
        self.plan.devices.push(DevicePlan {
            node: node.path(),
            compatible: entry.compatible.to_owned(),
            drives_cpus: entry.drives_cpus(node),
            store: store.map(|store| (store, stored)),
            card_slot: entry.card_slot,
            card: None,
        });
        Ok(())
    }

    fn pass_through(&mut self, node: Node<'_, '_>, tap: bool) -> Result<(), MapError> {
        let name = "reliquary,pass-through";
        let host_node = node.str(name)?.unwrap_or_default().to_owned();
        for (region, (at, bytes)) in Self::blocks(node)?.into_iter().enumerate() {
            // Whole pages, and no overlap: so no other node's registers share them.
            if !tap && (at.0 | bytes) & 0xfff != 0 {
                return Err(node
                    .wrong(format!(
                        "{at}, {bytes:#x} bytes: a part of a page cannot be passed through"
                    ))
                    .property("reg")
                    .mend("give it whole pages of 4 KiB, or reliquary,tap"));
            }
            let kind = WindowKind::PassThrough {
                host_node: host_node.clone(),
                region: region.min(255) as u8,
                host: None,
                tap,
            };
            self.window(at, bytes, node, kind);
        }
        Ok(())
    }

    /// Sorts the windows; says which overlap, and which alias leads nowhere.
    fn check_windows(&mut self) {
        let windows = &mut self.plan.windows;
        windows.sort_by_key(|w| w.at);
        for pair in windows.windows(2) {
            let [a, b] = pair else { continue };
            let Some(shared) =
                a.at.0
                    .checked_add(a.bytes)
                    .and_then(|e| e.checked_sub(b.at.0))
            else {
                continue;
            };
            if shared == 0 {
                continue;
            }
            let ram = |w: &Window| matches!(w.kind, WindowKind::Ram);
            let (it, other) = if ram(b) && !ram(a) { (a, b) } else { (b, a) };
            let what = if ram(other) {
                format!(
                    "the window at {} lies over the RAM of {}",
                    it.at, other.node
                )
            } else {
                format!(
                    "the window at {} overlaps that of {} at {}",
                    it.at, other.node, other.at
                )
            };
            self.errors.push(
                MapError::new(it.node.clone(), what)
                    .property("reg")
                    .mend("move one, make it smaller, or disable it"),
            );
        }
        for window in windows.iter() {
            let WindowKind::Alias { target } = window.kind else {
                continue;
            };
            let sound = |w: &Window| {
                w.holds(target, window.bytes)
                    && matches!(
                        w.kind,
                        WindowKind::Ram | WindowKind::Rom | WindowKind::DirectReads { .. }
                    )
            };
            if !windows.iter().any(sound) {
                self.errors.push(
                    MapError::new(
                        window.node.clone(),
                        format!(
                            "{:#x} bytes at {target} are not inside one memory",
                            window.bytes
                        ),
                    )
                    .property("reliquary,alias"),
                );
            }
        }
        if self.errors.is_empty()
            && let Err(bus::Clash(a, _)) =
                bus::Bus::new(windows.iter().map(|w| (w.at, w.bytes, bus::Port::DOUBLE)))
        {
            let node = windows.get(a).map(|w| w.node.clone()).unwrap_or_default();
            self.errors
                .push(MapError::new(node, "its window cannot be on the bus").property("reg"));
        }
    }

    /// Follows every device's interrupts to a controller's input.
    fn wire(&mut self, roles: &[(Node<'_, '_>, Role)]) {
        for (node, role) in roles {
            let step = match role {
                Role::Device(entry) if !entry.drives_cpus(*node) => {
                    let device = self
                        .devices
                        .iter()
                        .position(|(index, _)| *index == node.index());
                    match device {
                        Some(device) => {
                            let slot = if entry.card_slot {
                                self.wire_slot(*node, device)
                            } else {
                                Ok(())
                            };
                            slot.and_then(|()| self.wire_device(*node, device, entry))
                        }
                        None => Ok(()),
                    }
                }
                Role::PassThrough { .. } => self.wire_host(*node),
                Role::Timer => self.wire_timers(*node),
                _ => Ok(()),
            };
            self.keep(step);
        }
        if let Err(cycle) = Wiring::new(self.plan.devices.len(), &self.plan.wires) {
            let mut nodes = cycle
                .devices
                .iter()
                .filter_map(|d| self.plan.devices.get(*d));
            let first = nodes.next().map(|d| d.node.clone()).unwrap_or_default();
            let others: Vec<_> = nodes.map(|d| d.node.as_str()).collect();
            self.errors.push(
                MapError::new(
                    first,
                    format!(
                        "its interrupts go in a circle through {}",
                        others.join(", ")
                    ),
                )
                .property("interrupts")
                .mend("a controller's output may not lead back to its input"),
            );
        }
    }

    /// The index and input of the controller that an interrupt of `node` reaches.
    fn target(
        &self,
        node: Node<'_, '_>,
        interrupt: &super::devicetree::interrupts::Interrupt<'_, '_>,
    ) -> Result<(usize, Input), MapError> {
        let wrong = |what: String| node.wrong(what).property("interrupts");
        let index = interrupt.controller.index();
        let found = self.devices.iter().position(|(node, _)| *node == index);
        let found = found.and_then(|d| Some((d, self.devices.get(d)?.1.controller?)));
        let Some((device, controller)) = found else {
            return Err(wrong(format!(
                "{} is no interrupt controller that is emulated",
                interrupt.controller.path()
            )));
        };
        let input = (controller.input)(interrupt.controller, &interrupt.specifier)
            .map_err(|what| wrong(what).mend("the binding of the controller says what is"))?;
        Ok((device, input))
    }

    fn wire_device(
        &mut self,
        node: Node<'_, '_>,
        device: usize,
        entry: &Entry,
    ) -> Result<(), MapError> {
        let interrupts = node.interrupts()?;
        for (index, interrupt) in interrupts.iter().enumerate() {
            let (to, input) = self.target(node, interrupt)?;
            let output = Output {
                index,
                of: interrupts.len(),
                cpu: None,
            };
            match input {
                Input::Shared(input) => {
                    let line = (entry.line)(node, output);
                    self.plan.wires.push(Wire {
                        from: Source::Device { device, line },
                        to,
                        input,
                    });
                }
                Input::Private { id, .. } => {
                    for cpu in 0..self.plan.cpus.len().min(8) as u8 {
                        let line = (entry.line)(
                            node,
                            Output {
                                cpu: Some(cpu),
                                ..output
                            },
                        );
                        let input = catalog::ppi_line(cpu, id);
                        self.plan.wires.push(Wire {
                            from: Source::Device { device, line },
                            to,
                            input,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// The switches of a card slot, where `cd-gpios` and `wp-gpios` lead to system registers.
    fn wire_slot(&mut self, node: Node<'_, '_>, device: usize) -> Result<(), MapError> {
        for (property, line) in [("cd-gpios", 2), ("wp-gpios", 3)] {
            let Some(mut cells) = node.cells(property)? else {
                continue;
            };
            let (Some(phandle), Some(input)) = (cells.next(), cells.next()) else {
                continue;
            };
            let gpio = node.refer(phandle, property)?;
            if !gpio.is_compatible("arm,vexpress-sysreg,sys_mci") {
                continue;
            }
            let index = gpio.parent().map(Node::index);
            let to = self.devices.iter().position(|(n, _)| Some(*n) == index);
            if let Some(to) = to {
                self.plan.wires.push(Wire {
                    from: Source::Device { device, line },
                    to,
                    input: Line(input as u16),
                });
            }
        }
        Ok(())
    }

    fn wire_host(&mut self, node: Node<'_, '_>) -> Result<(), MapError> {
        let host_node = node.str("reliquary,pass-through")?.unwrap_or_default();
        for (index, interrupt) in node.interrupts()?.iter().enumerate() {
            let (to, input) = self.target(node, interrupt)?;
            let Input::Shared(input) = input else {
                return Err(node
                    .wrong("a private interrupt cannot be forwarded from the host")
                    .property("interrupts"));
            };
            let from = Source::Host(self.plan.host_interrupts.len());
            self.plan.wires.push(Wire { from, to, input });
            self.plan.host_interrupts.push(HostInterrupt {
                node: node.path(),
                host_node: host_node.to_owned(),
                index,
                intid: None,
                edge: false,
            });
        }
        Ok(())
    }

    fn wire_timers(&mut self, node: Node<'_, '_>) -> Result<(), MapError> {
        for (timer, interrupt) in node.interrupts()?.iter().enumerate().take(CpuTimer::COUNT) {
            let (to, input) = self.target(node, interrupt)?;
            let Input::Private { id, .. } = input else {
                continue;
            };
            for cpu in 0..self.plan.cpus.len().min(8) as u8 {
                let from = Source::Timer {
                    cpu,
                    timer: timer as u8,
                };
                self.plan.wires.push(Wire {
                    from,
                    to,
                    input: catalog::ppi_line(cpu, id),
                });
            }
        }
        Ok(())
    }

    /// `/chosen`'s console, or the first UART of the aliases, or the first UART.
    fn console(&mut self, tree: &Tree<'_>) {
        let named = tree
            .stdout()
            .map(|(node, _)| node)
            .or_else(|| tree.node("serial0"));
        let index = named.map(Node::index);
        self.plan.console = self
            .devices
            .iter()
            .position(|(node, _)| Some(*node) == index);
        if let Some(node) = named
            && self.plan.console.is_none()
            && tree.stdout().is_some()
        {
            self.errors.push(
                MapError::new(
                    "/chosen",
                    format!("{} is no device that is emulated", node.path()),
                )
                .property("stdout-path")
                .mend("name a UART that is emulated, or leave stdout-path out: no console"),
            );
        }
    }
}

/// The window of a memory that VMs share.
fn shared(node: Node<'_, '_>, at: Ipa, bytes: u64) -> Result<WindowKind, MapError> {
    if (at.0 | bytes) & 0xfff != 0 {
        return Err(node
            .wrong(format!("{at}, {bytes:#x} bytes: not whole pages of 4 KiB"))
            .property("reg"));
    }
    let name = "reliquary,memory";
    let memory = node
        .u32(name)?
        .and_then(|number| u16::try_from(number).ok());
    let memory = memory.ok_or_else(|| {
        node.wrong("it does not say which memory it is")
            .property(name)
            .mend("write [[shared-memory]] in the system file; the tool makes the node")
    })?;
    Ok(WindowKind::Shared {
        memory,
        read_only: node.has("reliquary,read-only"),
    })
}

fn unknown(node: Node<'_, '_>) -> MapError {
    let names: Vec<_> = node.strings("compatible").collect();
    let primecell = catalog::identity_of(node).is_some();
    node.wrong(format!("nothing emulates \"{}\"", names.join("\" or \"")))
        .property("compatible")
        .mend(if primecell {
            "add reliquary,identity, or reliquary,pass-through, or status = \"disabled\""
        } else {
            "add reliquary,pass-through, or status = \"disabled\""
        })
}
