//! Each class of operation against a memory of bytes.
//!
//! What the manual fixes and a simulator may let through (alignment, illegal returns) is decided
//! here, by its section.

use super::*;
use crate::mmio::instruction::*;
use crate::vcpu::mode;
use std::vec;
use std::vec::Vec;

/// One access: where, how many bytes, what was written, and with whose rights.
type Seen = (u64, u64, Option<u64>, bool);

/// Bytes from address 0x1000 on; what is beyond them faults.
struct Bench {
    bytes: Vec<u8>,
    seen: Vec<Seen>,
    v: [u128; 32],
    sp: [u64; 2],
    spsr: u64,
}

const FROM: u64 = 0x1000;
const SIZE: usize = 0x1000;

impl Bench {
    /// Every byte is the low byte of its address times three.
    fn new() -> Self {
        Self {
            bytes: (0..SIZE).map(|n| (n * 3) as u8).collect(),
            seen: Vec::new(),
            v: core::array::from_fn(|n| 0x0101_0101_0101_0101_0101_0101_0101_0101 * n as u128),
            sp: [0x1100, 0x1200],
            spsr: 0,
        }
    }
    fn at(&self, at: u64, bytes: usize) -> &[u8] {
        &self.bytes[(at - FROM) as usize..][..bytes]
    }
    fn word(&self, at: u64) -> u32 {
        u32::from_le_bytes(self.at(at, 4).try_into().unwrap())
    }
    fn set_word(&mut self, at: u64, value: u32) {
        self.bytes[(at - FROM) as usize..][..4].copy_from_slice(&value.to_le_bytes());
    }
}

impl Reach for Bench {
    fn read(&mut self, at: u64, width: Width, user: bool) -> Result<u64, DataFault> {
        let bytes = width.bytes();
        if at < FROM || at + bytes > FROM + SIZE as u64 {
            return Err(DataFault::external(at, false));
        }
        self.seen.push((at, bytes, None, user));
        let mut whole = [0; 8];
        whole[..bytes as usize].copy_from_slice(self.at(at, bytes as usize));
        Ok(u64::from_le_bytes(whole))
    }
    fn write(&mut self, at: u64, width: Width, value: u64, user: bool) -> Result<(), DataFault> {
        let bytes = width.bytes();
        if at < FROM || at + bytes > FROM + SIZE as u64 {
            return Err(DataFault::external(at, true));
        }
        self.seen.push((at, bytes, Some(value), user));
        let from = (at - FROM) as usize;
        self.bytes[from..from + bytes as usize]
            .copy_from_slice(&value.to_le_bytes()[..bytes as usize]);
        Ok(())
    }
    fn simd(&mut self, n: u8) -> u128 {
        self.v[usize::from(n)]
    }
    fn set_simd(&mut self, n: u8, value: u128) {
        self.v[usize::from(n)] = value;
    }
    fn stack_pointer(&mut self, el1: bool) -> u64 {
        self.sp[usize::from(el1)]
    }
    fn set_stack_pointer(&mut self, el1: bool, value: u64) {
        self.sp[usize::from(el1)] = value;
    }
    fn saved_status(&mut self, _: u64) -> u64 {
        self.spsr
    }
    fn zero_block_bytes(&mut self) -> u64 {
        64
    }
}

fn cpu(spsr: u64) -> Vcpu {
    Vcpu {
        x: core::array::from_fn(|n| 0x1111_1111_0000_0000 + n as u64),
        pc: 0x8000,
        spsr,
    }
}

fn a32() -> Vcpu {
    let mut regs = cpu(mode::SVC);
    regs.x.iter_mut().for_each(|x| *x &= 0xffff_ffff);
    regs
}

fn at(base: u8, offset: i64, index: Index) -> Address {
    Address {
        base: Base::Register(base),
        offset: Offset::Immediate(offset),
        index,
    }
}

fn general(load: bool, width: Width, first: u8, address: Address) -> General {
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

fn run(op: Operation, regs: &mut Vcpu, bench: &mut Bench) -> Result<(), Ended> {
    let big_endian = regs.is_aarch32() && regs.spsr & psr::E != 0;
    execute(&op, 4, big_endian, regs, bench)
}

fn misaligned(at: u64, write: bool) -> Result<(), Ended> {
    Err(Ended::Fault(DataFault::misaligned(at, write)))
}

#[test]
fn each_index_is_at_its_place_and_moves_its_base() {
    for (index, place, base) in [
        (Index::Offset, 0x1010, 0x1000),
        (Index::Pre, 0x1010, 0x1010),
        (Index::Post, 0x1000, 0x1010),
    ] {
        let (mut regs, mut bench) = (cpu(psr::EL1H), Bench::new());
        regs.x[1] = 0x1000;
        let op = general(true, Width::Word, 2, at(1, 0x10, index));
        assert_eq!(run(Operation::General(op), &mut regs, &mut bench), Ok(()));
        assert_eq!(bench.seen, [(place, 4, None, false)]);
        assert_eq!((regs.x[1], regs.pc), (base, 0x8004));
        assert_eq!(regs.x[2], u64::from(bench.word(place)));
    }
}

#[test]
fn a_fault_leaves_base_and_registers_as_they_were() {
    for second in [None, Some(3)] {
        for load in [true, false] {
            let (mut regs, mut bench) = (cpu(psr::EL1H), Bench::new());
            regs.x[1] = if second.is_some() { 0x1ff8 } else { 0x2000 };
            let mut op = general(load, Width::Double, 2, at(1, 0x10, Index::Post));
            op.second = second;
            let before = regs.clone();
            let fault = Ended::Fault(DataFault::external(0x2000, !load));
            assert_eq!(
                run(Operation::General(op), &mut regs, &mut bench),
                Err(fault)
            );
            assert_eq!(regs, before);
        }
    }
}

#[test]
fn a_load_of_its_own_base_keeps_what_was_loaded() {
    let (mut regs, mut bench) = (a32(), Bench::new());
    regs.x[1] = 0x1000;
    let op = general(true, Width::Word, 1, at(1, 4, Index::Post));
    run(Operation::General(op), &mut regs, &mut bench).unwrap();
    assert_eq!(regs.x[1], u64::from(bench.word(0x1000)));
}

#[test]
fn offsets_are_shifted_and_extended_as_the_state_has_it() {
    let (neg, word) = (0xffff_ffff_ffff_fff0u64, 0x10u64);
    for (modify, register, add) in [
        (Modify::Lsl(2), word, 0x40u64),
        (Modify::Uxtw(3), 0xffff_ffff_0000_0002, 0x10),
        (Modify::Sxtw(0), 0xffff_fff0, neg),
        (Modify::Sxtx(1), 8, 0x10),
    ] {
        let mut regs = cpu(psr::EL1H);
        (regs.x[1], regs.x[2]) = (0x1100, register);
        let address = Address {
            base: Base::Register(1),
            offset: Offset::Register {
                register: 2,
                subtract: false,
                modify,
            },
            index: Index::Offset,
        };
        let (place, _) = locate(&address, &mut regs, &mut Bench::new());
        assert_eq!(place, 0x1100u64.wrapping_add(add), "{modify:?}");
    }
    for (modify, carry, add) in [
        (Modify::Lsr(32), false, 0u32),
        (Modify::Lsr(4), false, 0x0800_0000),
        (Modify::Asr(4), false, 0xf800_0000),
        (Modify::Asr(32), false, 0xffff_ffff),
        (Modify::Ror(4), false, 0x1800_0000),
        (Modify::Rrx, false, 0x4000_0000),
        (Modify::Rrx, true, 0xc000_0000),
    ] {
        for subtract in [false, true] {
            let mut regs = a32();
            regs.spsr |= if carry { psr::C } else { 0 };
            (regs.x[1], regs.x[2]) = (0x1100, 0x8000_0001);
            let address = Address {
                base: Base::Register(1),
                offset: Offset::Register {
                    register: 2,
                    subtract,
                    modify,
                },
                index: Index::Offset,
            };
            let (place, _) = locate(&address, &mut regs, &mut Bench::new());
            let expected = if subtract {
                0x1100u32.wrapping_sub(add)
            } else {
                0x1100u32.wrapping_add(add)
            };
            assert_eq!(place, u64::from(expected), "{modify:?} {carry} {subtract}");
        }
    }
}

#[test]
fn a_signed_load_fills_the_register_to_its_width() {
    for (extend, value) in [
        (Extend::Zero, 0x80),
        (Extend::Sign32, 0xffff_ff80),
        (Extend::Sign64, 0xffff_ffff_ffff_ff80),
    ] {
        let (mut regs, mut bench) = (cpu(psr::EL1H), Bench::new());
        bench.bytes[0] = 0x80;
        regs.x[1] = 0x1000;
        let mut op = general(true, Width::Byte, 2, at(1, 0, Index::Offset));
        op.extend = extend;
        run(Operation::General(op), &mut regs, &mut bench).unwrap();
        assert_eq!(regs.x[2], value);
    }
}

#[test]
fn the_stack_pointer_is_the_one_that_pstate_names() {
    for (spsr, sp, other) in [(psr::EL1H, 1, 0), (4, 0, 1), (0, 0, 1)] {
        let (mut regs, mut bench) = (cpu(spsr), Bench::new());
        let address = Address {
            base: Base::StackPointer,
            offset: Offset::Immediate(-16),
            index: Index::Pre,
        };
        let before = bench.sp;
        let op = general(false, Width::Double, 31, address);
        run(Operation::General(op), &mut regs, &mut bench).unwrap();
        assert_eq!(bench.sp[sp], before[sp] - 16);
        assert_eq!(bench.sp[other], before[other]);
        assert_eq!(bench.seen[0].2, Some(0), "register 31 stores zero");
    }
}

#[test]
fn what_is_checked_whatever_the_memory_faults_when_it_is_misaligned() {
    // DDI 0487, B2.5.2 and E2.5.2.
    let pair = |class, width, second, load| General {
        second,
        class,
        ..general(load, width, 2, at(1, 0, Index::Offset))
    };
    let exclusive = Class::StoreExclusive { status: 4 };
    for (a32_state, op, place) in [
        (true, pair(Class::Plain, Width::Word, Some(3), true), 0x1002),
        (
            true,
            pair(Class::LoadExclusive, Width::Word, Some(3), true),
            0x1004,
        ),
        (
            true,
            pair(Class::LoadExclusive, Width::Half, None, true),
            0x1001,
        ),
        (true, pair(Class::Ordered, Width::Word, None, false), 0x1002),
        (
            false,
            pair(exclusive, Width::Double, Some(3), false),
            0x1008,
        ),
        (
            false,
            pair(Class::Ordered, Width::Double, None, true),
            0x1004,
        ),
    ] {
        let (mut regs, mut bench) = (if a32_state { a32() } else { cpu(psr::EL1H) }, Bench::new());
        regs.x[1] = place;
        let before = regs.clone();
        let fault = misaligned(place, !op.load);
        assert_eq!(run(Operation::General(op), &mut regs, &mut bench), fault);
        assert_eq!((regs, bench.seen.len()), (before, 0), "{op:?}");
    }
    // LDRD takes any multiple of four.
    let (mut regs, mut bench) = (a32(), Bench::new());
    regs.x[1] = 0x1004;
    let op = pair(Class::Plain, Width::Word, Some(3), true);
    assert_eq!(run(Operation::General(op), &mut regs, &mut bench), Ok(()));
    assert_eq!(
        bench.seen,
        [(0x1004, 4, None, false), (0x1008, 4, None, false)]
    );
}

#[test]
fn an_unprivileged_access_says_so() {
    let (mut regs, mut bench) = (a32(), Bench::new());
    regs.x[1] = 0x1000;
    let mut op = general(false, Width::Word, 2, at(1, 0, Index::Offset));
    op.class = Class::Unprivileged;
    run(Operation::General(op), &mut regs, &mut bench).unwrap();
    assert_eq!(bench.seen, [(0x1000, 4, Some(2), true)]);
}

#[test]
fn a_load_to_pc_goes_where_bit_0_says_and_leaves_the_it_block() {
    for (target, pc, thumb) in [
        (0x2001, 0x2000, true),
        (0x2000, 0x2000, false),
        (0x2003, 0x2002, true),
    ] {
        for start in [mode::SVC, mode::SVC | psr::T] {
            let (mut regs, mut bench) = (a32(), Bench::new());
            regs.spsr = start;
            if start & psr::T != 0 {
                regs.spsr |= 0b1000 << 8; // the last of an IT block, EQ
            }
            bench.set_word(0x1000, target);
            regs.x[1] = 0x1000;
            let op = general(true, Width::Word, 15, at(1, 4, Index::Post));
            run(Operation::General(op), &mut regs, &mut bench).unwrap();
            assert_eq!((regs.pc, regs.is_thumb()), (pc, thumb));
            assert_eq!(regs.spsr & (psr::IT_7_2 | psr::IT_1_0), 0);
            assert_eq!(regs.x[1], 0x1004);
        }
    }
}

#[test]
fn blocks_lie_about_their_base_as_their_mode_says() {
    for (block, start, after) in [
        (Block::IncrementAfter, 0x1100, 0x1108),
        (Block::IncrementBefore, 0x1104, 0x1108),
        (Block::DecrementAfter, 0x10fc, 0x10f8),
        (Block::DecrementBefore, 0x10f8, 0x10f8),
    ] {
        for load in [true, false] {
            let (mut regs, mut bench) = (a32(), Bench::new());
            regs.x[1] = 0x1100;
            let op = Multiple {
                base: 1,
                list: 1 << 4 | 1 << 2,
                load,
                block,
                write_back: true,
                bank: Bank::Current,
            };
            run(Operation::Multiple(op), &mut regs, &mut bench).unwrap();
            let places: Vec<u64> = bench.seen.iter().map(|s| s.0).collect();
            assert_eq!(places, [start, start + 4], "{block:?}");
            assert_eq!(regs.x[1], after);
            let memory = [bench.word(start), bench.word(start + 4)];
            assert_eq!(memory, [regs.x[2] as u32, regs.x[4] as u32]);
        }
    }
}

#[test]
fn a_multiple_that_faults_half_way_has_changed_no_register() {
    for load in [true, false] {
        let (mut regs, mut bench) = (a32(), Bench::new());
        regs.x[1] = 0x1ff4;
        let op = Multiple {
            base: 1,
            list: 0x80fc,
            load,
            block: Block::IncrementAfter,
            write_back: true,
            bank: Bank::Current,
        };
        let before = regs.clone();
        let fault = Ended::Fault(DataFault::external(0x2000, !load));
        assert_eq!(
            run(Operation::Multiple(op), &mut regs, &mut bench),
            Err(fault)
        );
        assert_eq!(regs, before);
        assert_eq!(bench.seen.len(), 3, "those before it were made");
    }
}

#[test]
fn a_multiple_is_of_words_wherever_it_lies() {
    let (mut regs, mut bench) = (a32(), Bench::new());
    regs.x[1] = 0x1002;
    let op = Multiple {
        base: 1,
        list: 4,
        load: true,
        block: Block::IncrementAfter,
        write_back: false,
        bank: Bank::Current,
    };
    let fault = misaligned(0x1002, false);
    assert_eq!(run(Operation::Multiple(op), &mut regs, &mut bench), fault);
}

#[test]
fn the_user_bank_is_moved_from_any_mode() {
    for m in [mode::FIQ, mode::SVC] {
        for load in [true, false] {
            let (mut regs, mut bench) = (a32(), Bench::new());
            regs.spsr = m;
            regs.x[1] = 0x1000;
            let op = Multiple {
                base: 1,
                list: 1 << 8 | 1 << 13 | 1 << 14,
                load,
                block: Block::IncrementAfter,
                write_back: false,
                bank: Bank::User,
            };
            let before = regs.clone();
            run(Operation::Multiple(op), &mut regs, &mut bench).unwrap();
            let user = [8, 13, 14].map(|n| regs.x[n] as u32);
            let memory = [0x1000, 0x1004, 0x1008].map(|at| bench.word(at));
            assert_eq!(user, memory);
            assert_eq!(regs.x[16..], before.x[16..], "no bank of another mode");
        }
    }
}

#[test]
fn an_exception_return_takes_cpsr_from_spsr() {
    for (status, pc, m) in [
        (mode::USR | psr::T | psr::Z, 0x2002, mode::USR),
        (mode::IRQ, 0x2000, mode::IRQ),
    ] {
        let (mut regs, mut bench) = (a32(), Bench::new());
        bench.spsr = status;
        bench.set_word(0x1000, 0x2003);
        regs.x[1] = 0x1000;
        let op = Multiple {
            base: 1,
            list: 1 << 15,
            load: true,
            block: Block::IncrementAfter,
            write_back: true,
            bank: Bank::ExceptionReturn,
        };
        run(Operation::Multiple(op), &mut regs, &mut bench).unwrap();
        assert_eq!((regs.pc, regs.spsr, regs.mode()), (pc, status, m));
        // A User-mode one is UNPREDICTABLE; here it is UNDEFINED.
        let (mut regs, mut bench) = (cpu(mode::SYS), Bench::new());
        regs.x[1] = 0x1000;
        assert_eq!(
            run(Operation::Multiple(op), &mut regs, &mut bench),
            Err(Ended::Undefined)
        );
    }
}

#[test]
fn an_illegal_return_keeps_the_mode_and_sets_il() {
    // DDI 0487, G1.14.3.
    for illegal in [mode::HYP, mode::MON, 0x05, 0x00] {
        let (mut regs, mut bench) = (a32(), Bench::new());
        bench.set_word(0x1000, 0x2000);
        bench.set_word(0x1004, illegal as u32 | psr::N as u32);
        regs.x[1] = 0x1000;
        let op = ReturnState {
            base: 1,
            block: Block::IncrementAfter,
            write_back: true,
        };
        run(Operation::ReturnFromException(op), &mut regs, &mut bench).unwrap();
        assert_eq!(regs.spsr, mode::SVC | psr::IL | psr::N);
        assert_eq!((regs.pc, regs.x[1]), (0x2000, 0x1008));
    }
}

#[test]
fn the_return_state_goes_to_the_stack_of_the_mode_that_is_named() {
    let (mut regs, mut bench) = (a32(), Bench::new());
    bench.spsr = 0x6000_0010;
    regs.x[17] = 0x1100; // SP_irq
    regs.x[18] = 0xcafe; // LR_svc
    let op = ReturnState {
        base: mode::IRQ as u8,
        block: Block::DecrementBefore,
        write_back: true,
    };
    run(Operation::StoreReturnState(op), &mut regs, &mut bench).unwrap();
    assert_eq!(
        (bench.word(0x10f8), bench.word(0x10fc), regs.x[17]),
        (0xcafe, 0x6000_0010, 0x10f8)
    );
    regs.spsr = mode::SYS;
    assert_eq!(
        run(Operation::StoreReturnState(op), &mut regs, &mut bench),
        Err(Ended::Undefined)
    );
}

#[test]
fn a_table_branch_counts_halfwords_from_pc_and_4() {
    for (half, place, entry) in [(false, 0x1004, 7), (true, 0x1008, 0x107)] {
        let (mut regs, mut bench) = (a32(), Bench::new());
        regs.spsr |= psr::T;
        (regs.x[1], regs.x[2]) = (0x1000, 4);
        bench.bytes[place - FROM as usize] = 7;
        bench.bytes[place - FROM as usize + 1] = 1;
        let op = TableBranch {
            base: 1,
            index: 2,
            half,
        };
        run(Operation::TableBranch(op), &mut regs, &mut bench).unwrap();
        assert_eq!(regs.pc, 0x8004 + 2 * entry);
    }
}

#[test]
fn big_endian_order_is_of_each_element() {
    let word = |value: u32| Some(u64::from(value.swap_bytes()));
    let mut regs = a32();
    regs.spsr |= psr::E;
    (regs.x[1], regs.x[2], regs.x[3]) = (0x1000, 0x0102_0304, 0x0506_0708);
    let mut bench = Bench::new();
    let mut op = general(false, Width::Word, 2, at(1, 0, Index::Offset));
    op.second = Some(3);
    run(Operation::General(op), &mut regs, &mut bench).unwrap();
    assert_eq!(bench.seen[0].2, word(0x0102_0304));
    assert_eq!(bench.seen[1].2, word(0x0506_0708));
    assert_eq!(bench.at(0x1000, 8), [1, 2, 3, 4, 5, 6, 7, 8]);

    // A D register lies as one of eight bytes, though it moves as two words.
    let simd = Simd {
        address: at(1, 0, Index::Offset),
        load: true,
        view: View::D,
        log2_bytes: 3,
        registers: Registers::Run { first: 5, count: 1 },
    };
    run(Operation::Simd(simd), &mut regs, &mut bench).unwrap();
    assert_eq!((bench.v[2] >> 64) as u64, 0x0102_0304_0506_0708);
    bench.seen.clear();
    let back = Simd {
        load: false,
        ..simd
    };
    run(Operation::Simd(back), &mut regs, &mut bench).unwrap();
    assert_eq!(bench.at(0x1000, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(bench.seen.len(), 2);
}

#[test]
fn a_q_register_in_big_endian_order_has_its_high_byte_first() {
    let mut regs = cpu(psr::EL1H);
    regs.x[1] = 0x1000;
    let mut bench = Bench::new();
    bench.v[3] = 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10;
    let op = Operation::Simd(Simd {
        address: at(1, 0, Index::Offset),
        load: false,
        view: View::V,
        log2_bytes: 4,
        registers: Registers::Pair(3, 4),
    });
    execute(&op, 4, true, &mut regs, &mut bench).unwrap();
    assert_eq!(bench.at(0x1000, 16), (1..=16).collect::<Vec<u8>>());
    let Operation::Simd(simd) = op else { panic!() };
    let load = Operation::Simd(Simd {
        load: true,
        registers: Registers::Pair(7, 8),
        ..simd
    });
    execute(&load, 4, true, &mut regs, &mut bench).unwrap();
    assert_eq!((bench.v[7], bench.v[8]), (bench.v[3], bench.v[4]));
}

#[test]
fn a_narrow_simd_load_clears_a_v_register_and_keeps_the_rest_of_aarch32s() {
    let mut regs = cpu(psr::EL1H);
    regs.x[1] = 0x1000;
    let mut bench = Bench::new();
    bench.v = [u128::MAX; 32];
    let op = |view, first| {
        Operation::Simd(Simd {
            address: at(1, 0, Index::Offset),
            load: true,
            view,
            log2_bytes: 2,
            registers: Registers::Run { first, count: 1 },
        })
    };
    let word = u128::from(bench.word(0x1000));
    run(op(View::V, 9), &mut regs, &mut bench).unwrap();
    assert_eq!(bench.v[9], word);
    let mut regs = a32();
    regs.x[1] = 0x1000;
    run(op(View::S, 6), &mut regs, &mut bench).unwrap();
    let beside = !(u128::from(u32::MAX) << 64);
    assert_eq!(bench.v[1], beside | word << 64);
}

#[test]
fn a_run_of_registers_beyond_the_last_ends_there() {
    let mut regs = a32();
    regs.x[1] = 0x1000;
    let mut bench = Bench::new();
    let op = Simd {
        address: at(1, 64, Index::Post),
        load: true,
        view: View::D,
        log2_bytes: 3,
        registers: Registers::Run {
            first: 30,
            count: 255,
        },
    };
    run(Operation::Simd(op), &mut regs, &mut bench).unwrap();
    assert_eq!(regs.x[1], 0x1040);
    assert_eq!(
        bench.v[15] as u64,
        u64::from(bench.word(0x1000)) | u64::from(bench.word(0x1004)) << 32
    );
}

fn structures(load: bool, structure: u8, lane: Lane) -> Structures {
    Structures {
        address: at(1, 0, Index::Offset),
        load,
        view: View::V,
        quad: true,
        first: 31,
        repeat: 1,
        structure,
        spacing: 1,
        log2_element: 1,
        lane,
        align: 1,
    }
}

#[test]
fn structures_deal_their_elements_to_registers_in_turn() {
    for structure in 1..=4u8 {
        let mut regs = cpu(psr::EL1H);
        regs.x[1] = 0x1000;
        let mut bench = Bench::new();
        let op = structures(true, structure, Lane::All);
        run(Operation::Structures(op), &mut regs, &mut bench).unwrap();
        for lane in 0..8u64 {
            for element in 0..u64::from(structure) {
                let place = 0x1000 + 2 * (lane * u64::from(structure) + element);
                let memory = u16::from_le_bytes(bench.at(place, 2).try_into().unwrap());
                let register = bench.v[(31 + element as usize) % 32];
                assert_eq!((register >> (16 * lane)) as u16, memory);
            }
        }
        assert_eq!(bench.seen.len(), 8 * usize::from(structure));
        let memory = bench.bytes.clone();
        let op = structures(false, structure, Lane::All);
        run(Operation::Structures(op), &mut regs, &mut bench).unwrap();
        assert_eq!(bench.bytes, memory, "stores put it all back");
    }
}

#[test]
fn one_lane_leaves_the_others_and_a_replicated_one_fills_them() {
    let mut regs = cpu(psr::EL1H);
    regs.x[1] = 0x1000;
    let mut bench = Bench::new();
    let before = bench.v[31];
    let half = |at| u16::from_le_bytes([((at - 0x1000) * 3) as u8, ((at - 0xfff) * 3) as u8]);
    let op = structures(true, 2, Lane::One(5));
    run(Operation::Structures(op), &mut regs, &mut bench).unwrap();
    let lane = 0xffffu128 << 80;
    assert_eq!(
        bench.v[31],
        before & !lane | u128::from(half(0x1000u64)) << 80
    );
    assert_eq!(bench.v[0], u128::from(half(0x1002)) << 80);
    let op = Structures {
        quad: false,
        ..structures(true, 1, Lane::Replicate)
    };
    run(Operation::Structures(op), &mut regs, &mut bench).unwrap();
    let all = u128::from(half(0x1000)) * 0x0001_0001_0001_0001;
    assert_eq!(bench.v[31], all, "and the upper half is cleared");
}

#[test]
fn aarch32_structures_skip_registers_and_keep_their_neighbours() {
    // VLD2.8 {D1, D3}, and VLD1.8 {D1[], D2[]}.
    let mut regs = a32();
    regs.x[1] = 0x1000;
    let mut bench = Bench::new();
    let before = bench.v;
    let op = Structures {
        view: View::D,
        quad: false,
        first: 1,
        spacing: 2,
        log2_element: 0,
        ..structures(true, 2, Lane::All)
    };
    run(Operation::Structures(op), &mut regs, &mut bench).unwrap();
    let deal = |from: usize| {
        let bytes: Vec<u8> = (0..8).map(|n| ((2 * n + from) * 3) as u8).collect();
        u64::from_le_bytes(bytes.try_into().unwrap())
    };
    assert_eq!((bench.v[0] >> 64) as u64, deal(0));
    assert_eq!((bench.v[1] >> 64) as u64, deal(1));
    assert_eq!(bench.v[0] as u64, before[0] as u64);
    assert_eq!(bench.v[1] as u64, before[1] as u64);
    bench.seen.clear();
    let op = Structures {
        repeat: 2,
        structure: 1,
        spacing: 1,
        lane: Lane::Replicate,
        ..op
    };
    bench.bytes[0] = 0xa5;
    run(Operation::Structures(op), &mut regs, &mut bench).unwrap();
    assert_eq!(bench.seen, [(0x1000, 1, None, false)]);
    assert_eq!((bench.v[0] >> 64) as u64, 0xa5a5_a5a5_a5a5_a5a5);
    assert_eq!(bench.v[1] as u64, 0xa5a5_a5a5_a5a5_a5a5);
}

#[test]
fn an_alignment_that_the_instruction_asks_for_is_checked() {
    let mut regs = a32();
    regs.x[1] = 0x1008;
    let op = Structures {
        view: View::D,
        align: 16,
        ..structures(true, 1, Lane::All)
    };
    let fault = misaligned(0x1008, false);
    assert_eq!(
        run(Operation::Structures(op), &mut regs, &mut Bench::new()),
        fault
    );
}

#[test]
fn atomics_give_the_old_value_and_leave_the_new_one() {
    use Change::*;
    let (old, operand) = (0x80u8, 0x7fu8);
    for (change, new) in [
        (Add, 0xff),
        (Clear, 0x80),
        (Eor, 0xff),
        (Set, 0xff),
        (SignedMax, 0x7f),
        (SignedMin, 0x80),
        (UnsignedMax, 0x80),
        (UnsignedMin, 0x7f),
        (Swap, 0x7f),
    ] {
        let (mut regs, mut bench) = (cpu(psr::EL1H), Bench::new());
        bench.bytes[0] = old;
        (regs.x[1], regs.x[2]) = (0x1000, 0xffff_ff00 | u64::from(operand));
        let op = Atomic {
            base: Base::Register(1),
            change,
            width: Width::Byte,
            source: 2,
            target: 3,
        };
        run(Operation::Atomic(op), &mut regs, &mut bench).unwrap();
        assert_eq!(
            (regs.x[3], bench.bytes[0]),
            (u64::from(old), new),
            "{change:?}"
        );
        assert_eq!(bench.seen.len(), 2);
    }
}

#[test]
fn a_compare_and_swap_writes_only_what_it_expected() {
    for pair in [false, true] {
        for holds in [true, false] {
            let (mut regs, mut bench) = (cpu(psr::EL1H), Bench::new());
            let old = [bench.word(0x1000), bench.word(0x1004)];
            regs.x[1] = 0x1000;
            regs.x[2] = 0xaaaa_0000_0000_0000 | u64::from(old[0]);
            regs.x[3] = u64::from(old[1]) ^ u64::from(!holds && pair);
            regs.x[2] ^= u64::from(!holds && !pair);
            let op = CompareAndSwap {
                base: Base::Register(1),
                width: Width::Word,
                compare: 2,
                new: 4,
                pair,
            };
            run(Operation::CompareAndSwap(op), &mut regs, &mut bench).unwrap();
            assert_eq!(regs.x[2], u64::from(old[0]));
            let written = bench.word(0x1000) == 4;
            assert_eq!(written, holds);
            if pair {
                assert_eq!(regs.x[3], u64::from(old[1]));
                assert_eq!(bench.word(0x1004) == 5, holds);
            }
        }
    }
}

#[test]
fn misaligned_atomics_fault() {
    let (mut regs, mut bench) = (cpu(psr::EL1H), Bench::new());
    regs.x[1] = 0x1004;
    let op = CompareAndSwap {
        base: Base::Register(1),
        width: Width::Word,
        compare: 2,
        new: 4,
        pair: true,
    };
    let fault = misaligned(0x1004, false);
    assert_eq!(
        run(Operation::CompareAndSwap(op), &mut regs, &mut bench),
        fault
    );
}

#[test]
fn dc_zva_clears_its_whole_block() {
    let (mut regs, mut bench) = (cpu(psr::EL1H), Bench::new());
    regs.x[1] = 0x1077;
    let op = Operation::ZeroBlock { register: 1 };
    run(op, &mut regs, &mut bench).unwrap();
    assert_eq!(bench.at(0x1040, 64), vec![0; 64]);
    assert_ne!(bench.at(0x1038, 8), [0; 8]);
    assert_ne!(bench.at(0x1080, 8), [0; 8]);
    assert_eq!(bench.seen.len(), 8);
}

#[test]
fn a_prefetch_moves_nothing_and_a_coprocessor_is_undefined() {
    let (mut regs, mut bench) = (a32(), Bench::new());
    let address = at(1, 0, Index::Offset);
    run(Operation::Prefetch(address), &mut regs, &mut bench).unwrap();
    assert_eq!((regs.pc, bench.seen.len()), (0x8004, 0));
    let op = Operation::Coprocessor(Coprocessor {
        address,
        load: true,
        number: 14,
        register: 5,
        long: false,
    });
    assert_eq!(run(op, &mut regs, &mut bench), Err(Ended::Undefined));
}

#[test]
fn an_aarch32_address_wraps_at_four_gigabytes() {
    let (mut regs, mut bench) = (a32(), Bench::new());
    regs.x[1] = 0xffff_fffc;
    let op = general(true, Width::Word, 2, at(1, 0x1004, Index::Pre));
    run(Operation::General(op), &mut regs, &mut bench).unwrap();
    assert_eq!(bench.seen, [(0x1000, 4, None, false)]);
    assert_eq!(regs.x[1], 0x1000);
}
