//! What single words become. All fields against another decoder: tests/decoder/.

use super::*;
use crate::mmio::instruction::{
    Change, Class, CompareAndSwap, Extend, General, Lane, Modify, Registers, Simd, View,
};

/// LDR X2, [X1], the general register load that others are told by.
const LDR: General = General {
    address: Address {
        base: Base::Register(1),
        offset: Offset::Immediate(0),
        index: Index::Offset,
    },
    load: true,
    width: Width::Double,
    extend: Extend::Zero,
    first: 2,
    second: None,
    class: Class::Plain,
};

fn at(offset: i64, index: Index) -> Address {
    Address {
        base: Base::Register(1),
        offset: Offset::Immediate(offset),
        index,
    }
}

fn general(word: u32) -> General {
    match decode(word) {
        Ok(Operation::General(general)) => general,
        other => panic!("{word:#010x} is {other:?}"),
    }
}

#[test]
fn the_base_takes_the_sum_before_or_after_the_access() {
    // ldr x2, [x1, #-16]!
    let pre = general(0xf85f0c22);
    assert_eq!(pre.address, at(-16, Index::Pre));
    // str w2, [x1], #4
    let post = general(0xb8004422);
    assert_eq!(
        post,
        General {
            address: at(4, Index::Post),
            load: false,
            width: Width::Word,
            ..LDR
        }
    );
}

#[test]
fn an_unsigned_offset_counts_in_registers_and_an_unscaled_one_in_bytes() {
    // ldr x2, [x1, #32760]
    assert_eq!(general(0xf97ffc22).address, at(32760, Index::Offset));
    // ldur x2, [x1, #-256]
    assert_eq!(general(0xf8500022).address, at(-256, Index::Offset));
    // ldrb w2, [x1, #4095]
    assert_eq!(general(0x397ffc22).address, at(4095, Index::Offset));
}

#[test]
fn a_sign_goes_to_bit_31_or_to_bit_63() {
    // ldrsb w2, [x1]; ldrsb x2, [x1]; ldrsw x2, [x1]
    assert_eq!(general(0x39c00022).extend, Extend::Sign32);
    assert_eq!(general(0x39800022).extend, Extend::Sign64);
    let word = general(0xb9800022);
    assert_eq!((word.width, word.extend), (Width::Word, Extend::Sign64));
    // The same of W would change nothing: there is no such instruction.
    assert_eq!(decode(0xb9c00022), Err(Undecoded));
}

#[test]
fn an_offset_register_is_extended_and_scaled_by_the_register_s_size() {
    let offset = |word| general(word).address.offset;
    let of = |modify| Offset::Register {
        register: 3,
        subtract: false,
        modify,
    };
    // ldr x2, [x1, x3]; [x1, x3, lsl #3]; [x1, w3, sxtw #3]; [x1, w3, uxtw]
    assert_eq!(offset(0xf8636822), of(Modify::Lsl(0)));
    assert_eq!(offset(0xf8637822), of(Modify::Lsl(3)));
    assert_eq!(offset(0xf863d822), of(Modify::Sxtw(3)));
    assert_eq!(offset(0xf8634822), of(Modify::Uxtw(0)));
    // UXTB and its like extend no offset.
    assert_eq!(decode(0xf8632822), Err(Undecoded));
}

#[test]
fn pairs_scale_their_offset_and_ldpsw_extends() {
    // ldp x2, x3, [x1, #-512]!
    let pair = general(0xa9e00c22);
    assert_eq!(
        pair,
        General {
            address: at(-512, Index::Pre),
            second: Some(3),
            ..LDR
        }
    );
    // ldpsw x2, x3, [x1], #8
    let signed = general(0x68c10c22);
    assert_eq!((signed.width, signed.extend), (Width::Word, Extend::Sign64));
    assert_eq!(signed.address, at(8, Index::Post));
    // stgp x2, x3, [x1] stores a tag too.
    assert_eq!(decode(0x69000c22), Err(Undecoded));
}

#[test]
fn register_31_is_the_stack_pointer_as_a_base_and_zero_as_data() {
    // str xzr, [sp]
    let store = general(0xf90003ff);
    assert_eq!((store.address.base, store.first), (Base::StackPointer, 31));
}

#[test]
fn a_literal_is_relative_to_the_instruction() {
    // ldr x2, . - 4
    let address = Address {
        base: Base::Pc,
        offset: Offset::Immediate(-4),
        index: Index::Offset,
    };
    assert_eq!(general(0x58ffffe2), General { address, ..LDR });
}

#[test]
fn exclusives_tell_their_status_register_and_their_pair() {
    // stlxp w4, x2, x3, [x1]
    let store = general(0xc8248c22);
    assert_eq!(
        store,
        General {
            load: false,
            second: Some(3),
            class: Class::StoreExclusive { status: 4 },
            ..LDR
        }
    );
    // ldaxrh w2, [x1]
    let load = general(0x485ffc22);
    assert_eq!(
        (load.width, load.class),
        (Width::Half, Class::LoadExclusive)
    );
}

#[test]
fn fields_that_should_be_one_are_not_looked_at() {
    // ldxr x2, [x1], with Rs and Rt2 of zero.
    assert_eq!(general(0xc8400022), general(0xc85f7c22));
    // ldapr x2, [x1], with Rs of zero.
    assert_eq!(general(0xf8a0c022), general(0xf8bfc022));
}

#[test]
fn compare_and_swap_of_pairs_takes_even_registers_only() {
    // casp x4, x5, x2, x3, [x1]
    assert_eq!(
        decode(0x48247c22),
        Ok(Operation::CompareAndSwap(CompareAndSwap {
            base: Base::Register(1),
            width: Width::Double,
            compare: 4,
            new: 2,
            pair: true,
        }))
    );
    assert_eq!(decode(0x48257c22), Err(Undecoded));
    assert_eq!(decode(0x48247c23), Err(Undecoded));
}

#[test]
fn an_atomic_is_told_without_its_ordering() {
    // ldsmaxal w4, w2, [x1]; ldsmax w4, w2, [x1]
    let Ok(Operation::Atomic(atomic)) = decode(0xb8e44022) else {
        panic!("an atomic");
    };
    assert_eq!(decode(0xb8244022), Ok(Operation::Atomic(atomic)));
    assert_eq!(atomic.change, Change::SignedMax);
    assert_eq!((atomic.source, atomic.target), (4, 2));
}

#[test]
fn simd_registers_are_of_1_to_16_bytes() {
    // ldr q2, [x1, #65520]
    let expected = Simd {
        address: at(65520, Index::Offset),
        load: true,
        view: View::V,
        log2_bytes: 4,
        registers: Registers::Run { first: 2, count: 1 },
    };
    assert_eq!(decode(0x3dfffc22), Ok(Operation::Simd(expected)));
    // The same with a size of 16 bits.
    assert_eq!(decode(0x7dfffc22), Err(Undecoded));
}

#[test]
fn structures_move_the_base_by_what_they_move() {
    let structures = |word| match decode(word) {
        Ok(Operation::Structures(structures)) => structures,
        other => panic!("{word:#010x} is {other:?}"),
    };
    // ld4 {v2.16b-v5.16b}, [x1], #64
    assert_eq!(structures(0x4cdf0022).address, at(64, Index::Post));
    // st3 {v2.d-v4.d}[1], [x1], #24
    let lane = structures(0x4d9fa422);
    assert_eq!(lane.address, at(24, Index::Post));
    assert_eq!((lane.lane, lane.structure), (Lane::One(1), 3));
    // ld2r {v2.4h, v3.4h}, [x1], #4
    let replicate = structures(0x0dffc422);
    assert_eq!(replicate.address, at(4, Index::Post));
    assert_eq!((replicate.lane, replicate.quad), (Lane::Replicate, false));
    // A store has nothing to replicate; there are no structures of one 64-bit lane.
    assert_eq!(decode(0x0dbfc422), Err(Undecoded));
    assert_eq!(decode(0x0c408c22), Err(Undecoded));
}

#[test]
fn of_the_cache_s_operations_only_zeroing_stores() {
    // dc zva, x3; dc civac, x3
    assert_eq!(decode(0xd50b7423), Ok(Operation::ZeroBlock { register: 3 }));
    assert_eq!(decode(0xd50b7e23), Err(Undecoded));
}
