//! Code that changes itself, and code over the ends of pages.

use super::Ended;
use super::cage64::{NOP, PLACES, SVC, plain_cage, random_cage, store_word};
use crate::loadstore::Random;

/// A loop that writes the instruction that it then executes, with and without the maintenance that the
/// architecture wants.
pub fn modifies(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    // EL0 has no right to store into the code's page while the MMU is on.
    if cage.is_el0() {
        cage.sctlr &= !1;
    }
    cage.sctlr &= !(1 << 25 | 1 << 24);
    cage.x[0] = PLACES.code + 9 * 4;
    let number = random.below(0x1_0000);
    cage.x[1] = u64::from(random.one_of(&[
        NOP,
        0xd53b_e046,               // MRS x6, CNTVCT_EL0
        0xd400_0002 | number << 5, // HVC, of no function: x0 is an address
        number,                    // UDF
        0xb940_0046,               // LDR w6, [x2]
        0xd503_205f,               // WFE
    ]));
    cage.x[2] = PLACES.any(random);
    cage.x[3] = u64::from(1 + random.below(8));
    let with = random.coin();
    let own = |word| if with { word } else { NOP };
    let words = [
        0xb900_0001,      // STR w1, [x0]
        own(0xd50b_7b20), // DC CVAU, x0
        own(0xd503_3b9f), // DSB ISH
        own(0xd50b_7520), // IC IVAU, x0
        own(0xd503_3b9f), // DSB ISH
        own(0xd503_3fdf), // ISB
        0xaa00_03e7,      // MOV x7, x0
        0xaa07_03e0,      // MOV x0, x7
        NOP,
        NOP,         // what is written
        0xf100_0463, // SUBS x3, x3, #1
        0x54ff_fea1, // B.NE to the start
    ];
    cage.run(&words).ended()
}

/// Code that goes on over the end of a page, of RAM's last one too.
pub fn over_an_end(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    let before = random.below(4);
    let end = if random.coin() {
        PLACES.end
    } else {
        PLACES.code + 0x1000
    };
    cage.pc = end - 4 * u64::from(before + 1);
    for step in 0..=before {
        store_word(cage.pc + 4 * u64::from(step), NOP);
    }
    if end != PLACES.end {
        store_word(end, SVC);
    }
    let exit = cage.enter();
    exit.ended()
}

/// A branch through a register to anywhere, misaligned too; links and pointer tags among them.
pub fn branches(random: &mut Random) -> Ended {
    let mut cage = plain_cage(random);
    let at = PLACES.any(random);
    // Not into its own RAM.
    cage.x[0] = if (PLACES.ram..PLACES.end).contains(&at) {
        at | 1 << 40
    } else {
        at
    };
    cage.run(&[random.one_of(&[0xd61f_0000, 0xd63f_0000, 0xd65f_0000])])
        .ended()
}
