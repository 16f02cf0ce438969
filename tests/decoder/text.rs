//! The canonical form of assembly text: no spaces, decimal immediates.

use std::fmt::Write;

/// Appends `operands` without spaces, each `#` number in decimal.
pub fn canonical(operands: &str, out: &mut String) {
    let mut rest = operands.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b' ' => {}
            b'#' => {
                let end = rest
                    .iter()
                    .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'-'))
                    .unwrap_or(rest.len());
                let (number, after) = rest.split_at(end);
                let number = std::str::from_utf8(number).expect("ASCII");
                write!(out, "#{}", parse(number)).expect("a String takes it");
                rest = after;
            }
            byte => out.push(char::from(*byte)),
        }
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
}
