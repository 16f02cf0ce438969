//! The serial bus control register (SBCON) of ARM's Versatile boards: two wires of an I2C bus,
//! driven bit by bit.
//!
//! ARM DUI 0447, 4.5 (V2M-P1, two-wire serial bus interface). Compatible `arm,versatile-i2c`.
//! The device has no lines.
//!
//! | offset | read | write |
//! |---|---|---|
//! | 0x0 SB_CONTROL, SB_CONTROLS | bit 0 SCL, bit 1 SDA, as on the wires | sets the bits |
//! | 0x4 SB_CONTROLC | 0 | clears the bits |
//!
//! Deviation: nothing is on the bus (the DVI transmitter, the PCIe switch), so the wires are
//! what the guest drives, high when it lets go, and every address goes unacknowledged.
//! QEMU's model starts with both wires low; here a reset lets go of them, as open-drain
//! outputs with pull-ups are at rest.

use super::describe::{Description, Register as Named, bit, register};
use super::state::{Reader, Writer};
use super::{Cx, Device, Reset, apb};
use crate::access::{Access, Refusal};

/// SCL and SDA.
const WIRES: u8 = 3;
/// What its registers are called.
pub static DESCRIPTION: Description =
    Description::of("DUI 0447, 4.5", REGISTERS).deviations(&["nothing is on the bus"]);

const REGISTERS: &[Named] = &[
    register(0x0, "SB_CONTROLS").fields(&[bit("SDA", 1), bit("SCL", 0)]),
    register(0x4, "SB_CONTROLC").fields(&[bit("SDA", 1), bit("SCL", 0)]),
];

/// The two wires.
pub struct VersatileI2c {
    /// A bit is set where the guest lets the wire go high.
    released: u8,
}

impl Default for VersatileI2c {
    fn default() -> Self {
        Self::new()
    }
}

impl VersatileI2c {
    /// A bus at rest.
    pub const fn new() -> Self {
        Self { released: WIRES }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    ControlSet,
    ControlClear,
    Undefined,
}

impl Register {
    const fn at(offset: u64) -> Self {
        match offset {
            0 => Self::ControlSet,
            4 => Self::ControlClear,
            _ => Self::Undefined,
        }
    }
}

/// Bytes of the register block.
const SIZE: u64 = 0x1000;

impl Device for VersatileI2c {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        if access.region != 0 || access.offset >= SIZE {
            return Err(Refusal::NoRegister);
        }
        apb::read(access, |offset| match Register::at(offset) {
            Register::ControlSet => u32::from(self.released),
            Register::ControlClear | Register::Undefined => 0,
        })
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        if access.region != 0 || access.offset >= SIZE {
            return Err(Refusal::NoRegister);
        }
        apb::write(access, value, |offset, value| {
            let bits = value as u8 & WIRES;
            match Register::at(offset) {
                Register::ControlSet => self.released |= bits,
                Register::ControlClear => self.released &= !bits,
                Register::Undefined => {}
            }
        })
    }

    fn reset(&mut self, _: Reset) {
        self.released = WIRES;
    }

    fn save(&self, out: &mut Writer) {
        out.u8(self.released);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.released = WIRES;
        self.released = Some(from.u8()?)
            .filter(|bits| *bits <= WIRES)
            .ok_or(Refusal::BadState)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Width;
    use crate::memory::NoMemory;
    use crate::units::Instant;

    const SCL: u64 = 1;
    const SDA: u64 = 2;

    fn read(dev: &mut VersatileI2c, offset: u64) -> u64 {
        dev.read(
            &mut Cx::new(Instant::ZERO, &NoMemory, None),
            Access::word(offset),
        )
        .unwrap()
    }
    fn write(dev: &mut VersatileI2c, offset: u64, value: u64) {
        dev.write(
            &mut Cx::new(Instant::ZERO, &NoMemory, None),
            Access::word(offset),
            value,
        )
        .unwrap();
    }

    #[test]
    fn registers_reset_to_a_bus_at_rest() {
        let mut dev = VersatileI2c::new();
        assert!(
            (0..0x1000)
                .step_by(4)
                .all(|offset| read(&mut dev, offset) == if offset == 0 { 3 } else { 0 })
        );
    }

    #[test]
    fn each_wire_is_set_and_cleared_by_itself() {
        let mut dev = VersatileI2c::new();
        write(&mut dev, 4, SDA);
        assert_eq!(read(&mut dev, 0), SCL);
        write(&mut dev, 4, SCL);
        assert_eq!(read(&mut dev, 0), 0);
        write(&mut dev, 0, SDA | 0xffff_fff0);
        assert_eq!(read(&mut dev, 0), SDA);
        write(&mut dev, 8, 3);
        assert_eq!(read(&mut dev, 0), SDA);
    }

    #[test]
    fn an_address_is_not_acknowledged() {
        let mut dev = VersatileI2c::new();
        // Start, then address 0x39 with the write bit, most significant bit first.
        write(&mut dev, 4, SDA);
        for bit in (0..8).rev() {
            write(&mut dev, 4, SCL);
            write(&mut dev, if 0x72 >> bit & 1 == 1 { 0 } else { 4 }, SDA);
            write(&mut dev, 0, SCL);
        }
        write(&mut dev, 4, SCL);
        write(&mut dev, 0, SDA);
        write(&mut dev, 0, SCL);
        assert_eq!(read(&mut dev, 0), SCL | SDA);
    }

    #[test]
    fn saved_state_comes_back_and_odd_accesses_are_refused() {
        let mut dev = VersatileI2c::new();
        write(&mut dev, 4, SCL);
        let mut out = Writer::default();
        dev.save(&mut out);
        let mut two = VersatileI2c::new();
        two.load(&mut Reader::new(&out.into_bytes())).unwrap();
        assert_eq!(read(&mut two, 0), SDA);
        assert_eq!(two.load(&mut Reader::new(&[4])), Err(Refusal::BadState));
        assert_eq!(read(&mut two, 0), 3);
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        assert_eq!(
            dev.read(&mut cx, Access::word(4).sized(Width::Double)),
            Err(Refusal::Width)
        );
        assert_eq!(dev.write(&mut cx, Access::word(2), 0), Err(Refusal::Width));
        assert_eq!(
            dev.read(&mut cx, Access::word(0x1000)),
            Err(Refusal::NoRegister)
        );
    }

    #[test]
    fn a_reset_lets_go_of_both_wires() {
        let mut dev = VersatileI2c::new();
        write(&mut dev, 4, SCL | SDA);
        assert_eq!(read(&mut dev, 0), 0);
        dev.reset(Reset::Warm);
        assert_eq!(read(&mut dev, 0), SCL | SDA);
    }

    #[test]
    fn a_write_beside_the_block_is_refused() {
        let mut dev = VersatileI2c::new();
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        for access in [
            Access::word(SIZE),
            Access {
                region: 1,
                ..Access::word(4)
            },
        ] {
            assert_eq!(dev.write(&mut cx, access, 3), Err(Refusal::NoRegister));
        }
        assert_eq!(read(&mut dev, 0), SCL | SDA);
    }
}
