//! The peripherals: one state machine a file, its tests below it.
//!
//! A device here is pure. It knows nothing of VMs, page tables or the host; it holds no lock,
//! no callback and no global. Time and memory come in through [`Cx`], interrupt lines go out
//! through [`Device::lines`], bytes through a port. The header of each file names the manual,
//! the device-tree `compatible` it serves, and every known deviation.

pub mod a9_global_timer;
pub mod a9_scu;
pub mod a9_timers;
pub mod apb;
pub mod cfi_flash;
pub mod describe;
pub mod doorbell;
pub mod dw_uart;
pub mod frames;
pub mod fw_cfg;
pub mod gic;
pub mod gic_v3;
pub mod lan9118;
pub mod ns16550;
pub mod pl011;
pub mod pl031;
pub mod pl061;
pub mod pl18x;
pub mod pl190;
pub mod pl310;
pub mod primecell;
pub mod ram;
#[cfg(test)]
mod random_walk;
pub mod sd_card;
pub mod serial;
pub mod sp804;
pub mod sp805;
pub mod sp810;
pub mod state;
mod sysreg;
pub mod uart16550;
pub mod versatile_i2c;
pub mod versatile_sic;
pub mod versatile_sysreg;
pub mod vexpress_config;
pub mod vexpress_sysreg;

use crate::access::{Access, Refusal};
use crate::memory::{BoardMemory, StoreId, Unbacked};
use crate::units::{Instant, Ipa};
use frames::FramePort;
use serial::{LineSettings, Received};
use state::{Reader, Writer};

/// A peripheral.
///
/// The board calls [`advance`](Device::advance) before every access and input, and at the
/// deadline, so a device may assume that its state is that of `cx.now`. Counters are computed
/// from `now - start`, never ticked.
pub trait Device: Send {
    /// Reads a register. The result is zero-extended; bits above the width are ignored.
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal>;

    /// Writes a register. Bits of `value` above the width are 0.
    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal>;

    /// An input line changed its level.
    fn input(&mut self, _cx: &mut Cx<'_>, _line: Line, _level: bool) {}

    /// Brings the state up to `cx.now`.
    fn advance(&mut self, _cx: &mut Cx<'_>) {}

    /// The levels of the output lines. Pure: `advance` has been called.
    fn lines(&self) -> Lines {
        Lines::default()
    }

    /// When [`advance`](Device::advance) is next owed, if ever: the earliest moment at which
    /// a line or port changes with no access.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Puts the device into its reset state. Board time is 0 after a cold reset.
    fn reset(&mut self, kind: Reset);

    /// Appends the whole state. Not to be called through a table: nothing in the hypervisor's image
    /// saves a device yet, and so it holds none of this.
    fn save(&self, out: &mut Writer)
    where
        Self: Sized;

    /// Takes the state that [`save`](Device::save) wrote. On an error the device is as after
    /// a cold reset.
    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal>
    where
        Self: Sized;

    /// One access, from bringing the state up to now to what the board looks at afterwards: the
    /// board's one call for it, because calls through a table cost.
    fn access(&mut self, cx: &mut Cx<'_>, access: Access, write: Option<u64>) -> Served {
        self.advance(cx);
        let outcome = match write {
            None => self.read(cx, access),
            Some(value) => self.write(cx, access, value).map(|()| 0),
        };
        Served {
            outcome,
            lines: self.lines(),
            deadline: self.deadline(),
            sends: self.sends(),
        }
    }

    /// The value of a register at `now`, no wider than the access, if neither the read nor the
    /// time that has gone by changes anything beside it; else none. The board asks for this
    /// first, and needs nothing else then. The access may be one that the device refuses,
    /// misaligned or wider than its port: none, too.
    fn peek(&self, _now: Instant, _access: Access) -> Option<u64> {
        None
    }

    /// Whether the serial port or the frame port, if there is one, has sent what nobody has taken.
    fn sends(&self) -> bool {
        false
    }

    /// The serial port, if the device has one.
    fn serial(&mut self) -> Option<&mut dyn SerialPort> {
        None
    }

    /// The port to an Ethernet wire, if the device has one.
    fn frames(&mut self) -> Option<&mut dyn FramePort> {
        None
    }
}

/// An access that a device has carried out or refused.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// What [`Device::read`] gave, or 0 for a write; or the refusal.
    pub outcome: Result<u64, Refusal>,
    /// [`Device::lines`] afterwards.
    pub lines: Lines,
    /// [`Device::deadline`] afterwards.
    pub deadline: Option<Instant>,
    /// [`Device::sends`] afterwards.
    pub sends: bool,
}

/// The bytes that go over a device's serial line.
pub trait SerialPort {
    /// Takes the next byte that the device has sent.
    fn transmitted(&mut self) -> Option<u8>;
    /// Takes a break, if one is next on the line: it was held low for longer than a character.
    /// [`transmitted`](SerialPort::transmitted) passes over it.
    fn transmitted_break(&mut self) -> bool {
        false
    }
    /// How many bytes [`receive`](SerialPort::receive) would take without an overrun.
    fn room(&self) -> usize;
    /// A character arrives at `cx.now` with what its line did to it (parity, framing, break).
    /// Paced, it begins to arrive. With no room it is an overrun, as in hardware.
    fn receive_with(&mut self, cx: &mut Cx<'_>, received: Received);
    /// The same of a character whose time on the line is over, paced or not.
    fn arrived(&mut self, cx: &mut Cx<'_>, received: Received);
    /// How the port sends and receives, as its registers have it now.
    fn line(&self) -> LineSettings;
    /// A byte arrives on the line.
    fn receive(&mut self, cx: &mut Cx<'_>, byte: u8) {
        self.receive_with(cx, Received::from(byte));
    }
    /// A break arrives on the line.
    fn receive_break(&mut self, cx: &mut Cx<'_>) {
        self.receive_with(cx, Received::BREAK);
    }
}

/// What a device may ask of the world.
pub struct Cx<'a> {
    /// The board's time.
    pub now: Instant,
    memory: &'a dyn BoardMemory,
    store: Option<StoreId>,
    ask: Option<Ask>,
}

/// The most that a device moves over its bus-master port in one call, in bytes.
pub const TRANSFER_MAX: usize = 4096;

impl<'a> Cx<'a> {
    /// The world at `now`; `store` is the backing store of the device that is called.
    pub fn new(now: Instant, memory: &'a dyn BoardMemory, store: Option<StoreId>) -> Self {
        Self {
            now,
            memory,
            store,
            ask: None,
        }
    }

    /// Copies board memory, at most [`TRANSFER_MAX`] bytes a call.
    pub fn read(&self, at: Ipa, into: &mut [u8]) -> Result<(), Unbacked> {
        if into.len() > TRANSFER_MAX {
            Err(Unbacked)
        } else {
            self.memory.read(at, into)
        }
    }

    /// Writes board memory, at most [`TRANSFER_MAX`] bytes a call.
    pub fn write(&self, at: Ipa, from: &[u8]) -> Result<(), Unbacked> {
        if from.len() > TRANSFER_MAX {
            Err(Unbacked)
        } else {
            self.memory.write(at, from)
        }
    }

    /// Copies from the device's own backing store.
    pub fn store_read(&self, offset: u64, into: &mut [u8]) -> Result<(), Unbacked> {
        self.memory
            .store_read(self.store.ok_or(Unbacked)?, offset, into)
    }

    /// Writes to the device's own backing store.
    pub fn store_write(&self, offset: u64, from: &[u8]) -> Result<(), Unbacked> {
        self.memory
            .store_write(self.store.ok_or(Unbacked)?, offset, from)
    }

    /// Asks the board for something beyond the device. The last ask of a call counts.
    pub fn ask(&mut self, ask: Ask) {
        self.ask = Some(ask);
    }

    /// What the device asked for in this call.
    pub fn asked(&self) -> Option<Ask> {
        self.ask
    }
}

/// What a device asks of its board, beside its lines and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Reset the board (a watchdog's expiry, a system controller's reboot).
    Reset,
    /// Switch the board off.
    PowerOff,
    /// Map region `region`'s backing store for direct reads and execution, or take that
    /// mapping away so that reads trap too (a flash that leaves or enters array mode).
    DirectReads {
        /// Index in the node's `reg`.
        region: u8,
        /// Whether reads go straight to the store from now on.
        on: bool,
    },
    /// Switch the window that the map names (a remap bit) on or off.
    Remap(bool),
}

/// The number of one of a device's lines. Each device's header says what its numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(pub u16);

/// Levels of a device's output lines, at most 64: line n is bit n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines(pub u64);

impl Lines {
    /// Whether line `n` is high.
    pub const fn is_high(self, n: u16) -> bool {
        n < 64 && self.0 & (1 << n) != 0
    }

    /// These levels with line `n` (below 64) at `level`.
    #[must_use]
    pub const fn with(self, n: u16, level: bool) -> Self {
        if n >= 64 {
            return self;
        }
        Self(if level {
            self.0 | 1 << n
        } else {
            self.0 & !(1 << n)
        })
    }
}

/// How deep a reset goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Power-on: everything.
    Cold,
    /// The board's reset line: what the manual says survives, survives (an RTC, flags).
    Warm,
}
