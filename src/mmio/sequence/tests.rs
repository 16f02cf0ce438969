use super::oracle::of_line;
use super::*;
use crate::random::Random;

/// Every line of a table of what QEMU did.
fn replays(state: State, table: &str) {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let (case, after) = of_line(state, line);
        let mut cpu = case.before();
        let done = step(state, case.word, case.length(), &mut cpu);
        assert_eq!((done, &cpu), (Ok(()), &after), "{line}");
        count += 1;
    }
    assert!(count > 1800, "{count}");
}

#[test]
fn a64_does_what_qemu_does() {
    replays(State::A64, include_str!("tests/a64.txt"));
}

#[test]
fn a32_does_what_qemu_does() {
    replays(State::A32, include_str!("tests/a32.txt"));
}

#[test]
fn t32_does_what_qemu_does() {
    replays(State::T32, include_str!("tests/t32.txt"));
}
