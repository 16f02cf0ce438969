//! The structure of a flattened device tree, checked before anything reads it.
//!
//! Devicetree Specification v0.4, chapter 5. The parser crate that reads trees for us trusts
//! its input: of randomly damaged blobs a third make it panic. What [`check`] has passed, it
//! reads without one: every block inside the blob and apart from the others, tokens nested and
//! in their order, names and strings terminated, values inside their block, and a depth that
//! its fixed table of parents holds.

use super::super::error::MapError;
use alloc::format;
use alloc::string::String;

/// The most levels of nodes below the root. (The parser's table has 16 places.)
pub const DEPTH_MAX: usize = 14;
/// The largest blob, as the arm64 boot protocol has it: 2 MiB.
pub const SIZE_MAX: usize = 2 << 20;

const MAGIC: u32 = 0xd00d_feed;
const HEADER_BYTES: usize = 40;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// What a checked blob holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census<'a> {
    /// The blob, cut to `totalsize`.
    pub blob: &'a [u8],
    /// How many nodes there are, the root among them.
    pub nodes: usize,
    /// How many properties there are.
    pub properties: usize,
    /// Where the memory reservation block begins.
    pub reservations: usize,
}

/// Checks the structure of the tree at the start of `bytes`.
pub fn check(bytes: &[u8]) -> Result<Census<'_>, MapError> {
    let header = |at: usize| word(bytes, at).ok_or_else(|| damaged("the header is cut short"));
    if header(0)? != MAGIC {
        return Err(damaged("it does not begin with the magic number d00dfeed"));
    }
    let size = header(4)? as usize;
    if !(HEADER_BYTES..=SIZE_MAX).contains(&size) {
        return Err(damaged(format!(
            "totalsize is {size}, not between 40 bytes and 2 MiB"
        )));
    }
    let blob = bytes.get(..size).ok_or_else(|| {
        damaged(format!(
            "totalsize is {size}, but there are only {} bytes",
            bytes.len()
        ))
    })?;
    let (version, compatible) = (header(20)?, header(24)?);
    if version < 17 || compatible > 17 {
        return Err(damaged(format!(
            "version {version}, compatible with {compatible}: version 17 is needed"
        )));
    }
    let structs = Block::new("structure", header(8)?, header(36)?, size)?;
    let strings = Block::new("strings", header(12)?, header(32)?, size)?;
    let reservations = header(16)? as usize;
    if !structs.at.is_multiple_of(4) || !structs.bytes.is_multiple_of(4) {
        return Err(damaged("the structure block is not aligned to 4 bytes"));
    }
    if structs.at < strings.end() && strings.at < structs.end() {
        return Err(damaged("the structure and the strings block overlap"));
    }
    let reservations_end = end_of_reservations(blob, reservations)?;
    for block in [structs, strings] {
        if reservations < block.end() && block.at < reservations_end {
            return Err(damaged("the memory reservation block overlaps another"));
        }
    }
    let mut walk = Walk {
        structs: structs.of(blob)?,
        strings: strings.of(blob)?,
        at: 0,
        nodes: 0,
        properties: 0,
    };
    walk.tree()?;
    Ok(Census {
        blob,
        nodes: walk.nodes,
        properties: walk.properties,
        reservations,
    })
}

/// The word at byte `at`, big-endian.
pub fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(word.try_into().ok()?))
}

fn damaged(what: impl Into<String>) -> MapError {
    MapError::new("(device tree)", what).mend("the blob is damaged: compile or copy it again")
}

#[derive(Clone, Copy)]
struct Block {
    at: usize,
    bytes: usize,
}

impl Block {
    fn new(name: &str, at: u32, bytes: u32, size: usize) -> Result<Self, MapError> {
        let (at, bytes) = (at as usize, bytes as usize);
        match at.checked_add(bytes) {
            Some(end) if at >= HEADER_BYTES && end <= size => Ok(Self { at, bytes }),
            _ => Err(damaged(format!(
                "the {name} block ({bytes} bytes at {at:#x}) is not inside the blob"
            ))),
        }
    }

    fn end(self) -> usize {
        self.at.saturating_add(self.bytes)
    }

    fn of(self, blob: &[u8]) -> Result<&[u8], MapError> {
        blob.get(self.at..self.end())
            .ok_or_else(|| damaged("a block is not inside the blob"))
    }
}

fn end_of_reservations(blob: &[u8], from: usize) -> Result<usize, MapError> {
    if from < HEADER_BYTES || !from.is_multiple_of(8) {
        return Err(damaged("the memory reservation block is misplaced"));
    }
    let mut at = from;
    loop {
        let next = at.saturating_add(16);
        let entry = blob
            .get(at..next)
            .ok_or_else(|| damaged("the memory reservation block does not end in the blob"))?;
        if entry.iter().all(|byte| *byte == 0) {
            return Ok(next);
        }
        at = next;
    }
}

struct Walk<'a> {
    structs: &'a [u8],
    strings: &'a [u8],
    at: usize,
    nodes: usize,
    properties: usize,
}

impl<'a> Walk<'a> {
    fn tree(&mut self) -> Result<(), MapError> {
        // The names on the way down: what an error names, and the depth.
        let mut path: [&str; DEPTH_MAX + 1] = [""; DEPTH_MAX + 1];
        let mut depth = 0usize;
        // Whether the current node may still have properties: they precede its children.
        let mut properties = false;
        loop {
            let names = path.get(..depth).unwrap_or_default();
            match self.token()? {
                BEGIN_NODE => {
                    if depth == 0 && self.nodes > 0 {
                        return Err(damaged("there is a second root node"));
                    }
                    let name = self.node_name(names)?;
                    if (depth == 0) != name.is_empty() {
                        return Err(misplaced(
                            names,
                            "a node's name is empty, or the root has one",
                        ));
                    }
                    if depth >= path.len() {
                        return Err(misplaced(
                            names,
                            "nodes are nested more than 14 levels deep",
                        ));
                    }
                    if let Some(slot) = path.get_mut(depth) {
                        *slot = name;
                    }
                    depth = depth.saturating_add(1);
                    self.nodes = self.nodes.saturating_add(1);
                    properties = true;
                }
                END_NODE => {
                    depth = depth
                        .checked_sub(1)
                        .ok_or_else(|| damaged("a node ends that has not begun"))?;
                    properties = false;
                }
                PROP if properties => self.property(names)?,
                PROP => {
                    return Err(misplaced(
                        names,
                        "a property follows a child node, or has no node",
                    ));
                }
                END if depth == 0 && self.nodes > 0 => break,
                END => return Err(misplaced(names, "the tree ends inside a node")),
                token => return Err(misplaced(names, format!("token {token:#x} is not one"))),
            }
        }
        if self.at != self.structs.len() {
            return Err(damaged("the structure block goes on behind its end token"));
        }
        Ok(())
    }

    fn word(&mut self) -> Result<u32, MapError> {
        let word = word(self.structs, self.at)
            .ok_or_else(|| damaged("the structure block ends before the tree does"))?;
        self.at = self.at.saturating_add(4);
        Ok(word)
    }

    fn token(&mut self) -> Result<u32, MapError> {
        loop {
            match self.word()? {
                NOP => {}
                token => return Ok(token),
            }
        }
    }

    /// Skips `bytes` bytes and the padding behind them, all inside the block.
    fn skip(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let value = self.structs.get(self.at..self.at.checked_add(bytes)?)?;
        let end = self.at.checked_add(bytes.checked_next_multiple_of(4)?)?;
        self.structs.get(..end)?;
        self.at = end;
        Some(value)
    }

    fn node_name(&mut self, parents: &[&str]) -> Result<&'a str, MapError> {
        let rest = self.structs.get(self.at..).unwrap_or_default();
        let name = terminated(rest)
            .filter(|name| name.bytes().all(|b| b.is_ascii_graphic() && b != b'/'))
            .ok_or_else(|| misplaced(parents, "a child's name is not one"))?;
        self.skip(name.len().saturating_add(1))
            .ok_or_else(|| misplaced(parents, "a child's name leaves the structure block"))?;
        Ok(name)
    }

    fn property(&mut self, node: &[&str]) -> Result<(), MapError> {
        let length = self.word()? as usize;
        let name_at = self.word()? as usize;
        let name = self
            .strings
            .get(name_at..)
            .and_then(terminated)
            .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()))
            .ok_or_else(|| misplaced(node, "a property's name is not in the strings block"))?;
        let value = self.skip(length).ok_or_else(|| {
            misplaced(
                node,
                format!("its {length} bytes leave the structure block"),
            )
            .property(name)
        })?;
        let most = match name {
            "#address-cells" | "#interrupt-cells" => 4,
            "#size-cells" => 2,
            _ => u32::MAX,
        };
        if most != u32::MAX && (value.len() != 4 || word(value, 0).is_none_or(|v| v > most)) {
            return Err(
                misplaced(node, format!("it is not a number from 0 to {most}")).property(name),
            );
        }
        self.properties = self.properties.saturating_add(1);
        Ok(())
    }
}

fn terminated(bytes: &[u8]) -> Option<&str> {
    core::ffi::CStr::from_bytes_until_nul(bytes)
        .ok()?
        .to_str()
        .ok()
}

fn misplaced(path: &[&str], what: impl Into<String>) -> MapError {
    let node = if path.len() <= 1 {
        String::from("/")
    } else {
        path.join("/")
    };
    MapError::new(node, what).mend("the blob is damaged: compile or copy it again")
}
