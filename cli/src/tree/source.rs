//! Device tree source: compiled by the device tree compiler, and asked for its lines.
use super::MAGIC;
use crate::fault::{Doing, Fault, Result};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The blob of a `.dtb`, or of a `.dts` by the device tree compiler.
pub fn blob_of_file(file: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(file).doing(|| "cannot read it".to_owned());
    let bytes = bytes.map_err(|fault| {
        fault
            .in_file(file)
            .mend("write the path of a device tree, .dts or .dtb")
    })?;
    if bytes.starts_with(&MAGIC.to_be_bytes()) {
        return Ok(bytes);
    }
    compile(&bytes, file)
}

/// Compiles device tree source; the compiler's own messages name `file`.
pub(crate) fn compile(source: &[u8], file: &Path) -> Result<Vec<u8>> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut dtc = Command::new("dtc")
        .args(["-q", "-I", "dts", "-O", "dtb", "-i"])
        .arg(folder.unwrap_or(Path::new(".")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .doing(|| "cannot run the device tree compiler".to_owned())
        .map_err(|fault| fault.mend("`cargo reliquary setup` installs device-tree-compiler"))?;
    if let Some(mut stdin) = dtc.stdin.take() {
        let source = source.to_vec();
        std::thread::spawn(move || stdin.write_all(&source));
    }
    let output = dtc
        .wait_with_output()
        .doing(|| "cannot run the device tree compiler".to_owned())?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // `Error: <stdin>:12.3-4 syntax error`
    let mut faults = Vec::new();
    for line in said.lines().filter(|line| line.contains("rror")) {
        let line = line
            .trim_start_matches("Error: ")
            .trim_start_matches("FATAL ERROR: ");
        let placed = line.strip_prefix("<stdin>:").and_then(|rest| {
            let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
            let what = rest.split_once(' ')?.1;
            Some((rest[..digits].parse().ok()?, what))
        });
        faults.push(match placed {
            Some((number, what)) => Fault::new(what).at(file, number),
            None => Fault::new(line).in_file(file),
        });
    }
    // The compiler ends its messages with one that only says that it gives up.
    if faults
        .iter()
        .any(|fault| matches!(fault.at, Some((_, Some(_)))))
    {
        faults.retain(|fault| matches!(fault.at, Some((_, Some(_)))));
    }
    if faults.is_empty() {
        faults.push(Fault::new(format!("does not compile: {}", said.trim())).in_file(file));
    }
    let mend = "mend the source there, or on the line before: `;` behind every property and node \
                (docs/reference/board.md)";
    let faults = faults.into_iter().map(|fault| fault.mend(mend));
    Err(crate::fault::Faults(faults.collect()))
}

/// The line of a `.dts` at which the node of this path begins; the compiler is asked where.
pub fn line_of_node(file: &Path, path: &str) -> Option<usize> {
    let output = Command::new("dtc")
        .args(["-q", "-T", "-I", "dts", "-O", "dts"])
        .arg(file)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    line_in_annotated(&String::from_utf8_lossy(&output.stdout), path)
}

/// Finds a node in the compiler's annotated output: `name { /* file:line:column-... */`.
fn line_in_annotated(text: &str, path: &str) -> Option<usize> {
    let mut open: Vec<String> = Vec::new();
    let wanted: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    for line in text.lines() {
        let code = line.split("/*").next().unwrap_or_default().trim();
        if let Some(name) = code.strip_suffix('{') {
            let name = name.rsplit(':').next().unwrap_or_default().trim();
            open.push(if name == "/" {
                String::new()
            } else {
                name.to_owned()
            });
            let here = open
                .iter()
                .skip(1)
                .map(String::as_str)
                .eq(wanted.iter().copied());
            if here {
                let place = line.split_once("/*")?.1.trim();
                // The last place is where the node was last opened; the first is its birth.
                let place = place.split(',').next()?;
                let line = place.split(':').nth(1)?;
                let digits = line.find(|letter: char| !letter.is_ascii_digit());
                return line[..digits.unwrap_or(line.len())].parse().ok();
            }
        } else if code.starts_with('}') {
            open.pop();
        }
    }
    None
}
