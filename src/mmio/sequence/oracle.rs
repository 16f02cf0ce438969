//! The oracle of the interpreter: QEMU's user mode executes the same instructions from the same
//! registers (`tests/sequence/cpu.rs` is its program), and what it did is kept in
//! `tests/*.txt`. Needs qemu-aarch64, qemu-arm and the targets of rust-toolchain.toml:
//!
//!     cargo test --lib sequence::oracle::record -- --ignored        # writes the tables anew
//!     SEQUENCE_CASES=1000000 cargo test --lib sequence::oracle::differs -- --ignored
//!
//! The seed is fixed, so both do the same on each run.

use super::{NZCV, step};
use crate::mmio::decode::State;
use crate::random::Random;
use crate::vcpu::{Vcpu, it_state, mode, psr, with_it_state};
use core::fmt::Write;
use std::format;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::string::{String, ToString};
use std::vec::Vec;

/// One instruction; what the registers hold before it follows from its word and status.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub state: State,
    pub word: u32,
    /// N, Z, C and V, then the eight bits of ITSTATE.
    pub status: u16,
}

impl Case {
    pub fn length(self) -> u8 {
        if self.state == State::T32 && self.word >> 16 == 0 {
            2
        } else {
            4
        }
    }

    pub fn before(self) -> Vcpu {
        let seed = u64::from(self.word) << 12 | u64::from(self.status);
        let mut random = Random(seed ^ 0x9e37_79b9_7f4a_7c15);
        for _ in 0..8 {
            random.next();
        }
        let wide = self.state == State::A64;
        let mut cpu = Vcpu {
            pc: 0x2000_0800,
            spsr: u64::from(self.status >> 8) << 28,
            ..Vcpu::default()
        };
        if !wide {
            cpu.spsr = with_it_state(cpu.spsr | mode::USR, u64::from(self.status & 0xff));
        }
        if self.state == State::T32 {
            cpu.spsr |= psr::T;
            cpu.pc += random.next() & 2;
        }
        let mut last = 0;
        for x in cpu.x.iter_mut().take(if wide { 31 } else { 15 }) {
            let near = random.next() % 3;
            last = match random.next() % 10 {
                0 => near,
                1 => near.wrapping_sub(2),
                2 => (1 << 31) - 1 + near,
                3 if wide => (1 << 63) - 1 + near,
                4 => last,
                5 => random.next() % 80,
                6 => 1 << (random.next() % 64),
                _ => random.next(),
            };
            *x = if wide { last } else { last & 0xffff_ffff };
        }
        cpu
    }
}

/// What a table keeps of a CPU's status.
fn status(spsr: u64) -> u16 {
    ((spsr & NZCV) >> 28 << 8 | it_state(spsr)) as u16
}

/// A line of a table: word, status before and after, by how much PC moved, and the registers
/// that changed.
fn line(case: Case, after: &Vcpu) -> String {
    let before = case.before();
    let moved = after.pc.wrapping_sub(before.pc) as i64;
    let (word, old, new) = (case.word, case.status, status(after.spsr));
    let mut line = format!("{word:x} {old:x} {new:x} {moved}");
    for n in 0..31 {
        if before.x(n) != after.x(n) {
            write!(line, " {n}={:x}", after.x(n)).unwrap();
        }
    }
    line
}

/// The case of a line, and what the CPU is after it.
pub fn of_line(state: State, line: &str) -> (Case, Vcpu) {
    let mut words = line.split(' ');
    let mut hex = || u64::from_str_radix(words.next().unwrap(), 16).unwrap();
    let (word, old, new) = (hex() as u32, hex() as u16, hex());
    let case = Case {
        state,
        word,
        status: old,
    };
    let mut after = case.before();
    let moved: i64 = words.next().unwrap().parse().unwrap();
    after.pc = after.pc.wrapping_add(moved as u64);
    after.spsr = after.spsr & !NZCV | new >> 8 << 28;
    if state != State::A64 {
        after.spsr = with_it_state(after.spsr, new & 0xff);
    }
    for change in words {
        let (n, value) = change.split_once('=').unwrap();
        after.set_x(n.parse().unwrap(), u64::from_str_radix(value, 16).unwrap());
    }
    (case, after)
}

/// The classes of instructions, as the bits that are theirs.
const CLASSES: [(State, &[&str]); 3] = [
    (
        State::A64,
        &[
            "xxx10000 xxxxxxxx xxxxxxxx xxxxxxxx", // ADR, ADRP
            "xxx10001 0xxxxxxx xxxxxxxx xxxxxxxx", // ADD, SUB, immediate
            "xxx10010 0xxxxxxx xxxxxxxx xxxxxxxx", // AND, ORR, EOR, ANDS, immediate
            "xxx10010 0xxxxxxx 1xxxxxxx xxxxxxxx", // the same, of small elements
            "xxx10010 1xxxxxxx xxxxxxxx xxxxxxxx", // MOVN, MOVZ, MOVK
            "0xx10011 000xxxxx 0xxxxxxx xxxxxxxx", // SBFM, BFM, UBFM
            "1xx10011 01xxxxxx xxxxxxxx xxxxxxxx",
            "00010011 100xxxxx 0xxxxxxx xxxxxxxx", // EXTR
            "10010011 110xxxxx xxxxxxxx xxxxxxxx",
            "xxx01010 xxxxxxxx xxxxxxxx xxxxxxxx", // AND to BICS, shifted register
            "xxx01011 xx0xxxxx xxxxxxxx xxxxxxxx", // ADD, SUB, shifted register
            "xxx01011 001xxxxx xxx0xxxx xxxxxxxx", // ADD, SUB, extended register
            "xxx11010 000xxxxx 000000xx xxxxxxxx", // ADC, SBC
            "xx111010 010xxxxx xxxxx0xx xxx0xxxx", // CCMN, CCMP
            "xx011010 100xxxxx xxxx0xxx xxxxxxxx", // CSEL, CSINC, CSINV, CSNEG
            "x0011010 110xxxxx 0010xxxx xxxxxxxx", // LSLV to RORV
            "x1011010 11000000 000xxxxx xxxxxxxx", // RBIT to CLZ
            "x0011011 000xxxxx xxxxxxxx xxxxxxxx", // MADD, MSUB
            "10011011 x01xxxxx xxxxxxxx xxxxxxxx", // SMADDL, SMSUBL, UMADDL, UMSUBL
            "10011011 x10xxxxx 0xxxxxxx xxxxxxxx", // SMULH, UMULH
            "000101xx xxxxxxxx xxxxxxxx xxxxxxxx", // B
            "x011010x xxxxxxxx xxxxxxxx xxxxxxxx", // CBZ, CBNZ
            "x011011x xxxxxxxx xxxxxxxx xxxxxxxx", // TBZ, TBNZ
            "01010100 xxxxxxxx xxxxxxxx xxx0xxxx", // B.cond
            "11010101 00000011 0010xxxx xxx11111", // hints
            "11010101 00000011 0011xxxx xxx11111", // barriers
        ],
    ),
    (
        State::A32,
        &[
            "xxxx0000 xxxxxxxx xxxxxxxx xxx0xxxx", // AND to RSC, register
            "11100000 xxxxxxxx xxxxxxxx xxx0xxxx",
            "11100000 xxxxxxxx xxxxxxxx 0xx1xxxx", // shifted by a register
            "xxxx0001 0xx1xxxx 0000xxxx xxx0xxxx", // TST to CMN
            "11100001 0xx1xxxx 0000xxxx xxx0xxxx",
            "11100001 0xx1xxxx 0000xxxx 0xx1xxxx",
            "xxxx0001 1xxxxxxx xxxxxxxx xxx0xxxx", // ORR to MVN
            "11100001 1x1x0000 xxxxxxxx xxx0xxxx",
            "11100001 1x1x0000 xxxxxxxx 0xx1xxxx",
            "11100001 1xxxxxxx xxxxxxxx 0xx1xxxx",
            "xxxx0010 xxxxxxxx xxxxxxxx xxxxxxxx", // immediate
            "11100010 xxxxxxxx xxxxxxxx xxxxxxxx",
            "11100011 0xx1xxxx 0000xxxx xxxxxxxx",
            "11100011 1xxxxxxx xxxxxxxx xxxxxxxx",
            "11100011 1x1x0000 xxxxxxxx xxxxxxxx",
            "xxx00011 0x00xxxx xxxxxxxx xxxxxxxx", // MOVW, MOVT
            "11100000 000xxxxx 0000xxxx 1001xxxx", // MUL
            "11100000 001xxxxx xxxxxxxx 1001xxxx", // MLA
            "11100000 0110xxxx xxxxxxxx 1001xxxx", // MLS
            "11100001 01101111 xxxx1111 0001xxxx", // CLZ
            "11100110 1x1xxxxx xxxxxx00 0111xxxx", // SXTAB to UXTAH
            "11100110 1x1x1111 xxxxxx00 0111xxxx", // SXTB to UXTH
            "11100110 1x111111 xxxx1111 x011xxxx", // REV, REV16, RBIT, REVSH
            "11100111 1x1xxxxx xxxxxxxx x101xxxx", // SBFX, UBFX
            "11100111 110xxxxx xxxxxxxx x001xxxx", // BFI
            "11100111 110xxxxx xxxxxxxx x0011111", // BFC
            "xxxx1010 xxxxxxxx xxxxxxxx xxxxxxxx", // B
            "xxxx0011 00100000 11110000 000xxxxx", // hints
            "11110101 01111111 11110000 01xxxxxx", // barriers
            "xxxxxxxx xxxxxxxx xxxxxxxx xxxxxxxx", // whatever the condition forbids
        ],
    ),
    (
        State::T32,
        &[
            "000xxxxx xxxxxxxx", // shifts, ADD, SUB
            "00000000 00xxxxxx", // MOV, register
            "00011xxx xxxxxxxx",
            "001xxxxx xxxxxxxx", // MOV, CMP, ADD, SUB of a byte
            "010000xx xxxxxxxx", // data processing
            "010000xx xxxxxxxx",
            "01000100 xxxxxxxx", // ADD, CMP, MOV of any registers
            "01000101 xxxxxxxx",
            "01000110 xxxxxxxx",
            "1010xxxx xxxxxxxx",                   // ADR, ADD of SP
            "10110000 xxxxxxxx",                   // ADD, SUB of SP
            "10110010 xxxxxxxx",                   // SXTH to UXTB
            "1011x0x1 xxxxxxxx",                   // CBZ, CBNZ
            "10111010 xxxxxxxx",                   // REV, REV16, REVSH
            "10111111 xxxxxxxx",                   // IT
            "10111111 000x0000",                   // NOP, YIELD
            "1101xxxx xxxxxxxx",                   // B, T1
            "11100xxx xxxxxxxx",                   // B, T2
            "11101010 xxxxxxxx 0xxxxxxx xxxxxxxx", // data processing, shifted register
            "11101011 xxxxxxxx 0xxxxxxx xxxxxxxx",
            "11101010 0xx11111 0xxxxxxx xxxxxxxx", // MOV, MVN
            "1110101x xxx1xxxx 0xxx1111 xxxxxxxx", // TST, TEQ, CMN, CMP
            "11110x00 xxxxxxxx 0xxxxxxx xxxxxxxx", // data processing, modified immediate
            "11110x01 xxxxxxxx 0xxxxxxx xxxxxxxx",
            "11110x00 0xx11111 0xxxxxxx xxxxxxxx",
            "11110x0x xxx1xxxx 0xxx1111 xxxxxxxx",
            "11110x10 x0x0xxxx 0xxxxxxx xxxxxxxx", // ADDW, SUBW, ADR
            "11110x10 x0x01111 0xxxxxxx xxxxxxxx",
            "11110x10 x100xxxx 0xxxxxxx xxxxxxxx", // MOVW, MOVT
            "11110011 xx00xxxx 0xxxxxxx xx0xxxxx", // SBFX, UBFX, BFI
            "11110011 0110xxxx 0xxxxxxx xx0xxxxx", // BFI
            "11110011 01101111 0xxxxxxx xx0xxxxx", // BFC
            "11111010 0xxxxxxx 1111xxxx 0000xxxx", // LSL to ROR
            "11111010 0xxxxxxx 1111xxxx 10xxxxxx", // SXTAB to UXTAH
            "11111010 0xxx1111 1111xxxx 10xxxxxx", // SXTB to UXTH
            "11111010 10xx0001 1111xxxx 10xx0001", // REV to REVSH, CLZ
            "11111010 10xx1011 1111xxxx 10xx1011",
            "11111011 0000xxxx xxxxxxxx 000xxxxx", // MLA, MLS
            "11111011 0000xxxx 1111xxxx 0000xxxx", // MUL
            "11110xxx xxxxxxxx 10x0xxxx xxxxxxxx", // B, T3
            "11110xxx xxxxxxxx 10x1xxxx xxxxxxxx", // B, T4
            "11110011 10101111 10000000 000xxxxx", // hints
            "11110011 10111111 10001111 01xxxxxx", // barriers
        ],
    ),
];

/// A word with the class's bits, the others at random.
fn word_of(class: &str, random: &mut Random) -> u32 {
    class.bytes().filter(|&b| b != b' ').fold(0, |word, b| {
        let bit = match b {
            b'x' => random.next() >> 32 & 1,
            b => u64::from(b - b'0'),
        };
        word << 1 | bit as u32
    })
}

/// A case of a class that the interpreter does, and that goes to another address than its own:
/// within a hundred tries.
fn draw(state: State, class: &str, random: &mut Random) -> Option<Case> {
    (0..100).find_map(|_| {
        let word = word_of(class, random);
        let flags = random.below(16) as u16;
        let it = match random.below(3) {
            0 if state == State::T32 => ((random.below(14) << 4) | (random.below(15) + 1)) as u16,
            _ => 0,
        };
        let case = Case {
            state,
            word,
            status: flags << 8 | it,
        };
        let mut cpu = case.before();
        let done = step(state, word, case.length(), &mut cpu).is_ok();
        (done && cpu.pc != case.before().pc).then_some(case)
    })
}

/// What QEMU makes of the cases.
fn execute(state: State, cases: &[Case]) -> Vec<Vcpu> {
    let (target, qemu) = match state {
        State::A64 => ("aarch64-unknown-none-softfloat", "qemu-aarch64"),
        _ => ("armv7a-none-eabi", "qemu-arm"),
    };
    let folder = std::env::temp_dir().join(format!("sequence-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join(format!("{state:?}"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sequence/cpu.rs");
    let built = Command::new("rustc")
        .args([
            "--edition",
            "2024",
            "-O",
            "-Cpanic=abort",
            "--target",
            target,
        ])
        .arg(source)
        .arg("-o")
        .arg(&program)
        .status();
    assert!(built.unwrap().success());

    // A64's program has words of 64 bits, the other of 32.
    let (size, count) = if state == State::A64 {
        (8, 31)
    } else {
        (4, 15)
    };
    let mut input = Vec::new();
    for case in cases {
        let cpu = case.before();
        let head = [u64::from(case.word), u64::from(case.length()), cpu.pc];
        let general = cpu.x.iter().copied().take(count);
        for word in head.into_iter().chain(general).chain([cpu.spsr]) {
            input.extend_from_slice(&word.to_le_bytes()[..size]);
        }
    }
    let file = folder.join(format!("{state:?}.in"));
    fs::write(&file, input).unwrap();
    let output = Command::new("timeout")
        .args(["300", qemu, "-cpu", "max"])
        .arg(program)
        .stdin(Stdio::from(fs::File::open(&file).unwrap()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let words: Vec<u64> = output
        .stdout
        .chunks(size)
        .map(|bytes| bytes.iter().rev().fold(0, |v, &b| v << 8 | u64::from(b)))
        .collect();
    fs::remove_dir_all(folder).unwrap();
    assert_eq!(words.len(), cases.len() * (count + 3));
    words
        .chunks(count + 3)
        .zip(cases)
        .map(|(outcome, case)| {
            let mut cpu = case.before();
            cpu.x[..count].copy_from_slice(&outcome[1..=count]);
            cpu.pc = outcome[count + 1];
            // Of the rest there are bits that user mode does not show.
            let kept = NZCV | psr::IT_7_2 | psr::IT_1_0;
            let kept = if state == State::A64 { NZCV } else { kept };
            cpu.spsr = cpu.spsr & !kept | outcome[count + 2] & kept;
            // SIGILL at the instruction itself.
            let undefined = outcome[0] == 4 && cpu.pc == case.before().pc;
            assert!(!undefined, "{case:x?} is undefined");
            cpu
        })
        .collect()
}

fn table(state: State) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/mmio/sequence/tests")
        .join(format!("{state:?}.txt").to_lowercase())
}

#[test]
#[ignore = "writes the tables anew, by QEMU"]
fn record() {
    for (state, classes) in CLASSES {
        let mut random = Random(0x5eed);
        let mut cases = Vec::new();
        for class in classes {
            let count = 2000 / classes.len();
            cases.extend((0..count).filter_map(|_| draw(state, class, &mut random)));
        }
        let outcomes = execute(state, &cases);
        let mut text = "# What QEMU did, by src/mmio/sequence/oracle.rs: word, status (NZCV, then \
            ITSTATE) before\n# and after, by how much PC moved, the registers that changed.\n"
            .to_string();
        for (case, after) in cases.iter().zip(&outcomes) {
            text += &line(*case, after);
            text += "\n";
        }
        fs::write(table(state), text).unwrap();
    }
}

#[test]
#[ignore = "compares with QEMU: SEQUENCE_CASES of them, a million if not told"]
fn differs_nowhere() {
    let count = std::env::var("SEQUENCE_CASES").map_or(1_000_000, |n| n.parse().unwrap());
    let mut differences = 0;
    for (state, classes) in CLASSES {
        let mut random = Random(0xd1ff);
        let mut cases = Vec::new();
        while cases.len() < count {
            for class in classes {
                cases.extend(draw(state, class, &mut random));
            }
            // And any word that the interpreter takes for one of its own.
            let any = if state == State::T32 && random.below(2) == 0 {
                "xxxxxxxx xxxxxxxx"
            } else {
                "xxxxxxxx xxxxxxxx xxxxxxxx xxxxxxxx"
            };
            cases.extend(draw(state, any, &mut random));
        }
        for (case, after) in cases.iter().zip(execute(state, &cases)) {
            let mut cpu = case.before();
            step(state, case.word, case.length(), &mut cpu).unwrap();
            if cpu != after {
                differences += 1;
                std::eprintln!(
                    "{case:x?}\n  ours {}\n  QEMU {}",
                    line(*case, &cpu),
                    line(*case, &after)
                );
            }
        }
    }
    assert_eq!(differences, 0);
}
