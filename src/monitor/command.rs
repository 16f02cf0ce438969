//! Command lines: collected byte by byte, then taken apart.

use core::fmt;

/// The longest line in bytes.
pub const LINE_LIMIT: usize = 80;

/// A command, with the name of the VM that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// What commands there are.
    Help,
    /// The VMs, their states and their cores.
    Vms,
    /// What the VMs did since the last time.
    Top,
    /// The last lines of the log.
    Log,
    /// Switch a VM off, until it is started.
    Stop(&'a str),
    /// Start a VM from reset.
    Start(&'a str),
    /// Hold a VM, and its time.
    Pause(&'a str),
    /// Let a VM go on.
    Resume(&'a str),
    /// Reset a VM's board, as its power switch does.
    Reset(&'a str),
    /// The registers of a VM's vCPUs.
    Regs(&'a str),
    /// Record a VM's devices, or not.
    Trace(&'a str, bool),
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault<'a> {
    /// The line was longer than [`LINE_LIMIT`].
    TooLong,
    /// It is not UTF-8.
    NotText,
    /// Nothing is called this.
    Unknown(&'a str),
    /// The command is to be written like this.
    Usage(&'static str),
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a line has at most {LINE_LIMIT} bytes; it was dropped"),
            Self::NotText => f.write_str("the line is not UTF-8; it was dropped"),
            Self::Unknown(word) => {
                write!(f, "no command is called \"{word}\"; there are")?;
                for (n, (usage, _)) in COMMANDS.iter().enumerate() {
                    let word = usage.split(' ').next().unwrap_or(usage);
                    write!(f, "{} {word}", if n == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Self::Usage(usage) => write!(f, "write: {usage}"),
        }
    }
}

/// What there is: how it is written, and what it does.
const COMMANDS: [(&str, &str); 11] = [
    ("help", "this"),
    ("vms", "the VMs: state, cores, time since the reset"),
    (
        "top",
        "core time, exits and late deadlines since the last top",
    ),
    ("stop NAME", "switch a VM off, until it is started"),
    (
        "start NAME",
        "start a VM that is off, its memory as the bundle has it",
    ),
    ("pause NAME", "hold a VM, and its time"),
    ("resume NAME", "let it go on"),
    ("reset NAME", "reset a VM's board, as its power switch does"),
    ("regs NAME", "the registers of a VM's vCPUs"),
    ("log", "the last lines of the hypervisor's log"),
    (
        "trace NAME on|off",
        "record a VM's devices from now on, or pause that",
    ),
];

/// The commands, a line each.
pub const HELP: Help = Help;

/// See [`HELP`].
#[derive(Clone, Copy, Debug)]
pub struct Help;

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (usage, does) in COMMANDS {
            writeln!(f, "{usage:<18} {does}")?;
        }
        Ok(())
    }
}

impl<'a> Command<'a> {
    /// Takes a line apart; None: it is empty.
    ///
    /// # Errors
    ///
    /// When it is no command: what there is, or how the command is written.
    pub fn parse(line: &'a str) -> Result<Option<Self>, Fault<'a>> {
        let mut words = line.split_ascii_whitespace();
        let Some(word) = words.next() else {
            return Ok(None);
        };
        let known = COMMANDS.iter().map(|(usage, _)| *usage);
        let Some(usage) = known
            .into_iter()
            .find(|usage| usage.split(' ').next() == Some(word))
        else {
            return Err(Fault::Unknown(word));
        };
        let command = match (word, words.next(), words.next(), words.next()) {
            ("help", None, ..) => Self::Help,
            ("vms", None, ..) => Self::Vms,
            ("top", None, ..) => Self::Top,
            ("log", None, ..) => Self::Log,
            ("stop", Some(name), None, _) => Self::Stop(name),
            ("start", Some(name), None, _) => Self::Start(name),
            ("pause", Some(name), None, _) => Self::Pause(name),
            ("resume", Some(name), None, _) => Self::Resume(name),
            ("reset", Some(name), None, _) => Self::Reset(name),
            ("regs", Some(name), None, _) => Self::Regs(name),
            ("trace", Some(name), Some("on"), None) => Self::Trace(name, true),
            ("trace", Some(name), Some("off"), None) => Self::Trace(name, false),
            _ => return Err(Fault::Usage(usage)),
        };
        Ok(Some(command))
    }

    /// The name of the VM that it is for, if it is for one.
    #[must_use]
    pub const fn vm(&self) -> Option<&'a str> {
        match self {
            Self::Help | Self::Vms | Self::Top | Self::Log => None,
            Self::Stop(name)
            | Self::Start(name)
            | Self::Pause(name)
            | Self::Resume(name)
            | Self::Reset(name)
            | Self::Regs(name)
            | Self::Trace(name, _) => Some(name),
        }
    }
}

/// A line in the making. CR or LF ends it.
pub struct Line {
    bytes: [u8; LINE_LIMIT],
    size: usize,
    /// More has come than there is room for.
    over: bool,
    /// It has been given out: the next byte begins another.
    done: bool,
}

impl Line {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; LINE_LIMIT],
            size: 0,
            over: false,
            done: false,
        }
    }

    /// Takes a byte in, and gives the line if that ends it.
    pub fn push(&mut self, byte: u8) -> Option<Result<&str, Fault<'static>>> {
        if core::mem::take(&mut self.done) {
            (self.size, self.over) = (0, false);
        }
        if !matches!(byte, b'\r' | b'\n') {
            match self.bytes.get_mut(self.size) {
                Some(place) => {
                    *place = byte;
                    self.size = self.size.wrapping_add(1);
                }
                None => self.over = true,
            }
            return None;
        }
        self.done = true;
        if self.over {
            return Some(Err(Fault::TooLong));
        }
        let bytes = self.bytes.get(..self.size).unwrap_or_default();
        Some(core::str::from_utf8(bytes).map_err(|_| Fault::NotText))
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::ToOwned;
    use std::string::{String, ToString};
    use std::vec::Vec;

    #[test]
    fn every_command_that_help_tells_is_understood() {
        for (usage, _) in COMMANDS {
            let line = usage.replace("NAME", "press").replace("on|off", "off");
            let command = Command::parse(&line).unwrap().unwrap();
            let named = usage.contains("NAME").then_some("press");
            assert_eq!(command.vm(), named, "{line}");
            assert!(HELP.to_string().contains(usage));
        }
        assert_eq!(
            Command::parse("  trace  press on "),
            Ok(Some(Command::Trace("press", true)))
        );
        assert_eq!(Command::parse("   "), Ok(None));
    }

    #[test]
    fn what_is_no_command_is_told_with_what_there_is() {
        let told = Command::parse("halt press").unwrap_err().to_string();
        assert_eq!(
            told,
            "no command is called \"halt\"; there are help, vms, top, stop, start, pause, resume, \
             reset, regs, log, trace"
        );
        for (line, usage) in [
            ("stop", "stop NAME"),
            ("stop a b", "stop NAME"),
            ("vms all", "vms"),
            ("trace press", "trace NAME on|off"),
            ("trace press maybe", "trace NAME on|off"),
            ("trace press on now", "trace NAME on|off"),
        ] {
            assert_eq!(Command::parse(line), Err(Fault::Usage(usage)), "{line}");
        }
    }

    fn lines(bytes: &[u8]) -> Vec<Result<String, Fault<'static>>> {
        let mut line = Line::new();
        let pushed = bytes
            .iter()
            .filter_map(|byte| line.push(*byte).map(|line| line.map(str::to_owned)));
        pushed.collect()
    }

    #[test]
    fn a_line_ends_with_cr_or_lf_however_its_bytes_arrive() {
        let came = lines(b"vms\rstop press\n\r\nhelp");
        let came: Vec<_> = came.into_iter().map(Result::unwrap).collect();
        assert_eq!(came, ["vms", "stop press", "", ""]);
    }

    #[test]
    fn a_line_that_is_too_long_is_dropped_whole_and_the_next_one_is_whole_again() {
        let mut bytes = [b'x'; LINE_LIMIT + 1].to_vec();
        bytes.extend(b"\rvms\r");
        assert_eq!(lines(&bytes), [Err(Fault::TooLong), Ok("vms".to_owned())]);
        let longest = [&[b'y'; LINE_LIMIT][..], b"\r"].concat();
        assert_eq!(lines(&longest)[0].as_ref().map(String::len), Ok(LINE_LIMIT));
        assert_eq!(lines(b"\xff\r"), [Err(Fault::NotText)]);
    }
}
