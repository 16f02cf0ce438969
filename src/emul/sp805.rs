//! SP805 watchdog.
//!
//! Manual: ARM Watchdog Module (SP805), DDI 0270B.
//! Device tree: `arm,sp805`; the first of its `clocks` is WDOGCLK.
//!
//! Output lines: 0 WDOGINT, 1 WDOGRES. When WDOGRES rises the board is reset ([`Ask::Reset`]).
//!
//! WDOGCLK's edges are at the whole ticks of board time. A load is on the counter at once; at 0
//! it stays for a tick, and goes on from WdogLoad. The second zero that finds the interrupt
//! still there stops the counter and raises WDOGRES, which RESEN masks.
//!
//! Deviations:
//! - A write takes effect at once, where hardware synchronizes it to WDOGCLK.
//! - The manual leaves open what becomes of a second zero that RESEN masked: it is remembered
//!   until WdogIntClr, and RESEN set meanwhile resets.
//! - WdogLoad 0, which is not valid, expires at once; at the reload it counts as 1 tick.

use crate::access::{Access, Refusal};
use crate::emul::describe::{Description, Register as Named, bit, field, register};
use crate::emul::primecell::{self, Identity};
use crate::emul::state::{Reader, Writer};
use crate::emul::{Ask, Cx, Device, Lines, Reset, apb};
use crate::units::{Instant, ns_for, ticks_in};

/// What opens the registers to writes.
const UNLOCK: u32 = 0x1acc_e551;

const INTEN: u8 = 1 << 0;
const RESEN: u8 = 1 << 1;
/// WdogITOP.
const TEST_RES: u8 = 1 << 0;
const TEST_INT: u8 = 1 << 1;

/// How a watchdog is set up.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The rate of WDOGCLK as it is seen through WDOGCLKEN, in hertz.
    pub hz: u64,
}

/// The registers (DDI 0270B, table 3-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Load,
    Value,
    Control,
    IntClr,
    Ris,
    Mis,
    Lock,
    Itcr,
    Itop,
    /// WdogPeriphID0 and on, by the offset from it.
    Identity(u64),
    Reserved,
}

impl Register {
    const fn at(offset: u64) -> Self {
        match offset {
            0x00 => Self::Load,
            0x04 => Self::Value,
            0x08 => Self::Control,
            0x0c => Self::IntClr,
            0x10 => Self::Ris,
            0x14 => Self::Mis,
            0xc00 => Self::Lock,
            0xf00 => Self::Itcr,
            0xf04 => Self::Itop,
            0xfe0..=0xffc => Self::Identity(offset.wrapping_sub(0xfe0)),
            _ => Self::Reserved,
        }
    }
}

/// What its registers are called, and what is known to deviate.
pub static DESCRIPTION: Description = Description::of("DDI 0270B", REGISTERS)
    .lines(&["WDOGINT", "WDOGRES"])
    .deviations(&[
        "a write takes effect at once",
        "a second zero that RESEN masks is remembered until WdogIntClr",
        "WdogLoad 0, which is not valid, expires at once",
    ]);

const REGISTERS: &[Named] = &[
    register(0x00, "WdogLoad").fields(&[field("WdogLoad", 31, 0)]),
    register(0x04, "WdogValue").fields(&[field("WdogValue", 31, 0)]),
    register(0x08, "WdogControl").fields(&[bit("RESEN", 1), bit("INTEN", 0)]),
    register(0x0c, "WdogIntClr"),
    register(0x10, "WdogRIS").fields(&[bit("WDOGRIS", 0)]),
    register(0x14, "WdogMIS").fields(&[bit("WDOGMIS", 0)]),
    register(0xc00, "WdogLock").fields(&[field("WdogLock", 31, 0)]),
    register(0xf00, "WdogITCR").fields(&[bit("ITEN", 0)]),
    register(0xf04, "WdogITOP").fields(&[bit("WDOGINT", 1), bit("WDOGRES", 0)]),
    primecell::PERIPH_ID,
    primecell::PCELL_ID_REGISTERS,
];

/// What changes.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // each is a register's bit, or a latch
struct State {
    load: u32,
    /// The counter at WDOGCLK's edge number `tick`; what it is later follows from the clock.
    count: u32,
    tick: u64,
    control: u8,
    raw: bool,
    /// A second zero: the counter stands.
    expired: bool,
    locked: bool,
    test: bool,
    test_outputs: u8,
}

impl State {
    const RESET: Self = Self {
        load: u32::MAX,
        count: u32::MAX,
        tick: 0,
        control: 0,
        raw: false,
        expired: false,
        locked: false,
        test: false,
        test_outputs: 0,
    };
}

/// An SP805.
pub struct Sp805 {
    config: Config,
    state: State,
}

impl Sp805 {
    /// A watchdog as after a cold reset.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            state: State::RESET,
        }
    }

    /// INTEN is what lets the counter run.
    const fn runs(&self) -> bool {
        self.state.control & INTEN != 0 && !self.state.expired
    }

    const fn interrupt(&self) -> bool {
        if self.state.test {
            self.state.test_outputs & TEST_INT != 0
        } else {
            self.state.raw && self.state.control & INTEN != 0
        }
    }

    const fn resets(&self) -> bool {
        if self.state.test {
            self.state.test_outputs & TEST_RES != 0
        } else {
            self.state.expired && self.state.control & RESEN != 0
        }
    }

    /// Ticks from one zero to the next: one to reload, then the load value's.
    const fn period(&self) -> u64 {
        (self.state.load as u64).wrapping_add(1)
    }

    /// Counts from WdogLoad on. `advance(now)` has been called.
    fn restart(&mut self, now: Instant) {
        self.state.count = self.state.load;
        self.state.tick = ticks_in(now.0, self.config.hz);
        self.state.expired = false;
        if self.state.count == 0 && self.runs() {
            self.zero();
        }
    }

    /// The counter has come to 0.
    const fn zero(&mut self) {
        if self.state.raw {
            self.state.expired = true;
        }
        self.state.raw = true;
    }

    /// Brings the counter up to the edge `tick`: past two zeros at most, where it stops.
    fn count_to(&mut self, tick: u64) {
        let mut steps = tick.saturating_sub(self.state.tick);
        if self.runs() {
            let mut to_zero = match self.state.count {
                0 => self.period(),
                count => u64::from(count),
            };
            for _ in 0..2 {
                if steps < to_zero || self.state.expired {
                    break;
                }
                self.zero();
                self.state.count = 0;
                steps = steps.wrapping_sub(to_zero);
                to_zero = self.period();
            }
            if !self.state.expired && steps > 0 {
                let left = match self.state.count {
                    0 => to_zero,
                    count => u64::from(count),
                };
                self.state.count = left.saturating_sub(steps) as u32;
            }
        }
        self.state.tick = self.state.tick.max(tick);
    }

    fn read_register(&self, offset: u64) -> u32 {
        let state = &self.state;
        match Register::at(offset) {
            Register::Load => state.load,
            Register::Value => state.count,
            Register::Control => state.control.into(),
            Register::Ris => state.raw.into(),
            Register::Mis => (state.raw && state.control & INTEN != 0).into(),
            Register::Lock => state.locked.into(),
            Register::Itcr => state.test.into(),
            Register::Identity(n) => Identity::arm(0x805, 1, 0).read(n),
            Register::IntClr | Register::Itop | Register::Reserved => 0,
        }
    }

    fn write_register(&mut self, now: Instant, offset: u64, value: u32) {
        let register = Register::at(offset);
        if self.state.locked && register != Register::Lock {
            return;
        }
        match register {
            Register::Load => {
                self.state.load = value;
                self.restart(now);
            }
            Register::Control => {
                let before = self.state.control;
                self.state.control = value as u8 & (INTEN | RESEN);
                if self.state.control & !before & INTEN != 0 {
                    self.restart(now);
                }
            }
            Register::IntClr => {
                self.state.raw = false;
                self.restart(now);
            }
            Register::Lock => self.state.locked = value != UNLOCK,
            Register::Itcr => self.state.test = value & 1 != 0,
            Register::Itop => self.state.test_outputs = value as u8 & (TEST_INT | TEST_RES),
            Register::Value
            | Register::Ris
            | Register::Mis
            | Register::Identity(_)
            | Register::Reserved => {}
        }
    }
}

impl Device for Sp805 {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        self.advance(cx);
        apb::read(access, |offset| self.read_register(offset))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        self.advance(cx);
        let before = self.resets();
        apb::write(access, value, |offset, value| {
            self.write_register(cx.now, offset, value);
        })?;
        if self.resets() && !before {
            cx.ask(Ask::Reset);
        }
        Ok(())
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        let before = self.resets();
        self.count_to(ticks_in(cx.now.0, self.config.hz));
        if self.resets() && !before {
            cx.ask(Ask::Reset);
        }
    }

    fn lines(&self) -> Lines {
        Lines::default()
            .with(0, self.interrupt())
            .with(1, self.resets())
    }

    fn deadline(&self) -> Option<Instant> {
        if !self.runs() || self.config.hz == 0 {
            return None;
        }
        let steps = match self.state.count {
            0 => self.period(),
            count => u64::from(count),
        };
        let tick = self.state.tick.saturating_add(steps);
        Some(Instant(ns_for(tick, self.config.hz)))
    }

    /// PRESETn and WDOGRESn come together. WDOGCLK has no reset: its ticks go on.
    fn reset(&mut self, _: Reset) {
        self.state = State::RESET;
    }

    fn save(&self, out: &mut Writer) {
        let state = &self.state;
        out.u32(state.load);
        out.u32(state.count);
        out.u64(state.tick);
        out.u8(state.control);
        out.bool(state.raw);
        out.bool(state.expired);
        out.bool(state.locked);
        out.bool(state.test);
        out.u8(state.test_outputs);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        let state = State {
            load: from.u32()?,
            count: from.u32()?,
            tick: from.u64()?,
            control: from.u8()?,
            raw: from.bool()?,
            expired: from.bool()?,
            locked: from.bool()?,
            test: from.bool()?,
            test_outputs: from.u8()?,
        };
        if state.control > 3 || state.test_outputs > 3 || state.expired && !state.raw {
            return Err(Refusal::BadState);
        }
        self.state = state;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
