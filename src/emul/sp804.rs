//! SP804 dual timer.
//!
//! Manual: ARM Dual-Timer Module (SP804), DDI 0271D.
//! Device tree: `arm,sp804`.
//!
//! Lines: output 0 is TIMINTC, both timers' interrupts combined; 1 is TIMINT1, 2 is TIMINT2.
//! (A node with one interrupt means TIMINTC unless `arm,sp804-has-irq` says which timer's it
//! is; one with two means TIMINT1 and TIMINT2.)
//!
//! Time: the manual leaves open how TIMCLK's edges stand to a write. Here a timer that is loaded or
//! enabled, or gets another prescaler, has an edge of both at that moment, so that its first step is
//! a whole one.
//! A periodic timer's interrupts are TimerXLoad ticks apart: the count that reaches 0 is the
//! load value in the same tick.
//!
//! Deviations: TimerPre 0b11, which the manual leaves undefined, divides by 256.

mod counter;

use crate::access::{Access, Refusal};
use crate::emul::describe::{
    Allowed, Bound, Description, Field, Register as Named, bit, field, register,
};
use crate::emul::primecell::{self, Identity};
use crate::emul::state::{Reader, Writer};
use crate::emul::{Cx, Device, Lines, Reset, apb};
use crate::units::Instant;
use counter::Counter;

/// How a dual timer is set up.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The rate of TIMCLK as each timer sees it through its TIMCLKEN, in hertz.
    pub hz: [u64; 2],
}

impl Config {
    /// Both timers at 1 MHz, as Arm's boards have them.
    #[must_use]
    pub const fn new() -> Self {
        Self { hz: [1_000_000; 2] }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Timer1,
    Timer2,
}

/// The registers (DDI 0271D, summary of registers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Load(Which),
    Value(Which),
    Control(Which),
    IntClr(Which),
    Ris(Which),
    Mis(Which),
    BgLoad(Which),
    Itcr,
    Itop,
    /// TimerPeriphID0 and on, by the offset from it.
    Identity(u64),
    Reserved,
}

impl Register {
    const fn at(offset: u64) -> Self {
        let which = if offset & 0x20 == 0 {
            Which::Timer1
        } else {
            Which::Timer2
        };
        match offset {
            0x00 | 0x20 => Self::Load(which),
            0x04 | 0x24 => Self::Value(which),
            0x08 | 0x28 => Self::Control(which),
            0x0c | 0x2c => Self::IntClr(which),
            0x10 | 0x30 => Self::Ris(which),
            0x14 | 0x34 => Self::Mis(which),
            0x18 | 0x38 => Self::BgLoad(which),
            0xf00 => Self::Itcr,
            0xf04 => Self::Itop,
            0xfe0..=0xffc => Self::Identity(offset.wrapping_sub(0xfe0)),
            _ => Self::Reserved,
        }
    }
}

/// What its registers are called, and what a trace cannot pin.
pub static DESCRIPTION: Description = Description::of("DDI 0271D", REGISTERS)
    .lines(&["TIMINTC", "TIMINT1", "TIMINT2"])
    .bounds(&[ticks("Timer1Value"), ticks("Timer2Value")])
    .deviations(&["TimerPre 0b11, which the manual leaves undefined, divides by 256"]);

const fn ticks(register: &'static str) -> Bound {
    Bound {
        register,
        field: None,
        allowed: Allowed::Ticks(1),
        reason: "a recorder rounds a step that is under way down",
    }
}

const CONTROL: &[Field] = &[
    bit("TimerEn", 7),
    bit("TimerMode", 6),
    bit("IntEnable", 5),
    field("TimerPre", 3, 2),
    bit("TimerSize", 1),
    bit("OneShot", 0),
];

const fn control(offset: u64, name: &'static str) -> Named {
    register(offset, name).fields(CONTROL)
}

const REGISTERS: &[Named] = &[
    register(0x00, "Timer1Load"),
    register(0x04, "Timer1Value"),
    control(0x08, "Timer1Control"),
    register(0x0c, "Timer1IntClr"),
    register(0x10, "Timer1RIS"),
    register(0x14, "Timer1MIS"),
    register(0x18, "Timer1BGLoad"),
    register(0x20, "Timer2Load"),
    register(0x24, "Timer2Value"),
    control(0x28, "Timer2Control"),
    register(0x2c, "Timer2IntClr"),
    register(0x30, "Timer2RIS"),
    register(0x34, "Timer2MIS"),
    register(0x38, "Timer2BGLoad"),
    register(0xf00, "TimerITCR"),
    register(0xf04, "TimerITOP"),
    primecell::PERIPH_ID,
    primecell::PCELL_ID_REGISTERS,
];

/// An SP804.
pub struct Sp804 {
    config: Config,
    timers: [Counter; 2],
    /// Integration test: the outputs are `test_outputs`, not the timers'.
    test: bool,
    /// TimerITOP: bit 0 is TIMINT1, bit 1 is TIMINT2.
    test_outputs: u8,
}

impl Sp804 {
    /// A dual timer as after reset.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        let [hz1, hz2] = config.hz;
        Self {
            config,
            timers: [Counter::new(hz1), Counter::new(hz2)],
            test: false,
            test_outputs: 0,
        }
    }

    const fn timer(&self, which: Which) -> &Counter {
        let [timer1, timer2] = &self.timers;
        match which {
            Which::Timer1 => timer1,
            Which::Timer2 => timer2,
        }
    }

    const fn timer_mut(&mut self, which: Which) -> &mut Counter {
        let [timer1, timer2] = &mut self.timers;
        match which {
            Which::Timer1 => timer1,
            Which::Timer2 => timer2,
        }
    }

    fn read_register(&self, offset: u64) -> u32 {
        match Register::at(offset) {
            Register::Load(which) | Register::BgLoad(which) => self.timer(which).reload(),
            Register::Value(which) => self.timer(which).value(),
            Register::Control(which) => self.timer(which).control().into(),
            Register::Ris(which) => self.timer(which).raw().into(),
            Register::Mis(which) => self.timer(which).interrupt().into(),
            Register::Itcr => self.test.into(),
            Register::Identity(n) => Identity::arm(0x804, 1, 0).read(n),
            Register::IntClr(_) | Register::Itop | Register::Reserved => 0,
        }
    }

    fn write_register(&mut self, now: Instant, offset: u64, value: u32) {
        match Register::at(offset) {
            Register::Load(which) => self.timer_mut(which).load(now, value),
            Register::Control(which) => self.timer_mut(which).set_control(now, value as u8),
            Register::IntClr(which) => self.timer_mut(which).clear_interrupt(),
            Register::BgLoad(which) => self.timer_mut(which).set_reload(value),
            Register::Itcr => self.test = value & 1 != 0,
            Register::Itop => self.test_outputs = (value & 3) as u8,
            Register::Value(_)
            | Register::Ris(_)
            | Register::Mis(_)
            | Register::Identity(_)
            | Register::Reserved => {}
        }
    }
}

impl Device for Sp804 {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        self.advance(cx);
        apb::read(access, |offset| self.read_register(offset))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        self.advance(cx);
        apb::write(access, value, |offset, value| {
            self.write_register(cx.now, offset, value);
        })
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        for timer in &mut self.timers {
            timer.advance(cx.now);
        }
    }

    fn lines(&self) -> Lines {
        let [int1, int2] = if self.test {
            [self.test_outputs & 1 != 0, self.test_outputs & 2 != 0]
        } else {
            self.timers.each_ref().map(Counter::interrupt)
        };
        Lines::default()
            .with(0, int1 || int2)
            .with(1, int1)
            .with(2, int2)
    }

    fn deadline(&self) -> Option<Instant> {
        self.timers.iter().filter_map(Counter::deadline).min()
    }

    /// Both kinds of reset are PRESETn. TIMCLK has no reset: its ticks go on.
    fn reset(&mut self, _: Reset) {
        *self = Self::new(self.config);
    }

    fn save(&self, out: &mut Writer) {
        for timer in &self.timers {
            timer.save(out);
        }
        out.bool(self.test);
        out.u8(self.test_outputs);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        let [hz1, hz2] = self.config.hz;
        let loaded = Self {
            config: self.config,
            timers: [
                Counter::load_state(hz1, from)?,
                Counter::load_state(hz2, from)?,
            ],
            test: from.bool()?,
            test_outputs: from.u8()?,
        };
        if loaded.test_outputs > 3 {
            return Err(Refusal::BadState);
        }
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
