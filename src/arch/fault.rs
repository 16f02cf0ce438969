//! Exceptions and panics of the hypervisor itself.
//!
//! Both print what happened, the registers, and a backtrace of return addresses that the host
//! tool turns into functions, files and lines. What happens next depends on where it was: in
//! code that ran for one VM, that VM is stopped and its core goes on without it; elsewhere the machine
//! stops.

use super::console::Emergency;
use super::registers::mrs;
use super::{boot, core_area, guest, mmu};
use core::fmt::Write;
use core::panic::PanicInfo;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut kept = [0u64; 12];
    // SAFETY: stores X19 to X29 (the build keeps X29 as the frame pointer) and SP into `kept`.
    unsafe {
        core::arch::asm!(
            "stp x19, x20, [{to}]",
            "stp x21, x22, [{to}, #16]",
            "stp x23, x24, [{to}, #32]",
            "stp x25, x26, [{to}, #48]",
            "stp x27, x28, [{to}, #64]",
            "mov {sp}, sp",
            "stp x29, {sp}, [{to}, #80]",
            to = in(reg) kept.as_mut_ptr(),
            sp = out(reg) _,
            options(nostack)
        );
    }
    let mut out = Emergency::begin();
    let _ = writeln!(
        out,
        "reliquary-el2: panic on core {}: {info}",
        core_area::index()
    );
    let _ = writeln!(
        out,
        "  last exit: ESR {:#010x}  FAR {:#018x}  ELR {:#018x}  SPSR {:#010x}  SP {:#018x}",
        mrs!("esr_el2"),
        mrs!("far_el2"),
        mrs!("elr_el2"),
        mrs!("spsr_el2"),
        kept[11]
    );
    registers(&mut out, 19, &kept[..11]);
    backtrace(&mut out, None, kept[10]);
    after(out)
}

/// An allocation once the arena is sealed: a panic that names the size.
pub fn allocation_after_boot(bytes: usize) -> ! {
    panic!("an allocation of {bytes} bytes after boot");
}

#[repr(C)]
struct Frame {
    x: [u64; 30],
    kind: u64,
    sp: u64,
}

/// Called by vectors.S on the core's emergency stack.
#[unsafe(no_mangle)]
extern "C" fn own_exception_report(frame: &Frame) -> ! {
    let esr = mrs!("esr_el2");
    let elr = mrs!("elr_el2");
    let mut out = Emergency::begin();
    let kind = match frame.kind & 3 {
        0 => "synchronous exception",
        1 => "IRQ",
        2 => "FIQ",
        _ => "SError",
    };
    let class = class_in_words(esr);
    let _ = writeln!(
        out,
        "reliquary-el2: unexpected {kind} at EL2 on core {}: {class}",
        core_area::index()
    );
    let _ = writeln!(
        out,
        "  ESR {esr:#010x}  FAR {:#018x}  ELR {elr:#018x}  SPSR {:#010x}  SP {:#018x}",
        mrs!("far_el2"),
        mrs!("spsr_el2"),
        frame.sp
    );
    registers(&mut out, 0, &frame.x);
    let fault = mrs!("far_el2") & !(mmu::PAGE as u64 - 1);
    if core_area::guard_pages().any(|page| page == fault) {
        let _ = writeln!(
            out,
            "  the address is the guard page below a stack: stack overflow"
        );
    }
    backtrace(&mut out, Some(elr), frame.x[29]);
    after(out)
}

/// What of ESR_EL2.EC can happen at EL2 (DDI 0487, D17.2.37).
fn class_in_words(esr: u64) -> &'static str {
    match esr >> 26 & 0x3f {
        0x00 => "unknown or undefined instruction",
        0x07 => "access to floating-point registers",
        0x18 => "trapped system register",
        0x21 => "instruction abort",
        0x22 => "PC not aligned",
        0x25 => "data abort",
        0x26 => "SP not aligned",
        0x2f => "SError",
        0x3c => "BRK instruction",
        _ => "see ESR_EL2.EC",
    }
}

/// Prints X registers from `first` on, four a line.
fn registers(out: &mut Emergency, first: usize, values: &[u64]) {
    for (row, four) in values.chunks(4).enumerate() {
        let _ = write!(out, " ");
        for (column, value) in four.iter().enumerate() {
            let _ = write!(out, " x{:<2} {value:#018x}", first + row * 4 + column);
        }
        let _ = writeln!(out);
    }
}

/// Fails as a guest's HVC asks, for tests of the reports: its number says how.
#[cfg(feature = "fault-injection")]
pub fn injected(esr: u64) {
    if !matches!(esr >> 26 & 0x3f, 0x12 | 0x16) {
        return;
    }
    match esr & 0xffff {
        0xe100 => panic!("injected"),
        // SAFETY: none: address 8 is not mapped, and the data abort is what is asked for.
        0xe101 => unsafe { (8 as *mut u64).write_volatile(1) },
        0xe102 => {
            overflow(0);
        }
        0xe103 => drop(alloc::vec![0u8; 64]),
        _ => {}
    }
}

/// Recurses until the stack's guard page ends it.
#[cfg(feature = "fault-injection")]
#[inline(never)]
#[allow(unconditional_recursion)]
fn overflow(depth: u64) -> u64 {
    let here = core::hint::black_box([depth; 64]);
    overflow(depth + 1) + here[depth as usize % 64]
}

/// Walks the frame records from `frame` on (AAPCS64, 6.2.3), at most 32 of them.
fn backtrace(out: &mut Emergency, from: Option<u64>, mut frame: u64) {
    let base = boot::image_base();
    let end = mmu::image_end();
    let _ = write!(out, "reliquary-el2 backtrace: image at {base:#x}:");
    let mut put = |address: u64| {
        let _ = write!(out, " {:#x}", address.wrapping_sub(base));
    };
    if let Some(address) = from {
        put(address);
    }
    for _ in 0..32 {
        if !frame.is_multiple_of(16) || frame < base || frame >= end {
            break;
        }
        // SAFETY: an aligned address inside the image; a guard page there would fault once
        // more, which ends in this core's own report.
        let [next, lr] = unsafe { *(frame as *const [u64; 2]) };
        if lr < base || lr >= end {
            break;
        }
        // The call is the instruction before the return address.
        put(lr - 4);
        if next <= frame {
            break;
        }
        frame = next;
    }
    let _ = writeln!(out);
}

fn after(mut out: Emergency) -> ! {
    if guest::serve::fails_alone() {
        let _ = writeln!(out, "reliquary-el2: this VM is stopped; the others go on");
        drop(out);
        guest::serve::go_on_without_vm()
    }
    let _ = writeln!(out, "reliquary-el2: the machine is stopped");
    drop(out);
    // No guest runs on: every core would only serve what can no longer be trusted.
    super::console::MACHINE_STOPPED.store(true, core::sync::atomic::Ordering::Relaxed);
    loop {
        super::wait_for_interrupt();
    }
}
