//! Code of real binaries through both decoders.
//!
//! The code is walked linearly from its first byte, what lies between functions included: to a
//! decoder that is more words. T32 falls back into step behind such data by itself. For each
//! binary some instructions are known by their file offset, found by disassembling it: at least one
//! of each class that its code has. A walk that does not come by one of them fails. When Debian
//! has moved on, and the image is another one, the word alone must be met.

use crate::compare::{Set, agree};
use crate::{a32, a64, t32};
use object::{Object, ObjectSection};
use reliquary::mmio::decode::{State, decode};
use reliquary::mmio::instruction::{Class, Index, Operation};
use reliquary_cli::images::{self, Manifest};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

/// Code of one instruction set in an image.
struct Code {
    /// The image's name in legacy-images/manifest.toml.
    image: &'static str,
    set: &'static Set,
    part: Part,
    /// Instructions of it: their file offset, word, and text.
    known: &'static [(usize, u32, &'static str)],
}

/// Which part of an image is walked.
enum Part {
    All,
    Bytes(Range<usize>),
    Section(&'static str),
}

#[test]
fn u_boot_for_qemus_32_bit_board() {
    sweep(&Code {
        image: "u-boot-qemu-arm",
        set: &a32::SET,
        part: Part::All,
        known: &[
            (0x60, 0xe51f_d028, "ldr sp,[pc,#-40]"),
            (0x1b68, 0xe8b1_51f8, "ldmia r1!,{r3,r4,r5,r6,r7,r8,r12,lr}"),
            (0x3fc0c, 0xe92d_4010, "stmdb sp!,{r4,lr}"),
            // The fw_cfg driver writes the DMA address: big-endian, both halves at once.
            (0x3fc24, 0xe1c1_21f0, "strd r2,r3,[r1,#16]"),
            (0x3fcb0, 0xe0c4_60f8, "strd r6,r7,[r4],#8"),
        ],
    });
}

#[test]
fn u_boot_for_qemus_64_bit_board() {
    sweep(&Code {
        image: "u-boot-qemu-arm64",
        set: &a64::SET,
        part: Part::All,
        known: &[
            (0x60, 0xa8c1_0440, "ldp x0,x1,[x2],#16"),
            (0x64, 0xf840_8444, "ldr x4,[x2],#8"),
            (0x24c, 0xa9bf_7bfd, "stp x29,x30,[sp,#-16]!"),
            // SHA-256.
            (
                0x254c,
                0x4cdf_2828,
                "ld1 {v8.4s,v9.4s,v10.4s,v11.4s},[x1],#64",
            ),
            (0x4088, 0x385f_e300, "ldrb w0,[x24,#-2]"),
            (0x7758, 0xb980_3e61, "ldrsw x1,[x19,#60]"),
            (0x7ca7c, 0x3800_3c55, "strb w21,[x2,#3]!"),
            (0x85324, 0x6940_0c00, "ldpsw x0,x3,[x0]"),
        ],
    });
}

/// Its SPL, and the U-Boot behind that.
#[test]
fn u_boot_for_the_allwinner_h3() {
    sweep(&Code {
        image: "u-boot-sunxi-h3",
        set: &a32::SET,
        // The vectors and the first steps; the rest is Thumb.
        part: Part::Bytes(0x60..0x160),
        known: &[(0x64, 0xe59f_f014, "ldr pc,[pc,#20]")],
    });
    sweep(&Code {
        image: "u-boot-sunxi-h3",
        set: &t32::SET,
        part: Part::All,
        known: &[
            (0x184, 0xe9d3_0100, "ldrd r0,r1,[r3]"),
            (0x1de, 0xe8df_f003, "tbb [pc,r3]"),
            (0x834, 0xe92d_41f0, "stmdb sp!,{r4,r5,r6,r7,r8,lr}"),
            (0xaf0, 0xf812_5f01, "ldrb r5,[r2,#1]!"),
            // Two loops that fill registers of the DRAM controller.
            (0xafc, 0xf840_5b04, "str r5,[r0],#4"),
            (0xb1a, 0xf811_2f01, "ldrb r2,[r1,#1]!"),
            (0xb24, 0xf843_2b04, "str r2,[r3],#4"),
            (0xd30, 0xf836_3b02, "ldrh r3,[r6],#2"),
            (0x11b2, 0xf891_f000, "pld [r1]"),
            (0x11de, 0xe8b1_51f8, "ldmia r1!,{r3,r4,r5,r6,r7,r8,r12,lr}"),
        ],
    });
}

#[test]
fn busybox_for_armhf() {
    sweep(&Code {
        image: "busybox-armhf",
        set: &t32::SET,
        part: Part::Section(".text"),
        known: &[
            (0x1e8, 0xe850_2f00, "ldrex r2,[r0]"),
            (0x1f0, 0xe840_3100, "strex r1,r3,[r0]"),
            (0x344, 0xe96d_4502, "strd r4,r5,[sp,#-8]!"),
            (0x512, 0xed91_0b00, "vldr d0,[r1]"),
            (
                0x126c,
                0xecac_8b10,
                "vstmia r12!,{d8,d9,d10,d11,d12,d13,d14,d15}",
            ),
            (0x1c0c, 0xf921_223d, "vld1.8 {d2,d3,d4,d5},[r1:256]!"),
            (0x1c46, 0xed2d_8b04, "vstmdb sp!,{d8,d9}"),
            (0x2d8a, 0xe8df_f003, "tbb [pc,r3]"),
            (0x3ac6, 0xe8df_f013, "tbh [pc,r3,lsl#1]"),
            (0x15e80, 0xf933_2f02, "ldrsh r2,[r3,#2]!"),
        ],
    });
}

/// Walks the code, and panics unless both decoders agree and all that is known was met.
fn sweep(code: &Code) {
    let (bytes, as_seen) = image(code.image);
    let range = match &code.part {
        Part::All => 0..bytes.len(),
        Part::Bytes(range) => range.clone(),
        Part::Section(name) => section(&bytes, name),
    };
    let walked = walk(code.set.state, &bytes, range);
    let words: Vec<u32> = walked.values().copied().collect();
    let mut classes = BTreeMap::<&str, usize>::new();
    for word in &words {
        if let Ok(operation) = decode(code.set.state, *word) {
            *classes.entry(class(&operation)).or_default() += 1;
        }
    }
    let name = format!("{} ({})", code.image, code.set.name);
    println!("{name}: {classes:?}");
    agree(code.set, &name, &words);
    for (offset, word, text) in code.known {
        let met = if as_seen {
            walked.get(offset) == Some(word)
        } else {
            words.contains(word)
        };
        assert!(met, "{name}: `{text}` at {offset:#x} is not met");
        let mut ours = String::new();
        let operation = decode(code.set.state, *word)
            .unwrap_or_else(|_| panic!("{name}: `{text}` is not decoded"));
        (code.set.ours)(&operation, &mut ours);
        assert_eq!(ours, *text, "{name}, at {offset:#x}");
    }
}

/// The image, and whether it is the one whose offsets are known.
fn image(name: &str) -> (Vec<u8>, bool) {
    static ALL: OnceLock<Manifest> = OnceLock::new();
    // One fetches, the others wait.
    let manifest = ALL.get_or_init(|| {
        let manifest = Manifest::read().unwrap_or_else(|faults| panic!("{faults}"));
        let names: Vec<&str> = manifest.image.iter().map(|i| i.name.as_str()).collect();
        manifest
            .fetch(&names, false)
            .unwrap_or_else(|faults| panic!("{faults}"));
        manifest
    });
    let bytes = std::fs::read(images::path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let hash = images::sha256(&bytes);
    let image = manifest.image.iter().find(|image| image.name == name);
    let as_seen = image.expect("the manifest has it").sha256 == hash;
    (bytes, as_seen)
}

fn section(elf: &[u8], name: &str) -> Range<usize> {
    let file = object::File::parse(elf).expect("an ELF file");
    let section = file.section_by_name(name).expect("it has the section");
    let (start, size) = section.file_range().expect("the section is in the file");
    start as usize..(start + size) as usize
}

/// All words as instructions, by their offset.
fn walk(state: State, bytes: &[u8], range: Range<usize>) -> BTreeMap<usize, u32> {
    let half = |at: usize| -> Option<u32> {
        let half = bytes.get(at..at + 2).filter(|_| at + 2 <= range.end)?;
        Some(u32::from(u16::from_le_bytes([half[0], half[1]])))
    };
    let (mut walked, mut at) = (BTreeMap::new(), range.start);
    while let Some(first) = half(at) {
        let (word, length) = match (state, half(at + 2)) {
            // DDI 0487, F3.1: these begin an instruction of 32 bits.
            (State::T32, Some(second)) if first >= 0xe800 => (first << 16 | second, 4),
            (State::T32, None) if first >= 0xe800 => break,
            (State::T32, _) => (first, 2),
            (_, Some(second)) => (second << 16 | first, 4),
            (_, None) => break,
        };
        walked.insert(at, word);
        at += length;
    }
    walked
}

/// What stands in the count.
fn class(operation: &Operation) -> &'static str {
    match operation {
        Operation::General(general) => match general.class {
            Class::LoadExclusive | Class::StoreExclusive { .. } => "exclusives",
            Class::Ordered => "ordered",
            Class::Unprivileged => "unprivileged",
            Class::Plain if general.second.is_some() => "pairs",
            Class::Plain if general.address.index != Index::Offset => "write-back",
            Class::Plain => "simple",
        },
        Operation::Multiple(_) => "multiples",
        Operation::Simd(_) => "SIMD and FP",
        Operation::Structures(_) => "structures",
        Operation::Atomic(_) | Operation::CompareAndSwap(_) => "atomics",
        Operation::ReturnFromException(_) | Operation::StoreReturnState(_) => "exception states",
        Operation::TableBranch(_) => "table branches",
        Operation::ZeroBlock { .. } => "zeroing",
        Operation::Prefetch(_) => "prefetches",
        Operation::Coprocessor(_) => "coprocessors",
    }
}
