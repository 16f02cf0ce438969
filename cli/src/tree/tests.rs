use super::source::{compile, place_of_node};
use super::*;

const BOARD: &str = "/dts-v1/;
/ {
#address-cells = <1>;
#size-cells = <1>;
reliquary,secure;
chosen { };
cpus {
    #address-cells = <1>;
    #size-cells = <0>;
    c0: cpu@0 { device_type = \"cpu\"; compatible = \"arm,cortex-a9\"; reg = <0>; };
    c1: cpu@1 { device_type = \"cpu\"; compatible = \"arm,cortex-a9\"; reg = <1>; };
};
memory@60000000 { device_type = \"memory\"; reg = <0x60000000 0x40000000>; };
pmu { interrupts = <0 60 4>, <0 61 4>; interrupt-affinity = <&c0>, <&c1>; };
bus@40000000 {
    #address-cells = <2>;
    #size-cells = <1>;
    ranges = <0 0 0x40000000 0x04000000>, <3 0 0x4c000000 0x04000000>;
    flash@0 { compatible = \"arm,vexpress-flash\", \"cfi-flash\"; reg = <3 0x100 0x1000>; };
    ours { compatible = \"reliquary,alias\"; };
};
};
";

fn board() -> Tree {
    Tree::read(&compile(BOARD.as_bytes(), Path::new("board.dts")).unwrap()).unwrap()
}

#[test]
fn a_tree_that_is_written_reads_back_the_same() {
    let tree = board();
    assert_eq!(Tree::read(&tree.write()).unwrap(), tree);
}

#[test]
fn an_address_goes_through_the_ranges_of_its_buses() {
    let tree = board();
    let nodes = tree.walk();
    let flash = nodes
        .iter()
        .find(|(_, node, _)| node.is_compatible("cfi-flash"))
        .unwrap();
    assert_eq!(flash.0, "/bus@40000000/flash@0");
    assert_eq!(
        flash.2,
        [Region {
            base: 0x4c00_0100,
            size: 0x1000
        }]
    );
}

#[test]
fn memory_cpus_and_chosen_are_set_as_a_boot_loader_does() {
    let mut tree = board();
    tree.set_memory(0x1000_0000);
    tree.keep_cpus(1);
    tree.set_chosen(
        Some("quiet"),
        Some(Region {
            base: 0x6800_0000,
            size: 0x100,
        }),
    );
    assert_eq!(
        tree.memory(),
        [Region {
            base: 0x6000_0000,
            size: 0x1000_0000
        }]
    );
    assert_eq!(tree.cpus(), ["arm,cortex-a9"]);
    let pmu = tree.node("/pmu").unwrap();
    assert_eq!(pmu.cells("interrupt-affinity").len(), 1);
    assert_eq!(pmu.cells("interrupts"), [0, 60, 4]);
    let chosen = tree.node("/chosen").unwrap();
    assert_eq!(chosen.text("bootargs"), Some("quiet"));
    assert_eq!(chosen.cell("linux,initrd-end"), Some(0x6800_0100));
}

#[test]
fn what_only_we_understand_is_taken_away() {
    let tree = board().without_ours();
    assert!(tree.root.property("reliquary,secure").is_none());
    assert!(tree.node("/bus@40000000/ours").is_none());
    assert!(tree.node("/bus@40000000/flash@0").is_some());
}

#[test]
fn a_mistake_in_the_source_is_told_with_its_line() {
    let faults = compile(b"/dts-v1/;\n/ {\n  a = <1>\n};\n", Path::new("b.dts")).unwrap_err();
    assert_eq!(faults.0[0].at, Some(("b.dts".into(), Some(4))));
}

#[test]
fn a_damaged_blob_is_a_message() {
    let blob = board().write();
    for at in 0..blob.len() {
        let mut damaged = blob.clone();
        damaged[at] ^= 0xff;
        let _ = Tree::read(&damaged).map(|tree| tree.walk().len());
        let _ = Tree::read(&blob[..at]);
    }
}

#[test]
fn the_line_of_a_node_is_where_its_source_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("board.dts");
    std::fs::write(&file, BOARD).unwrap();
    assert_eq!(
        place_of_node(&file, "/cpus/cpu@1"),
        Some((file.clone(), 11))
    );
    assert_eq!(
        place_of_node(&file, "/bus@40000000/flash@0"),
        Some((file.clone(), 19))
    );
    assert_eq!(place_of_node(&file, "/toaster"), None);
}
