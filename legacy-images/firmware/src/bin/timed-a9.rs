//! Board vexpress-a9, two CPUs: what depends on time, and what each CPU has of its own. It checks
//! nothing itself: run on QEMU's model of the board under a recorder, its trace is the oracle.
//!
//! SP804 (Arm DDI 0271D), private timer, watchdog and global timer (DDI 0407I, 4), GIC (DDI 0407I,
//! 3), PL031 (DDI 0224C), the counters of the system registers (DUI 0447J, 4.3). Registers are read
//! after delays from a constant seed.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};
use firmware::arm32::{Frame, start_second, unexpected};
use firmware::device::Device;
use firmware::gic::{
    GICC_HPPIR, GICC_RPR, GICD_ICENABLER, GICD_ICPENDR, GICD_IPRIORITYR, GICD_ISENABLER,
    GICD_ISPENDR, GICD_SGIR, Gic,
};
use firmware::{VEXPRESS_A9, check};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

fn private() -> Device {
    // SAFETY: the Cortex-A9's private peripherals.
    unsafe { Device::at(0x1e00_0000) }
}

fn sp804() -> Device {
    // SAFETY: an SP804.
    unsafe { Device::at(0x1001_1000) }
}

fn gic() -> Gic {
    Gic {
        distributor: private().part(0x1000),
        interface: private().part(0x100),
    }
}

/// Delays and values that are the same on every run.
struct Seed(u32);

impl Seed {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Waits for up to `most` turns of a loop.
    fn wait(&mut self, most: u32) {
        for _ in 0..self.next() % most {
            // SAFETY: nothing.
            unsafe { core::arch::asm!("nop", options(nomem, nostack)) }
        }
    }
}

/// Reads registers again and again, with delays between.
fn watch(seed: &mut Seed, device: Device, registers: &[usize], times: u32, most: u32) {
    for _ in 0..times {
        seed.wait(most);
        for offset in registers {
            let _ = device.read(*offset);
        }
    }
}

/// The modes of both timers of the SP804.
fn dual_timer(seed: &mut Seed) {
    // TimerXLoad 0x00, Value 0x04, Control 0x08, IntClr 0x0c, RIS 0x10, MIS 0x14, BGLoad 0x18.
    const VALUE_AND_STATUS: &[usize] = &[0x04, 0x10, 0x14];
    for timer in [sp804(), sp804().part(0x20)] {
        for control in 0..64u32 {
            // OneShot, Size, prescaler 1, 16 or 256, IntEnable, Periodic; Enable is apart.
            let prescaler = control >> 2 & 3;
            if prescaler == 3 {
                continue;
            }
            let control = control & 3 | prescaler << 2 | (control >> 4 & 3) << 5;
            let (free, one_shot) = (control & 0x41 == 0, control & 1 != 0);
            // QEMU rounds a count of 32 bits badly where each step is long.
            if prescaler != 0 && free && control & 2 != 0 {
                continue;
            }
            timer.write(0x08, control);
            // QEMU's counter begins at its top where it runs freely, whatever is loaded.
            let wide = control & 2 != 0;
            let top = if wide { 0xffff_ffff } else { 0xffff };
            let load = 200 + seed.next() % 800;
            timer.write(0x00, if free { top } else { load });
            timer.write(0x08, control | 0x80);
            watch(seed, timer, VALUE_AND_STATUS, 12, 60_000);
            if !free {
                timer.write(0x18, 100 + seed.next() % 400);
                watch(seed, timer, VALUE_AND_STATUS, 6, 40_000);
            }
            timer.write(0x0c, 1);
            watch(seed, timer, VALUE_AND_STATUS, 4, 20_000);
            // QEMU's timer does not start again by a load, once it has halted.
            if !free && !one_shot {
                timer.write(0x00, 50 + seed.next() % 200);
                watch(seed, timer, VALUE_AND_STATUS, 6, 20_000);
            }
            timer.write(0x0c, 1);
            timer.write(0x08, control);
            watch(seed, timer, VALUE_AND_STATUS, 2, 2_000);
        }
    }
}

/// The private timer and the watchdog as a timer, of the CPU that runs this.
fn private_timers(seed: &mut Seed) {
    for timer in [private().part(0x600), private().part(0x620)] {
        // Load 0x00, counter 0x04, control 0x08, interrupt status 0x0c.
        for control in 0..8u32 {
            let prescaler = seed.next() % 40;
            timer.write(0x08, prescaler << 8 | control & 6);
            timer.write(0x00, 100 + seed.next() % 3000);
            timer.write(0x08, prescaler << 8 | control & 6 | 1);
            watch(seed, timer, &[0x04, 0x0c], 20, 4_000);
            timer.write(0x0c, 1);
            watch(seed, timer, &[0x04, 0x0c], 10, 4_000);
            timer.write(0x04, seed.next() % 5000);
            watch(seed, timer, &[0x04, 0x0c, 0x08, 0x00], 10, 4_000);
            // In this order: QEMU's line outlives its enable bit.
            timer.write(0x0c, 1);
            timer.write(0x08, 0);
            watch(seed, timer, &[0x04, 0x0c], 2, 400);
        }
    }
}

/// The global timer: its counter, and the comparator of the CPU that runs this.
fn global_timer(seed: &mut Seed, shared: bool) {
    let timer = private().part(0x200);
    // Counter 0x00 and 0x04, control 0x08, status 0x0c, comparator 0x10 and 0x14, increment 0x18.
    if shared {
        timer.write(0x08, 0);
        timer.write(0x00, 0xffff_f000);
        timer.write(0x04, 0);
        timer.write(0x08, 1);
    }
    for control in [0x2u32, 0x6, 0xa, 0xe] {
        timer.write(0x18, 0);
        let low = timer.read(0x00);
        let high = timer.read(0x04);
        let due = (u64::from(high) << 32 | u64::from(low)) + 20_000;
        timer.write(0x08, 1);
        timer.write(0x10, due as u32);
        timer.write(0x14, (due >> 32) as u32);
        timer.write(0x18, 30_000 + seed.next() % 10_000);
        timer.write(0x08, control | 1);
        watch(seed, timer, &[0x00, 0x0c], 20, 20_000);
        timer.write(0x0c, 1);
        watch(seed, timer, &[0x00, 0x04, 0x0c, 0x08], 10, 20_000);
        timer.write(0x08, 1);
        timer.write(0x0c, 1);
    }
}

/// The distributor's banked registers, and this CPU's interface: interrupts that are private.
fn banked(seed: &mut Seed) {
    let distributor = gic().distributor;
    // What the timers' edges left: the manual has their interrupts as edges, QEMU as levels.
    distributor.write(GICD_ICPENDR, 0xffff_ffff);
    gic().open();
    for id in 0..16usize {
        distributor.write_byte(GICD_IPRIORITYR + id, (seed.next() & 0xf0) as u8);
    }
    for word in 0..8 {
        let _ = distributor.read(GICD_IPRIORITYR + word * 4);
    }
    distributor.write(GICD_ISENABLER, 1 << 29 | 1 << 30 | 1 << 27);
    for offset in [GICD_ISENABLER, GICD_ICENABLER, GICD_ISPENDR, 0x300, 0xc00] {
        let _ = distributor.read(offset);
    }
}

/// Takes what is pending, until there is nothing more.
fn take_all() {
    let interface = gic().interface;
    for _ in 0..32 {
        let _ = interface.read(GICC_HPPIR);
        let acknowledged = gic().acknowledge();
        if acknowledged & 0x3ff == 1023 {
            return;
        }
        let _ = interface.read(GICC_RPR);
        let _ = gic().distributor.read(0x300);
        // What keeps a level high: the timers' flags of this CPU.
        private().write(0x60c, 1);
        private().write(0x62c, 1);
        gic().end(acknowledged);
    }
}

/// How far the second CPU is, and what it is to do next.
static STEP: AtomicU32 = AtomicU32::new(0);

fn wait_for(step: u32) {
    while STEP.load(Ordering::Acquire) != step {
        // SAFETY: a hint.
        unsafe { core::arch::asm!("yield", options(nomem, nostack)) }
    }
}

extern "C" fn second() -> ! {
    let mut seed = Seed(0x5eed_0002);
    wait_for(1);
    private_timers(&mut seed);
    global_timer(&mut seed, false);
    banked(&mut seed);
    STEP.store(2, Ordering::Release);
    // From here on the first CPU sends; every step is one burst.
    for step in 0..8 {
        wait_for(3 + 2 * step);
        take_all();
        // An answer to the first CPU, and one to both.
        gic().distributor.write(GICD_SGIR, 1 << 16 | 8 + step);
        gic().distributor.write(GICD_SGIR, 3 << 16 | step);
        take_all();
        STEP.store(4 + 2 * step, Ordering::Release);
    }
    loop {
        // SAFETY: waits.
        unsafe { core::arch::asm!("wfi", options(nomem, nostack)) }
    }
}

/// The real-time clock's second and its match; between them the CPU sleeps.
fn clock() {
    // SAFETY: a PL031.
    let rtc = unsafe { Device::at(0x1001_7000) };
    let now = rtc.read(0x00);
    rtc.write(0x04, now + 2);
    rtc.write(0x10, 1);
    let gic = gic();
    gic.enable(36);
    while gic.acknowledge() & 0x3ff != 36 {
        // SAFETY: waits; an interrupt that is masked ends it.
        unsafe { core::arch::asm!("wfi", options(nomem, nostack)) }
    }
    for offset in [0x00, 0x14, 0x18] {
        let _ = rtc.read(offset);
    }
    rtc.write(0x1c, 1);
    let _ = rtc.read(0x18);
    gic.end(36);
    rtc.write(0x08, 1_000_000);
    let _ = rtc.read(0x00);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let _ = check::begin("timed-a9", &VEXPRESS_A9);
    let mut seed = Seed(0x5eed_0011);
    dual_timer(&mut seed);
    // SAFETY: the system registers.
    let system = unsafe { Device::at(0x1000_0000) };
    watch(&mut seed, system, &[0x5c], 40, 2_000);
    private_timers(&mut seed);
    global_timer(&mut seed, true);
    banked(&mut seed);
    start_second(second);
    STEP.store(1, Ordering::Release);
    wait_for(2);
    for step in 0..8 {
        // To the other by list, to all others, and to itself, by the target list filter.
        let distributor = gic().distributor;
        distributor.write(GICD_SGIR, 2 << 16 | step);
        distributor.write(GICD_SGIR, 1 << 24 | (step + 1) % 16);
        distributor.write(GICD_SGIR, 2 << 24 | (step + 2) % 16);
        let _ = distributor.read(GICD_ISPENDR);
        take_all();
        STEP.store(3 + 2 * step, Ordering::Release);
        wait_for(4 + 2 * step);
        take_all();
    }
    // The other CPU sleeps by now, and time is free.
    clock();
    check::end(format_args!("PASS timed-a9"))
}
