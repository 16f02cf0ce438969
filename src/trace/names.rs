//! What a board's devices are called in a trace: by an alias of the map, else by the node's name,
//! else, where two nodes have the same name, by the whole path.

use crate::board::devicetree::Tree;
use crate::board::plan::{Plan, WindowKind};
use crate::units::Ipa;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// The names of a board's devices, in the order of [`Plan::devices`]; behind them, in the order of
/// [`Plan::windows`], those of the windows: a tapped one is recorded under its own.
#[derive(Clone, Debug)]
pub struct Names(Vec<String>);

impl Names {
    /// Of the board of `plan`.
    pub fn of(plan: &Plan) -> Self {
        let devices = plan.devices.iter().map(|device| device.node.as_str());
        let windows = plan.windows.iter().map(|window| window.node.as_str());
        let nodes: Vec<&str> = devices.chain(windows).collect();
        let tree = Tree::read(&plan.map).ok();
        let aliases: Vec<(String, String)> = tree
            .as_ref()
            .and_then(|tree| tree.node("/aliases"))
            .map(|node| {
                let pairs = node.properties().filter_map(|(name, _)| {
                    let path = node.str(name).ok()??;
                    Some((name.to_owned(), path.to_owned()))
                });
                pairs.collect()
            })
            .unwrap_or_default();
        let name = |node: &str| {
            let alias = aliases.iter().find(|(_, path)| path == node);
            if let Some((alias, _)) = alias {
                return alias.clone();
            }
            let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
            let own = last(node);
            let shared = nodes
                .iter()
                .any(|other| *other != node && last(other) == own);
            if shared { node.to_owned() } else { own }
        };
        Self(nodes.iter().map(|node| name(node)).collect())
    }

    /// The name of a device, or of a window: see [`crate::board::observe::Seen::device`].
    pub fn name(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(String::as_str)
    }

    /// The number of a name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|known| known == name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The device, and its register block, whose window begins at `at` or holds it: by this a record
/// of addresses finds its devices. With the offset in that block.
pub fn at_address(plan: &Plan, at: Ipa) -> Option<(usize, u8, u64)> {
    let window = plan.windows.iter().find(|window| window.holds(at, 1))?;
    let offset = at.0.wrapping_sub(window.at.0);
    match window.kind {
        WindowKind::Device { device, region } | WindowKind::DirectReads { device, region, .. } => {
            Some((device, region, offset))
        }
        _ => None,
    }
}
