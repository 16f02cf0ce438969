//! What a run shows: the console in focus as it comes, the other consoles, the monitor and
//! the reports line by line, and the hypervisor's backtraces with names.
use crate::outside::Outside;
use crate::symbols::Symbols;
use reliquary::link::Channel;
use std::collections::BTreeMap;
use std::io::Write;

/// The screen, and everything that was on it.
#[derive(Debug)]
pub struct Screen {
    vms: Vec<String>,
    /// The outside ends of wires.
    outside: Vec<Outside>,
    symbols: Symbols,
    show: bool,
    /// The console that is shown as it comes; none: all are shown by line.
    focus: Option<u8>,
    /// What is held back while the prompt is on the screen.
    held: Option<Vec<Held>>,
    /// The unfinished line of each channel.
    lines: BTreeMap<Channel, Vec<u8>>,
    /// Everything, without colours.
    text: Vec<u8>,
    /// What each channel printed, in one piece.
    apart: BTreeMap<Channel, Vec<u8>>,
    /// Whether the focused console's last line is unfinished on the screen.
    midline: bool,
    damages: usize,
}

/// What goes to the terminal.
#[derive(Debug)]
enum Held {
    /// A guest's bytes, as they are.
    Raw(Vec<u8>),
    /// A line of ours, with its colour.
    Line(String),
}

/// How much is held back at most: then the prompt scrolls away.
const HELD_LIMIT: usize = 4096;

/// The consoles' colours, in turn.
const COLOURS: [&str; 6] = [
    CYAN,
    "\u{1b}[32m",
    "\u{1b}[35m",
    "\u{1b}[34m",
    "\u{1b}[96m",
    "\u{1b}[92m",
];
const DIM: &str = "\u{1b}[2m";
const CYAN: &str = "\u{1b}[36m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const PLAIN: &str = "\u{1b}[0m";

impl Screen {
    /// An empty screen, with the first VM's console in focus.
    pub fn new(vms: &[String], symbols: Symbols, show: bool) -> Self {
        Self {
            vms: vms.to_vec(),
            outside: Vec::new(),
            symbols,
            show,
            focus: Some(0),
            held: None,
            lines: BTreeMap::new(),
            text: Vec::new(),
            apart: BTreeMap::new(),
            midline: false,
            damages: 0,
        }
    }

    /// These ends of wires are shown by their names, too.
    #[must_use]
    pub fn with(mut self, outside: &[Outside]) -> Self {
        self.outside = outside.to_vec();
        self
    }

    /// Something was printed.
    pub fn print(&mut self, channel: Channel, bytes: &[u8]) {
        let apart = self.apart.entry(channel).or_default();
        apart.extend(bytes.iter().filter(|byte| **byte != b'\r'));
        if self.is_in_focus(channel) {
            self.raw(bytes);
            if let Some(last) = bytes.last() {
                self.midline = *last != b'\n';
            }
        }
        // Lines are put together for every channel: a backtrace may come on any.
        let mut line = self.lines.remove(&channel).unwrap_or_default();
        for byte in bytes {
            match byte {
                b'\n' => {
                    self.line(channel, &String::from_utf8_lossy(&line));
                    line.clear();
                }
                b'\r' => {}
                // A guest that never ends its line does not fill our memory.
                _ if line.len() < 4096 => line.push(*byte),
                _ => {}
            }
        }
        self.lines.insert(channel, line);
    }

    fn line(&mut self, channel: Channel, line: &str) {
        if !self.is_in_focus(channel) {
            let (colour, name) = match channel {
                Channel::Console(vm) => (
                    COLOURS[usize::from(vm) % COLOURS.len()],
                    self.vms
                        .get(usize::from(vm))
                        .cloned()
                        .unwrap_or_else(|| format!("vm {vm}")),
                ),
                Channel::Report => (RED, "report".to_owned()),
                Channel::Outside(wire) => {
                    let end = self.outside.iter().find(|end| end.wire == wire);
                    (DIM, end.map_or_else(String::new, |end| end.name.clone()))
                }
                _ => (DIM, String::new()),
            };
            let shown = if name.is_empty() {
                line.to_owned()
            } else {
                format!("[{name}] {line}")
            };
            self.own_line(colour, &shown);
        }
        if let Some(trace) = self.symbols.backtrace(line) {
            for line in trace {
                self.own_line(RED, &line);
            }
        }
    }

    /// The link lost something.
    pub fn damage(&mut self, what: &str) {
        self.damages += 1;
        self.own_line(YELLOW, &format!("[link] {what}"));
    }

    /// A word of the tool itself.
    pub fn note(&mut self, what: &str) {
        self.own_line(YELLOW, what);
    }

    fn is_in_focus(&self, channel: Channel) -> bool {
        self.focus.map(Channel::Console) == Some(channel)
    }

    /// Another console comes into focus.
    pub fn focus(&mut self, vm: u8) {
        self.focus = Some(vm);
        let name = self.vms.get(usize::from(vm)).cloned().unwrap_or_default();
        self.note(&format!("[console of {name}]"));
        self.unfinished();
    }

    /// All consoles are shown by line from now on.
    pub fn lines(&mut self) {
        self.focus = None;
    }

    /// Shows the line again that the console in focus is in the middle of.
    fn unfinished(&mut self) {
        let channel = self.focus.map(Channel::Console);
        let line = channel.and_then(|channel| self.lines.get(&channel));
        let line = line.cloned().unwrap_or_default();
        self.raw(&line);
        self.midline = !line.is_empty();
    }

    /// A prompt is on the screen, on a line of its own, and nothing else is shown meanwhile; or it
    /// is gone.
    pub fn prompt(&mut self, prompt: Option<&str>) {
        match (prompt, self.held.is_some()) {
            (Some(prompt), open) => {
                if !open && std::mem::take(&mut self.midline) {
                    self.put(Held::Raw(b"\n".to_vec()));
                }
                let shown = format!("\r\u{1b}[K{prompt}");
                if self.show {
                    print!("{shown}");
                    let _ = std::io::stdout().flush();
                }
                self.held.get_or_insert_default();
            }
            (None, true) => {
                let held = self.held.take().unwrap_or_default();
                self.put(Held::Raw(b"\r\x1b[K".to_vec()));
                for held in held {
                    self.put(held);
                }
                if !self.midline {
                    self.unfinished();
                }
            }
            (None, false) => {}
        }
    }

    /// Shows something, or holds it back.
    fn put(&mut self, what: Held) {
        if !self.show {
            return;
        }
        if let Some(held) = &mut self.held {
            held.push(what);
            if held.len() < HELD_LIMIT {
                return;
            }
            let held = std::mem::take(held);
            held.iter().for_each(show);
            return;
        }
        show(&what);
    }

    /// Brings everything to the user's eyes.
    pub fn flush(&mut self) {
        if self.show {
            let _ = std::io::stdout().flush();
        }
    }

    /// Ends the last line, and shows what other channels have not finished.
    pub fn end(&mut self) {
        for (channel, line) in std::mem::take(&mut self.lines) {
            if !line.is_empty() && !self.is_in_focus(channel) {
                self.line(channel, &String::from_utf8_lossy(&line));
            }
        }
        if self.midline {
            self.raw(b"\n");
        }
        self.flush();
    }

    /// What each channel printed, one after the other: the consoles in the VMs' order, then the
    /// monitor, then the reports.
    pub fn apart(&self) -> String {
        let texts = self.apart.values();
        texts
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Everything that was printed.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).replace('\r', "")
    }

    /// How many times the link lost or damaged something.
    pub fn damages(&self) -> usize {
        self.damages
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        self.put(Held::Raw(bytes.to_vec()));
    }

    /// A line of its own, whatever the focused console is in the middle of.
    fn own_line(&mut self, colour: &str, line: &str) {
        if std::mem::take(&mut self.midline) {
            self.raw(b"\n");
        }
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
        self.put(Held::Line(format!("{colour}{line}{PLAIN}\n")));
    }
}

fn show(what: &Held) {
    match what {
        Held::Raw(bytes) => {
            let _ = std::io::stdout().write_all(bytes);
        }
        // Without colours where they are not wanted (NO_COLOR), or the output is no terminal.
        Held::Line(line) => anstream::print!("{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn screen() -> Screen {
        let vms = ["left", "right"].map(str::to_owned);
        Screen::new(&vms, Symbols::of_elf(Path::new("/nowhere")), false)
    }

    #[test]
    fn the_console_in_focus_is_shown_as_it_comes_and_others_by_line() {
        let mut screen = screen();
        screen.print(Channel::Console(0), b"one ");
        screen.print(Channel::Console(1), b"tw");
        screen.print(Channel::Console(0), b"two\r\n/ # ");
        screen.print(Channel::Console(1), b"o\r\n");
        screen.end();
        assert_eq!(screen.text(), "one two\n/ # \n[right] two\n");
    }

    #[test]
    fn all_consoles_are_shown_by_line_until_one_has_the_focus_again() {
        let mut screen = screen();
        screen.lines();
        screen.print(Channel::Console(0), b"one\r\n/ # ");
        screen.print(Channel::Console(1), b"two\r\n");
        screen.print(Channel::Monitor, b"three\r\n");
        screen.focus(0);
        screen.print(Channel::Console(0), b"ls\r\n");
        screen.end();
        assert_eq!(
            screen.text(),
            "[left] one\n[right] two\nthree\n[console of left]\n/ # ls\n"
        );
    }

    #[test]
    fn what_comes_while_the_prompt_is_open_is_held_back_in_its_order() {
        let mut screen = screen();
        screen.show = true; // shown on the test's own output
        screen.print(Channel::Console(0), b"/ # ");
        screen.prompt(Some("> "));
        screen.print(Channel::Console(0), b"x\r\n");
        screen.print(Channel::Console(1), b"two\r\n");
        assert_eq!(screen.held.as_ref().map(Vec::len), Some(2));
        screen.prompt(None);
        assert!(screen.held.is_none());
        assert_eq!(screen.text(), "/ # x\n[right] two\n");
    }

    #[test]
    fn a_backtrace_gets_names_on_whatever_channel_it_comes() {
        let mut screen = screen();
        screen.print(
            Channel::Monitor,
            b"reliquary-el2 backtrace: image at 0x0: 0x10\n",
        );
        assert!(screen.text().contains("   0: 0x10 ?"));
    }

    #[test]
    fn damage_is_told_and_counted() {
        let mut screen = screen();
        screen.damage("3 bytes were lost");
        assert_eq!(screen.damages(), 1);
        assert_eq!(screen.text(), "[link] 3 bytes were lost\n");
    }
}
