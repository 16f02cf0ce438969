//! What becomes of each node of a board's tree, in words.
use reliquary::board::catalog::{self, Tier};
use reliquary::board::census::{self, Role};
use reliquary::board::devicetree;

/// What a node comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A device that is emulated.
    Emulated,
    /// A device that only tells what it is.
    Stubbed,
    /// A device of the host's.
    PassedThrough,
    /// Memory.
    Memory,
    /// The CPUs' own: identity, timer, power.
    Cpu,
    /// A device that nothing serves.
    Unclaimed,
    /// A part of another device, or a node that describes.
    Described,
}

/// A node's fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// The node's path.
    pub path: String,
    /// What it comes to.
    pub kind: Kind,
    /// That in words.
    pub words: String,
    /// Whether nothing serves the node as it is, and what a map says instead.
    pub mend: Option<Mend>,
}

/// How a map makes a node acceptable that nothing emulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// `reliquary,identity`: the PrimeCell identity answers.
    Identity,
    /// `status = "disabled"`.
    Disable,
}

/// The fate of every node, in the tree's order.
pub fn fates(tree: &devicetree::Tree<'_>) -> Vec<Fate> {
    let (roles, _) = census::roles(tree);
    let fates = roles.into_iter().map(|(node, role)| {
        let identity = catalog::identity_of(node).is_some();
        let (kind, words, mend) = match role {
            Role::Device(entry) if entry.tier == Tier::Identity => (
                Kind::Stubbed,
                "stubbed: its identity registers answer, nothing else".to_owned(),
                None,
            ),
            Role::Device(entry) => (
                Kind::Emulated,
                format!("emulated ({}): {}", entry.tier.word(), entry.summary),
                None,
            ),
            Role::PassThrough { tap: true } => (
                Kind::PassedThrough,
                "passed through, each access recorded".to_owned(),
                None,
            ),
            Role::PassThrough { tap: false } => {
                (Kind::PassedThrough, "passed through".to_owned(), None)
            }
            Role::Memory => (Kind::Memory, "main memory".to_owned(), None),
            Role::Ram => (Kind::Memory, "memory".to_owned(), None),
            Role::Alias => (
                Kind::Memory,
                "memory that is seen a second time".to_owned(),
                None,
            ),
            Role::Cpu => (Kind::Cpu, "the guest sees this CPU".to_owned(), None),
            Role::Timer => (
                Kind::Cpu,
                "the generic timer, emulated on the host's".to_owned(),
                None,
            ),
            Role::Psci => (
                Kind::Cpu,
                "power calls, answered by the hypervisor".to_owned(),
                None,
            ),
            Role::Unknown if identity => (
                Kind::Stubbed,
                "nothing emulates it; its identity is known".to_owned(),
                Some(Mend::Identity),
            ),
            Role::Unknown => (
                Kind::Unclaimed,
                "unclaimed: nothing emulates it".to_owned(),
                Some(Mend::Disable),
            ),
            Role::Disabled => (Kind::Unclaimed, "unclaimed: disabled".to_owned(), None),
            Role::Bus => (Kind::Described, "a bus".to_owned(), None),
            Role::Part => (
                Kind::Described,
                "a part of the device above".to_owned(),
                None,
            ),
            Role::Described => (Kind::Described, "described only".to_owned(), None),
        };
        Fate {
            path: node.path(),
            kind,
            words,
            mend,
        }
    });
    fates.collect()
}
