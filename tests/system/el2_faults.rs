//! The hypervisor itself fails, in code that runs for one VM: it says how, and the other VM goes
//! on. Run with RELIQUARY_FAULT_INJECTION=1, which builds the hypervisor that fails on request
//! (`cargo reliquary test` does).
use reliquary_cli::hypervisor::FAULT_INJECTION;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::boot;
use reliquary_cli::workspace;
use std::time::Duration;

/// Makes EL2 fail as `how` says, and waits until the other VM answers; all that was printed.
fn fail(how: &str) -> String {
    let script = [
        Step::Expect("how? p, a, s or m".to_owned()),
        Step::Send(how.to_owned()),
        Step::Expect("type; q ends".to_owned()),
        Step::Send("q".to_owned()),
        Step::Expect("PASS hello64".to_owned()),
    ];
    let file = workspace::root().join("systems/die-el2.toml");
    let outcome = boot(
        &file,
        "qemu-virt",
        &Script(script.to_vec()),
        Duration::from_secs(120),
    )
    .unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{how}: {fault}\n{}", outcome.text);
    }
    outcome.text
}

#[test]
fn a_failure_at_el2_is_told_with_registers_and_backtrace_and_stops_one_vm() {
    assert!(
        std::env::var_os(FAULT_INJECTION).is_some(),
        "set {FAULT_INJECTION}=1 for this test"
    );
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
