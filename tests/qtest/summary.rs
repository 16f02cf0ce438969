//! What the last full run compared, for the table of devices in docs/fidelity.md.

use crate::play::Found;
use crate::target::Target;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Devices are played side by side, and keep their figures in one file: whose this run has kept.
/// Some are played in more than one way, and those are added up.
static KEPT: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

/// Writes a device's figures into tests/qtest/last-full-run.toml.
pub fn keep(target: &Target, found: &Found, seed: u64) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let first = kept.insert(target.compatible);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/qtest/last-full-run.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let mut table: toml::Table = text.parse().unwrap_or_default();
    let devices = table
        .entry("device")
        .or_insert_with(|| toml::Table::new().into())
        .as_table_mut()
        .expect("it is a table");
    let before = |key: &str| {
        let of = devices.get(target.compatible).filter(|_| !first)?;
        u64::try_from(of.get(key)?.as_integer()?).ok()
    };
    let mut of = toml::Table::new();
    let explained: u64 = found.explained.values().sum();
    for (key, value) in [
        ("accesses", found.accesses + before("accesses").unwrap_or(0)),
        (
            "registers",
            (found.registers.len() as u64).max(before("registers").unwrap_or(0)),
        ),
        ("reads", found.reads + before("reads").unwrap_or(0)),
        ("lines", found.lines + before("lines").unwrap_or(0)),
        ("explained", explained + before("explained").unwrap_or(0)),
    ] {
        of.insert(
            key.to_owned(),
            i64::try_from(value).unwrap_or(i64::MAX).into(),
        );
    }
    devices.insert(target.compatible.to_owned(), of.into());
    table.insert("date".to_owned(), today().into());
    let seed = i64::try_from(seed).unwrap_or(i64::MAX);
    table.insert("seed".to_owned(), seed.into());
    let head = "# Written by a full run: RELIQUARY_ACCESSES=1000000 cargo test --test qtest (docs/testing.md).\n";
    std::fs::write(&path, format!("{head}{table}")).expect("the summary is written");
}

/// The date, in UTC.
fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let days = since.map_or(0, |since| since.as_secs() / 86_400) + 719_468;
    // Years begin in March here, so that the leap day is the last one.
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{}-{month:02}-{day:02}", era * 400 + year + next)
}
