//! A64: a case's registers, how it is run, and how both runs are compared.
//!
//! The program itself runs at EL1 with the MMU off. A case is entered by ERET, at EL0 or EL1 on
//! SP_EL0, with its own SCTLR_EL1 and tables, and ends with an SVC, whose vector goes back to the
//! program's.

use super::{DISTANCE, HOLE, Random, Tally, UPPER, compare, copy_back};
use crate::println;
use core::arch::{asm, global_asm};
use core::ptr::addr_of_mut;

/// What a case begins with, and what it ends with.
#[repr(C, align(16))]
#[derive(Clone)]
pub struct Context {
    /// X0 to X30.
    pub x: [u64; 31],
    /// SP_EL0.
    pub sp: u64,
    /// ELR_EL1.
    pub pc: u64,
    /// SPSR_EL1.
    pub pstate: u64,
    sctlr: u64,
    ttbr: u64,
    /// The vector that ended it.
    pub vector: u64,
    /// ESR_EL1.
    pub esr: u64,
    /// FAR_EL1.
    pub far: u64,
    fpsr: u64,
    /// V0 to V31, lower half first.
    pub v: [[u64; 2]; 32],
}

global_asm!(
    r#"
    .arch_extension fp
    .arch_extension simd
    .text
    .global loadstore_enter
loadstore_enter:
    stp     x19, x20, [sp, #-112]!
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    mrs     x1, vbar_el1
    stp     x0, x1, [sp, #96]
    adr     x1, loadstore_vectors
    msr     vbar_el1, x1
    add     x1, x0, #320
    ldp     q0, q1, [x1], #32
    ldp     q2, q3, [x1], #32
    ldp     q4, q5, [x1], #32
    ldp     q6, q7, [x1], #32
    ldp     q8, q9, [x1], #32
    ldp     q10, q11, [x1], #32
    ldp     q12, q13, [x1], #32
    ldp     q14, q15, [x1], #32
    ldp     q16, q17, [x1], #32
    ldp     q18, q19, [x1], #32
    ldp     q20, q21, [x1], #32
    ldp     q22, q23, [x1], #32
    ldp     q24, q25, [x1], #32
    ldp     q26, q27, [x1], #32
    ldp     q28, q29, [x1], #32
    ldp     q30, q31, [x1], #32
    ldr     x1, [x0, #312]
    msr     fpsr, x1
    ldp     x1, x2, [x0, #248]
    msr     sp_el0, x1
    msr     elr_el1, x2
    ldp     x1, x2, [x0, #264]
    msr     spsr_el1, x1
    ldr     x1, [x0, #280]
    msr     ttbr0_el1, x1
    ldp     x3, x4, [x0]
    msr     tpidr_el1, x3
    msr     tpidrro_el0, x4
    mov     x1, x2
    ldp     x2, x3, [x0, #16]
    ldp     x4, x5, [x0, #32]
    ldp     x6, x7, [x0, #48]
    ldp     x8, x9, [x0, #64]
    ldp     x10, x11, [x0, #80]
    ldp     x12, x13, [x0, #96]
    ldp     x14, x15, [x0, #112]
    ldp     x16, x17, [x0, #128]
    ldp     x18, x19, [x0, #144]
    ldp     x20, x21, [x0, #160]
    ldp     x22, x23, [x0, #176]
    ldp     x24, x25, [x0, #192]
    ldp     x26, x27, [x0, #208]
    ldp     x28, x29, [x0, #224]
    ldr     x30, [x0, #240]
    clrex
    tlbi    vmalle1
    dsb     sy
    isb
    msr     sctlr_el1, x1
    isb
    mrs     x0, tpidr_el1
    mrs     x1, tpidrro_el0
    eret

    .macro  ends number
    .balign 0x80
    msr     tpidr_el1, x0
    msr     tpidrro_el0, x1
    mov     x0, #\number
    b       loadstore_leave
    .endm

    .balign 0x800
loadstore_vectors:
    ends    0
    ends    1
    ends    2
    ends    3
    ends    4
    ends    5
    ends    6
    ends    7
    ends    8
    ends    9
    ends    10
    ends    11
    ends    12
    ends    13
    ends    14
    ends    15

loadstore_leave:
    // The program's SCTLR_EL1, in immediates: a load would have the case's endianness.
    mov     x1, #0xc800
    movk    x1, #0x34d4, lsl #16
    msr     sctlr_el1, x1
    isb
    ldr     x1, [sp, #96]
    str     x0, [x1, #288]
    mrs     x0, tpidr_el1
    str     x0, [x1]
    mrs     x0, tpidrro_el0
    str     x0, [x1, #8]
    stp     x2, x3, [x1, #16]
    stp     x4, x5, [x1, #32]
    stp     x6, x7, [x1, #48]
    stp     x8, x9, [x1, #64]
    stp     x10, x11, [x1, #80]
    stp     x12, x13, [x1, #96]
    stp     x14, x15, [x1, #112]
    stp     x16, x17, [x1, #128]
    stp     x18, x19, [x1, #144]
    stp     x20, x21, [x1, #160]
    stp     x22, x23, [x1, #176]
    stp     x24, x25, [x1, #192]
    stp     x26, x27, [x1, #208]
    stp     x28, x29, [x1, #224]
    mrs     x0, sp_el0
    stp     x30, x0, [x1, #240]
    mrs     x0, elr_el1
    mrs     x2, spsr_el1
    stp     x0, x2, [x1, #256]
    mrs     x0, esr_el1
    mrs     x2, far_el1
    stp     x0, x2, [x1, #296]
    mrs     x0, fpsr
    str     x0, [x1, #312]
    add     x1, x1, #320
    stp     q0, q1, [x1], #32
    stp     q2, q3, [x1], #32
    stp     q4, q5, [x1], #32
    stp     q6, q7, [x1], #32
    stp     q8, q9, [x1], #32
    stp     q10, q11, [x1], #32
    stp     q12, q13, [x1], #32
    stp     q14, q15, [x1], #32
    stp     q16, q17, [x1], #32
    stp     q18, q19, [x1], #32
    stp     q20, q21, [x1], #32
    stp     q22, q23, [x1], #32
    stp     q24, q25, [x1], #32
    stp     q26, q27, [x1], #32
    stp     q28, q29, [x1], #32
    stp     q30, q31, [x1], #32
    ldr     x1, [sp, #104]
    msr     vbar_el1, x1
    isb
    ldp     x29, x30, [sp, #80]
    ldp     x27, x28, [sp, #64]
    ldp     x25, x26, [sp, #48]
    ldp     x23, x24, [sp, #32]
    ldp     x21, x22, [sp, #16]
    ldp     x19, x20, [sp], #112
    ret
"#
);

unsafe extern "C" {
    fn loadstore_enter(context: *mut Context);
}

/// SCTLR_EL1 of the program: RES1 bits, DC ZVA and WFx at EL0, no alignment checks. The same is in
/// `loadstore_leave`.
const SCTLR: u64 = 0x34d4_c800;
const SCTLR_M: u64 = 1;
const SCTLR_E0E: u64 = 1 << 24;
const SCTLR_EE: u64 = 1 << 25;

/// In what state of the CPU a case runs.
#[derive(Clone, Copy)]
pub struct State {
    /// What it is called.
    pub name: &'static str,
    /// At EL0.
    pub user: bool,
    /// Data is big-endian.
    pub big: bool,
    /// The memory type of the windows.
    pub memory: Memory,
}

/// The memory type of the windows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The MMU is off: Device-nGnRnE.
    Off,
    /// Normal, Non-cacheable.
    Normal,
    /// Device-nGnRE.
    Device,
}

/// Every state that cases run in.
pub const STATES: [State; 10] = [
    state("EL1, MMU off", false, false, Memory::Off),
    state("EL1, MMU off, big-endian", false, true, Memory::Off),
    state("EL0, MMU off", true, false, Memory::Off),
    state("EL0, MMU off, big-endian", true, true, Memory::Off),
    state("EL1, Normal", false, false, Memory::Normal),
    state("EL1, Normal, big-endian", false, true, Memory::Normal),
    state("EL0, Normal", true, false, Memory::Normal),
    state("EL0, Normal, big-endian", true, true, Memory::Normal),
    state("EL1, Device", false, false, Memory::Device),
    state("EL0, Device, big-endian", true, true, Memory::Device),
];

const fn state(name: &'static str, user: bool, big: bool, memory: Memory) -> State {
    State {
        name,
        user,
        big,
        memory,
    }
}

impl State {
    /// Whether both runs have the same addresses.
    #[must_use]
    pub fn translated(&self) -> bool {
        self.memory != Memory::Off
    }

    /// Whether the memory type lets plain accesses be unaligned.
    #[must_use]
    pub fn unaligned(&self) -> bool {
        self.memory == Memory::Normal
    }
}

/// Stage 1 of the cases: an L1, L2 and L3 table for the windows' side, and one for that in RAM.
#[repr(C, align(4096))]
struct Tables([[[u64; 512]; 3]; 2]);

static mut TABLES: Tables = Tables([[[0; 512]; 3]; 2]);

/// Turns SIMD on, and stage 1's registers.
pub fn begin() {
    // SAFETY: the program's own control state; nothing is mapped before a case turns the MMU on.
    unsafe {
        // CPACR_EL1.FPEN; MAIR: 0 Normal Non-cacheable, 1 Device-nGnRE; TCR: 4 GiB from TTBR0,
        // 4 KiB granule, no TTBR1.
        asm!(
            "msr cpacr_el1, {fp}", "msr mair_el1, {mair}", "msr tcr_el1, {tcr}",
            "msr sctlr_el1, {sctlr}", "isb",
            fp = in(reg) 3_u64 << 20,
            mair = in(reg) 0x0444_u64,
            tcr = in(reg) 32_u64 | 1 << 23,
            sctlr = in(reg) SCTLR,
            options(nostack)
        );
    }
}

/// Makes the tables of a state.
pub fn map(state: &State) {
    const ACCESSED: u64 = 1 << 10;
    const EL0: u64 = 1 << 6;
    const DEVICE: u64 = 1 << 2;
    let put = |table: *mut u64, at: usize, entry: u64| {
        let entry = if state.big && !state.user {
            entry.swap_bytes()
        } else {
            entry
        };
        // SAFETY: `table` is one of TABLES, `at` below 512; no case runs now.
        unsafe { table.add(at).write_volatile(entry) }
    };
    for side in 0..2 {
        let root = root(side);
        let middle = root.wrapping_add(512);
        let pages = root.wrapping_add(1024);
        put(root, 0, DEVICE | ACCESSED | 1);
        put(root, 1, middle as u64 | 3);
        for block in 0..17 {
            // What is behind the windows is EL0's, too.
            let rights = if block == 16 { EL0 } else { 0 };
            let from = 0x4000_0000 + block as u64 * 0x20_0000;
            put(middle, block, from | rights | ACCESSED | 1);
        }
        put(middle, 15, pages as u64 | 3);
        for page in 0..512 {
            let from = 0x41e0_0000 + page * 0x1000;
            let mut to = from as u64 | ACCESSED | 3;
            // From the page below the windows on: data of both levels, which EL1 then does not
            // execute; the memory type is the windows'.
            if from >= UPPER - 0x1000 {
                to |= EL0;
                if state.memory == Memory::Device {
                    to |= DEVICE;
                }
            }
            if side == 1 && from >= CODE {
                to -= DISTANCE as u64;
            }
            put(pages, page, to);
        }
    }
    // SAFETY: what was stored is seen by walks.
    unsafe { asm!("dsb sy", "isb", options(nostack)) }
}

fn root(side: usize) -> *mut u64 {
    addr_of_mut!(TABLES)
        .cast::<u64>()
        .wrapping_add(side * 3 * 512)
}

/// Where the code of a case is; in RAM's run, DISTANCE below.
pub const CODE: usize = UPPER - 0x1_0000;

/// SVC #0.
const SVC: u32 = 0xd400_0001;

/// An instruction or a few, with registers.
#[derive(Clone)]
pub struct Case {
    /// Its class.
    pub class: &'static str,
    code: [u32; 24],
    size: usize,
    /// X0 to X30, and SP.
    pub x: [u64; 32],
    /// V0 to V31.
    pub v: [[u64; 2]; 32],
    /// NZCV, in PSTATE's place.
    pub flags: u64,
    /// The register that holds the address: 31 is SP, 32 none.
    pub base: u8,
    /// The lowest address that it can touch, and the one behind the highest.
    pub touches: (usize, usize),
    /// It ends with a data abort, whose address is in this range.
    pub aborts: Option<(usize, usize)>,
}

impl Case {
    /// A case of no instruction yet, with random registers.
    pub fn new(class: &'static str, random: &mut Random) -> Self {
        let mut x = [0; 32];
        let mut v = [[0; 2]; 32];
        for x in &mut x {
            *x = random.long();
        }
        for v in &mut v {
            *v = [random.long(), random.long()];
        }
        Self {
            class,
            code: [0; 24],
            size: 0,
            x,
            v,
            flags: u64::from(random.below(16)) << 28,
            base: 32,
            touches: (UPPER, UPPER),
            aborts: None,
        }
    }

    /// Adds an instruction.
    pub fn push(&mut self, word: u32) {
        self.code[self.size] = word;
        self.size += 1;
    }

    /// The address of the next instruction.
    #[must_use]
    pub fn here(&self) -> usize {
        CODE + self.size * 4
    }

    /// The base register: gets an address.
    pub fn base(&mut self, register: u32, address: usize) {
        self.base = register as u8;
        self.x[register as usize] = address as u64;
    }

    fn context(&self, state: &State, side: usize) -> Context {
        let mut x = self.x;
        let mut pc = CODE;
        if side == 1 && !state.translated() {
            pc -= DISTANCE;
            if let Some(base) = x.get_mut(usize::from(self.base)) {
                *base = base.wrapping_sub(DISTANCE as u64);
            }
        }
        let mut sctlr = SCTLR;
        if state.translated() {
            sctlr |= SCTLR_M;
        }
        if state.big {
            sctlr |= if state.user { SCTLR_E0E } else { SCTLR_EE };
        }
        let mut general = [0; 31];
        general.copy_from_slice(&x[..31]);
        Context {
            x: general,
            sp: x[31],
            pc: pc as u64,
            // EL0t or EL1t, interrupts masked.
            pstate: self.flags | 0x3c0 | if state.user { 0 } else { 4 },
            sctlr,
            ttbr: root(side) as u64,
            vector: 99,
            esr: 0,
            far: 0,
            fpsr: 0,
            v: self.v,
        }
    }

    fn write_code(&self) {
        for base in [CODE, CODE - DISTANCE] {
            for (i, word) in self.code[..self.size].iter().chain(&[SVC]).enumerate() {
                let at = base + i * 4;
                // SAFETY: the code buffers, which no Rust object is in.
                unsafe {
                    asm!("str {:w}, [{}]", "dc cvau, {1}", "dsb sy", "ic ivau, {1}",
                        in(reg) *word, in(reg) at, options(nostack));
                }
            }
        }
        // SAFETY: barriers.
        unsafe { asm!("dsb sy", "isb", options(nostack)) }
    }

    /// Runs it in RAM and in the window, and compares.
    pub fn run(&self, state: &State, seed: u64, tally: &mut Tally) {
        self.write_code();
        let mut due = self.context(state, 1);
        let mut found = self.context(state, 0);
        // SAFETY: the case touches the windows and their RAM only, and its vectors come back.
        unsafe {
            if self.aborts.is_none() {
                loadstore_enter(&raw mut due);
            }
            loadstore_enter(&raw mut found);
        }
        tally.ran(self.class);
        let mut told = None;
        let mut tell = |what: &str, number: usize, found: u64, due: u64| {
            let told = *told.get_or_insert_with(|| {
                let tell = tally.failed(self.class);
                if tell {
                    println!(
                        "BAD {} ({}), seed {seed:#x}, case {}",
                        self.class,
                        state.name,
                        tally.cases()
                    );
                    for word in &self.code[..self.size] {
                        println!("  word {word:08x}");
                    }
                    if let Some(base) = self.x.get(usize::from(self.base)) {
                        println!("  base register {}: {base:#x}", self.base);
                    }
                    println!("  touches {:#x} to {:#x}", self.touches.0, self.touches.1);
                }
                tell
            });
            if told {
                println!("  {what}{number}: due {due:#x}, got {found:#x}");
            }
        };
        let ends = if state.user { 8 } else { 0 };
        if let Some((from, to)) = self.aborts {
            self.after_abort(state, &found, (from as u64, to as u64), &mut tell);
        } else {
            for (which, context) in [("in RAM, vector ", &due), ("vector ", &found)] {
                if context.vector != ends || context.esr >> 26 != 0x15 {
                    tell(which, 0, context.vector, ends);
                    tell("ESR", 1, context.esr, 0x15 << 26);
                    tell("FAR", 1, context.far, 0);
                    tell("ELR", 1, context.pc, 0);
                }
            }
            let moved = if state.translated() { 0 } else { DISTANCE } as u64;
            let same = |found: u64, due: u64| found == due || found == due.wrapping_add(moved);
            for i in 0..31 {
                if !same(found.x[i], due.x[i]) {
                    tell("X", i, found.x[i], due.x[i]);
                }
            }
            if !same(found.sp, due.sp) {
                tell("SP", 0, found.sp, due.sp);
            }
            if found.pc != due.pc.wrapping_add(moved) {
                tell("PC", 0, found.pc, due.pc);
            }
            for i in 0..64 {
                let (f, d) = (found.v[i / 2][i % 2], due.v[i / 2][i % 2]);
                if f != d {
                    tell("half of V", i, f, d);
                }
            }
            for (what, found, due) in [
                ("PSTATE", found.pstate, due.pstate),
                ("FPSR", found.fpsr, due.fpsr),
            ] {
                if found != due {
                    tell(what, 0, found, due);
                }
            }
        }
        let (from, to) = (self.touches.0 & !31, self.touches.1);
        if let Some(difference) = compare(from, to) {
            tell(
                "memory at ",
                difference.at,
                u64::from(difference.found),
                u64::from(difference.due),
            );
            copy_back(from, to);
        }
    }

    /// A transfer that runs from the window to where nothing is: a data abort there, the base as
    /// before (DDI 0487, D1.3.3 and B2.2.2), and nothing that is no target has changed.
    fn after_abort(
        &self,
        state: &State,
        found: &Context,
        range: (u64, u64),
        tell: &mut impl FnMut(&str, usize, u64, u64),
    ) {
        let ends = if state.user { 8 } else { 0 };
        let class = if state.user { 0x24 } else { 0x25 };
        if found.vector != ends || found.esr >> 26 != class {
            tell("vector ", 0, found.vector, ends);
            tell("ESR", 1, found.esr, class << 26);
        } else if found.far < range.0 || found.far >= range.1 {
            tell("FAR", 1, found.far, range.0);
        }
        if found.pc != CODE as u64 {
            tell("PC", 0, found.pc, CODE as u64);
        }
        if found.esr & 0x3f != 0x10 {
            tell("DFSC of ESR", 1, found.esr & 0x3f, 0x10);
        }
        let base = usize::from(self.base);
        let value = if base == 31 { found.sp } else { found.x[base] };
        if value != self.x[base] {
            tell("base X", base, value, self.x[base]);
        }
        // What a store left of itself is not compared: the part in front of the fault may have
        // been done.
        let from = self.touches.0 & !63;
        for at in (from..HOLE.min(self.touches.1)).step_by(4) {
            if at + 4 <= self.touches.0 && compare(at, at + 4).is_some() {
                tell("memory at ", at, 0, 0);
            }
        }
        copy_back(from, HOLE);
    }
}
