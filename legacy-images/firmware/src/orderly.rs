//! Channels and a shared memory as a careful VM uses them, beside a peer that may do anything: every wait is
//! bounded, whatever comes is looked at before it is believed.
//!
//! The channels are those of systems/tests/attack-channels.toml. `inward` and `narrow` come from the attacker,
//! `outward` goes there; `trusted` goes to a VM that sends each message back, reversed. The attacker reads
//! and writes the memory `both`, and only reads `shown`.

use crate::device::Device;
use crate::loadstore::Random;
use crate::{println, sysreg};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use reliquary_client::{BYTES_MAX, Channel, Error, Received, find, pending};

/// SPI 20: `channel-interrupt` of the system file.
pub const CHANNELS: u32 = 52;
/// SPI 21 and 22: the doorbells' interrupts.
pub const BELLS: [u32; 2] = [53, 54];
/// The memory that both write.
pub const BOTH: usize = 0x5000_0000;
/// The memory that only this VM writes.
pub const SHOWN: usize = 0x5010_0000;
/// Bytes of either.
pub const SIZE: usize = 0x1000;
const MS: u64 = 1_000_000;
/// What an end later than its wait is lost by, in nanoseconds.
const LOST: u64 = 2_000 * MS;

/// Interrupts of channels and doorbells that were taken.
pub static TOLD: AtomicU64 = AtomicU64::new(0);

/// This VM's ends, and what has come of them.
pub struct Orderly {
    inward: Channel,
    narrow: Channel,
    outward: Channel,
    trusted: Channel,
    random: Random,
    /// Messages and calls that came, by their form.
    received: u64,
    calls: u64,
    notified: u64,
    /// Own calls that were answered, that timed out, and that were refused.
    answered: u64,
    unanswered: u64,
    refused: u64,
    /// Waits that an interrupt ended.
    interrupted: u64,
    /// The peer started anew, or was down.
    peer: u64,
    echoes: u64,
    rings: u64,
    /// What must not be.
    wrong: u64,
    /// The most that a wait was late, in nanoseconds.
    late: u64,
}

fn now() -> u64 {
    sysreg!("cntvct_el0") * (1_000_000_000 / sysreg!("cntfrq_el0"))
}

fn bells(memory: usize) -> Device {
    // SAFETY: the doorbells, behind the memory.
    unsafe { Device::at(memory + SIZE) }
}

fn word(memory: usize, n: usize) -> *mut u32 {
    (memory as *mut u32).wrapping_add(n)
}

fn read(memory: usize, n: usize) -> u32 {
    // SAFETY: inside a shared memory, which no Rust object is in.
    unsafe { word(memory, n).read_volatile() }
}

const fn shown(n: usize) -> u32 {
    (n as u32).wrapping_mul(0x9e37_79b9) ^ 0x5a5a_1234
}

impl Orderly {
    /// The ends of the VM that runs this; none in a system without these channels.
    #[must_use]
    pub fn begin() -> Option<Self> {
        let all = (|| {
            Ok::<_, Error>([
                find("inward")?,
                find("narrow")?,
                find("outward")?,
                find("trusted")?,
            ])
        })();
        let [inward, narrow, outward, trusted] = all.ok()?;
        for n in 0..SIZE / 4 {
            // SAFETY: as `read`.
            unsafe { word(SHOWN, n).write_volatile(shown(n)) }
        }
        Some(Self {
            inward,
            narrow,
            outward,
            trusted,
            random: Random::new(0x7261_6e64_6f6d),
            received: 0,
            calls: 0,
            notified: 0,
            answered: 0,
            unanswered: 0,
            refused: 0,
            interrupted: 0,
            peer: 0,
            echoes: 0,
            rings: 0,
            wrong: 0,
            late: 0,
        })
    }

    /// Whether something was wrong.
    #[must_use]
    pub const fn wrong(&self) -> u64 {
        self.wrong
    }

    fn bad(&mut self, what: &str, found: impl core::fmt::Debug) {
        self.wrong += 1;
        if self.wrong <= 8 {
            println!("BAD {what}: {found:?}");
        }
    }

    /// A wait that was to end after `ns` ends now.
    fn ended(&mut self, begun: u64, ns: u64) {
        let late = now().saturating_sub(begun + ns);
        self.late = self.late.max(late);
        if late > LOST {
            self.bad("a wait that did not end, late by ns", late);
        }
    }

    /// One turn: some of everything.
    pub fn turn(&mut self) {
        for _ in 0..8 {
            self.look(self.inward, 64, 0);
            self.look(self.narrow, 5, 0);
        }
        self.look(self.inward, 64, MS);
        self.look(self.narrow, 5, MS / 2);
        self.ask();
        self.tell();
        self.echo();
        self.memories();
        let begun = now();
        match pending(MS / 2) {
            Ok(bits) if bits >> 4 == 0 => {}
            Err(Error::TimedOut) => {}
            Err(Error::Interrupted) => self.interrupted += 1,
            other => self.bad("pending", other),
        }
        self.ended(begun, MS / 2);
    }

    /// Receives what is there, waits for it, and answers every other call.
    fn look(&mut self, from: Channel, size: usize, ns: u64) {
        let mut message = [0xff; BYTES_MAX];
        let begun = now();
        match from.receive(&mut message, ns) {
            Ok(Received { bytes, call }) => {
                self.received += 1;
                let behind = message.get(bytes..).unwrap_or(&[]);
                if bytes > size || behind.iter().any(|byte| *byte != 0) {
                    self.bad("a message's form", (bytes, message));
                }
                self.believe(&message);
                if let Some(call) = call {
                    self.calls += 1;
                    if self.random.coin() {
                        self.reply(from, call, size);
                    }
                }
            }
            Err(Error::Empty) if ns == 0 => {}
            Err(Error::TimedOut) if ns != 0 => {}
            Err(Error::Interrupted) if ns != 0 => self.interrupted += 1,
            Err(Error::Reset | Error::PeerDown) => self.peer += 1,
            other => self.bad("receive", other),
        }
        self.ended(begun, ns);
        match from.take() {
            Ok(bits) => self.notified += u64::from(bits != 0),
            Err(Error::Reset | Error::PeerDown) => self.peer += 1,
            other => self.bad("take", other),
        }
    }

    fn reply(&mut self, to: Channel, call: u32, size: usize) {
        let answer = [0xa5; BYTES_MAX];
        let bytes = self.random.below(size as u32 + 1) as usize;
        match to.reply(call, &answer[..bytes]) {
            Ok(()) => {}
            // Who called has given it up.
            Err(Error::Stale) => self.refused += 1,
            Err(Error::Reset | Error::PeerDown) => self.peer += 1,
            other => self.bad("reply", other),
        }
    }

    /// A message tells of bytes in the memory: an offset and a length, which may be any.
    fn believe(&mut self, message: &[u8; BYTES_MAX]) {
        let offset = usize::from(message[0]) | usize::from(message[1]) << 8;
        let length = usize::from(message[2]) | usize::from(message[3]) << 8;
        if offset % 4 != 0 || length > 256 || offset + length > SIZE {
            return;
        }
        // Copied before it is looked at: it changes meanwhile.
        let mut copy = [0; 64];
        for (n, place) in copy.iter_mut().enumerate().take(length / 4) {
            *place = read(BOTH, offset / 4 + n);
        }
        let sum = |copy: &[u32; 64]| {
            copy.iter()
                .fold(0_u32, |sum, part| sum.rotate_left(1) ^ part)
        };
        if core::hint::black_box(sum(&copy)) != core::hint::black_box(sum(&copy)) {
            self.bad("a copy that changes", offset);
        }
    }

    /// Calls the attacker, which may answer, or not.
    fn ask(&mut self) {
        const WAIT: u64 = 2 * MS;
        let (mut answer, question) = ([0xff; BYTES_MAX], [0x3f; 16]);
        let begun = now();
        let mut end = self.outward.call(&question, &mut answer, WAIT);
        while end == Err(Error::Interrupted) {
            self.interrupted += 1;
            let left = (begun + WAIT).saturating_sub(now());
            end = self.outward.wait_again(&mut answer, left);
        }
        match end {
            Ok(bytes) => {
                self.answered += 1;
                let behind = answer.get(bytes..).unwrap_or(&[]);
                if behind.iter().any(|byte| *byte != 0) {
                    self.bad("an answer's form", (bytes, answer));
                }
            }
            Err(Error::TimedOut) => self.unanswered += 1,
            Err(Error::Full) => self.refused += 1,
            Err(Error::Reset | Error::PeerDown) => self.peer += 1,
            other => self.bad("call", other),
        }
        self.ended(begun, WAIT);
    }

    /// Sends and notifies, whether there is room or not.
    fn tell(&mut self) {
        for result in [self.outward.send(b"as ever"), self.outward.notify(5)] {
            match result {
                Ok(()) => {}
                Err(Error::Full) => self.refused += 1,
                Err(Error::Reset | Error::PeerDown) => self.peer += 1,
                other => self.bad("send or notify", other),
            }
        }
    }

    /// What goes to another VM comes back as it was sent: the attacker has no part in it.
    fn echo(&mut self) {
        const WAIT: u64 = 1000 * MS;
        let (mut sent, mut answer) = ([0; 24], [0; BYTES_MAX]);
        for part in sent.chunks_mut(8) {
            part.copy_from_slice(&self.random.long().to_le_bytes());
        }
        let begun = now();
        let mut end = self.trusted.call(&sent, &mut answer, WAIT);
        while end == Err(Error::Interrupted) {
            self.interrupted += 1;
            let left = (begun + WAIT).saturating_sub(now());
            end = self.trusted.wait_again(&mut answer, left);
        }
        self.ended(begun, WAIT);
        sent.reverse();
        match end {
            Ok(24) if answer[..24] == sent => self.echoes += 1,
            // As a period, late is not lost: what the machine does to QEMU's time is not ours.
            Err(Error::TimedOut | Error::Full) => self.unanswered += 1,
            other => self.bad("the echo", other),
        }
    }

    /// What only this VM writes is as it was; the rings are acknowledged.
    fn memories(&mut self) {
        if let Some(n) = (0..SIZE / 4).find(|n| read(SHOWN, *n) != shown(*n)) {
            self.bad("a word of the memory that others only read", n);
        }
        for memory in [BOTH, SHOWN] {
            let by = bells(memory).read(0);
            if by & !0b10 != 0 {
                self.bad("rung by who is not there", by);
            }
            self.rings += u64::from(by != 0);
            bells(memory).write(0, by);
            bells(memory).write(4, 0b10);
        }
    }

    /// What came of it.
    pub fn summary(&self) {
        println!(
            "channels: {} received, {} of them calls, {} notified, {} rung, {} told by interrupt",
            self.received,
            self.calls,
            self.notified,
            self.rings,
            TOLD.load(Relaxed)
        );
        println!(
            "channels: {} echoed, {} answered, {} unanswered, {} refused, {} interrupted, {} by a peer anew",
            self.echoes, self.answered, self.unanswered, self.refused, self.interrupted, self.peer
        );
        println!(
            "channels: {} wrong, a wait late by {} us at most",
            self.wrong,
            self.late / 1000
        );
    }
}
