use super::*;
use crate::access::Width;
use crate::emul::random_walk;
use crate::memory::NoMemory;
use std::vec::Vec;

const US: u64 = 1_000;
const LOAD: u64 = 0x00;
const VALUE: u64 = 0x04;
const CONTROL: u64 = 0x08;
const INTCLR: u64 = 0x0c;
const RIS: u64 = 0x10;
const MIS: u64 = 0x14;
const BGLOAD: u64 = 0x18;
const TIMER2: u64 = 0x20;

const ONE_SHOT: u64 = 0x01;
const SIZE_32: u64 = 0x02;
const DIV_16: u64 = 0x04;
const DIV_256: u64 = 0x08;
const INT: u64 = 0x20;
const PERIODIC: u64 = 0x40;
const ENABLE: u64 = 0x80;

fn timers() -> Sp804 {
    Sp804::new(Config::new())
}

fn cx(ns: u64) -> Cx<'static> {
    Cx::new(Instant(ns), &NoMemory, None)
}

fn read(timers: &mut Sp804, ns: u64, offset: u64) -> u64 {
    timers.read(&mut cx(ns), Access::word(offset)).unwrap()
}

fn write(timers: &mut Sp804, ns: u64, offset: u64, value: u64) {
    timers
        .write(&mut cx(ns), Access::word(offset), value)
        .unwrap();
}

/// TIMINTC, TIMINT1, TIMINT2 at `ns`.
fn lines(timers: &mut Sp804, ns: u64) -> [bool; 3] {
    timers.advance(&mut cx(ns));
    [0, 1, 2].map(|n| timers.lines().is_high(n))
}

/// QEMU 7.2's model starts TimerXValue at 0xffff; the manual wins.
#[test]
fn registers_have_the_manuals_reset_values() {
    let mut timers = timers();
    for base in [0, TIMER2] {
        for (offset, value) in [
            (LOAD, 0),
            (VALUE, 0xffff_ffff),
            (CONTROL, 0x20),
            (INTCLR, 0),
            (RIS, 0),
            (MIS, 0),
            (BGLOAD, 0),
            (0x1c, 0),
        ] {
            assert_eq!(
                read(&mut timers, 5_000 * US, base + offset),
                value,
                "{offset:#x}"
            );
        }
    }
    for offset in [0x40, 0xf00, 0xf04, 0xfdc] {
        assert_eq!(read(&mut timers, 0, offset), 0);
    }
    let identity: Vec<u64> = (0xfe0..0x1000)
        .step_by(4)
        .map(|offset| read(&mut timers, 0, offset))
        .collect();
    assert_eq!(identity, [0x04, 0x18, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
}

#[test]
fn read_only_registers_and_reserved_bits_stay() {
    let mut timers = timers();
    for offset in [VALUE, RIS, MIS, 0xfe0] {
        let before = read(&mut timers, 0, offset);
        write(&mut timers, 0, offset, !before & 0xffff_ffff);
        assert_eq!(read(&mut timers, 0, offset), before);
    }
    write(&mut timers, 0, CONTROL, 0xffff_ff7f);
    assert_eq!(read(&mut timers, 0, CONTROL), 0x6f);
}

#[test]
fn a_load_reads_back_at_once_and_its_first_step_is_a_whole_one() {
    let mut timers = timers();
    write(&mut timers, 0, CONTROL, ENABLE | SIZE_32);
    write(&mut timers, 10 * US + 300, LOAD, 100);
    assert_eq!(read(&mut timers, 10 * US + 300, VALUE), 100);
    assert_eq!(read(&mut timers, 11 * US, VALUE), 100);
    assert_eq!(read(&mut timers, 11 * US + 299, VALUE), 100);
    assert_eq!(read(&mut timers, 11 * US + 300, VALUE), 99);
    assert_eq!(read(&mut timers, 12 * US + 300, VALUE), 98);
}

#[test]
fn a_free_running_timer_wraps_and_interrupts_at_zero() {
    let mut timers = timers();
    write(&mut timers, 0, LOAD, 3);
    write(&mut timers, 0, CONTROL, ENABLE | SIZE_32 | INT);
    assert_eq!(timers.deadline(), Some(Instant(3 * US)));
    assert_eq!(lines(&mut timers, 3 * US - 1), [false; 3]);
    assert_eq!(lines(&mut timers, 3 * US), [true, true, false]);
    assert_eq!(read(&mut timers, 3 * US, VALUE), 0);
    assert_eq!(read(&mut timers, 4 * US, VALUE), 0xffff_ffff);
    write(&mut timers, 4 * US, INTCLR, 0);
    assert_eq!(lines(&mut timers, 4 * US), [false; 3]);
    assert_eq!(timers.deadline(), Some(Instant((3 + (1 << 32)) * US)));
}

#[test]
fn a_sixteen_bit_timer_counts_in_its_lower_half_only() {
    let mut timers = timers();
    write(&mut timers, 0, LOAD, 0x5_0002);
    write(&mut timers, 0, CONTROL, ENABLE | INT);
    assert_eq!(read(&mut timers, 2 * US, VALUE), 0x5_0000);
    assert_eq!(read(&mut timers, 2 * US, RIS), 1);
    assert_eq!(read(&mut timers, 3 * US, VALUE), 0x5_ffff);
    write(&mut timers, 3 * US, INTCLR, 1);
    assert_eq!(timers.deadline(), Some(Instant((2 + 0x1_0000) * US)));
}

#[test]
fn a_periodic_timers_interrupts_are_its_load_value_apart() {
    let mut timers = timers();
    write(&mut timers, 0, CONTROL, ENABLE | PERIODIC | SIZE_32 | INT);
    write(&mut timers, 0, LOAD, 4000);
    for n in 1..=5 {
        let due = n * 4000 * US;
        assert_eq!(timers.deadline(), Some(Instant(due)));
        assert_eq!(lines(&mut timers, due - 1), [false; 3]);
        assert_eq!(read(&mut timers, due - 1, VALUE), 1);
        assert_eq!(lines(&mut timers, due), [true, true, false]);
        assert_eq!(read(&mut timers, due, VALUE), 4000);
        assert_eq!(timers.deadline(), None, "the line is high already");
        write(&mut timers, due + 50, INTCLR, 1);
    }
}

#[test]
fn a_periodic_timer_keeps_its_beat_when_nobody_looks() {
    let mut timers = timers();
    write(&mut timers, 0, CONTROL, ENABLE | PERIODIC | SIZE_32 | INT);
    write(&mut timers, 0, LOAD, 7);
    assert_eq!(read(&mut timers, (700_000 * 7 + 3) * US, VALUE), 4);
    write(&mut timers, (700_000 * 7 + 3) * US, INTCLR, 1);
    assert_eq!(timers.deadline(), Some(Instant(700_001 * 7 * US)));
}

#[test]
fn a_background_load_counts_from_the_next_zero_on() {
    let mut timers = timers();
    write(&mut timers, 0, CONTROL, ENABLE | PERIODIC | SIZE_32 | INT);
    write(&mut timers, 0, LOAD, 10);
    write(&mut timers, 5 * US, BGLOAD, 20);
    assert_eq!(read(&mut timers, 5 * US, LOAD), 20);
    assert_eq!(read(&mut timers, 5 * US, BGLOAD), 20);
    assert_eq!(read(&mut timers, 5 * US, VALUE), 5);
    assert_eq!(read(&mut timers, 10 * US, VALUE), 20);
    write(&mut timers, 10 * US, INTCLR, 1);
    assert_eq!(timers.deadline(), Some(Instant(30 * US)));
}

#[test]
fn a_one_shot_timer_halts_at_zero_until_it_is_loaded() {
    let mut timers = timers();
    write(
        &mut timers,
        0,
        CONTROL,
        ENABLE | ONE_SHOT | PERIODIC | SIZE_32 | INT,
    );
    write(&mut timers, 0, LOAD, 5);
    assert_eq!(lines(&mut timers, 6 * US), [true, true, false]);
    write(&mut timers, 7 * US, INTCLR, 1);
    assert_eq!(read(&mut timers, 900 * US, VALUE), 0);
    assert_eq!(read(&mut timers, 900 * US, RIS), 0);
    assert_eq!(timers.deadline(), None);
    write(&mut timers, 900 * US, LOAD, 2);
    assert_eq!(timers.deadline(), Some(Instant(902 * US)));
}

#[test]
fn a_halted_one_shot_timer_goes_on_when_one_shot_is_taken_back() {
    let mut timers = timers();
    write(&mut timers, 0, CONTROL, ENABLE | ONE_SHOT | SIZE_32);
    write(&mut timers, 0, LOAD, 5);
    write(&mut timers, 50 * US, CONTROL, ENABLE | PERIODIC | SIZE_32);
    assert_eq!(read(&mut timers, 51 * US, VALUE), 5);
    assert_eq!(read(&mut timers, 53 * US, VALUE), 3);
    write(&mut timers, 53 * US, CONTROL, ENABLE | ONE_SHOT | SIZE_32);
    write(&mut timers, 90 * US, CONTROL, ENABLE | SIZE_32);
    assert_eq!(read(&mut timers, 91 * US, VALUE), 0xffff_ffff);
}

#[test]
fn a_load_of_zero_interrupts_immediately() {
    let mut timers = timers();
    write(&mut timers, 0, CONTROL, ENABLE | ONE_SHOT | SIZE_32 | INT);
    write(&mut timers, 0, LOAD, 0);
    assert!(timers.lines().is_high(0));
    write(&mut timers, 0, INTCLR, 1);
    assert_eq!(read(&mut timers, 100 * US, RIS), 0);
    write(
        &mut timers,
        100 * US,
        CONTROL,
        ENABLE | PERIODIC | SIZE_32 | INT,
    );
    assert_eq!(timers.deadline(), Some(Instant(101 * US)));
}

#[test]
fn a_disabled_timer_holds_its_count() {
    let mut timers = timers();
    write(&mut timers, 0, CONTROL, ENABLE | SIZE_32);
    write(&mut timers, 0, LOAD, 1000);
    write(&mut timers, 100 * US, CONTROL, SIZE_32);
    assert_eq!(read(&mut timers, 5000 * US, VALUE), 900);
    write(&mut timers, 5000 * US, CONTROL, ENABLE | SIZE_32);
    assert_eq!(read(&mut timers, 5003 * US, VALUE), 897);
}

#[test]
fn the_prescaler_divides_the_clock() {
    for (pre, divisor) in [
        (0, 1),
        (DIV_16, 16),
        (DIV_256, 256),
        (DIV_16 | DIV_256, 256),
    ] {
        let mut timers = timers();
        write(&mut timers, 0, CONTROL, ENABLE | SIZE_32 | INT | pre);
        write(&mut timers, 0, LOAD, 100);
        let zero = 100 * divisor * US;
        assert_eq!(timers.deadline(), Some(Instant(zero)), "{divisor}");
        assert_eq!(read(&mut timers, zero - 1, VALUE), 1, "{divisor}");
        assert_eq!(read(&mut timers, zero, VALUE), 0, "{divisor}");
    }
}

#[test]
fn an_interrupt_that_is_not_enabled_is_raw_only() {
    let mut timers = timers();
    write(&mut timers, 0, CONTROL, ENABLE | SIZE_32);
    write(&mut timers, 0, LOAD, 1);
    assert_eq!(timers.deadline(), None);
    assert_eq!(read(&mut timers, 9 * US, RIS), 1);
    assert_eq!(read(&mut timers, 9 * US, MIS), 0);
    assert!(!timers.lines().is_high(0));
    write(&mut timers, 9 * US, CONTROL, ENABLE | SIZE_32 | INT);
    assert_eq!(read(&mut timers, 9 * US, MIS), 1);
    assert!(timers.lines().is_high(0));
}

#[test]
fn the_timers_have_their_own_clocks_and_lines() {
    let mut timers = Sp804::new(Config {
        hz: [1_000_000, 32_768],
    });
    for base in [0, TIMER2] {
        write(
            &mut timers,
            0,
            base + CONTROL,
            ENABLE | ONE_SHOT | SIZE_32 | INT,
        );
        write(&mut timers, 0, base + LOAD, 32_768);
    }
    assert_eq!(timers.deadline(), Some(Instant(32_768 * US)));
    assert_eq!(lines(&mut timers, 32_768 * US), [true, true, false]);
    write(&mut timers, 40_000 * US, INTCLR, 1);
    assert_eq!(timers.deadline(), Some(Instant(1_000_000_000)));
    assert_eq!(lines(&mut timers, 999_999_999), [false; 3]);
    assert_eq!(lines(&mut timers, 1_000_000_000), [true, false, true]);
}

#[test]
fn integration_test_mode_drives_the_lines_by_hand() {
    let mut timers = timers();
    write(&mut timers, 0, 0xf04, 2);
    assert_eq!(lines(&mut timers, 0), [false; 3]);
    write(&mut timers, 0, 0xf00, 1);
    assert_eq!(lines(&mut timers, 0), [true, false, true]);
    write(&mut timers, 0, 0xf00, 0);
    assert_eq!(lines(&mut timers, 0), [false; 3]);
}

#[test]
fn a_narrow_read_gets_its_part_of_the_count() {
    let mut timers = timers();
    write(&mut timers, 0, LOAD, 0x4433_2211);
    let at = |offset, width| Access::word(offset).sized(width);
    assert_eq!(
        timers.read(&mut cx(0), at(VALUE + 2, Width::Half)),
        Ok(0x4433)
    );
    assert_eq!(
        timers.read(&mut cx(0), at(VALUE + 1, Width::Byte)),
        Ok(0x22)
    );
    assert_eq!(
        timers.read(&mut cx(0), at(LOAD, Width::Double)),
        Err(Refusal::Width),
        "the board makes two words of it"
    );
    assert_eq!(
        timers.read(&mut cx(0), at(VALUE + 1, Width::Word)),
        Err(Refusal::Width)
    );
}

/// The counter computed in one stride is the counter computed tick by tick.
#[test]
fn a_long_stride_ends_where_single_ticks_do() {
    for control in 0..=0xff_u64 {
        for load in [0, 1, 2, 5, 0x1_0000, 0x1_0001, 0x3_0004] {
            let mut strider = timers();
            let mut stepper = timers();
            for timers in [&mut strider, &mut stepper] {
                write(timers, 0, LOAD, load);
                write(timers, 0, CONTROL, control | ENABLE);
                write(timers, 0, INTCLR, 1);
            }
            for tick in 1..=40 {
                stepper.advance(&mut cx(tick * US));
            }
            strider.advance(&mut cx(40 * US));
            for offset in [VALUE, RIS] {
                let at = 40 * US;
                assert_eq!(
                    read(&mut strider, at, offset),
                    read(&mut stepper, at, offset),
                    "control {control:#x} load {load:#x} offset {offset:#x}"
                );
            }
        }
    }
}

#[test]
fn saved_state_goes_on_where_it_was() {
    let mut timers = timers();
    write(&mut timers, 0, CONTROL, ENABLE | PERIODIC | SIZE_32 | INT);
    write(&mut timers, 0, LOAD, 4000);
    write(&mut timers, 0, TIMER2 + LOAD, 77);
    timers.advance(&mut cx(123 * US));
    let mut out = Writer::default();
    timers.save(&mut out);
    let bytes = out.into_bytes();
    let mut other = self::timers();
    let mut from = Reader::new(&bytes);
    other.load(&mut from).unwrap();
    from.end().unwrap();
    assert_eq!(other.deadline(), Some(Instant(4000 * US)));
    assert_eq!(read(&mut other, 200 * US, VALUE), 3800);
    assert_eq!(read(&mut other, 200 * US, TIMER2 + VALUE), 77);
    assert_eq!(
        other.load(&mut Reader::new(&bytes[..9])),
        Err(Refusal::BadState)
    );
    assert_eq!(
        read(&mut other, 200 * US, CONTROL),
        0x20,
        "as after a reset"
    );
}

#[test]
fn lines_change_at_the_deadline_and_not_before() {
    let offsets: Vec<u64> = (0..0x40).step_by(4).chain([0xf00, 0xf04]).collect();
    for seed in 1..=20 {
        random_walk::walk(timers, &offsets, seed, 2000);
    }
}
