//! For how many instructions at EL2 an interrupt waits, over all that happens while systems run: counted by
//! `cargo reliquary run --latency`. docs/real-time.md tells the figures.
use reliquary_cli::latency::{Begins, Cpu, Ends, Longest, Measured};
use reliquary_cli::machine::Outcome;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::boot_measured;
use reliquary_cli::workspace;
use std::time::Duration;

/// On a core whose VM prints to the console in focus, whatever its neighbour does.
const MASKED: u64 = 6_500;
/// From the guest, or a WFI, to the guest's vector there, with a flush of the console in it.
const DELIVERY: u64 = 8_500;
/// Of a board's Linux on core 0, which serves the link's interrupt: what is printed meanwhile is in it.
const MASKED_LINUX: u64 = 200_000;
/// Of a VM that carries 64 characters each way over a wire at an exit.
const MASKED_WIRE: u64 = 32_000;
/// An operator's command: a vCPU's registers are told by its own core.
const REGS: u64 = 500_000;

/// Boots a system with a script: `> text` is typed, other lines are waited for.
fn run(system: &str, icount: bool, script: &[&str]) -> (Outcome, Measured) {
    let file = workspace::root().join("systems").join(system);
    let step = |line: &&str| match line.strip_prefix("> ") {
        Some(text) => Step::Send(text.to_owned()),
        None => Step::Expect((*line).to_owned()),
    };
    let script = Script(script.iter().map(step).collect());
    let within = Duration::from_secs(150);
    let measured = boot_measured(&file, "qemu-virt", &script, within, icount);
    let (outcome, measured) = measured.unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{system}: {fault}");
    }
    println!("{system}: {measured}");
    (outcome, measured)
}

fn core(measured: &Measured, number: usize) -> &Cpu {
    let mut cpus = measured.cpus.iter();
    let found = cpus.find(|cpu| cpu.number == number);
    found.unwrap_or_else(|| panic!("no guest ran on core {number}: {measured}"))
}

/// The longest of those of a kind.
fn most(longest: &[Longest], kind: impl Fn(&Longest) -> bool) -> &Longest {
    let found = longest.iter().find(|one| kind(one));
    found.unwrap_or_else(|| panic!("none of this kind"))
}

/// Many were counted, and none is longer than it may be.
fn hold(measured: &Measured, cpu: &Cpu, masked: u64, delivery: u64) {
    assert!(cpu.masked.count > 5_000, "{measured}");
    assert!(cpu.delivery.count > 500, "{measured}");
    // An exit has not fewer than this.
    assert!(cpu.delivery.most() > 500, "{measured}");
    assert!(cpu.masked.most() <= masked, "{measured}");
    assert!(cpu.delivery.most() <= delivery, "{measured}");
    assert!(cpu.chain.most() <= masked + delivery, "{measured}");
    println!("core {}: at most {}", cpu.number, cpu.bound());
}

/// The figure of a row that own firmware printed.
fn told(outcome: &Outcome, row: &str) -> u64 {
    let mut lines = outcome.apart.lines();
    let line = lines.find(|line| line.contains(row));
    let figure = line.and_then(|line| line.rsplit_once(" | "));
    let whole = figure.and_then(|(_, figure)| figure.split('.').next()?.parse().ok());
    whole.unwrap_or_else(|| panic!("no {row} in\n{}", outcome.apart))
}

/// The firmware's counter says the same, to within its tick of 16 instructions and its own few ones.
#[test]
fn what_is_counted_is_what_the_guest_measures() {
    let (outcome, measured) = run("tests/cost-a64.toml", true, &["PASS cost-a64"]);
    let longest = &core(&measured, 0).delivery.longest;
    for (row, begins) in [
        ("virtual timer, guest busy", Begins::Interrupt),
        ("virtual timer, guest in WFI", Begins::Woken),
    ] {
        let (told, counted) = (
            told(&outcome, row),
            most(longest, |one| one.begins == begins),
        );
        println!("{row}: told {told}, counted {}", counted.length);
        assert!(
            counted.length.abs_diff(told) <= 32,
            "{row}: {told}, {counted:?}"
        );
        assert_eq!(counted.ends, Ends::Vector);
        let functions = measured.functions(counted);
        let sum: u64 = functions.iter().map(|(_, count)| count).sum();
        assert_eq!(sum, counted.length, "{functions:?}");
    }
}

#[test]
fn a_guest_that_uses_its_timers_uart_and_sgis() {
    let (_, measured) = run("tests/cost-a32.toml", true, &["PASS cost-a32"]);
    hold(&measured, core(&measured, 0), MASKED, DELIVERY);
}

#[test]
fn beside_a_hostile_guest() {
    let script = [
        "@victim:victim: watches",
        "@attacker:told from:",
        "> @attacker:20261130 10000 0",
        "@attacker:PASS attacker",
        "> @victim:q",
        "@victim:PASS victim",
    ];
    let (_, measured) = run("tests/attack-a64.toml", false, &script);
    let cpu = core(&measured, 1);
    hold(&measured, cpu, MASKED, DELIVERY);
    // It waits for no lock of the other core's.
    assert_eq!(cpu.wait.count, 0, "{measured}");
}

#[test]
fn beside_a_board_that_is_reset_and_a_monitor_that_is_asked() {
    let script = [
        "@victim:victim: watches",
        "> @monitor:vms",
        "@monitor:press",
        "> @monitor:top",
        "@monitor:victim",
        "> @monitor:log",
        "@press:life 40",
        "> @monitor:reset press",
        "> @monitor:vms",
        "@monitor:victim",
        "@press:life 120",
        "> @victim:q",
        "@victim:PASS victim",
    ];
    let (_, measured) = run("tests/latency.toml", false, &script);
    hold(&measured, core(&measured, 1), MASKED, DELIVERY);
}

#[test]
fn beside_a_board_at_the_other_end_of_a_wire() {
    let script = ["@press:PASS", "@panel:PASS"];
    let (_, measured) = run("tests/serial.toml", false, &script);
    let cpu = core(&measured, 1);
    // What ends in a WFI is the VM's own end, with lines of the log.
    let one = most(&cpu.masked.longest, |one| one.ends != Ends::Sleep);
    assert!(one.length <= MASKED_WIRE, "{measured}");
    assert!(cpu.masked.count > 20_000, "{measured}");
}

#[test]
fn registers_are_told_on_the_vms_own_core() {
    let script = [
        "@victim:victim: watches",
        "> @monitor:regs victim",
        "@monitor:VM victim",
        "@monitor:x30",
        "> @victim:q",
        "@victim:PASS victim",
    ];
    let (_, measured) = run("tests/latency.toml", false, &script);
    let cpu = core(&measured, 1);
    assert!(cpu.masked.most() <= REGS, "{measured}");
    let functions = measured.functions(&cpu.masked.longest[0]);
    let told = |name: &(String, u64)| name.0.contains("tell_registers");
    assert!(functions.iter().any(told), "{functions:?}");
}

#[test]
fn a_linux_of_an_old_board() {
    let script = ["/ # ", "> ls -R /proc/sys | tail; echo do''ne", "done"];
    let (_, measured) = run("vexpress-a9-linux.toml", false, &script);
    let cpu = core(&measured, 0);
    hold(&measured, cpu, MASKED_LINUX, DELIVERY);
    let functions = measured.functions(&cpu.masked.longest[0]);
    // Where it was is told by name.
    assert!(functions[0].0.contains("::"), "{functions:?}");
}
