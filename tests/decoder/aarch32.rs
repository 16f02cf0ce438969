//! A32 and T32: our decode written out, and capstone's text brought into the same form.
//!
//! An operation is written as capstone writes the instruction. Left out is what makes no difference
//! to who carries it out: which hint a prefetch is, acquire and release of an exclusive, PUSH, POP,
//! VPUSH and VPOP as names, the option of LDC's unindexed form. A block of SIMD registers that is
//! not written back is VLDM, or of one register VLDR.

use crate::text::canonical;
use reliquary::access::Width;
use reliquary::mmio::instruction::{
    Address, Atomic, Bank, Base, Block, Change, Class, Extend, General, Index, Lane, Modify,
    Offset, Operation, Registers, Simd, Structures, View,
};

/// Writes our decode out.
pub fn ours(operation: &Operation, out: &mut String) {
    let text = text(operation);
    let (name, operands) = text.split_once(' ').expect("all have operands");
    out.push_str(name);
    out.push(' ');
    canonical(operands, out);
}

fn register(number: u8) -> String {
    match number {
        13 => "sp".into(),
        14 => "lr".into(),
        15 => "pc".into(),
        _ => format!("r{number}"),
    }
}

fn base(base: Base) -> String {
    match base {
        Base::Register(number) => register(number),
        Base::Pc => "pc".into(),
        Base::StackPointer => "A64's SP".into(),
    }
}

fn offset(offset: Offset) -> String {
    let Offset::Register {
        register: m,
        subtract,
        modify,
    } = offset
    else {
        let Offset::Immediate(bytes) = offset else {
            unreachable!()
        };
        return format!("#{bytes}");
    };
    let shift = match modify {
        Modify::Lsl(0) => String::new(),
        Modify::Lsl(n) => format!(", lsl #{n}"),
        Modify::Lsr(n) => format!(", lsr #{n}"),
        Modify::Asr(n) => format!(", asr #{n}"),
        Modify::Ror(n) => format!(", ror #{n}"),
        Modify::Rrx => ", rrx".into(),
        other => format!("{other:?}"),
    };
    format!("{}{}{shift}", if subtract { "-" } else { "" }, register(m))
}

fn address(address: &Address) -> String {
    let (n, m) = (base(address.base), offset(address.offset));
    match address.index {
        Index::Offset if m == "#0" => format!("[{n}]"),
        Index::Offset => format!("[{n}, {m}]"),
        Index::Pre => format!("[{n}, {m}]!"),
        Index::Post => format!("[{n}], {m}"),
    }
}

fn list(names: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", names.collect::<Vec<_>>().join(", "))
}

fn block(block: Block) -> &'static str {
    match block {
        Block::IncrementAfter => "ia",
        Block::IncrementBefore => "ib",
        Block::DecrementAfter => "da",
        Block::DecrementBefore => "db",
    }
}

fn text(operation: &Operation) -> String {
    let direction = |load: bool| if load { "ld" } else { "st" };
    let mark = |write_back: bool| if write_back { "!" } else { "" };
    match operation {
        Operation::General(g) => general(g),
        Operation::Multiple(m) => {
            let registers = list((0..16).filter(|n| m.list >> n & 1 != 0).map(register));
            let bank = match (m.bank, m.load && m.list >> 15 != 0) {
                (Bank::Current, _) => "",
                (Bank::User, false) | (Bank::ExceptionReturn, true) => "^",
                _ => "^ of the wrong bank",
            };
            let (name, base, mark) = (block(m.block), register(m.base), mark(m.write_back));
            format!(
                "{}m{name} {base}{mark}, {registers}{bank}",
                direction(m.load)
            )
        }
        Operation::Simd(s) => simd(s),
        Operation::Structures(s) => structures(s),
        Operation::Atomic(Atomic {
            base: n,
            change: Change::Swap,
            width,
            source,
            target,
        }) => {
            let size = if *width == Width::Byte { "b" } else { "" };
            format!(
                "swp{size} {}, {}, [{}]",
                register(*target),
                register(*source),
                base(*n)
            )
        }
        Operation::ReturnFromException(r) => {
            format!(
                "rfe{} {}{}",
                block(r.block),
                register(r.base),
                mark(r.write_back)
            )
        }
        Operation::StoreReturnState(r) => {
            format!(
                "srs{} sp{}, #{}",
                block(r.block),
                mark(r.write_back),
                r.base
            )
        }
        Operation::Prefetch(a) => format!("pld {}", address(a)),
        Operation::Coprocessor(c) => {
            let (long, number, register) = (if c.long { "l" } else { "" }, c.number, c.register);
            format!(
                "{}c{long} p{number}, c{register}, {}",
                direction(c.load),
                address(&c.address)
            )
        }
        Operation::TableBranch(t) if t.half => {
            format!("tbh [{}, {}, lsl #1]", register(t.base), register(t.index))
        }
        Operation::TableBranch(t) => format!("tbb [{}, {}]", register(t.base), register(t.index)),
        Operation::Atomic(_) | Operation::CompareAndSwap(_) | Operation::ZeroBlock { .. } => {
            format!("not AArch32: {operation:?}")
        }
    }
}

fn general(g: &General) -> String {
    let (mut names, mut name) = (vec![], String::from(if g.load { "ld" } else { "st" }));
    match g.class {
        Class::Plain | Class::Unprivileged => name.push('r'),
        Class::Ordered => name.push_str(if g.load { "a" } else { "l" }),
        Class::LoadExclusive => name.push_str("rex"),
        Class::StoreExclusive { status } => {
            name.push_str("rex");
            names.push(register(status));
        }
    }
    name.push_str(match g.extend {
        Extend::Zero => "",
        Extend::Sign32 => "s",
        Extend::Sign64 => "x",
    });
    name.push_str(match (g.width, g.second) {
        (Width::Byte, None) => "b",
        (Width::Half, None) => "h",
        (Width::Word, None) => "",
        (Width::Word, Some(_)) => "d",
        _ => "?",
    });
    if g.class == Class::Unprivileged {
        name.push('t');
    }
    names.push(register(g.first));
    names.extend(g.second.map(register));
    names.push(address(&g.address));
    format!("{name} {}", names.join(", "))
}

fn simd(s: &Simd) -> String {
    let direction = if s.load { "ld" } else { "st" };
    let (Registers::Run { first, count }, Offset::Immediate(offset)) =
        (s.registers, s.address.offset)
    else {
        return format!("not AArch32: {s:?}");
    };
    let (view, size) = match (s.view, s.log2_bytes) {
        (View::S, 1) => ("s", ".16"),
        (View::S, 2) => ("s", ""),
        (View::D, 3) => ("d", ""),
        _ => return format!("not AArch32: {s:?}"),
    };
    if count == 1 && s.address.index == Index::Offset {
        return format!("v{direction}r{size} {view}{first}, {}", address(&s.address));
    }
    let n = base(s.address.base);
    let registers = list((first..first.saturating_add(count)).map(|n| format!("{view}{n}")));
    let extra = offset.abs() - (i64::from(count) << s.log2_bytes);
    match (s.address.index, offset, extra) {
        (Index::Offset, 0, _) => format!("v{direction}mia {n}, {registers}"),
        (Index::Post, 1.., 0) => format!("v{direction}mia {n}!, {registers}"),
        (Index::Post, 1.., 4) => format!("f{direction}miax {n}!, {registers}"),
        (Index::Pre, ..0, 0) => format!("v{direction}mdb {n}!, {registers}"),
        (Index::Pre, ..0, 4) => format!("f{direction}mdbx {n}!, {registers}"),
        _ => format!("not AArch32: {s:?}"),
    }
}

fn structures(s: &Structures) -> String {
    let element = 8 << s.log2_element;
    let lane = match s.lane {
        Lane::All => String::new(),
        Lane::One(n) => format!("[{n}]"),
        Lane::Replicate => "[]".into(),
    };
    // Registers in ascending order: repeats and the structure's elements interleave.
    let mut numbers: Vec<u8> = (0..s.repeat)
        .flat_map(|r| (0..s.structure).map(move |e| s.first + r + e * s.spacing))
        .collect();
    numbers.sort_unstable();
    let registers = list(numbers.iter().map(|n| format!("d{n}{lane}")));
    let align = match u32::from(s.align) * 8 {
        8 => String::new(),
        bits => format!(":0x{bits:x}"),
    };
    let elements = if s.lane == Lane::All {
        s.repeat * (8 >> s.log2_element)
    } else {
        1
    };
    let bytes = i64::from(elements * s.structure) << s.log2_element;
    let after = match (s.address.index, s.address.offset) {
        (Index::Offset, Offset::Immediate(0)) => String::new(),
        (Index::Post, Offset::Immediate(by)) if by == bytes => "!".into(),
        (Index::Post, m @ Offset::Register { .. }) => format!(", {}", offset(m)),
        other => format!("{other:?}"),
    };
    format!(
        "v{}{}.{element} {registers}, [{}{align}]{after}",
        if s.load { "ld" } else { "st" },
        s.structure,
        base(s.address.base)
    )
}

/// Writes capstone's decode out, if it is a load or store.
pub fn theirs(mnemonic: &str, operands: &str, out: &mut String) -> bool {
    const MOVES: [&str; 20] = [
        "ldr", "str", "ldm", "stm", "lda", "stl", "swp", "push", "pop", "pld", "pli", "rfe", "srs",
        "ldc", "stc", "vld", "vst", "vpush", "vpop", "tb",
    ];
    let mnemonic = mnemonic.strip_suffix(".w").unwrap_or(mnemonic);
    let moves = MOVES.iter().any(|begin| mnemonic.starts_with(begin));
    if !moves && !mnemonic.starts_with("fldm") && !mnemonic.starts_with("fstm") {
        return false;
    }
    let one = operands.trim_matches(['{', '}']);
    let is_one = !one.contains([',', '-']);
    let (name, before, rest) = match mnemonic {
        "push" if is_one => ("str", "", format!("{one}, [sp, #-4]!")),
        "pop" if is_one => ("ldr", "", format!("{one}, [sp], #4")),
        "push" => ("stmdb", "sp!, ", operands.into()),
        "pop" => ("ldmia", "sp!, ", operands.into()),
        "vpush" => ("vstmdb", "sp!, ", operands.into()),
        "vpop" => ("vldmia", "sp!, ", operands.into()),
        "ldm" => ("ldmia", "", operands.into()),
        "stm" => ("stmia", "", operands.into()),
        "pldw" | "pli" => ("pld", "", operands.into()),
        "fldmiax" if !operands.contains('!') => ("vldmia", "", operands.into()),
        "fstmiax" if !operands.contains('!') => ("vstmia", "", operands.into()),
        _ => (mnemonic, "", operands.to_owned()),
    };
    let exclusive = name.strip_prefix("ldaex").map(|size| ("ldrex", size));
    let exclusive = exclusive.or(name.strip_prefix("stlex").map(|size| ("strex", size)));
    let (name, size) = exclusive.unwrap_or((name, ""));
    let start = out.len();
    out.push_str(name);
    out.push_str(size);
    out.push(' ');
    canonical(before, out);
    let operands_start = out.len();
    canonical(&rest, out);
    // An offset of nothing, and the option of LDC's unindexed form.
    if out.ends_with(",#0]") {
        out.truncate(out.len() - 4);
        out.push(']');
    }
    if name.starts_with("ldc") || name.starts_with("stc") {
        let option = out.find(",{").unwrap_or(out.len());
        out.truncate(option);
    }
    // VLDM of one register is VLDR.
    let operands = &out[operands_start..];
    if let ("vldmia" | "vstmia", Some((base, list))) = (name, operands.split_once(",{"))
        && !base.ends_with('!')
        && !list.contains(',')
    {
        let single = format!("{}r {},[{base}]", &name[..3], &list[..list.len() - 1]);
        out.truncate(start);
        out.push_str(&single);
    }
    true
}
