//! The cage of an operation at EL1 or EL0: it is entered by an ERET with every register given, and left by
//! an exception, of whatever kind.
//!
//! Outside, the MMU is off and interrupts are masked. The way out needs no register and no stack of the
//! operation's: it puts SCTLR and VBAR right before it touches memory, and goes on behind the call.

use super::places::{Places, value};
use super::{Ended, lost, told};
use crate::loadstore::Random;
use crate::{console, println, sysreg};
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
        (0x080a_0000, 0x4_0000),
        (0x0900_0000, 0x1000),
        (0x0901_0000, 0x1000),
        (0x0902_0000, 0x18),
    ],
    flash: (0, 0x800_0000),
    top: 1 << 40,
};

/// The tables of the operations: one of 1 GiB blocks, and pages for hostile ones behind it.
pub const TABLES: u64 = 0x4020_0000;
/// Where TTBR1's tables are, when they are well placed.
pub const HOSTILE_TABLES: u64 = TABLES + 0x1000;

/// SVC #0, which ends an operation.
pub const SVC: u32 = 0xd400_0001;
/// NOP.
pub const NOP: u32 = 0xd503_201f;
/// `MSR VBAR_EL1, x28`: behind every MSR, in case it was VBAR's.
const VBAR_BACK: u32 = 0xd518_c01c;

/// SCTLR_EL1 outside: its RES1 bits, all off.
pub const SCTLR_OFF: u64 = 0x30d0_0800;
/// DAIF masked, EL1 with its own stack pointer.
pub const EL1H: u64 = 0x3c5;
/// The same with SP_EL0.
pub const EL1T: u64 = 0x3c4;
/// EL0, masked.
pub const EL0: u64 = 0x3c0;
/// EL0 in A32, masked.
pub const EL0_A32: u64 = 0x1d0;
/// PSTATE's masks of IRQ and FIQ.
pub const IF: u64 = 0xc0;

#[repr(C)]
struct Kept {
    caged: u64,
    _aligned: u64,
    x19_to_x30: [u64; 12],
    sp: u64,
    _aligned_too: u64,
    exit: Exit,
}

/// What the exception left that ended an operation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Exit {
    /// The vector's number.
    pub vector: u64,
    /// ESR_EL1.
    pub esr: u64,
    /// FAR_EL1.
    pub far: u64,
    /// ELR_EL1.
    pub elr: u64,
    /// SPSR_EL1.
    pub spsr: u64,
}

#[repr(transparent)]
struct Cell(UnsafeCell<Kept>);
// SAFETY: one CPU; written by the cage's assembly only, while Rust waits in the call.
unsafe impl Sync for Cell {}

#[unsafe(no_mangle)]
static CAGE_KEPT: Cell = Cell(UnsafeCell::new(Kept {
    caged: 0,
    _aligned: 0,
    x19_to_x30: [0; 12],
    sp: 0,
    _aligned_too: 0,
    exit: Exit {
        vector: 0,
        esr: 0,
        far: 0,
        elr: 0,
        spsr: 0,
    },
}));

/// What an operation starts with.
#[repr(C)]
pub struct Cage {
    /// x0 to x30. x28 is the vectors' address, for [`VBAR_BACK`].
    pub x: [u64; 31],
    /// SP_EL1.
    pub sp: u64,
    /// SP_EL0.
    pub sp_el0: u64,
    /// Where it starts.
    pub pc: u64,
    /// PSTATE.
    pub spsr: u64,
    /// SCTLR_EL1.
    pub sctlr: u64,
    /// CPACR_EL1.
    pub cpacr: u64,
    /// MAIR_EL1.
    pub mair: u64,
    /// TCR_EL1.
    pub tcr: u64,
    /// TTBR0_EL1.
    pub ttbr0: u64,
    /// TTBR1_EL1.
    pub ttbr1: u64,
}

global_asm!(
    r#"
    .macro  cage_vector number
    .balign 0x80
    mov     x0, #\number
    b       cage_leave
    .endm

    .text
    .balign 0x800
    .global cage_vectors
cage_vectors:
    cage_vector 0
    cage_vector 1
    cage_vector 2
    cage_vector 3
    cage_vector 4
    cage_vector 5
    cage_vector 6
    cage_vector 7
    cage_vector 8
    cage_vector 9
    cage_vector 10
    cage_vector 11
    cage_vector 12
    cage_vector 13
    cage_vector 14
    cage_vector 15

cage_leave:
    movz    x1, #0x0800
    movk    x1, #0x30d0, lsl #16
    msr     sctlr_el1, x1
    adr     x1, cage_vectors
    msr     vbar_el1, x1
    isb
    adrp    x1, CAGE_KEPT
    add     x1, x1, :lo12:CAGE_KEPT
    ldr     x3, [x1]
    str     xzr, [x1]
    mrs     x4, esr_el1
    mrs     x5, far_el1
    mrs     x6, elr_el1
    mrs     x7, spsr_el1
    stp     x0, x4, [x1, #128]
    stp     x5, x6, [x1, #144]
    str     x7, [x1, #160]
    ldr     x2, [x1, #112]
    mov     sp, x2
    cbz     x3, cage_lost
    msr     mdscr_el1, xzr
    msr     cntkctl_el1, xzr
    msr     contextidr_el1, xzr
    ldp     x19, x20, [x1, #16]
    ldp     x21, x22, [x1, #32]
    ldp     x23, x24, [x1, #48]
    ldp     x25, x26, [x1, #64]
    ldp     x27, x28, [x1, #80]
    ldp     x29, x30, [x1, #96]
    ret

    .global cage_enter
cage_enter:
    adrp    x1, CAGE_KEPT
    add     x1, x1, :lo12:CAGE_KEPT
    stp     x19, x20, [x1, #16]
    stp     x21, x22, [x1, #32]
    stp     x23, x24, [x1, #48]
    stp     x25, x26, [x1, #64]
    stp     x27, x28, [x1, #80]
    stp     x29, x30, [x1, #96]
    mov     x2, sp
    str     x2, [x1, #112]
    mov     x2, #1
    str     x2, [x1]
    ldp     x2, x3, [x0, #248]
    msr     sp_el0, x3
    mov     sp, x2
    ldp     x2, x3, [x0, #264]
    msr     elr_el1, x2
    msr     spsr_el1, x3
    ldr     x2, [x0, #288]
    msr     cpacr_el1, x2
    ldp     x2, x3, [x0, #296]
    msr     mair_el1, x2
    msr     tcr_el1, x3
    ldp     x2, x3, [x0, #312]
    msr     ttbr0_el1, x2
    msr     ttbr1_el1, x3
    dsb     sy
    ic      iallu
    ldr     x30, [x0, #280]
    tbz     x30, #0, 1f
    tlbi    vmalle1
1:  dsb     sy
    isb
    ldp     x1, x2, [x0, #8]
    ldp     x3, x4, [x0, #24]
    ldp     x5, x6, [x0, #40]
    ldp     x7, x8, [x0, #56]
    ldp     x9, x10, [x0, #72]
    ldp     x11, x12, [x0, #88]
    ldp     x13, x14, [x0, #104]
    ldp     x15, x16, [x0, #120]
    ldp     x17, x18, [x0, #136]
    ldp     x19, x20, [x0, #152]
    ldp     x21, x22, [x0, #168]
    ldp     x23, x24, [x0, #184]
    ldp     x25, x26, [x0, #200]
    ldp     x27, x28, [x0, #216]
    ldr     x29, [x0, #232]
    msr     sctlr_el1, x30
    isb
    ldr     x30, [x0, #240]
    ldr     x0, [x0]
    eret
"#
);

unsafe extern "C" {
    fn cage_enter(cage: &Cage);
    static cage_vectors: u8;
}

/// An exception that came while no operation was under way.
#[unsafe(no_mangle)]
extern "C" fn cage_lost(vector: u64) -> ! {
    console::open(0x0900_0000);
    let registers = [
        ("ESR", sysreg!("esr_el1")),
        ("FAR", sysreg!("far_el1")),
        ("ELR", sysreg!("elr_el1")),
        ("SPSR", sysreg!("spsr_el1")),
    ];
    lost(vector, &registers)
}

fn vectors() -> u64 {
    &raw const cage_vectors as u64
}

/// A doubleword of RAM that no Rust object is in.
pub fn store(at: u64, value: u64) {
    // SAFETY: the code, table and scratch pages of this program.
    unsafe { asm!("str {}, [{}]", in(reg) value, in(reg) at, options(nostack)) }
}

/// A word of RAM that no Rust object is in.
pub fn store_word(at: u64, value: u32) {
    // SAFETY: as `store`.
    unsafe { asm!("str {:w}, [{}]", in(reg) value, in(reg) at, options(nostack)) }
}

/// Puts the cage's vectors in place, and its tables.
///
/// TTBR0: 512 blocks of 1 GiB, each where it is, EL0 allowed but in the one with RAM; that one is there
/// once more, for EL0, at [`RAM_FOR_EL0`].
pub fn begin() {
    sysreg!("vbar_el1", vectors());
    for block in 0..512_u64 {
        store(TABLES + block * 8, block << 30 | 0x745);
    }
    // Attribute 0: Normal, not cacheable; EL1's own, and EL0 may execute.
    store(TABLES + 8, 0x4000_0000 | 0x701);
    store(TABLES + 8 * 256, 0x4000_0000 | 0x741);
    for at in (PLACES.scratch..PLACES.end).step_by(8) {
        store(at, at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
}

/// RAM once more, where EL0 may load and store while the MMU is on.
pub const RAM_FOR_EL0: u64 = 256 << 30;

/// TCR_EL1: 39 bits for TTBR0, walks not cacheable; TTBR1 of the same size, off or on.
const TCR: u64 = 0x19 | 0x19 << 16 | 2 << 30 | 2 << 32;
/// TCR_EL1.EPD1.
pub const EPD1: u64 = 1 << 23;

/// SCTLR_EL1's bits that are random: those of Armv8.0 but M, EE (which is of the tables, too) and WXN.
const SCTLR_LOOSE: u64 = 0x0505_d3be;

/// A cage with random registers, at a random level, stage 1 on or off, for an operation at [`PLACES`]' code.
pub fn random_cage(random: &mut Random) -> Cage {
    let mut x = [0; 31];
    for register in &mut x {
        *register = value(random, &PLACES);
    }
    x[28] = vectors();
    // MAIR: RAM's attribute, and that of all else.
    let other = random.one_of(&[0x00, 0x04, 0x44, 0x44, 0xff, 0x0c]);
    let spsr = random.one_of(&[EL1H, EL1H, EL1T, EL0]) | random.long() & 0xf000_0000;
    let mut sctlr = SCTLR_OFF | random.long() & SCTLR_LOOSE;
    if random.coin() {
        sctlr |= 1;
    } else if random.once_in(4) {
        sctlr |= 1 << 25;
    }
    Cage {
        x,
        sp: PLACES.scratch(random),
        sp_el0: PLACES.scratch(random),
        pc: PLACES.code,
        spsr,
        sctlr,
        cpacr: u64::from(random.one_of(&[3_u32, 3, 3, 1, 0])) << 20,
        mair: 0x44 | other << 8,
        tcr: TCR | EPD1,
        ttbr0: TABLES,
        ttbr1: HOSTILE_TABLES,
    }
}

/// A cage at EL1 with the MMU off.
pub fn plain_cage(random: &mut Random) -> Cage {
    let mut cage = random_cage(random);
    cage.sctlr = SCTLR_OFF;
    cage.spsr = EL1H;
    cage.cpacr = 3 << 20;
    cage
}

impl Cage {
    /// Whether it runs at EL0.
    #[must_use]
    pub fn is_el0(&self) -> bool {
        self.spsr.trailing_zeros() >= 4
    }

    /// Runs these words, and then an SVC.
    #[must_use]
    pub fn run(&self, words: &[u32]) -> Exit {
        self.run_ended_by(words, SVC)
    }

    /// The same for words that may write a system register.
    #[must_use]
    pub fn run_and_restore(&self, word: u32) -> Exit {
        self.run(&[word, VBAR_BACK])
    }

    /// Runs these words at the cage's PC, and then this one.
    #[must_use]
    pub fn run_ended_by(&self, words: &[u32], last: u32) -> Exit {
        let mut at = PLACES.code;
        for word in words.iter().chain([&last]) {
            store_word(at, *word);
            at += 4;
        }
        if told() {
            console::open(0x0900_0000);
            println!("  {words:x?} SCTLR {:x} SPSR {:x}", self.sctlr, self.spsr);
            println!("  x0 {:x} x1 {:x} x2 {:x}", self.x[0], self.x[1], self.x[2]);
        }
        self.enter()
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
        self.vector & 3 == 1 || self.vector & 3 == 2
    }

    /// How the operation ended.
    #[must_use]
    pub fn ended(&self) -> Ended {
        if told() {
            console::open(0x0900_0000);
            println!(
                "  vector {} ESR {:x} ELR {:x} FAR {:x}",
                self.vector, self.esr, self.elr, self.far
            );
        }
        if self.is_interrupt() {
            return Ended::Interrupted;
        }
        match self.esr >> 26 {
            0x15 | 0x11 => Ended::Done,
            0x00 | 0x03..=0x07 | 0x0c | 0x18 | 0x19 => Ended::Undefined,
            0x20 | 0x21 | 0x22 | 0x24 | 0x25 | 0x26 => Ended::Aborted,
            _ => Ended::Other,
        }
    }
}
