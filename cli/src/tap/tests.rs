use super::*;
use reliquary::board::observe::{By, Kinds, Observer, Seen, What};
use reliquary::trace::packed::Packer;
use reliquary::units::Instant;

const TEXT: &str = "\
host = \"qemu-virt\"
[vm.press]
board = \"vexpress-a9\"
cores = [0]
elf = \"a.elf\"
[vm.panel]
board = \"vexpress-a15\"
cores = [1]
elf = \"b.elf\"
[[wire]]
serial = [\"press.serial1\", \"panel.serial1\"]
[[wire]]
ethernet = [\"press.ethernet\", \"panel.ethernet\"]
";

fn system(text: &str) -> System {
    System::parse(Path::new("two.toml"), text).unwrap()
}

/// Taps of the Ethernet wire and of all wires, into a folder.
fn taps(folder: &Path) -> Taps {
    let system = system(TEXT);
    let ends = [(2, "press.ethernet"), (3, "panel.ethernet")];
    let capture = Capture::begin(&folder.join("lan.pcapng"), 1, ends.into_iter()).unwrap();
    let name = |(wire, name): (usize, &str)| End {
        name: name.to_owned(),
        wire,
    };
    let all = [(0, "press.serial1"), (0, "panel.serial1")].into_iter();
    let all = all.chain([(1, "press.ethernet"), (1, "panel.ethernet")]);
    Taps {
        ends: all.map(name).collect(),
        captures: vec![capture],
        recording: Some(recording(&system, &folder.join("wires.trace"), &[]).unwrap()),
        arriving: Arriving::default(),
        assembly: Assembly::new(Security::NonSecure),
        lost: 0,
    }
}

/// A stream as the hypervisor makes it.
fn packed(observer: &mut Observer, packer: &mut Packer) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut sink = |byte| bytes.push(byte);
    while let Some(seen) = observer.take() {
        packer.pack(&Item::Seen(seen), &mut sink);
    }
    if let Some((at, count)) = observer.take_lost() {
        packer.pack(&Item::Lost { at, count }, &mut sink);
    }
    bytes
}

#[test]
fn frames_are_captured_and_everything_is_traced_in_one_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut taps = taps(folder.path());
    let mut observer = Observer::new(Kinds::ALL, 1000);
    let mut packer = Packer::new(16);
    let long: Vec<u8> = (0..1518_u32).map(|n| n as u8).collect();
    let short = vec![7; 64];
    observer.note_bytes(Instant(1_000), 2, By::FrameOut, &long);
    observer.note_bytes(Instant(1_001), 1, By::SerialOut, b"x");
    observer.note_bytes(Instant(u64::from(u32::MAX) * 3), 3, By::FrameOut, &short);
    let bytes = packed(&mut observer, &mut packer);
    for piece in bytes.chunks(192) {
        taps.fed(piece);
    }
    observer.lose(Kinds::FRAMES, 2, Instant(u64::from(u32::MAX) * 4));
    taps.fed(&packed(&mut observer, &mut packer));
    let told: Vec<String> = taps.close().unwrap().iter().map(Told::to_string).collect();
    assert!(
        told[0].ends_with("lan.pcapng: 2 frames, 1 lost"),
        "{told:?}"
    );
    assert!(
        told[1].ends_with("wires.trace: 3 records, 1 lost"),
        "{told:?}"
    );

    let frames = capture::read(&folder.path().join("lan.pcapng"));
    let due = [
        ("press.ethernet".to_owned(), 1_000, long),
        ("panel.ethernet".to_owned(), u64::from(u32::MAX) * 3, short),
    ];
    assert_eq!(frames, due);

    let trace = folder.path().join("wires.trace");
    let text = std::fs::read_to_string(&trace).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(
        lines[0].starts_with("1000 - press.ethernet out eth 0x000102"),
        "{text}"
    );
    assert_eq!(lines[1], "1001 - panel.serial1 out tx 0x78");
    assert!(text.contains("# lost 1 records"), "{text}");
    // What shows traces shows it, and a replay says why it cannot.
    let view = crate::trace::view::View::read(&trace, None).unwrap();
    let stats = crate::trace::stats::Stats::of(&view, None).to_string();
    assert!(stats.contains("panel.ethernet"), "{stats}");
    let options = reliquary::trace::replay::Options::default();
    let fault = crate::trace::replay::replay(&trace, None, &options).unwrap_err();
    assert!(fault.to_string().contains("it is of wires"), "{fault}");
}

#[test]
fn a_level_is_a_line_of_the_ends_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut taps = taps(folder.path());
    let mut observer = Observer::new(Kinds::ALL, 10);
    for (at, level) in [(5, true), (9, false)] {
        let what = What::Output { line: 0, level };
        let (at, device) = (Instant(at), 0);
        observer.note(Kinds::OUTPUTS, Seen { at, device, what });
    }
    taps.fed(&packed(&mut observer, &mut Packer::new(1)));
    taps.close().unwrap();
    let text = std::fs::read_to_string(folder.path().join("wires.trace")).unwrap();
    assert!(
        text.contains("\n5 - press.serial1 o 0 1\n9 - press.serial1 o 0 0\n"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_captured_is_told_with_its_mend() {
    let two = format!("{TEXT}[[wire]]\nethernet = [\"press.eth1\", \"panel.eth1\"]\n");
    let none = TEXT.split("[[wire]]\nethernet").next().unwrap();
    for (text, given, due) in [
        (
            TEXT,
            "press.etherne=a.pcapng",
            "did you mean \"press.ethernet\"?",
        ),
        (TEXT, "panel.serial1=a.pcapng", "is on no Ethernet wire"),
        (none, "a.pcapng", "has no Ethernet wire"),
        (
            &two,
            "a.pcapng",
            "--pcap press.ethernet=a.pcapng or --pcap press.eth1=a.pcapng",
        ),
    ] {
        let fault = captured(&system(text), given).unwrap_err().to_string();
        assert!(fault.contains(due) && fault.contains("mend: "), "{fault}");
    }
    let named = captured(&system(&two), "panel.eth1=b.pcapng").unwrap();
    assert_eq!(named, (2, PathBuf::from("b.pcapng")));
    let nowhere = Path::new("/nowhere/lan.pcapng");
    let fault = Capture::begin(nowhere, 1, [(0, "a.b")].into_iter()).unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("/nowhere/lan.pcapng: cannot write the capture")
    );
}

#[test]
fn a_disk_that_is_full_is_told_at_the_end() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    // What fits the buffer is written when it is flushed.
    let begun = Capture::begin(full, 1, [(0, "a.b")].into_iter());
    let fault = begun.unwrap_err().to_string();
    assert!(
        fault.contains("/dev/full: cannot write the capture"),
        "{fault}"
    );
}
