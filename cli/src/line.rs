//! A line that is typed where nobody else echoes it.

/// A line in the making, and what of it is to be shown.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LineEdit {
    line: Vec<u8>,
    /// The last byte was a CR: a LF behind it ends no second line.
    returned: bool,
}

/// What a byte did to the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited {
    /// Nothing.
    Nothing,
    /// This is to be shown behind what is shown already.
    Echo(Vec<u8>),
    /// The line is done.
    Line(String),
    /// It was given up: Escape or Ctrl-C.
    GivenUp,
}

/// The longest line, as the monitor takes it.
const LIMIT: usize = reliquary::monitor::LINE_LIMIT;
const BACKSPACE: u8 = 8;
const ERASE_LINE: u8 = 0x15;
const DELETE: u8 = 0x7f;
const CTRL_C: u8 = 3;
const ESCAPE: u8 = 0x1b;

impl LineEdit {
    /// Takes a byte in.
    pub fn typed(&mut self, byte: u8) -> Edited {
        let returned = std::mem::replace(&mut self.returned, byte == b'\r');
        match byte {
            b'\n' if returned => Edited::Nothing,
            b'\r' | b'\n' => {
                let line = std::mem::take(&mut self.line);
                Edited::Line(String::from_utf8_lossy(&line).into_owned())
            }
            BACKSPACE | DELETE if self.line.pop().is_some() => Edited::Echo(b"\x08 \x08".to_vec()),
            ERASE_LINE => {
                let erased = b"\x08 \x08".repeat(self.line.len());
                self.line.clear();
                Edited::Echo(erased)
            }
            CTRL_C | ESCAPE => {
                self.line.clear();
                Edited::GivenUp
            }
            b' '..=b'~' if self.line.len() < LIMIT => {
                self.line.push(byte);
                Edited::Echo(vec![byte])
            }
            _ => Edited::Nothing,
        }
    }

    /// What it is so far.
    pub fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut edit = LineEdit::default();
        let edited = bytes.iter().map(|byte| edit.typed(*byte));
        let lines = edited.filter_map(|edited| match edited {
            Edited::Line(line) => Some(line),
            _ => None,
        });
        lines.collect()
    }

    #[test]
    fn a_line_ends_once_and_is_mended_by_backspace_and_ctrl_u() {
        assert_eq!(lines(b"vms\r\nvms\n\n"), ["vms", "vms", ""]);
        assert_eq!(lines(b"\x08vnx\x7f\x08ms\r"), ["vms"]);
        assert_eq!(lines(b"nonsense\x15top\r"), ["top"]);
        assert_eq!(lines(b"stop left\x03vms\r"), ["vms"]);
        assert_eq!(
            lines(&[&[b'x'; LIMIT + 9][..], b"\r"].concat())[0].len(),
            LIMIT
        );
    }

    #[test]
    fn what_is_typed_is_shown_and_what_is_erased_is_taken_back() {
        let mut edit = LineEdit::default();
        assert_eq!(edit.typed(b'a'), Edited::Echo(b"a".to_vec()));
        assert_eq!(edit.typed(BACKSPACE), Edited::Echo(b"\x08 \x08".to_vec()));
        assert_eq!(edit.typed(BACKSPACE), Edited::Nothing);
        assert_eq!(edit.typed(0), Edited::Nothing);
    }
}
