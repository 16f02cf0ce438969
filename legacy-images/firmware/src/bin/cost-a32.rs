//! Board vexpress-a15: what its operations cost in instructions (see `firmware::cost`).
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use firmware::arm32::{Frame, unexpected};
use firmware::cost::{Costs, TIMES};
use firmware::device::Device;
use firmware::gic::{GICD_ICENABLER, GICD_ISENABLER, GICD_TYPER, Gic};
use firmware::{VEXPRESS_A15, check, cp};

const GICD: usize = 0x2c00_1000;
const GICC: usize = 0x2c00_2000;
const UARTFR: usize = 0x1c09_0018;
/// PeriphID0: read-only.
const UART_ID: usize = 0x1c09_0fe0;
/// A device that does nothing but answer.
const RAM_LIKE: usize = 0x7800_0000;
const SYS_24MHZ: usize = 0x1c01_005c;
/// An SP804 at 1 MHz.
const SP804: usize = 0x1c11_0000;
const TIMER_LOAD: usize = 0x0;
const TIMER_VALUE: usize = 0x4;
const TIMER_CONTROL: usize = 0x8;
/// Nanoseconds of a tick of the SP804.
const SP804_TICK: u64 = 1000;

const SGI: u32 = 3;
const VIRTUAL_TIMER: u32 = 27;
const SP804_ID: u32 = 34;
/// An SPI that nothing drives.
const UNUSED: usize = 64;

/// Repetitions of an SGI: each of 16 phases of the counter as often.
const SGIS: u32 = 1024;

// The vectors while interrupts are timed. The handlers keep to registers that the functions below
// set aside: r4 and r5 when it was entered, r6 and r7 when it had ended what it acknowledged, r8,
// r9 GICC; the one of the SP804 has it in r2.
global_asm!(
    r#"
    .section .text.timed, "ax"
    .arm
    .balign 32
    .global timed_vectors
timed_vectors:
    .rept 6
    b       .
    .endr
    mrrc    p15, 1, r4, r5, c14
    ldr     r8, [r9, #0xc]
    mov     r6, #0
    mcr     p15, 0, r6, c14, c3, 1      @ CNTV_CTL
    str     r8, [r9, #0x10]
    mrrc    p15, 1, r6, r7, c14
    subs    pc, lr, #4

    .balign 32
    .global timed_sp804_vectors
timed_sp804_vectors:
    .rept 6
    b       .
    .endr
    mrrc    p15, 1, r4, r5, c14
    ldr     r8, [r9, #0xc]
    str     r8, [r2, #0xc]              @ Timer1IntClr
    str     r8, [r9, #0x10]
    subs    pc, lr, #4

    @ r0: where the two sums go; r1: GICD_SGIR; r2: GICC; r3: repetitions.
    .global timed_sgi
timed_sgi:
    push    {{r4-r11, lr}}
    mov     r9, r2
    mov     r2, #0x02000000             @ to this CPU alone
    orr     r2, r2, #3
    mov     r10, #0
    mov     r11, #0
    cpsie   i
1:  and     lr, r3, #15                 @ so that each phase of a tick comes as often
    add     pc, pc, lr, lsl #2
    nop
    .rept 15
    nop
    .endr
    mrrc    p15, 1, r12, lr, c14
    str     r2, [r1]                    @ the interrupt comes here
    sub     lr, r4, r12
    add     r10, r10, lr
    sub     lr, r6, r4
    add     r11, r11, lr
    subs    r3, r3, #1
    bne     1b
    cpsid   i
    stm     r0, {{r10, r11}}
    pop     {{r4-r11, pc}}

    @ r0: GICC; r1: ticks until then; r2: whether by WFI. How many ticks late the handler was.
    .global timed_timer
timed_timer:
    push    {{r4-r11, lr}}
    mov     r9, r0
    mov     r4, #0
    mrrc    p15, 1, r10, r11, c14
    adds    r10, r10, r1
    adc     r11, r11, #0
    mcrr    p15, 3, r10, r11, c14       @ CNTV_CVAL
    mov     r12, #1
    mcr     p15, 0, r12, c14, c3, 1
    isb
    cpsie   i
    cmp     r2, #0
    beq     2f
1:  wfi
    cmp     r4, #0
    beq     1b
    b       3f
2:  cmp     r4, #0
    beq     2b
3:  cpsid   i
    sub     r0, r4, r10
    pop     {{r4-r11, pc}}

    @ r0: GICC; r1: the counter, in two words, at the handler's start; r2: the SP804.
    .global timed_sp804
timed_sp804:
    push    {{r4-r11, lr}}
    mov     r9, r0
    mov     r4, #0
    cpsie   i
2:  cmp     r4, #0
    beq     2b
    cpsid   i
    stm     r1, {{r4, r5}}
    pop     {{r4-r11, pc}}
"#
);

unsafe extern "C" {
    static timed_vectors: u8;
    static timed_sp804_vectors: u8;
    fn timed_sgi(sums: &mut [u32; 2], sgir: usize, gicc: usize, times: u32);
    fn timed_timer(gicc: usize, ticks: u32, by_wfi: u32) -> u32;
    fn timed_sp804(gicc: usize, at: &mut [u32; 2], sp804: usize);
}

/// A loop of some instructions; their r0 is `$at`, and they may change r1 to r5, r8, r10 and r12.
macro_rules! timed {
    ($at:expr, $($line:literal),+) => {
        || {
            let ticks: u32;
            // SAFETY: accesses of devices and system registers that change no memory.
            unsafe {
                asm!(
                    "push {{r6, r7}}",
                    "mrrc p15, 1, r6, r7, c14",
                    "2:",
                    $($line,)+
                    "subs lr, lr, #1",
                    "bne 2b",
                    "mrrc p15, 1, lr, r7, c14",
                    "sub lr, lr, r6",
                    "pop {{r6, r7}}",
                    inout("lr") TIMES => ticks,
                    inout("r0") $at => _,
                    out("r1") _, out("r2") _, out("r3") _, out("r4") _, out("r5") _,
                    out("r8") _, out("r10") _, out("r12") _,
                );
            }
            u64::from(ticks)
        }
    };
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

/// CNTVCT.
fn counter() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: a read.
    unsafe { asm!("mrrc p15, 1, {}, {}, c14", out(reg) low, out(reg) high, options(nostack)) }
    u64::from(high) << 32 | u64::from(low)
}

fn interrupts(costs: &mut Costs, sp804: Device) {
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
    let before = cp!(read "p15, 0, {}, c12, c0, 0");
    cp!(write "p15, 0, {}, c12, c0, 0", &raw const timed_vectors as u32);
    let mut sums = [0; 2];
    // SAFETY: keeps to the ABI; its handler to its own registers.
    unsafe { timed_sgi(&mut sums, GICD + 0xf00, GICC, SGIS) };
    let [handler, end] = sums.map(u64::from);
    costs.sum("SGIR store to handler", 2, handler, SGIS.into());
    costs.sum("acknowledge and end", 5, end, SGIS.into());
    let tick = costs.tick();
    // SAFETY: as before.
    costs.least("virtual timer, guest busy", 0, || unsafe {
        u64::from(timed_timer(GICC, 200, 0)) * tick
    });
    // SAFETY: as before.
    costs.least("virtual timer, guest in WFI", 0, || unsafe {
        u64::from(timed_timer(GICC, 200, 1)) * tick
    });

    gic.enable(SP804_ID);
    cp!(write "p15, 0, {}, c12, c0, 0", &raw const timed_sp804_vectors as u32);
    costs.least("SP804 interrupt, lateness", 40, || {
        sp804.write(TIMER_CONTROL, 0);
        sp804.write(TIMER_LOAD, 50);
        // Its clock starts at the store, or as much later as that is on its way.
        let began = counter() * tick;
        sp804.write(TIMER_CONTROL, 0xa3); // on, interrupt, 32 bits, one shot
        let mut at = [0; 2];
        // SAFETY: as before.
        unsafe { timed_sp804(GICC, &mut at, SP804) };
        let [low, high] = at.map(u64::from);
        (high << 32 | low) * tick - (began + 50 * SP804_TICK)
    });
    sp804.write(TIMER_CONTROL, 0);
    cp!(write "p15, 0, {}, c12, c0, 0", before);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let checks = check::begin("cost-a32", &VEXPRESS_A15);
    let hz = u64::from(cp!(read "p15, 0, {}, c14, c0, 0"));
    let mut costs = Costs::new(hz);
    // What the console's line above left to do is done by then.
    let start = counter();
    while counter() - start < hz / 50 {}

    let load = |at: usize| timed!(at, "ldr r1, [r0]")();
    costs.repeated("emulated UART status read", 3, || load(UARTFR));
    costs.repeated("system register of the board, read", 3, || load(SYS_24MHZ));
    // SAFETY: the board's SP804.
    let sp804 = unsafe { Device::at(SP804) };
    sp804.write(TIMER_CONTROL, 0x82); // on, 32 bits
    costs.repeated("SP804 value read", 3, || load(SP804 + TIMER_VALUE));
    sp804.write(TIMER_CONTROL, 0);
    costs.repeated("GICD_TYPER read", 3, || load(GICD + GICD_TYPER));
    let enable = timed!(
        GICD + GICD_ISENABLER + UNUSED / 8,
        "mov r1, #1",
        "str r1, [r0]"
    );
    costs.repeated("GICD_ISENABLER write", 4, enable);
    let pair = timed!(
        GICD + UNUSED / 8,
        "mov r1, #1",
        "str r1, [r0, #0x180]",
        "str r1, [r0, #0x100]"
    );
    const { assert!(GICD_ICENABLER == 0x180 && GICD_ISENABLER == 0x100) }
    costs.repeated("GICD_ICENABLER and ISENABLER, a pair", 5, pair);
    costs.repeated("ACTLR read", 3, timed!(0, "mrc p15, 0, r1, c1, c0, 1"));
    interrupts(&mut costs, sp804);
    costs.print();

    let post = timed!(RAM_LIKE, "ldr r1, [r0], #4", "sub r0, r0, #4");
    costs.repeated("load with write-back, post-index", 4, post);
    let pre = timed!(RAM_LIKE, "ldr r1, [r0, #4]!", "sub r0, r0, #4");
    costs.repeated("load with write-back, pre-index", 4, pre);
    let uart = timed!(UART_ID, "ldr r1, [r0], #4", "sub r0, r0, #4");
    costs.repeated("load with write-back, of the UART", 4, uart);
    let store = timed!(RAM_LIKE, "str r1, [r0], #4", "sub r0, r0, #4");
    costs.repeated("store with write-back, post-index", 4, store);
    // As words: an assembler may make an LDR of an LDM of one register.
    costs.repeated("LDM of 1", 3, timed!(RAM_LIKE, ".inst 0xe8900002"));
    costs.repeated("LDM of 2", 3, timed!(RAM_LIKE, "ldm r0, {{r1, r2}}"));
    costs.repeated("LDM of 4", 3, timed!(RAM_LIKE, "ldm r0, {{r1-r4}}"));
    let eight = timed!(RAM_LIKE, "ldm r0, {{r1-r5, r8, r10, r12}}");
    costs.repeated("LDM of 8", 3, eight);
    costs.repeated(
        "LDM of 1, of the UART",
        3,
        timed!(UART_ID, ".inst 0xe8900002"),
    );
    let stores = timed!(RAM_LIKE, "stm r0, {{r1-r4}}");
    costs.repeated("STM of 4", 3, stores);
    costs.repeated("LDRD", 3, timed!(RAM_LIKE, "ldrd r2, r3, [r0]"));
    costs.repeated("STRD", 3, timed!(RAM_LIKE, "strd r2, r3, [r0]"));
    costs.finish(checks)
}
