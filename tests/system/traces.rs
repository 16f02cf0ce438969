//! Systems that are recorded while they run under QEMU: nothing is lost, and what the boards did
//! then they do again when it is replayed.
use reliquary::trace::replay::{Options, Summary};
use reliquary_cli::script::{Script, Step};
use reliquary_cli::trace::recording::{Told, Wanted};
use reliquary_cli::trace::replay;
use reliquary_cli::verbs::run::boot_recorded;
use reliquary_cli::workspace;
use std::path::Path;
use std::time::Duration;

/// Records a system that plays a script: `> text` is typed, other lines are waited for.
fn record(system: &str, host: &str, devices: &[&str], script: &[&str], to: &Path) -> Told {
    let file = workspace::root().join("systems").join(system);
    let step = |line: &&str| match line.strip_prefix("> ") {
        Some(text) => Step::Send(text.to_owned()),
        None => Step::Expect((*line).to_owned()),
    };
    let script = Script(script.iter().map(step).collect());
    let wanted = Wanted {
        vm: None,
        devices: devices.iter().map(|name| (*name).to_owned()).collect(),
    };
    let timeout = Duration::from_secs(300);
    let (outcome, told) = boot_recorded(&file, host, &script, timeout, &wanted, to)
        .unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{system} on {host}: {fault}");
    }
    assert_eq!(outcome.damages, 0, "{}", outcome.apart);
    assert_eq!(told.lost, 0, "{told}");
    told
}

fn replayed(trace: &Path, board: Option<&str>) -> Summary {
    let options = Options::default();
    let summary =
        replay::replay(trace, board, &options).unwrap_or_else(|faults| panic!("{faults}"));
    let told: String = summary
        .divergences
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(!summary.diverged(), "{summary}\n{told}");
    assert_eq!(summary.reads().within, 0, "{summary}");
    assert_eq!(summary.lost, 0);
    summary
}

/// Debian's kernel, from the reset to its shell, where something is typed, and the board is
/// switched off.
fn linux(board: &str, host: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("linux.trace.zst");
    let script = [
        "/ # ",
        "> uname -m; cat /proc/interrupts",
        "armv7l",
        "/ # ",
        "> poweroff -f",
        "@monitor:silence ",
    ];
    let told = record(&format!("{board}-linux.toml"), host, &[], &script, &trace);
    assert_eq!(told.until, None, "the VM's end is told: {told}");
    let summary = replayed(&trace, None);
    println!("{told}\n{summary}");
    assert!(told.records > 30_000, "{told}");
    assert!(summary.lines.exact > 1000, "{summary}");
}

#[test]
fn a_linux_of_a_vexpress_a9_is_recorded_whole_and_does_the_same_when_replayed() {
    linux("vexpress-a9", "qemu-virt");
}

#[test]
fn a_linux_of_a_vexpress_a15_is_recorded_whole_and_does_the_same_when_replayed() {
    linux("vexpress-a15", "qemu-virt-gicv2");
}

#[test]
fn a_board_that_resets_itself_and_reads_by_dma_does_the_same_when_replayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("u-boot.trace");
    let script = [
        "=> ",
        "> qfw list; reset",
        "opt/org.example/motd ",
        "=> ",
        "> qfw cpus",
        "1 cpu(s) online",
        "=> ",
    ];
    record("tests/fw-cfg.toml", "qemu-virt", &[], &script, &trace);
    let text = std::fs::read_to_string(&trace).expect("the trace");
    let has = |part: &str| text.contains(part);
    assert!(has(" - - reset cold\n") && has(" m 0x") && has(" M 0x") && has(" in rx 0x0d\n"));
    let map = workspace::root().join("systems/tests/virt-v7-files.dts");
    replayed(&trace, map.to_str());
}

#[test]
fn real_devices_behind_a_tap_are_recorded_and_their_emulators_do_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("tap.trace");
    let devices = ["rtc@1c170000", "gpio@1c1d0000"];
    let script = ["PASS passthrough64"];
    record("legacy-tap.toml", "qemu-virt", &devices, &script, &trace);
    let summary = replayed(&trace, Some("legacy-emulated"));
    // The identities twice, the clock's registers, its match's interrupt among them, and the pins.
    assert!(summary.reads().exact >= 45, "{summary}");
}
