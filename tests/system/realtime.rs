//! When a core is there for a VM, and how soon a VM is there again: own firmware measures, on a machine that
//! takes one nanosecond for each instruction. docs/real-time.md tells the same figures.
use reliquary_cli::machine::Outcome;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::boot_counted;
use reliquary_cli::workspace;
use std::time::Duration;

/// By how much a slot's begin may be off its place in the schedule.
const SLOT_OFF_NS: i64 = 1_000;
/// The same while the other VM of the core is reset again and again.
const SLOT_OFF_BESIDE_RESETS_NS: i64 = 2_000;
/// From the end of a slot to the next VM's first instruction: what was measured, and some.
const SWITCH_NS: i64 = 1_000;
/// From a watchdog's expiry to the new life's first instruction, without memory.
const RESET_NS: i64 = 50_000;

fn run(system: &str, script: &[&str]) -> Outcome {
    let file = workspace::root().join("systems/tests").join(system);
    let steps = script.iter().map(|text| Step::Expect((*text).to_owned()));
    let script = Script(steps.collect());
    let outcome = boot_counted(&file, "qemu-virt", &script, Duration::from_secs(400));
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{system}: {fault}");
    }
    outcome
}

/// The two numbers of each line that begins so.
fn ranges(outcome: &Outcome, what: &str) -> Vec<(i64, i64)> {
    let lines = outcome.apart.lines();
    let found: Vec<_> = lines
        .filter_map(|line| line.trim().strip_prefix(what))
        .map(|rest| {
            let mut numbers = rest.split_whitespace().filter_map(|word| word.parse().ok());
            let range = numbers.next().zip(numbers.next());
            range.unwrap_or_else(|| panic!("{what}{rest}: not two numbers"))
        })
        .collect();
    assert!(!found.is_empty(), "no {what}in\n{}", outcome.apart);
    found
}

#[test]
fn slots_begin_on_time_and_a_switch_costs_what_it_costs() {
    let outcome = run("slots.toml", &["@left:PASS", "@right:PASS"]);
    let starts = ranges(&outcome, "starts off by ");
    let (runs, gaps) = (ranges(&outcome, "runs "), ranges(&outcome, "gaps "));
    assert_eq!((starts.len(), runs.len(), gaps.len()), (2, 2, 2));
    for (first, last) in starts {
        assert!(last - first <= SLOT_OFF_NS, "{}", outcome.apart);
    }
    for vm in 0..2 {
        // What the one misses is the other's slot and two switches.
        let switch = (gaps[vm].1 - runs[1 - vm].0) / 2;
        println!("a switch: {switch} instructions");
        assert!((100..=SWITCH_NS).contains(&switch), "{}", outcome.apart);
        assert!(
            runs[vm].0 > 990_000,
            "a slot is a millisecond: {}",
            outcome.apart
        );
    }
}

#[test]
fn a_thousand_resets_by_a_watchdog_are_fast_and_leak_nothing() {
    let outcome = run(
        "restarts.toml",
        &[
            "PASS restarts-a9",
            "@monitor:vm.press: began anew 1000 times",
            "@monitor:no VM is left",
        ],
    );
    let line = outcome
        .apart
        .lines()
        .find(|line| line.contains("began anew"));
    let behind = line.and_then(|line| line.split_once("at most "));
    let number = behind.and_then(|(_, rest)| rest.split_once(' '));
    let longest: i64 = number
        .and_then(|(number, _)| number.parse().ok())
        .expect("a number");
    println!("{}", line.unwrap_or_default());
    assert!((1_000..=RESET_NS).contains(&longest), "{line:?}");
}

#[test]
fn a_vm_keeps_its_slots_while_its_neighbour_is_reset_again_and_again() {
    let outcome = run("restarts-one-core.toml", &["@panel:PASS slots-a64"]);
    let lives = outcome
        .apart
        .lines()
        .filter(|line| line.starts_with("life "));
    assert!(lives.count() > 20, "{}", outcome.apart);
    let (first, last) = ranges(&outcome, "starts off by ")[0];
    println!("slots off by {first} to {last} ns");
    assert!(
        last - first <= SLOT_OFF_BESIDE_RESETS_NS,
        "{}",
        outcome.apart
    );
}
