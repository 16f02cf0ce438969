//! What the last full run compared, for the table of devices in docs/fidelity.md.

use crate::play::Found;
use crate::target::Target;
use std::path::Path;
use std::sync::Mutex;

/// Devices are played side by side, and keep their figures in one file.
static FILE: Mutex<()> = Mutex::new(());

/// Writes a device's figures into tests/qtest/last-full-run.toml.
pub fn keep(target: &Target, found: &Found, seed: u64) {
    let _one = FILE.lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/qtest/last-full-run.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let mut table: toml::Table = text.parse().unwrap_or_default();
    let devices = table
        .entry("device")
        .or_insert_with(|| toml::Table::new().into());
    let mut of = toml::Table::new();
    let explained: u64 = found.explained.values().sum();
    for (key, value) in [
        ("accesses", found.accesses),
        ("registers", found.registers.len() as u64),
        ("reads", found.reads),
        ("lines", found.lines),
        ("explained", explained),
        ("seed", seed),
    ] {
        of.insert(
            key.to_owned(),
            i64::try_from(value).unwrap_or(i64::MAX).into(),
        );
    }
    if let Some(devices) = devices.as_table_mut() {
        devices.insert(target.compatible.to_owned(), of.into());
    }
    let head = "# Written by a full run: RELIQUARY_ACCESSES=1000000 cargo test --test qtest (docs/testing.md).\n";
    std::fs::write(&path, format!("{head}{table}")).expect("the summary is written");
}
