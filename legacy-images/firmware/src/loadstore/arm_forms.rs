//! What the forms of A32 and T32 share: places, registers, lists, and sequences.

use super::arm::{MODES, Memory, SYS, State, USR, launch_mode, spsr_slot};
use super::arm_case::Case;
use super::{HOLE, Random, WINDOWS};

/// What a generator is given.
pub struct Make<'a> {
    /// The state.
    pub state: &'a State,
    /// The numbers.
    pub random: &'a mut Random,
    /// T32.
    pub thumb: bool,
    /// The case is to run from the device to where nothing is.
    pub abort: bool,
}

/// A generator of a class's cases; nothing if the state has none.
pub type Form = fn(&mut Make<'_>) -> Option<Case>;

/// A class: its generator, and how many cases it gets in each state and round.
pub type Class = (Form, u32);

impl Make<'_> {
    /// A case of no instruction yet.
    pub fn case(&mut self, class: &'static str) -> Case {
        let class = if self.abort {
            "from a device to nowhere"
        } else {
            class
        };
        Case::new(class, self.thumb, self.random)
    }

    /// Where an access of so many bytes is to be, in steps of the alignment that it needs:
    /// in a device, or from one window into the next, or to where nothing is.
    pub fn place(&mut self, total: usize, align: usize) -> usize {
        let steps = total / align;
        if self.abort {
            return HOLE - align * self.random.between(1, steps as i32 - 1) as usize;
        }
        if steps > 1 && self.random.once_in(3) {
            let page = WINDOWS[0] + 0x1000 * self.random.between(1, 15) as usize;
            // From RAM before the windows, which is Normal memory if there is an MMU, into
            // a Device: unpredictable.
            let first = if self.state.memory == Memory::Device {
                page
            } else {
                WINDOWS[0]
            };
            let end = self.random.one_of(&[first, WINDOWS[1], WINDOWS[2], page]);
            return end - align * self.random.between(1, steps as i32 - 1) as usize;
        }
        self.inside(total, align)
    }

    /// The same, in a device from its first byte to its last.
    pub fn inside(&mut self, total: usize, align: usize) -> usize {
        let device = self.random.one_of(&[WINDOWS[0], WINDOWS[2]]);
        let at = device + self.random.below(0x1_0000 - 64 - total as u32) as usize;
        at & !(align - 1)
    }

    /// The same for an LDRD or STRD; one that loads its base is in a device as a whole, because
    /// QEMU 7.2 does not keep the base where the second word faults.
    pub fn dual(&mut self, loads_base: bool) -> usize {
        if loads_base {
            self.inside(8, 4)
        } else {
            self.place(8, 4)
        }
    }

    /// The same of one access, which Normal memory lets be unaligned; `align` is the power of 2
    /// otherwise.
    pub fn place_single(&mut self, size: usize) -> usize {
        let free = self.state.unaligned() && self.random.coin();
        self.place(size, if free { 1 } else { size })
    }

    /// A register from 0 to `last` that is none of these.
    pub fn register(&mut self, last: u32, than: &[u32]) -> u32 {
        loop {
            let register = self.random.below(last + 1);
            if !than.contains(&register) {
                return register;
            }
        }
    }

    /// A register list from these, with at least so many.
    pub fn list(&mut self, from: u32, least: u32) -> u32 {
        loop {
            let mut list = self.random.word() & from;
            if self.random.coin() {
                list &= self.random.word();
            }
            if list.count_ones() >= least {
                return list;
            }
        }
    }

    /// Whether a register can be stored that is the base: only if both runs have the same.
    #[must_use]
    pub fn stores_base(&self) -> bool {
        self.state.translated()
    }

    /// A condition of A32, at bit 28: always, mostly.
    pub fn condition(&mut self) -> u32 {
        if self.abort || self.random.below(4) != 0 {
            0xe << 28
        } else {
            self.random.below(14) << 28
        }
    }

    /// A mode that has an SPSR.
    pub fn exception_mode(&mut self) -> u32 {
        loop {
            let mode = self.random.one_of(&MODES);
            if mode != USR && mode != SYS {
                return mode;
            }
        }
    }

    /// A CPSR to return to from an exception, and where its landing is.
    pub fn return_state(&mut self) -> (u32, u32) {
        let mode = self.random.one_of(&MODES);
        let thumb = self.random.coin();
        let cpsr = self.random.word() & 0xf80f_0200 | 0x1c0 | mode | u32::from(thumb) << 5;
        // The address of a return is not a BX's: bit 0 has no meaning.
        (cpsr, Case::landing(thumb, mode) & !1)
    }
}

/// Sets the SPSR that an exception return takes.
pub fn returns_to(case: &mut Case, cpsr: u32) {
    case.banks[spsr_slot(case.mode)] = cpsr;
}

/// The mode field of an SRS: any but that whose SP the launch has.
pub fn stack_mode(make: &mut Make<'_>, case: &Case) -> u32 {
    loop {
        let mode = make.random.one_of(&MODES);
        if mode != launch_mode(case.mode) {
            return mode;
        }
    }
}
