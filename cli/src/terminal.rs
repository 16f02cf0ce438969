//! The user's terminal: raw while a console has it, and what the keys do meanwhile.
use crate::line::{Edited, LineEdit};
use rustix::termios::{self, OptionalActions, Termios};
use std::io::{IsTerminal, stdin};

/// The terminal in raw mode; as it was when this is dropped.
#[derive(Debug)]
pub struct Raw(Termios);

impl Raw {
    /// Takes the terminal, if standard input is one.
    pub fn take() -> Option<Self> {
        let stdin = stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let before = termios::tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        // Output keeps its line ends: our own messages go the same way as the guest's text.
        raw.output_modes |= termios::OutputModes::OPOST | termios::OutputModes::ONLCR;
        termios::tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(stdin(), OptionalActions::Flush, &self.0);
    }
}

/// What the user typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A byte for the guest.
    Byte(u8),
    /// Ctrl-A x: leave.
    Leave,
    /// Ctrl-A n: the next VM's console.
    Next,
    /// Ctrl-A h: what else there is.
    Help,
    /// The prompt is open, and looks like this.
    Prompt(String),
    /// The prompt is closed: this is asked.
    Asked(Ask),
}

/// What is asked at the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Nothing.
    Nothing,
    /// What there is.
    Help,
    /// Leave.
    Leave,
    /// All consoles, by line.
    All,
    /// The console of the VM of this name, or this number from 1 on.
    Look(String),
    /// A command line for the monitor.
    Monitor(String),
}

/// What there is at the prompt.
pub const PROMPT_HELP: [&str; 6] = [
    "h          this",
    "N or NAME  the console of a VM, by its number or its name",
    "a          all consoles, by line",
    "m COMMAND  a command for the monitor (m help); m alone asks for it",
    "x          leaves, as Ctrl-A x does",
    "Escape closes the prompt; Ctrl-] twice is Ctrl-] itself",
];

impl Ask {
    /// Reads what was typed at the prompt; `m` alone is not decided here.
    fn read(line: &str) -> Self {
        let line = line.trim();
        match line.split_once(' ') {
            Some(("m", command)) => Self::Monitor(command.trim().to_owned()),
            _ => match line {
                "" => Self::Nothing,
                "h" | "?" | "help" => Self::Help,
                "x" => Self::Leave,
                "a" => Self::All,
                name => Self::Look(name.to_owned()),
            },
        }
    }
}

/// Ctrl-A, as QEMU has it: Ctrl-A x leaves, Ctrl-A Ctrl-A (or Ctrl-A a) sends Ctrl-A. Ctrl-] opens
/// a prompt of one line.
#[derive(Debug, Default)]
pub struct Keys {
    escaped: bool,
    prompt: Option<Prompt>,
}

#[derive(Debug, Default)]
struct Prompt {
    edit: LineEdit,
    /// The line goes to the monitor.
    monitor: bool,
}

impl Prompt {
    fn shown(&self) -> Key {
        let sign = if self.monitor {
            "monitor> "
        } else {
            "[h: help] > "
        };
        Key::Prompt(format!("{sign}{}", self.edit.so_far()))
    }
}

const CTRL_A: u8 = 1;
const CTRL_BRACKET: u8 = 0x1d;

impl Keys {
    /// What a typed byte means.
    pub fn typed(&mut self, byte: u8) -> Option<Key> {
        if let Some(prompt) = self.prompt.take() {
            return Some(self.at_prompt(prompt, byte));
        }
        match (std::mem::take(&mut self.escaped), byte) {
            (false, CTRL_A) => {
                self.escaped = true;
                None
            }
            (true, b'x' | b'X') => Some(Key::Leave),
            (true, b'n' | b'N') => Some(Key::Next),
            (true, b'h' | b'H' | b'?') => Some(Key::Help),
            (true, CTRL_A | b'a') => Some(Key::Byte(CTRL_A)),
            (true, _) => None,
            (false, CTRL_BRACKET) => {
                let prompt = Prompt::default();
                let shown = prompt.shown();
                self.prompt = Some(prompt);
                Some(shown)
            }
            (false, byte) => Some(Key::Byte(byte)),
        }
    }

    fn at_prompt(&mut self, mut prompt: Prompt, byte: u8) -> Key {
        if byte == CTRL_BRACKET {
            return Key::Byte(CTRL_BRACKET);
        }
        match prompt.edit.typed(byte) {
            Edited::Nothing | Edited::Echo(_) => {}
            Edited::GivenUp => return Key::Asked(Ask::Nothing),
            Edited::Line(line) if prompt.monitor => return Key::Asked(Ask::Monitor(line)),
            Edited::Line(line) if line.trim() == "m" => prompt.monitor = true,
            Edited::Line(line) => return Key::Asked(Ask::read(&line)),
        }
        let shown = prompt.shown();
        self.prompt = Some(prompt);
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::default();
        bytes.iter().filter_map(|byte| keys.typed(*byte)).collect()
    }

    /// What is left of them without the looks of the prompt.
    fn asked(bytes: &[u8]) -> Vec<Key> {
        let mut keys = keys(bytes);
        keys.retain(|key| !matches!(key, Key::Prompt(_)));
        keys
    }

    #[test]
    fn ctrl_a_x_leaves_and_ctrl_a_twice_is_ctrl_a() {
        assert_eq!(
            keys(b"x\x01\x01\x01q\x01x"),
            [Key::Byte(b'x'), Key::Byte(1), Key::Leave]
        );
    }

    #[test]
    fn the_prompt_shows_what_is_typed_and_the_guest_does_not_get_it() {
        let looks = ["[h: help] > ", "[h: help] > a", "[h: help] > "];
        let looks = looks.map(|look| Key::Prompt(look.to_owned()));
        assert_eq!(keys(b"\x1da\x08")[..], looks);
        let shown = keys(b"\x1dm\rvms");
        assert_eq!(shown.last(), Some(&Key::Prompt("monitor> vms".to_owned())));
        assert_eq!(
            asked(b"1\x1da\r2"),
            [Key::Byte(b'1'), Key::Asked(Ask::All), Key::Byte(b'2')]
        );
        // Ctrl-A is nothing special there.
        assert_eq!(asked(b"\x1d\x01x\r"), [Key::Asked(Ask::Leave)]);
    }

    #[test]
    fn what_is_asked_at_the_prompt() {
        let ask = |line: &str| match &asked(format!("\x1d{line}\r").as_bytes())[..] {
            [Key::Asked(ask)] => ask.clone(),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(ask(""), Ask::Nothing);
        assert_eq!(ask("h"), Ask::Help);
        assert_eq!(ask(" x "), Ask::Leave);
        assert_eq!(ask("2"), Ask::Look("2".to_owned()));
        assert_eq!(ask("press"), Ask::Look("press".to_owned()));
        assert_eq!(ask("m stop press"), Ask::Monitor("stop press".to_owned()));
        assert_eq!(ask("m\rstop press"), Ask::Monitor("stop press".to_owned()));
    }

    #[test]
    fn escape_closes_the_prompt_and_ctrl_bracket_twice_is_itself() {
        assert_eq!(
            asked(b"\x1dsto\x1bq"),
            [Key::Asked(Ask::Nothing), Key::Byte(b'q')]
        );
        assert_eq!(asked(b"\x1d\x1dq"), [Key::Byte(0x1d), Key::Byte(b'q')]);
    }
}
