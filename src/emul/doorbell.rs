//! The doorbells of a memory that VMs share.
//!
//! No manual: the part is ours (docs/reference/shared-memory.md). `compatible`:
//! `reliquary,shared-memory`. Region 0 of its node is the memory, which is mapped and never comes here;
//! region 1 is this page. The VMs that share the memory are numbered from 0, at most [`PEERS_MAX`].
//!
//! | offset | register | read | write |
//! |---|---|---|---|
//! | 0x00 | STATUS | bit n: VM n has rung, and was not acknowledged | 1s acknowledge |
//! | 0x04 | RING | 0 | bit n rings VM n; those that there are not, and itself, are ignored |
//! | 0x08 | ENABLE | bit n: a ring of VM n interrupts; all are set by a reset | sets it |
//! | 0x0c | SELF | this VM's own number | ignored |
//! | 0x10 | PEERS | bit n: VM n shares the memory, itself too | ignored |
//!
//! Output line 0 is the interrupt, a level. Output line 1 + n changes with each ring of VM n; an edge
//! of input n is a ring by VM n. Rings that come together are one.

use super::describe::{Description, Register as Named, register};
use super::state::{Reader, Writer};
use super::{Cx, Device, Line, Lines, Reset, apb};
use crate::access::{Access, Refusal};

/// The most VMs that share a memory.
pub const PEERS_MAX: u8 = 8;

/// What its registers are called.
pub static DESCRIPTION: Description = Description::of("ours", REGISTERS).lines(&[
    "interrupt",
    "ring0",
    "ring1",
    "ring2",
    "ring3",
    "ring4",
    "ring5",
    "ring6",
    "ring7",
]);

const REGISTERS: &[Named] = &[
    register(0x00, "STATUS").region(1),
    register(0x04, "RING").region(1),
    register(0x08, "ENABLE").region(1),
    register(0x0c, "SELF").region(1),
    register(0x10, "PEERS").region(1),
];

/// Bytes of the register block.
const SIZE: u64 = 0x1000;

/// The doorbells as one VM has them.
pub struct Doorbell {
    own: u8,
    /// Bit n: VM n is there.
    peers: u8,
    status: u8,
    enable: u8,
    /// The levels of the lines that ring: bit n is that of VM n.
    rings: u8,
}

impl Doorbell {
    /// Those of VM `own` among `count`; none if there is no such.
    pub fn new(own: u8, count: u8) -> Option<Self> {
        (own < count && count <= PEERS_MAX).then(|| Self {
            own,
            // At most eight bits of sixteen.
            peers: (1_u16 << count).wrapping_sub(1) as u8,
            status: 0,
            enable: u8::MAX,
            rings: 0,
        })
    }

    const fn others(&self) -> u8 {
        self.peers & !(1_u8 << (self.own & 7))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Status,
    Ring,
    Enable,
    Own,
    Peers,
    Undefined,
}

impl Register {
    const fn at(offset: u64) -> Self {
        match offset {
            0x00 => Self::Status,
            0x04 => Self::Ring,
            0x08 => Self::Enable,
            0x0c => Self::Own,
            0x10 => Self::Peers,
            _ => Self::Undefined,
        }
    }
}

impl Device for Doorbell {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        if access.region != 1 || access.offset >= SIZE {
            return Err(Refusal::NoRegister);
        }
        apb::read(access, |offset| {
            u32::from(match Register::at(offset) {
                Register::Status => self.status,
                Register::Enable => self.enable,
                Register::Own => self.own,
                Register::Peers => self.peers,
                Register::Ring | Register::Undefined => 0,
            })
        })
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        if access.region != 1 || access.offset >= SIZE {
            return Err(Refusal::NoRegister);
        }
        apb::write(access, value, |offset, value| {
            let bits = value as u8;
            match Register::at(offset) {
                Register::Status => self.status &= !bits,
                Register::Ring => self.rings ^= bits & self.others(),
                Register::Enable => self.enable = bits,
                Register::Own | Register::Peers | Register::Undefined => {}
            }
        })
    }

    fn input(&mut self, _: &mut Cx<'_>, line: Line, _level: bool) {
        let bit = 1_u8.checked_shl(u32::from(line.0)).unwrap_or(0);
        self.status |= bit & self.others();
    }

    fn lines(&self) -> Lines {
        let rings = u64::from(self.rings) << 1;
        Lines(rings).with(0, self.status & self.enable != 0)
    }

    fn reset(&mut self, _: Reset) {
        (self.status, self.enable, self.rings) = (0, u8::MAX, 0);
    }

    fn save(&self, out: &mut Writer) {
        for part in [self.status, self.enable, self.rings] {
            out.u8(part);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        let (status, enable, rings) = (from.u8()?, from.u8()?, from.u8()?);
        if (status | rings) & !self.others() != 0 {
            return Err(Refusal::BadState);
        }
        (self.status, self.enable, self.rings) = (status, enable, rings);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::NoMemory;
    use crate::units::Instant;
    use std::vec::Vec;

    const STATUS: u64 = 0;
    const RING: u64 = 4;
    const ENABLE: u64 = 8;

    fn at(offset: u64) -> Access {
        Access {
            region: 1,
            ..Access::word(offset)
        }
    }

    fn cx() -> Cx<'static> {
        Cx::new(Instant::ZERO, &NoMemory, None)
    }

    fn read(bell: &mut Doorbell, offset: u64) -> u64 {
        bell.read(&mut cx(), at(offset)).unwrap()
    }

    fn write(bell: &mut Doorbell, offset: u64, value: u64) {
        bell.write(&mut cx(), at(offset), value).unwrap();
    }

    #[test]
    fn it_tells_who_it_is_and_who_there_are() {
        let mut bell = Doorbell::new(2, 3).unwrap();
        assert_eq!(read(&mut bell, 0xc), 2);
        assert_eq!(read(&mut bell, 0x10), 0b111);
        assert_eq!(read(&mut Doorbell::new(7, 8).unwrap(), 0x10), 0xff);
        for (own, count) in [(0, 0), (3, 3), (0, 9), (8, 8), (255, 255)] {
            assert!(Doorbell::new(own, count).is_none(), "{own} of {count}");
        }
    }

    #[test]
    fn a_ring_is_an_edge_of_the_others_line_each_time() {
        let mut bell = Doorbell::new(0, 3).unwrap();
        write(&mut bell, RING, 0b010);
        assert_eq!(bell.lines(), Lines(0b0100));
        write(&mut bell, RING, 0b110);
        assert_eq!(bell.lines(), Lines(0b1000));
        assert_eq!(read(&mut bell, RING), 0);
        write(&mut bell, RING, 0xffff_fff9);
        assert_eq!(
            bell.lines(),
            Lines(0b1000),
            "itself, and those that there are not"
        );
    }

    #[test]
    fn each_edge_rings_until_it_is_acknowledged() {
        let mut bell = Doorbell::new(0, 3).unwrap();
        for level in [true, false] {
            bell.input(&mut cx(), Line(2), level);
            assert_eq!(read(&mut bell, STATUS), 0b100);
            assert_eq!(bell.lines(), Lines(1));
            write(&mut bell, STATUS, 0b011);
            assert_eq!(bell.lines(), Lines(1), "another's");
            write(&mut bell, STATUS, 0b100);
            assert_eq!(bell.lines(), Lines(0));
        }
        for line in [0, 3, 7, 8, 63, 64, u16::MAX] {
            bell.input(&mut cx(), Line(line), true);
        }
        assert_eq!(read(&mut bell, STATUS), 0, "no VM of these numbers");
    }

    #[test]
    fn what_is_not_enabled_does_not_interrupt_and_is_not_lost() {
        let mut bell = Doorbell::new(1, 2).unwrap();
        write(&mut bell, ENABLE, 0);
        bell.input(&mut cx(), Line(0), true);
        assert_eq!(bell.lines(), Lines(0));
        write(&mut bell, ENABLE, 1);
        assert_eq!(bell.lines(), Lines(1));
        bell.reset(Reset::Warm);
        assert_eq!(bell.lines(), Lines(0));
        assert_eq!(read(&mut bell, ENABLE), 0xff);
    }

    #[test]
    fn its_memory_is_not_reached_by_it() {
        let mut bell = Doorbell::new(0, 2).unwrap();
        for access in [Access::word(0), at(0x1000), at(u64::MAX)] {
            assert_eq!(bell.read(&mut cx(), access), Err(Refusal::NoRegister));
            assert_eq!(bell.write(&mut cx(), access, 1), Err(Refusal::NoRegister));
        }
    }

    #[test]
    fn a_saved_state_comes_back_and_a_wrong_one_does_not() {
        let mut bell = Doorbell::new(0, 3).unwrap();
        write(&mut bell, RING, 0b100);
        bell.input(&mut cx(), Line(1), true);
        let mut out = Writer::default();
        bell.save(&mut out);
        let bytes = out.into_bytes();
        let mut other = Doorbell::new(0, 3).unwrap();
        other.load(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(other.lines(), bell.lines());
        let wrong: Vec<u8> = [1, 0xff, 0].to_vec();
        assert_eq!(other.load(&mut Reader::new(&wrong)), Err(Refusal::BadState));
    }
}
