//! What A32 and T32 encode bit for bit alike: the loads and stores of SIMD and floating-point
//! registers, and LDC and STC.
//!
//! To call from either decoder, with the 32-bit word as it is (T32's first halfword in the high
//! half; no bits need to be moved):
//!
//! - [`coprocessor`] where bits 27:25 are 0b110: A32 with a condition other than 0b1111, T32's
//!   0xecxx and 0xedxx. It looks at bits 24:0 only.
//! - [`structures`] where the word is A32's 0xf4xxxxxx or T32's 0xf9xxxxxx and bit 20 is clear. It
//!   looks at bits 23:0 only.
//!
//! DDI 0487, F4.1: "Advanced SIMD and floating-point load/store", "System register load/store",
//! "Advanced SIMD element or structure load/store"; the fields' meaning is in F5.1 and F6.1.
//!
//! Registers beyond D31 or S31 are UNPREDICTABLE, and [`Registers::Run`] and [`Structures`] say
//! what becomes of them. With R15 as a base that is written back there is nothing plain left to
//! do: [`Undecoded`].

use super::Undecoded;
use crate::mmio::instruction::{
    Address, Base, Coprocessor, Index, Lane, Modify, Offset, Operation, Registers, Simd,
    Structures, View,
};

/// The register number in the four bits from `low` on.
pub(super) const fn register(word: u32, low: u32) -> u8 {
    (word.wrapping_shr(low) & 15) as u8
}

/// Whether this bit is set.
pub(super) const fn bit(word: u32, number: u32) -> bool {
    word.wrapping_shr(number) & 1 != 0
}

/// R0 to R14, or the PC for 15.
pub(super) const fn base(number: u8) -> Base {
    match number {
        15 => Base::Pc,
        _ => Base::Register(number),
    }
}

/// So many bytes up, or down.
pub(super) const fn immediate(up: bool, bytes: u32) -> Offset {
    let bytes = bytes as i64;
    Offset::Immediate(if up { bytes } else { bytes.wrapping_neg() })
}

/// The address, unless the PC would have to be written back.
pub(super) fn address(base_number: u8, offset: Offset, index: Index) -> Result<Address, Undecoded> {
    if base_number == 15 && index != Index::Offset {
        return Err(Undecoded);
    }
    Ok(Address {
        base: base(base_number),
        offset,
        index,
    })
}

/// VLDR, VSTR, VLDM, VSTM, VPUSH, VPOP, FLDMX, FSTMX, LDC, STC.
pub(super) fn coprocessor(word: u32) -> Result<Operation, Undecoded> {
    let (pre, up, write_back) = (bit(word, 24), bit(word, 23), bit(word, 21));
    if !pre && !up && !write_back {
        return Err(Undecoded); // MRRC, MCRR, VMOV of 64 bits
    }
    match word.wrapping_shr(8) & 15 {
        0b1110 => debug_transfer(word, pre, up, write_back),
        0b1001..=0b1011 if pre && !write_back => single(word, up),
        0b1010 | 0b1011 if pre != up => block(word, up, write_back),
        _ => Err(Undecoded),
    }
}

/// LDC and STC, of which only CP14's DTR is left: CRd c5, not long.
fn debug_transfer(
    word: u32,
    pre: bool,
    up: bool,
    write_back: bool,
) -> Result<Operation, Undecoded> {
    if register(word, 12) != 5 || bit(word, 22) {
        return Err(Undecoded);
    }
    let bytes = (word & 0xff).wrapping_mul(4);
    let (offset, index) = match (pre, write_back) {
        (true, false) => (immediate(up, bytes), Index::Offset),
        (true, true) => (immediate(up, bytes), Index::Pre),
        (false, true) => (immediate(up, bytes), Index::Post),
        (false, false) => (Offset::Immediate(0), Index::Offset),
    };
    Ok(Operation::Coprocessor(Coprocessor {
        address: address(register(word, 16), offset, index)?,
        load: bit(word, 20),
        number: 14,
        register: 5,
        long: false,
    }))
}

/// A floating-point register's number: Vd:D of S registers, D:Vd of D registers.
const fn vector_register(word: u32, double: bool) -> u8 {
    let vd = register(word, 12);
    match (double, bit(word, 22)) {
        (false, extra) => vd.wrapping_mul(2).wrapping_add(extra as u8),
        (true, true) => vd.wrapping_add(16),
        (true, false) => vd,
    }
}

/// VLDR and VSTR. A half is the low half of an S register.
fn single(word: u32, up: bool) -> Result<Operation, Undecoded> {
    let log2_bytes = (word.wrapping_shr(8) & 3) as u8;
    let double = log2_bytes == 3;
    let scale = if log2_bytes == 1 { 2 } else { 4 };
    let offset = immediate(up, (word & 0xff).wrapping_mul(scale));
    Ok(Operation::Simd(Simd {
        address: address(register(word, 16), offset, Index::Offset)?,
        load: bit(word, 20),
        view: if double { View::D } else { View::S },
        log2_bytes,
        registers: Registers::Run {
            first: vector_register(word, double),
            count: 1,
        },
    }))
}

/// VLDM and VSTM (VPUSH and VPOP are those of R13). An odd number of words in D registers is
/// FLDMX's and FSTMX's.
fn block(word: u32, up: bool, write_back: bool) -> Result<Operation, Undecoded> {
    let double = bit(word, 8);
    let words = word & 0xff;
    let count = (if double { words.wrapping_shr(1) } else { words }) as u8;
    // None is UNPREDICTABLE, and so are more than there are.
    if !(1..=32).contains(&count) {
        return Err(Undecoded);
    }
    let bytes = words.wrapping_mul(4);
    let (offset, index) = match (up, write_back) {
        (true, false) => (Offset::Immediate(0), Index::Offset),
        (true, true) => (immediate(true, bytes), Index::Post),
        (false, _) => (immediate(false, bytes), Index::Pre),
    };
    Ok(Operation::Simd(Simd {
        address: address(register(word, 16), offset, index)?,
        load: bit(word, 20),
        view: if double { View::D } else { View::S },
        log2_bytes: if double { 3 } else { 2 },
        registers: Registers::Run {
            first: vector_register(word, double),
            count,
        },
    }))
}

/// What the bits between the register numbers say of VLD1 to VLD4.
struct Shape {
    repeat: u8,
    structure: u8,
    spacing: u8,
    log2_element: u8,
    lane: Lane,
    align: u8,
}

/// VLD1 to VLD4, VST1 to VST4.
pub(super) fn structures(word: u32) -> Result<Operation, Undecoded> {
    let load = bit(word, 21);
    let shape = match (bit(word, 23), word.wrapping_shr(10) & 3) {
        (false, _) => multiple(word),
        (true, 0b11) if load => all_lanes(word),
        (true, 0b11) => None,
        (true, _) => one_lane(word),
    }
    .ok_or(Undecoded)?;
    let elements = match shape.lane {
        Lane::All => shape
            .repeat
            .wrapping_mul(8u8.wrapping_shr(shape.log2_element as u32)),
        Lane::One(_) | Lane::Replicate => 1,
    };
    let bytes = elements
        .wrapping_mul(shape.structure)
        .wrapping_shl(shape.log2_element as u32);
    let (offset, index) = match register(word, 0) {
        15 => (Offset::Immediate(0), Index::Offset),
        13 => (Offset::Immediate(bytes as i64), Index::Post),
        m => (
            Offset::Register {
                register: m,
                subtract: false,
                modify: Modify::Lsl(0),
            },
            Index::Post,
        ),
    };
    Ok(Operation::Structures(Structures {
        address: address(register(word, 16), offset, index)?,
        load,
        view: View::D,
        quad: false,
        first: vector_register(word, true),
        repeat: shape.repeat,
        structure: shape.structure,
        spacing: shape.spacing,
        log2_element: shape.log2_element,
        lane: shape.lane,
        align: shape.align,
    }))
}

/// Whole registers; bits 11:8 say how many and how interleaved.
fn multiple(word: u32) -> Option<Shape> {
    let size = (word.wrapping_shr(6) & 3) as u8;
    let align = word.wrapping_shr(4) & 3;
    // The largest alignment field that is defined: 8, 16 or 32 bytes.
    let (repeat, structure, spacing, most) = match word.wrapping_shr(8) & 15 {
        0b0000 => (1, 4, 1, 3),
        0b0001 => (1, 4, 2, 3),
        0b0010 => (4, 1, 1, 3),
        0b0011 => (2, 2, 2, 3),
        0b0100 => (1, 3, 1, 1),
        0b0101 => (1, 3, 2, 1),
        0b0110 => (3, 1, 1, 1),
        0b0111 => (1, 1, 1, 1),
        0b1000 => (1, 2, 1, 2),
        0b1001 => (1, 2, 2, 2),
        0b1010 => (2, 1, 1, 2),
        _ => return None,
    };
    if align > most || (size == 3 && structure != 1) {
        return None;
    }
    let align = if align == 0 {
        1
    } else {
        4u8.wrapping_shl(align)
    };
    Some(Shape {
        repeat,
        structure,
        spacing,
        log2_element: size,
        lane: Lane::All,
        align,
    })
}

/// One lane; bits 7:4 are its index from above and, from below, the alignment: as many bits as
/// the size leaves.
fn one_lane(word: u32) -> Option<Shape> {
    let size = word.wrapping_shr(10) & 3;
    let structure = (word.wrapping_shr(8) & 3).wrapping_add(1) as u8;
    let field = word.wrapping_shr(4) & 15;
    let index = field.wrapping_shr(size.wrapping_add(1)) as u8;
    // The bit below the index is the spacing, which bytes and VLD1 do not have.
    let wide = size != 0 && bit(field, size);
    let low = field & if size == 2 { 0b11 } else { 0b1 };
    let align = match (structure, size, low) {
        (_, _, 0) => 1,
        (1, 1, 1) | (2, 0, 1) => 2,
        (1, 2, 3) | (2, 1, 1) | (4, 0, 1) => 4,
        (2, 2, 1) | (4, 1 | 2, 1) => 8,
        (4, 2, 2) => 16,
        _ => return None,
    };
    if wide && structure == 1 {
        return None;
    }
    Some(Shape {
        repeat: 1,
        structure,
        spacing: if wide { 2 } else { 1 },
        log2_element: size as u8,
        lane: Lane::One(index),
        align,
    })
}

/// One structure to all lanes; bit 5 is the spacing, or VLD1's second register; bit 4 asks for
/// the structure's alignment, and with VLD4 of words for 8 bytes, of which size 0b11 makes 16.
fn all_lanes(word: u32) -> Option<Shape> {
    let structure = (word.wrapping_shr(8) & 3).wrapping_add(1) as u8;
    let size = word.wrapping_shr(6) & 3;
    let align = match (structure, size, bit(word, 4)) {
        (4, 3, true) => 16,
        (_, 3, _) | (1, 0, true) | (3, _, true) => return None,
        (_, _, false) => 1,
        (4, 2, true) => 8,
        (_, _, true) => structure.wrapping_shl(size),
    };
    let two = if bit(word, 5) { 2 } else { 1 };
    let (repeat, spacing) = if structure == 1 { (two, 1) } else { (1, two) };
    Some(Shape {
        repeat,
        structure,
        spacing,
        log2_element: size.min(2) as u8,
        lane: Lane::Replicate,
        align,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(word: u32) -> Structures {
        match structures(word) {
            Ok(Operation::Structures(structures)) => structures,
            other => panic!("{word:#x}: {other:?}"),
        }
    }

    fn simd(word: u32) -> Simd {
        match coprocessor(word) {
            Ok(Operation::Simd(simd)) => simd,
            other => panic!("{word:#x}: {other:?}"),
        }
    }

    #[test]
    fn vld2_of_four_registers_goes_to_every_other_one_twice() {
        let shape = |word| {
            let e = elements(word);
            (e.repeat, e.structure, e.spacing)
        };
        assert_eq!(shape(0xf421_030f), (2, 2, 2)); // vld2.8 {d0, d1, d2, d3}, [r1]
        assert_eq!(shape(0xf421_080f), (1, 2, 1)); // vld2.8 {d0, d1}, [r1]
        assert_eq!(shape(0xf421_090f), (1, 2, 2)); // vld2.8 {d0, d2}, [r1]
        assert_eq!(shape(0xf421_020f), (4, 1, 1)); // vld1.8 {d0, d1, d2, d3}, [r1]
    }

    #[test]
    fn write_back_is_by_the_bytes_in_memory() {
        // vld1.16 {d0, d1, d2}, [r1]!; vld3.16 {d0[1], d1[1], d2[1]}, [r1]!; vld1.16 {d0[], d1[]}, [r1]!
        for (word, bytes) in [(0xf421_064d, 24), (0xf4a1_064d, 6), (0xf4a1_0c6d, 2)] {
            let address = elements(word).address;
            assert_eq!(
                (address.index, address.offset),
                (Index::Post, Offset::Immediate(bytes))
            );
        }
    }

    #[test]
    fn vld4_of_words_to_all_lanes_is_aligned_to_8_or_16_bytes() {
        let shape = |word| (elements(word).log2_element, elements(word).align);
        assert_eq!(shape(0xf4a1_0f8f), (2, 1));
        assert_eq!(shape(0xf4a1_0f9f), (2, 8));
        assert_eq!(shape(0xf4a1_0fdf), (2, 16));
        assert_eq!(structures(0xf4a1_0fcf), Err(Undecoded));
        assert_eq!(structures(0xf481_0f8f), Err(Undecoded)); // no store to all lanes
    }

    #[test]
    fn an_alignment_that_is_not_defined_is_no_load() {
        for (word, align) in [(0xf4a1_080f, 1), (0xf4a1_083f, 4), (0xf421_0a2f, 16)] {
            assert_eq!(elements(word).align, align, "{word:#x}");
        }
        for word in [
            0xf4a1_081f,
            0xf4a1_082f,
            0xf421_0a3f,
            0xf421_042f,
            0xf421_072f,
        ] {
            assert_eq!(structures(word), Err(Undecoded), "{word:#x}");
        }
    }

    #[test]
    fn fldmx_moves_its_base_by_a_word_more() {
        let two = Registers::Run { first: 0, count: 2 };
        for (word, index, bytes) in [
            (0xecb1_0b04, Index::Post, 16),  // vldmia r1!, {d0, d1}
            (0xecb1_0b05, Index::Post, 20),  // fldmiax r1!, {d0, d1}
            (0xed31_0b05, Index::Pre, -20),  // fldmdbx r1!, {d0, d1}
            (0xec91_0b05, Index::Offset, 0), // fldmiax r1, {d0, d1}
        ] {
            let address = Address {
                base: Base::Register(1),
                offset: Offset::Immediate(bytes),
                index,
            };
            assert_eq!(
                (simd(word).registers, simd(word).address),
                (two, address),
                "{word:#x}"
            );
        }
    }

    #[test]
    fn a_block_is_of_1_to_32_registers() {
        for word in [
            0xec91_0b00,
            0xec91_0b01,
            0xec91_0b42,
            0xec91_0a21,
            0xec91_0aff,
        ] {
            assert_eq!(coprocessor(word), Err(Undecoded), "{word:#x}");
        }
        let all = Registers::Run {
            first: 0,
            count: 32,
        };
        assert_eq!(
            (simd(0xec91_0b40).registers, simd(0xec91_0a20).registers),
            (all, all)
        );
    }

    #[test]
    fn a_half_is_the_low_part_of_an_s_register() {
        let half = simd(0xedd1_5902); // vldr.16 s11, [r1, #4]
        assert_eq!((half.view, half.log2_bytes), (View::S, 1));
        assert_eq!(
            half.registers,
            Registers::Run {
                first: 11,
                count: 1
            }
        );
        assert_eq!(half.address.offset, Offset::Immediate(4));
    }

    #[test]
    fn ldc_is_of_cp14_c5_alone_and_unindexed_stays() {
        let address = |word| match coprocessor(word) {
            Ok(Operation::Coprocessor(c)) => (c.address.index, c.address.offset),
            other => panic!("{word:#x}: {other:?}"),
        };
        assert_eq!(address(0xec91_5e04), (Index::Offset, Offset::Immediate(0)));
        assert_eq!(address(0xecb1_5e04), (Index::Post, Offset::Immediate(16)));
        assert_eq!(address(0xed31_5e04), (Index::Pre, Offset::Immediate(-16)));
        // Another CRd, another coprocessor, LDCL, MRRC.
        for word in [0xed91_4e01, 0xed91_5f01, 0xedd1_5e01, 0xec51_5e01] {
            assert_eq!(coprocessor(word), Err(Undecoded), "{word:#x}");
        }
    }
}
