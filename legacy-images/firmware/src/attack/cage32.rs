//! The cage of an operation in A32 or T32: entered with every register given, and left by an exception, of
//! whatever kind.
//!
//! Outside, the MMU is off, the mode is SVC and interrupts are masked. The way out needs no register and no
//! stack of the operation's: it puts SCTLR and VBAR right before it touches memory, and goes on behind the
//! call.

use super::places::{Places, value};
use super::{Ended, lost, told};
use crate::loadstore::Random;
use crate::{console, cp, println};
use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;

/// The attacker's board: QEMU virt's layout, with 8 MiB of RAM.
pub static PLACES: Places = Places {
    ram: 0x4000_0000,
    code: 0x4030_0000,
    scratch: 0x4040_0000,
    end: 0x4080_0000,
    devices: &[
        (0x0800_0000, 0x1_0000),
        (0x0801_0000, 0x1_0000),
        (0x0802_0000, 0x8_0000),
        (0x0900_0000, 0x1000),
        (0x0901_0000, 0x1000),
        (0x0902_0000, 0x18),
    ],
    flash: (0, 0x800_0000),
    top: 1 << 32,
};

/// The first-level table of the operations.
pub const TABLE: u32 = 0x4020_0000;
/// A second-level table in RAM.
pub const SECOND_LEVEL: u32 = 0x4020_8000;
/// The first of the sections that hostile descriptors are put at.
pub const HOSTILE: u32 = 0xf000_0000;

/// SVC #0 of A32.
pub const SVC: u32 = 0xef00_0000;
/// NOP.
pub const NOP: u32 = 0xe320_f000;
/// `MCR p15, 0, r7, c12, c0, 0`: behind every MCR, in case it was VBAR's. No mode has its own r7.
const VBAR_BACK: u32 = 0xee0c_7f10;

/// SCTLR outside: as after a reset of a Cortex-A15, all off.
pub const SCTLR_OFF: u32 = 0x00c5_0078;
/// SCTLR's bits that are random: A, C, SW, Z, I and EE. Of the others M is chosen, V, VE and TE would move
/// the vectors or their instruction set away, and the tables' formats stay.
pub const SCTLR_LOOSE: u32 = 0x0200_1c06;
/// SVC mode, masked.
pub const SVC_MODE: u32 = 0x1d3;
/// System mode, masked.
pub const SYS_MODE: u32 = 0x1df;
/// User mode, masked.
pub const USR_MODE: u32 = 0x1d0;
/// CPSR's masks of IRQ and FIQ.
pub const IF: u32 = 0xc0;
/// CPSR.T.
pub const T: u32 = 0x20;

#[repr(C)]
struct Kept {
    caged: u32,
    r4_to_r11: [u32; 8],
    lr: u32,
    sp: u32,
    exit: Exit,
}

/// What the exception left that ended an operation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Exit {
    /// The vector's number.
    pub vector: u32,
    /// LR of its mode.
    pub lr: u32,
    /// SPSR of its mode.
    pub spsr: u32,
}

#[repr(transparent)]
struct Cell(UnsafeCell<Kept>);
// SAFETY: one CPU; written by the cage's assembly only, while Rust waits in the call.
unsafe impl Sync for Cell {}

#[unsafe(no_mangle)]
static CAGE_KEPT: Cell = Cell(UnsafeCell::new(Kept {
    caged: 0,
    r4_to_r11: [0; 8],
    lr: 0,
    sp: 0,
    exit: Exit {
        vector: 0,
        lr: 0,
        spsr: 0,
    },
}));

/// What an operation starts with.
#[repr(C)]
pub struct Cage {
    /// r0 to r12. r7 is the vectors' address, for [`VBAR_BACK`].
    pub r: [u32; 13],
    /// SP of SVC mode.
    pub sp: u32,
    /// Where it starts.
    pub pc: u32,
    /// CPSR.
    pub cpsr: u32,
    /// SCTLR.
    pub sctlr: u32,
    /// CPACR.
    pub cpacr: u32,
    /// DACR.
    pub dacr: u32,
}

global_asm!(
    r#"
    .text
    .arm
    .balign 32
    .global cage_vectors
cage_vectors:
    b       80f
    b       81f
    b       82f
    b       83f
    b       84f
    b       85f
    b       86f
    b       87f
80: mov     r0, #0
    b       cage_leave
81: mov     r0, #1
    b       cage_leave
82: mov     r0, #2
    b       cage_leave
83: mov     r0, #3
    b       cage_leave
84: mov     r0, #4
    b       cage_leave
85: mov     r0, #5
    b       cage_leave
86: mov     r0, #6
    b       cage_leave
87: mov     r0, #7

cage_leave:
    movw    r1, #0x0078
    movt    r1, #0x00c5
    mcr     p15, 0, r1, c1, c0, 0
    setend  le
    movw    r1, #:lower16:cage_vectors
    movt    r1, #:upper16:cage_vectors
    mcr     p15, 0, r1, c12, c0, 0
    isb
    mov     r2, lr
    mrs     r3, spsr
    cpsid   aif, #0x13
    movw    r1, #:lower16:CAGE_KEPT
    movt    r1, #:upper16:CAGE_KEPT
    ldr     r4, [r1]
    mov     r5, #0
    str     r5, [r1]
    str     r0, [r1, #44]
    str     r2, [r1, #48]
    str     r3, [r1, #52]
    ldr     sp, [r1, #40]
    cmp     r4, #0
    beq     cage_lost
    mcr     p15, 0, r5, c14, c1, 0
    mcr     p15, 0, r5, c13, c0, 1
    mcr     p15, 0, r5, c2, c0, 2
    ldr     lr, [r1, #36]
    add     r1, r1, #4
    ldm     r1, {{r4-r11}}
    bx      lr

    .global cage_enter
cage_enter:
    movw    r1, #:lower16:CAGE_KEPT
    movt    r1, #:upper16:CAGE_KEPT
    str     sp, [r1, #40]
    str     lr, [r1, #36]
    add     r2, r1, #4
    stm     r2, {{r4-r11}}
    mov     r2, #1
    str     r2, [r1]
    mov     r2, #0
    mcr     p15, 0, r2, c2, c0, 2
    movw    r2, #0
    movt    r2, #0x4020
    mcr     p15, 0, r2, c2, c0, 0
    ldr     r2, [r0, #68]
    mcr     p15, 0, r2, c1, c0, 2
    ldr     r2, [r0, #72]
    mcr     p15, 0, r2, c3, c0, 0
    ldr     r2, [r0, #60]
    msr     spsr_cxsf, r2
    ldr     lr, [r0, #56]
    ldr     sp, [r0, #52]
    dsb
    mov     r2, #0
    mcr     p15, 0, r2, c7, c5, 0
    mcr     p15, 0, r2, c8, c7, 0
    dsb
    isb
    ldr     r1, [r0, #64]
    add     r2, r0, #8
    ldm     r2, {{r2-r12}}
    mcr     p15, 0, r1, c1, c0, 0
    isb
    ldr     r1, [r0, #4]
    ldr     r0, [r0]
    movs    pc, lr
"#
);

unsafe extern "C" {
    fn cage_enter(cage: &Cage);
    static cage_vectors: u8;
}

/// An exception that came while no operation was under way.
#[unsafe(no_mangle)]
extern "C" fn cage_lost(vector: u32, _kept: u32, lr: u32, spsr: u32) -> ! {
    console::open(0x0900_0000);
    let word: u32;
    // SAFETY: a load of the instruction that was under way, or of one beside it.
    unsafe {
        asm!("ldr {}, [{}]", out(reg) word, in(reg) lr.wrapping_sub(4) & !3, options(nostack))
    }
    let registers = [
        ("word", u64::from(word)),
        ("LR", u64::from(lr)),
        ("SPSR", u64::from(spsr)),
        ("DFSR", u64::from(cp!(read "p15, 0, {}, c5, c0, 0"))),
        ("DFAR", u64::from(cp!(read "p15, 0, {}, c6, c0, 0"))),
    ];
    lost(u64::from(vector), &registers)
}

fn vectors() -> u32 {
    &raw const cage_vectors as u32
}

/// A word of RAM that no Rust object is in.
pub fn store(at: u32, value: u32) {
    // SAFETY: the code, table and scratch pages of this program.
    unsafe { asm!("str {}, [{}]", in(reg) value, in(reg) at, options(nostack)) }
}

/// The descriptor that maps the section of `at` where it is.
#[must_use]
pub fn section(at: u32) -> u32 {
    let base = at & 0xfff0_0000;
    match base {
        // The image: privileged. Normal, not cacheable, as all of RAM.
        0x4000_0000..0x4030_0000 => base | 0x1402,
        // The code: User mode reads and executes.
        0x4030_0000 => base | 0x1802,
        0x4040_0000..0x4080_0000 => base | 0x1c02,
        // Devices, and what is nowhere: one half of it Normal.
        0x6000_0000.. => base | 0x1c02,
        _ => base | 0xc06,
    }
}

/// Puts the cage's vectors in place, and its table.
pub fn begin() {
    let vectors = vectors();
    cp!(write "p15, 0, {}, c12, c0, 0", vectors);
    for n in 0..4096_u32 {
        store(TABLE + 4 * n, section(n << 20));
    }
    for at in (PLACES.scratch as u32..PLACES.end as u32).step_by(4) {
        store(at, at.wrapping_mul(0x9e37_79b9));
    }
}

/// A cage with random registers, in a random mode, stage 1 on or off.
pub fn random_cage(random: &mut Random) -> Cage {
    let mut r = [0; 13];
    for register in &mut r {
        *register = value(random, &PLACES) as u32;
    }
    r[7] = vectors();
    let cpsr = random.one_of(&[SVC_MODE, SVC_MODE, SYS_MODE, USR_MODE]);
    let mut sctlr = SCTLR_OFF ^ random.word() & SCTLR_LOOSE;
    if random.coin() {
        sctlr = sctlr & !0x0200_0000 | 1;
    }
    Cage {
        r,
        sp: PLACES.scratch(random) as u32 & !7,
        pc: PLACES.code as u32,
        cpsr: cpsr | random.word() & 0xf80f_0200,
        sctlr,
        cpacr: random.one_of(&[0xf0_0000, 0xf0_0000, 0x50_0000, 0]),
        dacr: 0x5555_5555,
    }
}

/// A cage in SVC mode with the MMU off.
pub fn plain_cage(random: &mut Random) -> Cage {
    let mut cage = random_cage(random);
    cage.sctlr = SCTLR_OFF;
    cage.cpsr = SVC_MODE;
    cage.cpacr = 0xf0_0000;
    cage
}

impl Cage {
    /// Whether it runs in User mode.
    #[must_use]
    pub fn is_user(&self) -> bool {
        self.cpsr.trailing_zeros() >= 4
    }

    /// Makes every register but the base a small number, so that no index reaches the image.
    pub fn keep_indices_small(&mut self, random: &mut Random) {
        for register in &mut self.r[2..8] {
            *register = random.below(0x1000).wrapping_sub(random.below(0x1000));
        }
    }

    /// Runs these words, and then an SVC.
    #[must_use]
    pub fn run(&self, words: &[u32]) -> Exit {
        let mut at = PLACES.code as u32;
        let last = if self.cpsr & T == 0 { SVC } else { 0xdf00_df00 };
        for word in words.iter().chain([&last; 4]) {
            store(at, *word);
            at += 4;
        }
        if told() {
            console::open(0x0900_0000);
            println!("  {words:x?} SCTLR {:x} CPSR {:x}", self.sctlr, self.cpsr);
            println!("  r0 {:x} r1 {:x} r2 {:x}", self.r[0], self.r[1], self.r[2]);
        }
        self.enter()
    }

    /// The same for a word that may write a system register.
    #[must_use]
    pub fn run_and_restore(&self, word: u32) -> Exit {
        self.run(&[word, VBAR_BACK])
    }

    /// Enters at the cage's PC.
    pub fn enter(&self) -> Exit {
        // SAFETY: the cage keeps what the procedure call standard has it keep, and its operations store
        // into no Rust object.
        unsafe {
            cage_enter(self);
            (*CAGE_KEPT.0.get()).exit
        }
    }
}

impl Exit {
    /// Whether it was an IRQ or FIQ.
    #[must_use]
    pub fn is_interrupt(&self) -> bool {
        self.vector >= 6
    }

    /// How the operation ended.
    #[must_use]
    pub fn ended(&self) -> Ended {
        if told() {
            console::open(0x0900_0000);
            println!(
                "  vector {} LR {:x} SPSR {:x} DFSR {:x} DFAR {:x}",
                self.vector,
                self.lr,
                self.spsr,
                cp!(read "p15, 0, {}, c5, c0, 0"),
                cp!(read "p15, 0, {}, c6, c0, 0")
            );
        }
        match self.vector {
            1 => Ended::Undefined,
            2 => Ended::Done,
            3 | 4 => Ended::Aborted,
            6 | 7 => Ended::Interrupted,
            _ => Ended::Other,
        }
    }
}
