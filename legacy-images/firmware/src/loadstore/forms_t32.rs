//! T32's loads and stores (DDI 0487, F3.1), of 16 and 32 bits, a generator for each class: fixed
//! bits, with random registers, immediates and modes that the architecture predicts.

#![allow(clippy::unnecessary_wraps)] // Every form has the one type.

use super::arm::{MODES, USR, slot};
use super::arm_case::{Case, NEAR};
use super::arm_forms::{Class, Make, stack_mode};
use super::{UPPER, arm_simd, poke};

/// Every class.
pub const CLASSES: [Class; 28] = [
    (narrow_immediate, 60),
    (narrow_register, 60),
    (narrow_stack, 20),
    (narrow_multiple, 40),
    (push_pop, 40),
    (pop_pc, 20),
    (wide_immediate, 80),
    (wide_index, 160),
    (wide_register, 80),
    (literal, 50),
    (dual, 80),
    (multiple, 120),
    (multiple_to_pc, 30),
    (single_to_pc, 50),
    (exclusive, 120),
    (store_exclusive_alone, 16),
    (ordered, 60),
    (table_branch, 60),
    (return_from_exception, 40),
    (store_return_state, 60),
    (preload, 30),
    (it_block, 240),
    (arm_simd::literal, 10),
    (arm_simd::single, 60),
    (arm_simd::multiple, 120),
    (arm_simd::structures, 200),
    (arm_simd::lane, 200),
    (arm_simd::all_lanes, 80),
];

/// Those that can run to where nothing is.
pub const ABORTS: [Class; 6] = [
    (narrow_multiple, 20),
    (multiple, 60),
    (dual, 15),
    (arm_simd::single, 20),
    (arm_simd::multiple, 30),
    (arm_simd::structures, 20),
];

/// Often another instruction behind it: ADDS R3, #1, or ADD.W R9, R9, #1.
fn more(make: &mut Make<'_>, case: &mut Case) {
    if make.abort {
        return;
    }
    match make.random.below(4) {
        0 => case.half(0x3301),
        1 => case.word(0xf109_0901),
        _ => {}
    }
}

/// Often a halfword in front, so that the instruction is not word-aligned; not where an abort's
/// LR is compared.
fn before(make: &mut Make<'_>, case: &mut Case) {
    if !make.abort && make.random.coin() {
        case.half(0xbf00);
    }
}

/// A low base, and a low register that is not it if it is stored.
fn low_pair(make: &mut Make<'_>, load: bool) -> (u32, u32) {
    let n = make.random.below(8);
    let t = if load || make.stores_base() {
        make.random.below(8)
    } else {
        make.register(7, &[n])
    };
    (n, t)
}

fn narrow_immediate(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("T16 immediate");
    before(make, &mut case);
    let (fixed, size) = make.random.one_of(&[
        (0x6000, 4),
        (0x6800, 4),
        (0x7000, 1),
        (0x7800, 1),
        (0x8000, 2),
        (0x8800, 2),
    ]);
    let (n, t) = low_pair(make, fixed & 0x800 != 0);
    let at = make.place_single(size);
    let offset = make.random.below(32);
    case.touches = (at, at + size);
    case.base(n, at.wrapping_sub(offset as usize * size));
    case.half(fixed | offset << 6 | n << 3 | t);
    more(make, &mut case);
    Some(case)
}

fn narrow_register(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("T16 register");
    before(make, &mut case);
    let operation = make.random.below(8);
    let size = [4, 2, 1, 1, 4, 2, 1, 2][operation as usize];
    let (n, t) = low_pair(make, operation > 2);
    let m = make.register(7, &[n]);
    let at = make.place_single(size);
    let value = make.random.word();
    case.touches = (at, at + size);
    case.set(m, value);
    case.base(n, at.wrapping_sub(value as usize));
    case.half(0x5000 | operation << 9 | m << 6 | n << 3 | t);
    more(make, &mut case);
    Some(case)
}

fn narrow_stack(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("T16 SP-relative");
    before(make, &mut case);
    let load = u32::from(make.random.coin()) << 11;
    let at = make.place_single(4);
    let offset = make.random.below(256);
    case.touches = (at, at + 4);
    case.base(13, at.wrapping_sub(offset as usize * 4));
    case.half(0x9000 | load | make.random.below(8) << 8 | offset);
    more(make, &mut case);
    Some(case)
}

fn narrow_multiple(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("T16 LDM, STM");
    before(make, &mut case);
    let load = make.random.coin();
    let n = make.random.below(8);
    // A store of the base writes what it was only where it is the lowest.
    let lowest = make.stores_base() && make.random.coin();
    let mut list = make.list(0xff, if make.abort { 2 } else { 1 });
    if !load {
        list &= !(1 << n);
        if lowest {
            list = list & !((1 << n) - 1) | 1 << n;
        }
    }
    if list.count_ones() < 2 {
        return None;
    }
    let bytes = list.count_ones() as usize * 4;
    let at = make.place(bytes, 4);
    case.touches = (at, at + bytes);
    case.base(n, at);
    case.half(0xc000 | u32::from(load) << 11 | n << 8 | list);
    case.aborts = make.abort.then_some(if load { list as u16 } else { 0 });
    more(make, &mut case);
    Some(case)
}

fn push_pop(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("PUSH, POP");
    before(make, &mut case);
    let pop = make.random.coin();
    let list = make.list(0xff, 1);
    let lr = u32::from(!pop && make.random.coin());
    let bytes = (list.count_ones() + lr) as usize * 4;
    let at = make.place(bytes, 4);
    case.touches = (at, at + bytes);
    case.base(13, if pop { at } else { at + bytes });
    case.half(if pop { 0xbc00 } else { 0xb400 } | lr << 8 | list);
    more(make, &mut case);
    Some(case)
}

fn pop_pc(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("POP with PC");
    let list = make.list(0xff, 0);
    let bytes = list.count_ones() as usize * 4 + 4;
    let at = make.place(bytes, 4);
    case.touches = (at, at + bytes);
    case.base(13, at);
    let target = Case::landing(make.random.coin(), case.mode);
    case.poke_word(make.state, at + bytes - 4, target);
    in_it(make, &mut case, 0xbd00 | list, true);
    Some(case)
}

/// The instruction that ends a case: often in an IT block of its own, conditional.
fn in_it(make: &mut Make<'_>, case: &mut Case, word: u32, narrow: bool) {
    if make.random.coin() {
        let condition = make.random.below(14);
        case.half(0xbf08 | condition << 4);
    }
    if narrow {
        case.half(word);
    } else {
        case.word(word);
    }
}

/// Fixed bits, bytes and whether it loads: STRB, STRH, STR, LDRB, LDRH, LDR, LDRSB, LDRSH.
const WIDE: [(u32, usize, bool); 8] = [
    (0xf800_0000, 1, false),
    (0xf820_0000, 2, false),
    (0xf840_0000, 4, false),
    (0xf810_0000, 1, true),
    (0xf830_0000, 2, true),
    (0xf850_0000, 4, true),
    (0xf910_0000, 1, true),
    (0xf930_0000, 2, true),
];

/// Rt of T32: SP only of words, never PC.
fn target(make: &mut Make<'_>, size: usize, than: &[u32]) -> u32 {
    loop {
        let t = make.register(14, than);
        if t != 13 || size == 4 {
            return t;
        }
    }
}

/// Rn and Rt.
fn wide_pair(make: &mut Make<'_>, size: usize, load: bool, write_back: bool) -> (u32, u32) {
    let n = make.random.below(15);
    let t = if !write_back && (load || make.stores_base()) {
        target(make, size, &[])
    } else {
        target(make, size, &[n])
    };
    (n, t)
}

fn wide_immediate(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("T32 imm12");
    before(make, &mut case);
    let (fixed, size, load) = make.random.one_of(&WIDE);
    let (n, t) = wide_pair(make, size, load, false);
    let at = make.place_single(size);
    let offset = make.random.below(4096);
    case.touches = (at, at + size);
    case.base(n, at.wrapping_sub(offset as usize));
    case.word(fixed | 0x0080_0000 | n << 16 | t << 12 | offset);
    more(make, &mut case);
    Some(case)
}

fn wide_index(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("T32 imm8");
    before(make, &mut case);
    let (fixed, size, load) = make.random.one_of(&WIDE);
    // P, U, W: unprivileged, negative offset, pre-index, post-index.
    let (p, u, w) = make.random.one_of(&[
        (1, 1, 0),
        (1, 0, 0),
        (1, 1, 1),
        (1, 0, 1),
        (0, 1, 1),
        (0, 0, 1_u32),
    ]);
    if (p, u, w) == (1, 1, 0) {
        case.class = "T32 unprivileged";
    }
    let (n, mut t) = wide_pair(make, size, load, w == 1);
    if (p, u, w) == (1, 1, 0) && t == 13 {
        t = if n == 12 { 11 } else { 12 };
    }
    let at = make.place_single(size);
    let offset = make.random.below(256);
    let from = match (p, u) {
        (0, _) => at,
        (_, 0) => at + offset as usize,
        _ => at.wrapping_sub(offset as usize),
    };
    case.touches = (at, at + size);
    case.base(n, from);
    case.word(fixed | 0x800 | p << 10 | u << 9 | w << 8 | n << 16 | t << 12 | offset);
    more(make, &mut case);
    Some(case)
}

fn wide_register(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("T32 register");
    before(make, &mut case);
    let (fixed, size, load) = make.random.one_of(&WIDE);
    let (n, t) = wide_pair(make, size, load, false);
    let m = make.register(14, &[n, 13]);
    let at = make.place_single(size);
    let value = make.random.word();
    let shift = make.random.below(4);
    case.touches = (at, at + size);
    case.set(m, value);
    case.base(n, at.wrapping_sub((value << shift) as usize));
    case.word(fixed | n << 16 | t << 12 | shift << 4 | m);
    more(make, &mut case);
    Some(case)
}

fn literal(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("literal");
    case.at = NEAR;
    before(make, &mut case);
    let pc = case.pc();
    match make.random.below(4) {
        0 => {
            let at = UPPER + make.random.below(0x300) as usize & !3;
            case.touches = (at, at + 4);
            case.half(0x4800 | make.random.below(8) << 8 | (at - pc) as u32 / 4);
        }
        1 => {
            let at = UPPER + make.random.below(0x300) as usize & !3;
            case.touches = (at, at + 8);
            let t = target(make, 8, &[]);
            let t2 = target(make, 8, &[t]);
            let offset = (at - pc) as u32 / 4;
            case.word(0xe9df_0000 | t << 12 | t2 << 8 | offset);
        }
        _ => {
            let (fixed, size, _) = WIDE[3 + make.random.below(5) as usize];
            let at = UPPER + make.random.below(0xe00) as usize & !(size - 1);
            case.touches = (at, at + size);
            let t = target(make, size, &[]);
            case.word(fixed | 0x008f_0000 | t << 12 | (at - pc) as u32);
        }
    }
    more(make, &mut case);
    Some(case)
}

fn dual(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("LDRD, STRD");
    before(make, &mut case);
    let load = make.random.coin();
    let (p, w) = make.random.one_of(&[(1, 0), (1, 1), (0, 1_u32)]);
    let u = make.random.below(2);
    let n = make.random.below(15);
    // What aborts half-way has another base (see `Make::dual`).
    let free = w == 0 && (load || make.stores_base()) && !make.abort;
    let than = if free { 99 } else { n };
    let t = target(make, 8, &[than]);
    let t2 = target(make, 8, &[than, t]);
    let at = make.dual(load && (n == t || n == t2));
    let offset = make.random.below(256);
    let from = match (p, u) {
        (0, _) => at,
        (_, 0) => at + offset as usize * 4,
        _ => at.wrapping_sub(offset as usize * 4),
    };
    case.touches = (at, at + 8);
    case.base(n, from);
    let mode = p << 24 | u << 23 | w << 21 | u32::from(load) << 20;
    case.word(0xe840_0000 | mode | n << 16 | t << 12 | t2 << 8 | offset);
    case.aborts = make
        .abort
        .then_some(if load { 1 << t | 1 << t2 } else { 0 });
    more(make, &mut case);
    Some(case)
}

/// IA or DB: bits, and whether it is DB.
fn direction(make: &mut Make<'_>) -> (u32, bool) {
    if make.random.coin() {
        (0xe880_0000, false)
    } else {
        (0xe900_0000, true)
    }
}

fn multiple(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("T32 LDM, STM");
    before(make, &mut case);
    let (fixed, down) = direction(make);
    let (load, w) = (make.random.coin(), make.random.coin());
    let n = make.random.below(15);
    let mut from = 0x5fff;
    if w || (!load && !make.stores_base()) {
        from &= !(1 << n);
    }
    let list = make.list(from, 2);
    let bytes = list.count_ones() as usize * 4;
    let at = make.place(bytes, 4);
    case.touches = (at, at + bytes);
    case.base(n, if down { at + bytes } else { at });
    case.word(fixed | u32::from(w) << 21 | u32::from(load) << 20 | n << 16 | list);
    case.aborts = make.abort.then_some(if load { list as u16 } else { 0 });
    more(make, &mut case);
    Some(case)
}

fn multiple_to_pc(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("T32 LDM with PC");
    let (fixed, down) = direction(make);
    let w = make.random.coin();
    let n = make.random.below(15);
    let from = if w { 0x1fff & !(1 << n) } else { 0x1fff };
    let list = make.list(from, 1) | 0x8000;
    let bytes = list.count_ones() as usize * 4;
    let at = make.place(bytes, 4);
    case.touches = (at, at + bytes);
    case.base(n, if down { at + bytes } else { at });
    let target = Case::landing(make.random.coin(), case.mode);
    case.poke_word(make.state, at + bytes - 4, target);
    let word = fixed | u32::from(w) << 21 | 1 << 20 | n << 16 | list;
    in_it(make, &mut case, word, false);
    Some(case)
}

fn single_to_pc(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("T32 LDR to PC");
    let n = make.random.below(15);
    let at = make.place(4, 4);
    case.touches = (at, at + 4);
    let target = Case::landing(make.random.coin(), case.mode);
    case.poke_word(make.state, at, target);
    let word = match make.random.below(3) {
        0 => {
            let offset = make.random.below(4096);
            case.base(n, at.wrapping_sub(offset as usize));
            0xf8d0_f000 | n << 16 | offset
        }
        1 => {
            let (p, u, w) =
                make.random
                    .one_of(&[(1, 0, 0), (1, 1, 1), (1, 0, 1), (0, 1, 1), (0, 0, 1_u32)]);
            let offset = make.random.below(256);
            let from = match (p, u) {
                (0, _) => at,
                (_, 0) => at + offset as usize,
                _ => at.wrapping_sub(offset as usize),
            };
            case.base(n, from);
            0xf850_f800 | n << 16 | p << 10 | u << 9 | w << 8 | offset
        }
        _ => {
            let m = make.register(14, &[n, 13]);
            let (value, shift) = (make.random.word(), make.random.below(4));
            case.set(m, value);
            case.base(n, at.wrapping_sub((value << shift) as usize));
            0xf850_f000 | n << 16 | shift << 4 | m
        }
    };
    in_it(make, &mut case, word, false);
    Some(case)
}

fn exclusive(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("exclusives");
    let size = make.random.one_of(&[1_usize, 2, 4, 4, 8]);
    let n = make.random.below(15);
    let t = target(make, 8, &[n]);
    let t2 = target(make, 8, &[n, t]);
    let s = target(make, 8, &[n, t, t2]);
    let s2 = target(make, 8, &[n, t, t2, s]);
    let d = target(make, 8, &[n, t, t2, s, s2]);
    let at = make.place(size, size);
    let (acquire, release) = (make.random.coin(), make.random.coin());
    let mut from = at;
    let nn = n << 16;
    let ordered = |order: bool| if order { 0x80 } else { 0 };
    // LDREX and STREX of a word have an offset, and those with an order are in another place.
    let plain = size == 4 && !acquire && !release;
    let (load, store) = match size {
        4 if plain => {
            let offset = make.random.below(256);
            from = at.wrapping_sub(offset as usize * 4);
            (
                0xe850_0f00 | nn | t << 12 | offset,
                0xe840_0000 | nn | s << 12 | d << 8 | offset,
            )
        }
        4 => (0xe8d0_0fef | nn | t << 12, 0xe8c0_0fe0 | nn | s << 12 | d),
        8 => (
            0xe8d0_007f | ordered(acquire) | nn | t << 12 | t2 << 8,
            0xe8c0_0070 | ordered(release) | nn | s << 12 | s2 << 8 | d,
        ),
        _ => {
            let half = u32::from(size == 2) << 4;
            (
                0xe8d0_0f4f | half | ordered(acquire) | nn | t << 12,
                0xe8c0_0f40 | half | ordered(release) | nn | s << 12 | d,
            )
        }
    };
    case.touches = (at, at + size);
    case.base(n, from);
    case.word(load);
    for _ in 0..make.random.below(6) {
        let to = target(make, 8, &[n]);
        let (a, b) = (
            make.random.one_of(&[t, t2, s]),
            make.random.one_of(&[t, s2, s]),
        );
        match make.random.below(5) {
            // MOVW
            0 => {
                let imm = make.random.below(256);
                case.word(0xf240_0000 | to << 8 | make.random.below(8) << 12 | imm);
            }
            // ADD (immediate)
            1 => case.word(0xf100_0000 | a << 16 | to << 8 | make.random.below(256)),
            // T16: ADDS, SUBS, MOVS with an immediate.
            2 => {
                let low = make.register(7, &[n]);
                let operation = make.random.one_of(&[0x2000, 0x3000, 0x3800]);
                case.half(operation | low << 8 | make.random.below(256));
            }
            // AND, BIC, ORR, EOR, ADD, ADC, SBC, SUB, RSB
            _ => {
                let operation = make.random.one_of(&[0, 1, 2, 4, 8, 10, 11, 13, 14]);
                let flags = u32::from(make.random.coin()) << 20;
                let amount = make.random.below(32);
                let shift = (amount >> 2) << 12 | (amount & 3) << 6 | make.random.below(4) << 4;
                case.word(0xea00_0000 | operation << 21 | flags | a << 16 | shift | to << 8 | b);
            }
        }
    }
    case.word(store);
    if make.random.coin() {
        // CMP.W d, #0, and back to the load if it failed.
        case.word(0xf1b0_0f00 | d << 16);
        let back = (case.here() + 4 - case.at) as u32 >> 1;
        case.half(0xd100 | back.wrapping_neg() & 0xff);
    }
    Some(case)
}

fn store_exclusive_alone(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("store-exclusive alone");
    let n = make.random.below(15);
    let t = target(make, 8, &[n]);
    let d = target(make, 8, &[n, t]);
    let size = make.random.one_of(&[1_usize, 2, 4]);
    let at = make.place(size, size);
    case.touches = (at, at + size);
    case.base(n, at);
    case.word(match size {
        1 => 0xe8c0_0f40 | n << 16 | t << 12 | d,
        2 => 0xe8c0_0f50 | n << 16 | t << 12 | d,
        _ => 0xe840_0000 | n << 16 | t << 12 | d << 8,
    });
    Some(case)
}

fn ordered(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("LDA, STL");
    before(make, &mut case);
    let (size, bits) = make.random.one_of(&[(1, 0x8f), (2, 0x9f), (4, 0xaf)]);
    let load = make.random.coin();
    let (n, t) = wide_pair(make, 8, load, false);
    let at = make.place(size, size);
    case.touches = (at, at + size);
    case.base(n, at);
    let fixed = 0xe8c0_0f00 | u32::from(load) << 20 | bits;
    case.word(fixed | n << 16 | t << 12);
    more(make, &mut case);
    Some(case)
}

fn table_branch(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("TBB, TBH");
    before(make, &mut case);
    let half = make.random.coin();
    let size = if half { 2 } else { 1 };
    let n = make.register(12, &[]);
    let m = make.register(14, &[n, 13]);
    let at = make.place_single(size);
    let index = make.random.below(0x4000);
    case.touches = (at, at + size);
    case.set(m, index);
    case.base(n, at.wrapping_sub(index as usize * size));
    // Over some of eight ADDS R3, #1.
    let over = make.random.below(9) as u16;
    let bytes = if make.state.big {
        over.to_be_bytes()
    } else {
        over.to_le_bytes()
    };
    if half {
        poke(at, &bytes);
    } else {
        poke(at, &[over as u8]);
    }
    case.word(0xe8d0_f000 | u32::from(half) << 4 | n << 16 | m);
    for _ in 0..8 {
        case.half(0x3301);
    }
    Some(case)
}

fn return_from_exception(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("RFE");
    while case.mode == USR {
        case.mode = make.random.one_of(&MODES);
    }
    let down = make.random.coin();
    let w = u32::from(make.random.coin()) << 21;
    let n = make.random.below(15);
    let at = make.place(8, 4);
    case.touches = (at, at + 8);
    case.base(n, if down { at + 8 } else { at });
    let (cpsr, target) = make.return_state();
    case.poke_word(make.state, at, target);
    case.poke_word(make.state, at + 4, cpsr);
    let word = if down { 0xe810_c000 } else { 0xe990_c000 } | w | n << 16;
    in_it(make, &mut case, word, false);
    Some(case)
}

fn store_return_state(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("SRS");
    before(make, &mut case);
    case.mode = make.exception_mode();
    let down = make.random.coin();
    let w = u32::from(make.random.coin()) << 21;
    let stack = stack_mode(make, &case);
    let at = make.place(8, 4);
    case.touches = (at, at + 8);
    let slot = slot(stack, 13);
    case.banks[slot] = if down { at + 8 } else { at } as u32;
    case.base = Some(slot);
    case.word(if down { 0xe80d_c000 } else { 0xe98d_c000 } | w | stack);
    Some(case)
}

fn preload(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("PLD, PLDW, PLI");
    before(make, &mut case);
    // PLD, PLDW, PLI.
    let fixed = make.random.one_of(&[0xf810_f000, 0xf830_f000, 0xf910_f000]);
    let at = make.place(4, 4);
    case.touches = (at, at + 4);
    let n = make.random.below(15);
    match make.random.below(3) {
        0 => {
            case.base(n, at);
            case.word(fixed | 0x0080_0000 | n << 16 | make.random.below(64));
        }
        1 => {
            case.base(n, at);
            case.word(fixed | 0xc00 | n << 16 | make.random.below(64));
        }
        _ => {
            let m = make.register(14, &[n, 13]);
            case.set(m, 0);
            case.base(n, at);
            case.word(fixed | n << 16 | make.random.below(4) << 4 | m);
        }
    }
    more(make, &mut case);
    Some(case)
}

/// Up to four instructions under IT, loads and stores and others in any order, and one behind them
/// that is not conditional. A wrong IT state runs one that is not due, or leaves one out.
fn it_block(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("IT blocks");
    before(make, &mut case);
    let condition = make.random.below(14);
    let count = make.random.below(4) + 1;
    // Then and else, of the second to the last; the lowest set bit ends the mask.
    let which = make.random.below(8) >> (4 - count);
    let mask = (which << 1 | 1) << (4 - count);
    case.half(0xbf00 | condition << 4 | mask & 15);
    let n = make.random.below(8);
    let start = make.place(16, 4) & !3;
    case.touches = (start, start + 64);
    if start + 64 > super::HOLE {
        return None;
    }
    case.base(n, start);
    for _ in 0..count {
        let t = make.register(7, &[n]);
        let high = target(make, 8, &[n]);
        let word = make.random.below(4);
        match make.random.below(8) {
            // LDR and STR of T16.
            0 => case.half(0x6800 | word << 6 | n << 3 | t),
            1 => case.half(0x6000 | word << 6 | n << 3 | t),
            // LDRSH.W, STRB.W, with offsets; LDR.W with write-back.
            2 => case.word(0xf9b0_0000 | n << 16 | high << 12 | word * 4),
            3 => case.word(0xf880_0000 | n << 16 | high << 12 | word * 4),
            4 => case.word(0xf850_0b04 | n << 16 | high << 12),
            // LDRD with write-back.
            5 => {
                let second = target(make, 8, &[n, high]);
                case.word(0xe8f0_0001 | n << 16 | high << 12 | second << 8);
            }
            // ADD R3, #1 and ADDS.W R9, R9, #1.
            6 if n != 3 => case.half(0x3301),
            _ => case.word(0xf119_0901),
        }
    }
    if n != 4 {
        case.half(0x3401);
    }
    Some(case)
}
