//! Both decoders over all words of an instruction set.

use crate::differences::{Difference, Kind};
use crate::words::Random;
use capstone::Capstone;
use reliquary::mmio::decode::{State, decode};
use reliquary::mmio::instruction::Operation;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where each instruction is said to lie: labels are printed relative to it.
pub const ADDRESS: u64 = 0x1000_0000;
/// What all random words come from.
const SEED: u64 = 0x5265_6c69_7175_6172;
/// So many random words make a full run.
const FULL: usize = 20_000_000;
/// Random words of a run whose number nobody gave.
const SHORT: usize = 2_000_000;
/// Words that a thread takes at a time.
const CHUNK: usize = 1 << 16;
/// Kinds of unexplained differences that are shown.
const SHOWN: usize = 600;

/// An instruction set, and how it is compared.
pub struct Set {
    /// Its name in the report.
    pub name: &'static str,
    /// The decoder's state.
    pub state: State,
    /// Capstone's decoder of it.
    pub capstone: fn() -> Capstone,
    /// A word's bytes as in memory, and how many of them there are.
    pub bytes: fn(u32) -> ([u8; 4], usize),
    /// Writes our decode out.
    pub ours: fn(&Operation, &mut String),
    /// Brings capstone's mnemonic and operands into the same form, or says that they are no
    /// load or store.
    pub theirs: fn(&str, &str, &mut String) -> bool,
    /// Tells the directed words.
    pub directed: fn(&mut dyn FnMut(u32)),
    /// A random word of the set.
    pub any: fn(u64) -> u32,
    /// A random word among the set's loads and stores, mostly.
    pub load_store: fn(u64) -> u32,
    /// What differs, and why.
    pub differences: &'static [Difference],
}

/// What came out.
#[derive(Default)]
struct Tally {
    words: usize,
    /// Loads and stores, the same in both.
    same: usize,
    /// For each row of the table: how often it was hit.
    rows: Vec<usize>,
    /// What no row explains, by the two mnemonics: how often, and the first.
    unexplained: BTreeMap<String, (usize, String)>,
}

/// Compares, prints the summary, and panics if anything is left unexplained.
pub fn run(set: &Set) {
    let random = std::env::var("RELIQUARY_WORDS").map_or(SHORT, |words| {
        words
            .parse()
            .unwrap_or_else(|_| panic!("RELIQUARY_WORDS={words} is no number"))
    });
    let mut directed = Vec::new();
    (set.directed)(&mut |word| directed.push(word));
    let first_random = directed.len().div_ceil(CHUNK);
    let chunks = first_random + random.div_ceil(CHUNK);
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Tally::new(set));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut tally = Tally::new(set);
                let decoder = (set.capstone)();
                loop {
                    let chunk = next.fetch_add(1, Ordering::Relaxed);
                    if chunk >= chunks {
                        break;
                    }
                    if let Some(number) = chunk.checked_sub(first_random) {
                        let count = CHUNK.min(random - number * CHUNK);
                        tally.compare(set, &decoder, &random_words(set, number, count));
                    } else {
                        let words = directed.chunks(CHUNK).nth(chunk);
                        tally.compare(set, &decoder, words.expect("counted above"));
                    }
                }
                total.lock().expect("no thread panics with it").add(tally);
            });
        }
    });
    let total = total.into_inner().expect("all threads have ended");
    total.report(set, directed.len(), random >= FULL);
}

/// Compares these words, prints the summary under this name, and panics if anything is left
/// unexplained.
pub fn agree(set: &Set, name: &str, words: &[u32]) {
    let mut tally = Tally::new(set);
    tally.compare(set, &(set.capstone)(), words);
    let (words, same) = (tally.words, tally.same);
    println!("{name}: {words} words: {same} loads and stores agree");
    tally.explain(set, name);
}

/// The words of a chunk, which do not depend on who takes it.
fn random_words(set: &Set, chunk: usize, count: usize) -> Vec<u32> {
    let mut random = Random(SEED ^ (chunk as u64) << 32);
    (0..count)
        .map(|number| {
            let word = random.next();
            if number % 2 == 0 {
                (set.any)(word)
            } else {
                (set.load_store)(word)
            }
        })
        .collect()
}

impl Tally {
    fn new(set: &Set) -> Self {
        Self {
            rows: vec![0; set.differences.len()],
            ..Self::default()
        }
    }

    fn compare(&mut self, set: &Set, decoder: &Capstone, words: &[u32]) {
        let bytes: Vec<([u8; 4], usize)> = words.iter().map(|word| (set.bytes)(*word)).collect();
        let mut iter = decoder.disasm_iter(&[], ADDRESS).expect("memory");
        let (mut ours, mut theirs) = (String::new(), String::new());
        for (word, (bytes, length)) in words.iter().zip(&bytes) {
            ours.clear();
            theirs.clear();
            let we_do = decode(set.state, *word).map(|operation| (set.ours)(&operation, &mut ours));
            iter.reset(&bytes[..*length], ADDRESS);
            let instruction = iter.next();
            let text = instruction.as_ref().map_or(("", ""), |instruction| {
                (
                    instruction.mnemonic().unwrap_or_default(),
                    instruction.op_str().unwrap_or_default(),
                )
            });
            let they_do = !text.0.is_empty() && (set.theirs)(text.0, text.1, &mut theirs);
            self.words += 1;
            let kind = match (we_do.is_ok(), they_do) {
                (false, false) => continue,
                (true, true) if ours == theirs => {
                    self.same += 1;
                    continue;
                }
                (true, true) => Kind::Text,
                (true, false) => Kind::OnlyOurs,
                (false, true) => Kind::OnlyTheirs,
            };
            let row = set
                .differences
                .iter()
                .position(|row| row.covers(*word, kind));
            if let Some(row) = row {
                self.rows[row] += 1;
                continue;
            }
            let mnemonic = ours.split(' ').next().unwrap_or_default();
            let about = self
                .unexplained
                .entry(format!("{kind:?} {mnemonic}|{}", text.0))
                .or_insert_with(|| {
                    let (theirs, operands) = text;
                    (
                        0,
                        format!("{word:#010x}: ours `{ours}`, capstone `{theirs} {operands}`"),
                    )
                });
            about.0 += 1;
        }
    }

    fn add(&mut self, other: Self) {
        self.words += other.words;
        self.same += other.same;
        for (row, hits) in self.rows.iter_mut().zip(other.rows) {
            *row += hits;
        }
        for (what, (count, first)) in other.unexplained {
            let about = self.unexplained.entry(what).or_insert((0, first));
            about.0 += count;
        }
    }

    fn report(&self, set: &Set, directed: usize, full: bool) {
        let name = set.name;
        println!(
            "{name}: {} words, {directed} of them directed, seed {SEED:#x}: {} loads and stores agree",
            self.words, self.same
        );
        self.explain(set, name);
        let rows = set.differences.iter().zip(&self.rows);
        let stale: Vec<&str> = rows
            .filter(|(_, hits)| **hits == 0)
            .map(|(row, _)| row.why)
            .collect();
        assert!(
            !full || stale.is_empty(),
            "{name}: rows of the table of differences that no word hits: {stale:#?}"
        );
    }

    fn explain(&self, set: &Set, name: &str) {
        let rows = set.differences.iter().zip(&self.rows);
        for (row, hits) in rows.filter(|(_, hits)| **hits > 0) {
            println!(
                "{name}: {hits} x {:?}, right: {:?}, {:#010x}/{:#010x}: {}",
                row.kind, row.right, row.value, row.mask, row.why
            );
        }
        for (what, (count, first)) in self.unexplained.iter().take(SHOWN) {
            println!("{name}: UNEXPLAINED {count} x {what}: {first}");
        }
        assert!(self.same > 0, "{name}: no load or store was compared");
        assert!(
            self.unexplained.is_empty(),
            "{name}: {} kinds of differences that no row explains",
            self.unexplained.len()
        );
    }
}
