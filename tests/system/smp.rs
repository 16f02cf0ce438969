//! Boards with several CPUs: Debian's kernels bring them up, each board's own way, on a core each and where there are
//! fewer cores.
//!
//! A kernel gives a CPU one second of the machine's time to come. QEMU's two threads need both cores of the developer's machine for
//! that, so these boots have it for themselves; and as something else may still keep a thread away for that second, one in which a
//! CPU came too late is tried again, twice at most.
use reliquary_cli::machine::Outcome;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::boot;
use reliquary_cli::workspace;
use std::sync::Mutex;
use std::time::Duration;

/// One boot at a time, however many threads the tests have.
static MACHINE: Mutex<()> = Mutex::new(());

/// How often a kernel may find a CPU too late.
const TRIES: u32 = 3;

fn boots(system: &str, prompt: &str) -> Outcome {
    let file = workspace::root().join("systems").join(system);
    let script = Script(vec![
        Step::Expect(prompt.to_owned()),
        // What is typed shows, too.
        Step::Send("echo there are $(nproc) CPUs, do\\ne".to_owned()),
        Step::Expect("done".to_owned()),
    ]);
    let outcome = boot(&file, "qemu-virt", &script, Duration::from_secs(300));
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{system}: {fault}");
    }
    assert_eq!(outcome.damages, 0, "{}", outcome.apart);
    outcome
}

fn brings_up(system: &str, prompt: &str, cpus: u32) {
    let _alone = MACHINE.lock();
    for _ in 1..TRIES {
        let outcome = boots(system, prompt);
        let came_late = ["failed to boot", "failed to come online"];
        if came_late.iter().any(|text| outcome.text.contains(text)) {
            println!("{system}: a CPU came too late; again");
            continue;
        }
        return holds(&outcome, cpus);
    }
    holds(&boots(system, prompt), cpus);
}

fn holds(outcome: &Outcome, cpus: u32) {
    for line in [
        format!("smp: Brought up 1 node, {cpus} CPUs"),
        format!("there are {cpus} CPUs"),
    ] {
        assert!(
            outcome.text.contains(&line),
            "no {line} in\n{}",
            outcome.text
        );
    }
}

/// By PSCI.
#[test]
fn a_kernel_brings_up_two_cpus_of_virt_v8_gicv3() {
    brings_up("virt-v8-gicv3-smp.toml", "/ #", 2);
}

/// By SYS_FLAGS and an SGI, as on the two that follow.
#[test]
fn a_kernel_brings_up_two_cpus_of_vexpress_a15() {
    brings_up("vexpress-a15-smp.toml", "/ #", 2);
}

#[test]
fn a_kernel_brings_up_two_cpus_of_vexpress_a9() {
    brings_up("vexpress-a9-smp.toml", "/ #", 2);
}

/// More vCPUs than cores: two within the slots of one.
#[test]
#[ignore = "the kernel's second for a CPU is too short on some machines"]
fn a_kernel_brings_up_two_cpus_that_share_a_core() {
    brings_up("tests/a9-turns.toml", "@a9:/ #", 2);
}

/// Four on two cores by turns.
#[test]
#[ignore = "the kernel's second for a CPU is too short on some machines"]
fn a_kernel_brings_up_four_cpus_on_two_cores() {
    brings_up("vexpress-a9-four.toml", "/ #", 4);
}
