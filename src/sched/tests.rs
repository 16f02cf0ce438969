use super::*;
use alloc::vec;

fn seat(vm: u8, priority: u8) -> Seat {
    Seat { vm, priority }
}

fn cyclic(slack: bool) -> Schedule {
    let slot = |vm, ticks| Slot { vm, ticks };
    let slots = vec![slot(Some(0), 100), slot(Some(1), 50), slot(None, 10)];
    let policy = Policy::Cyclic { slots, slack };
    Schedule::new(vec![seat(0, 0), seat(1, 0)], &policy, 20)
}

fn chosen(run: usize, until: u64) -> Choice {
    Choice {
        run: Some(run),
        until,
    }
}

fn sleeps(until: u64) -> Choice {
    Choice { run: None, until }
}

#[test]
fn a_slot_begins_and_ends_where_the_table_says_in_every_frame() {
    let mut schedule = cyclic(false);
    for frame in [0, 160, 160 * 1_000_000] {
        let mut at = |ticks| schedule.choose(frame + ticks, |_| Wants::Run);
        assert_eq!(at(0), chosen(0, frame + 100));
        assert_eq!(at(99), chosen(0, frame + 100));
        assert_eq!(at(100), chosen(1, frame + 150));
        assert_eq!(at(150), sleeps(frame + 160), "the idle slot");
        assert_eq!(at(160), chosen(0, frame + 260));
    }
}

#[test]
fn what_a_strict_slots_owner_leaves_nobody_gets() {
    let wants = |index| [Wants::RunAt(40), Wants::Run][index];
    assert_eq!(cyclic(false).choose(10, wants), sleeps(40));
    assert_eq!(cyclic(false).choose(40, wants), chosen(0, 100));
    let off = |index| [Wants::Nothing, Wants::Run][index];
    assert_eq!(cyclic(false).choose(10, off), sleeps(100));
}

#[test]
fn slack_is_given_until_the_owner_wants_it_back() {
    let wants = |index| [Wants::RunAt(40), Wants::Run][index];
    let mut schedule = cyclic(true);
    assert_eq!(schedule.choose(10, wants).run, Some(1));
    assert!(schedule.choose(10, wants).until <= 40);
    assert_eq!(schedule.choose(40, wants), chosen(0, 100));
    assert!(schedule.choose(155, wants).run.is_some(), "an idle slot");
}

#[test]
fn the_greatest_priority_runs_and_a_greater_one_that_waits_is_waited_for() {
    let seats = vec![seat(0, 1), seat(1, 9), seat(2, 4)];
    let mut schedule = Schedule::new(seats, &Policy::Priority, 20);
    assert_eq!(schedule.choose(5, |_| Wants::Run).run, Some(1));
    let wants = |index| [Wants::Run, Wants::RunAt(70), Wants::RunAt(60)][index];
    assert_eq!(schedule.choose(5, wants), chosen(0, 60));
    assert_eq!(schedule.choose(60, wants), chosen(2, 70));
    assert_eq!(schedule.choose(70, wants), chosen(1, u64::MAX));
    let off = |index| [Wants::Nothing, Wants::RunAt(70), Wants::RunAt(60)][index];
    assert_eq!(schedule.choose(5, off), sleeps(60));
}

#[test]
fn equals_take_turns_of_a_quantum() {
    let seats = vec![seat(0, 1), seat(0, 1), seat(0, 1)];
    let mut schedule = Schedule::new(seats, &Policy::Priority, 20);
    let mut ran = vec![];
    for now in 0..120 {
        ran.push(schedule.choose(now, |_| Wants::Run).run.unwrap());
    }
    for index in 0..3 {
        assert_eq!(ran.iter().filter(|run| **run == index).count(), 40);
    }
    assert!(
        ran.chunks(20)
            .all(|turn| turn.iter().all(|run| *run == turn[0]))
    );
}

#[test]
fn one_that_is_alone_is_not_interrupted_for_its_turn() {
    let seats = vec![seat(0, 1), seat(0, 1)];
    let mut schedule = Schedule::new(seats, &Policy::Priority, 20);
    let alone = |index| [Wants::Run, Wants::Nothing][index];
    assert_eq!(schedule.choose(1000, alone), chosen(0, u64::MAX));
    // An equal that will want to run gets its turn when this one's is over.
    let soon = |index| [Wants::Run, Wants::RunAt(1005)][index];
    assert_eq!(schedule.choose(1001, soon), chosen(0, 1020));
    assert_eq!(schedule.choose(1020, soon).run, Some(1));
}

#[test]
fn vcpus_of_one_vm_share_its_slot() {
    let slot = |vm, ticks| Slot {
        vm: Some(vm),
        ticks,
    };
    let policy = Policy::Cyclic {
        slots: vec![slot(0, 100), slot(1, 100)],
        slack: false,
    };
    let seats = vec![seat(0, 0), seat(0, 0), seat(1, 0)];
    let mut schedule = Schedule::new(seats, &policy, 25);
    let mut ran = [0; 3];
    for now in 0..400 {
        let run = schedule.choose(now, |_| Wants::Run).run.unwrap();
        assert_eq!(run == 2, now / 100 % 2 == 1, "at {now}");
        ran[run] += 1;
    }
    assert_eq!(ran, [100, 100, 200]);
}

#[test]
fn a_schedule_without_seats_or_time_sleeps() {
    let none = Schedule::new(vec![], &Policy::Priority, 0).choose(5, |_| Wants::Run);
    assert_eq!(none, sleeps(u64::MAX));
    let policy = Policy::Cyclic {
        slots: vec![],
        slack: false,
    };
    let mut empty = Schedule::new(vec![seat(0, 0)], &policy, 10);
    assert_eq!(empty.choose(5, |_| Wants::Run), chosen(0, u64::MAX));
}

#[test]
fn whoever_asks_when_a_slot_is_where_the_table_says() {
    let table = || {
        let slot = |vm, ticks| Slot { vm, ticks };
        let slots = vec![slot(Some(0), 7), slot(Some(1), 0), slot(Some(1), 3)];
        let policy = Policy::Cyclic {
            slots,
            slack: false,
        };
        Table::of(&policy, &[seat(0, 0), seat(1, 0)]).unwrap()
    };
    let mut random = crate::random::Random(1);
    for step in [1, 2, 4, 12, 40] {
        let (mut table, mut now) = (table(), 0);
        for _ in 0..1000 {
            let frame = now / 10 * 10;
            let due = if now % 10 < 7 {
                (Owners::One(0), frame + 7)
            } else {
                (Owners::One(1), frame + 10)
            };
            assert_eq!(table.slot(now), due, "at {now}");
            now += random.below(step + 1) as u64;
        }
    }
}
