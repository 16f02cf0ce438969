//! What stands before a trace's first record: where it is from, and what it holds.

use crate::access::Security;
use crate::emul::Reset;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The version of the format.
pub const VERSION: u32 = 1;

/// The board of a trace that is of none: of what passes a system's wires.
pub const NO_BOARD: &str = "none";

/// The first line.
pub const FIRST: &str = "# reliquary-trace 1";

/// The header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The board: the name of its map in platforms/.
    pub board: String,
    /// What recorded it: `qemu-7.2`, `reliquary-0.1`, `hand`.
    pub source: String,
    /// The software that ran.
    pub image: Option<String>,
    /// How deep the reset was with which it begins.
    pub reset: Reset,
    /// In which security state the accesses are that say nothing else.
    pub security: Security,
    /// How many CPUs the board had; without it, all of its map.
    pub cpus: Option<u8>,
    /// Whether the board's own firmware had run before time 0, and left behind what its map says
    /// (`reliquary,left-running`).
    pub firmware: bool,
    /// What a real-time clock that was never set shows at time 0, in Unix seconds.
    pub rtc: u32,
    /// How many nanoseconds of that second had gone by.
    pub rtc_ns: u32,
    /// What was recorded, beside register accesses.
    pub observed: Observed,
    /// Devices of the board of which nothing was recorded.
    pub unobserved: Vec<String>,
    /// The memory card that was in the board's slot.
    pub card: Option<Card>,
    /// The hash of each medium at time 0: device, and SHA-256 in hexadecimal.
    pub media: Vec<(String, String)>,
    /// Remarks for people: how it was recorded.
    pub notes: Vec<String>,
}

/// A memory card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// The bytes of its medium.
    pub bytes: u64,
    /// Whether it is of high capacity (SDHC).
    pub high_capacity: bool,
    /// Whether it is write-protected.
    pub read_only: bool,
}

impl Card {
    /// `1048576`, `1048576,high-capacity,read-only`.
    fn of_word(word: &str) -> Option<Self> {
        let mut words = word.split(',');
        let mut card = Self {
            bytes: words.next()?.parse().ok()?,
            high_capacity: false,
            read_only: false,
        };
        for word in words {
            match word {
                "high-capacity" => card.high_capacity = true,
                "read-only" => card.read_only = true,
                _ => return None,
            }
        }
        Some(card)
    }
}

/// What was recorded, beside register accesses. What was not is not compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each is a word of its own in the header
pub struct Observed {
    /// Output lines that lead to an interrupt controller or another device.
    pub lines: bool,
    /// The interrupt controller's outputs, to the CPUs.
    pub cpu_lines: bool,
    /// Bytes and frames that devices sent.
    pub ports: bool,
    /// What devices read from and wrote to the board's memory.
    pub memory: bool,
    /// The moments at which devices came due (`due`), and at which bytes were taken from them: the
    /// recorder's own board had no other.
    pub deadlines: bool,
}

/// Where a word of `observed` is kept.
type Flag = fn(&mut Observed) -> &mut bool;

impl Observed {
    /// The words, and which of this each stands for.
    const WORDS: [(&'static str, Flag); 5] = [
        ("lines", |o| &mut o.lines),
        ("cpu-lines", |o| &mut o.cpu_lines),
        ("ports", |o| &mut o.ports),
        ("memory", |o| &mut o.memory),
        ("deadlines", |o| &mut o.deadlines),
    ];
}

impl Header {
    /// Of a trace of `board`, by `source`.
    pub fn new(board: &str, source: &str) -> Self {
        Self {
            board: board.to_owned(),
            source: source.to_owned(),
            image: None,
            reset: Reset::Cold,
            security: Security::NonSecure,
            cpus: None,
            firmware: true,
            rtc: 0,
            rtc_ns: 0,
            observed: Observed::default(),
            unobserved: Vec::new(),
            card: None,
            media: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Takes in a header's line: what stands behind `# `. Says what is wrong with it.
    pub(super) fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(note) = line.strip_prefix("note ") {
            self.notes.push(note.to_owned());
            return Ok(());
        }
        let mut words = line.split_ascii_whitespace();
        while let Some(key) = words.next() {
            let value = words.next().ok_or_else(|| format!("{key} has no value"))?;
            self.pair(key, value)?;
        }
        Ok(())
    }

    fn pair(&mut self, key: &str, value: &str) -> Result<(), String> {
        let number = || {
            value
                .parse()
                .map_err(|_| format!("{key} {value}: it takes a decimal number"))
        };
        match key {
            "board" => value.clone_into(&mut self.board),
            "source" => value.clone_into(&mut self.source),
            "image" => self.image = Some(value.to_owned()),
            "reset" => {
                self.reset = reset_of(value).ok_or("reset is cold or warm")?;
            }
            "security" => {
                self.security = security_of(value).ok_or("security is secure or nonsecure")?;
            }
            "cpus" => {
                let cpus = number()?;
                let fits = u8::try_from(cpus)
                    .ok()
                    .filter(|cpus| (1..=8).contains(cpus));
                self.cpus = Some(fits.ok_or("cpus is 1 to 8")?);
            }
            "firmware" => {
                self.firmware = match value {
                    "ran" => true,
                    "none" => false,
                    _ => return Err("firmware is ran or none".to_owned()),
                };
            }
            "rtc" => self.rtc = number()?,
            "rtc-ns" => {
                let ns = Some(number()?).filter(|ns| *ns < 1_000_000_000);
                self.rtc_ns = ns.ok_or("rtc-ns is less than a second")?;
            }
            "observed" => {
                for word in value.split(',') {
                    let known = Observed::WORDS.iter().find(|(known, _)| *known == word);
                    let (_, which) = known.ok_or_else(|| {
                        format!(
                            "observed {word}: it takes lines, cpu-lines, ports, memory, deadlines, with commas"
                        )
                    })?;
                    *which(&mut self.observed) = true;
                }
            }
            "unobserved" => self.unobserved.push(value.to_owned()),
            "card" => {
                let card = Card::of_word(value);
                let form = "card is its bytes, then ,high-capacity and ,read-only where it is so";
                self.card = Some(card.ok_or(form)?);
            }
            "medium" => {
                let parts = value.split_once("=sha256:");
                let (device, hash) = parts.ok_or("medium is DEVICE=sha256:HASH")?;
                self.media.push((device.to_owned(), hash.to_owned()));
            }
            _ => {
                return Err(format!(
                    "the key {key} is not known: board, source, image, reset, security, cpus, \
                     firmware, rtc, rtc-ns, observed, unobserved, card, medium, note"
                ));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}")?;
        write!(f, "# board {}  source {}", self.board, self.source)?;
        if let Some(image) = &self.image {
            write!(f, "  image {image}")?;
        }
        write!(f, "  reset {}", reset_word(self.reset))?;
        write!(f, "\n# security {}", security_word(self.security))?;
        if let Some(cpus) = self.cpus {
            write!(f, "  cpus {cpus}")?;
        }
        let firmware = if self.firmware { "ran" } else { "none" };
        write!(f, "  firmware {firmware}  rtc {}", self.rtc)?;
        if self.rtc_ns != 0 {
            write!(f, "  rtc-ns {}", self.rtc_ns)?;
        }
        let mut observed = self.observed;
        let mut comma = "  observed ";
        for (word, which) in Observed::WORDS {
            if *which(&mut observed) {
                write!(f, "{comma}{word}")?;
                comma = ",";
            }
        }
        writeln!(f)?;
        for device in &self.unobserved {
            writeln!(f, "# unobserved {device}")?;
        }
        if let Some(card) = self.card {
            let high = if card.high_capacity {
                ",high-capacity"
            } else {
                ""
            };
            let locked = if card.read_only { ",read-only" } else { "" };
            writeln!(f, "# card {}{high}{locked}", card.bytes)?;
        }
        for (device, hash) in &self.media {
            writeln!(f, "# medium {device}=sha256:{hash}")?;
        }
        for note in &self.notes {
            writeln!(f, "# note {note}")?;
        }
        Ok(())
    }
}

pub(super) const fn reset_word(reset: Reset) -> &'static str {
    match reset {
        Reset::Cold => "cold",
        Reset::Warm => "warm",
    }
}

pub(super) fn reset_of(word: &str) -> Option<Reset> {
    [Reset::Cold, Reset::Warm]
        .into_iter()
        .find(|reset| reset_word(*reset) == word)
}

pub(super) const fn security_word(security: Security) -> &'static str {
    match security {
        Security::Secure => "secure",
        Security::NonSecure => "nonsecure",
    }
}

pub(super) fn security_of(word: &str) -> Option<Security> {
    [Security::Secure, Security::NonSecure]
        .into_iter()
        .find(|security| security_word(*security) == word)
}
