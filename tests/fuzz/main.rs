//! The fuzzed bodies without a fuzzer: the kept corpus, then a million seeded inputs each.
//!
//! Half of the inputs are random bytes, half are changed a little from one of the corpus.
//! `RELIQUARY_RUNS` and `RELIQUARY_SEED` say how many and which; docs/testing.md has the fuzzer.

mod bodies;

use bodies::execute::{Boards, Outcome};
use bodies::{Noise, decode, execute};
use std::path::PathBuf;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Every input of the corpus, then the seeded ones; gives how many there were.
fn inputs(target: &str, most_bytes: usize, mut run: impl FnMut(&[u8])) -> u64 {
    let corpus = corpus(target);
    for input in &corpus {
        run(input);
    }
    let runs = number("RELIQUARY_RUNS", 1_000_000);
    let mut noise = Noise(number("RELIQUARY_SEED", 1));
    let mut input = Vec::with_capacity(most_bytes);
    for n in 0..runs {
        input.clear();
        if n & 1 == 0 {
            while input.len() < most_bytes {
                input.extend(noise.next().to_le_bytes());
            }
            input.truncate(most_bytes);
        } else {
            input.extend(&corpus[noise.below(corpus.len())]);
            for _ in 0..=noise.below(4) {
                if !input.is_empty() {
                    let at = noise.below(input.len());
                    input[at] ^= if noise.next() & 1 == 0 {
                        1 << noise.below(8)
                    } else {
                        noise.next() as u8
                    };
                }
            }
        }
        run(&input);
    }
    runs + corpus.len() as u64
}

#[test]
fn decoded_operations_are_well_formed_and_simple_steps_change_what_they_may() {
    let (mut decoded, mut simple) = (0u64, 0u64);
    let runs = inputs("decode", decode::BYTES, |input| {
        let (is_access, is_simple) = decode::run(input);
        decoded += u64::from(is_access);
        simple += u64::from(is_simple);
    });
    println!("{runs} inputs: {decoded} loads and stores, {simple} simple instructions");
    assert!(
        decoded > runs / 10 && simple > runs / 10,
        "too few that say anything"
    );
}

#[test]
fn a_trapped_instruction_is_carried_out_or_refused_and_nothing_else_changes() {
    let mut boards = Boards::new();
    let mut outcomes = [0u64; 6];
    let runs = inputs("execute", execute::BYTES, |input| {
        outcomes[match boards.run(input) {
            Outcome::Done => 0,
            Outcome::Exception => 1,
            Outcome::Again => 2,
            Outcome::Sequence => 3,
            Outcome::Stopped => 4,
            Outcome::Other => 5,
        }] += 1;
    });
    let [done, exception, again, sequence, stopped, other] = outcomes;
    println!(
        "{runs} inputs: {done} carried out, {exception} exceptions, {again} fetched again, \
         {sequence} sequences, {stopped} stopped, {other} other traps"
    );
    assert!(
        done > runs / 20 && exception > runs / 20 && stopped > runs / 100,
        "{outcomes:?}"
    );
    assert!(
        again > runs / 1000 && sequence > 0 && other > runs / 100,
        "{outcomes:?}"
    );
}
