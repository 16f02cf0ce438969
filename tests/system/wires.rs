//! Two boards on one SoC and the wires between them, driven from both consoles.
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::boot;
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
    "> @press:sleep 1; dd if=/dev/urandom of=/tmp/f bs=65536 count=64; sha256sum /tmp/f",
    "@press:  /tmp/f",
    // The other board may not listen yet.
    "> @press:until busybox nc 10.0.0.2 5000 </tmp/f; do sleep 1; done",
    "@panel:  -",
];

/// The SHA-256 before `name`.
fn hash<'t>(text: &'t str, name: &str) -> &'t str {
    let mut lines = text.lines().map(str::trim_end);
    let line = lines.find(|line| line.ends_with(name) && line.len() >= 64 + name.len());
    let line = line.unwrap_or_else(|| panic!("no hash of{name} in\n{text}"));
    &line[line.len() - 64 - name.len()..line.len() - name.len()]
}

fn talk(host: &str) {
    let step = |line: &&str| match line.strip_prefix("> ") {
        Some(text) => Step::Send(text.to_owned()),
        None => Step::Expect((*line).to_owned()),
    };
    let script = Script(PLAY.iter().map(step).collect());
    let system = workspace::root().join("systems/two-boards.toml");
    let outcome = boot(&system, host, &script, Duration::from_secs(300));
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    assert!(
        outcome.holds(),
        "on {host}: {:?}\n{}",
        outcome.missing,
        outcome.apart
    );
    let sent = hash(&outcome.apart, "  /tmp/f");
    let came = hash(&outcome.apart, "  -");
    assert!(sent.bytes().all(|byte| byte.is_ascii_hexdigit()), "{sent}");
    assert_eq!(sent, came, "4 MiB over the cable:\n{}", outcome.apart);
}

#[test]
fn two_boards_talk_over_their_wires_on_a_gicv3() {
    talk("qemu-virt");
}

#[test]
fn two_boards_talk_over_their_wires_on_a_gicv2() {
    talk("qemu-virt-gicv2");
}
