//! A64's loads and stores (DDI 0487, C4.1.66), a row for each form, and how a row becomes a case:
//! its fixed bits, with random registers and immediates that the architecture predicts.

use super::a64::{Case, State};
use super::{HOLE, Random, WINDOWS, poke};

/// How a row's other bits are made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// imm12, scaled, at 10.
    Unsigned,
    /// imm9 at 12, no write-back.
    Unscaled,
    /// imm9 at 12, pre-index.
    Pre,
    /// imm9 at 12, post-index.
    Post,
    /// Rm, option and S.
    Register,
    /// imm7 at 15, scaled.
    PairOffset,
    /// The same, pre-index.
    PairPre,
    /// The same, post-index.
    PairPost,
    /// imm19 at 5.
    Literal,
    /// A base, and nothing else.
    Base,
    /// A base, and Rs at 16 that is read.
    Atomic,
    /// CAS: Rs is compared and written.
    Compare,
    /// CASP: the same with pairs.
    ComparePair,
    /// LDXR or LDAXR, a few instructions, and STXR or STLXR.
    Exclusive,
    /// LDXP or LDAXP, and STXP or STLXP.
    ExclusivePair,
    /// STXR without a monitor: it fails.
    ExclusiveAlone,
    /// LD1 to LD4 and ST1 to ST4, no offset.
    Structures,
    /// The same, post-index by an immediate or a register.
    StructuresPost,
    /// DC ZVA.
    Zero,
}

/// What a row moves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Moves {
    /// To general registers.
    Load,
    /// From general registers.
    Store,
    /// To SIMD registers.
    LoadSimd,
    /// From SIMD registers.
    StoreSimd,
    /// Nothing.
    Hint,
}

use Moves::{Hint, Load, LoadSimd, Store, StoreSimd};

/// A form of instruction.
#[derive(Clone, Copy)]
pub struct Row {
    class: &'static str,
    bits: u32,
    form: Form,
    moves: Moves,
    /// Log2 of the bytes of a register or an element: what its alignment is.
    size: u32,
    /// Bytes in all.
    total: u32,
    /// Aligned whatever the memory type.
    strict: bool,
}

const fn moves(simd: bool, load: bool) -> Moves {
    match (simd, load) {
        (false, true) => Load,
        (false, false) => Store,
        (true, true) => LoadSimd,
        (true, false) => StoreSimd,
    }
}

fn row(class: &'static str, bits: u32, form: Form, moves: Moves, size: u32) -> Row {
    Row {
        class,
        bits,
        form,
        moves,
        size,
        total: 1 << size,
        strict: false,
    }
}

impl Row {
    /// How many cases it gets in each state and round: fewer where there are very many forms.
    #[must_use]
    pub fn cases(&self, random: &mut Random) -> u32 {
        match self.class {
            "LD1-4, ST1-4 single" => u32::from(random.once_in(3)),
            "LD1-4, ST1-4 multiple" | "LD1R-LD4R" => u32::from(random.coin()),
            "LDADD to LDUMIN" | "store-exclusive alone" => 1,
            "exclusives" | "exclusive pairs" | "literal" | "DC ZVA" => 4,
            _ => 2,
        }
    }
}

/// Calls `each` with every form.
pub fn rows(mut each: impl FnMut(Row)) {
    singles(&mut each);
    pairs(&mut each);
    ordered(&mut each);
    exclusives(&mut each);
    atomics(&mut each);
    structures(&mut each);
    for (bits, moves, size) in [
        (0x1800_0000, Load, 2),
        (0x5800_0000, Load, 3),
        (0x9800_0000, Load, 2),
        (0xd800_0000, Hint, 2),
        (0x1c00_0000, LoadSimd, 2),
        (0x5c00_0000, LoadSimd, 3),
        (0x9c00_0000, LoadSimd, 4),
    ] {
        each(row("literal", bits, Form::Literal, moves, size));
    }
    each(row("DC ZVA", 0xd50b_7420, Form::Zero, Store, 3));
}

fn singles(each: &mut impl FnMut(Row)) {
    let modes = [
        ("unsigned offset", 0x3900_0000, Form::Unsigned),
        ("unscaled offset", 0x3800_0000, Form::Unscaled),
        ("post-index", 0x3800_0400, Form::Post),
        ("unprivileged", 0x3800_0800, Form::Unscaled),
        ("pre-index", 0x3800_0c00, Form::Pre),
        ("register offset", 0x3820_0800, Form::Register),
    ];
    for (class, mode, form) in modes {
        for size in 0..4_u32 {
            for opc in 0..4_u32 {
                let bits = mode | size << 30 | opc << 22;
                let general = match (size, opc) {
                    (_, 0) => Some(Store),
                    (_, 1) | (0..=1, _) | (2, 2) => Some(Load),
                    (3, 2) if !matches!(class, "post-index" | "pre-index" | "unprivileged") => {
                        Some(Hint)
                    }
                    _ => None,
                };
                if let Some(moves) = general {
                    let class = if moves == Hint { "PRFM" } else { class };
                    each(row(class, bits, form, moves, size));
                }
                if class != "unprivileged" && (opc < 2 || size == 0) {
                    let size = if opc < 2 { size } else { 4 };
                    let class = match form {
                        Form::Unsigned => "SIMD unsigned offset",
                        Form::Unscaled => "SIMD unscaled offset",
                        Form::Post => "SIMD post-index",
                        Form::Pre => "SIMD pre-index",
                        _ => "SIMD register offset",
                    };
                    let moves = moves(true, opc & 1 != 0);
                    each(row(class, bits | 1 << 26, form, moves, size));
                }
            }
        }
    }
}

fn pairs(each: &mut impl FnMut(Row)) {
    let modes = [
        ("pair no-allocate", 0, Form::PairOffset),
        ("pair post-index", 1, Form::PairPost),
        ("pair offset", 2, Form::PairOffset),
        ("pair pre-index", 3, Form::PairPre),
    ];
    for (class, mode, form) in modes {
        for opc in 0..3_u32 {
            for load in 0..2_u32 {
                let bits = 0x2800_0000 | opc << 30 | mode << 23 | load << 22;
                let size = if opc == 2 { 3 } else { 2 };
                // LDPSW is a load, and never no-allocate.
                if opc != 1 || (load == 1 && mode != 0) {
                    let mut row = row(class, bits, form, moves(false, load == 1), size);
                    row.total *= 2;
                    each(row);
                }
                let class = match form {
                    Form::PairPost => "SIMD pair post-index",
                    Form::PairPre => "SIMD pair pre-index",
                    _ if mode == 0 => "SIMD pair no-allocate",
                    _ => "SIMD pair offset",
                };
                let size = opc + 2;
                let mut row = row(class, bits | 1 << 26, form, moves(true, load == 1), size);
                row.total *= 2;
                each(row);
            }
        }
    }
}

fn ordered(each: &mut impl FnMut(Row)) {
    let strict = |mut row: Row| {
        row.strict = true;
        row
    };
    for size in 0..4_u32 {
        let at = size << 30;
        for (class, bits, moves) in [
            ("LDAR, LDLAR", 0x08df_fc00, Load),
            ("LDAR, LDLAR", 0x08df_7c00, Load),
            ("STLR, STLLR", 0x089f_fc00, Store),
            ("STLR, STLLR", 0x089f_7c00, Store),
            ("LDAPR", 0x38bf_c000, Load),
        ] {
            each(strict(row(class, bits | at, Form::Base, moves, size)));
        }
        for opc in 0..4_u32 {
            let moves = moves(false, opc != 0);
            if opc < 2 || size < 2 || (size, opc) == (2, 2) {
                let bits = 0x1900_0000 | at | opc << 22;
                each(strict(row(
                    "LDAPUR, STLUR",
                    bits,
                    Form::Unscaled,
                    moves,
                    size,
                )));
            }
        }
    }
}

fn exclusives(each: &mut impl FnMut(Row)) {
    for size in 0..4_u32 {
        let mut of = row(
            "exclusives",
            0x085f_7c00 | size << 30,
            Form::Exclusive,
            Load,
            size,
        );
        of.strict = true;
        each(of);
        each(of);
        of.class = "store-exclusive alone";
        of.bits = 0x0800_7c00 | size << 30;
        of.form = Form::ExclusiveAlone;
        of.moves = Store;
        each(of);
    }
    for size in 2..4_u32 {
        let mut of = row(
            "exclusive pairs",
            0x887f_0000 | (size & 1) << 30,
            Form::ExclusivePair,
            Load,
            size + 1,
        );
        of.strict = true;
        each(of);
        each(of);
    }
}

fn atomics(each: &mut impl FnMut(Row)) {
    for size in 0..4_u32 {
        for order in 0..4_u32 {
            for operation in 0..9_u32 {
                let bits = 0x3820_0000 | size << 30 | order << 22 | operation << 12;
                let class = if operation == 8 {
                    "SWP"
                } else {
                    "LDADD to LDUMIN"
                };
                let mut row = row(class, bits, Form::Atomic, Load, size);
                row.strict = true;
                each(row);
            }
            let bits = 0x08a0_7c00 | size << 30 | (order & 1) << 22 | (order >> 1) << 15;
            let mut compare = row("CAS", bits, Form::Compare, Load, size);
            compare.strict = true;
            each(compare);
            if size < 2 {
                let bits = 0x0820_7c00 | size << 30 | (order & 1) << 22 | (order >> 1) << 15;
                let mut pair = row("CASP", bits, Form::ComparePair, Load, size + 3);
                pair.strict = true;
                each(pair);
            }
        }
    }
}

fn structures(each: &mut impl FnMut(Row)) {
    for post in [false, true] {
        let form = if post {
            Form::StructuresPost
        } else {
            Form::Structures
        };
        let post = u32::from(post) << 23;
        for q in 0..2_u32 {
            for load in 0..2_u32 {
                let moves = moves(true, load == 1);
                for (opcode, registers) in
                    [(0, 4), (2, 4), (4, 3), (6, 3), (7, 1), (8, 2), (10, 2_u32)]
                {
                    for size in 0..4_u32 {
                        let interleaved = matches!(opcode, 0 | 4 | 8);
                        if interleaved && size == 3 && q == 0 {
                            continue;
                        }
                        let bits =
                            0x0c00_0000 | post | q << 30 | load << 22 | opcode << 12 | size << 10;
                        let mut row = row("LD1-4, ST1-4 multiple", bits, form, moves, size);
                        row.total = registers * (8 << q);
                        each(row);
                    }
                }
                for r in 0..2_u32 {
                    for opcode in 0..8_u32 {
                        for low in 0..8_u32 {
                            single(each, q, load, r, opcode, low, post, form);
                        }
                    }
                }
            }
        }
    }
}

/// A single structure: `low` is S and size.
#[allow(clippy::too_many_arguments)]
fn single(
    each: &mut impl FnMut(Row),
    q: u32,
    load: u32,
    r: u32,
    opcode: u32,
    low: u32,
    post: u32,
    form: Form,
) {
    let (s, size) = (low >> 2, low & 3);
    let element = match opcode >> 1 {
        0 => 0,
        1 if size & 1 == 0 => 1,
        2 if size == 0 => 2,
        2 if size == 1 && s == 0 => 3,
        3 if load == 1 && s == 0 => size,
        _ => return,
    };
    let bits =
        0x0d00_0000 | post | q << 30 | load << 22 | r << 21 | opcode << 13 | s << 12 | size << 10;
    let class = if opcode >> 1 == 3 {
        "LD1R-LD4R"
    } else {
        "LD1-4, ST1-4 single"
    };
    let mut row = row(class, bits, form, moves(true, load == 1), element);
    row.total = (1 + r + 2 * (opcode & 1)) << element;
    each(row);
}

/// Where an access of so many bytes is to be: in a device, or from one window into the next.
fn place(row: &Row, state: &State, random: &mut Random) -> usize {
    let total = row.total as usize;
    let align = 1 << row.size;
    let step = if row.strict || !state.unaligned() {
        align
    } else {
        1
    };
    let steps = total / step;
    if steps > 1 && random.once_in(3) {
        // Over a window's end, or a page's in the device.
        let page = WINDOWS[0] + 0x1000 * random.between(1, 15) as usize;
        let end = random.one_of(&[WINDOWS[0], WINDOWS[1], WINDOWS[2], page]);
        return end - step * random.between(1, steps as i32 - 1) as usize;
    }
    let device = random.one_of(&[WINDOWS[0], WINDOWS[2]]);
    let last = 0x1_0000 - 64 - total;
    let mut at = device + random.below(last as u32) as usize;
    if step == align || random.coin() {
        at &= !(align - 1);
    }
    at
}

/// A register that is none of these.
fn other(random: &mut Random, than: &[u32]) -> u32 {
    loop {
        let register = random.below(32);
        if !than.contains(&register) {
            return register;
        }
    }
}

/// A case of a row; nothing where the state has none.
#[must_use]
pub fn case(row: &Row, state: &State, random: &mut Random) -> Option<Case> {
    // DC ZVA is for Normal memory.
    if row.form == Form::Zero && !state.unaligned() {
        return None;
    }
    let mut case = Case::new(row.class, random);
    let mut at = place(row, state, random);
    if row.form == Form::Literal {
        at &= !3;
        // A Q register that is not aligned is for Normal memory.
        if !state.unaligned() {
            at &= !((1 << row.size) - 1);
        }
    }
    case.touches = (at, at + row.total as usize);
    build(&mut case, row, state, at, random);
    if random.coin() && row.form != Form::Zero {
        // The access is not the last that happens.
        case.push(0x9100_0400 | 9 << 5 | 9);
    }
    Some(case)
}

/// A transfer from the upper device to where nothing is.
#[must_use]
pub fn abort_case(row: &Row, state: &State, random: &mut Random) -> Option<Case> {
    let several = matches!(
        row.form,
        Form::PairOffset | Form::PairPre | Form::PairPost | Form::Structures | Form::StructuresPost
    );
    let step = 1_usize << row.size;
    let steps = row.total as usize / step;
    if !several || steps < 2 || !random.once_in(8) {
        return None;
    }
    let mut case = Case::new("from a device to nowhere", random);
    let at = HOLE - step * random.between(1, steps as i32 - 1) as usize;
    case.touches = (at, at + row.total as usize);
    case.aborts = Some((HOLE, HOLE + 0x100));
    build(&mut case, row, state, at, random);
    Some(case)
}

fn build(case: &mut Case, row: &Row, state: &State, at: usize, random: &mut Random) {
    // What a base can collide with: a register that is written, one that write-back makes
    // unpredictable, or one that is stored, whose value is not the same in both runs.
    let simd = matches!(row.moves, LoadSimd | StoreSimd);
    let stores = row.moves == Store;
    let mut n = random.below(32);
    let mut t = if simd || row.moves == Hint {
        random.below(32)
    } else {
        match row.form {
            Form::Pre | Form::Post | Form::PairPre | Form::PairPost => other(random, &[n]),
            _ if stores && !state.translated() => other(random, &[n]),
            _ => random.below(32),
        }
    };
    // X31 as data is XZR, as a base SP: no collision.
    if n == 31 && !simd && random.once_in(4) && row.moves != Hint {
        t = 31;
    }
    let word = row.bits | n << 5 | t;
    let imm9 = random.between(-256, 255);
    match row.form {
        Form::Unsigned => {
            let imm12 = random.below(4096);
            case.base(n, at.wrapping_sub((imm12 << row.size) as usize));
            case.push(word | imm12 << 10);
        }
        Form::Unscaled | Form::Pre => {
            case.base(n, at.wrapping_sub(imm9 as usize));
            case.push(word | (imm9 as u32 & 0x1ff) << 12);
        }
        Form::Post => {
            case.base(n, at);
            case.push(word | (imm9 as u32 & 0x1ff) << 12);
        }
        Form::Register => register_offset(case, row, state, at, (n, t), random),
        Form::PairOffset | Form::PairPre | Form::PairPost => {
            let imm7 = random.between(-64, 63);
            let may_be_base = row.form == Form::PairOffset && (!stores || state.translated());
            let t2 = if simd || may_be_base {
                other(random, &[t])
            } else {
                other(random, &[t, n])
            };
            let offset = if row.form == Form::PairPost {
                0
            } else {
                imm7 << row.size
            };
            case.base(n, at.wrapping_sub(offset as usize));
            case.push(word | (imm7 as u32 & 0x7f) << 15 | t2 << 10);
        }
        Form::Literal => {
            let offset = (at.wrapping_sub(case.here()) >> 2) as u32 & 0x7_ffff;
            case.push(row.bits | offset << 5 | t);
        }
        Form::Base | Form::Structures => {
            case.base(n, at);
            case.push(word);
        }
        // Rm, or Rs.
        Form::StructuresPost | Form::Atomic => {
            let m = other(random, &[n]);
            case.base(n, at);
            case.push(word | m << 16);
        }
        Form::Compare | Form::ComparePair => compare(case, row, state, at, n, random),
        Form::Exclusive | Form::ExclusivePair | Form::ExclusiveAlone => {
            // SP as a base as often as any.
            exclusive(case, row, at, n, random);
        }
        Form::Zero => {
            let block: u64;
            // SAFETY: a read of DCZID_EL0.
            unsafe { core::arch::asm!("mrs {}, dczid_el0", out(reg) block, options(nostack)) }
            let size = 4 << (block & 15);
            n = random.below(31);
            case.base(n, at);
            case.push(row.bits | n);
            let from = at & !(size - 1);
            case.touches = (from, from + size);
        }
    }
}

fn register_offset(
    case: &mut Case,
    row: &Row,
    state: &State,
    at: usize,
    (n, t): (u32, u32),
    random: &mut Random,
) {
    // The offset is the same in both runs, so it is not the base; nor is it stored where
    // the base is.
    let m = other(random, &[n]);
    let option = random.one_of(&[2_u32, 3, 6, 7]);
    let shifted = random.coin();
    let value = random.long() >> random.below(40);
    let extended = match option {
        2 => u64::from(value as u32),
        6 => i64::from(value as i32) as u64,
        _ => value,
    };
    let extended = if m == 31 { 0 } else { extended };
    let offset = extended << if shifted { row.size } else { 0 };
    if m != 31 {
        case.x[m as usize] = value;
    }
    case.base(n, at.wrapping_sub(offset as usize));
    // A register that is stored and is the base, in two places: not the same in both runs.
    debug_assert!(state.translated() || row.moves != Store || n != t || n == 31);
    case.push(row.bits & !0x1f | m << 16 | option << 13 | u32::from(shifted) << 12 | n << 5 | t);
}

fn compare(case: &mut Case, row: &Row, state: &State, at: usize, n: u32, random: &mut Random) {
    let pair = row.form == Form::ComparePair;
    let size = if pair { row.size - 1 } else { row.size };
    let mut register = |than: &[u32]| loop {
        let register = other(random, than);
        if !pair || (register & 1 == 0 && register < 30 && !than.contains(&(register + 1))) {
            return register;
        }
    };
    let s = register(&[n]);
    let t = register(&[n]);
    case.base(n, at);
    if random.coin() {
        // Memory holds what is compared with.
        let bytes = 1 << size;
        let count = if pair { 2 } else { 1 };
        for i in 0..count {
            let value = if s == 31 { 0 } else { case.x[s as usize + i] };
            let value = if state.big {
                (value << (64 - 8 * bytes)).to_be_bytes()
            } else {
                value.to_le_bytes()
            };
            poke(at + i * bytes, &value[..bytes]);
        }
    }
    case.push(row.bits | s << 16 | n << 5 | t);
}

/// Instructions that stand between a load-exclusive and its store, by what they do to Rd of Rn
/// and Rm.
const BETWEEN: [u32; 14] = [
    0x0b00_0000, // ADD Wd, Wn, Wm
    0x8b00_0000, // ADD Xd, Xn, Xm
    0xcb00_0000, // SUB
    0xab00_0000, // ADDS
    0xea00_0000, // ANDS
    0x8a20_0000, // BIC
    0xaa00_0000, // ORR
    0x4a00_0000, // EOR W
    0xca00_0000, // EOR
    0x9a80_0400, // CSINC EQ
    0x1a80_c000, // CSEL W GT
    0x9ac0_2000, // LSLV
    0x9bc0_7c00, // UMULH
    0x1ac0_2400, // LSRV W
];

fn exclusive(case: &mut Case, row: &Row, at: usize, n: u32, random: &mut Random) {
    let pair = row.form == Form::ExclusivePair;
    // XZR as data has no place here: t, t2 and the status are registers, all different, and none
    // is the base.
    let t = other(random, &[n, 31]);
    let t2 = other(random, &[n, t, 31]);
    let s = other(random, &[n, t, t2, 31]);
    case.base(n, at);
    let order = u32::from(random.coin()) << 15;
    if row.form == Form::ExclusiveAlone {
        case.push(row.bits | order | s << 16 | n << 5 | t);
        return;
    }
    let second = if pair { t2 << 10 } else { 0 };
    case.push(row.bits | order | second | n << 5 | t);
    for _ in 0..random.below(6) {
        let d = other(random, &[n, 31]);
        let m = random.one_of(&[t, t2, s]);
        let operand = random.one_of(&[t, t2, m]);
        // The base is not used: it differs between the runs.
        let word = match random.below(4) {
            0 => 0x9100_0000 | random.below(4096) << 10 | operand << 5 | d, // ADD immediate
            1 => 0xd280_0000 | random.below(0x1_0000) << 5 | d,             // MOVZ
            _ => random.one_of(&BETWEEN) | m << 16 | operand << 5 | d,
        };
        case.push(word);
    }
    let order = u32::from(random.coin()) << 15;
    // STXR is LDXR less L, and with the status' register.
    let store = row.bits & !(1 << 22 | 0x1f << 16);
    case.push(store | order | s << 16 | second | n << 5 | t);
    if random.coin() {
        // Back to the load, if it failed.
        let back = (case.here() - super::a64::CODE) as u32 >> 2;
        case.push(0x3500_0000 | (back.wrapping_neg() & 0x7_ffff) << 5 | s);
    }
}
