//! Damage to a built file and to the host's device tree: told by `check`, and at boot.
use reliquary::bundle::{self, Item};
use reliquary_cli::machine::{Machine, Outcome};
use reliquary_cli::script::{Script, Step};
use reliquary_cli::system::System;
use reliquary_cli::verbs::build::{self, Built};
use reliquary_cli::workspace;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// Two VMs that say hello, built once.
fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let file = workspace::root().join("systems/two-hellos.toml");
        let system = System::read(&file).unwrap_or_else(|faults| panic!("{faults}"));
        build::build(&system, None).unwrap_or_else(|faults| panic!("{faults}"))
    })
}

/// Where the bundle begins in the built file, and its items.
fn layout() -> (usize, Vec<Item>) {
    let inspection = bundle::inspect(&built().file).unwrap();
    let items = inspection.bundle.manifest().items.clone();
    (inspection.hypervisor.len(), items)
}

/// The place in the built file of the middle of the item of this name.
fn middle_of(name: &str) -> usize {
    let (start, items) = layout();
    let item = items
        .iter()
        .find(|item| item.name == name)
        .unwrap_or_else(|| panic!("no item {name} in {items:#?}"));
    start + usize::try_from(item.offset + item.size / 2).unwrap()
}

/// A byte of the manifest's first VM or item name: behind the bundle's header.
fn in_manifest() -> usize {
    layout().0 + bundle::HEADER_SIZE + 20
}

/// The built file with one byte flipped.
fn flipped(at: usize) -> Vec<u8> {
    let mut file = built().file.clone();
    file[at] ^= 0x10;
    file
}

const ITEM: &str = "left: hello64 segment 0";

/// `cargo reliquary check` on a file of these bytes: whether it holds, and what it says.
fn check(bytes: &[u8]) -> (bool, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.img");
    fs::write(&file, bytes).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_reliquary"))
        .arg("check")
        .arg(&file)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The check fails, names this, says what to do, and ends with the sum.
fn assert_refused(bytes: &[u8], what: &str) {
    let (holds, out, err) = check(bytes);
    assert!(!holds, "{out}{err}");
    assert!(err.contains("two.img") && err.contains(what), "{err}");
    assert!(err.contains("cargo reliquary build"), "{err}");
    assert_eq!(out.lines().last(), Some("1 file checked, 1 wrong"), "{err}");
}

#[test]
fn check_finds_a_built_file_sound() {
    let (holds, out, err) = check(&built().file);
    assert!(holds, "{out}{err}");
    assert!(out.contains(ITEM), "{out}");
    assert_eq!(out.lines().last(), Some("1 file checked, all sound"));
}

#[test]
fn check_finds_damage_to_the_hypervisors_own_bytes() {
    assert_refused(&flipped(layout().0 / 2), "the hypervisor's own bytes");
}

#[test]
fn check_finds_damage_to_the_manifest() {
    assert_refused(&flipped(in_manifest()), "manifest is damaged");
}

#[test]
fn check_finds_damage_to_an_item_and_names_it() {
    assert_refused(&flipped(middle_of(ITEM)), ITEM);
}

#[test]
fn check_finds_a_file_cut_short() {
    let file = &built().file;
    assert_refused(&file[..file.len() - 4096], "cut short");
    assert_refused(&file[..100], "cut short");
}

/// Boots a file of these bytes and waits for these texts.
fn boot(bytes: &[u8], expect: &[&str], qemu: &[String]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("two.img");
    fs::write(&image, bytes).unwrap();
    let script = Script(
        expect
            .iter()
            .map(|text| Step::Expect((*text).to_owned()))
            .collect(),
    );
    let built = built();
    let outcome = Machine {
        image: &image,
        elf: &built.elf,
        host: &built.host,
        vms: &built.vms,
        outside: &[],
        script: &script,
        timeout: Some(Duration::from_secs(60)),
        icount: false,
        qemu,
        log: None,
        show: false,
        interactive: false,
        recording: None,
        taps: None,
        ptys: None,
    }
    .run()
    .unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{fault}");
    }
    assert_eq!(outcome.damages, 0, "{}", outcome.text);
    outcome
}

#[test]
fn a_vm_with_a_damaged_item_is_not_started_and_the_other_one_is() {
    let outcome = boot(
        &flipped(middle_of(ITEM)),
        &[
            "@monitor:vm.left: not started: left: hello64 segment 0: damaged",
            "@monitor:rebuild with cargo reliquary build",
            "@right:hello from EL1",
        ],
        &[],
    );
    assert_eq!(outcome.text.matches("hello from EL1").count(), 1);
}

#[test]
fn a_damaged_manifest_is_told_at_boot() {
    boot(
        &flipped(in_manifest()),
        &[
            "@monitor:manifest is damaged",
            "@monitor:rebuild with cargo reliquary build",
        ],
        &[],
    );
}

/// The host's tree, with a property whose name lies outside the strings block.
fn damaged_tree() -> Vec<u8> {
    let file = workspace::root().join("tests/data/host-qemu-virt.dtb");
    let mut tree = fs::read(file).unwrap();
    // Where nothing but a complete walk looks: the RTC's first property.
    let name = b"pl031@9010000\0\0\0";
    let node = tree
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    let property = node + name.len();
    assert_eq!(tree[property..property + 4], 3_u32.to_be_bytes());
    tree[property + 8..property + 12].copy_from_slice(&0x00ff_ff00_u32.to_be_bytes());
    tree
}

#[test]
fn a_damaged_host_tree_is_told_through_the_bundles_early_console() {
    let folder = tempfile::tempdir().unwrap();
    let dtb = folder.path().join("damaged.dtb");
    fs::write(&dtb, damaged_tree()).unwrap();
    boot(
        &built().file,
        &["@monitor:the host's device tree", "@monitor:undamaged"],
        &["-dtb".to_owned(), path(&dtb)],
    );
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
