//! What a guest's operations cost in instructions, its own and the hypervisor's together, told by
//! own firmware (legacy-images/firmware/src/cost.rs) on a machine that takes one nanosecond for
//! each. The same on every run and machine, so a figure that grows is a change of ours: the test
//! fails then. docs/costs.md tells the same figures, with the goals and other hypervisors' beside.
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::boot_counted;
use reliquary_cli::workspace;
use std::fmt::Write as _;
use std::time::Duration;

/// A row: its name, what it cost when this was last set, and the goal, if there is one.
type Row = (&'static str, u64, Option<u64>);

const A64: [Row; 14] = [
    ("hypercall (PSCI_VERSION)", 324, Some(60)),
    ("emulated UART status read", 262, Some(120)),
    ("GICD_TYPER read", 278, Some(120)),
    ("GICD_ISENABLER write", 514, Some(160)),
    ("GICD_ICENABLER and ISENABLER, a pair", 1032, None),
    ("SGI to itself, to its handler", 886, Some(260)),
    ("acknowledge and end", 1568, Some(450)),
    ("virtual timer, guest busy", 1296, Some(112)),
    ("virtual timer, guest in WFI", 1648, Some(128)),
    ("load with write-back, post-index", 285, None),
    ("load with write-back, pre-index", 285, None),
    ("store with write-back, post-index", 1481, None),
    ("LDP of two W", 1061, None),
    ("STP of two W", 1768, None),
];

const A32: [Row; 24] = [
    ("emulated UART status read", 263, Some(120)),
    ("system register of the board, read", 267, Some(120)),
    ("SP804 value read", 798, Some(150)),
    ("GICD_TYPER read", 279, Some(120)),
    ("GICD_ISENABLER write", 515, Some(170)),
    ("GICD_ICENABLER and ISENABLER, a pair", 1034, None),
    ("ACTLR read", 463, Some(90)),
    ("SGIR store to handler", 890, Some(260)),
    ("acknowledge and end", 1570, Some(450)),
    ("virtual timer, guest busy", 1568, None),
    ("virtual timer, guest in WFI", 1920, None),
    ("SP804 interrupt, lateness", 2096, Some(350)),
    ("load with write-back, post-index", 259, Some(260)),
    ("load with write-back, pre-index", 259, Some(260)),
    ("load with write-back, of the UART", 282, None),
    ("store with write-back, post-index", 1131, None),
    ("LDM of 1", 255, Some(320)),
    ("LDM of 2", 429, None),
    ("LDM of 4", 557, None),
    ("LDM of 8", 813, None),
    ("LDM of 1, of the UART", 278, None),
    ("STM of 4", 2051, None),
    ("LDRD", 1085, None),
    ("STRD", 1411, None),
];

/// What calls of channels cost, of VMs on one core.
const CHANNELS: [Row; 7] = [
    ("channel SEND, nobody waits", 568, None),
    ("channel SEND, refused: FULL", 499, None),
    ("channel NOTIFY, nobody waits", 405, Some(60)),
    ("channel SEND to a VM that waits, and back", 3046, None),
    ("channel CALL and its REPLY", 4649, None),
    ("channel RECEIVE", 498, None),
    ("channel TAKE", 389, None),
];

/// What a register beyond the first of an LDM costs.
const FURTHER: Row = ("LDM, each further register", 80, Some(80));

/// Rows that are held to their goals too: the loads that have no syndrome.
const GATED: [&str; 4] = [
    "load with write-back, post-index",
    "load with write-back, pre-index",
    "LDM of 1",
    FURTHER.0,
];

/// What a figure may be above the one that was set: a compiler's doing.
const SLACK_PERCENT: u64 = 3;

/// The rows that the firmware of `system` printed: name, native figure, figure in hundredths.
fn measure(system: &str) -> Vec<(String, u64, u64)> {
    let file = workspace::root().join("systems/tests").join(system);
    let ends = match system {
        "cost-channel.toml" => ["@sink:PASS cost-", "@probe:PASS cost-"].as_slice(),
        _ => &["PASS cost-"],
    };
    let script = Script(
        ends.iter()
            .map(|text| Step::Expect((*text).to_owned()))
            .collect(),
    );
    let outcome = boot_counted(&file, "qemu-virt", &script, Duration::from_secs(120))
        .unwrap_or_else(|faults| panic!("{faults}"));
    if let Some(fault) = outcome.fault() {
        panic!("{system}: {fault}");
    }
    let lines = outcome
        .apart
        .lines()
        // Of another VM than the first they have its name before them.
        .filter_map(|line| Some(line.trim().split_once("cost | ")?.1));
    let mut rows: Vec<_> = lines
        .map(|line| match line.split(" | ").collect::<Vec<_>>()[..] {
            [name, native, figure] => {
                let hundredths = figure.replace('.', "").parse().expect("a number");
                (
                    name.to_owned(),
                    native.parse().expect("a number"),
                    hundredths,
                )
            }
            _ => panic!("{line}"),
        })
        .collect();
    let of = |name| rows.iter().find(|row| row.0 == name).map(|row| row.2);
    if let (Some(one), Some(eight)) = (of("LDM of 1"), of("LDM of 8")) {
        rows.push((FURTHER.0.to_owned(), 0, (eight - one) / 7));
    }
    rows
}

/// Measures, prints the table, and compares with what was set.
fn hold(system: &str, set: &[Row]) {
    let measured = measure(system);
    let (mut table, mut wrong) = (String::new(), Vec::new());
    for (name, native, hundredths) in &measured {
        let figure = hundredths.div_ceil(100);
        let Some((_, due, goal)) = set.iter().find(|row| row.0 == name) else {
            wrong.push(format!("{name}: {figure}, and no figure is set for it"));
            continue;
        };
        let goal_shown = goal.map_or("-".to_owned(), |goal| goal.to_string());
        let _ = writeln!(
            table,
            "{name:42} | {native:>3} | {figure:>5} | {due:>5} | {goal_shown}"
        );
        if figure > due + due * SLACK_PERCENT / 100 + 1 {
            wrong.push(format!("{name}: {figure}, and {due} is set"));
        }
        if let Some(goal) = goal.filter(|goal| GATED.contains(&name.as_str()) && figure > *goal) {
            wrong.push(format!("{name}: {figure}, and the budget is {goal}"));
        }
    }
    for (name, ..) in set {
        if !measured.iter().any(|row| row.0 == *name) {
            wrong.push(format!("{name}: not measured"));
        }
    }
    println!("row | native | measured | set | goal\n{table}");
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
}

#[test]
fn an_aarch64_guests_operations_cost_no_more_than_they_did() {
    hold("cost-a64.toml", &A64);
}

#[test]
fn an_aarch32_guests_operations_cost_no_more_than_they_did() {
    let mut rows = A32.to_vec();
    rows.push(FURTHER);
    hold("cost-a32.toml", &rows);
}

#[test]
fn calls_of_channels_cost_no_more_than_they_did() {
    hold("cost-channel.toml", &CHANNELS);
}

#[test]
fn the_page_of_costs_tells_the_figures_that_are_set() {
    let page = std::fs::read_to_string(workspace::root().join("docs/costs.md")).expect("a page");
    let section = |title: &str| page.split(title).nth(1).unwrap_or_default().to_owned();
    let a32 = section("## AArch32 guest");
    let a64 = section("## AArch64 guest").replace(&a32, "");
    let channels = section("## Channels");
    let both = [
        (&A64[..], a64),
        (&A32[..], a32.clone()),
        (&[FURTHER], a32),
        (&CHANNELS, channels),
    ];
    for (rows, text) in both {
        for (name, set, goal) in rows {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("| {name} |")));
            let line = line.unwrap_or_else(|| panic!("docs/costs.md lacks a row \"{name}\""));
            let goal = goal.map_or("-".to_owned(), |goal| format!("<= {goal}"));
            let end = format!("| **{set}** | {goal} |");
            assert!(
                line.ends_with(&end),
                "docs/costs.md: {line}\ndue at its end: {end}"
            );
        }
    }
}
