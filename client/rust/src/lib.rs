//! Message channels of the Reliquary hypervisor, for software in one of its VMs.
//!
//! A VM that holds channels calls the hypervisor by HVC from EL1 (or Supervisor mode); the calls,
//! their registers and their answers are in docs/reference/channels.md. In a VM that holds none,
//! HVC is undefined or answers that it is not supported, as its board has it.
//!
//! ```no_run
//! use reliquary_client::{Error, find};
//! # fn main() -> Result<(), Error> {
//! let orders = find("orders")?;
//! let mut answer = [0; 64];
//! let bytes = orders.call(b"how warm is it?", &mut answer, 1_000_000)?;
//! # let _ = bytes; Ok(()) }
//! ```
//!
//! AArch64 has messages of up to 64 bytes, AArch32 of up to 16: what its registers hold.
#![no_std]

mod call;

use call::{Registers, hvc};

/// The largest message in bytes.
pub const BYTES_MAX: usize = if cfg!(target_arch = "arm") { 16 } else { 64 };
/// The longest wait in nanoseconds that the hypervisor takes.
pub const WAIT_MAX_NS: u64 = 60_000_000_000;

mod function {
    pub const COUNT: u32 = 0;
    pub const DESCRIBE: u32 = 1;
    pub const FIND: u32 = 2;
    pub const SEND: u32 = 3;
    pub const RECEIVE: u32 = 4;
    pub const CALL: u32 = 5;
    pub const AWAIT: u32 = 6;
    pub const REPLY: u32 = 7;
    pub const NOTIFY: u32 = 8;
    pub const TAKE: u32 = 9;
    pub const PENDING: u32 = 10;
}

/// Why a call is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The hypervisor has no such call.
    NotSupported,
    /// An argument is out of range.
    InvalidParameter,
    /// The VM holds no such channel.
    BadHandle,
    /// The VM has the channel's other end.
    NotPermitted,
    /// The channel holds as many messages as it can.
    Full,
    /// Nothing is there.
    Empty,
    /// Nothing came in time. A call is given up.
    TimedOut,
    /// An interrupt came first. A call stands: see [`Channel::wait_again`].
    Interrupted,
    /// The other VM does not run.
    PeerDown,
    /// The other VM has started anew; what was in the channel is gone.
    Reset,
    /// A call is under way on this channel.
    Busy,
    /// The call is not under way any more.
    Stale,
    /// The message is longer than the channel's, or than there is room for.
    Size,
    /// An answer that this library does not know.
    Unknown(i32),
}

impl Error {
    const fn of(status: i32) -> Result<(), Self> {
        Err(match status {
            0.. => return Ok(()),
            -1 => Self::NotSupported,
            -3 => Self::InvalidParameter,
            -16 => Self::BadHandle,
            -17 => Self::NotPermitted,
            -18 => Self::Full,
            -19 => Self::Empty,
            -20 => Self::TimedOut,
            -21 => Self::Interrupted,
            -22 => Self::PeerDown,
            -23 => Self::Reset,
            -24 => Self::Busy,
            -25 => Self::Stale,
            -26 => Self::Size,
            other => Self::Unknown(other),
        })
    }
}

/// A channel that this VM holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel(u32);

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Whether this VM receives; it sends if not.
    pub receives: bool,
    /// The largest message in bytes.
    pub bytes: usize,
    /// How many messages it holds.
    pub depth: usize,
    /// The hash of its name.
    pub hash: u32,
    /// The memory that its messages tell of: where this VM has it, and its size in bytes.
    pub memory: Option<(usize, usize)>,
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes.
    pub bytes: usize,
    /// The call that it makes, for [`Channel::reply`]; none if it is not answered.
    pub call: Option<u32>,
}

/// FNV-1a of a channel's name.
#[must_use]
pub const fn hash(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let mut hash: u32 = 0x811c_9dc5;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    hash
}

fn asked(function: u32, arguments: [u64; 3]) -> Result<Registers, Error> {
    let mut registers = Registers::new(arguments);
    call_with(function, &mut registers)?;
    Ok(registers)
}

fn call_with(function: u32, registers: &mut Registers) -> Result<(), Error> {
    Error::of(hvc(function, registers))
}

/// How many channels this VM holds.
pub fn count() -> Result<u32, Error> {
    Ok(asked(function::COUNT, [0; 3])?.result(1) as u32)
}

/// The channel of this name.
pub fn find(name: &str) -> Result<Channel, Error> {
    let found = asked(function::FIND, [u64::from(hash(name)), 0, 0])?;
    Ok(Channel(found.result(1) as u32))
}

/// The handles at which something is pending (bit n is handle n), waited for at most `wait_ns`
/// nanoseconds if there is none.
pub fn pending(wait_ns: u64) -> Result<u32, Error> {
    Ok(asked(function::PENDING, [wait_ns, 0, 0])?.result(1) as u32)
}

impl Channel {
    /// The channel of a handle, whether the VM holds it or not.
    #[must_use]
    pub const fn of_handle(handle: u32) -> Self {
        Self(handle)
    }

    /// The handle: this VM's index of the channel.
    #[must_use]
    pub const fn handle(self) -> u32 {
        self.0
    }

    const fn number(self) -> u64 {
        self.0 as u64
    }

    /// What it is.
    pub fn about(self) -> Result<About, Error> {
        let told = asked(function::DESCRIBE, [self.number(), 0, 0])?;
        Ok(About {
            receives: told.result(1) & 1 != 0,
            bytes: (told.result(2) & 0xffff) as usize,
            depth: (told.result(2) >> 16) as usize,
            hash: told.result(3) as u32,
            memory: (told.result(5) != 0)
                .then(|| (told.result(4) as usize, told.result(5) as usize)),
        })
    }

    /// Sends a message.
    pub fn send(self, message: &[u8]) -> Result<(), Error> {
        let mut registers = Registers::new([self.number(), message.len() as u64, 0]);
        registers.put(message).ok_or(Error::Size)?;
        call_with(function::SEND, &mut registers)
    }

    /// Receives a message, for which it waits at most `wait_ns` nanoseconds.
    pub fn receive(self, into: &mut [u8; BYTES_MAX], wait_ns: u64) -> Result<Received, Error> {
        let registers = asked(function::RECEIVE, [self.number(), wait_ns, 0])?;
        let call = registers.result(2) as u32;
        Ok(Received {
            bytes: registers.get(into),
            call: (call != 0).then_some(call),
        })
    }

    /// Sends a message and waits at most `wait_ns` nanoseconds for the answer: how many bytes it
    /// has.
    pub fn call(
        self,
        message: &[u8],
        answer: &mut [u8; BYTES_MAX],
        wait_ns: u64,
    ) -> Result<usize, Error> {
        let mut registers = Registers::new([self.number(), message.len() as u64, wait_ns]);
        registers.put(message).ok_or(Error::Size)?;
        call_with(function::CALL, &mut registers)?;
        Ok(registers.get(answer))
    }

    /// Goes on waiting for the answer to a call that was [interrupted](Error::Interrupted); with 0
    /// nanoseconds it is given up, if there is none yet.
    pub fn wait_again(self, answer: &mut [u8; BYTES_MAX], wait_ns: u64) -> Result<usize, Error> {
        let registers = asked(function::AWAIT, [self.number(), wait_ns, 0])?;
        Ok(registers.get(answer))
    }

    /// Answers a call.
    pub fn reply(self, call: u32, message: &[u8]) -> Result<(), Error> {
        let mut registers = Registers::new([self.number(), message.len() as u64, u64::from(call)]);
        registers.put(message).ok_or(Error::Size)?;
        call_with(function::REPLY, &mut registers)
    }

    /// Sets bits at the other end.
    pub fn notify(self, bits: u64) -> Result<(), Error> {
        let registers = &mut Registers::new([self.number(), 0, 0]);
        registers.set_wide(2, bits);
        call_with(function::NOTIFY, registers)
    }

    /// Takes the bits that are set, and clears them.
    pub fn take(self) -> Result<u64, Error> {
        Ok(asked(function::TAKE, [self.number(), 0, 0])?.wide(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(hash(""), 0x811c_9dc5);
        assert_eq!(hash("foobar"), 0xbf9c_f968);
    }

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        for bytes in 0..=BYTES_MAX {
            let mut message = [0; BYTES_MAX];
            for (n, byte) in message.iter_mut().enumerate().take(bytes) {
                *byte = n as u8 + 1;
            }
            let mut registers = Registers::new([0, bytes as u64, 0]);
            registers.put(&message[..bytes]).unwrap();
            registers.set(1, bytes as u64);
            let mut out = [0xff; BYTES_MAX];
            assert_eq!(registers.get(&mut out), bytes);
            assert_eq!(out[..bytes], message[..bytes]);
        }
        assert!(Registers::new([0; 3]).put(&[0; BYTES_MAX + 1]).is_none());
    }

    #[test]
    #[cfg(not(any(target_arch = "aarch64", target_arch = "arm")))]
    fn elsewhere_there_is_no_hypervisor() {
        assert_eq!(count(), Err(Error::NotSupported));
    }
}
