//! SIMD and floating-point loads and stores of A32 and T32 (DDI 0487, F4.1.14 and F3.1.10): the
//! same bits, but for the condition and the first byte.

#![allow(clippy::unnecessary_wraps)] // Every form has the one type.

use super::arm_case::{Case, NEAR};
use super::arm_forms::Make;

/// A condition: T32 has none here.
fn condition(make: &mut Make<'_>) -> u32 {
    if make.thumb {
        0xe << 28
    } else {
        make.condition()
    }
}

/// The first byte of element and structure loads and stores.
fn advanced(make: &Make<'_>) -> u32 {
    if make.thumb { 0xf900_0000 } else { 0xf400_0000 }
}

/// The last register that can be a base: T32 has SP, too.
fn base(make: &mut Make<'_>) -> u32 {
    make.random.below(15)
}

/// Bits 22 and 12 of a D register, or of an S register.
fn number(register: u32, double: bool) -> u32 {
    if double {
        (register & 15) << 12 | (register >> 4) << 22
    } else {
        (register >> 1) << 12 | (register & 1) << 22
    }
}

/// VLDR and VSTR.
pub fn single(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("VLDR, VSTR");
    let double = make.abort || make.random.coin();
    let load = make.random.coin();
    let up = make.random.coin();
    let offset = make.random.below(256) * 4;
    let size = if double { 8 } else { 4 };
    let at = make.place(size, 4);
    let n = base(make);
    case.touches = (at, at + size);
    let from = if up {
        at.wrapping_sub(offset as usize)
    } else {
        at + offset as usize
    };
    case.base(n, from);
    let bits = 0x0d00_0a00
        | u32::from(double) << 8
        | u32::from(up) << 23
        | u32::from(load) << 20
        | n << 16
        | offset / 4;
    case.word(condition(make) | bits | number(make.random.below(32), double));
    case.aborts = make.abort.then_some(0);
    Some(case)
}

/// VLDR of what is near the PC, in T32; A32 has it among its literals.
pub fn literal(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("literal");
    case.at = NEAR;
    let double = make.random.coin();
    let at = super::UPPER + make.random.below(0x200) as usize & !3;
    case.touches = (at, at + 8);
    let offset = (at - case.pc()) as u32 / 4;
    let bits = 0xed9f_0a00 | u32::from(double) << 8 | offset;
    case.word(bits | number(make.random.below(32), double));
    Some(case)
}

/// VLDM, VSTM, VPUSH and VPOP, FLDMX and FSTMX.
pub fn multiple(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("VLDM, VSTM");
    let double = make.random.coin();
    let load = make.random.coin();
    let least = if make.abort { 2 } else { 1 };
    let (first, count) = loop {
        let first = make.random.below(32);
        let count = make.random.below(if double { 16 } else { 32 }) + 1;
        if first + count <= 32 && count >= least {
            break (first, count);
        }
    };
    // FLDMX and FSTMX: a word more that is not accessed, and D0 to D15 only.
    let extra = u32::from(double && !make.abort && first + count <= 16 && make.random.once_in(4));
    let bytes = count as usize * if double { 8 } else { 4 } + extra as usize * 4;
    // P, U, W: IA, IA!, DB!.
    let (p, u, w) = make.random.one_of(&[(0, 1, 0), (0, 1, 1), (1, 0, 1_u32)]);
    let n = base(make);
    let at = make.place(bytes, 4);
    case.touches = (at, at + bytes);
    case.base(n, if u == 1 { at } else { at + bytes });
    let bits = 0x0c00_0a00
        | p << 24
        | u << 23
        | w << 21
        | u32::from(load) << 20
        | n << 16
        | u32::from(double) << 8
        | if double { count * 2 + extra } else { count };
    case.word(condition(make) | bits | number(first, double));
    case.aborts = make.abort.then_some(0);
    Some(case)
}

/// Rm: no write-back, write-back by the size, or by a register.
fn write_back(make: &mut Make<'_>, n: u32) -> u32 {
    match make.random.below(3) {
        0 => 15,
        1 => 13,
        // R13 and R15 mean the others.
        _ => make.register(12, &[n]),
    }
}

/// Type, registers, distance of the last structure's register, and the alignments that there are.
const STRUCTURES: [(u32, u32, u32, u32); 10] = [
    (7, 1, 1, 0b0011),
    (10, 2, 2, 0b0111),
    (6, 3, 3, 0b0011),
    (2, 4, 4, 0b1111),
    (8, 2, 2, 0b0111),
    (9, 2, 3, 0b0111),
    (3, 4, 4, 0b1111),
    (4, 3, 3, 0b0011),
    (5, 3, 5, 0b0011),
    (0, 4, 4, 0b1111),
];
/// VLD4 to every second register.
const WIDEST: (u32, u32, u32, u32) = (1, 4, 7, 0b1111);

/// VLD1 to VLD4 and VST1 to VST4 of multiple structures.
pub fn structures(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("VLD1-4, VST1-4 multiple");
    let pick = make.random.below(11) as usize;
    let (kind, registers, reach, alignments) = STRUCTURES.get(pick).copied().unwrap_or(WIDEST);
    let load = make.random.coin();
    let only_one = matches!(kind, 2 | 6 | 7 | 10);
    let size = make.random.below(if only_one { 4 } else { 3 });
    let align = loop {
        let align = make.random.below(4);
        if alignments >> align & 1 != 0 {
            break align;
        }
    };
    let bytes = registers as usize * 8;
    // From a device to nowhere only in whole elements.
    let unit = match align {
        0 if make.state.unaligned() && !make.abort => 1,
        0 => 1 << size,
        1 => 8,
        2 => 16,
        _ => 32,
    };
    if make.abort && bytes / unit < 2 {
        return None;
    }
    let at = make.place(bytes, unit);
    let n = base(make);
    let m = write_back(make, n);
    let d = make.random.below(33 - reach);
    case.touches = (at, at + bytes);
    case.base(n, at);
    let bits = advanced(make) | u32::from(load) << 21 | n << 16 | kind << 8 | size << 6;
    case.word(bits | align << 4 | m | number(d, true));
    case.aborts = make.abort.then_some(0);
    Some(case)
}

/// VLD1 to VLD4 and VST1 to VST4 of one lane.
pub fn lane(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("VLD1-4, VST1-4 single lane");
    let load = make.random.coin();
    let registers = make.random.below(4) + 1;
    let size = make.random.below(3);
    let index = make.random.below(8 >> size);
    // The alignment's bits, and its bytes; 1 is the element's.
    let aligned = make.random.coin();
    let spaced = registers > 1 && size > 0 && make.random.coin();
    let (low, unit) = match (registers, size, aligned) {
        (_, _, false) | (3, _, _) | (1, 0, _) => (0, 1 << size),
        (1, 1, _) => (1, 2),
        (1, _, _) => (3, 4),
        (2, _, _) => (1, 2 << size),
        (_, 0 | 1, _) => (1, 4 << size),
        _ => make.random.one_of(&[(1, 8), (2, 16)]),
    };
    let position = index << (size + 1);
    let spacing = u32::from(spaced) << size;
    let bytes = (registers << size) as usize;
    let unit = if low == 0 && make.state.unaligned() && make.random.coin() {
        1
    } else {
        unit
    };
    let at = make.place(bytes, unit);
    let n = base(make);
    let m = write_back(make, n);
    let step = if spaced { 2 } else { 1 };
    let d = make.random.below(32 - (registers - 1) * step);
    case.touches = (at, at + bytes);
    case.base(n, at);
    let bits = advanced(make) | 0x0080_0000 | u32::from(load) << 21 | n << 16;
    let bits = bits | size << 10 | (registers - 1) << 8 | (position | spacing | low) << 4 | m;
    case.word(bits | number(d, true));
    Some(case)
}

/// VLD1 to VLD4 to all lanes.
pub fn all_lanes(make: &mut Make<'_>) -> Option<Case> {
    let mut case = make.case("VLD1-4 all lanes");
    let registers = make.random.below(4) + 1;
    let (size, align, unit) = match registers {
        1 => make
            .random
            .one_of(&[(0, 0, 1), (1, 0, 2), (1, 1, 2), (2, 0, 4), (2, 1, 4)]),
        2 => make.random.one_of(&[
            (0, 0, 1),
            (0, 1, 2),
            (1, 0, 2),
            (1, 1, 4),
            (2, 0, 4),
            (2, 1, 8),
        ]),
        3 => make.random.one_of(&[(0, 0, 1), (1, 0, 2), (2, 0, 4)]),
        _ => make.random.one_of(&[
            (0, 0, 1),
            (0, 1, 4),
            (1, 0, 2),
            (1, 1, 8),
            (2, 0, 4),
            (2, 1, 8),
            (3, 1, 16),
        ]),
    };
    let element = size.min(2);
    let unit = if align == 0 && make.state.unaligned() && make.random.coin() {
        1
    } else {
        unit
    };
    let bytes = (registers << element) as usize;
    let at = make.place(bytes, unit);
    let n = base(make);
    let m = write_back(make, n);
    let t = make.random.below(2);
    let reach = if registers == 1 {
        1 + t
    } else {
        1 + (registers - 1) * (1 + t)
    };
    let d = make.random.below(33 - reach);
    case.touches = (at, at + bytes);
    case.base(n, at);
    let bits = advanced(make) | 0x00a0_0c00 | n << 16 | (registers - 1) << 8;
    case.word(bits | size << 6 | t << 5 | align << 4 | m | number(d, true));
    Some(case)
}
