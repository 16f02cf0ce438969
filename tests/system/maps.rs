//! Resource maps: what `board import` makes of the boards' own trees, and what `board check` says
//! of damaged ones, by the tool itself with its exit status.
use reliquary_cli::workspace;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn board(arguments: &[&str]) -> Output {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_reliquary"));
    tool.arg("board").args(arguments);
    tool.output().expect("the tool starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Imports a blob of the manifest's; the map is what platforms/ has, but for what was added there
/// by hand, and the report ends with its sum.
fn imports_as(blob: &str, name: &str, sum: &str) {
    let blob = workspace::cache().join("images").join(blob);
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("map.dts");
    let (blob, map) = (blob.to_str().unwrap(), map.to_str().unwrap());
    let imported = board(&["import", blob, "-o", map]);
    let report = text(&imported.stdout);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    assert_eq!(report.lines().last(), Some(sum));

    let source = fs::read_to_string(map).unwrap();
    let grown = fs::read_to_string(workspace::root().join(format!("platforms/{name}.dts")));
    let grown = grown.unwrap();
    let mut theirs = grown.lines();
    for line in source.lines().filter(|line| !line.starts_with("//")) {
        assert!(
            theirs.any(|own| own == line),
            "platforms/{name}.dts lacks, or has out of order: {line}"
        );
    }
    // One line for each node, in the words that stand above it in the map.
    for line in report.lines().filter(|line| line.contains("emulated (")) {
        let words = line.split_once("  ").unwrap().1.trim();
        assert!(source.contains(&format!("/* {words} */")), "{words}");
    }
    let nodes = source.lines().filter(|line| line.ends_with(" {")).count();
    assert_eq!(report.lines().count(), nodes + 1, "all nodes, and the sum");

    let checked = board(&["check", map]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

#[test]
fn debians_vexpress_a9_imports_as_its_map_says() {
    imports_as(
        "vexpress-v2p-ca9.dtb",
        "vexpress-a9",
        "102 nodes: 21 emulated, 7 stubbed, 0 passed through, 3 unclaimed, 3 memory, 4 of the CPUs, 64 that describe",
    );
}

#[test]
fn debians_vexpress_a15_imports_as_its_map_says() {
    imports_as(
        "vexpress-v2p-ca15-tc1.dtb",
        "vexpress-a15",
        "91 nodes: 16 emulated, 6 stubbed, 0 passed through, 5 unclaimed, 3 memory, 3 of the CPUs, 58 that describe",
    );
}

#[test]
fn the_maps_that_were_written_by_hand_are_sound() {
    for (name, sum) in [
        (
            "versatilepb",
            "sound: 1 CPUs, 30 devices, 32 windows, 35 wires",
        ),
        (
            "realview-pb-a8",
            "sound: 1 CPUs, 30 devices, 32 windows, 23 wires",
        ),
    ] {
        let map = workspace::root().join(format!("platforms/{name}.dts"));
        let checked = board(&["check", map.to_str().unwrap()]);
        assert!(checked.status.success(), "{}", text(&checked.stderr));
        let said = text(&checked.stdout);
        assert!(said.contains(sum), "{said}");
    }
}

#[test]
fn what_is_no_tree_is_not_imported() {
    let none = workspace::root().join("docs/reference/board.md");
    let imported = board(&["import", none.to_str().unwrap(), "-o", "-"]);
    assert!(!imported.status.success());
    assert!(imported.stdout.is_empty());
    assert!(text(&imported.stderr).contains("board.md:1: "));
}

/// A sound map, from which the damaged ones are made.
const MAP: &str = r#"/dts-v1/;
/ {
    #address-cells = <1>;
    #size-cells = <1>;
    interrupt-parent = <&gic>;
    cpus {
        #address-cells = <1>;
        #size-cells = <0>;
        cpu@0 { device_type = "cpu"; compatible = "arm,cortex-a15"; reg = <0>; };
    };
    memory@80000000 { device_type = "memory"; reg = <0x80000000 0x40000000>; };
    gic: interrupt-controller@8000000 {
        compatible = "arm,cortex-a15-gic";
        interrupt-controller;
        #interrupt-cells = <3>;
        reg = <0x08000000 0x1000>, <0x08010000 0x2000>;
    };
    serial@9000000 {
        compatible = "arm,pl011", "arm,primecell";
        reg = <0x09000000 0x1000>;
        interrupts = <0 1 4>;
    };
    rtc@9001000 {
        compatible = "arm,pl031", "arm,primecell";
        reg = <0x09001000 0x1000>;
        interrupts = <0 2 4>;
    };
};
"#;

/// What `board check` says of the map with `from` replaced by `to`.
fn check(folder: &Path, from: &str, to: &str) -> Output {
    assert!(MAP.contains(from), "{from}");
    let map = folder.join("map.dts");
    fs::write(&map, MAP.replacen(from, to, 1)).unwrap();
    board(&["check", map.to_str().unwrap()])
}

#[test]
fn a_damaged_map_is_told_with_file_line_and_mend() {
    let folder = tempfile::tempdir().unwrap();
    let sound = check(folder.path(), "", "");
    assert!(sound.status.success(), "{}", text(&sound.stderr));
    assert!(text(&sound.stdout).contains("sound: 1 CPUs, 3 devices"));

    let cycle = "gic: interrupt-controller@8000000 {
        interrupt-parent = <&other>;
        interrupts = <0 3 4>;";
    let closed = format!(
        "other: interrupt-controller@a000000 {{ compatible = \"arm,gic-400\";
        interrupt-controller; #interrupt-cells = <3>; interrupts = <0 3 4>;
        reg = <0x0a000000 0x1000>, <0x0a010000 0x2000>; }};
    {cycle}"
    );
    for (from, to, line, words) in [
        ("<1>;\n    int", "<1>\n    int", 5, "syntax error"),
        ("<&gic>", "<&gik>", 2, "label \"gik\""),
        ("reg = <0x09001000", "reg = <0x09000800", 23, "overlaps"),
        ("reg = <0x09001000", "reg = <0x81000000", 23, "over the RAM"),
        (
            "\"arm,pl031\", \"arm,primecell\"",
            "\"acme,toaster\"",
            23,
            "acme,toaster",
        ),
        ("<0 2 4>", "<0 2000 4>", 23, "out of range"),
        ("<0 2 4>", "<0 2>", 23, "length does not fit"),
        ("<0x09001000 0x1000>", "<0x09001000>", 23, "reg"),
        (
            "<0 2 4>;",
            "<0 2 4>;\n        reliquary,tap;",
            23,
            "reliquary,tap",
        ),
        ("gic: interrupt-controller@8000000 {", &closed, 15, "cycle"),
    ] {
        let checked = check(folder.path(), from, to);
        let said = text(&checked.stderr);
        assert!(
            !checked.status.success(),
            "{words}: {}",
            text(&checked.stdout)
        );
        let at = format!("map.dts:{line}: ");
        let told = said.lines().any(|l| l.contains(&at) && l.contains(words));
        assert!(told && said.contains("mend: "), "{words} at {at}in\n{said}");
    }
}

#[test]
fn a_fault_of_an_included_map_is_told_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("more.dts");
    fs::write(&map, "/include/ \"map.dts\"\n\n/ { model = \"more\"; };\n").unwrap();
    for (from, to, place) in [
        ("<0 2 4>", "<0 2000 4>", "map.dts:23: "),
        ("<1>;\n    int", "<1>\n    int", "map.dts:5: "),
    ] {
        check(folder.path(), from, to);
        let checked = board(&["check", map.to_str().unwrap()]);
        let said = text(&checked.stderr);
        assert!(!checked.status.success());
        assert!(said.contains(place), "{place}in\n{said}");
    }
}
