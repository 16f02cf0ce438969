//! What is played of a device that has no registers but takes commands: a flash.

use crate::ours::Ours;
use crate::play::{Random, Step};
use crate::target::Target;
use reliquary::access::Width;
use reliquary::emul::describe::Register;

/// The commands of a device, in its first register block.
#[derive(Clone, Copy)]
pub struct Commands {
    /// What its places are called.
    pub places: &'static [Register],
    /// The next accesses; it may look at our store, by words.
    pub next: fn(&mut Random, &dyn Fn(u64) -> u32) -> Vec<Cycle>,
    /// What every byte of the store is at first.
    pub erased: u8,
}

/// An access: the offset, the width in bytes, what is written.
pub struct Cycle(pub u64, pub u64, pub Option<u64>);

impl Commands {
    /// Steps up to a length.
    pub fn generate(
        &self,
        target: &Target,
        length: u64,
        random: &mut Random,
        ours: &mut Ours,
        steps: &mut Vec<Step>,
    ) {
        while (steps.len() as u64) < length {
            let cycles = (self.next)(random, &|offset| ours.stored(offset));
            for Cycle(offset, bytes, value) in cycles {
                let width = Width::from_bytes(bytes).expect("a bus's width");
                let region = 0;
                let step = match value {
                    None => Step::Read {
                        region,
                        offset,
                        width,
                    },
                    Some(value) => Step::Write {
                        region,
                        offset,
                        width,
                        value,
                    },
                };
                ours.step(target, &step);
                steps.push(step);
            }
        }
        steps.truncate(length as usize);
    }

    /// The place at an offset, and its index if it is one of many.
    pub fn place(&self, region: u8, offset: u64) -> Option<(&'static Register, u64)> {
        let mut places = self.places.iter();
        places.find_map(|place| Some((place, place.index(region, offset)?)))
    }
}
