//! Differential tests: generated register accesses, played to QEMU's model of a device through
//! qtest and to ours, every read and every interrupt line compared.
//!
//! A [`target`] says which device of which board is played, what of it depends on time (and is left
//! out: QEMU's clock stands still here), and which differences are known, with who is right. A
//! difference that no row explains fails with the shortest sequence that shows it.
//!
//! `RELIQUARY_SURVEY=1` does not stop at the first difference, and lists all.
//!
//! `RELIQUARY_ACCESSES` (20,000) is how many accesses each device takes, `RELIQUARY_SEED` (1) which. A
//! run of a million or more is a full one: a row that nothing hits fails then, and
//! tests/qtest/last-full-run.toml gets what was compared.

mod commands;
mod devices;
mod ours;
mod play;
mod qemu;
mod shrink;
mod summary;
mod target;

use target::Target;

fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => otherwise,
    }
}

/// What a full run takes for each device.
const FULL: u64 = 1_000_000;

/// Plays a target for as many accesses as are wanted.
fn compare(target: &Target) {
    let accesses = number("RELIQUARY_ACCESSES", 20_000);
    let seed = number("RELIQUARY_SEED", 1);
    let full = accesses >= FULL;
    let found = play::play(target, accesses, seed);
    println!("{}: {found}", target.compatible);
    if let Some(survey) = &found.survey {
        for (register, seen) in survey {
            println!("{register}: bits {:#x}, {} times", seen.bits, seen.times);
            for first in &seen.first {
                println!("    {first}");
            }
        }
        assert!(survey.is_empty(), "no row explains these");
    }
    if full {
        found.no_row_is_stale(target);
        summary::keep(target, &found, seed);
    }
}
