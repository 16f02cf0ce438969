//! T32's loads and stores.
//!
//! DDI 0487: F3.1 (the tables), F5.1 (each instruction). Those of 16 bits are in
//! [`super::t16`]; those of SIMD and floating-point registers are A32's with a moved prefix.
//!
//! Bits that should be 0 or 1 are not looked at. Memory hints that are reserved (Rt of 15 in a
//! signed halfword's load) do nothing, as PLD and PLI do, and are decoded as those.

use super::{Undecoded, t16};
use crate::access::Width;
use crate::mmio::instruction::{
    Address, Bank, Base, Block, Class, Extend, General, Index, Modify, Multiple, Offset, Operation,
    ReturnState, TableBranch,
};

/// What the instruction `word` loads or stores.
pub(super) fn decode(word: u32) -> Result<Operation, Undecoded> {
    match bits(word, 31, 25) {
        0 if word >> 16 == 0 => t16::decode(word),
        0b1110100 if bits(word, 22, 22) == 0 => multiple(word),
        0b1110100 if bits(word, 24, 24) | bits(word, 21, 21) == 0 => exclusive(word),
        0b1110100 => dual(word),
        0b1111100 => single(word),
        _ => Err(Undecoded),
    }
}

/// The field `word<high:low>`.
pub(super) const fn bits(word: u32, high: u32, low: u32) -> u32 {
    word.wrapping_shl(31_u32.wrapping_sub(high))
        .wrapping_shr(31_u32.wrapping_sub(high).wrapping_add(low))
}

/// A register's number, from `word<low+3:low>`.
const fn register(word: u32, low: u32) -> u8 {
    bits(word, low.wrapping_add(3), low) as u8
}

/// Of general registers, with nothing special about it.
pub(super) const fn plain(
    address: Address,
    load: bool,
    width: Width,
    extend: Extend,
    first: u8,
) -> General {
    General {
        address,
        load,
        width,
        extend,
        first,
        second: None,
        class: Class::Plain,
    }
}

/// R15 as a base is the PC.
const fn base(rn: u8) -> Base {
    if rn == 15 {
        Base::Pc
    } else {
        Base::Register(rn)
    }
}

/// An offset of `bytes`, which `add` adds.
fn immediate(bytes: u32, add: bool) -> Offset {
    let bytes = i64::from(bytes);
    Offset::Immediate(if add { bytes } else { bytes.wrapping_neg() })
}

/// Bits 24 and 21, or 10 and 8: P and W. Neither is another instruction.
const fn index(p: bool, w: bool) -> Index {
    match (p, w) {
        (true, false) => Index::Offset,
        (true, true) => Index::Pre,
        (false, _) => Index::Post,
    }
}

/// Load/store multiple; RFE and SRS.
fn multiple(word: u32) -> Result<Operation, Undecoded> {
    let load = bits(word, 20, 20) != 0;
    let write_back = bits(word, 21, 21) != 0;
    let rn = register(word, 16);
    let list = word as u16;
    let (state, block) = match bits(word, 24, 23) {
        0b00 => (true, Block::DecrementBefore),
        0b01 => (false, Block::IncrementAfter),
        0b10 => (false, Block::DecrementBefore),
        _ => (true, Block::IncrementAfter),
    };
    if state && !load {
        return Ok(Operation::StoreReturnState(ReturnState {
            base: bits(word, 4, 0) as u8,
            block,
            write_back,
        }));
    }
    if rn == 15 && write_back {
        return Err(Undecoded);
    }
    if state {
        return Ok(Operation::ReturnFromException(ReturnState {
            base: rn,
            block,
            write_back,
        }));
    }
    if list == 0 {
        return Err(Undecoded);
    }
    Ok(Operation::Multiple(Multiple {
        base: rn,
        list,
        load,
        block,
        write_back,
        bank: Bank::Current,
    }))
}

/// Load/store dual, immediate and literal.
fn dual(word: u32) -> Result<Operation, Undecoded> {
    let write_back = bits(word, 21, 21) != 0;
    let rn = register(word, 16);
    if rn == 15 && write_back {
        return Err(Undecoded);
    }
    let address = Address {
        base: base(rn),
        offset: immediate(bits(word, 7, 0) << 2, bits(word, 23, 23) != 0),
        index: index(bits(word, 24, 24) != 0, write_back),
    };
    let load = bits(word, 20, 20) != 0;
    let rt = register(word, 12);
    Ok(Operation::General(General {
        second: Some(register(word, 8)),
        ..plain(address, load, Width::Word, Extend::Zero, rt)
    }))
}

/// Load/store exclusive, load-acquire and store-release, table branch.
fn exclusive(word: u32) -> Result<Operation, Undecoded> {
    let load = bits(word, 20, 20) != 0;
    let rn = register(word, 16);
    // LDREX and STREX have an offset where the others have op and size.
    let words = bits(word, 23, 23) == 0;
    let (op, size, offset, status) = if words {
        (0b01, 0b10, bits(word, 7, 0) << 2, register(word, 8))
    } else {
        let op = bits(word, 7, 6);
        (op, bits(word, 5, 4), 0, register(word, 0))
    };
    let class = match op {
        0b00 if load && size < 0b10 => {
            return Ok(Operation::TableBranch(TableBranch {
                base: rn,
                index: register(word, 0),
                half: size == 0b01,
            }));
        }
        0b01 if size == 0b10 && !words => return Err(Undecoded),
        0b01 | 0b11 if load => Class::LoadExclusive,
        0b01 | 0b11 => Class::StoreExclusive { status },
        0b10 if size < 0b11 => Class::Ordered,
        _ => return Err(Undecoded),
    };
    let address = Address {
        base: base(rn),
        offset: immediate(offset, true),
        index: Index::Offset,
    };
    let second = (size == 0b11).then_some(register(word, 8));
    let rt = register(word, 12);
    Ok(Operation::General(General {
        second,
        class,
        ..plain(address, load, width(size), Extend::Zero, rt)
    }))
}

/// Load/store single: one register, or a hint.
fn single(word: u32) -> Result<Operation, Undecoded> {
    let signed = bits(word, 24, 24) != 0;
    let load = bits(word, 20, 20) != 0;
    let size = bits(word, 22, 21);
    let rn = register(word, 16);
    let rt = register(word, 12);
    if size == 0b11 || (signed && (size == 0b10 || !load)) || (rn == 15 && !load) {
        return Err(Undecoded);
    }
    let add = bits(word, 23, 23) != 0;
    let imm8 = bits(word, 7, 0);
    let mut class = Class::Plain;
    let (offset, index) = if add || rn == 15 {
        (immediate(bits(word, 11, 0), add), Index::Offset)
    } else if bits(word, 11, 6) == 0 {
        let offset = Offset::Register {
            register: register(word, 0),
            subtract: false,
            modify: Modify::Lsl(bits(word, 5, 4) as u8),
        };
        (offset, Index::Offset)
    } else {
        // 1PUW. An offset is negative here, or the access one with the rights of EL0.
        let puw = bits(word, 10, 8);
        let index = match puw {
            0b100 => Index::Offset,
            0b110 => {
                class = Class::Unprivileged;
                Index::Offset
            }
            _ => index(puw & 0b100 != 0, puw & 0b001 != 0),
        };
        if bits(word, 11, 11) == 0 || puw & 0b101 == 0 {
            return Err(Undecoded);
        }
        (immediate(imm8, puw & 0b010 != 0), index)
    };
    let address = Address {
        base: base(rn),
        offset,
        index,
    };
    if rt == 15 && load && size != 0b10 && index == Index::Offset && class == Class::Plain {
        return Ok(Operation::Prefetch(address));
    }
    let extend = if signed { Extend::Sign32 } else { Extend::Zero };
    Ok(Operation::General(General {
        class,
        ..plain(address, load, width(size), extend, rt)
    }))
}

/// Of each register of a size field; 3 is a pair of words.
const fn width(size: u32) -> Width {
    match size {
        0b00 => Width::Byte,
        0b01 => Width::Half,
        _ => Width::Word,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What `word` moves of general registers.
    pub fn general(word: u32) -> General {
        match decode(word) {
            Ok(Operation::General(op)) => op,
            other => panic!("{word:#x}: {other:?}"),
        }
    }

    /// The multiple that `word` is.
    pub fn multiple(word: u32) -> Multiple {
        match decode(word) {
            Ok(Operation::Multiple(op)) => op,
            other => panic!("{word:#x}: {other:?}"),
        }
    }

    fn at(rn: u8, offset: i64, index: Index) -> Address {
        Address {
            base: base(rn),
            offset: Offset::Immediate(offset),
            index,
        }
    }

    #[test]
    fn the_allwinner_spls_store_writes_back_after_the_access() {
        // str.w r2, [r3], #4
        let op = general(0xf843_2b04);
        assert_eq!(op.address, at(3, 4, Index::Post));
        assert_eq!(
            (op.load, op.width, op.first, op.class),
            (false, Width::Word, 2, Class::Plain)
        );
    }

    #[test]
    fn an_imm8_has_five_meanings() {
        for (word, offset, index) in [
            (0xf852_1c08, -8, Index::Offset), // ldr r1, [r2, #-8]
            (0xf852_1d08, -8, Index::Pre),    // ldr r1, [r2, #-8]!
            (0xf852_1f08, 8, Index::Pre),     // ldr r1, [r2, #8]!
            (0xf852_1908, -8, Index::Post),   // ldr r1, [r2], #-8
            (0xf852_1b08, 8, Index::Post),    // ldr r1, [r2], #8
        ] {
            let op = general(word);
            assert_eq!(op.address, at(2, offset, index), "{word:#x}");
            assert_eq!(op.class, Class::Plain);
        }
        let ldrt = general(0xf852_1e08);
        assert_eq!(ldrt.address, at(2, 8, Index::Offset));
        assert_eq!(ldrt.class, Class::Unprivileged);
        for word in [0xf852_1808, 0xf852_1a08, 0xf852_1048] {
            assert_eq!(decode(word), Err(Undecoded), "{word:#x}");
        }
    }

    #[test]
    fn fifteen_as_target_of_a_narrow_load_is_a_hint() {
        let hint = |word| match decode(word) {
            Ok(Operation::Prefetch(address)) => Some(address),
            _ => None,
        };
        assert_eq!(hint(0xf892_f010), Some(at(2, 16, Index::Offset)), "pld");
        assert_eq!(hint(0xf8b2_f010), Some(at(2, 16, Index::Offset)), "pldw");
        assert_eq!(hint(0xf912_fc10), Some(at(2, -16, Index::Offset)), "pli");
        assert_eq!(hint(0xf81f_f010), Some(at(15, -16, Index::Offset)));
        // With write-back or for EL0 it is a load, if an unpredictable one; of a word, a branch.
        for word in [0xf812_fd10, 0xf812_fe10, 0xf8d2_f010, 0xf882_f010] {
            assert_eq!(hint(word), None, "{word:#x}");
        }
    }

    #[test]
    fn exclusives_name_their_status_register() {
        // strex r1, r2, [r3, #16]; strexd r1, r2, r4, [r3]; stlexb r1, r2, [r3]
        for (word, offset, width, second) in [
            (0xe843_2104, 16, Width::Word, None),
            (0xe8c3_2471, 0, Width::Word, Some(4)),
            (0xe8c3_2fc1, 0, Width::Byte, None),
        ] {
            let op = general(word);
            assert_eq!(op.address, at(3, offset, Index::Offset), "{word:#x}");
            assert_eq!((op.first, op.second, op.width), (2, second, width));
            assert_eq!(op.class, Class::StoreExclusive { status: 1 });
        }
        assert_eq!(general(0xe8d3_2fef).class, Class::LoadExclusive, "ldaex");
        assert_eq!(general(0xe8d3_2faf).class, Class::Ordered, "lda");
        // No size of 3 without exclusion, none of 2 where LDREX has an encoding of its own.
        for word in [0xe8d3_24bf, 0xe8d3_2f6f, 0xe8c3_f001, 0xe8d3_f021] {
            assert_eq!(decode(word), Err(Undecoded), "{word:#x}");
        }
    }

    #[test]
    fn multiples_go_up_and_down() {
        // ldmia.w r1!, {r2, pc}; stmdb r1, {r2, lr}
        let up = multiple(0xe8b1_8004);
        assert_eq!((up.base, up.list, up.load), (1, 0x8004, true));
        assert_eq!((up.block, up.write_back), (Block::IncrementAfter, true));
        let down = multiple(0xe901_4004);
        assert_eq!((down.base, down.list, down.load), (1, 0x4004, false));
        assert_eq!(
            (down.block, down.write_back),
            (Block::DecrementBefore, false)
        );
    }

    #[test]
    fn return_state_lies_below_or_above() {
        let state = |base, block, write_back| ReturnState {
            base,
            block,
            write_back,
        };
        for (word, op) in [
            (
                0xe811_c000, // rfedb r1
                Operation::ReturnFromException(state(1, Block::DecrementBefore, false)),
            ),
            (
                0xe9b1_c000, // rfeia r1!
                Operation::ReturnFromException(state(1, Block::IncrementAfter, true)),
            ),
            (
                0xe82d_c013, // srsdb sp!, #19
                Operation::StoreReturnState(state(19, Block::DecrementBefore, true)),
            ),
            (
                0xe98d_c01f, // srsia sp, #31
                Operation::StoreReturnState(state(31, Block::IncrementAfter, false)),
            ),
        ] {
            assert_eq!(decode(word), Ok(op), "{word:#x}");
        }
    }

    #[test]
    fn the_pc_is_no_base_of_a_store_and_none_that_is_written_back() {
        assert_eq!(general(0xf85f_1008).address, at(15, -8, Index::Offset));
        assert_eq!(general(0xe95f_1202).address, at(15, -8, Index::Offset));
        for word in [
            0xf8cf_1008, // str
            0xe97f_1202, // ldrd with write-back
            0xe8bf_0006, // ldmia
            0xe9bf_c000, // rfeia
        ] {
            assert_eq!(decode(word), Err(Undecoded), "{word:#x}");
        }
    }

    #[test]
    fn a_table_of_halfwords_counts_by_them() {
        let table = |half| {
            Ok(Operation::TableBranch(TableBranch {
                base: 15,
                index: 1,
                half,
            }))
        };
        assert_eq!(decode(0xe8df_f001), table(false));
        assert_eq!(decode(0xe8df_f011), table(true));
    }

    #[test]
    fn half_an_instruction_is_none() {
        for word in [0xe8d0, 0xf8d2, 0x0001_6fd1, 0x6fd1_0000] {
            assert_eq!(decode(word), Err(Undecoded), "{word:#x}");
        }
    }
}
