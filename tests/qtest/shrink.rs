//! The shortest sequence that shows a difference, and how it is told.

use crate::play::{Found, Step, register_of, run};
use crate::target::Target;
use std::fmt::Write;

/// How often a sequence is played while it is made shorter.
const TRIES: usize = 150;

/// Takes away what is not needed, but for what every sequence begins with: first halves, then
/// single steps.
pub fn shrink(target: &Target, mut steps: Vec<Step>, at: usize) -> Vec<Step> {
    steps.truncate(at + 1);
    let mut tries = TRIES;
    let mut size = steps.len().div_ceil(2);
    while size > 0 && tries > 0 {
        let mut from = target.inputs.len() + target.first.len();
        let mut shorter = false;
        while from < steps.len() && tries > 0 {
            let mut without = steps.clone();
            without.drain(from..(from + size).min(steps.len()));
            tries -= 1;
            match run(target, &without, &mut Found::default()) {
                Some(difference) => {
                    without.truncate(difference.step + 1);
                    steps = without;
                    shorter = true;
                }
                None => from += size,
            }
        }
        if size == 1 && !shorter {
            break;
        }
        size = if size == 1 { 1 } else { size / 2 };
    }
    steps
}

/// The sequence with names, what both answered last, and how to repeat it.
pub fn told(target: &Target, steps: &[Step], seed: u64) -> String {
    let mut text = format!(
        "{}: QEMU's {} and ours differ after\n",
        target.compatible, target.machine[1]
    );
    for step in steps {
        let name = register_of(target, step)
            .map_or_else(String::new, |(name, index)| format!("{name}[{index}]"));
        let _ = match step {
            Step::Read {
                region,
                offset,
                width,
            } => writeln!(
                text,
                "  read  {name} (block {region}, {offset:#x}, {} bytes)",
                width.bytes()
            ),
            Step::Write {
                region,
                offset,
                width,
                value,
            } => writeln!(
                text,
                "  write {name} (block {region}, {offset:#x}, {} bytes) {value:#x}",
                width.bytes()
            ),
            Step::Input(input, level) => {
                let line = target.inputs[*input].ours;
                writeln!(text, "  input {line} {}", u8::from(*level))
            }
        };
    }
    if let Some(difference) = run(target, steps, &mut Found::default()) {
        let (theirs, ours) = (difference.theirs, difference.ours);
        let _ = writeln!(text, "QEMU {theirs:x?}\nours {ours:x?}");
    }
    let _ = write!(
        text,
        "repeat by RELIQUARY_SEED={seed} cargo test --package reliquary-cli --test qtest; if the manual sides with us, add \
         a row to the device's table in tests/qtest/devices/"
    );
    text
}
