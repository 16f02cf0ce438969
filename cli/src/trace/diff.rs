//! What differs between two traces, device by device.
//!
//! Devices are compared each on its own: what two of them do at the same time may come in either
//! order. Times are told; that they differ counts only if it is asked. Recorders do not all count
//! equal accesses in a row as one record: here they are one.
use super::view::{Device, View, access, decoded, end, seconds};
use align::Step;
use reliquary::trace::record::{Event, Record, RegisterAccess};
use reliquary::units::Instant;
use std::fmt::{self, Write};

mod align;

/// What differs.
#[derive(Debug, Default)]
pub struct Diff {
    devices: Vec<Differs>,
    /// Records of both that were beside each other.
    same: usize,
    /// How many devices there are in either.
    compared: usize,
}

/// What differs of a device.
#[derive(Debug)]
struct Differs {
    name: String,
    /// Records that only the first has, and only the second.
    only: (usize, usize),
    /// Records of both whose times differ.
    times: usize,
    hunks: Vec<String>,
}

/// What is compared, and how much of it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Times, too.
    pub times: bool,
    /// The most hunks of a device that are shown.
    pub hunks: usize,
}

/// What a record is, but for its time.
fn timeless(record: &Record) -> Record {
    let mut record = record.clone();
    record.at = Instant::ZERO;
    // The numbers of names are each trace's own.
    record.device = None;
    if let Event::Access(access) = &mut record.event {
        access.last = Instant::ZERO;
    }
    record
}

/// The same, and but for how often.
fn one(record: &Record) -> Record {
    let mut record = timeless(record);
    if let Event::Access(access) = &mut record.event {
        access.times = 1;
    }
    record
}

/// Compares two traces.
pub fn diff(first: &View, second: &View, options: Options) -> Diff {
    let mut names: Vec<&str> = Vec::new();
    for device in first.devices.iter().chain(&second.devices) {
        if device.touched && !names.contains(&device.name.as_str()) {
            names.push(&device.name);
        }
    }
    let mut diff = Diff::default();
    let board = std::iter::once(None);
    for name in names.iter().copied().map(Some).chain(board) {
        let sides = [Side::of(first, name), Side::of(second, name)];
        if sides.iter().all(|side| side.records.is_empty()) {
            continue;
        }
        diff.compared += 1;
        let (differs, same) = compare(name.unwrap_or("the board"), &sides, options);
        diff.same += same;
        if differs.only != (0, 0) || differs.times > 0 {
            diff.devices.push(differs);
        }
    }
    diff
}

/// A device's records in one of the traces.
struct Side<'a> {
    device: Option<&'a Device>,
    /// With the line of the first of a run.
    records: Vec<(usize, Record)>,
}

impl<'a> Side<'a> {
    /// Of a device, or of the board as a whole.
    fn of(view: &'a View, name: Option<&str>) -> Self {
        let place = name.map(|name| view.devices.iter().position(|device| device.name == name));
        let records = view.records.iter().filter(|seen| {
            let own = view.device(&seen.record);
            match place {
                None => own.is_none(),
                Some(place) => own.is_some() && own == place,
            }
        });
        let mut runs: Vec<(usize, Record)> = Vec::new();
        for seen in records {
            let repeats = runs
                .last_mut()
                .filter(|(_, run)| one(run) == one(&seen.record));
            if let (Some((_, run)), Event::Access(more)) = (repeats, &seen.record.event)
                && let Event::Access(run) = &mut run.event
            {
                run.times = run.times.saturating_add(more.times);
                run.last = more.last;
                continue;
            }
            runs.push((seen.line, seen.record.clone()));
        }
        Self {
            device: place.flatten().and_then(|place| view.devices.get(place)),
            records: runs,
        }
    }

    fn told(&self, place: usize) -> String {
        let Some((_, record)) = self.records.get(place) else {
            return String::new();
        };
        let cpu = record.cpu.map_or("-".to_owned(), |cpu| cpu.to_string());
        format!(
            "{} {cpu} {}",
            seconds(record.at.0),
            event(self.device, &record.event)
        )
    }

    fn line(&self, place: usize) -> usize {
        let last = self.records.last();
        self.records
            .get(place)
            .or(last)
            .map_or(0, |(line, _)| *line)
    }
}

fn compare(name: &str, sides: &[Side<'_>; 2], options: Options) -> (Differs, usize) {
    let [first, second] = sides;
    let keys = sides.each_ref().map(|side| {
        let records = side.records.iter();
        records
            .map(|(_, record)| key(&timeless(record)))
            .collect::<Vec<_>>()
    });
    let steps = align::steps(&keys[0], &keys[1]);
    let mut differs = Differs {
        name: name.to_owned(),
        only: (0, 0),
        times: 0,
        hunks: Vec::new(),
    };
    let (mut a, mut b, mut same) = (0, 0, 0);
    let mut rest = steps.as_slice();
    while let Some(step) = rest.first() {
        if *step == Step::Both {
            same += 1;
            if options.times && times(&first.records[a].1) != times(&second.records[b].1) {
                differs.times += 1;
                if differs.hunks.len() < options.hunks {
                    differs.hunks.push(time_hunk(sides, a, b));
                }
            }
            (a, b, rest) = (a + 1, b + 1, &rest[1..]);
            continue;
        }
        let length = rest.iter().take_while(|step| **step != Step::Both).count();
        let (hunk, behind) = rest.split_at(length);
        let left = hunk.iter().filter(|step| **step == Step::First).count();
        let right = length - left;
        differs.only.0 += left;
        differs.only.1 += right;
        if differs.hunks.len() < options.hunks {
            differs.hunks.push(told(sides, (a, left), (b, right)));
        }
        (a, b, rest) = (a + left, b + right, behind);
    }
    (differs, same)
}

/// A record as a text: it has no hash of its own.
fn key(record: &Record) -> String {
    format!("{record:?}")
}

fn times(record: &Record) -> (u64, u64) {
    (record.at.0, end(record))
}

fn time_hunk(sides: &[Side<'_>; 2], a: usize, b: usize) -> String {
    let [first, second] = sides;
    let (one, other) = (first.records[a].1.at.0, second.records[b].1.at.0);
    let later = i128::from(other) - i128::from(one);
    let (from, to) = (first.line(a), second.line(b));
    format!(
        "@@ line {from}, line {to} @@\n~ {}, {later:+} ns\n",
        first.told(a)
    )
}

/// A hunk: what only the first has, what only the second has, and which fields that changes.
fn told(sides: &[Side<'_>; 2], left: (usize, usize), right: (usize, usize)) -> String {
    /// The most lines of a hunk and side.
    const LINES: usize = 12;
    let [first, second] = sides;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "@@ line {}, line {} @@",
        first.line(left.0),
        second.line(right.0)
    );
    if left.0 > 0 {
        let _ = writeln!(out, "  {}", first.told(left.0 - 1));
    }
    for (side, sign, (from, count)) in [(first, '-', left), (second, '+', right)] {
        for place in from..from + count.min(LINES) {
            let _ = writeln!(out, "{sign} {}", side.told(place));
        }
        if count > LINES {
            let _ = writeln!(out, "{sign} and {} more", count - LINES);
        }
    }
    for pair in 0..left.1.min(right.1).min(LINES) {
        let (one, other) = (
            &first.records[left.0 + pair].1,
            &second.records[right.0 + pair].1,
        );
        if let (Event::Access(one), Event::Access(other), Some(device)) =
            (&one.event, &other.event, first.device)
            && let Some(fields) = fields(device, one, other)
        {
            let _ = writeln!(
                out,
                "  {}: {fields}",
                device.register(one.region, one.offset)
            );
        }
    }
    out
}

/// The fields of one register that two accesses have differently: `UARTEN 0x0, 0x1`.
fn fields(device: &Device, one: &RegisterAccess, other: &RegisterAccess) -> Option<String> {
    let place = |access: &RegisterAccess| (access.region, access.offset, access.write);
    if place(one) != place(other) {
        return None;
    }
    let (from, to) = (one.value?, other.value?);
    let fields = device.fields(one.region, one.offset).iter();
    let differ = fields.filter(|field| field.of(from) != field.of(to));
    let words = differ.map(|field| {
        format!(
            "{} {:#x} -> {:#x}",
            field.name,
            field.of(from),
            field.of(to)
        )
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn event(device: Option<&Device>, event: &Event) -> String {
    let line = |way, line| device.map_or_else(|| format!("{line}"), |d| d.line(way, line));
    match (event, device) {
        (Event::Access(one), Some(device)) => access(device, one),
        (
            Event::Line {
                way,
                line: number,
                level,
            },
            _,
        ) => {
            format!("line {} {}", line(*way, *number), u8::from(*level))
        }
        (Event::Port { way, port, bytes }, _) => {
            format!("{} {:?}", port.word(*way), String::from_utf8_lossy(bytes))
        }
        (Event::Memory { at, bytes, .. }, _) => format!("memory {:#x} {} bytes", at.0, bytes.len()),
        (Event::Due, _) => "deadline".to_owned(),
        (Event::Reset(reset), _) => format!("reset {reset:?}").to_lowercase(),
        (Event::Access(one), None) => {
            format!("{:#x} {}", one.offset, decoded(&[], one.value.unwrap_or(0)))
        }
    }
}

impl Diff {
    /// Whether there is any difference.
    pub fn differs(&self) -> bool {
        !self.devices.is_empty()
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for device in &self.devices {
            let (first, second) = device.only;
            write!(
                f,
                "{}: {first} only in the first, {second} only in the second",
                device.name
            )?;
            if device.times > 0 {
                write!(f, ", {} at another time", device.times)?;
            }
            writeln!(f)?;
            for hunk in &device.hunks {
                write!(f, "{hunk}")?;
            }
        }
        let sum = |of: fn(&Differs) -> usize| self.devices.iter().map(of).sum::<usize>();
        let (differ, compared) = (self.devices.len(), self.compared);
        write!(
            f,
            "{differ} of {compared} devices differ: {} records are the same",
            self.same
        )?;
        let (first, second) = (sum(|d| d.only.0), sum(|d| d.only.1));
        write!(
            f,
            ", {first} only in the first, {second} only in the second"
        )?;
        match sum(|device| device.times) {
            0 => writeln!(f),
            times => writeln!(f, ", {times} at another time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::view::tests::{TEXT, view};
    use std::path::Path;

    const OPTIONS: Options = Options {
        times: false,
        hunks: 10,
    };

    fn with(change: (&str, &str)) -> View {
        let text = TEXT.replace(change.0, change.1);
        assert_ne!(text, TEXT);
        let view = View::of(Path::new("b.trace"), text.as_bytes(), None);
        view.unwrap_or_else(|faults| panic!("{faults}"))
    }

    #[test]
    fn a_trace_does_not_differ_from_itself() {
        let diff = diff(&view(), &view(), OPTIONS);
        assert!(!diff.differs());
        let told = diff.to_string();
        assert!(
            told.starts_with("0 of 2 devices differ: 10 records are the same"),
            "{told}"
        );
    }

    #[test]
    fn another_value_is_told_with_its_register_and_field() {
        let other = with(("w 0x38 4 0x10", "w 0x38 4 0x50"));
        let told = diff(&view(), &other, OPTIONS).to_string();
        for line in [
            "serial0: 1 only in the first, 1 only in the second",
            "@@ line 5, line 5 @@",
            "- 0.000 001 000 s 0 w UARTIMSC 0x10 (RXIM)",
            "  UARTIMSC: RTIM 0x0 -> 0x1",
        ] {
            assert!(told.lines().any(|own| own == line), "{line}\n{told}");
        }
    }

    #[test]
    fn times_count_only_if_asked() {
        let other = with(("1601 - serial0 o 0 1", "1602 - serial0 o 0 1"));
        assert!(!diff(&view(), &other, OPTIONS).differs());
        let asked = Options {
            times: true,
            ..OPTIONS
        };
        let told = diff(&view(), &other, asked).to_string();
        assert!(told.contains("line UARTINTR 1, +1 ns"), "{told}");
    }

    #[test]
    fn a_record_that_is_missing_does_not_shift_the_others() {
        let other = with(("1800 0 serial0 r 0x0 4 0x61\n", ""));
        let diff = diff(&view(), &other, OPTIONS);
        assert_eq!(diff.devices[0].only, (1, 0));
        assert_eq!(diff.same, 9);
    }

    #[test]
    fn a_run_is_the_same_however_its_recorder_counted() {
        let run = "1000 0 serial0 r 0x18 4 0x90 x31 ..1590";
        let split = "1000 0 serial0 r 0x18 4 0x90\n1001 0 serial0 r 0x18 4 0x90 x30 ..1590";
        assert!(!diff(&view(), &with((run, split)), OPTIONS).differs());
        let fewer = "1000 0 serial0 r 0x18 4 0x90 x30 ..1590";
        let told = diff(&view(), &with((run, fewer)), OPTIONS).to_string();
        assert!(
            told.contains("+ 0.000 001 000 s 0 r UARTFR 0x90 (TXFE RXFE) x30"),
            "{told}"
        );
    }

    #[test]
    fn the_order_between_devices_does_not_matter() {
        let gic = "1700 0 interrupt-controller@1e001000 r1 0xc 4 0x25\n";
        let serial = "1800 0 serial0 r 0x0 4 0x61\n";
        let swapped = format!("{}{}", serial.replace("1800", "1700"), gic);
        let other = with((&format!("{gic}{serial}"), &swapped));
        assert!(!diff(&view(), &other, OPTIONS).differs());
    }
}
