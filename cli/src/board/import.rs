//! `cargo reliquary board import`: a board's own device tree becomes its resource map.
use super::fate::{self, Fate, Kind, Mend};
use super::write;
use crate::fault::{Doing, Fault, Result};
use crate::tree::{Node, Tree};
use reliquary::board::devicetree;
use std::collections::BTreeMap;
use std::path::Path;

/// Writes the resource map that a board's own `.dtb` gives to `output` (`-` is standard
/// output), and says node by node what becomes of it.
pub fn import(dtb: &Path, output: &Path) -> Result<()> {
    let blob = crate::tree::source::blob_of_file(dtb)?;
    let (map, fates) = map_of(&blob, dtb)?;
    let report = report(&fates);
    if output == Path::new("-") {
        print!("{map}");
        eprint!("{report}");
    } else {
        std::fs::write(output, map)
            .doing(|| "cannot write the map".to_owned())
            .map_err(|fault| fault.in_file(output))?;
        print!("{report}");
    }
    Ok(())
}

/// The map's source, and the fate of each node.
fn map_of(blob: &[u8], dtb: &Path) -> Result<(String, Vec<Fate>)> {
    let tree = devicetree::Tree::read(blob)
        .map_err(|error| Fault::new(error.to_string()).in_file(dtb).mend(error.mend))?;
    let mut fates = fate::fates(&tree);
    let mut map = Tree::read(blob).map_err(|fault| fault.in_file(dtb))?;
    for fate in &mut fates {
        let (Some(mend), Some(node)) = (fate.mend, exact(&mut map.root, &fate.path)) else {
            continue;
        };
        match mend {
            Mend::Identity => {
                node.set("reliquary,identity", Vec::new());
                "stubbed: its identity registers answer, nothing else".clone_into(&mut fate.words);
            }
            Mend::Disable => {
                node.set_text("status", "disabled");
                "unclaimed: nothing emulates it, so it is disabled".clone_into(&mut fate.words);
            }
        }
    }
    let words: BTreeMap<_, _> = fates
        .iter()
        .map(|fate| (fate.path.as_str(), fate))
        .collect();
    let name = dtb.file_name().unwrap_or_default().to_string_lossy();
    let header = format!(
        "The resource map of a board, made from {name} by `cargo reliquary board import`.\n\
         Above each node: what becomes of it."
    );
    let comment = |path: &str| {
        let fate = words.get(path)?;
        (fate.kind != Kind::Described).then(|| fate.words.clone())
    };
    Ok((write::source(&map, &header, &comment), fates))
}

/// The node at exactly this path.
fn exact<'a>(root: &'a mut Node, path: &str) -> Option<&'a mut Node> {
    path.split('/')
        .filter(|part| !part.is_empty())
        .try_fold(root, |node, part| {
            node.children.iter_mut().find(|child| child.name == part)
        })
}

/// One line a node, then the sum.
fn report(fates: &[Fate]) -> String {
    let width = fates
        .iter()
        .map(|fate| fate.path.len())
        .max()
        .unwrap_or(0)
        .min(72);
    let lines = fates
        .iter()
        .map(|fate| format!("{:width$}  {}\n", fate.path, fate.words));
    let count = |kind| fates.iter().filter(|fate| fate.kind == kind).count();
    let unclaimed = count(Kind::Unclaimed);
    let sum = format!(
        "{} nodes: {} emulated, {} stubbed, {} passed through, {unclaimed} unclaimed, {} memory, \
         {} of the CPUs, {} that describe\n",
        fates.len(),
        count(Kind::Emulated),
        count(Kind::Stubbed),
        count(Kind::PassedThrough),
        count(Kind::Memory),
        count(Kind::Cpu),
        count(Kind::Described),
    );
    lines.chain([sum]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reliquary::board::Plan;

    const TREE: &str = r#"/dts-v1/;
/ {
    #address-cells = <1>; #size-cells = <1>; interrupt-parent = <1>;
    cpus { #address-cells = <1>; #size-cells = <0>;
        cpu@0 { device_type = "cpu"; compatible = "arm,cortex-a15"; reg = <0>; }; };
    memory@80000000 { device_type = "memory"; reg = <0x80000000 0x100000>; };
    gic: gic@1000 { compatible = "arm,cortex-a15-gic"; reg = <0x1000 0x1000 0x2000 0x1000>;
        interrupt-controller; #interrupt-cells = <3>; phandle = <1>; };
    uart@3000 { compatible = "arm,pl011", "arm,primecell"; reg = <0x3000 0x1000>;
        interrupts = <0 5 4>; };
    aaci@4000 { compatible = "arm,pl041", "arm,primecell"; reg = <0x4000 0x1000>; };
    toaster@5000 { compatible = "acme,toaster"; reg = <0x5000 0x1000>; };
};"#;

    #[test]
    fn an_imported_tree_checks_and_says_what_became_of_each_node() {
        let blob =
            crate::tree::source::compile(TREE.as_bytes(), Path::new("t.dts")).expect("it compiles");
        let (map, fates) = map_of(&blob, Path::new("t.dtb")).expect("it imports");
        let words = |path: &str| {
            fates
                .iter()
                .find(|fate| fate.path == path)
                .map(|fate| fate.words.as_str())
        };
        assert_eq!(words("/uart@3000"), Some("emulated (modelled): PL011 UART"));
        assert!(words("/aaci@4000").is_some_and(|w| w.starts_with("stubbed")));
        assert!(words("/toaster@5000").is_some_and(|w| w.starts_with("unclaimed")));
        assert!(map.contains("/* emulated (modelled): PL011 UART */\n\tuart@3000 {"));
        let errors = Plan::read(&blob).expect_err("nothing emulates a toaster");
        assert_eq!(
            errors.len(),
            2,
            "the toaster and the audio interface: {errors:?}"
        );
        let blob =
            crate::tree::source::compile(map.as_bytes(), Path::new("t.dts")).expect("it compiles");
        let plan = Plan::read(&blob).expect("the map checks");
        assert_eq!(plan.devices.len(), 3);
        assert!(
            report(&fates)
                .lines()
                .last()
                .is_some_and(|sum| sum.contains("1 stubbed"))
        );
    }
}
