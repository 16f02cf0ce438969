//! The kernel's log here, compared with its log on QEMU's own model of the board.
//!
//! The other log is recorded in the same run, from the same files, so that a new version of
//! Debian's kernel needs no new recording. What may differ is docs/fidelity.md's table, read
//! from there.
use super::qemus_board;
use reliquary_cli::images;
use reliquary_cli::workspace;
use std::collections::BTreeMap;
use std::process::Command;

/// What QEMU's model of `board` prints up to the shell.
pub fn recorded(board: &str, dtb: &str) -> String {
    let mut command = Command::new("qemu-system-arm");
    command.args([
        "-M",
        board,
        "-m",
        "512",
        "-append",
        "console=ttyAMA0,115200",
    ]);
    command.args(["-display", "none", "-monitor", "none", "-nic", "none"]);
    command.args(["-serial", "stdio", "-no-reboot"]);
    command.arg("-kernel").arg(images::path("vmlinuz-armmp"));
    command.arg("-initrd").arg(images::path("initramfs-armhf"));
    command.arg("-dtb").arg(images::path(dtb));
    qemus_board::printed(&mut command, "/ # ")
}

/// A row of the table.
#[derive(Debug)]
struct Row {
    board: String,
    which: String,
    line: String,
}

/// The rows of docs/fidelity.md that are about the log.
fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(workspace::root().join("docs/fidelity.md")).unwrap();
    let table = page.split("## The kernel's log").nth(1).unwrap();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.split(" | ");
        let board = cells.next()?.strip_prefix("| ")?;
        let which = cells.next()?;
        let line = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        Some(Row {
            board: board.to_owned(),
            which: which.to_owned(),
            line: line.to_owned(),
        })
    });
    rows.collect()
}

/// Whether `line` is `pattern`, in which each `*` stands for any text.
fn is_like(pattern: &str, line: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == line;
    };
    let Some(line) = line.strip_prefix(first) else {
        return false;
    };
    (0..=line.len())
        .filter(|at| line.is_char_boundary(*at))
        .any(|at| is_like(rest, &line[at..]))
}

/// The lines of a log, without their times: how often each is there.
fn lines(log: &str, figures: &[&Row]) -> BTreeMap<String, i32> {
    let mut lines = BTreeMap::new();
    for line in log.lines() {
        let Some((time, line)) = line
            .trim()
            .strip_prefix('[')
            .and_then(|l| l.split_once("] "))
        else {
            continue;
        };
        if time.trim().parse::<f64>().is_err() {
            continue;
        }
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let figure = figures.iter().find(|row| is_like(&row.line, &line));
        *lines
            .entry(figure.map_or(line.clone(), |row| row.line.clone()))
            .or_insert(0) += 1;
        if line == "Run /init as init process" {
            break;
        }
    }
    lines
}

/// The lines that no row explains: `+` is ours, `-` is theirs.
pub fn unexplained(board: &str, ours: &str, theirs: &str) -> Vec<String> {
    let rows: Vec<Row> = rows()
        .into_iter()
        .filter(|row| row.board == board || row.board == "both")
        .collect();
    let of = |which: &str| rows.iter().filter(|row| row.which == which).collect();
    let figures: Vec<&Row> = of("figure");
    let mut difference = lines(ours, &figures);
    for (line, count) in lines(theirs, &figures) {
        *difference.entry(line).or_insert(0) -= count;
    }
    let [ours, theirs]: [Vec<&Row>; 2] = [of("ours"), of("theirs")];
    let unexplained = difference.into_iter().filter_map(|(line, count)| {
        let (sign, rows) = match count {
            0 => return None,
            1.. => ('+', &ours),
            _ => ('-', &theirs),
        };
        let explained = rows.iter().any(|row| is_like(&row.line, &line));
        (!explained).then(|| format!("{sign} {line}"))
    });
    unexplained.collect()
}

#[test]
fn a_line_that_no_row_explains_is_told_with_its_side() {
    let ours = "reliquary: hello\n[    0.000000] Booting\r\n[    0.1] new\n\
                [    0.2] audit: type=2000 audit(1.2:1): state=initialized audit_enabled=0 res=1\n";
    let theirs = "[    0.000000] Booting\r\n[    0.4] old\n[    0.5] ThumbEE CPU extension supported.\n\
                  [    0.2] audit: type=2000 audit(9.9:1): state=initialized audit_enabled=0 res=1\n";
    assert_eq!(unexplained("vexpress-a9", ours, theirs), ["+ new", "- old"]);
}
