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
fn bench(keys: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("card.img"), medium()).unwrap();
    let system =
        format!("host = \"qemu-virt\"\n\n[vm.press]\nboard = \"vexpress-a9\"\ncores = [0]\n{keys}");
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
    let folder = bench("memory = \"16M\"\nelf = \"firmware:sd-a9\"\nsd = \"card.img\"\n");
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

const LINUX: &str = "memory = \"256M\"\nkernel = \"image:vmlinuz-armmp\"\n\
    initrd = \"image:initramfs-armhf\"\nargs = \"console=ttyAMA0,115200\"\n";

/// Boots Linux with its driver of the card interface, and gives it commands; what was printed.
fn linux(sd: &str, commands: &[&str]) -> String {
    let folder = bench(&format!("{LINUX}{sd}\n"));
    let mut steps = vec![Step::Expect("/ # ".to_owned())];
    for command in ["insmod /lib/armmmci.ko; sleep 2"].iter().chain(commands) {
        steps.push(Step::Send((*command).to_owned()));
        steps.push(Step::Expect("/ # ".to_owned()));
    }
    let system = folder.path().join("system.toml");
    let time = Duration::from_secs(300);
    let outcome = boot(&system, "qemu-virt", &Script(steps), time);
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    assert!(outcome.holds(), "{}", outcome.text);
    outcome.apart
}

#[test]
fn linux_reads_and_writes_a_card() {
    let text = linux(
        "sd = \"card.img\"",
        &[
            "sha256sum /dev/mmcblk0; dd if=/bin/busybox of=/dev/mmcblk0 bs=4096 seek=64 count=64",
            "sync; echo 3 >/proc/sys/vm/drop_caches",
            "dd if=/dev/mmcblk0 of=/tmp/back bs=4096 skip=64 count=64; sha256sum /tmp/back",
            "dd if=/bin/busybox bs=4096 count=64 | cmp - /tmp/back && echo all is \"\"equal",
            "dd if=/dev/mmcblk0 bs=4096 count=64 | sha256sum",
        ],
    );
    let hex = reliquary_cli::images::sha256;
    assert!(text.contains("PL180 manf 41 rev0"), "{text}");
    assert!(text.contains(&hex(&medium())), "the whole card:\n{text}");
    assert!(text.contains("all is equal"), "what was written:\n{text}");
    let before = hex(&medium()[..64 * 4096]);
    assert!(text.contains(&before), "what was not:\n{text}");
}

#[test]
fn linux_sees_a_lock_and_an_empty_slot() {
    let text = linux(
        "sd = { file = \"card.img\", read-only = true, high-capacity = true }",
        &["cat /sys/block/mmcblk0/ro"],
    );
    assert!(text.contains("new SDHC card"), "{text}");
    assert!(text.contains("(ro)"), "{text}");
    let text = linux("", &["ls /sys/block/mmcblk0"]);
    assert!(text.contains("PL180 manf 41 rev0"), "{text}");
    assert!(text.contains("No such file"), "{text}");
}
