//! Device trees: a board's map, and the host's own.
//!
//! Devicetree Specification v0.4. [`Tree::read`] checks the blob's structure
//! ([`structure::check`]) before the parser crate sees it, then keeps an index of nodes and
//! properties. Nothing that reads a [`Tree`] can panic, and every error names node and property.

pub mod interrupts;
pub mod structure;
#[cfg(test)]
pub(crate) mod tests;

use super::error::MapError;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use fdt::Fdt;
use fdt::nodes::NodeName;

/// A device tree whose structure has been checked.
pub struct Tree<'a> {
    blob: &'a [u8],
    nodes: Vec<Entry<'a>>,
    properties: Vec<(&'a str, &'a [u8])>,
    reservations: usize,
}

struct Entry<'a> {
    name: &'a str,
    unit: Option<&'a str>,
    parent: usize,
    /// Where the node's properties begin in `Tree::properties`, and end.
    properties: (usize, usize),
}

impl<'a> Tree<'a> {
    /// Checks and reads the flattened device tree at the start of `bytes`.
    pub fn read(bytes: &'a [u8]) -> Result<Self, MapError> {
        let census = structure::check(bytes)?;
        let mut tree = Self {
            blob: census.blob,
            nodes: Vec::with_capacity(census.nodes),
            properties: Vec::with_capacity(census.properties),
            reservations: census.reservations,
        };
        tree.index().map_err(|error| {
            MapError::new("(device tree)", format!("it cannot be read: {error}"))
        })?;
        if (tree.nodes.len(), tree.properties.len()) != (census.nodes, census.properties) {
            return Err(MapError::new(
                "(device tree)",
                "it reads differently than it is built",
            ));
        }
        for node in tree.nodes() {
            if let Some(name) = node.twice() {
                return Err(MapError::new(node.path(), "it is there twice").property(name));
            }
        }
        Ok(tree)
    }

    fn index(&mut self) -> Result<(), fdt::FdtError> {
        let parsed = Fdt::new_unaligned_fallible(self.blob)?;
        // Indices of the nodes on the way down to the current one.
        let mut above = [0usize; structure::DEPTH_MAX + 2];
        let root = fdt::nodes::AsNode::as_node(&parsed.root()?);
        for item in core::iter::once(Ok((0, root))).chain(parsed.all_nodes()?) {
            let (depth, node) = item?;
            let begin = self.properties.len();
            for property in node.properties()? {
                let property = property?;
                self.properties.push((property.name, property.value));
            }
            let NodeName {
                name,
                unit_address: unit,
            } = node.name()?;
            let this = self.nodes.len();
            let parent = depth
                .checked_sub(1)
                .and_then(|d| above.get(d))
                .copied()
                .unwrap_or(0);
            if let Some(slot) = above.get_mut(depth) {
                *slot = this;
            }
            self.nodes.push(Entry {
                name,
                unit,
                parent,
                properties: (begin, self.properties.len()),
            });
        }
        Ok(())
    }

    /// The blob, cut to its own size.
    pub fn blob(&self) -> &'a [u8] {
        self.blob
    }

    /// The root node.
    pub fn root(&self) -> Node<'_, 'a> {
        Node {
            tree: self,
            index: 0,
        }
    }

    /// All nodes, parents before their children, in the tree's order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_, 'a>> {
        (0..self.nodes.len()).map(|index| Node { tree: self, index })
    }

    /// The node at `path`: from the root, or from an alias (`serial0/port@0`). A component
    /// without a unit address names the only node of that name.
    pub fn node(&self, path: &str) -> Option<Node<'_, 'a>> {
        if let Some(rest) = path.strip_prefix('/') {
            return self.root().below(rest);
        }
        let (alias, rest) = path.split_once('/').unwrap_or((path, ""));
        let target = self.node("/aliases")?.str(alias).ok()??;
        let target = target.strip_prefix('/')?;
        self.root().below(target)?.below(rest)
    }

    /// The node that other nodes refer to by this number.
    pub fn phandle(&self, phandle: u32) -> Option<Node<'_, 'a>> {
        let has = |node: &Node<'_, 'a>, name| matches!(node.u32(name), Ok(Some(v)) if v == phandle);
        self.nodes()
            .find(|node| has(node, "phandle") || has(node, "linux,phandle"))
    }

    /// The first node that is compatible with any of `with`.
    pub fn compatible(&self, with: &[&str]) -> Option<Node<'_, 'a>> {
        self.nodes()
            .find(|node| with.iter().any(|c| node.is_compatible(c)))
    }

    /// The node that `/chosen` names in `stdout-path`, and the options behind the colon.
    pub fn stdout(&self) -> Option<(Node<'_, 'a>, Option<&'a str>)> {
        let chosen = self.node("/chosen")?;
        let path = match chosen.str("stdout-path") {
            Ok(Some(path)) => path,
            _ => chosen.str("linux,stdout-path").ok()??,
        };
        match path.split_once(':') {
            Some((path, options)) => Some((self.node(path)?, Some(options))),
            None => Some((self.node(path)?, None)),
        }
    }

    /// The memory reservation block: address and size of each entry.
    pub fn reservations(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut at = self.reservations;
        core::iter::from_fn(move || {
            let entry = self.blob.get(at..at.checked_add(16)?)?;
            at = at.checked_add(16)?;
            let mut cells = Cells(entry);
            let entry = (cells.take_u64(2)?, cells.take_u64(2)?);
            (entry != (0, 0)).then_some(entry)
        })
    }
}

/// A node of a [`Tree`].
#[derive(Clone, Copy)]
pub struct Node<'t, 'a> {
    tree: &'t Tree<'a>,
    index: usize,
}

impl PartialEq for Node<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.tree, other.tree) && self.index == other.index
    }
}

/// One entry of a `reg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reg {
    /// The address as the node's own bus counts.
    pub bus: u128,
    /// The address as the CPUs see it; none if no `ranges` lead there (an I2C device).
    pub cpu: Option<u64>,
    /// The size; 0 on a bus without sizes.
    pub bytes: u64,
}

impl<'t, 'a> Node<'t, 'a> {
    fn entry(&self) -> Option<&'t Entry<'a>> {
        self.tree.nodes.get(self.index)
    }

    /// The node's number in the order of the tree.
    pub fn index(self) -> usize {
        self.index
    }

    /// The name, without the unit address; `/` for the root.
    pub fn name(self) -> &'a str {
        self.entry().map_or("/", |entry| entry.name)
    }

    /// The unit address: what follows the `@`.
    pub fn unit(self) -> Option<&'a str> {
        self.entry()?.unit
    }

    /// The full path.
    pub fn path(self) -> String {
        let mut names: Vec<Self> = Vec::new();
        let mut node = self;
        while let Some(parent) = node.parent() {
            names.push(node);
            node = parent;
        }
        let mut path = String::new();
        for node in names.iter().rev() {
            path.push('/');
            path.push_str(node.name());
            if let Some(unit) = node.unit() {
                path.push('@');
                path.push_str(unit);
            }
        }
        if path.is_empty() {
            String::from("/")
        } else {
            path
        }
    }

    /// The parent; none for the root.
    pub fn parent(self) -> Option<Self> {
        let index = self.entry()?.parent;
        (self.index != 0).then_some(Self {
            tree: self.tree,
            index,
        })
    }

    /// The children, in the tree's order.
    pub fn children(self) -> impl Iterator<Item = Self> {
        self.tree
            .nodes()
            .filter(move |node| node.index != 0 && node.parent() == Some(self))
    }

    fn below(self, path: &str) -> Option<Self> {
        path.split('/')
            .filter(|part| !part.is_empty())
            .try_fold(self, |node, part| {
                let (name, unit) = match part.split_once('@') {
                    Some((name, unit)) => (name, Some(unit)),
                    None => (part, None),
                };
                let mut named = node.children().filter(|child| {
                    child.name() == name && (unit.is_none() || child.unit() == unit)
                });
                let first = named.next()?;
                let exact = unit.is_some() || first.unit().is_none();
                (exact || named.next().is_none()).then_some(first)
            })
    }

    /// The properties, in the tree's order.
    pub fn properties(self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let (begin, end) = self.entry().map_or((0, 0), |entry| entry.properties);
        self.tree
            .properties
            .get(begin..end)
            .unwrap_or_default()
            .iter()
            .copied()
    }

    fn twice(self) -> Option<&'a str> {
        self.properties()
            .enumerate()
            .find(|(i, (name, _))| self.properties().take(*i).any(|(other, _)| other == *name))
            .map(|(_, (name, _))| name)
    }

    /// A property's value.
    pub fn property(self, name: &str) -> Option<&'a [u8]> {
        self.properties()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    /// Whether the property is there.
    pub fn has(self, name: &str) -> bool {
        self.property(name).is_some()
    }

    /// An error about this node.
    pub fn wrong(self, what: impl Into<String>) -> MapError {
        MapError::new(self.path(), what)
    }

    /// A property that is one string.
    pub fn str(self, name: &str) -> Result<Option<&'a str>, MapError> {
        let Some(value) = self.property(name) else {
            return Ok(None);
        };
        match core::ffi::CStr::from_bytes_with_nul(value).map(core::ffi::CStr::to_str) {
            Ok(Ok(text)) => Ok(Some(text)),
            _ => Err(self.wrong("it is not one string").property(name)),
        }
    }

    /// The strings of a property; none if it is not there or not made of strings.
    pub fn strings(self, name: &str) -> impl Iterator<Item = &'a str> {
        let value = self.property(name).unwrap_or_default();
        let text = core::str::from_utf8(value)
            .ok()
            .and_then(|text| text.strip_suffix('\0'));
        text.into_iter().flat_map(|text| text.split('\0'))
    }

    /// A property that is one cell.
    pub fn u32(self, name: &str) -> Result<Option<u32>, MapError> {
        let Some(value) = self.property(name) else {
            return Ok(None);
        };
        match <[u8; 4]>::try_from(value) {
            Ok(cell) => Ok(Some(u32::from_be_bytes(cell))),
            Err(_) => Err(self.wrong("it is not one cell").property(name)),
        }
    }

    /// A property that is a list of cells.
    pub fn cells(self, name: &str) -> Result<Option<Cells<'a>>, MapError> {
        let Some(value) = self.property(name) else {
            return Ok(None);
        };
        if !value.len().is_multiple_of(4) {
            return Err(self.wrong("it is not a list of cells").property(name));
        }
        Ok(Some(Cells(value)))
    }

    /// Whether `compatible` names it.
    pub fn is_compatible(self, with: &str) -> bool {
        self.strings("compatible").any(|c| c == with)
    }

    /// Whether `status` is absent or says okay.
    pub fn is_enabled(self) -> bool {
        match self.str("status") {
            Ok(Some(status)) => status == "okay" || status == "ok",
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// `#address-cells`, for the children.
    pub fn address_cells(self) -> usize {
        self.u32("#address-cells").ok().flatten().unwrap_or(2) as usize
    }

    /// `#size-cells`, for the children.
    pub fn size_cells(self) -> usize {
        self.u32("#size-cells").ok().flatten().unwrap_or(1) as usize
    }

    /// `reg`, with each address translated through the parents' `ranges`.
    pub fn reg(self) -> Result<Vec<Reg>, MapError> {
        self.addresses("reg")
    }

    /// A property of `reg`'s form.
    pub fn addresses(self, name: &str) -> Result<Vec<Reg>, MapError> {
        let (Some(mut cells), Some(parent)) = (self.cells(name)?, self.parent()) else {
            return Ok(Vec::new());
        };
        let (address, size) = (parent.address_cells(), parent.size_cells());
        let each = address.saturating_add(size);
        if each == 0 || !cells.len().is_multiple_of(each) {
            return Err(self
                .wrong(format!(
                    "{} cells are no list of {address} + {size} each",
                    cells.len()
                ))
                .property(name)
                .mend("the parent's #address-cells and #size-cells give the form"));
        }
        let mut regs = Vec::with_capacity(cells.len().checked_div(each).unwrap_or(0));
        while let (Some(bus), Some(bytes)) = (cells.take_u128(address), cells.take_u64(size)) {
            if bytes == 0 && size == 0 && address == 0 {
                break;
            }
            regs.push(Reg {
                bus,
                cpu: parent.to_cpu(bus, bytes)?,
                bytes,
            });
            if cells.is_empty() {
                break;
            }
        }
        Ok(regs)
    }

    /// Where `bus` to `bus + bytes` on this node's own bus is for the CPUs.
    fn to_cpu(self, bus: u128, bytes: u64) -> Result<Option<u64>, MapError> {
        let (mut node, mut at) = (self, bus);
        while let Some(parent) = node.parent() {
            let Some(mut cells) = node.cells("ranges")? else {
                return Ok(None);
            };
            if !cells.is_empty() {
                let (child, up, size) = (
                    node.address_cells(),
                    parent.address_cells(),
                    node.size_cells(),
                );
                let each = child.saturating_add(up).saturating_add(size);
                if cells.len().checked_rem(each).is_none_or(|rest| rest != 0) {
                    return Err(node
                        .wrong(format!("{} cells, not {each} each", cells.len()))
                        .property("ranges"));
                }
                let last = at.saturating_add(u128::from(bytes.saturating_sub(1)));
                let mut found = None;
                while let (Some(from), Some(to), Some(length)) = (
                    cells.take_u128(child),
                    cells.take_u128(up),
                    cells.take_u64(size),
                ) {
                    let end = from.saturating_add(u128::from(length));
                    if at >= from && last < end {
                        found = to.checked_add(at.wrapping_sub(from));
                        break;
                    }
                    if cells.is_empty() {
                        break;
                    }
                }
                let Some(to) = found else { return Ok(None) };
                at = to;
            }
            node = parent;
        }
        Ok(u64::try_from(at).ok())
    }
}

/// A list of cells: big-endian 32-bit words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells<'a>(&'a [u8]);

impl Cells<'_> {
    /// How many are left.
    pub fn len(&self) -> usize {
        self.0.len() / 4
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.0.len() < 4
    }

    /// Takes `cells` cells as one number; none if it does not fit.
    pub fn take_u64(&mut self, cells: usize) -> Option<u64> {
        u64::try_from(self.take_u128(cells)?).ok()
    }

    /// Takes `cells` (at most 4) cells as one number.
    pub fn take_u128(&mut self, cells: usize) -> Option<u128> {
        (0..cells).try_fold(0u128, |number, _| {
            Some(number << 32 | u128::from(self.next()?))
        })
    }
}

impl Iterator for Cells<'_> {
    type Item = u32;
    fn next(&mut self) -> Option<u32> {
        let (cell, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*cell))
    }
}
