//! The monitor: VMs are held, stopped, started and reset by its commands, and the others go on.
use reliquary_cli::machine::Outcome;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::trace::recording::Wanted;
use reliquary_cli::verbs::run::{boot, boot_recorded};
use reliquary_cli::workspace;
use std::time::Duration;

/// `> text` is typed, other lines are waited for.
fn steps(script: &[&str]) -> Script {
    let step = |line: &&str| match line.strip_prefix("> ") {
        Some(text) => Step::Send(text.to_owned()),
        None => Step::Expect((*line).to_owned()),
    };
    Script(script.iter().map(step).collect())
}

/// Plays a script on a system.
fn play(system: &str, host: &str, script: &[&str]) -> Outcome {
    let file = workspace::root().join("systems").join(system);
    let outcome = boot(&file, host, &steps(script), Duration::from_secs(300));
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{system} on {host}: {fault}\n{}", outcome.apart);
    }
    assert_eq!(outcome.damages, 0, "{}", outcome.apart);
    outcome
}

/// Where `text` first is in what was shown.
fn place(outcome: &Outcome, text: &str) -> usize {
    let found = outcome.text.find(text);
    found.unwrap_or_else(|| panic!("no {text:?} in\n{}", outcome.text))
}

/// The rows of all tables that begin with `name` and have `columns` columns at least.
fn rows<'t>(outcome: &'t Outcome, name: &str, columns: usize) -> Vec<Vec<&'t str>> {
    let lines = outcome.text.lines();
    let rows = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.first() == Some(&name) && row.len() >= columns)
        .collect()
}

const ORDERS: &[&str] = &[
    "@left:q ends",
    "@right:q ends",
    "> @monitor:pause left",
    "@monitor:vm.left: paused",
    "> @left:abc",
    "> @right:def",
    "@right:def",
    "> @monitor:vms",
    "@monitor:right",
    "> @right:ghi",
    "@right:ghi",
    "> @monitor:vms",
    "@monitor:right",
    "> @monitor:resume left",
    "@left:abc",
    "> @monitor:stop left",
    "@monitor:vm.left: stopped by the monitor",
    "> @monitor:vms",
    "@monitor:right",
    "> @monitor:resume left",
    "@monitor:vm.left: not resumed: it is stopped",
    "> @right:jkl",
    "@right:jkl",
    "> @monitor:start left",
    "@left:q ends",
    "> @monitor:reset left",
    "@left:q ends",
    // One right behind the other: the second undoes or follows the first.
    "> @monitor:pause left",
    "@monitor:vm.left: paused",
    "> @monitor:resume left",
    "> @monitor:stop left",
    "> @monitor:start left",
    "@left:q ends",
    "> @left:q",
    "@left:PASS hello64",
    "@monitor:vm.left: the guest switched its board off",
    "> @monitor:start left",
    "@left:q ends",
    "> @right:q",
    "@right:PASS hello64",
    "> @monitor:log",
    "@monitor:vm.left: reset by the monitor",
];

fn orders(system: &str, host: &str) {
    let outcome = play(system, host, ORDERS);
    // What was typed while it was held came when it went on.
    let resumed = place(&outcome, "vm.left: resumed");
    assert!(
        place(&outcome, "abc") > resumed,
        "it answered in its pause:\n{}",
        outcome.text
    );
    let left = rows(&outcome, "left", 4);
    let states: Vec<&str> = left.iter().map(|row| row[1]).collect();
    assert_eq!(states[..3], ["paused", "paused", "stopped"], "{left:?}");
    assert_eq!(left[0], left[1], "its time went on in its pause");
    assert_eq!(left[2][2], "-", "{left:?}");
    let times: Vec<f64> = rows(&outcome, "right", 4)
        .iter()
        .filter_map(|row| row[2].parse().ok())
        .collect();
    assert!(
        times.len() == 3 && times.is_sorted() && times[0] < times[2],
        "the neighbour's time: {times:?}"
    );
    assert!(
        outcome.apart.matches("hello64: begins").count() == 6,
        "{}",
        outcome.apart
    );
}

#[test]
fn a_vm_is_held_stopped_started_and_reset_and_its_neighbour_goes_on() {
    orders("two-hellos.toml", "qemu-virt");
}

#[test]
fn the_same_on_a_gicv2() {
    orders("two-hellos.toml", "qemu-virt-gicv2");
}

#[test]
fn the_same_on_a_core_that_both_share() {
    orders("one-core.toml", "qemu-virt");
}

#[test]
fn what_a_vm_did_is_told_by_its_causes() {
    let script = [
        "@left:q ends",
        "@right:q ends",
        "> @monitor:top",
        "@monitor:right",
        "> @left:abc",
        "@left:abc",
        "> @monitor:top",
        "@monitor:right",
        "> @monitor:regs left",
        "@monitor:CNTV_CVAL",
    ];
    let outcome = play("two-hellos.toml", "qemu-virt", &script);
    let number = |row: &[&str], column: usize| row[column].parse::<u64>().expect("a number");
    let (left, right) = (rows(&outcome, "left", 9), rows(&outcome, "right", 9));
    // Both printed the same, and waited for their timers.
    assert!(
        number(&left[0], 2) > 100 && number(&left[0], 4) >= 2,
        "{left:?}"
    );
    // Then one of them took a few bytes and echoed them, and the other did nothing.
    assert!((4..100).contains(&number(&left[1], 2)), "{left:?}");
    assert_eq!(number(&right[1], 2), 0, "{right:?}");
    assert_eq!(number(&right[1], 1), 0, "it waits: {right:?}");
    // Neither shares its core.
    assert_eq!(left[0][8], "-", "{left:?}");
    for line in ["VM left", "  vCPU 0 (Cortex-A57), EL1, A64", "  PC 0x4008"] {
        place(&outcome, line);
    }
}

#[test]
fn a_core_that_comes_late_to_a_timer_is_counted() {
    let script = [
        "@left:q ends",
        "@right:q ends",
        "> @monitor:top",
        "@monitor:right",
    ];
    let outcome = play("tests/late.toml", "qemu-virt", &script);
    let left = &rows(&outcome, "left", 9)[0];
    let late: u64 = left[8].parse().expect("a count");
    let worst: f64 = left[9].parse().expect("milliseconds");
    // Its two timers are due 50 ms after some moment of its slot of 20 ms in 200.
    assert!(late >= 2 && worst >= 100.0, "{left:?}");
}

#[test]
fn what_is_no_command_and_no_vm_is_told_with_what_there_is() {
    let long = format!("> @monitor:{}", "x".repeat(100));
    let script = [
        "@left:q ends",
        "> @monitor:halt left",
        "@monitor:no command is called \"halt\"; there are help, vms, top",
        "> @monitor:stop centre",
        "@monitor:no VM is called \"centre\"; there are left, right",
        "> @monitor:stop",
        "@monitor:write: stop NAME",
        "> @monitor:trace left on",
        "@monitor:left has no recorder",
        &long,
        "@monitor:a line has at most 80 bytes",
        "> @monitor:help",
        "@monitor:trace NAME on|off",
        "> @left:q",
        "@left:PASS hello64",
    ];
    play("two-hellos.toml", "qemu-virt", &script);
}

/// What happens while a trace is paused is in it as one gap.
#[test]
fn a_trace_that_is_paused_tells_its_gap() {
    let script = [
        "type; q ends",
        "> @monitor:trace hello off",
        "@monitor:vm.hello: its trace pauses",
        "> @hello:abc",
        "abc",
        "> @monitor:trace hello on",
        "@monitor:vm.hello: its trace goes on",
        "> @hello:q",
        "PASS hello64",
        "@monitor:the guest switched its board off",
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("hello.trace");
    let wanted = Wanted {
        vm: None,
        devices: Vec::new(),
    };
    let file = workspace::root().join("systems/virt-v8-hello.toml");
    let timeout = Duration::from_secs(300);
    let played = boot_recorded(
        &file,
        "qemu-virt",
        &steps(&script),
        timeout,
        &wanted,
        &trace,
    );
    let (outcome, told) = played.unwrap_or_else(|faults| panic!("{faults}"));
    assert!(outcome.fault().is_none(), "{}", outcome.apart);
    assert!(told.lost > 0, "{told}");
    let text = std::fs::read_to_string(&trace).expect("a trace");
    let gaps: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("# lost "))
        .collect();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(
        gaps[0].contains(&format!("lost {} records", told.lost)),
        "{gaps:?}"
    );
}

/// Each CPU stands still by itself, and tells its own registers.
#[test]
fn a_vm_with_two_cpus_is_held_stopped_and_started() {
    let script = [
        "/ # ",
        "> @monitor:pause virt",
        "@monitor:vm.virt: paused",
        "> @monitor:regs virt",
        "@monitor:CNTV_CVAL",
        "@monitor:CNTV_CVAL",
        "> @monitor:resume virt",
        "@monitor:vm.virt: resumed",
        "> @virt:grep -c ^processor /proc/cpuinfo; echo count\\ed",
        "@virt:counted",
        "> @monitor:pause virt",
        "@monitor:vm.virt: paused",
        "> @monitor:resume virt",
        "> @monitor:stop virt",
        "@monitor:vm.virt: stopped by the monitor",
        "> @monitor:start virt",
        "@virt:Linux version",
        "@virt:SMP: Total of 2 processors activated",
    ];
    let outcome = play("virt-v8-gicv3-smp.toml", "qemu-virt", &script);
    for line in ["  vCPU 0 (Cortex-A57)", "  vCPU 1 (Cortex-A57)"] {
        place(&outcome, line);
    }
}
