//! The hypervisor itself fails, in code that runs for one VM: it says how, and the other VM goes
//! on. Run with RELIQUARY_FAULT_INJECTION=1, which builds the hypervisor that fails on request
//! (`cargo reliquary test` does).
use reliquary_cli::hypervisor::FAULT_INJECTION;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::boot;
use reliquary_cli::workspace;
use std::time::Duration;

fn play(system: &str, script: &[&str]) -> String {
    assert!(
        std::env::var_os(FAULT_INJECTION).is_some(),
        "set {FAULT_INJECTION}=1 for this test"
    );
    let step = |line: &&str| match line.strip_prefix("> ") {
        Some(text) => Step::Send(text.to_owned()),
        None => Step::Expect((*line).to_owned()),
    };
    let script = Script(script.iter().map(step).collect());
    let file = workspace::root().join("systems").join(system);
    let outcome = boot(&file, "qemu-virt", &script, Duration::from_secs(120))
        .unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{system}: {fault}\n{}", outcome.text);
    }
    outcome.text
}

/// Makes EL2 fail as `how` says, and waits until the other VM answers; all that was printed.
fn fail(how: &str) -> String {
    play(
        "die-el2.toml",
        &[
            "how? p, a, s or m",
            &format!("> {how}"),
            "type; q ends",
            "> q",
            "PASS hello64",
        ],
    )
}

#[test]
fn a_failure_at_el2_is_told_with_registers_and_backtrace_and_stops_one_vm() {
    let cases = [
        (
            "p",
            "panic on core 0: panicked at src/arch/fault.rs",
            "x19 0x",
        ),
        (
            "a",
            "unexpected synchronous exception at EL2 on core 0: data abort",
            "FAR 0x0000000000000008",
        ),
        (
            "s",
            "unexpected synchronous exception at EL2",
            "stack overflow",
        ),
        ("m", "an allocation of 64 bytes after boot", "x19 0x"),
    ];
    for (how, what, detail) in cases {
        let text = fail(how);
        for wanted in [
            what,
            detail,
            "reliquary-el2 backtrace: image at 0x",
            "this VM is stopped",
        ] {
            assert!(text.contains(wanted), "{how}: no {wanted:?} in\n{text}");
        }
    }
}

/// The first two times by its policy, then by the monitor; and the VM beside it takes what is typed.
#[test]
fn a_vm_in_which_the_hypervisor_failed_is_built_anew() {
    let text = play(
        "tests/die-restart.toml",
        &[
            "@bad:how? p, a, s or m",
            "> @bad:p",
            "@monitor:vm.bad: built anew from the bundle",
            "@bad:how? p, a, s or m",
            "> @bad:s",
            "@monitor:vm.bad: built anew from the bundle",
            "@bad:how? p, a, s or m",
            "> @bad:a",
            "@monitor:vm.bad: stays down: the hypervisor failed in it",
            "> @monitor:vms",
            "@monitor:broken",
            "> @monitor:reset bad",
            "@monitor:`start` builds it anew",
            "> @monitor:start bad",
            "@monitor:vm.bad: built anew from the bundle",
            "@bad:how? p, a, s or m",
            "> @good:q",
            "@good:PASS hello64",
        ],
    );
    assert!(
        text.contains("restarted after a crash (2 since the start; at most 2"),
        "{text}"
    );
}
