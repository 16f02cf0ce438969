//! Whole systems, booted under QEMU on both hosts.
use reliquary_cli::machine::Outcome;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::boot;
use reliquary_cli::workspace;
use std::time::Duration;

/// Plays a script on a system: `> text` is typed, other lines are waited for.
fn play(system: &str, host: &str, script: &[&str]) -> Outcome {
    let step = |line: &&str| match line.strip_prefix("> ") {
        Some(text) => Step::Send(text.to_owned()),
        None => Step::Expect((*line).to_owned()),
    };
    let script = Script(script.iter().map(step).collect());
    let file = workspace::root().join("systems").join(system);
    let outcome = boot(&file, host, &script, Duration::from_secs(300))
        .unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{system} on {host}: {fault}");
    }
    assert_eq!(
        outcome.damages, 0,
        "the link lost something:\n{}",
        outcome.text
    );
    outcome
}

/// The number of interrupts on a line of /proc/interrupts that names this.
fn interrupts(text: &str, name: &str) -> u64 {
    let line = text
        .lines()
        .filter(|line| line.contains(':'))
        .find(|line| line.contains(name));
    let line = line.unwrap_or_else(|| panic!("no interrupt of {name} in\n{text}"));
    let number = line
        .split(':')
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no count in {line}"))
}

fn linux(system: &str, host: &str, part: &str, timer: &str) {
    let outcome = play(
        system,
        host,
        &[
            "/ # ",
            "> uname -m; cat /proc/cpuinfo /proc/interrupts",
            "armv7l",
            part,
            "/ # ",
        ],
    );
    let shell = outcome.text.split("uname -m").nth(1).unwrap_or_default();
    assert!(interrupts(shell, timer) > 0, "the timer must count");
    assert!(interrupts(shell, "uart-pl011") > 0, "the UART must count");
}

#[test]
fn vexpress_a15_reaches_a_shell_on_a_gicv3_host() {
    linux(
        "vexpress-a15-linux.toml",
        "qemu-virt",
        "0xc0f",
        "arch_timer",
    );
}

#[test]
fn vexpress_a15_reaches_a_shell_on_a_gicv2_host() {
    linux(
        "vexpress-a15-linux.toml",
        "qemu-virt-gicv2",
        "0xc0f",
        "arch_timer",
    );
}

#[test]
fn vexpress_a9_reaches_a_shell_on_a_gicv3_host() {
    linux("vexpress-a9-linux.toml", "qemu-virt", "0xc09", "twd");
}

#[test]
fn vexpress_a9_reaches_a_shell_on_a_gicv2_host() {
    linux("vexpress-a9-linux.toml", "qemu-virt-gicv2", "0xc09", "twd");
}

/// Seconds of the day in what U-Boot's `date` prints: `Date: 1970-01-01 (Thursday)    Time:
///  0:00:02`.
fn times(text: &str) -> Vec<u32> {
    let times = text.lines().filter_map(|line| line.split_once("Time:"));
    times
        .filter_map(|(_, time)| {
            let mut parts = time.trim().split(':').map(str::parse::<u32>);
            let mut next = || parts.next()?.ok();
            Some(next()? * 3600 + next()? * 60 + next()?)
        })
        .collect()
}

/// In its flash it executes in place, finds the CFI banks, and keeps its environment there
/// through a reset; the longer commands are typed faster than the UART takes them.
fn u_boot(host: &str) {
    let outcome = play(
        "virt-v7-uboot.toml",
        host,
        &[
            "Flash: 64 MiB",
            "bad CRC, using default environment",
            "=> ",
            "> version; flinfo; md.l 0 1; echo that is all of them",
            "U-Boot 2023",
            "Bank # 1: CFI conformant flash",
            "Bank # 2: CFI conformant flash",
            "00000000: ea",
            "=> ",
            "> date; sleep 2; date",
            "Time:",
            "Time:",
            "=> ",
            "> setenv color blue; saveenv",
            "Writing to Flash... done",
            "OK",
            "=> ",
            "> reset",
            "Loading Environment from Flash... OK",
            "=> ",
            "> printenv color",
            "color=blue",
            "=> ",
        ],
    );
    match times(&outcome.text)[..] {
        // The clock shows whole seconds.
        [before, after] => assert!((2..=3).contains(&(after - before)), "{before} to {after}"),
        ref other => panic!("{other:?} in\n{}", outcome.text),
    }
}

#[test]
fn virt_v7_runs_u_boot_in_place_on_a_gicv3_host() {
    u_boot("qemu-virt");
}

#[test]
fn virt_v7_runs_u_boot_in_place_on_a_gicv2_host() {
    u_boot("qemu-virt-gicv2");
}

#[test]
fn devices_of_the_host_answer_the_same_with_and_without_a_tap() {
    let said = |system, host| {
        let text = play(system, host, &["begins", "PASS passthrough64"]).text;
        let from = text.split("passthrough64: begins").nth(1);
        let said = from.and_then(|rest| rest.split("PASS").next());
        said.unwrap_or_else(|| panic!("cut off: {text}")).to_owned()
    };
    for host in ["qemu-virt", "qemu-virt-gicv2"] {
        let (direct, tapped) = (
            said("legacy-passthrough.toml", host),
            said("legacy-tap.toml", host),
        );
        assert!(direct.contains("ok the match's interrupt"), "{direct}");
        assert_eq!(direct, tapped, "on {host}");
    }
}

#[test]
fn virt_v8_says_hello_on_both_hosts() {
    for host in ["qemu-virt", "qemu-virt-gicv2"] {
        play(
            "virt-v8-hello.toml",
            host,
            &["hello from EL1", "type; q ends", "> q", "passed"],
        );
    }
}

#[test]
fn two_vms_say_hello_side_by_side() {
    let outcome = play(
        "two-hellos.toml",
        "qemu-virt",
        &["hello from EL1", "hello from EL1"],
    );
    assert!(outcome.text.contains("[right] "), "{}", outcome.text);
}

const HOSTS: [&str; 2] = ["qemu-virt", "qemu-virt-gicv2"];

#[test]
fn own_firmware_finds_the_cpus_of_its_boards() {
    for host in HOSTS {
        let outcome = play("tests/cpus.toml", host, &["no VM is left"]);
        for line in [
            "PASS cpu-a9",
            "PASS cpu-a15",
            "ok SPSR_irq is kept",
            "ok CBAR in Thumb",
            "ok UNDEFs taken for it",
            "ok SPSR of UDF in Thumb: SVC, T",
            "ok the diagnostic register keeps its bits",
        ] {
            assert!(
                outcome.text.contains(line),
                "no {line} in\n{}",
                outcome.text
            );
        }
        assert!(!outcome.text.contains("BAD"), "{}", outcome.text);
    }
}

#[test]
fn own_firmware_finds_the_secure_gic_and_a_big_endian_bus() {
    for host in HOSTS {
        let outcome = play("tests/buses.toml", host, &["no VM is left"]);
        for line in [
            "PASS secure-gic",
            "PASS bigendian",
            "ok group 0 arrives as FIQ",
            "ok group 1 arrives as IRQ",
        ] {
            assert!(
                outcome.text.contains(line),
                "no {line} in\n{}",
                outcome.text
            );
        }
    }
}

/// The VM `press` of a system stops with a report that has all of `parts`, and `panel` says hello
/// and still takes what is typed.
fn dies(system: &str, host: &str, before: &[&str], parts: &[&str]) {
    // What the VMs print side by side has no order, but for the end of both.
    let outcome = play(system, host, &["type; q ends", "> q", "no VM is left"]);
    let text = &outcome.text;
    let (first, report) = text.split_once("VM press stopped: ").unwrap_or_default();
    let firsts = before.iter().filter(|part| !first.contains(**part));
    let lasts = ["PASS hello64"];
    let missing: Vec<_> = firsts
        .chain(lasts.iter().filter(|part| !text.contains(**part)))
        .chain(parts.iter().filter(|part| !report.contains(**part)))
        .collect();
    assert!(missing.is_empty(), "no {missing:?} in\n{text}");
    assert!(!text.contains("FAIL"), "it lived:\n{text}");
    let accesses = report
        .lines()
        .filter(|line| line.contains(" cpu0 "))
        .count();
    assert_eq!(accesses, 32, "the last accesses in\n{text}");
    // Its registers: the stack pointer of each mode was set by the firmware.
    for bank in ["svc", "abt", "und", "irq", "fiq"] {
        assert!(
            !report.contains(&format!("SP_{bank} 00000000"))
                && report.contains(&format!("SP_{bank} ")),
            "SP_{bank} in\n{text}"
        );
    }
}

#[test]
fn a_guest_that_calls_a_monitor_dies_usefully() {
    for host in HOSTS {
        dies(
            "tests/die-smc.toml",
            host,
            &["die-smc: begins", "an SMC"],
            &[
                "SMC: the guest called a monitor, which the VM does not have",
                "vCPU 0 (Cortex-A9), Supervisor, A32, Secure",
                "instruction e1600070",
                "SMC from AArch32",
                "uart@9000 w 0x000 4 0x53", // the S of what it said last
            ],
        );
    }
}

#[test]
fn a_guest_that_enters_monitor_mode_dies_usefully() {
    for host in HOSTS {
        dies(
            "tests/die-monitor.toml",
            host,
            &["to Monitor mode"],
            &[
                "the guest switched to Monitor mode, which the VM does not have",
                "vCPU 0 (Cortex-A9), Supervisor, A32, Secure",
                "instruction f1020016",
            ],
        );
    }
}

#[test]
fn a_guest_whose_access_has_no_syndrome_dies_usefully() {
    for host in HOSTS {
        dies(
            "tests/die-nosyndrome.toml",
            host,
            &["an LDM from the PL011 at 0x1c090000"],
            &[
                "an access without a valid syndrome, by an instruction that is not decoded",
                "vCPU 0 (Cortex-A15), Supervisor, A32, Secure",
                "instruction e89",
                "data abort, translation fault, read, no instruction syndrome",
                "at VA 0x1c090fe0, IPA 0x1c090fe0",
                "serial@90000 at 0x1c090000, offset 0xfe0",
            ],
        );
    }
}

#[test]
fn a_guest_that_leaves_its_board_dies_usefully() {
    for host in HOSTS {
        dies(
            "tests/die-unclaimed.toml",
            host,
            &[
                "data abort from mode 0x13, 0x8 behind the read, DFSR 0x8, DFAR 0x78000000",
                "ok SPSR_svc is kept",
            ],
            &[
                "the guest's abort vector cannot be fetched",
                "vCPU 0 (Cortex-A15), Abort, A32, Secure",
                "PC 0x7900000c, instruction not readable",
                "at VA 0x7900000c, IPA 0x7900000c",
                "in no window; the nearest is /",
                "no window r 0x78000000 4 0x0 refused",
            ],
        );
    }
}

#[test]
fn sleep_takes_its_time_within_a_hundredth() {
    // The guest's own clock is CNTVCT, so two clocks are compared: the guest's and the host's.
    let script = [
        "/ # ",
        "> cat /proc/uptime; sleep 5; cat /proc/uptime; echo over",
        "over\n/ #",
    ];
    let outcome = play(
        "vexpress-a15-linux.toml",
        "qemu-virt",
        &script.map(|line| line.trim_end_matches("\n/ #")),
    );
    let uptimes: Vec<f64> = outcome
        .text
        .lines()
        .filter_map(|line| {
            let (up, idle) = line.trim().split_once(' ')?;
            idle.parse::<f64>().ok()?;
            up.parse().ok()
        })
        .collect();
    if let [before, after, ..] = uptimes[..] {
        let slept = after - before;
        // The shell's own work around the sleep is some tens of milliseconds.
        assert!((4.95..5.3).contains(&slept), "slept {slept} s");
    } else {
        panic!("no uptimes in\n{}", outcome.text);
    }
}
