//! Every load and store of A64, A32 and T32, of a device as of RAM: own firmware makes the cases
//! from seeds, and compares (legacy-images/firmware/README.md).
use reliquary_cli::script::Script;
use reliquary_cli::verbs::run::boot;
use reliquary_cli::workspace;
use std::time::Duration;

/// Runs a system to its end; what each program printed, all of it.
fn run(system: &str, host: &str) -> String {
    let file = workspace::root().join("systems/tests").join(system);
    let script = Script(Vec::new());
    let outcome = boot(&file, host, &script, Duration::from_secs(600))
        .unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(outcome.damages, 0, "the link lost something");
    outcome.apart
}

/// A program passed; it had so many cases, whose accesses trapped, in each of these classes
/// some.
fn passed(said: &str, program: &str, cases: u64, classes: &[&str]) {
    let from = said.split(&format!("{program}: begins")).nth(1);
    let own = from.unwrap_or_else(|| panic!("{program} did not begin:\n{said}"));
    let Some((own, _)) = own.split_once(&format!("PASS {program}")) else {
        panic!("{program} did not pass:\n{own}");
    };
    let count = |line: &str| -> Option<u64> { line.split_whitespace().next()?.parse().ok() };
    let mut lines = own.lines();
    let all = lines.rfind(|line| line.ends_with(" cases")).and_then(count);
    assert!(all >= Some(cases), "{all:?} cases of {program}");
    for class in classes {
        let line = own.lines().find_map(|line| {
            let rest = line.strip_prefix(class)?.strip_prefix(": ")?;
            count(rest)
        });
        assert!(line > Some(0), "no case of {class} in\n{own}");
    }
}

/// How many traps a VM's account tells.
fn traps(said: &str, vm: &str) -> u64 {
    let account = said
        .lines()
        .find(|line| line.contains(&format!("vm.{vm}: the guest switched its board off")));
    let before = account.and_then(|line| line.split(" traps").next());
    let number = before.and_then(|before| before.split_whitespace().next_back());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no account of {vm} in\n{said}"))
}

#[test]
fn a64_does_to_a_device_what_it_does_to_ram() {
    let said = run("loadstore-a64.toml", "qemu-virt-max");
    let classes = [
        "unsigned offset",
        "unprivileged",
        "pair pre-index",
        "SIMD pair post-index",
        "LDAPUR, STLUR",
        "exclusive pairs",
        "LDADD to LDUMIN",
        "CASP",
        "LD1-4, ST1-4 multiple",
        "LD1R-LD4R",
        "literal",
        "DC ZVA",
        "from a device to nowhere",
    ];
    passed(&said, "loadstore-a64", 20_000, &classes);
    assert!(traps(&said, "a64") > 200_000, "{said}");
}

#[test]
fn a32_and_t32_do_to_a_device_what_they_do_to_ram() {
    let said = run("loadstore-a32-t32.toml", "qemu-virt");
    let classes = [
        "LDRT, STRT",
        "LDRD, STRD",
        "LDM, STM user bank",
        "LDM exception return",
        "LDR to PC",
        "exclusives",
        "SWP, SWPB",
        "RFE",
        "SRS",
        "VLDM, VSTM",
        "VLD1-4, VST1-4 single lane",
        "from a device to nowhere",
    ];
    passed(&said, "loadstore-a32", 30_000, &classes);
    let classes = [
        "T16 LDM, STM",
        "PUSH, POP",
        "T32 imm8",
        "T32 LDM with PC",
        "T32 LDR to PC",
        "exclusives",
        "TBB, TBH",
        "IT blocks",
        "VLD1-4 all lanes",
        "from a device to nowhere",
    ];
    passed(&said, "loadstore-t32", 30_000, &classes);
    for vm in ["a32", "t32"] {
        assert!(traps(&said, vm) > 200_000, "{said}");
    }
}
