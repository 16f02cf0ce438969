//! A32: AArch32's ARM state.
//!
//! DDI 0487, F4.1 for what is an instruction, F5.1 for its fields. SWP and SWPB, which ARMv8 has
//! no more, are DDI 0406C, A8.8.229's. What the tables call unallocated is [`Undecoded`].
//!
//! - UNPREDICTABLE registers (an odd Rt of LDRD, Rt or Rm of 15, Rt that is Rn and written back)
//!   are taken by their numbers. There is nothing plain to do, so they are [`Undecoded`], with R15
//!   as a base that is written back, R15 and "R16" as a pair, an empty list, LDRD and STRD with
//!   P clear and W set.
//! - Bits that should be 0 or 1 are not looked at. The W bit of LDM (User registers) and STM (User
//!   registers) is such a bit, and is taken to mean what it means otherwise.

use super::Undecoded;
use super::neon::{self, address, base, bit, immediate, register};
use crate::access::Width;
use crate::mmio::instruction::{
    Address, Atomic, Bank, Block, Change, Class, Extend, General, Index, Modify, Multiple, Offset,
    Operation, ReturnState,
};

/// What the instruction `word` loads or stores.
pub(super) fn decode(word: u32) -> Result<Operation, Undecoded> {
    let opcode = word.wrapping_shr(20) & 0xff;
    if word >= 0xf000_0000 {
        return match opcode {
            0x40..=0x4f if !bit(word, 20) => neon::structures(word),
            0x40..=0x7f if opcode & 3 == 1 => preload(word, opcode),
            0x80..=0x9f => return_state(word),
            _ => Err(Undecoded),
        };
    }
    match opcode {
        0x00..=0x1f if word & 0x90 == 0x90 => match word.wrapping_shr(5) & 3 {
            0 if opcode & 0x1b == 0x10 => Ok(swap(word)),
            0 if opcode & 0x18 == 0x18 => synchronization(word),
            0 => Err(Undecoded), // multiplications
            kind => extra(word, kind),
        },
        0x40..=0x5f => word_or_byte(word, immediate(bit(word, 23), word & 0xfff)),
        0x60..=0x7f if !bit(word, 4) => word_or_byte(word, shifted(word)),
        0x80..=0x9f => multiple(word),
        0xc0..=0xdf => neon::coprocessor(word),
        _ => Err(Undecoded),
    }
}

/// The offset register and its shift.
fn shifted(word: u32) -> Offset {
    let amount = (word.wrapping_shr(7) & 31) as u8;
    let modify = match (word.wrapping_shr(5) & 3, amount) {
        (0, _) => Modify::Lsl(amount),
        (1, 0) => Modify::Lsr(32),
        (1, _) => Modify::Lsr(amount),
        (2, 0) => Modify::Asr(32),
        (2, _) => Modify::Asr(amount),
        (_, 0) => Modify::Rrx,
        _ => Modify::Ror(amount),
    };
    Offset::Register {
        register: register(word, 0),
        subtract: !bit(word, 23),
        modify,
    }
}

/// By P and W; both of "post-indexed, and again written back" are the unprivileged forms.
fn indexed(word: u32, offset: Offset) -> Result<(Address, Class), Undecoded> {
    let (index, class) = match (bit(word, 24), bit(word, 21)) {
        (true, false) => (Index::Offset, Class::Plain),
        (true, true) => (Index::Pre, Class::Plain),
        (false, false) => (Index::Post, Class::Plain),
        (false, true) => (Index::Post, Class::Unprivileged),
    };
    Ok((address(register(word, 16), offset, index)?, class))
}

/// LDR, LDRB, LDRT, LDRBT, STR, STRB, STRT, STRBT.
fn word_or_byte(word: u32, offset: Offset) -> Result<Operation, Undecoded> {
    let (address, class) = indexed(word, offset)?;
    Ok(Operation::General(General {
        address,
        load: bit(word, 20),
        width: if bit(word, 22) {
            Width::Byte
        } else {
            Width::Word
        },
        extend: Extend::Zero,
        first: register(word, 12),
        second: None,
        class,
    }))
}

/// Halfwords, signed bytes and pairs of words; `kind` is 1 to 3.
fn extra(word: u32, kind: u32) -> Result<Operation, Undecoded> {
    let offset = if bit(word, 22) {
        immediate(bit(word, 23), word.wrapping_shr(4) & 0xf0 | word & 15)
    } else {
        Offset::Register {
            register: register(word, 0),
            subtract: !bit(word, 23),
            modify: Modify::Lsl(0),
        }
    };
    let (address, class) = indexed(word, offset)?;
    let (load, width, extend) = match (bit(word, 20), kind) {
        (load, 1) => (load, Width::Half, Extend::Zero),
        (true, 2) => (true, Width::Byte, Extend::Sign32),
        (true, _) => (true, Width::Half, Extend::Sign32),
        // There is no LDRDT or STRDT.
        (false, _) if class == Class::Unprivileged => return Err(Undecoded),
        (false, kind) => (kind == 2, Width::Word, Extend::Zero),
    };
    let first = register(word, 12);
    let second = if width == Width::Word {
        Some(successor(first)?)
    } else {
        None
    };
    Ok(Operation::General(General {
        address,
        load,
        width,
        extend,
        first,
        second,
        class,
    }))
}

/// The second register of a pair.
fn successor(first: u8) -> Result<u8, Undecoded> {
    match first {
        0..=14 => Ok(first.wrapping_add(1)),
        _ => Err(Undecoded),
    }
}

/// SWP and SWPB.
fn swap(word: u32) -> Operation {
    Operation::Atomic(Atomic {
        base: base(register(word, 16)),
        change: Change::Swap,
        width: if bit(word, 22) {
            Width::Byte
        } else {
            Width::Word
        },
        source: register(word, 0),
        target: register(word, 12),
    })
}

/// LDREX, LDAEX, STREX, STLEX, LDA, STL and their forms for other sizes.
fn synchronization(word: u32) -> Result<Operation, Undecoded> {
    let load = bit(word, 20);
    let class = match (word.wrapping_shr(8) & 3, load) {
        (0, _) => Class::Ordered,
        (1, _) => return Err(Undecoded),
        (_, true) => Class::LoadExclusive,
        (_, false) => Class::StoreExclusive {
            status: register(word, 12),
        },
    };
    let first = register(word, if load { 12 } else { 0 });
    let (width, second) = match word.wrapping_shr(21) & 3 {
        0 => (Width::Word, None),
        1 if class == Class::Ordered => return Err(Undecoded),
        1 => (Width::Word, Some(successor(first)?)),
        2 => (Width::Byte, None),
        _ => (Width::Half, None),
    };
    Ok(Operation::General(General {
        address: address(register(word, 16), Offset::Immediate(0), Index::Offset)?,
        load,
        width,
        extend: Extend::Zero,
        first,
        second,
        class,
    }))
}

/// By P and U.
fn lie(word: u32) -> Block {
    match (bit(word, 24), bit(word, 23)) {
        (false, false) => Block::DecrementAfter,
        (false, true) => Block::IncrementAfter,
        (true, false) => Block::DecrementBefore,
        (true, true) => Block::IncrementBefore,
    }
}

/// LDM and STM, PUSH and POP among them.
fn multiple(word: u32) -> Result<Operation, Undecoded> {
    let (base, list, write_back) = (register(word, 16), word as u16, bit(word, 21));
    if list == 0 || (base == 15 && write_back) {
        return Err(Undecoded);
    }
    let load = bit(word, 20);
    let bank = match bit(word, 22) {
        false => Bank::Current,
        true if load && bit(word, 15) => Bank::ExceptionReturn,
        true => Bank::User,
    };
    Ok(Operation::Multiple(Multiple {
        base,
        list,
        load,
        block: lie(word),
        write_back,
        bank,
    }))
}

/// RFE and SRS.
fn return_state(word: u32) -> Result<Operation, Undecoded> {
    let (block, write_back) = (lie(word), bit(word, 21));
    match (bit(word, 22), bit(word, 20), register(word, 16)) {
        (false, true, 15) if write_back => Err(Undecoded),
        (false, true, base) => Ok(Operation::ReturnFromException(ReturnState {
            base,
            block,
            write_back,
        })),
        (true, false, _) => {
            let base = (word & 31) as u8;
            Ok(Operation::StoreReturnState(ReturnState {
                base,
                block,
                write_back,
            }))
        }
        _ => Err(Undecoded),
    }
}

/// PLD and PLDW (bit 24), PLI; the others of these are hints without a name, which do nothing.
fn preload(word: u32, opcode: u32) -> Result<Operation, Undecoded> {
    if opcode & 0x14 == 0 {
        return Err(Undecoded);
    }
    let offset = match (bit(word, 25), bit(word, 4)) {
        (false, _) => immediate(bit(word, 23), word & 0xfff),
        (true, false) => shifted(word),
        (true, true) => return Err(Undecoded),
    };
    Ok(Operation::Prefetch(address(
        register(word, 16),
        offset,
        Index::Offset,
    )?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn general(word: u32) -> General {
        match decode(word) {
            Ok(Operation::General(general)) => general,
            other => panic!("{word:#x}: {other:?}"),
        }
    }

    fn block(word: u32) -> Multiple {
        match decode(word) {
            Ok(Operation::Multiple(multiple)) => multiple,
            other => panic!("{word:#x}: {other:?}"),
        }
    }

    #[test]
    fn a_condition_is_not_looked_at_but_1111_is_another_instruction() {
        assert_eq!(decode(0x0591_0004), decode(0xe591_0004)); // ldreq, ldr r0, [r1, #4]
        assert!(matches!(decode(0xf591_0004), Ok(Operation::Prefetch(_))));
    }

    #[test]
    fn write_back_to_the_pc_is_no_load() {
        for word in [
            0xe5bf_0004,
            0xe49f_0004,
            0xe73f_0001,
            0xe1ff_00b0,
            0xe8bf_0001,
            0xf8bf_0a00,
        ] {
            assert_eq!(decode(word), Err(Undecoded), "{word:#x}");
        }
        assert_eq!(
            general(0xe59f_0004).address.base,
            crate::mmio::instruction::Base::Pc
        );
    }

    #[test]
    fn a_pair_is_a_register_and_the_next_but_not_r16() {
        for word in [0xe1c0_10d0, 0xe1b0_1f9f, 0xe1a0_2f91] {
            assert_eq!(
                (general(word).first, general(word).second),
                (1, Some(2)),
                "{word:#x}"
            );
        }
        for word in [0xe1c0_f0d0, 0xe1b0_ff9f, 0xe1a0_2f9f] {
            assert_eq!(decode(word), Err(Undecoded), "{word:#x}");
        }
    }

    #[test]
    fn a_pair_has_no_unprivileged_form() {
        assert_eq!(general(0xe0e1_00b4).class, Class::Unprivileged); // strht r0, [r1], #4
        assert_eq!(decode(0xe0e1_00d4), Err(Undecoded));
        assert_eq!(decode(0xe0e1_00f4), Err(Undecoded));
    }

    #[test]
    fn a_shift_by_0_is_one_by_32_or_rrx() {
        let shifts = [
            Modify::Lsl(0),
            Modify::Lsr(32),
            Modify::Asr(32),
            Modify::Rrx,
        ];
        for (word, modify) in [0xe791_0002, 0xe791_0022, 0xe791_0042, 0xe791_0062]
            .into_iter()
            .zip(shifts)
        {
            let offset = Offset::Register {
                register: 2,
                subtract: false,
                modify,
            };
            assert_eq!(general(word).address.offset, offset);
        }
    }

    #[test]
    fn a_caret_is_an_exception_return_only_of_a_load_of_the_pc() {
        assert_eq!(block(0xe8d0_4001).bank, Bank::User);
        assert_eq!(block(0xe8d0_8001).bank, Bank::ExceptionReturn);
        assert_eq!(block(0xe8c0_8001).bank, Bank::User);
        assert_eq!(block(0xe890_8001).bank, Bank::Current);
    }

    #[test]
    fn an_empty_list_is_no_load() {
        for word in [0xe890_0000, 0xe880_0000, 0xe8d0_0000] {
            assert_eq!(decode(word), Err(Undecoded), "{word:#x}");
        }
    }

    #[test]
    fn a_swap_writes_rm_and_takes_rd() {
        let Ok(Operation::Atomic(swap)) = decode(0xe103_1092) else {
            panic!("swp r1, r2, [r3]")
        };
        assert_eq!((swap.target, swap.source, swap.base), (1, 2, base(3)));
    }

    #[test]
    fn neighbours_in_the_encoding_are_no_loads() {
        // mul, umull, ldrex's neighbour with bits 9:8 of 01, mov, a media instruction, mcr, vmov
        // of two registers, clrex, a hint without a name.
        for word in [
            0xe001_0392,
            0xe081_0392,
            0xe191_0d9f,
            0xe1a0_0000,
            0xe6ef_0071,
            0xee01_0f10,
            0xec41_0b10,
            0xf57f_f01f,
            0xf411_f000,
        ] {
            assert_eq!(decode(word), Err(Undecoded), "{word:#x}");
        }
    }
}
