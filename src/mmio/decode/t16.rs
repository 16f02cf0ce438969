//! T32's loads and stores of 16 bits.
//!
//! DDI 0487: F3.1.1 (the groups), F5.1 (each instruction, its encoding T1; POP's and PUSH's too).

use super::Undecoded;
use super::t32::{bits, plain};
use crate::access::Width::{self, Byte, Half, Word};
use crate::mmio::instruction::Extend::{Sign32, Zero};
use crate::mmio::instruction::{
    Address, Bank, Base, Block, Index, Modify, Multiple, Offset, Operation,
};

/// SP.
const SP: u8 = 13;
/// LR's bit in a list.
const LR: u16 = 1 << 14;
/// PC's bit in a list.
const PC: u16 = 1 << 15;

/// What the instruction in the low half of `word` loads or stores.
pub(super) fn decode(word: u32) -> Result<Operation, Undecoded> {
    let load = bits(word, 11, 11) != 0;
    let [r8, r6, r3, r0] = [8, 6, 3, 0].map(|at: u32| bits(word, at.wrapping_add(2), at) as u8);
    let imm8 = bits(word, 7, 0);
    // The offset counts what is moved.
    let short = |width: Width| {
        let offset = bits(word, 10, 6).wrapping_mul(width.bytes() as u32);
        (Base::Register(r3), immediate(offset), load, width, Zero, r0)
    };
    let long = |base, load| (base, immediate(imm8 << 2), load, Word, Zero, r8);
    let (base, offset, load, width, extend, rt) = match bits(word, 15, 12) {
        0b0100 if load => long(Base::Pc, true),
        0b0101 => {
            let (load, width, extend) = match bits(word, 11, 9) {
                0b000 => (false, Word, Zero),
                0b001 => (false, Half, Zero),
                0b010 => (false, Byte, Zero),
                0b011 => (true, Byte, Sign32),
                0b100 => (true, Word, Zero),
                0b101 => (true, Half, Zero),
                0b110 => (true, Byte, Zero),
                _ => (true, Half, Sign32),
            };
            let offset = Offset::Register {
                register: r6,
                subtract: false,
                modify: Modify::Lsl(0),
            };
            (Base::Register(r3), offset, load, width, extend, r0)
        }
        0b0110 => short(Word),
        0b0111 => short(Byte),
        0b1000 => short(Half),
        0b1001 => long(Base::Register(SP), load),
        // PUSH and POP: bit 8 is LR, or PC.
        0b1011 if bits(word, 10, 9) == 0b10 => {
            let extra = if load { PC } else { LR };
            let list = imm8 as u16 | if bits(word, 8, 8) == 0 { 0 } else { extra };
            return multiple(SP, list, load, true);
        }
        // LDM leaves the base alone when it loads it.
        0b1100 => {
            let list = imm8 as u16;
            let write_back = !load || list.checked_shr(r8.into()).unwrap_or(0) & 1 == 0;
            return multiple(r8, list, load, write_back);
        }
        _ => return Err(Undecoded),
    };
    let address = Address {
        base,
        offset,
        index: Index::Offset,
    };
    Ok(Operation::General(plain(address, load, width, extend, rt)))
}

fn immediate(bytes: u32) -> Offset {
    Offset::Immediate(bytes.into())
}

/// PUSH goes down from SP; the others go up from their base.
fn multiple(base: u8, list: u16, load: bool, write_back: bool) -> Result<Operation, Undecoded> {
    if list == 0 {
        return Err(Undecoded);
    }
    Ok(Operation::Multiple(Multiple {
        base,
        list,
        load,
        block: if base == SP && !load {
            Block::DecrementBefore
        } else {
            Block::IncrementAfter
        },
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
