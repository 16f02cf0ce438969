use super::*;
use crate::access::Initiator;
use crate::memory::NoMemory;

/// 10 ns a tick.
const HZ: u64 = 100_000_000;

const LOAD: u64 = 0x00;
const COUNTER: u64 = 0x04;
const CONTROL: u64 = 0x08;
const ISR: u64 = 0x0c;
const RESET_STATUS: u64 = 0x10;
const DISABLE: u64 = 0x14;

struct Bench<D> {
    device: D,
    cpu: u8,
    now: u64,
    asked: Option<Ask>,
}

impl<D: Device> Bench<D> {
    fn new(device: D) -> Self {
        Self {
            device,
            cpu: 0,
            now: 1_000_000,
            asked: None,
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
        self.device.advance(&mut cx);
        let value = self.device.read(&mut cx, access).unwrap();
        self.asked = self.asked.or(cx.asked());
        value
    }
    fn put(&mut self, offset: u64, value: u64) {
        let access = self.access(offset);
        let mut cx = Cx::new(Instant(self.now), &NoMemory, None);
        self.device.advance(&mut cx);
        self.device.write(&mut cx, access, value).unwrap();
        self.asked = self.asked.or(cx.asked());
    }
    fn after(&mut self, ns: u64) {
        self.now += ns;
        let mut cx = Cx::new(Instant(self.now), &NoMemory, None);
        self.device.advance(&mut cx);
        self.asked = self.asked.or(cx.asked());
    }
    fn line(&self) -> bool {
        self.device.lines().is_high(self.cpu.into())
    }
}

fn timer() -> Bench<PrivateTimer> {
    Bench::new(PrivateTimer::new(2, HZ))
}
fn watchdog() -> Bench<Watchdog> {
    Bench::new(Watchdog::new(2, HZ))
}

#[test]
fn every_register_is_zero_at_reset() {
    let (mut t, mut w) = (timer(), watchdog());
    for offset in (0..0x20).step_by(4) {
        assert_eq!(t.get(offset), 0);
        assert_eq!(w.get(offset), 0);
    }
    assert_eq!(t.device.deadline(), None);
}

#[test]
fn a_single_shot_counts_down_to_zero_and_stays() {
    let mut t = timer();
    t.put(LOAD, 100);
    assert_eq!(t.get(COUNTER), 100);
    t.put(CONTROL, 5);
    t.after(990);
    assert_eq!((t.get(COUNTER), t.get(ISR), t.line()), (1, 0, false));
    assert_eq!(t.device.deadline(), Some(Instant(1_001_000)));
    t.after(10);
    assert_eq!((t.get(COUNTER), t.get(ISR), t.line()), (0, 1, true));
    assert_eq!(t.device.deadline(), None);
    t.after(5000);
    t.put(ISR, 1);
    assert_eq!((t.get(COUNTER), t.get(ISR), t.line()), (0, 0, false));
    t.after(5000);
    assert_eq!(t.get(ISR), 0);
}

#[test]
fn auto_reload_takes_one_tick_more_than_the_load_value() {
    let mut t = timer();
    t.put(LOAD, 9);
    t.put(CONTROL, 7);
    t.after(90);
    assert_eq!((t.get(COUNTER), t.get(ISR)), (0, 1));
    t.put(ISR, 1);
    assert_eq!(t.device.deadline(), Some(Instant(1_000_190)));
    t.after(10);
    assert_eq!((t.get(COUNTER), t.get(ISR)), (9, 0));
    t.after(90);
    assert_eq!((t.get(COUNTER), t.get(ISR)), (0, 1));
    // Many periods at once leave one flag, and no drift.
    t.after(100 * 1_000_000);
    assert_eq!((t.get(COUNTER), t.get(ISR)), (0, 1));
    t.put(ISR, 1);
    t.after(99);
    assert_eq!(t.get(ISR), 0);
    t.after(1);
    assert_eq!(t.get(ISR), 1);
}

#[test]
fn the_prescaler_divides_the_clock() {
    let mut t = timer();
    t.put(CONTROL, 0x0405);
    t.put(COUNTER, 10);
    t.after(49);
    assert_eq!(t.get(COUNTER), 10);
    t.after(1);
    assert_eq!(t.get(COUNTER), 9);
    assert_eq!(t.device.deadline(), Some(Instant(1_000_500)));
}

#[test]
fn a_write_to_the_counter_leaves_the_load_value() {
    let mut t = timer();
    t.put(LOAD, 50);
    t.put(CONTROL, 3);
    t.put(COUNTER, 3);
    t.after(40);
    assert_eq!(t.get(COUNTER), 50);
    assert_eq!(t.get(LOAD), 50);
}

#[test]
fn a_stopped_counter_keeps_its_value() {
    let mut t = timer();
    t.put(LOAD, 1000);
    t.put(CONTROL, 1);
    t.after(300);
    t.put(CONTROL, 0);
    t.after(5000);
    assert_eq!(t.get(COUNTER), 970);
    t.put(CONTROL, 1);
    t.after(100);
    assert_eq!(t.get(COUNTER), 960);
}

#[test]
fn a_zero_count_is_no_event_until_it_reloads() {
    let mut t = timer();
    t.put(CONTROL, 5);
    t.after(1_000_000);
    assert_eq!((t.get(ISR), t.line()), (0, false));
    t.put(LOAD, 7);
    t.put(COUNTER, 0);
    t.put(CONTROL, 7);
    t.after(10);
    assert_eq!((t.get(COUNTER), t.get(ISR)), (7, 0));
    t.after(70);
    assert_eq!((t.get(COUNTER), t.get(ISR)), (0, 1));
}

#[test]
fn the_shortest_period_asks_for_no_deadline_while_its_flag_is_up() {
    let mut t = timer();
    t.put(LOAD, 0);
    t.put(CONTROL, 7);
    t.after(10);
    assert!(t.line());
    assert_eq!(t.device.deadline(), None);
    t.put(ISR, 1);
    assert_eq!(t.device.deadline(), Some(Instant(t.now + 10)));
}

#[test]
fn the_flag_is_set_with_the_interrupt_off_and_shows_when_it_goes_on() {
    let mut t = timer();
    t.put(LOAD, 5);
    t.put(CONTROL, 1);
    assert_eq!(t.device.deadline(), None);
    t.after(1000);
    assert_eq!((t.get(ISR), t.line()), (1, false));
    t.put(CONTROL, 5);
    assert!(t.line());
}

#[test]
fn each_cpu_has_its_own_timer_and_line() {
    let mut t = timer();
    t.cpu = 1;
    t.put(LOAD, 5);
    t.put(CONTROL, 5);
    t.after(50);
    assert_eq!(t.device.lines(), Lines(2));
    t.cpu = 0;
    assert_eq!((t.get(LOAD), t.get(ISR)), (0, 0));
    t.cpu = 2;
    let access = t.access(LOAD);
    let mut cx = Cx::new(Instant(t.now), &NoMemory, None);
    assert_eq!(t.device.read(&mut cx, access), Err(Refusal::Forbidden));
}

#[test]
fn control_has_no_other_bits() {
    let (mut t, mut w) = (timer(), watchdog());
    t.put(CONTROL, 0xffff_ffff);
    assert_eq!(t.get(CONTROL), 0xff07);
    w.put(CONTROL, 0xffff_ffff);
    assert_eq!(w.get(CONTROL), 0xff0f);
}

#[test]
fn other_widths_and_places_are_refused() {
    let mut t = timer();
    let mut cx = Cx::new(Instant(0), &NoMemory, None);
    let word = Access::word(LOAD);
    assert_eq!(
        t.device.read(&mut cx, word.sized(Width::Byte)),
        Err(Refusal::Width)
    );
    assert_eq!(
        t.device.read(&mut cx, word.sized(Width::Double)),
        Err(Refusal::Width)
    );
    assert_eq!(
        t.device.read(&mut cx, Access::word(0x20)),
        Err(Refusal::NoRegister)
    );
}

#[test]
fn a_watchdog_that_is_not_refreshed_asks_for_a_reset_once() {
    let mut w = watchdog();
    w.put(LOAD, 100);
    w.put(CONTROL, 9);
    w.after(900);
    w.put(LOAD, 100);
    assert_eq!(w.device.deadline(), Some(Instant(w.now + 1000)));
    w.after(999);
    assert_eq!(w.asked, None);
    w.after(1);
    assert_eq!(w.asked, Some(Ask::Reset));
    assert_eq!((w.get(RESET_STATUS), w.get(ISR), w.line()), (1, 0, false));
    w.asked = None;
    w.after(1_000_000);
    assert_eq!(w.asked, None);
    assert_eq!(w.device.deadline(), None);
}

#[test]
fn the_reset_status_outlives_its_own_reset_and_is_cleared_by_a_one() {
    let mut w = watchdog();
    w.put(LOAD, 1);
    w.put(CONTROL, 9);
    w.after(10);
    w.device.reset(Reset::Warm);
    assert_eq!((w.get(RESET_STATUS), w.get(CONTROL)), (1, 0));
    w.put(RESET_STATUS, 0);
    assert_eq!(w.get(RESET_STATUS), 1);
    w.put(RESET_STATUS, 1);
    assert_eq!(w.get(RESET_STATUS), 0);
    w.put(LOAD, 1);
    w.put(CONTROL, 9);
    w.after(10);
    w.device.reset(Reset::Cold);
    assert_eq!(w.get(RESET_STATUS), 0);
}

#[test]
fn watchdog_mode_is_left_by_the_two_words_in_order_only() {
    let mut w = watchdog();
    w.put(LOAD, 100);
    w.put(CONTROL, 9);
    w.put(CONTROL, 1);
    assert_eq!(w.get(CONTROL), 9);
    w.put(DISABLE, 0x8765_4321);
    w.put(DISABLE, 0x1234_5678);
    w.put(DISABLE, 0);
    w.put(DISABLE, 0x8765_4321);
    assert_eq!(w.get(CONTROL), 9);
    w.put(DISABLE, 0x1234_5678);
    w.put(DISABLE, 0x8765_4321);
    assert_eq!(w.get(CONTROL), 1);
    w.after(1_000_000);
    assert_eq!(w.asked, None);
    assert_eq!((w.get(ISR), w.get(RESET_STATUS)), (1, 0));
}

#[test]
fn in_watchdog_mode_the_counter_takes_no_write_and_does_not_reload() {
    let mut w = watchdog();
    w.put(LOAD, 100);
    w.put(CONTROL, 0xb);
    w.put(COUNTER, 5000);
    assert_eq!(w.get(COUNTER), 100);
    w.after(5000);
    assert_eq!(w.get(COUNTER), 0);
}

#[test]
fn a_watchdog_in_timer_mode_is_a_timer() {
    let mut w = watchdog();
    w.put(LOAD, 9);
    w.put(CONTROL, 7);
    w.after(90);
    assert!(w.line());
    w.put(ISR, 1);
    assert!(!w.line());
    w.after(100);
    assert!(w.line());
    assert_eq!(w.asked, None);
}

#[test]
fn saved_counters_go_on_where_they_were() {
    let (mut t, mut w) = (timer(), watchdog());
    t.put(LOAD, 1000);
    t.put(CONTROL, 7);
    t.after(10_100);
    w.put(LOAD, 70);
    w.put(CONTROL, 9);
    w.put(DISABLE, 0x1234_5678);
    let mut out = Writer::default();
    t.device.save(&mut out);
    let bytes = out.into_bytes();
    let mut other = timer();
    other.device.load(&mut Reader::new(&bytes)).unwrap();
    other.now = t.now + 50;
    t.after(50);
    assert_eq!((other.get(COUNTER), other.get(ISR)), (t.get(COUNTER), 1));
    assert_eq!(other.device.lines(), t.device.lines());
    assert_eq!(
        other.device.load(&mut Reader::new(&bytes[1..])),
        Err(Refusal::BadState)
    );
    assert_eq!(other.get(LOAD), 0);
    let mut out = Writer::default();
    w.device.save(&mut out);
    let bytes = out.into_bytes();
    let mut other = watchdog();
    other.device.load(&mut Reader::new(&bytes)).unwrap();
    other.put(DISABLE, 0x8765_4321);
    assert_eq!(other.get(CONTROL), 1);
}
