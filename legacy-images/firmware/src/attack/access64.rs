//! Loads and stores of A64 that a hostile guest tries: every form, at every address.

use super::Ended;
use super::cage64::{
    Cage, EL0, EL0_A32, EPD1, HOSTILE_TABLES, PLACES, RAM_FOR_EL0, SCTLR_OFF, plain_cage,
    random_cage, store,
};
use super::places::value;
use crate::loadstore::Random;

/// Instructions: the bits that are fixed, and those that are random. The base is x1, an index x2.
const FORMS: [(u32, u32); 16] = [
    // Unsigned immediate, of every size, SIMD too; twice, as most code is made of it.
    (0x3900_0020, 0xc4ff_fc1f),
    (0x3900_0020, 0xc4ff_fc1f),
    // Unscaled, unprivileged, post- and pre-indexed.
    (0x3800_0020, 0xc4df_fc1f),
    (0x3800_0020, 0xc4df_fc1f),
    // By a register.
    (0x3822_0820, 0xc4c0_f01f),
    // Atomics, and LDAPR.
    (0x3820_0020, 0xc4df_f01f),
    // LDAPUR, STLUR.
    (0x1900_0020, 0xc0df_f01f),
    // Pairs: no allocate, post, offset, pre.
    (0x2800_0020, 0xc5ff_fc1f),
    (0x2800_0020, 0xc5ff_fc1f),
    // Exclusives, ordered ones, compare and swap.
    (0x0800_0020, 0xc0ff_fc1f),
    (0x0800_0020, 0xc0ff_fc1f),
    // Structures of several registers, of one, and with post-index.
    (0x0c00_0020, 0x4040_fc1f),
    (0x0c80_0020, 0x405f_fc1f),
    (0x0d00_0020, 0x4060_fc1f),
    (0x0d80_0020, 0x407f_fc1f),
    // From beside the code.
    (0x1800_0000, 0xc4ff_ffff),
];

/// A load or store; its base is x1, or once in a while the stack pointer.
fn form(random: &mut Random) -> u32 {
    let (fixed, loose) = random.one_of(&FORMS);
    let word = fixed | random.word() & loose;
    if fixed & 0x3f00_0000 != 0x1800_0000 && random.once_in(12) {
        word | 0x3e0
    } else {
        word
    }
}

/// Gives the cage its address.
fn aim(cage: &mut Cage, random: &mut Random, at: u64) {
    let seen_by_el0 = cage.is_el0() && cage.sctlr & 1 != 0;
    let in_ram = (PLACES.ram..PLACES.end).contains(&at);
    cage.x[1] = if seen_by_el0 && in_ram && random.coin() {
        at + RAM_FOR_EL0 - (1 << 30)
    } else {
        at
    };
    cage.x[2] = u64::from(random.below(0x1000)).wrapping_sub(u64::from(random.below(0x1000)));
    cage.sp = cage.x[1] & !u64::from(if random.coin() { 15_u32 } else { 0 });
    cage.sp_el0 = cage.sp;
}

/// A load or store of anywhere.
pub fn anywhere(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    let at = PLACES.any(random);
    aim(&mut cage, random, at);
    cage.run(&[form(random)]).ended()
}

/// A few loads and stores of one device: its registers, abused.
pub fn device(random: &mut Random) -> Ended {
    let mut words = [0; 8];
    let count = 1 + random.below(8) as usize;
    for word in &mut words[..count] {
        // Without write-back, so that all are of the device.
        let size = random.one_of(&[2_u32, 2, 2, 0, 1, 3]);
        let offset = random.below(0x40);
        let load = random.below(2);
        *word = size << 30 | 0x3900_0020 | load << 22 | offset << 10 | random.below(28);
    }
    let mut cage = plain_cage(random);
    let at = PLACES.device(random) & !7;
    aim(&mut cage, random, at);
    cage.run(&words[..count]).ended()
}

/// Two accesses in one: over the end of a page, of RAM, of a device, with stage 1 on.
pub fn over_an_end(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    cage.sctlr = (cage.sctlr | 1) & !0x0200_0002;
    let end = match random.below(5) {
        0 => PLACES.end,
        1 => (PLACES.scratch(random) | 0xfff) + 1,
        2 => {
            let (base, size) = random.one_of(PLACES.devices);
            if random.coin() { base } else { base + size }
        }
        3 => PLACES.flash.0 + PLACES.flash.1,
        _ => (PLACES.any(random) | 0xfff).wrapping_add(1),
    };
    let at = end.wrapping_sub(u64::from(random.below(32)));
    aim(&mut cage, random, at);
    cage.run(&[form(random)]).ended()
}

/// Tables that lie where none should, or that say what none should, walked by an access through TTBR1.
pub fn tables(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    cage.sctlr = (cage.sctlr | 1) & !(1 << 25);
    cage.tcr &= !EPD1;
    let top = 0xffff_ff80_0000_0000;
    let mut at = top | random.long() >> 25;
    let entry = HOSTILE_TABLES + (at >> 30 & 0x1ff) * 8;
    if random.coin() {
        // A hostile descriptor at each level, in RAM.
        let descriptor = match random.below(4) {
            0 => random.long() | 3,
            1 => PLACES.any(random) & 0xffff_ffff_f000 | 3,
            2 => {
                // A block, perhaps that with RAM: only of its scratch.
                at = at & !0x3fff_ffff | PLACES.scratch(random) & 0x3fff_ffff;
                PLACES.any(random) & 0xffff_c000_0000 | 0x745
            }
            _ => HOSTILE_TABLES | 3,
        };
        store(entry, descriptor);
        if random.coin() {
            cage.ttbr1 = HOSTILE_TABLES | u64::from(random.below(0x1_0000)) << 48;
        }
    } else {
        cage.ttbr1 = PLACES.any(random) & 0xffff_ffff_f000;
    }
    aim(&mut cage, random, at);
    let exit = if random.once_in(4) {
        cage.pc = at & !3;
        cage.enter()
    } else {
        cage.run(&[form(random)])
    };
    store(entry, 0);
    exit.ended()
}

/// Loads and stores of A32, at EL0.
pub fn a32(random: &mut Random) -> Ended {
    // The base is r1, an index r2; no register is PC.
    const FORMS: [(u32, u32); 10] = [
        (0xe401_0000, 0x01f0_7fff), // LDR, STR and their bytes
        (0xe601_0002, 0x01f0_71e0), // by a register, shifted by 3 at most
        (0xe041_0090, 0x01b0_7f6f), // halfwords, signed, doubles
        (0xe001_0092, 0x01b0_7060), // by a register
        (0xe801_0000, 0x01f0_5fff), // blocks
        (0xe181_0f90, 0x0070_7007), // exclusives
        (0xe101_0090, 0x0040_7007), // SWP
        (0xed01_0a00, 0x00d0_f1ff), // VFP
        (0xf401_0000, 0x00e0_ffff), // NEON
        (0xee00_0f10, 0x00ff_70ef), // MRC, MCR of CP15
    ];
    let mut cage = random_cage(random);
    cage.spsr = EL0_A32 | random.long() & 0xf800_0200;
    let at = PLACES.any(random);
    aim(&mut cage, random, at);
    for register in &mut cage.x {
        *register &= 0xffff_ffff;
    }
    let (fixed, loose) = random.one_of(&FORMS);
    let word = fixed | random.word() & loose;
    cage.run_ended_by(&[word], 0xef00_0000).ended()
}

/// Instructions from anywhere.
pub fn fetch(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    let at = match random.below(4) {
        0 => PLACES.device(random),
        1 => PLACES.nowhere(random),
        2 => PLACES.flash.0 + u64::from(random.below(0x1000)),
        _ => PLACES.any(random),
    };
    // Not from its own RAM, where its own code and data could run for ever.
    cage.pc = if (PLACES.ram..PLACES.end).contains(&at) {
        PLACES.end + (at & 0xffff)
    } else {
        at
    };
    if random.once_in(4) {
        // Off a device's or RAM's end.
        cage.pc = PLACES.end - 4;
        store(PLACES.end - 8, 0xd503_201f_d503_201f);
    }
    if random.once_in(8) {
        cage.spsr = EL0 | random.long() & 0xf000_0000;
    }
    cage.enter().ended()
}

/// One word of any class but branches and the system's, at EL1 or EL0.
pub fn any_word(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    let at = PLACES.any(random);
    aim(&mut cage, random, at);
    // No other register is a base or an index by which a store could hit the image.
    for (n, register) in cage.x.iter_mut().enumerate() {
        if n != 1 && n != 2 {
            *register = *register & 0xfff | 1 << 42;
        }
    }
    let mut word = random.word();
    if word >> 26 & 7 == 5 {
        word ^= 1 << 28;
    }
    cage.run(&[word]).ended()
}

/// Operations of SYS that there are, of x1.
const PRESENT: [u32; 21] = [
    0xd508_711f, // IC IALLUIS
    0xd508_751f, // IC IALLU
    0xd50b_7521, // IC IVAU
    0xd508_7621, // DC IVAC
    0xd50b_7a21, // DC CVAC
    0xd50b_7b21, // DC CVAU
    0xd50b_7e21, // DC CIVAC
    0xd508_7801, // AT S1E1R
    0xd508_7821, // AT S1E1W
    0xd508_7841, // AT S1E0R
    0xd508_7861, // AT S1E0W
    0xd508_831f, // TLBI VMALLE1IS
    0xd508_8321, // TLBI VAE1IS
    0xd508_8341, // TLBI ASIDE1IS
    0xd508_8361, // TLBI VAAE1IS
    0xd508_83a1, // TLBI VALE1IS
    0xd508_83e1, // TLBI VAALE1IS
    0xd508_871f, // TLBI VMALLE1
    0xd508_8721, // TLBI VAE1
    0xd508_8741, // TLBI ASIDE1
    0xd508_87e1, // TLBI VAALE1
];

/// DC, IC, AT and TLBI by address and by all, and what else is in the space of SYS.
pub fn system(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    let at = PLACES.any(random);
    aim(&mut cage, random, at);
    let word = match random.below(4) {
        0 => 0xd508_0001 | random.word() & 0x0027_ffe0,
        // C7 and C8, any of them.
        1 => 0xd508_0001 | (7 + random.below(2)) << 12 | random.word() & 0x0007_0fe0,
        _ => random.one_of(&PRESENT),
    };
    if is_set_way(word) {
        return set_way(random);
    }
    cage.run(&[word]).ended()
}

fn is_set_way(word: u32) -> bool {
    matches!(word & 0xffff_ffe0, 0xd508_7640 | 0xd508_7a40 | 0xd508_7e40)
}

/// DC ISW, CSW and CISW: each may become a walk of all of the VM's RAM.
pub fn set_way(random: &mut Random) -> Ended {
    let mut cage = plain_cage(random);
    cage.x[1] = value(random, &PLACES);
    let word = random.one_of(&[0xd508_7641, 0xd508_7a41, 0xd508_7e41]);
    cage.sctlr = SCTLR_OFF;
    cage.run(&[word]).ended()
}

/// DC ZVA, and prefetches: they name an address and are no load.
pub fn zero(random: &mut Random) -> Ended {
    let mut cage = random_cage(random);
    let at = PLACES.any(random);
    aim(&mut cage, random, at);
    let word = if random.coin() {
        0xd50b_7421
    } else {
        0xf980_0020 | random.word() & 0x003f_fc1f
    };
    cage.run(&[word]).ended()
}
