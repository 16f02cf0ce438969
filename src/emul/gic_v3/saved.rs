//! The whole state as bytes.

use super::cpu_interface::{Set, active_bits, ctlr_bits, least_point};
use super::interrupts::Groups;
use super::{GicV3, MAX_CPUS};
use crate::access::Refusal;
use crate::emul::gic::interrupts::{PLACES, place};
use crate::emul::state::{Reader, Writer};

/// What tells one controller's state from another's.
fn kind(gic: &GicV3) -> [u8; 5] {
    let [low, high] = gic.config.interrupts.to_le_bytes();
    let states = 3 | u8::from(gic.config.security) << 7;
    [states, gic.config.cpus, low, high, gic.config.priority_bits]
}

pub(super) fn save(gic: &GicV3, out: &mut Writer) {
    out.bytes(&kind(gic));
    out.u8(gic.forwarded.0);
    let i = &gic.interrupts;
    for bits in i.bits() {
        for at in 0..PLACES {
            out.u32(bits.get(at));
        }
    }
    for at in 0..PLACES {
        for n in 0..32 {
            out.u8(i.priority(at, n));
        }
    }
    for id in 32..usize::from(gic.config.interrupts) {
        out.u64(i.route_of(id));
    }
    for interface in &gic.interfaces {
        out.bool(interface.asleep);
        out.u8(interface.ctlr);
        out.u8(interface.pmr);
        interface.enables.iter().for_each(|on| out.bool(*on));
        out.bytes(&interface.bpr);
        for active in interface.active {
            out.bytes(&active.to_le_bytes());
        }
    }
}

/// Reads the state back. What no controller can reach is refused or cut to what exists, so
/// that a damaged state is an odd one at worst.
pub(super) fn load(gic: &mut GicV3, from: &mut Reader<'_>) -> Result<(), Refusal> {
    if from.bytes(5)? != kind(gic) {
        return Err(Refusal::BadState);
    }
    let config = gic.config;
    gic.forwarded = Groups(from.u8()?).and(Groups::ALL);
    let i = &mut gic.interrupts;
    for bits in i.bits_mut() {
        for at in 0..PLACES {
            let word = at.saturating_sub(MAX_CPUS - 1);
            bits.set(at, from.u32()? & config.implemented(word));
        }
    }
    for at in 0..PLACES {
        if !config.security {
            i.modifier.set(at, 0);
        }
        for n in 0..32 {
            i.set_priority(at, n, from.u8()? & config.priority_mask());
        }
    }
    for cpu in 0..MAX_CPUS {
        i.edge.insert(place(cpu, 0), 0xffff);
    }
    for id in 32..usize::from(config.interrupts) {
        i.route(&config, id, from.u64()?);
    }
    for interface in &mut gic.interfaces {
        interface.asleep = from.bool()?;
        interface.ctlr = from.u8()? & ctlr_bits(&config);
        interface.pmr = from.u8()? & config.priority_mask();
        for on in &mut interface.enables {
            *on = from.bool()?;
        }
        for (point, set) in interface.bpr.iter_mut().zip([Set::Zero, Set::One]) {
            *point = from.u8()?.clamp(least_point(&config, set), 7);
        }
        for active in &mut interface.active {
            let bytes = from.bytes(16)?.try_into().map_err(|_| Refusal::BadState)?;
            *active = u128::from_le_bytes(bytes) & active_bits(&config);
        }
    }
    for at in 0..PLACES {
        gic.interrupts.settle(at);
    }
    gic.refresh_all();
    Ok(())
}
