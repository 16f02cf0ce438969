//! Whole systems, booted under QEMU on both hosts.
mod kernel_log;

use reliquary_cli::machine::Outcome;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::boot;
use reliquary_cli::workspace;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Plays a script on a system: `> text` is typed, other lines are waited for.
fn play(system: &str, host: &str, script: &[&str]) -> Outcome {
    play_file(
        &workspace::root().join("systems").join(system),
        host,
        script,
    )
}

fn play_file(file: &Path, host: &str, script: &[&str]) -> Outcome {
    let step = |line: &&str| match line.strip_prefix("> ") {
        Some(text) => Step::Send(text.to_owned()),
        None => Step::Expect((*line).to_owned()),
    };
    let script = Script(script.iter().map(step).collect());
    let outcome = boot(file, host, &script, Duration::from_secs(300))
        .unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{} on {host}: {fault}", file.display());
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

/// A board that runs Debian's kernel.
struct Linux {
    board: &'static str,
    /// Its tree, among the images.
    dtb: &'static str,
    part: &'static str,
    timer: &'static str,
}

const A15: Linux = Linux {
    board: "vexpress-a15",
    dtb: "vexpress-v2p-ca15-tc1.dtb",
    part: "0xc0f",
    timer: "arch_timer",
};

const A9: Linux = Linux {
    board: "vexpress-a9",
    dtb: "vexpress-v2p-ca9.dtb",
    part: "0xc09",
    timer: "twd",
};

impl Linux {
    fn file(&self) -> PathBuf {
        workspace::root().join(format!("systems/{}-linux.toml", self.board))
    }

    /// Boots to a shell, with further steps there; gives what the shell printed, and all.
    fn boots(&self, file: &Path, host: &str, steps: &[&str]) -> (String, Outcome) {
        let mut script = vec![
            "/ # ",
            "> uname -m; cat /proc/cpuinfo /proc/interrupts",
            "armv7l",
            self.part,
            "/ # ",
        ];
        script.extend(steps);
        let outcome = play_file(file, host, &script);
        let shell = outcome.text.split("uname -m").nth(1).unwrap_or_default();
        let shell = shell.to_owned();
        assert!(
            interrupts(&shell, self.timer) > 0,
            "the timer must count:\n{shell}"
        );
        assert!(
            interrupts(&shell, "uart-pl011") > 0,
            "the UART must count:\n{shell}"
        );
        (shell, outcome)
    }

    /// The kernel's log has no line that docs/fidelity.md does not explain.
    fn prints_what_qemus_board_does(&self) {
        let (_, outcome) = self.boots(&self.file(), "qemu-virt-gicv2", &[]);
        let theirs = kernel_log::recorded(self.board, self.dtb);
        let lines = kernel_log::unexplained(self.board, &outcome.text, &theirs);
        assert!(
            lines.is_empty(),
            "lines of one log only (+ here, - QEMU's {}), which docs/fidelity.md does not \
             list:\n{}",
            self.board,
            lines.join("\n")
        );
    }

    /// The guest's clock runs as the host's counter does, and its idle time is spent in WFI.
    ///
    /// The silence of the console between two lines of the shell is timed by the guest, with
    /// its own clock, and by the hypervisor, with the host's counter. Twice `sleep 5`, so that
    /// starting the program weighs less in the idle time.
    fn keeps_time_and_idles(&self) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("idle.toml");
        let system = std::fs::read_to_string(self.file()).unwrap();
        std::fs::write(&file, format!("{system}idle = \"count\"\n")).unwrap();
        let (shell, outcome) = self.boots(
            &file,
            "qemu-virt",
            &[
                // Short lines: the shell breaks a long one where its terminal would.
                "> s() { read $1 b </proc/uptime; }",
                "/ # ",
                "> s a; sleep 5; sleep 5; s c; echo slept $a $c",
                "$a $c",
                "slept ",
                "/ # ",
                "> poweroff -f",
                "silence ",
                "of that silence",
            ],
        );
        let uptimes = shell.split("slept ").nth(2).unwrap_or_default();
        let uptimes: Vec<f64> = uptimes
            .split_whitespace()
            .take(2)
            .filter_map(|time| time.trim_end_matches('.').parse().ok())
            .collect();
        let guest = uptimes[1] - uptimes[0];
        let before = |unit: &str| -> f64 {
            let number = outcome.text.split(unit).next().unwrap_or_default();
            let number = number.split_whitespace().next_back().unwrap_or_default();
            number.parse().unwrap_or_else(|_| panic!("no {unit}"))
        };
        let account = outcome
            .text
            .split("longest silence")
            .nth(1)
            .unwrap_or_default();
        let host: f64 = account.split_whitespace().next().unwrap().parse().unwrap();
        let idle = before(" s of that silence");
        assert!(guest >= 10.0, "the guest slept {guest} s");
        assert!(
            (guest - host).abs() < host / 100.0,
            "{guest} s of the guest are {host} s of the host's counter"
        );
        assert!(
            idle > host * 0.95 && idle <= host,
            "idle for {idle} s of {host} s"
        );
    }
}

#[test]
fn vexpress_a15_keeps_time_and_idles_on_a_gicv3_host() {
    A15.keeps_time_and_idles();
}

#[test]
fn vexpress_a15_prints_what_qemus_board_does_on_a_gicv2_host() {
    A15.prints_what_qemus_board_does();
}

#[test]
fn vexpress_a9_keeps_time_and_idles_on_a_gicv3_host() {
    A9.keeps_time_and_idles();
}

#[test]
fn vexpress_a9_prints_what_qemus_board_does_on_a_gicv2_host() {
    A9.prints_what_qemus_board_does();
}

#[test]
fn virt_v7_reaches_u_boots_prompt_on_both_hosts() {
    for host in ["qemu-virt", "qemu-virt-gicv2"] {
        play(
            "virt-v7-uboot.toml",
            host,
            &["=> ", "> version", "U-Boot 2023", "=> "],
        );
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
