//! QEMU as the host of a built system: started, watched through the link, and ended.
use crate::fault::{Doing, Fault, Result};
use crate::line::{Edited, LineEdit};
use crate::outside::{Outside, Waiting};
use crate::pty::Ptys;
use crate::screen::Screen;
use crate::script::{Play, Script};
use crate::symbols::Symbols;
use crate::system::System;
use crate::system::host::Host;
use crate::system::wires::Wire;
use crate::tap::Taps;
use crate::terminal::{Ask, Key, Keys, PROMPT_HELP, Raw};
use crate::trace::recording::Recording;
use crate::typing::Keyboard;
use clap::Args;
use reliquary::link::{Channel, Damage, Decoder, Event};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// What is to be run, and how.
#[derive(Debug)]
pub struct Machine<'a> {
    /// The bootable file.
    pub image: &'a Path,
    /// The hypervisor's symbols.
    pub elf: &'a Path,
    /// The host that QEMU plays.
    pub host: &'a Host,
    /// The VMs' names.
    pub vms: &'a [String],
    /// The outside ends of its wires.
    pub outside: &'a [Outside],
    /// What is typed and waited for.
    pub script: &'a Script,
    /// When to give up.
    pub timeout: Option<Duration>,
    /// One instruction takes one nanosecond of the machine's time.
    pub icount: bool,
    /// Further arguments of QEMU.
    pub qemu: &'a [String],
    /// Where all that the consoles print is kept.
    pub log: Option<&'a Path>,
    /// What is recorded.
    pub recording: Option<&'a RefCell<Recording>>,
    /// What is made of what passes the wires.
    pub taps: Option<&'a RefCell<Taps>>,
    /// Whether the consoles are shown.
    pub show: bool,
    /// Whether standard input goes to the console in focus.
    pub interactive: bool,
    /// Where the consoles and the monitor are too; standard input then only ends the run.
    pub ptys: Option<&'a Ptys>,
}

/// Arguments of QEMU that give the host a virtio console, and the link to that instead of the UART.
const VIRTIO_CONSOLE: [&str; 6] = [
    "-serial",
    "none",
    "-device",
    "virtio-serial-device",
    "-device",
    "virtconsole,chardev=link",
];

/// The virtio devices of the host, if any is asked for, in the version that the hypervisor drives.
const MODERN: [&str; 2] = ["-global", "virtio-mmio.force-legacy=false"];

/// Devices that QEMU's host may have beside its own.
#[derive(Debug, Clone, Default, Args)]
pub struct Devices {
    /// Give the host a virtio console, and carry the consoles over it instead of the UART.
    #[arg(long)]
    pub virtio_console: bool,
    /// Give the host a virtio network device, for the Ethernet wire that leads outside. NETDEV is
    /// what QEMU's -netdev takes, without an id: user, or tap,ifname=tap0,script=no,downscript=no.
    #[arg(long, value_name = "NETDEV")]
    pub net: Option<String>,
}

impl Devices {
    /// A network that no wire leads to is a mistake.
    ///
    /// # Errors
    ///
    /// There is such a one.
    pub fn fit(&self, system: &System) -> Result<()> {
        let joined = system.wires.iter().any(Wire::leads_to_network);
        if self.net.is_some() && !joined {
            let what = "--net: no wire of the system leads to the host's network";
            let mend =
                "write [[wire]], ethernet = [\"press.ethernet\", \"outside\"]: docs/wires.md";
            return Err(Fault::new(what).in_file(&system.file).mend(mend).into());
        }
        Ok(())
    }

    /// Further arguments of QEMU, those that give the host its devices among them.
    #[must_use]
    pub fn with(&self, further: &[String]) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        if self.virtio_console || self.net.is_some() {
            all.extend(MODERN.map(str::to_owned));
        }
        if self.virtio_console {
            all.extend(VIRTIO_CONSOLE.map(str::to_owned));
        }
        if let Some(net) = &self.net {
            let netdev = format!("{net},id=reliquary-net");
            let device = "virtio-net-device,netdev=reliquary-net".to_owned();
            all.extend(["-netdev".to_owned(), netdev, "-device".to_owned(), device]);
        }
        all.extend(further.iter().cloned());
        all
    }
}

/// How long a machine goes on that is recorded, when the script is done.
const LINGER: Duration = Duration::from_millis(200);

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The script was played to its end.
    Done,
    /// The user left.
    Left,
    /// QEMU ended by itself: the machine was switched off.
    Off,
    /// The time was up.
    Timeout,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// The text that was waited for in vain.
    pub missing: Option<String>,
    /// What the consoles, the monitor and the reports printed.
    pub text: String,
    /// The same, but each channel's in one piece, however they took turns on the link.
    pub apart: String,
    /// How many times the link lost or damaged something.
    pub damages: usize,
    /// What QEMU itself said.
    pub qemu_said: String,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// Everything that the script waited for was seen.
    pub fn holds(&self) -> bool {
        self.missing.is_none()
    }

    /// The last lines of what was printed.
    pub fn tail(&self) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// What was missing, as a fault with the tail of the console.
    pub fn fault(&self) -> Option<Fault> {
        self.missing(true)
    }

    /// What was missing, for one who has seen the console.
    pub fn fault_as_shown(&self) -> Option<Fault> {
        self.missing(false)
    }

    fn missing(&self, with_tail: bool) -> Option<Fault> {
        let missing = self.missing.as_ref()?;
        let end = match self.end {
            End::Timeout => format!("after {:.0} s", self.took.as_secs_f64()),
            End::Off => "before the machine went off".to_owned(),
            End::Left => "before you left".to_owned(),
            End::Done => "at the end".to_owned(),
        };
        let mut what = format!("the console did not print \"{missing}\" {end}");
        if self.text.is_empty() {
            what.push_str("; it printed nothing at all");
        } else if with_tail {
            what.push_str("; the last that it printed:\n");
            what.push_str(&self.tail());
        }
        if !self.qemu_said.trim().is_empty() {
            what.push_str("\nQEMU said: ");
            what.push_str(self.qemu_said.trim());
        }
        Some(Fault::new(what))
    }
}

enum News {
    Printed(Vec<u8>),
    Typed(Vec<u8>),
    /// Somebody typed at a pty.
    Client(Channel, Vec<u8>),
    Closed,
}

/// QEMU's process: ended when this is dropped, whatever happens.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Machine<'_> {
    /// QEMU's command line.
    pub fn command(&self) -> Result<Command> {
        // The kernel ends QEMU if the tool dies without ending it.
        let guarded = Path::new("/usr/bin/setpriv").exists();
        let mut command = if guarded {
            let mut command = Command::new("/usr/bin/setpriv");
            command.args(["--pdeathsig", "KILL", "qemu-system-aarch64"]);
            command
        } else {
            Command::new("qemu-system-aarch64")
        };
        command.args(self.host.qemu()?);
        command.args([
            "-display",
            "none",
            "-monitor",
            "none",
            "-nic",
            "none",
            "-parallel",
            "none",
        ]);
        command.args(["-chardev", "stdio,id=link,signal=off"]);
        // Unless further arguments give it to another device.
        if !self.qemu.iter().any(|more| more.contains("chardev=link")) {
            command.args(["-serial", "chardev:link"]);
        }
        if self.icount {
            command.args(["-icount", "shift=0,sleep=off"]);
        }
        command.arg("-kernel").arg(self.image).args(self.qemu);
        Ok(command)
    }

    /// Boots it, and stays until it ends.
    pub fn run(&self) -> Result<Outcome> {
        let began = Instant::now();
        let play = Play::new(self.script, self.vms, self.outside)?;
        let child = self
            .command()?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .doing(|| "cannot start qemu-system-aarch64".to_owned())
            .map_err(|fault| fault.mend("`cargo reliquary setup` installs qemu-system-arm"))?;
        let mut process = Process(child);
        let (tell, news) = mpsc::channel();
        if let Some(out) = process.0.stdout.take() {
            read_all(out, tell.clone(), News::Printed);
        }
        let raw = if self.interactive {
            read_all(std::io::stdin(), tell.clone(), News::Typed);
            Raw::take()
        } else {
            None
        };
        let said = process.0.stderr.take().map(|mut stderr| {
            thread::spawn(move || {
                let mut said = String::new();
                let _ = stderr.read_to_string(&mut said);
                said
            })
        });
        listen(self.ptys, &tell)?;
        drop(tell);
        let Some(typed) = process.0.stdin.take() else {
            return Err(Fault::new("QEMU has no input").into());
        };
        let mut session = Session {
            keyboard: Keyboard::new(typed),
            decoder: Decoder::new(),
            screen: Screen::new(self.vms, Symbols::of_elf(self.elf), self.show).with(self.outside),
            waiting: Waiting::default(),
            play,
            recording: self.recording,
            taps: self.taps,
            scripted: !self.script.0.is_empty(),
            keys: Keys::default(),
            focus: 0,
            vms: self.vms,
            ptys: self.ptys,
            command: LineEdit::default(),
            attached: false,
        };
        if raw.is_some() && self.ptys.is_none() {
            session.screen.note(
                "Ctrl-A x leaves, Ctrl-A n goes to the next VM's console, Ctrl-] asks for more",
            );
        }
        let end = session.until_end(&news, self.timeout.map(|timeout| began + timeout));
        drop(process);
        // What was on its way when the machine ended.
        while let Ok(News::Printed(bytes)) = news.recv_timeout(Duration::from_millis(200)) {
            session.printed(&bytes);
        }
        while session.play.to_type().is_some() {}
        // A machine that went off, or was left, need not have answered the last key.
        let stuck = (end == End::Timeout).then(|| session.keyboard.unheard());
        if let Some(lost) = stuck.flatten() {
            session.screen.damage(&lost);
        }
        session.screen.end();
        if let Some(ptys) = self.ptys {
            ptys.flush();
        }
        drop(raw);
        let text = session.screen.text();
        if let Some(log) = self.log {
            std::fs::write(log, &text).doing(|| format!("cannot write {}", log.display()))?;
        }
        Ok(Outcome {
            end,
            missing: session.play.missing().map(str::to_owned),
            text,
            apart: session.screen.apart(),
            damages: session.screen.damages(),
            qemu_said: said.and_then(|said| said.join().ok()).unwrap_or_default(),
            took: began.elapsed(),
        })
    }
}

/// Serves the ptys of a machine that is there already: a board's, whose link comes over a serial
/// line or a socket.
pub fn attach(
    from: impl Read + Send + 'static,
    to: impl Write + 'static,
    vms: &[String],
    ptys: &Ptys,
    timeout: Option<Duration>,
) -> Result<End> {
    let (tell, news) = mpsc::channel();
    read_all(from, tell.clone(), News::Printed);
    read_all(std::io::stdin(), tell.clone(), News::Typed);
    let raw = Raw::take();
    listen(Some(ptys), &tell)?;
    drop(tell);
    let mut session = Session {
        keyboard: Keyboard::new(to),
        decoder: Decoder::new(),
        screen: Screen::new(vms, Symbols::of_elf(Path::new("")), false),
        waiting: Waiting::default(),
        play: Play::new(&Script::default(), vms, &[])?,
        recording: None,
        taps: None,
        scripted: false,
        keys: Keys::default(),
        focus: 0,
        vms,
        ptys: Some(ptys),
        command: LineEdit::default(),
        attached: true,
    };
    let end = session.until_end(&news, timeout.map(|timeout| Instant::now() + timeout));
    ptys.flush();
    drop(raw);
    Ok(end)
}

/// What is typed at the ptys is news.
fn listen(ptys: Option<&Ptys>, tell: &Sender<News>) -> Result<()> {
    let Some(ptys) = ptys else { return Ok(()) };
    let tell = tell.clone();
    ptys.listen(move |channel, bytes| tell.send(News::Client(channel, bytes.to_vec())).is_ok())
}

struct Session<'a> {
    keyboard: Keyboard,
    decoder: Decoder,
    screen: Screen,
    /// What waits until a wire's outside end has room.
    waiting: Waiting,
    play: Play,
    recording: Option<&'a RefCell<Recording>>,
    taps: Option<&'a RefCell<Taps>>,
    scripted: bool,
    keys: Keys,
    /// Where what is typed goes.
    focus: u8,
    vms: &'a [String],
    ptys: Option<&'a Ptys>,
    /// What is typed at the monitor's pty.
    command: LineEdit,
    /// The machine was there before.
    attached: bool,
}

impl Session<'_> {
    fn until_end(&mut self, news: &Receiver<News>, mut until: Option<Instant>) -> End {
        let mut done = None;
        loop {
            while let Some((channel, line)) = self.play.to_type() {
                let line = format!("{line}\r");
                match channel {
                    Channel::Outside(wire) => self.waiting.put(wire, line.as_bytes()),
                    channel => self.keyboard.type_at(channel, line.as_bytes()),
                }
            }
            while let Some((channel, bytes)) = self.waiting.to_send() {
                self.keyboard.type_at(channel, &bytes);
            }
            if self.scripted && self.play.is_done() {
                let done = *done.get_or_insert_with(Instant::now);
                // What led to the text that was seen may be on its way.
                let recorded = self.recording.is_some() || self.taps.is_some();
                if !recorded || done.elapsed() > LINGER {
                    return End::Done;
                }
                until = Some(until.map_or(done + LINGER, |until| until.min(done + LINGER)));
            }
            let left = until.map_or(Duration::from_secs(3600), |until| {
                until.saturating_duration_since(Instant::now())
            });
            match news.recv_timeout(left) {
                Ok(News::Printed(bytes)) => self.printed(&bytes),
                Ok(News::Typed(bytes)) => {
                    if self.typed(&bytes) {
                        return End::Left;
                    }
                }
                Ok(News::Client(channel, bytes)) => self.client(channel, &bytes),
                Ok(News::Closed) | Err(RecvTimeoutError::Disconnected) => return End::Off,
                Err(RecvTimeoutError::Timeout)
                    if until.is_some_and(|until| until <= Instant::now()) =>
                {
                    if done.is_some() {
                        return End::Done;
                    }
                    return End::Timeout;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn printed(&mut self, bytes: &[u8]) {
        let (screen, play, keyboard) = (&mut self.screen, &mut self.play, &mut self.keyboard);
        let (ptys, attached) = (self.ptys, self.attached);
        let damage = |screen: &mut Screen, what: &str| {
            screen.damage(what);
            if let Some(ptys) = ptys {
                ptys.print(Channel::Monitor, format!("[link] {what}\r\n").as_bytes());
            }
        };
        let mut recording = self.recording.map(RefCell::borrow_mut);
        let mut taps = self.taps.map(RefCell::borrow_mut);
        let waiting = &mut self.waiting;
        self.decoder.feed(bytes, &mut |event| match event {
            Event::Frame {
                channel: Channel::Trace,
                bytes,
            } => {
                if let Some(recording) = &mut recording {
                    recording.fed(bytes);
                }
            }
            Event::Frame {
                channel: Channel::Tap,
                bytes,
            } => {
                if let Some(taps) = &mut taps {
                    taps.fed(bytes);
                }
            }
            Event::Frame {
                channel: Channel::Taken,
                bytes,
            } => waiting.heard(bytes),
            Event::Text { channel, bytes } | Event::Frame { channel, bytes } => {
                if channel != Channel::Layout {
                    play.printed(channel, bytes);
                    match ptys {
                        Some(ptys) => ptys.print(channel, bytes),
                        None => screen.print(channel, bytes),
                    }
                }
            }
            Event::Damage(what) => {
                if let (Some(recording), Damage::Frames { .. }) = (&mut recording, what) {
                    recording.damaged();
                }
                if let (Some(taps), Damage::Frames { .. }) = (&mut taps, what) {
                    taps.damaged();
                }
                damage(screen, &what.to_string());
            }
            // If the tool started the machine, it should have seen the first frame.
            Event::Joined { bytes, frames } => {
                if (bytes, frames) != (0, 0) && !attached {
                    damage(
                        screen,
                        &format!(
                            "the link's beginning was lost: {frames} frames and {bytes} bytes of text"
                        ),
                    );
                }
            }
            Event::Start => {
                keyboard.machine_started();
                waiting.machine_started();
            }
            Event::Ack(ack) => {
                if let Some(lost) = keyboard.heard(ack) {
                    waiting.damaged();
                    damage(screen, &lost);
                }
            }
        });
        self.screen.flush();
    }

    /// Somebody typed at a pty. At the monitor's it is a line, which nobody else shows.
    fn client(&mut self, channel: Channel, bytes: &[u8]) {
        match channel {
            Channel::Monitor => {}
            Channel::Outside(wire) => return self.waiting.put(wire, bytes),
            channel => return self.keyboard.type_at(channel, bytes),
        }
        let mut shown = Vec::new();
        for byte in bytes {
            match self.command.typed(*byte) {
                Edited::Nothing => {}
                Edited::Echo(echo) => shown.extend(echo),
                Edited::GivenUp => shown.extend(b"\r\n"),
                Edited::Line(line) => {
                    shown.extend(b"\r\n");
                    self.command(&line);
                }
            }
        }
        if let Some(ptys) = self.ptys {
            ptys.print(Channel::Monitor, &shown);
        }
    }

    fn command(&mut self, line: &str) {
        self.keyboard
            .type_at(Channel::Monitor, format!("{line}\r").as_bytes());
    }

    /// True if the user leaves.
    fn typed(&mut self, bytes: &[u8]) -> bool {
        const CTRL_C: u8 = 3;
        let mut burst = Vec::new();
        for byte in bytes {
            let Some(key) = self.keys.typed(*byte) else {
                continue;
            };
            if self.ptys.is_some() {
                // The consoles are elsewhere.
                if matches!(key, Key::Leave | Key::Byte(CTRL_C)) {
                    return true;
                }
                continue;
            }
            if let Key::Byte(byte) = key {
                self.screen.prompt(None);
                burst.push(byte);
                continue;
            }
            self.burst(&mut burst);
            match key {
                Key::Byte(_) => {}
                Key::Next => {
                    let vms = u8::try_from(self.vms.len()).unwrap_or(u8::MAX).max(1);
                    self.look_at((self.focus + 1) % vms);
                }
                Key::Help => self.screen.note(
                    "Ctrl-A x leaves, Ctrl-A n: next VM, Ctrl-A Ctrl-A: Ctrl-A itself, Ctrl-]: more",
                ),
                Key::Leave => return true,
                Key::Prompt(prompt) => self.screen.prompt(Some(&prompt)),
                Key::Asked(ask) => {
                    self.screen.prompt(None);
                    if self.asked(&ask) {
                        return true;
                    }
                }
            }
            self.screen.flush();
        }
        self.burst(&mut burst);
        false
    }

    /// Does what was typed at the prompt; true if the user leaves.
    fn asked(&mut self, ask: &Ask) -> bool {
        match ask {
            Ask::Nothing => {}
            Ask::Leave => return true,
            Ask::Help => {
                for line in PROMPT_HELP {
                    self.screen.note(line);
                }
                let vms: Vec<_> = self.numbered().collect();
                self.screen.note(&format!("VMs: {}", vms.join(", ")));
            }
            Ask::All => {
                self.screen.lines();
                let name = self.vms.get(usize::from(self.focus));
                self.screen.note(&format!(
                    "[all consoles, by line; what is typed goes to {}]",
                    name.map_or("the first", String::as_str)
                ));
            }
            Ask::Monitor(line) => self.command(line),
            Ask::Look(name) => {
                let number = name.parse::<usize>().ok();
                let by_number = number.and_then(|number| number.checked_sub(1));
                let by_name = self.vms.iter().position(|vm| vm == name);
                let found = by_name.or(by_number.filter(|vm| *vm < self.vms.len()));
                if let Some(vm) = found.and_then(|vm| u8::try_from(vm).ok()) {
                    self.look_at(vm);
                } else {
                    let vms: Vec<_> = self.numbered().collect();
                    self.screen.note(&format!(
                        "\"{name}\" is no VM and no command; there are {}, and h for help",
                        vms.join(", ")
                    ));
                }
            }
        }
        false
    }

    fn numbered(&self) -> impl Iterator<Item = String> {
        let vms = self.vms.iter().enumerate();
        vms.map(|(vm, name)| format!("{} {name}", vm + 1))
    }

    fn look_at(&mut self, vm: u8) {
        self.focus = vm;
        self.screen.focus(vm);
    }

    /// What was typed at once goes at once.
    fn burst(&mut self, bytes: &mut Vec<u8>) {
        if !bytes.is_empty() {
            self.keyboard
                .type_at(Channel::Console(self.focus), &std::mem::take(bytes));
        }
    }
}

fn read_all(mut from: impl Read + Send + 'static, tell: Sender<News>, news: fn(Vec<u8>) -> News) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        let is_machine = matches!(news(Vec::new()), News::Printed(_));
        loop {
            match from.read(&mut buffer) {
                Ok(0) | Err(_) => {
                    // The end of what is typed is not the end of the machine.
                    if is_machine {
                        let _ = tell.send(News::Closed);
                    }
                    return;
                }
                Ok(size) => {
                    if tell.send(news(buffer[..size].to_vec())).is_err() {
                        return;
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Step;

    /// A program with an arm64 Image header that says hello on the PL011 of QEMU's virt
    /// machine, then echoes what is typed.
    fn echo() -> Vec<u8> {
        let mut image = vec![0; 64];
        image[..4].copy_from_slice(&0x1400_0010_u32.to_le_bytes()); // b 64
        image[16..24].copy_from_slice(&0x1000_u64.to_le_bytes());
        image[56..60].copy_from_slice(b"ARM\x64");
        let code: [u32; 11] = [
            0x1000_0161, // adr x1, text
            0xd2a1_2000, // mov x0, #0x09000000
            0x3840_1422, // 1: ldrb w2, [x1], #1
            0x3400_0062, // cbz w2, 2f
            0xb900_0002, // str w2, [x0]
            0x17ff_fffd, // b 1b
            0xb940_1803, // 2: ldr w3, [x0, #0x18]
            0x3727_ffe3, // tbnz w3, #4, 2b
            0xb940_0002, // ldr w2, [x0]
            0xb900_0002, // str w2, [x0]
            0x17ff_fffc, // b 2b
        ];
        image.extend(code.iter().flat_map(|word| word.to_le_bytes()));
        image.extend_from_slice(b"hello\n\0");
        image
    }

    fn run(script: &[Step], timeout: u64) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("echo.img");
        std::fs::write(&image, echo()).unwrap();
        Machine {
            image: &image,
            elf: &image,
            host: &Host::find("qemu-virt").unwrap(),
            vms: &["echo".to_owned()],
            outside: &[],
            script: &Script(script.to_vec()),
            timeout: Some(Duration::from_secs(timeout)),
            icount: false,
            qemu: &[],
            log: None,
            recording: None,
            taps: None,
            show: false,
            interactive: false,
            ptys: None,
        }
        .run()
        .unwrap()
    }

    fn expect(text: &str) -> Step {
        Step::Expect(text.to_owned())
    }

    #[test]
    fn a_script_drives_a_console_until_all_was_seen() {
        let outcome = run(
            &[
                expect("hello"),
                Step::Send("echo this".to_owned()),
                expect("echo this"),
            ],
            60,
        );
        assert_eq!(outcome.end, End::Done, "{outcome:?}");
        assert!(outcome.fault().is_none());
        assert!(outcome.text.starts_with("hello\n"));
    }

    #[test]
    fn what_was_not_seen_in_time_is_told_with_the_tail_of_the_console() {
        let outcome = run(&[expect("hello"), expect("goodbye")], 2);
        assert_eq!(outcome.end, End::Timeout);
        let what = outcome.fault().unwrap().what;
        assert!(
            what.contains("\"goodbye\" after 2 s") && what.ends_with("\nhello"),
            "{what}"
        );
    }
}
