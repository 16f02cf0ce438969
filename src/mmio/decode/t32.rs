//! T32's loads and stores.
//!
//! DDI 0487: F3.1 (the tables), F5.1 (each instruction). Those of 16 bits are in
//! [`super::t16`]; those of SIMD and floating-point registers are A32's with a moved prefix.
//!
//! - UNPREDICTABLE registers (Rt or Rm of 15, Rt that is Rn and written back, one in a list that may
//!   not be there) are taken by their numbers. There is nothing plain to do, so they are
//!   [`Undecoded`], with R15 as a base that is written back and with an empty list.
//! - Bits that should be 0 or 1 are not looked at.
//! - Memory hints that are reserved (Rt of 15 in a signed halfword's load) are NOPs, and decoded
//!   as the hints that have a name.

use super::neon::{self, address, bit, immediate, register};
use super::{Undecoded, t16};
use crate::access::Width;
use crate::mmio::instruction::{
    Address, Bank, Block, Class, Extend, General, Index, Modify, Multiple, Offset, Operation,
    ReturnState, TableBranch,
};

/// What the instruction `word` loads or stores.
pub(super) fn decode(word: u32) -> Result<Operation, Undecoded> {
    match word.wrapping_shr(24) {
        0 if word < 0x1_0000 => t16::decode(word),
        0xe8 | 0xe9 if !bit(word, 22) => multiple(word),
        0xe8 if !bit(word, 21) => exclusive(word),
        0xe8 | 0xe9 => dual(word),
        0xec | 0xed => neon::coprocessor(word),
        0xf9 if !bit(word, 20) => neon::structures(word),
        0xf8 | 0xf9 => single(word),
        _ => Err(Undecoded),
    }
}

/// Of general registers, with nothing special about it.
pub(super) fn plain(address: Address, load: bool, width: Width, first: u8) -> General {
    General {
        address,
        load,
        width,
        extend: Extend::Zero,
        first,
        second: None,
        class: Class::Plain,
    }
}

/// Load/store multiple; RFE and SRS.
fn multiple(word: u32) -> Result<Operation, Undecoded> {
    let (load, write_back) = (bit(word, 20), bit(word, 21));
    let (base, list) = (register(word, 16), word as u16);
    let block = if bit(word, 23) {
        Block::IncrementAfter
    } else {
        Block::DecrementBefore
    };
    let state = |base| ReturnState {
        base,
        block,
        write_back,
    };
    match (bit(word, 24) == bit(word, 23), load) {
        (true, false) => Ok(Operation::StoreReturnState(state((word & 31) as u8))),
        _ if base == 15 && write_back => Err(Undecoded),
        (true, true) => Ok(Operation::ReturnFromException(state(base))),
        _ if list == 0 => Err(Undecoded),
        (false, _) => Ok(Operation::Multiple(Multiple {
            base,
            list,
            load,
            block,
            write_back,
            bank: Bank::Current,
        })),
    }
}

/// Load/store dual, immediate and literal.
fn dual(word: u32) -> Result<Operation, Undecoded> {
    let index = match (bit(word, 24), bit(word, 21)) {
        (true, false) => Index::Offset,
        (true, true) => Index::Pre,
        (false, _) => Index::Post,
    };
    let offset = immediate(bit(word, 23), (word & 0xff).wrapping_mul(4));
    let address = address(register(word, 16), offset, index)?;
    Ok(Operation::General(General {
        second: Some(register(word, 8)),
        ..plain(address, bit(word, 20), Width::Word, register(word, 12))
    }))
}

/// Load/store exclusive, load-acquire and store-release, table branch.
fn exclusive(word: u32) -> Result<Operation, Undecoded> {
    let load = bit(word, 20);
    // LDREX and STREX have an offset where the others have op and size.
    let (op, size, bytes, status) = if bit(word, 23) {
        let size = word.wrapping_shr(4) & 3;
        (word.wrapping_shr(6) & 3, size, 0, register(word, 0))
    } else {
        (4, 2, (word & 0xff).wrapping_mul(4), register(word, 8))
    };
    let class = match (op, size) {
        (0, 0 | 1) if load => {
            return Ok(Operation::TableBranch(TableBranch {
                base: register(word, 16),
                index: register(word, 0),
                half: size == 1,
            }));
        }
        (0, _) | (1, 2) | (2, 3) => return Err(Undecoded),
        (2, _) => Class::Ordered,
        _ if load => Class::LoadExclusive,
        _ => Class::StoreExclusive { status },
    };
    let address = address(register(word, 16), immediate(true, bytes), Index::Offset)?;
    Ok(Operation::General(General {
        second: (size == 3).then_some(register(word, 8)),
        class,
        ..plain(address, load, width(size), register(word, 12))
    }))
}

/// Load/store single: one register, or a hint.
fn single(word: u32) -> Result<Operation, Undecoded> {
    let (signed, up, load) = (bit(word, 24), bit(word, 23), bit(word, 20));
    let size = word.wrapping_shr(21) & 3;
    let (base, rt) = (register(word, 16), register(word, 12));
    if size == 3 || (size == 2 && signed) || (base == 15 && !load) {
        return Err(Undecoded);
    }
    let imm8 = |up| immediate(up, word & 0xff);
    let (offset, index, class) = match word.wrapping_shr(6) & 0x3f {
        _ if up || base == 15 => (immediate(up, word & 0xfff), Index::Offset, Class::Plain),
        0 => {
            let offset = Offset::Register {
                register: register(word, 0),
                subtract: false,
                modify: Modify::Lsl((word.wrapping_shr(4) & 3) as u8),
            };
            (offset, Index::Offset, Class::Plain)
        }
        // 1PUW: P and U without W is another thing than elsewhere.
        field => match field.wrapping_shr(2) {
            0b1100 => (imm8(false), Index::Offset, Class::Plain),
            0b1110 => (imm8(true), Index::Offset, Class::Unprivileged),
            0b1001 | 0b1011 => (imm8(bit(word, 9)), Index::Post, Class::Plain),
            0b1101 | 0b1111 => (imm8(bit(word, 9)), Index::Pre, Class::Plain),
            _ => return Err(Undecoded),
        },
    };
    let address = address(base, offset, index)?;
    let hint = rt == 15 && load && size != 2;
    if hint && index == Index::Offset && class == Class::Plain {
        return Ok(Operation::Prefetch(address));
    }
    let extend = if signed { Extend::Sign32 } else { Extend::Zero };
    Ok(Operation::General(General {
        extend,
        class,
        ..plain(address, load, width(size), rt)
    }))
}

/// By size; 3 is a pair of words.
const fn width(size: u32) -> Width {
    match size {
        0 => Width::Byte,
        1 => Width::Half,
        _ => Width::Word,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::mmio::decode::neon::base;

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
