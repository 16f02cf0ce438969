//! The canonical form of assembly text: no spaces, decimal numbers.

use std::fmt::Write;

/// Appends `operands` without spaces, numbers after `#` and those with `0x` in decimal.
pub fn canonical(operands: &str, out: &mut String) {
    let mut rest = operands;
    let mut in_word = false;
    while let Some(byte) = rest.bytes().next() {
        let immediate = rest.strip_prefix('#');
        if immediate.is_some() || (rest.starts_with("0x") && !in_word) {
            let number = immediate.unwrap_or(rest);
            let end = number
                .find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'))
                .unwrap_or(number.len());
            let (number, after) = number.split_at(end);
            let sign = immediate.map_or("", |_| "#");
            write!(out, "{sign}{}", parse(number)).expect("a String takes it");
            rest = after;
            continue;
        }
        if byte != b' ' {
            out.push(char::from(byte));
        }
        in_word = byte.is_ascii_alphanumeric();
        rest = &rest[1..];
    }
}

/// A decimal or hexadecimal number, perhaps negative. `-0`, which subtracts zero, is 0.
fn parse(number: &str) -> i64 {
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number),
    };
    let value = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let value = value
        .unwrap_or_else(|_| panic!("capstone wrote the number {number}"))
        .cast_signed();
    if negative {
        value.wrapping_neg()
    } else {
        value
    }
}

#[test]
fn numbers_become_decimal_and_spaces_go() {
    let mut out = String::new();
    canonical("x0, [sp, #-0x10]!, #0xffffffffffffffff, lsl #3", &mut out);
    assert_eq!(out, "x0,[sp,#-16]!,#-1,lsl#3");
    out.clear();
    canonical("{v0.b}[0xa], q0x", &mut out);
    assert_eq!(out, "{v0.b}[10],q0x");
}
