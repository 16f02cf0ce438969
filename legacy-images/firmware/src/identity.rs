//! What the `cpu-` programs ask of their CPU: identity, control registers that only a Secure
//! guest has, UNDEF by every way to the vectors, SWP. Values are printed, so that a run on
//! another machine compares; what the architecture fixes is checked.

use crate::arm32::{Frame, UNDEFINED, cpsr, unexpected};
use crate::check::Checks;
use crate::{cp, println};
use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU32, Ordering};

/// The UNDEFs taken, and the last one's banked registers.
static TAKEN: AtomicU32 = AtomicU32::new(0);
static LR: AtomicU32 = AtomicU32::new(0);
static SPSR: AtomicU32 = AtomicU32::new(0);
static MODE: AtomicU32 = AtomicU32::new(0);

/// Takes an UNDEF and goes on behind the instruction.
pub fn exception(vector: u32, frame: &mut Frame) {
    if vector != UNDEFINED {
        unexpected(vector, frame);
    }
    TAKEN.store(TAKEN.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    LR.store(frame.lr, Ordering::Relaxed);
    SPSR.store(frame.spsr, Ordering::Relaxed);
    MODE.store(cpsr(), Ordering::Relaxed);
}

global_asm!(
    r#"
    .section .text.undefined, "ax"
    .arm
    .balign 4
    .global undefined_in_arm, undefined_in_arm_at
undefined_in_arm:
undefined_in_arm_at:
    .inst   0xe7f000f0
    bx      lr

    .global undefined_coprocessor, undefined_coprocessor_at
undefined_coprocessor:
undefined_coprocessor_at:
    mrc     p15, 7, r0, c4, c0, 7
    bx      lr

    .global undefined_l2ctlr, undefined_l2ctlr_at
undefined_l2ctlr:
undefined_l2ctlr_at:
    mrc     p15, 1, r0, c9, c0, 2
    bx      lr

    .thumb
    .balign 4
    .global cbar_in_thumb
    .thumb_func
cbar_in_thumb:
    nop
    mrc     p15, 4, r0, c15, c0, 0
    bx      lr

    .balign 4
    .global undefined_in_thumb, undefined_in_thumb_at
    .thumb_func
undefined_in_thumb:
    nop
    .thumb_func
undefined_in_thumb_at:
    .inst.n 0xde00
    bx      lr
    .arm
"#
);

unsafe extern "C" {
    fn undefined_in_arm();
    static undefined_in_arm_at: u8;
    fn undefined_coprocessor();
    static undefined_coprocessor_at: u8;
    fn undefined_l2ctlr();
    static undefined_l2ctlr_at: u8;
    fn cbar_in_thumb() -> u32;
    fn undefined_in_thumb();
    static undefined_in_thumb_at: u8;
    static vectors: u32;
    static vectors_end: u32;
}

/// Prints and checks what both CPUs have. `part` is MIDR's part number.
pub fn common(checks: &mut Checks, part: u32) {
    println!("CPSR {:#x}", cpsr());
    checks.equal("mode: SVC", u64::from(cpsr() & 0x1f), 0x13);
    let midr = cp!(read "p15, 0, {}, c0, c0, 0");
    println!("MIDR {midr:#010x}");
    checks.equal("MIDR: Arm", u64::from(midr >> 24), 0x41);
    checks.equal("MIDR: part", u64::from(midr >> 4 & 0xfff), u64::from(part));
    let mpidr = cp!(read "p15, 0, {}, c0, c0, 5");
    println!("MPIDR {mpidr:#010x}");
    checks.equal("MPIDR: multiprocessing format", u64::from(mpidr >> 31), 1);
    println!("CTR {:#010x}", cp!(read "p15, 0, {}, c0, c0, 1"));
    println!("TCMTR {:#010x}", cp!(read "p15, 0, {}, c0, c0, 2"));
    println!("TLBTR {:#010x}", cp!(read "p15, 0, {}, c0, c0, 3"));
    println!("ID_PFR0 {:#010x}", cp!(read "p15, 0, {}, c0, c1, 0"));
    let pfr1 = cp!(read "p15, 0, {}, c0, c1, 1");
    println!("ID_PFR1 {pfr1:#010x}");
    checks.that("ID_PFR1: Security Extensions", pfr1 >> 4 & 0xf != 0);
    println!("ID_DFR0 {:#010x}", cp!(read "p15, 0, {}, c0, c1, 2"));
    println!("ID_AFR0 {:#010x}", cp!(read "p15, 0, {}, c0, c1, 3"));
    println!("ID_MMFR0 {:#010x}", cp!(read "p15, 0, {}, c0, c1, 4"));
    println!("ID_MMFR1 {:#010x}", cp!(read "p15, 0, {}, c0, c1, 5"));
    println!("ID_MMFR2 {:#010x}", cp!(read "p15, 0, {}, c0, c1, 6"));
    println!("ID_MMFR3 {:#010x}", cp!(read "p15, 0, {}, c0, c1, 7"));
    println!("ID_ISAR0 {:#010x}", cp!(read "p15, 0, {}, c0, c2, 0"));
    println!("ID_ISAR1 {:#010x}", cp!(read "p15, 0, {}, c0, c2, 1"));
    println!("ID_ISAR2 {:#010x}", cp!(read "p15, 0, {}, c0, c2, 2"));
    println!("ID_ISAR3 {:#010x}", cp!(read "p15, 0, {}, c0, c2, 3"));
    println!("ID_ISAR4 {:#010x}", cp!(read "p15, 0, {}, c0, c2, 4"));
    println!("CLIDR {:#010x}", cp!(read "p15, 1, {}, c0, c0, 1"));
    println!("SCTLR {:#010x}", cp!(read "p15, 0, {}, c1, c0, 0"));
    println!("ACTLR {:#010x}", cp!(read "p15, 0, {}, c1, c0, 1"));
    println!("PMCR {:#010x}", cp!(read "p15, 0, {}, c9, c12, 0"));
    println!("DBGDIDR {:#010x}", cp!(read "p14, 0, {}, c0, c0, 0"));

    let scr = cp!(read "p15, 0, {}, c1, c1, 0");
    println!("SCR {scr:#x}");
    checks.equal("SCR.NS: Secure", u64::from(scr & 1), 0);
    cp!(write "p15, 0, {}, c1, c1, 2", 0xc00);
    let nsacr = cp!(read "p15, 0, {}, c1, c1, 2");
    println!("NSACR {nsacr:#x}");
    checks.equal("NSACR keeps cp10 and cp11", u64::from(nsacr & 0xc00), 0xc00);
}

/// CBAR, from each mode and state: read with no UNDEF, and every SPSR is as it was.
pub fn peripheral_base(checks: &mut Checks, due: u64) {
    const MARKS: [u32; 3] = [0xa000_01d0, 0x5000_01df, 0x9000_01d3];
    let taken = TAKEN.load(Ordering::Relaxed);
    let (cbar, svc): (u32, u32);
    // SAFETY: SPSR_svc is nobody's outside a handler; the read has no side effects.
    unsafe {
        asm!(
            "msr spsr_cxsf, {mark}", "mrc p15, 4, {cbar}, c15, c0, 0", "mrs {svc}, spsr",
            mark = in(reg) MARKS[0], cbar = out(reg) cbar, svc = lateout(reg) svc,
            options(nostack)
        );
    }
    checks.equal("CBAR: the private peripherals", u64::from(cbar), due);
    checks.equal("SPSR_svc is kept", u64::from(svc), MARKS[0].into());
    let (cbar, irq, svc): (u32, u32, u32);
    // SAFETY: as above, in IRQ mode and back, without its stack.
    unsafe {
        asm!(
            "cps #0x12", "msr spsr_cxsf, {mark}", "mrc p15, 4, {cbar}, c15, c0, 0",
            "mrs {irq}, spsr", "cps #0x13", "mrs {svc}, spsr",
            mark = in(reg) MARKS[1], cbar = out(reg) cbar, irq = out(reg) irq,
            svc = lateout(reg) svc, options(nostack)
        );
    }
    checks.equal("CBAR in IRQ mode", u64::from(cbar), due);
    checks.equal("SPSR_irq is kept", u64::from(irq), MARKS[1].into());
    checks.equal("so is SPSR_svc", u64::from(svc), MARKS[0].into());
    let (cbar, mode, svc): (u32, u32, u32);
    // SAFETY: as above, in System mode, which has no SPSR.
    unsafe {
        asm!(
            "cps #0x1f", "mrc p15, 4, {cbar}, c15, c0, 0", "mrs {mode}, cpsr", "cps #0x13",
            "mrs {svc}, spsr",
            cbar = out(reg) cbar, mode = out(reg) mode, svc = lateout(reg) svc, options(nostack)
        );
    }
    checks.equal("CBAR in System mode", u64::from(cbar), due);
    checks.equal("the mode is kept", u64::from(mode & 0x1f), 0x1f);
    checks.equal("so is SPSR_svc", u64::from(svc), MARKS[0].into());
    // SAFETY: a function that reads CBAR.
    let cbar = unsafe { cbar_in_thumb() };
    checks.equal("CBAR in Thumb", u64::from(cbar), due);
    checks.equal(
        "UNDEFs taken for it",
        u64::from(TAKEN.load(Ordering::Relaxed) - taken),
        0,
    );
}

/// An UNDEF of a register that the host of a VM may have: L2CTLR on a Cortex-A9.
pub fn undefined_l2(checks: &mut Checks) {
    const MARK: u32 = 0xa000_01d0;
    // SAFETY: SPSR_svc is nobody's outside a handler; the handler goes on behind the read.
    let svc: u32 = unsafe {
        asm!("msr spsr_cxsf, {}", in(reg) MARK, options(nostack));
        undefined_l2ctlr();
        let svc;
        asm!("mrs {}, spsr", out(reg) svc, options(nostack));
        svc
    };
    let due = u64::from(&raw const undefined_l2ctlr_at as u32 + 4);
    checks.equal("LR of L2CTLR's UNDEF", u64::from(state().0), due);
    checks.equal("SPSR of it: SVC", u64::from(state().1 & 0x3f), 0x13);
    checks.equal("SPSR_svc is kept", u64::from(svc), MARK.into());
}

/// UNDEF and SWP, with VBAR and then with high vectors behind the MMU.
pub fn undefined(checks: &mut Checks) {
    println!("vectors by VBAR");
    each_undefined(checks);
    swap(checks);
    println!("high vectors, MMU on");
    high_vectors();
    each_undefined(checks);
}

fn each_undefined(checks: &mut Checks) {
    let taken = TAKEN.load(Ordering::Relaxed);
    // SAFETY: each executes one undefined instruction, whose handler goes on behind it.
    let (arm, coprocessor, thumb) = unsafe {
        undefined_in_arm();
        let arm = state();
        undefined_coprocessor();
        let coprocessor = state();
        undefined_in_thumb();
        (arm, coprocessor, state())
    };
    let at = |symbol: *const u8| u64::from(symbol as u32 & !1);
    checks.equal(
        "UNDEFs taken",
        u64::from(TAKEN.load(Ordering::Relaxed) - taken),
        3,
    );
    checks.equal(
        "UNDEF's mode",
        u64::from(MODE.load(Ordering::Relaxed) & 0x1f),
        0x1b,
    );
    checks.equal(
        "LR of UDF in ARM",
        u64::from(arm.0),
        at(&raw const undefined_in_arm_at) + 4,
    );
    checks.equal("SPSR of UDF in ARM: SVC", u64::from(arm.1 & 0x3f), 0x13);
    let due = at(&raw const undefined_coprocessor_at) + 4;
    checks.equal(
        "LR of an MRC that no CPU has",
        u64::from(coprocessor.0),
        due,
    );
    checks.equal("SPSR of it: SVC", u64::from(coprocessor.1 & 0x3f), 0x13);
    let due = at(&raw const undefined_in_thumb_at) + 2;
    checks.equal("LR of UDF in Thumb", u64::from(thumb.0), due);
    checks.equal(
        "SPSR of UDF in Thumb: SVC, T",
        u64::from(thumb.1 & 0x3f),
        0x33,
    );
}

/// LR and SPSR of the last UNDEF.
fn state() -> (u32, u32) {
    (LR.load(Ordering::Relaxed), SPSR.load(Ordering::Relaxed))
}

/// SWP and SWPB, which SCTLR.SW enables.
fn swap(checks: &mut Checks) {
    let sctlr = cp!(read "p15, 0, {}, c1, c0, 0");
    cp!(write "p15, 0, {}, c1, c0, 0", sctlr | 1 << 10);
    let mut word = 0x1122_3344_u32;
    let (old, old_byte): (u32, u32);
    // SAFETY: swaps with a local variable, which is in RAM.
    unsafe {
        asm!(
            ".inst 0xe1020091", // swp r0, r1, [r2]
            out("r0") old, in("r1") 0x5566_7788_u32, in("r2") &raw mut word, options(nostack)
        );
    }
    checks.equal("SWP loads", u64::from(old), 0x1122_3344);
    checks.equal("SWP stores", u64::from(word), 0x5566_7788);
    // SAFETY: as above.
    unsafe {
        asm!(
            ".inst 0xe1420091", // swpb r0, r1, [r2]
            out("r0") old_byte, in("r1") 0x1ff_u32, in("r2") &raw mut word, options(nostack)
        );
    }
    checks.equal("SWPB loads", u64::from(old_byte), 0x88);
    checks.equal("SWPB stores", u64::from(word), 0x5566_77ff);
}

/// A first-level table of sections, one to one but for the last MiB.
#[repr(align(16384))]
struct Sections(core::cell::UnsafeCell<[u32; 4096]>);
// SAFETY: one CPU, and only `high_vectors` writes it.
unsafe impl Sync for Sections {}
static SECTIONS: Sections = Sections(core::cell::UnsafeCell::new([0; 4096]));

/// Turns the MMU on with a copy of the vectors at 0xffff0000, and SCTLR.V; VBAR points astray.
fn high_vectors() {
    // A section of RAM behind the program, whose last 64 KiB begin with the vectors.
    let here = &raw const SECTIONS as usize;
    let section = (here & !0xf_ffff) + 0x10_0000;
    // SAFETY: RAM that the program does not use; the symbols bound the vectors.
    unsafe {
        let (start, end) = (&raw const vectors, &raw const vectors_end);
        let words = (end as usize - start as usize) / 4;
        for i in 0..words {
            ((section + 0xf_0000) as *mut u32)
                .add(i)
                .write_volatile(start.add(i).read());
        }
        let table = SECTIONS.0.get().cast::<u32>();
        for i in 0..4096_usize {
            // Section, full access, strongly ordered; domain 0.
            table.add(i).write_volatile((i as u32) << 20 | 0xc02);
        }
        table.add(4095).write_volatile(section as u32 | 0xc02);
        asm!("dsb", options(nostack));
    }
    cp!(write "p15, 0, {}, c8, c7, 0", 0); // TLBIALL
    cp!(write "p15, 0, {}, c2, c0, 2", 0); // TTBCR: TTBR0 for all
    cp!(write "p15, 0, {}, c2, c0, 0", here as u32);
    cp!(write "p15, 0, {}, c3, c0, 0", 1); // DACR: domain 0 is a client
    let sctlr = cp!(read "p15, 0, {}, c1, c0, 0");
    cp!(write "p15, 0, {}, c1, c0, 0", sctlr | 1 << 13 | 1);
    cp!(write "p15, 0, {}, c12, c0, 0", 0x4000_0000);
}
