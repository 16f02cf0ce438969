//! A32 and T32: a case's registers in every bank, how it is run, and how its states are made.
//!
//! The program itself runs in SVC mode, in A32, with the MMU off. A case is entered by RFE in the
//! mode and with the tables that it wants. It ends with an SVC, or in SVC mode, whose LR that
//! would change, by a branch to where the SVC's vector leads too.

use super::{DISTANCE, UPPER};
use core::arch::{asm, global_asm};
use core::ptr::addr_of_mut;

/// What a case begins with, and what it ends with.
#[repr(C, align(8))]
#[derive(Clone)]
pub struct Context {
    /// R0 to R7; R8 to R14 of User mode, of FIQ mode; R13 and R14 of IRQ, SVC, Abort and
    /// Undefined mode; SPSR of FIQ, IRQ, SVC, Abort and Undefined mode ([`slot`]).
    pub banks: [u32; 35],
    /// Where it begins.
    pub pc: u32,
    /// In what state.
    pub cpsr: u32,
    sctlr: u32,
    ttbr: u32,
    /// The vector that ended it; 8 is the branch from SVC mode.
    pub vector: u32,
    /// The vector's LR.
    pub lr: u32,
    /// The vector's SPSR.
    pub spsr: u32,
    /// DFSR.
    pub dfsr: u32,
    /// DFAR.
    pub dfar: u32,
    /// FPSCR.
    pub fpscr: u32,
    _aligned: u32,
    /// D0 to D31.
    pub d: [u64; 32],
}

/// The vector of an SVC.
pub const SUPERVISOR: u32 = 2;
/// The branch from SVC mode.
pub const BRANCH: u32 = 8;

/// User mode.
pub const USR: u32 = 0x10;
/// FIQ mode.
pub const FIQ: u32 = 0x11;
/// IRQ mode.
pub const IRQ: u32 = 0x12;
/// Supervisor mode.
pub const SVC: u32 = 0x13;
/// Abort mode.
pub const ABT: u32 = 0x17;
/// Undefined mode.
pub const UND: u32 = 0x1b;
/// System mode.
pub const SYS: u32 = 0x1f;
/// All of them.
pub const MODES: [u32; 7] = [USR, FIQ, IRQ, SVC, ABT, UND, SYS];

/// The place of a mode's register, R0 to R14, in [`Context::banks`].
#[must_use]
pub fn slot(mode: u32, register: u32) -> usize {
    let register = register as usize;
    match (mode, register) {
        (_, 0..=7) => register,
        (FIQ, _) => 15 + register - 8,
        (_, 8..=12) | (USR | SYS, _) => register,
        (IRQ, _) => 22 + register - 13,
        (SVC, _) => 24 + register - 13,
        (ABT, _) => 26 + register - 13,
        _ => 28 + register - 13,
    }
}

/// The place of a mode's SPSR.
#[must_use]
pub fn spsr_slot(mode: u32) -> usize {
    match mode {
        FIQ => 30,
        IRQ => 31,
        SVC => 32,
        ABT => 33,
        _ => 34,
    }
}

/// The mode from which a case of this mode is entered; its SP is not the case's to choose.
#[must_use]
pub fn launch_mode(mode: u32) -> u32 {
    if mode == SVC { ABT } else { SVC }
}

global_asm!(
    r#"
    .fpu    neon
    .arch   armv7-a
    .text
    .arm
    .balign 4
    .global loadstore_enter
loadstore_enter:
    push    {{r4-r11, lr}}
    ldr     r1, =loadstore_host
    str     sp, [r1]
    str     r0, [r1, #4]
    mrc     p15, 0, r2, c12, c0, 0
    str     r2, [r1, #8]
    ldr     r2, =loadstore_vectors
    mcr     p15, 0, r2, c12, c0, 0
    add     r1, r0, #184
    vldm    r1!, {{d0-d15}}
    vldm    r1, {{d16-d31}}
    ldr     r1, [r0, #176]
    vmsr    fpscr, r1
    ldr     r1, [r0, #152]
    mcr     p15, 0, r1, c2, c0, 0
    mcr     p15, 0, r1, c8, c7, 0
    dsb
    isb
    clrex
    cps     #0x11
    add     r1, r0, #60
    ldm     r1, {{r8-r14}}
    ldr     r1, [r0, #120]
    msr     spsr_cxsf, r1
    cps     #0x12
    ldr     sp, [r0, #88]
    ldr     lr, [r0, #92]
    ldr     r1, [r0, #124]
    msr     spsr_cxsf, r1
    cps     #0x13
    ldr     sp, [r0, #96]
    ldr     lr, [r0, #100]
    ldr     r1, [r0, #128]
    msr     spsr_cxsf, r1
    cps     #0x17
    ldr     sp, [r0, #104]
    ldr     lr, [r0, #108]
    ldr     r1, [r0, #132]
    msr     spsr_cxsf, r1
    cps     #0x1b
    ldr     sp, [r0, #112]
    ldr     lr, [r0, #116]
    ldr     r1, [r0, #136]
    msr     spsr_cxsf, r1
    cps     #0x1f
    add     r1, r0, #32
    ldm     r1, {{r8-r14}}
    ldr     r1, [r0, #144]
    and     r1, r1, #0x1f
    cmp     r1, #0x13
    beq     1f
    cps     #0x13
    b       2f
1:  cps     #0x17
2:  add     sp, r0, #140
    ldr     r1, [r0, #148]
    mcr     p15, 0, r1, c1, c0, 0
    isb
    ldm     r0, {{r0-r7}}
    rfeia   sp

    .balign 32
loadstore_vectors:
    b       loadstore_reset
    b       loadstore_undefined
    b       loadstore_supervisor
    b       loadstore_prefetch
    b       loadstore_data
    b       loadstore_reset
    b       loadstore_irq
    b       loadstore_fiq

    .macro  ends number
    mcr     p15, 0, r0, c13, c0, 4
    mov     r0, #\number
    b       loadstore_leave
    .endm

loadstore_reset:
    ends    0
loadstore_undefined:
    ends    1
loadstore_supervisor:
    ends    2
loadstore_prefetch:
    ends    3
loadstore_data:
    ends    4
loadstore_irq:
    ends    6
loadstore_fiq:
    ends    7

    .global loadstore_branch
loadstore_branch:
    mcr     p15, 0, r0, c13, c0, 4
    mrs     r0, cpsr
    setend  le
    mcr     p15, 0, r0, c13, c0, 3
    mov     r0, #8

loadstore_leave:
    setend  le
    mcr     p15, 0, r1, c13, c0, 2
    ldr     r1, =loadstore_host
    ldr     r1, [r1, #12]
    mcr     p15, 0, r1, c1, c0, 0
    isb
    ldr     r1, =loadstore_host
    ldr     r1, [r1, #4]
    str     r0, [r1, #156]
    str     lr, [r1, #160]
    cmp     r0, #8
    mrsne   r0, spsr
    mrceq   p15, 0, r0, c13, c0, 3
    str     r0, [r1, #164]
    mrc     p15, 0, r0, c13, c0, 4
    str     r0, [r1]
    mrc     p15, 0, r0, c13, c0, 2
    str     r0, [r1, #4]
    add     r0, r1, #8
    stm     r0, {{r2-r7}}
    cps     #0x1f
    add     r0, r1, #32
    stm     r0, {{r8-r14}}
    cps     #0x11
    add     r0, r1, #60
    stm     r0, {{r8-r14}}
    mrs     r0, spsr
    str     r0, [r1, #120]
    cps     #0x12
    str     sp, [r1, #88]
    str     lr, [r1, #92]
    mrs     r0, spsr
    str     r0, [r1, #124]
    ldr     sp, =__irq_stack
    cps     #0x13
    str     sp, [r1, #96]
    str     lr, [r1, #100]
    mrs     r0, spsr
    str     r0, [r1, #128]
    cps     #0x17
    str     sp, [r1, #104]
    str     lr, [r1, #108]
    mrs     r0, spsr
    str     r0, [r1, #132]
    ldr     sp, =__abort_stack
    cps     #0x1b
    str     sp, [r1, #112]
    str     lr, [r1, #116]
    mrs     r0, spsr
    str     r0, [r1, #136]
    ldr     sp, =__undefined_stack
    cps     #0x13
    mrc     p15, 0, r0, c5, c0, 0
    str     r0, [r1, #168]
    mrc     p15, 0, r0, c6, c0, 0
    str     r0, [r1, #172]
    vmrs    r0, fpscr
    str     r0, [r1, #176]
    add     r0, r1, #184
    vstm    r0!, {{d0-d15}}
    vstm    r0, {{d16-d31}}
    ldr     r1, =loadstore_host
    ldr     sp, [r1]
    ldr     r0, [r1, #8]
    mcr     p15, 0, r0, c12, c0, 0
    isb
    pop     {{r4-r11, pc}}
    .ltorg

    .bss
    .balign 4
    .global loadstore_host
loadstore_host:
    .space  16
    .text
"#
);

unsafe extern "C" {
    fn loadstore_enter(context: *mut Context);
    fn loadstore_branch();
    static mut loadstore_host: [u32; 4];
}

/// The address of the branch's target.
#[must_use]
pub fn branch_target() -> usize {
    loadstore_branch as *const () as usize
}

/// SCTLR of the program: no alignment checks, CP15 barriers, SWP, SETEND and IT as they were.
const SCTLR: u32 = 0x00c5_0c38;
const SCTLR_M: u32 = 1;
const SCTLR_EE: u32 = 1 << 25;

/// The memory type of the windows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The MMU is off: Strongly-ordered.
    Off,
    /// Normal, Non-cacheable.
    Normal,
    /// Device.
    Device,
}

/// In what state of the CPU a case runs; the mode is each case's own.
#[derive(Clone, Copy)]
pub struct State {
    /// What it is called.
    pub name: &'static str,
    /// Data is big-endian, by CPSR.E.
    pub big: bool,
    /// The memory type of the windows.
    pub memory: Memory,
    /// The tables are of long descriptors.
    pub long: bool,
    /// SCTLR.EE: tables are big-endian, and exceptions are taken so.
    pub ee: bool,
}

/// Every state that cases run in.
pub const STATES: [State; 8] = [
    state("MMU off", false, Memory::Off, false, false),
    state("MMU off, EE, big-endian", true, Memory::Off, false, true),
    state(
        "Normal, short descriptors",
        false,
        Memory::Normal,
        false,
        false,
    ),
    state(
        "Normal, short, EE, big-endian",
        true,
        Memory::Normal,
        false,
        true,
    ),
    state(
        "Normal, long descriptors",
        false,
        Memory::Normal,
        true,
        false,
    ),
    state(
        "Normal, long, big-endian",
        true,
        Memory::Normal,
        true,
        false,
    ),
    state(
        "Device, short descriptors",
        false,
        Memory::Device,
        false,
        false,
    ),
    state(
        "Device, long, EE, little-endian",
        false,
        Memory::Device,
        true,
        true,
    ),
];

const fn state(name: &'static str, big: bool, memory: Memory, long: bool, ee: bool) -> State {
    State {
        name,
        big,
        memory,
        long,
        ee,
    }
}

impl State {
    /// Whether both runs have the same addresses.
    #[must_use]
    pub fn translated(&self) -> bool {
        self.memory != Memory::Off
    }

    /// Whether plain accesses are to be unaligned, too: the memory is Normal, and a hypervisor can
    /// know it. Of short descriptors QEMU 7.2's PAR_EL1 does not tell the memory type.
    #[must_use]
    pub fn unaligned(&self) -> bool {
        self.memory == Memory::Normal && self.long
    }
}

/// Stage 1 of the cases: a first and a second level, for the windows' side and for that in RAM.
#[repr(C, align(16384))]
struct Tables([([u32; 4096], [u32; 4096]); 2]);

static mut TABLES: Tables = Tables([([0; 4096], [0; 4096]); 2]);

/// Turns SIMD on, and stage 1's registers.
pub fn begin() {
    // SAFETY: the program's own control state; nothing is mapped before a case turns the MMU on.
    unsafe {
        // CPACR: full access to cp10 and cp11; FPEXC.EN; DACR: domain 0 is a client; MAIR0, for
        // long descriptors: 0 Normal Non-cacheable, 1 Device.
        asm!(
            ".fpu neon",
            "mcr p15, 0, {fp}, c1, c0, 2", "isb", "vmsr fpexc, {enable}",
            "mcrr p15, 0, {zero}, {zero}, c2", "mcr p15, 0, {one}, c3, c0, 0",
            "mcr p15, 0, {mair}, c10, c2, 0",
            "mcr p15, 0, {sctlr}, c1, c0, 0", "isb",
            fp = in(reg) 0xf_u32 << 20, enable = in(reg) 1_u32 << 30, zero = in(reg) 0,
            one = in(reg) 1, mair = in(reg) 0x0444, sctlr = in(reg) SCTLR, options(nostack)
        );
        addr_of_mut!(loadstore_host)
            .cast::<u32>()
            .add(3)
            .write_volatile(SCTLR);
    }
}

fn root(side: usize) -> *mut u32 {
    addr_of_mut!(TABLES)
        .cast::<u32>()
        .wrapping_add(side * 0x2000)
}

/// The page of the code, which is Normal memory always, and of the RAM below the windows.
const CODE_PAGE: usize = UPPER - 0x1000;

/// Makes the tables of a state (DDI 0406C, B3.5.1 and B3.6.1).
pub fn map(state: &State) {
    for side in 0..2 {
        if state.long {
            map_long(state, side);
        } else {
            map_short(state, side);
        }
    }
    // SAFETY: what was stored is seen by walks; TTBCR.EAE says of what kind it is.
    unsafe {
        asm!("dsb", "mcr p15, 0, {}, c2, c0, 2", "isb",
            in(reg) u32::from(state.long) << 31, options(nostack));
    }
}

/// Where a page of the last MiB is.
fn page_of(from: usize, side: usize) -> u32 {
    if side == 1 && from >= CODE_PAGE {
        (from - DISTANCE) as u32
    } else {
        from as u32
    }
}

fn map_short(state: &State, side: usize) {
    const NORMAL_SECTION: u32 = 1 << 12 | 3 << 10 | 2;
    const NORMAL_PAGE: u32 = 1 << 6 | 3 << 4 | 2;
    const DEVICE_PAGE: u32 = 1 << 2 | 3 << 4 | 2;
    // SAFETY: `at` is below the table's size; no case runs now.
    let put = |table: *mut u32, at: usize, entry: u32| unsafe {
        let entry = if state.ee { entry.swap_bytes() } else { entry };
        table.add(at).write_volatile(entry);
    };
    let first = root(side);
    let second = first.wrapping_add(0x1000);
    for mebibyte in 0x400..0x421 {
        put(first, mebibyte, (mebibyte as u32) << 20 | NORMAL_SECTION);
    }
    put(first, 0x41f, second as u32 | 1);
    for page in 0..256 {
        let from = 0x41f0_0000 + page * 0x1000;
        let device = state.memory == Memory::Device && from >= UPPER;
        let kind = if device { DEVICE_PAGE } else { NORMAL_PAGE };
        put(second, page, page_of(from, side) | kind);
    }
}

fn map_long(state: &State, side: usize) {
    // AF, AP for both levels, and AttrIndx 1.
    const NORMAL: u32 = 1 << 10 | 1 << 6;
    const DEVICE: u32 = NORMAL | 1 << 2;
    // SAFETY: `at` is below the table's size; no case runs now.
    let put = |table: *mut u32, at: usize, entry: u32| unsafe {
        let (low, high) = if state.ee {
            (0, entry.swap_bytes())
        } else {
            (entry, 0)
        };
        table.add(at * 2).write_volatile(low);
        table.add(at * 2 + 1).write_volatile(high);
    };
    // The second and third level are pages of their own.
    let first = root(side);
    let second = first.wrapping_add(0x400);
    let third = first.wrapping_add(0x800);
    put(first, 0, DEVICE | 1);
    put(first, 1, second as u32 | 3);
    put(first, 2, 0);
    put(first, 3, 0);
    for block in 0..17 {
        put(
            second,
            block,
            (0x4000_0000 + block as u32 * 0x20_0000) | NORMAL | 1,
        );
    }
    put(second, 15, third as u32 | 3);
    for page in 0..512 {
        let from = 0x41e0_0000 + page * 0x1000;
        let device = state.memory == Memory::Device && from >= UPPER;
        let kind = if device { DEVICE } else { NORMAL };
        put(third, page, page_of(from, side) | kind | 3);
    }
}

impl Context {
    /// A context with these banks.
    #[must_use]
    pub fn new(state: &State, side: usize, banks: [u32; 35], d: [u64; 32]) -> Self {
        Self {
            banks,
            pc: 0,
            cpsr: 0,
            sctlr: SCTLR
                | if state.translated() { SCTLR_M } else { 0 }
                | if state.ee { SCTLR_EE } else { 0 },
            ttbr: root(side) as u32,
            vector: 99,
            lr: 0,
            spsr: 0,
            dfsr: 0,
            dfar: 0,
            fpscr: 0,
            _aligned: 0,
            d,
        }
    }

    /// Runs the code at its PC, until it comes back.
    ///
    /// # Safety
    ///
    /// The code must change nothing of the program's, and end with an SVC or an exception.
    pub unsafe fn enter(&mut self) {
        let launch = slot(launch_mode(self.cpsr & 0x1f), 13);
        let before = self.banks[launch];
        // SAFETY: the caller's promise.
        unsafe { loadstore_enter(self) }
        // That SP was an address in here, and is kept if it still is.
        if self.banks[launch] == &raw const self.pc as u32 {
            self.banks[launch] = before;
        }
    }
}

/// Makes instructions visible that were stored at an address.
pub fn store_instruction(at: usize, half: u16) {
    // SAFETY: the code buffers, which no Rust object is in.
    unsafe {
        asm!("strh {}, [{}]", "mcr p15, 0, {1}, c7, c11, 1", "dsb",
            "mcr p15, 0, {1}, c7, c5, 1", in(reg) half, in(reg) at, options(nostack));
    }
}

/// Ends the stores of instructions.
pub fn instructions_are_stored() {
    // SAFETY: barriers; branch predictors are invalidated.
    unsafe { asm!("mcr p15, 0, {}, c7, c5, 6", "dsb", "isb", in(reg) 0, options(nostack)) }
}
