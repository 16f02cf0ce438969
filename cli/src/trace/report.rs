//! A trace as one page that a person reads: a timeline of its devices, and everything about each
//! access. The page is a file without any other: it asks nothing of a network.
//!
//! The page's parts are files of their own in `report/`: what it looks like (`page.css`), and its
//! script in the order of its work: `model.js` unpacks the records, `time.js` is the axis,
//! `lanes.js` and `draw.js` draw, `panels.js` fills the tables, `page.js` listens.
use super::view::View;
use crate::fault::{Doing, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write;
use std::path::Path;

mod columns;
mod facts;

const PAGE: &str = include_str!("report/page.html");
const STYLE: &str = include_str!("report/page.css");
const SCRIPT: [&str; 6] = [
    include_str!("report/model.js"),
    include_str!("report/time.js"),
    include_str!("report/lanes.js"),
    include_str!("report/draw.js"),
    include_str!("report/panels.js"),
    include_str!("report/page.js"),
];

/// The whole page.
pub fn page(view: &View, name: &str) -> Result<String> {
    let mut index = facts::Index::default();
    let columns = columns::pack(view, &mut index);
    let facts = facts::of(view, name, &index);
    let facts = serde_json::to_string(&facts).doing(|| "cannot write the facts".to_owned())?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let packed = encoder
        .write_all(&columns)
        .and_then(|()| encoder.finish())
        .doing(|| "cannot compress the records".to_owned())?;
    let parts = [
        (
            "{{title}}",
            escaped(&format!("{name}: a trace of {}", view.header.board)),
        ),
        ("{{style}}", STYLE.to_owned()),
        // Nothing in a string of JSON may end the element that it stands in.
        ("{{facts}}", facts.replace('<', "\\u003c")),
        ("{{records}}", STANDARD.encode(packed)),
        ("{{script}}", SCRIPT.concat()),
    ];
    // Each part is looked for behind the one before: what is put in is not looked at.
    let mut page = String::new();
    let mut rest = PAGE;
    for (mark, text) in parts {
        let (before, behind) = rest.split_once(mark).unwrap_or((rest, ""));
        page.push_str(before);
        page.push_str(&text);
        rest = behind;
    }
    page.push_str(rest);
    Ok(page)
}

/// Writes the page of a trace.
pub fn write(view: &View, name: &str, output: &Path) -> Result<usize> {
    let page = page(view, name)?;
    let done = std::fs::write(output, &page).doing(|| "cannot write the report".to_owned());
    done.map_err(|fault| fault.in_file(output))?;
    Ok(page.len())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::view::tests::{TEXT, view};

    #[test]
    fn the_page_asks_nothing_of_a_network() {
        let page = page(&view(), "hand.trace").expect("it is made");
        // The namespace of an inline picture is a name, and is not fetched.
        let page = page.replace("http://www.w3.org/2000/svg", "");
        for asks in ["http:", "https:", "//cdn", "@import", "<link", " src="] {
            assert!(!page.contains(asks), "{asks}");
        }
    }

    #[test]
    fn all_marks_are_filled() {
        let page = page(&view(), "hand.trace").expect("it is made");
        assert!(!page.contains("{{"));
        assert!(page.contains("hand.trace: a trace of vexpress-a9"));
        assert!(page.contains("\"UARTIMSC\""));
    }

    #[test]
    fn a_note_cannot_end_the_element_that_it_stands_in() {
        let text = TEXT.replace("typed by hand", "</script><script>alert(1)</script>");
        let view = View::of(Path::new("hand.trace"), text.as_bytes(), None).expect("it reads");
        let page = page(&view, "<b>").expect("it is made");
        assert!(!page.contains("alert(1)</script>"));
        assert!(!page.contains("<b>"));
    }
}
