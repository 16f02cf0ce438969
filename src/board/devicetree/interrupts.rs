//! Which input of which interrupt controller a node's interrupts reach.
//!
//! Devicetree Specification v0.4, 2.4: `interrupts`, `interrupts-extended`, and nexus nodes
//! with an `interrupt-map`, through which a motherboard's own numbers become the SoC's.

use super::{Cells, MapError, Node, Tree};
use alloc::format;
use alloc::vec::Vec;

/// The most nexus nodes between a device and its controller.
const NEXUS_MAX: usize = 4;

/// One interrupt of a node.
#[derive(Clone, Copy)]
pub struct Interrupt<'t, 'a> {
    /// The controller.
    pub controller: Node<'t, 'a>,
    /// The specifier in the controller's own form; cells beyond its number are 0.
    pub specifier: [u32; 4],
    /// How many cells the specifier has.
    pub cells: usize,
}

impl<'t, 'a> Node<'t, 'a> {
    /// The node's interrupts, each followed to its controller.
    pub fn interrupts(self) -> Result<Vec<Interrupt<'t, 'a>>, MapError> {
        let mut found = Vec::new();
        if let Some(mut cells) = self.cells("interrupts-extended")? {
            let name = "interrupts-extended";
            while let Some(phandle) = cells.next() {
                let parent = self.refer(phandle, name)?;
                let specifier = self.specifier(parent, &mut cells, name)?;
                found.push(self.resolve(specifier, name)?);
            }
        } else if let Some(mut cells) = self.cells("interrupts")? {
            let name = "interrupts";
            let parent = self.interrupt_parent()?.ok_or_else(|| {
                self.wrong("no interrupt controller is above it")
                    .property(name)
                    .mend("give it or a parent an interrupt-parent")
            })?;
            while !cells.is_empty() {
                let specifier = self.specifier(parent, &mut cells, name)?;
                found.push(self.resolve(specifier, name)?);
            }
        }
        Ok(found)
    }

    /// Where this node's `interrupts` lead first: a controller or a nexus.
    pub fn interrupt_parent(self) -> Result<Option<Self>, MapError> {
        let mut node = self;
        loop {
            if let Some(phandle) = node.u32("interrupt-parent")? {
                return node.refer(phandle, "interrupt-parent").map(Some);
            }
            let Some(parent) = node.parent() else {
                return Ok(None);
            };
            if parent.has("#interrupt-cells") {
                return Ok(Some(parent));
            }
            node = parent;
        }
    }

    /// The node of a phandle that `property` holds.
    pub fn refer(self, phandle: u32, property: &str) -> Result<Self, MapError> {
        let tree: &'t Tree<'a> = self.tree;
        tree.phandle(phandle).ok_or_else(|| {
            self.wrong(format!("no node has the phandle {phandle:#x}"))
                .property(property)
        })
    }

    fn specifier(
        self,
        controller: Self,
        cells: &mut Cells<'a>,
        property: &str,
    ) -> Result<Interrupt<'t, 'a>, MapError> {
        let count = controller.u32("#interrupt-cells")?.unwrap_or(0) as usize;
        let short = || {
            self.wrong(format!(
                "its length does not fit the {count} #interrupt-cells of {}",
                controller.path()
            ))
            .property(property)
            .mend("give each interrupt as many cells as its controller wants")
        };
        if count == 0 {
            return Err(short());
        }
        let mut specifier = [0; 4];
        for slot in specifier.iter_mut().take(count) {
            *slot = cells.next().ok_or_else(short)?;
        }
        Ok(Interrupt {
            controller,
            specifier,
            cells: count,
        })
    }

    /// Follows an interrupt through nexus nodes to its controller.
    fn resolve(
        self,
        mut interrupt: Interrupt<'t, 'a>,
        property: &str,
    ) -> Result<Interrupt<'t, 'a>, MapError> {
        // The unit address that a nexus compares: this node's first `reg` entry.
        let mut unit = [0u32; 4];
        for (slot, cell) in unit
            .iter_mut()
            .zip(self.cells("reg")?.unwrap_or(Cells(&[])))
        {
            *slot = cell;
        }
        for _ in 0..=NEXUS_MAX {
            let nexus = interrupt.controller;
            if !nexus.has("interrupt-map") {
                if !nexus.has("interrupt-controller") {
                    return Err(self
                        .wrong(format!("{} is no interrupt controller", nexus.path()))
                        .property(property));
                }
                return Ok(interrupt);
            }
            interrupt = nexus.map(&unit, &interrupt)?.ok_or_else(|| {
                let first = interrupt.specifier.first().copied().unwrap_or(0);
                self.wrong(format!(
                    "interrupt {first} is not in the interrupt-map of {}",
                    nexus.path()
                ))
                .property(property)
            })?;
            unit = [0; 4];
        }
        Err(self
            .wrong("its interrupt goes in circles through interrupt-maps")
            .property(property))
    }

    /// One step through this nexus's `interrupt-map`.
    fn map(
        self,
        unit: &[u32; 4],
        interrupt: &Interrupt<'t, 'a>,
    ) -> Result<Option<Interrupt<'t, 'a>>, MapError> {
        let name = "interrupt-map";
        let address = self.address_cells().min(unit.len());
        let wanted = || {
            unit.iter()
                .take(address)
                .chain(interrupt.specifier.iter().take(interrupt.cells))
        };
        let mask = self.cells("interrupt-map-mask")?;
        let mask = |i: usize| mask.clone().and_then(|mut m| m.nth(i)).unwrap_or(u32::MAX);
        let mut cells = self.cells(name)?.unwrap_or(Cells(&[]));
        let short = || {
            self.wrong("its length does not fit its entries")
                .property(name)
        };
        let mut last: Option<(u32, Self)> = None;
        while !cells.is_empty() {
            let mut matches = true;
            for (i, want) in wanted().enumerate() {
                let have = cells.next().ok_or_else(short)?;
                matches &= (have ^ want) & mask(i) == 0;
            }
            let phandle = cells.next().ok_or_else(short)?;
            let parent = match last {
                Some((same, parent)) if same == phandle => parent,
                _ => self.refer(phandle, name)?,
            };
            last = Some((phandle, parent));
            // A controller without #address-cells has none here (as firmware writes it).
            for _ in 0..parent.u32("#address-cells")?.unwrap_or(0) {
                cells.next().ok_or_else(short)?;
            }
            let mapped = self.specifier(parent, &mut cells, name)?;
            if matches {
                return Ok(Some(mapped));
            }
        }
        Ok(None)
    }
}
