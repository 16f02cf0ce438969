//! The host's virtio console, where it has one: the link's bytes go by the buffer and not one by one
//! (Virtual I/O Device 1.2, 4.2: over MMIO; 5.3: console, its first port).
//!
//! One buffer for each direction, in memory of our own that the device sees coherently. What is to be sent
//! gathers while the device has the last buffer; it is told when there is no more to gather.

use super::barrier_dsb;
use super::mmu::{self, MapRefused, PAGE, Rights};
use core::cell::UnsafeCell;
use core::mem::offset_of;
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
const CONSOLE: u32 = 3;
/// VIRTIO_F_VERSION_1, bit 32 of the features: bit 0 of their second word.
const VERSION_1: u32 = 1;

// Device status (2.1).
const ACKNOWLEDGE: u32 = 1;
const DRIVER: u32 = 2;
const DRIVER_OK: u32 = 4;
const FEATURES_OK: u32 = 8;

/// Descriptor flag: the device writes there (2.7.5).
const WRITES: u16 = 2;
/// Available ring flag: no interrupt for used buffers (2.7.6).
const NO_INTERRUPT: u16 = 1;

const RECEIVE: u32 = 0;
const TRANSMIT: u32 = 1;
/// Entries of a queue, of which one is used.
const ENTRIES: usize = 2;
/// Fewer than an interrupt's handler takes, so that it always comes to give the buffer back.
const INCOMING: usize = 192;
const OUTGOING: usize = 1024;

/// A split virtqueue (2.7).
#[repr(C, align(16))]
struct Queue {
    descriptors: [Descriptor; ENTRIES],
    available: Available,
    used: Used,
}

#[repr(C)]
struct Descriptor {
    address: u64,
    bytes: u32,
    flags: u16,
    next: u16,
}

#[repr(C)]
struct Available {
    flags: u16,
    index: u16,
    ring: [u16; ENTRIES],
    event: u16,
}

#[repr(C, align(4))]
struct Used {
    flags: u16,
    index: u16,
    ring: [[u32; 2]; ENTRIES],
    event: u16,
}

impl Queue {
    const fn new() -> Self {
        Self {
            descriptors: [const {
                Descriptor {
                    address: 0,
                    bytes: 0,
                    flags: 0,
                    next: 0,
                }
            }; ENTRIES],
            available: Available {
                flags: 0,
                index: 0,
                ring: [0; ENTRIES],
                event: 0,
            },
            used: Used {
                flags: 0,
                index: 0,
                ring: [[0; 2]; ENTRIES],
                event: 0,
            },
        }
    }
}

/// What the device sees.
#[repr(C)]
struct Memory {
    receive: Queue,
    transmit: Queue,
    incoming: [u8; INCOMING],
    outgoing: [u8; OUTGOING],
}

struct Shared(UnsafeCell<Memory>);

// SAFETY: only the one `VirtioConsole`, which is behind the link's lock, and the device touch it.
unsafe impl Sync for Shared {}

static SHARED: Shared = Shared(UnsafeCell::new(Memory {
    receive: Queue::new(),
    transmit: Queue::new(),
    incoming: [0; INCOMING],
    outgoing: [0; OUTGOING],
}));

/// Where a field of the shared memory is, as its type. The device changes it, so no reference to it is ever made.
macro_rules! shared {
    ($type:ty: $($field:tt)+) => {
        (SHARED.0.get() as usize + offset_of!(Memory, $($field)+)) as *mut $type
    };
}

/// The console, mapped and started.
pub struct VirtioConsole {
    base: usize,
    /// Bytes in the outgoing buffer, and whether the device has it.
    gathered: usize,
    in_flight: bool,
    /// The used ring's index when it was looked at last.
    sent: u16,
    received: u16,
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
        mmu::map(base.0, PAGE as u64, Rights::Device)?;
        let mut console = Self {
            base: base.0 as usize,
            gathered: 0,
            in_flight: false,
            sent: 0,
            received: 0,
            next: 0,
            bytes: 0,
        };
        let is = [MAGIC, VERSION, DEVICE_ID].map(|offset| console.read(offset));
        if is != [MAGIC_VALUE, MODERN, CONSOLE] || !console.start() {
            return Ok(None);
        }
        Ok(Some(console))
    }

    /// Initialization (3.1.1). Whether the device takes what is asked.
    fn start(&mut self) -> bool {
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
        if self.read(STATUS) & FEATURES_OK == 0 {
            return false;
        }
        let queues = [
            (RECEIVE, shared!(Queue: receive) as u64),
            (TRANSMIT, shared!(Queue: transmit) as u64),
        ];
        for (number, at) in queues {
            self.write(QUEUE_SEL, number);
            if (self.read(QUEUE_NUM_MAX) as usize) < ENTRIES {
                return false;
            }
            self.write(QUEUE_NUM, ENTRIES as u32);
            let parts = [
                (QUEUE_DESC, offset_of!(Queue, descriptors)),
                (QUEUE_DRIVER, offset_of!(Queue, available)),
                (QUEUE_DEVICE, offset_of!(Queue, used)),
            ];
            for (register, offset) in parts {
                let address = at + offset as u64;
                self.write(register, address as u32);
                self.write(register + 4, (address >> 32) as u32);
            }
            self.write(QUEUE_READY, 1);
        }
        self.write(STATUS, agreed | DRIVER_OK);
        Self::interrupt_when_sent(false);
        self.give_back();
        true
    }

    fn read(&self, offset: usize) -> u32 {
        // SAFETY: `base` is a virtio device's registers, mapped as device memory by `open` for ever.
        unsafe { ((self.base + offset) as *const u32).read_volatile() }
    }

    fn write(&self, offset: usize, value: u32) {
        barrier_dsb(); // what it is to find in memory is there
        // SAFETY: as in `read`.
        unsafe { ((self.base + offset) as *mut u32).write_volatile(value) }
    }

    /// Takes a byte to send, if there is room.
    pub fn try_send(&mut self, byte: u8) -> bool {
        if self.gathered == OUTGOING {
            self.submit();
        }
        if !self.has_buffer() {
            return false;
        }
        // SAFETY: the device does not have the buffer, and the index is inside: `gathered` is less
        // than OUTGOING wherever the buffer is here.
        unsafe {
            shared!(u8: outgoing)
                .add(self.gathered)
                .write_volatile(byte);
        }
        self.gathered += 1;
        true
    }

    /// Whether the outgoing buffer is here.
    fn has_buffer(&mut self) -> bool {
        if self.in_flight {
            // SAFETY: a field of the shared memory.
            let used = unsafe { shared!(u16: transmit.used.index).read_volatile() };
            if used != self.sent {
                self.sent = used;
                self.in_flight = false;
            }
        }
        !self.in_flight
    }

    fn submit(&mut self) {
        let bytes = core::mem::take(&mut self.gathered) as u32;
        self.in_flight = true;
        let at = shared!(u8: outgoing) as u64;
        offer(shared!(Queue: transmit), at, bytes, 0);
        self.write(QUEUE_NOTIFY, TRANSMIT);
    }

    /// Gives the incoming buffer to the device.
    fn give_back(&mut self) {
        (self.next, self.bytes) = (0, 0);
        let at = shared!(u8: incoming) as u64;
        offer(shared!(Queue: receive), at, INCOMING as u32, WRITES);
        self.write(QUEUE_NOTIFY, RECEIVE);
    }

    /// Takes a received byte.
    pub fn try_receive(&mut self) -> Option<u8> {
        if self.next == self.bytes {
            if self.bytes != 0 {
                self.give_back();
            }
            // SAFETY: fields of the shared memory.
            let used = unsafe { shared!(u16: receive.used.index).read_volatile() };
            if used == self.received {
                return None;
            }
            barrier_dsb(); // the index first, then what it tells of
            let entry = usize::from(self.received) % ENTRIES;
            // SAFETY: as above; `entry` is one of the ring's.
            let [_, bytes] = unsafe {
                shared!([u32; 2]: receive.used.ring)
                    .add(entry)
                    .read_volatile()
            };
            self.received = used;
            self.bytes = (bytes as usize).min(INCOMING);
            if self.bytes == 0 {
                self.give_back();
                return None;
            }
        }
        // SAFETY: `next` is less than `bytes`, which is at most the buffer's size.
        let byte = unsafe {
            let buffer = shared!(u8: incoming);
            buffer.add(self.next).read_volatile()
        };
        self.next += 1;
        Some(byte)
    }

    /// Sends what has gathered. `waits`: more does, and an interrupt is to tell of room; where there is some
    /// already, the answer is true.
    pub fn settle(&mut self, waits: bool) -> bool {
        if self.gathered > 0 {
            self.submit();
        }
        Self::interrupt_when_sent(waits);
        waits && self.has_buffer()
    }

    fn interrupt_when_sent(on: bool) {
        let flags = if on { 0 } else { NO_INTERRUPT };
        // SAFETY: a field of the shared memory.
        unsafe { shared!(u16: transmit.available.flags).write_volatile(flags) }
        barrier_dsb(); // before the used ring is looked at
    }

    /// The device's interrupt is being served.
    pub fn acknowledge(&mut self) {
        self.write(INTERRUPT_ACK, self.read(INTERRUPT_STATUS));
    }
}

/// Makes a queue's buffer available to the device.
fn offer(queue: *mut Queue, address: u64, bytes: u32, flags: u16) {
    // SAFETY: a queue inside `SHARED`; the device does not have the descriptor, since only one buffer of a
    // queue is ever offered.
    unsafe {
        (&raw mut (*queue).descriptors[0]).write_volatile(Descriptor {
            address,
            bytes,
            flags,
            next: 0,
        });
        let index = (&raw const (*queue).available.index).read_volatile();
        (&raw mut (*queue).available.ring[usize::from(index) % ENTRIES]).write_volatile(0);
        barrier_dsb();
        (&raw mut (*queue).available.index).write_volatile(index.wrapping_add(1));
    }
}
