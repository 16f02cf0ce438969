use super::*;
use crate::access::Width;
use crate::emul::random_walk;
use crate::memory::NoMemory;
use std::vec::Vec;

const LOAD: u64 = 0x00;
const VALUE: u64 = 0x04;
const CONTROL: u64 = 0x08;
const INTCLR: u64 = 0x0c;
const RIS: u64 = 0x10;
const MIS: u64 = 0x14;
const LOCK: u64 = 0xc00;
const ITCR: u64 = 0xf00;
const ITOP: u64 = 0xf04;

/// A tick of 1 MHz.
const US: u64 = 1_000;

fn dog() -> Sp805 {
    Sp805::new(Config { hz: 1_000_000 })
}

fn cx(ns: u64) -> Cx<'static> {
    Cx::new(Instant(ns), &NoMemory, None)
}

fn read(dog: &mut Sp805, ns: u64, offset: u64) -> u64 {
    dog.read(&mut cx(ns), Access::word(offset)).unwrap()
}

/// What the write asks the board for.
fn write(dog: &mut Sp805, ns: u64, offset: u64, value: u64) -> Option<Ask> {
    let mut cx = cx(ns);
    dog.write(&mut cx, Access::word(offset), value).unwrap();
    cx.asked()
}

/// WDOGINT and WDOGRES at `ns`, and what is asked for on the way.
fn at(dog: &mut Sp805, ns: u64) -> (bool, bool, Option<Ask>) {
    let mut cx = cx(ns);
    dog.advance(&mut cx);
    let lines = dog.lines();
    (lines.is_high(0), lines.is_high(1), cx.asked())
}

#[test]
fn registers_have_the_manuals_reset_values() {
    let mut dog = dog();
    for (offset, value) in [
        (LOAD, 0xffff_ffff),
        (VALUE, 0xffff_ffff),
        (CONTROL, 0),
        (INTCLR, 0),
        (RIS, 0),
        (MIS, 0),
        (0x18, 0),
        (LOCK, 0),
        (ITCR, 0),
        (ITOP, 0),
    ] {
        assert_eq!(read(&mut dog, 0, offset), value, "{offset:#x}");
    }
    let identity: Vec<u64> = (0xfe0..0x1000)
        .step_by(4)
        .map(|n| read(&mut dog, 0, n))
        .collect();
    assert_eq!(identity, [0x05, 0x18, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
    assert_eq!(dog.lines(), Lines(0));
    assert_eq!(dog.deadline(), None);
}

#[test]
fn registers_keep_their_defined_bits_only() {
    let mut dog = dog();
    for (offset, bits) in [
        (LOAD, 0xffff_ffff),
        (VALUE, 0xffff_ffff),
        (CONTROL, 3),
        (RIS, 0),
        (MIS, 0),
        (ITCR, 1),
        (ITOP, 0),
        (0xfe0, 5),
    ] {
        write(&mut dog, 0, offset, 0xffff_ffff);
        assert_eq!(read(&mut dog, 0, offset), bits, "{offset:#x}");
    }
}

#[test]
fn the_first_zero_interrupts_and_the_second_resets_the_board() {
    let mut dog = dog();
    write(&mut dog, 0, LOAD, 100);
    assert_eq!(dog.deadline(), None, "INTEN lets it count");
    write(&mut dog, 0, CONTROL, 3);
    assert_eq!(dog.deadline(), Some(Instant(100 * US)));
    assert_eq!(read(&mut dog, 40 * US, VALUE), 60);
    assert_eq!(at(&mut dog, 100 * US - 1), (false, false, None));
    assert_eq!(at(&mut dog, 100 * US), (true, false, None));
    assert_eq!(read(&mut dog, 100 * US, VALUE), 0);
    assert_eq!(read(&mut dog, 101 * US, VALUE), 100, "reloaded at the edge");
    assert_eq!(read(&mut dog, 101 * US, RIS), 1);
    assert_eq!(dog.deadline(), Some(Instant(201 * US)));
    assert_eq!(at(&mut dog, 201 * US - 1), (true, false, None));
    assert_eq!(at(&mut dog, 201 * US), (true, true, Some(Ask::Reset)));
    assert_eq!(at(&mut dog, 500 * US), (true, true, None), "asked once");
    assert_eq!(read(&mut dog, 500 * US, VALUE), 0, "it stands");
    assert_eq!(dog.deadline(), None);
    dog.reset(Reset::Cold);
    assert_eq!(dog.lines(), Lines(0));
    assert_eq!(read(&mut dog, 0, LOAD), 0xffff_ffff);
}

#[test]
fn a_late_advance_finds_both_zeros() {
    let mut dog = dog();
    write(&mut dog, 0, LOAD, 100);
    write(&mut dog, 0, CONTROL, 3);
    assert_eq!(at(&mut dog, 9_000 * US), (true, true, Some(Ask::Reset)));
}

#[test]
fn a_clear_in_time_reloads_and_nothing_is_reset() {
    let mut dog = dog();
    write(&mut dog, 0, LOAD, 100);
    write(&mut dog, 0, CONTROL, 3);
    for n in 1..10 {
        let now = n * 150 * US;
        assert_eq!(at(&mut dog, now), (true, false, None));
        write(&mut dog, now, INTCLR, 0);
        assert_eq!(at(&mut dog, now), (false, false, None));
        assert_eq!(read(&mut dog, now, VALUE), 100);
    }
}

#[test]
fn a_load_restarts_the_count_and_leaves_the_interrupt() {
    let mut dog = dog();
    write(&mut dog, 0, LOAD, 100);
    write(&mut dog, 0, CONTROL, 1);
    at(&mut dog, 120 * US);
    write(&mut dog, 120 * US, LOAD, 500);
    assert_eq!(read(&mut dog, 130 * US, VALUE), 490);
    assert_eq!(at(&mut dog, 130 * US), (true, false, None));
}

#[test]
fn enabling_the_interrupt_anew_reloads_the_counter() {
    let mut dog = dog();
    write(&mut dog, 0, LOAD, 100);
    write(&mut dog, 0, CONTROL, 1);
    write(&mut dog, 30 * US, CONTROL, 0);
    assert_eq!(read(&mut dog, 90 * US, VALUE), 70, "it stands");
    write(&mut dog, 90 * US, CONTROL, 2);
    assert_eq!(read(&mut dog, 95 * US, VALUE), 70);
    write(&mut dog, 95 * US, CONTROL, 3);
    assert_eq!(read(&mut dog, 95 * US, VALUE), 100);
    write(&mut dog, 105 * US, CONTROL, 1);
    assert_eq!(read(&mut dog, 105 * US, VALUE), 90, "it was enabled before");
}

#[test]
fn inten_masks_the_interrupt_and_not_its_raw_status() {
    let mut dog = dog();
    write(&mut dog, 0, LOAD, 10);
    write(&mut dog, 0, CONTROL, 1);
    at(&mut dog, 10 * US);
    assert_eq!(
        (read(&mut dog, 10 * US, RIS), read(&mut dog, 10 * US, MIS)),
        (1, 1)
    );
    write(&mut dog, 10 * US, CONTROL, 0);
    assert_eq!(
        (read(&mut dog, 10 * US, RIS), read(&mut dog, 10 * US, MIS)),
        (1, 0)
    );
    assert_eq!(at(&mut dog, 10 * US), (false, false, None));
}

#[test]
fn without_resen_a_second_zero_resets_nothing_until_it_is_set() {
    let mut dog = dog();
    write(&mut dog, 0, LOAD, 10);
    write(&mut dog, 0, CONTROL, 1);
    assert_eq!(at(&mut dog, 90 * US), (true, false, None));
    assert_eq!(write(&mut dog, 91 * US, CONTROL, 3), Some(Ask::Reset));

    let mut dog = self::dog();
    write(&mut dog, 0, LOAD, 10);
    write(&mut dog, 0, CONTROL, 1);
    at(&mut dog, 90 * US);
    write(&mut dog, 90 * US, INTCLR, 1);
    assert_eq!(
        write(&mut dog, 91 * US, CONTROL, 3),
        None,
        "cleared in between"
    );
    assert_eq!(dog.deadline(), Some(Instant(100 * US)));
}

#[test]
fn a_locked_watchdog_takes_no_writes_but_those_of_its_lock() {
    let mut dog = dog();
    write(&mut dog, 0, LOAD, 100);
    write(&mut dog, 0, CONTROL, 1);
    write(&mut dog, 0, LOCK, 1);
    assert_eq!(read(&mut dog, 0, LOCK), 1);
    at(&mut dog, 100 * US);
    for (offset, value) in [(LOAD, 7), (CONTROL, 0), (INTCLR, 1), (ITCR, 1)] {
        write(&mut dog, 100 * US, offset, value);
    }
    assert_eq!(read(&mut dog, 100 * US, LOAD), 100);
    assert_eq!(read(&mut dog, 100 * US, CONTROL), 1);
    assert_eq!(read(&mut dog, 100 * US, RIS), 1);
    assert_eq!(read(&mut dog, 100 * US, ITCR), 0);
    write(&mut dog, 100 * US, LOCK, 0x1acc_e551);
    assert_eq!(read(&mut dog, 100 * US, LOCK), 0);
    write(&mut dog, 100 * US, INTCLR, 1);
    assert_eq!(read(&mut dog, 100 * US, RIS), 0);
}

#[test]
fn integration_test_drives_the_outputs() {
    let mut dog = dog();
    write(&mut dog, 0, ITOP, 2);
    assert_eq!(dog.lines(), Lines(0));
    write(&mut dog, 0, ITCR, 1);
    assert_eq!(dog.lines(), Lines(1));
    assert_eq!(write(&mut dog, 0, ITOP, 1), Some(Ask::Reset));
    assert_eq!(dog.lines(), Lines(2));
    write(&mut dog, 0, ITCR, 0);
    assert_eq!(dog.lines(), Lines(0));
}

#[test]
fn a_load_of_zero_expires_at_once() {
    let mut dog = dog();
    write(&mut dog, 0, CONTROL, 3);
    write(&mut dog, 50 * US, LOAD, 0);
    assert_eq!(at(&mut dog, 50 * US), (true, false, None));
    assert_eq!(at(&mut dog, 51 * US), (true, true, Some(Ask::Reset)));
}

#[test]
fn a_word_port_takes_narrow_accesses_and_refuses_wider_ones() {
    let mut dog = dog();
    let half = Access::word(LOAD).sized(Width::Half);
    dog.write(&mut cx(0), half, 0x1234).unwrap();
    assert_eq!(dog.read(&mut cx(0), half), Ok(0x1234));
    let double = Access::word(LOAD).sized(Width::Double);
    assert_eq!(dog.read(&mut cx(0), double), Err(Refusal::Width));
}

#[test]
fn saved_state_goes_on_where_it_was_and_damage_is_refused() {
    let mut dog = dog();
    write(&mut dog, 0, LOAD, 100);
    write(&mut dog, 0, CONTROL, 3);
    at(&mut dog, 130 * US);
    write(&mut dog, 130 * US, LOCK, 0);
    let mut out = Writer::default();
    dog.save(&mut out);
    let bytes = out.into_bytes();
    let mut other = self::dog();
    let mut from = Reader::new(&bytes);
    other.load(&mut from).unwrap();
    from.end().unwrap();
    assert_eq!(other.lines(), dog.lines());
    assert_eq!(at(&mut other, 201 * US), (true, true, Some(Ask::Reset)));
    for len in 0..bytes.len() {
        let cut = other.load(&mut Reader::new(&bytes[..len]));
        assert_eq!(cut, Err(Refusal::BadState));
        assert_eq!(other.lines(), Lines(0));
    }
    let mut damaged = bytes.clone();
    damaged[16] = 4;
    assert_eq!(
        other.load(&mut Reader::new(&damaged)),
        Err(Refusal::BadState)
    );
}

#[test]
fn lines_change_at_the_deadline_and_not_before() {
    let offsets = [LOAD, VALUE, CONTROL, INTCLR, RIS, MIS, LOCK, ITCR, ITOP];
    for (seed, hz) in [(1, 32_768), (2, 1_000_000), (3, 66_670_000), (4, 0)] {
        random_walk::walk(|| Sp805::new(Config { hz }), &offsets, seed, 4000);
    }
}
