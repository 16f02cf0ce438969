//! The user's terminal: raw while a console has it, and what the keys do meanwhile.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A byte for the guest.
    Byte(u8),
    /// Ctrl-A x: leave.
    Leave,
    /// Ctrl-A n: the next VM's console.
    Next,
    /// Ctrl-A h: what else there is.
    Help,
}

/// Ctrl-A, as QEMU has it: Ctrl-A x leaves, Ctrl-A Ctrl-A (or Ctrl-A a) sends Ctrl-A.
#[derive(Debug, Default)]
pub struct Keys {
    escaped: bool,
}

const CTRL_A: u8 = 1;

impl Keys {
    /// What a typed byte means.
    pub fn typed(&mut self, byte: u8) -> Option<Key> {
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
            (false, byte) => Some(Key::Byte(byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_a_x_leaves_and_ctrl_a_twice_is_ctrl_a() {
        let mut keys = Keys::default();
        let keys: Vec<_> = b"x\x01\x01\x01q\x01x"
            .iter()
            .filter_map(|byte| keys.typed(*byte))
            .collect();
        assert_eq!(keys, [Key::Byte(b'x'), Key::Byte(1), Key::Leave]);
    }
}
