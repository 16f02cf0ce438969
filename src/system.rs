//! From a bare machine to the VMs of its bundle.

mod guests;

use crate::arch::channels;
use crate::arch::core_area::Work;
use crate::arch::core_area::{self, CORES_MAX};
use crate::arch::guest::calls::Places;
use crate::arch::guest::{Guest, GuestCell, Seat, Tally, calls, serve};
use crate::arch::guest_memory::{HostRam, SharedMemory};
use crate::arch::hidden_spsr;
use crate::arch::mmu::MapRefused;
use crate::arch::monitor::{self, Known};
use crate::arch::port::Port;
use crate::arch::psci::{self, Conduit};
use crate::arch::uart::Uart;
use crate::arch::virtio::console::VirtioConsole;
use crate::arch::virtio::net::VirtioNet;
use crate::arch::wires;
use crate::arch::{self, arena, boot, console, counter, gic, mmu};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;
use reliquary::board::Plan;
use reliquary::board::devicetree::interrupts::Interrupt;
use reliquary::board::devicetree::{Node, Tree};
use reliquary::bundle::{self, Bundle, Manifest, VmSpec};
use reliquary::sched;
use reliquary::units::HostPa;
use spin::Once;

use guests::Inputs;
pub use guests::{part_of, rebuild};

/// What the running machine needs to know of itself.
struct Machine {
    conduit: Option<Conduit>,
    /// Affinity of each core, by its number here; core 0 is the one that booted.
    mpidr: Vec<u64>,
}

static MACHINE: Once<Machine> = Once::new();
/// How long equals of a core run in turn, in milliseconds.
const QUANTUM_MS: u64 = 1;

/// The affinity of a core, as MPIDR_EL1 has it.
pub fn mpidr_of(core: usize) -> u64 {
    MACHINE
        .get()
        .and_then(|machine| machine.mpidr.get(core).copied())
        .unwrap_or(0)
}

/// The end: nothing is left to run, so the host is switched off.
pub fn all_done() -> ! {
    if let Some(conduit) = MACHINE.get().and_then(|machine| machine.conduit) {
        psci::system_off(conduit);
    }
    loop {
        arch::wait_for_interrupt();
    }
}

/// Reads the host's tree and the bundle, builds every VM, starts the other cores.
///
/// Returns the area of core 0, which then serves its own VM.
pub fn build(host_tree: u64) -> Result<&'static mut core_area::CoreArea, String> {
    let arena_start = arena::open();
    let host = read_host_tree(host_tree);
    let bundle = open_bundle(arena_start);
    let tree = match &host {
        Ok(bytes) => Tree::read(bytes).map_err(|why| why.to_string()),
        Err(why) => Err(why.clone()),
    };
    let line = open_console(tree.as_ref().ok(), bundle.as_ref().ok());
    let tree = tree.map_err(|why| {
        format!(
            "the host's device tree at {host_tree:#x}: {why}; boot with the host's own tree, \
             undamaged: `booti ADDRESS - ${{fdtcontroladdr}}` in U-Boot"
        )
    })?;
    let machine = MACHINE.call_once(|| describe(&tree));
    let bundle = bundle?;

    log::info!(
        "Reliquary {} at {:#x}, {} cores, system {}",
        env!("CARGO_PKG_VERSION"),
        boot::image_base(),
        machine.mpidr.len(),
        bundle.manifest().system
    );
    gic::open(find_gic(&tree)?).map_err(|why| format!("the host's GIC: {why:?}"))?;
    listen(line.as_ref());

    let mut ram = HostRam::new(memory_of(&tree)?.into_iter(), &taken(&tree, arena_start));
    let shared = SharedMemory::take(&bundle.manifest().memories, &mut ram)
        .map_err(|why| format!("the memories that VMs share: {why}"))?;
    let host = tree.blob();
    let inputs = Inputs::keep(bundle, host, shared);
    let bundle = &inputs.bundle;
    let vms = &bundle.manifest().vms;
    let mut grounds = Vec::with_capacity(vms.len());
    let cores = machine.mpidr.len();
    let mut work: Vec<Box<Work>> = (0..CORES_MAX).map(|_| Box::default()).collect();
    let mut plans: Vec<Plan> = Vec::with_capacity(vms.len());
    let mut places = Places {
        cores: vms.iter().map(|spec| cores_of(spec).collect()).collect(),
        interrupts: Vec::new(),
    };
    let network = open_network(&tree, bundle.manifest(), machine);
    wires::open(&bundle.manifest().wires, network);
    let mut known = Vec::with_capacity(vms.len());
    channels::open(&bundle.manifest().channels, vms);
    for (number, spec) in vms.iter().enumerate() {
        if let Some(core) = cores_of(spec).find(|core| *core >= cores) {
            log::error!("vm.{}: not started: the host has no core {core}", spec.name);
            known.push(known_as(spec, None));
            grounds.push(None);
            continue;
        }
        let tally: &'static Tally = Box::leak(Box::new(Tally::new(spec.cores.len())));
        let (guest, ground) = guests::build(number, inputs, &mut plans, &mut ram, tally);
        known.push(known_as(spec, guest.is_ok().then_some(tally)));
        grounds.push(ground);
        match guest {
            Ok(guest) => {
                let interrupts = guest.forwarded.iter().enumerate();
                places
                    .interrupts
                    .extend(interrupts.map(|(index, (intid, _))| (*intid, number, index)));
                seat(number, spec, *guest, &mut work);
                serve::will_run();
            }
            Err(why) => log::error!("vm.{}: not started: {why}", spec.name),
        }
    }
    guests::keep(grounds);
    calls::place(places);
    monitor::open(known);
    for core in &mut work {
        core.schedule = schedule_of(&core.seats, vms, &bundle.manifest().schedule);
    }
    if work.iter().all(|core| core.seats.is_empty()) {
        return Err("no VM can be started".to_string());
    }
    hidden_spsr::find_out();
    let mut work = work.into_iter();
    let area = core_area::prepare_own(work.next().unwrap_or_default());
    log::info!(
        "{} KiB of the hypervisor's arena in use",
        arena::seal(arena_start) / 1024
    );
    for ((core, mpidr), work) in machine.mpidr.iter().enumerate().skip(1).zip(work) {
        start_core(machine, core, *mpidr, work);
    }
    Ok(area)
}

/// A VM, as the monitor knows it.
fn known_as(spec: &VmSpec, tally: Option<&'static Tally>) -> Known {
    Known {
        name: spec.name.clone(),
        cores: spec.cores.clone(),
        tally,
        records: spec.record.is_some(),
    }
}

/// Gives each vCPU of a VM its seat on its core.
#[inline(never)] // its copies are not to be on the stack while others are built
fn seat(number: usize, spec: &VmSpec, guest: Guest, work: &mut [Box<Work>]) {
    let mut cores = cores_of(spec);
    let first = cores.next();
    let shared = cores.any(|core| Some(core) != first);
    let tally = guest.tally;
    let cell: &'static GuestCell = Box::leak(Box::new(GuestCell::new(guest, shared)));
    tally.counts_in(&cell.traps);
    for (cpu, core) in cores_of(spec).enumerate() {
        if let Some(work) = work.get_mut(core) {
            work.seats.push(Seat::new(cell, tally, number, cpu as u8));
        }
    }
}

/// How seats share their core; none if there is nothing to share.
fn schedule_of(
    seats: &[Seat],
    vms: &[VmSpec],
    schedule: &bundle::Schedule,
) -> Option<sched::Schedule> {
    if seats.len() < 2 {
        return None;
    }
    let ticks = |us: u32| u64::from(us).saturating_mul(counter::hz()) / 1_000_000;
    let policy = match schedule {
        bundle::Schedule::Priority => sched::Policy::Priority,
        bundle::Schedule::Cyclic { slots, slack } => sched::Policy::Cyclic {
            slots: slots
                .iter()
                .map(|slot| sched::Slot {
                    vm: slot.vm,
                    ticks: ticks(slot.us),
                })
                .collect(),
            slack: *slack,
        },
    };
    // A VM that has no slot, alone on its core with another of its vCPUs, takes turns with itself.
    let has_slot = |vm: usize| match schedule {
        bundle::Schedule::Priority => false,
        bundle::Schedule::Cyclic { slots, .. } => slots
            .iter()
            .any(|slot| slot.vm.map(usize::from) == Some(vm)),
    };
    let policy = if seats.iter().any(|seat| has_slot(seat.vm)) {
        policy
    } else {
        sched::Policy::Priority
    };
    let seats = seats.iter().map(|seat| sched::Seat {
        vm: seat.vm as u8,
        priority: vms.get(seat.vm).map_or(0, |spec| spec.priority),
    });
    let quantum = counter::hz() / 1000 * QUANTUM_MS;
    Some(sched::Schedule::new(seats.collect(), &policy, quantum))
}

fn start_core(machine: &Machine, core: usize, mpidr: u64, work: Box<Work>) {
    let leads = work.seats.iter().filter(|seat| seat.cpu == 0).count();
    let context = core_area::prepare_other(core, work);
    let answer = match machine.conduit {
        Some(conduit) => psci::cpu_on(conduit, mpidr, boot::secondary_entry(), context)
            .map_err(|error| format!("PSCI CPU_ON answers {error}")),
        None => Err("the host's tree has no PSCI node".to_string()),
    };
    if let Err(why) = answer {
        log::error!("core {core} (MPIDR {mpidr:#x}) does not start: {why}");
        for _ in 0..leads {
            serve::will_not_run();
        }
    }
}

fn read_host_tree(at: u64) -> Result<&'static [u8], String> {
    if at == 0 || !at.is_multiple_of(8) {
        return Err(format!("no device tree: X0 was {at:#x} at entry"));
    }
    // The size is at byte 4 of the header; the protocol allows at most 2 MiB.
    let header = arch::host_tree_header(at).map_err(|why| format!("{why:?}"))?;
    let [m0, m1, m2, m3, s0, s1, s2, s3] = header;
    if u32::from_be_bytes([m0, m1, m2, m3]) != 0xd00d_feed {
        return Err("no flattened device tree is there (bad magic)".to_string());
    }
    let size = u64::from(u32::from_be_bytes([s0, s1, s2, s3]));
    if size > 2 << 20 {
        return Err(format!(
            "it claims {size} bytes; the boot protocol allows 2 MiB"
        ));
    }
    arch::boot_data(at, size).map_err(|why| format!("{why:?}"))
}

fn open_bundle(arena_start: u64) -> Result<Bundle<'static>, String> {
    let at = mmu::image_end();
    let pack = "pack it with `cargo reliquary build`";
    if arena_start <= at {
        return Err(format!("this image has no bundle; {pack}"));
    }
    let bytes = arch::boot_data(at, arena_start - at).map_err(|why| format!("{why:?}"))?;
    Bundle::open(bytes).map_err(|why| format!("the bundle: {why}"))
}

/// The host's device that carries the link: a virtio console, if there is one, else the UART that the tree
/// names; if there is no tree, the one that the bundle does. With its interrupt.
fn open_console(tree: Option<&Tree<'_>>, bundle: Option<&Bundle<'_>>) -> Option<Line> {
    if let Some((console, line)) = tree.and_then(|tree| virtio(tree, VirtioConsole::open)) {
        console::open(Port::Virtio(console));
        return line;
    }
    let node = tree.and_then(|tree| {
        let node = tree.stdout().map(|(node, _)| node);
        node.filter(|node| node.is_compatible("arm,pl011"))
            .or_else(|| tree.compatible(&["arm,pl011"]))
    });
    let base = node.and_then(|node| node.reg().ok()?.first()?.cpu);
    let base = base.or_else(|| bundle.and_then(|bundle| bundle.manifest().early_console));
    if let Some(uart) = base.and_then(|base| Uart::open(HostPa(base)).ok()) {
        console::open(Port::Uart(uart));
    }
    line_of(node?)
}

/// The host's network device, if a wire leads there, and its INTID: it comes to the core of the first VM at
/// the wire.
fn open_network(
    tree: &Tree<'_>,
    manifest: &Manifest,
    machine: &Machine,
) -> Option<(VirtioNet, u32)> {
    let mut wires = manifest.wires.iter();
    let wire = wires.find(|wire| wire.kind.leads_to_network())?;
    let Some((net, line)) = virtio(tree, VirtioNet::open) else {
        log::error!(
            "wire {}: its outside end is unplugged, the host has no virtio network device (MMIO, version 2); \
             give it one: cargo reliquary run SYSTEM --net user",
            wire.name
        );
        return None;
    };
    let Some(line) = line.filter(|line| line.intid >= 32) else {
        log::error!(
            "wire {}: its outside end is unplugged, the host's virtio network device has no interrupt; \
             its node in the host's tree must name an SPI",
            wire.name
        );
        return None;
    };
    let first = wire.kind.ends().first().map(|end| usize::from(end.vm));
    let spec = first.and_then(|vm| manifest.vms.get(vm));
    let core = spec.and_then(|spec| cores_of(spec).next());
    let core = core.filter(|core| *core < machine.mpidr.len()).unwrap_or(0);
    gic::set_edge(line.intid, line.edge);
    gic::route(line.intid, core, mpidr_of(core));
    gic::enable(line.intid);
    Some((net, line.intid))
}

/// The first of the host's virtio devices that `open` takes, with its interrupt.
fn virtio<D>(
    tree: &Tree<'_>,
    open: impl Fn(HostPa) -> Result<Option<D>, MapRefused>,
) -> Option<(D, Option<Line>)> {
    let mut nodes = tree.nodes();
    nodes.find_map(|node| {
        if !node.is_compatible("virtio,mmio") || !node.is_enabled() {
            return None;
        }
        let base = node.reg().ok()?.first()?.cpu?;
        let device = open(HostPa(base)).ok()??;
        Some((device, line_of(node)))
    })
}

/// A device's interrupt.
struct Line {
    intid: u32,
    edge: bool,
}

fn line_of(node: Node<'_, '_>) -> Option<Line> {
    let interrupts = node.interrupts().ok()?;
    let interrupt = interrupts.first()?;
    let flags = interrupt.specifier.get(2).copied().unwrap_or(0);
    Some(Line {
        intid: gic_intid(interrupt)?,
        edge: flags & 0b11 != 0,
    })
}

/// Input from the link, by its device's interrupt.
fn listen(line: Option<&Line>) {
    match line {
        Some(line) => {
            if line.intid >= 32 {
                gic::set_edge(line.intid, line.edge);
            }
            console::listen(line.intid, mpidr_of(0));
        }
        None => log::warn!("the link's device has no interrupt in the host's tree: no input"),
    }
}

/// The INTID of a GIC's specifier: type (0 SPI, 1 PPI), number, flags.
fn gic_intid(interrupt: &Interrupt<'_, '_>) -> Option<u32> {
    match interrupt.specifier {
        [0, number, ..] => number.checked_add(32),
        [1, number, ..] => number.checked_add(16),
        _ => None,
    }
}

/// The core of each vCPU.
fn cores_of(spec: &VmSpec) -> impl Iterator<Item = usize> {
    spec.cores.iter().copied().map(usize::from)
}

fn describe(tree: &Tree<'_>) -> Machine {
    let psci = tree.compatible(&["arm,psci-1.0", "arm,psci-0.2", "arm,psci"]);
    let conduit = psci.and_then(|node| match node.str("method") {
        Ok(Some("smc")) => Some(Conduit::Smc),
        Ok(Some("hvc")) => Some(Conduit::Hvc),
        _ => None,
    });
    let own = arch::own_affinity();
    let mut mpidr = Vec::from([own]);
    for cpu in tree
        .nodes()
        .filter(|node| node.str("device_type").ok().flatten() == Some("cpu") && node.is_enabled())
    {
        let affinity = cpu.reg().ok().and_then(|reg| Some(reg.first()?.bus as u64));
        mpidr.extend(affinity.filter(|affinity| *affinity != own));
    }
    mpidr.truncate(CORES_MAX);
    Machine { conduit, mpidr }
}

fn find_gic(tree: &Tree<'_>) -> Result<gic::Found, String> {
    let reg = |node: reliquary::board::devicetree::Node<'_, '_>, index: usize| {
        let regs = node.reg().map_err(|why| why.to_string())?;
        let reg = regs
            .get(index)
            .ok_or_else(|| format!("{}: reg is too short", node.path()))?;
        let base = reg
            .cpu
            .ok_or_else(|| format!("{}: not on the CPUs' bus", node.path()))?;
        Ok::<_, String>((HostPa(base), reg.bytes))
    };
    if let Some(node) = tree.compatible(&["arm,gic-v3"]) {
        let (redistributors, redistributors_size) = reg(node, 1)?;
        Ok(gic::Found::V3 {
            distributor: reg(node, 0)?.0,
            redistributors,
            redistributors_size,
        })
    } else if let Some(node) =
        tree.compatible(&["arm,gic-400", "arm,cortex-a15-gic", "arm,cortex-a7-gic"])
    {
        Ok(gic::Found::V2 {
            distributor: reg(node, 0)?.0,
            cpu_interface: reg(node, 1)?.0,
        })
    } else {
        Err("the host's tree has neither a GICv2 nor a GICv3".to_string())
    }
}

fn memory_of(tree: &Tree<'_>) -> Result<Vec<Range<u64>>, String> {
    let mut ranges = Vec::new();
    for node in tree.nodes().filter(|node| {
        node.str("device_type").ok().flatten() == Some("memory") && node.is_enabled()
    }) {
        for reg in node.reg().map_err(|why| why.to_string())? {
            if let Some(start) = reg.cpu {
                ranges.push(start..start.saturating_add(reg.bytes));
            }
        }
    }
    if ranges.is_empty() {
        Err("the host's tree has no memory".to_string())
    } else {
        Ok(ranges)
    }
}

/// What of the host's RAM is not free: this image and its arena, the tree, reservations.
fn taken(tree: &Tree<'_>, _arena: u64) -> Vec<Range<u64>> {
    let image = boot::image_base();
    let blob = tree.blob();
    let tree_at = blob.as_ptr() as u64;
    let mut taken = Vec::from([
        image..image + boot::claimed_size(),
        tree_at..tree_at + blob.len() as u64,
    ]);
    taken.extend(
        tree.reservations()
            .map(|(at, size)| at..at.saturating_add(size)),
    );
    if let Some(reserved) = tree.node("/reserved-memory") {
        for node in reserved.children() {
            for reg in node.reg().into_iter().flatten() {
                taken.extend(reg.cpu.map(|at| at..at.saturating_add(reg.bytes)));
            }
        }
    }
    taken
}
