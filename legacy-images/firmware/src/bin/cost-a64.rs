//! Board virt-v8: what its operations cost in instructions (see `firmware::cost`).
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use firmware::arm64::{Frame, unexpected};
use firmware::cost::{Costs, TIMES};
use firmware::device::Device;
use firmware::gic::{GICD_ICENABLER, GICD_ISENABLER, GICD_TYPER, Gic};
use firmware::{VIRT_V8, check, sysreg};

const GICD: usize = 0x0800_0000;
const GICC: usize = 0x0801_0000;
const UARTFR: usize = 0x0900_0018;
/// PeriphID0: eight read-only registers from here on.
const UART_ID: usize = 0x0900_0fe0;

const SGI: u32 = 3;
const VIRTUAL_TIMER: u32 = 27;
/// An SPI that nothing drives.
const UNUSED: usize = 64;

/// Repetitions of an SGI: each of 16 phases of the counter as often.
const SGIS: u64 = 1024;

// The vectors while interrupts are timed. The handler keeps to registers that the functions below
// set aside: X20 when it was entered, X21 what it acknowledged, X22 when it had ended that, X23
// GICC.
global_asm!(
    r#"
    .section .text.timed, "ax"
    .balign 0x800
    .global timed_vectors
timed_vectors:
    .org    timed_vectors + 0x280
    mrs     x20, cntvct_el0
    ldr     w21, [x23, #0xc]
    msr     cntv_ctl_el0, xzr
    str     w21, [x23, #0x10]
    mrs     x22, cntvct_el0
    eret
    .org    timed_vectors + 0x800

    // x0: where the two sums go; x1: GICD; x2: GICC; x3: GICD_SGIR's value; x4: repetitions.
    .global timed_sgi
timed_sgi:
    stp     x20, x21, [sp, #-32]!
    stp     x22, x23, [sp, #16]
    mov     x23, x2
    mov     x9, #0
    mov     x10, #0
    add     x1, x1, #0xf00
    msr     daifclr, #2
1:  and     x5, x4, #15                 // so that each phase of a tick comes as often
    adr     x6, 2f
    add     x6, x6, x5, lsl #2
    br      x6
2:  .rept 15
    nop
    .endr
    mrs     x7, cntvct_el0
    str     w3, [x1]                    // the interrupt comes here
    sub     x5, x20, x7
    add     x9, x9, x5
    sub     x5, x22, x20
    add     x10, x10, x5
    subs    x4, x4, #1
    b.ne    1b
    msr     daifset, #2
    stp     x9, x10, [x0]
    ldp     x22, x23, [sp, #16]
    ldp     x20, x21, [sp], #32
    ret

    // x0: GICC; x1: ticks until then; x2: whether by WFI. How many ticks late the handler was.
    .global timed_timer
timed_timer:
    stp     x20, x21, [sp, #-32]!
    stp     x22, x23, [sp, #16]
    mov     x23, x0
    mov     x20, #0
    mrs     x3, cntvct_el0
    add     x3, x3, x1
    msr     cntv_cval_el0, x3
    mov     x4, #1
    msr     cntv_ctl_el0, x4
    isb
    msr     daifclr, #2
    cbz     x2, 2f
1:  wfi
    cbz     x20, 1b
    b       3f
2:  cbz     x20, 2b
3:  msr     daifset, #2
    sub     x0, x20, x3
    ldp     x22, x23, [sp, #16]
    ldp     x20, x21, [sp], #32
    ret
"#
);

unsafe extern "C" {
    static timed_vectors: u8;
    fn timed_sgi(sums: &mut [u64; 2], gicd: usize, gicc: usize, sgir: u32, times: u64);
    fn timed_timer(gicc: usize, ticks: u64, by_wfi: bool) -> u64;
}

/// A loop of some instructions; their X1 is `$at`, and they may change X0 to X9.
macro_rules! timed {
    ($at:expr, $($line:literal),+) => {
        || {
            let (from, to): (u64, u64);
            // SAFETY: accesses of devices, and calls of the hypervisor, that change no memory.
            unsafe {
                asm!(
                    "mrs {from}, cntvct_el0",
                    "2:",
                    $($line,)+
                    "subs {n}, {n}, #1",
                    "b.ne 2b",
                    "mrs {to}, cntvct_el0",
                    n = inout(reg) TIMES => _,
                    from = out(reg) from,
                    to = out(reg) to,
                    inout("x1") $at => _,
                    out("x0") _, out("x2") _, out("x3") _, out("x4") _, out("x5") _,
                    out("x6") _, out("x7") _, out("x8") _, out("x9") _,
                    options(nostack)
                );
            }
            to - from
        }
    };
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    unexpected(vector, frame);
}

fn interrupts(costs: &mut Costs) {
    // SAFETY: the board's GICv2.
    let gic = unsafe {
        Gic {
            distributor: Device::at(GICD),
            interface: Device::at(GICC),
        }
    };
    gic.open();
    gic.enable(SGI);
    gic.enable(VIRTUAL_TIMER);
    let before = sysreg!("vbar_el1");
    // SAFETY: an address only.
    sysreg!("vbar_el1", &raw const timed_vectors as u64);
    let mut sums = [0; 2];
    // SAFETY: keeps to the ABI; its handler to its own registers. To this CPU alone (filter 2).
    unsafe { timed_sgi(&mut sums, GICD, GICC, 2 << 24 | SGI, SGIS) };
    costs.sum("SGI to itself, to its handler", 2, sums[0], SGIS);
    costs.sum("acknowledge and end", 4, sums[1], SGIS);
    let tick = costs.tick();
    // SAFETY: as before.
    costs.least("virtual timer, guest busy", 0, || unsafe {
        timed_timer(GICC, 200, false) * tick
    });
    // SAFETY: as before.
    costs.least("virtual timer, guest in WFI", 0, || unsafe {
        timed_timer(GICC, 200, true) * tick
    });
    sysreg!("vbar_el1", before);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let checks = check::begin("cost-a64", &VIRT_V8);
    let hz = sysreg!("cntfrq_el0");
    let mut costs = Costs::new(hz);
    // What the console's line above left to do is done by then.
    let start = sysreg!("cntvct_el0");
    while sysreg!("cntvct_el0") - start < hz / 50 {}

    let psci_version = timed!(0, "mov w0, #0x84000000", "hvc #0");
    costs.repeated("hypercall (PSCI_VERSION)", 4, psci_version);
    let load = |at: usize| timed!(at, "ldr w2, [x1]")();
    costs.repeated("emulated UART status read", 3, || load(UARTFR));
    costs.repeated("GICD_TYPER read", 3, || load(GICD + GICD_TYPER));
    let enable = timed!(
        GICD + GICD_ISENABLER + UNUSED / 8,
        "mov w2, #1",
        "str w2, [x1]"
    );
    costs.repeated("GICD_ISENABLER write", 4, enable);
    let pair = timed!(
        GICD + UNUSED / 8,
        "mov w2, #1",
        "str w2, [x1, #0x180]",
        "str w2, [x1, #0x100]"
    );
    const { assert!(GICD_ICENABLER == 0x180 && GICD_ISENABLER == 0x100) }
    costs.repeated("GICD_ICENABLER and ISENABLER, a pair", 5, pair);
    interrupts(&mut costs);
    costs.print();

    let post = timed!(UART_ID, "ldr w2, [x1], #4", "sub x1, x1, #4");
    costs.repeated("load with write-back, post-index", 4, post);
    let pre = timed!(UART_ID, "ldr w2, [x1, #4]!", "sub x1, x1, #4");
    costs.repeated("load with write-back, pre-index", 4, pre);
    let store = timed!(UART_ID, "str w2, [x1], #4", "sub x1, x1, #4");
    costs.repeated("store with write-back, post-index", 4, store);
    costs.repeated("LDP of two W", 3, timed!(UART_ID, "ldp w2, w3, [x1]"));
    costs.repeated("STP of two W", 3, timed!(UART_ID, "stp w2, w3, [x1]"));
    costs.finish(checks)
}
