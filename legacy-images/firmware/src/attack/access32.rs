//! Loads and stores of A32 and T32 that a hostile guest tries, and code that it should not run.

use super::Ended;
use super::cage32::{
    Cage, HOSTILE, NOP, PLACES, SECOND_LEVEL, SVC, T, USR_MODE, plain_cage, random_cage, section,
    store,
};
use crate::loadstore::Random;

/// A32: the bits that are fixed, and those that are random. The base is r1, an index r2; no register is PC.
const FORMS: [(u32, u32); 12] = [
    (0xe401_0000, 0x01f0_7fff), // LDR, STR and their bytes
    (0xe401_0000, 0x01f0_7fff),
    (0xe601_0002, 0x01f0_71e0), // by a register, shifted by 3 at most
    (0xe041_0090, 0x01b0_7f6f), // halfwords, signed, doubles
    (0xe001_0092, 0x01b0_7060), // by a register
    (0xe801_0000, 0x01f0_5fff), // blocks
    (0xe801_0000, 0x01f0_5fff),
    (0xe181_0f90, 0x0070_7007), // exclusives
    (0xe101_0090, 0x0040_7007), // SWP
    (0xed01_0a00, 0x00d0_f1ff), // VFP
    (0xec01_0a00, 0x01f0_f1ff), // VFP's blocks
    (0xf401_0000, 0x00e0_ffff), // NEON
];

/// T32, the first halfword above.
const THUMB: [(u32, u32); 6] = [
    (0xf801_0c00, 0x0170_73ff), // with an 8-bit offset, post- and pre-indexed
    (0xf881_0000, 0x0170_7fff), // with 12 bits
    (0xe841_0000, 0x01b0_77ff), // doubles, exclusives and table branches' neighbours
    (0xe881_0000, 0x0030_5fff), // blocks, IA
    (0xe901_0000, 0x0030_5fff), // blocks, DB
    (0xf991_0000, 0x0060_7fff), // signed
];

fn aim(cage: &mut Cage, random: &mut Random, at: u64) {
    cage.keep_indices_small(random);
    cage.r[1] = at as u32;
}

/// A load or store of anywhere, in A32.
pub fn anywhere(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    let at = PLACES.any(random);
    aim(&mut cage, random, at);
    let (fixed, loose) = random.one_of(&FORMS);
    let mut word = fixed | random.word() & loose;
    if random.once_in(8) && word >> 28 != 0xf {
        // Another condition.
        word = word & 0x0fff_ffff | random.below(15) << 28;
    }
    cage.run(&[word]).ended()
}

/// The same in T32.
pub fn thumb(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    let at = PLACES.any(random);
    aim(&mut cage, random, at);
    cage.cpsr |= T;
    let word = if random.once_in(4) {
        // Two of T16: loads and stores of r1 with an immediate, by r2, and blocks.
        let one = |random: &mut Random| match random.below(4) {
            0 => 0x6008 | random.word() & 0x1fc7,
            1 => 0x8008 | random.word() & 0x0fc7,
            2 => 0x5088 | random.word() & 0x0e07,
            _ => 0xc100 | random.word() & 0x08ff,
        };
        one(random) | one(random) << 16
    } else {
        let (fixed, loose) = random.one_of(&THUMB);
        (fixed | random.word() & loose).rotate_left(16)
    };
    cage.run(&[word]).ended()
}

/// A few loads and stores of one device: its registers, abused.
pub fn device(random: &mut Random) -> Ended {
    let mut words = [0; 8];
    let count = 1 + random.below(8) as usize;
    for word in &mut words[..count] {
        let load = random.below(2) << 20;
        let byte = u32::from(random.once_in(4)) << 22;
        *word = 0xe581_0000 | load | byte | random.below(0x40) << 2 | (2 + random.below(6)) << 12;
    }
    let mut cage = plain_cage(random);
    let at = PLACES.device(random) & !3;
    for register in &mut cage.r[2..8] {
        *register = random.word();
    }
    cage.r[1] = at as u32;
    cage.run(&words[..count]).ended()
}

/// Two accesses in one: over the end of a page, of RAM, of a device, with stage 1 on.
pub fn over_an_end(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    cage.sctlr = (cage.sctlr | 1) & !0x0200_0002;
    let end = match random.below(4) {
        0 => PLACES.end,
        1 => (PLACES.scratch(random) | 0xfff) + 1,
        2 => {
            let (base, size) = random.one_of(PLACES.devices);
            if random.coin() { base } else { base + size }
        }
        _ => (PLACES.any(random) | 0xfff) + 1,
    };
    let at = end.wrapping_sub(u64::from(random.below(32)));
    aim(&mut cage, random, at);
    let (fixed, loose) = random.one_of(&FORMS);
    cage.run(&[fixed | random.word() & loose]).ended()
}

/// Descriptors that lead where none should, walked by an access.
pub fn tables(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    cage.sctlr = (cage.sctlr | 1) & !0x0200_0000;
    let mut at = HOSTILE | random.word() >> 4;
    let slot = super::cage32::TABLE + (at >> 20) * 4;
    let descriptor = match random.below(5) {
        // A second-level table where none is.
        0 => PLACES.device(random) as u32 & !0x3ff | 1,
        1 => PLACES.any(random) as u32 & !0x3ff | 1,
        2 => {
            // One in RAM, of small and large pages that lead anywhere.
            for n in 0..256_u32 {
                let any = PLACES.any(random) as u32;
                store(
                    SECOND_LEVEL + 4 * n,
                    any & 0xffff_f000 | 0x32 | random.below(2) << 9,
                );
            }
            SECOND_LEVEL | 1
        }
        3 => {
            // Any section or supersection but those with the image.
            at = at & 0xfff0_0000 | random.word() & 0xffff;
            (random.word() | 0x8000_0000) & !3 | 2
        }
        _ => random.word() & !3 | random.below(2) * 3,
    };
    // Its own tables and code are no target.
    let target = descriptor & 0xfff0_0000;
    let descriptor = if descriptor & 3 == 2 && target >> 22 == 0x100 {
        descriptor | 0x8000_0000
    } else {
        descriptor
    };
    store(slot, descriptor);
    aim(&mut cage, random, u64::from(at));
    let exit = if random.once_in(4) {
        cage.pc = at & !3;
        cage.enter()
    } else {
        let (fixed, loose) = random.one_of(&FORMS);
        cage.run(&[fixed | random.word() & loose])
    };
    store(slot, section(at));
    exit.ended()
}

/// Instructions from anywhere, in A32 and T32.
pub fn fetch(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    let at = match random.below(4) {
        0 => PLACES.device(random),
        1 => PLACES.nowhere(random),
        _ => PLACES.any(random),
    } as u32;
    // Not from its own RAM, where its own code and data could run for ever, and not from flash, whose
    // words of 0 are instructions that do nothing.
    cage.pc = if (PLACES.ram as u32..PLACES.end as u32).contains(&at) {
        PLACES.end as u32 + (at & 0xffff)
    } else if at < PLACES.flash.1 as u32 {
        at | 0x0800_0000
    } else {
        at
    };
    if random.once_in(4) {
        // Off RAM's end.
        cage.pc = PLACES.end as u32 - 4;
        store(cage.pc, if random.coin() { NOP } else { 0xbf00_bf00 });
    }
    if random.coin() {
        cage.cpsr |= T;
        cage.pc &= !1;
    } else {
        cage.pc &= !3;
    }
    if random.once_in(8) {
        cage.cpsr = cage.cpsr & !0x1f | USR_MODE;
    }
    cage.enter().ended()
}

/// A loop that writes the instruction that it then executes, with and without the maintenance that the
/// architecture wants.
pub fn modifies(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    // User mode has no right to store into the code while the MMU is on.
    if cage.is_user() {
        cage.sctlr &= !1;
    }
    cage.cpsr &= !0x200;
    cage.r[0] = PLACES.code as u32 + 7 * 4;
    let number = random.below(0x1000) << 8 | random.below(16);
    cage.r[1] = random.one_of(&[
        NOP,
        0xe140_0070 | number, // HVC, of no function: r0 is an address
        0xe7f0_00f0 | number, // UDF
        0xe592_6000,          // LDR r6, [r2]
        0xee11_6f10,          // MRC of SCTLR
        0xe320_f002,          // WFE
    ]);
    cage.r[2] = PLACES.any(random) as u32;
    cage.r[3] = 1 + random.below(8);
    cage.r[4] = 0;
    let with = random.coin();
    let own = |word| if with { word } else { NOP };
    let words = [
        0xe580_1000,      // STR r1, [r0]
        own(0xee07_0f3b), // DCCMVAU, r0
        own(0xf57f_f04f), // DSB
        own(0xee07_0f35), // ICIMVAU, r0
        own(0xee07_4fd5), // BPIALL
        own(0xf57f_f04f), // DSB
        own(0xf57f_f06f), // ISB
        NOP,              // what is written
        0xe253_3001,      // SUBS r3, r3, #1
        0x1aff_fff5,      // BNE to the start
    ];
    cage.run(&words).ended()
}

/// Code that goes on over the end of a page, of RAM's last one too.
pub fn code_over_an_end(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    let before = random.below(4);
    let end = if random.coin() {
        PLACES.end
    } else {
        PLACES.code + 0x1000
    } as u32;
    cage.pc = end - 4 * (before + 1);
    for step in 0..=before {
        store(cage.pc + 4 * step, NOP);
    }
    if end != PLACES.end as u32 {
        store(end, SVC);
    }
    cage.enter().ended()
}

/// One word of A32 of any class but those that write PC.
pub fn any_word(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    let at = PLACES.any(random);
    aim(&mut cage, random, at);
    for register in [0, 8, 9, 10, 11, 12] {
        cage.r[register] = random.below(0x1000);
    }
    let mut word = random.word();
    if word >> 28 == 0xf && word >> 25 & 7 == 4 {
        // SRS and RFE.
        word ^= 0x1000_0000;
    }
    match word >> 25 & 7 {
        5 => word ^= 0x0800_0000,
        4 => word &= !0x8000,
        // An index is shifted by 3 at most, so that no sum is the image's address.
        3 if word & 0x10 == 0 => word &= !0xe00,
        _ => {}
    }
    // No SP, no PC, no LR (which is the code's address), as a target, a base or an index.
    for shift in [0, 12, 16] {
        if word >> shift & 0xf >= 13 {
            word = word & !(0xf << shift) | 2 << shift;
        }
    }
    cage.run(&[word]).ended()
}
