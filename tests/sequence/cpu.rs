//! A CPU that executes one instruction at a time and tells what became of it: the oracle of the
//! interpreter in `src/mmio/sequence/`, to run under qemu-aarch64 or qemu-arm.
//!
//! A Linux program that needs no library. From standard input it takes cases: the instruction,
//! its length, the general registers and the status; to standard output go their outcomes: the
//! signal that ended each, general registers, PC and status, in words of the CPU. A case is
//! started by the return from a signal handler and ends in the next one: behind the instruction
//! is a breakpoint, and what a branch leads to is not mapped.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use core::ptr;

#[cfg(target_arch = "aarch64")]
mod cpu {
    pub type Word = u64;
    /// Where a signal's context has X0 to X30, SP, PC and PSTATE.
    pub const CONTEXT: usize = 184;
    pub const GENERAL: usize = 31;
    pub const PC: usize = 32;
    pub const STATUS: usize = 33;
    pub const BREAK: u32 = 0xd420_0000;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const EXIT: usize = 94;
    pub const SIGALTSTACK: usize = 132;
    pub const SIGACTION: usize = 134;
    pub const MAP: usize = 222;
}

#[cfg(target_arch = "arm")]
mod cpu {
    pub type Word = u32;
    /// Where a signal's context has R0 to R15 and CPSR.
    pub const CONTEXT: usize = 32;
    pub const GENERAL: usize = 15;
    pub const PC: usize = 15;
    pub const STATUS: usize = 16;
    pub const BREAK: u32 = 0xe120_0070;
    pub const READ: usize = 3;
    pub const WRITE: usize = 4;
    pub const EXIT: usize = 248;
    pub const SIGALTSTACK: usize = 186;
    pub const SIGACTION: usize = 174;
    pub const MAP: usize = 192;
}

use cpu::Word;

/// The page where the instructions stand.
const PAGE: usize = 0x2000_0000;

#[repr(C)]
struct Case {
    instruction: Word,
    length: Word,
    pc: Word,
    general: [Word; cpu::GENERAL],
    status: Word,
}

#[repr(C)]
struct Outcome {
    signal: Word,
    general: [Word; cpu::GENERAL],
    pc: Word,
    status: Word,
}

#[cfg(target_arch = "aarch64")]
fn call(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    // SAFETY: the callers hand over addresses of their own memory.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b,
             in("x2") c, in("x3") d, in("x4") e, in("x5") f);
    }
    result
}

#[cfg(target_arch = "arm")]
fn call(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    // SAFETY: the callers hand over addresses of their own memory.
    unsafe {
        asm!("push {{r7, r8}}", "mov r7, {n}", "svc 0", "pop {{r7, r8}}", n = in(reg) number,
             inlateout("r0") a as isize => result, in("r1") b, in("r2") c, in("r3") d,
             in("r4") e, in("r5") f);
    }
    result
}

fn exit(code: usize) -> ! {
    loop {
        call(cpu::EXIT, [code, 0, 0, 0, 0, 0]);
    }
}

/// Reads or writes all of `bytes`.
fn transfer(number: usize, file: usize, bytes: *mut u8, length: usize) {
    let mut done = 0;
    while done < length {
        let at = bytes as usize + done;
        match call(number, [file, at, length - done, 0, 0, 0]) {
            0 => exit(0),
            n if n > 0 => done += n as usize,
            _ => exit(2),
        }
    }
}

static mut STARTED: bool = false;

/// A case has ended: tell its outcome and start the next one.
extern "C" fn on_signal(signal: i32, _info: usize, context: usize) {
    let registers = (context + cpu::CONTEXT) as *mut Word;
    // SAFETY: the kernel's frame lies at `context`, the slot's page is mapped, and there is one
    // thread.
    unsafe {
        if STARTED {
            let mut outcome = Outcome {
                signal: signal as Word,
                general: ptr::read(registers.cast()),
                pc: *registers.add(cpu::PC),
                status: *registers.add(cpu::STATUS),
            };
            transfer(cpu::WRITE, 1, (&raw mut outcome).cast(), size_of::<Outcome>());
        }
        STARTED = true;
        let mut case: Case = core::mem::zeroed();
        transfer(cpu::READ, 0, (&raw mut case).cast(), size_of::<Case>());
        ptr::write(registers.cast(), case.general);
        *registers.add(cpu::PC) = case.pc;
        *registers.add(cpu::STATUS) = case.status;
        place(&case);
    }
}

/// Puts the instruction at its place, about the middle of a page full of breakpoints.
///
/// # Safety
///
/// The page is mapped, and the case's PC lies in it.
unsafe fn place(case: &Case) {
    let thumb = cfg!(target_arch = "arm") && case.status & 0x20 != 0;
    // BKPT of T32 is executed in any IT block.
    let fill = if thumb { 0xbe00_be00 } else { cpu::BREAK };
    let (first, second) = if !thumb {
        (case.instruction as u16, (case.instruction >> 16) as u16)
    } else if case.length == 2 {
        (case.instruction as u16, 0xbe00)
    } else {
        ((case.instruction >> 16) as u16, case.instruction as u16)
    };
    // SAFETY: as the caller says.
    unsafe {
        let all = ptr::read_volatile(PAGE as *const u32) != fill;
        // Otherwise what the last case left.
        for i in if all { 0..0x400 } else { 0x1fe..0x206 } {
            ptr::write_volatile((PAGE as *mut u32).add(i), fill);
        }
        let at = case.pc as *mut u16;
        ptr::write_volatile(at, first);
        ptr::write_volatile(at.add(1), second);
    }
}

#[repr(C)]
struct Action {
    handler: extern "C" fn(i32, usize, usize),
    flags: usize,
    restorer: usize,
    mask: u64,
}

static mut STACK: [u8; 0x10000] = [0; 0x10000];

extern "C" fn begin() -> ! {
    let page = call(cpu::MAP, [PAGE, 0x1000, 7, 0x32, usize::MAX, 0]);
    let stack = [(&raw mut STACK) as usize, 0, 0x10000];
    call(cpu::SIGALTSTACK, [stack.as_ptr() as usize, 0, 0, 0, 0, 0]);
    let action = Action {
        handler: on_signal,
        // SA_SIGINFO, SA_ONSTACK
        flags: 0x0800_0004,
        restorer: 0,
        mask: 0,
    };
    // SIGILL, SIGTRAP, SIGBUS, SIGSEGV
    for signal in [4, 5, 7, 11] {
        let action = (&raw const action) as usize;
        call(cpu::SIGACTION, [signal, action, 0, 8, 0, 0]);
    }
    if page != PAGE as isize {
        exit(3);
    }
    // SAFETY: the handler takes this one for the first.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("brk 0");
    }
    // SAFETY: as above.
    #[cfg(target_arch = "arm")]
    unsafe {
        asm!("bkpt 0");
    }
    exit(4)
}

global_asm!(".globl _start", "_start:", "b {begin}", begin = sym begin);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    exit(5)
}
