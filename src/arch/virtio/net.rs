//! The host's virtio network device (Virtual I/O Device 1.2, 5.1): its first pair of queues, frames whole,
//! nothing offloaded and nothing filtered.
//!
//! All buffers are there from the start: the device has those to receive, until one holds a frame, and those
//! to send while it sends them.

use super::queue::{Buffers, Flags, Queue, Way};
use super::{Mmio, RECEIVE, TRANSMIT};
use crate::arch::mmu::MapRefused;
use reliquary::emul::frames::FRAME_MAX;
use reliquary::units::HostPa;
use reliquary::virtqueue::Wrong;
use reliquary::wire::network::FCS;

const NETWORK: u32 = 1;

/// Before each frame (5.1.6): flags and sizes for offloads, of which there are none, and the number of buffers.
const HEADER: usize = 12;
const RECEIVED: usize = 32;
const SENT: usize = 16;
/// Bytes of a buffer: the longest frame that a wire carries, without its check sequence.
const BUFFER: usize = HEADER + FRAME_MAX - FCS;

/// The device, mapped and started.
pub struct VirtioNet {
    mmio: Mmio,
    receive: Queue<RECEIVED>,
    transmit: Queue<SENT>,
    /// Those to receive, then those to send.
    buffers: Buffers,
    /// Whether the device is to be told of buffers to receive, and of frames to send.
    owes: [bool; 2],
    /// Whether an interrupt is to tell that a frame was sent.
    tells_sent: bool,
}

/// What its interrupt is served by, without the device itself.
#[derive(Clone, Copy)]
pub struct Interrupt {
    mmio: Mmio,
    received: Flags,
}

impl Interrupt {
    /// The interrupt is being served, and comes no more for frames that are received.
    pub fn serve(self) {
        self.received.interrupts(false);
        self.mmio.acknowledge();
    }
}

impl VirtioNet {
    /// Starts the device at `base`; none if it is no virtio network device of version 1.0 or later, or there
    /// is no memory for it.
    ///
    /// # Errors
    ///
    /// Its registers cannot be mapped.
    pub fn open(base: HostPa) -> Result<Option<Self>, MapRefused> {
        let Some(mmio) = Mmio::open(base, NETWORK)? else {
            return Ok(None);
        };
        let made = || {
            Some(Self {
                mmio,
                receive: Queue::new(Way::In)?,
                transmit: Queue::new(Way::Out)?,
                buffers: Buffers::new((RECEIVED + SENT) * BUFFER)?,
                owes: [false; 2],
                tells_sent: false,
            })
        };
        let Some(mut net) = made() else {
            return Ok(None);
        };
        if !mmio.start([net.receive.parts(), net.transmit.parts()]) {
            return Ok(None);
        }
        net.transmit.interrupts(false);
        while let Some(buffer) = net.receive.free() {
            net.give_back(buffer);
        }
        net.notify();
        Ok(Some(net))
    }

    /// What serves its interrupt.
    pub const fn interrupt(&self) -> Interrupt {
        Interrupt {
            mmio: self.mmio,
            received: self.receive.flags(),
        }
    }

    fn give_back(&mut self, buffer: usize) {
        let address = self.buffers.address(buffer * BUFFER);
        self.receive.lend(buffer, address, BUFFER);
        self.owes[RECEIVE as usize] = true;
    }

    /// Copies the next frame that was received to the front of `into`, and tells how many octets it has, no
    /// check sequence among them. A buffer with no frame has none.
    ///
    /// # Errors
    ///
    /// The device says what cannot be.
    pub fn receive(&mut self, into: &mut [u8; FRAME_MAX]) -> Result<Option<usize>, Wrong> {
        let Some((buffer, bytes)) = self.receive.take()? else {
            return Ok(None);
        };
        if bytes > BUFFER {
            return Err(Wrong);
        }
        let octets = bytes.saturating_sub(HEADER);
        self.buffers
            .read(buffer * BUFFER + HEADER, &mut into[..octets]);
        self.give_back(buffer);
        Ok(Some(octets))
    }

    /// From now on an interrupt tells of a frame that is received. Whether one is there already.
    pub fn tell_received(&self) -> Result<bool, Wrong> {
        self.receive.interrupts(true);
        self.receive.has_returned()
    }

    /// Whether there is room for a frame to send; where there is none, an interrupt is to tell.
    pub fn has_room(&mut self) -> Result<bool, Wrong> {
        while self.transmit.take()?.is_some() {}
        let mut has = self.transmit.free().is_some();
        if has == self.tells_sent {
            self.tells_sent = !has;
            self.transmit.interrupts(!has);
            if !has {
                while self.transmit.take()?.is_some() {}
                has = self.transmit.free().is_some();
            }
        }
        Ok(has)
    }

    /// Sends a frame, of which the device makes the check sequence, if there is [room](Self::has_room).
    pub fn send(&mut self, frame: &[u8]) {
        let Some(buffer) = self.transmit.free() else {
            return;
        };
        let frame = &frame[..frame.len().min(BUFFER - HEADER)];
        let at = (RECEIVED + buffer) * BUFFER;
        self.buffers.write(at, &[0; HEADER]);
        self.buffers.write(at + HEADER, frame);
        let address = self.buffers.address(at);
        self.transmit.lend(buffer, address, HEADER + frame.len());
        self.owes[TRANSMIT as usize] = true;
    }

    /// Tells the device what it has not been told, of all buffers at once.
    pub fn notify(&mut self) {
        for queue in [RECEIVE, TRANSMIT] {
            if core::mem::take(&mut self.owes[queue as usize]) {
                self.mmio.notify(queue);
            }
        }
    }
}
