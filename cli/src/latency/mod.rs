//! How long an interrupt can wait at EL2, counted in instructions while a system runs under QEMU.
//!
//! - [`plugin.c`](plugin.c): a plugin of QEMU's, which counts; compiled here when it is needed.
//! - [`read`]: what it counted.
//! - [`report`]: the same in words.
//!
//! docs/real-time.md tells what is counted, and what came out.
use crate::fault::{Doing, Fault, Faults, Result, did_you_mean};
use crate::symbols::Symbols;
use crate::system::prepare::{Prepared, PreparedVm};
use crate::system::{Image, System};
use object::{Object, ObjectSection, ObjectSymbol};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

pub mod read;
pub mod report;

pub use read::{Begins, Cpu, Ends, Longest, Table};

/// A guest, and where its interrupts begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The VM's name.
    pub name: String,
    /// Its cores.
    pub cores: Vec<usize>,
    /// Addresses of its IRQ and FIQ vectors.
    pub vectors: Vec<u64>,
}

/// A run that is to be measured, or is.
#[derive(Debug)]
pub struct Latency {
    folder: tempfile::TempDir,
    guests: Vec<Guest>,
    elf: PathBuf,
}

/// What a run came to.
#[derive(Debug)]
pub struct Measured {
    /// The cores that guests ran on.
    pub cpus: Vec<Cpu>,
    guests: Vec<Guest>,
    symbols: Symbols,
}

/// What an AArch32 guest's vectors are behind, unless its VBAR says otherwise: SCTLR.V.
const LOW_AND_HIGH: [u64; 2] = [0, 0xffff_0000];
/// IRQ and FIQ of AArch32.
const NARROW: [u64; 2] = [0x18, 0x1c];
/// IRQ and FIQ of AArch64: of the current level with SP_EL0 and with SP_EL1, of EL0 in A64 and A32.
const WIDE: [u64; 8] = [0x80, 0x100, 0x280, 0x300, 0x480, 0x500, 0x680, 0x700];

impl Latency {
    /// For this system; `vectors` are addresses of interrupt vectors that the user named.
    pub fn of(system: &System, prepared: &Prepared, vectors: &[(String, u64)]) -> Result<Self> {
        let names = prepared.vms.iter().map(|vm| vm.name.as_str());
        for (name, _) in vectors {
            if !names.clone().any(|known| known == name) {
                let near = did_you_mean(name, names.clone());
                let mend = match near {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("it has {}", names.collect::<Vec<_>>().join(", ")),
                };
                let what = format!("the system has no VM \"{name}\" for --vector");
                return Err(Fault::new(what).mend(mend).into());
            }
        }
        let guests = prepared.vms.iter().map(|vm| {
            let own = vectors.iter().filter(|(name, _)| *name == vm.name);
            Ok(Guest {
                name: vm.name.clone(),
                cores: vm.cores.iter().map(|core| usize::from(*core)).collect(),
                vectors: own
                    .map(|(_, at)| *at)
                    .chain(vectors_of(system, vm)?)
                    .collect(),
            })
        });
        let guests = guests.collect::<Result<_>>()?;
        let folder = tempfile::tempdir().doing(|| "cannot make a folder".to_owned())?;
        let elf = PathBuf::new();
        let latency = Self {
            folder,
            guests,
            elf,
        };
        latency.compile()?;
        Ok(latency)
    }

    /// QEMU's arguments, for this hypervisor; `each` counts instruction by instruction, as -icount asks.
    pub fn qemu(&mut self, elf: &Path, each: bool, further: &[String]) -> Result<Vec<String>> {
        self.elf = elf.to_path_buf();
        let file = std::fs::read(elf).doing(|| format!("cannot read {}", elf.display()))?;
        let image = ImageFacts::of(&file).ok_or_else(|| {
            let what = format!("{} lacks `el2_vectors` or `{POLLS}`", elf.display());
            Faults::from(Fault::new(what))
        })?;
        let mut plugin = format!(
            "file={},out={},head={:x},text={:x},vectors={:x},polls={:x}",
            self.file("plugin.so").display(),
            self.file("results").display(),
            image.head,
            image.text,
            image.vectors,
            image.polls
        );
        if each {
            plugin.push_str(",each=1");
        }
        for guest in &self.guests {
            for core in &guest.cores {
                for vector in &guest.vectors {
                    let _ = write!(plugin, ",guest={core}:{vector:x}");
                }
            }
        }
        let mut arguments = vec!["-plugin".to_owned(), plugin];
        arguments.extend_from_slice(further);
        Ok(arguments)
    }

    /// What was counted, when QEMU has ended.
    pub fn close(self) -> Result<Measured> {
        let bytes = std::fs::read(self.file("results")).unwrap_or_default();
        Ok(Measured {
            cpus: read::read(&bytes)?,
            symbols: Symbols::of_elf(&self.elf),
            guests: self.guests,
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn compile(&self) -> Result<()> {
        let source = self.file("plugin.c");
        std::fs::write(&source, include_str!("plugin.c")).doing(|| "cannot write".to_owned())?;
        let output = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o"])
            .arg(self.file("plugin.so"))
            .arg(&source)
            .output();
        let output = output.doing(|| "cannot run the C compiler cc".to_owned());
        let output = output.map_err(|fault| fault.mend("cargo reliquary setup"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let what = format!("QEMU's plugin does not compile: {}", said.trim());
            return Err(Fault::new(what).mend("cargo reliquary setup").into());
        }
        Ok(())
    }
}

/// What the plugin knows the hypervisor by.
#[derive(Debug, PartialEq, Eq)]
struct ImageFacts {
    head: u32,
    text: u64,
    vectors: u64,
    polls: u64,
}

/// The function that looks after a VM, once for each turn of the loop that polls.
const POLLS: &str = "reliquary_el2::arch::guest::Guest::attend";

impl ImageFacts {
    fn of(elf: &[u8]) -> Option<Self> {
        let file = object::File::parse(elf).ok()?;
        let text = file.section_by_name(".text")?;
        let head = text.data().ok()?.first_chunk()?;
        let symbol = |name| file.symbols().find(|symbol| symbol.name() == Ok(name));
        let polls = file.symbols().find(|symbol| {
            let name = symbol.name().unwrap_or_default();
            format!("{:#}", rustc_demangle::demangle(name)) == POLLS
        })?;
        Some(Self {
            head: u32::from_le_bytes(*head),
            text: text.size(),
            vectors: symbol("el2_vectors")?.address(),
            polls: polls.address(),
        })
    }
}

/// Where the interrupts of a VM's image begin, as far as that can be known: an ELF file has
/// symbols for them, and AArch32 has two places besides.
fn vectors_of(system: &System, vm: &PreparedVm) -> Result<Vec<u64>> {
    let wide = vm.board.wide;
    let mut bases = if wide {
        Vec::new()
    } else {
        LOW_AND_HIGH.to_vec()
    };
    let of_system = system.vms.iter().find(|one| one.name.value == vm.name);
    if let Some(Image::Elf(file)) = of_system.map(|one| &one.image) {
        let file = file.find(&system.file, wide)?;
        let bytes = std::fs::read(&file).doing(|| format!("cannot read {}", file.display()))?;
        bases.extend(bases_in(&bytes));
    }
    let offsets = if wide { &WIDE[..] } else { &NARROW };
    let all = bases
        .iter()
        .flat_map(|base| offsets.iter().map(move |offset| base + offset));
    Ok(all.collect())
}

/// Symbols called `vectors`, or something and `_vectors`.
fn bases_in(elf: &[u8]) -> Vec<u64> {
    let Ok(file) = object::File::parse(elf) else {
        return Vec::new();
    };
    let named = file.symbols().filter(|symbol| {
        let name = symbol.name().unwrap_or_default();
        name == "vectors" || name.ends_with("_vectors")
    });
    named.map(|symbol| symbol.address()).collect()
}
