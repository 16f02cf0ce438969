//! One or two registers, general or SIMD and FP, in every way of addressing.
//!
//! DDI 0487, C4.1: "Load register (literal)" to "Load/store register (unsigned immediate)",
//! "Load/store register pair", "LDAPR/STLR (unscaled immediate)".

use super::{Decoded, Undecoded, address, base, bit, field, register, signed, width};
use crate::access::Width;
use crate::mmio::instruction::{
    Address, Base, Class, Extend, General, Index, Modify, Offset, Operation, Registers, Simd, View,
};

/// V: SIMD and FP registers.
const V: u32 = 26;

/// LDR, LDRSW and PRFM of an address relative to the instruction.
pub(super) fn literal(word: u32) -> Decoded {
    let address = Address {
        base: Base::Pc,
        offset: Offset::Immediate(signed(word, 5, 19).wrapping_mul(4)),
        index: Index::Offset,
    };
    let opc = field(word, 30, 2);
    if bit(word, V) {
        // S, D, Q.
        return simd(address, true, opc.wrapping_add(2), one(word));
    }
    let (width, extend) = match opc {
        0 => (Width::Word, Extend::Zero),
        1 => (Width::Double, Extend::Zero),
        2 => (Width::Word, Extend::Sign64),
        _ => return Ok(Operation::Prefetch(address)),
    };
    Ok(Operation::General(General {
        address,
        load: true,
        width,
        extend,
        first: register(word, 0),
        second: None,
        class: Class::Plain,
    }))
}

/// LDP, STP, LDPSW, LDNP and STNP.
pub(super) fn pair(word: u32) -> Decoded {
    let opc = field(word, 30, 2);
    let load = bit(word, 22);
    let no_allocate = field(word, 23, 2) == 0;
    let log2_bytes = match (bit(word, V), opc) {
        (true, _) => opc.wrapping_add(2),
        (false, 0) => 2,
        (false, 1) if load && !no_allocate => 2,
        (false, 2) => 3,
        _ => return Err(Undecoded),
    };
    let index = match field(word, 23, 2) {
        1 => Index::Post,
        3 => Index::Pre,
        _ => Index::Offset,
    };
    let offset = signed(word, 15, 7).wrapping_shl(log2_bytes);
    let address = address(word, offset, index);
    if bit(word, V) {
        let two = Registers::Pair(register(word, 0), register(word, 10));
        return simd(address, load, log2_bytes, two);
    }
    Ok(Operation::General(General {
        address,
        load,
        width: width(log2_bytes),
        extend: if opc == 1 {
            Extend::Sign64
        } else {
            Extend::Zero
        },
        first: register(word, 0),
        second: Some(register(word, 10)),
        class: Class::Plain,
    }))
}

/// LDAPUR and STLUR.
pub(super) fn ordered(word: u32) -> Decoded {
    if bit(word, 21) || field(word, 10, 2) != 0 {
        return Err(Undecoded);
    }
    transfer(word, nine_bits(word, Index::Offset), Class::Ordered)
}

/// LDUR and STUR, post-indexed, LDTR and STTR, pre-indexed: `form` is bits 11 and 10.
pub(super) fn unscaled(word: u32, form: u32) -> Decoded {
    let (index, class) = match form {
        0 => (Index::Offset, Class::Plain),
        1 => (Index::Post, Class::Plain),
        2 if bit(word, V) => return Err(Undecoded),
        2 => (Index::Offset, Class::Unprivileged),
        _ => (Index::Pre, Class::Plain),
    };
    transfer(word, nine_bits(word, index), class)
}

/// With a register, extended and perhaps scaled, as the offset.
pub(super) fn register_offset(word: u32) -> Decoded {
    let amount = if bit(word, 12) { scale(word) as u8 } else { 0 };
    let modify = match field(word, 13, 3) {
        0b010 => Modify::Uxtw(amount),
        0b011 => Modify::Lsl(amount),
        0b110 => Modify::Sxtw(amount),
        0b111 => Modify::Sxtx(amount),
        _ => return Err(Undecoded),
    };
    let address = Address {
        base: base(word),
        offset: Offset::Register {
            register: register(word, 16),
            subtract: false,
            modify,
        },
        index: Index::Offset,
    };
    transfer(word, address, Class::Plain)
}

/// With an unsigned, scaled offset.
pub(super) fn unsigned(word: u32) -> Decoded {
    let offset = i64::from(field(word, 10, 12)).wrapping_shl(scale(word));
    transfer(word, address(word, offset, Index::Offset), Class::Plain)
}

fn nine_bits(word: u32, index: Index) -> Address {
    address(word, signed(word, 12, 9), index)
}

/// The bytes of a register as a power of two, by size, V and opc; of SIMD and FP, opc's high bit
/// stands above size.
fn scale(word: u32) -> u32 {
    let high = if bit(word, V) { field(word, 23, 1) } else { 0 };
    field(word, 30, 2) | high.wrapping_shl(2)
}

/// One register at this address, by size, V and opc.
fn transfer(word: u32, address: Address, class: Class) -> Decoded {
    let opc = field(word, 22, 2);
    if bit(word, V) {
        return simd(address, opc & 1 != 0, scale(word), one(word));
    }
    let size = field(word, 30, 2);
    let extend = match (opc, size) {
        (0 | 1, _) => Extend::Zero,
        (2, 0..=2) => Extend::Sign64,
        (3, 0..=1) => Extend::Sign32,
        (2, 3) if class == Class::Plain && address.index == Index::Offset => {
            return Ok(Operation::Prefetch(address));
        }
        _ => return Err(Undecoded),
    };
    Ok(Operation::General(General {
        address,
        load: opc != 0,
        width: width(size),
        extend,
        first: register(word, 0),
        second: None,
        class,
    }))
}

fn one(word: u32) -> Registers {
    Registers::Run {
        first: register(word, 0),
        count: 1,
    }
}

fn simd(address: Address, load: bool, log2_bytes: u32, registers: Registers) -> Decoded {
    if log2_bytes > 4 {
        return Err(Undecoded);
    }
    Ok(Operation::Simd(Simd {
        address,
        load,
        view: View::V,
        log2_bytes: log2_bytes as u8,
        registers,
    }))
}
