//! PL031 real-time clock.
//!
//! Manual: ARM PrimeCell Real Time Clock (PL031), DDI 0224C.
//! Device tree: `arm,pl031`.
//!
//! Lines: output 0 is RTCINTR.
//!
//! The seconds counter runs freely from CLK1HZ and cannot be loaded; a load stores the offset
//! to it (2.1). CLK1HZ rises at every whole second since a moment that its configuration says: at
//! whole seconds of board time, unless it stands for a clock that ran before.
//!
//! Deviations:
//! - CLK1HZ is in step with board time; a write takes effect at once, where hardware takes a
//!   CLK1HZ or two to synchronize it.
//! - The test registers (RTCITCR, RTCITIP, RTCITOP, RTCTOFFSET, RTCTCOUNT) read as 0.

use crate::access::{Access, Refusal};
use crate::emul::describe::{Description, Register as Named, bit, register};
use crate::emul::primecell::{self, Identity};
use crate::emul::state::{Reader, Writer};
use crate::emul::{Cx, Device, Lines, Reset, apb};
use crate::units::Instant;

/// How a clock is set up.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The time at a cold reset, in Unix seconds.
    pub unix_seconds: u32,
    /// How many nanoseconds of that second have gone by then; less than a second.
    pub unix_ns: u32,
    /// Whether the counter runs before software sets RTCCR: the state that a battery and the
    /// board's own firmware left. If not, RTCDR is 0 until then.
    pub started: bool,
    /// The revision in RTCPeriphID2: 0 in DDI 0224C, 1 on the boards that QEMU models.
    pub revision: u8,
}

impl Config {
    /// A clock that was set and started long ago.
    #[must_use]
    pub const fn new(unix_seconds: u32) -> Self {
        Self {
            unix_seconds,
            unix_ns: 0,
            started: true,
            revision: 1,
        }
    }
}

/// The registers (DDI 0224C, summary of registers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Rtcdr,
    Rtcmr,
    Rtclr,
    Rtccr,
    Rtcimsc,
    Rtcris,
    Rtcmis,
    Rtcicr,
    /// RTCPeriphID0 and on, by the offset from it.
    Identity(u64),
    /// Reserved, or for test only.
    Reserved,
}

impl Register {
    const fn at(offset: u64) -> Self {
        match offset {
            0x00 => Self::Rtcdr,
            0x04 => Self::Rtcmr,
            0x08 => Self::Rtclr,
            0x0c => Self::Rtccr,
            0x10 => Self::Rtcimsc,
            0x14 => Self::Rtcris,
            0x18 => Self::Rtcmis,
            0x1c => Self::Rtcicr,
            0xfe0..=0xffc => Self::Identity(offset.wrapping_sub(0xfe0)),
            _ => Self::Reserved,
        }
    }
}

/// What its registers are called, and what is known to deviate.
pub static DESCRIPTION: Description = Description::of("DDI 0224C", REGISTERS)
    .lines(&["RTCINTR"])
    // CLK1HZ is in step with the board's time; a recorder may count seconds from the write on.
    .line_within_ns(1_000_000_000)
    .deviations(&[
        "a write takes effect at once",
        "the test registers read as 0",
    ]);

const REGISTERS: &[Named] = &[
    register(0x00, "RTCDR"),
    register(0x04, "RTCMR"),
    register(0x08, "RTCLR"),
    register(0x0c, "RTCCR").fields(&[bit("RTCStart", 0)]),
    register(0x10, "RTCIMSC").fields(&[bit("RTCIMSC", 0)]),
    register(0x14, "RTCRIS").fields(&[bit("RTCRIS", 0)]),
    register(0x18, "RTCMIS").fields(&[bit("RTCMIS", 0)]),
    register(0x1c, "RTCICR").fields(&[bit("RTCICR", 0)]),
    primecell::PERIPH_ID,
    primecell::PCELL_ID_REGISTERS,
];

/// A PL031.
pub struct Pl031 {
    config: Config,
    /// RTCDR as it was at `since`.
    data: u32,
    /// The whole second of board time up to which `data` is true.
    since: u64,
    load: u32,
    match_: u32,
    started: bool,
    mask: bool,
    raw: bool,
}

impl Pl031 {
    /// A clock as after a cold reset.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            data: if config.started {
                config.unix_seconds
            } else {
                0
            },
            since: 0,
            load: 0,
            match_: 0,
            started: config.started,
            mask: false,
            raw: false,
        }
    }

    /// The number of CLK1HZ's last rise.
    const fn second(&self, now: Instant) -> u64 {
        now.0.saturating_add(self.config.unix_ns as u64) / 1_000_000_000
    }

    /// Changes the time that the next cold reset starts from: a board that lived for a while
    /// starts again later than it first did.
    pub fn set_unix_seconds(&mut self, unix_seconds: u32) {
        self.config.unix_seconds = unix_seconds;
    }

    /// Seconds until RTCDR is next equal to RTCMR: a whole round if it is so now.
    const fn until_match(&self) -> u64 {
        match self.match_.wrapping_sub(self.data) {
            0 => 1 << 32,
            seconds => seconds as u64,
        }
    }

    /// The comparator's output rose if the count was just set, or the match register.
    fn compare(&mut self) {
        if self.started && self.data == self.match_ {
            self.raw = true;
        }
    }

    fn read_register(&self, offset: u64) -> u32 {
        match Register::at(offset) {
            Register::Rtcdr => self.data,
            Register::Rtcmr => self.match_,
            Register::Rtclr => self.load,
            Register::Rtccr => u32::from(self.started),
            Register::Rtcimsc => u32::from(self.mask),
            Register::Rtcris => u32::from(self.raw),
            Register::Rtcmis => u32::from(self.raw && self.mask),
            Register::Identity(n) => Identity::arm(0x031, self.config.revision, 0).read(n),
            Register::Rtcicr | Register::Reserved => 0,
        }
    }

    fn write_register(&mut self, offset: u64, value: u32) {
        match Register::at(offset) {
            Register::Rtcmr => {
                self.match_ = value;
                self.compare();
            }
            Register::Rtclr => {
                self.load = value;
                self.data = value;
                self.compare();
            }
            // Once started, a write changes nothing until a reset (DDI 0224C, RTCCR).
            Register::Rtccr => self.started |= value & 1 != 0,
            Register::Rtcimsc => self.mask = value & 1 != 0,
            Register::Rtcicr => self.raw &= value & 1 == 0,
            Register::Rtcdr
            | Register::Rtcris
            | Register::Rtcmis
            | Register::Identity(_)
            | Register::Reserved => {}
        }
    }
}

impl Device for Pl031 {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        self.advance(cx);
        apb::read(access, |offset| self.read_register(offset))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        self.advance(cx);
        apb::write(access, value, |offset, value| {
            self.write_register(offset, value);
        })
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        let elapsed = self.second(cx.now).saturating_sub(self.since);
        if self.started && elapsed > 0 {
            self.raw |= elapsed >= self.until_match();
            self.data = self.data.wrapping_add(elapsed as u32);
        }
        self.since = self.since.max(self.second(cx.now));
    }

    fn lines(&self) -> Lines {
        Lines::default().with(0, self.raw && self.mask)
    }

    fn deadline(&self) -> Option<Instant> {
        if !self.started || !self.mask || self.raw {
            return None;
        }
        let second = self.since.saturating_add(self.until_match());
        let ns = second.saturating_mul(1_000_000_000);
        Some(Instant(ns.saturating_sub(self.config.unix_ns.into())))
    }

    /// PRESETn clears the registers; only nPOR, the cold reset, stops and clears the counter,
    /// and a load's offset to it.
    fn reset(&mut self, kind: Reset) {
        let clear = Self::new(self.config);
        *self = match kind {
            Reset::Cold => clear,
            Reset::Warm => Self {
                data: self.data,
                since: self.since,
                load: self.load,
                started: self.started,
                ..clear
            },
        };
    }

    fn save(&self, out: &mut Writer) {
        out.u32(self.data);
        out.u64(self.since);
        out.u32(self.load);
        out.u32(self.match_);
        out.bool(self.started);
        out.bool(self.mask);
        out.bool(self.raw);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        *self = Self {
            config: self.config,
            data: from.u32()?,
            since: from.u64()?,
            load: from.u32()?,
            match_: from.u32()?,
            started: from.bool()?,
            mask: from.bool()?,
            raw: from.bool()?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
