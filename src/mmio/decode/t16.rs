//! T32's loads and stores of 16 bits.
//!
//! DDI 0487: F3.1.1 (the groups), F5.1 (each instruction, its encoding T1; POP's and PUSH's too).

use super::Undecoded;
use super::neon::{bit, immediate};
use super::t32::plain;
use crate::access::Width::{self, Byte, Half, Word};
use crate::mmio::instruction::{
    Address, Bank, Base, Block, Extend, General, Index, Modify, Multiple, Offset, Operation,
};

const SP: u8 = 13;
const LR: u32 = 1 << 14;
const PC: u32 = 1 << 15;

/// What the instruction in the low half of `word` loads or stores.
pub(super) fn decode(word: u32) -> Result<Operation, Undecoded> {
    let load = bit(word, 11);
    let imm8 = word & 0xff;
    let r8 = low(word, 8);
    match word.wrapping_shr(12) {
        0b0100 if load => Ok(by_word(word, Base::Pc)),
        0b0101 => Ok(by_register(word)),
        0b0110 => Ok(by_immediate(word, Word)),
        0b0111 => Ok(by_immediate(word, Byte)),
        0b1000 => Ok(by_immediate(word, Half)),
        0b1001 => Ok(by_word(word, Base::Register(SP))),
        // PUSH goes down; all others go up.
        0b1011 if word & 0x600 == 0x400 => {
            let (block, extra) = if load {
                (Block::IncrementAfter, PC)
            } else {
                (Block::DecrementBefore, LR)
            };
            let list = if bit(word, 8) { imm8 | extra } else { imm8 };
            multiple(SP, list, load, block, true)
        }
        // LDM leaves a base alone that it loads.
        0b1100 => {
            let write_back = !(load && bit(word, r8.into()));
            multiple(r8, imm8, load, Block::IncrementAfter, write_back)
        }
        _ => Err(Undecoded),
    }
}

/// A register of three bits.
const fn low(word: u32, at: u32) -> u8 {
    (word.wrapping_shr(at) & 7) as u8
}

fn at(base: Base, offset: Offset) -> Address {
    Address {
        base,
        offset,
        index: Index::Offset,
    }
}

/// LDR (literal), and from SP: an offset of words.
fn by_word(word: u32, base: Base) -> Operation {
    let address = at(base, immediate(true, (word & 0xff).wrapping_mul(4)));
    Operation::General(plain(address, bit(word, 11), Word, low(word, 8)))
}

/// The offset counts what is moved.
fn by_immediate(word: u32, width: Width) -> Operation {
    let bytes = (word.wrapping_shr(6) & 31).wrapping_mul(width.bytes() as u32);
    let address = at(Base::Register(low(word, 3)), immediate(true, bytes));
    Operation::General(plain(address, bit(word, 11), width, low(word, 0)))
}

fn by_register(word: u32) -> Operation {
    let offset = Offset::Register {
        register: low(word, 6),
        subtract: false,
        modify: Modify::Lsl(0),
    };
    let op = low(word, 9);
    let width = match op {
        0 | 4 => Word,
        1 | 5 | 7 => Half,
        _ => Byte,
    };
    let address = at(Base::Register(low(word, 3)), offset);
    Operation::General(General {
        extend: if op & 3 == 3 {
            Extend::Sign32
        } else {
            Extend::Zero
        },
        ..plain(address, op >= 3, width, low(word, 0))
    })
}

fn multiple(
    base: u8,
    list: u32,
    load: bool,
    block: Block,
    write_back: bool,
) -> Result<Operation, Undecoded> {
    if list == 0 {
        return Err(Undecoded);
    }
    Ok(Operation::Multiple(Multiple {
        base,
        list: list as u16,
        load,
        block,
        write_back,
        bank: Bank::Current,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mmio::decode::t32::tests::{general, multiple};

    #[test]
    fn offsets_count_what_is_moved() {
        // LDR r1, [r2, #124]; LDRB r1, [r2, #31]; LDRH r1, [r2, #62]; STR r3, [sp, #1020].
        for (word, base, offset, load, width, rt) in [
            (0x6fd1, Base::Register(2), 124, true, Word, 1),
            (0x7fd1, Base::Register(2), 31, true, Byte, 1),
            (0x8fd1, Base::Register(2), 62, true, Half, 1),
            (0x93ff, Base::Register(13), 1020, false, Word, 3),
            (0x4fff, Base::Pc, 1020, true, Word, 7),
        ] {
            let op = general(word);
            assert_eq!(op.address.base, base);
            assert_eq!(op.address.offset, Offset::Immediate(offset));
            assert_eq!(op.address.index, Index::Offset);
            assert_eq!((op.load, op.width, op.first), (load, width, rt));
        }
    }

    #[test]
    fn ldm_leaves_a_base_alone_that_it_loads() {
        assert!(multiple(0xc9fd).write_back, "LDM r1!, of all but r1");
        assert!(!multiple(0xc902).write_back, "LDM r1, of r1");
        assert!(multiple(0xc102).write_back, "STM r1!, of r1");
    }

    #[test]
    fn push_and_pop_have_a_bit_for_lr_and_pc() {
        let push = multiple(0xb501);
        assert_eq!((push.base, push.list, push.load), (13, 0x4001, false));
        assert_eq!(push.block, Block::DecrementBefore);
        let pop = multiple(0xbd01);
        assert_eq!((pop.base, pop.list, pop.load), (13, 0x8001, true));
        assert_eq!(pop.block, Block::IncrementAfter);
        assert!(push.write_back && pop.write_back);
    }

    #[test]
    fn an_empty_list_is_no_multiple() {
        for word in [0xb400, 0xbc00, 0xc000, 0xc800] {
            assert_eq!(decode(word), Err(Undecoded));
        }
    }
}
