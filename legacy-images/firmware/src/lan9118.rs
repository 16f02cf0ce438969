//! A LAN9118 as an old driver uses it: registers, MAC and PHY, and whole frames by polling.

use crate::device::Device;

/// INT_STS and INT_EN: the software interrupt, the timer's, and that of the RX status level.
pub const SW_INT: u32 = 1 << 31;
/// See [`SW_INT`].
pub const GPT_INT: u32 = 1 << 19;
/// See [`SW_INT`].
pub const RSFL: u32 = 1 << 3;

/// The controller.
#[derive(Clone, Copy)]
pub struct Lan9118(pub Device);

impl Lan9118 {
    /// Reads a register of the MAC.
    #[must_use]
    pub fn mac(self, register: u32) -> u32 {
        self.0.write(0xa4, 0xc000_0000 | register);
        while self.0.read(0xa4) >> 31 != 0 {}
        self.0.read(0xa8)
    }

    /// Writes a register of the MAC.
    pub fn set_mac(self, register: u32, value: u32) {
        self.0.write(0xa8, value);
        self.0.write(0xa4, 0x8000_0000 | register);
        while self.0.read(0xa4) >> 31 != 0 {}
    }

    /// Reads a register of the PHY.
    #[must_use]
    pub fn phy(self, register: u32) -> u32 {
        self.set_mac(6, 1 << 11 | register << 6 | 1);
        while self.mac(6) & 1 != 0 {}
        self.mac(7)
    }

    /// Writes a register of the PHY.
    pub fn set_phy(self, register: u32, value: u32) {
        self.set_mac(7, value);
        self.set_mac(6, 1 << 11 | register << 6 | 3);
        while self.mac(6) & 1 != 0 {}
    }

    /// Reads a byte of the EEPROM.
    #[must_use]
    pub fn eeprom(self, address: u32) -> u32 {
        self.0.write(0xb0, 1 << 31 | address);
        while self.0.read(0xb0) >> 31 != 0 {}
        self.0.read(0xb4)
    }

    /// Sends a frame in buffers of so many octets.
    pub fn send(self, frame: &[u8], tag: u32, buffer: usize) {
        let last = frame.chunks(buffer).count() - 1;
        for (n, part) in frame.chunks(buffer).enumerate() {
            let first = if n == 0 { 1 << 13 } else { 0 };
            let last = if n == last { 1 << 12 } else { 0 };
            self.0.write(0x20, first | last | part.len() as u32);
            self.0.write(0x20, tag << 16 | frame.len() as u32);
            for octets in part.chunks(4) {
                let mut word = [0; 4];
                word[..octets.len()].copy_from_slice(octets);
                self.0.write(0x20, u32::from_le_bytes(word));
            }
        }
    }

    /// Reads the frame that waits into `into`, with the offset that RX_CFG has: its status.
    #[must_use]
    pub fn receive(self, into: &mut [u8], offset: usize) -> Option<u32> {
        if self.0.read(0x7c) >> 16 == 0 {
            return None;
        }
        let status = self.0.read(0x40);
        let octets = (status >> 16 & 0x3fff) as usize + offset;
        for place in into[..octets.next_multiple_of(4)].chunks_exact_mut(4) {
            place.copy_from_slice(&self.0.read(0x00).to_le_bytes());
        }
        Some(status)
    }
}
