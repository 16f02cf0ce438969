//! Whole systems, booted under QEMU on both hosts.
mod kernel_log;
mod qemus_board;

use reliquary_cli::machine::{Devices, Machine, Outcome};
use reliquary_cli::script::{Script, Step};
use reliquary_cli::system::System;
use reliquary_cli::system::host::Host;
use reliquary_cli::verbs::build;
use reliquary_cli::verbs::run::{boot, boot_with_devices};
use reliquary_cli::workspace;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Plays a script on a system: `> text` is typed, other lines are waited for.
fn play(system: &str, host: &str, script: &[&str]) -> Outcome {
    play_file(
        &workspace::root().join("systems").join(system),
        host,
        script,
    )
}

fn play_file(file: &Path, host: &str, script: &[&str]) -> Outcome {
    let step = |line: &&str| match line.strip_prefix("> ") {
        Some(text) => Step::Send(text.to_owned()),
        None => Step::Expect((*line).to_owned()),
    };
    let script = Script(script.iter().map(step).collect());
    let outcome = boot(file, host, &script, Duration::from_secs(300))
        .unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!(
            "{} on {host}: {fault}\nDAMAGES {}\nAPART:\n{}",
            file.display(),
            outcome.damages,
            outcome.apart
        );
    }
    assert_eq!(
        outcome.damages, 0,
        "the link lost something:\n{}",
        outcome.apart
    );
    outcome
}

/// The number of interrupts on a line of /proc/interrupts that names this.
fn interrupts(text: &str, name: &str) -> u64 {
    let line = text
        .lines()
        .filter(|line| line.contains(':'))
        .find(|line| line.contains(name));
    let line = line.unwrap_or_else(|| panic!("no interrupt of {name} in\n{text}"));
    let number = line
        .split(':')
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no count in {line}"))
}

/// A board that runs Debian's kernel.
struct Linux {
    board: &'static str,
    /// Its tree, among the images.
    dtb: &'static str,
    part: &'static str,
    timer: &'static str,
}

const A15: Linux = Linux {
    board: "vexpress-a15",
    dtb: "vexpress-v2p-ca15-tc1.dtb",
    part: "0xc0f",
    timer: "arch_timer",
};

const A9: Linux = Linux {
    board: "vexpress-a9",
    dtb: "vexpress-v2p-ca9.dtb",
    part: "0xc09",
    timer: "twd",
};

impl Linux {
    fn file(&self) -> PathBuf {
        workspace::root().join(format!("systems/{}-linux.toml", self.board))
    }

    /// Boots to a shell, with further steps there; gives what the shell printed, and all.
    fn boots(&self, file: &Path, host: &str, steps: &[&str]) -> (String, Outcome) {
        let mut script = vec![
            "/ # ",
            "> uname -m; cat /proc/cpuinfo /proc/interrupts",
            "armv7l",
            self.part,
            "/ # ",
        ];
        script.extend(steps);
        let outcome = play_file(file, host, &script);
        let shell = outcome.apart.split("uname -m").nth(1).unwrap_or_default();
        let shell = shell.to_owned();
        assert!(
            interrupts(&shell, self.timer) > 0,
            "the timer must count:\n{shell}"
        );
        assert!(
            interrupts(&shell, "uart-pl011") > 0,
            "the UART must count:\n{shell}"
        );
        (shell, outcome)
    }

    /// The kernel's log has no line that docs/fidelity.md does not explain.
    fn prints_what_qemus_board_does(&self) {
        let (_, outcome) = self.boots(&self.file(), "qemu-virt-gicv2", &[]);
        let theirs = kernel_log::recorded(self.board, self.dtb);
        let lines = kernel_log::unexplained(self.board, &outcome.apart, &theirs);
        assert!(
            lines.is_empty(),
            "lines of one log only (+ here, - QEMU's {}), which docs/fidelity.md does not \
             list:\n{}",
            self.board,
            lines.join("\n")
        );
    }

    /// The guest's clock runs as the host's counter does, and its idle time is spent in WFI.
    ///
    /// The silence of the console between two lines of the shell is timed by the guest, with
    /// its own clock, and by the hypervisor, with the host's counter. Twice `sleep 5`, so that
    /// starting the program weighs less in the idle time.
    fn keeps_time_and_idles(&self) {
        let (shell, outcome) = self.boots(
            &self.file(),
            "qemu-virt",
            &[
                // Short lines: the shell breaks a long one where its terminal would.
                "> s() { read $1 b </proc/uptime; }",
                "/ # ",
                "> s a; sleep 5; sleep 5; s c; echo slept $a $c",
                "$a $c",
                "slept ",
                "/ # ",
                "> poweroff -f",
                "@monitor:silence ",
                "@monitor:of that silence",
            ],
        );
        let uptimes = shell.split("slept ").nth(2).unwrap_or_default();
        let uptimes: Vec<f64> = uptimes
            .split_whitespace()
            .take(2)
            .filter_map(|time| time.trim_end_matches('.').parse().ok())
            .collect();
        let guest = uptimes[1] - uptimes[0];
        let before = |unit: &str| -> f64 {
            let number = outcome.apart.split(unit).next().unwrap_or_default();
            let number = number.split_whitespace().next_back().unwrap_or_default();
            number.parse().unwrap_or_else(|_| panic!("no {unit}"))
        };
        let account = outcome
            .apart
            .split("longest silence")
            .nth(1)
            .unwrap_or_default();
        let host: f64 = account.split_whitespace().next().unwrap().parse().unwrap();
        let idle = before(" s of that silence");
        assert!(guest >= 10.0, "the guest slept {guest} s");
        assert!(
            (guest - host).abs() < host / 100.0,
            "{guest} s of the guest are {host} s of the host's counter"
        );
        assert!(
            idle > host * 0.95 && idle <= host,
            "idle for {idle} s of {host} s"
        );
    }
}

#[test]
fn vexpress_a15_keeps_time_and_idles_on_a_gicv3_host() {
    A15.keeps_time_and_idles();
}

#[test]
fn vexpress_a15_prints_what_qemus_board_does_on_a_gicv2_host() {
    A15.prints_what_qemus_board_does();
}

#[test]
fn vexpress_a9_keeps_time_and_idles_on_a_gicv3_host() {
    A9.keeps_time_and_idles();
}

#[test]
fn vexpress_a9_prints_what_qemus_board_does_on_a_gicv2_host() {
    A9.prints_what_qemus_board_does();
}

impl Linux {
    /// Debian's driver finds the Ethernet controller, its address and its PHY, takes an interrupt
    /// of it, and sends.
    fn brings_its_network_up(&self, host: &str) {
        let (shell, _) = self.boots(
            &self.file(),
            host,
            &[
                "> cd /lib; for m in libphy smsc smsc911x; do insmod $m.ko; done",
                "MAC Address: 52:54:00:12:34:56",
                "> ip link set eth0 up; ip addr add 10.0.0.1/24 dev eth0; sleep 2",
                "/ # ",
                "> busybox arping -c 2 -w 3 10.0.0.2; ip addr; cat /proc/net/dev /proc/interrupts",
                // The table's last line.
                "Err:",
            ],
        );
        for line in [
            "link/ether 52:54:00:12:34:56",
            "inet 10.0.0.1/24",
            "LOWER_UP",
        ] {
            assert!(shell.contains(line), "no {line} in\n{shell}");
        }
        let sent = shell
            .lines()
            .find_map(|line| line.trim().strip_prefix("eth0:"));
        let sent = sent.and_then(|line| line.split_whitespace().nth(9));
        let sent: u32 = sent.and_then(|sent| sent.parse().ok()).unwrap_or(0);
        assert!(sent >= 2, "{sent} frames sent:\n{shell}");
        // The kernel's log names it, too, before the table.
        let table = shell.rsplit("CPU0").next().unwrap_or_default();
        assert!(interrupts(table, "eth0") > 0, "{shell}");
    }
}

#[test]
fn vexpress_a9_brings_its_network_up_with_debians_driver() {
    A9.brings_its_network_up("qemu-virt");
}

#[test]
fn vexpress_a15_brings_its_network_up_with_debians_driver() {
    A15.brings_its_network_up("qemu-virt-gicv2");
}

/// Seconds of the day in what U-Boot's `date` prints: `Date: 1970-01-01 (Thursday)    Time:
///  0:00:02`.
fn times(text: &str) -> Vec<u32> {
    let times = text.lines().filter_map(|line| line.split_once("Time:"));
    times
        .filter_map(|(_, time)| {
            let mut parts = time.trim().split(':').map(str::parse::<u32>);
            let mut next = || parts.next()?.ok();
            Some(next()? * 3600 + next()? * 60 + next()?)
        })
        .collect()
}

/// In its flash it executes in place, finds the CFI banks, and keeps its environment there
/// through a reset; the longer commands are typed faster than the UART takes them.
fn u_boot(system: &str, host: &str, first_word: &str) {
    let outcome = play(
        system,
        host,
        &[
            "Flash: 64 MiB",
            "bad CRC, using default environment",
            "=> ",
            "> version; flinfo; md.l 0 1; echo that is all of them",
            "U-Boot 2023",
            "Bank # 1: CFI conformant flash",
            "Bank # 2: CFI conformant flash",
            first_word,
            "=> ",
            "> date; sleep 2; date",
            "Time:",
            "Time:",
            "=> ",
            "> setenv color blue; saveenv",
            "Writing to Flash... done",
            "OK",
            "=> ",
            "> reset",
            "Loading Environment from Flash... OK",
            "=> ",
            "> printenv color",
            "color=blue",
            "=> ",
        ],
    );
    match times(&outcome.apart)[..] {
        // The clock shows whole seconds.
        [before, after] => assert!((2..=3).contains(&(after - before)), "{before} to {after}"),
        ref other => panic!("{other:?} in\n{}", outcome.apart),
    }
}

#[test]
fn virt_v7_runs_u_boot_in_place_on_a_gicv3_host() {
    u_boot("virt-v7-uboot.toml", "qemu-virt", "00000000: ea");
}

#[test]
fn virt_v7_runs_u_boot_in_place_on_a_gicv2_host() {
    u_boot("virt-v7-uboot.toml", "qemu-virt-gicv2", "00000000: ea");
}

#[test]
fn virt_v8_runs_u_boot_in_place_on_a_gicv3_host() {
    u_boot("virt-v8-uboot.toml", "qemu-virt", "00000000: 14");
}

#[test]
fn virt_v8_runs_u_boot_in_place_on_a_gicv2_host() {
    u_boot("virt-v8-uboot.toml", "qemu-virt-gicv2", "00000000: 14");
}

#[test]
fn virt_v8_gicv3_runs_u_boot_in_place() {
    u_boot("virt-v8-gicv3-uboot.toml", "qemu-virt", "00000000: 14");
}

/// Debian's 64-bit kernel finds the GICv3, and takes the timer's and the console's interrupts by it.
#[test]
fn virt_v8_gicv3_runs_debians_64_bit_kernel_to_a_shell() {
    for host in ["qemu-virt", "qemu-virt-max"] {
        let outcome = play(
            "virt-v8-gicv3-linux.toml",
            host,
            &[
                "detected: GIC system register CPU interface",
                "GICv3: 224 SPIs implemented",
                "GICv3: CPU0: found redistributor 0 region 0:0x00000000080a0000",
                "/ # ",
                "> uname -m; cat /proc/interrupts; echo done",
                "aarch64",
                "done",
                "/ # ",
            ],
        );
        let shell = outcome.apart.split("uname -m").nth(1).unwrap_or_default();
        for name in ["arch_timer", "uart-pl011"] {
            assert!(interrupts(shell, name) > 0, "{name} in\n{shell}");
        }
    }
}

/// By MRC, MCR and MCRR, to which HSTR_EL2 traps too.
#[test]
fn debians_32_bit_kernel_takes_its_interrupts_by_a_gicv3() {
    let outcome = play(
        "tests/gicv3-a32.toml",
        "qemu-virt",
        &[
            "GICv3: 224 SPIs implemented",
            "/ # ",
            "> uname -m; cat /proc/interrupts; echo done",
            "armv7l",
            "done",
            "/ # ",
        ],
    );
    let shell = outcome.apart.split("uname -m").nth(1).unwrap_or_default();
    for name in ["arch_timer", "uart-pl011"] {
        assert!(interrupts(shell, name) > 0, "{name} in\n{shell}");
    }
}

#[test]
fn own_firmware_finds_a_gicv3_as_on_qemus_board() {
    for host in ["qemu-virt", "qemu-virt-max"] {
        let outcome = play("tests/gicv3.toml", host, &["PASS gicv3"]);
        for line in [
            "ok it is there again after its end",
            "ok a higher priority preempts",
            "ok until ICC_DIR_EL1",
            "ok it arrives there",
            "ok a write of ICC_RPR_EL1",
        ] {
            assert!(
                outcome.apart.contains(line),
                "no {line} in\n{}",
                outcome.apart
            );
        }
    }
}

/// The file is built for a host with a GICv3, and started on one without.
#[test]
fn a_board_with_a_gicv3_is_not_started_on_a_host_without_one() {
    let file = workspace::root().join("systems/tests/gicv3.toml");
    let system = System::read(&file).unwrap_or_else(|faults| panic!("{faults}"));
    let built = build::build(&system, None).unwrap_or_else(|faults| panic!("{faults}"));
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("gicv3.img");
    std::fs::write(&image, &built.file).unwrap();
    let expect = "@monitor:vm.gic: not started: its board has a GICv3, and this host has none";
    let outcome = Machine {
        image: &image,
        elf: &built.elf,
        host: &Host::find("qemu-virt-gicv2").unwrap_or_else(|faults| panic!("{faults}")),
        vms: &built.vms,
        outside: &[],
        script: &Script(vec![Step::Expect(expect.to_owned())]),
        timeout: Some(Duration::from_secs(60)),
        icount: false,
        qemu: &[],
        log: None,
        show: false,
        interactive: false,
        recording: None,
        taps: None,
        ptys: None,
    }
    .run()
    .unwrap_or_else(|faults| panic!("{faults}"));
    assert!(outcome.fault().is_none(), "{}", outcome.text);
}

/// U-Boot finds the board's fw_cfg at its start, reads the directory through it by its own
/// doubleword store to the DMA address, and prints it as it does on QEMU's `virt`: names padded
/// to 56 characters. A transfer described by hand moves a file.
#[test]
fn u_boot_reads_the_maps_files_from_fw_cfg() {
    for host in HOSTS {
        let outcome = play(
            "tests/fw-cfg.toml",
            host,
            &[
                "Hit any key",
                "> ",
                "=> ",
                "> qfw list; qfw cpus",
                "opt/org.example/motd ",
                "opt/org.example/bytes ",
                "1 cpu(s) online",
                "=> ",
                "> mw.w 9020008 2100; md.l 9020000 1",
                "09020000: fffe0100",
                "=> ",
                // A descriptor at 0x41000000, big-endian: select 0x20 and read 18 bytes.
                "> mw.l 41000000 0a002000; mw.l 41000004 12000000; mw.l 41000008 0",
                "=> ",
                "> mw.l 4100000c 00100041; mw.l 41001000 0 8; mw.l 9020014 00000041",
                "=> ",
                "> md.l 41000000 1; md.b 41001000 14",
                "41000000: 00000000",
                "hello from the m",
                "61 70 00 00",
                "=> ",
            ],
        );
        let line = format!("{:<56}", "opt/org.example/motd");
        assert!(outcome.apart.contains(&line), "{}", outcome.apart);
    }
}

#[test]
fn devices_of_the_host_answer_the_same_with_and_without_a_tap() {
    let said = |system, host| {
        let text = play(system, host, &["begins", "PASS passthrough64"]).apart;
        let from = text.split("passthrough64: begins").nth(1);
        let said = from.and_then(|rest| rest.split("PASS").next());
        said.unwrap_or_else(|| panic!("cut off: {text}")).to_owned()
    };
    for host in ["qemu-virt", "qemu-virt-gicv2"] {
        let (direct, tapped) = (
            said("legacy-passthrough.toml", host),
            said("legacy-tap.toml", host),
        );
        assert!(direct.contains("ok the match's interrupt"), "{direct}");
        assert_eq!(direct, tapped, "on {host}");
    }
}

#[test]
fn virt_v8_says_hello_on_both_hosts() {
    for host in ["qemu-virt", "qemu-virt-gicv2"] {
        play(
            "virt-v8-hello.toml",
            host,
            &["hello from EL1", "type; q ends", "> q", "PASS hello64"],
        );
    }
}

/// Both ways, more than a buffer of the console each: a kernel's log, and a line that is typed.
#[test]
fn a_virtio_console_carries_the_link() {
    /// Of what is typed, and its line end.
    const SHA256: &str = "b3aa162beb80b86c27013d6881b8b316de21b24d0945a282e491e9b82a513303";
    let typed = "0123456789abcdef".repeat(16);
    let script = [
        Step::Expect("/ #".to_owned()),
        Step::Send(format!("echo {typed} | sha256sum")),
        Step::Expect("  -".to_owned()),
    ];
    for host in HOSTS {
        let system = workspace::root().join("systems/vexpress-a9-linux.toml");
        let script = Script(script.to_vec());
        let devices = Devices {
            virtio_console: true,
            net: None,
        };
        let outcome = boot_with_devices(&system, host, &script, Duration::from_secs(300), &devices);
        let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
        assert!(
            outcome.holds(),
            "{host}: {:?}\n{}",
            outcome.missing,
            outcome.apart
        );
        assert_eq!(outcome.damages, 0, "{}", outcome.apart);
        assert!(outcome.text.contains(SHA256), "{}", outcome.text);
    }
}

#[test]
fn two_vms_say_hello_side_by_side() {
    let outcome = play(
        "two-hellos.toml",
        "qemu-virt",
        &["hello from EL1", "hello from EL1"],
    );
    assert!(outcome.text.contains("[right] "), "{}", outcome.text);
}

const HOSTS: [&str; 2] = ["qemu-virt", "qemu-virt-gicv2"];

/// The virtual timer's interrupt, 50 ms away, and a key come to each while the other has the core, or
/// wants it.
#[test]
fn two_vms_share_a_core_by_slots_and_by_priority() {
    for (system, host) in [
        ("one-core.toml", HOSTS[0]),
        ("one-core.toml", HOSTS[1]),
        ("tests/priority.toml", HOSTS[0]),
    ] {
        let script = [
            "@right:type; q ends",
            "> @right:q",
            "@right:PASS hello64",
            "@left:type; q ends",
            "> @left:q",
            "@left:PASS hello64",
        ];
        let outcome = play(system, host, &script);
        assert!(!outcome.apart.contains("BAD"), "{}", outcome.apart);
    }
}

#[test]
fn two_linuxes_share_a_core() {
    let script = [
        "@press:/ #",
        "@panel:/ #",
        "> @panel:cat /proc/device-tree/model",
        "@panel:V2P-CA15",
        "> @press:cat /proc/device-tree/model",
        "@press:V2P-CA9",
    ];
    play("two-boards-one-core.toml", HOSTS[0], &script);
}

#[test]
fn a_vm_that_cannot_go_on_is_restarted_as_often_as_it_may_be() {
    let script = [
        "@monitor:restarted after a crash (1 since the start",
        "@monitor:restarted after a crash (2 since the start",
        "@monitor:and not restarted again",
        "@panel:type; q ends",
        "> @panel:q",
        "@panel:PASS hello64",
    ];
    play("tests/restart.toml", HOSTS[0], &script);
}

#[test]
fn own_firmware_finds_the_cpus_of_its_boards() {
    for host in HOSTS {
        let outcome = play("tests/cpus.toml", host, &["PASS cpu-", "PASS cpu-"]);
        for line in [
            "ok SPSR_irq is kept",
            "ok CBAR in Thumb",
            "ok UNDEFs taken for it",
            "ok SPSR of UDF in Thumb: SVC, T",
            "ok the diagnostic register keeps its bits",
        ] {
            assert!(
                outcome.apart.contains(line),
                "no {line} in\n{}",
                outcome.apart
            );
        }
        assert!(!outcome.apart.contains("BAD"), "{}", outcome.apart);
    }
}

/// The first life lets the watchdog expire; the second finds its mark in flash.
#[test]
fn a_watchdog_that_expires_resets_its_board_once() {
    for host in HOSTS {
        let lines = [
            "the first life",
            "nobody clears it",
            "the second life: the board was reset",
            "PASS watchdog",
        ];
        let text = play("tests/watchdog.toml", host, &lines).apart;
        assert_eq!(text.matches("watchdog: begins").count(), 2, "{text}");
        assert!(text.contains("ok the interrupt is WDOGINT"), "{text}");
        assert!(!text.contains("BAD"), "{text}");
    }
}

#[test]
fn own_firmware_finds_the_secure_gic_and_a_big_endian_bus() {
    for host in HOSTS {
        let outcome = play("tests/buses.toml", host, &["PASS", "PASS"]);
        for line in [
            "ok Timer1Load by STR",
            "ok group 0 arrives as FIQ",
            "ok group 1 arrives as IRQ",
        ] {
            assert!(
                outcome.apart.contains(line),
                "no {line} in\n{}",
                outcome.apart
            );
        }
    }
}

/// Own firmware prints the same on a board here and on QEMU's own model of it, but for the lines
/// that tell of the CPU. Gives those.
fn prints_the_same(board: &str, machine: &[&str]) -> String {
    let last = format!("PASS {board}");
    // From the first line on, without line ends of a terminal.
    let lines = |text: &str| -> Vec<String> {
        let begins = format!("{board}: begins");
        let (_, from) = text.split_once(&begins).unwrap_or_else(|| panic!("{text}"));
        let (said, _) = from.split_once(&last).unwrap_or_else(|| panic!("{from}"));
        let lines = said.lines().map(|line| line.trim().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    };
    let of_cpu = |line: &String| line.starts_with("cpu: ");
    let mut told = String::new();
    let mut theirs = Vec::new();
    for host in HOSTS {
        let ours = lines(&play(&format!("{board}.toml"), host, &[&last]).apart);
        let (cpu, ours): (Vec<_>, Vec<_>) = ours.into_iter().partition(of_cpu);
        told = cpu.join("\n");
        if theirs.is_empty() {
            let program = workspace::target().join("firmware/armv7a-none-eabi/release");
            let mut qemu = Command::new("qemu-system-arm");
            qemu.arg("-M").args(machine).arg("-kernel");
            qemu.arg(program.join(board)).args(["-nic", "none"]);
            qemu.args(["-display", "none", "-monitor", "none"]);
            qemu.args(["-audiodev", "none,id=none", "-serial", "stdio"]);
            theirs = lines(&qemus_board::printed(&mut qemu, &last));
            theirs.retain(|line| !of_cpu(line));
        }
        assert!(ours.len() > 20);
        assert_eq!(ours, theirs, "on {host}, and QEMU's {board}");
    }
    told
}

/// QEMU's board runs with a Cortex-A8, because the program is code of ARMv7.
#[test]
fn versatilepb_prints_what_qemus_board_does() {
    let told = prints_the_same("versatilepb", &["versatilepb", "-cpu", "cortex-a8"]);
    for part in ["ID 0x41069265", "ended after 1024 rounds"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn realview_pb_a8_prints_what_qemus_board_does() {
    let told = prints_the_same("realview-pb-a8", &["realview-pb-a8"]);
    assert_eq!(told, "cpu: ID 0x413fc082");
}

#[test]
fn own_firmware_sends_frames_and_receives_them_by_interrupt() {
    for host in HOSTS {
        let outcome = play("tests/ethernet.toml", host, &["PASS ethernet-a9"]);
        for line in [
            "address 52:54:00:12:34:56",
            "ok the timer's interrupt",
            "ok the interrupt of the RX status",
            "ok a frame to another is not received",
            "ok which is read behind its offset",
            "37 checks",
        ] {
            assert!(
                outcome.apart.contains(line),
                "no {line} in\n{}",
                outcome.apart
            );
        }
        assert!(!outcome.apart.contains("BAD"), "{}", outcome.apart);
    }
}

/// The VM `press` of a system stops with a report that has all of `parts`, and `panel` says hello
/// and still takes what is typed.
fn dies(system: &str, host: &str, before: &[&str], parts: &[&str]) {
    // What the VMs print side by side has no order. `press` dies in its first 50 ms, `panel` waits
    // for two timers and what is typed.
    let outcome = play(system, host, &["type; q ends", "> q", "PASS hello64"]);
    let text = &outcome.apart;
    let (first, report) = text.split_once("VM press stopped: ").unwrap_or_default();
    let firsts = before.iter().filter(|part| !first.contains(**part));
    let lasts = ["PASS hello64"];
    let missing: Vec<_> = firsts
        .chain(lasts.iter().filter(|part| !text.contains(**part)))
        .chain(parts.iter().filter(|part| !report.contains(**part)))
        .collect();
    assert!(missing.is_empty(), "no {missing:?} in\n{text}");
    assert!(!text.contains("FAIL"), "it lived:\n{text}");
    let accesses = report
        .lines()
        .filter(|line| line.contains(" cpu0 "))
        .count();
    assert_eq!(accesses, 32, "the last accesses in\n{text}");
    // Its registers: the stack pointer of each mode was set by the firmware.
    for bank in ["svc", "abt", "und", "irq", "fiq"] {
        assert!(
            !report.contains(&format!("SP_{bank} 00000000"))
                && report.contains(&format!("SP_{bank} ")),
            "SP_{bank} in\n{text}"
        );
    }
}

#[test]
fn a_guest_that_calls_a_monitor_dies_usefully() {
    for host in HOSTS {
        dies(
            "tests/die-smc.toml",
            host,
            &["die-smc: begins", "an SMC"],
            &[
                "SMC: the guest called a monitor, which the VM does not have",
                "vCPU 0 (Cortex-A9), Supervisor, A32, Secure",
                "instruction e1600070",
                "SMC from AArch32",
                "uart@9000 w 0x000 4 0x53", // the S of what it said last
            ],
        );
    }
}

#[test]
fn a_guest_that_enters_monitor_mode_dies_usefully() {
    for host in HOSTS {
        dies(
            "tests/die-monitor.toml",
            host,
            &["to Monitor mode"],
            &[
                "the guest switched to Monitor mode, which the VM does not have",
                "vCPU 0 (Cortex-A9), Supervisor, A32, Secure",
                "instruction f1020016",
            ],
        );
    }
}

#[test]
fn a_guest_that_branches_into_a_device_dies_usefully() {
    for host in HOSTS {
        dies(
            "tests/die-fetch.toml",
            host,
            &["a branch to the PL011 at 0x1c090000"],
            &[
                "an instruction fetch from a device's registers",
                "vCPU 0 (Cortex-A15), Supervisor, A32, Secure",
                "instruction not readable",
                "instruction abort, translation fault",
                "at VA 0x1c090fe0, IPA 0x1c090fe0",
                "serial@90000 at 0x1c090000, offset 0xfe0",
            ],
        );
    }
}

#[test]
fn a_guest_whose_tables_lie_in_a_device_dies_usefully() {
    for host in HOSTS {
        dies(
            "tests/die-table.toml",
            host,
            &["the MMU on, its tables at 0x2c000000"],
            &[
                "the guest's translation tables lie in a device",
                "vCPU 0 (Cortex-A15), Supervisor, A32, Secure",
                "on a stage-1 walk",
                "table in page 0x2c002000",
                "interrupt-controller@2c001000",
            ],
        );
    }
}

#[test]
fn a_guest_that_leaves_its_board_dies_usefully() {
    for host in HOSTS {
        dies(
            "tests/die-unclaimed.toml",
            host,
            &[
                "data abort from mode 0x13, 0x8 behind the read, DFSR 0x8, DFAR 0x78000000",
                "ok SPSR_svc is kept",
            ],
            &[
                "the guest's abort vector cannot be fetched",
                "vCPU 0 (Cortex-A15), Abort, A32, Secure",
                "PC 0x7900000c, instruction not readable",
                "at VA 0x7900000c, IPA 0x7900000c",
                "in no window; the nearest is /",
                "no window r 0x78000000 4 0x0 refused",
            ],
        );
    }
}
