//! Wires that lead outside: captures, traces, and a serial wire to a pty of the developer's machine.
use reliquary::crc::Crc32;
use reliquary_cli::machine::{End, Machine, Outcome};
use reliquary_cli::pty::Ptys;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::system::System;
use reliquary_cli::tap::{Told, Wanted, capture};
use reliquary_cli::trace::stats::Stats;
use reliquary_cli::trace::view::View;
use reliquary_cli::verbs::build;
use reliquary_cli::verbs::run::boot_tapped;
use reliquary_cli::workspace;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(300);

fn tapped(system: &str, script: Vec<Step>, wanted: &Wanted) -> (Outcome, Vec<Told>) {
    let file = workspace::root().join("systems").join(system);
    let booted = boot_tapped(&file, "qemu-virt", &Script(script), TIMEOUT, wanted);
    let (outcome, told) = booted.unwrap_or_else(|faults| panic!("{faults}"));
    assert!(
        outcome.holds(),
        "{system}: {:?}\n{}",
        outcome.missing,
        outcome.apart
    );
    for told in &told {
        assert_eq!(told.lost, 0, "{told}");
    }
    (outcome, told)
}

fn expect(text: &str) -> Step {
    Step::Expect(text.to_owned())
}

#[test]
fn each_edge_of_the_wires_between_pins_is_in_their_trace() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("pins.trace");
    let wanted = Wanted {
        record_wires: Some(trace.clone()),
        ..Wanted::default()
    };
    let script = vec![expect("@monitor:no VM is left")];
    let (outcome, _) = tapped("tests/pins.toml", script, &wanted);
    for firmware in ["asks", "answers"] {
        let pass = format!("PASS pins-{firmware}");
        assert!(outcome.apart.contains(&pass), "{}", outcome.apart);
    }
    let view = View::read(&trace, None).unwrap_or_else(|faults| panic!("{faults}"));
    let stats = Stats::of(&view, None).to_string();
    // What the firmware does (src/pins.rs): 100 edges and 100 pulses each, and what is around them.
    for (end, changes) in [
        ("asks.gpio0:0", 1 + 100 + 1 + 200 + 2),
        ("answers.gpio0:0", 2 + 100 + 200),
        ("asks.gpio0:2", 200),
        ("answers.gpio0:2", 200 + 4),
    ] {
        let due = format!("{end} (");
        let line = stats.lines().find(|line| line.starts_with(&due));
        let line = line.unwrap_or_else(|| panic!("no {end} in\n{stats}"));
        assert!(
            line.ends_with(&format!(" {changes} line changes")),
            "{line}"
        );
    }
}

/// What is typed at the two boards (`> `) and waited for.
const PLAY: &[&str] = &[
    "@press:/ # ",
    "@panel:/ # ",
    "> @press:for m in libphy smsc smsc911x; do insmod /lib/$m.ko; done; echo wi\\red",
    "@press:wired",
    "> @panel:for m in libphy smsc smsc911x; do insmod /lib/$m.ko; done; echo wi\\red",
    "@panel:wired",
    "> @panel:ifconfig eth0 10.0.0.2 up; stty -F /dev/ttyAMA1 115200 raw -echo; echo u\\p",
    "@panel:up",
    "> @press:ifconfig eth0 10.0.0.1 up; stty -F /dev/ttyAMA1 115200 raw -echo; echo u\\p",
    "@press:up",
    "> @press:ping -c 3 -s 1000 10.0.0.2",
    "@press:3 packets received",
    "> @press:echo over the wire >/dev/ttyAMA1; echo se\\nt",
    "@press:sent",
    "> @press:sleep 1; echo do\\ne",
    "@press:done",
];

#[test]
fn a_ping_is_in_the_capture_of_its_wire_and_a_line_in_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (lan, trace) = (
        folder.path().join("lan.pcapng"),
        folder.path().join("serial.trace"),
    );
    let wanted = Wanted {
        pcap: vec![lan.display().to_string()],
        record_wires: Some(trace.clone()),
        record_wire: vec!["panel.serial1".to_owned()],
    };
    let step = |line: &&str| match line.strip_prefix("> ") {
        Some(text) => Step::Send(text.to_owned()),
        None => expect(line),
    };
    let script = PLAY.iter().map(step).collect();
    let (_, told) = tapped("two-boards.toml", script, &wanted);
    let frames = capture::read(&lan);
    assert_eq!(told[0].count, frames.len() as u64);
    let mut before = 0;
    let mut echoes: Vec<(&str, u8)> = Vec::new();
    for (end, ns, octets) in &frames {
        assert!(before <= *ns, "in the order of time");
        before = *ns;
        let (body, fcs) = octets.split_at(octets.len() - 4);
        assert_eq!(
            Crc32::of(body).to_le_bytes(),
            fcs,
            "whole, with its check sequence"
        );
        // IPv4, ICMP, with 1,000 bytes: request 8, reply 0.
        if octets.len() == 14 + 20 + 8 + 1000 + 4 && octets[12..14] == [8, 0] && octets[23] == 1 {
            echoes.push((end, octets[34]));
        }
    }
    let asked = [("press.ethernet", 8), ("panel.ethernet", 0)];
    assert_eq!(echoes, [asked, asked, asked].concat());

    let view = View::read(&trace, None).unwrap_or_else(|faults| panic!("{faults}"));
    let names: Vec<&str> = view.devices.iter().map(|end| end.name.as_str()).collect();
    assert_eq!(names, ["press.serial1"], "the other wire was not wanted");
    let text = std::fs::read_to_string(&trace).unwrap();
    let bytes = text.lines().filter_map(|line| line.split_once("out tx 0x"));
    let hex: String = bytes.map(|(_, hex)| hex).collect();
    // "over the wire", and a line feed.
    let due = "6f7665722074686520776972650a";
    assert!(hex.contains(due), "{hex}");
}

/// The other end of the row that legacy-images/firmware/src/serial.rs exchanges: what came of it.
fn exchange(mut pty: File) -> Vec<u8> {
    const SYN: u8 = 0xfd;
    const ACK: u8 = 0xfe;
    const END: u8 = 0xff;
    let mut next = {
        let mut pty = pty.try_clone().unwrap();
        move || {
            let mut byte = [0];
            pty.read_exact(&mut byte).unwrap();
            byte[0]
        }
    };
    while next() != SYN {}
    pty.write_all(&[ACK]).unwrap();
    while next() != ACK {}
    let row: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
    let sender = thread::spawn(move || {
        pty.write_all(&row).unwrap();
        pty.write_all(&[END; 4]).unwrap();
    });
    let mut came = Vec::new();
    loop {
        match next() {
            END => break,
            SYN | ACK => {}
            byte => came.push(byte),
        }
    }
    sender.join().unwrap();
    came
}

#[test]
fn a_serial_wire_leads_to_a_pty_and_loses_nothing_either_way() {
    let file = workspace::root().join("systems/tests/serial-outside.toml");
    for host in ["qemu-virt", "qemu-virt-gicv2"] {
        let system = System::read(&file).unwrap_or_else(|faults| panic!("{faults}"));
        let built = build::build(&system, Some(host)).unwrap_or_else(|faults| panic!("{faults}"));
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("system.img");
        built.write(&image).unwrap();
        let ptys = Ptys::open(&built.vms, &built.outside, Some(folder.path())).unwrap();
        let pty = open(&folder.path().join("press.serial1"));
        let peer = thread::spawn(move || exchange(pty));
        let script = [
            "@press:received 10000, missing 0, overruns 0, flawed 0",
            "@press:PASS serial-a9",
            "@monitor:no VM is left",
        ];
        let outcome = Machine {
            image: &image,
            elf: &built.elf,
            host: &built.host,
            vms: &built.vms,
            outside: &built.outside,
            script: &Script(script.map(expect).to_vec()),
            timeout: Some(Duration::from_secs(120)),
            icount: false,
            qemu: &[],
            log: None,
            recording: None,
            taps: None,
            show: false,
            interactive: false,
            ptys: Some(&ptys),
        }
        .run()
        .unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(outcome.end, End::Done, "on {host}: {:?}", outcome.missing);
        let came = peer.join().unwrap();
        let due: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
        assert!(came == due, "on {host}: {} came", came.len());
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap()
}
