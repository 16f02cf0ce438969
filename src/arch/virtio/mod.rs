//! The host's virtio devices over MMIO (Virtual I/O Device 1.2, 4.2), version 1.0 and later: what all of
//! them share. They have memory of their own that the device sees coherently.

pub mod console;
pub mod net;
mod queue;

use super::barrier_dsb;
use super::mmu::{self, MapRefused, PAGE, Rights};
use queue::Parts;
use reliquary::units::HostPa;

// Registers (4.2.2).
const MAGIC: usize = 0x000;
const VERSION: usize = 0x004;
const DEVICE_ID: usize = 0x008;
const DRIVER_FEATURES: usize = 0x020;
const DRIVER_FEATURES_SEL: usize = 0x024;
const DEVICE_FEATURES: usize = 0x010;
const DEVICE_FEATURES_SEL: usize = 0x014;
const QUEUE_SEL: usize = 0x030;
const QUEUE_NUM_MAX: usize = 0x034;
const QUEUE_NUM: usize = 0x038;
const QUEUE_READY: usize = 0x044;
const QUEUE_NOTIFY: usize = 0x050;
const INTERRUPT_STATUS: usize = 0x060;
const INTERRUPT_ACK: usize = 0x064;
const STATUS: usize = 0x070;
const QUEUE_DESC: usize = 0x080;
const QUEUE_DRIVER: usize = 0x090;
const QUEUE_DEVICE: usize = 0x0a0;

const MAGIC_VALUE: u32 = 0x7472_6976;
/// The interface of version 1.0 and later.
const MODERN: u32 = 2;
/// VIRTIO_F_VERSION_1, bit 32 of the features: bit 0 of their second word.
const VERSION_1: u32 = 1;

// Device status (2.1).
const ACKNOWLEDGE: u32 = 1;
const DRIVER: u32 = 2;
const DRIVER_OK: u32 = 4;
const FEATURES_OK: u32 = 8;
const FAILED: u32 = 128;

/// The first two queues of a device with ports: from it, and to it (5.1.2, 5.3.2).
const RECEIVE: u32 = 0;
const TRANSMIT: u32 = 1;

/// A device's registers, mapped.
#[derive(Clone, Copy)]
pub struct Mmio {
    base: usize,
}

impl Mmio {
    /// Those at `base`, if a device of this kind and of version 1.0 or later is there.
    fn open(base: HostPa, device: u32) -> Result<Option<Self>, MapRefused> {
        mmu::map(base.0, PAGE as u64, Rights::Device)?;
        let mmio = Self {
            base: base.0 as usize,
        };
        let is = [MAGIC, VERSION, DEVICE_ID].map(|offset| mmio.read(offset));
        Ok((is == [MAGIC_VALUE, MODERN, device]).then_some(mmio))
    }

    /// Initialization (3.1.1), with no features but VERSION_1, and the queues of numbers 0 and on. Whether the
    /// device takes what is asked.
    fn start(self, queues: [Parts; 2]) -> bool {
        self.write(STATUS, 0);
        self.write(STATUS, ACKNOWLEDGE);
        self.write(STATUS, ACKNOWLEDGE | DRIVER);
        self.write(DEVICE_FEATURES_SEL, 1);
        let offered = self.read(DEVICE_FEATURES);
        for (word, features) in [(0, 0), (1, offered & VERSION_1)] {
            self.write(DRIVER_FEATURES_SEL, word);
            self.write(DRIVER_FEATURES, features);
        }
        let agreed = ACKNOWLEDGE | DRIVER | FEATURES_OK;
        self.write(STATUS, agreed);
        let sound = self.read(STATUS) & FEATURES_OK != 0
            && (0..).zip(queues).all(|(number, parts)| {
                self.write(QUEUE_SEL, number);
                let fits = self.read(QUEUE_NUM_MAX) >= parts.entries;
                self.write(QUEUE_NUM, parts.entries);
                for (register, address) in [
                    (QUEUE_DESC, parts.descriptors),
                    (QUEUE_DRIVER, parts.available),
                    (QUEUE_DEVICE, parts.used),
                ] {
                    self.write(register, address as u32);
                    self.write(register + 4, (address >> 32) as u32);
                }
                if fits {
                    self.write(QUEUE_READY, 1);
                }
                fits
            });
        self.write(STATUS, agreed | if sound { DRIVER_OK } else { FAILED });
        sound
    }

    /// There is something new in a queue.
    fn notify(self, queue: u32) {
        self.write(QUEUE_NOTIFY, queue);
    }

    /// The device's interrupt is being served.
    pub fn acknowledge(self) {
        self.write(INTERRUPT_ACK, self.read(INTERRUPT_STATUS));
    }

    fn read(self, offset: usize) -> u32 {
        // SAFETY: `base` is a virtio device's registers, mapped as device memory by `open` for ever.
        unsafe { ((self.base + offset) as *const u32).read_volatile() }
    }

    fn write(self, offset: usize, value: u32) {
        barrier_dsb(); // what it is to find in memory is there
        // SAFETY: as in `read`.
        unsafe { ((self.base + offset) as *mut u32).write_volatile(value) }
    }
}
