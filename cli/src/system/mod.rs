//! A system file (systems/*.toml): which boards run on which host, with which images.
//!
//! - [`reader`]: TOML with lines.
//! - [`kernel`]: what a kernel's file is, by its magic.
//! - [`board`]: a VM's board: its resource map, at the VM's size.
//! - [`place`]: where a VM's images go, and how it is entered.
//! - [`sharing`]: how VMs share cores, and what becomes of one that fails.
//! - [`pen`]: where a Versatile Express' other CPUs wait for its kernel.
//! - [`wires`]: what joins the VMs' boards.
//! - [`channels`]: by which VMs send messages.
//! - [`memory`]: memory that VMs share.
//! - [`prepare`]: all of it together, with everything that can be wrong.
use crate::fault::{Doing, Fault, Faults, Result};
use crate::images::line_of;
use crate::workspace;
use reader::{Located, Source, Table};
use reliquary::bundle::Restart;
use sharing::Sharing;
use std::fs;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

pub mod board;
pub mod channels;
pub mod host;
pub mod kernel;
mod limits;
pub mod memory;
mod pen;
pub mod place;
pub mod prepare;
pub mod reader;
pub(crate) mod reference;
pub mod sharing;
#[cfg(test)]
mod tests;
pub mod wires;

pub use reference::Reference;

/// A system file, read.
#[derive(Debug)]
pub struct System {
    /// The file, as messages name it.
    pub file: PathBuf,
    /// The file's stem.
    pub name: String,
    /// The host that it is made for.
    pub host: Located<String>,
    /// The VMs, in the file's order.
    pub vms: Vec<Vm>,
    /// How they share cores.
    pub sharing: Sharing,
    /// What joins their boards.
    pub wires: Vec<wires::Wire>,
    /// By which VMs send messages.
    pub channels: Vec<channels::Channel>,
    /// Memory that VMs share.
    pub memories: Vec<memory::Memory>,
}

/// One `[vm.NAME]`.
#[derive(Debug)]
pub struct Vm {
    /// The name that the user chose.
    pub name: Located<String>,
    /// The board, by name or by the path of its map.
    pub board: Located<String>,
    /// The host core of each vCPU.
    pub cores: Located<Vec<u8>>,
    /// Where cores are shared by priority: the greater runs first.
    pub priority: u8,
    /// What becomes of it when it cannot go on.
    pub restart: Restart,
    /// Unless `wfi = "direct"`: its WFI traps, so that it wakes for its own interrupts only, and
    /// the account at its end has its idle time.
    pub trap_wfi: bool,
    /// RAM; without it, as much as the board has.
    pub memory: Option<Located<u64>>,
    /// What runs.
    pub image: Image,
    /// The tree that the image is handed; without it, the board's own.
    pub dtb: Option<Reference>,
    /// The initial RAM disk.
    pub initrd: Option<Reference>,
    /// The card in the board's slot.
    pub sd: Option<Sd>,
    /// The kernel's arguments.
    pub args: Option<Located<String>>,
    /// The input of its interrupt controller that tells of its channels.
    pub channel_interrupt: Option<Located<u64>>,
    /// Registers that differ from the boot protocol's.
    pub entry: Vec<(Located<String>, u64)>,
}

/// A memory card.
#[derive(Debug)]
pub struct Sd {
    /// Its content.
    pub file: Reference,
    /// Whether it is write-protected.
    pub read_only: bool,
    /// Whether it is of high capacity, though it need not be.
    pub high_capacity: bool,
}

/// What a VM runs.
#[derive(Debug)]
pub enum Image {
    /// A kernel, entered by its boot protocol.
    Kernel(Reference),
    /// An ELF file: its segments at their physical addresses.
    Elf(Reference),
    /// Bytes at an address.
    Raw {
        /// The bytes.
        file: Reference,
        /// The address of the first one.
        load: Located<u64>,
        /// The address of the first instruction.
        entry: Located<u64>,
    },
    /// The content of the board's first flash, from which it starts.
    Flash(Reference),
}

impl Image {
    /// The file that it comes from.
    pub fn reference(&self) -> &Reference {
        match self {
            Self::Kernel(file) | Self::Elf(file) | Self::Flash(file) | Self::Raw { file, .. } => {
                file
            }
        }
    }
}

impl System {
    /// Reads a system file, and says everything that is wrong with its text.
    pub fn read(file: &Path) -> Result<Self> {
        let shown = workspace::shown(file);
        let text = fs::read_to_string(file).doing(|| "cannot read the system file".to_owned());
        let text = text.map_err(|fault| {
            fault
                .in_file(&shown)
                .mend("the systems of this project are in systems/*.toml")
        })?;
        Self::parse(&shown, &text)
    }

    /// Reads the text of a system file.
    pub fn parse(file: &Path, text: &str) -> Result<Self> {
        let document = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            Fault::new(format!("not sound TOML: {}", error.message().trim()))
                .at(file, line)
                .mend("docs/reference/system.md shows how a system file is written")
        })?;
        let mut source = Source {
            file,
            text,
            faults: Vec::new(),
        };
        let mut top = Table::new(&source, "a system file", 1, document.get_ref());
        let host = top.text(&mut source, "host");
        let vms = match top.take("vm") {
            Some(Located {
                value: DeValue::Table(table),
                line,
            }) => {
                let table = Table::new(&source, "[vm]", line, table);
                table
                    .all()
                    .into_iter()
                    .filter_map(|(name, value)| read_vm(&mut source, name, &value))
                    .collect()
            }
            Some(Located { line, .. }) => {
                source.fault(
                    line,
                    "`vm` must be tables",
                    "write [vm.NAME], one for each VM",
                );
                Vec::new()
            }
            None => {
                source.fault(
                    1,
                    "the system has no VM",
                    "add one: [vm.NAME] with board, cores and an image",
                );
                Vec::new()
            }
        };
        let schedule = top.take("schedule");
        let sharing = schedule.map_or_else(Sharing::by_priority, |value| {
            Sharing::read(&mut source, &value)
        });
        let wires = top.take("wire");
        let wires = wires.map(|wires| wires::read(&mut source, &wires));
        let memories = top.take("shared-memory");
        let memories = memories.map(|memories| memory::read(&mut source, &memories));
        let channels = top.take("channel");
        let channels = channels.map(|channels| channels::read(&mut source, &channels));
        top.finish(&mut source);
        if !source.faults.is_empty() {
            return Err(Faults(source.faults));
        }
        Ok(Self {
            file: file.to_path_buf(),
            name: file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            host: host.unwrap_or(Located {
                value: "qemu-virt".to_owned(),
                line: 1,
            }),
            vms,
            sharing,
            wires: wires.unwrap_or_default(),
            channels: channels.unwrap_or_default(),
            memories: memories.unwrap_or_default(),
        })
    }
}

fn read_vm(
    source: &mut Source<'_>,
    name: Located<String>,
    value: &Located<&DeValue<'_>>,
) -> Option<Vm> {
    let DeValue::Table(table) = value.value else {
        let mend = format!("write [vm.{}]", name.value);
        source.fault(
            name.line,
            format!("`vm.{}` must be a table", name.value),
            mend,
        );
        return None;
    };
    let title = format!("[vm.{}]", name.value);
    let mut table = Table::new(source, &title, name.line, table);
    let board = table.text(source, "board");
    if board.is_none() {
        let mend = "add board = \"NAME\"; `cargo reliquary board list` names all that are known";
        source.fault(name.line, format!("{title} has no board"), mend);
    }
    let cores = table.take("cores").map(|cores| read_cores(source, &cores));
    let memory = table.number(source, "memory");
    let image = read_image(source, &mut table, name.line);
    let [dtb, initrd] = ["dtb", "initrd"].map(|key| table.text(source, key).map(Reference::new));
    let sd = table.take("sd").and_then(|sd| read_sd(source, &sd));
    let args = table.text(source, "args");
    let entry = table
        .take("entry")
        .map(|entry| read_entry(source, &title, &entry));
    let priority = table.take("priority");
    let priority = priority.map_or(0, |value| sharing::read_priority(source, &value));
    let restart = table.take("restart");
    let restart = restart.map(|value| sharing::read_restart(source, &value));
    let channel_interrupt = table.number(source, "channel-interrupt");
    let wfi = table.text(source, "wfi");
    let trap_wfi = wfi.as_ref().is_none_or(|wfi| wfi.value != "direct");
    if let Some(wfi) = wfi.filter(|wfi| trap_wfi && wfi.value != "trap") {
        source.fault(
            wfi.line,
            format!("`wfi` cannot be \"{}\"", wfi.value),
            "write wfi = \"trap\" (as without it) or wfi = \"direct\"",
        );
    }
    table.finish(source);
    Some(Vm {
        priority,
        restart: restart.unwrap_or_default(),
        trap_wfi,
        cores: cores.unwrap_or(Located {
            value: vec![0],
            line: name.line,
        }),
        name,
        board: board?,
        memory,
        image: image?,
        dtb,
        initrd,
        sd,
        args,
        channel_interrupt,
        entry: entry.unwrap_or_default(),
    })
}

fn read_cores(source: &mut Source<'_>, cores: &Located<&DeValue<'_>>) -> Located<Vec<u8>> {
    let line = cores.line;
    let mut value = Vec::new();
    let mut sound = false;
    if let DeValue::Array(array) = cores.value {
        value = array
            .iter()
            .filter_map(|core| reader::number(core.get_ref()))
            .filter_map(|core| u8::try_from(core).ok())
            .collect();
        sound = value.len() == array.len() && !value.is_empty();
    }
    if !sound {
        source.fault(
            line,
            "`cores` must be a list of host cores",
            "write cores = [0], one core for each vCPU",
        );
    }
    Located { value, line }
}

fn read_image(source: &mut Source<'_>, table: &mut Table<'_>, line: usize) -> Option<Image> {
    let kernel = table.text(source, "kernel").map(Reference::new);
    let elf = table.text(source, "elf").map(Reference::new);
    let flash = table.text(source, "flash").map(Reference::new);
    let raw = table.take("raw").map(|raw| read_raw(source, &raw));
    let given = [
        kernel.is_some(),
        elf.is_some(),
        flash.is_some(),
        raw.is_some(),
    ];
    match given.iter().filter(|given| **given).count() {
        1 => {}
        0 => {
            let mend = "add kernel, elf, raw = { file, load, entry } or flash";
            source.fault(line, format!("{} has no image", table.name), mend);
        }
        _ => {
            let mend = "keep one of kernel, elf, raw and flash";
            source.fault(
                line,
                format!("{} has more than one image", table.name),
                mend,
            );
        }
    }
    let kernel = kernel.map(Image::Kernel).or(elf.map(Image::Elf));
    kernel.or(flash.map(Image::Flash)).or(raw.flatten())
}

fn read_raw(source: &mut Source<'_>, raw: &Located<&DeValue<'_>>) -> Option<Image> {
    let mend = "write raw = { file = \"...\", load = 0x8000, entry = 0x8000 }";
    let DeValue::Table(table) = raw.value else {
        source.fault(raw.line, "`raw` must be a table", mend);
        return None;
    };
    let mut table = Table::new(source, "raw", raw.line, table);
    let file = table.text(source, "file").map(Reference::new);
    let load = table.number(source, "load");
    let entry = table.number(source, "entry").or_else(|| load.clone());
    table.finish(source);
    if file.is_none() || load.is_none() {
        source.fault(raw.line, "`raw` lacks its file or its load address", mend);
    }
    Some(Image::Raw {
        file: file?,
        load: load?,
        entry: entry?,
    })
}

fn read_sd(source: &mut Source<'_>, sd: &Located<&DeValue<'_>>) -> Option<Sd> {
    let mend = "write sd = \"FILE\", or sd = { file = \"FILE\", read-only = true }";
    match sd.value {
        DeValue::String(text) => Some(Sd {
            file: Reference::new(Located {
                value: text.to_string(),
                line: sd.line,
            }),
            read_only: false,
            high_capacity: false,
        }),
        DeValue::Table(table) => {
            let mut table = Table::new(source, "sd", sd.line, table);
            let file = table.text(source, "file").map(Reference::new);
            let read_only = table.flag(source, "read-only");
            let high_capacity = table.flag(source, "high-capacity");
            table.finish(source);
            if file.is_none() {
                source.fault(sd.line, "`sd` lacks its file", mend);
            }
            Some(Sd {
                file: file?,
                read_only,
                high_capacity,
            })
        }
        _ => {
            source.fault(sd.line, "`sd` must be a file or a table", mend);
            None
        }
    }
}

fn read_entry(
    source: &mut Source<'_>,
    title: &str,
    entry: &Located<&DeValue<'_>>,
) -> Vec<(Located<String>, u64)> {
    let mend = "write entry = { pc = 0x8000, r0 = 0, r1 = 0xc42, r2 = 0x100 }";
    let DeValue::Table(table) = entry.value else {
        source.fault(entry.line, "`entry` must be a table of registers", mend);
        return Vec::new();
    };
    let table = Table::new(source, title, entry.line, table);
    let mut registers = Vec::new();
    for (name, value) in table.all() {
        match reader::number(value.value) {
            Some(number) => registers.push((name, number)),
            None => source.fault(
                value.line,
                format!("`{}` must be a number", name.value),
                mend,
            ),
        }
    }
    registers
}
