//! The serial EEPROM behind E2P_CMD and E2P_DATA (data sheet, 4.x and 5.3.23): 128 bytes, of
//! which the first seven are a signature and the MAC address.

use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};

/// What the first byte is when the address follows.
const SIGNATURE: u8 = 0xa5;
const BUSY: u32 = 1 << 31;
const LOADED: u32 = 1 << 8;
const BYTES: usize = 128;

#[derive(Clone, Copy)]
pub(super) struct Eeprom {
    bytes: [u8; BYTES],
    /// After EWEN, until EWDS or a power-on.
    writable: bool,
    command: u32,
    data: u8,
}

impl Eeprom {
    pub(super) fn new(mac: [u8; 6]) -> Self {
        let mut bytes = [0xff; BYTES];
        for (to, from) in bytes.iter_mut().zip([SIGNATURE].into_iter().chain(mac)) {
            *to = from;
        }
        Self {
            bytes,
            writable: false,
            command: 0,
            data: 0,
        }
    }

    /// The registers' reset; what the part holds, and whether it may be written, stays.
    pub(super) fn reset(&mut self) {
        (self.command, self.data) = (0, 0);
    }

    pub(super) const fn command(&self) -> u32 {
        self.command
    }

    pub(super) const fn data(&self) -> u32 {
        self.data as u32
    }

    pub(super) fn set_data(&mut self, value: u32) {
        self.data = value as u8;
    }

    /// The address, if there is one: what follows a reset, and the command RELOAD.
    pub(super) fn address(&mut self) -> Option<[u8; 6]> {
        let loaded = match self.bytes {
            [SIGNATURE, a, b, c, d, e, f, ..] => Some([a, b, c, d, e, f]),
            _ => None,
        };
        self.command &= !LOADED;
        if loaded.is_some() {
            self.command |= LOADED;
        }
        loaded
    }

    /// A write to E2P_CMD. True if the address is to be loaded anew.
    pub(super) fn run(&mut self, value: u32) -> bool {
        self.command = self.command & LOADED | value & 0x7000_00ff;
        if value & BUSY == 0 {
            return false;
        }
        let place = (value & 0x7f) as usize;
        match value >> 28 & 7 {
            0 => self.data = self.bytes.get(place).copied().unwrap_or(0),
            1 => self.writable = false,
            2 => self.writable = true,
            3 => self.store(place, 1, self.data),
            4 => self.store(0, BYTES, self.data),
            5 => self.store(place, 1, 0xff),
            6 => self.store(0, BYTES, 0xff),
            _ => return true,
        }
        false
    }

    fn store(&mut self, place: usize, count: usize, value: u8) {
        if self.writable {
            for byte in self.bytes.iter_mut().skip(place).take(count) {
                *byte = value;
            }
        }
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.bytes(&self.bytes);
        out.bool(self.writable);
        out.u32(self.command);
        out.u8(self.data);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            bytes: from
                .bytes(BYTES)?
                .try_into()
                .map_err(|_| Refusal::BadState)?,
            writable: from.bool()?,
            command: from.u32()? & (0x7000_00ff | LOADED),
            data: from.u8()?,
        })
    }
}
