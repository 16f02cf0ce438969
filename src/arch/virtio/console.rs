//! The host's virtio console, where it has one: the link's bytes go by the buffer and not one by one
//! (Virtual I/O Device 1.2, 5.3: its first port).
//!
//! One buffer for each direction. What is to be sent gathers while the device has the last buffer; it is told
//! when there is no more to gather.

use super::queue::{Buffers, Queue, Way};
use super::{Mmio, RECEIVE, TRANSMIT};
use crate::arch::mmu::MapRefused;
use reliquary::units::HostPa;

const CONSOLE: u32 = 3;

/// Entries of a queue, of which one is used.
const ENTRIES: usize = 2;
/// Fewer than an interrupt's handler takes, so that it always comes to give the buffer back.
const INCOMING: usize = 192;
const OUTGOING: usize = 1024;

/// The console, mapped and started.
pub struct VirtioConsole {
    mmio: Mmio,
    receive: Queue<ENTRIES>,
    transmit: Queue<ENTRIES>,
    incoming: Buffers,
    outgoing: Buffers,
    /// Bytes in the outgoing buffer, and whether the device has it.
    gathered: usize,
    in_flight: bool,
    /// What of the incoming buffer is still to be taken.
    next: usize,
    bytes: usize,
}

impl VirtioConsole {
    /// Starts the device at `base`; none if it is no virtio console of version 1.0 or later.
    ///
    /// # Errors
    ///
    /// Its registers cannot be mapped.
    pub fn open(base: HostPa) -> Result<Option<Self>, MapRefused> {
        let Some(mmio) = Mmio::open(base, CONSOLE)? else {
            return Ok(None);
        };
        let made = || {
            Some(Self {
                mmio,
                receive: Queue::new(Way::In)?,
                transmit: Queue::new(Way::Out)?,
                incoming: Buffers::new(INCOMING)?,
                outgoing: Buffers::new(OUTGOING)?,
                gathered: 0,
                in_flight: false,
                next: 0,
                bytes: 0,
            })
        };
        let Some(mut console) = made() else {
            return Ok(None);
        };
        if !mmio.start([console.receive.parts(), console.transmit.parts()]) {
            return Ok(None);
        }
        console.transmit.interrupts(false);
        console.give_back();
        Ok(Some(console))
    }

    /// Takes a byte to send, if there is room.
    pub fn try_send(&mut self, byte: u8) -> bool {
        if self.gathered == OUTGOING {
            self.submit();
        }
        if !self.has_buffer() {
            return false;
        }
        self.outgoing.write(self.gathered, &[byte]);
        self.gathered += 1;
        true
    }

    /// Whether the outgoing buffer is here.
    fn has_buffer(&mut self) -> bool {
        if self.in_flight && matches!(self.transmit.take(), Ok(Some(_))) {
            self.in_flight = false;
        }
        !self.in_flight
    }

    fn submit(&mut self) {
        let bytes = core::mem::take(&mut self.gathered);
        self.in_flight = true;
        self.transmit.lend(0, self.outgoing.address(0), bytes);
        self.mmio.notify(TRANSMIT);
    }

    /// Gives the incoming buffer to the device.
    fn give_back(&mut self) {
        (self.next, self.bytes) = (0, 0);
        self.receive.lend(0, self.incoming.address(0), INCOMING);
        self.mmio.notify(RECEIVE);
    }

    /// Takes a received byte.
    pub fn try_receive(&mut self) -> Option<u8> {
        if self.next == self.bytes {
            if self.bytes != 0 {
                self.give_back();
            }
            let (_, bytes) = self.receive.take().ok()??;
            self.bytes = bytes.min(INCOMING);
            if self.bytes == 0 {
                self.give_back();
                return None;
            }
        }
        let mut byte = [0];
        self.incoming.read(self.next, &mut byte);
        self.next += 1;
        Some(byte[0])
    }

    /// Sends what has gathered. `waits`: more does, and an interrupt is to tell of room; where there is some
    /// already, the answer is true.
    pub fn settle(&mut self, waits: bool) -> bool {
        if self.gathered > 0 {
            self.submit();
        }
        self.transmit.interrupts(waits);
        waits && self.has_buffer()
    }

    /// The device's interrupt is being served.
    pub fn acknowledge(&self) {
        self.mmio.acknowledge();
    }
}
