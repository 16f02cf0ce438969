//! A trace replayed on a board without a CPU.
use super::file;
use crate::fault::{Doing, Fault, Faults, Result, did_you_mean};
use crate::system::board;
use crate::tree::source;
use crate::workspace;
use reliquary::board::Plan;
use reliquary::trace::header::NO_BOARD;
use reliquary::trace::read::Reader;
use reliquary::trace::replay::{self, Options, Summary, Trouble};
use std::path::{Path, PathBuf};

/// Replays the trace in `file` on `board`, or on the one that its header names.
pub fn replay(file: &Path, board: Option<&str>, options: &Options) -> Result<Summary> {
    let text = file::read(file)?;
    let named = if let Some(board) = board {
        board.to_owned()
    } else {
        let reader = Reader::new(&text).map_err(|damage| file::damage(file, &damage))?;
        reader.header().board.clone()
    };
    if named == NO_BOARD {
        let what = "it is of wires, and of no board on which it could be replayed";
        let mend = "`trace stats`, `diff`, `export` and `report` show it";
        return Err(Fault::new(what).in_file(file).mend(mend).into());
    }
    let map = map(&named).map_err(|fault| match board {
        Some(_) => fault,
        None => fault.in_file(file),
    })?;
    on(&map, file, &text, options)
}

/// Replays a trace's text on the board of `map`; `file` is where the text is from.
pub fn on(map: &Path, file: &Path, text: &[u8], options: &Options) -> Result<Summary> {
    let blob = source::blob_of_file(map)?;
    let plan = Plan::read(&blob).map_err(|errors| board::map_faults(map, errors))?;
    replay::replay(&plan, text, options).map_err(|trouble| match trouble {
        Trouble::Damage(damage) => file::damage(file, &damage).into(),
        Trouble::Map(error) => board::map_faults(map, vec![error]),
        Trouble::NoDevice { line, name, known } => {
            let map = workspace::shown(map);
            let what = format!("{} has no device {name}", map.display());
            let known = known.iter().map(String::as_str);
            let mend = match did_you_mean(&name, known.clone()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!(
                    "replay it on the board that it is of; this one has {}",
                    known.collect::<Vec<_>>().join(", ")
                ),
            };
            Fault::new(what).at(file, line).mend(mend).into()
        }
        Trouble::Card => Fault::new("the board has no slot for the card that the trace tells of")
            .in_file(file)
            .mend("replay it on the board that it is of (--board), or mend its header")
            .into(),
        Trouble::Medium { device } => Fault::new(format!(
            "the medium given for {device} is not the one that was there when this was recorded"
        ))
        .in_file(file)
        .mend("give the image as it was before the run (--medium)")
        .into(),
        Trouble::CannotPlay { line, what } => Fault::new(what)
            .at(file, line)
            .mend("replay it on the board that it is of (--board)")
            .into(),
    })
}

/// The map of a board that is given by name or by path.
pub fn map(board: &str) -> std::result::Result<PathBuf, Fault> {
    board::find(board, Path::new("."))
}

/// The media of a replay, as `DEVICE=FILE`.
pub fn media(given: &[String]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut media = Vec::new();
    for one in given {
        let parts = one.split_once('=').ok_or_else(|| {
            Fault::new(format!("--medium {one}: it takes DEVICE=FILE"))
                .mend("write --medium flash@0=flash.bin")
        });
        let (device, file) = parts?;
        let bytes = std::fs::read(file).doing(|| "cannot read the medium".to_owned());
        let bytes = bytes.map_err(|fault| Faults::from(fault.in_file(file)))?;
        media.push((device.to_owned(), bytes));
    }
    Ok(media)
}
