//! A TOML table, read key by key: every value knows its line, and what nobody asked for is
//! an unknown key.
use crate::fault::{Fault, did_you_mean};
use crate::images::line_of;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// A value, and the line that it was on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its line, from 1.
    pub line: usize,
}

/// The file that is read, and what was found wrong with it so far.
#[derive(Debug)]
pub struct Source<'a> {
    /// Its path, as messages name it.
    pub file: &'a Path,
    /// Its text.
    pub text: &'a str,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl Source<'_> {
    /// Notes a fault at a line.
    pub fn fault(&mut self, line: usize, what: impl Into<String>, mend: impl Into<String>) {
        self.faults
            .push(Fault::new(what).at(self.file, line).mend(mend));
    }
}

/// A table of the file.
#[derive(Debug)]
pub struct Table<'a> {
    /// What it is in words: `[vm.press]`.
    pub name: String,
    /// Its line.
    pub line: usize,
    entries: Vec<(Located<String>, Located<&'a DeValue<'a>>)>,
    asked: Vec<&'static str>,
}

impl<'a> Table<'a> {
    /// `table` of `source`, which begins at `line`.
    pub fn new(source: &Source<'_>, name: &str, line: usize, table: &'a DeTable<'a>) -> Self {
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                let at = key.span().start;
                let key = Located {
                    value: key.get_ref().to_string(),
                    line: line_of(source.text, at),
                };
                let line = line_of(source.text, value.span().start);
                (
                    at,
                    key,
                    Located {
                        value: value.get_ref(),
                        line,
                    },
                )
            })
            .collect();
        entries.sort_by_key(|(at, _, _)| *at);
        let entries = entries
            .into_iter()
            .map(|(_, key, value)| (key, value))
            .collect();
        Self {
            name: name.to_owned(),
            line,
            entries,
            asked: Vec::new(),
        }
    }

    /// All entries, in the file's order; none of them is then unknown.
    pub fn all(self) -> Vec<(Located<String>, Located<&'a DeValue<'a>>)> {
        self.entries
    }

    /// The value of a key, if it is there.
    pub fn take(&mut self, key: &'static str) -> Option<Located<&'a DeValue<'a>>> {
        self.asked.push(key);
        let at = self.entries.iter().position(|(own, _)| own.value == key)?;
        Some(self.entries.remove(at).1)
    }

    /// A string.
    pub fn text(&mut self, source: &mut Source<'_>, key: &'static str) -> Option<Located<String>> {
        let Located { value, line } = self.take(key)?;
        if let DeValue::String(text) = value {
            return Some(Located {
                value: text.to_string(),
                line,
            });
        }
        source.fault(
            line,
            format!("`{key}` must be a string"),
            format!("write {key} = \"...\""),
        );
        None
    }

    /// A number, or a string with one: `0x8000`, `"512M"`.
    pub fn number(&mut self, source: &mut Source<'_>, key: &'static str) -> Option<Located<u64>> {
        let Located { value, line } = self.take(key)?;
        if let Some(value) = number(value) {
            return Some(Located { value, line });
        }
        let mend = format!("write {key} = 0x8000, or \"512M\" (K, M and G are powers of 1024)");
        source.fault(line, format!("`{key}` must be a number"), mend);
        None
    }

    /// `true` or `false`; without it, `false`.
    pub fn flag(&mut self, source: &mut Source<'_>, key: &'static str) -> bool {
        match self.take(key) {
            None => false,
            Some(Located {
                value: DeValue::Boolean(flag),
                ..
            }) => *flag,
            Some(Located { line, .. }) => {
                source.fault(
                    line,
                    format!("`{key}` must be true or false"),
                    format!("write {key} = true, or leave it out"),
                );
                false
            }
        }
    }

    /// What is left was not asked for.
    pub fn finish(self, source: &mut Source<'_>) {
        for (key, _) in &self.entries {
            let mend = did_you_mean(&key.value, self.asked.iter().copied()).map_or_else(
                || format!("{} may hold: {}", self.name, self.asked.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let what = format!("{} has no key `{}`", self.name, key.value);
            source.fault(key.line, what, mend);
        }
    }
}

/// A number of the file: an integer of any radix, or a size like `512M`.
pub fn number(value: &DeValue<'_>) -> Option<u64> {
    match value {
        DeValue::Integer(integer) => {
            u64::from_str_radix(integer.as_str().trim_start_matches('+'), integer.radix()).ok()
        }
        DeValue::String(text) => size(text),
        _ => None,
    }
}

fn size(text: &str) -> Option<u64> {
    let text = text.trim().replace('_', "");
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    let text = text.trim_end_matches("iB").trim_end_matches('B').trim_end();
    let (digits, unit) = match text.char_indices().next_back()? {
        (at, 'K' | 'k') => (&text[..at], 1 << 10),
        (at, 'M') => (&text[..at], 1 << 20),
        (at, 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    digits.trim_end().parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(size("512M"), Some(512 << 20));
        assert_eq!(size("1 GiB"), Some(1 << 30));
        assert_eq!(size("0x8000"), Some(0x8000));
        assert_eq!(size("64K"), Some(65536));
        assert_eq!(size("much"), None);
        assert_eq!(size("99999999999G"), None);
    }
}
