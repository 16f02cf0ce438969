//! A device tree as source, with a comment above each node.
use crate::tree::{Node, Tree};
use std::fmt::Write;

/// The tree as source; `comment` tells what stands above the node of a path.
pub fn source(tree: &Tree, header: &str, comment: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    for line in header.lines() {
        let _ = writeln!(text, "// {line}");
    }
    text.push_str("/dts-v1/;\n");
    for (base, size) in &tree.reserved {
        let _ = writeln!(text, "/memreserve/ {base:#x} {size:#x};");
    }
    text.push('\n');
    node(&mut text, &tree.root, "", 0, comment);
    text
}

fn node(
    text: &mut String,
    this: &Node,
    path: &str,
    depth: usize,
    comment: &dyn Fn(&str) -> Option<String>,
) {
    let indent = "\t".repeat(depth);
    if depth > 0 {
        text.push('\n');
        if let Some(comment) = comment(path) {
            let _ = writeln!(text, "{indent}/* {comment} */");
        }
    }
    let name = if depth == 0 { "/" } else { &this.name };
    let _ = writeln!(text, "{indent}{name} {{");
    for (name, value) in &this.properties {
        let _ = write!(text, "{indent}\t{name}");
        if !value.is_empty() {
            let _ = write!(text, " = {}", value_of(name, value, depth));
        }
        text.push_str(";\n");
    }
    for child in &this.children {
        node(
            text,
            child,
            &format!("{path}/{}", child.name),
            depth + 1,
            comment,
        );
    }
    let _ = writeln!(text, "{indent}}};");
}

/// Strings where all of it is text, else cells, else bytes.
fn value_of(name: &str, value: &[u8], depth: usize) -> String {
    if let Some(strings) = strings(name, value) {
        let strings: Vec<_> = strings
            .iter()
            .map(|s| format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\"")))
            .collect();
        return strings.join(", ");
    }
    if !value.len().is_multiple_of(4) {
        let bytes: Vec<_> = value.iter().map(|byte| format!("{byte:02x}")).collect();
        return format!("[{}]", bytes.join(" "));
    }
    let cells: Vec<_> = value
        .chunks_exact(4)
        .map(|cell| {
            let cell = cell
                .iter()
                .fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
            if cell < 10 {
                cell.to_string()
            } else {
                format!("{cell:#x}")
            }
        })
        .collect();
    let a_line = if name == "interrupt-map" { 6 } else { 12 };
    let lines: Vec<_> = cells.chunks(a_line).map(|line| line.join(" ")).collect();
    format!("<{}>", lines.join(&format!("\n{}", "\t".repeat(depth + 3))))
}

fn strings<'a>(name: &str, value: &'a [u8]) -> Option<Vec<&'a str>> {
    if name.starts_with('#') || name == "reg" || name == "ranges" || name.ends_with("-range") {
        return None;
    }
    let text = std::str::from_utf8(value).ok()?.strip_suffix('\0')?;
    let strings: Vec<_> = text.split('\0').collect();
    let plain = |s: &&str| !s.is_empty() && s.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    // A cell like 0x66006600 also reads as text; a word is at least three letters long.
    let likely =
        strings.iter().all(plain) && strings.iter().any(|s| s.len() >= 2 || value.len() == 2);
    likely.then_some(strings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_text_cells_or_bytes_as_they_look() {
        for (name, value, expected) in [
            (
                "compatible",
                &b"arm,pl011\0arm,primecell\0"[..],
                "\"arm,pl011\", \"arm,primecell\"",
            ),
            ("label", b"A\0", "\"A\""),
            ("reg", &[0, 0, 0, 7, 0x10, 0, 0, 0], "<7 0x10000000>"),
            (
                "regulator-min-microvolt",
                &[0x00, 0x0c, 0x35, 0x00],
                "<0xc3500>",
            ),
            ("mac", &[1, 2, 0xff], "[01 02 ff]"),
        ] {
            assert_eq!(value_of(name, value, 0), expected);
        }
    }
}
