//! Exclusives, ordered accesses, and the atomics of FEAT_LSE.
//!
//! DDI 0487, C4.1: "Load/store exclusive register" and its neighbours, "Compare and swap",
//! "Atomic memory operations".

use super::{Decoded, Undecoded, address, base, bit, field, register, width};
use crate::mmio::instruction::{
    Atomic, Change, Class, CompareAndSwap, Extend, General, Index, Operation,
};

/// LDXR to STLXP, LDAR to STLLR, CAS and CASP: by o2, o1 and size. o0 tells the ordering.
pub(super) fn exclusive(word: u32) -> Decoded {
    let size = field(word, 30, 2);
    let load = bit(word, 22);
    let exclusive = if load {
        Class::LoadExclusive
    } else {
        Class::StoreExclusive {
            status: register(word, 16),
        }
    };
    match (bit(word, 23), bit(word, 21), size) {
        (false, false, _) => Ok(one_or_two(word, size, load, None, exclusive)),
        (false, true, 2..) => {
            let second = Some(register(word, 10));
            Ok(one_or_two(word, size, load, second, exclusive))
        }
        (true, false, _) => Ok(one_or_two(word, size, load, None, Class::Ordered)),
        // CASP is of W or X, and its pairs begin with even registers.
        (false, true, _) if word & 0x0001_0001 == 0 => compare_and_swap(word, size | 2, true),
        (true, true, _) => compare_and_swap(word, size, false),
        _ => Err(Undecoded),
    }
}

fn one_or_two(word: u32, size: u32, load: bool, second: Option<u8>, class: Class) -> Operation {
    Operation::General(General {
        address: address(word, 0, Index::Offset),
        load,
        width: width(size),
        extend: Extend::Zero,
        first: register(word, 0),
        second,
        class,
    })
}

fn compare_and_swap(word: u32, size: u32, pair: bool) -> Decoded {
    // Rt2.
    if register(word, 10) != 31 {
        return Err(Undecoded);
    }
    Ok(Operation::CompareAndSwap(CompareAndSwap {
        base: base(word),
        width: width(size),
        compare: register(word, 16),
        new: register(word, 0),
        pair,
    }))
}

/// LDADD to LDUMIN, SWP and LDAPR.
pub(super) fn memory(word: u32) -> Decoded {
    let size = field(word, 30, 2);
    // V, then o3 and opc.
    let change = match field(word, 12, 4) | field(word, 26, 1).wrapping_shl(4) {
        0b0000 => Change::Add,
        0b0001 => Change::Clear,
        0b0010 => Change::Eor,
        0b0011 => Change::Set,
        0b0100 => Change::SignedMax,
        0b0101 => Change::SignedMin,
        0b0110 => Change::UnsignedMax,
        0b0111 => Change::UnsignedMin,
        0b1000 => Change::Swap,
        // Acquire without release.
        0b1100 if field(word, 22, 2) == 0b10 => {
            return Ok(one_or_two(word, size, true, None, Class::Ordered));
        }
        _ => return Err(Undecoded),
    };
    Ok(Operation::Atomic(Atomic {
        base: base(word),
        change,
        width: width(size),
        source: register(word, 16),
        target: register(word, 0),
    }))
}
