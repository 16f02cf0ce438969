//! Channels between VMs, used by own firmware (legacy-images/firmware/src/bin/channel-*.rs): calls,
//! messages, notifications, waits, a hostile end, an end that starts anew and one that ends.
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::boot;
use reliquary_cli::workspace;
use std::time::Duration;

const TALKING: [&str; 4] = [
    "@client:PASS",
    "@server:PASS",
    "@sensor:PASS",
    "@legacy:PASS",
];
const SHARING: [&str; 2] = ["@writer:PASS", "@reader:PASS"];

const TAKING: [&str; 2] = ["@giver:PASS", "@taker:PASS"];

fn talk(system: &str, host: &str) {
    play(system, host, &TALKING);
}

fn play(system: &str, host: &str, expected: &[&str]) {
    let script = Script(
        expected
            .iter()
            .map(|text| Step::Expect((*text).to_owned()))
            .collect(),
    );
    let file = workspace::root().join("systems").join(system);
    let outcome = boot(&file, host, &script, Duration::from_secs(120));
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{system} on {host}: {fault}\n{}", outcome.apart);
    }
    for wrong in ["FAIL", "BAD"] {
        assert!(
            !outcome.apart.contains(wrong),
            "{system} on {host}:\n{}",
            outcome.apart
        );
    }
}

#[test]
fn vms_on_their_own_cores_talk_on_a_gicv3() {
    talk("channels.toml", "qemu-virt");
}

#[test]
fn vms_on_their_own_cores_talk_on_a_gicv2() {
    talk("channels.toml", "qemu-virt-gicv2");
}

#[test]
fn vms_on_one_core_talk_on_a_gicv3() {
    talk("tests/channels-one-core.toml", "qemu-virt");
}

#[test]
fn vms_on_one_core_talk_on_a_gicv2() {
    talk("tests/channels-one-core.toml", "qemu-virt-gicv2");
}

#[test]
fn vms_share_a_memory_and_ring_on_a_gicv3() {
    play("tests/shared-memory.toml", "qemu-virt", &SHARING);
}

#[test]
fn vms_share_a_memory_and_ring_on_a_gicv2() {
    play("tests/shared-memory.toml", "qemu-virt-gicv2", &SHARING);
}

/// A VM whose two CPUs take from one channel, and call over one: none is lost, none comes twice.
#[test]
fn two_cpus_of_a_vm_share_a_channel_on_a_gicv3() {
    play("tests/channels-smp.toml", "qemu-virt", &TAKING);
}

#[test]
fn two_cpus_of_a_vm_share_a_channel_on_a_gicv2() {
    play("tests/channels-smp.toml", "qemu-virt-gicv2", &TAKING);
}

#[test]
fn two_cpus_of_a_vm_on_one_core_share_a_channel() {
    play("tests/channels-smp-one-core.toml", "qemu-virt", &TAKING);
}

/// The C header by the host's compiler, which knows no register of Arm: syntax and types only.
#[test]
fn the_c_header_is_sound_c_for_both_states() {
    let program = "#include \"reliquary.h\"
int all(void) {
    uint32_t handle, number, bytes; uint64_t bits; char message[64]; int receives;
    return reliquary_find(\"a\", &handle) | reliquary_count(&number)
        | reliquary_describe(handle, &receives, &bytes, &number)
        | reliquary_send(handle, message, 3) | reliquary_receive(handle, 1, message, &bytes, &number)
        | reliquary_ask(handle, message, 3, 5, message, &bytes)
        | reliquary_wait_again(handle, 5, message, &bytes) | reliquary_reply(handle, number, message, 2)
        | reliquary_notify(handle, 5) | reliquary_take(handle, &bits) | reliquary_pending(4, &number);
}
";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.c");
    std::fs::write(&file, program).expect("a file");
    let strict = [
        "-std=c99",
        "-ffreestanding",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wpedantic",
    ];
    let compile = |compiler: &str, arguments: &[&str]| {
        let output = std::process::Command::new(compiler)
            .args(strict)
            .args(arguments)
            .arg("-I")
            .arg(workspace::root().join("client/include"))
            .arg(&file)
            .current_dir(folder.path())
            .output();
        if let Ok(output) = &output {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{compiler} {arguments:?}: {said}");
        }
        output.is_ok()
    };
    for state in ["-D__aarch64__=1", "-D__arm__=1"] {
        let arguments = [state, "-D__asm__(...)=", "-fsyntax-only"];
        assert!(compile("gcc", &arguments), "gcc, which the set-up brings");
    }
    // Where Arm's are installed they make code of it.
    for arguments in [["-c", "-O0"], ["-c", "-O2"]] {
        compile("aarch64-linux-gnu-gcc", &arguments);
        for state in ["-marm", "-mthumb"] {
            let all = [&arguments[..], &[state, "-march=armv7-a+fp"]].concat();
            compile("arm-linux-gnueabihf-gcc", &all);
        }
    }
}
