//! The private timer and the private watchdog of a Cortex-A9 MPCore.
//!
//! ARM DDI 0407I, 4.1 and 4.2. `compatible`: `arm,cortex-a9-twd-timer` ([`PrivateTimer`]) and
//! `arm,cortex-a9-twd-wdt` ([`Watchdog`]), also of the Cortex-A5 and the ARM11 MPCore. Region 0
//! holds the registers, banked by the CPU that accesses them.
//!
//! Output lines: line c is CPU c's private interrupt (PPI 29 of the timer, 30 of the watchdog:
//! the node's one interrupt, banked like the registers). High while the event flag is set and
//! the interrupt enabled. A watchdog that expires asks for a reset of the board.
//!
//! Known deviations:
//!
//! - The prescaler starts anew whenever software writes a register that changes the count.
//! - The counters do not stop in debug state: the board's time stops instead.
//! - SNSAC of the SCU does not close the timers to Non-secure software.

use super::describe::{Allowed, Bound, Description, Register as Named, bit, field, register};
use super::state::{Reader, Writer};
use super::{Ask, Cx, Device, Lines, Reset};
use crate::access::{Access, Refusal, Width};
use crate::units::{Instant, ns_for, ticks_in};

/// The most CPUs that an MPCore has.
pub const MAX_CPUS: usize = 4;

const ENABLE: u32 = 1 << 0;
const AUTO_RELOAD: u32 = 1 << 1;
const IT_ENABLE: u32 = 1 << 2;
const WATCHDOG_MODE: u32 = 1 << 3;
const PRESCALER: u32 = 0xff00;

/// A counter of 32 bits that counts down, computed from the time at which it was last set.
#[derive(Clone, Copy, Default)]
struct Countdown {
    load: u32,
    control: u32,
    /// The count at `since`.
    count: u32,
    since: Instant,
    /// How often the count has reached zero since then, as far as the flag has been told.
    told: u64,
    /// The event flag.
    event: bool,
}

impl Countdown {
    fn divisor(self) -> u64 {
        u64::from((self.control & PRESCALER) >> 8).wrapping_add(1)
    }

    /// A watchdog in watchdog mode does not reload (4.2.6).
    fn reloads(self) -> bool {
        self.control & (AUTO_RELOAD | WATCHDOG_MODE) == AUTO_RELOAD
    }

    fn period(self) -> u64 {
        u64::from(self.load).wrapping_add(1)
    }

    fn elapsed(self, now: Instant, hz: u64) -> u64 {
        if self.control & ENABLE == 0 {
            return 0;
        }
        ticks_in(now.since(self.since), hz)
            .checked_div(self.divisor())
            .unwrap_or(0)
    }

    /// The tick at which the count first reaches zero. A count that starts at zero is no event;
    /// it reloads with the next tick, or stays.
    fn first_zero(self) -> Option<u64> {
        match self.count {
            0 => self.reloads().then(|| self.period()),
            count => Some(u64::from(count)),
        }
    }

    fn zeros(self, elapsed: u64) -> u64 {
        match self
            .first_zero()
            .and_then(|first| elapsed.checked_sub(first))
        {
            None => 0,
            Some(_) if !self.reloads() => 1,
            Some(over) => over.checked_div(self.period()).unwrap_or(0).wrapping_add(1),
        }
    }

    fn value(self, elapsed: u64) -> u32 {
        let Some(first) = self.first_zero() else {
            return 0;
        };
        if elapsed == 0 {
            return self.count;
        }
        let left = match elapsed.checked_sub(first) {
            None => first.wrapping_sub(elapsed),
            Some(_) if !self.reloads() => 0,
            Some(over) => match over.checked_rem(self.period()).unwrap_or(0) {
                0 => 0,
                into => self.period().wrapping_sub(into),
            },
        };
        left as u32
    }

    /// Raises the flag if the count has reached zero since the last call; whether it has.
    fn advance(&mut self, now: Instant, hz: u64) -> bool {
        let zeros = self.zeros(self.elapsed(now, hz));
        let expired = zeros > self.told;
        self.told = zeros;
        self.event |= expired;
        expired
    }

    /// When the count next reaches zero.
    fn next_zero(self, hz: u64) -> Option<Instant> {
        if self.control & ENABLE == 0 || (self.told > 0 && !self.reloads()) {
            return None;
        }
        let ticks = self
            .told
            .checked_mul(self.period())?
            .checked_add(self.first_zero()?)?;
        Some(
            self.since
                .saturating_add(ns_for(ticks.checked_mul(self.divisor())?, hz)),
        )
    }

    /// Goes on from `count`, now.
    fn set(&mut self, count: u32, now: Instant) {
        self.count = count;
        self.since = now;
        self.told = 0;
    }

    fn set_control(&mut self, control: u32, now: Instant, hz: u64) {
        if control != self.control {
            let count = self.value(self.elapsed(now, hz));
            self.control = control;
            self.set(count, now);
        }
    }

    fn save(&self, out: &mut Writer) {
        for word in [self.load, self.control, self.count] {
            out.u32(word);
        }
        out.u64(self.since.0);
        out.u64(self.told);
        out.bool(self.event);
    }

    fn load(from: &mut Reader<'_>, control_bits: u32) -> Result<Self, Refusal> {
        Ok(Self {
            load: from.u32()?,
            control: from.u32()? & control_bits,
            count: from.u32()?,
            since: Instant(from.u64()?),
            told: from.u64()?,
            event: from.bool()?,
        })
    }
}
/// What the private timer's registers are called, and what a trace cannot pin.
pub static TIMER_DESCRIPTION: Description = Description::of("DDI 0407I, 4.1", TIMER_REGISTERS)
    .lines(LINES)
    .bounds(&[ticks("Private Timer Counter")])
    .line_within_ns(WITHIN_NS)
    .deviations(DEVIATIONS);

/// The same of the private watchdog.
pub static WATCHDOG_DESCRIPTION: Description =
    Description::of("DDI 0407I, 4.2", WATCHDOG_REGISTERS)
        .lines(LINES)
        .bounds(&[ticks("Watchdog Counter")])
        .line_within_ns(WITHIN_NS)
        .deviations(DEVIATIONS);

const LINES: &[&str] = &["CPU 0", "CPU 1", "CPU 2", "CPU 3"];

/// A tick of 10 ns with a prescaler of 256.
const WITHIN_NS: u64 = 2_560;

const DEVIATIONS: &[&str] = &[
    "the prescaler starts anew at a write",
    "SNSAC does not close it to Non-secure software",
];

const fn ticks(register: &'static str) -> Bound {
    Bound {
        register,
        field: None,
        allowed: Allowed::Ticks(1),
        reason: "a recorder rounds a tick that is under way in its own way",
    }
}

const fn control(name: &'static str, fields: &'static [super::describe::Field]) -> Named {
    register(0x08, name).fields(fields)
}

const TIMER_REGISTERS: &[Named] = &[
    register(0x00, "Private Timer Load"),
    register(0x04, "Private Timer Counter"),
    control(
        "Private Timer Control",
        &[
            field("Prescaler", 15, 8),
            bit("IRQ Enable", 2),
            bit("Auto reload", 1),
            bit("Timer Enable", 0),
        ],
    ),
    register(0x0c, "Private Timer Interrupt Status").fields(&[bit("Event flag", 0)]),
];

const WATCHDOG_REGISTERS: &[Named] = &[
    register(0x00, "Watchdog Load"),
    register(0x04, "Watchdog Counter"),
    control(
        "Watchdog Control",
        &[
            field("Prescaler", 15, 8),
            bit("Watchdog mode", 3),
            bit("IT Enable", 2),
            bit("Auto reload", 1),
            bit("Watchdog Enable", 0),
        ],
    ),
    register(0x0c, "Watchdog Interrupt Status").fields(&[bit("Event flag", 0)]),
    register(0x10, "Watchdog Reset Status").fields(&[bit("Reset flag", 0)]),
    register(0x14, "Watchdog Disable"),
];

#[derive(Clone, Copy)]
enum Register {
    Load,
    Counter,
    Control,
    InterruptStatus,
    /// Of the watchdog only.
    ResetStatus,
    /// Of the watchdog only.
    Disable,
    /// Reads as zero, ignores writes.
    Reserved,
}

impl Register {
    fn at(access: Access) -> Result<Self, Refusal> {
        if access.region != 0 || access.offset >= 0x20 {
            return Err(Refusal::NoRegister);
        }
        if access.width != Width::Word || !access.offset.is_multiple_of(4) {
            return Err(Refusal::Width);
        }
        Ok(match access.offset {
            0x00 => Self::Load,
            0x04 => Self::Counter,
            0x08 => Self::Control,
            0x0c => Self::InterruptStatus,
            0x10 => Self::ResetStatus,
            0x14 => Self::Disable,
            _ => Self::Reserved,
        })
    }
}

/// The private timers of all CPUs.
pub struct PrivateTimer {
    hz: u64,
    cpus: usize,
    timers: [Countdown; MAX_CPUS],
}

/// The bits of a private timer's Control Register.
const TIMER_CONTROL: u32 = PRESCALER | IT_ENABLE | AUTO_RELOAD | ENABLE;

impl PrivateTimer {
    /// Timers for `cpus` CPUs (1 to 4), counting a PERIPHCLK of `hz`.
    pub fn new(cpus: u8, hz: u64) -> Self {
        let cpus = usize::from(cpus).clamp(1, MAX_CPUS);
        Self {
            hz,
            cpus,
            timers: [Countdown::default(); MAX_CPUS],
        }
    }

    fn timer(&mut self, access: Access) -> Result<&mut Countdown, Refusal> {
        let cpu = access.initiator.cpu();
        self.timers
            .get_mut(..self.cpus)
            .and_then(|t| t.get_mut(cpu))
            .ok_or(Refusal::Forbidden)
    }
}

impl Device for PrivateTimer {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        let register = Register::at(access)?;
        let hz = self.hz;
        let timer = self.timer(access)?;
        Ok(u64::from(match register {
            Register::Load => timer.load,
            Register::Counter => timer.value(timer.elapsed(cx.now, hz)),
            Register::Control => timer.control,
            Register::InterruptStatus => u32::from(timer.event),
            Register::ResetStatus | Register::Disable | Register::Reserved => 0,
        }))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        let register = Register::at(access)?;
        let hz = self.hz;
        let timer = self.timer(access)?;
        let value = value as u32;
        match register {
            Register::Load => {
                timer.load = value;
                timer.set(value, cx.now);
            }
            Register::Counter => timer.set(value, cx.now),
            Register::Control => timer.set_control(value & TIMER_CONTROL, cx.now, hz),
            Register::InterruptStatus => timer.event &= value & 1 == 0,
            Register::ResetStatus | Register::Disable | Register::Reserved => {}
        }
        Ok(())
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        for timer in self.timers.iter_mut().take(self.cpus) {
            timer.advance(cx.now, self.hz);
        }
    }

    fn lines(&self) -> Lines {
        raised(self.timers.iter(), 0)
    }

    fn deadline(&self) -> Option<Instant> {
        let timers = self.timers.iter().take(self.cpus);
        timers
            .filter(|t| interrupts_next(t))
            .filter_map(|t| t.next_zero(self.hz))
            .min()
    }

    fn reset(&mut self, _: Reset) {
        self.timers = [Countdown::default(); MAX_CPUS];
    }

    fn save(&self, out: &mut Writer) {
        for timer in &self.timers {
            timer.save(out);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        let mut timers = self.timers;
        for timer in &mut timers {
            *timer = Countdown::load(from, TIMER_CONTROL)?;
        }
        self.timers = timers;
        Ok(())
    }
}

/// The lines of counters whose flag and enable are set; `mute` are control bits that
/// switch the interrupt off.
fn raised<'a>(counters: impl Iterator<Item = &'a Countdown>, mute: u32) -> Lines {
    counters.zip(0..).fold(Lines::default(), |lines, (c, n)| {
        lines.with(
            n,
            c.event && c.control & IT_ENABLE != 0 && c.control & mute == 0,
        )
    })
}

/// Whether the next zero changes the line. With the flag up already, nothing does, so that
/// a short period costs no more than the guest's own clearing of the flag.
fn interrupts_next(counter: &Countdown) -> bool {
    counter.control & IT_ENABLE != 0 && !counter.event
}

/// The private watchdogs of all CPUs.
pub struct Watchdog {
    hz: u64,
    cpus: usize,
    dogs: [Dog; MAX_CPUS],
}

#[derive(Clone, Copy, Default)]
struct Dog {
    counter: Countdown,
    /// The Reset Status flag: it outlives the reset that it caused.
    barked: bool,
    /// The first word of the disable sequence was written.
    half_disabled: bool,
}

const WATCHDOG_CONTROL: u32 = TIMER_CONTROL | WATCHDOG_MODE;
/// The two words of the Disable Register, in this order (4.2.10).
const DISABLE_SEQUENCE: (u32, u32) = (0x1234_5678, 0x8765_4321);

impl Watchdog {
    /// Watchdogs for `cpus` CPUs (1 to 4), counting a PERIPHCLK of `hz`.
    pub fn new(cpus: u8, hz: u64) -> Self {
        let cpus = usize::from(cpus).clamp(1, MAX_CPUS);
        Self {
            hz,
            cpus,
            dogs: [Dog::default(); MAX_CPUS],
        }
    }

    fn dog(&mut self, access: Access) -> Result<&mut Dog, Refusal> {
        let cpu = access.initiator.cpu();
        self.dogs
            .get_mut(..self.cpus)
            .and_then(|d| d.get_mut(cpu))
            .ok_or(Refusal::Forbidden)
    }
}

impl Device for Watchdog {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        let register = Register::at(access)?;
        let hz = self.hz;
        let dog = self.dog(access)?;
        Ok(u64::from(match register {
            Register::Load => dog.counter.load,
            Register::Counter => dog.counter.value(dog.counter.elapsed(cx.now, hz)),
            Register::Control => dog.counter.control,
            Register::InterruptStatus => u32::from(dog.counter.event),
            Register::ResetStatus => u32::from(dog.barked),
            Register::Disable | Register::Reserved => 0,
        }))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        let register = Register::at(access)?;
        let hz = self.hz;
        let dog = self.dog(access)?;
        let counter = &mut dog.counter;
        let mode = counter.control & WATCHDOG_MODE;
        let value = value as u32;
        match register {
            Register::Load => {
                counter.load = value;
                counter.set(value, cx.now);
            }
            // In watchdog mode only the Load Register changes the count (4.2.6).
            Register::Counter if mode == 0 => counter.set(value, cx.now),
            // Watchdog mode is entered here, and left by the Disable Register (4.2.7).
            Register::Control => {
                counter.set_control(value & WATCHDOG_CONTROL | mode, cx.now, hz);
            }
            Register::InterruptStatus => counter.event &= value & 1 == 0,
            Register::ResetStatus => dog.barked &= value & 1 == 0,
            Register::Disable => {
                let (first, second) = DISABLE_SEQUENCE;
                if dog.half_disabled && value == second {
                    let control = counter.control & !WATCHDOG_MODE;
                    counter.set_control(control, cx.now, hz);
                }
                dog.half_disabled = value == first;
            }
            Register::Counter | Register::Reserved => {}
        }
        Ok(())
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        let mut bark = false;
        for dog in self.dogs.iter_mut().take(self.cpus) {
            let flag = dog.counter.event;
            let expired = dog.counter.advance(cx.now, self.hz);
            if expired && dog.counter.control & WATCHDOG_MODE != 0 {
                // In watchdog mode zero is a reset, not an event (4.2.6).
                dog.counter.event = flag;
                dog.barked = true;
                bark = true;
            }
        }
        if bark {
            cx.ask(Ask::Reset);
        }
    }

    fn lines(&self) -> Lines {
        raised(self.dogs.iter().map(|dog| &dog.counter), WATCHDOG_MODE)
    }

    fn deadline(&self) -> Option<Instant> {
        let counters = self.dogs.iter().take(self.cpus).map(|dog| &dog.counter);
        counters
            .filter(|c| c.control & WATCHDOG_MODE != 0 || interrupts_next(c))
            .filter_map(|c| c.next_zero(self.hz))
            .min()
    }

    fn reset(&mut self, kind: Reset) {
        for dog in &mut self.dogs {
            let barked = dog.barked && kind == Reset::Warm;
            *dog = Dog {
                barked,
                ..Dog::default()
            };
        }
    }

    fn save(&self, out: &mut Writer) {
        for dog in &self.dogs {
            dog.counter.save(out);
            out.bool(dog.barked);
            out.bool(dog.half_disabled);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        let mut dogs = self.dogs;
        for dog in &mut dogs {
            dog.counter = Countdown::load(from, WATCHDOG_CONTROL)?;
            dog.barked = from.bool()?;
            dog.half_disabled = from.bool()?;
        }
        self.dogs = dogs;
        Ok(())
    }
}

#[cfg(test)]
#[path = "a9_timers_tests.rs"]
mod tests;
