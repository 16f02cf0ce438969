//! Gives each program the linker script of its board.

use std::env;

const PROGRAMS: &[(&str, &str, &str)] = &[
    ("virt-v8.ld", "aarch64", "hello64"),
    ("virt-v8.ld", "aarch64", "channel-client"),
    ("virt-v8.ld", "aarch64", "channel-server"),
    ("vexpress-a15.ld", "arm", "channel-a15"),
    ("virt-v8.ld", "aarch64", "shared-a64"),
    ("virt-v8.ld", "aarch64", "cost-channel"),
    ("virt-v8.ld", "aarch64", "gicv3"),
    ("virt-v8.ld", "aarch64", "pins-asks"),
    ("virt-v8.ld", "aarch64", "pins-answers"),
    ("virt-v8.ld", "aarch64", "slots-a64"),
    ("virt-v8.ld", "aarch64", "die-el2"),
    ("virt-v8.ld", "aarch64", "passthrough64"),
    ("virt-v8.ld", "aarch64", "passthrough64-virt"),
    ("vexpress-a9.ld", "arm", "cpu-a9"),
    ("vexpress-a9.ld", "arm", "secure-gic"),
    ("vexpress-a9.ld", "arm", "sd-a9"),
    ("vexpress-a9.ld", "arm", "timed-a9"),
    ("vexpress-a9.ld", "arm", "watchdog"),
    ("vexpress-a9.ld", "arm", "restarts-a9"),
    ("vexpress-a9.ld", "arm", "ethernet-a9"),
    ("vexpress-a9.ld", "arm", "serial-a9"),
    ("vexpress-a9.ld", "arm", "die-smc"),
    ("vexpress-a9.ld", "arm", "die-monitor"),
    ("vexpress-a15.ld", "arm", "cpu-a15"),
    ("vexpress-a15.ld", "arm", "die-fetch"),
    ("vexpress-a15.ld", "arm", "die-table"),
    ("vexpress-a15.ld", "arm", "die-unclaimed"),
    ("vexpress-a15.ld", "arm", "serial-a15"),
    ("vexpress-a15.ld", "arm", "bigendian"),
    ("virt-v8.ld", "aarch64", "loadstore-a64"),
    ("virt-v7.ld", "arm", "loadstore-a32"),
    ("virt-v7.ld", "arm", "loadstore-t32"),
    ("vexpress-a15.ld", "arm", "cost-a32"),
    ("virt-v8.ld", "aarch64", "cost-a64"),
    ("virt-v8.ld", "aarch64", "attacker-a64"),
    ("virt-v8.ld", "aarch64", "victim-a64"),
    ("virt-v8.ld", "aarch64", "attacker-channels"),
    ("virt-v8.ld", "aarch64", "echo-a64"),
    ("virt-v8.ld", "aarch64", "attacker-smp"),
    ("virt-v8.ld", "aarch64", "channel-smp"),
    ("virt-v7.ld", "arm", "attacker-a32"),
    ("versatile.ld", "arm", "versatilepb"),
    ("versatile.ld", "arm", "realview-pb-a8"),
];

fn main() {
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let target = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets it");
    println!("cargo:rerun-if-changed=link");
    for &(script, arch, program) in PROGRAMS {
        if arch == target {
            println!("cargo:rustc-link-arg-bin={program}=-L{here}/link");
            println!("cargo:rustc-link-arg-bin={program}=-T{script}");
            println!("cargo:rustc-link-arg-bin={program}=--nmagic");
        }
    }
}
