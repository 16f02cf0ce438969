//! A system with everything that it refers to: found, recognized, placed and checked. What
//! `check` reports is what keeps `build` from building.
use super::board::{VmBoard, bytes};
use super::host::Host;
use super::kernel::{self, Kind};
use super::place::{self, Placed};
use super::reference::Reference;
use super::{Image, System, Vm};
use crate::fault::{Doing, Fault, Faults, Result};
use crate::images::Manifest;
use crate::tree::{Region, Tree};
use reliquary::bundle::{ARENA_BYTES, Builder, Entry, Load, VmSpec};
use std::fs;

/// Bytes of memory that the hypervisor itself takes, at most: its image, stacks and tables.
const OWN_MEMORY: u64 = (16 << 20) + ARENA_BYTES;
/// Free bytes in a guest's tree, for firmware that adds to it in place.
const TREE_ROOM: usize = 16 << 10;

/// A system that can be built.
#[derive(Debug)]
pub struct Prepared {
    /// The system's name.
    pub name: String,
    /// The host that it was checked against.
    pub host: Host,
    /// Its VMs.
    pub vms: Vec<PreparedVm>,
}

/// A VM with all its bytes.
#[derive(Debug)]
pub struct PreparedVm {
    /// Its name.
    pub name: String,
    /// The host core of each vCPU.
    pub cores: Vec<u8>,
    /// Its board.
    pub board: VmBoard,
    /// What is put where.
    pub placed: Vec<Placed>,
    /// How it starts.
    pub entry: Entry,
}

/// Fetches those images of the manifest that a system needs and that are not here yet.
pub fn fetch_images(system: &System) -> Result<()> {
    let manifest = Manifest::read()?;
    let references = system.vms.iter().flat_map(|vm| {
        [
            Some(vm.image.reference()),
            vm.dtb.as_ref(),
            vm.initrd.as_ref(),
        ]
        .into_iter()
        .flatten()
    });
    let names: Vec<&str> = references
        .filter_map(Reference::image)
        .filter(|name| manifest.known(name).is_ok())
        .collect();
    manifest.fetch(&names, false)
}

/// Finds, recognizes, places and checks everything; `host` overrides the system's own.
pub fn prepare(system: &System, host: Option<&str>) -> Result<Prepared> {
    let mut faults = Vec::new();
    let host = match host {
        Some(name) => Host::find(name),
        None => Host::of_system(&system.file, &system.host),
    };
    let host = host.map_err(|own| faults.extend(own.0)).ok();
    let mut vms = Vec::new();
    for vm in &system.vms {
        match prepare_vm(system, vm) {
            Ok(prepared) => vms.push(prepared),
            Err(own) => faults.extend(own.0),
        }
    }
    if let Some(host) = &host {
        faults.extend(check_host(system, host, &vms));
    }
    faults.extend(check_cores(system));
    match host {
        Some(host) if faults.is_empty() => Ok(Prepared {
            name: system.name.clone(),
            host,
            vms,
        }),
        _ => {
            // Two VMs of one board find the same fault in its map.
            let mut told: Vec<Fault> = Vec::new();
            for fault in faults {
                if !told.contains(&fault) {
                    told.push(fault);
                }
            }
            Err(Faults(told))
        }
    }
}

fn read(system: &System, reference: &Reference, wide: bool) -> Result<Vec<u8>> {
    let path = reference.find(&system.file, wide)?;
    let read = fs::read(&path).doing(|| format!("cannot read {}", path.display()));
    Ok(read.map_err(|fault| fault.at(&system.file, reference.line))?)
}

fn prepare_vm(system: &System, vm: &Vm) -> Result<PreparedVm> {
    let board = VmBoard::of(system, vm)?;
    let reference = vm.image.reference();
    let file = read(system, reference, board.wide)?;
    let initrd = vm
        .initrd
        .as_ref()
        .map(|initrd| read(system, initrd, board.wide))
        .transpose()?;
    let at_image = |fault: Fault| fault.at(&system.file, reference.line);
    let ram = *board.ram.first().ok_or_else(|| {
        Fault::new("the board has no RAM")
            .in_file(&board.file)
            .mend("its map needs a /memory node")
    })?;
    let line = reference.line;
    let name = reference.short();
    let mut placed = Vec::new();
    let place = |name: String, at, bytes| Placed {
        name,
        at,
        bytes,
        line,
    };
    // Where the image ends, where it starts, and whether it takes a tree when none is named.
    let (end, pc, takes_tree) = match &vm.image {
        Image::Kernel(_) => {
            let kernel = kernel::recognize(&file).map_err(|unknown| {
                let mend = "a kernel is a zImage, an arm64 Image or a uImage; for other bytes write raw = { file, load, entry }";
                at_image(Fault::new(format!("{}: {}", reference.text, unknown.0)).mend(mend))
            })?;
            if kernel.wide != board.wide {
                let kind = match kernel.kind {
                    Kind::ZImage => "the zImage",
                    Kind::Arm64 { .. } => "the arm64 Image",
                    Kind::UImage { .. } => "the kernel in the uImage",
                };
                return Err(at_image(place::wrong_width(board.wide, kind)).into());
            }
            let (at, memory, pc) = place::kernel(&kernel, ram);
            placed.push(place(format!("kernel {name}"), at, kernel.bytes));
            (at + memory, pc, true)
        }
        Image::Elf(_) => {
            let (segments, pc) = place::elf(&file, board.wide, name, line).map_err(at_image)?;
            let end = segments
                .iter()
                .map(|segment| segment.region().end())
                .max()
                .unwrap_or(0);
            placed.extend(segments);
            (end, pc, false)
        }
        Image::Raw { load, entry, .. } => {
            let end = load.value.saturating_add(file.len() as u64);
            placed.push(place(format!("raw {name}"), load.value, file));
            (end, entry.value, false)
        }
        Image::Flash(_) => {
            let flash = board.flashes.first().ok_or_else(|| {
                at_image(
                    Fault::new("the board has no flash")
                        .mend("take kernel, elf or raw, or a board with a cfi-flash"),
                )
            })?;
            placed.push(place(format!("flash {name}"), flash.base, file));
            (ram.base, flash.base, true)
        }
    };
    let initrd_region = initrd.map(|bytes| {
        let at = place::initrd_at(ram, end);
        let size = bytes.len() as u64;
        let name = vm.initrd.as_ref().map(Reference::short).unwrap_or_default();
        placed.push(Placed {
            name: format!("initrd {name}"),
            at,
            bytes,
            line: vm.initrd.as_ref().map_or(line, |initrd| initrd.line),
        });
        Region { base: at, size }
    });
    let mut tree_address = None;
    if takes_tree || vm.dtb.is_some() {
        let at = match vm.image {
            // U-Boot on QEMU's virt machine looks at the start of RAM.
            Image::Flash(_) => ram.base,
            _ => {
                let behind = initrd_region.map_or_else(|| place::initrd_at(ram, end), Region::end);
                place::tree_at(behind, board.wide)
            }
        };
        let tree = guest_tree(system, vm, &board, initrd_region)?;
        placed.push(Placed {
            name: "device tree".to_owned(),
            at,
            bytes: tree,
            line: vm.dtb.as_ref().map_or(line, |dtb| dtb.line),
        });
        tree_address = Some(at);
    }
    let tree = tree_address.unwrap_or(0);
    let registers: &[u64] = match (&vm.image, board.wide) {
        (_, true) => &[tree],
        // r1 = ~0: the board is told by the tree, not by a number.
        (Image::Kernel(_), false) => &[0, 0xffff_ffff, tree],
        (_, false) => &[0, 0, tree],
    };
    let mut entry = place::entry(board.wide, pc, registers);
    let mut faults: Vec<Fault> = vm
        .entry
        .iter()
        .filter_map(|(name, value)| {
            let fault = place::set_register(&mut entry, &name.value, *value).err()?;
            Some(fault.at(&system.file, name.line))
        })
        .collect();
    let misplaced = place::check(&placed, &board);
    faults.extend(
        misplaced
            .into_iter()
            .map(|(line, fault)| fault.at(&system.file, line)),
    );
    if !faults.is_empty() {
        return Err(Faults(faults));
    }
    Ok(PreparedVm {
        name: vm.name.value.clone(),
        cores: vm.cores.value.clone(),
        board,
        placed,
        entry,
    })
}

/// The tree that the guest is handed: its own, or the board's less what only we understand;
/// with the VM's memory, arguments and initial RAM disk.
fn guest_tree(
    system: &System,
    vm: &Vm,
    board: &VmBoard,
    initrd: Option<Region>,
) -> Result<Vec<u8>> {
    let mut tree = match &vm.dtb {
        None => board.map.clone().without_ours(),
        Some(reference) => {
            let path = reference.find(&system.file, board.wide)?;
            let mut tree = Tree::of_file(&path).map_err(|mut faults| {
                for fault in &mut faults.0 {
                    fault.what = format!("{}: {}", reference.text, fault.what);
                    fault.at = Some((system.file.clone(), Some(reference.line)));
                }
                faults
            })?;
            tree.keep_cpus(vm.cores.value.len());
            tree.set_memory(board.ram.iter().map(|region| region.size).sum());
            tree
        }
    };
    tree.set_chosen(vm.args.as_ref().map(|args| args.value.as_str()), initrd);
    Ok(tree.write_with_room(TREE_ROOM))
}

/// Cores that the host lacks, memory that it lacks, a timer of another rate.
fn check_host(system: &System, host: &Host, vms: &[PreparedVm]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for vm in &system.vms {
        for core in vm
            .cores
            .value
            .iter()
            .filter(|core| usize::from(**core) >= host.cores())
        {
            let what = format!(
                "vm.{}: the host {} has no core {core}",
                vm.name.value, host.name
            );
            let mend = format!("its cores are 0 to {}", host.cores().saturating_sub(1));
            faults.push(Fault::new(what).at(&system.file, vm.cores.line).mend(mend));
        }
    }
    let mut left = host.memory().saturating_sub(OWN_MEMORY);
    for vm in vms {
        let described = system
            .vms
            .iter()
            .find(|described| described.name.value == vm.name);
        let line = described.map_or(1, |vm| {
            vm.memory
                .as_ref()
                .map_or(vm.name.line, |memory| memory.line)
        });
        // The images are in the host's memory twice: in the bundle, and where the guest has them.
        let need: u64 = vm.board.ram.iter().map(|region| region.size).sum::<u64>()
            + vm.board
                .flashes
                .iter()
                .map(|region| region.size)
                .sum::<u64>()
            + vm.placed
                .iter()
                .map(|placed| placed.bytes.len() as u64)
                .sum::<u64>();
        if need > left {
            let what = format!(
                "vm.{}: it needs {} of the host's memory, and of {} only {} are left",
                vm.name,
                bytes(need.next_multiple_of(1 << 20)),
                bytes(host.memory()),
                bytes(left >> 20 << 20),
            );
            let mend = "set memory = \"256M\" or less, for this VM or for one before it";
            faults.push(Fault::new(what).at(&system.file, line).mend(mend));
        }
        left = left.saturating_sub(need);
        let theirs = vm
            .board
            .plan
            .timer
            .as_ref()
            .filter(|timer| !timer.any_frequency);
        let theirs = theirs.and_then(|timer| timer.frequency);
        if let Some((theirs, ours)) = theirs
            .zip(host.timer_frequency())
            .filter(|(theirs, ours)| theirs != ours)
        {
            let what = format!(
                "vm.{}: the board's generic timer runs at {theirs} Hz and the host's at {ours} Hz; a guest reads CNTFRQ from the hardware",
                vm.name
            );
            let mend = "take a host of that rate, or say `reliquary,any-timer-frequency;` in the board's map if the guest does not care";
            faults.push(Fault::new(what).at(&system.file, line).mend(mend));
        }
    }
    faults
}

/// A core serves one VM, as one vCPU.
fn check_cores(system: &System) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut taken: Vec<(u8, &str)> = Vec::new();
    for vm in &system.vms {
        for core in &vm.cores.value {
            if let Some((_, owner)) = taken.iter().find(|(taken, _)| taken == core) {
                let what = format!("vm.{}: core {core} is vm.{owner}'s already", vm.name.value);
                faults.push(
                    Fault::new(what)
                        .at(&system.file, vm.cores.line)
                        .mend("give each vCPU a core of its own"),
                );
            }
            taken.push((*core, &vm.name.value));
        }
    }
    faults
}

impl Prepared {
    /// The bundle of it.
    pub fn bundle(self) -> Result<Vec<u8>> {
        let refused = |error: reliquary::bundle::BundleError| {
            Fault::new(format!("cannot pack the bundle: {error}"))
        };
        let mut bundle = Builder::new(&self.name, &self.host.name);
        for vm in self.vms {
            let map = bundle
                .item(&format!("{}: map", vm.name), vm.board.map.write())
                .map_err(refused)?;
            let mut loads = Vec::new();
            for placed in vm.placed {
                let name = format!("{}: {}", vm.name, placed.name);
                let item = bundle.item(&name, placed.bytes).map_err(refused)?;
                loads.push(Load {
                    item,
                    at: placed.at,
                });
            }
            bundle.vm(VmSpec {
                name: vm.name,
                map,
                cores: vm.cores,
                loads,
                entry: vm.entry,
            });
        }
        Ok(bundle.finish().map_err(refused)?)
    }
}
