//! A32's loads and stores (DDI 0487, F4.1), a generator for each class: fixed bits, with random
//! registers, immediates, conditions and modes that the architecture predicts.

#![allow(clippy::unnecessary_wraps)] // Every form has the one type.

use super::arm::{USR, slot};
use super::arm_case::{Case, NEAR};
use super::arm_forms::{Class, Make, returns_to, stack_mode};
use super::arm_simd;

/// Every class.
pub const CLASSES: [Class; 21] = [
    (immediate, 120),
    (register, 120),
    (extra, 200),
    (literal, 40),
    (multiple, 200),
    (user_bank, 80),
    (multiple_to_pc, 40),
    (exception_return, 50),
    (single_to_pc, 50),
    (exclusive, 120),
    (store_exclusive_alone, 16),
    (ordered, 60),
    (swap, 40),
    (return_from_exception, 40),
    (store_return_state, 60),
    (preload, 30),
    (arm_simd::single, 80),
    (arm_simd::multiple, 160),
    (arm_simd::structures, 240),
    (arm_simd::lane, 240),
    (arm_simd::all_lanes, 80),
];

/// Those that can run to where nothing is.
pub const ABORTS: [Class; 5] = [
    (multiple, 60),
    (dual, 15),
    (arm_simd::single, 20),
    (arm_simd::multiple, 30),
    (arm_simd::structures, 20),
];

/// P, U and W: offset, pre-index or post-index, up or down.
fn puw(make: &mut Make<'_>) -> (bool, bool, bool) {
    let (p, w) = make
        .random
        .one_of(&[(true, false), (true, true), (false, false)]);
    (p, make.random.coin(), w)
}

fn mode_bits((p, u, w): (bool, bool, bool)) -> u32 {
    u32::from(p) << 24 | u32::from(u) << 23 | u32::from(w) << 21
}

/// The base that with P and U and an offset has the access at `at`.
fn base(at: usize, (p, u, _): (bool, bool, bool), offset: u32) -> usize {
    match (p, u) {
        (false, _) => at,
        (true, true) => at.wrapping_sub(offset as usize),
        (true, false) => at.wrapping_add(offset as usize),
    }
}

/// Rn and Rt of a load or store: Rt is not the base where the base is written, or stored.
fn pair_of(make: &mut Make<'_>, load: bool, write_back: bool) -> (u32, u32) {
    let n = make.random.below(15);
    let free = !write_back && (load || make.stores_base());
    let t = if free {
        make.random.below(15)
    } else {
        make.register(14, &[n])
    };
    (n, t)
}

/// Often another instruction behind it: ADD R3, R3, #1.
fn more(make: &mut Make<'_>, case: &mut Case) {
    if make.random.coin() {
        case.word(0xe283_3001);
    }
}

fn immediate(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("LDR, STR immediate");
    let mut mode = puw(make);
    let byte = make.random.coin();
    let load = make.random.coin();
    // Post-index with W is unprivileged.
    if !mode.0 && make.random.coin() {
        mode.2 = true;
        case.class = "LDRT, STRT";
    }
    let (n, t) = pair_of(make, load, !mode.0 || mode.2);
    let size = if byte { 1 } else { 4 };
    let at = make.place_single(size);
    let offset = make.random.below(4096);
    case.touches = (at, at + size);
    case.base(n, base(at, mode, offset));
    let fixed = 0x0400_0000 | u32::from(byte) << 22 | u32::from(load) << 20;
    case.word(make.condition() | fixed | mode_bits(mode) | n << 16 | t << 12 | offset);
    more(make, &mut case);
    Some(case)
}

fn register(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("LDR, STR register");
    let mut mode = puw(make);
    let byte = make.random.coin();
    let load = make.random.coin();
    if !mode.0 && make.random.coin() {
        mode.2 = true;
        case.class = "LDRT, STRT";
    }
    let (n, t) = pair_of(make, load, !mode.0 || mode.2);
    let m = make.register(14, &[n]);
    let size = if byte { 1 } else { 4 };
    let at = make.place_single(size);
    let value = make.random.word() >> make.random.below(24);
    case.set(m, value);
    let kind = make.random.below(4);
    let amount = make.random.below(32);
    let carry = case.flags >> 29 & 1;
    let offset = match (kind, amount) {
        (0, _) => value << amount,
        (1, 0) => 0,
        (1, _) => value >> amount,
        (2, 0) => (value as i32 >> 31) as u32,
        (2, _) => (value as i32 >> amount) as u32,
        (_, 0) => carry << 31 | value >> 1,
        (_, _) => value.rotate_right(amount),
    };
    case.touches = (at, at + size);
    case.base(n, base(at, mode, offset));
    let fixed = 0x0600_0000 | u32::from(byte) << 22 | u32::from(load) << 20;
    case.word(
        make.condition()
            | fixed
            | mode_bits(mode)
            | n << 16
            | t << 12
            | amount << 7
            | kind << 5
            | m,
    );
    more(make, &mut case);
    Some(case)
}

/// H, SB, SH and D: the L bit and the two of op2.
const EXTRA: [(&str, u32, usize); 6] = [
    ("LDRH, LDRSB, LDRSH, STRH", 0x0000_00b0, 2),
    ("LDRH, LDRSB, LDRSH, STRH", 0x0010_00b0, 2),
    ("LDRH, LDRSB, LDRSH, STRH", 0x0010_00d0, 1),
    ("LDRH, LDRSB, LDRSH, STRH", 0x0010_00f0, 2),
    ("LDRD, STRD", 0x0000_00d0, 8),
    ("LDRD, STRD", 0x0000_00f0, 8),
];

fn extra(make: &mut Make<'_>) -> Option<Case> {
    let which = make.random.one_of(&EXTRA);
    extra_of(make, which)
}

fn dual(make: &mut Make<'_>) -> Option<Case> {
    let which = make.random.one_of(&[EXTRA[4], EXTRA[5]]);
    extra_of(make, which)
}

fn extra_of(make: &mut Make<'_>, (class, fixed, size): (&'static str, u32, usize)) -> Option<Case> {
    let mut case = make.case(class);
    let mut mode = puw(make);
    let double = size == 8;
    let load = fixed & 0x0010_0000 != 0 || fixed & 0xf0 == 0xd0;
    if !mode.0 && !double && make.random.coin() {
        mode.2 = true;
        case.class = "LDRHT, LDRSBT, LDRSHT, STRHT";
    }
    let write_back = !mode.0 || mode.2;
    let (n, t) = loop {
        let (n, t) = pair_of(make, load, write_back);
        // What aborts half-way has another base (see `Make::dual`).
        let free = !write_back && (load || make.stores_base()) && !make.abort;
        if !double || (t & 1 == 0 && t < 14 && (free || (n != t && n != t + 1))) {
            break (n, t);
        }
    };
    let at = if double {
        make.dual(load && (n == t || n == t + 1))
    } else {
        make.place_single(size)
    };
    case.touches = (at, at + size);
    let (offset, bits) = if make.random.coin() {
        let offset = make.random.below(256);
        (offset, 1 << 22 | (offset >> 4) << 8 | offset & 15)
    } else {
        let m = make.register(14, &[n, t, if double { t + 1 } else { t }]);
        let value = make.random.word();
        case.set(m, value);
        (value, m)
    };
    case.base(n, base(at, mode, offset));
    case.word(make.condition() | fixed | mode_bits(mode) | bits | n << 16 | t << 12);
    case.aborts = make.abort.then_some(3 << t);
    if !make.abort {
        more(make, &mut case);
    }
    Some(case)
}

fn literal(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("literal");
    case.at = NEAR;
    let kind = make.random.below(8);
    let t = make.random.below(15);
    let condition = make.condition();
    // The window begins 128 bytes behind the code, and an offset is up to 255, 1020 or 4095.
    let (fixed, size) = match kind {
        0 => (0x051f_0000, 4),
        1 => (0x055f_0000, 1),
        2 => (0x015f_00b0, 2),
        3 => (0x015f_00d0, 1),
        4 => (0x015f_00f0, 2),
        5 => (0x014f_00d0, 8),
        6 => (0x0d1f_0a00, 4),
        _ => (0x0d1f_0b00, 8),
    };
    let t = if kind == 5 { t & !1 } else { t };
    let t = if kind == 5 && t == 14 { 0 } else { t };
    let reach = match kind {
        0 | 1 => 0xf00,
        6 | 7 => 0x300,
        _ => 0x60,
    };
    let align = if size == 8 { 4 } else { size };
    let at = super::UPPER + make.random.below(reach) as usize & !(align - 1);
    case.touches = (at, at + size);
    let offset = (at - case.pc()) as u32;
    let bits = match kind {
        0 | 1 => offset,
        6 | 7 => offset / 4 | (t & 1) << 22,
        _ => (offset >> 4) << 8 | offset & 15,
    };
    case.word(condition | fixed | 1 << 23 | t << 12 | bits);
    Some(case)
}

/// The bytes below and above the base that IA, IB, DA and DB of so many registers use.
fn block(p: bool, u: bool, at: usize, bytes: usize) -> usize {
    match (p, u) {
        (false, true) => at,
        (true, true) => at.wrapping_sub(4),
        (false, false) => at + bytes - 4,
        (true, false) => at + bytes,
    }
}

fn multiple(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("LDM, STM");
    let (p, u, w, load) = (
        make.random.coin(),
        make.random.coin(),
        make.random.coin(),
        make.random.coin(),
    );
    let n = make.random.below(15);
    let mut from = 0x7fff;
    if w || (!load && !make.stores_base()) {
        from &= !(1 << n);
    }
    let list = make.list(from, if make.abort { 2 } else { 1 });
    let bytes = list.count_ones() as usize * 4;
    let at = make.place(bytes, 4);
    case.touches = (at, at + bytes);
    case.base(n, block(p, u, at, bytes));
    case.word(
        make.condition()
            | 0x0800_0000
            | mode_bits((p, u, w))
            | u32::from(load) << 20
            | n << 16
            | list,
    );
    case.aborts = make.abort.then_some(if load { list as u16 } else { 0 });
    if !make.abort {
        more(make, &mut case);
    }
    Some(case)
}

fn user_bank(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("LDM, STM user bank");
    case.mode = make.exception_mode();
    let (p, u, load) = (make.random.coin(), make.random.coin(), make.random.coin());
    let n = make.random.below(15);
    let mut from = 0x7fff;
    // The user's register of that number is the base itself unless it is banked. QEMU 7.2 does
    // not keep the base of such a load that goes from RAM into a device.
    let own = slot(case.mode, n) == slot(USR, n);
    if own && (load || !make.stores_base()) {
        from &= !(1 << n);
    }
    let list = make.list(from, 1);
    let bytes = list.count_ones() as usize * 4;
    let at = make.place(bytes, 4);
    case.touches = (at, at + bytes);
    case.base(n, block(p, u, at, bytes));
    let mode = mode_bits((p, u, false));
    case.word(make.condition() | 0x0840_0000 | mode | u32::from(load) << 20 | n << 16 | list);
    // A banked register right behind it is unpredictable in old cores: first a NOP.
    case.word(0xe1a0_0000);
    Some(case)
}

fn multiple_to_pc(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("LDM with PC");
    let (p, u, w) = (make.random.coin(), make.random.coin(), make.random.coin());
    let n = make.random.below(15);
    let from = if w { 0x7fff & !(1 << n) } else { 0x7fff };
    let list = make.list(from, 0) | 0x8000;
    let bytes = list.count_ones() as usize * 4;
    let at = make.place(bytes, 4);
    case.touches = (at, at + bytes);
    case.base(n, block(p, u, at, bytes));
    let target = Case::landing(make.random.coin(), case.mode);
    case.poke_word(make.state, at + bytes - 4, target);
    case.word(make.condition() | 0x0810_0000 | mode_bits((p, u, w)) | n << 16 | list);
    Some(case)
}

fn exception_return(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("LDM exception return");
    case.mode = make.exception_mode();
    let (p, u, w) = (make.random.coin(), make.random.coin(), make.random.coin());
    let n = make.random.below(15);
    let from = if w { 0x7fff & !(1 << n) } else { 0x7fff };
    let list = make.list(from, 0) | 0x8000;
    let bytes = list.count_ones() as usize * 4;
    let at = make.place(bytes, 4);
    case.touches = (at, at + bytes);
    case.base(n, block(p, u, at, bytes));
    let (cpsr, target) = make.return_state();
    returns_to(&mut case, cpsr);
    case.poke_word(make.state, at + bytes - 4, target);
    case.word(make.condition() | 0x0850_0000 | mode_bits((p, u, w)) | n << 16 | list);
    Some(case)
}

fn single_to_pc(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("LDR to PC");
    let mode = puw(make);
    let n = make.random.below(15);
    let at = make.place(4, 4);
    case.touches = (at, at + 4);
    let target = Case::landing(make.random.coin(), case.mode);
    case.poke_word(make.state, at, target);
    let condition = make.condition();
    if make.random.coin() {
        let offset = make.random.below(4096);
        case.base(n, base(at, mode, offset));
        case.word(condition | 0x0410_f000 | mode_bits(mode) | n << 16 | offset);
    } else {
        let m = make.register(14, &[n]);
        let (value, amount) = (make.random.word(), make.random.below(32));
        case.set(m, value);
        case.base(n, base(at, mode, value << amount));
        case.word(condition | 0x0610_f000 | mode_bits(mode) | n << 16 | amount << 7 | m);
    }
    Some(case)
}

/// Bytes, and the bits of LDREX and STREX; B and H and D.
const EXCLUSIVE: [(usize, u32); 4] = [(4, 0), (8, 0x0020_0000), (1, 0x0040_0000), (2, 0x0060_0000)];

fn exclusive(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("exclusives");
    let (size, bits) = make.random.one_of(&EXCLUSIVE);
    let n = make.random.below(15);
    let double = size == 8;
    let pick = |make: &mut Make<'_>, than: &[u32]| loop {
        let t = make.register(14, than);
        if !double || (t & 1 == 0 && t < 14 && !than.contains(&(t + 1))) {
            return t;
        }
    };
    let t = pick(make, &[n]);
    let t2 = pick(make, &[n, t]);
    let d = make.register(14, &[n, t, t + 1, t2, t2 + 1]);
    let at = make.place(size, size);
    case.touches = (at, at + size);
    case.base(n, at);
    let order = |make: &mut Make<'_>| u32::from(make.random.coin()) << 8;
    let acquire = order(make);
    case.word(0xe190_0f9f & !acquire | bits | n << 16 | t << 12);
    for _ in 0..make.random.below(6) {
        let to = make.register(14, &[n]);
        let (a, b) = (
            make.random.one_of(&[t, t2, d]),
            make.random.one_of(&[t, t2, d]),
        );
        // ADD to ORR of registers, shifted or not, flags set or not; MOVW; ADD immediate.
        let word = match make.random.below(4) {
            0 => 0xe300_0000 | make.random.below(0x1000) | to << 12,
            1 => 0xe280_0000 | make.random.below(0x1000) | a << 16 | to << 12,
            _ => {
                let operation = make.random.one_of(&[0, 1, 2, 3, 4, 5, 6, 7, 12, 14, 15]);
                // MVN has no first operand.
                let a = if operation == 15 { 0 } else { a };
                let s = u32::from(make.random.coin()) << 20;
                // Bit 4 is clear: no shift by a register.
                let shift = make.random.below(128) << 5;
                0xe000_0000 | operation << 21 | s | a << 16 | to << 12 | shift | b
            }
        };
        case.word(word);
    }
    let release = order(make);
    case.word(0xe180_0f90 & !release | bits | n << 16 | d << 12 | t2);
    if make.random.coin() {
        // CMP d, #0, and back to the load if it failed.
        case.word(0xe350_0000 | d << 16);
        let back = (case.here() + 8 - case.at) as u32 >> 2;
        case.word(0x1a00_0000 | back.wrapping_neg() & 0xff_ffff);
    }
    Some(case)
}

fn store_exclusive_alone(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("store-exclusive alone");
    let (size, bits) = make.random.one_of(&EXCLUSIVE);
    let n = make.random.below(15);
    let t = make.register(13, &[n]) & !u32::from(size == 8);
    if t == n || t + 1 == n {
        return None;
    }
    let d = make.register(14, &[n, t, t + 1]);
    let at = make.place(size, size);
    case.touches = (at, at + size);
    case.base(n, at);
    case.word(make.condition() | 0x0180_0f90 | bits | n << 16 | d << 12 | t);
    Some(case)
}

fn ordered(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("LDA, STL");
    let (size, bits) = make
        .random
        .one_of(&[EXCLUSIVE[0], EXCLUSIVE[2], EXCLUSIVE[3]]);
    let load = make.random.coin();
    let (n, t) = pair_of(make, load, false);
    let at = make.place(size, size);
    case.touches = (at, at + size);
    case.base(n, at);
    let word = if load {
        0x0190_0c9f | t << 12
    } else {
        0x0180_fc90 | t
    };
    case.word(make.condition() | word | bits | n << 16);
    more(make, &mut case);
    Some(case)
}

fn swap(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("SWP, SWPB");
    let byte = make.random.coin();
    let n = make.random.below(15);
    let t = make.register(14, &[n]);
    let t2 = make.register(14, &[n]);
    let size = if byte { 1 } else { 4 };
    let at = make.place(size, size);
    case.touches = (at, at + size);
    case.base(n, at);
    let fixed = 0x0100_0090 | u32::from(byte) << 22;
    case.word(make.condition() | fixed | n << 16 | t << 12 | t2);
    more(make, &mut case);
    Some(case)
}

fn return_from_exception(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("RFE");
    while case.mode == USR {
        case.mode = make.random.one_of(&super::arm::MODES);
    }
    let (p, u, w) = (make.random.coin(), make.random.coin(), make.random.coin());
    let n = make.random.below(15);
    let at = make.place(8, 4);
    case.touches = (at, at + 8);
    case.base(n, block(p, u, at, 8));
    let (cpsr, target) = make.return_state();
    case.poke_word(make.state, at, target);
    case.poke_word(make.state, at + 4, cpsr);
    case.word(0xf810_0a00 | mode_bits((p, u, w)) | n << 16);
    Some(case)
}

fn store_return_state(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("SRS");
    case.mode = make.exception_mode();
    let (p, u, w) = (make.random.coin(), make.random.coin(), make.random.coin());
    let stack = stack_mode(make, &case);
    let at = make.place(8, 4);
    case.touches = (at, at + 8);
    let slot = slot(stack, 13);
    case.banks[slot] = block(p, u, at, 8) as u32;
    case.base = Some(slot);
    case.word(0xf84d_0500 | mode_bits((p, u, w)) | stack);
    Some(case)
}

fn preload(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("PLD, PLDW, PLI");
    let up = u32::from(make.random.coin()) << 23;
    let at = make.place(4, 4);
    case.touches = (at, at + 4);
    let n = make.random.below(15);
    // PLDW, PLD, PLI.
    let fixed = make.random.one_of(&[0xf510_f000, 0xf550_f000, 0xf450_f000]);
    if make.random.coin() {
        case.base(n, at);
        case.word(fixed | up | n << 16 | make.random.below(64));
    } else {
        let m = make.register(14, &[n]);
        case.set(m, 0);
        case.base(n, at);
        case.word(fixed | 0x0200_0000 | up | n << 16 | make.random.below(32) << 7 | m);
    }
    more(make, &mut case);
    Some(case)
}
