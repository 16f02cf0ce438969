//! A word, a state and registers: decode, and one step of an exclusive sequence's interpreter.

use super::operation;
use super::record::Bytes;
use reliquary::access::Width;
use reliquary::mmio::decode::plain::{Plain, plain};
use reliquary::mmio::decode::{State, decode};
use reliquary::mmio::instruction::*;
use reliquary::mmio::sequence::{NotSimple, step};
use reliquary::vcpu::{Vcpu, mode, psr};

/// The most bytes of an input that mean something.
pub const BYTES: usize = 20;

/// Decodes and steps; gives whether the word is a load or store, and whether it is simple.
pub fn run(input: &[u8]) -> (bool, bool) {
    let mut input = Bytes(input);
    let state = match input.byte() % 3 {
        0 => State::A64,
        1 => State::A32,
        _ => State::T32,
    };
    let word = input.word();
    // What a fetch gives: a T32 instruction of 16 bits stands alone in the low half.
    let (word, length) = match state {
        State::T32 if word >> 27 < 0b11101 => (word & 0xffff, 2),
        _ => (word, 4),
    };
    let decoded = decode(state, word);
    assert_eq!(decoded, decode(state, word), "the same word twice");
    if let Ok(operation) = &decoded {
        operation::check(state, operation);
    }
    if let Some(plain) = plain(state, word) {
        let operation = decoded.expect("a plain load or store is one");
        assert_eq!(as_plain(&operation), Some(plain), "{operation:?}");
    }

    let before = registers(state, &mut input);
    let (mut after, mut again) = (before.clone(), before.clone());
    let done = step(state, word, length, &mut after);
    assert_eq!(done, step(state, word, length, &mut again));
    assert_eq!(after, again, "the same registers twice");
    if done == Err(NotSimple) {
        assert_eq!(after, before, "nothing has changed");
    } else {
        stepped(state, word, u64::from(length), &before, &after);
    }
    (decoded.is_ok(), done.is_ok())
}

/// An operation in the form of the short way, which decodes the most frequent ones beside.
fn as_plain(op: &Operation) -> Option<Plain> {
    match op {
        Operation::General(General {
            address:
                Address {
                    base: Base::Register(base),
                    offset: Offset::Immediate(bytes),
                    index,
                },
            load,
            width,
            extend: Extend::Zero,
            first,
            second,
            class: Class::Plain,
        }) => Some(Plain {
            list: 1 << first | second.map_or(0, |n| 1 << n),
            offset: if *index == Index::Post {
                0
            } else {
                *bytes as i16
            },
            moves: if *index == Index::Offset {
                0
            } else {
                *bytes as i16
            },
            base: *base,
            count: 1 + u8::from(second.is_some()),
            first: *first,
            width: *width,
            load: *load,
        }),
        Operation::Multiple(m) if m.bank == Bank::Current => {
            let bytes = m.list.count_ones() as i16 * 4;
            let (offset, moves) = match m.block {
                Block::IncrementAfter => (0, bytes),
                Block::IncrementBefore => (4, bytes),
                Block::DecrementAfter => (4 - bytes, -bytes),
                Block::DecrementBefore => (-bytes, -bytes),
            };
            Some(Plain {
                list: u32::from(m.list),
                offset,
                moves: if m.write_back { moves } else { 0 },
                base: m.base,
                count: m.list.count_ones() as u8,
                first: m.list.trailing_zeros() as u8,
                width: Width::Word,
                load: m.load,
            })
        }
        _ => None,
    }
}

fn registers(state: State, input: &mut Bytes<'_>) -> Vcpu {
    const MODES: [u64; 7] = [
        mode::USR,
        mode::FIQ,
        mode::IRQ,
        mode::SVC,
        mode::ABT,
        mode::UND,
        mode::SYS,
    ];
    let status = u64::from(input.word());
    let pc = u64::from(input.word()) << 2;
    let mut noise = input.noise();
    let mut regs = Vcpu::default();
    regs.x.fill_with(|| noise.next());
    if state == State::A64 {
        regs.spsr = status & 0xf000_0c00 | psr::EL1H;
        regs.pc = pc | noise.next() << 34;
    } else {
        regs.x.iter_mut().for_each(|x| *x &= 0xffff_ffff);
        let m = MODES[(status & 0x1f) as usize % MODES.len()];
        // All of the flags, GE, IT, E, A, I, F; neither IL nor SS nor J.
        regs.spsr = status & 0xfe0f_ffc0 | m;
        regs.pc = pc & 0xffff_fffc;
    }
    if state == State::T32 {
        regs.spsr |= psr::T;
        regs.pc |= noise.next() & 2;
    } else if state == State::A32 {
        regs.spsr &= !(psr::IT_7_2 | psr::IT_1_0);
    }
    regs
}

/// What a step may change: PC, flags, the IT state, BTYPE, and one register.
fn stepped(state: State, word: u32, length: u64, before: &Vcpu, after: &Vcpu) {
    // Q and GE are flags of AArch32.
    let flags = psr::N | psr::Z | psr::C | psr::V | 1 << 27 | 0xf << 16;
    let status = match state {
        State::A64 => psr::N | psr::Z | psr::C | psr::V | psr::BTYPE,
        State::A32 => flags,
        State::T32 => flags | psr::IT_7_2 | psr::IT_1_0,
    };
    assert_eq!(
        (before.spsr ^ after.spsr) & !status,
        0,
        "{state:?} {word:#x}"
    );
    let changed = before
        .x
        .iter()
        .zip(&after.x)
        .filter(|(b, a)| b != a)
        .count();
    assert!(changed <= 1, "{state:?} {word:#x}");
    let align = if state == State::T32 { 1 } else { 3 };
    assert_eq!(after.pc & align, 0, "{state:?} {word:#x}");
    if state != State::A64 {
        assert!(
            after.pc >> 32 == 0 && after.x.iter().all(|x| x >> 32 == 0),
            "{state:?} {word:#x}"
        );
    }
    let next = before.pc.wrapping_add(length)
        & if state == State::A64 {
            u64::MAX
        } else {
            0xffff_ffff
        };
    // A branch writes no register.
    assert!(after.pc == next || changed == 0, "{state:?} {word:#x}");
}
