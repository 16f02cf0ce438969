//! Who interrupts whom, as the tree says it: a circle among controllers is no wiring.
//!
//! A controller that names itself is none: that is how a GIC's maintenance interrupt is
//! written (its own private interrupt, to itself).
use super::{Node, Tree};
use std::collections::BTreeMap;

impl Tree {
    /// The paths of controllers that interrupt each other in a circle.
    pub fn circle_of_controllers(&self) -> Option<Vec<String>> {
        let mut targets = BTreeMap::new();
        controllers(&self.root, "", None, &mut targets);
        for start in targets.keys() {
            let mut way = vec![*start];
            // Each controller has few targets; following the first that is another is enough
            // for a tree, in which a controller has one parent.
            while let Some((_, next)) = way.last().and_then(|last| targets.get(last)) {
                let Some(next) = next.iter().find(|next| Some(*next) != way.last()) else {
                    break;
                };
                if next == start {
                    let paths = way.iter().filter_map(|handle| targets.get(handle));
                    let mut paths: Vec<String> = paths.map(|(path, _)| path.clone()).collect();
                    paths.sort();
                    return Some(paths);
                }
                if way.contains(next) {
                    break;
                }
                way.push(*next);
            }
        }
        None
    }
}

/// Every controller's handle, with its path and the handles of those that it interrupts.
fn controllers(
    node: &Node,
    path: &str,
    parent: Option<u32>,
    found: &mut BTreeMap<u32, (String, Vec<u32>)>,
) {
    let parent = node.cell("interrupt-parent").or(parent);
    let is_controller = node.property("interrupt-controller").is_some();
    if let Some(handle) = node.cell("phandle").filter(|_| is_controller) {
        let mut targets = Vec::new();
        if node.property("interrupts").is_some() {
            targets.extend(parent);
        }
        targets.extend(node.cell("interrupts-extended"));
        found.insert(handle, (path.to_owned(), targets));
    }
    for child in &node.children {
        controllers(child, &format!("{path}/{}", child.name), parent, found);
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::compile;
    use super::*;
    use std::path::Path;

    fn circle(first: &str, second: &str) -> Option<Vec<String>> {
        let text = format!(
            "/dts-v1/; / {{
            a: a {{ interrupt-controller; #interrupt-cells = <1>; interrupt-parent = <&{first}>; interrupts = <1>; }};
            b: b {{ interrupt-controller; #interrupt-cells = <1>; interrupts-extended = <&{second} 2>; }};
            }};"
        );
        Tree::read(&compile(text.as_bytes(), Path::new("a.dts")).unwrap())
            .unwrap()
            .circle_of_controllers()
    }

    #[test]
    fn controllers_that_interrupt_each_other_are_a_circle() {
        assert_eq!(
            circle("b", "a"),
            Some(vec!["/a".to_owned(), "/b".to_owned()])
        );
    }

    #[test]
    fn a_cascade_and_a_maintenance_interrupt_are_none() {
        assert_eq!(circle("a", "a"), None);
        assert_eq!(circle("a", "b"), None);
    }
}
