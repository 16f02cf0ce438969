//! The global timer of a Cortex-A9 MPCore.
//!
//! ARM DDI 0407I, 4.3 and 4.4. `compatible`: `arm,cortex-a9-global-timer`, also of the
//! Cortex-A5. Region 0 holds the registers; the counter, the timer enable and the prescaler are
//! shared, the rest is banked by the CPU that accesses it.
//!
//! Output lines: line c is CPU c's PPI 27, high while its event flag is set and its interrupt
//! enabled.
//!
//! As from r2p0 on, a comparator fires when the counter is greater than or equal to it. So a
//! flag that is cleared before the comparator has moved on is set again at once: the behaviour
//! that erratum 740657 describes.
//!
//! Known deviations:
//!
//! - The prescaler starts anew whenever the count or the shared control bits change.
//! - SNSAC of the SCU does not close the timer to Non-secure software.

use super::describe::{Allowed, Bound, Description, Register as Named, bit, field, register};
use super::state::{Reader, Writer};
use super::{Cx, Device, Lines, Reset};
use crate::access::{Access, Refusal, Width};
use crate::units::{Instant, ns_for, ticks_in};

/// The most CPUs that an MPCore has.
pub const MAX_CPUS: usize = 4;

const ENABLE: u32 = 1 << 0;
const COMP_ENABLE: u32 = 1 << 1;
const IRQ_ENABLE: u32 = 1 << 2;
const AUTO_INCREMENT: u32 = 1 << 3;
const PRESCALER: u32 = 0xff00;
/// Control bits that all CPUs share.
const SHARED: u32 = PRESCALER | ENABLE;
/// Control bits of each CPU.
const BANKED: u32 = AUTO_INCREMENT | IRQ_ENABLE | COMP_ENABLE;
/// What its registers are called, and what a trace cannot pin.
pub static DESCRIPTION: Description = Description::of("DDI 0407I, 4.3", REGISTERS)
    .lines(&["CPU 0", "CPU 1", "CPU 2", "CPU 3"])
    .bounds(&[Bound {
        register: "Global Timer Counter",
        field: None,
        allowed: Allowed::Ticks(1),
        reason: "a recorder rounds a tick that is under way in its own way",
    }])
    // A tick of 10 ns with a prescaler of 256.
    .line_within_ns(2_560)
    .deviations(&[
        "the prescaler starts anew at a write",
        "SNSAC does not close it to Non-secure software",
    ]);

const REGISTERS: &[Named] = &[
    register(0x00, "Global Timer Counter").times(2),
    register(0x08, "Global Timer Control").fields(&[
        field("Prescaler", 15, 8),
        bit("Auto-increment", 3),
        bit("IRQ Enable", 2),
        bit("Comp Enable", 1),
        bit("Timer Enable", 0),
    ]),
    register(0x0c, "Global Timer Interrupt Status").fields(&[bit("Event flag", 0)]),
    register(0x10, "Comparator Value").times(2),
    register(0x18, "Auto-increment"),
];

#[derive(Clone, Copy)]
enum Register {
    /// The low word, or the high one.
    Counter(Half),
    Control,
    InterruptStatus,
    /// The low word, or the high one.
    Comparator(Half),
    AutoIncrement,
    /// Reads as zero, ignores writes.
    Reserved,
}

#[derive(Clone, Copy)]
enum Half {
    Low,
    High,
}

impl Half {
    fn of(self, value: u64) -> u32 {
        match self {
            Self::Low => value as u32,
            Self::High => (value >> 32) as u32,
        }
    }

    fn put(self, value: u64, word: u32) -> u64 {
        match self {
            Self::Low => (value & !0xffff_ffff) | u64::from(word),
            Self::High => (value & 0xffff_ffff) | (u64::from(word) << 32),
        }
    }
}

impl Register {
    fn at(access: Access) -> Result<Self, Refusal> {
        if access.region != 0 || access.offset >= 0x20 {
            return Err(Refusal::NoRegister);
        }
        // Words only: a doubleword access is not one of the interface's (4.4.1).
        if access.width != Width::Word || !access.offset.is_multiple_of(4) {
            return Err(Refusal::Width);
        }
        Ok(match access.offset {
            0x00 => Self::Counter(Half::Low),
            0x04 => Self::Counter(Half::High),
            0x08 => Self::Control,
            0x0c => Self::InterruptStatus,
            0x10 => Self::Comparator(Half::Low),
            0x14 => Self::Comparator(Half::High),
            0x18 => Self::AutoIncrement,
            _ => Self::Reserved,
        })
    }
}

/// What each CPU has of its own.
#[derive(Clone, Copy, Default)]
struct Bank {
    control: u32,
    comparator: u64,
    increment: u32,
    event: bool,
}

impl Bank {
    /// Compares, and moves the comparator beyond the counter if it increments by itself.
    fn compare(&mut self, counter: u64) {
        if self.control & COMP_ENABLE == 0 || counter < self.comparator {
            return;
        }
        self.event = true;
        if self.control & AUTO_INCREMENT != 0 {
            let step = u64::from(self.increment);
            let over = counter.wrapping_sub(self.comparator);
            if let Some(steps) = over.checked_div(step) {
                let by = steps.wrapping_add(1).wrapping_mul(step);
                self.comparator = self.comparator.wrapping_add(by);
            }
        }
    }
}

/// A Cortex-A9's global timer.
pub struct GlobalTimer {
    hz: u64,
    cpus: usize,
    control: u32,
    /// The counter at `since`.
    count: u64,
    since: Instant,
    banks: [Bank; MAX_CPUS],
}

impl GlobalTimer {
    /// A timer with comparators for `cpus` CPUs (1 to 4), counting a PERIPHCLK of `hz`.
    pub fn new(cpus: u8, hz: u64) -> Self {
        let cpus = usize::from(cpus).clamp(1, MAX_CPUS);
        let banks = [Bank::default(); MAX_CPUS];
        Self {
            hz,
            cpus,
            control: 0,
            count: 0,
            since: Instant::ZERO,
            banks,
        }
    }

    fn divisor(&self) -> u64 {
        u64::from((self.control & PRESCALER) >> 8).wrapping_add(1)
    }

    fn counter(&self, now: Instant) -> u64 {
        if self.control & ENABLE == 0 {
            return self.count;
        }
        let ticks = ticks_in(now.since(self.since), self.hz);
        self.count
            .wrapping_add(ticks.checked_div(self.divisor()).unwrap_or(0))
    }

    /// When the counter reaches `value`, which is ahead of `count`.
    fn reaches(&self, value: u64) -> Option<Instant> {
        let ticks = value.checked_sub(self.count)?.checked_mul(self.divisor())?;
        Some(self.since.saturating_add(ns_for(ticks, self.hz)))
    }

    fn bank(&mut self, access: Access) -> Result<&mut Bank, Refusal> {
        let cpu = access.initiator.cpu();
        self.banks
            .get_mut(..self.cpus)
            .and_then(|b| b.get_mut(cpu))
            .ok_or(Refusal::Forbidden)
    }
}

impl Device for GlobalTimer {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        let register = Register::at(access)?;
        let counter = self.counter(cx.now);
        let control = self.control;
        let bank = self.bank(access)?;
        Ok(u64::from(match register {
            Register::Counter(half) => half.of(counter),
            Register::Control => control | bank.control,
            Register::InterruptStatus => u32::from(bank.event),
            Register::Comparator(half) => half.of(bank.comparator),
            Register::AutoIncrement => bank.increment,
            Register::Reserved => 0,
        }))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        let register = Register::at(access)?;
        let counter = self.counter(cx.now);
        let bank = self.bank(access)?;
        let value = value as u32;
        match register {
            Register::Counter(half) => {
                self.count = half.put(counter, value);
                self.since = cx.now;
            }
            Register::Control => {
                bank.control = value & BANKED;
                if value & SHARED != self.control {
                    self.count = counter;
                    self.since = cx.now;
                    self.control = value & SHARED;
                }
            }
            Register::InterruptStatus => bank.event &= value & 1 == 0,
            Register::Comparator(half) => bank.comparator = half.put(bank.comparator, value),
            Register::AutoIncrement => bank.increment = value,
            Register::Reserved => {}
        }
        self.advance(cx);
        Ok(())
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        let counter = self.counter(cx.now);
        for bank in self.banks.iter_mut().take(self.cpus) {
            bank.compare(counter);
        }
    }

    fn lines(&self) -> Lines {
        self.banks
            .iter()
            .zip(0..)
            .fold(Lines::default(), |lines, (bank, n)| {
                lines.with(n, bank.event && bank.control & IRQ_ENABLE != 0)
            })
    }

    fn deadline(&self) -> Option<Instant> {
        if self.control & ENABLE == 0 {
            return None;
        }
        // With its flag up already, no comparator changes a line.
        let armed = COMP_ENABLE | IRQ_ENABLE;
        let banks = self.banks.iter().take(self.cpus);
        banks
            .filter(|bank| bank.control & armed == armed && !bank.event)
            .filter_map(|bank| self.reaches(bank.comparator))
            .min()
    }

    fn reset(&mut self, _: Reset) {
        self.control = 0;
        self.count = 0;
        self.since = Instant::ZERO;
        self.banks = [Bank::default(); MAX_CPUS];
    }

    fn save(&self, out: &mut Writer) {
        out.u32(self.control);
        out.u64(self.count);
        out.u64(self.since.0);
        for bank in &self.banks {
            out.u32(bank.control);
            out.u64(bank.comparator);
            out.u32(bank.increment);
            out.bool(bank.event);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        let (control, count, since) = (from.u32()? & SHARED, from.u64()?, Instant(from.u64()?));
        let mut banks = self.banks;
        for bank in &mut banks {
            *bank = Bank {
                control: from.u32()? & BANKED,
                comparator: from.u64()?,
                increment: from.u32()?,
                event: from.bool()?,
            };
        }
        (self.control, self.count, self.since, self.banks) = (control, count, since, banks);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Initiator;
    use crate::memory::NoMemory;

    /// 10 ns a tick.
    const HZ: u64 = 100_000_000;

    struct Bench {
        timer: GlobalTimer,
        cpu: u8,
        now: u64,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                timer: GlobalTimer::new(2, HZ),
                cpu: 0,
                now: 500,
            }
        }
        fn access(&self, offset: u64) -> Access {
            Access {
                initiator: Initiator::Cpu(self.cpu),
                ..Access::word(offset)
            }
        }
        fn get(&mut self, offset: u64) -> u64 {
            let access = self.access(offset);
            let mut cx = Cx::new(Instant(self.now), &NoMemory, None);
            self.timer.advance(&mut cx);
            self.timer.read(&mut cx, access).unwrap()
        }
        fn put(&mut self, offset: u64, value: u64) {
            let access = self.access(offset);
            let mut cx = Cx::new(Instant(self.now), &NoMemory, None);
            self.timer.advance(&mut cx);
            self.timer.write(&mut cx, access, value).unwrap();
        }
        fn after(&mut self, ns: u64) {
            self.now += ns;
            self.timer
                .advance(&mut Cx::new(Instant(self.now), &NoMemory, None));
        }
        fn line(&self) -> bool {
            self.timer.lines().is_high(self.cpu.into())
        }
    }

    #[test]
    fn every_register_is_zero_at_reset_and_the_counter_stands() {
        let mut b = Bench::new();
        b.after(1_000_000);
        for offset in (0..0x20).step_by(4) {
            assert_eq!(b.get(offset), 0);
        }
    }

    #[test]
    fn the_counter_counts_up_and_carries_into_its_high_word() {
        let mut b = Bench::new();
        b.put(0x00, 0xffff_fff0);
        b.put(0x04, 7);
        b.put(0x08, 1);
        b.after(150);
        assert_eq!((b.get(4), b.get(0)), (7, 0xffff_ffff));
        b.after(10);
        assert_eq!((b.get(4), b.get(0)), (8, 0));
        b.put(0x08, 0);
        b.after(1000);
        assert_eq!((b.get(4), b.get(0)), (8, 0));
    }

    #[test]
    fn the_prescaler_divides_the_clock() {
        let mut b = Bench::new();
        b.put(0x08, 0x0901);
        b.after(999);
        assert_eq!(b.get(0), 9);
        b.after(1);
        assert_eq!(b.get(0), 10);
    }

    #[test]
    fn a_comparator_raises_its_own_cpus_line() {
        let mut b = Bench::new();
        b.cpu = 1;
        b.put(0x10, 20);
        b.put(0x08, 7);
        assert_eq!(b.timer.deadline(), Some(Instant(700)));
        b.after(199);
        assert!(!b.line());
        b.after(1);
        assert_eq!(b.timer.lines(), Lines(2));
        assert_eq!(b.timer.deadline(), None);
        b.cpu = 0;
        // The enable is shared, the comparator is not.
        assert_eq!((b.get(0x08), b.get(0x0c), b.get(0x10)), (1, 0, 0));
    }

    #[test]
    fn a_flag_cleared_before_the_comparator_moves_on_is_set_again() {
        let mut b = Bench::new();
        b.put(0x10, 20);
        b.put(0x08, 7);
        b.after(1000);
        b.put(0x0c, 1);
        assert!(b.line());
        b.put(0x10, 1000);
        assert!(b.line());
        b.put(0x0c, 1);
        assert!(!b.line());
        b.put(0x0c, 0);
        assert_eq!(b.get(0x0c), 0);
    }

    #[test]
    fn auto_increment_makes_events_without_drift() {
        let mut b = Bench::new();
        b.put(0x10, 100);
        b.put(0x18, 50);
        b.put(0x08, 0xf);
        b.after(1000);
        assert_eq!((b.get(0x0c), b.get(0x10)), (1, 150));
        b.put(0x0c, 1);
        assert!(!b.line());
        assert_eq!(b.timer.deadline(), Some(Instant(2000)));
        b.after(1_000_003);
        // At tick 100,100 the next multiple of 50 is 100,150.
        assert_eq!((b.get(0x0c), b.get(0x10)), (1, 100_150));
    }

    #[test]
    fn an_increment_of_zero_leaves_the_comparator() {
        let mut b = Bench::new();
        b.put(0x10, 1);
        b.put(0x08, 0xf);
        b.after(1000);
        assert_eq!((b.get(0x0c), b.get(0x10)), (1, 1));
    }

    #[test]
    fn without_comp_enable_there_is_no_event() {
        let mut b = Bench::new();
        b.put(0x08, 5);
        b.after(1000);
        assert_eq!(b.get(0x0c), 0);
        b.put(0x08, 3); // compared, and the interrupt off
        assert_eq!((b.get(0x0c), b.line()), (1, false));
    }

    #[test]
    fn control_has_no_other_bits_and_other_accesses_are_refused() {
        let mut b = Bench::new();
        b.put(0x08, 0xffff_ffff);
        assert_eq!(b.get(0x08), 0xff0f);
        let mut cx = Cx::new(Instant(0), &NoMemory, None);
        let word = Access::word(0);
        assert_eq!(
            b.timer.read(&mut cx, word.sized(Width::Double)),
            Err(Refusal::Width)
        );
        assert_eq!(
            b.timer.read(&mut cx, Access::word(0x20)),
            Err(Refusal::NoRegister)
        );
        let third = Access {
            initiator: Initiator::Cpu(2),
            ..word
        };
        assert_eq!(b.timer.read(&mut cx, third), Err(Refusal::Forbidden));
    }

    #[test]
    fn a_saved_timer_goes_on_where_it_was() {
        let mut b = Bench::new();
        b.put(0x04, 3);
        b.put(0x14, 3);
        b.put(0x10, 200);
        b.put(0x08, 7);
        b.after(1000);
        let mut out = Writer::default();
        b.timer.save(&mut out);
        let bytes = out.into_bytes();
        let mut other = Bench::new();
        other.timer.load(&mut Reader::new(&bytes)).unwrap();
        other.now = b.now + 1000;
        b.after(1000);
        assert_eq!((other.get(4), other.get(0)), (3, 200));
        assert!(other.line() && b.line());
        assert_eq!(
            other.timer.load(&mut Reader::new(&bytes[1..])),
            Err(Refusal::BadState)
        );
        assert_eq!(other.get(0), 0);
    }
}
