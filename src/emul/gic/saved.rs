//! The whole state as bytes.

use super::interrupts::{Bits, PLACES, place};
use super::{Architecture, Gic, MAX_CPUS};
use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};

/// What tells one controller's state from another's.
fn kind(gic: &Gic) -> [u8; 5] {
    let [low, high] = gic.config.interrupts.to_le_bytes();
    let v2 = u8::from(gic.config.architecture == Architecture::V2);
    [
        v2 | (u8::from(gic.config.security) << 1),
        gic.config.cpus,
        low,
        high,
        gic.config.priority_bits,
    ]
}

pub(super) fn save(gic: &Gic, out: &mut Writer) {
    out.bytes(&kind(gic));
    out.bool(gic.group0_forwarded);
    out.bool(gic.group1_forwarded);
    let i = &gic.interrupts;
    for bits in [
        &i.group, &i.enabled, &i.latched, &i.level, &i.active, &i.edge,
    ] {
        save_bits(bits, out);
    }
    for bits in &i.targeted {
        save_bits(bits, out);
    }
    for at in 0..PLACES {
        for n in 0..32 {
            out.u8(i.priority(at, n));
        }
    }
    for cpu in 0..MAX_CPUS {
        for id in 0..16 {
            out.u8(i.sources(cpu, id));
        }
    }
    for interface in &gic.interfaces {
        out.u32(interface.ctlr);
        out.u8(interface.pmr);
        out.bytes(&interface.bpr);
        for active in interface.active {
            out.bytes(&active.to_le_bytes());
        }
    }
}

fn save_bits(bits: &Bits, out: &mut Writer) {
    for at in 0..PLACES {
        out.u32(bits.get(at));
    }
}

/// Reads the state back. What no controller can reach is refused or cut to what exists, so
/// that a damaged state is an odd one at worst.
pub(super) fn load(gic: &mut Gic, from: &mut Reader<'_>) -> Result<(), Refusal> {
    if from.bytes(5)? != kind(gic) {
        return Err(Refusal::BadState);
    }
    gic.group0_forwarded = from.bool()?;
    gic.group1_forwarded = from.bool()?;
    let config = gic.config;
    let i = &mut gic.interrupts;
    let sets = [
        &mut i.group,
        &mut i.enabled,
        &mut i.latched,
        &mut i.level,
        &mut i.active,
        &mut i.edge,
    ];
    for bits in sets {
        load_bits(bits, from)?;
    }
    for bits in &mut i.targeted {
        load_bits(bits, from)?;
    }
    for at in 0..PLACES {
        for n in 0..32 {
            i.set_priority(at, n, from.u8()? & config.priority_mask());
        }
    }
    for cpu in 0..MAX_CPUS {
        for id in 0..16 {
            i.set_sources(cpu, id, from.u8()?);
        }
    }
    for n in 0..32 {
        let exists = config.implemented(n);
        for cpu in 0..if n == 0 { MAX_CPUS } else { 1 } {
            let at = place(cpu, n);
            let i = &mut gic.interrupts;
            let sets = [
                &mut i.group,
                &mut i.enabled,
                &mut i.latched,
                &mut i.level,
                &mut i.active,
                &mut i.edge,
            ];
            for bits in sets {
                bits.set(at, bits.get(at) & exists);
            }
        }
    }
    let (ctlr_bits, shift) = (gic.ctlr_bits(), config.group_shift());
    for interface in &mut gic.interfaces {
        interface.ctlr = from.u32()? & ctlr_bits;
        interface.pmr = from.u8()? & config.priority_mask();
        for (point, least) in interface.bpr.iter_mut().zip([shift.wrapping_sub(1), shift]) {
            *point = from.u8()?.clamp(least, 7);
        }
        for active in &mut interface.active {
            let bytes = from.bytes(16)?.try_into().map_err(|_| Refusal::BadState)?;
            *active = u128::from_le_bytes(bytes);
        }
    }
    for at in 0..PLACES {
        gic.interrupts.settle(at);
    }
    gic.refresh_all();
    Ok(())
}

fn load_bits(bits: &mut Bits, from: &mut Reader<'_>) -> Result<(), Refusal> {
    for at in 0..PLACES {
        bits.set(at, from.u32()?);
    }
    Ok(())
}
