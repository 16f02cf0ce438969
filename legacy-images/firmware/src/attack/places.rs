//! Addresses that a hostile guest tries: its devices, its own memory, what lies between, beyond and above.

use crate::loadstore::Random;

/// Where things are on the attacker's board. The attacker's image is below `code`, from the start of RAM.
pub struct Places {
    /// The start of RAM.
    pub ram: u64,
    /// Pages in which operations are written and executed.
    pub code: u64,
    /// RAM that operations may store into, up to `end`.
    pub scratch: u64,
    /// The end of RAM.
    pub end: u64,
    /// Devices: their addresses and sizes.
    pub devices: &'static [(u64, u64)],
    /// Flash: its address and size.
    pub flash: (u64, u64),
    /// An address beyond those that the board's CPU has.
    pub top: u64,
}

/// How far a load or store reaches from its base, at most.
pub const REACH: u64 = 0x2_0000;

impl Places {
    /// An address in the RAM that operations may store into, whatever their offset.
    pub fn scratch(&self, random: &mut Random) -> u64 {
        let room = (self.end - REACH) - (self.scratch + REACH);
        self.scratch + REACH + u64::from(random.below(room as u32))
    }

    /// An address in a device.
    pub fn device(&self, random: &mut Random) -> u64 {
        let (base, size) = random.one_of(self.devices);
        let reach = if random.coin() { size } else { size.min(0x80) };
        base + u64::from(random.below(reach as u32))
    }

    /// Any address that is not in the attacker's image.
    pub fn any(&self, random: &mut Random) -> u64 {
        match random.below(20) {
            0..=3 => self.scratch(random),
            4..=10 => {
                let at = self.device(random);
                // Most devices refuse what is not aligned.
                if random.coin() { at & !3 } else { at }
            }
            11 => self.end - 8 + u64::from(random.below(16)),
            12 => self.flash.0 + u64::from(random.below(0x200)),
            13 => self.flash.0 + u64::from(random.below(self.flash.1 as u32 - 0x40000)),
            14 => self.nowhere(random),
            // Behind its RAM, where the host's is: the hypervisor's and the victim's.
            15 => self.end + u64::from(random.below(0x3000_0000)),
            16 => self.hole(random),
            17 => {
                let (base, size) = random.one_of(self.devices);
                (base + size).wrapping_sub(8) + u64::from(random.below(16))
            }
            18 => self
                .top
                .wrapping_sub(8)
                .wrapping_add(u64::from(random.below(16))),
            _ => self.far(random),
        }
    }

    /// An address at which the board has nothing.
    pub fn nowhere(&self, random: &mut Random) -> u64 {
        self.end + 0x1000 + u64::from(random.below(0x1000_0000))
    }

    /// Low addresses, holes between devices among them.
    fn hole(&self, random: &mut Random) -> u64 {
        let low = (self.ram - REACH) as u32;
        u64::from(random.below(low))
    }

    /// High addresses.
    fn far(&self, random: &mut Random) -> u64 {
        let bits = 32 + random.below(32);
        match random.below(3) {
            0 => (1_u64 << bits).wrapping_sub(8) + u64::from(random.below(16)),
            1 => random.long() >> (63 - bits) | 1 << 33,
            _ => 0_u64.wrapping_sub(u64::from(random.below(0x100))),
        }
    }
}

/// A value of the kinds that go wrong: small, all ones, single bits, addresses, any.
pub fn value(random: &mut Random, places: &Places) -> u64 {
    match random.below(8) {
        0 => u64::from(random.below(0x100)),
        1 => 0_u64.wrapping_sub(u64::from(random.below(0x100))),
        2 => 1 << random.below(64),
        3 => !(1 << random.below(64)),
        4 => places.any(random),
        5 => u64::from(random.word()),
        6 => 0,
        _ => random.long(),
    }
}
