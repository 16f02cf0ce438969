//! Two boards at the ends of a serial wire: each sends a fixed row of characters at 115,200 baud, takes
//! the other's, and tells what became of it.
//!
//! The characters count modulo 251, so that a gap tells how many are missing, if they are fewer than
//! that. PL011 (Arm DDI 0183G), polled; time by SYS_24MHZ of the Versatile Express (DUI 0447J, 4.3.21).

use crate::check::Checks;
use crate::device::Device;
use crate::println;

/// What each sends.
const CHARACTERS: u32 = 10_000;
const MODULUS: u32 = 251;

const UARTDR: usize = 0x00;
const UARTFR: usize = 0x18;
const UARTIBRD: usize = 0x24;
const UARTFBRD: usize = 0x28;
const UARTLCR_H: usize = 0x2c;
const UARTCR: usize = 0x30;
const FR_BUSY: u32 = 1 << 3;
const FR_RXFE: u32 = 1 << 4;
const FR_TXFF: u32 = 1 << 5;
const DR_ERRORS: u32 = 7 << 8;
const DR_OE: u32 = 1 << 11;

const SYS_24MHZ: usize = 0x5c;
const HZ: u32 = 24_000_000;

/// "Are you there?", "I heard you", "that was all": none of them is a character of the row.
const SYN: u8 = 0xfd;
const ACK: u8 = 0xfe;
const END: u8 = 0xff;
/// Ends that are sent at least: more than a board sends while the other is out of its slot.
const ENDS: u32 = 1_000;

/// The port and the board's counter.
struct Port {
    uart: Device,
    system: Device,
}

impl Port {
    /// 115,200 baud from 24 MHz: the divisor is 13 and 1/64. 8N1, FIFOs on.
    fn open(&self) {
        self.uart.write(UARTCR, 0);
        self.uart.write(UARTIBRD, 13);
        self.uart.write(UARTFBRD, 1);
        self.uart.write(UARTLCR_H, 0x70);
        self.uart.write(UARTCR, 0x301);
    }

    fn now(&self) -> u32 {
        self.system.read(SYS_24MHZ)
    }

    fn take(&self) -> Option<u32> {
        (self.uart.read(UARTFR) & FR_RXFE == 0).then(|| self.uart.read(UARTDR))
    }

    fn has_room(&self) -> bool {
        self.uart.read(UARTFR) & FR_TXFF == 0
    }

    fn put(&self, byte: u8) {
        while !self.has_room() {}
        self.uart.write(UARTDR, u32::from(byte));
    }

    /// Until both are there, and each knows of the other.
    fn meet(&self) {
        let (mut heard, mut known) = (false, false);
        let mut last = self.now().wrapping_sub(HZ);
        while !(heard && known) {
            if self.now().wrapping_sub(last) > HZ / 100 {
                last = self.now();
                self.put(if heard { ACK } else { SYN });
            }
            match self.take().map(|word| word as u8) {
                Some(SYN) => heard = true,
                // The first of the other's row says so too.
                Some(_) => (heard, known) = (true, true),
                None => {}
            }
        }
        self.put(ACK);
    }
}

/// What has come.
#[derive(Default)]
struct Came {
    ended: bool,
    /// All that was read, with what is not of the row.
    taken: u32,
    received: u32,
    missing: u32,
    overruns: u32,
    flawed: u32,
}

impl Came {
    fn take(&mut self, word: u32) {
        let byte = word & 0xff;
        self.taken += 1;
        if word & DR_ERRORS != 0 {
            self.flawed += 1;
        }
        if word & DR_OE != 0 {
            self.overruns += 1;
        }
        let due = self.received + self.missing;
        if byte == u32::from(END) {
            self.missing += CHARACTERS.saturating_sub(due);
            self.ended = true;
        } else if byte < MODULUS {
            self.missing += (byte + MODULUS - due % MODULUS) % MODULUS;
            self.received += 1;
        }
    }
}

/// Sends and receives by the UART at `uart` of the board with its system registers at `system`.
///
/// # Safety
///
/// They are these devices.
pub unsafe fn exchange(uart: usize, system: usize, mut checks: Checks) -> ! {
    // SAFETY: the caller's promise.
    let port = unsafe {
        Port {
            uart: Device::at(uart),
            system: Device::at(system),
        }
    };
    port.open();
    port.meet();
    let (mut sent, mut ends, mut came) = (0, 0, Came::default());
    let begin = port.now();
    let mut took = 0;
    while ends < ENDS || !came.ended {
        while let Some(word) = port.take() {
            came.take(word);
        }
        if came.ended && took == 0 {
            took = port.now().wrapping_sub(begin) / (HZ / 1000);
        }
        if port.has_room() {
            if sent < CHARACTERS {
                port.uart.write(UARTDR, sent % MODULUS);
                sent += 1;
            } else {
                port.uart.write(UARTDR, END.into());
                ends += 1;
            }
        }
    }
    while port.uart.read(UARTFR) & FR_BUSY != 0 {}
    let Came {
        received,
        missing,
        overruns,
        flawed,
        taken,
        ..
    } = came;
    println!(
        "sent {sent}, received {received}, missing {missing}, overruns {overruns}, flawed {flawed}, taken {taken}, in {took} ms"
    );
    checks.equal(
        "each came, or is missing, in its order",
        u64::from(received + missing),
        u64::from(CHARACTERS),
    );
    checks.equal("no character is flawed", u64::from(flawed), 0);
    checks.that("some of it came", received > CHARACTERS / 10);
    checks.finish()
}
