use super::*;
use crate::emul::random_walk;
use crate::memory::NoMemory;
use std::vec::Vec;

const SECOND: u64 = 1_000_000_000;
const DR: u64 = 0x00;
const MR: u64 = 0x04;
const LR: u64 = 0x08;
const CR: u64 = 0x0c;
const IMSC: u64 = 0x10;
const RIS: u64 = 0x14;
const MIS: u64 = 0x18;
const ICR: u64 = 0x1c;

fn read(rtc: &mut Pl031, ns: u64, offset: u64) -> u64 {
    rtc.read(
        &mut Cx::new(Instant(ns), &NoMemory, None),
        Access::word(offset),
    )
    .unwrap()
}

fn write(rtc: &mut Pl031, ns: u64, offset: u64, value: u64) {
    rtc.write(
        &mut Cx::new(Instant(ns), &NoMemory, None),
        Access::word(offset),
        value,
    )
    .unwrap();
}

fn rtc() -> Pl031 {
    Pl031::new(Config::new(1000))
}

#[test]
fn registers_have_the_manuals_reset_values() {
    let mut rtc = Pl031::new(Config {
        unix_seconds: 1000,
        unix_ns: 0,
        started: false,
        revision: 0,
    });
    for offset in [DR, MR, LR, CR, IMSC, RIS, MIS, ICR, 0x20, 0x80, 0xfdc] {
        assert_eq!(read(&mut rtc, 0, offset), 0, "{offset:#x}");
    }
    let identity: Vec<u64> = (0xfe0..0x1000)
        .step_by(4)
        .map(|offset| read(&mut rtc, 0, offset))
        .collect();
    assert_eq!(identity, [0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
    assert_eq!(read(&mut self::rtc(), 0, 0xfe8), 0x14);
}

#[test]
fn the_time_goes_on_by_whole_seconds() {
    let mut rtc = rtc();
    assert_eq!(read(&mut rtc, SECOND - 1, DR), 1000);
    assert_eq!(read(&mut rtc, SECOND, DR), 1001);
    assert_eq!(read(&mut rtc, 86_400 * SECOND + 5, DR), 87_400);
}

#[test]
fn a_load_sets_the_time_and_keeps_the_clocks_phase() {
    let mut rtc = rtc();
    write(&mut rtc, SECOND + SECOND / 2, LR, 0xffff_fffe);
    assert_eq!(read(&mut rtc, 2 * SECOND - 1, DR), 0xffff_fffe);
    assert_eq!(read(&mut rtc, 2 * SECOND, DR), 0xffff_ffff);
    assert_eq!(read(&mut rtc, 3 * SECOND, DR), 0);
    assert_eq!(read(&mut rtc, 3 * SECOND, LR), 0xffff_fffe);
}

#[test]
fn a_clock_that_was_not_started_stands_until_rtccr_and_then_cannot_be_stopped() {
    let mut rtc = Pl031::new(Config {
        started: false,
        ..Config::new(1000)
    });
    assert_eq!(read(&mut rtc, 9 * SECOND, DR), 0);
    assert_eq!(rtc.deadline(), None);
    write(&mut rtc, 9 * SECOND, CR, 1);
    assert_eq!(read(&mut rtc, 11 * SECOND, DR), 2);
    write(&mut rtc, 11 * SECOND, CR, 0);
    assert_eq!(read(&mut rtc, 11 * SECOND, CR), 1);
    assert_eq!(read(&mut rtc, 12 * SECOND, DR), 3);
}

#[test]
fn a_match_raises_the_interrupt_at_its_second() {
    let mut rtc = rtc();
    write(&mut rtc, 0, MR, 1003);
    assert_eq!(rtc.deadline(), None, "masked: no line will change");
    write(&mut rtc, 0, IMSC, 1);
    assert_eq!(rtc.deadline(), Some(Instant(3 * SECOND)));
    rtc.advance(&mut Cx::new(Instant(3 * SECOND - 1), &NoMemory, None));
    assert!(!rtc.lines().is_high(0));
    rtc.advance(&mut Cx::new(Instant(3 * SECOND), &NoMemory, None));
    assert!(rtc.lines().is_high(0));
    assert_eq!(rtc.deadline(), None);
    assert_eq!(read(&mut rtc, 3 * SECOND, RIS), 1);
    assert_eq!(read(&mut rtc, 3 * SECOND, MIS), 1);
}

#[test]
fn a_masked_match_is_raw_only() {
    let mut rtc = rtc();
    write(&mut rtc, 0, MR, 1003);
    assert_eq!(read(&mut rtc, 4 * SECOND, RIS), 1);
    assert_eq!(read(&mut rtc, 4 * SECOND, MIS), 0);
    assert!(!rtc.lines().is_high(0));
    write(&mut rtc, 4 * SECOND, IMSC, 1);
    assert!(rtc.lines().is_high(0));
}

#[test]
fn the_clear_register_takes_only_bit_0_and_the_match_does_not_come_back() {
    let mut rtc = rtc();
    write(&mut rtc, 0, IMSC, 1);
    write(&mut rtc, 0, MR, 1003);
    write(&mut rtc, 3 * SECOND, ICR, 2);
    assert!(rtc.lines().is_high(0));
    write(&mut rtc, 3 * SECOND, ICR, 1);
    assert_eq!(read(&mut rtc, 3 * SECOND + 1, RIS), 0);
    assert_eq!(rtc.deadline(), Some(Instant((3 + (1 << 32)) * SECOND)));
}

#[test]
fn a_match_with_the_present_second_is_seen_at_once() {
    let mut rtc = rtc();
    write(&mut rtc, 5 * SECOND, MR, 1005);
    assert_eq!(read(&mut rtc, 5 * SECOND, RIS), 1);
}

#[test]
fn a_match_is_not_missed_by_a_long_sleep() {
    let mut rtc = rtc();
    write(&mut rtc, 0, MR, 999);
    assert_eq!(read(&mut rtc, ((1 << 32) - 2) * SECOND, RIS), 0);
    assert_eq!(read(&mut rtc, ((1 << 32) - 1) * SECOND, RIS), 1);
}

#[test]
fn a_warm_reset_keeps_the_time() {
    let mut rtc = rtc();
    write(&mut rtc, 0, LR, 5000);
    write(&mut rtc, 0, IMSC, 1);
    assert_eq!(read(&mut rtc, 2 * SECOND, DR), 5002);
    rtc.reset(Reset::Warm);
    assert_eq!(read(&mut rtc, 3 * SECOND, DR), 5003);
    assert_eq!(read(&mut rtc, 3 * SECOND, IMSC), 0);
    assert_eq!(read(&mut rtc, 3 * SECOND, LR), 5000);
    rtc.set_unix_seconds(7000);
    rtc.reset(Reset::Cold);
    assert_eq!(read(&mut rtc, 0, DR), 7000);
    assert_eq!(read(&mut rtc, 0, LR), 0);
}

#[test]
fn a_clock_that_software_started_runs_on_over_a_warm_reset() {
    let mut rtc = Pl031::new(Config {
        started: false,
        ..Config::new(1000)
    });
    write(&mut rtc, 0, CR, 0xffff_fffe);
    assert_eq!(read(&mut rtc, SECOND, CR), 0);
    write(&mut rtc, SECOND, CR, 1);
    rtc.reset(Reset::Warm);
    assert_eq!(read(&mut rtc, 3 * SECOND, CR), 1);
    rtc.reset(Reset::Cold);
    assert_eq!(read(&mut rtc, 0, CR), 0);
}

#[test]
fn saved_state_goes_on_where_it_was() {
    let mut rtc = rtc();
    write(&mut rtc, SECOND, LR, 40);
    write(&mut rtc, SECOND, MR, 50);
    write(&mut rtc, SECOND, IMSC, 1);
    let mut out = Writer::default();
    rtc.save(&mut out);
    let bytes = out.into_bytes();
    let mut other = self::rtc();
    let mut from = Reader::new(&bytes);
    other.load(&mut from).unwrap();
    from.end().unwrap();
    assert_eq!(other.deadline(), Some(Instant(11 * SECOND)));
    assert_eq!(read(&mut other, 12 * SECOND, DR), 51);
    assert!(other.lines().is_high(0));
    assert_eq!(
        other.load(&mut Reader::new(&bytes[1..])),
        Err(Refusal::BadState)
    );
    assert_eq!(read(&mut other, 0, DR), 1000, "as after a cold reset");
}

#[test]
fn lines_change_at_the_deadline_and_not_before() {
    let offsets: Vec<u64> = (0..0x20).step_by(4).collect();
    for seed in 1..=20 {
        random_walk::walk(|| Pl031::new(Config::new(3)), &offsets, seed, 2000);
    }
}

#[test]
fn a_clock_that_ran_before_rises_in_its_own_second() {
    let mut config = Config::new(1000);
    config.unix_ns = 700_000_000;
    let mut rtc = Pl031::new(config);
    assert_eq!(read(&mut rtc, 299_999_999, DR), 1000);
    assert_eq!(read(&mut rtc, 300_000_000, DR), 1001);
    write(&mut rtc, 300_000_000, MR, 1003);
    write(&mut rtc, 300_000_000, IMSC, 1);
    assert_eq!(rtc.deadline(), Some(Instant(2_300_000_000)));
}

#[test]
fn only_bit_0_masks_and_clears_the_interrupt() {
    let mut rtc = rtc();
    write(&mut rtc, 0, IMSC, 1);
    write(&mut rtc, 0, IMSC, 0xffff_fffe);
    assert_eq!(read(&mut rtc, 0, IMSC), 0);
    write(&mut rtc, 0, MR, 1001);
    assert_eq!(read(&mut rtc, SECOND, RIS), 1);
    write(&mut rtc, SECOND, ICR, 0xffff_fffe);
    assert_eq!(read(&mut rtc, SECOND, RIS), 1);
    write(&mut rtc, SECOND, ICR, 1);
    assert_eq!(read(&mut rtc, SECOND, RIS), 0);
}
