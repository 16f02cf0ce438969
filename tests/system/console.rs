//! The consoles and the monitor at ptys: clients that come late, or never, and hold up nobody; and all
//! of them on one terminal.
use reliquary_cli::system::System;
use reliquary_cli::system::host::Host;
use reliquary_cli::verbs::build;
use reliquary_cli::workspace;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The tool's verb, until its ptys are there.
fn console(arguments: &[&str], folder: &Path) -> Process {
    let mut child = Command::new(env!("CARGO_BIN_EXE_reliquary"))
        .args(["console", "systems/two-hellos.toml", "--timeout", "300"])
        .arg("--link")
        .arg(folder)
        .args(arguments)
        .current_dir(workspace::root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tool");
    let out = child.stdout.take().expect("its output");
    let process = Process(child);
    let mut lines = BufReader::new(out).lines();
    for name in ["left", "right", "monitor"] {
        let line = lines.next().expect("a line").expect("text");
        let (own, path) = line.split_once(": ").expect("a name and a path");
        assert_eq!(own, name);
        let link = folder.join(name);
        assert_eq!(std::fs::read_link(link).expect("a link"), Path::new(path));
    }
    thread::spawn(move || lines.for_each(drop));
    process
}

/// A client of a pty, as minicom is one.
struct Client {
    file: File,
    text: String,
}

impl Client {
    fn open(path: &Path) -> Self {
        let open = OpenOptions::new().read(true).write(true).open(path);
        let (file, text) = (open.expect("the pty"), String::new());
        Self { file, text }
    }

    /// What comes within this time, if anything does.
    fn more(&mut self, wait: Duration) -> bool {
        let mut ready = [PollFd::new(&self.file, PollFlags::IN)];
        let wait = Timespec::try_from(wait).expect("a time");
        if poll(&mut ready, Some(&wait)).expect("a poll") == 0 {
            return false;
        }
        let mut buffer = [0; 1024];
        let size = self.file.read(&mut buffer).expect("bytes");
        self.text
            .push_str(&String::from_utf8_lossy(&buffer[..size]));
        true
    }

    /// Waits until this has come, and forgets what came up to it.
    fn expect(&mut self, what: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.text.find(what) {
                self.text.drain(..at + what.len());
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(self.more(left), "no {what:?}, but\n{}", self.text);
        }
    }

    /// Waits until both have come, in any order, and forgets what came.
    fn expect_both(&mut self, one: &str, other: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.text.contains(one) || !self.text.contains(other) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                self.more(left),
                "not {one:?} and {other:?}, but\n{}",
                self.text
            );
        }
        self.text.clear();
    }

    fn send(&mut self, text: &str) {
        self.file.write_all(text.as_bytes()).expect("room");
    }
}

/// Drives both consoles and the monitor.
fn drive(folder: &Path) {
    let mut left = Client::open(&folder.join("left"));
    left.expect("type; q ends");
    left.send("abc");
    left.expect("abc");
    // Nobody has been at the right console so far, and it has all of its text.
    let mut monitor = Client::open(&folder.join("monitor"));
    monitor.send("vnx\x7f\x7fms\r");
    monitor.expect("right  running");
    monitor.send("pause left\n");
    monitor.expect("vm.left: paused");
    left.send("def");
    let mut right = Client::open(&folder.join("right"));
    right.expect("hello64: begins");
    right.expect("type; q ends");
    right.send("xyz");
    right.expect("xyz");
    assert!(
        !left.more(Duration::ZERO) && left.text.is_empty(),
        "it answers in its pause: {}",
        left.text
    );
    monitor.send("resume left\n");
    left.expect("def");
    // One client goes, and another comes.
    drop(right);
    let mut right = Client::open(&folder.join("right"));
    right.send("q");
    right.expect("PASS hello64");
    monitor.expect("vm.right: the guest switched its board off");
}

#[test]
fn each_console_and_the_monitor_have_a_pty() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut tool = console(&[], folder.path());
    drive(folder.path());
    // The last VM ends, so does the machine, and the links go.
    Client::open(&folder.path().join("left")).send("q");
    let status = tool.0.wait().expect("its end");
    assert!(status.success(), "{status}");
    assert!(!folder.path().join("left").is_symlink());
}

#[test]
fn a_machine_that_runs_already_is_attached_to_by_a_socket() {
    let file = workspace::root().join("systems/two-hellos.toml");
    let system = System::read(&file).unwrap_or_else(|faults| panic!("{faults}"));
    let built = build::build(&system, None).unwrap_or_else(|faults| panic!("{faults}"));
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("two-hellos.img");
    std::fs::write(&image, &built.file).expect("a file");
    let socket = folder.path().join("uart");
    let host = Host::find("qemu-virt").unwrap_or_else(|faults| panic!("{faults}"));
    let chardev = format!("socket,id=link,path={},server=on,wait=on", socket.display());
    // It ends with the test, however that ends.
    let qemu = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "qemu-system-aarch64"])
        .args(host.qemu().unwrap_or_else(|faults| panic!("{faults}")))
        .args(["-display", "none", "-monitor", "none", "-nic", "none"])
        .args(["-chardev", &chardev, "-serial", "chardev:link"])
        .arg("-kernel")
        .arg(&image)
        .stdin(Stdio::null())
        .spawn();
    let _qemu = Process(qemu.expect("QEMU"));
    let until = Instant::now() + PATIENCE;
    while !socket.exists() && Instant::now() < until {
        thread::sleep(Duration::from_millis(20));
    }
    let links = folder.path().join("links");
    let _tool = console(&["--socket", &socket.display().to_string()], &links);
    drive(&links);
}

/// `run` on a terminal, and what a user types there.
#[test]
fn a_terminal_shows_one_console_or_all_and_its_prompt_asks() {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pty");
    unlockpt(&master).expect("a pty");
    let path = ptsname(&master, Vec::new()).expect("its name");
    let path = path.to_str().expect("text");
    let slave = || {
        let open = OpenOptions::new().read(true).write(true).open(path);
        Stdio::from(open.expect("the pty"))
    };
    let tool = Command::new(env!("CARGO_BIN_EXE_reliquary"))
        .args(["run", "systems/two-hellos.toml", "--timeout", "300"])
        .current_dir(workspace::root())
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .stdin(slave())
        .stdout(slave())
        .stderr(slave())
        .spawn();
    let mut tool = Process(tool.expect("the tool"));
    let mut terminal = Client {
        file: File::from(master),
        text: String::new(),
    };
    // The first console as it comes, the other by line, in its colour.
    terminal.expect("Ctrl-] asks for more");
    terminal.expect_both("\u{1b}[32m[right] type; q ends", "\ntype; q ends");
    terminal.send("ab");
    terminal.expect("ab");
    // What is typed at the prompt is not the guest's.
    terminal.send("\x1dmx\x7f vms\r");
    terminal.expect("\r\u{1b}[K[h: help] > m vms");
    terminal.expect("left   running");
    terminal.send("\x1dnix\r");
    terminal.expect("\"nix\" is no VM and no command; there are 1 left, 2 right");
    terminal.send("\x1d2\r");
    terminal.expect("[console of right]");
    terminal.send("xyz");
    terminal.expect("xyz");
    terminal.send("\x1da\r");
    terminal.expect("[all consoles, by line; what is typed goes to right]");
    terminal.send("\x1dm\rreset left\r");
    terminal.expect("monitor> reset left");
    terminal.expect("\u{1b}[36m[left] ab");
    terminal.expect("[left] type; q ends");
    terminal.send("\x1dx\r");
    assert!(tool.0.wait().expect("its end").success());
}
