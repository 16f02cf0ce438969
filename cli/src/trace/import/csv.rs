//! A folder of CSV files, one for each device of the recorder: `NAME@BASE.csv.gz`, with the columns
//! `seq,ns,dir,offset,size,value,n,ns_last`; and `irq.gic.csv.gz` with the inputs of the GIC.
use super::{Row, What};
use crate::fault::{Doing, Fault, Faults, Result};
use flate2::read::GzDecoder;
use std::io::Read;
use std::path::{Path, PathBuf};

const COLUMNS: &str = "seq,ns,dir,offset,size,value,n,ns_last";
const MEND: &str = "take the folder from where it is whole, or record it again";

/// All rows of a folder, file by file.
pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    cut(folder)?;
    let files = std::fs::read_dir(folder).doing(|| "cannot read the folder".to_owned());
    let mut files: Vec<PathBuf> = files
        .map_err(|fault| fault.in_file(folder))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| kind(path).is_some())
        .collect();
    files.sort();
    if files.is_empty() {
        let mend = "name a folder of NAME@BASE.csv.gz files, or a log of QEMU's";
        let fault = Fault::new("no file NAME@BASE.csv.gz or irq.gic.csv.gz is here");
        return Err(fault.in_file(folder).mend(mend).into());
    }
    let mut all = Vec::new();
    for file in &files {
        let Some(kind) = kind(file) else { continue };
        let text = text(file)?;
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, line)| line) != Some(COLUMNS) {
            let fault = Fault::new(format!("its first line is not \"{COLUMNS}\""));
            return Err(fault.at(file, 1).mend(MEND).into());
        }
        for (number, line) in lines {
            let row = row(&kind, line).ok_or_else(|| {
                let what = format!("this is no row of the columns {COLUMNS}: {line}");
                Fault::new(what).at(file, number + 1).mend(MEND)
            })?;
            all.push(Row {
                place: (file.clone(), number + 1),
                ..row
            });
        }
    }
    Ok(all)
}

/// A file that says of itself that it was cut is not the whole trace.
fn cut(folder: &Path) -> Result<()> {
    let file = folder.join("summary.txt");
    let Ok(summary) = std::fs::read_to_string(&file) else {
        return Ok(());
    };
    let faults: Vec<Fault> = summary
        .lines()
        .enumerate()
        .filter_map(|(number, line)| {
            let name = line.split_whitespace().next()?;
            let (_, cut) = line.split_once("trunc=")?;
            let cut = cut.split_whitespace().next()?;
            (cut != "0").then(|| {
                Fault::new(format!(
                    "{name} lacks its last {cut} rows: it was cut when it was recorded"
                ))
                .at(&file, number + 1)
                .mend("record it again without a limit")
            })
        })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Faults(faults))
    }
}

/// What a file holds.
enum Kind {
    Device { name: String, base: u64 },
    Gic,
}

fn kind(file: &Path) -> Option<Kind> {
    let name = file.file_name()?.to_str()?;
    let stem = name.strip_suffix(".csv.gz").or(name.strip_suffix(".csv"))?;
    if stem == "irq.gic" {
        return Some(Kind::Gic);
    }
    let (_, base) = stem.split_once('@')?;
    Some(Kind::Device {
        base: u64::from_str_radix(base, 16).ok()?,
        name: stem.to_owned(),
    })
}

fn text(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).doing(|| "cannot read it".to_owned());
    let bytes = bytes.map_err(|fault| fault.in_file(file))?;
    let mut text = String::new();
    let read = if file.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)
    } else {
        bytes.as_slice().read_to_string(&mut text)
    };
    let read = read.doing(|| "the file is damaged or cut off".to_owned());
    read.map_err(|fault| fault.in_file(file).mend(MEND))?;
    Ok(text)
}

fn row(kind: &Kind, line: &str) -> Option<Row> {
    let mut columns = line.split(',');
    let mut next = || columns.next();
    let order = next()?.parse().ok()?;
    let at = next()?.parse().ok()?;
    let dir = next()?;
    let offset = hexadecimal(next()?)?;
    let size = next()?.parse().ok()?;
    let value = hexadecimal(next()?)?;
    let times = next()?.parse().ok().filter(|times| *times > 0)?;
    let last = match next()? {
        "" => at,
        last => last.parse().ok().filter(|last| *last >= at)?,
    };
    if next().is_some() {
        return None;
    }
    let what = match (kind, dir) {
        (Kind::Device { name, base }, "R" | "W") => What::Access {
            cpu: Some(0),
            name: name.clone(),
            address: base.wrapping_add(offset),
            size,
            write: dir == "W",
            value,
            times,
            last,
        },
        (Kind::Gic, "I") if times == 1 => What::Interrupt {
            id: u16::try_from(offset).ok()?,
            cpu: 0,
            level: value != 0,
        },
        _ => return None,
    };
    Some(Row {
        order,
        at,
        what,
        place: (PathBuf::new(), 0),
    })
}

fn hexadecimal(word: &str) -> Option<u64> {
    u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}
