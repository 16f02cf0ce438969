//! Two boards on one SoC and the wires between them, driven from both consoles. RELIQUARY_MIB says how much goes over
//! the cable; docs/testing.md tells of the full run.
use reliquary_cli::machine::Outcome;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::{boot, boot_counted};
use reliquary_cli::workspace;
use std::time::Duration;

/// What is typed (`> `) and waited for.
const PLAY: &[&str] = &[
    "@press:/ # ",
    "@panel:/ # ",
    "> @press:for m in libphy smsc smsc911x; do insmod /lib/$m.ko; done; echo wi\\red",
    "@press:wired",
    "> @panel:for m in libphy smsc smsc911x; do insmod /lib/$m.ko; done; echo wi\\red",
    "@panel:wired",
    "> @press:ifconfig eth0 10.0.0.1 up; stty -F /dev/ttyAMA1 115200 raw -echo; echo u\\p",
    "@press:up",
    "> @panel:ifconfig eth0 10.0.0.2 up; stty -F /dev/ttyAMA1 115200 raw -echo; echo u\\p",
    "@panel:up",
    // The shell opens the port before it says so: a UART that is off takes nothing.
    "> @panel:exec 3</dev/ttyAMA1; cat <&3 & echo rea\\dy",
    "@panel:ready",
    "> @press:for i in 1 2 3; do echo over the wire >/dev/ttyAMA1; sleep 1; done",
    "@panel:over the wire",
    "> @press:ping -c 3 10.0.0.2",
    "@press:3 packets received",
    "> @panel:busybox nc -l -p 5000 | sha256sum",
    "> @press:sleep 1; dd if=/dev/urandom of=/tmp/f bs=1M count=MIB; sha256sum /tmp/f",
    "@press:  /tmp/f",
    // The other board may not listen yet.
    "> @press:until busybox nc 10.0.0.2 5000 </tmp/f; do sleep 1; done",
    "@panel:  -",
];

/// The SHA-256 before `name`, whatever follows: the next line may be typed before this one ends.
fn hash<'t>(text: &'t str, name: &str) -> &'t str {
    let mut hashes = text.match_indices(name).filter_map(|(at, _)| {
        let hash = text.get(at.checked_sub(64)?..at)?;
        hash.bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then_some(hash)
    });
    let hash = hashes.next();
    hash.unwrap_or_else(|| panic!("no hash of{name} in\n{text}"))
}

/// What goes over the cable, in MiB, at every run.
const SHORT: u64 = 4;

/// What goes over it now.
fn mib() -> u64 {
    std::env::var("RELIQUARY_MIB").map_or(SHORT, |text| {
        text.parse()
            .expect("RELIQUARY_MIB is a number of MiB, 64 for the full run")
    })
}

fn talk(system: &str, host: &str) {
    let count = mib().to_string();
    let step = |line: &&str| match line.strip_prefix("> ") {
        Some(text) => Step::Send(text.replace("MIB", &count)),
        None => Step::Expect((*line).to_owned()),
    };
    let script = Script(PLAY.iter().map(step).collect());
    let system = workspace::root().join("systems").join(system);
    let patience = Duration::from_secs(300 + 20 * mib());
    let outcome = boot(&system, host, &script, patience);
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    assert!(
        outcome.holds(),
        "on {host}: {:?}\n{}",
        outcome.missing,
        outcome.apart
    );
    let sent = hash(&outcome.apart, "  /tmp/f");
    let came = hash(&outcome.apart, "  -");
    assert_eq!(sent, came, "{count} MiB over the cable:\n{}", outcome.apart);
    println!("{host}: {count} MiB, SHA-256 {sent}");
}

#[test]
fn two_boards_talk_over_their_wires_on_a_gicv3() {
    talk("two-boards.toml", "qemu-virt");
}

#[test]
fn two_boards_talk_over_their_wires_on_a_gicv2() {
    talk("two-boards.toml", "qemu-virt-gicv2");
}

#[test]
fn two_boards_that_take_turns_on_one_core_talk_over_their_wires() {
    talk("two-boards-one-core.toml", "qemu-virt");
    if mib() > SHORT {
        talk("two-boards-one-core.toml", "qemu-virt-gicv2");
    }
}

/// The number behind `what` on a line.
fn number(line: &str, what: &str) -> u64 {
    let behind = line.split_once(what).map(|(_, behind)| behind.trim_start());
    let digits = behind.map(|text| text.split(|c: char| !c.is_ascii_digit()).next());
    let number = digits.flatten().and_then(|digits| digits.parse().ok());
    number.unwrap_or_else(|| panic!("no number behind {what:?} in: {line}"))
}

/// What a board's firmware says of its row, and what the hypervisor says of the wire to that board.
fn accounts<'t>(outcome: &'t Outcome, vm: &str, firmware: &str) -> (&'t str, &'t str) {
    let pass = format!("PASS {firmware}");
    assert!(outcome.apart.contains(&pass), "{}", outcome.apart);
    let wire = format!("vm.{vm}: wire 0 brought");
    let mut lines = outcome.apart.lines();
    let wire = lines.find(|line| line.contains(&wire));
    // Each console is in one piece, and the row is told right before the checks that end it.
    let said = outcome.apart[..outcome.apart.find(&pass).expect("just seen")]
        .lines()
        .rfind(|line| line.contains("sent 10000, received"));
    let missing = || panic!("no account in\n{}", outcome.apart);
    (said.unwrap_or_else(missing), wire.unwrap_or_else(missing))
}

const ENDS: [(&str, &str); 2] = [("press", "serial-a9"), ("panel", "serial-a15")];

fn row(system: &str, host: &str, counted: bool) -> Outcome {
    let file = workspace::root().join("systems/tests").join(system);
    let script = Script(vec![Step::Expect("@monitor:no VM is left".to_owned())]);
    let run = if counted { boot_counted } else { boot };
    let outcome = run(&file, host, &script, Duration::from_secs(300));
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    assert!(outcome.holds(), "{system} on {host}:\n{}", outcome.apart);
    outcome
}

/// 10,000 characters each way at 115,200 baud: all came, in their order, and nobody saw an error.
fn nothing_is_lost(outcome: &Outcome) {
    for (vm, firmware) in ENDS {
        let (said, wire) = accounts(outcome, vm, firmware);
        assert_eq!(number(said, "received"), 10_000, "{said}");
        for what in ["missing", "overruns", "flawed"] {
            assert_eq!(number(said, what), 0, "{said}");
        }
        // 10,000 characters of 10 bits at 115,200 baud.
        assert!(number(said, "in ") >= 868, "faster than the wire: {said}");
        let counted = [", ", "overruns, ", "flawed, "].map(|before| {
            let (_, rest) = wire.split_once("brought").expect("just found");
            let (_, rest) = rest.split_once(before).expect("counts in a row");
            number(rest, "")
        });
        assert_eq!(counted, [0; 3], "{wire}");
    }
}

#[test]
fn a_serial_wire_loses_nothing_between_two_cores() {
    for host in ["qemu-virt", "qemu-virt-gicv2"] {
        nothing_is_lost(&row("serial.toml", host, false));
    }
}

#[test]
fn a_serial_wire_loses_nothing_between_two_boards_that_take_turns() {
    nothing_is_lost(&row("serial-one-core.toml", "qemu-virt", true));
}

#[test]
fn on_a_faithful_wire_what_comes_out_of_a_boards_slot_overruns_and_both_sides_count_it() {
    let outcome = row("serial-faithful.toml", "qemu-virt", true);
    for (vm, firmware) in ENDS {
        let (said, wire) = accounts(&outcome, vm, firmware);
        let missing = number(said, "missing");
        assert_eq!(number(said, "received") + missing, 10_000, "{said}");
        assert!(missing > 5_000, "half of the time it is out: {said}");
        // One OE for all that was lost since the last character that found room.
        let told = number(said, "overruns");
        assert!((50..=200).contains(&told), "one in each slot: {said}");
        let overruns = number(wire, "characters,");
        assert!(overruns >= missing, "{wire}\n{said}");
        // What came and did not overrun was read, but for what was in the FIFO at the end.
        let unread = number(wire, "brought") - overruns - number(said, "taken");
        assert!(unread <= 64, "{wire}\n{said}");
    }
}

#[test]
fn edges_and_pulses_cross_wires_between_pins_and_to_a_gic() {
    for (system, host) in [
        ("pins.toml", "qemu-virt"),
        ("pins.toml", "qemu-virt-gicv2"),
        ("pins-one-core.toml", "qemu-virt"),
    ] {
        let outcome = row(system, host, false);
        for firmware in ["pins-asks", "pins-answers"] {
            let pass = format!("PASS {firmware}");
            assert!(
                outcome.apart.contains(&pass),
                "{system} on {host}:\n{}",
                outcome.apart
            );
        }
    }
}
