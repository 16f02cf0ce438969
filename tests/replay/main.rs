//! Golden traces (tests/traces/), replayed whole: all devices, all records.
use reliquary::trace::replay::{Options, Summary};
use reliquary_cli::trace::{file, golden, record, replay};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn golden() -> Vec<PathBuf> {
    golden::files().unwrap_or_else(|faults| panic!("{faults}"))
}

fn whole(file: &Path) -> Summary {
    golden::replay(file).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn every_golden_trace_replays_without_a_divergence() {
    let files = golden();
    assert!(files.len() >= 3, "traces are missing");
    let mut wrong = String::new();
    for file in files {
        let summary = whole(&file);
        println!("{}: {summary}", file.display());
        for divergence in &summary.divergences {
            let _ = write!(wrong, "{}: {divergence}", file.display());
        }
        // Where one types, QEMU's early receive interrupt shows at each byte.
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let percent = if name.contains("typed") { 2 } else { 1 };
        let reads = summary.reads_of_no_counter();
        if reads.within * 100 >= reads.exact.max(1) * percent {
            let _ = writeln!(
                wrong,
                "{name}: {} reads within a bound beside {} exact ones: {percent} % or more",
                reads.within, reads.exact
            );
        }
        assert_eq!(summary.lost, 0, "{}", file.display());
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_golden_trace_says_how_it_was_recorded() {
    let index = std::fs::read_to_string(golden::folder().join("README.md")).expect("it is there");
    for file in golden() {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        assert!(
            index.contains(&*name),
            "tests/traces/README.md lacks {name}"
        );
        let text = file::read(&file).unwrap();
        let reader = reliquary::trace::read::Reader::new(&text).unwrap();
        assert!(!reader.header().notes.is_empty(), "{name} has no note");
    }
}

#[test]
fn the_table_of_devices_is_what_the_code_and_the_traces_say() {
    let page = reliquary_cli::fidelity::page().unwrap_or_else(|faults| panic!("{faults}"));
    assert!(
        page.is == page.should_be,
        "docs/fidelity.md: write it anew by `cargo reliquary fidelity`"
    );
}

#[test]
fn a_medium_that_is_another_than_the_recorded_one_is_refused() {
    let mut other = golden::card();
    other[0] ^= 1;
    let options = Options {
        keep_going: true,
        media: vec![("mmci@5000".to_owned(), other)],
    };
    let file = golden::folder().join("vexpress-a9-sd.trace.zst");
    let told = replay::replay(&file, None, &options).expect_err("it is another");
    assert!(
        told.to_string().contains("the medium given for mmci@5000"),
        "{told}"
    );
}

/// The replay of a golden trace of which one line was changed.
fn changed(from: &str, to: &str) -> Summary {
    let golden = golden::folder().join("vexpress-a9-linux.trace.zst");
    let text = String::from_utf8(file::read(&golden).unwrap()).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from}");
    let text = text.replacen(from, to, 1);
    let sound = text
        .lines()
        .filter(|line| !line.starts_with("# check") && !line.starts_with("# end"));
    let text = sound.collect::<Vec<_>>().join("\n") + "\n# end\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("changed.trace");
    std::fs::write(&file, text).unwrap();
    whole(&file)
}

/// What diverged, as text.
fn told(summary: &Summary) -> String {
    let all = summary.divergences.iter();
    all.map(ToString::to_string).collect()
}

#[test]
fn one_bit_of_one_read_among_a_hundred_thousand_is_found_and_named() {
    let summary = changed(
        "4563912112 0 rtc@17000 r 0xfe0 4 0x31\n",
        "4563912112 0 rtc@17000 r 0xfe0 4 0x30\n",
    );
    assert_eq!(summary.divergences(), 1, "{}", told(&summary));
    let told = told(&summary);
    assert!(told.contains("rtc@17000"), "{told}");
    assert!(
        told.contains("PeriphID[0] (0xfe0) was recorded as 0x30, ours is 0x31"),
        "{told}"
    );
}

#[test]
fn a_line_that_is_recorded_later_than_its_bound_is_found() {
    let summary = changed(
        "4154993568 - timer@11000 o 0 1\n",
        "4154993568 - timer@11000 i 9 1\n",
    );
    let told = told(&summary);
    assert!(told.contains("our output line 0"), "{told}");
}

#[test]
fn a_line_that_never_rose_here_is_found() {
    let summary = changed(
        "4154993568 - timer@11000 o 0 1\n",
        "4154993568 - timer@11000 o 0 1\n4154993568 - serial0 o 0 1\n",
    );
    let told = told(&summary);
    assert!(told.contains("serial0: output line 0"), "{told}");
    assert!(told.contains("rose as recorded, ours did not"), "{told}");
}

#[test]
fn a_counter_two_ticks_off_is_outside_its_bound() {
    let summary = changed(
        "4284996098 0 timer@11000 r 0x24 4 0xfffdf48d\n",
        "4284996098 0 timer@11000 r 0x24 4 0xfffdf48b\n",
    );
    assert_eq!(summary.divergences(), 1, "{}", told(&summary));
}

/// The system registers of a GICv3 are recorded and replayed as a block of their own.
#[test]
fn system_registers_are_replayed_and_named() {
    let header = "\
        # reliquary-trace 1\n\
        # board virt-v8-gicv3  source hand  observed cpu-lines\n\
        # note by IHI 0069: a virtual timer's interrupt from its line to its end\n";
    let gic = "interrupt-controller@8000000";
    let records = "\
        0 0 G w 0x0 4 0x3\n\
        0 0 G w1 0x14 4 0x0\n\
        0 0 G w1 0x10080 4 0x8000000\n\
        0 0 G w1 0x10100 4 0x8000000\n\
        10 0 G w255 0x61180 8 0xf0\n\
        10 0 G w255 0x63338 8 0x1\n\
        20 - G i 1035 1\n\
        20 - G o 0 1\n\
        30 0 G r255 0x63300 8 0x1b\n\
        30 - G o 0 0\n\
        40 0 G r255 0x63268 8 abort\n\
        50 0 G w255 0x63308 8 0x1b\n\
        50 - G o 0 1\n\
        # end\n";
    let replayed = |records: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hand.trace");
        std::fs::write(&file, format!("{header}{}", records.replace('G', gic))).unwrap();
        whole(&file)
    };
    let summary = replayed(records);
    assert_eq!(summary.divergences(), 0, "{}", told(&summary));
    let summary = replayed(&records.replace("0x63300 8 0x1b", "0x63300 8 0x1c"));
    assert_eq!(summary.divergences(), 1, "{}", told(&summary));
    assert!(
        told(&summary).contains("ICC_IAR1_EL1"),
        "{}",
        told(&summary)
    );
}

/// QEMU's board is recorded anew, with own firmware and two CPUs.
fn recorded(to: &Path, steps: Vec<record::Step>) {
    let record = record::Record {
        board: "vexpress-a9",
        images: vec![("-kernel", "firmware:timed-a9")],
        append: None,
        cpus: 2,
        steps,
        limit_ns: 20_000_000_000,
        settle_ns: 1_000_000,
        timeout: Duration::from_secs(120),
        shift: 1,
        image: Some("timed-a9"),
        leave_out: &[],
        notes: &[],
        qemu: &[],
    };
    record.run(to).unwrap_or_else(|faults| panic!("{faults}"));
}

#[test]
fn a_recording_is_the_same_every_time_and_replays() {
    let folder = tempfile::tempdir().unwrap();
    let [first, again] = ["a.trace", "b.trace"].map(|name| folder.path().join(name));
    let steps = || {
        vec![
            record::Step::Expect("begins".to_owned()),
            record::Step::Type("abc".to_owned()),
        ]
    };
    recorded(&first, steps());
    recorded(&again, steps());
    let text = std::fs::read_to_string(&first).unwrap();
    assert!(text == std::fs::read_to_string(&again).unwrap());
    for byte in ["0x61", "0x62", "0x63"] {
        let typed = format!(" - serial0 in rx {byte}\n");
        assert_eq!(text.matches(&typed).count(), 1, "{byte}");
    }
    let summary = whole(&first);
    assert!(!summary.diverged(), "{}", told(&summary));
}

#[test]
fn a_text_that_never_comes_ends_a_recording_with_what_did() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("never.trace");
    let record = record::Record {
        board: "vexpress-a9",
        images: vec![("-kernel", "firmware:timed-a9")],
        append: None,
        cpus: 1,
        steps: vec![record::Step::Expect("no such text".to_owned())],
        limit_ns: 10_000_000,
        settle_ns: 0,
        timeout: Duration::from_secs(60),
        shift: 1,
        image: None,
        leave_out: &[],
        notes: &[],
        qemu: &[],
    };
    let told = record.run(&to).expect_err("it never comes").to_string();
    assert!(told.contains("--expect waited for"), "{told}");
    assert!(told.contains("timed-a9: begins"), "{told}");
    assert!(!to.exists());
}
