//! A system with everything that it refers to: found, recognized, placed and checked. What
//! `check` reports is what keeps `build` from building.
use super::board::VmBoard;
use super::host::Host;
use super::kernel::{self, Kind};
use super::place::{self, Placed};
use super::reference::Reference;
use super::{Image, Sd, System, Vm, channels, limits, memory, pen, sharing, wires};
use crate::fault::{Doing, Fault, Faults, Result};
use crate::images::Manifest;
use crate::tree::{Region, Tree};
use reliquary::bundle::{
    Builder, Card, ChannelSpec, Entry, Load, Restart, Schedule, SharedSpec, VmSpec, WireSpec,
};
use reliquary::emul::sd_card;
use std::fs;

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
    /// How they share cores.
    pub schedule: Schedule,
    /// What joins them.
    pub wires: Vec<WireSpec>,
    /// By which they send messages.
    pub channels: Vec<ChannelSpec>,
    /// The memories that they share.
    pub memories: Vec<SharedSpec>,
}

/// A VM with all its bytes.
#[derive(Debug)]
pub struct PreparedVm {
    /// Its name.
    pub name: String,
    /// The host core of each vCPU.
    pub cores: Vec<u8>,
    /// Where cores are shared by priority: the greater runs first.
    pub priority: u8,
    /// What becomes of it when it cannot go on.
    pub restart: Restart,
    /// Whether its WFI traps.
    pub trap_wfi: bool,
    /// The devices that are recorded, if any are.
    pub record: Option<Vec<u16>>,
    /// Its board.
    pub board: VmBoard,
    /// What is put where.
    pub placed: Vec<Placed>,
    /// The card in its slot.
    pub card: Option<PreparedCard>,
    /// Device and input that tell of its channels.
    pub channel_interrupt: Option<(u16, u16)>,
    /// How it starts.
    pub entry: Entry,
    /// How its other vCPUs start, if not by PSCI.
    pub secondary: Option<Entry>,
}

/// A memory card with its bytes.
#[derive(Debug)]
pub struct PreparedCard {
    /// What it is, for messages: `card disk.img`.
    pub name: String,
    /// Its content, at its start.
    pub bytes: Vec<u8>,
    /// What it was asked to be.
    pub high_capacity: bool,
    /// Whether it is write-protected.
    pub read_only: bool,
    /// The card that holds it.
    pub config: sd_card::Config,
}

/// Fetches those images of the manifest that a system needs and that are not here yet.
pub fn fetch_images(system: &System) -> Result<()> {
    let manifest = Manifest::read()?;
    let references = system.vms.iter().flat_map(|vm| {
        [
            Some(vm.image.reference()),
            vm.dtb.as_ref(),
            vm.initrd.as_ref(),
            vm.sd.as_ref().map(|sd| &sd.file),
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
        faults.extend(limits::check_host(system, host, &vms));
        faults.extend(limits::check_pass_through(system, host, &vms));
    }
    faults.extend(sharing::check(system));
    // The ends of a wire are told by the numbers of their VMs.
    let joined = if vms.len() == system.vms.len() {
        wires::join(system, &vms)
    } else {
        Ok(Vec::new())
    };
    let mut wires = joined.map_err(|own| faults.extend(own)).unwrap_or_default();
    faults.extend(memory::check(system));
    let (memories, rings) = memory::ring(system, &vms);
    wires.extend(rings);
    let mut channels = Vec::new();
    if vms.len() == system.vms.len() {
        match channels::join(system, &vms) {
            Ok(own) => channels = own,
            Err(own) => faults.extend(own),
        }
        faults.extend(channels::interrupts(system, &mut vms, &wires));
    }
    match host {
        Some(host) if faults.is_empty() => Ok(Prepared {
            name: system.name.clone(),
            host,
            vms,
            schedule: system.sharing.packed(system),
            wires,
            channels,
            memories,
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

/// An image in the board's memory.
struct Loaded {
    placed: Vec<Placed>,
    /// The first address behind what it needs.
    end: u64,
    /// Its first instruction.
    pc: u64,
    /// Whether it is handed a tree when the system file names none.
    takes_tree: bool,
}

fn prepare_vm(system: &System, vm: &Vm) -> Result<PreparedVm> {
    let board = VmBoard::of(system, vm)?;
    let ram = *board.ram.first().ok_or_else(|| {
        Fault::new("the board has no RAM")
            .in_file(&board.file)
            .mend("its map needs a /memory node")
    })?;
    let Loaded {
        mut placed,
        end,
        pc,
        takes_tree,
    } = load(system, vm, &board, ram)?;
    let initrd = match &vm.initrd {
        Some(reference) => {
            let bytes = read(system, reference, board.wide)?;
            let at = place::initrd_at(ram, end);
            let name = format!("initrd {}", reference.short());
            placed.push(Placed {
                name,
                at,
                bytes,
                line: reference.line,
            });
            placed.last().map(Placed::region)
        }
        None => None,
    };
    let mut tree = 0;
    if takes_tree || vm.dtb.is_some() {
        tree = if let Image::Flash(_) = vm.image {
            // U-Boot on QEMU's virt machine looks at the start of RAM.
            ram.base
        } else {
            let behind = initrd.map_or_else(|| place::initrd_at(ram, end), Region::end);
            place::tree_at(behind, board.wide)
        };
        placed.push(Placed {
            name: "device tree".to_owned(),
            at: tree,
            bytes: guest_tree(system, vm, &board, initrd)?,
            line: vm
                .dtb
                .as_ref()
                .map_or(vm.image.reference().line, |dtb| dtb.line),
        });
    }
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
    let secondary = secondary(vm, &board, &entry, &mut placed);
    let misplaced = place::check(&placed, &board);
    faults.extend(
        misplaced
            .into_iter()
            .map(|(line, fault)| fault.at(&system.file, line)),
    );
    if !faults.is_empty() {
        return Err(Faults(faults));
    }
    let card = vm.sd.as_ref();
    let card = card.map(|sd| card_of(system, sd, &board)).transpose()?;
    let (name, cores) = (vm.name.value.clone(), vm.cores.value.clone());
    Ok(PreparedVm {
        name,
        cores,
        priority: vm.priority,
        restart: vm.restart,
        trap_wfi: vm.trap_wfi,
        record: None,
        board,
        placed,
        card,
        channel_interrupt: None,
        entry,
        secondary,
    })
}

/// How the vCPUs but the first start: from a holding pen, where a kernel sends for them; as the first
/// does, where an image is all that runs; not at all, where PSCI switches them on.
fn secondary(vm: &Vm, board: &VmBoard, entry: &Entry, placed: &mut Vec<Placed>) -> Option<Entry> {
    if vm.cores.value.len() < 2 || board.plan.psci.is_some() {
        return None;
    }
    if !matches!(vm.image, Image::Kernel(_)) {
        return Some(entry.clone());
    }
    let pen = pen::of(board, vm.cores.line)?;
    let start = place::entry(board.wide, pen.at, &[]);
    placed.push(pen);
    Some(start)
}

/// The card that the system file asks for, if there is one like it and a slot for it.
fn card_of(system: &System, sd: &Sd, board: &VmBoard) -> Result<PreparedCard> {
    let fault = |what: String, mend: &str| {
        Fault::new(what)
            .at(&system.file, sd.file.line)
            .mend(mend.to_owned())
    };
    let bytes = read(system, &sd.file, board.wide)?;
    let text = &sd.file.text;
    let size = bytes.len() as u64;
    if !size.is_multiple_of(sd_card::BLOCK as u64) {
        let what = format!("{text}: {size} bytes are not whole blocks of a card");
        let mend = format!("make it a multiple of 512: truncate -s %512 {text}");
        return Err(fault(what, &mend).into());
    }
    let config = sd_card::Config::holding(size, sd.high_capacity, sd.read_only);
    let config = config.map_err(|why| match why {
        sd_card::Unfit::Empty => fault(
            format!("{text}: it is empty"),
            "take an image with at least one block of 512 bytes",
        ),
        sd_card::Unfit::TooLarge => fault(
            format!("{text}: no SD card is as large"),
            "a card of high capacity has at most 32 GiB, less 80 MiB",
        ),
    })?;
    board.plan.clone().insert_card(config).map_err(|_| {
        fault(
            "the board has no slot for a card".to_owned(),
            "take `sd` away, or a board with a card interface (arm,pl180, arm,pl181)",
        )
    })?;
    Ok(PreparedCard {
        name: format!("card {}", sd.file.short()),
        bytes,
        high_capacity: sd.high_capacity,
        read_only: sd.read_only,
        config,
    })
}

fn load(system: &System, vm: &Vm, board: &VmBoard, ram: Region) -> Result<Loaded> {
    let reference = vm.image.reference();
    let file = read(system, reference, board.wide)?;
    let fault = |fault: Fault| fault.at(&system.file, reference.line);
    let name = reference.short();
    let place = |kind: &str, at, bytes| {
        vec![Placed {
            name: format!("{kind} {name}"),
            at,
            bytes,
            line: reference.line,
        }]
    };
    Ok(match &vm.image {
        Image::Kernel(_) => {
            let kernel = kernel::recognize(&file).map_err(|unknown| {
                let mend = "a kernel is a zImage, an arm64 Image or a uImage; for other bytes write raw = { file, load, entry }";
                fault(Fault::new(format!("{}: {}", reference.text, unknown.0)).mend(mend))
            })?;
            if kernel.wide != board.wide {
                let kind = match kernel.kind {
                    Kind::ZImage => "the zImage",
                    Kind::Arm64 { .. } => "the arm64 Image",
                    Kind::UImage { .. } => "the kernel in the uImage",
                };
                return Err(fault(place::wrong_width(board.wide, kind)).into());
            }
            let (at, memory, pc) = place::kernel(&kernel, ram);
            let end = at.saturating_add(memory);
            Loaded {
                placed: place("kernel", at, kernel.bytes),
                end,
                pc,
                takes_tree: true,
            }
        }
        Image::Elf(_) => {
            let segments = place::elf(&file, board.wide, name, reference.line);
            let (placed, pc) = segments.map_err(fault)?;
            let end = placed
                .iter()
                .map(|segment| segment.region().end())
                .max()
                .unwrap_or(0);
            Loaded {
                placed,
                end,
                pc,
                takes_tree: false,
            }
        }
        Image::Raw { load, entry, .. } => {
            let end = load.value.saturating_add(file.len() as u64);
            Loaded {
                placed: place("raw", load.value, file),
                end,
                pc: entry.value,
                takes_tree: false,
            }
        }
        Image::Flash(_) => {
            let flash = board.flashes.first().ok_or_else(|| {
                let mend = "take kernel, elf or raw, or a board with a cfi-flash";
                fault(Fault::new("the board has no flash").mend(mend))
            })?;
            let placed = place("flash", flash.base, file);
            Loaded {
                placed,
                end: ram.base,
                pc: flash.base,
                takes_tree: true,
            }
        }
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
            memory::show(system, vm, &board.map, &mut tree);
            tree
        }
    };
    tree.set_chosen(vm.args.as_ref().map(|args| args.value.as_str()), initrd);
    Ok(tree.write_with_room(TREE_ROOM))
}

impl Prepared {
    /// The bundle of it.
    pub fn bundle(self) -> Result<Vec<u8>> {
        let refused = |error: reliquary::bundle::BundleError| {
            Fault::new(format!("cannot pack the bundle: {error}"))
        };
        let mut bundle = Builder::new(&self.name, &self.host.name);
        bundle.early_console(self.host.console());
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
            let card = match vm.card {
                None => None,
                Some(card) => Some(Card {
                    item: bundle
                        .item(&format!("{}: {}", vm.name, card.name), card.bytes)
                        .map_err(refused)?,
                    high_capacity: card.high_capacity,
                    read_only: card.read_only,
                }),
            };
            bundle.vm(VmSpec {
                name: vm.name,
                map,
                cores: vm.cores,
                priority: vm.priority,
                restart: vm.restart,
                trap_wfi: vm.trap_wfi,
                record: vm.record,
                loads,
                card,
                channel_interrupt: vm.channel_interrupt,
                entry: vm.entry,
                secondary: vm.secondary,
            });
        }
        bundle.schedule(self.schedule);
        for wire in self.wires {
            bundle.wire(wire);
        }
        for channel in self.channels {
            bundle.channel(channel);
        }
        for memory in self.memories {
            bundle.memory(memory);
        }
        Ok(bundle.finish().map_err(refused)?)
    }
}
