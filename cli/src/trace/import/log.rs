//! A log of QEMU 7.2's trace events, one a line: `memory_region_ops_read`, `memory_region_ops_write`
//! and `gic_set_irq`; others are no rows.
//!
//! A line begins with its time: nanoseconds of virtual time and a blank, as `trace record` writes
//! it; or `PID@SECONDS.MICROSECONDS:`, QEMU's own (`-msg timestamp=on`), the host's time.
use super::{Row, What};
use crate::fault::{Doing, Fault, Result};
use std::path::Path;

/// The byte that was typed, in a log of `trace record`'s.
pub const TYPED: &str = "typed";

/// All rows of a log.
pub fn rows(file: &Path) -> Result<Vec<Row>> {
    let text = std::fs::read(file).doing(|| "cannot read the log".to_owned());
    let text = text.map_err(|fault| fault.in_file(file))?;
    rows_of(&String::from_utf8_lossy(&text), file)
}

/// All rows of a log's text; `file` is where it is from.
pub fn rows_of(text: &str, file: &Path) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut first = None;
    for (number, line) in text.lines().enumerate() {
        let Some((time, event)) = split(line) else {
            if ["memory_region_ops_", "gic_set_irq "]
                .iter()
                .any(|event| line.starts_with(event))
            {
                let what = "the event has no time: a trace needs one for each";
                let mend =
                    "record by `cargo reliquary trace record`, or QEMU with -msg timestamp=on";
                return Err(Fault::new(what).at(file, number + 1).mend(mend).into());
            }
            continue;
        };
        let at = match time {
            Time::Virtual(ns) => ns,
            Time::Host(ns) => ns.saturating_sub(*first.get_or_insert(ns)),
        };
        let what = match what(event, at) {
            Ok(Some(what)) => what,
            Ok(None) => continue,
            Err(()) => {
                let what = format!("the event is cut off or damaged: {event}");
                let mend = "take the log from where it is whole, or record it again";
                return Err(Fault::new(what).at(file, number + 1).mend(mend).into());
            }
        };
        let row = Row {
            order: rows.len() as u64,
            at,
            what,
            place: (file.to_path_buf(), number + 1),
        };
        if !repeats(rows.last_mut(), &row) {
            rows.push(row);
        }
    }
    if rows.is_empty() {
        let what = "there is no event of memory_region_ops_read or memory_region_ops_write in it";
        let mend = "record by `cargo reliquary trace record`, or QEMU with -trace \
                    memory_region_ops_read -trace memory_region_ops_write -trace gic_set_irq -D LOG";
        return Err(Fault::new(what).in_file(file).mend(mend).into());
    }
    Ok(rows)
}

/// A poll: the same access once more.
fn repeats(latest: Option<&mut Row>, next: &Row) -> bool {
    let Some(latest) = latest else { return false };
    let again = next.at;
    let mut as_latest = next.what.clone();
    match (&mut latest.what, &mut as_latest) {
        (
            What::Access { times, last, .. },
            What::Access {
                times: new_times,
                last: new_last,
                ..
            },
        ) => (*new_times, *new_last) = (*times, *last),
        _ => return false,
    }
    if latest.what != as_latest {
        return false;
    }
    if let What::Access { times, last, .. } = &mut latest.what {
        (*times, *last) = (*times + 1, again);
    }
    true
}

enum Time {
    Virtual(u64),
    Host(u64),
}

/// The time of a line, and its event.
fn split(line: &str) -> Option<(Time, &str)> {
    let (time, event) = line.split_once([' ', ':'])?;
    if let Ok(ns) = time.parse() {
        return Some((Time::Virtual(ns), event));
    }
    let (pid, time) = time.split_once('@')?;
    let (seconds, micros) = time.split_once('.')?;
    pid.parse::<u32>().ok()?;
    let seconds: u64 = seconds.parse().ok()?;
    let micros: u64 = micros.parse().ok()?;
    Some((Time::Host(seconds * 1_000_000_000 + micros * 1000), event))
}

/// What an event tells; none of those that are no row.
fn what(event: &str, at: u64) -> std::result::Result<Option<What>, ()> {
    let (name, rest) = event.split_once(' ').unwrap_or((event, ""));
    let done = match name {
        "memory_region_ops_read" | "memory_region_ops_write" => {
            access(rest, name.ends_with("write"), at)
        }
        "gic_set_irq" => interrupt(rest),
        TYPED => u8::from_str_radix(rest.trim_start_matches("0x"), 16)
            .ok()
            .map(|byte| What::Typed { byte }),
        _ => return Ok(None),
    };
    done.map(Some).ok_or(())
}

/// `cpu 0 mr 0x.. addr 0x.. value 0x.. size 4 name 'pl011'`
fn access(rest: &str, write: bool, at: u64) -> Option<What> {
    let (words, name) = rest.split_once(" name '")?;
    let name = name.strip_suffix('\'')?;
    let word = |key: &str| {
        let mut words = words.split(' ');
        words.find(|word| *word == key)?;
        words.next()
    };
    let cpu: i32 = word("cpu")?.parse().ok()?;
    let hexadecimal = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    Some(What::Access {
        cpu: u8::try_from(cpu).ok(),
        name: name.to_owned(),
        address: hexadecimal(word("addr")?)?,
        size: word("size")?.parse().ok()?,
        write,
        value: hexadecimal(word("value")?)?,
        times: 1,
        last: at,
    })
}

/// `irq 34 level 1 cpumask 0xff target 0x1`
fn interrupt(rest: &str) -> Option<What> {
    let mut words = rest.split(' ');
    let mut after = |key: &str| {
        words.find(|word| *word == key)?;
        words.next()
    };
    let id: u16 = after("irq")?.parse().ok()?;
    let level: u32 = after("level")?.parse().ok()?;
    let mask = after("cpumask")?.strip_prefix("0x")?;
    let mask = u32::from_str_radix(mask, 16).ok()?;
    Some(What::Interrupt {
        id,
        cpu: u8::try_from(mask.trailing_zeros()).unwrap_or(0) % 32,
        level: level != 0,
    })
}
