//! A flattened device tree (Devicetree Specification v0.4, chapter 5), read, edited and
//! written: what a boot loader does to the tree that it hands to a kernel.
use crate::fault::{Fault, Result};
use std::path::Path;

pub mod source;
#[cfg(test)]
mod tests;
mod wiring;

/// A node: properties in their order, then children.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// The name with its unit address; empty for the root.
    pub name: String,
    /// Names and values.
    pub properties: Vec<(String, Vec<u8>)>,
    /// The nodes below it.
    pub children: Vec<Node>,
}

/// A whole tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// The root node.
    pub root: Node,
    /// The memory reservation block: address and size.
    pub reserved: Vec<(u64, u64)>,
    /// The physical ID of the boot CPU.
    pub boot_cpu: u32,
}

const MAGIC: u32 = 0xd00d_feed;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

impl Node {
    /// The property's value.
    pub fn property(&self, name: &str) -> Option<&[u8]> {
        self.properties
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_slice())
    }

    /// The property as a string (the first one of a list).
    pub fn text(&self, name: &str) -> Option<&str> {
        let value = self.property(name)?;
        std::str::from_utf8(value.split(|byte| *byte == 0).next()?).ok()
    }

    /// The strings of a list, `compatible` above all.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let value = self.property(name).unwrap_or_default();
        value
            .split(|byte| *byte == 0)
            .filter(|text| !text.is_empty())
            .filter_map(|text| std::str::from_utf8(text).ok())
    }

    /// The property's 32-bit cells.
    pub fn cells(&self, name: &str) -> Vec<u32> {
        let value = self.property(name).unwrap_or_default();
        let words = value.chunks_exact(4);
        words
            .map(|word| word.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
            .collect()
    }

    /// One cell.
    pub fn cell(&self, name: &str) -> Option<u32> {
        self.cells(name).first().copied()
    }

    /// Sets a property, in its place or as the last one.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let value = value.into();
        match self.properties.iter_mut().find(|(own, _)| own == name) {
            Some((_, old)) => *old = value,
            None => self.properties.push((name.to_owned(), value)),
        }
    }

    /// Sets a property to a string.
    pub fn set_text(&mut self, name: &str, text: &str) {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.set(name, value);
    }

    /// Takes a property away.
    pub fn remove(&mut self, name: &str) {
        self.properties.retain(|(own, _)| own != name);
    }

    /// The child of this name, with or without its unit address.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.is_called(name))
    }

    /// The child of this name, made if it is not there.
    pub fn child_mut(&mut self, name: &str) -> &mut Node {
        let at = self.children.iter().position(|child| child.is_called(name));
        let at = at.unwrap_or_else(|| {
            self.children.push(Node {
                name: name.to_owned(),
                ..Node::default()
            });
            self.children.len() - 1
        });
        &mut self.children[at]
    }

    /// Whether the node has this name, with or without its unit address.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.name.split('@').next() == Some(name)
    }

    /// Whether `compatible` holds this string.
    pub fn is_compatible(&self, with: &str) -> bool {
        self.texts("compatible").any(|own| own == with)
    }

    /// `#address-cells` and `#size-cells` for this node's children, or the defaults.
    pub fn child_cells(&self) -> (usize, usize) {
        let cells = |name, default| {
            self.cell(name)
                .map_or(default, |cells| cells.min(4) as usize)
        };
        (cells("#address-cells", 2), cells("#size-cells", 1))
    }
}

/// A region of `reg`, as the CPU sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Its first byte.
    pub base: u64,
    /// Its size in bytes.
    pub size: u64,
}

impl Region {
    /// The first address behind it, or the end of the address space.
    pub fn end(self) -> u64 {
        self.base.saturating_add(self.size)
    }

    /// Whether all of `other` lies in it.
    pub fn holds(self, other: Region) -> bool {
        self.base <= other.base && other.end() <= self.end()
    }

    /// Whether they share a byte.
    pub fn overlaps(self, other: Region) -> bool {
        self.base < other.end() && other.base < self.end()
    }
}

impl Tree {
    /// Reads a blob; what is wrong with it is said, never panicked.
    pub fn read(blob: &[u8]) -> std::result::Result<Self, Fault> {
        let damaged = |what: &str| Fault::new(format!("not a sound device tree: {what}"));
        let word = |at: usize| -> Option<u32> {
            Some(u32::from_be_bytes(
                blob.get(at..at.checked_add(4)?)?.try_into().ok()?,
            ))
        };
        let header = |index: usize| word(index * 4).ok_or_else(|| damaged("its header is cut"));
        if header(0)? != MAGIC {
            return Err(damaged("it does not begin with d00dfeed"));
        }
        let (structure, strings) = (header(2)? as usize, header(3)? as usize);
        let mut reserved = Vec::new();
        let mut at = header(4)? as usize;
        loop {
            let double = |at: usize| Some(u64::from(word(at)?) << 32 | u64::from(word(at + 4)?));
            match double(at).zip(double(at + 8)) {
                Some((0, 0)) => break,
                Some(pair) => reserved.push(pair),
                None => return Err(damaged("its memory reservation block has no end")),
            }
            at += 16;
        }
        let text = |at: usize| -> Option<(String, usize)> {
            let rest = blob.get(at..)?;
            let length = rest.iter().position(|byte| *byte == 0)?;
            Some((String::from_utf8(rest[..length].to_vec()).ok()?, length + 1))
        };
        let mut open: Vec<Node> = Vec::new();
        let mut at = structure;
        loop {
            let token = word(at).ok_or_else(|| damaged("its structure has no end"))?;
            at += 4;
            match token {
                BEGIN_NODE => {
                    let (name, bytes) =
                        text(at).ok_or_else(|| damaged("a node's name has no end"))?;
                    at += bytes.next_multiple_of(4);
                    open.push(Node {
                        name,
                        ..Node::default()
                    });
                }
                END_NODE => {
                    let node = open
                        .pop()
                        .ok_or_else(|| damaged("a node ends that never began"))?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(node),
                        None => {
                            return Ok(Self {
                                root: node,
                                reserved,
                                boot_cpu: header(7)?,
                            });
                        }
                    }
                }
                PROP => {
                    let (Some(size), Some(name)) = (word(at), word(at + 4)) else {
                        return Err(damaged("a property is cut"));
                    };
                    let size = size as usize;
                    let value = (at + 8)
                        .checked_add(size)
                        .and_then(|end| blob.get(at + 8..end));
                    let value = value.ok_or_else(|| damaged("a property leaves the blob"))?;
                    let (name, _) = strings
                        .checked_add(name as usize)
                        .and_then(text)
                        .ok_or_else(|| damaged("a property's name leaves the blob"))?;
                    let node = open.last_mut();
                    let node = node.ok_or_else(|| damaged("a property is in no node"))?;
                    node.properties.push((name, value.to_vec()));
                    at += 8 + size.next_multiple_of(4);
                }
                NOP => {}
                END => return Err(damaged("it ends inside a node")),
                _ => return Err(damaged("its structure has an unknown token")),
            }
        }
    }

    /// Reads a `.dts` (by the device tree compiler) or a `.dtb`.
    pub fn of_file(file: &Path) -> Result<Self> {
        Ok(Self::read(&source::blob_of_file(file)?).map_err(|fault| fault.in_file(file))?)
    }

    /// The tree as a blob, format version 17.
    pub fn write(&self) -> Vec<u8> {
        self.write_with_room(0)
    }

    /// The tree as a blob, with free bytes at its end for who edits it in place.
    pub fn write_with_room(&self, room: usize) -> Vec<u8> {
        let mut strings = Vec::new();
        let mut structure = Vec::new();
        write_node(&self.root, &mut structure, &mut strings);
        structure.extend_from_slice(&END.to_be_bytes());
        let mut reserved = Vec::new();
        for (base, size) in self.reserved.iter().chain([&(0, 0)]) {
            reserved.extend_from_slice(&base.to_be_bytes());
            reserved.extend_from_slice(&size.to_be_bytes());
        }
        let at_reserved = 40;
        let at_structure = at_reserved + reserved.len();
        let at_strings = at_structure + structure.len();
        let total = (at_strings + strings.len() + room).next_multiple_of(8);
        let header = [
            MAGIC as usize,
            total,
            at_structure,
            at_strings,
            at_reserved,
            17,
            16,
            self.boot_cpu as usize,
            strings.len(),
            structure.len(),
        ];
        let mut blob = Vec::with_capacity(total);
        for word in header {
            blob.extend_from_slice(&u32::try_from(word).unwrap_or(u32::MAX).to_be_bytes());
        }
        blob.extend(reserved);
        blob.extend(structure);
        blob.extend(strings);
        blob.resize(total, 0);
        blob
    }

    /// The node at a path like `/cpus/cpu@0`.
    pub fn node(&self, path: &str) -> Option<&Node> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts
            .into_iter()
            .try_fold(&self.root, |node, part| node.child(part))
    }

    /// Every node with its path and its regions as the CPU sees them, parents first.
    pub fn walk(&self) -> Vec<(String, &Node, Vec<Region>)> {
        let mut found = Vec::new();
        walk_below(&self.root, "", &|at| Some(at), (2, 1), &mut found);
        found
    }

    /// The board's RAM, by its `/memory` nodes.
    pub fn memory(&self) -> Vec<Region> {
        let nodes = self.walk();
        let memory = nodes.iter().filter(|(path, node, _)| {
            path.matches('/').count() == 1 && node.text("device_type") == Some("memory")
        });
        memory.flat_map(|(_, _, regions)| regions.clone()).collect()
    }

    /// Gives the board `bytes` of RAM, from the base of its first memory node on.
    pub fn set_memory(&mut self, bytes: u64) {
        let Some(base) = self.memory().first().map(|region| region.base) else {
            return;
        };
        let (address, size) = self.root.child_cells();
        let is_memory = |node: &Node| node.text("device_type") == Some("memory");
        let first = self.root.children.iter().position(is_memory);
        let mut index = 0;
        self.root.children.retain(|node| {
            index += 1;
            !is_memory(node) || Some(index - 1) == first
        });
        if let Some(node) = first.and_then(|first| self.root.children.get_mut(first)) {
            let mut reg = number(base, address);
            reg.extend(number(bytes, size));
            node.set("reg", reg);
        }
    }

    /// Keeps the first `count` CPUs.
    pub fn keep_cpus(&mut self, count: usize) {
        let mut gone = Vec::new();
        if let Some(cpus) = self
            .root
            .children
            .iter_mut()
            .find(|node| node.name == "cpus")
        {
            let mut seen = 0;
            cpus.children.retain(|node| {
                let is_cpu = node.text("device_type") == Some("cpu");
                seen += usize::from(is_cpu);
                let keep = !is_cpu || seen <= count;
                if !keep {
                    gone.extend(node.cell("phandle"));
                }
                keep
            });
        }
        // What named a CPU that is gone, does no more.
        each_node(&mut self.root, &mut |node| {
            let affinity = node.cells("interrupt-affinity");
            if affinity.iter().any(|cpu| gone.contains(cpu)) {
                // The interrupts go with their CPUs, one for each.
                let interrupts = node.cells("interrupts");
                let each = interrupts.len() / affinity.len();
                let kept = |per_cpu: usize, cells: &[u32]| -> Vec<u8> {
                    let pairs = affinity.iter().zip(cells.chunks_exact(per_cpu.max(1)));
                    pairs
                        .filter(|(cpu, _)| !gone.contains(cpu))
                        .flat_map(|(_, cells)| cells.iter().flat_map(|cell| cell.to_be_bytes()))
                        .collect()
                };
                if each * affinity.len() == interrupts.len() {
                    node.set("interrupts", kept(each, &interrupts));
                }
                node.set("interrupt-affinity", kept(1, &affinity));
            }
            node.children.retain(|child| {
                !(child.is_called("map") || child.name.starts_with("core"))
                    || child.cell("cpu").is_none_or(|cpu| !gone.contains(&cpu))
            });
        });
    }

    /// Takes away what only Reliquary understands: properties and nodes.
    #[must_use]
    pub fn without_ours(mut self) -> Self {
        each_node(&mut self.root, &mut |node| {
            node.properties
                .retain(|(name, _)| !name.starts_with("reliquary,"));
            node.children.retain(|child| {
                let mut names = child.texts("compatible").peekable();
                !names
                    .peek()
                    .is_some_and(|first| first.starts_with("reliquary,"))
            });
        });
        self
    }

    /// What a boot loader tells a kernel: its arguments and where its initial RAM disk is.
    pub fn set_chosen(&mut self, args: Option<&str>, initrd: Option<Region>) {
        let cells = self.root.child_cells().0;
        let chosen = self.root.child_mut("chosen");
        if let Some(args) = args {
            chosen.set_text("bootargs", args);
        }
        if let Some(initrd) = initrd {
            chosen.set("linux,initrd-start", number(initrd.base, cells));
            chosen.set("linux,initrd-end", number(initrd.end(), cells));
        }
    }

    /// The CPUs' `compatible` strings, in order.
    pub fn cpus(&self) -> Vec<String> {
        let cpus = self.root.child("cpus");
        let nodes = cpus
            .map(|cpus| cpus.children.as_slice())
            .unwrap_or_default();
        nodes
            .iter()
            .filter(|node| node.text("device_type") == Some("cpu"))
            .map(|node| node.text("compatible").unwrap_or_default().to_owned())
            .collect()
    }
}

/// A number in so many 32-bit cells.
pub fn number(value: u64, cells: usize) -> Vec<u8> {
    let bytes = (value as u128).to_be_bytes();
    bytes[16 - 4 * cells.min(4)..].to_vec()
}

fn number_of(cells: &[u32]) -> u64 {
    cells
        .iter()
        .fold(0, |sum, cell| sum << 32 | u64::from(*cell))
}

fn each_node(node: &mut Node, visit: &mut dyn FnMut(&mut Node)) {
    visit(node);
    for child in &mut node.children {
        each_node(child, visit);
    }
}

fn walk_below<'a>(
    node: &'a Node,
    path: &str,
    to_cpu: &dyn Fn(u64) -> Option<u64>,
    (address, size): (usize, usize),
    found: &mut Vec<(String, &'a Node, Vec<Region>)>,
) {
    let path = match (path, node.name.as_str()) {
        ("", "") => "/".to_owned(),
        ("/", name) => format!("/{name}"),
        (path, name) => format!("{path}/{name}"),
    };
    let reg = node.cells("reg");
    let regions = match address + size {
        0 => Vec::new(),
        stride => reg
            .chunks_exact(stride)
            .filter_map(|entry| {
                let (base, bytes) = entry.split_at(address);
                Some(Region {
                    base: to_cpu(number_of(base))?,
                    size: number_of(bytes),
                })
            })
            .collect(),
    };
    let own = node.child_cells();
    let ranges = node.cells("ranges");
    let through: Vec<(u64, u64, u64)> = ranges
        .chunks_exact((own.0 + address + own.1).max(1))
        .map(|entry| {
            let (child, rest) = entry.split_at(own.0);
            let (parent, bytes) = rest.split_at(address);
            (number_of(child), number_of(parent), number_of(bytes))
        })
        .collect();
    let is_root = path == "/";
    let one_to_one = is_root || node.property("ranges").is_some_and(<[u8]>::is_empty);
    found.push((path.clone(), node, regions));
    let below = |at: u64| {
        if one_to_one {
            return to_cpu(at);
        }
        through.iter().find_map(|(child, parent, bytes)| {
            let offset = at.checked_sub(*child).filter(|offset| offset < bytes)?;
            to_cpu(parent.checked_add(offset)?)
        })
    };
    for child in &node.children {
        walk_below(child, &path, &below, own, found);
    }
}

fn write_node(node: &Node, structure: &mut Vec<u8>, strings: &mut Vec<u8>) {
    let pad = |bytes: &mut Vec<u8>| bytes.resize(bytes.len().next_multiple_of(4), 0);
    structure.extend_from_slice(&BEGIN_NODE.to_be_bytes());
    structure.extend_from_slice(node.name.as_bytes());
    structure.push(0);
    pad(structure);
    for (name, value) in &node.properties {
        let mut ended = name.as_bytes().to_vec();
        ended.push(0);
        let known = strings
            .windows(ended.len())
            .position(|window| window == ended);
        let at = known.unwrap_or_else(|| {
            let at = strings.len();
            strings.extend_from_slice(&ended);
            at
        });
        for word in [PROP as usize, value.len(), at] {
            structure.extend_from_slice(&u32::try_from(word).unwrap_or(u32::MAX).to_be_bytes());
        }
        structure.extend_from_slice(value);
        pad(structure);
    }
    for child in &node.children {
        write_node(child, structure, strings);
    }
    structure.extend_from_slice(&END_NODE.to_be_bytes());
}
