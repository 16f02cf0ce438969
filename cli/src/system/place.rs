//! Where a VM's images go in its board's memory, and how its first CPU is entered.
//!
//! By the protocols that Linux documents (Documentation/arch/arm/booting.rst and
//! Documentation/arch/arm64/booting.rst): registers, alignment, and that nothing lies where a
//! zImage unpacks itself. The initial RAM disk goes half-way up RAM, but not above 128 MiB,
//! and the tree behind it: far from the kernel, inside what it maps first.
use super::board::VmBoard;
use super::kernel::{Kernel, Kind};
use crate::fault::Fault;
use crate::tree::Region;
use object::{Object, ObjectSegment};
use reliquary::bundle::Entry;

/// Bytes at a guest's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What they are, for messages: `kernel vmlinuz-armmp`.
    pub name: String,
    /// The address of the first.
    pub at: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The line of the system file that asked for them.
    pub line: usize,
}

impl Placed {
    /// Where it lies.
    pub fn region(&self) -> Region {
        Region {
            base: self.at,
            size: self.bytes.len() as u64,
        }
    }
}

/// Supervisor mode, A32, asynchronous aborts, IRQ and FIQ masked.
pub const SVC: u32 = 0x1d3;
/// CPSR.T: Thumb.
const THUMB: u32 = 1 << 5;
/// EL1h, all masked.
pub const EL1H: u64 = 0x3c5;

const MIB: u64 = 1 << 20;

/// Where a zImage goes: above where it unpacks itself, if RAM is large enough for that.
pub fn zimage_at(ram: Region) -> u64 {
    ram.base
        + if ram.size >= 96 * MIB {
            32 * MIB
        } else {
            0x10000
        }
}

/// Where an arm64 Image goes.
pub fn image_at(ram: Region, text_offset: u64) -> u64 {
    ram.base.next_multiple_of(2 * MIB) + text_offset
}

/// Where the initial RAM disk goes, behind a kernel that ends at `kernel_end`.
pub fn initrd_at(ram: Region, kernel_end: u64) -> u64 {
    let half = ram.base + (ram.size / 2).min(128 * MIB);
    half.max(kernel_end).next_multiple_of(0x1000)
}

/// Where the tree goes, behind the initial RAM disk.
pub fn tree_at(initrd_end: u64, wide: bool) -> u64 {
    initrd_end.next_multiple_of(if wide { 2 * MIB } else { 0x1000 })
}

/// Where a kernel goes, what it needs there, and where it begins.
pub fn kernel(kernel: &Kernel, ram: Region) -> (u64, u64, u64) {
    let size = kernel.bytes.len() as u64;
    match kernel.kind {
        Kind::ZImage => (zimage_at(ram), size, zimage_at(ram)),
        Kind::Arm64 {
            text_offset,
            memory,
        } => {
            let at = image_at(ram, text_offset);
            (at, memory, at)
        }
        Kind::UImage { load, entry } => (u64::from(load), size, u64::from(entry)),
    }
}

/// The loadable segments of an ELF file, and its entry.
pub fn elf(file: &[u8], wide: bool, name: &str, line: usize) -> Result<(Vec<Placed>, u64), Fault> {
    let elf =
        object::File::parse(file).map_err(|error| Fault::new(format!("no ELF file: {error}")))?;
    if elf.is_64() != wide
        || !matches!(
            elf.architecture(),
            object::Architecture::Arm | object::Architecture::Aarch64
        )
    {
        return Err(wrong_width(wide, "the ELF file"));
    }
    let mut placed = Vec::new();
    for (number, segment) in elf_segments(file, wide)?.into_iter().enumerate() {
        let (at, bytes) = segment;
        placed.push(Placed {
            name: format!("{name} segment {number}"),
            at,
            bytes,
            line,
        });
    }
    let known = elf.segments().any(|segment| segment.size() > 0);
    if placed.is_empty() || !known {
        return Err(
            Fault::new("the ELF file has nothing to load").mend("link it with a PT_LOAD segment")
        );
    }
    Ok((placed, elf.entry()))
}

/// PT_LOAD segments by physical address, which `object`'s own view leaves out.
pub fn elf_segments(file: &[u8], wide: bool) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
    use object::LittleEndian as Le;
    use object::elf::{FileHeader32, FileHeader64};
    use object::read::elf::{FileHeader, ProgramHeader};
    fn take<Header: FileHeader<Endian = Le>>(file: &[u8]) -> object::Result<Vec<(u64, Vec<u8>)>> {
        let header = Header::parse(file)?;
        let endian = header.endian()?;
        let mut segments = Vec::new();
        for program in header.program_headers(endian, file)? {
            if program.p_type(endian) != object::elf::PT_LOAD {
                continue;
            }
            let bytes = program.data(endian, file).unwrap_or_default().to_vec();
            if !bytes.is_empty() {
                segments.push((program.p_paddr(endian).into(), bytes));
            }
        }
        Ok(segments)
    }
    let taken = if wide {
        take::<FileHeader64<Le>>(file)
    } else {
        take::<FileHeader32<Le>>(file)
    };
    taken.map_err(|error| Fault::new(format!("a damaged ELF file: {error}")))
}

/// A file for the other kind of CPU.
pub fn wrong_width(wide: bool, what: &str) -> Fault {
    let (own, other) = if wide {
        ("64-bit", "32-bit")
    } else {
        ("32-bit", "64-bit")
    };
    Fault::new(format!(
        "{what} is not for the board's CPU: that is a {own} one"
    ))
    .mend(format!(
        "take an image for {own} Arm, or a board with a {other} CPU"
    ))
}

/// How an image is entered: program counter, and the first registers.
pub fn entry(wide: bool, pc: u64, registers: &[u64]) -> Entry {
    if wide {
        let mut x = [0; 31];
        for (register, value) in x.iter_mut().zip(registers) {
            *register = *value;
        }
        return Entry::A64 {
            pc,
            pstate: EL1H,
            x,
        };
    }
    let mut r = [0; 15];
    for (register, value) in r.iter_mut().zip(registers) {
        *register = *value as u32;
    }
    let thumb = if pc & 1 == 1 { THUMB } else { 0 };
    Entry::A32 {
        pc: pc as u32,
        cpsr: SVC | thumb,
        r,
    }
}

/// Sets a register by its name; says what is wrong with the name or the value.
pub fn set_register(entry: &mut Entry, name: &str, value: u64) -> Result<(), Fault> {
    let number = |prefix: char| {
        name.strip_prefix(prefix)
            .and_then(|number| number.parse::<usize>().ok())
    };
    match entry {
        Entry::A32 { pc, cpsr, r } => {
            let value = u32::try_from(value).map_err(|_| {
                Fault::new(format!("{name} = {value:#x} does not fit into 32 bits"))
                    .mend("the board's CPU is a 32-bit one")
            })?;
            match (name, number('r')) {
                ("pc", _) => {
                    *pc = value;
                    *cpsr = *cpsr & !THUMB | if value & 1 == 1 { THUMB } else { 0 };
                }
                ("cpsr", _) => *cpsr = value,
                ("sp", _) => r[13] = value,
                ("lr", _) => r[14] = value,
                (_, Some(number)) if number < r.len() => r[number] = value,
                _ => {
                    return Err(
                        Fault::new(format!("a 32-bit CPU has no entry register `{name}`"))
                            .mend("pc, cpsr, r0 to r14"),
                    );
                }
            }
        }
        Entry::A64 { pc, pstate, x } => match (name, number('x')) {
            ("pc", _) => *pc = value,
            ("pstate", _) => *pstate = value,
            ("lr", _) => x[30] = value,
            (_, Some(number)) if number < x.len() => x[number] = value,
            _ => {
                return Err(
                    Fault::new(format!("a 64-bit CPU has no entry register `{name}`"))
                        .mend("pc, pstate, x0 to x30"),
                );
            }
        },
    }
    Ok(())
}

/// Everything must lie in RAM or in a flash, and nothing on another.
pub fn check(placed: &[Placed], board: &VmBoard) -> Vec<(usize, Fault)> {
    let mut faults = Vec::new();
    for (index, one) in placed.iter().enumerate() {
        let region = one.region();
        let homes = board.ram.iter().chain(&board.flashes);
        if !homes.clone().any(|home| home.holds(region)) {
            let homes: Vec<_> = homes
                .map(|home| format!("{:#x} to {:#x}", home.base, home.end()))
                .collect();
            let what = format!(
                "{} at {:#x} to {:#x} leaves the VM's memory",
                one.name,
                region.base,
                region.end()
            );
            let mend = format!(
                "the VM has RAM and flash at {}; give it more memory, or another address",
                homes.join(", ")
            );
            faults.push((one.line, Fault::new(what).mend(mend)));
        }
        for other in placed
            .iter()
            .take(index)
            .filter(|other| other.region().overlaps(region))
        {
            let what = format!(
                "{} at {:#x} overlaps {} at {:#x}",
                one.name, one.at, other.name, other.at
            );
            faults.push((
                one.line,
                Fault::new(what).mend("move one of them, or give the VM more memory"),
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAM: Region = Region {
        base: 0x6000_0000,
        size: 512 * MIB,
    };

    #[test]
    fn a_zimage_an_initrd_and_a_tree_keep_out_of_each_others_way() {
        let small = Region {
            size: 64 * MIB,
            ..RAM
        };
        assert_eq!(zimage_at(RAM), 0x6200_0000);
        assert_eq!(zimage_at(small), 0x6001_0000);
        assert_eq!(initrd_at(RAM, 0x6250_0000), 0x6800_0000);
        assert_eq!(initrd_at(small, 0x6250_0001), 0x6250_1000);
        assert_eq!(tree_at(0x6800_0001, false), 0x6800_1000);
        assert_eq!(tree_at(0x6800_0001, true), 0x6820_0000);
    }

    #[test]
    fn registers_are_set_by_their_names() {
        let mut narrow = entry(false, 0x8001, &[0, 0xc42, 0x100]);
        assert!(matches!(
            narrow,
            Entry::A32 {
                pc: 0x8001,
                cpsr: 0x1f3,
                r: [0, 0xc42, 0x100, ..]
            }
        ));
        set_register(&mut narrow, "pc", 0x8000).unwrap();
        set_register(&mut narrow, "r14", 7).unwrap();
        assert!(matches!(
            narrow,
            Entry::A32 {
                pc: 0x8000,
                cpsr: SVC,
                r: [.., 7]
            }
        ));
        assert!(set_register(&mut narrow, "x0", 0).is_err());
        assert!(set_register(&mut narrow, "r15", 0).is_err());
        assert!(set_register(&mut narrow, "r0", 1 << 32).is_err());
        let mut wide = entry(true, 0x4000_0000, &[1]);
        set_register(&mut wide, "x30", 1 << 40).unwrap();
        assert!(set_register(&mut wide, "cpsr", 0).is_err());
        assert!(matches!(
            wide,
            Entry::A64 {
                pstate: EL1H,
                x: [1, .., 0x100_0000_0000],
                ..
            }
        ));
    }
}
