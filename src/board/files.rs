//! The files that a map gives to a firmware configuration device (docs/reference/board.md).

use super::devicetree::Node;
use super::error::MapError;
use crate::emul::fw_cfg::{BYTES_MAX, FILES_MAX, File, Items, NAME_MAX, Unfit};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

const NAME: &str = "reliquary,file-name";
const TEXT: &str = "reliquary,text";
const DATA: &str = "reliquary,data";

/// The items of the device at `node`: those of a board with `cpus` CPUs, and a file for each
/// node below it.
pub(super) fn items(node: Node<'_, '_>, cpus: u16) -> Result<Items, MapError> {
    let nodes = || node.children().filter(|child| child.is_enabled());
    let files = nodes().map(file).collect::<Result<Vec<_>, _>>()?;
    Items::new(cpus, files).map_err(|unfit| {
        let of = |index| nodes().nth(index).unwrap_or(node);
        match unfit {
            Unfit::TooMany => node.wrong(format!("more than {FILES_MAX} files are below it")),
            Unfit::TooLarge => node.wrong(format!(
                "the files below it have more than {BYTES_MAX:#x} bytes together"
            )),
            Unfit::Name(index) => of(index)
                .wrong(format!(
                    "no name of 1 to {NAME_MAX} printable ASCII characters"
                ))
                .property(NAME),
            Unfit::Twice(index) => of(index)
                .wrong("a file before it has this name")
                .property(NAME),
        }
    })
}

fn file(node: Node<'_, '_>) -> Result<File, MapError> {
    if !node.is_compatible("reliquary,file") {
        return Err(node
            .wrong("below a fw_cfg there are files only")
            .property("compatible")
            .mend("say compatible = \"reliquary,file\", or take it away"));
    }
    let name = node.str(NAME)?.ok_or_else(|| {
        node.wrong("a file without a name")
            .property(NAME)
            .mend("name it \"opt/...\", as QEMU asks of its users")
    })?;
    let bytes = match (node.str(TEXT)?, node.property(DATA)) {
        (Some(text), None) => text.as_bytes(),
        (None, Some(data)) => data,
        _ => {
            return Err(node
                .wrong("not one of text and data")
                .property(TEXT)
                .mend("give it reliquary,text = \"...\" or reliquary,data = [...]"));
        }
    };
    Ok(File {
        name: name.to_owned(),
        bytes: bytes.to_vec(),
    })
}
