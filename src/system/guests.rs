//! The objects of a VM, built from the bundle: at boot, and again if the hypervisor failed in it.

use crate::arch::channels::Channels;
use crate::arch::guest::{Guest, Image, Place, Tally};
use crate::arch::guest_memory::{GuestMemory, HostRam, SharedMemory};
use crate::arch::hardware::Hardware;
use crate::arch::stage2_tables::Stage2Tables;
use crate::arch::wires::Ends;
use crate::arch::{self, arena, counter, gic, mmu};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use reliquary::board::plan::{NoSlot, WindowKind};
use reliquary::board::{MapError, Plan};
use reliquary::bundle::{Bundle, BundleError, Entry, VmSpec};
use reliquary::emul::sd_card;
use reliquary::units::Ipa;
use reliquary::vm::stage2::Stage2;
use reliquary::vm::{Vcpu, Vm};
use spin::Once;

/// What VMs are built from.
pub struct Inputs {
    /// The system.
    pub bundle: Bundle<'static>,
    /// The host's device tree.
    host: &'static [u8],
    shared: SharedMemory,
}

static INPUTS: Once<Inputs> = Once::new();

impl Inputs {
    /// Keeps them for the life of the machine.
    pub fn keep(
        bundle: Bundle<'static>,
        host: &'static [u8],
        shared: SharedMemory,
    ) -> &'static Self {
        INPUTS.call_once(|| Self {
            bundle,
            host,
            shared,
        })
    }

    fn spec(&self, number: usize) -> Result<&VmSpec, String> {
        let spec = self.bundle.manifest().vms.get(number);
        spec.ok_or_else(unknown)
    }
}

fn unknown() -> String {
    "the bundle has no such VM".to_string()
}

/// Where a VM's objects are, and what they were built with beside the [`Inputs`].
pub struct Ground {
    part: arena::Part,
    /// The host's RAM that was free before.
    ram: HostRam,
    tally: &'static Tally,
}

static GROUNDS: Once<Vec<Option<Ground>>> = Once::new();

/// Keeps where the VMs' objects are.
pub fn keep(grounds: Vec<Option<Ground>>) {
    GROUNDS.call_once(|| grounds);
}

fn ground(number: usize) -> Option<&'static Ground> {
    GROUNDS.get()?.get(number)?.as_ref()
}

/// The part of the arena that has a VM's objects, all of them and no others.
pub fn part_of(number: usize) -> Option<arena::Part> {
    ground(number).map(|ground| ground.part)
}

/// Builds a VM's objects once more, as they were built at boot; its memory is still to be loaded.
pub fn rebuild(number: usize) -> Result<Box<Guest>, String> {
    let inputs = INPUTS.get().ok_or_else(unknown)?;
    let ground = ground(number).ok_or_else(unknown)?;
    make(number, inputs, &[], &ground.ram, ground.tally).map(|made| made.guest)
}

/// A VM's objects, and what was made on the way.
struct Made {
    /// On the heap: copies of it would fill a stack on which devices are still to be made.
    guest: Box<Guest>,
    plan: Plan,
    /// The host's RAM that is left.
    ram: HostRam,
}

/// Makes a VM's objects. It allocates the same at boot and after it, in the same order, so that they find
/// their places again.
fn make(
    number: usize,
    inputs: &Inputs,
    others: &[Plan],
    free: &HostRam,
    tally: &'static Tally,
) -> Result<Made, String> {
    let spec = inputs.spec(number)?;
    let plan = plan_guest(spec, inputs, others)?;
    let mut ram = free.clone();
    let guest = build_guest(number, spec, inputs, &plan, &mut ram, tally)?;
    Ok(Made { guest, plan, ram })
}

/// Builds a VM at boot, and loads its memory. The boards so far are in `plans`.
pub fn build(
    number: usize,
    inputs: &Inputs,
    plans: &mut Vec<Plan>,
    ram: &mut HostRam,
    tally: &'static Tally,
) -> (Result<Box<Guest>, String>, Option<Ground>) {
    let (made, part) = arena::apart(|| {
        let mut made = make(number, inputs, plans, ram, tally)?;
        if let Some(devices) = &inputs.spec(number)?.record {
            made.guest.record(devices);
        }
        let loaded = made.guest.power_on();
        loaded.map_err(|_| "an image runs past its board's memory".to_string())?;
        Ok(made)
    });
    match made {
        Ok(made) => {
            plans.push(made.plan);
            // What is kept is not to lie in the part.
            let before = core::mem::replace(ram, made.ram.clone());
            let ground = Ground {
                part,
                ram: before,
                tally,
            };
            (Ok(made.guest), Some(ground))
        }
        Err(why) => (Err(why), None),
    }
}

/// A VM's board on this host, which gives it no device that one of `others` has.
fn plan_guest(spec: &VmSpec, inputs: &Inputs, others: &[Plan]) -> Result<Plan, String> {
    let bundle = &inputs.bundle;
    let map = bundle.item_bytes(spec.map).map_err(|why| why.to_string())?;
    let mut plan = Plan::read(map).map_err(|why| all_errors(&why))?;
    plan.bind_host(inputs.host)
        .map_err(|why| all_errors(&why))?;
    if let Some(card) = spec.card {
        let bytes = bundle.item(card.item).map_err(|why| why.to_string())?.size;
        let card = sd_card::Config::holding(bytes, card.high_capacity, card.read_only)
            .map_err(|why| format!("its card: {why:?}"))?;
        plan.insert_card(card)
            .map_err(|NoSlot| "its board has no slot for a card".to_string())?;
    }
    let taken = others
        .iter()
        .find_map(|other| plan.host_device_of_both(other));
    match taken {
        Some(node) => Err(format!(
            "the host's device behind {node} is another VM's already"
        )),
        None => Ok(plan),
    }
}

fn build_guest(
    number: usize,
    spec: &VmSpec,
    inputs: &Inputs,
    plan: &Plan,
    ram: &mut HostRam,
    tally: &'static Tally,
) -> Result<Box<Guest>, String> {
    let bundle = &inputs.bundle;
    let damaged = |why: BundleError| why.to_string();
    let a32 = matches!(spec.entry, Entry::A32 { .. });
    if a32 && !arch::has_aarch32() {
        return Err("its board is a 32-bit one, and this host has no AArch32 at EL1".to_string());
    }
    if plan.system_registers().is_some() && !gic::has_system_registers() {
        return Err("its board has a GICv3, and this host has none".to_string());
    }

    let mut images = spec
        .loads
        .iter()
        .map(|load| {
            let bytes = bundle.item_bytes(load.item).map_err(damaged)?;
            let to = place_of(plan, Ipa(load.at))
                .ok_or_else(|| format!("nothing of its board holds an image at {:#x}", load.at))?;
            Ok(Image { to, bytes })
        })
        .collect::<Result<Vec<_>, String>>()?;
    let slot = plan.devices.iter().find(|device| device.card.is_some());
    if let Some((card, (store, _))) = spec.card.zip(slot.and_then(|device| device.store)) {
        let bytes = bundle.item_bytes(card.item).map_err(damaged)?;
        let to = Place::Store(store, 0);
        images.push(Image { to, bytes });
    }
    let memory = GuestMemory::new(plan, ram, &inputs.shared)
        .map_err(|(node, why)| format!("{node}: {why}"))?;
    let stage2 = Stage2::new(&mut Stage2Tables).map_err(|why| format!("stage 2: {why:?}"))?;
    for window in &plan.windows {
        if let WindowKind::PassThrough {
            host: Some(at),
            tap: true,
            ..
        } = window.kind
        {
            mmu::map(at.0, window.bytes, mmu::Rights::Device)
                .map_err(|why| format!("{}: {why:?}", window.node))?;
        }
    }
    let forwarded = plan
        .host_interrupts
        .iter()
        .filter_map(|interrupt| {
            let intid = interrupt.intid?;
            gic::set_edge(intid, interrupt.edge);
            Some((intid, false))
        })
        .collect();
    let vm = Vm::new(&spec.name, plan, counter::hz()).map_err(|why| why.to_string())?;
    // VMID 0 is no VM's.
    let vttbr = stage2.root().0 | (number as u64 + 1) << 48;
    let controls = vm.controls(spec.trap_wfi);
    let others = spec.secondary.as_ref().map(registers_of);
    let entries = (0..spec.cores.len())
        .map(|cpu| {
            if cpu == 0 {
                Some(registers_of(&spec.entry))
            } else {
                others.clone()
            }
        })
        .collect();
    let mut guest = Box::new(Guest::new(
        vm,
        Hardware { memory },
        stage2,
        number,
        vttbr,
        images,
        entries,
        forwarded,
        controls,
        spec.restart,
        tally,
    ));
    let wires = &bundle.manifest().wires;
    guest.wires = Ends::of(number, guest.vm.board(), wires);
    guest.channels = Channels::of(number, spec.channel_interrupt);
    guest
        .map_windows()
        .map_err(|(window, why)| format!("{}: {why:?}", plan.windows[window].node))?;
    Ok(guest)
}

fn place_of(plan: &Plan, at: Ipa) -> Option<Place> {
    plan.windows.iter().find_map(|window| {
        let inside =
            at.0.checked_sub(window.at.0)
                .filter(|inside| *inside < window.bytes)?;
        match window.kind {
            WindowKind::Ram | WindowKind::Rom => Some(Place::Memory(at)),
            WindowKind::DirectReads { store, offset, .. } => {
                Some(Place::Store(store, offset + inside))
            }
            _ => None,
        }
    })
}

/// AArch32 registers where the architecture maps them: r13 and r14 of SVC are X19 and X18
/// (DDI 0487, D1.20.1); those of the other entry modes follow the same table.
fn registers_of(entry: &Entry) -> Vcpu {
    match entry {
        Entry::A64 { pc, pstate, x } => Vcpu {
            x: *x,
            pc: *pc,
            spsr: *pstate,
        },
        Entry::A32 { pc, cpsr, r } => {
            let mut vcpu = Vcpu {
                x: [0; 31],
                pc: u64::from(*pc & !1),
                spsr: u64::from(*cpsr),
            };
            for (number, value) in r.iter().enumerate() {
                vcpu.set_r(number as u8, *value);
            }
            vcpu
        }
    }
}

fn all_errors(errors: &[MapError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
