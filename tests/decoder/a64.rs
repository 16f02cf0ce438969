//! A64: our decode written out, capstone's text brought into the same form, and the words.
//!
//! Our form leaves out what makes no difference to who carries an access out, so these are the
//! same mnemonic here: LDR, LDUR (LDP, LDNP); LDAR, LDAPR, LDAPUR, LDLAR; LDXR, LDAXR; the orderings
//! of an atomic; PRFM of each kind. STADD is LDADD to the zero register.

use crate::compare::{ADDRESS, Set};
use crate::text::canonical;
use crate::words::{ALL, REGISTERS, boundaries, cross};
use capstone::Capstone;
use capstone::arch::arm64::ArchMode;
use capstone::prelude::*;
use reliquary::access::Width;
use reliquary::mmio::decode::State;
use reliquary::mmio::instruction::{
    Address, Atomic, Base, Change, Class, CompareAndSwap, Extend, General, Index, Lane, Modify,
    Offset, Operation, Registers, Simd, Structures, View,
};
use std::fmt::Write;

mod known;

/// All of it.
pub const SET: Set = Set {
    name: "A64",
    state: State::A64,
    capstone,
    bytes: |word| (word.to_le_bytes(), 4),
    ours,
    theirs,
    directed,
    any: |random| random as u32,
    // Bits 27 and 25 of the main encoding table (C4.1).
    load_store: |random| random as u32 & !(1 << 25) | 1 << 27,
    differences: known::DIFFERENCES,
};

fn capstone() -> Capstone {
    Capstone::new()
        .arm64()
        .mode(ArchMode::Arm)
        .build()
        .expect("capstone is built with A64")
}

fn ours(operation: &Operation, out: &mut String) {
    match operation {
        Operation::General(general) => print_general(general, out),
        Operation::Simd(simd) => print_simd(simd, out),
        Operation::Structures(structures) => print_structures(structures, out),
        Operation::Atomic(atomic) => print_atomic(*atomic, out),
        Operation::CompareAndSwap(swap) => print_compare_and_swap(*swap, out),
        Operation::ZeroBlock { register } => write!(out, "dc zva,{}", x(*register)).unwrap(),
        Operation::Prefetch(address) => {
            out.push_str("prfm ");
            print_address(address, out);
        }
        _ => write!(out, "not A64: {operation:?}").unwrap(),
    }
}

fn x(number: u8) -> String {
    match number {
        31 => "xzr".to_owned(),
        number => format!("x{number}"),
    }
}

fn w(number: u8) -> String {
    match number {
        31 => "wzr".to_owned(),
        number => format!("w{number}"),
    }
}

/// The register as the width of a whole one names it.
fn by_width(number: u8, width: Width) -> String {
    if width == Width::Double {
        x(number)
    } else {
        w(number)
    }
}

fn base(base: Base) -> String {
    match base {
        Base::Register(number) => x(number),
        Base::StackPointer => "sp".to_owned(),
        Base::Pc => "pc".to_owned(),
    }
}

/// The letter of an access that is less than a register.
fn part(width: Width) -> &'static str {
    match width {
        Width::Byte => "b",
        Width::Half => "h",
        Width::Word | Width::Double => "",
    }
}

fn print_address(address: &Address, out: &mut String) {
    if let (Base::Pc, Offset::Immediate(offset)) = (address.base, address.offset) {
        return write!(out, "#{}", ADDRESS.wrapping_add_signed(offset)).unwrap();
    }
    let offset = match address.offset {
        Offset::Immediate(0) if address.index == Index::Offset => String::new(),
        Offset::Immediate(offset) => format!(",#{offset}"),
        Offset::Register {
            register,
            subtract,
            modify,
        } => {
            assert!(!subtract, "A64 subtracts no register");
            match modify {
                Modify::Lsl(0) => format!(",{}", x(register)),
                Modify::Lsl(by) => format!(",{},lsl#{by}", x(register)),
                Modify::Uxtw(by) => format!(",{},uxtw#{by}", w(register)),
                Modify::Sxtw(by) => format!(",{},sxtw#{by}", w(register)),
                Modify::Sxtx(by) => format!(",{},sxtx#{by}", x(register)),
                other => format!(",not A64: {other:?}"),
            }
        }
    };
    let base = base(address.base);
    match address.index {
        Index::Offset => write!(out, "[{base}{offset}]"),
        Index::Pre => write!(out, "[{base}{offset}]!"),
        Index::Post => write!(out, "[{base}]{offset}"),
    }
    .unwrap();
}

fn print_general(general: &General, out: &mut String) {
    let pair = general.second.is_some();
    let stem = match (general.class, general.load, pair) {
        (Class::Plain, true, false) => "ldr",
        (Class::Plain, true, true) => "ldp",
        (Class::Plain, false, false) => "str",
        (Class::Plain, false, true) => "stp",
        (Class::Unprivileged, true, _) => "ldtr",
        (Class::Unprivileged, false, _) => "sttr",
        (Class::Ordered, true, _) => "ldar",
        (Class::Ordered, false, _) => "stlr",
        (Class::LoadExclusive, _, false) => "ldxr",
        (Class::LoadExclusive, _, true) => "ldxp",
        (Class::StoreExclusive { .. }, _, false) => "stxr",
        (Class::StoreExclusive { .. }, _, true) => "stxp",
    };
    let width = general.width;
    let (suffix, target) = match general.extend {
        Extend::Zero => (part(width), width),
        Extend::Sign32 => (["sb", "sh"][usize::from(width == Width::Half)], Width::Word),
        Extend::Sign64 => match width {
            Width::Byte => ("sb", Width::Double),
            Width::Half => ("sh", Width::Double),
            _ => ("sw", Width::Double),
        },
    };
    write!(out, "{stem}{suffix} ").unwrap();
    if let Class::StoreExclusive { status } = general.class {
        write!(out, "{},", w(status)).unwrap();
    }
    write!(out, "{},", by_width(general.first, target)).unwrap();
    if let Some(second) = general.second {
        write!(out, "{},", by_width(second, target)).unwrap();
    }
    print_address(&general.address, out);
}

fn print_simd(simd: &Simd, out: &mut String) {
    assert_eq!(simd.view, View::V, "A64 has V registers");
    let letter = ["b", "h", "s", "d", "q"][usize::from(simd.log2_bytes)];
    let (stem, registers) = match simd.registers {
        Registers::Run { first, count: 1 } => ("r", format!("{letter}{first}")),
        Registers::Pair(first, second) => ("p", format!("{letter}{first},{letter}{second}")),
        Registers::Run { .. } => ("?", "not A64".to_owned()),
    };
    let load = if simd.load { "ld" } else { "st" };
    write!(out, "{load}{stem} {registers},").unwrap();
    print_address(&simd.address, out);
}

fn print_structures(structures: &Structures, out: &mut String) {
    let Structures {
        view,
        spacing,
        align,
        ..
    } = *structures;
    assert_eq!(
        (view, spacing, align),
        (View::V, 1, 1),
        "A64 has neither another view, nor distance, nor alignment"
    );
    let load = if structures.load { "ld" } else { "st" };
    let letter = ["b", "h", "s", "d"][usize::from(structures.log2_element)];
    let whole = if structures.quad { 16 } else { 8 };
    let lanes = whole >> structures.log2_element;
    let (replicate, arrangement, lane) = match structures.lane {
        Lane::All => ("", format!("{lanes}{letter}"), String::new()),
        Lane::Replicate => ("r", format!("{lanes}{letter}"), String::new()),
        Lane::One(lane) => ("", letter.to_owned(), format!("[{lane}]")),
    };
    let registers: Vec<String> = (0..structures.repeat * structures.structure)
        .map(|number| format!("v{}.{arrangement}", (structures.first + number) % 32))
        .collect();
    let structure = structures.structure;
    let registers = registers.join(",");
    write!(out, "{load}{structure}{replicate} {{{registers}}}{lane},").unwrap();
    print_address(&structures.address, out);
}

fn print_atomic(atomic: Atomic, out: &mut String) {
    let stem = match atomic.change {
        Change::Add => "ldadd",
        Change::Clear => "ldclr",
        Change::Eor => "ldeor",
        Change::Set => "ldset",
        Change::SignedMax => "ldsmax",
        Change::SignedMin => "ldsmin",
        Change::UnsignedMax => "ldumax",
        Change::UnsignedMin => "ldumin",
        Change::Swap => "swp",
    };
    let source = by_width(atomic.source, atomic.width);
    let target = by_width(atomic.target, atomic.width);
    let (part, base) = (part(atomic.width), base(atomic.base));
    write!(out, "{stem}{part} {source},{target},[{base}]").unwrap();
}

fn print_compare_and_swap(swap: CompareAndSwap, out: &mut String) {
    let registers: Vec<String> = [swap.compare, swap.new]
        .into_iter()
        .flat_map(|first| first..=first + u8::from(swap.pair))
        .map(|number| by_width(number, swap.width))
        .collect();
    let pair = if swap.pair { "p" } else { "" };
    let (part, base) = (part(swap.width), base(swap.base));
    write!(out, "cas{pair}{part} {},[{base}]", registers.join(",")).unwrap();
}

/// Mnemonics by how they begin, and the canonical stem; what follows it is kept. The first that
/// fits is taken.
const STEMS: &[(&str, &str)] = &[
    ("ldur", "ldr"),
    ("stur", "str"),
    ("ldnp", "ldp"),
    ("stnp", "stp"),
    ("ldapur", "ldar"),
    ("ldapr", "ldar"),
    ("ldlar", "ldar"),
    ("stlur", "stlr"),
    ("stllr", "stlr"),
    ("ldaxr", "ldxr"),
    ("ldaxp", "ldxp"),
    ("stlxr", "stxr"),
    ("stlxp", "stxp"),
    ("prfum", "prfm"),
];

/// Atomics, whose stem an ordering may follow, and what an alias without a target is called.
const ATOMICS: &[(&str, &str)] = &[
    ("ldadd", "stadd"),
    ("ldclr", "stclr"),
    ("ldeor", "steor"),
    ("ldset", "stset"),
    ("ldsmax", "stsmax"),
    ("ldsmin", "stsmin"),
    ("ldumax", "stumax"),
    ("ldumin", "stumin"),
    ("swp", "swp"),
    ("casp", "casp"),
    ("cas", "cas"),
];

fn theirs(mnemonic: &str, operands: &str, out: &mut String) -> bool {
    if mnemonic == "dc" {
        canonical(operands, out);
        out.insert_str(0, "dc ");
        return out.starts_with("dc zva,");
    }
    if !["ld", "st", "swp", "cas", "prf"]
        .iter()
        .any(|start| mnemonic.starts_with(start))
    {
        return false;
    }
    if let Some((stem, part, alias)) = atomic(mnemonic) {
        write!(out, "{stem}{part} ").unwrap();
        if alias {
            // The target is the zero register of the source's size.
            let (source, address) = operands.split_once(',').unwrap_or_default();
            let zero = if source.starts_with('x') {
                "xzr"
            } else {
                "wzr"
            };
            write!(out, "{source},{zero},").unwrap();
            canonical(address, out);
        } else {
            canonical(operands, out);
        }
        return true;
    }
    let stem = STEMS
        .iter()
        .find(|(theirs, _)| mnemonic.starts_with(theirs));
    match stem {
        Some((theirs, stem)) => write!(out, "{stem}{} ", &mnemonic[theirs.len()..]).unwrap(),
        None => write!(out, "{mnemonic} ").unwrap(),
    }
    let operands = if out.starts_with("prfm") {
        // What is prefetched, and for what.
        operands.split_once(',').unwrap_or_default().1
    } else {
        operands
    };
    canonical(operands, out);
    // An offset of zero, and of an offset register no shift: an extension by itself.
    for (redundant, plain) in [(",#0]", "]"), (",lsl#0]", "]")] {
        if out.ends_with(redundant) {
            out.truncate(out.len() - redundant.len());
            out.push_str(plain);
        }
    }
    for extension in ["uxtw", "sxtw", "sxtx"] {
        if out.ends_with(&format!("{extension}]")) {
            out.truncate(out.len() - 1);
            out.push_str("#0]");
        }
    }
    true
}

/// The stem of an atomic, the part of a register that it is of, and whether it has no target.
fn atomic(mnemonic: &str) -> Option<(&'static str, &'static str, bool)> {
    ATOMICS.iter().find_map(|(stem, alias)| {
        let (rest, is_alias) = match mnemonic.strip_prefix(stem) {
            Some(rest) => (rest, false),
            None => (mnemonic.strip_prefix(alias)?, true),
        };
        let part = match rest {
            "" | "a" | "l" | "al" => "",
            "b" | "ab" | "lb" | "alb" => "b",
            "h" | "ah" | "lh" | "alh" => "h",
            _ => return None,
        };
        Some((*stem, part, is_alias))
    })
}

/// Each field that selects by all of its values, each operand by its boundaries.
fn directed(emit: &mut dyn FnMut(u32)) {
    let one: &[u32] = ALL[1];
    let [two, three, four] = [ALL[2], ALL[3], ALL[4]];
    let registers = REGISTERS;
    // "Load/store register" of all kinds: size, V, opc, then what bits 21 to 10 hold.
    let rest = [(0, registers), (5, registers)];
    let of = |fields: &[(u32, &'static [u32])]| [fields, &rest].concat();
    let load_store = of(&[(30, two), (26, one), (22, two)]);
    let small = [
        load_store.as_slice(),
        &[(21, one), (16, registers), (12, four), (10, two)],
    ]
    .concat();
    cross(0b111 << 27, &small, emit);
    for value in boundaries(12) {
        cross(0b111 << 27 | 1 << 24 | value << 10, &load_store, emit);
    }
    for value in boundaries(9) {
        let fields = of(&[(30, two), (26, one), (22, two), (21, one), (10, two)]);
        cross(0b111 << 27 | value << 12, &fields, emit);
        cross(0b011 << 27 | 1 << 24 | value << 12, &fields, emit);
    }
    for value in boundaries(7) {
        let fields = of(&[(30, two), (26, one), (23, two), (22, one), (10, registers)]);
        cross(0b101 << 27 | value << 15, &fields, emit);
    }
    for value in boundaries(19) {
        let fields = [(30, two), (26, one), (0, registers)];
        cross(0b011 << 27 | value << 5, &fields, emit);
    }
    // Exclusives, ordered, compare and swap: o2, L, o1 and o0 are bits 23 to 21 and 15.
    let fields = of(&[
        (30, two),
        (21, three),
        (15, one),
        (16, registers),
        (10, registers),
    ]);
    cross(0b001 << 27, &fields, emit);
    // Structures: Q (and bit 31), post-index, L, R, Rm, opcode, S, size.
    let fields = of(&[
        (30, two),
        (21, three),
        (16, registers),
        (12, four),
        (10, two),
    ]);
    cross(0b0011 << 26, &fields, emit);
    cross(0b0011 << 26 | 1 << 24, &fields, emit);
    // SYS and SYSL with CRn of 7.
    let fields = [
        (21, one),
        (16, three),
        (8, four),
        (5, three),
        (0, registers),
    ];
    cross(0xd508_7000, &fields, emit);
}

#[test]
fn aliases_are_brought_into_one_form() {
    let form = |mnemonic, operands| {
        let mut out = String::new();
        assert!(theirs(mnemonic, operands, &mut out));
        out
    };
    assert_eq!(form("ldur", "x0, [x1]"), form("ldr", "x0, [x1, #0]"));
    assert_eq!(form("stadd", "w3, [sp]"), "ldadd w3,wzr,[sp]");
    assert_eq!(form("swpalb", "w3, w4, [sp]"), "swpb w3,w4,[sp]");
    assert_eq!(form("ldraa", "x0, [x1, #0]!"), "ldraa x0,[x1,#0]!");
    assert!(!theirs("dc", "cvac, x0", &mut String::new()));
}
