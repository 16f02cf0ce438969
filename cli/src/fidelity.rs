//! The table of devices in docs/fidelity.md: what is modelled, what deviates, and which oracle
//! has compared how much. It is made of the catalog, of the golden traces and of what the last
//! full run of the differential tests left, so that it cannot say what is not so.
use crate::fault::{Doing, Fault, Result};
use crate::trace::golden;
use crate::workspace;
use reliquary::board::catalog::{self, Entry};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The lines between which the table stands.
const BEGIN: &str = "<!-- devices: made by `cargo reliquary fidelity` -->";
const END: &str = "<!-- end of devices -->";

/// What the differential tests left of their last full run.
const FULL_RUN: &str = "tests/qtest/last-full-run.toml";

/// How much of a device an oracle has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    accesses: u64,
    registers: BTreeSet<String>,
}

/// The last full run of the differential tests, by `compatible`.
#[derive(Debug, Default, Deserialize)]
struct FullRun {
    #[serde(default)]
    device: BTreeMap<String, Differential>,
}

#[derive(Debug, Deserialize)]
struct Differential {
    accesses: u64,
    registers: u64,
}

/// The page, and what it should be.
#[derive(Debug)]
pub struct Page {
    /// Its file.
    pub file: PathBuf,
    /// What is there.
    pub is: String,
    /// What should be there.
    pub should_be: String,
}

/// Makes the page anew.
pub fn page() -> Result<Page> {
    let file = workspace::root().join("docs/fidelity.md");
    let is = std::fs::read_to_string(&file).doing(|| "cannot read the page".to_owned());
    let is = is.map_err(|fault| fault.in_file(&file))?;
    let ends = is.find(BEGIN).zip(is.find(END));
    let (begin, end) = ends.filter(|(begin, end)| begin < end).ok_or_else(|| {
        Fault::new("the marks of the table of devices are not there")
            .in_file(&file)
            .mend(format!("put {BEGIN} and {END} on lines of their own"))
    })?;
    let table = table(&traced()?, &full_run()?);
    let should_be = format!("{}{BEGIN}\n\n{table}\n{}", &is[..begin], &is[end..]);
    Ok(Page {
        file,
        is,
        should_be,
    })
}

/// What the golden traces compared, by `compatible`.
fn traced() -> Result<BTreeMap<String, Seen>> {
    let mut all: BTreeMap<String, Seen> = BTreeMap::new();
    for file in golden::files()? {
        for one in golden::replay(&file)?.registers {
            let seen = all.entry(one.compatible).or_default();
            let counts = [one.reads, one.writes];
            seen.accesses += counts.iter().map(|c| c.exact + c.within).sum::<u64>();
            seen.registers.insert(one.register);
        }
    }
    Ok(all)
}

fn full_run() -> Result<FullRun> {
    let file = workspace::root().join(FULL_RUN);
    if !file.is_file() {
        return Ok(FullRun::default());
    }
    let text = std::fs::read_to_string(&file).doing(|| "cannot read it".to_owned());
    let text = text.map_err(|fault| fault.in_file(&file))?;
    let run = toml::from_str(&text).doing(|| "it is not what a full run writes".to_owned());
    run.map_err(|fault| {
        fault
            .in_file(&file)
            .mend("make it anew: docs/testing.md")
            .into()
    })
}

fn table(traced: &BTreeMap<String, Seen>, run: &FullRun) -> String {
    let mut table = String::from(
        "| compatible | is | tier | registers | compared with recorded traces | by qtest | known deviations |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for entry in catalog::TABLE.iter().chain([&catalog::IDENTITY]) {
        row(
            &mut table,
            entry,
            traced.get(entry.compatible),
            run.device.get(entry.compatible),
        );
    }
    table
}

fn row(table: &mut String, entry: &Entry, traced: Option<&Seen>, qtest: Option<&Differential>) {
    let described = catalog::description(entry.compatible);
    let registers: u64 = described.map_or(0, |d| d.registers.iter().map(|r| r.count).sum());
    let manual = described.map_or("", |d| d.manual);
    let traced = traced.map_or("-".to_owned(), |seen| {
        let (registers, accesses) = (seen.registers.len(), grouped(seen.accesses));
        format!("{registers} registers, {accesses} accesses")
    });
    let qtest = qtest.map_or("-".to_owned(), |run| {
        let (registers, accesses) = (run.registers, grouped(run.accesses));
        format!("{registers} registers, {accesses} accesses")
    });
    let deviations = match described.map_or(&[][..], |d| d.deviations) {
        [] => "none known".to_owned(),
        some => some.join("; "),
    };
    let registers = if registers == 0 {
        "-".to_owned()
    } else {
        registers.to_string()
    };
    // Writing into a string does not fail.
    let _ = writeln!(
        table,
        "| `{}` | {} ({manual}) | {} | {registers} | {traced} | {qtest} | {deviations} |",
        entry.compatible,
        entry.summary,
        entry.tier.word()
    );
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The page's file as it is shown.
pub fn shown(page: &Page) -> String {
    workspace::shown(Path::new(&page.file))
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
    }

    #[test]
    fn every_emulator_has_a_row() {
        let table = table(&BTreeMap::new(), &FullRun::default());
        for entry in catalog::TABLE {
            assert!(table.contains(entry.compatible), "{}", entry.compatible);
        }
    }

    #[test]
    fn every_emulator_is_described() {
        for entry in catalog::TABLE {
            let described = catalog::description(entry.compatible);
            assert!(
                described.is_some(),
                "{} has no DESCRIPTION",
                entry.compatible
            );
        }
    }
}
