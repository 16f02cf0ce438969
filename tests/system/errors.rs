//! Everything that can be wrong with a system file is told with file, line and mend.
use reliquary_cli::fault::{Fault, Faults};
use reliquary_cli::system::{System, prepare};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder with a board, a kernel and a system file of this text.
struct Bench(TempDir);

/// A board with RAM at 0x80000000, a flash at 0, a UART and a GIC.
const BOARD: &str = r#"/dts-v1/;
/ {
    model = "bench";
    compatible = "bench";
    #address-cells = <1>;
    #size-cells = <1>;
    interrupt-parent = <&gic>;
    chosen { stdout-path = "/serial@9000000"; };
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
};
"#;

const SYSTEM: &str = "host = \"qemu-virt\"\n\n[vm.one]\nboard = \"board.dts\"\ncores = [0]\nmemory = \"128M\"\nkernel = \"zimage\"\n";

impl Bench {
    fn new(board: &str, system: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut zimage = vec![0; 4096];
        zimage[0x24..0x28].copy_from_slice(&0x016f_2818_u32.to_le_bytes());
        let mut image = vec![0; 4096];
        image[0x38..0x3c].copy_from_slice(b"ARM\x64");
        fs::write(folder.path().join("zimage"), zimage).unwrap();
        fs::write(folder.path().join("image"), image).unwrap();
        fs::write(folder.path().join("board.dts"), board).unwrap();
        fs::write(folder.path().join("system.toml"), system).unwrap();
        Self(folder)
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("system.toml")
    }

    fn check(&self) -> Result<prepare::Prepared, Faults> {
        prepare::prepare(&System::read(&self.path())?, None)
    }
}

/// The faults of a system file of this text.
fn faults_of(board: &str, system: &str) -> Vec<Fault> {
    Bench::new(board, system)
        .check()
        .map(|_| ())
        .expect_err("it must be refused")
        .0
}

/// There is a fault at this line of this file with these words and some mend.
fn assert_fault(faults: &[Fault], file: &str, line: usize, words: &str) {
    let found = faults.iter().any(|fault| {
        let at = fault.at.as_ref().is_some_and(|(own, at)| {
            own.file_name() == Path::new(file).file_name() && *at == Some(line)
        });
        at && fault.what.contains(words) && fault.mend.is_some()
    });
    assert!(
        found,
        "no fault \"{words}\" at {file}:{line} in {faults:#?}"
    );
}

/// A system file in which `from` is replaced by `to`.
fn system(from: &str, to: &str) -> String {
    assert!(SYSTEM.contains(from));
    SYSTEM.replace(from, to)
}

/// A board in which `from` is replaced by `to`.
fn board(from: &str, to: &str) -> String {
    assert!(BOARD.contains(from));
    BOARD.replace(from, to)
}

#[test]
fn a_sound_system_is_accepted() {
    let prepared = Bench::new(BOARD, SYSTEM)
        .check()
        .unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(prepared.vms.len(), 1);
    let names: Vec<_> = prepared.vms[0]
        .placed
        .iter()
        .map(|placed| placed.name.as_str())
        .collect();
    assert_eq!(names, ["kernel zimage", "device tree"]);
}

#[test]
fn bad_toml_is_told_with_its_line() {
    assert_fault(
        &faults_of(BOARD, "host = \"qemu-virt\"\n[vm.one\n"),
        "system.toml",
        2,
        "not sound TOML",
    );
}

#[test]
fn an_unknown_key_is_told_with_the_nearest() {
    let faults = faults_of(BOARD, &system("memory =", "memori ="));
    assert_fault(&faults, "system.toml", 6, "`memori`");
    assert_eq!(faults[0].mend.as_deref(), Some("did you mean `memory`?"));
}

#[test]
fn a_way_to_wait_that_there_is_not_is_told() {
    let faults = faults_of(BOARD, &system("memory =", "wfi = \"sometimes\"\nmemory ="));
    assert_fault(&faults, "system.toml", 6, "`wfi` cannot be \"sometimes\"");
    assert!(faults[0].mend.as_deref().unwrap().contains("direct"));
}

#[test]
fn an_unknown_host_is_told() {
    assert_fault(
        &faults_of(BOARD, &system("qemu-virt", "qemu-vrit")),
        "system.toml",
        1,
        "host \"qemu-vrit\"",
    );
}

#[test]
fn an_unknown_board_is_told() {
    assert_fault(
        &faults_of(BOARD, &system("board.dts", "toaster")),
        "system.toml",
        4,
        "board \"toaster\"",
    );
    assert_fault(
        &faults_of(BOARD, &system("board.dts", "gone.dts")),
        "system.toml",
        4,
        "no file",
    );
}

#[test]
fn a_missing_image_is_told() {
    assert_fault(
        &faults_of(BOARD, &system("\"zimage\"", "\"gone\"")),
        "system.toml",
        7,
        "no file",
    );
    assert_fault(
        &faults_of(BOARD, &system("\"zimage\"", "\"image:gone\"")),
        "system.toml",
        7,
        "\"gone\" is not known",
    );
}

#[test]
fn a_kernel_of_the_wrong_architecture_is_told() {
    assert_fault(
        &faults_of(BOARD, &system("\"zimage\"", "\"image\"")),
        "system.toml",
        7,
        "not for the board's CPU",
    );
}

#[test]
fn a_file_that_is_no_kernel_is_told() {
    assert_fault(
        &faults_of(BOARD, &system("\"zimage\"", "\"board.dts\"")),
        "system.toml",
        7,
        "no zImage",
    );
}

#[test]
fn memory_that_the_host_lacks_is_told() {
    assert_fault(
        &faults_of(BOARD, &system("128M", "1G")),
        "system.toml",
        6,
        "host's memory",
    );
}

#[test]
fn memory_that_the_board_has_no_room_for_is_told() {
    assert_fault(
        &faults_of(BOARD, &system("128M", "2G")),
        "system.toml",
        6,
        "cannot have 2048 MiB",
    );
    assert_fault(
        &faults_of(BOARD, &system("128M", "1000")),
        "system.toml",
        6,
        "cannot have 1000 bytes",
    );
}

#[test]
fn cores_that_the_host_or_the_board_lacks_are_told() {
    assert_fault(
        &faults_of(BOARD, &system("[0]", "[2]")),
        "system.toml",
        5,
        "no core 2",
    );
    assert_fault(
        &faults_of(BOARD, &system("[0]", "[0, 1]")),
        "system.toml",
        5,
        "the board has 1 CPU",
    );
    assert_fault(
        &faults_of(BOARD, &system("[0]", "[]")),
        "system.toml",
        5,
        "`cores` must be",
    );
}

#[test]
fn images_that_overlap_or_leave_memory_are_told() {
    let raw = |load: &str| {
        system(
            "kernel = \"zimage\"",
            &format!("raw = {{ file = \"zimage\", load = {load} }}\ninitrd = \"image\""),
        )
    };
    assert_fault(
        &faults_of(BOARD, &raw("0x70000000")),
        "system.toml",
        7,
        "leaves the VM's memory",
    );
    assert_fault(
        &faults_of(BOARD, &raw("0x87fff800")),
        "system.toml",
        7,
        "leaves the VM's memory",
    );
}

#[test]
fn two_images_of_one_vm_are_told() {
    let faults = faults_of(
        BOARD,
        &system(
            "kernel = \"zimage\"",
            "kernel = \"zimage\"\nelf = \"zimage\"",
        ),
    );
    assert_fault(&faults, "system.toml", 3, "more than one image");
}

#[test]
fn a_register_that_the_cpu_lacks_is_told() {
    let faults = faults_of(BOARD, &format!("{SYSTEM}entry = {{ x0 = 1 }}\n"));
    assert_fault(&faults, "system.toml", 8, "no entry register `x0`");
}

#[test]
fn a_map_that_does_not_compile_is_told_with_its_line() {
    let faults = faults_of(&board("model = \"bench\";", "model = \"bench\""), SYSTEM);
    assert_fault_line(&faults, "board.dts", 4);
}

/// There is a fault at this line with some mend, whatever its words.
fn assert_fault_line(faults: &[Fault], file: &str, line: usize) {
    let at = |fault: &Fault| {
        fault.at.as_ref().is_some_and(|(own, at)| {
            own.file_name() == Path::new(file).file_name() && *at == Some(line)
        }) && fault.mend.is_some()
    };
    assert!(
        faults.iter().any(at),
        "no fault at {file}:{line} in {faults:#?}"
    );
}

#[test]
fn overlapping_windows_are_told_with_the_line_of_the_node() {
    let twice = board(
        "    serial@9000000",
        "    rtc@9000800 { compatible = \"arm,pl031\", \"arm,primecell\"; reg = <0x09000800 0x1000>; };\n    serial@9000000",
    );
    let faults = faults_of(&twice, SYSTEM);
    assert!(
        faults.iter().any(
            |fault| matches!(&fault.at, Some((file, Some(21 | 22))) if file.ends_with("board.dts"))
                && fault.mend.is_some()
        ),
        "{faults:#?}"
    );
}

#[test]
fn a_window_over_ram_is_told_with_the_line_of_the_node() {
    let over = board("reg = <0x09000000 0x1000>", "reg = <0x81000000 0x1000>");
    let faults = faults_of(&over, SYSTEM);
    assert!(
        faults.iter().any(
            |fault| matches!(&fault.at, Some((file, Some(14 | 21))) if file.ends_with("board.dts"))
                && fault.mend.is_some()
        ),
        "{faults:#?}"
    );
}

#[test]
fn an_unknown_device_is_told_with_the_line_of_the_node() {
    let strange = board("\"arm,pl011\", \"arm,primecell\"", "\"acme,toaster\"");
    let faults = faults_of(&strange, SYSTEM);
    assert_fault(&faults, "board.dts", 21, "acme,toaster");
}

#[test]
fn an_interrupt_out_of_range_is_told_with_the_line_of_the_node() {
    let faults = faults_of(
        &board("interrupts = <0 1 4>", "interrupts = <0 2000 4>"),
        SYSTEM,
    );
    assert_fault_line(&faults, "board.dts", 21);
}

/// The board with a node behind which a device of the host is passed through.
fn passed(host: &str, bytes: &str) -> String {
    let node = format!(
        "    clock@1c170000 {{
        reg = <0x1c170000 {bytes}>;
        reliquary,pass-through = \"{host}\";
    }};
    serial@9000000"
    );
    board("    serial@9000000", &node)
}

#[test]
fn a_device_that_cannot_be_passed_through_is_told_with_the_line_of_the_node() {
    for (host, bytes, words) in [
        ("/pl031@9010000", "0x800", "a part of a page"),
        ("/virtio_mmio@a000200", "0x200", "a part of a page"),
        ("/fw-cfg@9020000", "0x1000", "only 0x18"),
        ("/pl011@9000000", "0x1000", "the hypervisor's own console"),
        ("/intc@8000000", "0x1000", "own interrupt controller"),
        ("/toaster", "0x1000", "no node /toaster"),
    ] {
        assert_fault(
            &faults_of(&passed(host, bytes), SYSTEM),
            "board.dts",
            21,
            words,
        );
    }
    Bench::new(&passed("/pl031@9010000", "0x1000"), SYSTEM)
        .check()
        .unwrap_or_else(|faults| panic!("{faults}"));
}

#[test]
fn a_host_device_passed_to_two_vms_is_told() {
    let two = format!(
        "{SYSTEM}\n[vm.two]\nboard = \"board.dts\"\ncores = [1]\nmemory = \"64M\"\nkernel = \"zimage\"\n"
    );
    let faults = faults_of(&passed("/pl031@9010000", "0x1000"), &two);
    assert_fault(&faults, "system.toml", 10, "is vm.one's already");
}

#[test]
fn a_schedule_that_cannot_be_kept_is_told() {
    let two = |cores: &str, schedule: &str| {
        format!(
            "{SYSTEM}\n[vm.two]\nboard = \"board.dts\"\ncores = [{cores}]\nmemory = \"64M\"\nkernel = \"zimage\"\n\n{schedule}\n"
        )
    };
    for (schedule, words) in [
        (
            "[schedule]\npolicy = \"cyclic\"\nslots = [{ vm = \"one\", us = 100 }]",
            "vm.two shares a core, and has no slot",
        ),
        (
            "[schedule]\npolicy = \"cyclic\"\nslots = [{ vm = \"tow\", us = 100 }]",
            "a slot is of vm.tow",
        ),
        ("[schedule]\npolicy = \"cyclic\"", "has no slots"),
        (
            "[schedule]\npolicy = \"cyclic\"\nslots = [{ vm = \"one\" }]",
            "slot 0 is 0 us long",
        ),
        ("[schedule]\npolicy = \"fair\"", "`policy` cannot be"),
    ] {
        let faults = faults_of(BOARD, &two("0", schedule));
        assert!(
            faults.iter().any(|fault| fault.to_string().contains(words)),
            "{schedule}: {faults:?}"
        );
    }
}

#[test]
fn a_cycle_in_interrupt_wiring_is_told_with_the_line_of_a_node() {
    let cascade = |label: &str, at: &str, parent: &str| {
        format!(
            "    {label}: interrupt-controller@{at}000000 {{
        compatible = \"arm,gic-400\";
        interrupt-controller;
        #interrupt-cells = <3>;
        interrupt-parent = <&{parent}>;
        interrupts = <0 3 4>;
        reg = <0x{at}000000 0x1000>, <0x{at}010000 0x2000>;
    }};
"
        )
    };
    let two = cascade("a", "a", "b") + &cascade("b", "b", "a") + "    serial@9000000";
    let faults = faults_of(&board("    serial@9000000", &two), SYSTEM);
    assert_fault(&faults, "board.dts", 21, "cycle");
}

#[test]
fn a_timer_of_another_rate_than_the_hosts_is_told() {
    let timer = "    timer {\n        compatible = \"arm,armv7-timer\";\n        clock-frequency = <24000000>;\n        interrupts = <1 13 0x308>, <1 14 0x308>, <1 11 0x308>, <1 10 0x308>;\n    };\n    serial@9000000";
    let slow = board("    serial@9000000", timer);
    assert_fault(&faults_of(&slow, SYSTEM), "system.toml", 6, "24000000 Hz");
    let any = slow.replace(
        "clock-frequency",
        "reliquary,any-timer-frequency;\n        clock-frequency",
    );
    Bench::new(&any, SYSTEM)
        .check()
        .unwrap_or_else(|faults| panic!("{faults}"));
}

#[test]
fn a_board_with_a_gicv3_on_a_host_without_one_is_told() {
    let board = board("arm,cortex-a15-gic", "arm,gic-v3")
        .replace("<0x08010000 0x2000>", "<0x08020000 0x20000>")
        .replace("<0x08000000 0x1000>", "<0x08000000 0x10000>");
    Bench::new(&board, SYSTEM).check().unwrap();
    let faults = faults_of(&board, &system("qemu-virt", "qemu-virt-gicv2"));
    assert_fault(
        &faults,
        "system.toml",
        4,
        "the host qemu-virt-gicv2 has none",
    );
}

#[test]
fn redistributors_without_room_for_all_cpus_are_told() {
    let board = board("arm,cortex-a15-gic", "arm,gic-v3");
    let faults = faults_of(&board, SYSTEM);
    assert_fault(&faults, "board.dts", 15, "room for 0 CPUs, and there are 1");
}

#[test]
fn a_key_that_is_missing_is_told_at_its_vm() {
    assert_fault(
        &faults_of(BOARD, &system("board = \"board.dts\"\n", "")),
        "system.toml",
        3,
        "has no board",
    );
    assert_fault(
        &faults_of(BOARD, &system("kernel = \"zimage\"\n", "")),
        "system.toml",
        3,
        "has no image",
    );
    assert_fault(
        &faults_of(BOARD, "host = \"qemu-virt\"\n"),
        "system.toml",
        1,
        "no VM",
    );
}

#[test]
fn a_key_of_the_wrong_type_is_told() {
    for (from, to, line) in [
        ("\"board.dts\"", "7", 4),
        ("[0]", "\"0\"", 5),
        ("\"128M\"", "\"much\"", 6),
        ("\"zimage\"", "[]", 7),
    ] {
        assert_fault(
            &faults_of(BOARD, &system(from, to)),
            "system.toml",
            line,
            "must be",
        );
    }
}

#[test]
fn a_flash_image_for_a_board_without_flash_is_told() {
    let faults = faults_of(BOARD, &system("kernel =", "flash ="));
    assert_fault(&faults, "system.toml", 7, "no flash");
}

#[test]
fn a_pass_through_that_the_host_lacks_is_told_with_the_line_of_the_node() {
    let gone = board(
        "    serial@9000000",
        "    rtc@9010000 {
        compatible = \"arm,pl031\", \"arm,primecell\";
        reg = <0x09010000 0x1000>;
        reliquary,pass-through = \"/toaster@0\";
    };
    serial@9000000",
    );
    assert_fault(&faults_of(&gone, SYSTEM), "board.dts", 21, "/toaster@0");
}

#[test]
fn a_console_that_is_no_emulated_device_is_told() {
    let faults = faults_of(&board("/serial@9000000", "/memory@80000000"), SYSTEM);
    assert_fault(&faults, "board.dts", 8, "stdout-path");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let faults = faults_of(
        BOARD,
        &system("qemu-virt", "qemu-vrit").replace("board.dts", "toaster"),
    );
    assert_fault(&faults, "system.toml", 1, "host");
    assert_fault(&faults, "system.toml", 4, "board");
}

/// A board with a card interface, and a slot's image of so many bytes.
fn with_card(bytes: usize, sd: &str) -> Result<prepare::Prepared, Faults> {
    let slot = "    mmci@9010000 {\n        compatible = \"arm,pl180\", \"arm,primecell\";\n        \
        reg = <0x09010000 0x1000>;\n        interrupts = <0 2 4>, <0 3 4>;\n    };\n";
    let end = BOARD.rfind("};").unwrap();
    let board = format!("{}{slot}{}", &BOARD[..end], &BOARD[end..]);
    let bench = Bench::new(&board, &format!("{SYSTEM}{sd}\n"));
    fs::write(bench.0.path().join("card.img"), vec![0; bytes]).unwrap();
    bench.check()
}

#[test]
fn a_card_is_as_large_as_holds_its_image() {
    let prepared = with_card(20 << 20 | 512, "sd = \"card.img\"").unwrap();
    let card = prepared.vms[0].card.as_ref().unwrap();
    assert_eq!(card.config.bytes(), (20 << 20) + (8 << 10));
    let sd = "sd = { file = \"card.img\", read-only = true, high-capacity = true }";
    let prepared = with_card(512, sd).unwrap();
    let card = prepared.vms[0].card.as_ref().unwrap();
    assert_eq!(card.config.bytes(), 512 << 10);
    assert!(card.read_only && prepared.bundle().is_ok());
}

#[test]
fn what_is_no_card_is_told_with_its_line() {
    for (bytes, sd, words) in [
        (0, "sd = \"card.img\"", "it is empty"),
        (700, "sd = \"card.img\"", "700 bytes are not whole blocks"),
        (512, "sd = \"disc.img\"", "there is no file"),
        (512, "sd = 3", "`sd` must be a file or a table"),
        (512, "sd = { read-only = true }", "`sd` lacks its file"),
        (
            512,
            "sd = { file = \"card.img\", read-only = 1 }",
            "`read-only` must be true or false",
        ),
        (
            512,
            "sd = { file = \"card.img\", readonly = true }",
            "sd has no key `readonly`",
        ),
        (512 << 20, "sd = \"card.img\"", "of the host's memory"),
    ] {
        let faults = with_card(bytes, sd).map(|_| ()).expect_err(words).0;
        let line = if bytes == 512 << 20 { 6 } else { 8 };
        assert_fault(&faults, "system.toml", line, words);
    }
    let system = format!("{SYSTEM}sd = \"zimage\"\n");
    let faults = faults_of(BOARD, &system);
    assert_fault(&faults, "system.toml", 8, "no slot for a card");
}

/// Two VMs, and what follows them, from line 15 on.
fn two_vms(more: &str) -> String {
    let second = SYSTEM.split_once("\n\n").unwrap().1;
    let second = second.replace("vm.one", "vm.two").replace("[0]", "[1]");
    format!("{SYSTEM}\n{second}\n{more}")
}

#[test]
fn what_is_wrong_with_a_channel_is_told_at_its_line() {
    let channel = |from: &str, to: &str| {
        let sound = "[[channel]]\nname = \"a\"\nfrom = \"one\"\nto = \"two\"\nsize = 16\n";
        assert!(sound.contains(from));
        two_vms(&sound.replace(from, to))
    };
    let sound = Bench::new(BOARD, &channel("size", "size")).check();
    assert_eq!(sound.unwrap().channels.len(), 1);
    for (from, to, line, words) in [
        ("name = \"a\"\n", "", 15, "lacks its `name`"),
        ("\"a\"", "\"\"", 16, "has no name"),
        ("\"one\"", "\"ome\"", 17, "no VM is called \"ome\""),
        ("\"two\"", "\"one\"", 18, "both its ends"),
        ("16", "0", 19, "`size` cannot be 0"),
        ("16", "65", 19, "`size` cannot be 65"),
        ("16", "17", 19, "hold no message of 17 bytes"),
        ("16\n", "16\ndepth = 65\n", 20, "`depth` cannot be 65"),
        (
            "16\n",
            "16\npriority = 256\n",
            20,
            "`priority` cannot be 256",
        ),
        (
            "16\n",
            "16\nmemory = \"m\"\n",
            20,
            "no memory is called \"m\"",
        ),
        ("16\n", "16\nsides = 2\n", 20, "`sides`"),
        (
            "16\n",
            "16\n[[channel]]\nname = \"a\"\nfrom = \"two\"\nto = \"one\"\nsize = 1\n",
            21,
            "two channels are called",
        ),
    ] {
        assert_fault(
            &faults_of(BOARD, &channel(from, to)),
            "system.toml",
            line,
            words,
        );
    }
}

#[test]
fn a_channel_interrupt_is_an_input_that_is_free() {
    let channel = "[[channel]]\nname = \"a\"\nfrom = \"one\"\nto = \"two\"\nsize = 16\n";
    let with = |interrupt: &str, channel: &str| {
        let text = two_vms(channel);
        text.replacen(
            "cores = [0]",
            &format!("cores = [0]\nchannel-interrupt = {interrupt}"),
            1,
        )
    };
    let sound = Bench::new(BOARD, &with("20", channel)).check().unwrap();
    assert_eq!(sound.vms[0].channel_interrupt, Some((0, 52)));
    assert_eq!(sound.vms[1].channel_interrupt, None);
    for (text, words) in [
        (with("1", channel), "it is not free"),
        (with("4000", channel), "it is not free"),
        (with("20", ""), "vm.one holds no channel"),
        (
            with("\"x\"", channel),
            "`channel-interrupt` must be a number",
        ),
    ] {
        assert_fault(&faults_of(BOARD, &text), "system.toml", 6, words);
    }
}

#[test]
fn what_is_wrong_with_a_shared_memory_is_told_at_its_line() {
    let board = BOARD.replace(
        "gic: interrupt-controller@8000000 {",
        "gic: interrupt-controller@8000000 { phandle = <7>;",
    );
    let memory = |from: &str, to: &str| {
        let sound = "[[shared-memory]]\nname = \"m\"\nsize = \"8K\"\nvms = [\n    \
            { vm = \"one\", at = 0x50000000, interrupt = 21 },\n    \
            { vm = \"two\", at = 0x60000000, read-only = true },\n]\n";
        assert!(sound.contains(from), "{from}");
        two_vms(&sound.replace(from, to))
    };
    let sound = Bench::new(&board, &memory("m", "m")).check();
    let sound = sound.unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(sound.memories.len(), 1);
    assert_eq!(sound.wires.len(), 1, "between their doorbells");
    for (from, to, line, words) in [
        ("name = \"m\"\n", "", 15, "lacks its `name`"),
        ("\"m\"", "\"M m\"", 16, "cannot be a memory's name"),
        ("8K", "6K", 17, "cannot have 6144 bytes"),
        ("8K", "1G", 17, "cannot have 1073741824 bytes"),
        ("0x50000000", "0x50000100", 19, "begins no page"),
        ("0x50000000", "0x08fff000", 19, "lies over /serial@9000000"),
        ("0x50000000", "0x87fff000", 19, "lies over /memory@80000000"),
        ("0x60000000", "0x100000000", 20, "do not reach"),
        ("\"two\"", "\"too\"", 20, "no VM is called \"too\""),
        ("\"two\"", "\"one\"", 20, "has the memory twice"),
        ("21", "1", 19, "it is not free"),
        ("read-only = true", "readonly = true", 20, "`readonly`"),
    ] {
        assert_fault(
            &faults_of(&board, &memory(from, to)),
            "system.toml",
            line,
            words,
        );
    }
}

#[test]
fn a_guest_finds_its_shared_memory_in_the_tree_that_it_is_handed() {
    let board = BOARD.replace(
        "gic: interrupt-controller@8000000 {",
        "gic: interrupt-controller@8000000 { phandle = <7>;",
    );
    let text = two_vms(
        "[[shared-memory]]\nname = \"m\"\nsize = \"8K\"\nvms = [\n    \
        { vm = \"one\", at = 0x50000000, interrupt = 21 },\n    \
        { vm = \"two\", at = 0x60000000 },\n]\n",
    );
    let own = text.replacen("cores = [0]", "cores = [0]\ndtb = \"board.dts\"", 1);
    for text in [text, own] {
        let prepared = Bench::new(&board, &text).check();
        let prepared = prepared.unwrap_or_else(|faults| panic!("{faults}"));
        let tree = &prepared.vms[0].placed.last().unwrap().bytes;
        let tree = reliquary_cli::tree::Tree::read(tree).unwrap();
        let node = tree.node("/m@50000000").expect("the memory's node");
        assert!(node.is_compatible("generic-uio"));
        assert_eq!(
            node.cells("reg"),
            [0x5000_0000, 0x2000, 0x5000_2000, 0x1000]
        );
        assert_eq!(node.cells("interrupts"), [0, 21, 4]);
        assert_eq!(node.cells("interrupt-parent"), [7]);
        assert!(
            node.properties
                .iter()
                .all(|(name, _)| !name.starts_with("reliquary,"))
        );
        assert!(tree.node("/m@60000000").is_none(), "the other VM's");
    }
}

#[test]
fn what_is_wrong_with_a_wire_that_leads_outside_is_told_at_its_line() {
    let board = board(
        "    serial@9000000 {",
        "    serial@9001000 {
        compatible = \"arm,pl011\", \"arm,primecell\";
        reg = <0x09001000 0x1000>;
        interrupts = <0 2 4>;
    };
    serial@9000000 {",
    );
    let wire = |ends: &str| format!("{SYSTEM}\n[[wire]]\n{ends}\n");
    for ends in [
        "serial = [\"one.serial@9001000\", \"outside\"]",
        "serial = [\"outside\", \"one.serial@9001000\"]\npace = \"none\"",
    ] {
        let sound = Bench::new(&board, &wire(ends)).check();
        let sound = sound.unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(sound.wires[0].name, "one.serial@9001000 - outside");
        assert_eq!(
            (
                sound.wires[0].kind.ends().len(),
                sound.wires[0].kind.places()
            ),
            (1, 2)
        );
    }
    for (ends, line, words) in [
        ("serial = [\"outside\", \"outside\"]", 10, "joins no board"),
        (
            "serial = [\"one.serial@9001000\", \"outsid\"]",
            10,
            "an end must be VM.DEVICE",
        ),
        ("serial = [\"outside\"]", 10, "a wire has two ends"),
        (
            "serial = [\"one.serial@9000000\", \"outside\"]",
            10,
            "is the console of one",
        ),
        (
            "serial = [\"one.serial@9001000\", \"outside\"]\noverrun = \"faithful\"",
            11,
            "nothing overruns from outside",
        ),
        (
            "ethernet = [\"outside\", \"one.serial@9001000\"]",
            10,
            "has no Ethernet port",
        ),
        (
            "ethernet = [\"outside\", \"outside\"]",
            10,
            "joins no board",
        ),
        (
            "ethernet = [\"outside\", \"one.ethernet\", \"outside\"]",
            10,
            "the host has one network",
        ),
        (
            "ethernet = [\"one.a\", \"outside\"]\n[[wire]]\nethernet = [\"one.b\", \"outside\"]",
            12,
            "another wire leads to the host's network",
        ),
        (
            "gpio = [\"outside\", \"one.gpio:1\"]",
            10,
            "only serial and Ethernet wires lead outside",
        ),
    ] {
        assert_fault(&faults_of(&board, &wire(ends)), "system.toml", line, words);
    }
}
