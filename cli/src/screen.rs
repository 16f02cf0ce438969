//! What a run shows: the console in focus as it comes, the other consoles, the monitor and
//! the reports line by line, and the hypervisor's backtraces with names.
use crate::symbols::Symbols;
use reliquary::link::Channel;
use std::collections::BTreeMap;
use std::io::Write;

/// The screen, and everything that was on it.
#[derive(Debug)]
pub struct Screen {
    vms: Vec<String>,
    symbols: Symbols,
    show: bool,
    focus: u8,
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
            symbols,
            show,
            focus: 0,
            lines: BTreeMap::new(),
            text: Vec::new(),
            apart: BTreeMap::new(),
            midline: false,
            damages: 0,
        }
    }

    /// Something was printed.
    pub fn print(&mut self, channel: Channel, bytes: &[u8]) {
        let apart = self.apart.entry(channel).or_default();
        apart.extend(bytes.iter().filter(|byte| **byte != b'\r'));
        if channel == Channel::Console(self.focus) {
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
        if channel != Channel::Console(self.focus) {
            let (colour, name) = match channel {
                Channel::Console(vm) => (
                    CYAN,
                    self.vms
                        .get(usize::from(vm))
                        .cloned()
                        .unwrap_or_else(|| format!("vm {vm}")),
                ),
                Channel::Report => (RED, "report".to_owned()),
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

    /// Another console comes into focus.
    pub fn focus(&mut self, vm: u8) {
        self.focus = vm;
        let name = self.vms.get(usize::from(vm)).cloned().unwrap_or_default();
        self.note(&format!("[console of {name}]"));
        let unfinished = self
            .lines
            .get(&Channel::Console(vm))
            .cloned()
            .unwrap_or_default();
        self.raw(&unfinished);
        self.midline = !unfinished.is_empty();
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
            if !line.is_empty() && channel != Channel::Console(self.focus) {
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
        if self.show {
            let _ = std::io::stdout().write_all(bytes);
        }
    }

    /// A line of its own, whatever the focused console is in the middle of.
    fn own_line(&mut self, colour: &str, line: &str) {
        if std::mem::take(&mut self.midline) {
            self.raw(b"\n");
        }
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
        if self.show {
            anstream::print!("{colour}{line}{PLAIN}\n");
        }
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
