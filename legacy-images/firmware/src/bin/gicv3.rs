//! Board virt-v8-gicv3: what a GICv3 does for the one CPU, from its registers to the vectors.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use firmware::arm64::{FIQ, Frame, IRQ, SYNCHRONOUS, fast_interrupts, interrupts, unexpected};
use firmware::device::Device;
use firmware::{VIRT_V8, check, println, sysreg};

const GICD: Device = device(0x0800_0000);
/// The frames of CPU 0's redistributor.
const RD: Device = device(0x080a_0000);
const SGI: Device = device(0x080b_0000);
const RTC: Device = device(0x0901_0000);

const CTLR: usize = 0x000;
const TYPER: usize = 0x004;
const IGROUPR: usize = 0x080;
const ISENABLER: usize = 0x100;
const ISPENDR: usize = 0x200;
const ICPENDR: usize = 0x280;
const ISACTIVER: usize = 0x300;
const IPRIORITYR: usize = 0x400;
const ICFGR: usize = 0xc00;
const IROUTER: usize = 0x6000;

const VIRTUAL_TIMER: u32 = 27;
const PHYSICAL_TIMER: u32 = 30;
const CLOCK: u32 = 34;
/// An SPI at which nothing is.
const FREE: u32 = 100;
const SPURIOUS: u64 = 1023;

const fn device(base: usize) -> Device {
    // SAFETY: a device of the board.
    unsafe { Device::at(base) }
}

/// The last interrupt that was taken, and at which vector.
static TAKEN: AtomicU32 = AtomicU32::new(0);
static VECTOR: AtomicU64 = AtomicU64::new(0);
/// Running priorities, a byte each, newest lowest.
static RUNNING: AtomicU64 = AtomicU64::new(0);
/// The handler of SGI 1 lets interrupts in, and sends SGI 2.
static NEST: AtomicBool = AtomicBool::new(false);
static UNDEFINED: AtomicU32 = AtomicU32::new(0);

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    match vector {
        // Of an unknown reason: what is undefined.
        SYNCHRONOUS if sysreg!("esr_el1") >> 26 == 0 => {
            UNDEFINED.fetch_add(1, Relaxed);
            frame.elr += 4;
        }
        IRQ => {
            let id = sysreg!("icc_iar1_el1");
            arrived(vector, id);
            if id == 1 && NEST.load(Relaxed) {
                let (elr, spsr) = (sysreg!("elr_el1"), sysreg!("spsr_el1"));
                interrupts(true);
                sysreg!("icc_sgi1r_el1", 2 << 24 | 1);
                spin();
                interrupts(false);
                sysreg!("elr_el1", elr);
                sysreg!("spsr_el1", spsr);
            }
            sysreg!("icc_eoir1_el1", id);
        }
        FIQ => {
            let id = sysreg!("icc_iar0_el1");
            arrived(vector, id);
            sysreg!("icc_eoir0_el1", id);
        }
        _ => unexpected(vector, frame),
    }
}

/// Notes an interrupt, and makes its source quiet.
fn arrived(vector: u64, id: u64) {
    let running = RUNNING.load(Relaxed) << 8 | sysreg!("icc_rpr_el1");
    RUNNING.store(running, Relaxed);
    VECTOR.store(vector, Relaxed);
    TAKEN.store(id as u32, Relaxed);
    match id as u32 {
        VIRTUAL_TIMER => sysreg!("cntv_ctl_el0", 0),
        PHYSICAL_TIMER => sysreg!("cntp_ctl_el0", 0),
        CLOCK => {
            RTC.write(0x10, 0);
            RTC.write(0x1c, 1);
        }
        _ => {}
    }
}

/// Some time for an interrupt to arrive.
fn spin() {
    for _ in 0..100 {
        core::hint::black_box(sysreg!("cntvct_el0"));
    }
}

/// Lets interrupts in until one was taken, two seconds at most: which, and at which vector.
fn taken() -> (u64, u64) {
    TAKEN.store(0, Relaxed);
    let end = sysreg!("cntvct_el0") + 2 * sysreg!("cntfrq_el0");
    interrupts(true);
    fast_interrupts(true);
    while TAKEN.load(Relaxed) == 0 && sysreg!("cntvct_el0") < end {}
    interrupts(false);
    fast_interrupts(false);
    (u64::from(TAKEN.load(Relaxed)), VECTOR.load(Relaxed))
}

/// `ISR_EL1`: IRQ is bit 1, FIQ bit 0.
fn lines() -> u64 {
    sysreg!("isr_el1") >> 6 & 3
}

fn bit(id: u32) -> u32 {
    1 << (id % 32)
}

/// The frame of an interrupt's registers, and the offset of its word.
fn place(id: u32) -> (Device, usize) {
    if id < 32 {
        (SGI, 0)
    } else {
        (GICD, id as usize / 32 * 4)
    }
}

/// Enables an interrupt of Group 1.
fn enable(id: u32, priority: u8) {
    let (frame, word) = place(id);
    let groups = frame.read(IGROUPR + word) | bit(id);
    frame.write(IGROUPR + word, groups);
    prioritize(id, priority);
    frame.write(ISENABLER + word, bit(id));
}

fn prioritize(id: u32, priority: u8) {
    place(id).0.write_byte(IPRIORITYR + id as usize, priority);
}

fn pend(id: u32) {
    let (frame, word) = place(id);
    frame.write(ISPENDR + word, bit(id));
}

fn is_pending(id: u32) -> u64 {
    let (frame, word) = place(id);
    u64::from(frame.read(ISPENDR + word) & bit(id) != 0)
}

fn is_active(id: u32) -> u64 {
    let (frame, word) = place(id);
    u64::from(frame.read(ISACTIVER + word) & bit(id) != 0)
}

/// Acknowledges by polling, without a vector.
fn acknowledge() -> u64 {
    sysreg!("icc_iar1_el1")
}

fn end(id: u64) {
    sysreg!("icc_eoir1_el1", id);
}

fn send(id: u64) {
    sysreg!("icc_sgi1r_el1", id << 24 | 1);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("gicv3", &VIRT_V8);
    identity(&mut checks);
    open(&mut checks);
    sources(&mut checks);
    order(&mut checks);
    ends(&mut checks);
    groups(&mut checks);
    routes(&mut checks);
    undefined(&mut checks);
    walk(&mut checks);
    checks.finish()
}

fn identity(checks: &mut check::Checks) {
    let gic = sysreg!("id_aa64pfr0_el1") >> 24 & 0xf;
    checks.equal("ID_AA64PFR0_EL1.GIC", gic, 1);
    checks.equal("ICC_SRE_EL1", sysreg!("icc_sre_el1"), 7);
    let typer = u64::from(GICD.read(TYPER));
    checks.equal("GICD_TYPER.ITLinesNumber", typer & 0x1f, 7);
    checks.equal("GICD_TYPER.SecurityExtn", typer >> 10 & 1, 0);
    let ctlr = u64::from(GICD.read(CTLR));
    println!("GICD_CTLR {ctlr:#x}");
    checks.equal("GICD_PIDR2", u64::from(GICD.read(0xffe8)), 0x3b);
    checks.equal("GICR_PIDR0", u64::from(RD.read(0xffe0)), 0x93);
    let affinity = u64::from(RD.read(0xc));
    checks.equal(
        "GICR_TYPER's affinity",
        affinity,
        sysreg!("mpidr_el1") & 0xff_ffff,
    );
    checks.equal("GICR_TYPER.Last", u64::from(RD.read(8) >> 4 & 1), 1);
    checks.equal("GICR_WAKER", u64::from(RD.read(0x14)), 6);
    let ctlr = sysreg!("icc_ctlr_el1");
    checks.equal("ICC_CTLR_EL1.PRIbits", ctlr >> 8 & 7, 4);
    checks.equal("ICC_CTLR_EL1.A3V", ctlr >> 15 & 1, 1);
    sysreg!("icc_bpr0_el1", 0);
    sysreg!("icc_bpr1_el1", 0);
    checks.equal("ICC_BPR0_EL1's least", sysreg!("icc_bpr0_el1"), 2);
    checks.equal("ICC_BPR1_EL1's least", sysreg!("icc_bpr1_el1"), 3);
    checks.equal("ICC_RPR_EL1 when idle", sysreg!("icc_rpr_el1"), 0xff);
    checks.equal("GICR_ICFGR0", u64::from(SGI.read(ICFGR)), 0xaaaa_aaaa);
    checks.equal("GICD_ISENABLER0", u64::from(GICD.read(ISENABLER)), 0);
}

fn open(checks: &mut check::Checks) {
    GICD.write(CTLR, 3);
    checks.equal("GICD_CTLR", u64::from(GICD.read(CTLR)), 0x53);
    RD.write(0x14, 0);
    checks.equal("GICR_WAKER, awake", u64::from(RD.read(0x14)), 0);
    sysreg!("icc_pmr_el1", 0xff);
    checks.equal("ICC_PMR_EL1", sysreg!("icc_pmr_el1"), 0xf8);
    sysreg!("icc_igrpen0_el1", 1);
    sysreg!("icc_igrpen1_el1", 1);
    checks.equal("nothing yet", acknowledge(), SPURIOUS);
}

fn sources(checks: &mut check::Checks) {
    let hz = sysreg!("cntfrq_el0");
    enable(VIRTUAL_TIMER, 0x80);
    sysreg!("cntv_tval_el0", hz / 100);
    sysreg!("cntv_ctl_el0", 1);
    let due = (u64::from(VIRTUAL_TIMER), IRQ);
    checks.that("the virtual timer's interrupt", taken() == due);
    enable(PHYSICAL_TIMER, 0x80);
    sysreg!("cntp_tval_el0", hz / 100);
    sysreg!("cntp_ctl_el0", 1);
    let due = (u64::from(PHYSICAL_TIMER), IRQ);
    checks.that("the physical timer's", taken() == due);
    checks.equal("its running priority", RUNNING.load(Relaxed) & 0xff, 0x80);
    enable(CLOCK, 0x80);
    RTC.write(0x10, 1);
    RTC.write(0x04, RTC.read(0) + 1);
    checks.that("the clock's", taken() == (u64::from(CLOCK), IRQ));

    // The clock's line stays up until it is cleared there.
    RTC.write(0x10, 1);
    RTC.write(0x04, RTC.read(0) + 1);
    while lines() == 0 {}
    let id = acknowledge();
    checks.equal("a level, by polling", id, u64::from(CLOCK));
    checks.equal("which is active", is_active(CLOCK), 1);
    end(id);
    checks.equal("it is there again after its end", lines(), 2);
    RTC.write(0x1c, 1);
    RTC.write(0x10, 0);
    checks.equal("and gone with its cause", lines(), 0);

    for id in 1..=3 {
        enable(id, 0x80);
    }
    send(3);
    send(3);
    checks.equal("an SGI is pending", is_pending(3), 1);
    checks.that("and taken", taken() == (3, IRQ));
    checks.equal("once", acknowledge(), SPURIOUS);
    sysreg!("icc_sgi1r_el1", 3 << 24 | 2);
    sysreg!("icc_sgi1r_el1", 3 << 24 | 1 << 16 | 1);
    sysreg!("icc_sgi1r_el1", 1 << 40 | 3 << 24);
    checks.equal("one to another CPU is not here", is_pending(3), 0);
    pend(3);
    checks.equal("GICR_ISPENDR0 pends an SGI", is_pending(3), 1);
    SGI.write(ICPENDR, bit(3));
    checks.equal("and GICR_ICPENDR0 takes it back", lines(), 0);
}

fn order(checks: &mut check::Checks) {
    enable(FREE, 0x40);
    prioritize(3, 0xa0);
    send(3);
    send(2);
    send(1);
    pend(FREE);
    for (what, due) in [
        ("the highest priority goes first", u64::from(FREE)),
        ("then the lowest number", 1),
        ("then the next", 2),
        ("then the lowest priority", 3),
    ] {
        checks.equal("ICC_HPPIR1_EL1", sysreg!("icc_hppir1_el1"), due);
        let id = acknowledge();
        checks.equal(what, id, due);
        end(id);
    }

    // SGI 2 interrupts the handler of SGI 1.
    prioritize(1, 0x80);
    prioritize(2, 0x60);
    NEST.store(true, Relaxed);
    RUNNING.store(0, Relaxed);
    send(1);
    taken();
    checks.equal("a higher priority preempts", RUNNING.load(Relaxed), 0x8060);
    prioritize(2, 0x78);
    sysreg!("icc_bpr1_el1", 6);
    RUNNING.store(0, Relaxed);
    send(1);
    taken();
    checks.equal("one of another group, too", RUNNING.load(Relaxed), 0x8040);
    prioritize(2, 0x80);
    prioritize(1, 0xa0);
    RUNNING.store(0, Relaxed);
    send(1);
    taken();
    let (running, pending) = (RUNNING.load(Relaxed) & 0xff, lines());
    checks.equal("one of the same group does not", running, 0x80);
    println!("afterwards {pending}");
    NEST.store(false, Relaxed);
    sysreg!("icc_bpr1_el1", 3);
    taken();

    prioritize(1, 0x80);
    send(1);
    sysreg!("icc_pmr_el1", 0x80);
    checks.equal("the mask hides its own priority", lines(), 0);
    checks.equal("and IAR does not take it", acknowledge(), SPURIOUS);
    checks.equal(
        "but it is the highest pending",
        sysreg!("icc_hppir1_el1"),
        1,
    );
    sysreg!("icc_pmr_el1", 0x88);
    checks.equal("the next mask shows it", lines(), 2);
    sysreg!("icc_pmr_el1", 0xff);
    let id = acknowledge();
    checks.equal("ICC_AP1R0_EL1", sysreg!("icc_ap1r0_el1"), 1 << 16);
    end(id);
    checks.equal("nothing is active", sysreg!("icc_ap1r0_el1"), 0);
}

fn ends(checks: &mut check::Checks) {
    sysreg!("icc_ctlr_el1", 2);
    checks.equal("EOImode", sysreg!("icc_ctlr_el1") & 3, 2);
    send(1);
    let id = acknowledge();
    end(id);
    checks.equal("the priority is dropped", sysreg!("icc_rpr_el1"), 0xff);
    checks.equal("and it is active still", is_active(1), 1);
    send(1);
    checks.equal("active and pending waits", lines(), 0);
    sysreg!("icc_dir_el1", id);
    checks.equal("until ICC_DIR_EL1", lines(), 2);
    let id = acknowledge();
    end(id);
    sysreg!("icc_dir_el1", id);
    sysreg!("icc_ctlr_el1", 0);
    send(1);
    let id = acknowledge();
    sysreg!("icc_dir_el1", id);
    checks.equal("without EOImode it does nothing", is_active(1), 1);
    sysreg!("icc_eoir0_el1", id);
    checks.equal("nor the other group's EOIR", is_active(1), 1);
    end(1020);
    end(id);
    checks.equal("the right one ends it", is_active(1), 0);

    sysreg!("icc_bpr0_el1", 4);
    sysreg!("icc_ctlr_el1", 1);
    checks.equal("ICC_BPR1_EL1 under CBPR", sysreg!("icc_bpr1_el1"), 5);
    sysreg!("icc_bpr1_el1", 7);
    checks.equal("takes no write", sysreg!("icc_bpr1_el1"), 5);
    sysreg!("icc_ctlr_el1", 0);
    checks.equal("its own again", sysreg!("icc_bpr1_el1"), 3);
}

fn groups(checks: &mut check::Checks) {
    SGI.write(IGROUPR, SGI.read(IGROUPR) & !bit(2));
    prioritize(2, 0x40);
    send(2);
    checks.equal("ICC_SGI1R_EL1 is not for Group 0", is_pending(2), 0);
    sysreg!("icc_sgi0r_el1", 1 << 24 | 1);
    checks.equal("nor ICC_SGI0R_EL1 for Group 1", is_pending(1), 0);
    sysreg!("icc_asgi1r_el1", 1 << 24 | 1);
    checks.equal("ICC_ASGI1R_EL1 and Group 1", is_pending(1), 0);
    sysreg!("icc_asgi1r_el1", 2 << 24 | 1);
    println!("ICC_ASGI1R_EL1 and Group 0: {}", is_pending(2));
    SGI.write(ICPENDR, bit(2));
    sysreg!("icc_sgi0r_el1", 2 << 24 | 1);
    checks.equal("Group 0 is FIQ", lines(), 1);
    checks.equal("IAR1 does not see it", acknowledge(), SPURIOUS);
    checks.equal("nor HPPIR1", sysreg!("icc_hppir1_el1"), SPURIOUS);
    checks.equal("HPPIR0 does", sysreg!("icc_hppir0_el1"), 2);
    checks.that("it arrives there", taken() == (2, FIQ));
    sysreg!("icc_igrpen0_el1", 0);
    sysreg!("icc_sgi0r_el1", 2 << 24 | 1);
    checks.equal("a disabled group is not signalled", lines(), 0);
    sysreg!("icc_igrpen0_el1", 1);
    GICD.write(CTLR, 2);
    checks.equal("nor one that GICD_CTLR disables", lines(), 0);
    GICD.write(CTLR, 3);
    checks.that("until both enable it", taken() == (2, FIQ));
}

fn routes(checks: &mut check::Checks) {
    let router = IROUTER + 8 * FREE as usize;
    GICD.write(router, 0x0001_0203);
    GICD.write(router + 4, 4);
    checks.equal(
        "GICD_IROUTER's low half",
        GICD.read(router).into(),
        0x0001_0203,
    );
    checks.equal("its high half", GICD.read(router + 4).into(), 4);
    pend(FREE);
    checks.equal(
        "an SPI of a CPU that is not there is pending",
        is_pending(FREE),
        1,
    );
    checks.equal("and not signalled", lines(), 0);
    GICD.write(router, 0);
    checks.equal("nor with half of its route", lines(), 0);
    GICD.write(router + 4, 0);
    checks.that("until it is routed here", taken() == (u64::from(FREE), IRQ));
    // By edge it is remembered, by level it is what the line is.
    let word = ICFGR + FREE as usize / 16 * 4;
    GICD.write(word, 2 << (FREE % 16 * 2));
    checks.equal("GICD_ICFGR", GICD.read(word).into(), 2 << (FREE % 16 * 2));
    pend(FREE);
    checks.that("an edge", taken() == (u64::from(FREE), IRQ));
}

/// Registers that are not there, or not in this direction.
fn undefined(checks: &mut check::Checks) {
    let mut due = 0;
    let mut each = |what, then: &dyn Fn()| {
        then();
        due += 1;
        checks.equal(what, UNDEFINED.load(Relaxed).into(), due);
    };
    each("ICC_AP0R1_EL1", &|| drop_value(sysreg!("icc_ap0r1_el1")));
    each("ICC_AP1R3_EL1", &|| drop_value(sysreg!("icc_ap1r3_el1")));
    each("a read of ICC_EOIR1_EL1", &|| {
        drop_value(sysreg!("S3_0_C12_C12_1"))
    });
    each("a read of ICC_SGI1R_EL1", &|| {
        drop_value(sysreg!("S3_0_C12_C11_5"))
    });
    each("a write of ICC_IAR1_EL1", &|| sysreg!("S3_0_C12_C12_0", 0));
    each("a write of ICC_RPR_EL1", &|| sysreg!("S3_0_C12_C11_3", 0));
}

fn drop_value(value: u64) {
    core::hint::black_box(value);
}

/// What [`walk`] has seen after all of its steps, on QEMU 7.2's board.
const SEEN: u64 = 0x8b44_3013_7ead_c4b3;

/// SGIs 0 to 7 and the SPIs 100 to 107.
fn chosen(random: u64) -> u32 {
    let n = random as u32 & 15;
    if n < 8 { n } else { FREE + (n & 7) }
}

/// Random commands, each followed by a look at all that shows the interface's state.
fn walk(checks: &mut check::Checks) {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut seen = 0xcbf2_9ce4_8422_2325_u64;
    let (mut last, mut count) = (0, 0);
    for step in 1..=8192 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (command, value) = (random >> 8 & 31, random >> 16);
        let id = chosen(value);
        let (frame, word) = place(id);
        let mut taken = 0;
        match command {
            0..=3 => pend(id),
            4 => sysreg!("icc_sgi0r_el1", (value & 7) << 24 | 1),
            5 => sysreg!("icc_sgi1r_el1", (value & 7) << 24 | 1),
            6..=8 => prioritize(id, (value >> 8) as u8 & 0xf8),
            9 => frame.write(IGROUPR + word, (value >> 8) as u32),
            10..=13 => frame.write(ISENABLER + word, bit(id)),
            14 => frame.write(0x180 + word, bit(id)),
            15 => frame.write(ICPENDR + word, bit(id)),
            16 => frame.write(0x380 + word, bit(id)),
            17 => sysreg!("icc_pmr_el1", value >> 8 & 0xff | (value >> 4 & 8) << 4),
            18 => sysreg!("icc_bpr0_el1", value >> 8 & 7),
            19 => sysreg!("icc_bpr1_el1", value >> 8 & 7),
            20 => sysreg!("icc_ctlr_el1", value >> 8 & 3),
            21 => GICD.write(CTLR, (value >> 8) as u32 & 3 | 2),
            22..=24 => taken = sysreg!("icc_iar0_el1") | 1 << 32,
            25..=27 => taken = sysreg!("icc_iar1_el1") | 1 << 33,
            28 => sysreg!("icc_eoir0_el1", last),
            29 => sysreg!("icc_eoir1_el1", last),
            30 if value & 0x100 == 0 => sysreg!("icc_eoir0_el1", u64::from(id)),
            30 => sysreg!("icc_eoir1_el1", u64::from(id)),
            _ => sysreg!("icc_dir_el1", u64::from(id)),
        }
        if taken != 0 && taken & 0x3ff < 1020 {
            last = taken & 0x3ff;
            count += 1;
        }
        for state in [
            taken,
            sysreg!("icc_rpr_el1"),
            sysreg!("icc_hppir0_el1"),
            sysreg!("icc_hppir1_el1"),
            sysreg!("icc_ap0r0_el1"),
            sysreg!("icc_ap1r0_el1"),
            sysreg!("icc_bpr1_el1"),
            lines(),
            u64::from(frame.read(ISPENDR + word)) << 32 | u64::from(frame.read(ISACTIVER + word)),
        ] {
            seen = (seen ^ state).wrapping_mul(0x100_0000_01b3);
        }
        if step % 256 == 0 {
            println!("after {step} steps, {count} interrupts: {seen:016x}");
        }
    }
    checks.equal("what a random walk has seen", seen, SEEN);
}
