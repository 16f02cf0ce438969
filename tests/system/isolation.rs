//! A hostile guest beside a victim: what it tries, and that the victim notices nothing.
//!
//! `RELIQUARY_ATTACK` is how many operations are tried (10,000), `RELIQUARY_ATTACK_SEED` which ones; see
//! docs/isolation.md.
use reliquary_cli::fault::Faults;
use reliquary_cli::machine::Outcome;
use reliquary_cli::script::{Script, Step};
use reliquary_cli::verbs::run::{boot, boot_counted};
use reliquary_cli::workspace;
use std::path::Path;
use std::time::Duration;

/// A number from the environment.
fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.replace('_', "").parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is a decimal number, not \"{text}\"")))
}

fn seed() -> u64 {
    from_environment("RELIQUARY_ATTACK_SEED").unwrap_or(20_261_130)
}

fn count() -> u64 {
    from_environment("RELIQUARY_ATTACK").unwrap_or(10_000)
}

/// What a victim said at its end.
#[derive(Debug, PartialEq, Eq)]
struct Victim {
    sums: u64,
    damaged: u64,
    registers: u64,
    periods: u64,
    lost: u64,
    /// The worst lateness in microseconds.
    worst: u64,
}

impl Victim {
    /// From its two lines.
    fn of(text: &str) -> Option<Self> {
        let numbers = |word: &str| -> Option<Vec<u64>> {
            let line = text
                .lines()
                .find(|line| line.contains("victim: ") && line.contains(word))?;
            let parts = line.split(|c: char| !c.is_ascii_digit());
            Some(parts.filter_map(|part| part.parse().ok()).collect())
        };
        let (sums, periods) = (numbers(" sums intact")?, numbers(" lost, ")?);
        let ([sums, damaged, registers], [periods, _, lost, _, worst]) =
            (sums.as_slice(), periods.as_slice())
        else {
            return None;
        };
        Some(Self {
            sums: *sums,
            damaged: *damaged,
            registers: *registers,
            periods: *periods,
            lost: *lost,
            worst: *worst,
        })
    }

    /// Whether it noticed nothing, and looked.
    fn is_unharmed(&self) -> bool {
        self.sums > 0 && self.periods > 0 && (self.damaged, self.registers, self.lost) == (0, 0, 0)
    }
}

/// The script of a whole attack; the victim is told `last` at the end, and says `verdict`.
fn script(count: u64, last: &str, verdict: &str) -> Script {
    let expect = |text: &str| Step::Expect(text.to_owned());
    Script(vec![
        expect("@victim:victim: watches"),
        expect("@attacker:told from:"),
        Step::Send(format!("@attacker:{} {count} 0", seed())),
        expect("@attacker:PASS attacker"),
        Step::Send(format!("@victim:{last}")),
        expect(&format!("@victim:{verdict}")),
    ])
}

/// What the victim said, of an attack that went to its end; or what is wrong, with all to repeat it.
fn judged(system: &str, outcome: &Outcome) -> Victim {
    let text = &outcome.apart;
    let begun = || {
        let mut lines = text.lines().filter(|line| line.contains("attack "));
        lines
            .next_back()
            .unwrap_or("no line of its progress")
            .to_owned()
    };
    assert!(
        outcome.holds(),
        "{system}, seed {}: {:?} is missing; the last that the attacker said: {}\n\
         type \"SEED COUNT FROM\" at its console to be told each operation from FROM on\n{}",
        seed(),
        outcome.missing,
        begun(),
        outcome.tail()
    );
    Victim::of(text).unwrap_or_else(|| panic!("{system}: no verdict in\n{text}"))
}

/// Boots a system with a script: [`boot`] or [`boot_counted`].
type Boot = fn(&Path, &str, &Script, Duration) -> Result<Outcome, Faults>;

fn attack_by(boot: Boot, system: &str, host: &str, count: u64) -> Victim {
    let script = script(count, "q", "PASS victim");
    attack_with(boot, system, host, count, &script).0
}

/// An attack by a script; what the victim said, and what all said.
fn attack_with(
    boot: Boot,
    system: &str,
    host: &str,
    count: u64,
    script: &Script,
) -> (Victim, String) {
    let file = workspace::root().join("systems/tests").join(system);
    let within = Duration::from_secs(120 + count / 50);
    let outcome = boot(&file, host, script, within);
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    let victim = judged(system, &outcome);
    println!(
        "{system} on {host}, seed {}, {count} operations in {:.0} s: {victim:?}",
        seed(),
        outcome.took.as_secs_f64()
    );
    assert!(victim.is_unharmed(), "{system}: {victim:?}");
    (victim, outcome.apart)
}

/// On two cores, where QEMU's time is the machine's: how late the victim is depends on what else runs.
fn attack(system: &str, host: &str) {
    attack_by(boot, system, host, count());
}

/// On one core, at a nanosecond an instruction: no period of the victim begins later than this.
fn attack_on_one_core(system: &str, host: &str, worst_us: u64) {
    let victim = attack_by(boot_counted, system, host, count());
    assert!(victim.worst <= worst_us, "{system}: {victim:?}");
}

/// The attacker's slot, and 100,000 instructions.
const IN_SLOTS_US: u64 = 5100;
/// 100,000 instructions: what is done for the attacker at EL2, where no interrupt comes, its end and its
/// console's text among it.
const ABOVE_US: u64 = 100;

#[test]
fn a_64_bit_guest_on_its_own_core() {
    attack("attack-a64.toml", "qemu-virt");
}

#[test]
fn a_64_bit_guest_on_its_own_core_of_a_gicv2_host() {
    attack("attack-a64.toml", "qemu-virt-gicv2");
}

#[test]
fn a_64_bit_guest_with_a_gicv3() {
    attack("attack-a64-gicv3.toml", "qemu-virt");
}

#[test]
fn a_64_bit_guest_on_the_victims_core_in_slots() {
    attack_on_one_core("attack-a64-one-core.toml", "qemu-virt", IN_SLOTS_US);
}

#[test]
fn a_64_bit_guest_on_the_victims_core_in_slots_of_a_gicv2_host() {
    attack_on_one_core("attack-a64-one-core.toml", "qemu-virt-gicv2", IN_SLOTS_US);
}

#[test]
fn a_64_bit_guest_on_the_victims_core_below_it() {
    attack_on_one_core("attack-a64-priority.toml", "qemu-virt", ABOVE_US);
}

#[test]
fn a_32_bit_guest_on_its_own_core() {
    attack("attack-a32.toml", "qemu-virt");
}

#[test]
fn a_32_bit_guest_on_its_own_core_of_a_gicv2_host() {
    attack("attack-a32.toml", "qemu-virt-gicv2");
}

/// The victim's channels lead to the attacker, and one to a VM that answers: each was used.
fn channels(boot: Boot, system: &str, host: &str) -> Victim {
    let script = script(count(), "q", "PASS victim");
    let (victim, text) = attack_with(boot, system, host, count(), &script);
    let lines = text.lines().filter(|line| line.contains("channels: "));
    let told = lines.collect::<Vec<_>>().join("\n");
    println!("{told}");
    for used in ["received", "notified", "rung", "echoed", "interrupted"] {
        let before = told.split(used).next().unwrap_or_default();
        let number = before.trim_end().rsplit(' ').next().unwrap_or_default();
        let some = number.parse::<u64>().is_ok_and(|number| number > 0);
        assert!(some, "{system}: none {used}\n{told}");
    }
    victim
}

#[test]
fn a_guest_that_abuses_its_channels_on_its_own_core() {
    channels(boot, "attack-channels.toml", "qemu-virt");
}

#[test]
fn a_guest_that_abuses_its_channels_on_its_own_core_of_a_gicv2_host() {
    channels(boot, "attack-channels.toml", "qemu-virt-gicv2");
}

#[test]
fn a_guest_that_abuses_its_channels_on_the_victims_core_below_it() {
    let system = "attack-channels-one-core.toml";
    let victim = channels(boot_counted, system, "qemu-virt");
    assert!(victim.worst <= ABOVE_US, "{system}: {victim:?}");
}

/// A guest with two CPUs, a fifth of the operations: each comes from both, and some reset the board.
fn two_cpus(system: &str, host: &str) {
    let count = count() / 5;
    let expect = |text: &str| Step::Expect(text.to_owned());
    let script = Script(vec![
        expect("@victim:victim: watches"),
        expect("@attacker:seed, count:"),
        // It keeps the seed in 32 bits.
        Step::Send(format!("@attacker:{} {count}", seed() & 0x7fff_ffff)),
        expect("@attacker:PASS attacker"),
        Step::Send("@victim:q".to_owned()),
        expect("@victim:PASS victim"),
    ]);
    let (_, text) = attack_with(boot, system, host, count, &script);
    assert!(text.contains("the guest resets its board"), "{text}");
}

#[test]
fn a_guest_with_two_cpus_below_the_victim_on_one_of_them() {
    two_cpus("attack-smp.toml", "qemu-virt");
}

#[test]
fn a_guest_with_two_cpus_in_slots_of_a_gicv2_host() {
    two_cpus("attack-smp-slots.toml", "qemu-virt-gicv2");
}

/// The verdict is not PASS whatever happens: a bit of the victim's block is changed behind its back.
#[test]
fn a_changed_bit_is_noticed() {
    let file = workspace::root().join("systems/tests/attack-a64.toml");
    let script = script(100, "c", "FAIL victim");
    let outcome = boot(&file, "qemu-virt", &script, Duration::from_secs(120));
    let outcome = outcome.unwrap_or_else(|faults| panic!("{faults}"));
    let victim = judged("attack-a64.toml", &outcome);
    assert!(!victim.is_unharmed(), "{victim:?}");
    assert!(victim.damaged > 0, "{victim:?}");
    assert!(
        outcome.apart.contains("BAD word at 0x4055"),
        "{}",
        outcome.apart
    );
}
