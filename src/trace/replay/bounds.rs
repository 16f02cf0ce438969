//! Whether a recorded value may differ from ours: by the bounds that stand beside the device.

use crate::emul::describe::{Allowed, Bound, Description, Field, Register};
use crate::trace::record::RegisterAccess;

/// Whether every bit in which `expected` and `got` differ is one that a bound allows.
pub(super) fn allows(
    described: &Description,
    source: &str,
    recorded: &RegisterAccess,
    expected: u64,
    got: u64,
) -> bool {
    let Some((register, index)) = described.register(recorded.region, recorded.offset) else {
        return false;
    };
    // The register's value, of which a narrower access shows a part.
    let first = register
        .offset
        .wrapping_add(index.wrapping_mul(register.stride));
    let shift = (recorded.offset.wrapping_sub(first) as u32).wrapping_mul(8);
    let expected = expected.wrapping_shl(shift);
    let got = got.wrapping_shl(shift);
    let mut open = expected ^ got;
    let bounds = described.bounds.iter();
    for bound in bounds.filter(|bound| bound.register == register.name) {
        let field = field_of(register, bound);
        let bits = within(field.of(expected), field.of(got), field, source, bound);
        open &= !bits.wrapping_shl(field.low.into());
    }
    open == 0
}

/// Whether the register of an access holds a counter.
pub(super) fn is_counter(described: &Description, recorded: &RegisterAccess) -> bool {
    let found = described.register(recorded.region, recorded.offset);
    found.is_some_and(|(register, _)| {
        let mut bounds = described.bounds.iter();
        bounds.any(|bound| {
            bound.register == register.name && matches!(bound.allowed, Allowed::Ticks(_))
        })
    })
}

fn field_of(register: &Register, bound: &Bound) -> Field {
    let whole = Field {
        name: register.name,
        low: 0,
        bits: (register.bytes.wrapping_mul(8) as u8).clamp(1, 64),
    };
    match bound.field {
        None => whole,
        Some(name) => {
            let named = register.fields.iter().find(|field| field.name == name);
            // A bound for a field that does not exist allows nothing: a field of no difference.
            named.copied().unwrap_or(Field { bits: 1, ..whole })
        }
    }
}

/// The bits of a field that may differ, as these two values do.
fn within(expected: u64, got: u64, field: Field, source: &str, bound: &Bound) -> u64 {
    let all = u64::MAX.wrapping_shr(64u32.wrapping_sub(field.bits.into()));
    let (allowed, bits) = match bound.allowed {
        Allowed::Ticks(ticks) => {
            let ahead = expected.wrapping_sub(got) & all;
            let behind = got.wrapping_sub(expected) & all;
            (ahead.min(behind) <= ticks, all)
        }
        Allowed::Instead {
            source: of,
            mask,
            theirs,
            ours,
        } => {
            let known = expected & mask == theirs && got & mask == ours;
            (source.starts_with(of) && known, mask & all)
        }
    };
    if allowed { bits } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Width;
    use crate::emul::describe::{bit, field, register};
    use crate::units::Instant;

    static COUNTER: Description = Description::of(
        "none",
        &[
            register(0x0, "COUNT"),
            register(0x4, "STATUS").fields(&[bit("READY", 0), field("LEVEL", 7, 4)]),
        ],
    )
    .bounds(&[
        Bound {
            register: "COUNT",
            field: None,
            allowed: Allowed::Ticks(1),
            reason: "rounding",
        },
        Bound {
            register: "STATUS",
            field: Some("LEVEL"),
            allowed: Allowed::Instead {
                source: "qemu-",
                mask: u64::MAX,
                theirs: 3,
                ours: 0,
            },
            reason: "the manual has 0",
        },
    ]);

    fn read(offset: u64, width: Width) -> RegisterAccess {
        RegisterAccess {
            region: 0,
            offset,
            width,
            security: None,
            privileged: true,
            write: false,
            value: None,
            times: 1,
            last: Instant::ZERO,
        }
    }

    fn allowed(offset: u64, expected: u64, got: u64) -> bool {
        allows(
            &COUNTER,
            "qemu-7.2",
            &read(offset, Width::Word),
            expected,
            got,
        )
    }

    #[test]
    fn a_counter_is_allowed_its_ticks_to_both_sides_and_not_one_more() {
        assert!(allowed(0x0, 100, 101));
        assert!(allowed(0x0, 101, 100));
        assert!(!allowed(0x0, 100, 102));
        assert!(!allowed(0x0, 102, 100));
    }

    #[test]
    fn a_counter_is_allowed_its_ticks_where_it_wraps() {
        assert!(allowed(0x0, 0, 0xffff_ffff));
        assert!(allowed(0x0, 0xffff_ffff, 0));
        assert!(!allowed(0x0, 1, 0xffff_ffff));
    }

    #[test]
    fn a_known_difference_stands_for_its_two_values_only() {
        assert!(allowed(0x4, 0x31, 0x01));
        assert!(!allowed(0x4, 0x21, 0x01));
        assert!(!allowed(0x4, 0x01, 0x31));
        // The bit beside it is not covered.
        assert!(!allowed(0x4, 0x31, 0x00));
        let hand = allows(&COUNTER, "hand", &read(4, Width::Word), 0x31, 0x01);
        assert!(!hand, "another source has no such difference");
    }

    #[test]
    fn a_narrow_access_is_held_to_its_part_of_the_register() {
        // The upper half of a count of which only the lowest tick is open.
        let half = read(0x2, Width::Half);
        assert!(!allows(&COUNTER, "qemu-7.2", &half, 0x12, 0x13));
    }
}
