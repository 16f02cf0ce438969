//! A case of A32 or T32: code, registers, and how both runs are compared.

use super::arm::{
    BRANCH, Context, MODES, SUPERVISOR, SVC, State, branch_target, instructions_are_stored,
    launch_mode, slot, spsr_slot, store_instruction,
};
use super::{DISTANCE, HOLE, Random, Tally, UPPER, compare, copy_back, poke};
use crate::println;

/// Where the code of a case is; in RAM's run without an MMU, DISTANCE below.
pub const CODE: usize = UPPER - 0x200;
/// The same of a case that addresses the window by its PC.
pub const NEAR: usize = UPPER - 0x80;
/// Where a case that loads the PC goes on: 16 bytes each for A32, A32 in SVC mode, T32, T32 in
/// SVC mode.
const LANDING: usize = UPPER - 0x300;

/// An instruction or a few, with registers.
#[derive(Clone)]
pub struct Case {
    /// Its class.
    pub class: &'static str,
    /// T32.
    pub thumb: bool,
    /// Where its code begins.
    pub at: usize,
    code: [u16; 80],
    size: usize,
    /// All registers.
    pub banks: [u32; 35],
    d: [u64; 32],
    /// The mode.
    pub mode: u32,
    /// CPSR's flags, Q and GE, in their places.
    pub flags: u32,
    /// The slot that holds the address.
    pub base: Option<usize>,
    /// The lowest address that it can touch, and the one behind the highest.
    pub touches: (usize, usize),
    /// It ends with a data abort; of these registers the load may have changed any.
    pub aborts: Option<u16>,
}

impl Case {
    /// A case of no instruction yet, with random registers.
    pub fn new(class: &'static str, thumb: bool, random: &mut Random) -> Self {
        let mut banks = [0; 35];
        for bank in &mut banks {
            *bank = random.word();
        }
        for mode in [0x11, 0x12, 0x13, 0x17, 0x1b] {
            let spsr = &mut banks[spsr_slot(mode)];
            *spsr = *spsr & 0xfe0f_ffe0 | random.one_of(&MODES);
        }
        let mut d = [0; 32];
        for d in &mut d {
            *d = random.long();
        }
        Self {
            class,
            thumb,
            at: CODE,
            code: [0; 80],
            size: 0,
            banks,
            d,
            mode: random.one_of(&MODES),
            flags: random.word() & 0xf80f_0000,
            base: None,
            touches: (UPPER, UPPER),
            aborts: None,
        }
    }

    /// Adds a halfword of T32.
    pub fn half(&mut self, half: u32) {
        self.code[self.size] = half as u16;
        self.size += 1;
    }

    /// Adds a 32-bit instruction.
    pub fn word(&mut self, word: u32) {
        if self.thumb {
            self.half(word >> 16);
            self.half(word & 0xffff);
        } else {
            self.half(word & 0xffff);
            self.half(word >> 16);
        }
    }

    /// The address of the next instruction.
    #[must_use]
    pub fn here(&self) -> usize {
        self.at + self.size * 2
    }

    /// What an instruction here reads as its PC, word-aligned.
    #[must_use]
    pub fn pc(&self) -> usize {
        if self.thumb {
            (self.here() + 4) & !3
        } else {
            self.here() + 8
        }
    }

    /// A register of the case's mode.
    #[must_use]
    pub fn register(&self, register: u32) -> u32 {
        self.banks[slot(self.mode, register)]
    }

    /// Sets it.
    pub fn set(&mut self, register: u32, value: u32) {
        self.banks[slot(self.mode, register)] = value;
    }

    /// The base register: gets an address.
    pub fn base(&mut self, register: u32, address: usize) {
        self.set(register, address as u32);
        self.base = Some(slot(self.mode, register));
    }

    /// Whether a condition holds of the flags.
    #[must_use]
    pub fn holds(&self, condition: u32) -> bool {
        let bit = |n: u32| self.flags >> n & 1 != 0;
        let (n, z, c, v) = (bit(31), bit(30), bit(29), bit(28));
        let base = match condition >> 1 {
            0 => z,
            1 => c,
            2 => n,
            3 => v,
            4 => c && !z,
            5 => n == v,
            6 => n == v && !z,
            _ => return true,
        };
        base != (condition & 1 != 0)
    }

    /// Stores a word where both runs load it, as the case's loads see it.
    pub fn poke_word(&self, state: &State, at: usize, word: u32) {
        if state.big {
            poke(at, &word.to_be_bytes());
        } else {
            poke(at, &word.to_le_bytes());
        }
    }

    /// Where a load to the PC can go on: T32 if `thumb`, and `mode` there.
    #[must_use]
    pub fn landing(thumb: bool, mode: u32) -> u32 {
        let pad = u32::from(thumb) * 2 + u32::from(mode == SVC);
        (LANDING as u32 + pad * 16) | u32::from(thumb)
    }

    fn write_code(&mut self, translated: bool) {
        let (at, size) = (self.at, self.size);
        self.end();
        for base in [at, at - DISTANCE] {
            for (i, half) in self.code[..self.size].iter().enumerate() {
                store_instruction(base + i * 2, *half);
            }
            if self.mode == SVC {
                let stored = base + self.size * 2;
                branch(
                    stored,
                    if translated {
                        at + self.size * 2
                    } else {
                        stored
                    },
                );
            }
        }
        instructions_are_stored();
        self.size = size;
    }

    /// Adds the end; in SVC mode the branch itself follows.
    fn end(&mut self) {
        match (self.thumb, self.mode) {
            (true, SVC) => {
                if self.here() & 2 != 0 {
                    self.half(0xbf00);
                }
                // BX PC, and a NOP that is not reached.
                self.half(0x4778);
                self.half(0xbf00);
            }
            (true, _) => self.half(0xdf00),
            (false, SVC) => {}
            (false, _) => self.word(0xef00_0000),
        }
    }

    fn context(&self, state: &State, side: usize) -> Context {
        let mut context = Context::new(state, side, self.banks, self.d);
        let mut pc = self.at;
        if side == 1 && !state.translated() {
            pc -= DISTANCE;
            if let Some(base) = self.base {
                context.banks[base] = context.banks[base].wrapping_sub(DISTANCE as u32);
            }
        }
        context.pc = pc as u32;
        context.cpsr = self.flags | 0x1c0 | self.mode | u32::from(self.thumb) << 5;
        context.cpsr |= u32::from(state.big) << 9;
        context
    }

    fn describe(&self, state: &State, seed: u64, number: u32) {
        println!(
            "BAD {} ({}), mode {:#x}, seed {seed:#x}, case {number}",
            self.class, state.name, self.mode,
        );
        let code = &self.code[..self.size];
        if self.thumb {
            println!("  halfwords {code:04x?}");
        } else {
            for pair in code.chunks(2) {
                println!("  word {:04x}{:04x}", pair[1], pair[0]);
            }
        }
        if let Some(base) = self.base {
            println!("  base in slot {base}: {:#x}", self.banks[base]);
        }
        println!(
            "  at {:#x}, touches {:#x} to {:#x}, flags {:#x}",
            self.at, self.touches.0, self.touches.1, self.flags
        );
    }

    /// Runs it in RAM and in the window, and compares.
    pub fn run(&mut self, state: &State, seed: u64, tally: &mut Tally) {
        self.write_code(state.translated());
        let mut due = self.context(state, 1);
        let mut found = self.context(state, 0);
        // SAFETY: the case touches the windows and their RAM only, and its vectors come back.
        unsafe {
            if self.aborts.is_none() {
                due.enter();
            }
            found.enter();
        }
        tally.ran(self.class);
        let mut told = None;
        let mut tell = |what: &str, number: usize, found: u32, due: u32| {
            let told = *told.get_or_insert_with(|| {
                let tell = tally.failed(self.class);
                if tell {
                    self.describe(state, seed, tally.cases());
                }
                tell
            });
            if told {
                println!("  {what} {number}: due {due:#010x}, got {found:#010x}");
            }
        };
        if let Some(targets) = self.aborts {
            self.after_abort(&found, targets, &mut tell);
        } else {
            same(state, &found, &due, &mut tell);
        }
        let (from, to) = (self.touches.0 & !31, self.touches.1);
        if let Some(difference) = compare(from, to) {
            if self.aborts.is_none() {
                tell("memory", difference.at, difference.found, difference.due);
            }
            copy_back(from, to);
        }
        if self.at == NEAR {
            // The code, whose branches are not the same in both places.
            copy_back(NEAR, UPPER);
        }
    }

    /// A transfer that runs from the window to where nothing is: a data abort there, with the base
    /// as before (DDI 0406C, B1.9.8: the base restored abort model), and nothing that is no
    /// target has changed.
    fn after_abort(
        &self,
        found: &Context,
        targets: u16,
        tell: &mut impl FnMut(&str, usize, u32, u32),
    ) {
        if found.vector != 4 {
            tell("vector", 0, found.vector, 4);
            tell("LR of the vector", 0, found.lr, self.at as u32 + 8);
            return;
        }
        if found.lr != self.at as u32 + 8 {
            tell("LR of the vector", 0, found.lr, self.at as u32 + 8);
        }
        if (found.dfar as usize) < HOLE || found.dfar as usize >= HOLE + 0x100 {
            tell("DFAR", 0, found.dfar, HOLE as u32);
        }
        // A synchronous external abort, in the long or the short format.
        let status = if found.dfsr & 0x200 != 0 {
            found.dfsr & 0x3f == 0x10
        } else {
            found.dfsr & 0x40f == 8
        };
        if !status {
            tell("DFSR", 0, found.dfsr, 8);
        }
        for register in 0..15 {
            let slot = slot(self.mode, register);
            let clobbered = (self.mode == 0x17 && register == 14)
                || (launch_mode(self.mode) == self.mode && register == 13);
            let target = targets >> register & 1 != 0 && Some(slot) != self.base;
            if !target && !clobbered && found.banks[slot] != self.banks[slot] {
                tell(
                    "register",
                    register as usize,
                    found.banks[slot],
                    self.banks[slot],
                );
            }
        }
    }
}

/// Compares the registers of both runs.
fn same(
    state: &State,
    found: &Context,
    due: &Context,
    tell: &mut impl FnMut(&str, usize, u32, u32),
) {
    let moved = if state.translated() { 0 } else { DISTANCE } as u32;
    let same = |found: u32, due: u32| found == due || found == due.wrapping_add(moved);
    for (which, context) in [("vector in RAM", due), ("vector", found)] {
        if context.vector != SUPERVISOR && context.vector != BRANCH {
            tell(which, 0, context.vector, SUPERVISOR);
            tell("DFSR", 0, context.dfsr, 0);
            tell("DFAR", 0, context.dfar, 0);
            tell("LR of the vector", 0, context.lr, 0);
        }
    }
    if found.vector != due.vector {
        tell("vector", 0, found.vector, due.vector);
    }
    for i in 0..35 {
        if !same(found.banks[i], due.banks[i]) {
            tell("register in slot", i, found.banks[i], due.banks[i]);
        }
    }
    if !same(found.lr, due.lr) {
        tell("LR of the vector", 0, found.lr, due.lr);
    }
    for (what, found, due) in [
        ("CPSR", found.spsr, due.spsr),
        ("FPSCR", found.fpscr, due.fpscr),
    ] {
        if found != due {
            tell(what, 0, found, due);
        }
    }
    for i in 0..64 {
        let part = |d: &[u64; 32]| (d[i / 2] >> (32 * (i % 2))) as u32;
        if found.d[i / 2] != due.d[i / 2] && part(&found.d) != part(&due.d) {
            tell("half of D", i, part(&found.d), part(&due.d));
        }
    }
}

/// A32's B to where SVC mode's cases end, stored at an address, and run at another.
fn branch(at: usize, runs_at: usize) {
    let offset = branch_target().wrapping_sub(runs_at + 8) >> 2;
    let word = 0xea00_0000 | offset & 0xff_ffff;
    store_instruction(at, word as u16);
    store_instruction(at + 2, (word >> 16) as u16);
}

/// Makes the landings. Those in RAM are for when they are mapped where the others are.
pub fn begin() {
    for base in [LANDING, LANDING - DISTANCE] {
        // SVC #0 in A32 and T32; a branch, which T32 reaches by BX PC.
        store_instruction(base, 0);
        store_instruction(base + 2, 0xef00);
        branch(base + 16, LANDING + 16);
        store_instruction(base + 32, 0xdf00);
        store_instruction(base + 48, 0x4778);
        store_instruction(base + 50, 0xbf00);
        branch(base + 52, LANDING + 52);
    }
    instructions_are_stored();
}
