//! A memory card in a board's slot: own firmware uses it, here and on QEMU's model of the board,
//! and says the same.
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::boot;
use reliquary_cli::workspace;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// 1 MiB: each word is its number times 0x9e3779b1.
fn medium() -> Vec<u8> {
    (0..1 << 18)
        .flat_map(|word: u32| word.wrapping_mul(0x9e37_79b1).to_le_bytes())
        .collect()
}

/// A folder with a card's image and a system that has it.
fn bench() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("card.img"), medium()).unwrap();
    let system = "host = \"qemu-virt\"\n\n[vm.press]\nboard = \"vexpress-a9\"\ncores = [0]\n\
        memory = \"16M\"\nelf = \"firmware:sd-a9\"\nsd = \"card.img\"\n";
    fs::write(folder.path().join("system.toml"), system).unwrap();
    folder
}

/// What the firmware says, from its first line to its last.
fn said(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .map(|line| line.trim_end().trim_start_matches("[press] "));
    let lines = lines.skip_while(|line| *line != "sd-a9: begins");
    let mut said: Vec<String> = lines.map(ToOwned::to_owned).collect();
    let end = said.iter().position(|line| line.ends_with(" sd-a9"));
    said.truncate(end.map_or(said.len(), |end| end + 1));
    said
}

fn on_qemus_board(card: &Path) -> String {
    let elf = workspace::target().join("firmware/armv7a-none-eabi/release/sd-a9");
    let mut qemu = Command::new("timeout");
    qemu.args(["60", "qemu-system-arm", "-M", "vexpress-a9", "-m", "256"]);
    qemu.args(["-audiodev", "none,id=none", "-nic", "none"]);
    qemu.args(["-display", "none", "-monitor", "none", "-serial", "stdio"]);
    qemu.arg("-drive")
        .arg(format!("if=sd,format=raw,file={}", card.display()));
    qemu.arg("-kernel").arg(elf).stdin(Stdio::null());
    let output = qemu.output().expect("QEMU starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn own_firmware_uses_a_card_as_on_qemus_board() {
    let folder = bench();
    let script = Script(vec![Step::Expect("PASS sd-a9".to_owned())]);
    let system = folder.path().join("system.toml");
    let mut ours = Vec::new();
    for host in ["qemu-virt", "qemu-virt-gicv2"] {
        let outcome = boot(&system, host, &script, Duration::from_secs(120));
        let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
        assert!(outcome.holds(), "on {host}:\n{}", outcome.text);
        assert!(!outcome.text.contains("BAD"), "{}", outcome.text);
        ours = said(&outcome.apart);
        assert!(ours.len() > 30, "{}", outcome.apart);
    }
    let card = folder.path().join("card.img");
    assert_eq!(fs::read(&card).unwrap(), medium(), "the image stays");
    let theirs = on_qemus_board(&card);
    assert_eq!(ours, said(&theirs), "ours, and QEMU's");
}
