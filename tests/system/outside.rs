//! Wires that lead outside: captures, traces, a serial wire to a pty of the developer's machine, an Ethernet wire
//! to the host's network.
use reliquary::crc::Crc32;
use reliquary_cli::machine::{Devices, End, Machine, Outcome};
use reliquary_cli::pty::Ptys;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::system::System;
use reliquary_cli::tap::{Told, Wanted, capture};
use reliquary_cli::trace::stats::Stats;
use reliquary_cli::trace::view::View;
use reliquary_cli::verbs::build;
use reliquary_cli::verbs::run::{boot_tapped, boot_with_devices};
use reliquary_cli::workspace;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

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

/// What Linux is told before it has a network.
const NETWORK: [&str; 2] = [
    "for m in libphy smsc smsc911x; do insmod /lib/$m.ko; done; ifconfig eth0 10.0.0.1 up; echo u\\p",
    "up",
];

/// What is typed (`> `) and waited for at Linux's console.
fn typed(lines: &[&str]) -> Script {
    let step = |line: &&str| match line.strip_prefix("> ") {
        Some(text) => Step::Send(text.to_owned()),
        None => expect(line),
    };
    Script(lines.iter().map(step).collect())
}

#[test]
fn an_ethernet_wire_leads_to_the_hosts_network_both_ways() {
    let file = workspace::root().join("systems/vexpress-a9-network.toml");
    // QEMU's user network has the developer's machine at 10.0.0.2, which it answers pings for itself.
    let devices = Devices {
        virtio_console: false,
        net: Some("user,net=10.0.0.0/24,host=10.0.0.2".to_owned()),
    };
    for host in ["qemu-virt", "qemu-virt-gicv2"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // What comes over the first connection goes back over the second.
        let peer = thread::spawn(move || {
            let mut came = Vec::new();
            let mut first: TcpStream = listener.accept().unwrap().0;
            first.read_to_end(&mut came).unwrap();
            drop(first);
            let mut second: TcpStream = listener.accept().unwrap().0;
            second.write_all(&came).unwrap();
            second.shutdown(Shutdown::Write).unwrap();
            let _ = second.read_to_end(&mut Vec::new());
            came
        });
        let script = typed(&[
            "/ # ",
            &format!("> {}", NETWORK[0]),
            NETWORK[1],
            "> ping -c 3 10.0.0.2",
            "3 packets received",
            "> dd if=/dev/urandom of=/tmp/f bs=1M count=1; echo ma\\de",
            "made",
            &format!("> busybox nc 10.0.0.2 {port} </tmp/f; echo se\\nt"),
            "sent",
            &format!("> busybox nc 10.0.0.2 {port} </dev/null >/tmp/g; echo go\\t"),
            "got",
            "> sha256sum /tmp/f /tmp/g; echo sum\\med",
            "summed",
        ]);
        let outcome = boot_with_devices(&file, host, &script, TIMEOUT, &devices);
        let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
        assert!(
            outcome.holds(),
            "{host}: {:?}\n{}",
            outcome.missing,
            outcome.apart
        );
        let came = peer.join().unwrap();
        assert_eq!(came.len(), 1 << 20, "on {host}");
        let due = reliquary::bundle::Sha256::of(&came);
        let due = due.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        assert_eq!(
            outcome.apart.matches(&due).count(),
            2,
            "on {host}: {due}\n{}",
            outcome.apart
        );
    }
}

/// A machine at 10.0.0.2, of which each datagram is a frame: it answers ARP and pings. One of 200 bytes makes it
/// send as fast as it can for a while, frames of all lengths that are for nobody.
struct Peer {
    socket: UdpSocket,
    floods_until: Option<Instant>,
    flooded: u64,
    /// How long before its end one of 201 bytes came.
    left: Option<Duration>,
}

const PEER: [u8; 6] = [0x52, 0x54, 0, 0, 0, 2];
const FLOOD: Duration = Duration::from_secs(25);

impl Peer {
    fn serve(mut self, ends: &mpsc::Receiver<()>) -> (u64, Option<Duration>) {
        let mut bytes = [0; 2048];
        let patience = Duration::from_millis(20);
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut machine = None;
        while ends.try_recv().is_err() {
            if let (Some(until), Some(to)) = (self.floods_until, machine) {
                self.socket.set_nonblocking(Instant::now() < until).unwrap();
                for octets in [5, 60, 1514, 1532, 1533, 9000].repeat(2) {
                    let mut frame = vec![0x5a; octets];
                    for (to, from) in frame
                        .iter_mut()
                        .zip([0x52, 0x54, 0, 0, 0, 9].iter().chain(&PEER))
                    {
                        *to = *from;
                    }
                    if Instant::now() < until && self.socket.send_to(&frame, to).is_ok() {
                        self.flooded += 1;
                    }
                }
            }
            if self.floods_until.is_some() {
                // More than the machine takes, and the developer's cores are not kept from it.
                thread::sleep(Duration::from_millis(1));
            }
            let Ok((octets, from)) = self.socket.recv_from(&mut bytes) else {
                continue;
            };
            machine = Some(from);
            if let Some(answer) = self.answer(&bytes[..octets]) {
                let _ = self.socket.send_to(&answer, from);
            }
        }
        (self.flooded, self.left)
    }

    fn answer(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let mut answer = frame.to_vec();
        answer[..6].copy_from_slice(&frame[6..12]);
        answer[6..12].copy_from_slice(&PEER);
        match frame.get(12..14)? {
            // A request for this address: an answer without padding.
            [8, 6] if frame.get(38..42)? == [10, 0, 0, 2] && frame[21] == 1 => {
                answer[21] = 2;
                answer[22..28].copy_from_slice(&PEER);
                answer[28..32].copy_from_slice(&frame[38..42]);
                answer[32..42].copy_from_slice(&frame[22..32]);
                answer.truncate(42);
                Some(answer)
            }
            [8, 0] if frame.get(23)? == &1 && frame.get(34)? == &8 => {
                if frame.len() == 14 + 20 + 8 + 200 {
                    self.floods_until.get_or_insert(Instant::now() + FLOOD);
                }
                if frame.len() == 14 + 20 + 8 + 201 {
                    let left = self.floods_until?.checked_duration_since(Instant::now());
                    self.left = self.left.or(left);
                }
                answer[26..30].copy_from_slice(&frame[30..34]);
                answer[30..34].copy_from_slice(&frame[26..30]);
                answer[34] = 0;
                let sum = u32::from(u16::from_be_bytes([frame[36], frame[37]])) + 0x800;
                let sum = (sum + (sum >> 16)) as u16;
                answer[36..38].copy_from_slice(&sum.to_be_bytes());
                Some(answer)
            }
            _ => None,
        }
    }
}

#[test]
fn a_flood_from_the_network_leaves_a_guest_its_time_and_passes() {
    let file = workspace::root().join("systems/vexpress-a9-network.toml");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let own = UdpSocket::bind("127.0.0.1:0").unwrap();
    let [there, here] = [&socket, &own].map(|socket| socket.local_addr().unwrap().port());
    drop(own);
    let devices = Devices {
        virtio_console: false,
        net: Some(format!(
            "dgram,local.type=inet,local.host=127.0.0.1,local.port={here},\
             remote.type=inet,remote.host=127.0.0.1,remote.port={there}"
        )),
    };
    let peer = Peer {
        socket,
        floods_until: None,
        flooded: 0,
        left: None,
    };
    let (end, ends) = mpsc::channel();
    let peer = thread::spawn(move || peer.serve(&ends));
    let script = typed(&[
        "/ # ",
        &format!("> {}", NETWORK[0]),
        NETWORK[1],
        "> ping -c 3 10.0.0.2",
        "3 packets received",
        "> ping -c 1 -s 200 10.0.0.2; echo flood\\ed",
        "flooded",
        // Some 2 s without the flood, which is still there when this is done.
        "> dd if=/dev/zero bs=1M count=8 | sha256sum; ping -c 1 -s 201 10.0.0.2; echo comput\\ed",
        "computed",
        "> until ping -c 1 -W 1 10.0.0.2; do sleep 1; done; ping -c 3 10.0.0.2",
        "3 packets received",
    ]);
    let outcome = boot_with_devices(&file, "qemu-virt", &script, TIMEOUT, &devices);
    end.send(()).unwrap();
    let (flooded, left) = peer.join().unwrap();
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    assert!(outcome.holds(), "{:?}\n{}", outcome.missing, outcome.apart);
    println!("{flooded} frames, computed {left:?} before the last");
    assert!(left.is_some(), "of {flooded} frames:\n{}", outcome.apart);
    assert!(flooded > 20_000, "{flooded}");
}

#[test]
fn without_a_network_device_the_wire_is_unplugged_and_the_board_runs() {
    let file = workspace::root().join("systems/vexpress-a9-network.toml");
    let script = Script(vec![
        expect("@monitor:wire press.ethernet - outside: its outside end is unplugged"),
        expect("Booting Linux"),
    ]);
    let devices = Devices::default();
    let outcome = boot_with_devices(&file, "qemu-virt", &script, TIMEOUT, &devices);
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    assert!(outcome.holds(), "{:?}\n{}", outcome.missing, outcome.apart);
    assert!(outcome.apart.contains("run SYSTEM --net user"), "the mend");
}
